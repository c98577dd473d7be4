/* SPDX-License-Identifier: Apache-2.0
 *
 * Planning where batches go. Planning reads offsets, views and validity where it has to know sizes,
 * after the validator did; it writes nothing but the block and the jobs of copying.
 *
 * A node is packed by a window: rows [start, start + length) of its buffers. It keeps the start's
 * last three bits as its offset, the lead, and everything below it is cut to match.
 */
#include "shelf/pack.h"

#include "arrow/layout.h"
#include "arrow/stream.h"
#include "base/assert.h"
#include "base/limits.h"
#include "shelf/block.h"
#include "shelf/copy.h"

#include <string.h>

enum { ALIGNMENT = 64 };
#define GATHER_WASTE_MIN (64 * AP_KIB) /* bytes behind string views that are not worth dropping */

/* The last dictionary that was packed under a dictionary's schema, and what was written of it. */
struct known {
  const struct ArrowSchema *schema;
  const void *buffers[4]; /* as many as it had; no more are remembered */
  int64_t buffer_count;
  int64_t offset;
  int64_t length;
  size_t begin; /* in nodes */
  size_t end;
};

/* An array that grows. */
struct list {
  void *items;
  size_t count;
  size_t capacity;
};

struct ap_shelf_packer {
  const struct ArrowSchema *schema;
  struct ap_buffer nodes; /* the batches, as the block has them */
  struct list jobs;       /* struct ap_shelf_job, of this extent */
  struct list batches;    /* struct ArrowArray, whose buffers the jobs read */
  struct list known;      /* struct known; their buffers belong to `batches` or to `last` */
  struct ArrowArray last; /* of the extent before */
  int64_t extent;         /* the number of this extent */
  int64_t bytes;          /* of it, planned */
  int64_t batch_count;
  int64_t rows;
};

/* One array under its schema, and the window of it that is packed. */
struct node {
  const struct ArrowSchema *schema;
  const struct ArrowArray *array;
  struct ap_layout layout;
  int64_t start; /* first row wanted, in the buffers */
  int64_t length;
  int64_t lead; /* rows in front of it that are packed too */
  int64_t nulls;
};

static ap_status pack_window(struct ap_shelf_packer *packer, const struct ArrowSchema *schema,
                             const struct ArrowArray *array, int64_t start, int64_t length,
                             ap_error *err);
static ap_status pack_values(struct ap_shelf_packer *packer, const struct node *node,
                             ap_error *err);

/* Room for one more item, zeroed; NULL when out of memory. */
static void *list_add(struct list *list, size_t item_size) {
  if (list->count == list->capacity) {
    size_t capacity = list->capacity == 0 ? 16 : list->capacity * 2;
    size_t bytes = 0;
    if (__builtin_mul_overflow(capacity, item_size, &bytes)) return NULL;
    void *items = ap_reallocate(ap_allocator_system(), list->items, bytes);
    if (items == NULL) return NULL;
    list->items = items;
    list->capacity = capacity;
  }
  char *item = (char *)list->items + list->count++ * item_size;
  memset(item, 0, item_size);
  return item;
}

ap_status ap_shelf_packer_create(const struct ArrowSchema *schema, struct ap_shelf_packer **out,
                                 ap_error *err) {
  struct ap_layout layout = {0};
  AP_TRY(ap_layout_of(schema, &layout, err));
  if (layout.kind != AP_LAYOUT_STRUCT) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "Arrow batches of format '%s'; a batch is a struct",
                   schema->format);
  }
  struct ap_shelf_packer *packer = ap_allocate_zeroed(ap_allocator_system(), 1, sizeof *packer);
  if (packer == NULL) return AP_FAIL_MEMORY(err);
  packer->schema = schema;
  ap_buffer_init(&packer->nodes, ap_allocator_system());
  *out = packer;
  return AP_OK;
}

void ap_shelf_packer_destroy(struct ap_shelf_packer *packer) {
  struct ap_allocator *heap = ap_allocator_system();
  if (packer == NULL) return;
  struct ArrowArray *batches = packer->batches.items;
  for (size_t i = 0; i < packer->batches.count; i++) ap_array_release(&batches[i]);
  ap_array_release(&packer->last);
  ap_free(heap, packer->batches.items);
  ap_free(heap, packer->jobs.items);
  ap_free(heap, packer->known.items);
  ap_buffer_deinit(&packer->nodes);
  ap_free(heap, packer);
}

int64_t ap_shelf_packer_extent_bytes(const struct ap_shelf_packer *packer) {
  return packer->bytes;
}

int64_t ap_shelf_packer_rows(const struct ap_shelf_packer *packer) {
  return packer->rows;
}

int64_t ap_shelf_packer_extents(const struct ap_shelf_packer *packer) {
  return packer->extent;
}

ap_status ap_shelf_packer_add(struct ap_shelf_packer *packer, struct ArrowArray *batch,
                              ap_error *err) {
  const struct ArrowSchema *schema = packer->schema;
  size_t jobs_before = packer->jobs.count;
  size_t nodes_before = packer->nodes.size;
  int64_t bytes_before = packer->bytes;
  AP_TRY(ap_array_validate(schema, batch, err));
  if (batch->length > INT64_MAX - packer->rows) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "the rows of all batches overflow");
  }
  struct ArrowArray *kept = list_add(&packer->batches, sizeof *kept);
  if (kept == NULL) return AP_FAIL_MEMORY(err);
  /* The batch itself goes without an offset, which not all readers of batches take. */
  int64_t numbers[4] = {batch->length, 0, 0, 1};
  struct ap_shelf_place absent = {-1, 0, 0};
  ap_status status = AP_OK;
  ap_buffer_append(&packer->nodes, numbers, sizeof numbers);
  ap_buffer_append(&packer->nodes, &absent, sizeof absent);
  for (int64_t i = 0; status == AP_OK && i < batch->n_children; i++) {
    status = pack_window(packer, schema->children[i], batch->children[i],
                         batch->children[i]->offset + batch->offset, batch->length, err);
  }
  if (status == AP_OK) status = ap_buffer_check(&packer->nodes, err);
  if (status != AP_OK) {
    packer->batches.count--;
    packer->jobs.count = jobs_before;
    packer->known.count = 0;
    packer->nodes.size = nodes_before;
    packer->bytes = bytes_before;
    return status;
  }
  packer->batch_count++;
  packer->rows += batch->length;
  *kept = *batch;
  batch->release = NULL;
  return AP_OK;
}

ap_status ap_shelf_packer_copy(struct ap_shelf_packer *packer, void *memory, bool is_there,
                               uint32_t threads, ap_error *err) {
  struct ArrowArray *batches = packer->batches.items;
  AP_TRY(ap_shelf_jobs_run(packer->jobs.items, packer->jobs.count, memory, is_there, threads, err));
  if (packer->batches.count > 0) {
    ap_array_release(&packer->last);
    size_t last = packer->batches.count - 1;
    for (size_t i = 0; i < last; i++) ap_array_release(&batches[i]);
    packer->last = batches[last];
  }
  packer->batches.count = 0;
  packer->jobs.count = 0;
  packer->bytes = 0;
  packer->extent++;
  return AP_OK;
}

ap_status ap_shelf_packer_block(const struct ap_shelf_packer *packer, struct ap_buffer *out,
                                ap_error *err) {
  struct ap_buffer schema;
  ap_buffer_init(&schema, ap_allocator_system());
  ap_shelf_block_write_schema(&schema, packer->schema);
  ap_status status = ap_buffer_check(&schema, err);
  if (status == AP_OK) {
    ap_shelf_block_write_head(out, (int64_t)schema.size, packer->batch_count, packer->rows);
    ap_buffer_append_text(out, ap_buffer_text(&schema));
    ap_buffer_append_text(out, ap_buffer_text(&packer->nodes));
    status = ap_buffer_check(out, err);
  }
  ap_buffer_deinit(&schema);
  return status;
}

/* ---- places ---------------------------------------------------------------------------------- */

static ap_status overflow(ap_error *err, const struct node *node) {
  return AP_FAIL(err, AP_INVALID_ARGUMENT, "column '%s' is larger than any memory",
                 ap_layout_name(node->schema));
}

/* The next `size` bytes of the extent, written down as a buffer's place. */
static ap_status place_bytes(struct ap_shelf_packer *packer, const struct node *node, int64_t size,
                             int64_t *out_offset, ap_error *err) {
  struct ap_shelf_place place = {packer->extent, packer->bytes, size};
  int64_t end = 0;
  AP_ASSERT(size >= 0);
  if (size > INT64_MAX - ALIGNMENT ||
      __builtin_add_overflow(packer->bytes, (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT, &end)) {
    return overflow(err, node);
  }
  ap_buffer_append(&packer->nodes, &place, sizeof place);
  *out_offset = packer->bytes;
  packer->bytes = end;
  return AP_OK;
}

static void place_nothing(struct ap_shelf_packer *packer) {
  struct ap_shelf_place absent = {-1, 0, 0};
  ap_buffer_append(&packer->nodes, &absent, sizeof absent);
}

/* A place and the job that fills it. */
static ap_status place_job(struct ap_shelf_packer *packer, const struct node *node,
                           struct ap_shelf_job job, ap_error *err) {
  AP_TRY(place_bytes(packer, node, job.size, &job.target, err));
  if (job.size == 0) return AP_OK;
  struct ap_shelf_job *made = list_add(&packer->jobs, sizeof *made);
  if (made == NULL) return AP_FAIL_MEMORY(err);
  *made = job;
  return AP_OK;
}

static ap_status place_copy(struct ap_shelf_packer *packer, const struct node *node,
                            const void *source, int64_t size, ap_error *err) {
  struct ap_shelf_job job = {.kind = AP_SHELF_JOB_BYTES, .source = source, .size = size};
  return place_job(packer, node, job, err);
}

/* ---- one node -------------------------------------------------------------------------------- */

static int64_t load(const void *buffer, int64_t at, bool is_large) {
  int64_t large = 0;
  int32_t small = 0;
  if (is_large) {
    memcpy(&large, (const char *)buffer + at * 8, sizeof large);
    return large;
  }
  memcpy(&small, (const char *)buffer + at * 4, sizeof small);
  return small;
}

static bool is_valid(const struct node *node, int64_t row) {
  const uint8_t *bits = node->array->buffers[0];
  return bits == NULL || ((bits[row / 8] >> (row % 8)) & 1) != 0;
}

static int64_t count_nulls(const struct node *node) {
  if (node->layout.kind == AP_LAYOUT_NULL) return node->length;
  const uint8_t *bits = node->array->buffers[0];
  /* Counted anew: a count that contradicts the bits would let rows be seen that nobody checked. */
  if (bits == NULL) return 0;
  return node->length - ArrowBitCountSet(bits, node->start, node->length);
}

/* Is the dictionary the one that was packed last under its schema? Then what was written of it is
 * written again. Those with children are not looked for. */
static struct known *find_known(struct ap_shelf_packer *packer, const struct ArrowSchema *schema) {
  struct known *known = packer->known.items;
  for (size_t i = 0; i < packer->known.count; i++) {
    if (known[i].schema == schema) return &known[i];
  }
  return NULL;
}

static bool is_known(const struct known *known, const struct ArrowArray *dictionary) {
  if (known->buffer_count != dictionary->n_buffers || known->offset != dictionary->offset ||
      known->length != dictionary->length) {
    return false;
  }
  for (int64_t i = 0; i < known->buffer_count; i++) {
    if (known->buffers[i] != dictionary->buffers[i]) return false;
  }
  return true;
}

static ap_status pack_dictionary(struct ap_shelf_packer *packer, const struct ArrowSchema *schema,
                                 const struct ArrowArray *dictionary, ap_error *err) {
  bool is_flat = dictionary->n_children == 0 && dictionary->dictionary == NULL &&
                 dictionary->n_buffers <= 4 && dictionary->n_buffers > 0;
  struct known *known = is_flat ? find_known(packer, schema) : NULL;
  if (known != NULL && is_known(known, dictionary)) {
    size_t size = known->end - known->begin;
    char *room = ap_buffer_reserve(&packer->nodes, size);
    if (room == NULL) return AP_FAIL_MEMORY(err);
    memcpy(room, packer->nodes.data + known->begin, size);
    packer->nodes.size += size;
    return AP_OK;
  }
  size_t begin = packer->nodes.size;
  AP_TRY(pack_window(packer, schema, dictionary, dictionary->offset, dictionary->length, err));
  if (!is_flat) return AP_OK;
  if (known == NULL) known = list_add(&packer->known, sizeof *known);
  if (known == NULL) return AP_FAIL_MEMORY(err);
  *known = (struct known){.schema = schema,
                          .buffer_count = dictionary->n_buffers,
                          .offset = dictionary->offset,
                          .length = dictionary->length,
                          .begin = begin,
                          .end = packer->nodes.size};
  for (int64_t i = 0; i < dictionary->n_buffers; i++) known->buffers[i] = dictionary->buffers[i];
  return AP_OK;
}

static ap_status pack_window(struct ap_shelf_packer *packer, const struct ArrowSchema *schema,
                             const struct ArrowArray *array, int64_t start, int64_t length,
                             ap_error *err) {
  struct node node = {.schema = schema, .array = array, .start = start, .length = length};
  AP_TRY(ap_layout_of(schema, &node.layout, err));
  AP_ASSERT(start >= array->offset && length <= array->length);
  if (length == 0) node.start = 0;
  node.lead = node.start % 8;
  node.nulls = count_nulls(&node);
  bool is_views = node.layout.kind == AP_LAYOUT_VIEWS;
  int64_t buffers = is_views ? array->n_buffers - 1 : node.layout.buffer_count;
  int64_t numbers[4] = {length, node.nulls, node.lead, buffers};
  size_t begin = packer->nodes.size;
  ap_buffer_append(&packer->nodes, numbers, sizeof numbers);
  if (node.layout.kind != AP_LAYOUT_NULL) {
    if (node.nulls == 0) {
      place_nothing(packer);
    } else {
      int64_t first = node.start / 8;
      int64_t bytes = (node.lead + length + 7) / 8;
      AP_TRY(place_copy(packer, &node, (const char *)array->buffers[0] + first, bytes, err));
    }
  }
  size_t values = packer->nodes.size;
  AP_TRY(pack_values(packer, &node, err));
  if (is_views && !packer->nodes.failed) {
    /* How many data buffers there are is known now. */
    size_t own = (packer->nodes.size - values) / sizeof(struct ap_shelf_place);
    buffers = 1 + (int64_t)own;
    memcpy(packer->nodes.data + begin + sizeof numbers[0] * 3, &buffers, sizeof buffers);
  }
  if (array->dictionary == NULL) return AP_OK;
  return pack_dictionary(packer, schema->dictionary, array->dictionary, err);
}

/* ---- the values of each layout --------------------------------------------------------------- */

/* The offsets of text, bytes and lists, less the first. */
static ap_status pack_offsets(struct ap_shelf_packer *packer, const struct node *node,
                              int64_t *out_first, int64_t *out_last, ap_error *err) {
  bool large = node->layout.is_large;
  int64_t width = large ? 8 : 4;
  static const int64_t nothing = 0;
  *out_first = 0;
  *out_last = 0;
  if (node->length == 0) return place_copy(packer, node, &nothing, width, err);
  const char *offsets = node->array->buffers[1];
  *out_first = load(offsets, node->start, large);
  *out_last = load(offsets, node->start + node->length, large);
  struct ap_shelf_job job = {
      .kind = *out_first == 0 ? AP_SHELF_JOB_BYTES : AP_SHELF_JOB_OFFSETS,
      .is_large = large,
      .source = offsets + node->start * width,
      .size = (node->lead + node->length + 1) * width,
      .lead = node->lead * width,
      .base = *out_first,
  };
  return place_job(packer, node, job, err);
}

static ap_status pack_bytes(struct ap_shelf_packer *packer, const struct node *node,
                            ap_error *err) {
  int64_t first = 0;
  int64_t last = 0;
  AP_TRY(pack_offsets(packer, node, &first, &last, err));
  const char *data = node->array->buffers[2];
  return place_copy(packer, node, last > first ? data + first : NULL, last - first, err);
}

/* The entries of a map, which are never null. They go without an offset, which some readers of maps
 * do not look at. */
static ap_status pack_entries(struct ap_shelf_packer *packer, const struct ArrowSchema *schema,
                              const struct ArrowArray *entries, int64_t first, int64_t count,
                              ap_error *err) {
  int64_t numbers[4] = {count, 0, 0, 1};
  ap_buffer_append(&packer->nodes, numbers, sizeof numbers);
  place_nothing(packer);
  for (int64_t i = 0; i < entries->n_children; i++) {
    const struct ArrowArray *child = entries->children[i];
    AP_TRY(pack_window(packer, schema->children[i], child, child->offset + entries->offset + first,
                       count, err));
  }
  return AP_OK;
}

static ap_status pack_list(struct ap_shelf_packer *packer, const struct node *node, ap_error *err) {
  int64_t first = 0;
  int64_t last = 0;
  const struct ArrowArray *child = node->array->children[0];
  AP_TRY(pack_offsets(packer, node, &first, &last, err));
  if (node->layout.is_map) {
    return pack_entries(packer, node->schema->children[0], child, first, last - first, err);
  }
  return pack_window(packer, node->schema->children[0], child, child->offset + first, last - first,
                     err);
}

static ap_status pack_list_views(struct ap_shelf_packer *packer, const struct node *node,
                                 ap_error *err) {
  bool large = node->layout.is_large;
  int64_t width = large ? 8 : 4;
  int64_t first = INT64_MAX;
  int64_t last = 0;
  const struct ArrowArray *child = node->array->children[0];
  const char *offsets = node->array->buffers[1];
  const char *sizes = node->array->buffers[2];
  for (int64_t i = node->start; i < node->start + node->length; i++) {
    int64_t size = load(sizes, i, large);
    int64_t offset = load(offsets, i, large);
    if (size == 0) continue;
    if (offset < first) first = offset;
    if (offset + size > last) last = offset + size;
  }
  if (first > last) first = last;
  int64_t skip = node->start * width;
  struct ap_shelf_job job = {.kind = AP_SHELF_JOB_LIST_VIEWS,
                             .is_large = large,
                             .source = node->length == 0 ? NULL : offsets + skip,
                             .sizes = node->length == 0 ? NULL : sizes + skip,
                             .size = (node->lead + node->length) * width,
                             .lead = node->lead * width,
                             .base = first};
  AP_TRY(place_job(packer, node, job, err));
  job.kind = AP_SHELF_JOB_BYTES;
  job.source = job.sizes;
  AP_TRY(place_job(packer, node, job, err));
  return pack_window(packer, node->schema->children[0], child, child->offset + first, last - first,
                     err);
}

/* What the rows need of the data buffers, and how long these are. */
static void count_view_bytes(const struct node *node, int64_t data_count, int64_t *out_used,
                             int64_t *out_there) {
  const struct ArrowArray *array = node->array;
  *out_used = 0;
  *out_there = 0;
  for (int64_t i = 0; i < data_count; i++) {
    int64_t size = load(array->buffers[array->n_buffers - 1], i, true);
    *out_there = size > INT64_MAX - *out_there ? INT64_MAX : *out_there + size;
  }
  for (int64_t i = node->start; i < node->start + node->length; i++) {
    int64_t size = load(array->buffers[1], i * 4, false);
    if (size > 12 && is_valid(node, i)) *out_used += size;
  }
}

static ap_status pack_views(struct ap_shelf_packer *packer, const struct node *node,
                            ap_error *err) {
  const struct ArrowArray *array = node->array;
  int64_t data_count = array->n_buffers - node->layout.buffer_count;
  int64_t used = 0;
  int64_t there = 0;
  count_view_bytes(node, data_count, &used, &there);
  bool gathers = used <= INT32_MAX && there > used + used / 4 + GATHER_WASTE_MIN;
  struct ap_shelf_job job = {
      .kind = gathers ? AP_SHELF_JOB_GATHER : AP_SHELF_JOB_VIEWS,
      .source = node->length == 0 ? NULL : (const char *)array->buffers[1] + node->start * 16,
      .size = (node->lead + node->length) * 16,
      .lead = node->lead * 16,
      .array = array,
      .row = node->start,
      .data_size = gathers ? used : 0,
  };
  size_t index = packer->jobs.count;
  AP_TRY(place_job(packer, node, job, err));
  if (gathers) {
    int64_t target = 0;
    if (used == 0) return AP_OK;
    AP_TRY(place_bytes(packer, node, used, &target, err));
    ((struct ap_shelf_job *)packer->jobs.items)[index].data_target = target;
    return AP_OK;
  }
  for (int64_t i = 0; i < data_count; i++) {
    int64_t size = load(array->buffers[array->n_buffers - 1], i, true);
    AP_TRY(place_copy(packer, node, array->buffers[2 + i], size, err));
  }
  return AP_OK;
}

static ap_status pack_children(struct ap_shelf_packer *packer, const struct node *node,
                               int64_t each, ap_error *err) {
  const struct ArrowArray *array = node->array;
  int64_t first = (node->start - node->lead) * each; /* checked by the validator */
  int64_t count = (node->lead + node->length) * each;
  for (int64_t i = 0; i < array->n_children; i++) {
    AP_TRY(pack_window(packer, node->schema->children[i], array->children[i],
                       array->children[i]->offset + first, count, err));
  }
  return AP_OK;
}

static ap_status pack_values(struct ap_shelf_packer *packer, const struct node *node,
                             ap_error *err) {
  const struct ArrowArray *array = node->array;
  int64_t first = node->start - node->lead;
  int64_t count = node->lead + node->length;
  int64_t width = node->layout.width_bytes;
  const char *values = node->length > 0 && array->n_buffers > 1 ? array->buffers[1] : NULL;
  switch (node->layout.kind) {
    case AP_LAYOUT_NULL:
      return AP_OK;
    case AP_LAYOUT_BITS:
      return place_copy(packer, node, values == NULL ? NULL : values + first / 8, (count + 7) / 8,
                        err);
    case AP_LAYOUT_FIXED:
      return place_copy(packer, node, values == NULL ? NULL : values + first * width, count * width,
                        err);
    case AP_LAYOUT_BYTES:
      return pack_bytes(packer, node, err);
    case AP_LAYOUT_VIEWS:
      return pack_views(packer, node, err);
    case AP_LAYOUT_LIST:
      return pack_list(packer, node, err);
    case AP_LAYOUT_LIST_VIEW:
      return pack_list_views(packer, node, err);
    case AP_LAYOUT_FIXED_LIST:
      return pack_children(packer, node, node->layout.list_size, err);
    case AP_LAYOUT_STRUCT:
      return pack_children(packer, node, 1, err);
  }
  return AP_OK;
}
