/* SPDX-License-Identifier: Apache-2.0
 *
 * See verify.h. Three snapshots of one version are compared: what the ledger knows, what a new
 * process would load (from the newest checkpoint), and the replay of every commit there is.
 */
#include "ledger/verify.h"

#include "base/assert.h"
#include "ledger/checkpoint.h"

#include <stdio.h>

struct verify {
  const struct ap_log_source *source;
  ap_verify_visit visit;
  void *context;
};

static ap_status find(const struct verify *verify, struct ap_text object, const char *what,
                      ap_error *err) {
  return verify->visit(verify->context, object, ap_text_of(what), err);
}

static int compare_cells(const struct ap_cell *a, const struct ap_cell *b) {
  return ap_file_compare(a->path, &a->deletion_vector, b->path, &b->deletion_vector);
}

static ap_status tell_cell(const struct verify *verify, const struct ap_cell *cell, const char *has,
                           const char *lacks, ap_error *err) {
  char what[160];
  (void)snprintf(what, sizeof what, "is a cell by %s, but not by %s", has, lacks);
  return find(verify, cell->path, what, err);
}

static bool same_properties(const struct ap_table *a, const struct ap_table *b) {
  if (a->property_count != b->property_count) return false;
  for (uint32_t i = 0; i < a->property_count; i++) {
    if (!ap_text_equal(ap_table_property(b, a->properties[i].name.data), a->properties[i].value)) {
      return false;
    }
  }
  return true;
}

/* By what the texts say: a checkpoint words them otherwise than a commit does. */
static bool same_table(const struct ap_table *a, const struct ap_table *b) {
  return a == b || (a->protocol.reader_version == b->protocol.reader_version &&
                    a->protocol.writer_version == b->protocol.writer_version &&
                    a->protocol.reader_feature_count == b->protocol.reader_feature_count &&
                    a->protocol.writer_feature_count == b->protocol.writer_feature_count &&
                    ap_text_equal(a->id, b->id) && ap_schema_equal(&a->schema, &b->schema) &&
                    ap_schema_equal(&a->physical, &b->physical) &&
                    ap_table_same_partitioning(a, b) && same_properties(a, b));
}

/* Both in order of files. */
static ap_status compare(const struct verify *verify, const struct ap_snapshot_full *a,
                         const char *name_a, const struct ap_snapshot_full *b, const char *name_b,
                         ap_error *err) {
  char what[200];
  const struct ap_snapshot *left = &a->shown;
  const struct ap_snapshot *right = &b->shown;
  uint32_t i = 0;
  uint32_t k = 0;
  AP_ASSERT(left->version == right->version);
  if (!same_table(a->table, b->table)) {
    (void)snprintf(what, sizeof what, "has other columns or properties by %s than by %s", name_a,
                   name_b);
    AP_TRY(find(verify, AP_TEXT("_delta_log"), what, err));
  }
  while (i < left->cell_count || k < right->cell_count) {
    int order = i == left->cell_count    ? 1
                : k == right->cell_count ? -1
                                         : compare_cells(left->cells[i], right->cells[k]);
    if (order < 0) AP_TRY(tell_cell(verify, left->cells[i], name_a, name_b, err));
    if (order > 0) AP_TRY(tell_cell(verify, right->cells[k], name_b, name_a, err));
    if (order <= 0) i++;
    if (order >= 0) k++;
  }
  return AP_OK;
}

/* A log that cannot be read is a finding; anything else ends the look. */
static ap_status settle(const struct verify *verify, ap_status status, const ap_error *failure,
                        ap_error *err) {
  bool is_finding = status == AP_CORRUPT || status == AP_NOT_FOUND || status == AP_UNSUPPORTED;
  if (is_finding) return find(verify, AP_TEXT("_delta_log"), failure->message, err);
  if (status != AP_OK && err) *err = *failure;
  return status;
}

/* Loading passes over a broken checkpoint when there is another way: here it is told. */
static ap_status read_checkpoints(const struct verify *verify, const struct ap_log_listing *listing,
                                  ap_error *err) {
  for (uint32_t i = 0; i < listing->checkpoint_count; i++) {
    struct ap_replay replay;
    ap_error failure = {0};
    ap_replay_init(&replay, verify->source->env->allocator, NULL);
    ap_status status =
        ap_checkpoint_read(verify->source, &listing->checkpoints[i], -1, &replay, &failure);
    ap_replay_deinit(&replay);
    AP_TRY(settle(verify, status, &failure, err));
  }
  return AP_OK;
}

/* From the oldest version that is still there, commit by commit. NULL: it cannot be read. */
static ap_status replay_all(const struct verify *verify, int64_t first_version,
                            struct ap_snapshot_full **out_snapshot, ap_error *err) {
  struct ap_snapshot_full *first = NULL;
  int64_t own_version = -1;
  ap_error failure = {0};
  ap_status status = ap_load_fresh(verify->source, first_version, &first, &failure);
  if (status == AP_OK) {
    status = ap_load_advance(verify->source, first, NULL, &own_version, out_snapshot, &failure);
    ap_snapshot_release(&first->shown);
  }
  return settle(verify, status, &failure, err);
}

static ap_status read_all(const struct verify *verify, struct ap_snapshot_full **out_loaded,
                          struct ap_snapshot_full **out_replayed, ap_error *err) {
  struct ap_arena arena;
  struct ap_log_listing listing;
  ap_error failure = {0};
  const struct ap_log_source *source = verify->source;
  ap_arena_init(&arena, source->env->allocator);
  ap_status status = ap_load_fresh(source, -1, out_loaded, &failure);
  status = settle(verify, status, &failure, err);
  if (status == AP_OK) {
    status = ap_log_list(source->store, source->prefix, 0, &arena, &listing, err);
  }
  if (status == AP_OK) status = read_checkpoints(verify, &listing, err);
  if (status == AP_OK) {
    status = replay_all(verify, ap_log_first_version(&listing), out_replayed, err);
  }
  ap_arena_deinit(&arena);
  return status;
}

ap_status ap_verify_run(const struct ap_log_source *source, struct ap_snapshot_full *known,
                        ap_verify_visit visit, void *context, struct ap_snapshot_full **out_found,
                        ap_error *err) {
  const struct verify verify = {.source = source, .visit = visit, .context = context};
  struct ap_snapshot_full *replayed = NULL;
  struct ap_snapshot_full *loaded = NULL;
  ap_status status = read_all(&verify, &loaded, &replayed, err);
  /* Other processes go on committing: only snapshots of one version tell anything. */
  if (status == AP_OK && replayed && loaded && replayed->shown.version == loaded->shown.version) {
    status = compare(&verify, replayed, "the commits", loaded, "the newest checkpoint", err);
  }
  if (status == AP_OK && replayed && replayed->shown.version == known->shown.version) {
    status = compare(&verify, replayed, "the commits", known, "this process's memory", err);
  }
  if (status == AP_OK) {
    *out_found = replayed ? replayed : loaded ? loaded : known;
    (void)ap_snapshot_retain(&(*out_found)->shown);
  }
  if (replayed) ap_snapshot_release(&replayed->shown);
  if (loaded) ap_snapshot_release(&loaded->shown);
  return status;
}
