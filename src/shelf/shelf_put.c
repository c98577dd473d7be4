/* SPDX-License-Identifier: Apache-2.0
 *
 * Putting streams: batches are gathered to extents of some size, each asked for exactly as large as
 * it must be, so that the end of a stream need not be known before it comes.
 */
#include "shelf/shelf.h"

#include "arrow/stream.h"
#include "base/assert.h"
#include "base/limits.h"
#include "shelf/pack.h"

#include <string.h>

/* Extents are few of an object: from here on each holds twice as much as those before. */
enum { EXTENTS_OF_A_SIZE = 16 };
#define EXTENT_BYTES_FIRST (64 * AP_MIB)
#define EXTENT_BYTES_MAX   (64 * AP_GIB)

ap_status ap_shelf_put_options_read(const ap_shelf_put_options *options, ap_shelf_put_options *out,
                                    ap_error *err) {
  ap_shelf_put_options usual = AP_SHELF_PUT_OPTIONS_INIT;
  if (options != NULL && options->struct_size < sizeof usual) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "ap_shelf_put_options were not initialised");
  }
  *out = options == NULL ? usual : *options;
  if (out->name == NULL) out->name = "";
  if (out->labels == NULL) out->labels = "";
  AP_TRY(ap_shelf_name_check(ap_text_of(out->name), err));
  return ap_shelf_labels_check(ap_text_of(out->labels), err);
}

ap_status ap_shelf_draft_grow(struct ap_shelf *shelf, struct ap_shelf_draft *draft,
                              int64_t size_bytes, bool whole_pages, const char *name,
                              ap_error *err) {
  struct ap_shelf_answer answer = {0};
  struct ap_shelf_extent wanted = {0, size_bytes};
  bool is_first = draft->link == NULL;
  struct ap_shelf_packet request = {
      .kind = is_first ? AP_SHELF_CREATE : AP_SHELF_EXTEND,
      .flags = whole_pages ? AP_SHELF_FLAG_PAGES : 0,
      .key = draft->key,
      .extents = &wanted,
      .extent_count = 1,
  };
  if (is_first) request.text = ap_text_of(name);
  AP_TRY(ap_shelf_link_ask(shelf->link, &request, true, draft->generation, &answer, err));
  bool fits = answer.packet.extent_count == 1 && answer.extents[0].size >= size_bytes;
  if (fits && is_first) {
    draft->arena = ap_shelf_link_arena(shelf->link, answer.generation);
    fits = draft->arena != NULL;
  }
  if (fits && is_first) {
    ap_shelf_link_retain(shelf->link);
    draft->link = shelf->link;
    draft->generation = answer.generation;
    draft->key = answer.packet.key;
  }
  if (fits) draft->last = (struct ap_shelf_extent){answer.extents[0].offset, size_bytes};
  ap_shelf_answer_deinit(&answer);
  if (fits) return AP_OK;
  return AP_FAIL(err, AP_ABANDONED, "the shelf's server went away while an object was written");
}

char *ap_shelf_draft_memory(const struct ap_shelf_draft *draft) {
  AP_ASSERT(draft->arena != NULL && draft->arena->writable != NULL);
  return (char *)draft->arena->writable + draft->last.offset;
}

ap_status ap_shelf_draft_seal(struct ap_shelf_draft *draft, int64_t block_bytes, int64_t rows,
                              const ap_shelf_put_options *options, bool holds,
                              char out_key[AP_SHELF_KEY_SIZE], ap_error *err) {
  struct ap_shelf_answer answer = {0};
  char text[AP_SHELF_NAME_BYTES_MAX + 1 + AP_SHELF_LABEL_BYTES_MAX + 1];
  size_t name = strlen(options->name);
  size_t labels = strlen(options->labels);
  AP_ASSERT(name <= AP_SHELF_NAME_BYTES_MAX && labels <= AP_SHELF_LABEL_BYTES_MAX);
  memcpy(text, options->name, name + 1);
  memcpy(text + name + 1, options->labels, labels);
  struct ap_shelf_packet request = {
      .kind = AP_SHELF_SEAL,
      .flags = (uint32_t)((options->pinned ? AP_SHELF_FLAG_PINNED : 0) |
                          (holds ? AP_SHELF_FLAG_HOLD : 0)),
      .key = draft->key,
      .a = draft->last.offset + draft->last.size - block_bytes,
      .b = block_bytes,
      .c = rows,
      .text = {text, name + 1 + labels},
  };
  AP_TRY(ap_shelf_link_ask(draft->link, &request, false, draft->generation, &answer, err));
  ap_shelf_key_text(draft->key, out_key);
  ap_shelf_answer_deinit(&answer);
  draft->generation = 0;
  return AP_OK;
}

void ap_shelf_draft_deinit(struct ap_shelf_draft *draft) {
  if (draft->link == NULL) return;
  if (draft->generation != 0) {
    struct ap_shelf_answer answer = {0};
    struct ap_shelf_packet request = {.kind = AP_SHELF_ABANDON, .key = draft->key};
    /* When the server does not hear it, the object goes with the connection. */
    if (ap_shelf_link_ask(draft->link, &request, false, draft->generation, &answer, NULL) ==
        AP_OK) {
      ap_shelf_answer_deinit(&answer);
    }
  }
  ap_shelf_arena_release(draft->arena);
  ap_shelf_link_release(draft->link);
  memset(draft, 0, sizeof *draft);
}

static int64_t extent_bytes_wanted(int64_t extents) {
  int64_t bytes = EXTENT_BYTES_FIRST;
  for (; extents >= EXTENTS_OF_A_SIZE && bytes < EXTENT_BYTES_MAX; extents -= EXTENTS_OF_A_SIZE) {
    bytes *= 2;
  }
  return bytes;
}

/* Plan batches for the next extent. */
static ap_status gather(struct ArrowArrayStream *stream, struct ap_shelf_packer *packer,
                        bool *out_is_last, ap_error *err) {
  int64_t wanted = extent_bytes_wanted(ap_shelf_packer_extents(packer));
  while (ap_shelf_packer_extent_bytes(packer) < wanted) {
    struct ArrowArray batch = {0};
    AP_TRY(ap_stream_next(stream, &batch, err));
    *out_is_last = batch.release == NULL;
    if (*out_is_last) return AP_OK;
    ap_status status = ap_shelf_packer_add(packer, &batch, err);
    ap_array_release(&batch);
    if (status != AP_OK) return status;
  }
  return AP_OK;
}

/* The extent that is planned, with the block behind it when it is the last. */
static ap_status write_extent(ap_shelf *shelf, struct ap_shelf_draft *draft,
                              struct ap_shelf_packer *packer, struct ap_text block,
                              const char *name, ap_error *err) {
  int64_t bytes = ap_shelf_packer_extent_bytes(packer);
  if (block.size > (size_t)INT64_MAX - (size_t)bytes) return AP_FAIL_MEMORY(err);
  AP_TRY(ap_shelf_draft_grow(shelf, draft, bytes + (int64_t)block.size, false, name, err));
  char *memory = ap_shelf_draft_memory(draft);
  bool is_there = ap_shelf_link_touch(shelf->link, draft->arena, draft->last);
  AP_TRY(ap_shelf_packer_copy(packer, memory, is_there, shelf->copy_threads, err));
  if (block.size > 0) memcpy(memory + bytes, block.data, block.size);
  return AP_OK;
}

static ap_status put_batches(ap_shelf *shelf, struct ArrowArrayStream *stream,
                             struct ap_shelf_packer *packer, const ap_shelf_put_options *options,
                             char out_key[AP_SHELF_KEY_SIZE], ap_error *err) {
  struct ap_shelf_draft draft = {0};
  struct ap_buffer block;
  bool is_last = false;
  ap_status status = AP_OK;
  ap_buffer_init(&block, ap_allocator_system());
  while (status == AP_OK && !is_last) {
    status = gather(stream, packer, &is_last, err);
    if (status == AP_OK && is_last) status = ap_shelf_packer_block(packer, &block, err);
    if (status == AP_OK) {
      status = write_extent(shelf, &draft, packer, ap_buffer_text(&block), options->name, err);
    }
  }
  if (status == AP_OK) {
    status = ap_shelf_draft_seal(&draft, (int64_t)block.size, ap_shelf_packer_rows(packer), options,
                                 false, out_key, err);
  }
  ap_shelf_draft_deinit(&draft);
  ap_buffer_deinit(&block);
  return status;
}

ap_status ap_shelf_put(ap_shelf *shelf, struct ArrowArrayStream *stream,
                       const ap_shelf_put_options *options, char out_key[AP_SHELF_KEY_SIZE],
                       ap_error *err) {
  struct ArrowSchema schema = {0};
  struct ap_shelf_packer *packer = NULL;
  ap_shelf_put_options read = AP_SHELF_PUT_OPTIONS_INIT;
  ap_status status = ap_shelf_put_options_read(options, &read, err);
  if (status == AP_OK) status = ap_stream_schema(stream, &schema, err);
  if (status == AP_OK) status = ap_shelf_packer_create(&schema, &packer, err);
  if (status == AP_OK) status = put_batches(shelf, stream, packer, &read, out_key, err);
  ap_shelf_packer_destroy(packer);
  ap_schema_release(&schema);
  ap_stream_release(stream);
  return status;
}
