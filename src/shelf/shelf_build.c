/* SPDX-License-Identifier: Apache-2.0
 *
 * Building in place: one extent of whole pages, whose values the caller writes and whose block
 * stands behind them from the start. Sealing takes the right to write away from the pages.
 */
#include "shelf/shelf.h"

#include "arrow/layout.h"
#include "base/assert.h"
#include "base/limits.h"
#include "shelf/block.h"

#include <string.h>

enum { ALIGNMENT = 64 };

struct ap_shelf_builder {
  ap_shelf shelf; /* a handle of its own; its link is the draft's */
  struct ap_shelf_draft draft;
  struct ap_shelf_held *held; /* once it is sealed */
  int64_t rows;
  int64_t block_bytes;
  char *name;
  char *labels;
  ap_shelf_put_options options;
  int64_t column_count;
  struct ap_shelf_place *places; /* of the columns */
};

/* The columns one after the other. */
static ap_status plan(ap_shelf_builder *builder, const struct ArrowSchema *schema, int64_t rows,
                      int64_t *out_bytes, ap_error *err) {
  struct ap_layout layout = {0};
  int64_t end = 0;
  AP_TRY(ap_layout_of(schema, &layout, err));
  if (layout.kind != AP_LAYOUT_STRUCT || rows < 0) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "%lld rows of format '%s'; a batch is a struct",
                   (long long)rows, schema->format);
  }
  for (int64_t i = 0; i < schema->n_children; i++) {
    const struct ArrowSchema *column = schema->children[i];
    int64_t bytes = 0;
    AP_TRY(ap_layout_of(column, &layout, err));
    if (layout.kind != AP_LAYOUT_FIXED || column->dictionary != NULL) {
      return AP_FAIL(err, AP_UNSUPPORTED, "column '%s' of format '%s' cannot be built in place",
                     ap_layout_name(column), column->format);
    }
    if (__builtin_mul_overflow(rows, layout.width_bytes, &bytes) ||
        bytes > INT64_MAX - ALIGNMENT - end) {
      return AP_FAIL(err, AP_INVALID_ARGUMENT, "%lld rows of column '%s' overflow", (long long)rows,
                     ap_layout_name(column));
    }
    builder->places[i] = (struct ap_shelf_place){0, end, bytes};
    end += (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  }
  *out_bytes = end;
  return AP_OK;
}

static ap_status write_block(const ap_shelf_builder *builder, const struct ArrowSchema *schema,
                             struct ap_buffer *out, ap_error *err) {
  struct ap_buffer text;
  struct ap_shelf_place absent = {-1, 0, 0};
  int64_t batch[4] = {builder->rows, 0, 0, 1};
  int64_t column[4] = {builder->rows, 0, 0, 2};
  ap_buffer_init(&text, ap_allocator_system());
  ap_shelf_block_write_schema(&text, schema);
  ap_shelf_block_write_head(out, (int64_t)text.size, 1, builder->rows);
  ap_buffer_append_text(out, ap_buffer_text(&text));
  ap_buffer_append(out, batch, sizeof batch);
  ap_buffer_append(out, &absent, sizeof absent);
  for (int64_t i = 0; i < builder->column_count; i++) {
    ap_buffer_append(out, column, sizeof column);
    ap_buffer_append(out, &absent, sizeof absent);
    ap_buffer_append(out, &builder->places[i], sizeof builder->places[i]);
  }
  ap_status status = ap_buffer_check(&text, err);
  ap_buffer_deinit(&text);
  return status == AP_OK ? ap_buffer_check(out, err) : status;
}

/* The builder's own copies of what the options show. */
static ap_status keep_options(ap_shelf_builder *builder, const ap_shelf_put_options *options,
                              ap_error *err) {
  AP_TRY(ap_shelf_put_options_read(options, &builder->options, err));
  struct ap_allocator *heap = ap_allocator_system();
  builder->name = ap_string_copy(heap, ap_text_of(builder->options.name));
  builder->labels = ap_string_copy(heap, ap_text_of(builder->options.labels));
  if (builder->name == NULL || builder->labels == NULL) return AP_FAIL_MEMORY(err);
  builder->options.name = builder->name;
  builder->options.labels = builder->labels;
  return AP_OK;
}

static ap_status create_draft(ap_shelf_builder *builder, const struct ArrowSchema *schema,
                              ap_error *err) {
  struct ap_buffer block;
  int64_t bytes = 0;
  ap_buffer_init(&block, ap_allocator_system());
  ap_status status = plan(builder, schema, builder->rows, &bytes, err);
  if (status == AP_OK) status = write_block(builder, schema, &block, err);
  if (status == AP_OK) {
    builder->block_bytes = (int64_t)block.size;
    status = ap_shelf_draft_grow(&builder->shelf, &builder->draft, bytes + (int64_t)block.size,
                                 true, builder->name, err);
  }
  if (status == AP_OK) {
    memcpy(ap_shelf_draft_memory(&builder->draft) + bytes, block.data, block.size);
  }
  ap_buffer_deinit(&block);
  return status;
}

ap_status ap_shelf_create(ap_shelf *shelf, const struct ArrowSchema *schema, int64_t rows,
                          const ap_shelf_put_options *options, ap_shelf_builder **out_builder,
                          ap_error *err) {
  struct ap_allocator *heap = ap_allocator_system();
  if (schema == NULL || schema->release == NULL || schema->n_children > AP_COLUMNS_MAX) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "the schema to build by is released or too wide");
  }
  ap_shelf_builder *builder = ap_allocate_zeroed(heap, 1, sizeof *builder);
  if (builder == NULL) return AP_FAIL_MEMORY(err);
  builder->shelf = *shelf;
  ap_shelf_link_retain(builder->shelf.link);
  builder->rows = rows;
  builder->column_count = schema->n_children;
  builder->places =
      ap_allocate_zeroed(heap, (size_t)schema->n_children + 1, sizeof builder->places[0]);
  ap_status status = builder->places == NULL ? AP_FAIL_MEMORY(err) : AP_OK;
  if (status == AP_OK) status = keep_options(builder, options, err);
  if (status == AP_OK) status = create_draft(builder, schema, err);
  if (status != AP_OK) {
    ap_shelf_builder_close(builder);
    return status;
  }
  *out_builder = builder;
  return AP_OK;
}

void *ap_shelf_builder_values(ap_shelf_builder *builder, int64_t column, int64_t *out_size_bytes) {
  if (column < 0 || column >= builder->column_count) return NULL;
  if (builder->draft.arena->writable == NULL) return NULL; /* in a forked process */
  if (out_size_bytes != NULL) *out_size_bytes = builder->places[column].size;
  return ap_shelf_draft_memory(&builder->draft) + builder->places[column].offset;
}

ap_status ap_shelf_seal(ap_shelf_builder *builder, char out_key[AP_SHELF_KEY_SIZE], ap_error *err) {
  struct ap_shelf_draft *draft = &builder->draft;
  if (draft->generation == 0) {
    return AP_FAIL(err, AP_STATE, "an object of the shelf was sealed already");
  }
  AP_TRY(ap_shelf_link_guard(draft->link, draft->arena, draft->last, err));
  uint64_t generation = draft->generation;
  ap_status status = ap_shelf_draft_seal(draft, builder->block_bytes, builder->rows,
                                         &builder->options, true, out_key, err);
  if (status != AP_OK) {
    /* Not sealed, so still to be written, for instance under another name. */
    ap_shelf_link_unguard(draft->link, draft->arena, draft->last);
    return status;
  }
  status = ap_shelf_link_hold(draft->link, out_key, &builder->held, err);
  if (status == AP_OK) return AP_OK;
  /* It is sealed all the same; someone was quick to delete it. */
  struct ap_shelf_answer answer = {0};
  struct ap_shelf_packet release = {.kind = AP_SHELF_RELEASE, .key = draft->key};
  if (ap_shelf_link_ask(draft->link, &release, false, generation, &answer, NULL) == AP_OK) {
    ap_shelf_answer_deinit(&answer);
  }
  return AP_OK;
}

void ap_shelf_builder_close(ap_shelf_builder *builder) {
  if (builder == NULL) return;
  ap_shelf_draft_deinit(&builder->draft);
  if (builder->held != NULL) builder->held->holder.release(&builder->held->holder);
  ap_shelf_link_release(builder->shelf.link);
  ap_free(ap_allocator_system(), builder->name);
  ap_free(ap_allocator_system(), builder->labels);
  ap_free(ap_allocator_system(), builder->places);
  ap_free(ap_allocator_system(), builder);
}
