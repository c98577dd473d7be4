/* SPDX-License-Identifier: Apache-2.0
 *
 * schemaString: Delta's JSON notation of a table's schema, from and to ap_schema.
 *
 * Types Delta lacks are stored as wider ones and remembered in the field's metadata member
 * "apiary.type" (a word for the field's own type; {"element": ..} or {"key": .., "value": ..} where
 * the type is inside an array or a map): uint8 as short, uint16 as integer, uint32 as long, uint64
 * as decimal(20,0), float16 as float, time as long (microseconds). Other engines see the stored
 * type. Names of column mapping ("delta.columnMapping.physicalName") become the physical schema.
 */
#ifndef AP_LEDGER_DELTA_SCHEMA_H
#define AP_LEDGER_DELTA_SCHEMA_H

#include "arrow/type.h"

/* Read a schemaString. logical: names and types as users see them; physical: names and types as in
 * the files. mapped: column mapping is on; then every field must name its physical name. Malformed
 * text: AP_CORRUPT; a type we do not know: AP_UNSUPPORTED naming column and type. */
AP_MUST_CHECK ap_status ap_delta_schema_parse(struct ap_arena *arena, struct ap_text json,
                                              bool mapped, struct ap_schema *out_logical,
                                              struct ap_schema *out_physical, ap_error *err);

/* Append the schemaString of a new table. Members "delta.*" of field metadata are left out: they
 * belong to features that a new table does not have. The schema holds no AP_TYPE_NULL. */
void ap_delta_schema_append(struct ap_buffer *out, const struct ap_schema *schema);
/* Append a type as it is stored: "integer" with its quotes, or an object. */
void ap_delta_schema_append_type(struct ap_buffer *out, const struct ap_type *type);

/* Whether some column, nested ones included, is of that kind. */
bool ap_delta_schema_has_kind(const struct ap_schema *schema, enum ap_type_kind kind);

/* Whether the metadata of some field, nested ones included, has the member. A name that ends in '.'
 * is a prefix. */
bool ap_delta_schema_has_metadata(const struct ap_schema *schema, const char *name);

#endif
