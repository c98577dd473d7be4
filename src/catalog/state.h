/* SPDX-License-Identifier: Apache-2.0
 *
 * What the catalog holds at one version, and the changes that lead from one to the next.
 *
 * Entries are immutable and counted; states share them. A state is built by one thread and
 * immutable once others may see it. Module-internal.
 */
#ifndef AP_CATALOG_STATE_H
#define AP_CATALOG_STATE_H

#include "base/text.h"

#include <stdatomic.h>

struct ap_catalog_property {
  struct ap_text name; /* NUL-terminated, as all texts of an entry */
  struct ap_text value;
};

/* A hive (box and name empty), a box (name empty), a frame or a view. */
struct ap_catalog_entry {
  struct ap_allocator *allocator;
  atomic_uint reference_count;
  struct ap_text hive;
  struct ap_text box;
  struct ap_text name;
  struct ap_text id;       /* frames: UUID */
  struct ap_text location; /* frames: key of the folder */
  struct ap_text view;     /* views: the definition; empty: none of them */
  int64_t created_ms;
  uint32_t property_count;
  struct ap_catalog_property *properties;
};

/* What an entry is made of; everything is copied. */
struct ap_catalog_entry_parts {
  struct ap_text hive;
  struct ap_text box;
  struct ap_text name;
  struct ap_text id;
  struct ap_text location;
  struct ap_text view;
  int64_t created_ms;
  uint32_t property_count;
  const struct ap_catalog_property *properties;
};

AP_MUST_CHECK ap_status ap_catalog_entry_create(struct ap_allocator *allocator,
                                                const struct ap_catalog_entry_parts *parts,
                                                struct ap_catalog_entry **out_entry, ap_error *err);
void ap_catalog_entry_release(struct ap_catalog_entry *entry); /* NULL is allowed */

struct ap_catalog_state {
  struct ap_allocator *allocator;
  atomic_uint reference_count;
  int64_t version; /* -1: before the first change */
  uint32_t count;
  uint32_t capacity;
  struct ap_catalog_entry **entries; /* in order of hive, box, name, case ignored */
};

/* Empty, version -1, reference_count 1. */
AP_MUST_CHECK ap_status ap_catalog_state_create(struct ap_allocator *allocator,
                                                struct ap_catalog_state **out_state, ap_error *err);
/* The same entries in a state of one's own, to be changed. */
AP_MUST_CHECK ap_status ap_catalog_state_copy(const struct ap_catalog_state *state,
                                              struct ap_catalog_state **out_copy, ap_error *err);
struct ap_catalog_state *ap_catalog_state_retain(struct ap_catalog_state *state);
void ap_catalog_state_release(struct ap_catalog_state *state); /* NULL is allowed */

/* The entry of those names, case ignored; NULL when there is none. */
const struct ap_catalog_entry *ap_catalog_state_find(const struct ap_catalog_state *state,
                                                     struct ap_text hive, struct ap_text box,
                                                     struct ap_text name);
/* The half-open range of the entries in a hive, or in a box when box is not empty: the hive's or
 * box's own entry first. Empty hive: all entries. */
void ap_catalog_state_range(const struct ap_catalog_state *state, struct ap_text hive,
                            struct ap_text box, uint32_t *out_begin, uint32_t *out_end);
/* Takes the entry, also on failure. AP_CORRUPT when the names are taken or the parent is missing.
 */
AP_MUST_CHECK ap_status ap_catalog_state_insert(struct ap_catalog_state *state,
                                                struct ap_catalog_entry *entry, ap_error *err);

enum ap_catalog_action_kind {
  AP_CATALOG_CREATE,
  AP_CATALOG_RENAME,
  AP_CATALOG_DROP,
  AP_CATALOG_SET,
  AP_CATALOG_CREATE_VIEW, /* or replace the view of that name */
  AP_CATALOG_MOVE,        /* a frame or view to another box */
};

/* One change. What it concerns is the hive when box is empty, the box when frame is. */
struct ap_catalog_action {
  enum ap_catalog_action_kind kind;
  struct ap_text hive;
  struct ap_text box;
  struct ap_text frame;
  struct ap_text id;             /* CREATE of a frame, CREATE_VIEW */
  struct ap_text location;       /* CREATE of a frame */
  struct ap_text view;           /* CREATE_VIEW: the definition */
  int64_t created_ms;            /* CREATE, CREATE_VIEW */
  struct ap_text new_hive;       /* MOVE */
  struct ap_text new_box;        /* MOVE */
  struct ap_text new_name;       /* RENAME, MOVE */
  struct ap_text property_name;  /* SET */
  struct ap_text property_value; /* SET; empty removes */
};

/* Change a state of one's own. AP_CORRUPT when the action does not fit it: then the state is to be
 * thrown away. */
AP_MUST_CHECK ap_status ap_catalog_state_apply(struct ap_catalog_state *state,
                                               const struct ap_catalog_action *action,
                                               ap_error *err);

#endif
