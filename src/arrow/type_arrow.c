/* SPDX-License-Identifier: Apache-2.0
 *
 * Types from and to Arrow schemas.
 *
 * Schemas come from outside: nesting is limited, names are checked for UTF-8, and what frames have
 * not is refused by column and type. Safe from any thread.
 */
#include "arrow/type.h"

#include "arrow/layout.h"
#include "base/assert.h"
#include "base/limits.h"

#include <stdio.h>
#include <string.h>

struct reader {
  struct ap_arena *arena;
  const char *column; /* of the top level, for messages */
  ap_error *err;
};

static ap_status read_field(struct reader *reader, const struct ArrowSchema *schema, uint32_t depth,
                            struct ap_field *out_field);
static ap_status read_type(struct reader *reader, const struct ArrowSchema *schema, uint32_t depth,
                           struct ap_type *out_type);
static ap_status read_nested(struct reader *reader, const struct ArrowSchema *schema,
                             uint32_t depth, struct ap_type *type);
static ap_status write_type(const struct ap_type *type, struct ArrowSchema *out, ap_error *err);
static ap_status write_field(const struct ap_field *field, struct ArrowSchema *out, ap_error *err);

ap_status ap_schema_from_arrow(struct ap_arena *arena, const struct ArrowSchema *arrow_schema,
                               struct ap_schema *out_schema, ap_error *err) {
  struct ap_layout layout = {0};
  struct reader reader = {arena, "", err};
  AP_TRY(ap_layout_of(arrow_schema, &layout, err));
  if (layout.kind != AP_LAYOUT_STRUCT) {
    return AP_FAIL(err, AP_SCHEMA_MISMATCH,
                   "the Arrow schema has format '%s' at the top; a table is a struct",
                   arrow_schema->format);
  }
  int64_t count = arrow_schema->n_children;
  if (count > INT32_MAX) {
    return AP_FAIL(err, AP_SCHEMA_MISMATCH, "the Arrow schema has %lld columns", (long long)count);
  }
  struct ap_field *fields = AP_ARENA_ARRAY(arena, struct ap_field, (size_t)count);
  if (fields == NULL) return AP_FAIL_MEMORY(err);
  for (int64_t i = 0; i < count; i++) {
    reader.column = ap_layout_name(arrow_schema->children[i]);
    AP_TRY(read_field(&reader, arrow_schema->children[i], 1, &fields[i]));
  }
  *out_schema = (struct ap_schema){(uint32_t)count, fields};
  return AP_OK;
}

static ap_status read_field(struct reader *reader, const struct ArrowSchema *schema, uint32_t depth,
                            struct ap_field *out_field) {
  struct ap_text name = ap_text_of(ap_layout_name(schema));
  if (depth > AP_TYPE_DEPTH_MAX) {
    return AP_FAIL(reader->err, AP_SCHEMA_MISMATCH, "column '%s' nests deeper than %d",
                   reader->column, AP_TYPE_DEPTH_MAX);
  }
  if (!ap_text_is_utf8(name)) {
    return AP_FAIL(reader->err, AP_SCHEMA_MISMATCH, "a column's name is no UTF-8 text");
  }
  AP_TRY(read_type(reader, schema, depth, &out_field->type));
  name.data = ap_arena_copy(reader->arena, name);
  if (name.data == NULL) return AP_FAIL_MEMORY(reader->err);
  out_field->name = name;
  out_field->nullable = (schema->flags & ARROW_FLAG_NULLABLE) != 0;
  out_field->metadata = NULL;
  return AP_OK;
}

static ap_status fail_type(struct reader *reader, const struct ArrowSchema *schema) {
  char type[128] = {0};
  (void)ArrowSchemaToString(schema, type, sizeof(type), 0);
  ap_status status = AP_FAIL(reader->err, AP_SCHEMA_MISMATCH,
                             "column '%s' has Arrow type %s, which frames do not have",
                             reader->column, type[0] == '\0' ? schema->format : type);
  ap_error_hint(reader->err, "cast the column to a type that frames have before writing it");
  return status;
}

static enum ap_time_unit unit_of(enum ArrowTimeUnit unit) {
  switch (unit) {
    case NANOARROW_TIME_UNIT_SECOND:
      return AP_UNIT_SECOND;
    case NANOARROW_TIME_UNIT_MILLI:
      return AP_UNIT_MILLISECOND;
    case NANOARROW_TIME_UNIT_NANO:
      return AP_UNIT_NANOSECOND;
    case NANOARROW_TIME_UNIT_MICRO:
      break;
  }
  return AP_UNIT_MICROSECOND;
}

static ap_status read_decimal(struct reader *reader, const struct ArrowSchemaView *view,
                              struct ap_type *out_type) {
  bool fits = view->decimal_precision >= 1 && view->decimal_precision <= 38 &&
              view->decimal_scale >= 0 && view->decimal_scale <= view->decimal_precision;
  if (!fits) return fail_type(reader, view->schema);
  *out_type = (struct ap_type){.kind = AP_TYPE_DECIMAL,
                               .precision = (uint8_t)view->decimal_precision,
                               .scale = (uint8_t)view->decimal_scale};
  return AP_OK;
}

/* The kind of Arrow types that need nothing but a kind; false for the others. */
static bool simple_kind(enum ArrowType type, enum ap_type_kind *out_kind) {
  switch (type) {
#define CASE(arrow, kind)       \
  case NANOARROW_TYPE_##arrow:  \
    *out_kind = AP_TYPE_##kind; \
    return true
    CASE(NA, NULL);
    CASE(BOOL, BOOLEAN);
    CASE(INT8, INT8);
    CASE(INT16, INT16);
    CASE(INT32, INT32);
    CASE(INT64, INT64);
    CASE(UINT8, UINT8);
    CASE(UINT16, UINT16);
    CASE(UINT32, UINT32);
    CASE(UINT64, UINT64);
    CASE(HALF_FLOAT, FLOAT16);
    CASE(FLOAT, FLOAT32);
    CASE(DOUBLE, FLOAT64);
    CASE(STRING, STRING);
    CASE(LARGE_STRING, STRING);
    CASE(STRING_VIEW, STRING);
    CASE(BINARY, BINARY);
    CASE(LARGE_BINARY, BINARY);
    CASE(BINARY_VIEW, BINARY);
    CASE(FIXED_SIZE_BINARY, BINARY);
    CASE(DATE32, DATE);
    CASE(DATE64, DATE);
#undef CASE
    default:
      return false;
  }
}

static ap_status read_type(struct reader *reader, const struct ArrowSchema *schema, uint32_t depth,
                           struct ap_type *out_type) {
  struct ArrowSchemaView view = {0};
  struct ArrowError error = {{0}};
  struct ap_layout layout = {0};
  *out_type = (struct ap_type){0};
  ap_status status = ap_layout_of(schema, &layout, reader->err);
  if (status == AP_UNSUPPORTED) return fail_type(reader, schema);
  AP_TRY(status);
  if (schema->dictionary != NULL) {
    if (depth > AP_TYPE_DEPTH_MAX) return fail_type(reader, schema);
    return read_type(reader, schema->dictionary, depth + 1, out_type);
  }
  if (layout.kind >= AP_LAYOUT_LIST) return read_nested(reader, schema, depth, out_type);
  if (ArrowSchemaViewInit(&view, schema, &error) != NANOARROW_OK) {
    return AP_FAIL(reader->err, AP_INVALID_ARGUMENT, "column '%s' has a broken Arrow schema: %s",
                   reader->column, error.message);
  }
  if (simple_kind(view.type, &out_type->kind)) return AP_OK;
  switch (view.type) {
    case NANOARROW_TYPE_DECIMAL32:
    case NANOARROW_TYPE_DECIMAL64:
    case NANOARROW_TYPE_DECIMAL128:
    case NANOARROW_TYPE_DECIMAL256:
      return read_decimal(reader, &view, out_type);
    case NANOARROW_TYPE_TIME32:
    case NANOARROW_TYPE_TIME64:
      *out_type = (struct ap_type){.kind = AP_TYPE_TIME, .unit = unit_of(view.time_unit)};
      return AP_OK;
    case NANOARROW_TYPE_TIMESTAMP:
      out_type->kind = view.timezone != NULL && view.timezone[0] != '\0' ? AP_TYPE_TIMESTAMP_TZ
                                                                         : AP_TYPE_TIMESTAMP;
      out_type->unit = unit_of(view.time_unit);
      return AP_OK;
    default:
      return fail_type(reader, schema);
  }
}

/* Lists of every layout, maps and structs. The children of lists and maps get their role as name:
 * writers differ ("item", "element", "l"). */
static ap_status read_nested(struct reader *reader, const struct ArrowSchema *schema,
                             uint32_t depth, struct ap_type *type) {
  const struct ArrowSchema *parent = schema;
  type->kind = AP_TYPE_LIST;
  if (strcmp(schema->format, "+m") == 0) {
    parent = schema->children[0];
    type->kind = AP_TYPE_MAP;
  } else if (strcmp(schema->format, "+s") == 0) {
    type->kind = AP_TYPE_STRUCT;
  }
  if (parent->n_children > INT32_MAX) return fail_type(reader, schema);
  size_t count = (size_t)parent->n_children;
  struct ap_field *fields = AP_ARENA_ARRAY(reader->arena, struct ap_field, count);
  if (fields == NULL) return AP_FAIL_MEMORY(reader->err);
  for (size_t i = 0; i < count; i++) {
    AP_TRY(read_field(reader, parent->children[i], depth + 1, &fields[i]));
  }
  if (type->kind == AP_TYPE_LIST) fields[0].name = AP_TEXT("element");
  if (type->kind == AP_TYPE_MAP) {
    fields[0].name = AP_TEXT("key");
    fields[0].nullable = false;
    fields[1].name = AP_TEXT("value");
  }
  type->field_count = (uint32_t)count;
  type->fields = fields;
  return AP_OK;
}

ap_status ap_schema_to_arrow(const struct ap_schema *schema, struct ArrowSchema *out,
                             ap_error *err) {
  struct ap_type root = {
      .kind = AP_TYPE_STRUCT, .field_count = schema->field_count, .fields = schema->fields};
  struct ArrowSchema made;
  ArrowSchemaInit(&made);
  ap_status status = write_type(&root, &made, err);
  if (status != AP_OK) {
    made.release(&made);
    return status;
  }
  *out = made;
  return AP_OK;
}

static const char *format_of(enum ap_type_kind kind) {
  static const char *const formats[] = {
      [AP_TYPE_NULL] = "n",       [AP_TYPE_BOOLEAN] = "b",       [AP_TYPE_INT8] = "c",
      [AP_TYPE_INT16] = "s",      [AP_TYPE_INT32] = "i",         [AP_TYPE_INT64] = "l",
      [AP_TYPE_UINT8] = "C",      [AP_TYPE_UINT16] = "S",        [AP_TYPE_UINT32] = "I",
      [AP_TYPE_UINT64] = "L",     [AP_TYPE_FLOAT16] = "e",       [AP_TYPE_FLOAT32] = "f",
      [AP_TYPE_FLOAT64] = "g",    [AP_TYPE_DECIMAL] = "d",       [AP_TYPE_STRING] = "u",
      [AP_TYPE_BINARY] = "z",     [AP_TYPE_DATE] = "tdD",        [AP_TYPE_TIME] = "tt",
      [AP_TYPE_TIMESTAMP] = "ts", [AP_TYPE_TIMESTAMP_TZ] = "ts", [AP_TYPE_LIST] = "+l",
      [AP_TYPE_STRUCT] = "+s",    [AP_TYPE_MAP] = "+m",
  };
  return formats[kind];
}

static ap_status set_children(const struct ap_field *fields, uint32_t count,
                              struct ArrowSchema *out, ap_error *err) {
  if (ArrowSchemaAllocateChildren(out, count) != NANOARROW_OK) return AP_FAIL_MEMORY(err);
  for (uint32_t i = 0; i < count; i++) AP_TRY(write_field(&fields[i], out->children[i], err));
  return AP_OK;
}

static ap_status write_map(const struct ap_type *type, struct ArrowSchema *out, ap_error *err) {
  if (ArrowSchemaAllocateChildren(out, 1) != NANOARROW_OK) return AP_FAIL_MEMORY(err);
  struct ap_field entries = {
      .name = AP_TEXT("entries"),
      .type = {.kind = AP_TYPE_STRUCT, .field_count = 2, .fields = type->fields},
  };
  AP_ASSERT(type->field_count == 2 && !type->fields[0].nullable);
  return write_field(&entries, out->children[0], err);
}

/* Writes format and children; name and flags are the field's. */
static ap_status write_type(const struct ap_type *type, struct ArrowSchema *out, ap_error *err) {
  static const char units[] = {'u', 's', 'm', 'n'};
  char format[32];
  const char *base = format_of(type->kind);
  int size = 0;
  switch (type->kind) {
    case AP_TYPE_DECIMAL:
      size = snprintf(format, sizeof(format), "d:%d,%d", type->precision, type->scale);
      break;
    case AP_TYPE_TIME:
      size = snprintf(format, sizeof(format), "tt%c", units[type->unit]);
      break;
    case AP_TYPE_TIMESTAMP:
      size = snprintf(format, sizeof(format), "ts%c:", units[type->unit]);
      break;
    case AP_TYPE_TIMESTAMP_TZ:
      size = snprintf(format, sizeof(format), "ts%c:UTC", units[type->unit]);
      break;
    default:
      size = snprintf(format, sizeof(format), "%s", base);
      break;
  }
  AP_ASSERT(size > 0 && (size_t)size < sizeof(format));
  if (ArrowSchemaSetFormat(out, format) != NANOARROW_OK) return AP_FAIL_MEMORY(err);
  out->flags = 0;
  if (type->kind == AP_TYPE_MAP) return write_map(type, out, err);
  return set_children(type->fields, type->field_count, out, err);
}

static ap_status write_field(const struct ap_field *field, struct ArrowSchema *out, ap_error *err) {
  ArrowSchemaInit(out);
  AP_TRY(write_type(&field->type, out, err));
  if (ArrowSchemaSetName(out, field->name.data) != NANOARROW_OK) return AP_FAIL_MEMORY(err);
  out->flags = field->nullable ? ARROW_FLAG_NULLABLE : 0;
  return AP_OK;
}
