/* SPDX-License-Identifier: Apache-2.0
 *
 * Parameters of statements as values of the engine.
 */
#include "engine/chamber.h"

#include "base/assert.h"
#include "base/limits.h"
#include "base/status.h"

#include <string.h>

enum { DECIMAL_DIGITS_MAX = 38 };

/* [+-]digits[.digits] as an unscaled 128-bit number with its scale. */
static bool parse_decimal(struct ap_text text, duckdb_decimal *out_decimal) {
  size_t i = 0;
  bool negative = text.size > 0 && text.data[0] == '-';
  if (text.size > 0 && (text.data[0] == '-' || text.data[0] == '+')) i = 1;
  ap_int128 unscaled = 0;
  uint8_t digits = 0;
  uint8_t scale = 0;
  bool after_point = false;
  bool any = false;
  for (; i < text.size; i++) {
    char c = text.data[i];
    if (c == '.' && !after_point) {
      after_point = true;
      continue;
    }
    if (c < '0' || c > '9') return false;
    any = true;
    if (digits > 0 || c != '0') digits++;
    if (after_point) scale++;
    if (digits > DECIMAL_DIGITS_MAX || scale > DECIMAL_DIGITS_MAX) return false;
    unscaled = unscaled * 10 + (c - '0');
  }
  if (negative) unscaled = -unscaled;
  out_decimal->scale = scale;
  out_decimal->width = digits > scale ? digits : scale;
  if (out_decimal->width == 0) out_decimal->width = 1;
  out_decimal->value.lower = (uint64_t)unscaled;
  out_decimal->value.upper = (int64_t)(unscaled >> 64);
  return any;
}

static duckdb_value make_decimal(struct ap_text text) {
  duckdb_decimal decimal;
  return parse_decimal(text, &decimal) ? duckdb_create_decimal(decimal) : NULL;
}

/* Whole days and the rest, as the engine compares and shows them. */
static duckdb_value make_interval(int64_t micros) {
  static const int64_t micros_of_day = INT64_C(86400000000);
  return duckdb_create_interval((duckdb_interval){
      .months = 0, .days = (int32_t)(micros / micros_of_day), .micros = micros % micros_of_day});
}

static duckdb_value make_uuid(struct ap_text bytes) {
  duckdb_uhugeint number = {0};
  if (bytes.size != 16) return NULL;
  for (size_t i = 0; i < 8; i++) {
    number.upper = number.upper << 8 | (uint8_t)bytes.data[i];
    number.lower = number.lower << 8 | (uint8_t)bytes.data[8 + i];
  }
  return duckdb_create_uuid(number);
}

duckdb_value ap_parameter_value(const struct ap_parameter *parameter) {
  const char *data = parameter->text.data ? parameter->text.data : "";
  switch (parameter->kind) {
    case AP_PARAMETER_NULL:
      return duckdb_create_null_value();
    case AP_PARAMETER_BOOLEAN:
      return duckdb_create_bool(parameter->i64 != 0);
    case AP_PARAMETER_INTEGER:
      return duckdb_create_int64(parameter->i64);
    case AP_PARAMETER_FLOAT:
      return duckdb_create_double(parameter->f64);
    case AP_PARAMETER_TEXT:
      if (!ap_text_is_utf8(parameter->text)) return NULL;
      return duckdb_create_varchar_length(data, parameter->text.size);
    case AP_PARAMETER_BINARY:
      return duckdb_create_blob((const uint8_t *)data, parameter->text.size);
    case AP_PARAMETER_DECIMAL:
      return make_decimal(parameter->text);
    case AP_PARAMETER_DATE:
      if (parameter->i64 < INT32_MIN || parameter->i64 > INT32_MAX) return NULL;
      return duckdb_create_date((duckdb_date){(int32_t)parameter->i64});
    case AP_PARAMETER_TIME:
      if (parameter->i64 < 0 || parameter->i64 > INT64_C(86400000000)) return NULL;
      return duckdb_create_time((duckdb_time){parameter->i64});
    case AP_PARAMETER_TIMESTAMP:
      return duckdb_create_timestamp((duckdb_timestamp){parameter->i64});
    case AP_PARAMETER_TIMESTAMP_TZ:
      return duckdb_create_timestamp_tz((duckdb_timestamp){parameter->i64});
    case AP_PARAMETER_INTERVAL:
      return make_interval(parameter->i64);
    case AP_PARAMETER_UUID:
      return make_uuid(parameter->text);
    case AP_PARAMETER_LIST:
    case AP_PARAMETER_STRUCT:
    case AP_PARAMETER_MAP:
      break;
  }
  return NULL;
}

/* The statement's index for a parameter: by its name, or its place. */
static ap_status find_index(duckdb_prepared_statement statement,
                            const struct ap_parameter *parameter, uint32_t place, idx_t *out_index,
                            ap_error *err) {
  *out_index = place + 1;
  if (parameter->name.size == 0) return AP_OK;
  char name[AP_NAME_BYTES_MAX + 1];
  if (parameter->name.size <= AP_NAME_BYTES_MAX) {
    memcpy(name, parameter->name.data, parameter->name.size);
    name[parameter->name.size] = '\0';
    if (duckdb_bind_parameter_index(statement, out_index, name) == DuckDBSuccess) return AP_OK;
  }
  return AP_FAIL(err, AP_INVALID_ARGUMENT, "the statement has no parameter $%.*s",
                 AP_TEXT_ARG(parameter->name));
}

ap_status ap_parameter_bind(struct ap_chamber *chamber, duckdb_prepared_statement statement,
                            idx_t index, const struct ap_parameter *parameter, uint32_t place,
                            ap_error *err) {
  bool has_items = parameter->kind == AP_PARAMETER_LIST || parameter->kind == AP_PARAMETER_STRUCT ||
                   parameter->kind == AP_PARAMETER_MAP;
  duckdb_value value = NULL;
  if (has_items) {
    ap_status status = ap_parameter_nested(chamber, parameter, &value, err);
    if (status != AP_OK) return ap_error_prefix(err, status, "parameter %u", place + 1);
  } else {
    value = ap_parameter_value(parameter);
  }
  if (!value) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "the value of parameter %u is not of its kind",
                   place + 1);
  }
  duckdb_state bound = duckdb_bind_value(statement, index, value);
  duckdb_destroy_value(&value);
  if (bound != DuckDBSuccess) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "parameter %u cannot be bound", place + 1);
  }
  return AP_OK;
}

ap_status ap_parameters_bind(struct ap_chamber *chamber, duckdb_prepared_statement statement,
                             const struct ap_parameter *parameters, uint32_t parameter_count,
                             ap_error *err) {
  idx_t expected = duckdb_nparams(statement);
  if (parameter_count > AP_QUERY_PARAMETERS_MAX || expected != parameter_count) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "the statement has %llu parameters, %u were given",
                   (unsigned long long)expected, parameter_count);
  }
  for (uint32_t i = 0; i < parameter_count; i++) {
    idx_t index = 0;
    AP_TRY(find_index(statement, &parameters[i], i, &index, err));
    AP_TRY(ap_parameter_bind(chamber, statement, index, &parameters[i], i, err));
  }
  return AP_OK;
}
