/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading blocks. Nodes are read in the order of the schema; recursion is bounded by the schema's
 * depth, memory by the bytes of the block.
 */
#include "shelf/unpack.h"

#include "arrow/array.h"
#include "arrow/layout.h"
#include "arrow/stream.h"
#include "base/assert.h"
#include "shelf/block.h"

#include <string.h>

enum { ALIGNMENT = 64 };

struct reader {
  struct ap_stream_source source;
  struct ap_shelf_object_memory object;
  bool checks_values;
  struct ArrowSchema schema;
  struct ap_shelf_bytes left; /* of the block */
  int64_t batches_left;
  int64_t rows_left;
};

/* One array that is being made, and what the block says of it. */
struct node {
  struct reader *reader;
  const struct ArrowSchema *schema;
  struct ap_layout layout;
  int64_t length;
  int64_t nulls;
  int64_t offset;
  int64_t buffers;
  int64_t end;
  ap_error *err;
};

static ap_status reader_schema(struct ap_stream_source *self, struct ArrowSchema *out,
                               ap_error *err);
static ap_status reader_next(struct ap_stream_source *self, struct ArrowArray *out, ap_error *err);
static void reader_destroy(struct ap_stream_source *self);
static ap_status read_node(struct reader *reader, const struct ArrowSchema *schema,
                           struct ArrowArray *out, ap_error *err);

ap_status ap_shelf_unpack(const struct ap_shelf_object_memory *object, bool checks_values,
                          struct ArrowArrayStream *out, ap_error *err) {
  struct reader *reader = ap_allocate_zeroed(ap_allocator_system(), 1, sizeof *reader);
  if (reader == NULL) return AP_FAIL_MEMORY(err);
  struct ap_shelf_block_head head = {0};
  reader->source.schema = reader_schema;
  reader->source.next = reader_next;
  reader->source.destroy = reader_destroy;
  reader->checks_values = checks_values;
  reader->left = (struct ap_shelf_bytes){(const uint8_t *)object->block.data, object->block.size};
  ap_status status = ap_shelf_block_read_head(&reader->left, &head, err);
  if (status == AP_OK) {
    struct ap_shelf_bytes schema = {reader->left.data, (size_t)head.schema_bytes};
    status = ap_shelf_block_read_schema(&schema, &reader->schema, err);
    if (status == AP_OK && schema.left != 0) {
      status = AP_FAIL(err, AP_CORRUPT, "an object of the shelf has bytes behind its schema");
    }
    reader->left.data += head.schema_bytes;
    reader->left.left -= (size_t)head.schema_bytes;
    reader->batches_left = head.batches;
    reader->rows_left = head.rows;
  }
  if (status != AP_OK) {
    ap_schema_release(&reader->schema);
    ap_free(ap_allocator_system(), reader);
    return status;
  }
  reader->object = *object;
  object->holder->retain(object->holder);
  ap_stream_from_source(&reader->source, out);
  return AP_OK;
}

static void reader_destroy(struct ap_stream_source *self) {
  struct reader *reader = (struct reader *)self;
  ap_schema_release(&reader->schema);
  reader->object.holder->release(reader->object.holder);
  ap_free(ap_allocator_system(), reader);
}

static ap_status reader_schema(struct ap_stream_source *self, struct ArrowSchema *out,
                               ap_error *err) {
  const struct reader *reader = (const struct reader *)self;
  if (ArrowSchemaDeepCopy(&reader->schema, out) == NANOARROW_OK) return AP_OK;
  out->release = NULL;
  return AP_FAIL_MEMORY(err);
}

static ap_status reader_next(struct ap_stream_source *self, struct ArrowArray *out, ap_error *err) {
  struct reader *reader = (struct reader *)self;
  if (reader->batches_left == 0) {
    if (reader->left.left == 0 && reader->rows_left == 0) return AP_OK;
    return AP_FAIL(err, AP_CORRUPT, "an object of the shelf has not the rows that it promises");
  }
  struct ArrowArray batch = {0};
  ap_status status = read_node(reader, &reader->schema, &batch, err);
  if (status == AP_OK && (batch.offset != 0 || batch.null_count != 0)) {
    status = AP_FAIL(err, AP_CORRUPT, "a batch of the shelf has nulls or an offset");
  }
  if (status == AP_OK && batch.length > reader->rows_left) {
    status = AP_FAIL(err, AP_CORRUPT, "an object of the shelf has more rows than it promises");
  }
  if (status == AP_OK && reader->checks_values) {
    status = ap_array_validate(&reader->schema, &batch, err);
    if (status == AP_INVALID_ARGUMENT) {
      if (err != NULL) err->code = AP_CORRUPT;
      if (err != NULL) err->error_class = AP_CLASS_CORRUPT;
      status = AP_CORRUPT;
    }
  }
  if (status != AP_OK) {
    ap_array_release(&batch);
    return status;
  }
  reader->batches_left--;
  reader->rows_left -= batch.length;
  *out = batch;
  return AP_OK;
}

/* ---- one node -------------------------------------------------------------------------------- */

#define REFUSE(node, ...) refuse((node), AP_FAIL((node)->err, AP_CORRUPT, __VA_ARGS__))

static ap_status refuse(const struct node *node, ap_status status) {
  return ap_error_prefix(node->err, status, "the shelf, column '%s'", ap_layout_name(node->schema));
}

/* ArrowBuffer's way to free: buffers of the object hold the object. */
static void let_go(struct ArrowBufferAllocator *allocator, uint8_t *address, int64_t size) {
  struct ap_shelf_holder *holder = allocator->private_data;
  (void)address;
  (void)size;
  holder->release(holder);
}

static ap_status read_place(struct node *node, struct ap_shelf_place *out) {
  struct reader *reader = node->reader;
  if (!ap_shelf_bytes_take(&reader->left, out, sizeof *out)) {
    return REFUSE(node, "the block ends early");
  }
  if (out->extent == -1 && out->offset == 0 && out->size == 0) return AP_OK;
  if (out->extent < 0 || (uint64_t)out->extent >= reader->object.extent_count) {
    return REFUSE(node, "a buffer lies in extent %lld of %zu", (long long)out->extent,
                  reader->object.extent_count);
  }
  const struct ap_shelf_extent *extent = &reader->object.extents[out->extent];
  bool fits = out->offset >= 0 && out->size >= 0 && out->offset % ALIGNMENT == 0 &&
              out->offset <= extent->size && out->size <= extent->size - out->offset;
  if (fits) return AP_OK;
  return REFUSE(node, "a buffer of %lld bytes lies at %lld of %lld", (long long)out->size,
                (long long)out->offset, (long long)extent->size);
}

/* The next buffer of the node, which needs at least `needed` bytes. */
static ap_status read_buffer(struct node *node, struct ArrowArray *array, int64_t index,
                             int64_t needed) {
  struct ap_shelf_object_memory *object = &node->reader->object;
  struct ap_shelf_place place = {0};
  AP_TRY(read_place(node, &place));
  if (place.size < needed) {
    return REFUSE(node, "buffer %lld has %lld bytes where %lld are promised", (long long)index,
                  (long long)place.size, (long long)needed);
  }
  if (place.extent < 0 || place.size == 0) return AP_OK;
  struct ArrowBuffer *buffer = ap_array_buffer(array, index);
  const uint8_t *address = object->arena + object->extents[place.extent].offset + place.offset;
  /* Nobody writes through it: owned arrays are sealed at once, and the memory is read only. */
  buffer->data = (uint8_t *)(uintptr_t)address;
  buffer->size_bytes = place.size;
  buffer->capacity_bytes = place.size;
  buffer->allocator = ArrowBufferDeallocator(let_go, object->holder);
  object->holder->retain(object->holder);
  return AP_OK;
}

static ap_status read_values(struct node *node, struct ArrowArray *array, int64_t index,
                             int64_t count, int64_t width) {
  int64_t needed = 0;
  if (__builtin_mul_overflow(count, width, &needed)) {
    return REFUSE(node, "%lld values overflow", (long long)count);
  }
  return read_buffer(node, array, index, needed);
}

static int64_t load(const struct ArrowBuffer *buffer, int64_t at, bool is_large) {
  int64_t large = 0;
  int32_t small = 0;
  if (is_large) {
    memcpy(&large, buffer->data + at * 8, sizeof large);
    return large;
  }
  memcpy(&small, buffer->data + at * 4, sizeof small);
  return small;
}

/* Offsets and what their last may be. */
static ap_status read_offsets(struct node *node, struct ArrowArray *array) {
  if (node->end == INT64_MAX) return REFUSE(node, "its length overflows");
  return read_values(node, array, 1, node->end + 1, node->layout.is_large ? 8 : 4);
}

static ap_status check_offsets(struct node *node, struct ArrowArray *array, int64_t limit) {
  const struct ArrowBuffer *offsets = ap_array_buffer(array, 1);
  int64_t first = load(offsets, node->offset, node->layout.is_large);
  int64_t last = load(offsets, node->end, node->layout.is_large);
  if (first >= 0 && first <= last && last <= limit) return AP_OK;
  return REFUSE(node, "offsets from %lld to %lld where %lld are there", (long long)first,
                (long long)last, (long long)limit);
}

/* Views: the sizes of the data buffers are made of their places, in private memory. */
static ap_status read_views(struct node *node, struct ArrowArray *array) {
  int64_t data_count = array->n_buffers - node->layout.buffer_count;
  struct ArrowBuffer *sizes = ap_array_buffer(array, array->n_buffers - 1);
  AP_TRY(read_values(node, array, 1, node->end, 16));
  for (int64_t i = 0; i < data_count; i++) {
    AP_TRY(read_buffer(node, array, 2 + i, 0));
    int64_t size = ap_array_buffer(array, 2 + i)->size_bytes;
    if (ArrowBufferAppend(sizes, &size, sizeof size) != NANOARROW_OK) {
      return AP_FAIL_MEMORY(node->err);
    }
  }
  return AP_OK;
}

static ap_status read_buffers(struct node *node, struct ArrowArray *array) {
  int64_t bits = node->end / 8 + (node->end % 8 != 0);
  if (node->layout.kind == AP_LAYOUT_NULL) return AP_OK;
  AP_TRY(read_buffer(node, array, 0, node->nulls != 0 ? bits : 0));
  if (ap_array_buffer(array, 0)->data == NULL && node->nulls != 0) {
    return node->length == 0 ? AP_OK : REFUSE(node, "it has nulls but no validity");
  }
  if (ap_array_buffer(array, 0)->size_bytes < bits && ap_array_buffer(array, 0)->data != NULL) {
    return REFUSE(node, "its validity is too short");
  }
  switch (node->layout.kind) {
    case AP_LAYOUT_BITS:
      return read_buffer(node, array, 1, bits);
    case AP_LAYOUT_FIXED:
      return read_values(node, array, 1, node->end, node->layout.width_bytes);
    case AP_LAYOUT_BYTES:
      AP_TRY(read_offsets(node, array));
      AP_TRY(read_buffer(node, array, 2, 0));
      return check_offsets(node, array, ap_array_buffer(array, 2)->size_bytes);
    case AP_LAYOUT_VIEWS:
      return read_views(node, array);
    case AP_LAYOUT_LIST:
      return read_offsets(node, array);
    case AP_LAYOUT_LIST_VIEW:
      AP_TRY(read_values(node, array, 1, node->end, node->layout.is_large ? 8 : 4));
      return read_values(node, array, 2, node->end, node->layout.is_large ? 8 : 4);
    default:
      return AP_OK;
  }
}

/* Are the children as long as the rows need? */
static ap_status check_children(struct node *node, struct ArrowArray *array) {
  int64_t needed = 0;
  if (node->layout.kind == AP_LAYOUT_STRUCT) needed = node->end;
  if (node->layout.kind == AP_LAYOUT_LIST) {
    return check_offsets(node, array, array->children[0]->length);
  }
  if (node->layout.kind == AP_LAYOUT_FIXED_LIST &&
      __builtin_mul_overflow(node->end, node->layout.list_size, &needed)) {
    return REFUSE(node, "its lists overflow");
  }
  for (int64_t i = 0; i < array->n_children; i++) {
    if (array->children[i]->length < needed) {
      return REFUSE(node, "child %lld has %lld rows where %lld are promised", (long long)i,
                    (long long)array->children[i]->length, (long long)needed);
    }
  }
  return AP_OK;
}

static ap_status read_head(struct node *node) {
  struct reader *reader = node->reader;
  int64_t numbers[4] = {0};
  if (!ap_shelf_bytes_take(&reader->left, numbers, sizeof numbers)) {
    return REFUSE(node, "the block ends early");
  }
  node->length = numbers[0];
  node->nulls = numbers[1];
  node->offset = numbers[2];
  node->buffers = numbers[3];
  bool fits = node->length >= 0 && node->nulls >= -1 && node->nulls <= node->length &&
              node->offset >= 0 && node->offset < 8 && node->length <= INT64_MAX - 8;
  if (!fits) {
    return REFUSE(node, "%lld rows at %lld with %lld nulls", (long long)node->length,
                  (long long)node->offset, (long long)node->nulls);
  }
  node->end = node->offset + node->length;
  int64_t room = (int64_t)(reader->left.left / sizeof(struct ap_shelf_place));
  bool is_views = node->layout.kind == AP_LAYOUT_VIEWS;
  bool counts = is_views ? node->buffers >= 2 : node->buffers == node->layout.buffer_count;
  if (counts && node->buffers <= room) return AP_OK;
  return REFUSE(node, "%lld buffers", (long long)node->buffers);
}

static ap_status read_below(struct node *node, struct ArrowArray *array) {
  for (int64_t i = 0; i < array->n_children; i++) {
    AP_TRY(read_node(node->reader, node->schema->children[i], array->children[i], node->err));
  }
  AP_TRY(check_children(node, array));
  if (array->dictionary == NULL) return AP_OK;
  return read_node(node->reader, node->schema->dictionary, array->dictionary, node->err);
}

static ap_status read_node(struct reader *reader, const struct ArrowSchema *schema,
                           struct ArrowArray *out, ap_error *err) {
  struct node node = {.reader = reader, .schema = schema, .err = err};
  AP_TRY(ap_layout_of(schema, &node.layout, err));
  AP_TRY(read_head(&node));
  int64_t buffers = node.buffers + (node.layout.kind == AP_LAYOUT_VIEWS);
  AP_TRY(ap_array_init(out, buffers, schema->n_children, schema->dictionary != NULL, err));
  out->length = node.length;
  out->null_count = node.nulls;
  out->offset = node.offset;
  AP_TRY(read_buffers(&node, out)); /* the caller releases what was begun */
  AP_TRY(read_below(&node, out));
  ap_array_seal(out);
  return AP_OK;
}
