/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs a fuzz target without a fuzzer: every file of its corpus, then mutations of them.
 *
 *   fuzz_json FOLDER|FILE... [--rounds N] [--seconds N] [--keep FILE]
 *
 * Rounds (20,000 unless told otherwise) and seconds both end the run, whichever comes last when
 * both are given. The seed is printed; AP_TEST_SEED replays it. Each input is first written to the
 * file named by --keep, which stays behind when the target ends the process: run the target with
 * that file alone to see it again.
 */
#include "fuzz/fuzz.h"

#include "base/assert.h"
#include "base/limits.h"
#include "port/env.h"
#include "testing/random.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
  SEEDS_MAX = 1024,
  INPUT_BYTES_MAX = 256 * 1024,
  EDITS_MAX = 8,
  ROUNDS_USUAL = 20000,
};

struct replay {
  struct ap_arena arena;
  struct ap_text seeds[SEEDS_MAX];
  size_t seed_count;
  struct ap_seeded_random random;
  struct ap_buffer input;
  int keep; /* descriptor, -1: none */
  const char *keep_path;
  uint64_t rounds;
  int64_t seconds;
};

static void add_seed(struct replay *replay, const char *path) {
  struct ap_files *files = ap_files_system();
  AP_ASSERT(replay->seed_count < SEEDS_MAX);
  struct ap_buffer buffer;
  ap_buffer_init(&buffer, ap_allocator_system());
  ap_error err = {0};
  if (files->read(files, path, 0, INPUT_BYTES_MAX, &buffer, &err) != AP_OK) {
    fprintf(stderr, "%s\n", err.message);
    exit(2);
  }
  const char *copy = ap_arena_copy(&replay->arena, ap_buffer_text(&buffer));
  AP_ASSERT(copy);
  replay->seeds[replay->seed_count++] = (struct ap_text){copy, buffer.size};
  ap_buffer_deinit(&buffer);
}

struct folder {
  struct replay *replay;
  const char *path;
};

static ap_status visit_file(void *context, const char *name, enum ap_file_kind kind,
                            ap_error *err) {
  struct folder *folder = context;
  (void)err;
  if (kind != AP_FILE_REGULAR) return AP_OK;
  const char *path = ap_arena_format(&folder->replay->arena, "%s/%s", folder->path, name);
  AP_ASSERT(path);
  add_seed(folder->replay, path);
  return AP_OK;
}

/* A folder's order is the system's; a replay needs its own. */
static int compare_seeds(const void *a, const void *b) {
  return ap_text_compare(*(const struct ap_text *)a, *(const struct ap_text *)b);
}

static void add_path(struct replay *replay, const char *path) {
  struct ap_files *files = ap_files_system();
  struct folder folder = {replay, path};
  if (files->list(files, path, visit_file, &folder, NULL) != AP_OK) add_seed(replay, path);
}

static size_t below(struct replay *replay, size_t bound) {
  return (size_t)ap_random_below(&replay->random.base, bound);
}

static void replace(struct replay *replay, size_t at, size_t removed, struct ap_text added) {
  struct ap_buffer next;
  ap_buffer_init(&next, ap_allocator_system());
  ap_buffer_append(&next, replay->input.data, at);
  ap_buffer_append_text(&next, added);
  ap_buffer_append(&next, replay->input.data + at + removed, replay->input.size - at - removed);
  AP_ASSERT(ap_buffer_check(&next, NULL) == AP_OK);
  ap_buffer_deinit(&replay->input);
  replay->input = next;
}

/* Numbers at the edges, in both byte orders, and text that means something somewhere. */
static struct ap_text interesting(struct replay *replay, char out_bytes[8]) {
  static const char *const words[] = {"\"",
                                      "\\",
                                      "{",
                                      "}",
                                      "[",
                                      "]",
                                      ",",
                                      ":",
                                      "null",
                                      "-",
                                      "e999",
                                      "0",
                                      "\\u",
                                      "\\ud800",
                                      "\xFF",
                                      "\xC3\xA9",
                                      "9223372036854775808",
                                      "\n",
                                      "../",
                                      "%2F"};
  static const int64_t numbers[] = {0,         1,          -1,        127,      128,
                                    255,       256,        32767,     65535,    INT32_MAX,
                                    INT32_MIN, UINT32_MAX, INT64_MAX, INT64_MIN};
  if (below(replay, 2) == 0) {
    return ap_text_of(words[below(replay, sizeof(words) / sizeof(words[0]))]);
  }
  uint64_t number = (uint64_t)numbers[below(replay, sizeof(numbers) / sizeof(numbers[0]))];
  if (below(replay, 2) == 0) number = __builtin_bswap64(number);
  memcpy(out_bytes, &number, sizeof(number));
  return (struct ap_text){out_bytes, (size_t)1 << below(replay, 4)};
}

static void edit(struct replay *replay) {
  size_t size = replay->input.size;
  size_t at = below(replay, size + 1);
  size_t left = size - at;
  size_t length = left ? below(replay, left < 64 ? left : 64) + 1 : 0;
  char bytes[8];
  switch (below(replay, 8)) {
    case 0:
      if (left) replay->input.data[at] ^= (char)(1 << below(replay, 8));
      break;
    case 1:
      if (left) replay->input.data[at] = (char)below(replay, 256);
      break;
    case 2:
      replace(replay, at, length, AP_TEXT(""));
      break;
    case 3:
      replace(replay, at, 0, interesting(replay, bytes));
      break;
    case 4: {
      struct ap_text added = interesting(replay, bytes);
      replace(replay, at, added.size < left ? added.size : left, added);
      break;
    }
    case 5: /* the same piece once more */
      replace(replay, at, 0, (struct ap_text){replay->input.data + at, length});
      break;
    case 6: { /* a piece of another seed */
      struct ap_text other = replay->seeds[below(replay, replay->seed_count)];
      size_t start = below(replay, other.size + 1);
      size_t count = below(replay, other.size - start + 1);
      replace(replay, at, length, (struct ap_text){other.data + start, count});
      break;
    }
    default: /* cut off */
      if (below(replay, 4) == 0) replace(replay, at, left, AP_TEXT(""));
  }
}

/* From a block of exactly that size, so that the address sanitizer sees reading beyond it. */
static void run_input(struct replay *replay, struct ap_text input) {
  if (replay->keep >= 0) {
    ssize_t written = pwrite(replay->keep, input.data, input.size, 0);
    AP_ASSERT(written == (ssize_t)input.size && ftruncate(replay->keep, written) == 0);
  }
  uint8_t *block = ap_allocate(ap_allocator_system(), input.size);
  AP_ASSERT(block);
  if (input.size) memcpy(block, input.data, input.size);
  int result = LLVMFuzzerTestOneInput(block, input.size);
  AP_ASSERT(result == 0);
  ap_free(ap_allocator_system(), block);
}

static void run_mutation(struct replay *replay) {
  ap_buffer_clear(&replay->input);
  ap_buffer_append_text(&replay->input, replay->seeds[below(replay, replay->seed_count)]);
  for (size_t edits = below(replay, EDITS_MAX) + 1; edits > 0; edits--) edit(replay);
  if (replay->input.size > INPUT_BYTES_MAX) return;
  run_input(replay, ap_buffer_text(&replay->input));
}

static uint64_t run_all(struct replay *replay) {
  for (size_t i = 0; i < replay->seed_count; i++) run_input(replay, replay->seeds[i]);
  int64_t end_us = ap_clock_monotonic_us(ap_clock_system()) + replay->seconds * 1000000;
  uint64_t round = 0;
  while (round < replay->rounds ||
         (replay->seconds > 0 && ap_clock_monotonic_us(ap_clock_system()) < end_us)) {
    run_mutation(replay);
    round++;
  }
  return round;
}

static bool read_options(struct replay *replay, int count, char **arguments) {
  bool has_rounds = false;
  for (int i = 1; i < count; i++) {
    const char *name = arguments[i];
    if (strncmp(name, "--", 2) != 0) {
      add_path(replay, name);
      continue;
    }
    if (++i == count) return false;
    int64_t number = 0;
    if (strcmp(name, "--keep") == 0) {
      replay->keep_path = arguments[i];
      continue;
    }
    if (!ap_text_parse_i64(ap_text_of(arguments[i]), &number) || number < 0) return false;
    if (strcmp(name, "--rounds") == 0) {
      replay->rounds = (uint64_t)number;
      has_rounds = true;
    } else if (strcmp(name, "--seconds") == 0) {
      replay->seconds = number;
    } else {
      return false;
    }
  }
  if (!has_rounds) replay->rounds = replay->seconds > 0 ? 0 : ap_test_rounds(ROUNDS_USUAL);
  return replay->seed_count > 0;
}

int main(int count, char **arguments) {
  struct replay *replay = ap_allocate_zeroed(ap_allocator_system(), 1, sizeof(*replay));
  AP_ASSERT(replay);
  replay->keep = -1;
  ap_arena_init(&replay->arena, ap_allocator_system());
  ap_buffer_init(&replay->input, ap_allocator_system());
  if (!read_options(replay, count, arguments)) {
    fprintf(stderr, "usage: %s FOLDER|FILE... [--rounds N] [--seconds N] [--keep FILE]\n",
            arguments[0]);
    return 2;
  }
  qsort(replay->seeds, replay->seed_count, sizeof(replay->seeds[0]), compare_seeds);
  if (replay->keep_path) {
    replay->keep = open(replay->keep_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    AP_ASSERT(replay->keep >= 0);
  }
  ap_seeded_random_init(&replay->random, ap_test_seed(arguments[0]));
  uint64_t rounds = run_all(replay);
  printf("%zu files and %llu mutations passed\n", replay->seed_count, (unsigned long long)rounds);
  if (replay->keep >= 0) {
    close(replay->keep);
    unlink(replay->keep_path);
  }
  ap_buffer_deinit(&replay->input);
  ap_arena_deinit(&replay->arena);
  ap_free(ap_allocator_system(), replay);
  return 0;
}
