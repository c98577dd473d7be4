/* SPDX-License-Identifier: Apache-2.0
 *
 * See files_found.h.
 */
#include "execute/files_found.h"

#include "base/assert.h"
#include "base/limits.h"

#include <nanoarrow/nanoarrow.h>
#include <stdlib.h>
#include <string.h>

struct finder {
  struct ap_node *node;
  const struct ap_find_request *request;
  struct ap_arena *arena;
  enum ap_file_format wanted; /* UNKNOWN: whatever comes first decides */
  struct ap_text *paths;
  uint32_t count;
  uint32_t capacity;
  uint32_t depth;
};

static const struct {
  const char *ending;
  enum ap_file_format format;
} endings[] = {
    {".csv", AP_FORMAT_CSV},        {".tsv", AP_FORMAT_CSV},       {".csv.gz", AP_FORMAT_CSV},
    {".tsv.gz", AP_FORMAT_CSV},     {".csv.zst", AP_FORMAT_CSV},   {".json", AP_FORMAT_JSON},
    {".jsonl", AP_FORMAT_JSON},     {".ndjson", AP_FORMAT_JSON},   {".json.gz", AP_FORMAT_JSON},
    {".ndjson.gz", AP_FORMAT_JSON}, {".jsonl.gz", AP_FORMAT_JSON}, {".parquet", AP_FORMAT_PARQUET},
    {".pq", AP_FORMAT_PARQUET},     {".arrow", AP_FORMAT_ARROW},   {".arrows", AP_FORMAT_ARROW},
    {".ipc", AP_FORMAT_ARROW},      {".feather", AP_FORMAT_ARROW},
};

enum ap_file_format ap_format_of_path(struct ap_text path) {
  for (size_t i = 0; i < sizeof endings / sizeof endings[0]; ++i) {
    struct ap_text ending = ap_text_of(endings[i].ending);
    if (path.size <= ending.size) continue;
    struct ap_text tail = {path.data + path.size - ending.size, ending.size};
    if (ap_text_equal_ignoring_case(tail, ending)) return endings[i].format;
  }
  return AP_FORMAT_UNKNOWN;
}

enum ap_file_format ap_format_of_word(struct ap_text word) {
  if (ap_text_equal_ignoring_case(word, AP_TEXT("csv"))) return AP_FORMAT_CSV;
  if (ap_text_equal_ignoring_case(word, AP_TEXT("json"))) return AP_FORMAT_JSON;
  if (ap_text_equal_ignoring_case(word, AP_TEXT("parquet"))) return AP_FORMAT_PARQUET;
  if (ap_text_equal_ignoring_case(word, AP_TEXT("arrow"))) return AP_FORMAT_ARROW;
  return AP_FORMAT_UNKNOWN;
}

static ap_status add_path(struct finder *finder, struct ap_text path, ap_error *err) {
  if (finder->count == AP_IMPORT_FILES_MAX) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "more than %d files in one import",
                   AP_IMPORT_FILES_MAX);
  }
  if (finder->count == finder->capacity) {
    uint32_t capacity = finder->capacity == 0 ? 16 : finder->capacity * 2;
    struct ap_text *paths = AP_ARENA_ARRAY(finder->arena, struct ap_text, capacity);
    if (paths == NULL) return AP_FAIL_MEMORY(err);
    if (finder->count > 0) memcpy(paths, finder->paths, finder->count * sizeof *paths);
    finder->paths = paths;
    finder->capacity = capacity;
  }
  const char *copy = ap_arena_copy(finder->arena, path);
  if (copy == NULL) return AP_FAIL_MEMORY(err);
  finder->paths[finder->count++] = (struct ap_text){copy, path.size};
  return AP_OK;
}

/* ---- folders --------------------------------------------------------------------------------- */

struct folder_visit {
  struct finder *finder;
  const char *folder;
};

static ap_status find_in_folder(struct finder *finder, const char *folder, ap_error *err);

/* The files of a Delta table hold rows that were removed, and lack the partition columns. */
static ap_status check_no_delta_table(struct finder *finder, const char *folder, ap_error *err) {
  struct ap_files *files = ap_node_env(finder->node)->files;
  struct ap_file_info info;
  const char *path = ap_arena_format(finder->arena, "%s/_delta_log", folder);
  if (path == NULL) return AP_FAIL_MEMORY(err);
  if (files->info(files, path, &info, NULL) != AP_OK) return AP_OK;
  ap_status status = AP_FAIL(err, AP_UNSUPPORTED,
                             "folder '%s' is a Delta table: its files are not its rows", folder);
  ap_error_hint(err, "attach it as a frame, below the storage root");
  return status;
}

/* Its files lack the column, which would be lost. */
static ap_status fail_partition(const char *folder, const char *name, ap_error *err) {
  ap_status status = AP_FAIL(err, AP_UNSUPPORTED,
                             "folder '%s/%s' holds a column's value in its name, which an import "
                             "does not read",
                             folder, name);
  ap_error_hint(err,
                "export \"FROM read_parquet('%s/**/*.parquet', hive_partitioning = true)\" to one "
                "file and import that; or name the files by a pattern, to do without the column",
                folder);
  return status;
}

static ap_status visit_name(void *context, const char *name, enum ap_file_kind kind,
                            ap_error *err) {
  const struct folder_visit *visit = context;
  struct finder *finder = visit->finder;
  if (name[0] == '.' || name[0] == '_') return AP_OK;
  if (kind == AP_FILE_FOLDER && strchr(name, '=') != NULL) {
    return fail_partition(visit->folder, name, err);
  }
  char *path = ap_arena_format(finder->arena, "%s/%s", visit->folder, name);
  if (path == NULL) return AP_FAIL_MEMORY(err);
  if (kind == AP_FILE_FOLDER) return find_in_folder(finder, path, err);
  enum ap_file_format format = ap_format_of_path(ap_text_of(path));
  if (format == AP_FORMAT_UNKNOWN) return AP_OK;
  if (finder->wanted != AP_FORMAT_UNKNOWN && format != finder->wanted) return AP_OK;
  return add_path(finder, ap_text_of(path), err);
}

static ap_status find_in_folder(struct finder *finder, const char *folder, ap_error *err) {
  struct ap_files *files = ap_node_env(finder->node)->files;
  struct folder_visit visit = {finder, folder};
  if (finder->depth == AP_FOLDER_DEPTH_MAX) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "folder %s lies more than %d levels deep", folder,
                   AP_FOLDER_DEPTH_MAX);
  }
  AP_TRY(check_no_delta_table(finder, folder, err));
  finder->depth += 1;
  ap_status status = files->list(files, folder, visit_name, &visit, err);
  finder->depth -= 1;
  return status;
}

/* ---- globs ----------------------------------------------------------------------------------- */

static ap_status add_batch(struct finder *finder, const struct ArrowSchema *schema,
                           const struct ArrowArray *array, ap_error *err) {
  struct ArrowArrayView view;
  struct ArrowError reason;
  if (ArrowArrayViewInitFromSchema(&view, schema, &reason) != NANOARROW_OK) {
    return AP_FAIL_MEMORY(err);
  }
  ap_status status = AP_OK;
  if (ArrowArrayViewSetArray(&view, array, &reason) != NANOARROW_OK) {
    status = AP_FAIL(err, AP_INTERNAL, "list of files: %s", reason.message);
  }
  for (int64_t i = 0; status == AP_OK && i < array->length; ++i) {
    struct ArrowStringView text = ArrowArrayViewGetStringUnsafe(view.children[0], i);
    status = add_path(finder, (struct ap_text){text.data, (size_t)text.size_bytes}, err);
  }
  ArrowArrayViewReset(&view);
  return status;
}

static ap_status read_paths(struct finder *finder, struct ArrowArrayStream *stream, ap_error *err) {
  struct ArrowSchema schema = {0};
  struct ArrowArray array = {0};
  ap_status status = ap_stream_schema(stream, &schema, err);
  while (status == AP_OK) {
    status = ap_stream_next(stream, &array, err);
    if (status != AP_OK || array.release == NULL) break;
    status = add_batch(finder, &schema, &array, err);
    ap_array_release(&array);
  }
  ap_schema_release(&schema);
  return status;
}

static ap_status find_by_glob(struct finder *finder, const char *pattern, ap_error *err) {
  struct ap_chamber *chamber = NULL;
  struct ArrowArrayStream stream = {0};
  const struct ap_parameter parameter = {.kind = AP_PARAMETER_TEXT, .text = ap_text_of(pattern)};
  AP_TRY(ap_bee_admit(finder->node, finder->request->account, AP_WORK_WRITE,
                      finder->request->control, &chamber, err));
  AP_TRY(ap_chamber_query(chamber, AP_TEXT("SELECT file FROM glob($1) ORDER BY file"), &parameter,
                          1, finder->request->control, &stream, err));
  ap_status status = read_paths(finder, &stream, err);
  ap_stream_release(&stream);
  return status;
}

/* ---- all together ---------------------------------------------------------------------------- */

static int compare_paths(const void *a, const void *b) {
  return ap_text_compare(*(const struct ap_text *)a, *(const struct ap_text *)b);
}

static ap_status find_path(struct finder *finder, const char *path, ap_error *err) {
  struct ap_files *files = ap_node_env(finder->node)->files;
  struct ap_file_info info;
  uint32_t before = finder->count;
  ap_status status = files->info(files, path, &info, NULL);
  if (status == AP_OK && info.kind != AP_FILE_FOLDER) {
    return add_path(finder, ap_text_of(path), err);
  }
  if (status == AP_OK) {
    AP_TRY(find_in_folder(finder, path, err));
    if (finder->count > before) {
      qsort(finder->paths + before, finder->count - before, sizeof *finder->paths, compare_paths);
    }
  } else {
    AP_TRY(find_by_glob(finder, path, err));
  }
  if (finder->count > before) return AP_OK;
  status = AP_FAIL(err, AP_NOT_FOUND,
                   "'%s' is no file, no folder with files to import, and no "
                   "pattern that matches any",
                   path);
  ap_error_hint(err,
                "files are known by their endings: csv, tsv, json, jsonl, ndjson, parquet, "
                "arrow; name the format when the ending does not");
  return status;
}

static ap_status agree_on_format(struct finder *finder, struct ap_found_files *out_files,
                                 ap_error *err) {
  enum ap_file_format format = finder->wanted;
  for (uint32_t i = 0; finder->wanted == AP_FORMAT_UNKNOWN && i < finder->count; ++i) {
    enum ap_file_format here = ap_format_of_path(finder->paths[i]);
    if (here == AP_FORMAT_UNKNOWN || (format != AP_FORMAT_UNKNOWN && here != format)) {
      ap_status status =
          AP_FAIL(err, AP_INVALID_ARGUMENT, "'%s' %s", finder->paths[i].data,
                  here == AP_FORMAT_UNKNOWN ? "has an ending that tells no format"
                                            : "is of another format than the files before it");
      ap_error_hint(err, "name the format: csv, json, parquet or arrow");
      return status;
    }
    format = here;
  }
  *out_files = (struct ap_found_files){finder->paths, finder->count, format};
  return AP_OK;
}

ap_status ap_find_files(struct ap_node *node, const struct ap_find_request *request,
                        struct ap_arena *arena, struct ap_found_files *out_files, ap_error *err) {
  struct ap_text format = request->format;
  struct finder finder = {
      .node = node, .request = request, .arena = arena, .wanted = ap_format_of_word(format)};
  if (format.size > 0 && finder.wanted == AP_FORMAT_UNKNOWN) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT,
                   "'%.*s' is no format; there are csv, json, parquet and arrow",
                   AP_TEXT_ARG(format));
  }
  if (request->path_count == 0) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "an import needs at least a path");
  }
  for (size_t i = 0; i < request->path_count; ++i) {
    AP_TRY(find_path(&finder, request->paths[i], err));
  }
  AP_ASSERT(finder.count > 0);
  return agree_on_format(&finder, out_files, err);
}
