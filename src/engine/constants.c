/* SPDX-License-Identifier: Apache-2.0
 *
 * The values of constant expressions, for whoever plans with them.
 */
#include "engine/chamber.h"

#include "base/assert.h"
#include "base/status.h"

#include <string.h>

static ap_int128 as_i128(duckdb_hugeint number) {
  return (ap_int128)number.upper * ((ap_int128)1 << 64) + (ap_int128)number.lower;
}

static bool read_integer(duckdb_type type, const void *data, ap_int128 *out_number) {
  switch (type) {
    case DUCKDB_TYPE_TINYINT:
      *out_number = *(const int8_t *)data;
      return true;
    case DUCKDB_TYPE_SMALLINT:
      *out_number = *(const int16_t *)data;
      return true;
    case DUCKDB_TYPE_INTEGER:
      *out_number = *(const int32_t *)data;
      return true;
    case DUCKDB_TYPE_BIGINT:
      *out_number = *(const int64_t *)data;
      return true;
    case DUCKDB_TYPE_UTINYINT:
      *out_number = *(const uint8_t *)data;
      return true;
    case DUCKDB_TYPE_USMALLINT:
      *out_number = *(const uint16_t *)data;
      return true;
    case DUCKDB_TYPE_UINTEGER:
      *out_number = *(const uint32_t *)data;
      return true;
    case DUCKDB_TYPE_UBIGINT:
      *out_number = *(const uint64_t *)data;
      return true;
    case DUCKDB_TYPE_HUGEINT:
      *out_number = as_i128(*(const duckdb_hugeint *)data);
      return true;
    default:
      return false;
  }
}

static enum ap_type_kind integer_kind(duckdb_type type) {
  switch (type) {
    case DUCKDB_TYPE_TINYINT:
      return AP_TYPE_INT8;
    case DUCKDB_TYPE_SMALLINT:
      return AP_TYPE_INT16;
    case DUCKDB_TYPE_INTEGER:
      return AP_TYPE_INT32;
    case DUCKDB_TYPE_UTINYINT:
      return AP_TYPE_UINT8;
    case DUCKDB_TYPE_USMALLINT:
      return AP_TYPE_UINT16;
    case DUCKDB_TYPE_UINTEGER:
      return AP_TYPE_UINT32;
    case DUCKDB_TYPE_UBIGINT:
      return AP_TYPE_UINT64;
    default:
      return AP_TYPE_INT64;
  }
}

static void read_decimal(duckdb_logical_type type, const void *data, struct ap_constant *out) {
  ap_int128 number = 0;
  switch (duckdb_decimal_internal_type(type)) {
    case DUCKDB_TYPE_SMALLINT:
      number = *(const int16_t *)data;
      break;
    case DUCKDB_TYPE_INTEGER:
      number = *(const int32_t *)data;
      break;
    case DUCKDB_TYPE_BIGINT:
      number = *(const int64_t *)data;
      break;
    default:
      number = as_i128(*(const duckdb_hugeint *)data);
      break;
  }
  out->value = (struct ap_value){.kind = AP_VALUE_DECIMAL, .scale = duckdb_decimal_scale(type)};
  out->value.decimal = number;
  out->type = (struct ap_type){.kind = AP_TYPE_DECIMAL,
                               .precision = duckdb_decimal_width(type),
                               .scale = duckdb_decimal_scale(type)};
  out->kind = AP_CONSTANT_VALUE;
}

static void set_i64(struct ap_constant *out, enum ap_value_kind kind, enum ap_type_kind type,
                    int64_t number) {
  out->kind = AP_CONSTANT_VALUE;
  out->type.kind = type;
  out->value = (struct ap_value){.kind = kind};
  out->value.i64 = number;
}

static ap_status read_text(const duckdb_string_t *text, struct ap_arena *arena,
                           struct ap_constant *out, ap_error *err) {
  duckdb_string_t copy = *text;
  struct ap_text view = {duckdb_string_t_data(&copy), duckdb_string_t_length(copy)};
  char *kept = ap_arena_copy(arena, view);
  if (!kept) return AP_FAIL_MEMORY(err);
  out->kind = AP_CONSTANT_VALUE;
  out->type.kind = AP_TYPE_STRING;
  out->value = (struct ap_value){.kind = AP_VALUE_TEXT, .text = {kept, view.size}};
  return AP_OK;
}

static void read_time(duckdb_type type, const void *data, struct ap_constant *out) {
  int64_t micros;
  int32_t days;
  if (type == DUCKDB_TYPE_DATE) {
    memcpy(&days, data, sizeof(days));
    if (duckdb_is_finite_date((duckdb_date){days})) {
      set_i64(out, AP_VALUE_DATE, AP_TYPE_DATE, days);
    }
    return;
  }
  memcpy(&micros, data, sizeof(micros));
  if (type == DUCKDB_TYPE_TIME) {
    set_i64(out, AP_VALUE_TIME, AP_TYPE_TIME, micros);
  } else if (duckdb_is_finite_timestamp((duckdb_timestamp){micros})) {
    bool zoned = type == DUCKDB_TYPE_TIMESTAMP_TZ;
    set_i64(out, zoned ? AP_VALUE_TIMESTAMP_TZ : AP_VALUE_TIMESTAMP,
            zoned ? AP_TYPE_TIMESTAMP_TZ : AP_TYPE_TIMESTAMP, micros);
  }
}

static ap_status read_value(duckdb_logical_type logical, const void *data, struct ap_arena *arena,
                            struct ap_constant *out, ap_error *err) {
  duckdb_type type = duckdb_get_type_id(logical);
  ap_int128 number;
  if (read_integer(type, data, &number)) {
    out->kind = AP_CONSTANT_VALUE;
    out->type.kind = integer_kind(type);
    out->value = (struct ap_value){.kind = AP_VALUE_INTEGER};
    out->value.decimal = number;
    return AP_OK;
  }
  switch (type) {
    case DUCKDB_TYPE_BOOLEAN:
      set_i64(out, AP_VALUE_BOOLEAN, AP_TYPE_BOOLEAN, *(const bool *)data);
      break;
    case DUCKDB_TYPE_FLOAT:
    case DUCKDB_TYPE_DOUBLE:
      out->kind = AP_CONSTANT_VALUE;
      out->type.kind = type == DUCKDB_TYPE_FLOAT ? AP_TYPE_FLOAT32 : AP_TYPE_FLOAT64;
      out->value =
          (struct ap_value){.kind = AP_VALUE_FLOAT, .is_double = type == DUCKDB_TYPE_DOUBLE};
      out->value.f64 =
          type == DUCKDB_TYPE_FLOAT ? (double)*(const float *)data : *(const double *)data;
      break;
    case DUCKDB_TYPE_DECIMAL:
      read_decimal(logical, data, out);
      break;
    case DUCKDB_TYPE_VARCHAR:
      return read_text(data, arena, out, err);
    case DUCKDB_TYPE_DATE:
    case DUCKDB_TYPE_TIME:
    case DUCKDB_TYPE_TIMESTAMP:
    case DUCKDB_TYPE_TIMESTAMP_TZ:
      read_time(type, data, out);
      break;
    case DUCKDB_TYPE_INTERVAL: {
      const duckdb_interval *interval = data;
      out->kind = AP_CONSTANT_INTERVAL;
      out->months = interval->months;
      out->days = interval->days;
      out->micros = interval->micros;
      break;
    }
    default:
      break; /* stays unknown */
  }
  return AP_OK;
}

/* Bytes from one row to the next; 0: of a type that has no values here. */
static size_t width_of(duckdb_logical_type logical) {
  duckdb_type type = duckdb_get_type_id(logical);
  if (type == DUCKDB_TYPE_DECIMAL) type = duckdb_decimal_internal_type(logical);
  switch (type) {
    case DUCKDB_TYPE_BOOLEAN:
    case DUCKDB_TYPE_TINYINT:
    case DUCKDB_TYPE_UTINYINT:
      return 1;
    case DUCKDB_TYPE_SMALLINT:
    case DUCKDB_TYPE_USMALLINT:
      return 2;
    case DUCKDB_TYPE_INTEGER:
    case DUCKDB_TYPE_UINTEGER:
    case DUCKDB_TYPE_FLOAT:
    case DUCKDB_TYPE_DATE:
      return 4;
    case DUCKDB_TYPE_BIGINT:
    case DUCKDB_TYPE_UBIGINT:
    case DUCKDB_TYPE_DOUBLE:
    case DUCKDB_TYPE_TIME:
    case DUCKDB_TYPE_TIMESTAMP:
    case DUCKDB_TYPE_TIMESTAMP_TZ:
      return 8;
    case DUCKDB_TYPE_HUGEINT:
    case DUCKDB_TYPE_VARCHAR:
    case DUCKDB_TYPE_INTERVAL:
      return 16;
    default:
      return 0;
  }
}

ap_status ap_chamber_read_constant(duckdb_vector vector, duckdb_logical_type type, idx_t row,
                                   struct ap_arena *arena, struct ap_constant *out, ap_error *err) {
  uint64_t *validity = duckdb_vector_get_validity(vector);
  *out = (struct ap_constant){.kind = AP_CONSTANT_UNKNOWN};
  if (validity && !duckdb_validity_row_is_valid(validity, row)) {
    out->kind = AP_CONSTANT_NULL;
    return AP_OK;
  }
  size_t width = width_of(type);
  if (width == 0) return AP_OK;
  const char *data = duckdb_vector_get_data(vector);
  return read_value(type, data + row * width, arena, out, err);
}

static ap_status read_column(duckdb_data_chunk chunk, idx_t column, struct ap_arena *arena,
                             struct ap_constant *out, ap_error *err) {
  duckdb_vector vector = duckdb_data_chunk_get_vector(chunk, column);
  uint64_t *validity = duckdb_vector_get_validity(vector);
  *out = (struct ap_constant){.kind = AP_CONSTANT_UNKNOWN};
  if (validity && !duckdb_validity_row_is_valid(validity, 0)) {
    out->kind = AP_CONSTANT_NULL;
    return AP_OK;
  }
  duckdb_logical_type type = duckdb_vector_get_column_type(vector);
  ap_status status = read_value(type, duckdb_vector_get_data(vector), arena, out, err);
  duckdb_destroy_logical_type(&type);
  return status;
}

ap_status ap_chamber_constants(struct ap_chamber *chamber, struct ap_text sql,
                               const struct ap_run_control *control, struct ap_arena *arena,
                               struct ap_constant *out_constants, uint32_t count, ap_error *err) {
  duckdb_result result = {0};
  char *text = ap_arena_copy(arena, sql);
  if (!text) return AP_FAIL_MEMORY(err);
  AP_TRY(ap_chamber_run_controlled(chamber, text, control, &result, err));
  ap_status status = AP_OK;
  duckdb_data_chunk chunk = duckdb_fetch_chunk(result);
  if (!chunk || duckdb_data_chunk_get_size(chunk) != 1 ||
      duckdb_data_chunk_get_column_count(chunk) != count) {
    status = AP_FAIL(err, AP_INTERNAL, "%u constants were asked for, the engine gave another count",
                     count);
  }
  for (uint32_t i = 0; status == AP_OK && i < count; i++) {
    status = read_column(chunk, i, arena, &out_constants[i], err);
  }
  if (chunk) duckdb_destroy_data_chunk(&chunk);
  duckdb_destroy_result(&result);
  return status;
}

ap_status ap_chamber_column_names(struct ap_chamber *chamber, struct ap_text sql,
                                  struct ap_arena *arena, struct ap_text *out_names, uint32_t count,
                                  ap_error *err) {
  duckdb_prepared_statement statement = NULL;
  char *text = ap_arena_copy(arena, sql);
  if (!text) return AP_FAIL_MEMORY(err);
  ap_status status = AP_OK;
  if (duckdb_prepare(chamber->connection, text, &statement) != DuckDBSuccess) {
    status = ap_chamber_fail(chamber, DUCKDB_ERROR_INVALID, duckdb_prepare_error(statement), err);
  } else if (duckdb_prepared_statement_column_count(statement) != count) {
    status = AP_FAIL(err, AP_INTERNAL, "the query has another number of columns than %u", count);
  }
  for (uint32_t i = 0; status == AP_OK && i < count; i++) {
    const char *name = duckdb_prepared_statement_column_name(statement, i);
    char *copy = name ? ap_arena_copy_string(arena, name) : NULL;
    if (!copy) status = AP_FAIL_MEMORY(err);
    duckdb_free((void *)(uintptr_t)name);
    if (copy) out_names[i] = ap_text_of(copy);
  }
  duckdb_destroy_prepare(&statement);
  return status;
}
