/* SPDX-License-Identifier: Apache-2.0
 *
 * See table.h. All texts live in the table's own arena.
 */
#include "ledger/table.h"

#include "base/assert.h"
#include "base/limits.h"
#include "ledger/action.h"
#include "ledger/alter.h"
#include "ledger/commit_text.h"
#include "ledger/delta_schema.h"
#include "ledger/duration.h"
#include "ledger/features.h"

static ap_status read_features(struct ap_arena *arena, const struct ap_json *protocol,
                               const char *name, const struct ap_text **out_features,
                               uint32_t *out_count, ap_error *err) {
  const struct ap_json *features = ap_json_find(protocol, name);
  *out_count = 0;
  if (ap_json_is_null(features)) return AP_OK;
  if (features->kind != AP_JSON_ARRAY) {
    return AP_FAIL(err, AP_CORRUPT, "protocol.%s is no array", name);
  }
  struct ap_text *texts =
      AP_ARENA_ARRAY(arena, struct ap_text, features->count ? features->count : 1);
  if (!texts) return AP_FAIL_MEMORY(err);
  for (uint32_t i = 0; i < features->count; i++) {
    if (features->items[i].kind != AP_JSON_STRING) {
      return AP_FAIL(err, AP_CORRUPT, "protocol.%s holds something that is no text", name);
    }
    texts[i] = features->items[i].text;
  }
  *out_features = texts;
  *out_count = features->count;
  return AP_OK;
}

static ap_status read_protocol(struct ap_table *table, ap_error *err) {
  struct ap_protocol *protocol = &table->protocol;
  const struct ap_json *json = NULL;
  AP_TRY(ap_json_parse(&table->arena, table->protocol_json, &json, err));
  if (!ap_json_get_i64(json, "minReaderVersion", 0, &protocol->reader_version) ||
      !ap_json_get_i64(json, "minWriterVersion", 0, &protocol->writer_version) ||
      protocol->reader_version < 1 || protocol->writer_version < 1) {
    return AP_FAIL(err, AP_CORRUPT, "protocol has no valid minReaderVersion and minWriterVersion");
  }
  AP_TRY(read_features(&table->arena, json, "readerFeatures", &protocol->reader_features,
                       &protocol->reader_feature_count, err));
  AP_TRY(read_features(&table->arena, json, "writerFeatures", &protocol->writer_features,
                       &protocol->writer_feature_count, err));
  if (protocol->reader_version < 3) protocol->reader_feature_count = 0;
  if (protocol->writer_version < 7) protocol->writer_feature_count = 0;
  return AP_OK;
}

static ap_status read_properties(struct ap_table *table, const struct ap_json *metadata,
                                 ap_error *err) {
  const struct ap_json *configuration = ap_json_find(metadata, "configuration");
  if (ap_json_is_null(configuration)) return AP_OK;
  if (configuration->kind != AP_JSON_OBJECT) {
    return AP_FAIL(err, AP_CORRUPT, "metaData.configuration is no object");
  }
  uint32_t count = configuration->count;
  table->properties = AP_ARENA_ARRAY(&table->arena, struct ap_property, count ? count : 1);
  if (!table->properties) return AP_FAIL_MEMORY(err);
  for (uint32_t i = 0; i < count; i++) {
    const struct ap_json_member *member = &configuration->members[i];
    if (ap_json_is_null(&member->value)) continue;
    if (member->value.kind != AP_JSON_STRING) {
      return AP_FAIL(err, AP_CORRUPT, "metaData.configuration: '%.*s' is no text",
                     AP_TEXT_ARG(member->name));
    }
    table->properties[table->property_count++] =
        (struct ap_property){member->name, member->value.text};
  }
  return AP_OK;
}

static ap_status read_mapping(struct ap_table *table, ap_error *err) {
  struct ap_text mode = ap_table_property(table, "delta.columnMapping.mode");
  table->mapping = AP_MAPPING_NONE;
  if (!ap_features_has_column_mapping(&table->protocol)) return AP_OK;
  if (mode.size == 0 || ap_text_equal(mode, AP_TEXT("none"))) return AP_OK;
  if (ap_text_equal(mode, AP_TEXT("name"))) {
    table->mapping = AP_MAPPING_NAME;
  } else if (ap_text_equal(mode, AP_TEXT("id"))) {
    table->mapping = AP_MAPPING_ID;
  } else {
    return AP_FAIL(err, AP_UNSUPPORTED,
                   "delta.columnMapping.mode is '%.*s'; known are none, name, id",
                   AP_TEXT_ARG(mode));
  }
  return AP_OK;
}

static ap_status read_partitioning(struct ap_table *table, const struct ap_json *metadata,
                                   ap_error *err) {
  const struct ap_json *columns = ap_json_find(metadata, "partitionColumns");
  if (ap_json_is_null(columns)) return AP_OK;
  if (columns->kind != AP_JSON_ARRAY) {
    return AP_FAIL(err, AP_CORRUPT, "metaData.partitionColumns is no array");
  }
  uint32_t room = columns->count ? columns->count : 1;
  table->partition_columns = AP_ARENA_ARRAY(&table->arena, uint32_t, room);
  table->partition_names = AP_ARENA_ARRAY(&table->arena, struct ap_text, room);
  if (!table->partition_columns || !table->partition_names) return AP_FAIL_MEMORY(err);
  for (uint32_t i = 0; i < columns->count; i++) {
    const struct ap_json *column = &columns->items[i];
    if (column->kind != AP_JSON_STRING) {
      return AP_FAIL(err, AP_CORRUPT, "metaData.partitionColumns holds something that is no text");
    }
    int32_t index = ap_schema_find(&table->schema, column->text);
    if (index < 0) {
      return AP_FAIL(err, AP_CORRUPT, "partition column '%.*s' is no column of the schema",
                     AP_TEXT_ARG(column->text));
    }
    for (uint32_t k = 0; k < i; k++) {
      if (table->partition_columns[k] == (uint32_t)index) {
        return AP_FAIL(err, AP_CORRUPT, "partition column '%.*s' is named twice",
                       AP_TEXT_ARG(column->text));
      }
    }
    table->partition_columns[i] = (uint32_t)index;
    table->partition_names[i] = table->physical.fields[index].name;
  }
  table->partition_column_count = columns->count;
  return AP_OK;
}

static bool is_partition_column(const struct ap_table *table, uint32_t index) {
  for (uint32_t i = 0; i < table->partition_column_count; i++) {
    if (table->partition_columns[i] == index) return true;
  }
  return false;
}

static ap_status set_identities(struct ap_table *table, ap_error *err) {
  uint32_t count = table->physical.field_count;
  struct ap_field *stored = AP_ARENA_ARRAY(&table->arena, struct ap_field, count ? count : 1);
  table->physical_names = AP_ARENA_ARRAY(&table->arena, struct ap_text, count ? count : 1);
  if (!stored || !table->physical_names) return AP_FAIL_MEMORY(err);
  uint32_t stored_count = 0;
  for (uint32_t i = 0; i < count; i++) {
    table->physical_names[i] = table->physical.fields[i].name;
    if (!is_partition_column(table, i)) stored[stored_count++] = table->physical.fields[i];
  }
  struct ap_schema in_files = {stored_count, stored};
  table->schema_id = ap_schema_id(&table->schema);
  table->physical_schema_id = ap_schema_id(&in_files);
  return AP_OK;
}

static ap_status read_metadata(struct ap_table *table, ap_error *err) {
  const struct ap_json *json = NULL;
  struct ap_text none = {"", 0};
  struct ap_text schema = none;
  struct ap_text provider = none;
  AP_TRY(ap_json_parse(&table->arena, table->metadata_json, &json, err));
  if (!ap_json_get_text(json, "id", none, &table->id) ||
      !ap_json_get_text(json, "name", none, &table->name) ||
      !ap_json_get_text(json, "description", none, &table->description) ||
      !ap_json_get_i64(json, "createdTime", 0, &table->created_ms) ||
      !ap_json_get_text(json, "schemaString", none, &schema)) {
    return AP_FAIL(err, AP_CORRUPT, "metaData has a member of a wrong type");
  }
  if (schema.size == 0) return AP_FAIL(err, AP_CORRUPT, "metaData.schemaString is missing");
  if (!ap_json_get_text(ap_json_find(json, "format"), "provider", AP_TEXT("parquet"), &provider) ||
      !ap_text_equal_ignoring_case(provider, AP_TEXT("parquet"))) {
    return AP_FAIL(err, AP_UNSUPPORTED, "the cells are in the format '%.*s'; only parquet is known",
                   AP_TEXT_ARG(provider));
  }
  table->schema_json = schema;
  AP_TRY(read_properties(table, json, err));
  AP_TRY(read_mapping(table, err));
  AP_TRY(ap_delta_schema_parse(&table->arena, schema, table->mapping != AP_MAPPING_NONE,
                               &table->schema, &table->physical, err));
  AP_TRY(read_partitioning(table, json, err));
  return set_identities(table, err);
}

ap_status ap_table_create(struct ap_allocator *allocator, struct ap_text protocol_json,
                          struct ap_text metadata_json, struct ap_table **out_table,
                          ap_error *err) {
  struct ap_table *table = ap_allocate_zeroed(allocator, 1, sizeof(*table));
  if (!table) return AP_FAIL_MEMORY(err);
  table->allocator = allocator;
  atomic_init(&table->reference_count, 1);
  ap_arena_init(&table->arena, allocator);
  ap_status status = ap_action_copy_text(&table->arena, protocol_json, &table->protocol_json, err);
  if (status == AP_OK) {
    status = ap_action_copy_text(&table->arena, metadata_json, &table->metadata_json, err);
  }
  if (status == AP_OK) status = read_protocol(table, err);
  if (status == AP_OK) status = read_metadata(table, err);
  if (status != AP_OK) {
    ap_table_release(table);
    return status;
  }
  *out_table = table;
  return AP_OK;
}

struct ap_table *ap_table_retain(struct ap_table *table) {
  unsigned before = atomic_fetch_add_explicit(&table->reference_count, 1, memory_order_relaxed);
  AP_ASSERT(before > 0);
  return table;
}

void ap_table_release(struct ap_table *table) {
  if (!table) return;
  /* acq_rel pairs with the other holders' releases: their reads come before our free */
  unsigned before = atomic_fetch_sub_explicit(&table->reference_count, 1, memory_order_acq_rel);
  AP_ASSERT(before > 0);
  if (before > 1) return;
  ap_arena_deinit(&table->arena);
  ap_free(table->allocator, table);
}

struct ap_text ap_table_property(const struct ap_table *table, const char *name) {
  for (uint32_t i = table->property_count; i > 0; i--) {
    if (ap_text_equal_string(table->properties[i - 1].name, name)) {
      return table->properties[i - 1].value;
    }
  }
  return (struct ap_text){"", 0};
}

bool ap_table_property_bool(const struct ap_table *table, const char *name, bool fallback) {
  struct ap_text text = ap_table_property(table, name);
  if (ap_text_equal_ignoring_case(text, AP_TEXT("true"))) return true;
  if (ap_text_equal_ignoring_case(text, AP_TEXT("false"))) return false;
  return fallback;
}

int64_t ap_table_property_i64(const struct ap_table *table, const char *name, int64_t fallback) {
  int64_t number = 0;
  return ap_text_parse_i64(ap_table_property(table, name), &number) ? number : fallback;
}

int64_t ap_table_property_duration_ms(const struct ap_table *table, const char *name,
                                      int64_t fallback_ms) {
  int64_t duration_ms = 0;
  return ap_duration_parse(ap_table_property(table, name), &duration_ms) ? duration_ms
                                                                         : fallback_ms;
}

bool ap_table_same_partitioning(const struct ap_table *a, const struct ap_table *b) {
  if (a == b) return true;
  if (a->partition_column_count != b->partition_column_count) return false;
  for (uint32_t i = 0; i < a->partition_column_count; i++) {
    if (!ap_text_equal(a->partition_names[i], b->partition_names[i])) return false;
  }
  return true;
}

/* Whether every constraint of `a` is one of `b`. */
static bool has_constraints(const struct ap_table *a, const struct ap_table *b) {
  for (uint32_t i = 0; i < a->property_count; i++) {
    struct ap_text name = a->properties[i].name;
    if (!ap_text_starts_with(name, AP_TEXT("delta.constraints."))) continue;
    bool found = false;
    for (uint32_t k = 0; k < b->property_count && !found; k++) {
      found = ap_text_equal(b->properties[k].name, name) &&
              ap_text_equal(b->properties[k].value, a->properties[i].value);
    }
    if (!found) return false;
  }
  return true;
}

bool ap_table_same_shape(const struct ap_table *a, const struct ap_table *b) {
  if (a == b) return true;
  return ap_text_equal(a->protocol_json, b->protocol_json) && ap_text_equal(a->id, b->id) &&
         a->mapping == b->mapping && ap_text_equal(a->schema_json, b->schema_json) &&
         ap_table_same_partitioning(a, b) && has_constraints(a, b) && has_constraints(b, a);
}

/* Creating. */

static ap_status check_fields(const struct ap_field *fields, uint32_t count, ap_error *err) {
  for (uint32_t i = 0; i < count; i++) {
    const struct ap_field *field = &fields[i];
    if (field->name.size == 0 || !ap_text_is_utf8(field->name)) {
      return AP_FAIL(err, AP_INVALID_ARGUMENT, "column %u has no name in UTF-8", i);
    }
    if (field->type.kind == AP_TYPE_NULL) {
      ap_status status =
          AP_FAIL(err, AP_SCHEMA_MISMATCH, "column '%.*s' holds nothing but nulls and has no type",
                  AP_TEXT_ARG(field->name));
      ap_error_hint(err, "state the column's type");
      return status;
    }
    for (uint32_t k = 0; k < i; k++) {
      if (ap_text_equal_ignoring_case(fields[k].name, field->name)) {
        return AP_FAIL(err, AP_INVALID_ARGUMENT,
                       "column name '%.*s' is there twice (upper and lower case are one)",
                       AP_TEXT_ARG(field->name));
      }
    }
    AP_TRY(check_fields(field->type.fields, field->type.field_count, err));
  }
  return AP_OK;
}

static ap_status check_partition_column(const struct ap_table_definition *definition,
                                        uint32_t position, ap_error *err) {
  uint32_t index = definition->partition_columns[position];
  if (index >= definition->schema->field_count) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "partition column %u is beyond the last column",
                   index);
  }
  const struct ap_field *field = &definition->schema->fields[index];
  for (uint32_t k = 0; k < position; k++) {
    if (definition->partition_columns[k] == index) {
      return AP_FAIL(err, AP_INVALID_ARGUMENT, "partition column '%.*s' is named twice",
                     AP_TEXT_ARG(field->name));
    }
  }
  if (field->type.field_count > 0 || field->type.kind == AP_TYPE_BINARY) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT,
                   "column '%.*s' cannot be a partition column: its type is nested or binary",
                   AP_TEXT_ARG(field->name));
  }
  return AP_OK;
}

static ap_status check_definition(const struct ap_table_definition *definition, ap_error *err) {
  const struct ap_schema *schema = definition->schema;
  if (schema->field_count == 0) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "a frame needs at least one column");
  }
  if (schema->field_count > AP_COLUMNS_MAX) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "%u columns are more than %d", schema->field_count,
                   (int)AP_COLUMNS_MAX);
  }
  AP_TRY(check_fields(schema->fields, schema->field_count, err));
  if (definition->partition_column_count > AP_PARTITION_COLUMNS_MAX) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "%u partition columns are more than %d",
                   definition->partition_column_count, (int)AP_PARTITION_COLUMNS_MAX);
  }
  for (uint32_t i = 0; i < definition->partition_column_count; i++) {
    AP_TRY(check_partition_column(definition, i, err));
  }
  if (definition->partition_column_count == schema->field_count) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT,
                   "every column is a partition column: at least one must stay in the cells");
  }
  for (uint32_t i = 0; i < definition->property_count; i++) {
    struct ap_text name = definition->properties[i].name;
    if (name.size == 0 || !ap_text_is_utf8(name) ||
        !ap_text_is_utf8(definition->properties[i].value)) {
      return AP_FAIL(err, AP_INVALID_ARGUMENT, "property %u is empty or not UTF-8", i);
    }
  }
  return AP_OK;
}

static void append_metadata(struct ap_json_writer *writer,
                            const struct ap_table_definition *definition, struct ap_text table_id,
                            struct ap_text schema, int64_t created_ms) {
  ap_json_begin_object(writer);
  ap_json_member_string(writer, "id", table_id);
  if (definition->name.size) ap_json_member_string(writer, "name", definition->name);
  if (definition->description.size) {
    ap_json_member_string(writer, "description", definition->description);
  }
  ap_json_name(writer, AP_TEXT("format"));
  ap_json_raw(writer, AP_TEXT("{\"provider\":\"parquet\",\"options\":{}}"));
  ap_json_member_string(writer, "schemaString", schema);
  ap_json_name(writer, AP_TEXT("partitionColumns"));
  ap_json_begin_array(writer);
  for (uint32_t i = 0; i < definition->partition_column_count; i++) {
    ap_json_string(writer, definition->schema->fields[definition->partition_columns[i]].name);
  }
  ap_json_end_array(writer);
  ap_json_name(writer, AP_TEXT("configuration"));
  ap_json_begin_object(writer);
  for (uint32_t i = 0; i < definition->property_count; i++) {
    ap_json_name(writer, definition->properties[i].name);
    ap_json_string(writer, definition->properties[i].value);
  }
  ap_json_end_object(writer);
  ap_json_member_i64(writer, "createdTime", created_ms);
  ap_json_end_object(writer);
}

/* Both actions from the metaData of the plain columns. */
static ap_status append_actions(struct ap_buffer *out, const struct ap_table_definition *definition,
                                const struct ap_table *before, struct ap_random *random,
                                struct ap_text plain, ap_error *err) {
  struct ap_arena arena;
  struct ap_text protocol;
  struct ap_text metadata;
  struct ap_table *table = NULL;
  ap_arena_init(&arena, out->allocator);
  ap_status status = ap_alter_apply_new(&arena, random, before, plain, definition->alterations,
                                        definition->alteration_count, &protocol, &metadata, err);
  if (status == AP_OK) {
    struct ap_text in_force = protocol.size > 0 || !before ? protocol : before->protocol_json;
    status = ap_table_create(out->allocator, in_force, metadata, &table, err);
  }
  if (status == AP_OK) status = ap_features_check_write(table, err);
  ap_table_release(table);
  if (status == AP_OK) {
    ap_commit_text_action(out, "protocol", protocol);
    ap_commit_text_action(out, "metaData", metadata);
    status = ap_buffer_check(out, err);
  }
  ap_arena_deinit(&arena);
  return status;
}

ap_status ap_table_append_definition(struct ap_buffer *out,
                                     const struct ap_table_definition *definition,
                                     const struct ap_table *before, struct ap_random *random,
                                     struct ap_text table_id, int64_t created_ms, ap_error *err) {
  AP_TRY(check_definition(definition, err));
  struct ap_buffer schema;
  struct ap_buffer plain;
  struct ap_json_writer writer;
  ap_buffer_init(&schema, out->allocator);
  ap_buffer_init(&plain, out->allocator);
  ap_delta_schema_append(&schema, definition->schema);
  ap_json_writer_init(&writer, &plain);
  append_metadata(&writer, definition, table_id, ap_buffer_text(&schema), created_ms);
  ap_status status = ap_buffer_check(&schema, err);
  if (status == AP_OK) status = ap_buffer_check(&plain, err);
  if (status == AP_OK) {
    status = append_actions(out, definition, before, random, ap_buffer_text(&plain), err);
  }
  ap_buffer_deinit(&plain);
  ap_buffer_deinit(&schema);
  return status;
}
