/* SPDX-License-Identifier: Apache-2.0
 *
 * The catalog's log: reading what is new, and adding a version.
 *
 * Guarantees: versions are serial, because version n is made by put-if-absent and only by a writer
 * that has read n - 1. A change whose reply was lost recognises itself by its random id. A change
 * is reported as failed only when it certainly was not made.
 * Thread: any. Between processes and threads the store decides who is first.
 */
#include "catalog/change.h"

#include "base/assert.h"
#include "base/limits.h"
#include "catalog/log.h"

#include <inttypes.h>
#include <stdio.h>

#define FOLDER           "_apiary/catalog/"
#define HINT_KEY         FOLDER "_last"
#define CHECKPOINT_END   ".checkpoint.json"
#define BACKOFF_FIRST_MS 2
#define BACKOFF_MOST_MS  64

struct key {
  char text[64];
};

static struct key version_key(int64_t version) {
  struct key key;
  AP_ASSERT(version >= 0);
  snprintf(key.text, sizeof(key.text), FOLDER "%020" PRId64 ".json", version);
  return key;
}

static struct key checkpoint_key(int64_t version) {
  struct key key;
  AP_ASSERT(version >= 0);
  snprintf(key.text, sizeof(key.text), FOLDER "%020" PRId64 CHECKPOINT_END, version);
  return key;
}

/* ---- reading --------------------------------------------------------------------------------- */

/* The change of a version; AP_NOT_FOUND when there is none yet. Arena memory. */
static ap_status read_change(struct ap_catalog *catalog, int64_t version, struct ap_arena *arena,
                             struct ap_catalog_change *out_change, ap_error *err) {
  struct key key = version_key(version);
  struct ap_buffer bytes;
  ap_buffer_init(&bytes, catalog->env->allocator);
  ap_status status = ap_store_get(catalog->store, ap_text_of(key.text), 0, -1, &bytes, err);
  if (status == AP_OK) {
    status = ap_catalog_change_parse(arena, ap_buffer_text(&bytes), out_change, err);
    if (status != AP_OK) ap_error_prefix(err, status, "catalog object '%s'", key.text);
  }
  ap_buffer_deinit(&bytes);
  return status;
}

static ap_status read_checkpoint(struct ap_catalog *catalog, int64_t version,
                                 struct ap_catalog_state **out_state, ap_error *err) {
  struct key key = checkpoint_key(version);
  struct ap_buffer bytes;
  ap_buffer_init(&bytes, catalog->env->allocator);
  ap_status status = ap_store_get(catalog->store, ap_text_of(key.text), 0, -1, &bytes, err);
  if (status == AP_OK) {
    status = ap_catalog_checkpoint_parse(catalog->env->allocator, ap_buffer_text(&bytes), out_state,
                                         err);
  }
  if (status == AP_OK && (*out_state)->version != version) {
    ap_catalog_state_release(*out_state);
    status = AP_FAIL(err, AP_CORRUPT, "it holds another version");
  }
  ap_buffer_deinit(&bytes);
  return status;
}

static ap_status read_hint(struct ap_catalog *catalog, int64_t *out_version, ap_error *err) {
  struct ap_buffer bytes;
  ap_buffer_init(&bytes, catalog->env->allocator);
  ap_status status = ap_store_get(catalog->store, AP_TEXT(HINT_KEY), 0, -1, &bytes, err);
  if (status == AP_OK) {
    status =
        ap_catalog_hint_parse(catalog->env->allocator, ap_buffer_text(&bytes), out_version, err);
  }
  ap_buffer_deinit(&bytes);
  return status;
}

struct newest {
  int64_t version;
  int64_t below; /* only versions below this one count */
};

static ap_status visit_checkpoint(void *context, const struct ap_store_object *object,
                                  ap_error *err) {
  (void)err;
  struct newest *newest = context;
  struct ap_text name = object->key;
  const size_t folder_size = sizeof(FOLDER) - 1;
  if (!ap_text_ends_with(name, AP_TEXT(CHECKPOINT_END)) || name.size < folder_size + 20) {
    return AP_OK;
  }
  int64_t version;
  struct ap_text digits = {name.data + folder_size, 20};
  if (!ap_text_parse_i64(digits, &version) || version < 0 || version >= newest->below) return AP_OK;
  if (version > newest->version) newest->version = version;
  return AP_OK;
}

/* A checkpoint that cannot be used only costs time: all changes are kept. A store that fails is
 * another matter. */
static bool is_unusable(ap_status status) {
  return status == AP_NOT_FOUND || status == AP_CORRUPT || status == AP_UNSUPPORTED;
}

/* The newest checkpoint that can be read, or the empty state. */
static ap_status read_start(struct ap_catalog *catalog, struct ap_catalog_state **out_state,
                            ap_error *err) {
  int64_t hint;
  ap_error ignored;
  ap_status status = read_hint(catalog, &hint, &ignored);
  if (status == AP_OK) status = read_checkpoint(catalog, hint, out_state, &ignored);
  if (status == AP_OK) return AP_OK;
  if (!is_unusable(status)) {
    if (err != NULL) *err = ignored;
    return status;
  }
  struct newest newest = {-1, INT64_MAX};
  for (;;) {
    AP_TRY(ap_store_list(catalog->store, AP_TEXT(FOLDER), (struct ap_text){0}, visit_checkpoint,
                         &newest, err));
    if (newest.version < 0) return ap_catalog_state_create(catalog->env->allocator, out_state, err);
    status = read_checkpoint(catalog, newest.version, out_state, err);
    if (status == AP_OK) return AP_OK;
    if (!is_unusable(status)) return status;
    ap_error_clear(err);
    newest = (struct newest){-1, newest.version};
  }
}

static struct ap_catalog_state *known_state(struct ap_catalog *catalog) {
  struct ap_threads *threads = catalog->env->threads;
  threads->lock(threads, catalog->mutex);
  struct ap_catalog_state *state = catalog->state;
  if (state != NULL) ap_catalog_state_retain(state);
  threads->unlock(threads, catalog->mutex);
  return state;
}

/* Others may know a newer one by now; then theirs stays. */
static void publish(struct ap_catalog *catalog, struct ap_catalog_state *state) {
  struct ap_threads *threads = catalog->env->threads;
  struct ap_catalog_state *old = NULL;
  threads->lock(threads, catalog->mutex);
  if (catalog->state == NULL || catalog->state->version < state->version) {
    old = catalog->state;
    catalog->state = ap_catalog_state_retain(state);
  }
  threads->unlock(threads, catalog->mutex);
  ap_catalog_state_release(old);
}

/* A change that is looked out for: what the state was when it was made. */
struct lookout {
  struct ap_text id;               /* empty: none is awaited */
  struct ap_catalog_state *before; /* NULL until it is met */
};

/* Carry a state of one's own over one change. */
static ap_status replay(struct ap_catalog_state *state, const struct ap_catalog_change *change,
                        struct lookout *lookout, ap_error *err) {
  struct ap_catalog_state *before = NULL;
  bool awaited = lookout->id.size > 0 && ap_text_equal(change->id, lookout->id);
  if (awaited) AP_TRY(ap_catalog_state_copy(state, &before, err));
  ap_status status = AP_OK;
  for (uint32_t i = 0; i < change->action_count && status == AP_OK; i++) {
    status = ap_catalog_state_apply(state, &change->actions[i], err);
  }
  if (status != AP_OK) {
    ap_catalog_state_release(before);
    return ap_error_prefix(err, status, "catalog object '%s'",
                           version_key(state->version + 1).text);
  }
  state->version++;
  if (awaited) lookout->before = before;
  return AP_OK;
}

/* One version further: *inout_next is made when there is one. AP_NOT_FOUND: there is none. */
static ap_status step(struct ap_catalog *catalog, const struct ap_catalog_state *known,
                      struct ap_catalog_state **inout_next, struct lookout *lookout,
                      ap_error *err) {
  struct ap_arena arena;
  struct ap_catalog_change change;
  int64_t version = (*inout_next ? *inout_next : known)->version + 1;
  ap_arena_init(&arena, catalog->env->allocator);
  ap_status status = read_change(catalog, version, &arena, &change, err);
  if (status == AP_OK && *inout_next == NULL) {
    status = ap_catalog_state_copy(known, inout_next, err);
  }
  if (status == AP_OK) status = replay(*inout_next, &change, lookout, err);
  ap_arena_deinit(&arena);
  return status;
}

static ap_status refresh(struct ap_catalog *catalog, struct lookout *lookout,
                         struct ap_catalog_state **out_state, ap_error *err) {
  struct ap_catalog_state *known = known_state(catalog);
  struct ap_catalog_state *next = NULL;
  bool first = known == NULL;
  if (first) AP_TRY(read_start(catalog, &known, err));
  ap_error step_error = {0};
  ap_status status;
  do {
    status = step(catalog, known, &next, lookout, &step_error);
  } while (status == AP_OK);
  if (status != AP_NOT_FOUND) {
    if (err != NULL) *err = step_error;
    ap_catalog_state_release(next);
    ap_catalog_state_release(known);
    return status;
  }
  struct ap_catalog_state *newest = next ? next : known;
  if (first || next != NULL) publish(catalog, newest);
  if (next != NULL) ap_catalog_state_release(known);
  *out_state = newest;
  return AP_OK;
}

ap_status ap_catalog_refresh(struct ap_catalog *catalog, struct ap_catalog_state **out_state,
                             ap_error *err) {
  struct lookout none = {0};
  return refresh(catalog, &none, out_state, err);
}

/* ---- writing --------------------------------------------------------------------------------- */

/* A checkpoint saves later openings from replaying; nothing depends on it, so failing is fine. */
static void write_checkpoint(struct ap_catalog *catalog, const struct ap_catalog_state *state) {
  struct ap_buffer bytes;
  ap_buffer_init(&bytes, catalog->env->allocator);
  ap_catalog_checkpoint_append(&bytes, state);
  ap_status status = ap_buffer_check(&bytes, NULL);
  if (status == AP_OK) {
    status = ap_store_put_if_absent(catalog->store, ap_text_of(checkpoint_key(state->version).text),
                                    ap_buffer_text(&bytes), NULL);
  }
  ap_buffer_clear(&bytes);
  if (status == AP_OK) ap_catalog_hint_append(&bytes, state->version);
  if (status == AP_OK && ap_buffer_check(&bytes, NULL) == AP_OK) {
    status = ap_store_put(catalog->store, AP_TEXT(HINT_KEY), ap_buffer_text(&bytes), NULL);
  }
  ap_buffer_deinit(&bytes);
}

/* Jittered, so that those who lost together do not meet again. */
static void back_off(struct ap_catalog *catalog, uint32_t attempt) {
  int64_t most = BACKOFF_FIRST_MS;
  for (uint32_t i = 0; i < attempt && most < BACKOFF_MOST_MS; i++) most *= 2;
  uint64_t wait = ap_random_below(catalog->env->random, (uint64_t)most + 1);
  ap_clock_sleep_ms(catalog->env->clock, (int64_t)wait);
}

/* One change on its way into the log. */
struct attempt {
  struct ap_catalog *catalog;
  const struct ap_catalog_wish *wish;
  struct ap_catalog_action action; /* the wish's, completed */
  struct lookout lookout;          /* before is set when the change is made */
  bool needless;                   /* there is nothing to do */
  int64_t unsure_version;          /* a put there may have been made, or be still; -1: none */
  uint32_t lost_replies;
};

static ap_status put_change(struct attempt *attempt, int64_t version, ap_error *err) {
  struct ap_catalog *catalog = attempt->catalog;
  struct ap_catalog_change change = {
      .id = attempt->lookout.id,
      .timestamp_ms = ap_clock_wall_ms(catalog->env->clock),
      .action_count = 1,
      .actions = &attempt->action,
  };
  struct ap_buffer bytes;
  ap_buffer_init(&bytes, catalog->env->allocator);
  ap_catalog_change_append(&bytes, &change);
  ap_status status = ap_buffer_check(&bytes, err);
  if (status == AP_OK) {
    status = ap_store_put_if_absent(catalog->store, ap_text_of(version_key(version).text),
                                    ap_buffer_text(&bytes), err);
    bool lost = status == AP_OUTCOME_UNKNOWN;
    if (lost) attempt->lost_replies++;
    if (lost || status == AP_ALREADY_EXISTS) attempt->unsure_version = version;
  }
  ap_buffer_deinit(&bytes);
  return status;
}

/* What was found after a lost reply can be seen, but may not be durable yet. */
static ap_status settle(struct attempt *attempt, ap_error *err) {
  int64_t version = attempt->lookout.before->version + 1;
  struct key key = version_key(version);
  if (ap_store_settle(attempt->catalog->store, ap_text_of(key.text), err) == AP_OK) return AP_OK;
  ap_catalog_state_release(attempt->lookout.before);
  attempt->lookout.before = NULL;
  attempt->unsure_version = version;
  attempt->lost_replies = AP_LOST_REPLIES_MAX; /* it is not met a second time */
  return AP_OUTCOME_UNKNOWN;
}

/* One try at the next version. AP_ALREADY_EXISTS and AP_OUTCOME_UNKNOWN: somebody, perhaps we
 * ourselves, made or may make the version: read on and see. */
static ap_status try_once(struct attempt *attempt, ap_error *err) {
  struct ap_catalog *catalog = attempt->catalog;
  struct ap_catalog_state *known;
  struct ap_catalog_state *next = NULL;
  AP_TRY(refresh(catalog, &attempt->lookout, &known, err));
  /* The version is there: it was ours, which the lookout has met, or ours can never be there. */
  if (known->version >= attempt->unsure_version) attempt->unsure_version = -1;
  bool needed = false;
  ap_status status = AP_OK;
  if (attempt->lookout.before != NULL) {
    status = settle(attempt, err);
    goto done;
  }
  status = ap_catalog_wish_check(known, attempt->wish, &needed, err);
  attempt->needless = status == AP_OK && !needed;
  if (status != AP_OK || !needed) goto done;
  status = ap_catalog_state_copy(known, &next, err);
  if (status == AP_OK) status = ap_catalog_state_apply(next, &attempt->action, err);
  if (status != AP_OK) goto done;
  next->version++;
  status = put_change(attempt, next->version, err);
  if (status != AP_OK) goto done;
  attempt->lookout.before = ap_catalog_state_retain(known);
  publish(catalog, next);
  if ((next->version + 1) % AP_CATALOG_CHECKPOINT_INTERVAL == 0) write_checkpoint(catalog, next);
done:
  ap_catalog_state_release(next);
  ap_catalog_state_release(known);
  return status;
}

static bool worth_another_try(const struct attempt *attempt, ap_status status, uint32_t number) {
  if (number + 1 >= AP_COMMIT_ATTEMPTS_MAX) return false;
  /* Only a put that met another's version leaves this trace; a taken name does not. */
  if (status == AP_ALREADY_EXISTS) return attempt->unsure_version >= 0;
  return status == AP_OUTCOME_UNKNOWN && attempt->lost_replies < AP_LOST_REPLIES_MAX;
}

static ap_status finish(struct attempt *attempt, ap_status status, ap_error *err) {
  if (attempt->lookout.before != NULL || attempt->needless) return AP_OK;
  if (attempt->unsure_version < 0) return status;
  if (attempt->lost_replies == 0 && status == AP_ALREADY_EXISTS) {
    return AP_FAIL(err, AP_CONFLICT, "the catalog was changed by others in each of %d attempts",
                   AP_COMMIT_ATTEMPTS_MAX);
  }
  /* A later failure does not tell what became of the put. */
  if (err == NULL || err->code != AP_OUTCOME_UNKNOWN) {
    ap_error cause = {0};
    if (err != NULL) cause = *err;
    (void)AP_FAIL(err, AP_OUTCOME_UNKNOWN,
                  "the catalog's version %" PRId64 " may or may not have been written: %s",
                  attempt->unsure_version, cause.message);
  }
  ap_error_hint(err, "look whether the change is there, then repeat it if it is not");
  return AP_OUTCOME_UNKNOWN;
}

ap_status ap_catalog_commit(struct ap_catalog *catalog, const struct ap_catalog_wish *wish,
                            struct ap_catalog_state **out_before, ap_error *err) {
  char change_id[AP_UUID_TEXT_SIZE];
  char frame_id[AP_UUID_TEXT_SIZE];
  ap_random_uuid(catalog->env->random, change_id);
  struct attempt attempt = {
      .catalog = catalog,
      .wish = wish,
      .action = wish->action,
      .lookout = {.id = ap_text_of(change_id)},
      .unsure_version = -1,
  };
  if (wish->action.kind == AP_CATALOG_CREATE || wish->action.kind == AP_CATALOG_CREATE_VIEW) {
    attempt.action.created_ms = ap_clock_wall_ms(catalog->env->clock);
    if (wish->action.frame.size > 0) {
      ap_random_uuid(catalog->env->random, frame_id);
      attempt.action.id = ap_text_of(frame_id);
    }
  }
  ap_error failure = {0};
  ap_status status = try_once(&attempt, &failure);
  for (uint32_t number = 0; worth_another_try(&attempt, status, number); number++) {
    back_off(catalog, number);
    status = try_once(&attempt, &failure);
  }
  status = finish(&attempt, status, &failure);
  if (status != AP_OK && err != NULL) *err = failure;
  if (status == AP_OK && out_before != NULL) {
    *out_before = attempt.lookout.before;
  } else {
    ap_catalog_state_release(attempt.lookout.before);
  }
  return status;
}
