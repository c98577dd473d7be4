/* SPDX-License-Identifier: Apache-2.0
 *
 * Changing parsed JSON in place, so that a document keeps the members nobody here knows. Everything
 * lives in the arena the document was parsed into; names and texts that are put in are borrowed and
 * must live as long. Functions that need memory give false when there is none. Thread: the arena's.
 */
#ifndef AP_BASE_JSON_EDIT_H
#define AP_BASE_JSON_EDIT_H

#include "base/json.h"

/* Like ap_json_parse, for a value that is going to be changed. */
AP_MUST_CHECK ap_status ap_json_parse_editable(struct ap_arena *arena, struct ap_text input,
                                               struct ap_json **out_value, ap_error *err);

struct ap_json ap_json_of_text(struct ap_text text); /* must be UTF-8 */
struct ap_json ap_json_of_bool(bool value);
/* A number's text comes from the arena. */
bool ap_json_of_i64(struct ap_arena *arena, int64_t number, struct ap_json *out_value);

/* The member that counts (the last of its name); NULL when there is none. */
struct ap_json *ap_json_edit_find(struct ap_json *object, struct ap_text name);
/* Replace the member, or add it at the end. */
bool ap_json_edit_set(struct ap_arena *arena, struct ap_json *object, struct ap_text name,
                      struct ap_json value);
/* Whether there was one. */
bool ap_json_edit_remove(struct ap_json *object, struct ap_text name);

/* Items of an array; index is within bounds. */
bool ap_json_edit_insert(struct ap_arena *arena, struct ap_json *array, uint32_t index,
                         struct ap_json value);
void ap_json_edit_take(struct ap_json *array, uint32_t index);
void ap_json_edit_move(struct ap_json *array, uint32_t from, uint32_t to);

#endif
