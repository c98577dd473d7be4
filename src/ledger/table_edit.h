/* SPDX-License-Identifier: Apache-2.0
 *
 * A metaData action taken apart for changing: its JSON, its schema's JSON, and the fields in that
 * by path. Members that are not known are kept. Internal to the ledger. Thread: the arena's.
 */
#ifndef AP_LEDGER_TABLE_EDIT_H
#define AP_LEDGER_TABLE_EDIT_H

#include "base/json_edit.h"
#include "ledger/alter.h"

struct ap_table_edit {
  struct ap_arena *arena;
  struct ap_random *random;
  struct ap_json *metadata;
  struct ap_json *schema;        /* the root struct */
  struct ap_json *configuration; /* an object */
  bool is_new;                   /* the table is being made */
  bool changed;
};

AP_MUST_CHECK ap_status ap_table_edit_open(struct ap_table_edit *edit, struct ap_arena *arena,
                                           struct ap_random *random, struct ap_text metadata_json,
                                           ap_error *err);
/* The action's value as text again. */
AP_MUST_CHECK ap_status ap_table_edit_close(struct ap_table_edit *edit,
                                            struct ap_text *out_metadata_json, ap_error *err);

/* Where a field stands. */
struct ap_field_place {
  struct ap_json *fields; /* the array it is in */
  uint32_t index;
  struct ap_json *field;
};

/* AP_NOT_FOUND names the path and what is near. */
AP_MUST_CHECK ap_status ap_table_edit_find(struct ap_table_edit *edit,
                                           const struct ap_column_path *path,
                                           struct ap_field_place *out_place, ap_error *err);
/* The array of fields that the path's last part stands in, or would stand in. */
AP_MUST_CHECK ap_status ap_table_edit_parent(struct ap_table_edit *edit,
                                             const struct ap_column_path *path,
                                             struct ap_json **out_fields, ap_error *err);
/* The index in an array of fields: exact first, else but for case; -1: none. */
int64_t ap_fields_find(struct ap_json *fields, struct ap_text name);
struct ap_text ap_field_name(const struct ap_json *field);

/* The field's metadata object, made when missing. NULL: out of memory. */
struct ap_json *ap_table_edit_field_metadata(struct ap_table_edit *edit, struct ap_json *field);

/* A property's value; empty when not set. */
struct ap_text ap_table_edit_property(struct ap_table_edit *edit, const char *name);
bool ap_table_edit_set_property(struct ap_table_edit *edit, struct ap_text name,
                                struct ap_text value);

/* A field's JSON, metadata without members. */
AP_MUST_CHECK ap_status ap_table_edit_make_field(struct ap_table_edit *edit, struct ap_text name,
                                                 const struct ap_type *type,
                                                 struct ap_json *out_field, ap_error *err);
/* A type's JSON, and a primitive type's word ("integer"). */
AP_MUST_CHECK ap_status ap_table_edit_make_type(struct ap_table_edit *edit,
                                                const struct ap_type *type,
                                                struct ap_json *out_type, ap_error *err);

/* Column mapping. */
bool ap_table_edit_is_mapped(struct ap_table_edit *edit);
/* Give ids and physical names to the field and all below it that have none. keep_names: the
 * physical name is the name (files hold it already). */
AP_MUST_CHECK ap_status ap_table_edit_map_field(struct ap_table_edit *edit, struct ap_json *field,
                                                bool keep_names, ap_error *err);
AP_MUST_CHECK ap_status ap_table_edit_map_all(struct ap_table_edit *edit, bool keep_names,
                                              ap_error *err);

/* For messages: "s.x". Arena memory; "?" without any. */
const char *ap_column_path_text(struct ap_arena *arena, const struct ap_column_path *path);

#endif
