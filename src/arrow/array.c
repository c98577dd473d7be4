/* SPDX-License-Identifier: Apache-2.0
 *
 * Owned arrays and counted views of shared ones.
 *
 * Each array is one block: private data, buffer pointers, child pointers and children. Counts are
 * atomic; everything else belongs to the holder of the struct.
 */
#include "arrow/array.h"

#include "base/assert.h"

#include <stdatomic.h>
#include <string.h>

struct ap_array_shared {
  atomic_size_t references;
  struct ArrowArray array;
};

/* What lies behind an array made here. Views have no buffers of their own. */
struct node {
  struct ap_array_shared *shared; /* NULL for an owned array */
  const struct ArrowArray *part;  /* what a view shows */
  const void **addresses;
  struct ArrowBuffer *buffers;
  struct ArrowArray *children;
  struct ArrowArray **child_pointers;
  struct ArrowArray dictionary;
};

static void release_node(struct ArrowArray *array);

/* One zeroed block for a node; NULL when out of memory. */
static struct node *node_create(int64_t buffer_count, int64_t child_count) {
  AP_ASSERT(buffer_count >= 0 && child_count >= 0);
  const size_t per_buffer = sizeof(void *) + sizeof(struct ArrowBuffer);
  const size_t per_child = sizeof(void *) + sizeof(struct ArrowArray);
  size_t bytes = sizeof(struct node);
  size_t more = 0;
  if (__builtin_mul_overflow((size_t)buffer_count, per_buffer, &more) ||
      __builtin_add_overflow(bytes, more, &bytes) ||
      __builtin_mul_overflow((size_t)child_count, per_child, &more) ||
      __builtin_add_overflow(bytes, more, &bytes)) {
    return NULL;
  }
  struct node *node = ap_allocate_zeroed(ap_allocator_system(), 1, bytes);
  if (node == NULL) return NULL;
  /* Structs before pointers: all are of pointer alignment. */
  node->buffers = (struct ArrowBuffer *)(node + 1);
  node->children = (struct ArrowArray *)(node->buffers + buffer_count);
  node->child_pointers = (struct ArrowArray **)(node->children + child_count);
  node->addresses = (const void **)(node->child_pointers + child_count);
  for (int64_t i = 0; i < buffer_count; i++) ArrowBufferInit(&node->buffers[i]);
  for (int64_t i = 0; i < child_count; i++) node->child_pointers[i] = &node->children[i];
  return node;
}

static void publish(struct ArrowArray *out, struct node *node, int64_t child_count,
                    bool with_dictionary) {
  out->n_children = child_count;
  out->children = child_count > 0 ? node->child_pointers : NULL;
  out->dictionary = with_dictionary ? &node->dictionary : NULL;
  out->release = release_node;
  out->private_data = node;
}

ap_status ap_array_init(struct ArrowArray *out, int64_t buffer_count, int64_t child_count,
                        bool with_dictionary, ap_error *err) {
  *out = (struct ArrowArray){0};
  struct node *node = node_create(buffer_count, child_count);
  if (node == NULL) return AP_FAIL_MEMORY(err);
  publish(out, node, child_count, with_dictionary);
  out->n_buffers = buffer_count;
  out->buffers = node->addresses;
  return AP_OK;
}

static void release_node(struct ArrowArray *array) {
  struct node *node = array->private_data;
  AP_ASSERT(array->release == release_node && node != NULL);
  for (int64_t i = 0; i < array->n_children; i++) {
    if (node->children[i].release != NULL) node->children[i].release(&node->children[i]);
  }
  if (node->dictionary.release != NULL) node->dictionary.release(&node->dictionary);
  if (node->shared == NULL) {
    for (int64_t i = 0; i < array->n_buffers; i++) ArrowBufferReset(&node->buffers[i]);
  }
  ap_array_shared_release(node->shared);
  ap_free(ap_allocator_system(), node);
  array->release = NULL;
}

struct ArrowBuffer *ap_array_buffer(struct ArrowArray *array, int64_t index) {
  struct node *node = array->private_data;
  AP_ASSERT(array->release == release_node && node->shared == NULL);
  AP_ASSERT(index >= 0 && index < array->n_buffers);
  return &node->buffers[index];
}

void ap_array_seal(struct ArrowArray *array) {
  struct node *node = array->private_data;
  AP_ASSERT(array->release == release_node && node->shared == NULL);
  /* Some consumers want an address, and one offset, even of nothing; buffer 0 is the validity,
   * which has to be absent then. */
  static const uint64_t nothing[2] = {0, 0};
  for (int64_t i = 0; i < array->n_buffers; i++) {
    const void *address = node->buffers[i].data;
    node->addresses[i] = address == NULL && i > 0 ? (const void *)nothing : address;
  }
}

int64_t ap_array_buffer_size(const struct ArrowArray *array, int64_t index) {
  AP_ASSERT(index >= 0 && index < array->n_buffers);
  while (array->release == release_node) {
    const struct node *node = array->private_data;
    if (node->shared == NULL) return node->buffers[index].size_bytes;
    array = node->part;
  }
  return -1;
}

ap_status ap_array_share(struct ArrowArray *array, struct ap_array_shared **out_shared,
                         ap_error *err) {
  AP_ASSERT(array->release != NULL);
  struct ap_array_shared *shared = ap_allocate(ap_allocator_system(), sizeof(*shared));
  if (shared == NULL) return AP_FAIL_MEMORY(err);
  atomic_init(&shared->references, 1);
  shared->array = *array;
  array->release = NULL;
  *out_shared = shared;
  return AP_OK;
}

void ap_array_shared_release(struct ap_array_shared *shared) {
  if (shared == NULL) return;
  /* Release and acquire pair with each other: the last holder sees all others' reads done. */
  size_t before = atomic_fetch_sub_explicit(&shared->references, 1, memory_order_acq_rel);
  AP_ASSERT(before > 0);
  if (before > 1) return;
  if (shared->array.release != NULL) shared->array.release(&shared->array);
  ap_free(ap_allocator_system(), shared);
}

const struct ArrowArray *ap_array_shared_get(const struct ap_array_shared *shared) {
  return &shared->array;
}

ap_status ap_array_view(struct ap_array_shared *shared, const struct ArrowArray *part,
                        struct ArrowArray *out, ap_error *err) {
  ap_status status = AP_OK;
  struct ArrowArray view = {0};
  struct node *node = node_create(0, part->n_children);
  if (node == NULL) {
    *out = view;
    return AP_FAIL_MEMORY(err);
  }
  /* The caller's own reference keeps the count above zero, so no order is needed here. */
  atomic_fetch_add_explicit(&shared->references, 1, memory_order_relaxed);
  node->shared = shared;
  node->part = part;
  view.length = part->length;
  view.null_count = part->null_count;
  view.offset = part->offset;
  view.n_buffers = part->n_buffers;
  view.buffers = part->buffers;
  publish(&view, node, part->n_children, part->dictionary != NULL);
  for (int64_t i = 0; status == AP_OK && i < part->n_children; i++) {
    status = ap_array_view(shared, part->children[i], view.children[i], err);
  }
  if (status == AP_OK && part->dictionary != NULL) {
    status = ap_array_view(shared, part->dictionary, view.dictionary, err);
  }
  if (status != AP_OK) view.release(&view);
  *out = view;
  return status;
}
