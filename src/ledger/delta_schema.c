/* SPDX-License-Identifier: Apache-2.0
 *
 * See delta_schema.h. Reading builds both trees in one walk: `logical` and `physical` are siblings
 * that differ in names and in widened types.
 */
#include "ledger/delta_schema.h"

#include "base/assert.h"
#include "base/limits.h"

#include <stdio.h>
#include <string.h>

static const char apiary_type[] = "apiary.type";
static const char physical_name[] = "delta.columnMapping.physicalName";

struct primitive {
  const char *name;
  enum ap_type_kind kind;
};

static const struct primitive primitives[] = {
    {"boolean", AP_TYPE_BOOLEAN},
    {"byte", AP_TYPE_INT8},
    {"short", AP_TYPE_INT16},
    {"integer", AP_TYPE_INT32},
    {"long", AP_TYPE_INT64},
    {"float", AP_TYPE_FLOAT32},
    {"double", AP_TYPE_FLOAT64},
    {"string", AP_TYPE_STRING},
    {"binary", AP_TYPE_BINARY},
    {"date", AP_TYPE_DATE},
    {"timestamp", AP_TYPE_TIMESTAMP_TZ},
    {"timestamp_ntz", AP_TYPE_TIMESTAMP},
};

/* What Delta lacks, and what it is stored as. */
struct widening {
  const char *word;
  enum ap_type_kind kind;
  enum ap_type_kind stored;
};

static const struct widening widenings[] = {
    {"uint8", AP_TYPE_UINT8, AP_TYPE_INT16},       {"uint16", AP_TYPE_UINT16, AP_TYPE_INT32},
    {"uint32", AP_TYPE_UINT32, AP_TYPE_INT64},     {"uint64", AP_TYPE_UINT64, AP_TYPE_DECIMAL},
    {"float16", AP_TYPE_FLOAT16, AP_TYPE_FLOAT32}, {"time", AP_TYPE_TIME, AP_TYPE_INT64},
};

enum { WIDENING_COUNT = sizeof(widenings) / sizeof(widenings[0]), UINT64_DIGITS = 20 };

struct reader {
  struct ap_arena *arena;
  bool mapped;
  struct ap_text column; /* for messages: the field we are in */
  uint32_t depth;
};

static ap_status read_type(struct reader *reader, const struct ap_json *json,
                           const struct ap_json *hint, struct ap_type *out_logical,
                           struct ap_type *out_physical, ap_error *err);

static const struct widening *find_widening(enum ap_type_kind kind) {
  for (size_t i = 0; i < WIDENING_COUNT; i++) {
    if (widenings[i].kind == kind) return &widenings[i];
  }
  return NULL;
}

static bool parse_decimal(struct ap_text word, struct ap_type *out_type) {
  int precision = 0;
  int scale = 0;
  int end = 0;
  char copy[32];
  if (word.size >= sizeof(copy)) return false;
  memcpy(copy, word.data, word.size);
  copy[word.size] = '\0';
  if (strcmp(copy, "decimal") == 0) {
    precision = 10;
  } else if (sscanf(copy, "decimal(%2d,%2d)%n", &precision, &scale, &end) != 2 ||
             (size_t)end != word.size) {
    return false;
  }
  if (precision < 1 || precision > 38 || scale < 0 || scale > precision) return false;
  *out_type = (struct ap_type){
      .kind = AP_TYPE_DECIMAL, .precision = (uint8_t)precision, .scale = (uint8_t)scale};
  return true;
}

/* A word of ours applies when the stored type is still the one we stored. */
static void undo_widening(const struct ap_json *hint, struct ap_type *logical) {
  if (!hint || hint->kind != AP_JSON_STRING) return;
  for (size_t i = 0; i < WIDENING_COUNT; i++) {
    if (!ap_text_equal_string(hint->text, widenings[i].word)) continue;
    if (logical->kind != widenings[i].stored) return;
    if (logical->kind == AP_TYPE_DECIMAL &&
        (logical->precision != UINT64_DIGITS || logical->scale != 0)) {
      return;
    }
    *logical = (struct ap_type){.kind = widenings[i].kind};
    return;
  }
}

static ap_status read_primitive(struct reader *reader, struct ap_text word,
                                const struct ap_json *hint, struct ap_type *out_logical,
                                struct ap_type *out_physical, ap_error *err) {
  bool found = parse_decimal(word, out_physical);
  for (size_t i = 0; !found && i < sizeof(primitives) / sizeof(primitives[0]); i++) {
    if (!ap_text_equal_string(word, primitives[i].name)) continue;
    *out_physical = (struct ap_type){.kind = primitives[i].kind};
    found = true;
  }
  if (!found) {
    return AP_FAIL(err, AP_UNSUPPORTED, "column '%.*s' has the type '%.*s', which is not supported",
                   AP_TEXT_ARG(reader->column), AP_TEXT_ARG(word));
  }
  *out_logical = *out_physical;
  undo_widening(hint, out_logical);
  return AP_OK;
}

static ap_status corrupt_field(struct reader *reader, const char *what, ap_error *err) {
  return AP_FAIL(err, AP_CORRUPT, "schemaString: %s in column '%.*s'", what,
                 AP_TEXT_ARG(reader->column));
}

static ap_status read_name(struct reader *reader, const struct ap_json *json,
                           const struct ap_json *metadata, struct ap_field *logical,
                           struct ap_field *physical, ap_error *err) {
  struct ap_text none = {NULL, 0};
  if (!ap_json_get_text(json, "name", none, &logical->name) || !logical->name.data) {
    return corrupt_field(reader, "a field has no name", err);
  }
  reader->column = logical->name;
  if (logical->name.size == 0 || memchr(logical->name.data, '\0', logical->name.size)) {
    return corrupt_field(reader, "a name is empty or holds a zero byte", err);
  }
  physical->name = logical->name;
  if (!reader->mapped) return AP_OK;
  if (!ap_json_get_text(metadata, physical_name, none, &physical->name) ||
      physical->name.size == 0) {
    return corrupt_field(reader, "column mapping is on, but there is no physical name", err);
  }
  return AP_OK;
}

static ap_status read_field(struct reader *reader, const struct ap_json *json,
                            struct ap_field *logical, struct ap_field *physical, ap_error *err) {
  if (json->kind != AP_JSON_OBJECT) return corrupt_field(reader, "a field is no object", err);
  const struct ap_json *metadata = ap_json_find(json, "metadata");
  if (ap_json_is_null(metadata)) metadata = NULL;
  if (metadata && metadata->kind != AP_JSON_OBJECT) {
    return corrupt_field(reader, "metadata is no object", err);
  }
  AP_TRY(read_name(reader, json, metadata, logical, physical, err));
  if (!ap_json_get_bool(json, "nullable", true, &logical->nullable)) {
    return corrupt_field(reader, "nullable is no boolean", err);
  }
  logical->metadata = metadata;
  physical->nullable = logical->nullable;
  physical->metadata = metadata;
  const struct ap_json *type = ap_json_find(json, "type");
  if (!type) return corrupt_field(reader, "the type is missing", err);
  return read_type(reader, type, ap_json_find(metadata, apiary_type), &logical->type,
                   &physical->type, err);
}

static ap_status read_fields(struct reader *reader, const struct ap_json *fields,
                             struct ap_type *out_logical, struct ap_type *out_physical,
                             ap_error *err) {
  if (!fields || fields->kind != AP_JSON_ARRAY) {
    return corrupt_field(reader, "a struct has no array of fields", err);
  }
  if (fields->count > AP_COLUMNS_MAX) {
    return AP_FAIL(err, AP_UNSUPPORTED, "schemaString: %u columns are more than %d", fields->count,
                   (int)AP_COLUMNS_MAX);
  }
  uint32_t room = fields->count ? fields->count : 1;
  struct ap_field *logical = AP_ARENA_ARRAY(reader->arena, struct ap_field, room);
  struct ap_field *physical = AP_ARENA_ARRAY(reader->arena, struct ap_field, room);
  if (!logical || !physical) return AP_FAIL_MEMORY(err);
  for (uint32_t i = 0; i < fields->count; i++) {
    AP_TRY(read_field(reader, &fields->items[i], &logical[i], &physical[i], err));
  }
  *out_logical =
      (struct ap_type){.kind = AP_TYPE_STRUCT, .field_count = fields->count, .fields = logical};
  *out_physical = *out_logical;
  out_physical->fields = physical;
  return AP_OK;
}

/* The element of an array, the key and the value of a map: fields with fixed names. */
static ap_status read_children(struct reader *reader, const struct ap_json *json,
                               const struct ap_json *hint, bool is_map, struct ap_type *out_logical,
                               struct ap_type *out_physical, ap_error *err) {
  static const char *const members[2][2] = {{"elementType", NULL}, {"keyType", "valueType"}};
  static const char *const names[2][2] = {{"element", NULL}, {"key", "value"}};
  uint32_t count = is_map ? 2 : 1;
  struct ap_field *logical = AP_ARENA_ARRAY(reader->arena, struct ap_field, count);
  struct ap_field *physical = AP_ARENA_ARRAY(reader->arena, struct ap_field, count);
  if (!logical || !physical) return AP_FAIL_MEMORY(err);
  bool contains_null = true;
  if (!ap_json_get_bool(json, is_map ? "valueContainsNull" : "containsNull", true,
                        &contains_null)) {
    return corrupt_field(reader, "containsNull is no boolean", err);
  }
  for (uint32_t i = 0; i < count; i++) {
    const struct ap_json *type = ap_json_find(json, members[is_map][i]);
    const char *name = names[is_map][i];
    if (!type) return corrupt_field(reader, "the type of an array or map is missing", err);
    logical[i].name = physical[i].name = ap_text_of(name);
    logical[i].nullable = physical[i].nullable = contains_null && !(is_map && i == 0);
    AP_TRY(read_type(reader, type, ap_json_find(hint, name), &logical[i].type, &physical[i].type,
                     err));
  }
  *out_logical = (struct ap_type){
      .kind = is_map ? AP_TYPE_MAP : AP_TYPE_LIST, .field_count = count, .fields = logical};
  *out_physical = *out_logical;
  out_physical->fields = physical;
  return AP_OK;
}

static ap_status read_type(struct reader *reader, const struct ap_json *json,
                           const struct ap_json *hint, struct ap_type *out_logical,
                           struct ap_type *out_physical, ap_error *err) {
  if (json->kind == AP_JSON_STRING) {
    return read_primitive(reader, json->text, hint, out_logical, out_physical, err);
  }
  struct ap_text kind = {NULL, 0};
  if (!ap_json_get_text(json, "type", kind, &kind) || kind.size == 0) {
    return corrupt_field(reader, "a type has no kind", err);
  }
  if (reader->depth == AP_TYPE_DEPTH_MAX) return corrupt_field(reader, "too deep a type", err);
  struct ap_text column = reader->column;
  reader->depth += 1;
  ap_status status;
  if (ap_text_equal(kind, AP_TEXT("struct"))) {
    status = read_fields(reader, ap_json_find(json, "fields"), out_logical, out_physical, err);
  } else if (ap_text_equal(kind, AP_TEXT("array"))) {
    status = read_children(reader, json, hint, false, out_logical, out_physical, err);
  } else if (ap_text_equal(kind, AP_TEXT("map"))) {
    status = read_children(reader, json, hint, true, out_logical, out_physical, err);
  } else {
    status =
        AP_FAIL(err, AP_UNSUPPORTED, "column '%.*s' has the type '%.*s', which is not supported",
                AP_TEXT_ARG(reader->column), AP_TEXT_ARG(kind));
  }
  reader->depth -= 1;
  reader->column = column;
  return status;
}

ap_status ap_delta_schema_parse(struct ap_arena *arena, struct ap_text json, bool mapped,
                                struct ap_schema *out_logical, struct ap_schema *out_physical,
                                ap_error *err) {
  struct reader reader = {.arena = arena, .mapped = mapped};
  const struct ap_json *root = NULL;
  struct ap_type logical = {0};
  struct ap_type physical = {0};
  ap_status status = ap_json_parse(arena, json, &root, err);
  if (status != AP_OK) return ap_error_prefix(err, status, "schemaString");
  if (root->kind != AP_JSON_OBJECT) return AP_FAIL(err, AP_CORRUPT, "schemaString is no object");
  AP_TRY(read_type(&reader, root, NULL, &logical, &physical, err));
  if (logical.kind != AP_TYPE_STRUCT) {
    return AP_FAIL(err, AP_CORRUPT, "schemaString is no struct");
  }
  *out_logical = (struct ap_schema){logical.field_count, logical.fields};
  *out_physical = (struct ap_schema){physical.field_count, physical.fields};
  return AP_OK;
}

/* Writing. */

static void write_struct(struct ap_json_writer *writer, const struct ap_field *fields,
                         uint32_t count);

static void write_type(struct ap_json_writer *writer, const struct ap_type *type) {
  const struct widening *widening = find_widening(type->kind);
  enum ap_type_kind kind = widening ? widening->stored : type->kind;
  if (kind == AP_TYPE_STRUCT) {
    write_struct(writer, type->fields, type->field_count);
  } else if (kind == AP_TYPE_LIST) {
    ap_json_begin_object(writer);
    ap_json_member_string(writer, "type", AP_TEXT("array"));
    ap_json_name(writer, AP_TEXT("elementType"));
    write_type(writer, &type->fields[0].type);
    ap_json_member_bool(writer, "containsNull", type->fields[0].nullable);
    ap_json_end_object(writer);
  } else if (kind == AP_TYPE_MAP) {
    ap_json_begin_object(writer);
    ap_json_member_string(writer, "type", AP_TEXT("map"));
    ap_json_name(writer, AP_TEXT("keyType"));
    write_type(writer, &type->fields[0].type);
    ap_json_name(writer, AP_TEXT("valueType"));
    write_type(writer, &type->fields[1].type);
    ap_json_member_bool(writer, "valueContainsNull", type->fields[1].nullable);
    ap_json_end_object(writer);
  } else if (kind == AP_TYPE_DECIMAL) {
    char word[32];
    int size = snprintf(word, sizeof(word), "decimal(%d,%d)",
                        widening ? (int)UINT64_DIGITS : (int)type->precision,
                        widening ? 0 : (int)type->scale);
    ap_json_string(writer, (struct ap_text){word, (size_t)size});
  } else {
    const char *name = NULL;
    for (size_t i = 0; i < sizeof(primitives) / sizeof(primitives[0]); i++) {
      if (primitives[i].kind == kind) name = primitives[i].name;
    }
    AP_ASSERT(name);
    ap_json_string(writer, ap_text_of(name));
  }
}

/* Whether the type is widened itself, or inside of arrays and maps (not of structs, whose fields
 * have metadata of their own). */
static bool is_widened(const struct ap_type *type) {
  if (find_widening(type->kind)) return true;
  if (type->kind == AP_TYPE_LIST) return is_widened(&type->fields[0].type);
  return type->kind == AP_TYPE_MAP &&
         (is_widened(&type->fields[0].type) || is_widened(&type->fields[1].type));
}

static void write_hint(struct ap_json_writer *writer, const struct ap_type *type) {
  static const char *const names[2][2] = {{"element", NULL}, {"key", "value"}};
  const struct widening *widening = find_widening(type->kind);
  if (widening) {
    ap_json_string(writer, ap_text_of(widening->word));
    return;
  }
  AP_ASSERT(type->kind == AP_TYPE_LIST || type->kind == AP_TYPE_MAP);
  ap_json_begin_object(writer);
  for (uint32_t i = 0; i < type->field_count; i++) {
    if (!is_widened(&type->fields[i].type)) continue;
    ap_json_name(writer, ap_text_of(names[type->kind == AP_TYPE_MAP][i]));
    write_hint(writer, &type->fields[i].type);
  }
  ap_json_end_object(writer);
}

static void write_metadata(struct ap_json_writer *writer, const struct ap_field *field) {
  const struct ap_json *metadata = field->metadata;
  ap_json_begin_object(writer);
  for (uint32_t i = 0; metadata && i < metadata->count; i++) {
    struct ap_text name = metadata->members[i].name;
    if (ap_text_starts_with(name, AP_TEXT("delta."))) continue;
    if (ap_text_equal_string(name, apiary_type)) continue;
    ap_json_name(writer, name);
    ap_json_value(writer, &metadata->members[i].value);
  }
  if (is_widened(&field->type)) {
    ap_json_name(writer, ap_text_of(apiary_type));
    write_hint(writer, &field->type);
  }
  ap_json_end_object(writer);
}

static void write_struct(struct ap_json_writer *writer, const struct ap_field *fields,
                         uint32_t count) {
  ap_json_begin_object(writer);
  ap_json_member_string(writer, "type", AP_TEXT("struct"));
  ap_json_name(writer, AP_TEXT("fields"));
  ap_json_begin_array(writer);
  for (uint32_t i = 0; i < count; i++) {
    ap_json_begin_object(writer);
    ap_json_member_string(writer, "name", fields[i].name);
    ap_json_name(writer, AP_TEXT("type"));
    write_type(writer, &fields[i].type);
    ap_json_member_bool(writer, "nullable", fields[i].nullable);
    ap_json_name(writer, AP_TEXT("metadata"));
    write_metadata(writer, &fields[i]);
    ap_json_end_object(writer);
  }
  ap_json_end_array(writer);
  ap_json_end_object(writer);
}

void ap_delta_schema_append(struct ap_buffer *out, const struct ap_schema *schema) {
  struct ap_json_writer writer;
  ap_json_writer_init(&writer, out);
  write_struct(&writer, schema->fields, schema->field_count);
}

void ap_delta_schema_append_type(struct ap_buffer *out, const struct ap_type *type) {
  struct ap_json_writer writer;
  ap_json_writer_init(&writer, out);
  write_type(&writer, type);
}

static bool type_has_kind(const struct ap_type *type, enum ap_type_kind kind) {
  if (type->kind == kind) return true;
  for (uint32_t i = 0; i < type->field_count; i++) {
    if (type_has_kind(&type->fields[i].type, kind)) return true;
  }
  return false;
}

bool ap_delta_schema_has_kind(const struct ap_schema *schema, enum ap_type_kind kind) {
  for (uint32_t i = 0; i < schema->field_count; i++) {
    if (type_has_kind(&schema->fields[i].type, kind)) return true;
  }
  return false;
}

static bool fields_have_metadata(const struct ap_field *fields, uint32_t count, struct ap_text name,
                                 bool is_prefix) {
  for (uint32_t i = 0; i < count; i++) {
    const struct ap_json *metadata = fields[i].metadata;
    for (uint32_t m = 0; metadata && m < metadata->count; m++) {
      struct ap_text member = metadata->members[m].name;
      if (is_prefix ? ap_text_starts_with(member, name) : ap_text_equal(member, name)) return true;
    }
    const struct ap_type *type = &fields[i].type;
    if (fields_have_metadata(type->fields, type->field_count, name, is_prefix)) return true;
  }
  return false;
}

bool ap_delta_schema_has_metadata(const struct ap_schema *schema, const char *name) {
  struct ap_text text = ap_text_of(name);
  AP_ASSERT(text.size > 0);
  return fields_have_metadata(schema->fields, schema->field_count, text,
                              name[text.size - 1] == '.');
}
