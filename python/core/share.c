/* SPDX-License-Identifier: Apache-2.0
 *
 * Arrays and schemas that may be handed out many times.
 *
 * A copy of an array has its own structs, children included, because consumers may move children
 * out and release them one by one; the buffers are the original's. Every node of every copy counts
 * as one reference to the original. Nothing here needs the GIL.
 */
#include "core.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct core_shared_array {
  atomic_long references;
  struct ArrowArray array;
};

struct core_shared_array *core_array_share(struct ArrowArray *array) {
  struct core_shared_array *shared = calloc(1, sizeof *shared);
  if (shared == NULL) return NULL;
  atomic_init(&shared->references, 1);
  shared->array = *array;
  array->release = NULL;
  return shared;
}

struct core_shared_array *core_array_retain(struct core_shared_array *shared) {
  atomic_fetch_add_explicit(&shared->references, 1, memory_order_relaxed);
  return shared;
}

/* Release pairs with the acquire of whoever comes last: all reads of the buffers are over. */
void core_array_unshare(struct core_shared_array *shared) {
  if (shared == NULL) return;
  if (atomic_fetch_sub_explicit(&shared->references, 1, memory_order_acq_rel) != 1) return;
  if (shared->array.release != NULL) shared->array.release(&shared->array);
  free(shared);
}

const struct ArrowArray *core_array_of(const struct core_shared_array *shared) {
  return &shared->array;
}

/* One node of a copy: the storage of its children, one behind the other. */
struct array_node {
  struct core_shared_array *shared;
  struct ArrowArray dictionary;
  struct ArrowArray *children;
  struct ArrowArray **pointers;
};

static void array_node_release(struct ArrowArray *array) {
  struct array_node *node = array->private_data;
  for (int64_t i = 0; i < array->n_children; ++i) {
    if (node->children[i].release != NULL) node->children[i].release(&node->children[i]);
  }
  if (node->dictionary.release != NULL) node->dictionary.release(&node->dictionary);
  core_array_unshare(node->shared);
  free(node->children);
  free(node->pointers);
  free(node);
  array->release = NULL;
}

static bool copy_array_node(struct core_shared_array *shared, const struct ArrowArray *from,
                            struct ArrowArray *out) {
  size_t count = (size_t)from->n_children;
  struct array_node *node = calloc(1, sizeof *node);
  out->release = NULL;
  if (node == NULL) return false;
  node->children = calloc(count + 1, sizeof *node->children);
  node->pointers = calloc(count + 1, sizeof *node->pointers);
  node->shared = core_array_retain(shared);
  *out = *from;
  out->private_data = node;
  out->release = array_node_release;
  out->children = node->pointers;
  out->dictionary = NULL;
  bool good = node->children != NULL && node->pointers != NULL;
  if (!good) out->n_children = 0;
  for (size_t i = 0; good && i < count; ++i) {
    node->pointers[i] = &node->children[i];
    good = copy_array_node(shared, from->children[i], &node->children[i]);
  }
  if (good && from->dictionary != NULL) {
    out->dictionary = &node->dictionary;
    good = copy_array_node(shared, from->dictionary, &node->dictionary);
  }
  if (!good) out->release(out);
  return good;
}

bool core_array_copy(struct core_shared_array *shared, struct ArrowArray *out) {
  return copy_array_node(shared, &shared->array, out);
}

/* ---- schemas --------------------------------------------------------------------------------- */

/* Schemas are small: a copy has its own texts. */
struct schema_node {
  char *texts;
  struct ArrowSchema dictionary;
  struct ArrowSchema *children;
  struct ArrowSchema **pointers;
};

static void schema_node_release(struct ArrowSchema *schema) {
  struct schema_node *node = schema->private_data;
  for (int64_t i = 0; i < schema->n_children; ++i) {
    if (node->children[i].release != NULL) node->children[i].release(&node->children[i]);
  }
  if (node->dictionary.release != NULL) node->dictionary.release(&node->dictionary);
  free(node->texts);
  free(node->children);
  free(node->pointers);
  free(node);
  schema->release = NULL;
}

/* int32 count, then for each pair int32 size and bytes of key and of value. */
static size_t metadata_size(const char *metadata) {
  int32_t count = 0;
  int32_t size = 0;
  if (metadata == NULL) return 0;
  const char *at = metadata;
  memcpy(&count, at, sizeof count);
  at += sizeof count;
  for (int64_t i = 0; i < 2 * (int64_t)count; ++i) {
    memcpy(&size, at, sizeof size);
    at += sizeof size + (size_t)size;
  }
  return (size_t)(at - metadata);
}

static bool copy_texts(const struct ArrowSchema *from, struct schema_node *node,
                       struct ArrowSchema *out) {
  size_t format = strlen(from->format) + 1;
  size_t name = from->name == NULL ? 0 : strlen(from->name) + 1;
  size_t metadata = metadata_size(from->metadata);
  node->texts = malloc(format + name + metadata);
  if (node->texts == NULL) return false;
  memcpy(node->texts, from->format, format);
  if (name > 0) memcpy(node->texts + format, from->name, name);
  if (metadata > 0) memcpy(node->texts + format + name, from->metadata, metadata);
  out->format = node->texts;
  out->name = name == 0 ? NULL : node->texts + format;
  out->metadata = metadata == 0 ? NULL : node->texts + format + name;
  return true;
}

bool core_schema_copy(const struct ArrowSchema *from, struct ArrowSchema *out) {
  size_t count = (size_t)from->n_children;
  struct schema_node *node = calloc(1, sizeof *node);
  out->release = NULL;
  if (node == NULL) return false;
  node->children = calloc(count + 1, sizeof *node->children);
  node->pointers = calloc(count + 1, sizeof *node->pointers);
  *out = (struct ArrowSchema){.flags = from->flags,
                              .n_children = from->n_children,
                              .children = node->pointers,
                              .release = schema_node_release,
                              .private_data = node};
  bool good = node->children != NULL && node->pointers != NULL;
  if (!good) out->n_children = 0;
  good = good && copy_texts(from, node, out);
  for (size_t i = 0; good && i < count; ++i) {
    node->pointers[i] = &node->children[i];
    good = core_schema_copy(from->children[i], &node->children[i]);
  }
  if (good && from->dictionary != NULL) {
    out->dictionary = &node->dictionary;
    good = core_schema_copy(from->dictionary, &node->dictionary);
  }
  if (!good) out->release(out);
  return good;
}
