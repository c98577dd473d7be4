/* SPDX-License-Identifier: Apache-2.0
 *
 * A bed for the engine's tests: an engine over a folder of its own, frames to write and bind, and
 * answers as text. Included by tests only; cmocka reports what fails.
 */
#ifndef AP_TESTING_ENGINE_BED_H
#define AP_TESTING_ENGINE_BED_H

#include "testing/check.h"

#include "engine/engine.h"

#include "base/limits.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct bed {
  char folder[64];
  char scratch[96];
  char staging[96];
  struct ap_engine *engine;
  struct ap_arena arena;
  ap_error err;
};

static inline void bed_open_sized(struct bed *bed, uint32_t chambers, int64_t memory_bytes) {
  memset(bed, 0, sizeof *bed);
  strncpy(bed->folder, "/tmp/ap-engine-XXXXXX", sizeof bed->folder - 1);
  assert_non_null(mkdtemp(bed->folder));
  snprintf(bed->scratch, sizeof bed->scratch, "%s/scratch", bed->folder);
  snprintf(bed->staging, sizeof bed->staging, "%s/staging", bed->folder);
  assert_int_equal(mkdir(bed->staging, 0700), 0);
  const struct ap_engine_options options = {.chambers_max = chambers,
                                            .bees = 2,
                                            .memory_bytes = chambers * memory_bytes,
                                            .scratch_folder = bed->scratch};
  ap_arena_init(&bed->arena, ap_allocator_system());
  check_ok(ap_engine_create(ap_env_system(), &options, &bed->engine, &bed->err), &bed->err);
}

static inline void bed_open(struct bed *bed) {
  bed_open_sized(bed, 2, 512 * AP_MIB);
}

static inline void bed_close(struct bed *bed) {
  ap_engine_destroy(bed->engine);
  ap_arena_deinit(&bed->arena);
  struct ap_files *files = ap_env_system()->files;
  check_ok(ap_files_remove_tree(files, bed->folder, &bed->err), &bed->err);
}

static inline struct ap_chamber *bed_chamber(struct bed *bed) {
  struct ap_chamber *chamber = NULL;
  check_ok(ap_chamber_acquire(bed->engine, 10000, &chamber, &bed->err), &bed->err);
  return chamber;
}

/* One value of a column as text: NULL, numbers, texts. */
static inline void bed_append_value(struct ap_buffer *out, const struct ArrowArrayView *column,
                                    int64_t row) {
  if (ArrowArrayViewIsNull(column, row)) {
    ap_buffer_append_string(out, "NULL");
    return;
  }
  switch (column->storage_type) {
    case NANOARROW_TYPE_STRING:
    case NANOARROW_TYPE_BINARY: {
      struct ArrowStringView text = ArrowArrayViewGetStringUnsafe(column, row);
      ap_buffer_append(out, text.data, (size_t)text.size_bytes);
      break;
    }
    case NANOARROW_TYPE_FLOAT:
    case NANOARROW_TYPE_DOUBLE:
      ap_buffer_append_format(out, "%.17g", ArrowArrayViewGetDoubleUnsafe(column, row));
      break;
    default:
      ap_buffer_append_format(out, "%lld", (long long)ArrowArrayViewGetIntUnsafe(column, row));
      break;
  }
}

/* All rows of a stream: values joined by '|', rows closed by '\n'. Arena memory. */
static inline ap_status bed_read(struct bed *bed, struct ArrowArrayStream *stream,
                                 char **out_text) {
  struct ArrowSchema schema;
  struct ap_buffer text;
  ap_buffer_init(&text, ap_allocator_system());
  check_ok(ap_stream_schema(stream, &schema, &bed->err), &bed->err);
  ap_status status = AP_OK;
  for (;;) {
    struct ArrowArray array;
    status = ap_stream_next(stream, &array, &bed->err);
    if (status != AP_OK || !array.release) break;
    struct ArrowArrayView view;
    assert_int_equal(ArrowArrayViewInitFromSchema(&view, &schema, NULL), NANOARROW_OK);
    assert_int_equal(ArrowArrayViewSetArray(&view, &array, NULL), NANOARROW_OK);
    for (int64_t row = 0; row < array.length; row++) {
      for (int64_t i = 0; i < array.n_children; i++) {
        if (i > 0) ap_buffer_append_string(&text, "|");
        bed_append_value(&text, view.children[i], row);
      }
      ap_buffer_append_string(&text, "\n");
    }
    ArrowArrayViewReset(&view);
    ap_array_release(&array);
  }
  ap_schema_release(&schema);
  ap_stream_release(stream);
  *out_text = ap_arena_copy(&bed->arena, ap_buffer_text(&text));
  ap_buffer_deinit(&text);
  return status;
}

/* The answer of a query in a chamber that is given away. */
static inline char *bed_query_in(struct bed *bed, struct ap_chamber *chamber, const char *sql) {
  struct ArrowArrayStream stream;
  char *text = NULL;
  check_ok(ap_chamber_query(chamber, ap_text_of(sql), NULL, 0, NULL, &stream, &bed->err),
           &bed->err);
  check_ok(bed_read(bed, &stream, &text), &bed->err);
  return text;
}

static inline char *bed_query(struct bed *bed, const char *sql) {
  return bed_query_in(bed, bed_chamber(bed), sql);
}

/* Starts a query that may fail at once or while it is read. */
static inline ap_status bed_try(struct bed *bed, struct ap_chamber *chamber, const char *sql,
                                const struct ap_run_control *control) {
  struct ArrowArrayStream stream;
  char *text = NULL;
  ap_status status =
      ap_chamber_query(chamber, ap_text_of(sql), NULL, 0, control, &stream, &bed->err);
  return status == AP_OK ? bed_read(bed, &stream, &text) : status;
}

/* "name type, name type not null" as a schema. Arena memory. */
static inline struct ap_schema bed_schema(struct bed *bed, const char *const (*columns)[2],
                                          uint32_t count) {
  struct ap_field *fields = AP_ARENA_ARRAY(&bed->arena, struct ap_field, count);
  for (uint32_t i = 0; i < count; i++) {
    fields[i].name = ap_text_of(columns[i][0]);
    check_ok(ap_type_parse(&bed->arena, ap_text_of(columns[i][1]), &fields[i].type,
                           &fields[i].nullable, &bed->err),
             &bed->err);
  }
  return (struct ap_schema){.field_count = count, .fields = fields};
}

/* Entries of a folder, folders included. */
static inline ap_status bed_count_visit(void *context, const char *name, enum ap_file_kind kind,
                                        ap_error *err) {
  (void)name, (void)kind, (void)err;
  ++*(int *)context;
  return AP_OK;
}

static inline int bed_count_files(struct bed *bed, const char *folder) {
  int count = 0;
  struct ap_files *files = ap_env_system()->files;
  check_ok(files->list(files, folder, bed_count_visit, &count, &bed->err), &bed->err);
  return count;
}

/* Rows of a query (in another chamber) as a source stream. */
static inline struct ArrowArrayStream bed_stream(struct bed *bed, const char *sql) {
  struct ArrowArrayStream stream;
  check_ok(ap_chamber_query(bed_chamber(bed), ap_text_of(sql), NULL, 0, NULL, &stream, &bed->err),
           &bed->err);
  return stream;
}

/* A frame below the bed's folder, written to and bound by the tests. */
struct bed_frame {
  struct ap_schema schema;
  struct ap_schema physical;
  uint32_t partition_columns[AP_PARTITION_COLUMNS_MAX];
  uint32_t partition_count;
  uint64_t physical_id; /* of what cells written now carry; changes when the test says so */
  char folder[96];
  struct ap_cell *cells[64];
  uint32_t cell_count;
  int64_t target_bytes;
};

static inline void bed_frame_init(struct bed *bed, struct bed_frame *frame,
                                  const char *const (*columns)[2], uint32_t count) {
  memset(frame, 0, sizeof *frame);
  frame->schema = bed_schema(bed, columns, count);
  frame->physical = frame->schema;
  frame->physical_id = ap_schema_id(&frame->physical);
  frame->target_bytes = 128 * AP_MIB;
  snprintf(frame->folder, sizeof frame->folder, "%s/frame", bed->folder);
  assert_int_equal(mkdir(frame->folder, 0700), 0);
}

static inline void bed_frame_deinit(struct bed_frame *frame) {
  for (uint32_t i = 0; i < frame->cell_count; i++) ap_cell_release(frame->cells[i]);
}

/* Write what the source gives; drafts stay in the staging folder. */
static inline ap_status bed_write(struct bed *bed, const struct bed_frame *frame,
                                  struct ap_cell_source *source, struct ap_cell_draft **out_drafts,
                                  uint32_t *out_count) {
  const struct ap_cell_target target = {
      .frame = AP_TEXT("w.s.orders"),
      .schema = &frame->schema,
      .physical = &frame->physical,
      .partition_columns = frame->partition_columns,
      .partition_column_count = frame->partition_count,
      .staging_folder = bed->staging,
      .target_bytes = frame->target_bytes,
  };
  struct ap_chamber *chamber = bed_chamber(bed);
  ap_status status = ap_chamber_write_cells(chamber, source, &target, NULL, &bed->arena, out_drafts,
                                            out_count, &bed->err);
  ap_chamber_release(chamber);
  return status;
}

/* Move a file to its place in the frame and add it as a cell. own: with our tag. */
static inline void bed_add_cell(struct bed *bed, struct bed_frame *frame, const char *from,
                                struct ap_text path, uint32_t partition_count,
                                const struct ap_partition_value *values, bool own) {
  struct ap_files *files = ap_env_system()->files;
  char *to = ap_arena_format(&bed->arena, "%s/%.*s", frame->folder, AP_TEXT_ARG(path));
  char *folder = ap_arena_copy_string(&bed->arena, to);
  *strrchr(folder, '/') = '\0';
  check_ok(files->make_folders(files, folder, &bed->err), &bed->err);
  check_ok(files->rename(files, from, to, &bed->err), &bed->err);
  const char *tags = ap_arena_format(&bed->arena, "{\"%s\":\"%016llx\"}", AP_CELL_TAG,
                                     (unsigned long long)frame->physical_id);
  struct ap_cell_parts parts = {.path = path,
                                .partition_count = partition_count,
                                .partition_values = values,
                                .tags_json = own ? ap_text_of(tags) : (struct ap_text){0}};
  check_ok(
      ap_cell_create(ap_allocator_system(), &parts, &frame->cells[frame->cell_count++], &bed->err),
      &bed->err);
}

/* Write the rows of a query (as a stream) and add the cells. */
static inline void bed_append(struct bed *bed, struct bed_frame *frame, const char *sql) {
  struct ArrowArrayStream stream = bed_stream(bed, sql);
  struct ap_cell_source source = {.stream = &stream};
  struct ap_cell_draft *drafts = NULL;
  uint32_t count = 0;
  check_ok(bed_write(bed, frame, &source, &drafts, &count), &bed->err);
  for (uint32_t i = 0; i < count; i++) {
    bed_add_cell(bed, frame, drafts[i].staged_path.data, drafts[i].path, drafts[i].partition_count,
                 drafts[i].partition_values, true);
  }
}

static inline struct ap_frame_binding bed_binding(const struct bed_frame *frame) {
  return (struct ap_frame_binding){
      .hive = AP_TEXT("w"),
      .box = AP_TEXT("s"),
      .name = AP_TEXT("orders"),
      .folder = ap_text_of(frame->folder),
      .schema = &frame->schema,
      .physical = &frame->physical,
      .schema_id = ap_schema_id(&frame->schema),
      .physical_schema_id = frame->physical_id,
      .partition_columns = frame->partition_columns,
      .partition_column_count = frame->partition_count,
      .cells = frame->cells,
      .cell_count = frame->cell_count,
  };
}

/* The answer of a query over w.s.orders. */
static inline char *bed_ask(struct bed *bed, const struct bed_frame *frame, const char *sql) {
  struct ap_frame_binding binding = bed_binding(frame);
  struct ap_chamber *chamber = bed_chamber(bed);
  check_ok(ap_chamber_bind_frame(chamber, &binding, &bed->err), &bed->err);
  return bed_query_in(bed, chamber, sql);
}

#endif
