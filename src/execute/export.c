/* SPDX-License-Identifier: Apache-2.0
 *
 * Exports: the rows of a query as a new file. They are written under another name beside it, which
 * becomes the file's when all is there: whoever sees the file sees all of it, what fails or is
 * cancelled leaves nothing, and a file that somebody else made meanwhile stays as it is.
 * Thread: the session's.
 */
#include "execute/query.h"
#include "execute/query_run.h"

#include <stdio.h>
#include <string.h>

enum { NAME_KEPT_MAX = 64 }; /* of the file's name, which tells the engine how to compress */

/* "folder/.ap-<random>-<end of the name>" for "folder/name". */
static ap_status name_temporary(struct ap_node *node, const char *path, struct ap_buffer *out,
                                ap_error *err) {
  const char *slash = strrchr(path, '/');
  const char *name = slash != NULL ? slash + 1 : path;
  size_t size = strlen(name);
  if (size > NAME_KEPT_MAX) name += size - NAME_KEPT_MAX;
  if (slash != NULL) ap_buffer_append(out, path, (size_t)(slash + 1 - path));
  ap_buffer_append_format(out, ".ap-%016llx-%s",
                          (unsigned long long)ap_random_u64(ap_node_env(node)->random), name);
  return ap_buffer_check(out, err);
}

static ap_status fail_exists(const char *path, ap_error *err) {
  ap_status status = AP_FAIL(err, AP_ALREADY_EXISTS, "'%s' is there already", path);
  ap_error_hint(err, "choose another name, or remove it first");
  return status;
}

/* Give the file its name. Where a file system has no second names, a racing file may be lost. */
static ap_status publish(struct ap_node *node, const char *temporary, const char *path,
                         ap_error *err) {
  struct ap_files *files = ap_node_env(node)->files;
  struct ap_file_info info;
  ap_status status = files->link(files, temporary, path, NULL);
  if (status == AP_OK) {
    (void)!files->remove_file(files, temporary, NULL);
    return AP_OK;
  }
  if (status == AP_ALREADY_EXISTS || files->info(files, path, &info, NULL) == AP_OK) {
    return fail_exists(path, err);
  }
  return files->rename(files, temporary, path, err);
}

static ap_status try_export(struct ap_query_run *run, const char *path, const char *format,
                            int64_t *out_rows, ap_error *err) {
  AP_TRY(ap_query_run_prepare(run, err));
  ap_status status =
      ap_chamber_export_as(run->chamber, ap_query_run_text(run), path, format,
                           run->request->export_options, run->request->control, out_rows, err);
  return status == AP_OK ? AP_OK : ap_query_run_failure(run, status, err);
}

static ap_status write_file(struct ap_node *node, const struct ap_query_request *request,
                            const char *path, const char *format, int64_t *out_rows,
                            ap_error *err) {
  struct ap_files *files = ap_node_env(node)->files;
  struct ap_query_run run;
  ap_query_run_start(&run, node, request);
  ap_status status = try_export(&run, path, format, out_rows, err);
  if (ap_query_run_must_retry(&run, status)) {
    ap_query_run_finish(&run, NULL);
    (void)!files->remove_file(files, path, NULL);
    ap_query_run_start(&run, node, request);
    run.bypasses_cache = true;
    status = try_export(&run, path, format, out_rows, err);
  }
  ap_query_run_finish(&run, NULL);
  return status;
}

/* What the engine says of the file is said of the one that was asked for. */
static void say_path(ap_error *err, const char *temporary, const char *path) {
  char *at = err != NULL ? strstr(err->message, temporary) : NULL;
  if (at == NULL) return;
  char rest[sizeof err->message];
  size_t before = (size_t)(at - err->message);
  size_t size = strlen(at + strlen(temporary));
  memcpy(rest, at + strlen(temporary), size + 1);
  (void)snprintf(at, sizeof err->message - before, "%s%s", path, rest);
}

ap_status ap_query_export(struct ap_node *node, const struct ap_query_request *request,
                          const char *path, const char *format, int64_t *out_rows, ap_error *err) {
  struct ap_files *files = ap_node_env(node)->files;
  struct ap_buffer temporary;
  if (request->parameter_count > 0) {
    ap_status status = AP_FAIL(err, AP_UNSUPPORTED, "an export of a query with parameters");
    ap_error_hint(err, "write the values into the query, or export to Arrow");
    return status;
  }
  ap_buffer_init(&temporary, ap_node_env(node)->allocator);
  ap_status status = name_temporary(node, path, &temporary, err);
  if (status == AP_OK) {
    status = write_file(node, request, temporary.data, format, out_rows, err);
    if (status != AP_OK) say_path(err, temporary.data, path);
    if (status == AP_OK) status = publish(node, temporary.data, path, err);
    if (status != AP_OK) (void)!files->remove_file(files, temporary.data, NULL);
  }
  ap_buffer_deinit(&temporary);
  return status;
}
