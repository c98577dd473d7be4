/* SPDX-License-Identifier: Apache-2.0
 *
 * The catalog of one storage root: hives, boxes, frames, views and their properties.
 *
 * A log of its own under "_apiary/catalog/": version n is the object <n>.json, made by
 * put-if-absent, holding the actions of one change; every AP_CATALOG_CHECKPOINT_INTERVAL versions a
 * whole state is written beside it. So changes are serial, every process sees them at its next
 * call, and a restart loses nothing. The catalog knows where a frame's ledger lies, not its schema:
 * that is the ledger's. A view is a text that whoever runs queries understands. Frames and views
 * share their names. Names keep their case and match without it (ASCII). Thread: safe from any
 * thread.
 */
#ifndef AP_CATALOG_CATALOG_H
#define AP_CATALOG_CATALOG_H

#include "port/env.h"
#include "store/store.h"

struct ap_catalog;

/* No I/O. env and store outlive the catalog. */
AP_MUST_CHECK ap_status ap_catalog_open(const struct ap_env *env, struct ap_store *store,
                                        struct ap_catalog **out_catalog, ap_error *err);
void ap_catalog_close(struct ap_catalog *catalog); /* NULL is allowed */

/* 1..128 bytes of UTF-8 without control bytes, '/', '\\', '"'; no leading dot or underscore, no
 * leading or trailing space, no name the engine keeps for itself (system, temp, memory, main is
 * fine as a box, information_schema and pg_catalog are not). AP_INVALID_ARGUMENT says which rule.
 */
AP_MUST_CHECK ap_status ap_catalog_check_name(const char *what, struct ap_text name, ap_error *err);

struct ap_frame_entry {
  struct ap_text hive; /* as created, NUL-terminated */
  struct ap_text box;
  struct ap_text name;
  struct ap_text id;       /* UUID, stable over renames */
  struct ap_text location; /* key of the frame's folder */
  struct ap_text view;     /* of views: the definition; they have no location */
  int64_t created_ms;
};

/* create: with if_absent an existing one is AP_OK, else AP_ALREADY_EXISTS. */
AP_MUST_CHECK ap_status ap_catalog_create_hive(struct ap_catalog *catalog, struct ap_text hive,
                                               bool if_absent, ap_error *err);
AP_MUST_CHECK ap_status ap_catalog_create_box(struct ap_catalog *catalog, struct ap_text hive,
                                              struct ap_text box, bool if_absent, ap_error *err);

/* A fresh folder key for a frame: readable ("warehouse/sales/orders", bytes outside
 * [A-Za-z0-9._-] as ~20) when no object lies there, else with an id appended. AP_NOT_FOUND when
 * hive or box does not exist. */
AP_MUST_CHECK ap_status ap_catalog_choose_location(struct ap_catalog *catalog, struct ap_text hive,
                                                   struct ap_text box, struct ap_text frame,
                                                   struct ap_arena *arena,
                                                   struct ap_text *out_location, ap_error *err);
/* Enter a frame whose ledger exists at location. AP_ALREADY_EXISTS when the name is taken, or the
 * location is another frame's; AP_STATE when it lies in that of another frame or holds it. */
AP_MUST_CHECK ap_status ap_catalog_add_frame(struct ap_catalog *catalog, struct ap_text hive,
                                             struct ap_text box, struct ap_text frame,
                                             struct ap_text location, ap_error *err);

/* AP_NOT_FOUND names what is missing and the nearest name there is; AP_STATE: it is a view.
 * *out_entry in the arena. */
AP_MUST_CHECK ap_status ap_catalog_find_frame(struct ap_catalog *catalog, struct ap_text hive,
                                              struct ap_text box, struct ap_text frame,
                                              struct ap_arena *arena,
                                              struct ap_frame_entry *out_entry, ap_error *err);
/* Enter a view, or with replace put it in the place of the one that is there. if_absent: one that
 * is there is AP_OK and stays. AP_ALREADY_EXISTS when a frame has the name. */
AP_MUST_CHECK ap_status ap_catalog_add_view(struct ap_catalog *catalog, struct ap_text hive,
                                            struct ap_text box, struct ap_text view,
                                            struct ap_text definition, bool replace, bool if_absent,
                                            ap_error *err);
/* AP_NOT_FOUND likewise; AP_STATE: it is a frame. */
AP_MUST_CHECK ap_status ap_catalog_find_view(struct ap_catalog *catalog, struct ap_text hive,
                                             struct ap_text box, struct ap_text view,
                                             struct ap_arena *arena,
                                             struct ap_frame_entry *out_entry, ap_error *err);
/* Either; *out_found false when there is neither, or no such box or hive. */
AP_MUST_CHECK ap_status ap_catalog_look_up(struct ap_catalog *catalog, struct ap_text hive,
                                           struct ap_text box, struct ap_text name,
                                           struct ap_arena *arena, struct ap_frame_entry *out_entry,
                                           bool *out_found, ap_error *err);

/* The names as created; AP_NOT_FOUND likewise. */
AP_MUST_CHECK ap_status ap_catalog_find_hive(struct ap_catalog *catalog, struct ap_text hive,
                                             struct ap_arena *arena, struct ap_text *out_name,
                                             ap_error *err);
AP_MUST_CHECK ap_status ap_catalog_find_box(struct ap_catalog *catalog, struct ap_text hive,
                                            struct ap_text box, struct ap_arena *arena,
                                            struct ap_text *out_name, ap_error *err);

/* Sorted by name (bytes). Empty hive or box: all of them (frames of every hive, and so on). Of
 * entries for hives only `hive` is set, for boxes `hive` and `box`. Arena memory. */
AP_MUST_CHECK ap_status ap_catalog_list_hives(struct ap_catalog *catalog, struct ap_arena *arena,
                                              struct ap_frame_entry **out_entries,
                                              uint32_t *out_count, ap_error *err);
AP_MUST_CHECK ap_status ap_catalog_list_boxes(struct ap_catalog *catalog, struct ap_text hive,
                                              struct ap_arena *arena,
                                              struct ap_frame_entry **out_entries,
                                              uint32_t *out_count, ap_error *err);
AP_MUST_CHECK ap_status ap_catalog_list_frames(struct ap_catalog *catalog, struct ap_text hive,
                                               struct ap_text box, struct ap_arena *arena,
                                               struct ap_frame_entry **out_entries,
                                               uint32_t *out_count, ap_error *err);

AP_MUST_CHECK ap_status ap_catalog_list_views(struct ap_catalog *catalog, struct ap_text hive,
                                              struct ap_text box, struct ap_arena *arena,
                                              struct ap_frame_entry **out_entries,
                                              uint32_t *out_count, ap_error *err);

/* Renames keep id and location. Renaming a hive or box takes what is in it along. */
AP_MUST_CHECK ap_status ap_catalog_rename_hive(struct ap_catalog *catalog, struct ap_text hive,
                                               struct ap_text new_name, ap_error *err);
AP_MUST_CHECK ap_status ap_catalog_rename_box(struct ap_catalog *catalog, struct ap_text hive,
                                              struct ap_text box, struct ap_text new_name,
                                              ap_error *err);
AP_MUST_CHECK ap_status ap_catalog_rename_frame(struct ap_catalog *catalog, struct ap_text hive,
                                                struct ap_text box, struct ap_text frame,
                                                struct ap_text new_name, ap_error *err);

/* A frame or a view (is_view) under another name, perhaps in another box or hive; id and location
 * stay. */
AP_MUST_CHECK ap_status ap_catalog_move(struct ap_catalog *catalog, struct ap_text hive,
                                        struct ap_text box, struct ap_text name, bool is_view,
                                        struct ap_text new_hive, struct ap_text new_box,
                                        struct ap_text new_name, ap_error *err);

AP_MUST_CHECK ap_status ap_catalog_drop_view(struct ap_catalog *catalog, struct ap_text hive,
                                             struct ap_text box, struct ap_text view,
                                             bool if_exists, ap_error *err);

/* Dropping a frame forgets its name at once; its files stay until they are removed by whoever drops
 * (see execute/), and its location is kept in the log. A hive or box that is not empty is
 * AP_STATE unless cascade. if_exists: a missing one is AP_OK. */
AP_MUST_CHECK ap_status ap_catalog_drop_hive(struct ap_catalog *catalog, struct ap_text hive,
                                             bool cascade, bool if_exists, ap_error *err);
AP_MUST_CHECK ap_status ap_catalog_drop_box(struct ap_catalog *catalog, struct ap_text hive,
                                            struct ap_text box, bool cascade, bool if_exists,
                                            ap_error *err);
AP_MUST_CHECK ap_status ap_catalog_drop_frame(struct ap_catalog *catalog, struct ap_text hive,
                                              struct ap_text box, struct ap_text frame,
                                              bool if_exists, ap_error *err);

/* All three in one, telling what went: a frame (box and frame given), a box (frame empty) or a hive
 * (both empty). *out_frames are the frames that this very change forgot, so that their files, and
 * only theirs, may be removed; none when there was nothing to drop. out_count NULL: not asked for,
 * then arena and out_frames are not used. When AP_OUT_OF_MEMORY comes from copying them, the drop
 * is made nevertheless. */
AP_MUST_CHECK ap_status ap_catalog_drop(struct ap_catalog *catalog, struct ap_text hive,
                                        struct ap_text box, struct ap_text frame, bool cascade,
                                        bool if_exists, struct ap_arena *arena,
                                        struct ap_frame_entry **out_frames, uint32_t *out_count,
                                        ap_error *err);

/* Properties: box empty for a hive's, frame empty for a box's. An empty value removes. */
AP_MUST_CHECK ap_status ap_catalog_set_property(struct ap_catalog *catalog, struct ap_text hive,
                                                struct ap_text box, struct ap_text frame,
                                                struct ap_text name, struct ap_text value,
                                                ap_error *err);
/* Empty text when it is not set. */
AP_MUST_CHECK ap_status ap_catalog_get_property(struct ap_catalog *catalog, struct ap_text hive,
                                                struct ap_text box, struct ap_text frame,
                                                struct ap_text name, struct ap_arena *arena,
                                                struct ap_text *out_value, ap_error *err);

#endif
