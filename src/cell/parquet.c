/* SPDX-License-Identifier: Apache-2.0
 *
 * See parquet.h: the file around the columns.
 */
#include "cell/parquet.h"

#include "base/assert.h"
#include "cell/parquet_column.h"
#include "cell/thrift.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define MAGIC "PAR1"

enum {
  CODEC_LZ4_RAW = 7,
  REPETITION_OPTIONAL = 1,
  BOUND_BYTES_MAX = 256, /* longer texts get no bound in the footer */
};

struct group {
  int64_t first_row;
  uint32_t row_count;
  int64_t offset;
  int64_t size;
  int64_t uncompressed_size;
  struct ap_parquet_chunk *chunks; /* per field */
  struct ap_parquet_bounds *bounds;
  struct ap_buffer *pages; /* per field, until they are put one after the other */
};

struct file {
  const struct ap_parquet_rows *rows;
  struct ap_arena *arena; /* the caller's: what outlives this call */
  struct ap_arena local;  /* what lives as long as this call: groups */
  struct ap_buffer *out;
  size_t start; /* of the file in out */
  struct group *groups;
  uint32_t group_count;
  int64_t row_count;
  atomic_uint next_task; /* column chunks, group by group: whoever is free takes the next */
};

/* One thread at work on the chunks. */
struct worker {
  struct file *file;
  struct ap_thread *thread; /* NULL: the caller's */
  ap_status status;
  ap_error error;
};

/* ---- what is taken --------------------------------------------------------------------------- */

static const char *format_of(const struct ap_type *type) {
  switch (type->kind) {
    case AP_TYPE_BOOLEAN:
      return "b";
    case AP_TYPE_INT8:
      return "c";
    case AP_TYPE_INT16:
      return "s";
    case AP_TYPE_INT32:
      return "i";
    case AP_TYPE_INT64:
      return "l";
    case AP_TYPE_FLOAT32:
      return "f";
    case AP_TYPE_FLOAT64:
      return "g";
    case AP_TYPE_DATE:
      return "tdD";
    case AP_TYPE_TIMESTAMP:
      return "tsu:";
    default:
      return NULL;
  }
}

static bool takes_column(const struct ap_type *type, const struct ArrowSchema *column) {
  const char *format = column->format;
  if (format == NULL || column->dictionary != NULL || column->n_children != 0) return false;
  const char *exact = format_of(type);
  if (exact != NULL) return strcmp(format, exact) == 0;
  if (type->kind == AP_TYPE_STRING) return strcmp(format, "u") == 0 || strcmp(format, "U") == 0;
  if (type->kind == AP_TYPE_BINARY) return strcmp(format, "z") == 0 || strcmp(format, "Z") == 0;
  if (type->kind == AP_TYPE_TIMESTAMP_TZ) {
    return strncmp(format, "tsu:", 4) == 0 && format[4] != '\0';
  }
  if (type->kind == AP_TYPE_DECIMAL) {
    char decimal[32];
    (void)snprintf(decimal, sizeof decimal, "d:%u,%u", type->precision, type->scale);
    return strcmp(format, decimal) == 0;
  }
  return false;
}

bool ap_parquet_takes(const struct ap_schema *physical, const struct ArrowSchema *arrow_schema,
                      const uint32_t *order) {
  for (uint32_t i = 0; i < physical->field_count; ++i) {
    AP_ASSERT((int64_t)order[i] < arrow_schema->n_children);
    if (!takes_column(&physical->fields[i].type, arrow_schema->children[order[i]])) return false;
  }
  return true;
}

/* ---- row groups ------------------------------------------------------------------------------ */

/* Rows [first, first + count) of all batches as slices of one column. */
static uint32_t slice_batches(const struct ap_parquet_rows *rows, uint32_t column, int64_t first,
                              int64_t count, struct ap_parquet_slice *slices) {
  uint32_t slice_count = 0;
  for (uint32_t i = 0; i < rows->batch_count && count > 0; ++i) {
    const struct ArrowArray *batch = &rows->batches[i];
    if (first >= batch->length) {
      first -= batch->length;
      continue;
    }
    int64_t length = batch->length - first < count ? batch->length - first : count;
    slices[slice_count++] =
        (struct ap_parquet_slice){batch->children[column], batch->offset + first, length};
    first = 0;
    count -= length;
  }
  AP_ASSERT(count == 0);
  return slice_count;
}

static ap_status write_chunk_pages(struct file *file, struct group *group, uint32_t field,
                                   ap_error *err) {
  const struct ap_parquet_rows *rows = file->rows;
  uint32_t column = rows->order[field];
  struct ap_parquet_values values = {0};
  struct ap_arena scratch;
  ap_arena_init(&scratch, file->arena->allocator);
  struct ap_parquet_slice *slices =
      AP_ARENA_ARRAY(&scratch, struct ap_parquet_slice, rows->batch_count + 1);
  ap_status status = slices == NULL ? AP_FAIL_MEMORY(err) : AP_OK;
  if (status == AP_OK) {
    uint32_t slice_count = slice_batches(rows, column, group->first_row, group->row_count, slices);
    status = ap_parquet_gather(&scratch, &rows->physical->fields[field],
                               rows->arrow_schema->children[column], slices, slice_count,
                               group->row_count, &values, err);
  }
  if (status == AP_OK) {
    ap_parquet_measure(&values, &group->bounds[field]);
    status = ap_parquet_encode(&scratch, &values, &group->pages[field], &group->chunks[field], err);
  }
  ap_arena_deinit(&scratch);
  return status;
}

/* Relaxed: the numbers need only be different; joining the threads publishes what they wrote. */
static void work(void *context) {
  struct worker *worker = context;
  struct file *file = worker->file;
  uint32_t field_count = file->rows->physical->field_count;
  for (;;) {
    uint32_t task = atomic_fetch_add_explicit(&file->next_task, 1, memory_order_relaxed);
    if (task >= file->group_count * field_count) return;
    worker->status = write_chunk_pages(file, &file->groups[task / field_count], task % field_count,
                                       &worker->error);
    if (worker->status != AP_OK) return;
  }
}

/* A thread that cannot be had only makes it slower. */
static ap_status write_chunks(struct file *file, ap_error *err) {
  const struct ap_parquet_rows *rows = file->rows;
  int64_t worth = file->row_count / AP_PARQUET_SHARE_ROWS;
  uint32_t count = rows->thread_count > worth ? (uint32_t)worth : rows->thread_count;
  if (count == 0) count = 1;
  struct worker *workers = AP_ARENA_ARRAY(&file->local, struct worker, count);
  if (workers == NULL) return AP_FAIL_MEMORY(err);
  for (uint32_t i = 0; i < count; ++i) workers[i].file = file;
  uint32_t started = 1;
  while (started < count && rows->threads->spawn(rows->threads, work, &workers[started],
                                                 &workers[started].thread, NULL) == AP_OK) {
    ++started;
  }
  work(&workers[0]);
  ap_status status = AP_OK;
  for (uint32_t i = 0; i < started; ++i) {
    if (i > 0) rows->threads->join(rows->threads, workers[i].thread);
    if (status != AP_OK || workers[i].status == AP_OK) continue;
    status = workers[i].status;
    if (err != NULL) *err = workers[i].error;
  }
  return status;
}

/* Put the pages one after the other and tell the chunks where they are. */
static void place_group(struct file *file, struct group *group) {
  group->offset = (int64_t)(file->out->size - file->start);
  for (uint32_t i = 0; i < file->rows->physical->field_count; ++i) {
    struct ap_parquet_chunk *chunk = &group->chunks[i];
    int64_t offset = (int64_t)(file->out->size - file->start);
    chunk->data_offset += offset;
    if (chunk->dictionary_offset >= 0) chunk->dictionary_offset += offset;
    group->size += chunk->total_size;
    group->uncompressed_size += chunk->total_uncompressed_size;
    ap_buffer_append_text(file->out, ap_buffer_text(&group->pages[i]));
  }
}

static ap_status plan_group(struct file *file, struct group *group, int64_t first_row,
                            int64_t row_count, ap_error *err) {
  uint32_t field_count = file->rows->physical->field_count;
  group->first_row = first_row;
  group->row_count = (uint32_t)row_count;
  group->chunks = AP_ARENA_ARRAY(&file->local, struct ap_parquet_chunk, field_count);
  group->bounds = AP_ARENA_ARRAY(&file->local, struct ap_parquet_bounds, field_count);
  group->pages = AP_ARENA_ARRAY(&file->local, struct ap_buffer, field_count);
  if (group->chunks == NULL || group->bounds == NULL || group->pages == NULL) {
    return AP_FAIL_MEMORY(err);
  }
  for (uint32_t i = 0; i < field_count; ++i) {
    ap_buffer_init(&group->pages[i], file->arena->allocator);
  }
  return AP_OK;
}

/* As few groups as may be, but one for each thread where the rows are worth it. */
static ap_status plan_groups(struct file *file, ap_error *err) {
  for (uint32_t i = 0; i < file->rows->batch_count; ++i) {
    const struct ArrowArray *batch = &file->rows->batches[i];
    if (batch->null_count != 0 && batch->n_buffers > 0 && batch->buffers[0] != NULL) {
      return AP_FAIL(err, AP_UNSUPPORTED, "rows that are null as a whole");
    }
    file->row_count += batch->length;
  }
  AP_ASSERT(file->row_count > 0 && file->row_count <= AP_PARQUET_ROWS_MAX);
  int64_t count = file->row_count / AP_PARQUET_SHARE_ROWS;
  int64_t least = (file->row_count + AP_PARQUET_GROUP_ROWS - 1) / AP_PARQUET_GROUP_ROWS;
  if (count > file->rows->thread_count) count = file->rows->thread_count;
  if (count < least) count = least;
  int64_t share = (file->row_count + count - 1) / count;
  struct group *groups = AP_ARENA_ARRAY(&file->local, struct group, (size_t)count);
  if (groups == NULL) return AP_FAIL_MEMORY(err);
  file->groups = groups;
  for (int64_t first = 0; first < file->row_count; first += share) {
    int64_t left = file->row_count - first;
    AP_TRY(plan_group(file, &groups[file->group_count], first, left < share ? left : share, err));
    file->group_count += 1;
  }
  return AP_OK;
}

static ap_status write_groups(struct file *file, ap_error *err) {
  ap_status status = plan_groups(file, err);
  if (status == AP_OK) status = write_chunks(file, err);
  for (uint32_t i = 0; i < file->group_count; ++i) {
    if (status == AP_OK) place_group(file, &file->groups[i]);
    for (uint32_t k = 0; k < file->rows->physical->field_count; ++k) {
      ap_buffer_deinit(&file->groups[i].pages[k]);
    }
  }
  return status;
}

/* ---- the footer ------------------------------------------------------------------------------ */

/* Parquet's older annotation, which some readers look at alone; -1: none. */
static int32_t converted_type(const struct ap_type *type) {
  switch (type->kind) {
    case AP_TYPE_STRING:
      return 0;
    case AP_TYPE_DECIMAL:
      return 5;
    case AP_TYPE_DATE:
      return 6;
    case AP_TYPE_TIMESTAMP_TZ:
      return 10;
    case AP_TYPE_INT8:
      return 15;
    case AP_TYPE_INT16:
      return 16;
    default:
      return -1;
  }
}

static void write_logical_type(struct ap_thrift *thrift, const struct ap_type *type) {
  enum { FIELD = 10, STRING = 1, DECIMAL = 5, DATE = 6, TIMESTAMP = 8, INTEGER = 10 };
  bool is_timestamp = type->kind == AP_TYPE_TIMESTAMP || type->kind == AP_TYPE_TIMESTAMP_TZ;
  bool is_small = type->kind == AP_TYPE_INT8 || type->kind == AP_TYPE_INT16;
  if (!is_timestamp && !is_small && type->kind != AP_TYPE_STRING && type->kind != AP_TYPE_DECIMAL &&
      type->kind != AP_TYPE_DATE) {
    return;
  }
  ap_thrift_struct(thrift, FIELD);
  if (is_timestamp) {
    ap_thrift_struct(thrift, TIMESTAMP);
    ap_thrift_bool(thrift, 1, type->kind == AP_TYPE_TIMESTAMP_TZ);
    ap_thrift_struct(thrift, 2); /* the unit, a union */
    ap_thrift_struct(thrift, 2); /* microseconds */
    ap_thrift_end(thrift);
    ap_thrift_end(thrift);
  } else if (is_small) {
    ap_thrift_struct(thrift, INTEGER);
    ap_thrift_i8(thrift, 1, type->kind == AP_TYPE_INT8 ? 8 : 16);
    ap_thrift_bool(thrift, 2, true);
  } else if (type->kind == AP_TYPE_DECIMAL) {
    ap_thrift_struct(thrift, DECIMAL);
    ap_thrift_i32(thrift, 1, type->scale);
    ap_thrift_i32(thrift, 2, type->precision);
  } else {
    ap_thrift_struct(thrift, type->kind == AP_TYPE_STRING ? STRING : DATE);
  }
  ap_thrift_end(thrift);
  ap_thrift_end(thrift);
}

int64_t ap_parquet_field_id(const struct ap_field *field) {
  int64_t id = -1;
  if (!ap_json_get_i64(field->metadata, "delta.columnMapping.id", -1, &id)) return -1;
  return id >= 0 && id <= INT32_MAX ? id : -1;
}

static void write_schema(struct ap_thrift *thrift, const struct ap_schema *schema) {
  ap_thrift_list(thrift, 2, AP_THRIFT_STRUCT, schema->field_count + 1);
  ap_thrift_element_struct(thrift);
  ap_thrift_binary(thrift, 4, AP_TEXT("schema"));
  ap_thrift_i32(thrift, 5, (int32_t)schema->field_count);
  ap_thrift_end(thrift);
  for (uint32_t i = 0; i < schema->field_count; ++i) {
    const struct ap_type *type = &schema->fields[i].type;
    enum ap_parquet_type parquet = ap_parquet_type_of(type);
    ap_thrift_element_struct(thrift);
    ap_thrift_i32(thrift, 1, parquet);
    if (parquet == AP_PARQUET_FIXED) ap_thrift_i32(thrift, 2, AP_PARQUET_DECIMAL_BYTES);
    ap_thrift_i32(thrift, 3, REPETITION_OPTIONAL);
    ap_thrift_binary(thrift, 4, schema->fields[i].name);
    if (converted_type(type) >= 0) ap_thrift_i32(thrift, 6, converted_type(type));
    if (type->kind == AP_TYPE_DECIMAL) {
      ap_thrift_i32(thrift, 7, type->scale);
      ap_thrift_i32(thrift, 8, type->precision);
    }
    int64_t id = ap_parquet_field_id(&schema->fields[i]);
    if (id >= 0) ap_thrift_i32(thrift, 9, (int32_t)id);
    write_logical_type(thrift, type);
    ap_thrift_end(thrift);
  }
}

/* A bound in PLAIN encoding; empty: none can be given. Zeros take the sign that widens. */
static struct ap_text encode_bound(enum ap_parquet_type type,
                                   const struct ap_parquet_bounds *bounds, bool is_max,
                                   char *space) {
  double f64 = is_max ? bounds->max.f64 : bounds->min.f64;
  int64_t i64 = is_max ? bounds->max.i64 : bounds->min.i64;
  ap_int128 decimal = is_max ? bounds->max.decimal : bounds->min.decimal;
  struct ap_text text = is_max ? bounds->max.text : bounds->min.text;
  float f32 = 0;
  switch (type) {
    case AP_PARQUET_BYTE_ARRAY:
      return text.size <= BOUND_BYTES_MAX ? text : (struct ap_text){NULL, 0};
    case AP_PARQUET_FLOAT:
    case AP_PARQUET_DOUBLE:
      if (f64 == 0) f64 = is_max ? 0.0 : -0.0;
      f32 = (float)f64;
      memcpy(space, type == AP_PARQUET_FLOAT ? (void *)&f32 : (void *)&f64,
             type == AP_PARQUET_FLOAT ? sizeof f32 : sizeof f64);
      return (struct ap_text){space, type == AP_PARQUET_FLOAT ? sizeof f32 : sizeof f64};
    case AP_PARQUET_FIXED:
      for (uint32_t i = 0; i < AP_PARQUET_DECIMAL_BYTES; ++i) {
        space[AP_PARQUET_DECIMAL_BYTES - 1 - i] = (char)(unsigned char)(decimal >> (8 * i));
      }
      return (struct ap_text){space, AP_PARQUET_DECIMAL_BYTES};
    case AP_PARQUET_BOOLEAN:
      space[0] = (char)i64;
      return (struct ap_text){space, 1};
    case AP_PARQUET_INT32:
    case AP_PARQUET_INT64:
      break;
  }
  memcpy(space, &i64, sizeof i64); /* little-endian: the low bytes are the smaller number */
  return (struct ap_text){space, type == AP_PARQUET_INT32 ? sizeof(int32_t) : sizeof i64};
}

static void write_statistics(struct ap_thrift *thrift, enum ap_parquet_type type,
                             const struct ap_parquet_bounds *bounds) {
  char min_space[AP_PARQUET_DECIMAL_BYTES];
  char max_space[AP_PARQUET_DECIMAL_BYTES];
  ap_thrift_struct(thrift, 12);
  ap_thrift_i64(thrift, 3, bounds->null_count);
  if (bounds->any && !bounds->has_nan) {
    struct ap_text max = encode_bound(type, bounds, true, max_space);
    struct ap_text min = encode_bound(type, bounds, false, min_space);
    if (max.data != NULL) ap_thrift_binary(thrift, 5, max);
    if (min.data != NULL) ap_thrift_binary(thrift, 6, min);
  }
  ap_thrift_end(thrift);
}

static void write_chunk(struct ap_thrift *thrift, const struct ap_field *field,
                        const struct group *group, uint32_t index) {
  const struct ap_parquet_chunk *chunk = &group->chunks[index];
  enum ap_parquet_type type = ap_parquet_type_of(&field->type);
  bool has_dictionary = chunk->dictionary_offset >= 0;
  ap_thrift_element_struct(thrift);
  ap_thrift_i64(thrift, 2, has_dictionary ? chunk->dictionary_offset : chunk->data_offset);
  ap_thrift_struct(thrift, 3);
  ap_thrift_i32(thrift, 1, type);
  ap_thrift_list(thrift, 2, AP_THRIFT_I32, has_dictionary ? 3 : 2);
  ap_thrift_element_i32(thrift, AP_PARQUET_PLAIN);
  ap_thrift_element_i32(thrift, AP_PARQUET_RLE);
  if (has_dictionary) ap_thrift_element_i32(thrift, AP_PARQUET_RLE_DICTIONARY);
  ap_thrift_list(thrift, 3, AP_THRIFT_BINARY, 1);
  ap_thrift_element_binary(thrift, field->name);
  ap_thrift_i32(thrift, 4, CODEC_LZ4_RAW);
  ap_thrift_i64(thrift, 5, group->row_count);
  ap_thrift_i64(thrift, 6, chunk->total_uncompressed_size);
  ap_thrift_i64(thrift, 7, chunk->total_size);
  ap_thrift_i64(thrift, 9, chunk->data_offset);
  if (has_dictionary) ap_thrift_i64(thrift, 11, chunk->dictionary_offset);
  write_statistics(thrift, type, &group->bounds[index]);
  ap_thrift_end(thrift);
  ap_thrift_end(thrift);
}

static void write_footer(struct file *file) {
  const struct ap_schema *schema = file->rows->physical;
  struct ap_thrift thrift;
  ap_thrift_init(&thrift, file->out);
  ap_thrift_i32(&thrift, 1, 1);
  write_schema(&thrift, schema);
  ap_thrift_i64(&thrift, 3, file->row_count);
  ap_thrift_list(&thrift, 4, AP_THRIFT_STRUCT, file->group_count);
  for (uint32_t i = 0; i < file->group_count; ++i) {
    const struct group *group = &file->groups[i];
    ap_thrift_element_struct(&thrift);
    ap_thrift_list(&thrift, 1, AP_THRIFT_STRUCT, schema->field_count);
    for (uint32_t k = 0; k < schema->field_count; ++k) {
      write_chunk(&thrift, &schema->fields[k], group, k);
    }
    ap_thrift_i64(&thrift, 2, group->uncompressed_size);
    ap_thrift_i64(&thrift, 3, group->row_count);
    ap_thrift_i64(&thrift, 5, group->offset);
    ap_thrift_i64(&thrift, 6, group->size);
    ap_thrift_end(&thrift);
  }
  ap_thrift_binary(&thrift, 6, AP_TEXT("Apiary"));
  ap_thrift_list(&thrift, 7, AP_THRIFT_STRUCT, schema->field_count);
  for (uint32_t i = 0; i < schema->field_count; ++i) {
    ap_thrift_element_struct(&thrift); /* bounds follow the type's own order */
    ap_thrift_struct(&thrift, 1);
    ap_thrift_end(&thrift);
    ap_thrift_end(&thrift);
  }
  ap_thrift_end(&thrift);
}

/* ---- statistics for the ledger --------------------------------------------------------------- */

static void as_value(const struct ap_type *type, const struct ap_parquet_bounds *bounds,
                     bool is_max, struct ap_value *out_value) {
  int64_t i64 = is_max ? bounds->max.i64 : bounds->min.i64;
  *out_value = (struct ap_value){.kind = AP_VALUE_INTEGER, .decimal = i64};
  switch (type->kind) {
    case AP_TYPE_BOOLEAN:
      *out_value = (struct ap_value){.kind = AP_VALUE_BOOLEAN, .i64 = i64};
      break;
    case AP_TYPE_DATE:
      *out_value = (struct ap_value){.kind = AP_VALUE_DATE, .i64 = i64};
      break;
    case AP_TYPE_TIMESTAMP:
      *out_value = (struct ap_value){.kind = AP_VALUE_TIMESTAMP, .i64 = i64};
      break;
    case AP_TYPE_TIMESTAMP_TZ:
      *out_value = (struct ap_value){.kind = AP_VALUE_TIMESTAMP_TZ, .i64 = i64};
      break;
    case AP_TYPE_DECIMAL:
      out_value->kind = AP_VALUE_DECIMAL;
      out_value->scale = type->scale;
      if (ap_parquet_type_of(type) == AP_PARQUET_FIXED) {
        out_value->decimal = is_max ? bounds->max.decimal : bounds->min.decimal;
      }
      break;
    default:
      break;
  }
}

static ap_status bound_text(struct file *file, const struct ap_type *type,
                            const struct ap_parquet_bounds *bounds, bool is_max,
                            struct ap_text *out_text, ap_error *err) {
  struct ap_buffer text;
  ap_buffer_init(&text, file->arena->allocator);
  double f64 = is_max ? bounds->max.f64 : bounds->min.f64;
  bool is_float = type->kind == AP_TYPE_FLOAT32 || type->kind == AP_TYPE_FLOAT64;
  if (type->kind == AP_TYPE_STRING) {
    ap_buffer_append_text(&text, is_max ? bounds->max.text : bounds->min.text);
  } else if (is_float && isfinite(f64)) {
    ap_buffer_append_f64(&text, f64);
  } else if (!is_float && type->kind != AP_TYPE_BINARY) {
    struct ap_value value;
    as_value(type, bounds, is_max, &value);
    ap_value_append_text(&text, &value);
  } else {
    ap_buffer_deinit(&text);
    return AP_OK;
  }
  ap_status status = ap_buffer_check(&text, err);
  char *copy = status == AP_OK ? ap_arena_copy(file->arena, ap_buffer_text(&text)) : NULL;
  if (status == AP_OK && copy == NULL) status = AP_FAIL_MEMORY(err);
  *out_text = (struct ap_text){copy, text.size};
  ap_buffer_deinit(&text);
  return status;
}

static ap_status describe(struct file *file, struct ap_statistics_text *statistics, ap_error *err) {
  const struct ap_schema *schema = file->rows->physical;
  for (uint32_t i = 0; i < schema->field_count; ++i) {
    const struct ap_type *type = &schema->fields[i].type;
    const struct ap_parquet_values kind = {.type = ap_parquet_type_of(type)};
    struct ap_parquet_bounds bounds = file->groups[0].bounds[i];
    for (uint32_t k = 1; k < file->group_count; ++k) {
      ap_parquet_merge(&kind, &file->groups[k].bounds[i], &bounds);
    }
    statistics[i] =
        (struct ap_statistics_text){.null_count = bounds.null_count, .has_nan = bounds.has_nan};
    if (!bounds.any) continue;
    AP_TRY(bound_text(file, type, &bounds, false, &statistics[i].min, err));
    AP_TRY(bound_text(file, type, &bounds, true, &statistics[i].max, err));
  }
  return AP_OK;
}

/* ---- all of it ------------------------------------------------------------------------------- */

static ap_status finish(struct file *file, struct ap_statistics_text *statistics, ap_error *err) {
  size_t before = file->out->size;
  write_footer(file);
  AP_TRY(ap_buffer_check(file->out, err));
  uint32_t size = (uint32_t)(file->out->size - before);
  char bytes[sizeof size];
  for (uint32_t i = 0; i < sizeof size; ++i) bytes[i] = (char)(unsigned char)(size >> (8 * i));
  ap_buffer_append(file->out, bytes, sizeof bytes);
  ap_buffer_append_string(file->out, MAGIC);
  AP_TRY(ap_buffer_check(file->out, err));
  return describe(file, statistics, err);
}

ap_status ap_parquet_write(const struct ap_parquet_rows *rows, struct ap_arena *arena,
                           struct ap_buffer *out, struct ap_statistics_text *statistics,
                           ap_error *err) {
  AP_ASSERT(rows->physical->field_count > 0);
  struct file file = {.rows = rows, .arena = arena, .out = out, .start = out->size};
  ap_arena_init(&file.local, arena->allocator);
  ap_buffer_append_string(out, MAGIC);
  ap_status status = write_groups(&file, err);
  if (status == AP_OK) status = finish(&file, statistics, err);
  ap_arena_deinit(&file.local);
  return status;
}
