/* SPDX-License-Identifier: Apache-2.0
 *
 * See names.h.
 */
#include "names.h"

#include "cli.h"

#include <stdlib.h>
#include <string.h>

enum { ENTRIES_MAX = 64, BELIEVED_MS = 5000 };

struct entry {
  char *key; /* NULL: free */
  double read_ms;
  ap_names *list;
  char *description;
};

struct cli_names {
  struct entry entries[ENTRIES_MAX]; /* the oldest makes room */
  struct cli_candidates functions;
  bool has_functions;
};

static void entry_clear(struct entry *entry) {
  free(entry->key);
  ap_names_free(entry->list);
  ap_string_free(entry->description);
  *entry = (struct entry){0};
}

struct cli_names *cli_names_create(void) {
  return cli_allocate(1, sizeof(struct cli_names));
}

void cli_names_forget(struct cli_names *names) {
  if (names == NULL) return;
  for (size_t i = 0; i < ENTRIES_MAX; ++i) entry_clear(&names->entries[i]);
}

void cli_names_destroy(struct cli_names *names) {
  if (names == NULL) return;
  cli_names_forget(names);
  cli_candidates_deinit(&names->functions);
  free(names);
}

/* The entry of a key: the one there is while it is believed, else an empty one. */
static struct entry *find(struct cli_names *names, const char *kind, const char *const *parts,
                          bool *out_is_known) {
  struct cli_text key = {0};
  struct entry *oldest = &names->entries[0];
  struct entry *found = NULL;
  double now_ms = cli_now_ms();
  cli_text_append_string(&key, kind);
  for (size_t i = 0; i < 3 && parts[i] != NULL; ++i)
    cli_text_append_format(&key, "\x1f%s", parts[i]);
  for (size_t i = 0; i < ENTRIES_MAX; ++i) {
    struct entry *entry = &names->entries[i];
    if (entry->key != NULL && strcmp(entry->key, key.data) == 0) found = entry;
    if (entry->read_ms < oldest->read_ms) oldest = entry;
  }
  *out_is_known = found != NULL && now_ms - found->read_ms < BELIEVED_MS;
  if (!*out_is_known) {
    if (found == NULL) found = oldest;
    entry_clear(found);
    found->key = cli_copy(key.data, key.size);
    found->read_ms = now_ms;
  }
  cli_text_deinit(&key);
  return found;
}

const ap_names *cli_names_list(struct cli_names *names, ap_apiary *apiary, const char *hive,
                               const char *box) {
  const char *parts[3] = {hive, box, NULL};
  bool is_known = false;
  struct entry *entry = find(names, "list", parts, &is_known);
  if (!is_known && ap_list(apiary, hive, box, &entry->list, NULL) != AP_OK) entry->list = NULL;
  return entry->list;
}

const char *cli_names_describe(struct cli_names *names, ap_apiary *apiary, char *const parts[3]) {
  const char *key[3] = {parts[0], parts[1], parts[2]};
  bool is_known = false;
  struct entry *entry = find(names, "frame", key, &is_known);
  if (!is_known &&
      ap_frame_describe(apiary, parts[0], parts[1], parts[2], &entry->description, NULL) != AP_OK) {
    entry->description = NULL;
  }
  return entry->description;
}

/* ---- functions ------------------------------------------------------------------------------- */

static void add_batch(struct cli_names *names, const struct ArrowSchema *schema,
                      struct ArrowArray *batch) {
  struct ArrowArrayView view = {0};
  if (ArrowArrayViewInitFromSchema(&view, schema, NULL) == NANOARROW_OK &&
      ArrowArrayViewSetArray(&view, batch, NULL) == NANOARROW_OK) {
    for (int64_t i = 0; i < batch->length; ++i) {
      struct ArrowStringView name = ArrowArrayViewGetStringUnsafe(view.children[0], i);
      cli_candidates_add(&names->functions, name.data, (size_t)name.size_bytes);
    }
  }
  ArrowArrayViewReset(&view);
}

const struct cli_candidates *cli_names_functions(struct cli_names *names, ap_session *session) {
  static const char sql[] =
      "SELECT DISTINCT function_name FROM duckdb_functions() "
      "WHERE regexp_full_match(function_name, '[a-z][a-z0-9_]*') "
      "AND NOT starts_with(function_name, '__') ORDER BY 1";
  struct ArrowArrayStream stream = {0};
  struct ArrowSchema schema = {0};
  if (names->has_functions) return &names->functions;
  names->has_functions = true;
  if (ap_session_query(session, sql, NULL, &stream, NULL) != AP_OK) return &names->functions;
  if (stream.get_schema(&stream, &schema) == 0) {
    for (;;) {
      struct ArrowArray batch = {0};
      if (stream.get_next(&stream, &batch) != 0 || batch.release == NULL) break;
      add_batch(names, &schema, &batch);
      batch.release(&batch);
    }
    schema.release(&schema);
  }
  stream.release(&stream);
  return &names->functions;
}
