/* SPDX-License-Identifier: Apache-2.0
 *
 * Decodes the RecordBatch table of Arrow IPC and its body.
 *
 * Plain buffers are shown where they lie; compressed and misaligned ones are copied. A buffer that
 * claims more bytes than its compressed form can hold is refused before memory is taken. Safe from
 * any thread; the bytes are immutable.
 */
#include "arrow/ipc_batch.h"

#include "arrow/layout.h"
#include "base/assert.h"
#include "base/limits.h"

#include <nanoarrow/nanoarrow_ipc.h>
#include <stdatomic.h>
#include <string.h>

enum {
  FIELD_NODE_BYTES = 16, /* length, null count */
  BUFFER_BYTES = 16,     /* offset, length */
  CODEC_NONE = -1,
  CODEC_LZ4 = 0,
  CODEC_ZSTD = 1,
  /* What one compressed byte can become: LZ4 emits 255 a byte; a Zstandard block of 4 bytes
   * repeats one byte 128 KiB. */
  LZ4_RATIO_MAX = 256,
  ZSTD_RATIO_MAX = 33 * 1024,
};

struct ap_ipc_bytes {
  atomic_size_t references;
  size_t size;
  _Alignas(16) char data[];
};

/* The walk through one batch: nodes, buffers and variadic counts are used up in order. */
struct walk {
  const struct ap_ipc_batch *batch;
  int8_t codec;
  struct ap_flat_vector nodes;
  struct ap_flat_vector buffers;
  struct ap_flat_vector variadic;
  uint32_t next_node;
  uint32_t next_buffer;
  uint32_t next_variadic;
  int64_t body_left; /* bytes that no buffer has taken yet */
  ap_error *err;
};

static ap_status start_walk(struct walk *walk, int64_t *out_rows);
static ap_status finish_walk(const struct walk *walk);
static ap_status read_array(struct walk *walk, const struct ArrowSchema *schema,
                            struct ArrowArray *out);
static ap_status read_buffers(struct walk *walk, const struct ap_layout *layout,
                              struct ArrowArray *out);
static ap_status read_buffer(struct walk *walk, struct ArrowBuffer *out);

struct ap_ipc_bytes *ap_ipc_bytes_create(struct ap_text text) {
  size_t size = 0;
  if (__builtin_add_overflow(sizeof(struct ap_ipc_bytes), text.size, &size)) return NULL;
  struct ap_ipc_bytes *bytes = ap_allocate(ap_allocator_system(), size);
  if (bytes == NULL) return NULL;
  atomic_init(&bytes->references, 1);
  bytes->size = text.size;
  if (text.size > 0) memcpy(bytes->data, text.data, text.size);
  return bytes;
}

void ap_ipc_bytes_release(struct ap_ipc_bytes *bytes) {
  if (bytes == NULL) return;
  /* Release and acquire pair with each other: the last holder sees all others' reads done. */
  size_t before = atomic_fetch_sub_explicit(&bytes->references, 1, memory_order_acq_rel);
  AP_ASSERT(before > 0);
  if (before == 1) ap_free(ap_allocator_system(), bytes);
}

struct ap_text ap_ipc_bytes_text(const struct ap_ipc_bytes *bytes) {
  return (struct ap_text){bytes->data, bytes->size};
}

static void release_shown(struct ArrowBufferAllocator *allocator, uint8_t *data, int64_t size) {
  (void)data;
  (void)size;
  ap_ipc_bytes_release(allocator->private_data);
}

static ap_status fail_flat(struct walk *walk) {
  return AP_FAIL(walk->err, AP_CORRUPT, "the batch's description is damaged");
}

ap_status ap_ipc_batch_read(const struct ap_ipc_batch *batch, const struct ArrowSchema *schema,
                            struct ArrowArray *out, ap_error *err) {
  struct walk walk = {.batch = batch, .err = err};
  struct ArrowArray array = {0};
  int64_t rows = 0;
  AP_TRY(start_walk(&walk, &rows));
  AP_TRY(ap_array_init(&array, 1, schema->n_children, false, err));
  array.length = rows;
  ap_status status = AP_OK;
  for (int64_t i = 0; status == AP_OK && i < schema->n_children; i++) {
    status = read_array(&walk, schema->children[i], array.children[i]);
    if (status != AP_OK || array.children[i]->length == rows) continue;
    status = AP_FAIL(err, AP_CORRUPT, "column '%s' has %lld rows in a batch of %lld",
                     ap_layout_name(schema->children[i]), (long long)array.children[i]->length,
                     (long long)rows);
  }
  if (status == AP_OK) status = finish_walk(&walk);
  if (status != AP_OK) {
    array.release(&array);
    return status;
  }
  ap_array_seal(&array);
  *out = array;
  return AP_OK;
}

ap_status ap_ipc_batch_read_values(const struct ap_ipc_batch *batch,
                                   const struct ArrowSchema *value_schema, struct ArrowArray *out,
                                   ap_error *err) {
  struct walk walk = {.batch = batch, .err = err};
  int64_t rows = 0;
  AP_TRY(start_walk(&walk, &rows));
  AP_TRY(read_array(&walk, value_schema, out));
  ap_status status = finish_walk(&walk);
  if (status == AP_OK && out->length != rows) {
    status = AP_FAIL(err, AP_CORRUPT, "a dictionary of %lld values says it has %lld",
                     (long long)out->length, (long long)rows);
  }
  if (status != AP_OK) out->release(out);
  return status;
}

static ap_status start_walk(struct walk *walk, int64_t *out_rows) {
  const struct ap_flat_table *table = &walk->batch->table;
  struct ap_flat_table compression = {0};
  uint8_t codec = 0;
  uint8_t method = 0;
  if (table->flat == NULL || !ap_flat_i64(table, 0, 0, out_rows) ||
      !ap_flat_children(table, 1, FIELD_NODE_BYTES, &walk->nodes) ||
      !ap_flat_children(table, 2, BUFFER_BYTES, &walk->buffers) ||
      !ap_flat_child(table, 3, &compression) ||
      !ap_flat_children(table, 4, sizeof(int64_t), &walk->variadic) ||
      !ap_flat_u8(&compression, 0, CODEC_LZ4, &codec) || !ap_flat_u8(&compression, 1, 0, &method)) {
    return fail_flat(walk);
  }
  /* Without a limit a few bytes could promise rows without end: null columns have no buffers. */
  if (*out_rows < 0 || *out_rows > INT32_MAX) {
    return AP_FAIL(walk->err, AP_CORRUPT, "the batch has %lld rows", (long long)*out_rows);
  }
  walk->codec = CODEC_NONE;
  walk->body_left = (int64_t)walk->batch->body.size;
  if (compression.flat == NULL) return AP_OK;
  if (codec > CODEC_ZSTD || method != 0) {
    return AP_FAIL(walk->err, AP_UNSUPPORTED, "the batch is compressed by codec %d, method %d",
                   codec, method);
  }
  walk->codec = (int8_t)codec;
  return AP_OK;
}

/* What the batch brings beyond the schema means that it belongs to another one. */
static ap_status finish_walk(const struct walk *walk) {
  if (walk->next_node == walk->nodes.count && walk->next_buffer == walk->buffers.count &&
      walk->next_variadic == walk->variadic.count) {
    return AP_OK;
  }
  return AP_FAIL(walk->err, AP_CORRUPT,
                 "the batch has %u arrays and %u buffers where the schema asks for %u and %u",
                 walk->nodes.count, walk->buffers.count, walk->next_node, walk->next_buffer);
}

static ap_status view_values(struct walk *walk, const struct ArrowSchema *schema,
                             struct ArrowArray *out) {
  for (uint32_t i = 0; i < walk->batch->value_count; i++) {
    const struct ap_ipc_values *values = &walk->batch->values[i];
    if (values->dictionary.field != schema) continue;
    if (values->values == NULL) {
      return AP_FAIL(walk->err, AP_CORRUPT, "column '%s' uses dictionary %lld before it came",
                     ap_layout_name(schema), (long long)values->dictionary.id);
    }
    return ap_array_view(values->values, ap_array_shared_get(values->values), out, walk->err);
  }
  AP_ASSERT(false); /* the schema's reader lists every dictionary-encoded field */
  return AP_INTERNAL;
}

static ap_status read_parts(struct walk *walk, const struct ArrowSchema *schema,
                            const struct ap_layout *layout, struct ArrowArray *out) {
  AP_TRY(read_buffers(walk, layout, out));
  for (int64_t i = 0; i < schema->n_children; i++) {
    AP_TRY(read_array(walk, schema->children[i], out->children[i]));
  }
  return schema->dictionary == NULL ? AP_OK : view_values(walk, schema, out->dictionary);
}

static ap_status read_array(struct walk *walk, const struct ArrowSchema *schema,
                            struct ArrowArray *out) {
  struct ap_layout layout = {0};
  AP_TRY(ap_layout_of(schema, &layout, walk->err));
  if (walk->next_node == walk->nodes.count) return fail_flat(walk);
  int64_t length = ap_flat_i64_at(&walk->nodes, walk->next_node, FIELD_NODE_BYTES, 0);
  int64_t nulls = ap_flat_i64_at(&walk->nodes, walk->next_node, FIELD_NODE_BYTES, 8);
  walk->next_node++;
  if (length < 0 || nulls < -1 || nulls > length ||
      (layout.kind == AP_LAYOUT_NULL && length > INT32_MAX)) {
    return AP_FAIL(walk->err, AP_CORRUPT, "column '%s' has %lld rows, %lld of them null",
                   ap_layout_name(schema), (long long)length, (long long)nulls);
  }
  int64_t buffer_count = layout.buffer_count;
  if (layout.kind == AP_LAYOUT_VIEWS) {
    if (walk->next_variadic == walk->variadic.count) return fail_flat(walk);
    int64_t more = ap_flat_i64_at(&walk->variadic, walk->next_variadic, sizeof(int64_t), 0);
    walk->next_variadic++;
    if (more < 0 || more > walk->buffers.count) return fail_flat(walk);
    buffer_count += more;
  }
  AP_TRY(
      ap_array_init(out, buffer_count, schema->n_children, schema->dictionary != NULL, walk->err));
  out->length = length;
  out->null_count = nulls;
  ap_status status = read_parts(walk, schema, &layout, out);
  if (status != AP_OK) {
    out->release(out);
    return status;
  }
  ap_array_seal(out);
  return AP_OK;
}

/* Views keep the sizes of their data buffers in a last buffer, which IPC does not carry. */
static ap_status add_sizes(struct walk *walk, struct ArrowArray *out) {
  struct ArrowBuffer *sizes = ap_array_buffer(out, out->n_buffers - 1);
  for (int64_t i = 2; i < out->n_buffers - 1; i++) {
    int64_t size = ap_array_buffer(out, i)->size_bytes;
    if (ArrowBufferAppendInt64(sizes, size) != NANOARROW_OK) return AP_FAIL_MEMORY(walk->err);
  }
  return AP_OK;
}

static ap_status read_buffers(struct walk *walk, const struct ap_layout *layout,
                              struct ArrowArray *out) {
  int64_t carried = out->n_buffers - (layout->kind == AP_LAYOUT_VIEWS ? 1 : 0);
  for (int64_t i = 0; i < carried; i++) {
    AP_TRY(read_buffer(walk, ap_array_buffer(out, i)));
  }
  /* A validity without nulls is of no use, and some writers leave it unset. */
  if (out->null_count == 0 && carried > 0) ArrowBufferReset(ap_array_buffer(out, 0));
  return layout->kind == AP_LAYOUT_VIEWS ? add_sizes(walk, out) : AP_OK;
}

/* Show the bytes where they lie, or copy them where they lie askew. */
static ap_status show(struct walk *walk, struct ap_text bytes, struct ArrowBuffer *out) {
  if (bytes.size == 0) return AP_OK;
  if ((uintptr_t)bytes.data % 8 != 0) {
    if (ArrowBufferAppend(out, bytes.data, (int64_t)bytes.size) == NANOARROW_OK) return AP_OK;
    return AP_FAIL_MEMORY(walk->err);
  }
  struct ap_ipc_bytes *owner = walk->batch->bytes;
  /* The caller's own reference keeps the count above zero, so no order is needed here. */
  atomic_fetch_add_explicit(&owner->references, 1, memory_order_relaxed);
  out->data = (uint8_t *)(uintptr_t)bytes.data; /* never written: ArrowBuffer knows no const */
  out->size_bytes = (int64_t)bytes.size;
  out->capacity_bytes = (int64_t)bytes.size;
  out->allocator = ArrowBufferDeallocator(release_shown, owner);
  return AP_OK;
}

static ap_status decompress(struct walk *walk, struct ap_text bytes, struct ArrowBuffer *out) {
  int64_t size = 0;
  struct ArrowError error = {{0}};
  if (bytes.size < sizeof(size)) {
    return AP_FAIL(walk->err, AP_CORRUPT, "a compressed buffer is %zu bytes long", bytes.size);
  }
  memcpy(&size, bytes.data, sizeof(size));
  bytes.data += sizeof(size);
  bytes.size -= sizeof(size);
  if (size == -1) return show(walk, bytes, out); /* left as it was */
  int64_t ratio = walk->codec == CODEC_LZ4 ? LZ4_RATIO_MAX : ZSTD_RATIO_MAX;
  if (size < 0 || size > AP_OBJECT_BYTES_MAX || size / ratio > (int64_t)bytes.size) {
    return AP_FAIL(walk->err, AP_CORRUPT, "%zu compressed bytes claim to hold %lld", bytes.size,
                   (long long)size);
  }
  if (size == 0) return AP_OK;
  ArrowIpcDecompressFunction function = walk->codec == CODEC_LZ4
                                            ? ArrowIpcGetLZ4DecompressionFunction()
                                            : ArrowIpcGetZstdDecompressionFunction();
  AP_ASSERT(function != NULL); /* both are compiled in */
  if (ArrowBufferResize(out, size, 0) != NANOARROW_OK) return AP_FAIL_MEMORY(walk->err);
  struct ArrowBufferView source = {.data.data = bytes.data, .size_bytes = (int64_t)bytes.size};
  if (function(source, out->data, size, &error) == NANOARROW_OK) return AP_OK;
  return AP_FAIL(walk->err, AP_CORRUPT, "a compressed buffer is damaged: %s", error.message);
}

static ap_status read_buffer(struct walk *walk, struct ArrowBuffer *out) {
  int64_t body_size = (int64_t)walk->batch->body.size;
  if (walk->next_buffer == walk->buffers.count) return fail_flat(walk);
  int64_t offset = ap_flat_i64_at(&walk->buffers, walk->next_buffer, BUFFER_BYTES, 0);
  int64_t size = ap_flat_i64_at(&walk->buffers, walk->next_buffer, BUFFER_BYTES, 8);
  walk->next_buffer++;
  if (size == 0) return AP_OK;
  if (offset < 0 || size < 0 || offset > body_size || size > body_size - offset) {
    return AP_FAIL(walk->err, AP_CORRUPT, "a buffer of %lld bytes at %lld in a body of %lld",
                   (long long)size, (long long)offset, (long long)body_size);
  }
  /* Buffers that lie upon each other would let a small body cost without end. */
  if (size > walk->body_left) {
    return AP_FAIL(walk->err, AP_CORRUPT, "the buffers take more than the body of %lld bytes",
                   (long long)body_size);
  }
  walk->body_left -= size;
  struct ap_text bytes = {walk->batch->body.data + offset, (size_t)size};
  return walk->codec == CODEC_NONE ? show(walk, bytes, out) : decompress(walk, bytes, out);
}
