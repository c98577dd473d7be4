/* SPDX-License-Identifier: Apache-2.0
 *
 * See source.h. Slices share the array they are cut from, which goes when the last of them went;
 * the engine's threads release them in any order.
 */
#include "engine/source.h"

#include "arrow/plain.h"
#include "base/assert.h"
#include "base/status.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct half_column {
  const void *buffers[2];
  float *values;
};

/* An array of the stream, shared by its slices. */
struct ap_source_batch {
  struct ap_allocator *allocator;
  atomic_uint reference_count;
  struct ArrowArray array;
  uint32_t column_count;
  struct half_column *halves; /* by shown column; NULL when there are none */
};

struct slice {
  struct ap_source_batch *batch;
  const void *buffers[1];
  struct ArrowArray **pointers;
  struct ArrowArray children[];
};

static bool has_dictionary(const struct ArrowSchema *schema) {
  if (schema->dictionary) return true;
  for (int64_t i = 0; i < schema->n_children; i++) {
    if (has_dictionary(schema->children[i])) return true;
  }
  return false;
}

ap_status ap_source_open(struct ap_source *source, struct ap_allocator *allocator,
                         struct ArrowArrayStream *stream, ap_error *err) {
  memset(source, 0, sizeof *source);
  source->allocator = allocator;
  source->inner = *stream;
  stream->release = NULL;
  AP_TRY(ap_stream_schema(&source->inner, &source->schema, err));
  if (!has_dictionary(&source->schema)) return AP_OK;
  source->encoded = source->schema;
  memset(&source->schema, 0, sizeof source->schema);
  return ap_schema_plain(&source->encoded, &source->schema, err);
}

/* The next array of the stream as source->schema says; released at the end. */
static ap_status pull(struct ap_source *source, struct ArrowArray *out, ap_error *err) {
  AP_TRY(ap_stream_next(&source->inner, out, err));
  if (!out->release) return AP_OK;
  ap_status status = AP_OK;
  if (out->n_children != source->schema.n_children) {
    status = AP_FAIL(err, AP_INVALID_ARGUMENT, "an Arrow array has not the columns of its schema");
  } else if (source->encoded.release) {
    struct ArrowArray plain = {0};
    status = ap_array_plain(&source->encoded, out, &plain, err);
    ap_array_release(out);
    if (status == AP_OK) *out = plain;
  }
  if (status != AP_OK) ap_array_release(out);
  return status;
}

static void release_batch(struct ap_source_batch *batch) {
  /* Pairs with the same operation of the threads that released their slices before. */
  if (atomic_fetch_sub_explicit(&batch->reference_count, 1, memory_order_acq_rel) != 1) return;
  for (uint32_t i = 0; batch->halves && i < batch->column_count; i++) {
    ap_free(batch->allocator, batch->halves[i].values);
  }
  ap_free(batch->allocator, batch->halves);
  ap_array_release(&batch->array);
  ap_free(batch->allocator, batch);
}

void ap_source_close(struct ap_source *source) {
  if (!source->allocator) return;
  for (uint32_t i = source->peeked_next; i < source->peeked_count; i++) {
    ap_array_release(&source->peeked[i]);
  }
  source->peeked_next = source->peeked_count;
  ap_free(source->allocator, source->peeked);
  source->peeked = NULL;
  if (source->current) release_batch(source->current);
  source->current = NULL;
  ap_schema_release(&source->shown);
  ap_schema_release(&source->schema);
  ap_schema_release(&source->encoded);
  ap_stream_release(&source->inner);
  ap_free(source->allocator, source->may_have_nan);
  source->may_have_nan = NULL;
  ap_free(source->allocator, source->order);
  source->order = NULL;
}

/* Turn the types that the engine would misread, all the way down. */
static ap_status turn_types(struct ap_source *source, struct ArrowSchema *schema, uint32_t depth,
                            ap_error *err) {
  const char *format = schema->format;
  const char *turned = NULL;
  if (strncmp(format, "tsn:", 4) == 0) turned = "tsn:";
  if (strcmp(format, "tts") == 0 || strcmp(format, "ttm") == 0) turned = "i";
  if (strcmp(format, "ttu") == 0 || strcmp(format, "ttn") == 0) turned = "l";
  if (strcmp(format, "e") == 0) {
    turned = "f";
    source->has_halves = true;
    if (depth > 1) {
      return AP_FAIL(err, AP_UNSUPPORTED, "half floats within a list, struct or map");
    }
  }
  if (turned && ArrowSchemaSetFormat(schema, turned) != NANOARROW_OK) return AP_FAIL_MEMORY(err);
  for (int64_t i = 0; i < schema->n_children; i++) {
    AP_TRY(turn_types(source, schema->children[i], depth + 1, err));
  }
  if (schema->dictionary) return turn_types(source, schema->dictionary, depth + 2, err);
  return AP_OK;
}

ap_status ap_source_arrange(struct ap_source *source, const uint32_t *order, uint32_t column_count,
                            ap_error *err) {
  AP_ASSERT(!source->order && column_count > 0);
  source->order = ap_allocate_zeroed(source->allocator, column_count, sizeof *source->order);
  source->may_have_nan = ap_allocate_zeroed(source->allocator, column_count, sizeof(bool));
  if (!source->order || !source->may_have_nan) return AP_FAIL_MEMORY(err);
  memcpy(source->order, order, column_count * sizeof *order);
  source->column_count = column_count;
  ArrowSchemaInit(&source->shown);
  if (ArrowSchemaSetTypeStruct(&source->shown, column_count) != NANOARROW_OK) {
    return AP_FAIL_MEMORY(err);
  }
  for (uint32_t i = 0; i < column_count; i++) {
    AP_ASSERT(order[i] < source->schema.n_children);
    char name[16];
    snprintf(name, sizeof name, "c%u", i);
    struct ArrowSchema *child = source->shown.children[i];
    ap_schema_release(child);
    if (ArrowSchemaDeepCopy(source->schema.children[order[i]], child) != NANOARROW_OK ||
        ArrowSchemaSetName(child, name) != NANOARROW_OK) {
      return AP_FAIL_MEMORY(err);
    }
  }
  return turn_types(source, &source->shown, 0, err);
}

/* Bytes of the values of rows [offset, offset + length), about. */
static int64_t value_bytes(const struct ArrowSchema *schema, const struct ArrowArray *array,
                           int64_t offset, int64_t length) {
  struct ArrowSchemaView view;
  if (length <= 0 || ArrowSchemaViewInit(&view, schema, NULL) != NANOARROW_OK) return 0;
  offset += array->offset;
  switch (view.storage_type) {
    case NANOARROW_TYPE_STRING:
    case NANOARROW_TYPE_BINARY: {
      const int32_t *offsets = array->buffers[1];
      return offsets ? length * 4 + (offsets[offset + length] - offsets[offset]) : 0;
    }
    case NANOARROW_TYPE_LARGE_STRING:
    case NANOARROW_TYPE_LARGE_BINARY: {
      const int64_t *offsets = array->buffers[1];
      return offsets ? length * 4 + (offsets[offset + length] - offsets[offset]) : 0;
    }
    case NANOARROW_TYPE_STRING_VIEW:
    case NANOARROW_TYPE_BINARY_VIEW: {
      int64_t sum = 0;
      const struct ArrowBinaryViewInlined *views = array->buffers[1];
      for (int64_t i = 0; views && i < length; i++) sum += 4 + views[offset + i].size;
      return sum;
    }
    case NANOARROW_TYPE_LIST:
    case NANOARROW_TYPE_MAP: {
      const int32_t *offsets = array->buffers[1];
      if (!offsets) return 0;
      return length * 4 + value_bytes(schema->children[0], array->children[0], offsets[offset],
                                      offsets[offset + length] - offsets[offset]);
    }
    case NANOARROW_TYPE_STRUCT: {
      int64_t sum = 0;
      for (int64_t i = 0; i < schema->n_children; i++) {
        sum += value_bytes(schema->children[i], array->children[i], offset, length);
      }
      return sum;
    }
    default:
      return length * (view.layout.element_size_bits[1] + 7) / 8;
  }
}

static int64_t batch_bytes(const struct ap_source *source, const struct ArrowArray *array) {
  int64_t sum = 0;
  for (int64_t i = 0; i < source->schema.n_children; i++) {
    sum +=
        value_bytes(source->schema.children[i], array->children[i], array->offset, array->length);
  }
  return sum;
}

/* Room for one more array to look at. */
static ap_status grow_peeked(struct ap_source *source, ap_error *err) {
  if (source->peeked_count < source->peeked_capacity) return AP_OK;
  uint32_t capacity = source->peeked_capacity ? source->peeked_capacity * 2 : 16;
  struct ArrowArray *peeked =
      ap_reallocate(source->allocator, source->peeked, capacity * sizeof *peeked);
  if (!peeked) return AP_FAIL_MEMORY(err);
  source->peeked = peeked;
  source->peeked_capacity = capacity;
  return AP_OK;
}

ap_status ap_source_peek(struct ap_source *source, int64_t bytes_enough, ap_error *err) {
  AP_ASSERT(!source->current && source->peeked_next == 0);
  while (!source->complete && source->peeked_bytes <= bytes_enough &&
         source->peeked_count < AP_SOURCE_PEEKED_MAX) {
    AP_TRY(grow_peeked(source, err));
    struct ArrowArray *array = &source->peeked[source->peeked_count];
    AP_TRY(pull(source, array, err));
    if (!array->release) {
      source->complete = true;
      return AP_OK;
    }
    source->peeked_count++;
    source->peeked_rows += array->length;
    source->peeked_bytes += batch_bytes(source, array);
  }
  return AP_OK;
}

static ap_status convert_halves(struct ap_source *source, struct ap_source_batch *batch,
                                ap_error *err) {
  batch->halves = ap_allocate_zeroed(source->allocator, batch->column_count, sizeof *batch->halves);
  if (!batch->halves) return AP_FAIL_MEMORY(err);
  for (uint32_t i = 0; i < batch->column_count; i++) {
    if (strcmp(source->schema.children[source->order[i]]->format, "e") != 0) continue;
    const struct ArrowArray *child = batch->array.children[source->order[i]];
    int64_t count = child->offset + child->length;
    struct half_column *half = &batch->halves[i];
    half->values = ap_allocate_zeroed(source->allocator, (size_t)count + 1, sizeof *half->values);
    if (!half->values) return AP_FAIL_MEMORY(err);
    const uint16_t *values = child->buffers[1];
    for (int64_t k = child->offset; k < count; k++) {
      half->values[k] = ArrowHalfFloatToFloat(values[k]);
    }
    half->buffers[0] = child->buffers[0];
    half->buffers[1] = half->values;
  }
  return AP_OK;
}

static bool has_nan_f64(const double *values, int64_t count) {
  int any = 0;
  for (int64_t i = 0; i < count; i++) any |= values[i] != values[i];
  return any != 0;
}

static bool has_nan_f32(const float *values, int64_t count) {
  int any = 0;
  for (int64_t i = 0; i < count; i++) any |= values[i] != values[i];
  return any != 0;
}

/* Values under a null are looked at too: they may only raise the suspicion. */
static void look_for_nans(struct ap_source *source, const struct ap_source_batch *batch) {
  for (uint32_t i = 0; i < source->column_count; i++) {
    if (source->may_have_nan[i]) continue;
    const char *format = source->schema.children[source->order[i]]->format;
    const struct ArrowArray *child = batch->array.children[source->order[i]];
    const void *values = child->n_buffers > 1 ? child->buffers[1] : NULL;
    if (!values) continue;
    int64_t first = child->offset + batch->array.offset;
    int64_t count = batch->array.length;
    if (strcmp(format, "g") == 0) {
      source->may_have_nan[i] = has_nan_f64((const double *)values + first, count);
    } else if (strcmp(format, "f") == 0) {
      source->may_have_nan[i] = has_nan_f32((const float *)values + first, count);
    } else if (strcmp(format, "e") == 0) {
      source->may_have_nan[i] = true;
    }
  }
}

bool ap_source_may_have_nan(const struct ap_source *source, uint32_t column) {
  AP_ASSERT(column < source->column_count);
  return source->may_have_nan[column];
}

/* The next array with rows becomes current; current stays NULL at the end. */
static ap_status next_batch(struct ap_source *source, ap_error *err) {
  struct ArrowArray array = {0};
  while (!array.release) {
    if (source->peeked_next < source->peeked_count) {
      array = source->peeked[source->peeked_next++];
    } else if (source->complete) {
      return AP_OK;
    } else {
      AP_TRY(pull(source, &array, err));
      if (!array.release) {
        source->complete = true;
        return AP_OK;
      }
    }
    if (array.length == 0) ap_array_release(&array);
  }
  struct ap_source_batch *batch = ap_allocate_zeroed(source->allocator, 1, sizeof *batch);
  if (!batch) {
    ap_array_release(&array);
    return AP_FAIL_MEMORY(err);
  }
  batch->allocator = source->allocator;
  atomic_init(&batch->reference_count, 1);
  batch->array = array;
  batch->column_count = source->column_count;
  source->current = batch;
  source->position = 0;
  look_for_nans(source, batch);
  return source->has_halves ? convert_halves(source, batch, err) : AP_OK;
}

static void slice_release(struct ArrowArray *array) {
  struct slice *slice = array->private_data;
  struct ap_source_batch *batch = slice->batch;
  ap_free(batch->allocator, slice);
  release_batch(batch);
  array->release = NULL;
}

static void child_release(struct ArrowArray *array) {
  array->release = NULL; /* the slice owns it */
}

/* Rows [position, position + length) of the current batch, columns in the order shown. */
static ap_status make_slice(struct ap_source *source, int64_t length, struct ArrowArray *out,
                            ap_error *err) {
  struct ap_source_batch *batch = source->current;
  uint32_t count = source->column_count;
  size_t size = sizeof(struct slice) + count * (sizeof(struct ArrowArray) + sizeof(void *));
  struct slice *slice = ap_allocate_zeroed(source->allocator, 1, size);
  if (!slice) return AP_FAIL_MEMORY(err);
  slice->batch = batch;
  slice->pointers = (struct ArrowArray **)(void *)&slice->children[count];
  for (uint32_t i = 0; i < count; i++) {
    struct ArrowArray *child = &slice->children[i];
    *child = *batch->array.children[source->order[i]];
    child->offset += batch->array.offset + source->position;
    child->length = length;
    if (child->null_count != 0) child->null_count = -1;
    if (batch->halves && batch->halves[i].values) child->buffers = batch->halves[i].buffers;
    child->private_data = NULL;
    child->release = child_release;
    slice->pointers[i] = child;
  }
  atomic_fetch_add_explicit(&batch->reference_count, 1, memory_order_relaxed);
  *out = (struct ArrowArray){
      .length = length,
      .n_buffers = 1,
      .n_children = count,
      .buffers = slice->buffers,
      .children = slice->pointers,
      .release = slice_release,
      .private_data = slice,
  };
  source->position += length;
  return AP_OK;
}

static ap_status source_next(struct ap_source *source, struct ArrowArray *out, ap_error *err) {
  out->release = NULL;
  if (source->current && source->position == source->current->array.length) {
    release_batch(source->current);
    source->current = NULL;
  }
  if (!source->current) AP_TRY(next_batch(source, err));
  if (!source->current) return AP_OK;
  int64_t left = source->current->array.length - source->position;
  return make_slice(source, left < source->slice_rows ? left : source->slice_rows, out, err);
}

static void schema_release_nothing(struct ArrowSchema *schema) {
  schema->release = NULL;
}

static int scan_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out) {
  struct ap_chamber *chamber = stream->private_data;
  memset(out, 0, sizeof *out);
  if (!chamber->source) return EINVAL;
  *out = chamber->source->shown; /* borrowed: the engine never releases it */
  out->release = schema_release_nothing;
  return 0;
}

static int scan_next(struct ArrowArrayStream *stream, struct ArrowArray *out) {
  struct ap_chamber *chamber = stream->private_data;
  memset(out, 0, sizeof *out);
  struct ap_source *source = chamber->source;
  if (!source || source->error.code != AP_OK) return EINVAL;
  return source_next(source, out, &source->error) == AP_OK ? 0 : EIO;
}

static const char *scan_last_error(struct ArrowArrayStream *stream) {
  const struct ap_chamber *chamber = stream->private_data;
  return chamber->source ? chamber->source->error.message : "there is nothing to read";
}

static void scan_release(struct ArrowArrayStream *stream) {
  stream->release = NULL;
}

ap_status ap_chamber_set_source(struct ap_chamber *chamber, struct ap_source *source,
                                ap_error *err) {
  chamber->source = source;
  if (!source || chamber->has_scan) return AP_OK;
  chamber->scan = (struct ArrowArrayStream){
      .get_schema = scan_schema,
      .get_next = scan_next,
      .get_last_error = scan_last_error,
      .release = scan_release,
      .private_data = chamber,
  };
  /* The view is made where the session is: in the chamber's own catalog. */
  AP_TRY(ap_chamber_use(chamber, (struct ap_text){0}, (struct ap_text){0}, err));
  if (duckdb_arrow_scan(chamber->connection, "ap_source", (duckdb_arrow_stream)&chamber->scan) !=
      DuckDBSuccess) {
    return AP_FAIL(err, AP_INTERNAL, "the engine does not take a stream");
  }
  chamber->has_scan = true;
  return AP_OK;
}
