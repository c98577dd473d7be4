/* SPDX-License-Identifier: Apache-2.0
 *
 * Writing cells: check, COPY, read what came of it, check that, name the cells.
 *
 * A small stream becomes one file, its row groups cut so that every thread has one and rows keep
 * their order. What may exceed the target goes into a folder of files that the engine cuts as they
 * grow. Partitions cannot be cut that way, so files that came out too large are cut afterwards.
 * Whatever fails, no file stays.
 */
#include "engine/write.h"

#include "base/assert.h"
#include "base/limits.h"
#include "base/status.h"
#include "engine/convert.h"
#include "engine/source.h"
#include "engine/write_small.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
  GROUP_ROWS = 122880,         /* of a row group, when nothing speaks against it */
  GROUP_ROWS_STEP = 2048,      /* the engine's vectors: groups are multiples of it */
  GROUP_ROWS_PARALLEL = 16384, /* smaller groups are not worth a thread */
  /* A dictionary is given up when more values of a group differ. The engine's own limit, a fifth of
   * the group's rows, has every column of keys or texts hashed for long before it is written plain.
   */
  DICTIONARY_VALUES = 10240,
  DICTIONARY_SHARE = 5,
};

/* Marks the statement's own failures, so that they are told from the engine's. */
#define NULL_MARK "apiary null: "
#define LOSS_MARK "apiary loss: "

struct write {
  struct ap_chamber *chamber;
  const struct ap_cell_target *target;
  const struct ap_run_control *control;
  struct ap_arena *arena;
  struct ap_source source;                    /* of a stream */
  struct ap_schema columns;                   /* of what comes */
  uint32_t *order;                            /* field i is column order[i] of what comes */
  uint32_t *place;                            /* and is called c<place[i]> where it is read */
  struct ap_text query;                       /* empty: a stream */
  int64_t row_bytes;                          /* of the query's rows; 0: unknown */
  bool ordered;                               /* the query's order counts */
  const struct ap_partition_value *partition; /* of all rows; NULL: the engine parts them */
  struct ap_text base;                        /* what COPY writes to: a file, or a folder */
  bool base_is_folder;
  int64_t group_rows;
  struct ap_text field_ids; /* an option of COPY */
  struct ap_written written;
};

static const struct ap_env *env_of(const struct write *write) {
  return write->chamber->engine->env;
}

static bool is_partition_column(const struct ap_cell_target *target, uint32_t field) {
  for (uint32_t i = 0; i < target->partition_column_count; i++) {
    if (target->partition_columns[i] == field) return true;
  }
  return false;
}

/* How many threads it may be written by. */
static uint32_t threads_of(const struct write *write) {
  uint32_t bees = write->chamber->engine->options.bees;
  uint32_t most = write->chamber->wish.bees_max;
  return most > 0 && most < bees ? most : bees;
}

/* Rows of a group that takes about so many bytes. */
static int64_t rows_of_bytes(int64_t row_bytes, int64_t bytes) {
  int64_t rows = bytes / row_bytes / GROUP_ROWS_STEP * GROUP_ROWS_STEP;
  return rows < GROUP_ROWS_STEP ? GROUP_ROWS_STEP : rows;
}

/* Equal groups for rows that are all known: as many as there are threads if they are worth it, more
 * when they would be too large. The engine prepares groups of just its size at once, in parallel
 * and in order. */
static int64_t share_rows(int64_t rows, int64_t threads, int64_t group_rows_max) {
  int64_t groups = rows / GROUP_ROWS_PARALLEL;
  if (groups > threads) groups = threads;
  if (groups < 1) groups = 1;
  int64_t least = (rows + group_rows_max - 1) / group_rows_max;
  if (groups < least) groups = least;
  return (rows + groups - 1) / groups;
}

/* One file or a folder, and how large row groups are: under half the target, so that files are cut
 * in time. */
static ap_status plan_files(struct write *write, ap_error *err) {
  const struct ap_cell_target *target = write->target;
  const struct ap_source *source = &write->source;
  bool small =
      write->query.size == 0 && source->complete && source->peeked_bytes <= target->target_bytes;
  bool parts = target->partition_column_count > 0 && !write->partition;
  /* Only one file keeps the order of rows; it is cut afterwards. */
  write->base_is_folder = parts || (!small && !write->ordered);
  write->group_rows = GROUP_ROWS;
  if (write->query.size == 0 && source->peeked_rows > 0) {
    int64_t row_bytes = source->peeked_bytes / source->peeked_rows + 1;
    int64_t most = rows_of_bytes(row_bytes, target->target_bytes / 2);
    if (write->group_rows > most) write->group_rows = most;
    if (small) {
      write->group_rows = share_rows(source->peeked_rows, threads_of(write), write->group_rows);
    }
  }
  if (write->query.size > 0 && write->row_bytes > 0) {
    int64_t most = rows_of_bytes(write->row_bytes, target->target_bytes / 2);
    if (write->group_rows > most) write->group_rows = most;
  }
  char uuid[AP_UUID_TEXT_SIZE];
  ap_random_uuid(env_of(write)->random, uuid);
  char *base = ap_arena_format(write->arena, "%s/%s%s", target->staging_folder, uuid,
                               write->base_is_folder ? "" : ".parquet");
  if (!base) return AP_FAIL_MEMORY(err);
  write->base = ap_text_of(base);
  return AP_OK;
}

/* error('<mark>frame f: column 'c' <text>') */
static void append_error_call(struct ap_buffer *out, const struct write *write, uint32_t field,
                              const char *mark, const char *text) {
  struct ap_buffer message;
  ap_buffer_init(&message, out->allocator);
  ap_buffer_append_string(&message, mark);
  ap_buffer_append_format(&message, "frame %.*s: column '%.*s' %s",
                          AP_TEXT_ARG(write->target->frame),
                          AP_TEXT_ARG(write->target->schema->fields[field].name), text);
  ap_buffer_append_string(out, "error(");
  ap_buffer_append_literal(out, ap_buffer_text(&message));
  ap_buffer_append_string(out, ")");
  out->failed |= message.failed;
  ap_buffer_deinit(&message);
}

/* Statistics count nulls of plain columns only; the others are looked at while they are written. */
static bool must_look_for_nulls(const struct ap_field *field) {
  return field->type.field_count > 0 &&
         (!field->nullable || ap_type_has_strict_parts(&field->type));
}

static void append_null_look(struct ap_buffer *out, const struct write *write, uint32_t i,
                             const struct ap_conversion *conversion, struct ap_text expression) {
  const struct ap_field *field = &write->target->schema->fields[i];
  ap_buffer_append_string(out, "CASE WHEN ");
  ap_buffer_append_text(out, field->nullable ? AP_TEXT("false") : expression);
  if (!field->nullable) ap_buffer_append_string(out, " IS NULL");
  ap_buffer_append_string(out, " THEN ");
  append_error_call(out, write, i, NULL_MARK, "must not be null, but some rows are");
  if (ap_type_has_strict_parts(&field->type) && conversion->from->kind != AP_TYPE_NULL) {
    ap_buffer_append_string(out, " WHEN ");
    ap_conversion_append_null_check(out, conversion, expression);
    ap_buffer_append_string(out, " THEN ");
    append_error_call(out, write, i, NULL_MARK, "has a part that must not be null, but is");
  }
  ap_buffer_append_string(out, " ELSE ");
}

void ap_write_append_loss(struct ap_buffer *out, const struct ap_cell_target *target,
                          uint32_t field) {
  ap_buffer_append_format(
      out,
      LOSS_MARK "frame %.*s: column '%.*s' keeps microseconds, but some values have nanoseconds",
      AP_TEXT_ARG(target->frame), AP_TEXT_ARG(target->schema->fields[field].name));
}

/* What the column is called where the rows are read from; under rules its own name. */
static void append_source_name(struct ap_buffer *out, const struct write *write, uint32_t i) {
  if (write->target->rules) {
    ap_buffer_append_identifier(out, write->target->schema->fields[i].name);
  } else {
    ap_buffer_append_format(out, "c%u", write->place[i]);
  }
}

static void append_column(struct ap_buffer *out, const struct write *write, uint32_t i) {
  const struct ap_cell_target *target = write->target;
  const struct ap_field *field = &target->schema->fields[i];
  struct ap_buffer complaint;
  struct ap_buffer name;
  ap_buffer_init(&complaint, out->allocator);
  ap_buffer_init(&name, out->allocator);
  ap_write_append_loss(&complaint, target, i);
  append_source_name(&name, write, i);
  struct ap_conversion conversion = {
      .from = target->rules ? &field->type : &write->columns.fields[write->order[i]].type,
      .match = &field->type,
      /* partition columns are written as texts of the type that the frame shows */
      .to = is_partition_column(target, i) ? &field->type : &target->physical->fields[i].type,
      .times_are_integers = write->query.size == 0 && !target->rules,
      .complaint = ap_buffer_text(&complaint),
  };
  struct ap_text expression = ap_buffer_text(&name);
  bool look = must_look_for_nulls(field);
  if (look) append_null_look(out, write, i, &conversion, expression);
  if (field->type.field_count == 0 && ap_conversion_is_nothing(&conversion)) {
    ap_buffer_append_text(out, expression);
  } else {
    ap_conversion_append(out, &conversion, expression);
  }
  if (look) ap_buffer_append_string(out, " END");
  ap_buffer_append_string(out, " AS ");
  ap_buffer_append_identifier(out, target->physical->fields[i].name);
  out->failed |= complaint.failed || name.failed;
  ap_buffer_deinit(&name);
  ap_buffer_deinit(&complaint);
}

static void append_source(struct ap_buffer *out, const struct write *write) {
  ap_buffer_append_string(out, " FROM ");
  if (write->query.size == 0) {
    ap_buffer_append_string(out, "_ap.main.ap_source");
    return;
  }
  ap_buffer_append_string(out, "(");
  ap_buffer_append_text(out, write->query);
  ap_buffer_append_string(out, "\n) AS ap_rows(");
  for (uint32_t i = 0; i < write->columns.field_count; i++) {
    ap_buffer_append_format(out, i > 0 ? ", c%u" : "c%u", i);
  }
  ap_buffer_append_string(out, ")");
}

static void append_from(struct ap_buffer *out, const struct write *write) {
  if (!write->target->rules) {
    append_source(out, write);
    return;
  }
  const struct ap_ruled_rows rows = {.target = write->target,
                                     .columns = &write->columns,
                                     .order = write->order,
                                     .place = write->place,
                                     .is_query = write->query.size > 0};
  struct ap_buffer source;
  ap_buffer_init(&source, out->allocator);
  append_source(&source, write);
  ap_buffer_append_string(out, " FROM ");
  ap_write_append_ruled(out, &rows, ap_buffer_text(&source));
  ap_write_append_checks(out, &rows);
  out->failed |= source.failed;
  ap_buffer_deinit(&source);
}

/* Of Bloom filters over such columns the engine asks for 0.0 where -0.0 is meant too, for one NaN
 * of many, and for the text of bytes: rows would not be found. Without these a file has none. */
static bool misleads_filters(const struct ap_schema *physical) {
  for (uint32_t i = 0; i < physical->field_count; i++) {
    enum ap_type_kind kind = physical->fields[i].type.kind;
    bool misleads = kind == AP_TYPE_FLOAT32 || kind == AP_TYPE_FLOAT64 || kind == AP_TYPE_BINARY;
    if (misleads) return true;
  }
  return false;
}

/* What every file is written with; the parenthesis stays open. */
static void append_format(struct ap_buffer *out, const struct write *write) {
  int64_t values = write->group_rows / DICTIONARY_SHARE;
  if (values > DICTIONARY_VALUES) values = DICTIONARY_VALUES;
  if (values < 1) values = 1;
  ap_buffer_append_format(out,
                          " (FORMAT parquet, COMPRESSION lz4_raw, RETURN_STATS true,"
                          " ROW_GROUP_SIZE %lld, DICTIONARY_SIZE_LIMIT %lld",
                          (long long)write->group_rows, (long long)values);
  if (misleads_filters(write->target->physical)) {
    ap_buffer_append_string(out, ", WRITE_BLOOM_FILTER false");
  }
}

static void append_options(struct ap_buffer *out, const struct write *write) {
  const struct ap_cell_target *target = write->target;
  append_format(out, write);
  if (target->partition_column_count > 0 && !write->partition) {
    ap_buffer_append_string(out, ", PARTITION_BY (");
    for (uint32_t i = 0; i < target->partition_column_count; i++) {
      if (i > 0) ap_buffer_append_string(out, ", ");
      ap_buffer_append_identifier(out, target->physical->fields[target->partition_columns[i]].name);
    }
    ap_buffer_append_string(out, ")");
    /* A file must have a column. */
    if (target->partition_column_count == target->schema->field_count) {
      ap_buffer_append_string(out, ", WRITE_PARTITION_COLUMNS true");
    }
  } else if (write->base_is_folder) {
    ap_buffer_append_format(out, ", FILE_SIZE_BYTES %lld", (long long)target->target_bytes);
  }
  ap_buffer_append_text(out, write->field_ids);
  ap_buffer_append_string(out, ")");
}

/* Failures that the statement itself raised carry their code as a mark. */
static ap_status unmark(ap_status status, ap_error *failure, ap_error *err) {
  static const struct {
    const char *mark;
    ap_status code;
  } marks[] = {{NULL_MARK, AP_NULL_VIOLATION},
               {LOSS_MARK, AP_SCHEMA_MISMATCH},
               {AP_CHECK_MARK, AP_CHECK_VIOLATION}};
  for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
    size_t size = strlen(marks[i].mark);
    if (strncmp(failure->message, marks[i].mark, size) != 0) continue;
    return AP_FAIL(err, marks[i].code, "%s", failure->message + size);
  }
  if (err) *err = *failure;
  return status;
}

static ap_status copy(struct write *write, struct ap_text sql, ap_error *err) {
  ap_error failure = {0};
  duckdb_result result = {0};
  ap_status status =
      ap_chamber_run_controlled(write->chamber, sql.data, write->control, &result, &failure);
  if (status != AP_OK) {
    const ap_error *of_stream = &write->source.error;
    if (write->query.size == 0 && of_stream->code != AP_OK) {
      if (err) *err = *of_stream;
      return of_stream->code;
    }
    status = unmark(status, &failure, err);
    if (status == AP_QUERY && write->target->rules) {
      status = ap_error_prefix(err, status,
                               "frame %.*s: a constraint, default or generated column cannot be "
                               "evaluated here",
                               AP_TEXT_ARG(write->target->frame));
    }
    if (status == AP_MEMORY_EXCEEDED && write->target->partition_column_count > 0) {
      ap_error_hint(err,
                    "partition by columns with fewer values, write less at once, or give the "
                    "bees more memory");
    }
    return status;
  }
  status =
      ap_written_read(write->chamber, write->target, &result, write->arena, &write->written, err);
  duckdb_destroy_result(&result);
  return status;
}

/* The same for files that do not say their partition, which is this one. */
static ap_status copy_into(struct write *write, struct ap_text sql, uint32_t partition_count,
                           const struct ap_partition_value *partition, ap_error *err) {
  const struct ap_cell_target *target = write->target;
  struct ap_cell_target plain = *target;
  uint32_t before = write->written.count;
  plain.partition_column_count = 0;
  write->target = &plain;
  ap_status status = copy(write, sql, err);
  write->target = target;
  for (uint32_t i = before; i < write->written.count; i++) {
    write->written.drafts[i].partition_count = partition_count;
    write->written.drafts[i].partition_values = partition;
  }
  return status;
}

static ap_status write_all(struct write *write, ap_error *err) {
  struct ap_buffer sql;
  ap_buffer_init(&sql, env_of(write)->allocator);
  ap_buffer_append_string(&sql, "COPY (SELECT ");
  bool first = true;
  for (uint32_t i = 0; i < write->target->schema->field_count; i++) {
    if (write->partition && is_partition_column(write->target, i)) continue;
    if (!first) ap_buffer_append_string(&sql, ", ");
    append_column(&sql, write, i);
    first = false;
  }
  append_from(&sql, write);
  ap_buffer_append_string(&sql, ") TO ");
  ap_buffer_append_literal(&sql, write->base);
  append_options(&sql, write);
  ap_status status = ap_buffer_check(&sql, err);
  if (status == AP_OK && write->partition) {
    status = copy_into(write, ap_buffer_text(&sql), write->target->partition_column_count,
                       write->partition, err);
  } else if (status == AP_OK) {
    status = copy(write, ap_buffer_text(&sql), err);
  }
  ap_buffer_deinit(&sql);
  return status;
}

/* Nulls where none may be, by the engine's own count. */
static ap_status check_nulls(const struct write *write, ap_error *err) {
  const struct ap_cell_target *target = write->target;
  for (uint32_t i = 0; i < target->schema->field_count; i++) {
    const struct ap_field *field = &target->schema->fields[i];
    if (field->nullable || write->written.nulls[i] == 0) continue;
    return AP_FAIL(err, AP_NULL_VIOLATION,
                   "frame %.*s: column '%.*s' must not be null, but %lld of %lld rows are",
                   AP_TEXT_ARG(target->frame), AP_TEXT_ARG(field->name),
                   (long long)write->written.nulls[i], (long long)write->written.row_count);
  }
  return AP_OK;
}

static int compare_texts(const void *a, const void *b) {
  return ap_text_compare(*(const struct ap_text *)a, *(const struct ap_text *)b);
}

/* Files of one partition share a folder. */
static ap_status check_partition_count(const struct write *write, ap_error *err) {
  const struct ap_written *written = &write->written;
  if (written->count <= AP_PARTITIONS_MAX || write->target->partition_column_count == 0) {
    return AP_OK;
  }
  struct ap_text *folders = AP_ARENA_ARRAY(write->arena, struct ap_text, written->count);
  if (!folders) return AP_FAIL_MEMORY(err);
  for (uint32_t i = 0; i < written->count; i++) {
    folders[i] = written->drafts[i].staged_path;
    while (folders[i].data[folders[i].size - 1] != '/') folders[i].size--;
  }
  qsort(folders, written->count, sizeof *folders, compare_texts);
  uint32_t partitions = 1;
  for (uint32_t i = 1; i < written->count; i++) {
    if (!ap_text_equal(folders[i - 1], folders[i])) partitions++;
  }
  if (partitions <= AP_PARTITIONS_MAX) return AP_OK;
  (void)AP_FAIL(err, AP_INVALID_ARGUMENT, "frame %.*s: %u partitions in one write; the most is %d",
                AP_TEXT_ARG(write->target->frame), partitions, AP_PARTITIONS_MAX);
  ap_error_hint(err, "partition by a column with fewer values");
  return AP_INVALID_ARGUMENT;
}

/* Give a file its last name in the staging folder and its place in the frame. */
static ap_status name_cell(struct write *write, struct ap_cell_draft *draft, ap_error *err) {
  const struct ap_cell_target *target = write->target;
  char uuid[AP_UUID_TEXT_SIZE];
  ap_random_uuid(env_of(write)->random, uuid);
  struct ap_text names[AP_PARTITION_COLUMNS_MAX];
  AP_ASSERT(target->partition_column_count <= AP_PARTITION_COLUMNS_MAX);
  for (uint32_t i = 0; i < target->partition_column_count; i++) {
    names[i] = target->physical->fields[target->partition_columns[i]].name;
  }
  struct ap_buffer path;
  ap_buffer_init(&path, env_of(write)->allocator);
  ap_partition_path_append(&path, names, draft->partition_values, draft->partition_count);
  ap_buffer_append_format(&path, "cell-%s.parquet", uuid);
  ap_status status = ap_buffer_check(&path, err);
  char *relative = status == AP_OK ? ap_arena_copy(write->arena, ap_buffer_text(&path)) : NULL;
  draft->path = (struct ap_text){relative, path.size};
  ap_buffer_deinit(&path);
  if (!relative) return status == AP_OK ? AP_FAIL_MEMORY(err) : status;
  if (!write->base_is_folder) return AP_OK;
  char *staged = ap_arena_format(write->arena, "%s/%s.parquet", target->staging_folder, uuid);
  if (!staged) return AP_FAIL_MEMORY(err);
  struct ap_files *files = env_of(write)->files;
  AP_TRY(files->rename(files, draft->staged_path.data, staged, err));
  draft->staged_path = ap_text_of(staged);
  return AP_OK;
}

/* Write rows [first, first + count) of a file as a file of its own. */
static ap_status write_piece(struct write *write, const struct ap_cell_draft *whole, int64_t first,
                             int64_t count, ap_error *err) {
  char uuid[AP_UUID_TEXT_SIZE];
  ap_random_uuid(env_of(write)->random, uuid);
  struct ap_buffer sql;
  ap_buffer_init(&sql, env_of(write)->allocator);
  ap_buffer_append_string(&sql,
                          "COPY (SELECT * EXCLUDE (ap_number) FROM (SELECT *, "
                          "file_row_number AS ap_number FROM read_parquet(");
  ap_buffer_append_literal(&sql, whole->staged_path);
  ap_buffer_append_format(&sql,
                          ", hive_partitioning = false)) WHERE ap_number >= %lld AND ap_number < "
                          "%lld) TO ",
                          (long long)first, (long long)(first + count));
  struct ap_buffer path;
  ap_buffer_init(&path, env_of(write)->allocator);
  ap_buffer_append_format(&path, "%s/%s.parquet", write->target->staging_folder, uuid);
  ap_buffer_append_literal(&sql, ap_buffer_text(&path));
  append_format(&sql, write);
  ap_buffer_append_text(&sql, write->field_ids);
  ap_buffer_append_string(&sql, ")");
  sql.failed |= path.failed;
  ap_status status = ap_buffer_check(&sql, err);
  if (status == AP_OK) {
    status = copy_into(write, ap_buffer_text(&sql), whole->partition_count, whole->partition_values,
                       err);
  }
  if (status != AP_OK && path.data) {
    struct ap_files *files = env_of(write)->files;
    (void)!files->remove_file(files, path.data, NULL);
  }
  ap_buffer_deinit(&path);
  ap_buffer_deinit(&sql);
  return status;
}

/* Cut draft `index` into pieces of about the target; they come last in the list. */
static ap_status cut(struct write *write, uint32_t index, ap_error *err) {
  const struct ap_cell_draft whole = write->written.drafts[index];
  int64_t target_bytes = write->target->target_bytes;
  int64_t pieces = (whole.size_bytes + target_bytes - 1) / target_bytes;
  if (pieces > whole.row_count) pieces = whole.row_count;
  int64_t rows = (whole.row_count + pieces - 1) / pieces;
  for (int64_t first = 0; first < whole.row_count; first += rows) {
    AP_TRY(write_piece(write, &whole, first, rows, err));
  }
  struct ap_files *files = env_of(write)->files;
  AP_TRY(files->remove_file(files, whole.staged_path.data, err));
  write->written.drafts[index] = write->written.drafts[--write->written.count];
  return AP_OK;
}

/* Pieces may be too large again where rows differ much; a single row stays as it is. */
static ap_status cut_oversized(struct write *write, ap_error *err) {
  uint32_t i = 0;
  while (i < write->written.count) {
    const struct ap_cell_draft *draft = &write->written.drafts[i];
    if (draft->size_bytes > 2 * write->target->target_bytes && draft->row_count > 1) {
      AP_TRY(cut(write, i, err));
    } else {
      i++;
    }
  }
  return AP_OK;
}

/* An input without rows still makes a file. */
static ap_status drop_empty(struct write *write, ap_error *err) {
  struct ap_files *files = env_of(write)->files;
  uint32_t kept = 0;
  for (uint32_t i = 0; i < write->written.count; i++) {
    if (write->written.drafts[i].row_count == 0) {
      AP_TRY(files->remove_file(files, write->written.drafts[i].staged_path.data, err));
    } else {
      write->written.drafts[kept++] = write->written.drafts[i];
    }
  }
  write->written.count = kept;
  return AP_OK;
}

static ap_status finish(struct write *write, ap_error *err) {
  AP_TRY(check_nulls(write, err));
  AP_TRY(check_partition_count(write, err));
  AP_TRY(drop_empty(write, err));
  AP_TRY(cut_oversized(write, err));
  for (uint32_t i = 0; i < write->written.count; i++) {
    AP_TRY(name_cell(write, &write->written.drafts[i], err));
  }
  if (!write->base_is_folder) return AP_OK;
  return ap_files_remove_tree(env_of(write)->files, write->base.data, err);
}

/* Nothing stays of a write that failed. */
static void remove_all(struct write *write) {
  struct ap_files *files = env_of(write)->files;
  for (uint32_t i = 0; i < write->written.count; i++) {
    (void)!files->remove_file(files, write->written.drafts[i].staged_path.data, NULL);
  }
  if (write->base.size == 0) return;
  if (write->base_is_folder) {
    (void)!ap_files_remove_tree(files, write->base.data, NULL);
  } else {
    (void)!files->remove_file(files, write->base.data, NULL);
  }
}

/* The query without what may close it, so that it can stand in parentheses. */
static struct ap_text trim_query(struct ap_text query) {
  while (query.size > 0 && strchr("; \t\r\n", query.data[query.size - 1])) query.size--;
  return query;
}

/* Learn the columns of what comes and hold them against the frame. */
static ap_status check_source(struct write *write, const struct ap_cell_source *source,
                              ap_error *err) {
  ap_status status;
  if (source->stream) {
    AP_TRY(ap_source_open(&write->source, env_of(write)->allocator, source->stream, err));
    status = ap_schema_from_arrow(write->arena, &write->source.schema, &write->columns, err);
  } else {
    write->query = trim_query(source->query);
    write->row_bytes = source->row_bytes;
    write->ordered = source->ordered;
    write->partition = source->partition;
    AP_TRY(ap_chamber_check_statement(write->query, err));
    status = ap_chamber_describe(write->chamber, write->query, write->arena, &write->columns, err);
  }
  if (status == AP_QUERY) return status; /* about the query, not the frame */
  if (status != AP_OK) {
    return ap_error_prefix(err, status, "frame %.*s", AP_TEXT_ARG(write->target->frame));
  }
  return ap_write_check(write->target, &write->columns, write->arena, &write->order, err);
}

/* Look ahead far enough to know whether one file will hold it all. */
static ap_status prepare_source(struct write *write, ap_error *err) {
  write->place = write->order;
  if (write->query.size > 0) return AP_OK;
  write->place = AP_ARENA_ARRAY(write->arena, uint32_t, write->target->schema->field_count);
  if (!write->place) return AP_FAIL_MEMORY(err);
  uint32_t count = 0;
  uint32_t *present = AP_ARENA_ARRAY(write->arena, uint32_t, write->target->schema->field_count);
  if (!present) return AP_FAIL_MEMORY(err);
  for (uint32_t i = 0; i < write->target->schema->field_count; i++) {
    if (write->order[i] == AP_COLUMN_MISSING) continue;
    write->place[i] = count;
    present[count++] = write->order[i];
  }
  ap_status status = ap_source_arrange(&write->source, present, count, err);
  if (status != AP_OK) {
    return ap_error_prefix(err, status, "frame %.*s", AP_TEXT_ARG(write->target->frame));
  }
  return ap_source_peek(&write->source, write->target->target_bytes, err);
}

static ap_status run(struct write *write, const struct ap_cell_source *source, ap_error *err) {
  AP_TRY(check_source(write, source, err));
  AP_TRY(prepare_source(write, err));
  if (!source->query.size && write->source.complete && write->source.peeked_rows == 0) {
    return AP_OK;
  }
  write->written.nulls = AP_ARENA_ARRAY(write->arena, int64_t, write->target->schema->field_count);
  if (!write->written.nulls) return AP_FAIL_MEMORY(err);
  AP_TRY(plan_files(write, err));
  AP_TRY(ap_write_field_ids(write->target, write->arena, &write->field_ids, err));
  if (source->stream && !write->target->rules && ap_write_is_small(write->target, &write->source)) {
    AP_TRY(ap_write_small(env_of(write), threads_of(write), write->target, &write->source,
                          write->base, write->arena, &write->written, err));
    return finish(write, err);
  }
  /* A write in the engine is no small work. */
  struct ap_chamber *same = write->chamber;
  const struct ap_chamber_request all = {.work = AP_WORK_WRITE,
                                         .bees_max = same->wish.bees_max,
                                         .memory_max_bytes = same->wish.memory_max_bytes};
  AP_TRY(ap_chamber_claim(&same, &all, err));
  if (source->stream) {
    write->source.slice_rows = write->group_rows;
    /* it knows of columns by their number, which rules change */
    write->written.source = write->target->rules ? NULL : &write->source;
    AP_TRY(ap_chamber_set_source(write->chamber, &write->source, err));
  }
  AP_TRY(write_all(write, err));
  return finish(write, err);
}

ap_status ap_chamber_write_cells(struct ap_chamber *chamber, const struct ap_cell_source *source,
                                 const struct ap_cell_target *target,
                                 const struct ap_run_control *control, struct ap_arena *arena,
                                 struct ap_cell_draft **out_drafts, uint32_t *out_count,
                                 ap_error *err) {
  AP_ASSERT(target->target_bytes > 0 && target->staging_folder[0] == '/');
  AP_ASSERT(!chamber->source);
  struct write write = {.chamber = chamber, .target = target, .control = control, .arena = arena};
  ap_status status = run(&write, source, err);
  chamber->source = NULL;
  ap_source_close(&write.source);
  if (source->stream) ap_stream_release(source->stream);
  if (status != AP_OK) {
    remove_all(&write);
    return status;
  }
  *out_drafts = write.written.drafts;
  *out_count = write.written.count;
  return AP_OK;
}
