/* SPDX-License-Identifier: Apache-2.0
 *
 * See write_small.h.
 */
#include "engine/write_small.h"

#include "base/assert.h"
#include "base/limits.h"
#include "cell/parquet.h"

/* Above this the engine's threads gain more than its start costs. */
#define SMALL_BYTES_MAX (32 * AP_MIB)

bool ap_write_is_small(const struct ap_cell_target *target, const struct ap_source *source) {
  if (!source->complete || target->partition_column_count > 0) return false;
  if (source->encoded.release) return false; /* what is at hand has other columns than the schema */
  if (source->peeked_rows == 0 || source->peeked_rows > AP_PARQUET_ROWS_MAX) return false;
  if (source->peeked_bytes > SMALL_BYTES_MAX || source->peeked_bytes > target->target_bytes) {
    return false;
  }
  for (uint32_t i = 0; i < source->peeked_count; i++) {
    const struct ArrowArray *batch = &source->peeked[i];
    if (batch->null_count != 0 && batch->n_buffers > 0 && batch->buffers[0]) return false;
  }
  return ap_parquet_takes(target->physical, &source->schema, source->order);
}

static ap_status describe(const struct ap_cell_target *target, const struct ap_source *source,
                          const struct ap_statistics_text *statistics, struct ap_arena *arena,
                          struct ap_written *written, ap_error *err) {
  struct ap_cell_draft *draft = &written->drafts[0];
  for (uint32_t i = 0; i < target->physical->field_count; i++) {
    written->nulls[i] += statistics[i].null_count;
  }
  written->row_count = source->peeked_rows;
  draft->row_count = source->peeked_rows;
  struct ap_buffer json;
  ap_buffer_init(&json, arena->allocator);
  ap_statistics_append(&json, target->physical, draft->row_count, statistics);
  ap_status status = ap_buffer_check(&json, err);
  char *copy = status == AP_OK ? ap_arena_copy(arena, ap_buffer_text(&json)) : NULL;
  if (status == AP_OK && !copy) status = AP_FAIL_MEMORY(err);
  draft->statistics_json = (struct ap_text){copy, json.size};
  ap_buffer_deinit(&json);
  return status;
}

static ap_status write_file(const struct ap_env *env, uint32_t thread_count,
                            const struct ap_cell_target *target, const struct ap_source *source,
                            struct ap_text path, struct ap_arena *arena,
                            struct ap_statistics_text *statistics, int64_t *out_size,
                            ap_error *err) {
  const struct ap_parquet_rows rows = {.physical = target->physical,
                                       .arrow_schema = &source->schema,
                                       .order = source->order,
                                       .batches = source->peeked,
                                       .batch_count = source->peeked_count,
                                       .threads = env->threads,
                                       .thread_count = thread_count};
  struct ap_buffer file;
  ap_buffer_init(&file, env->allocator);
  ap_status status = ap_parquet_write(&rows, arena, &file, statistics, err);
  if (status != AP_OK) {
    status = ap_error_prefix(err, status, "frame %.*s", AP_TEXT_ARG(target->frame));
  } else {
    status = env->files->create(env->files, path.data, ap_buffer_text(&file), false, err);
  }
  *out_size = (int64_t)file.size;
  ap_buffer_deinit(&file);
  return status;
}

ap_status ap_write_small(const struct ap_env *env, uint32_t thread_count,
                         const struct ap_cell_target *target, const struct ap_source *source,
                         struct ap_text path, struct ap_arena *arena, struct ap_written *written,
                         ap_error *err) {
  AP_ASSERT(ap_write_is_small(target, source));
  AP_ASSERT(written->count == 0);
  struct ap_cell_draft *draft = AP_ARENA_NEW(arena, struct ap_cell_draft);
  struct ap_statistics_text *statistics =
      AP_ARENA_ARRAY(arena, struct ap_statistics_text, target->physical->field_count);
  if (!draft || !statistics) return AP_FAIL_MEMORY(err);
  AP_TRY(write_file(env, thread_count, target, source, path, arena, statistics, &draft->size_bytes,
                    err));
  draft->staged_path = path;
  written->drafts = draft;
  written->count = 1;
  written->capacity = 1;
  return describe(target, source, statistics, arena, written, err);
}
