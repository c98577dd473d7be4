/* SPDX-License-Identifier: Apache-2.0
 *
 * See alter_type.h. Both types are walked together as JSON; each primitive type that differs is
 * checked, replaced and recorded with the nearest field above it.
 */
#include "ledger/alter_type.h"

#include "ledger/delta_schema.h"

#include <stdio.h>
#include <string.h>

#define TYPE_CHANGES AP_TEXT("delta.typeChanges")
#define APIARY_TYPE  AP_TEXT("apiary.type")

/* 0..3; -1: no integer. */
static int integer_rank(struct ap_text type) {
  static const char *const names[] = {"byte", "short", "integer", "long"};
  for (int i = 0; i < 4; i++) {
    if (ap_text_equal_string(type, names[i])) return i;
  }
  return -1;
}

static bool decimal_of(struct ap_text type, int *out_precision, int *out_scale) {
  char copy[32];
  int end = 0;
  if (type.size >= sizeof(copy)) return false;
  memcpy(copy, type.data, type.size);
  copy[type.size] = '\0';
  return sscanf(copy, "decimal(%2d,%2d)%n", out_precision, out_scale, &end) == 2 &&
         (size_t)end == type.size;
}

bool ap_delta_type_widens(struct ap_text from, struct ap_text to) {
  int rank = integer_rank(from);
  int precision = 0;
  int scale = 0;
  int from_precision = rank == 3 ? 20 : 10;
  int from_scale = 0;
  if (rank >= 0 && integer_rank(to) > rank) return true;
  if (ap_text_equal_string(to, "double")) {
    return ap_text_equal_string(from, "float") || (rank >= 0 && rank < 3);
  }
  if (ap_text_equal_string(to, "timestamp_ntz")) return ap_text_equal_string(from, "date");
  if (!decimal_of(to, &precision, &scale)) return false;
  if (rank < 0 && !decimal_of(from, &from_precision, &from_scale)) return false;
  int more_scale = scale - from_scale;
  int more_precision = precision - from_precision;
  return more_scale >= 0 && more_precision >= more_scale;
}

struct widening {
  struct ap_table_edit *edit;
  const struct ap_alter_column *column;
  uint32_t change_count;
};

static ap_status refuse(struct widening *widening, const struct ap_json *from,
                        const struct ap_json *to, ap_error *err) {
  struct ap_arena *arena = widening->edit->arena;
  struct ap_text from_text = from->kind == AP_JSON_STRING ? from->text : AP_TEXT("a nested type");
  struct ap_text to_text = to->kind == AP_JSON_STRING ? to->text : AP_TEXT("a nested type");
  ap_status status = AP_FAIL(err, AP_SCHEMA_MISMATCH, "column '%s' cannot change from %.*s to %.*s",
                             ap_column_path_text(arena, &widening->column->path),
                             AP_TEXT_ARG(from_text), AP_TEXT_ARG(to_text));
  ap_error_hint(err,
                "types become wider only: byte, short, integer, long; float to double; "
                "integers to double or decimal; decimals with more digits; date to timestamp "
                "without zone");
  return status;
}

/* Add {"fromType", "toType"[, "fieldPath"]} to the field's history. */
static ap_status record(struct widening *widening, struct ap_json *holder, const char *field_path,
                        struct ap_text from, struct ap_text to, ap_error *err) {
  struct ap_arena *arena = widening->edit->arena;
  struct ap_json *metadata = ap_table_edit_field_metadata(widening->edit, holder);
  if (!metadata) return AP_FAIL_MEMORY(err);
  struct ap_json *changes = ap_json_edit_find(metadata, TYPE_CHANGES);
  if (!changes || changes->kind != AP_JSON_ARRAY) {
    const struct ap_json empty = {.kind = AP_JSON_ARRAY};
    if (!ap_json_edit_set(arena, metadata, TYPE_CHANGES, empty)) return AP_FAIL_MEMORY(err);
    changes = ap_json_edit_find(metadata, TYPE_CHANGES);
  }
  struct ap_json change = {.kind = AP_JSON_OBJECT};
  bool done = ap_json_edit_set(arena, &change, AP_TEXT("fromType"), ap_json_of_text(from)) &&
              ap_json_edit_set(arena, &change, AP_TEXT("toType"), ap_json_of_text(to));
  if (done && field_path[0]) {
    done = ap_json_edit_set(arena, &change, AP_TEXT("fieldPath"),
                            ap_json_of_text(ap_text_of(field_path)));
  }
  if (done) done = ap_json_edit_insert(arena, changes, changes->count, change);
  widening->change_count += 1;
  return done ? AP_OK : AP_FAIL_MEMORY(err);
}

static ap_status widen(struct widening *widening, struct ap_json *holder, const char *field_path,
                       struct ap_json *from, struct ap_json *to, ap_error *err);

static ap_status widen_fields(struct widening *widening, struct ap_json *from, struct ap_json *to,
                              ap_error *err) {
  struct ap_json *have = ap_json_edit_find(from, AP_TEXT("fields"));
  struct ap_json *want = ap_json_edit_find(to, AP_TEXT("fields"));
  if (!have || !want || have->count != want->count) return refuse(widening, from, to, err);
  for (uint32_t i = 0; i < want->count; i++) {
    int64_t index = ap_fields_find(have, ap_field_name(&want->items[i]));
    if (index < 0) return refuse(widening, from, to, err);
    struct ap_json *field = &have->items[index];
    if (!ap_table_edit_field_metadata(widening->edit, field)) return AP_FAIL_MEMORY(err);
    AP_TRY(widen(widening, field, "", ap_json_edit_find(field, AP_TEXT("type")),
                 ap_json_edit_find(&want->items[i], AP_TEXT("type")), err));
  }
  return AP_OK;
}

/* Elements, keys and values belong to the field around them; their path says which. */
static ap_status widen_children(struct widening *widening, struct ap_json *holder,
                                const char *field_path, struct ap_json *from, struct ap_json *to,
                                ap_error *err) {
  static const struct {
    const char *member;
    const char *step;
  } children[] = {{"elementType", "element"}, {"keyType", "key"}, {"valueType", "value"}};
  for (size_t i = 0; i < sizeof(children) / sizeof(children[0]); i++) {
    struct ap_text member = ap_text_of(children[i].member);
    struct ap_json *have = ap_json_edit_find(from, member);
    struct ap_json *want = ap_json_edit_find(to, member);
    if (!have && !want) continue;
    if (!have || !want) return refuse(widening, from, to, err);
    const char *path = ap_arena_format(widening->edit->arena, "%s%s%s", field_path,
                                       field_path[0] ? "." : "", children[i].step);
    if (!path) return AP_FAIL_MEMORY(err);
    AP_TRY(widen(widening, holder, path, have, want, err));
  }
  return AP_OK;
}

static ap_status widen(struct widening *widening, struct ap_json *holder, const char *field_path,
                       struct ap_json *from, struct ap_json *to, ap_error *err) {
  if (!from || !to || from->kind != to->kind) {
    static const struct ap_json nothing = {.kind = AP_JSON_NULL};
    return refuse(widening, from ? from : &nothing, to ? to : &nothing, err);
  }
  if (from->kind == AP_JSON_STRING) {
    if (ap_text_equal(from->text, to->text)) return AP_OK;
    if (!ap_delta_type_widens(from->text, to->text)) return refuse(widening, from, to, err);
    AP_TRY(record(widening, holder, field_path, from->text, to->text, err));
    *from = *to;
    return AP_OK;
  }
  struct ap_text have = {"", 0};
  struct ap_text want = {"", 0};
  if (!ap_json_get_text(from, "type", have, &have) || !ap_json_get_text(to, "type", want, &want) ||
      !ap_text_equal(have, want)) {
    return refuse(widening, from, to, err);
  }
  if (ap_text_equal_string(have, "struct")) return widen_fields(widening, from, to, err);
  return widen_children(widening, holder, field_path, from, to, err);
}

/* The type that the frame shows for the field today. */
static ap_status shown_type(struct ap_table_edit *edit, const struct ap_json *field,
                            struct ap_type *out_type, ap_error *err) {
  struct ap_buffer text;
  struct ap_json_writer writer;
  struct ap_schema logical = {0};
  struct ap_schema physical = {0};
  ap_buffer_init(&text, edit->arena->allocator);
  ap_json_writer_init(&writer, &text);
  ap_buffer_append_string(&text, "{\"type\":\"struct\",\"fields\":[");
  ap_json_value(&writer, field);
  ap_buffer_append_string(&text, "]}");
  ap_status status = ap_buffer_check(&text, err);
  if (status == AP_OK) {
    status =
        ap_delta_schema_parse(edit->arena, ap_buffer_text(&text), false, &logical, &physical, err);
  }
  if (status == AP_OK) *out_type = logical.fields[0].type;
  ap_buffer_deinit(&text);
  return status;
}

/* Types that Delta lacks are stored as wider ones: there the types that are shown decide too. */
static ap_status change_hint(struct widening *widening, struct ap_json *field,
                             struct ap_json *wanted, ap_error *err) {
  struct ap_table_edit *edit = widening->edit;
  struct ap_json *old = ap_table_edit_field_metadata(edit, field);
  struct ap_json *new = ap_table_edit_field_metadata(edit, wanted);
  if (!old || !new) return AP_FAIL_MEMORY(err);
  struct ap_json *hint = ap_json_edit_find(new, APIARY_TYPE);
  if (!ap_json_edit_find(old, APIARY_TYPE) && !hint) return AP_OK;
  struct ap_type shown;
  AP_TRY(shown_type(edit, field, &shown, err));
  if (ap_type_equal(&shown, &widening->column->type)) return AP_OK;
  if (shown.field_count > 0 || !ap_type_widens(&shown, &widening->column->type)) {
    return refuse(widening, ap_json_edit_find(field, AP_TEXT("type")),
                  ap_json_edit_find(wanted, AP_TEXT("type")), err);
  }
  (void)ap_json_edit_remove(old, APIARY_TYPE);
  if (hint && !ap_json_edit_set(edit->arena, old, APIARY_TYPE, *hint)) return AP_FAIL_MEMORY(err);
  return AP_OK;
}

ap_status ap_alter_set_type(struct ap_table_edit *edit, const struct ap_alter_column *column,
                            ap_error *err) {
  struct widening widening = {.edit = edit, .column = column};
  struct ap_field_place place;
  struct ap_json wanted;
  AP_TRY(ap_table_edit_find(edit, &column->path, &place, err));
  AP_TRY(ap_table_edit_make_field(edit, ap_field_name(place.field), &column->type, &wanted, err));
  AP_TRY(change_hint(&widening, place.field, &wanted, err));
  AP_TRY(widen(&widening, place.field, "", ap_json_edit_find(place.field, AP_TEXT("type")),
               ap_json_edit_find(&wanted, AP_TEXT("type")), err));
  struct ap_text enabled = ap_table_edit_property(edit, "delta.enableTypeWidening");
  if (widening.change_count == 0 || ap_text_equal_ignoring_case(enabled, AP_TEXT("true"))) {
    return AP_OK;
  }
  ap_status status = AP_FAIL(err, AP_UNSUPPORTED, "column '%s' cannot get a wider type yet",
                             ap_column_path_text(edit->arena, &column->path));
  ap_error_hint(err,
                "allow it first: ALTER FRAME .. SET TBLPROPERTIES "
                "('delta.enableTypeWidening' = 'true')");
  return status;
}

/* ---- other writers' changes ------------------------------------------------------------------ */

static ap_status check_changes(const struct ap_field *field, ap_error *err) {
  const struct ap_json *changes = ap_json_find(field->metadata, "delta.typeChanges");
  for (uint32_t i = 0; changes && changes->kind == AP_JSON_ARRAY && i < changes->count; i++) {
    struct ap_text from = {"", 0};
    struct ap_text to = {"", 0};
    bool told = ap_json_get_text(&changes->items[i], "fromType", from, &from) &&
                ap_json_get_text(&changes->items[i], "toType", to, &to);
    if (told && ap_delta_type_widens(from, to)) continue;
    return AP_FAIL(err, AP_UNSUPPORTED,
                   "column '%.*s' was changed by the Delta feature 'typeWidening' from %.*s to "
                   "%.*s, which is not supported",
                   AP_TEXT_ARG(field->name), AP_TEXT_ARG(from), AP_TEXT_ARG(to));
  }
  const struct ap_schema inner = {field->type.field_count, field->type.fields};
  return ap_delta_type_changes_check(&inner, err);
}

ap_status ap_delta_type_changes_check(const struct ap_schema *schema, ap_error *err) {
  for (uint32_t i = 0; i < schema->field_count; i++) {
    AP_TRY(check_changes(&schema->fields[i], err));
  }
  return AP_OK;
}
