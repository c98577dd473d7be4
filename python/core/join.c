/* SPDX-License-Identifier: Apache-2.0
 *
 * Many small arrays of rows as one: the engine gives a few thousand rows at a time, and consumers
 * like more at once.
 *
 * Every buffer is copied. Columns with dictionaries, views or unions are not joined: then there is
 * no join, and the arrays pass as they are. Nothing here needs the GIL.
 */
#include "core.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum join_kind {
  JOIN_NULL,
  JOIN_BITS,
  JOIN_FIXED,  /* width: bytes of a value */
  JOIN_BYTES,  /* width: bytes of an offset */
  JOIN_LIST,   /* the same; maps too */
  JOIN_REPEAT, /* width: items of a list */
  JOIN_STRUCT,
};

struct join_buffer {
  char *data;
  size_t size, room; /* bytes */
};

struct join_node {
  enum join_kind kind;
  int width;
  int64_t length;
  int64_t null_count;
  struct join_buffer validity; /* a bit for each row */
  struct join_buffer values;   /* bits, values, or bytes of texts */
  struct join_buffer offsets;
  int64_t last_offset;
  int64_t child_count;
  struct join_node *children;
};

struct core_join {
  struct join_node root;
};

/* ---- what can be joined ---------------------------------------------------------------------- */

static const struct {
  const char *format;
  enum join_kind kind;
  int width;
} plain_layouts[] = {
    {"n", JOIN_NULL, 0},    {"b", JOIN_BITS, 0},     {"c", JOIN_FIXED, 1},   {"C", JOIN_FIXED, 1},
    {"s", JOIN_FIXED, 2},   {"S", JOIN_FIXED, 2},    {"e", JOIN_FIXED, 2},   {"i", JOIN_FIXED, 4},
    {"I", JOIN_FIXED, 4},   {"f", JOIN_FIXED, 4},    {"l", JOIN_FIXED, 8},   {"L", JOIN_FIXED, 8},
    {"g", JOIN_FIXED, 8},   {"tdD", JOIN_FIXED, 4},  {"tdm", JOIN_FIXED, 8}, {"tts", JOIN_FIXED, 4},
    {"ttm", JOIN_FIXED, 4}, {"ttu", JOIN_FIXED, 8},  {"ttn", JOIN_FIXED, 8}, {"tDs", JOIN_FIXED, 8},
    {"tDm", JOIN_FIXED, 8}, {"tDu", JOIN_FIXED, 8},  {"tDn", JOIN_FIXED, 8}, {"tiM", JOIN_FIXED, 4},
    {"tiD", JOIN_FIXED, 8}, {"tin", JOIN_FIXED, 16}, {"u", JOIN_BYTES, 4},   {"z", JOIN_BYTES, 4},
    {"U", JOIN_BYTES, 8},   {"Z", JOIN_BYTES, 8},    {"+l", JOIN_LIST, 4},   {"+L", JOIN_LIST, 8},
    {"+m", JOIN_LIST, 4},   {"+s", JOIN_STRUCT, 0},
};

static bool read_layout(const char *format, struct join_node *node) {
  int precision = 0;
  int scale = 0;
  int bits = 128;
  for (size_t i = 0; i < sizeof plain_layouts / sizeof plain_layouts[0]; ++i) {
    if (strcmp(plain_layouts[i].format, format) != 0) continue;
    node->kind = plain_layouts[i].kind;
    node->width = plain_layouts[i].width;
    return true;
  }
  node->kind = JOIN_FIXED;
  if (sscanf(format, "d:%d,%d,%d", &precision, &scale, &bits) >= 2) {
    node->width = bits / 8;
    return true;
  }
  if (strncmp(format, "ts", 2) == 0 && format[2] != '\0' && format[3] == ':') {
    node->width = 8;
    return true;
  }
  if (sscanf(format, "w:%d", &node->width) == 1) return node->width >= 0;
  node->kind = JOIN_REPEAT;
  return sscanf(format, "+w:%d", &node->width) == 1 && node->width >= 0;
}

static bool read_node(const struct ArrowSchema *schema, struct join_node *node) {
  if (schema->dictionary != NULL || !read_layout(schema->format, node)) return false;
  node->children = calloc((size_t)schema->n_children + 1, sizeof *node->children);
  if (node->children == NULL) return false;
  node->child_count = schema->n_children;
  for (int64_t i = 0; i < node->child_count; ++i) {
    if (!read_node(schema->children[i], &node->children[i])) return false;
  }
  bool nested = node->kind >= JOIN_LIST;
  return nested ? node->kind == JOIN_STRUCT || node->child_count == 1 : node->child_count == 0;
}

static void node_deinit(struct join_node *node) {
  for (int64_t i = 0; i < node->child_count; ++i) node_deinit(&node->children[i]);
  free(node->children);
  free(node->validity.data);
  free(node->values.data);
  free(node->offsets.data);
  *node = (struct join_node){0};
}

struct core_join *core_join_create(const struct ArrowSchema *schema) {
  struct core_join *join = calloc(1, sizeof *join);
  if (join != NULL && read_node(schema, &join->root)) return join;
  core_join_destroy(join);
  return NULL;
}

void core_join_destroy(struct core_join *join) {
  if (join == NULL) return;
  node_deinit(&join->root);
  free(join);
}

/* ---- appending ------------------------------------------------------------------------------- */

/* Room for `more` bytes behind; what is new is zero. */
static bool reserve(struct join_buffer *buffer, size_t more) {
  if (more <= buffer->room - buffer->size) return true;
  size_t room = 2 * buffer->room + more + 64;
  char *grown = realloc(buffer->data, room);
  if (grown == NULL) return false;
  memset(grown + buffer->room, 0, room - buffer->room);
  buffer->data = grown;
  buffer->room = room;
  return true;
}

static bool append_bytes(struct join_buffer *buffer, const char *bytes, size_t size) {
  if (!reserve(buffer, size)) return false;
  if (size > 0) memcpy(buffer->data + buffer->size, bytes, size);
  buffer->size += size;
  return true;
}

static bool bit_at(const char *bits, int64_t i) {
  return ((unsigned char)bits[i / 8] >> (i % 8) & 1) != 0;
}

/* Bits from `from` on, or ones, behind the `length` bits there are; how many of them are zero. */
static bool append_bits(struct join_buffer *buffer, int64_t length, const char *bits, int64_t from,
                        int64_t count, int64_t *zeros) {
  size_t size = (size_t)((length + count + 7) / 8);
  if (size > buffer->size && !reserve(buffer, size - buffer->size)) return false;
  buffer->size = size;
  for (int64_t i = 0; i < count; ++i) {
    int64_t at = length + i;
    if (bits == NULL && at % 8 == 0 && count - i >= 8) {
      buffer->data[at / 8] = (char)0xff;
      i += 7;
    } else if (bits == NULL || bit_at(bits, from + i)) {
      buffer->data[at / 8] = (char)((unsigned char)buffer->data[at / 8] | 1U << (at % 8));
    } else {
      *zeros += 1;
    }
  }
  return true;
}

static int64_t offset_at(const char *offsets, int width, int64_t i) {
  int32_t narrow = 0;
  int64_t wide = 0;
  if (offsets == NULL) return 0; /* an array of no rows may have none */
  if (width == 8) {
    memcpy(&wide, offsets + 8 * i, sizeof wide);
    return wide;
  }
  memcpy(&narrow, offsets + 4 * i, sizeof narrow);
  return narrow;
}

static bool append_offset(struct join_node *node, int64_t offset) {
  int32_t narrow = (int32_t)offset;
  if (node->width == 4 && offset > INT32_MAX) return false;
  return node->width == 8 ? append_bytes(&node->offsets, (const char *)&offset, sizeof offset)
                          : append_bytes(&node->offsets, (const char *)&narrow, sizeof narrow);
}

/* The offsets of rows, moved to where their items will stand. */
static bool append_offsets(struct join_node *node, const char *offsets, int64_t from,
                           int64_t count) {
  int64_t moved = node->last_offset - offset_at(offsets, node->width, from);
  if (node->offsets.size == 0 && !append_offset(node, 0)) return false;
  for (int64_t i = from + 1; i <= from + count; ++i) {
    node->last_offset = offset_at(offsets, node->width, i) + moved;
    if (!append_offset(node, node->last_offset)) return false;
  }
  return true;
}

static bool append_node(struct join_node *node, const struct ArrowArray *array, int64_t from,
                        int64_t count);

/* from counts from the start of the buffers. */
static bool append_values(struct join_node *node, const struct ArrowArray *array, int64_t from,
                          int64_t count) {
  const char *buffer = array->n_buffers > 1 ? array->buffers[1] : NULL;
  size_t width = (size_t)node->width;
  int64_t first = 0;
  int64_t zeros = 0;
  switch (node->kind) {
    case JOIN_NULL:
      return true;
    case JOIN_BITS:
      return append_bits(&node->values, node->length, buffer, from, count, &zeros);
    case JOIN_FIXED:
      return append_bytes(&node->values, count == 0 ? NULL : buffer + (size_t)from * width,
                          (size_t)count * width);
    case JOIN_BYTES:
    case JOIN_LIST:
      first = count == 0 ? 0 : offset_at(buffer, node->width, from);
      int64_t items = count == 0 ? 0 : offset_at(buffer, node->width, from + count) - first;
      if (!append_offsets(node, buffer, from, count)) return false;
      if (node->kind == JOIN_LIST) {
        return append_node(&node->children[0], array->children[0], first, items);
      }
      return append_bytes(&node->values,
                          items == 0 ? NULL : (const char *)array->buffers[2] + first,
                          (size_t)items);
    case JOIN_REPEAT:
      return append_node(&node->children[0], array->children[0], from * node->width,
                         count * node->width);
    case JOIN_STRUCT:
      for (int64_t i = 0; i < node->child_count; ++i) {
        if (!append_node(&node->children[i], array->children[i], from, count)) return false;
      }
      return true;
  }
  return false;
}

static bool append_node(struct join_node *node, const struct ArrowArray *array, int64_t from,
                        int64_t count) {
  int64_t at = array->offset + from;
  if (node->kind != JOIN_NULL && !append_bits(&node->validity, node->length, array->buffers[0], at,
                                              count, &node->null_count)) {
    return false;
  }
  if (!append_values(node, array, at, count)) return false;
  node->length += count;
  return true;
}

bool core_join_append(struct core_join *join, const struct ArrowArray *array, int64_t from,
                      int64_t count) {
  return append_node(&join->root, array, from, count);
}

static int64_t node_bytes(const struct join_node *node) {
  int64_t bytes = (int64_t)(node->validity.size + node->values.size + node->offsets.size);
  for (int64_t i = 0; i < node->child_count; ++i) bytes += node_bytes(&node->children[i]);
  return bytes;
}

int64_t core_join_bytes(const struct core_join *join) {
  return node_bytes(&join->root);
}

int64_t core_join_rows(const struct core_join *join) {
  return join->root.length;
}

/* Bytes of the rows of an array, about. */
static int64_t measure(const struct join_node *node, const struct ArrowArray *array, int64_t from,
                       int64_t count) {
  int64_t at = array->offset + from;
  int64_t bytes = count / 8;
  if (count == 0) return 0;
  if (node->kind == JOIN_FIXED) return bytes + count * node->width;
  if (node->kind == JOIN_BYTES || node->kind == JOIN_LIST) {
    const char *offsets = array->buffers[1];
    int64_t first = offset_at(offsets, node->width, at);
    int64_t items = offset_at(offsets, node->width, at + count) - first;
    bytes += count * node->width;
    if (node->kind == JOIN_BYTES) return bytes + items;
    return bytes + measure(&node->children[0], array->children[0], first, items);
  }
  if (node->kind == JOIN_REPEAT) {
    return bytes +
           measure(&node->children[0], array->children[0], at * node->width, count * node->width);
  }
  for (int64_t i = 0; i < node->child_count; ++i) {
    bytes += measure(&node->children[i], array->children[i], at, count);
  }
  return bytes;
}

int64_t core_join_measure(const struct core_join *join, const struct ArrowArray *array,
                          int64_t from) {
  return measure(&join->root, array, from, array->length - from);
}

/* ---- the one array --------------------------------------------------------------------------- */

struct joined {
  const void *buffers[3];
  struct ArrowArray *children;
  struct ArrowArray **pointers;
};

static void joined_release(struct ArrowArray *array) {
  struct joined *joined = array->private_data;
  for (int64_t i = 0; i < array->n_children; ++i) {
    if (joined->children[i].release != NULL) joined->children[i].release(&joined->children[i]);
  }
  for (int i = 0; i < 3; ++i) free((void *)joined->buffers[i]);
  free(joined->children);
  free(joined->pointers);
  free(joined);
  array->release = NULL;
}

static const void *take(struct join_buffer *buffer) {
  const void *data = buffer->data;
  *buffer = (struct join_buffer){0};
  return data;
}

/* Consumers expect a buffer even where there is nothing in it. */
static bool fill_buffers(struct join_node *node, struct ArrowArray *out, struct joined *joined) {
  static const int64_t counts[] = {0, 2, 2, 3, 2, 1, 1};
  bool good = true;
  out->n_buffers = counts[node->kind];
  if (node->null_count > 0) joined->buffers[0] = take(&node->validity);
  if (node->kind == JOIN_BITS || node->kind == JOIN_FIXED) {
    good = reserve(&node->values, 8);
    joined->buffers[1] = take(&node->values);
  } else if (node->kind == JOIN_BYTES || node->kind == JOIN_LIST) {
    good = node->offsets.size > 0 || append_offset(node, 0);
    joined->buffers[1] = take(&node->offsets);
    if (node->kind == JOIN_BYTES) {
      good = reserve(&node->values, 8) && good;
      joined->buffers[2] = take(&node->values);
    }
  }
  return good;
}

static bool finish_node(struct join_node *node, struct ArrowArray *out) {
  struct joined *joined = calloc(1, sizeof *joined);
  size_t count = (size_t)node->child_count;
  out->release = NULL;
  if (joined == NULL) return false;
  joined->children = calloc(count + 1, sizeof *joined->children);
  joined->pointers = calloc(count + 1, sizeof *joined->pointers);
  *out =
      (struct ArrowArray){.length = node->length,
                          .null_count = node->kind == JOIN_NULL ? node->length : node->null_count,
                          .buffers = joined->buffers,
                          .children = joined->pointers,
                          .release = joined_release,
                          .private_data = joined};
  bool good = joined->children != NULL && joined->pointers != NULL;
  if (good) out->n_children = node->child_count;
  good = good && fill_buffers(node, out, joined);
  for (size_t i = 0; good && i < count; ++i) {
    joined->pointers[i] = &joined->children[i];
    good = finish_node(&node->children[i], &joined->children[i]);
  }
  if (!good) out->release(out);
  return good;
}

static void reset_node(struct join_node *node) {
  free(node->validity.data);
  free(node->values.data);
  free(node->offsets.data);
  node->validity = node->values = node->offsets = (struct join_buffer){0};
  node->length = node->null_count = node->last_offset = 0;
  for (int64_t i = 0; i < node->child_count; ++i) reset_node(&node->children[i]);
}

bool core_join_finish(struct core_join *join, struct ArrowArray *out) {
  bool good = finish_node(&join->root, out);
  reset_node(&join->root);
  return good;
}
