/* SPDX-License-Identifier: Apache-2.0
 *
 * See store_conformance.h. Each check has its own folder of keys and a fresh instance. What runs in
 * threads or forked processes only records what it saw; the asserting is done by the main thread.
 */
#include "testing/store_conformance.h"

#include "base/limits.h"
#include "testing/check.h"
#include "testing/random.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
  RACERS = 8,
  RACE_ROUNDS = 40,
  MODEL_KEYS = 300,
  MODEL_LISTS = 600,
  REPLACEMENTS = 300,
  RANGE_READS = 300,
  CHILD_SECONDS_MAX = 120,
  SMALL_FOLDERS = 20,
  VALUE_BYTES_MAX = 200 * 1000,
};

/* One check's surroundings. */
struct check {
  const struct ap_store_conformance *suite;
  struct ap_store *store;
  struct ap_seeded_random random;
  char folder[64]; /* of this check's keys, without '/' at the end */
  struct ap_buffer bytes;
  ap_error err;
};

static size_t below(struct ap_seeded_random *random, size_t bound) {
  return (size_t)ap_random_below(&random->base, bound);
}

#define CHECK_STATUS(check, call, expected) expect_status((check), (call), (expected), __LINE__)

static void expect_status(struct check *check, ap_status status, ap_status expected, int line) {
  ap_check_status_at(status, expected, &check->err, __FILE__, line);
  if (status != AP_OK) assert_int_equal(check->err.code, status);
  ap_error_clear(&check->err);
}

struct key {
  char text[AP_KEY_BYTES_MAX + 8];
};

/* The check's own key of that name. */
static struct ap_text key_of(const struct check *check, struct key *key, const char *name) {
  int size = snprintf(key->text, sizeof(key->text), "%s/%s", check->folder, name);
  assert_true(size > 0 && (size_t)size < sizeof(key->text));
  return (struct ap_text){key->text, (size_t)size};
}

static void put(struct check *check, struct ap_text key, struct ap_text data) {
  CHECK_STATUS(check, ap_store_put(check->store, key, data, &check->err), AP_OK);
}

static struct ap_text get_all(struct check *check, struct ap_store *store, struct ap_text key) {
  ap_buffer_clear(&check->bytes);
  CHECK_STATUS(check, ap_store_get(store, key, 0, -1, &check->bytes, &check->err), AP_OK);
  return ap_buffer_text(&check->bytes);
}

static void expect_object(struct check *check, struct ap_text key, struct ap_text data) {
  struct ap_store_object object = {0};
  struct ap_text found = get_all(check, check->store, key);
  assert_int_equal(found.size, data.size);
  if (data.size > 0) assert_memory_equal(found.data, data.data, data.size);
  CHECK_STATUS(check, ap_store_head(check->store, key, &object, &check->err), AP_OK);
  assert_int_equal(object.size_bytes, data.size);
  assert_true(ap_text_equal(object.key, key));
}

static void expect_absent(struct check *check, struct ap_text key) {
  struct ap_store_object object = {0};
  ap_buffer_clear(&check->bytes);
  CHECK_STATUS(check, ap_store_get(check->store, key, 0, -1, &check->bytes, &check->err),
               AP_NOT_FOUND);
  assert_int_equal(check->bytes.size, 0);
  CHECK_STATUS(check, ap_store_head(check->store, key, &object, &check->err), AP_NOT_FOUND);
}

/* Keys in the order in which a list gave them. */
struct keys {
  struct ap_arena arena;
  char **items;
  size_t count;
  size_t stop_after; /* AP_END after so many; 0: never */
};

static void keys_init(struct keys *keys) {
  *keys = (struct keys){0};
  ap_arena_init(&keys->arena, ap_allocator_system());
}

static void keys_deinit(struct keys *keys) {
  ap_arena_deinit(&keys->arena);
  ap_free(ap_allocator_system(), keys->items);
}

static void keys_add(struct keys *keys, struct ap_text key) {
  keys->items =
      ap_reallocate(ap_allocator_system(), keys->items, (keys->count + 1) * sizeof(*keys->items));
  assert_non_null(keys->items);
  keys->items[keys->count] = ap_arena_copy(&keys->arena, key);
  assert_non_null(keys->items[keys->count]);
  keys->count += 1;
}

static ap_status keys_visit(void *context, const struct ap_store_object *object, ap_error *err) {
  struct keys *keys = context;
  (void)err;
  assert_int_equal(object->key.data[object->key.size], '\0');
  keys_add(keys, object->key);
  return keys->stop_after != 0 && keys->count >= keys->stop_after ? AP_END : AP_OK;
}

static void list_keys(struct check *check, const char *prefix, const char *start_after,
                      struct keys *keys) {
  CHECK_STATUS(check,
               ap_store_list(check->store, ap_text_of(prefix), ap_text_of(start_after), keys_visit,
                             keys, &check->err),
               AP_OK);
}

static void whole_or_absent(struct check *check) {
  struct key memory;
  struct ap_text key = key_of(check, &memory, "a/b/c.bin");
  expect_absent(check, key);
  put(check, key, AP_TEXT("first bytes"));
  expect_object(check, key, AP_TEXT("first bytes"));
  put(check, key, AP_TEXT("2nd"));
  expect_object(check, key, AP_TEXT("2nd"));
  put(check, key, AP_TEXT(""));
  expect_object(check, key, AP_TEXT(""));
  put(check, key, (struct ap_text){"zero\0inside", 11});
  expect_object(check, key, (struct ap_text){"zero\0inside", 11});
  expect_absent(check, key_of(check, &(struct key){0}, "a/b/c.bi"));
  expect_absent(check, key_of(check, &(struct key){0}, "a/b"));
  expect_absent(check, key_of(check, &(struct key){0}, "a/b/c.bin/d"));
  for (int i = 0; i < 2; i++) { /* a missing key is fine */
    CHECK_STATUS(check, ap_store_remove(check->store, key, &check->err), AP_OK);
    expect_absent(check, key);
  }
  CHECK_STATUS(check,
               ap_store_remove(check->store, key_of(check, &(struct key){0}, "a"), &check->err),
               AP_OK);
  CHECK_STATUS(
      check, ap_store_remove(check->store, key_of(check, &(struct key){0}, "none/x"), &check->err),
      AP_OK);
  put(check, key, AP_TEXT("again"));
  expect_object(check, key, AP_TEXT("again"));
  ap_buffer_clear(&check->bytes); /* get appends */
  ap_buffer_append_string(&check->bytes, "before:");
  CHECK_STATUS(check, ap_store_get(check->store, key, 1, 3, &check->bytes, &check->err), AP_OK);
  assert_true(ap_text_equal(ap_buffer_text(&check->bytes), AP_TEXT("before:gai")));
}

static void first_wins(struct check *check) {
  struct key memory;
  struct ap_text key = key_of(check, &memory, "log/00000000000000000000.json");
  struct ap_store *store = check->store;
  CHECK_STATUS(check, ap_store_put_if_absent(store, key, AP_TEXT("one"), &check->err), AP_OK);
  for (int i = 0; i < 2; i++) {
    CHECK_STATUS(check, ap_store_put_if_absent(store, key, AP_TEXT("two"), &check->err),
                 AP_ALREADY_EXISTS);
    expect_object(check, key, AP_TEXT("one"));
  }
  put(check, key, AP_TEXT("replaced"));
  CHECK_STATUS(check, ap_store_put_if_absent(store, key, AP_TEXT("two"), &check->err),
               AP_ALREADY_EXISTS);
  expect_object(check, key, AP_TEXT("replaced"));
  CHECK_STATUS(check, ap_store_remove(store, key, &check->err), AP_OK);
  CHECK_STATUS(check, ap_store_put_if_absent(store, key, AP_TEXT(""), &check->err), AP_OK);
  CHECK_STATUS(check, ap_store_put_if_absent(store, key, AP_TEXT("x"), &check->err),
               AP_ALREADY_EXISTS); /* an empty object is there too */
  expect_object(check, key, AP_TEXT(""));
}

static void fill_bytes(struct check *check, struct ap_buffer *out, size_t size) {
  char *room = ap_buffer_reserve(out, size);
  assert_non_null(room);
  check->random.base.fill(&check->random.base, room, size);
  out->size += size;
}

static void ranges(struct check *check) {
  struct key memory;
  struct ap_text key = key_of(check, &memory, "ranged.bin");
  struct ap_buffer data;
  ap_buffer_init(&data, ap_allocator_system());
  fill_bytes(check, &data, 100 * 1000 + 7);
  put(check, key, ap_buffer_text(&data));
  for (int i = 0; i < RANGE_READS; i++) {
    size_t offset = below(&check->random, data.size + 20);
    bool to_end = below(&check->random, 4) == 0;
    size_t size = below(&check->random, 8) == 0 ? 0 : below(&check->random, data.size);
    size_t left = offset < data.size ? data.size - offset : 0;
    size_t expected = to_end || size > left ? left : size;
    ap_buffer_clear(&check->bytes);
    CHECK_STATUS(check,
                 ap_store_get(check->store, key, (int64_t)offset, to_end ? -1 : (int64_t)size,
                              &check->bytes, &check->err),
                 AP_OK);
    assert_int_equal(check->bytes.size, expected);
    if (expected > 0) assert_memory_equal(check->bytes.data, data.data + offset, expected);
  }
  ap_buffer_clear(&check->bytes);
  CHECK_STATUS(check,
               ap_store_get(check->store, key, INT64_MAX, INT64_MAX, &check->bytes, &check->err),
               AP_OK);
  assert_int_equal(check->bytes.size, 0);
  CHECK_STATUS(check, ap_store_get(check->store, key, 1, INT64_MAX, &check->bytes, &check->err),
               AP_OK);
  assert_int_equal(check->bytes.size, data.size - 1);
  ap_buffer_deinit(&data);
}

static ap_status refuse_visit(void *context, const struct ap_store_object *object, ap_error *err) {
  (void)context;
  return AP_FAIL(err, AP_CANCELLED, "visited %s", object->key.data);
}

static void bad_key(struct check *check, struct ap_text key) {
  struct ap_store *store = check->store;
  struct ap_store_object object = {0};
  struct ap_store_upload upload = {"/nonexistent", key};
  ap_error *err = &check->err;
  ap_buffer_clear(&check->bytes);
  CHECK_STATUS(check, ap_store_check_key(key, err), AP_INVALID_ARGUMENT);
  CHECK_STATUS(check, ap_store_get(store, key, 0, -1, &check->bytes, err), AP_INVALID_ARGUMENT);
  CHECK_STATUS(check, ap_store_head(store, key, &object, err), AP_INVALID_ARGUMENT);
  CHECK_STATUS(check, ap_store_put(store, key, AP_TEXT("x"), err), AP_INVALID_ARGUMENT);
  CHECK_STATUS(check, ap_store_put_if_absent(store, key, AP_TEXT("x"), err), AP_INVALID_ARGUMENT);
  CHECK_STATUS(check, ap_store_put_files(store, &upload, 1, err), AP_INVALID_ARGUMENT);
  CHECK_STATUS(check, ap_store_remove(store, key, err), AP_INVALID_ARGUMENT);
  CHECK_STATUS(check, ap_store_local_path(store, key, &check->bytes, err), AP_INVALID_ARGUMENT);
  assert_int_equal(check->bytes.size, 0);
}

static void key_rules(struct check *check) {
  static const char *const bad[] = {"",         "/",
                                    "/a",       "a/",
                                    "a//b",     ".",
                                    "..",       "../x",
                                    "a/../b",   "a/./b",
                                    "./a",      "a/..",
                                    "a/.",      "a\\b",
                                    "a\nb",     "a\x7f",
                                    "a\x1f",    "\xff",
                                    "a\xc3",    "\xed\xa0\x80",
                                    "\xc0\xaf", "a/\xf5\x80\x80\x80"};
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) bad_key(check, ap_text_of(bad[i]));
  bad_key(check, (struct ap_text){"a\0b", 3});
  static const char *const impossible[] = {"/", "../", "a//", "./", "a/../", "a\n", "\xff/", "a\\"};
  for (size_t i = 0; i < sizeof(impossible) / sizeof(impossible[0]); i++) {
    CHECK_STATUS(check,
                 ap_store_list(check->store, ap_text_of(impossible[i]), AP_TEXT(""), refuse_visit,
                               NULL, &check->err),
                 AP_OK);
  }

  struct key memory;
  size_t size = key_of(check, &memory, "long").size;
  while (size < AP_KEY_BYTES_MAX + 1) memory.text[size] = size % 100 == 0 ? '/' : 'k', size++;
  bad_key(check, (struct ap_text){memory.text, AP_KEY_BYTES_MAX + 1});
  struct ap_text longest = {memory.text, AP_KEY_BYTES_MAX};
  put(check, longest, AP_TEXT("the longest"));
  expect_object(check, longest, AP_TEXT("the longest"));
  memory.text[AP_KEY_BYTES_MAX] = '\0';
  struct keys keys;
  keys_init(&keys);
  list_keys(check, check->folder, "", &keys);
  assert_int_equal(keys.count, 1);
  assert_string_equal(keys.items[0], longest.data);
  keys_deinit(&keys);
}

/* In byte order. */
static const char *const odd_names[] = {
    " lead and trail ",
    "!\"#$%&'()*+,-:;<=>?@[]^_`{|}~",
    "%2F",
    "...",
    "..a",
    ".hidden",
    "A",
    "Upper",
    "a",
    "date=2024-01-01/part-0.parquet",
    "e\xcc\x81", /* e and an accent: not the same as the one letter below */
    "upper",
    "x#1",
    "x.tmp",
    "\xc3\xa9",
    "\xe8\x9c\x82\xe5\xb7\xa3/\xe8\x9c\x9c", /* hive, honey */
    "\xf0\x9f\x90\x9d",                      /* a bee */
};

static void odd_keys(struct check *check) {
  size_t count = sizeof(odd_names) / sizeof(odd_names[0]);
  struct key memory;
  struct keys keys;
  for (size_t i = 0; i < count; i++) {
    put(check, key_of(check, &memory, odd_names[i]), ap_text_of(odd_names[i]));
  }
  for (size_t i = 0; i < count; i++) {
    expect_object(check, key_of(check, &memory, odd_names[i]), ap_text_of(odd_names[i]));
  }
  keys_init(&keys);
  list_keys(check, key_of(check, &memory, "").data, "", &keys);
  assert_int_equal(keys.count, count);
  for (size_t i = 0; i < count; i++) {
    assert_string_equal(keys.items[i], key_of(check, &memory, odd_names[i]).data);
  }
  keys_deinit(&keys);
}

/* A name of few letters, so that prefixes and neighbours of '/' come up all the time. */
static void random_name(struct ap_seeded_random *random, char *out, size_t size) {
  static const char *const parts[] = {"a", "b", "a-", "ab", "a0", "-", "/", "/", "a", "\xc3\xa9"};
  size_t used = 0;
  size_t wanted = 1 + below(random, 6);
  out[0] = '\0';
  for (size_t i = 0; i < wanted; i++) {
    const char *part = parts[below(random, sizeof(parts) / sizeof(parts[0]))];
    bool slash = part[0] == '/';
    if (slash && (used == 0 || out[used - 1] == '/' || i + 1 == wanted)) part = "a";
    used += (size_t)snprintf(out + used, size - used, "%s", part);
  }
}

static bool is_folder_of(const char *folder, const char *key) {
  size_t size = strlen(folder);
  return strncmp(folder, key, size) == 0 && key[size] == '/';
}

static int compare_keys(const void *left, const void *right) {
  const char *const *a = left;
  const char *const *b = right;
  return ap_text_compare(ap_text_of(*a), ap_text_of(*b));
}

/* Put random objects; keys: all of them, sorted. Stores that are folders cannot hold both "a" and
 * "a/b", so neither does the model. */
static void make_model(struct check *check, struct keys *keys) {
  for (int i = 0; i < MODEL_KEYS; i++) {
    char name[64];
    struct key memory;
    random_name(&check->random, name, sizeof(name));
    struct ap_text key = key_of(check, &memory, name);
    bool usable = true;
    for (size_t k = 0; k < keys->count && usable; k++) {
      const char *other = keys->items[k];
      usable = strcmp(other, key.data) != 0 && !is_folder_of(other, key.data) &&
               !is_folder_of(key.data, other);
    }
    if (!usable) continue;
    put(check, key, key);
    keys_add(keys, key);
  }
  qsort(keys->items, keys->count, sizeof(*keys->items), compare_keys);
}

/* A cut of a key of the model, or a random name: with something behind it at times. */
static void random_cut(struct check *check, const struct keys *model, struct key *out) {
  size_t kind = below(&check->random, 10);
  if (kind < 6) {
    struct ap_text key = ap_text_of(model->items[below(&check->random, model->count)]);
    size_t folder_size = strlen(check->folder) + 1;
    size_t size = folder_size + below(&check->random, key.size - folder_size + 1);
    snprintf(out->text, sizeof(out->text), "%.*s%s", (int)size, key.data,
             kind == 0 ? "~" : (kind == 1 ? "/" : ""));
  } else {
    char name[64];
    random_name(&check->random, name, sizeof(name));
    key_of(check, out, name);
  }
}

static void list_equals_model(struct check *check, const struct keys *model, const char *prefix,
                              const char *start_after, size_t stop_after) {
  struct keys found;
  keys_init(&found);
  found.stop_after = stop_after;
  list_keys(check, prefix, start_after, &found);
  size_t at = 0;
  for (size_t i = 0; i < model->count; i++) {
    struct ap_text key = ap_text_of(model->items[i]);
    if (!ap_text_starts_with(key, ap_text_of(prefix))) continue;
    if (ap_text_compare(key, ap_text_of(start_after)) <= 0) continue;
    if (stop_after != 0 && at == stop_after) break;
    if (at >= found.count || strcmp(found.items[at], key.data) != 0) {
      fail_msg("list('%s', after '%s'): item %zu is '%s' instead of '%s'", prefix, start_after, at,
               at < found.count ? found.items[at] : "(none)", key.data);
    }
    at++;
  }
  if (at != found.count) {
    fail_msg("list('%s', after '%s'): '%s' too many", prefix, start_after, found.items[at]);
  }
  keys_deinit(&found);
}

static void lists(struct check *check) {
  struct keys model;
  keys_init(&model);
  make_model(check, &model);
  assert_true(model.count > MODEL_KEYS / 10);
  list_equals_model(check, &model, check->folder, "", 0);
  list_equals_model(check, &model, check->folder, "", 1);
  for (int i = 0; i < MODEL_LISTS; i++) {
    struct key prefix, start_after = {""};
    random_cut(check, &model, &prefix);
    if (i % 3 == 0) snprintf(prefix.text, sizeof(prefix.text), "%s/", check->folder);
    if (i % 4 != 0) random_cut(check, &model, &start_after);
    list_equals_model(check, &model, prefix.text, start_after.text,
                      i % 5 == 0 ? 1 + below(&check->random, 20) : 0);
  }
  ap_status status = ap_store_list(check->store, ap_text_of(check->folder), AP_TEXT(""),
                                   refuse_visit, NULL, &check->err);
  assert_string_equal(check->err.message + strlen("visited "), model.items[0]);
  CHECK_STATUS(check, status, AP_CANCELLED);
  /* what is removed is no longer listed */
  for (size_t i = 0; i + 1 < model.count; i++) {
    CHECK_STATUS(check, ap_store_remove(check->store, ap_text_of(model.items[i]), &check->err),
                 AP_OK);
  }
  model.items[0] = model.items[model.count - 1];
  model.count = 1;
  list_equals_model(check, &model, check->folder, "", 0);
  keys_deinit(&model);
}

static void big_object(struct check *check) {
  struct key memory;
  struct ap_text key = key_of(check, &memory, "big.bin");
  struct ap_buffer data;
  ap_buffer_init(&data, ap_allocator_system());
  fill_bytes(check, &data, check->suite->bytes_max);
  put(check, key, ap_buffer_text(&data));
  expect_object(check, key, ap_buffer_text(&data));
  size_t offset = data.size / 3;
  ap_buffer_clear(&check->bytes);
  CHECK_STATUS(
      check,
      ap_store_get(check->store, key, (int64_t)offset, 1000 * 1000, &check->bytes, &check->err),
      AP_OK);
  size_t expected = data.size - offset < 1000 * 1000 ? data.size - offset : 1000 * 1000;
  assert_int_equal(check->bytes.size, expected);
  assert_memory_equal(check->bytes.data, data.data + offset, expected);
  ap_buffer_deinit(&data);
}

/* Staged files and the keys they shall have. */
struct uploads {
  struct ap_arena arena;
  struct ap_store_upload *items;
  size_t count;
};

static void stage_files(struct check *check, size_t count, struct uploads *out) {
  struct ap_files *files = check->suite->env->files;
  struct key memory;
  struct ap_buffer staging;
  ap_arena_init(&out->arena, ap_allocator_system());
  ap_buffer_init(&staging, ap_allocator_system());
  CHECK_STATUS(check, ap_store_staging_path(check->store, &staging, &check->err), AP_OK);
  assert_int_equal(staging.data[0], '/');
  out->items = AP_ARENA_ARRAY(&out->arena, struct ap_store_upload, count);
  assert_non_null(out->items);
  out->count = count;
  for (size_t i = 0; i < count; i++) {
    char name[64];
    snprintf(name, sizeof(name), "day=%zu/cell-%zu.parquet", i % SMALL_FOLDERS, i);
    struct ap_text key = key_of(check, &memory, name);
    char *path = ap_arena_format(&out->arena, "%s/%zu.parquet", staging.data, i);
    char *copy = ap_arena_copy(&out->arena, key);
    assert_non_null(path);
    assert_non_null(copy);
    out->items[i] = (struct ap_store_upload){path, {copy, key.size}};
    CHECK_STATUS(check, files->create(files, path, key, false, &check->err), AP_OK);
  }
  ap_buffer_deinit(&staging);
}

static void many_files(struct check *check) {
  struct uploads uploads;
  struct keys keys;
  struct key memory;
  struct ap_store *store = check->store;
  struct ap_clock *clock = check->suite->env->clock;
  stage_files(check, check->suite->files_count, &uploads);
  keys_init(&keys); /* what is staged is no object yet */
  list_keys(check, "", "", &keys);
  for (size_t i = 0; i < keys.count; i++) {
    assert_false(ap_text_starts_with(ap_text_of(keys.items[i]), AP_TEXT("_apiary/staging/")));
    assert_false(ap_text_starts_with(ap_text_of(keys.items[i]), ap_text_of(check->folder)));
  }
  keys_deinit(&keys);
  int64_t begin_us = ap_clock_monotonic_us(clock);
  CHECK_STATUS(check, ap_store_put_files(store, uploads.items, uploads.count, &check->err), AP_OK);
  print_message("  %zu files put in %lld us\n", uploads.count,
                (long long)(ap_clock_monotonic_us(clock) - begin_us));
  for (size_t i = 0; i < uploads.count; i++) {
    expect_object(check, uploads.items[i].key, uploads.items[i].key);
  }
  keys_init(&keys);
  list_keys(check, key_of(check, &memory, "day=").data, "", &keys);
  assert_int_equal(keys.count, uploads.count);
  keys_deinit(&keys);
  ap_arena_deinit(&uploads.arena);

  /* A key that is taken is refused and keeps its bytes; the files that could not be are there. */
  struct ap_text taken = key_of(check, &memory, "day=1/cell-1.parquet");
  put(check, taken, AP_TEXT("another's"));
  CHECK_STATUS(
      check,
      ap_store_remove(store, key_of(check, &(struct key){0}, "day=0/cell-0.parquet"), &check->err),
      AP_OK);
  stage_files(check, 2, &uploads);
  CHECK_STATUS(check, ap_store_put_files(store, uploads.items, 2, &check->err), AP_ALREADY_EXISTS);
  expect_object(check, taken, AP_TEXT("another's"));
  ap_arena_deinit(&uploads.arena);
  CHECK_STATUS(check, ap_store_put_files(store, NULL, 0, &check->err), AP_OK);
}

static void instances_agree(struct check *check) {
  const struct ap_store_conformance *suite = check->suite;
  struct ap_store *other = NULL;
  struct key memory;
  struct ap_text key = key_of(check, &memory, "shared/x");
  CHECK_STATUS(check, suite->open(suite->context, &other, &check->err), AP_OK);
  for (int i = 0; i < 20; i++) {
    char value[16];
    int size = snprintf(value, sizeof(value), "%d", i);
    struct ap_text data = {value, (size_t)size};
    CHECK_STATUS(check, ap_store_put(i % 2 == 0 ? other : check->store, key, data, &check->err),
                 AP_OK);
    struct ap_text found = get_all(check, i % 2 == 0 ? check->store : other, key);
    assert_true(ap_text_equal(found, data));
    CHECK_STATUS(check, ap_store_put_if_absent(other, key, AP_TEXT("no"), &check->err),
                 AP_ALREADY_EXISTS);
  }
  ap_store_destroy(other);
  expect_object(check, key, AP_TEXT("19"));
}

/* One of several that want the same keys. What it got is read when it has ended. */
struct racer {
  struct ap_store *store;
  struct ap_clock *clock;
  const char *folder;
  int number;
  atomic_int *ready; /* racers at the start of each round, RACERS x round in all */
  ap_status statuses[RACE_ROUNDS];
};

static struct ap_text race_key(const char *folder, int round, char *out, size_t size) {
  int used = snprintf(out, size, "%s/race/%d/%020d.json", folder, round % 3, round);
  return (struct ap_text){out, (size_t)used};
}

static struct ap_text race_value(int number, int round, struct ap_buffer *out) {
  ap_buffer_clear(out);
  ap_buffer_append_format(out, "%d wrote %d", number, round);
  for (int i = (round * RACERS + number) * 7919 % 3000; i > 0; i--) ap_buffer_append(out, ".", 1);
  return ap_buffer_text(out);
}

static void race(void *context) {
  struct racer *racer = context;
  struct ap_buffer value;
  ap_buffer_init(&value, ap_allocator_system());
  for (int round = 0; round < RACE_ROUNDS; round++) {
    char memory[128];
    struct ap_text key = race_key(racer->folder, round, memory, sizeof(memory));
    struct ap_text data = race_value(racer->number, round, &value);
    atomic_fetch_add(racer->ready, 1);
    while (atomic_load(racer->ready) < RACERS * (round + 1)) {
      (void)ap_clock_monotonic_us(racer->clock); /* in simulation: lets the others run */
      sched_yield();
    }
    racer->statuses[round] = ap_store_put_if_absent(racer->store, key, data, NULL);
  }
  ap_buffer_deinit(&value);
}

static void expect_one_winner(struct check *check, const struct racer *racers) {
  struct ap_buffer value;
  ap_buffer_init(&value, ap_allocator_system());
  for (int round = 0; round < RACE_ROUNDS; round++) {
    char memory[128];
    int winner = -1;
    for (int i = 0; i < RACERS; i++) {
      if (racers[i].statuses[round] == AP_OK) {
        assert_int_equal(winner, -1);
        winner = i;
      } else {
        assert_int_equal(racers[i].statuses[round], AP_ALREADY_EXISTS);
      }
    }
    assert_int_not_equal(winner, -1);
    expect_object(check, race_key(check->folder, round, memory, sizeof(memory)),
                  race_value(winner, round, &value));
  }
  ap_buffer_deinit(&value);
}

/* Half of the threads share an instance, half have their own. */
static void threads_race(struct check *check) {
  const struct ap_store_conformance *suite = check->suite;
  struct ap_threads *threads = suite->env->threads;
  struct racer racers[RACERS] = {0};
  struct ap_thread *handles[RACERS];
  atomic_int ready = 0;
  if (!suite->threads) return;
  for (int i = 0; i < RACERS; i++) {
    racers[i] = (struct racer){
        .store = check->store,
        .clock = suite->env->clock,
        .folder = check->folder,
        .number = i,
        .ready = &ready,
    };
    if (i % 2 == 0) continue;
    CHECK_STATUS(check, suite->open(suite->context, &racers[i].store, &check->err), AP_OK);
  }
  for (int i = 0; i < RACERS; i++) {
    CHECK_STATUS(check, threads->spawn(threads, race, &racers[i], &handles[i], &check->err), AP_OK);
  }
  for (int i = 0; i < RACERS; i++) threads->join(threads, handles[i]);
  expect_one_winner(check, racers);
  for (int i = 1; i < RACERS; i += 2) ap_store_destroy(racers[i].store);
}

struct shared_race {
  atomic_int ready;
  struct racer racers[RACERS];
};

static void race_in_child(struct check *check, struct racer *racer) {
  const struct ap_store_conformance *suite = check->suite;
  alarm(CHILD_SECONDS_MAX); /* should a sister die, the start of a round would never come */
  if (suite->open(suite->context, &racer->store, NULL) != AP_OK) _exit(3);
  race(racer);
  ap_store_destroy(racer->store);
  _exit(0);
}

static void processes_race(struct check *check) {
  pid_t children[RACERS];
  if (!check->suite->processes) return;
  struct shared_race *shared =
      mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  assert_true(shared != MAP_FAILED);
  for (int i = 0; i < RACERS; i++) {
    shared->racers[i] = (struct racer){
        .clock = check->suite->env->clock,
        .folder = check->folder,
        .number = i,
        .ready = &shared->ready,
    };
    children[i] = fork();
    assert_true(children[i] >= 0);
    if (children[i] == 0) race_in_child(check, &shared->racers[i]);
  }
  for (int i = 0; i < RACERS; i++) {
    int result = -1;
    assert_int_equal(waitpid(children[i], &result, 0), children[i]);
    assert_int_equal(result, 0);
  }
  expect_one_winner(check, shared->racers);
  munmap(shared, sizeof(*shared));
}

/* A value says in each byte which one it is, and its size follows from that. */
static struct ap_text uniform_value(int number, struct ap_buffer *out) {
  size_t size = 1 + (size_t)number * 7919 % VALUE_BYTES_MAX;
  ap_buffer_clear(out);
  char *room = ap_buffer_reserve(out, size);
  assert_non_null(room);
  memset(room, 'A' + number % 26, size);
  out->size = size;
  return ap_buffer_text(out);
}

static bool is_uniform_value(struct ap_text value) {
  if (value.size == 0) return false;
  for (size_t i = 1; i < value.size; i++) {
    if (value.data[i] != value.data[0]) return false;
  }
  for (int number = value.data[0] - 'A'; number < REPLACEMENTS; number += 26) {
    if (value.size == 1 + (size_t)number * 7919 % VALUE_BYTES_MAX) return true;
  }
  return false;
}

struct reader {
  struct ap_store *store;
  struct ap_text key;
  atomic_bool *stop;
  size_t torn;
  ap_status status;
};

static void read_until_stopped(void *context) {
  struct reader *reader = context;
  struct ap_buffer bytes;
  ap_buffer_init(&bytes, ap_allocator_system());
  do {
    ap_buffer_clear(&bytes);
    reader->status = ap_store_get(reader->store, reader->key, 0, -1, &bytes, NULL);
    if (reader->status != AP_OK) break;
    if (!is_uniform_value(ap_buffer_text(&bytes))) reader->torn += 1;
  } while (!atomic_load(reader->stop));
  ap_buffer_deinit(&bytes);
}

static void readers_see_whole_objects(struct check *check) {
  enum { READERS = 2 };
  struct ap_threads *threads = check->suite->env->threads;
  struct reader readers[READERS] = {0};
  struct ap_thread *handles[READERS];
  struct key memory;
  struct ap_text key = key_of(check, &memory, "replaced");
  struct ap_buffer value;
  atomic_bool stop = false;
  if (!check->suite->threads) return;
  ap_buffer_init(&value, ap_allocator_system());
  put(check, key, uniform_value(0, &value));
  for (int i = 0; i < READERS; i++) {
    readers[i] = (struct reader){.store = check->store, .key = key, .stop = &stop};
    CHECK_STATUS(check,
                 threads->spawn(threads, read_until_stopped, &readers[i], &handles[i], &check->err),
                 AP_OK);
  }
  ap_status status = AP_OK;
  for (int i = 1; i < REPLACEMENTS && status == AP_OK; i++) {
    status = ap_store_put(check->store, key, uniform_value(i, &value), &check->err);
  }
  atomic_store(&stop, true);
  for (int i = 0; i < READERS; i++) threads->join(threads, handles[i]);
  CHECK_STATUS(check, status, AP_OK);
  for (int i = 0; i < READERS; i++) {
    assert_int_equal(readers[i].status, AP_OK);
    assert_int_equal(readers[i].torn, 0);
  }
  ap_buffer_deinit(&value);
}

static void local_paths(struct check *check) {
  struct key memory;
  struct ap_text key = key_of(check, &memory, "not/there yet.parquet");
  ap_buffer_clear(&check->bytes);
  ap_buffer_append_string(&check->bytes, "<");
  CHECK_STATUS(check, ap_store_local_path(check->store, key, &check->bytes, &check->err), AP_OK);
  assert_int_equal(check->bytes.data[0], '<');
  assert_true(check->bytes.size > key.size / 2);
  assert_non_null(check->store->description);
}

static const struct {
  const char *name;
  void (*run)(struct check *check);
} checks[] = {
    {"whole-or-absent", whole_or_absent},
    {"first-wins", first_wins},
    {"ranges", ranges},
    {"key-rules", key_rules},
    {"odd-keys", odd_keys},
    {"lists", lists},
    {"big-object", big_object},
    {"many-files", many_files},
    {"instances-agree", instances_agree},
    {"threads-race", threads_race},
    {"processes-race", processes_race},
    {"readers-see-whole-objects", readers_see_whole_objects},
    {"local-paths", local_paths},
};

static void remove_all(struct check *check) {
  struct keys keys;
  keys_init(&keys);
  list_keys(check, key_of(check, &(struct key){0}, "").data, "", &keys);
  for (size_t i = 0; i < keys.count; i++) {
    CHECK_STATUS(check, ap_store_remove(check->store, ap_text_of(keys.items[i]), &check->err),
                 AP_OK);
  }
  keys_deinit(&keys);
}

static void run_check(const struct ap_store_conformance *suite, uint64_t seed, size_t index) {
  struct ap_clock *clock = ap_clock_system();
  struct check check = {.suite = suite};
  int64_t begin_us = ap_clock_monotonic_us(clock);
  ap_seeded_random_init(&check.random, seed + index);
  snprintf(check.folder, sizeof(check.folder), "conformance-%08llx/%s",
           (unsigned long long)(seed & 0xffffffffu), checks[index].name);
  ap_buffer_init(&check.bytes, ap_allocator_system());
  CHECK_STATUS(&check, suite->open(suite->context, &check.store, &check.err), AP_OK);
  checks[index].run(&check);
  remove_all(&check);
  ap_store_destroy(check.store);
  ap_buffer_deinit(&check.bytes);
  print_message("  %s: %s, %lld ms\n", suite->name, checks[index].name,
                (long long)(ap_clock_monotonic_us(clock) - begin_us) / 1000);
}

void ap_store_conformance_run(const struct ap_store_conformance *suite) {
  uint64_t seed = ap_test_seed(suite->name);
  for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) run_check(suite, seed, i);
}
