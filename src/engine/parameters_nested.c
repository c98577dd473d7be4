/* SPDX-License-Identifier: Apache-2.0
 *
 * Parameters that hold others: lists, structs and maps as values of the engine.
 *
 * The items of a list, and those of all lists that are items of one list, get one type: integers
 * beside decimals become decimals, numbers beside floats floats; nulls fit everywhere. Anything
 * else that differs is refused with what was found. Depth is limited by AP_PARAMETER_DEPTH_MAX.
 */
#include "engine/chamber.h"

#include "base/assert.h"
#include "base/limits.h"
#include "base/status.h"

#include <string.h>

/* Parameters that must get one type. */
struct group {
  const struct ap_parameter **items;
  size_t count;
};

static const char *word_of(enum ap_parameter_kind kind) {
  static const char *const words[] = {"null",
                                      "boolean",
                                      "integer",
                                      "float",
                                      "text",
                                      "binary",
                                      "decimal",
                                      "date",
                                      "time",
                                      "timestamp",
                                      "timestamp with time zone",
                                      "list",
                                      "struct",
                                      "interval",
                                      "uuid",
                                      "map"};
  return words[kind];
}

static ap_status allocate(struct ap_chamber *chamber, size_t count, size_t size, void **out,
                          ap_error *err) {
  *out = ap_allocate_zeroed(chamber->engine->env->allocator, count + 1, size);
  return *out != NULL ? AP_OK : AP_FAIL_MEMORY(err);
}

static void release(struct ap_chamber *chamber, void *memory) {
  ap_free(chamber->engine->env->allocator, memory);
}

/* ---- types ----------------------------------------------------------------------------------- */

static ap_status find_type(struct ap_chamber *chamber, struct group group, int depth,
                           duckdb_logical_type *out_type, ap_error *err);

/* Digits before and after the point. */
static void count_digits(const struct ap_parameter *item, int *whole, int *scale) {
  enum { INTEGER_DIGITS = 19 };
  int before = INTEGER_DIGITS;
  int after = 0;
  if (item->kind == AP_PARAMETER_DECIMAL) {
    const char *point = memchr(item->text.data, '.', item->text.size);
    after = point == NULL ? 0 : (int)(item->text.data + item->text.size - point - 1);
    before = (int)item->text.size - after;
  }
  if (before > *whole) *whole = before;
  if (after > *scale) *scale = after;
}

/* A decimal that is too wide for all of them loses no digit after the point: then a value that does
 * not fit is refused when it is made. */
static duckdb_logical_type decimal_type(struct group group) {
  enum { DIGITS_MAX = 38 };
  int whole = 1;
  int scale = 0;
  for (size_t i = 0; i < group.count; i++) {
    if (group.items[i]->kind != AP_PARAMETER_NULL) count_digits(group.items[i], &whole, &scale);
  }
  int width = whole + scale > DIGITS_MAX ? DIGITS_MAX : whole + scale;
  if (scale > width) scale = width;
  return duckdb_create_decimal_type((uint8_t)width, (uint8_t)scale);
}

static bool is_number(enum ap_parameter_kind kind) {
  return kind == AP_PARAMETER_INTEGER || kind == AP_PARAMETER_DECIMAL || kind == AP_PARAMETER_FLOAT;
}

/* The one kind of all that are not null. */
static ap_status find_kind(struct group group, enum ap_parameter_kind *out_kind, ap_error *err) {
  *out_kind = AP_PARAMETER_NULL;
  for (size_t i = 0; i < group.count; i++) {
    enum ap_parameter_kind kind = group.items[i]->kind;
    if (kind == *out_kind || kind == AP_PARAMETER_NULL) continue;
    if (*out_kind == AP_PARAMETER_NULL) {
      *out_kind = kind;
    } else if (is_number(kind) && is_number(*out_kind)) {
      bool is_float = kind == AP_PARAMETER_FLOAT || *out_kind == AP_PARAMETER_FLOAT;
      *out_kind = is_float ? AP_PARAMETER_FLOAT : AP_PARAMETER_DECIMAL;
    } else {
      return AP_FAIL(err, AP_INVALID_ARGUMENT, "a list of %s and %s", word_of(*out_kind),
                     word_of(kind));
    }
  }
  return AP_OK;
}

/* Every step-th item from first on, of all of the group that are not null. */
static ap_status gather(struct ap_chamber *chamber, struct group group, size_t first, size_t step,
                        struct group *out, ap_error *err) {
  size_t count = 0;
  void *items = NULL;
  for (size_t i = 0; i < group.count; i++) count += group.items[i]->item_count / step;
  AP_TRY(allocate(chamber, count, sizeof(*out->items), &items, err));
  *out = (struct group){items, 0};
  for (size_t i = 0; i < group.count; i++) {
    for (size_t k = first; k < group.items[i]->item_count; k += step) {
      out->items[out->count++] = &group.items[i]->items[k];
    }
  }
  AP_ASSERT(out->count == count);
  return AP_OK;
}

static ap_status find_item_type(struct ap_chamber *chamber, struct group group, size_t first,
                                size_t step, int depth, duckdb_logical_type *out_type,
                                ap_error *err) {
  struct group items = {0};
  AP_TRY(gather(chamber, group, first, step, &items, err));
  ap_status status = find_type(chamber, items, depth + 1, out_type, err);
  release(chamber, (void *)items.items);
  return status;
}

static ap_status find_list_type(struct ap_chamber *chamber, struct group group, int depth,
                                duckdb_logical_type *out_type, ap_error *err) {
  duckdb_logical_type item = NULL;
  AP_TRY(find_item_type(chamber, group, 0, 1, depth, &item, err));
  *out_type = duckdb_create_list_type(item);
  duckdb_destroy_logical_type(&item);
  return AP_OK;
}

static ap_status find_map_type(struct ap_chamber *chamber, struct group group, int depth,
                               duckdb_logical_type *out_type, ap_error *err) {
  duckdb_logical_type key = NULL;
  duckdb_logical_type value = NULL;
  ap_status status = find_item_type(chamber, group, 0, 2, depth, &key, err);
  if (status == AP_OK) status = find_item_type(chamber, group, 1, 2, depth, &value, err);
  if (status == AP_OK) *out_type = duckdb_create_map_type(key, value);
  if (key) duckdb_destroy_logical_type(&key);
  if (value) duckdb_destroy_logical_type(&value);
  return status;
}

static const struct ap_parameter *first_present(struct group group) {
  for (size_t i = 0; i < group.count; i++) {
    if (group.items[i]->kind != AP_PARAMETER_NULL) return group.items[i];
  }
  return NULL;
}

/* All structs of a group have the same members in the same order. */
static ap_status check_members(struct group group, const struct ap_parameter *first,
                               ap_error *err) {
  for (size_t i = 0; i < group.count; i++) {
    const struct ap_parameter *other = group.items[i];
    if (other->kind == AP_PARAMETER_NULL) continue;
    bool same = other->item_count == first->item_count;
    for (uint32_t k = 0; same && k < first->item_count; k++) {
      same = ap_text_equal(first->items[k].name, other->items[k].name);
    }
    if (!same) {
      return AP_FAIL(err, AP_INVALID_ARGUMENT, "a list of structs whose members differ");
    }
  }
  return AP_OK;
}

static ap_status find_struct_type(struct ap_chamber *chamber, struct group group, int depth,
                                  duckdb_logical_type *out_type, ap_error *err) {
  const struct ap_parameter *first = first_present(group);
  AP_ASSERT(first != NULL);
  AP_TRY(check_members(group, first, err));
  size_t count = first->item_count;
  if (count == 0) return AP_FAIL(err, AP_INVALID_ARGUMENT, "a struct without members");
  void *types = NULL;
  void *names = NULL;
  ap_status status = allocate(chamber, count, sizeof(duckdb_logical_type), &types, err);
  if (status == AP_OK) status = allocate(chamber, count, sizeof(char *), &names, err);
  duckdb_logical_type *member_types = types;
  const char **member_names = names;
  for (size_t i = 0; status == AP_OK && i < count; i++) {
    member_names[i] = ap_string_copy(chamber->engine->env->allocator, first->items[i].name);
    if (member_names[i] == NULL) status = AP_FAIL_MEMORY(err);
    if (status == AP_OK) {
      status = find_item_type(chamber, group, i, count, depth, &member_types[i], err);
    }
  }
  if (status == AP_OK) *out_type = duckdb_create_struct_type(member_types, member_names, count);
  for (size_t i = 0; i < count; i++) {
    if (member_types != NULL && member_types[i]) duckdb_destroy_logical_type(&member_types[i]);
    if (member_names != NULL) release(chamber, (void *)member_names[i]);
  }
  release(chamber, types);
  release(chamber, names);
  return status;
}

static ap_status find_type(struct ap_chamber *chamber, struct group group, int depth,
                           duckdb_logical_type *out_type, ap_error *err) {
  static const duckdb_type plain[] = {
      [AP_PARAMETER_NULL] = DUCKDB_TYPE_SQLNULL,
      [AP_PARAMETER_BOOLEAN] = DUCKDB_TYPE_BOOLEAN,
      [AP_PARAMETER_INTEGER] = DUCKDB_TYPE_BIGINT,
      [AP_PARAMETER_FLOAT] = DUCKDB_TYPE_DOUBLE,
      [AP_PARAMETER_TEXT] = DUCKDB_TYPE_VARCHAR,
      [AP_PARAMETER_BINARY] = DUCKDB_TYPE_BLOB,
      [AP_PARAMETER_DATE] = DUCKDB_TYPE_DATE,
      [AP_PARAMETER_TIME] = DUCKDB_TYPE_TIME,
      [AP_PARAMETER_TIMESTAMP] = DUCKDB_TYPE_TIMESTAMP,
      [AP_PARAMETER_TIMESTAMP_TZ] = DUCKDB_TYPE_TIMESTAMP_TZ,
      [AP_PARAMETER_INTERVAL] = DUCKDB_TYPE_INTERVAL,
      [AP_PARAMETER_UUID] = DUCKDB_TYPE_UUID,
  };
  enum ap_parameter_kind kind = AP_PARAMETER_NULL;
  if (depth > AP_PARAMETER_DEPTH_MAX) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "a value nested in more than %d others",
                   AP_PARAMETER_DEPTH_MAX);
  }
  AP_TRY(find_kind(group, &kind, err));
  switch (kind) {
    case AP_PARAMETER_DECIMAL:
      *out_type = decimal_type(group);
      return AP_OK;
    case AP_PARAMETER_LIST:
      return find_list_type(chamber, group, depth, out_type, err);
    case AP_PARAMETER_STRUCT:
      return find_struct_type(chamber, group, depth, out_type, err);
    case AP_PARAMETER_MAP:
      return find_map_type(chamber, group, depth, out_type, err);
    default:
      *out_type = duckdb_create_logical_type(plain[kind]);
      return AP_OK;
  }
}

/* ---- values ---------------------------------------------------------------------------------- */

static duckdb_value make(struct ap_chamber *chamber, const struct ap_parameter *parameter,
                         duckdb_logical_type type);

/* Every step-th item from first on; false: one cannot be made. */
static bool make_items(struct ap_chamber *chamber, const struct ap_parameter *parameter,
                       size_t first, size_t step, duckdb_logical_type type, duckdb_value *values) {
  size_t count = 0;
  for (size_t i = first; i < parameter->item_count; i += step) {
    values[count] = make(chamber, &parameter->items[i], type);
    if (!values[count++]) return false;
  }
  return true;
}

static duckdb_value make_list(struct ap_chamber *chamber, const struct ap_parameter *parameter,
                              duckdb_logical_type type, duckdb_value *values) {
  duckdb_logical_type item = duckdb_list_type_child_type(type);
  duckdb_value value = NULL;
  if (make_items(chamber, parameter, 0, 1, item, values)) {
    value = duckdb_create_list_value(item, values, parameter->item_count);
  }
  duckdb_destroy_logical_type(&item);
  return value;
}

static duckdb_value make_map(struct ap_chamber *chamber, const struct ap_parameter *parameter,
                             duckdb_logical_type type, duckdb_value *values) {
  duckdb_logical_type key = duckdb_map_type_key_type(type);
  duckdb_logical_type item = duckdb_map_type_value_type(type);
  size_t count = parameter->item_count / 2;
  duckdb_value value = NULL;
  if (make_items(chamber, parameter, 0, 2, key, values) &&
      make_items(chamber, parameter, 1, 2, item, values + count)) {
    value = duckdb_create_map_value(type, values, values + count, count);
  }
  duckdb_destroy_logical_type(&key);
  duckdb_destroy_logical_type(&item);
  return value;
}

static duckdb_value make_struct(struct ap_chamber *chamber, const struct ap_parameter *parameter,
                                duckdb_logical_type type, duckdb_value *values) {
  bool good = true;
  for (uint32_t i = 0; good && i < parameter->item_count; i++) {
    duckdb_logical_type member = duckdb_struct_type_child_type(type, i);
    values[i] = make(chamber, &parameter->items[i], member);
    good = values[i] != NULL;
    duckdb_destroy_logical_type(&member);
  }
  return good ? duckdb_create_struct_value(type, values) : NULL;
}

/* NULL when a value is not of its kind, or there is no memory. */
static duckdb_value make(struct ap_chamber *chamber, const struct ap_parameter *parameter,
                         duckdb_logical_type type) {
  void *memory = NULL;
  duckdb_value value = NULL;
  if (parameter->kind != AP_PARAMETER_LIST && parameter->kind != AP_PARAMETER_STRUCT &&
      parameter->kind != AP_PARAMETER_MAP) {
    return ap_parameter_value(parameter);
  }
  if (allocate(chamber, parameter->item_count, sizeof(duckdb_value), &memory, NULL) != AP_OK) {
    return NULL;
  }
  duckdb_value *values = memory;
  if (parameter->kind == AP_PARAMETER_LIST) {
    value = make_list(chamber, parameter, type, values);
  } else if (parameter->kind == AP_PARAMETER_MAP) {
    value = make_map(chamber, parameter, type, values);
  } else {
    value = make_struct(chamber, parameter, type, values);
  }
  for (uint32_t i = 0; i < parameter->item_count; i++) {
    if (values[i]) duckdb_destroy_value(&values[i]);
  }
  release(chamber, memory);
  return value;
}

ap_status ap_parameter_nested(struct ap_chamber *chamber, const struct ap_parameter *parameter,
                              duckdb_value *out_value, ap_error *err) {
  duckdb_logical_type type = NULL;
  const struct group one = {&parameter, 1};
  AP_ASSERT(parameter->kind != AP_PARAMETER_MAP || parameter->item_count % 2 == 0);
  AP_TRY(find_type(chamber, one, 0, &type, err));
  *out_value = make(chamber, parameter, type);
  duckdb_destroy_logical_type(&type);
  return AP_OK;
}
