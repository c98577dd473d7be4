/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: a frame reads the same from native copies as from its cells, and whatever happens to the
 * copies' files is an error of the statement that needed them, never a wrong answer.
 * Method: answers over cells are compared with those over copies of them, whole, in ranges, and
 * beside cells that are in none; files are cut, overwritten and removed under the chambers.
 */
#include "engine/native.h"
#include "testing/engine_bed.h"

#include <fcntl.h>

#define COUNT(array) (uint32_t)(sizeof(array) / sizeof((array)[0]))

static struct ap_native_copy *copy_of(struct bed *bed, const struct bed_frame *frame,
                                      uint64_t number) {
  const struct ap_frame_binding binding = bed_binding(frame);
  const struct ap_native_request request = {
      .binding = &binding,
      .path = ap_arena_format(&bed->arena, "%s/%llu.db", bed->folder, (unsigned long long)number),
      .number = number,
      .memory_limit_bytes = 256 * AP_MIB,
  };
  struct ap_native_copy *copy = NULL;
  check_ok(ap_native_copy_make(bed->engine, &request, &copy, &bed->err), &bed->err);
  assert_true(ap_native_copy_size_bytes(copy) > 0);
  return copy;
}

static ap_status bind_parts(struct bed *bed, struct ap_chamber *chamber,
                            const struct bed_frame *frame, const struct ap_native_part *parts,
                            uint32_t part_count, uint32_t rest_from) {
  struct ap_frame_binding binding = bed_binding(frame);
  binding.parts = parts;
  binding.part_count = part_count;
  binding.cells += rest_from;
  binding.cell_count -= rest_from;
  return ap_chamber_bind_frame(chamber, &binding, &bed->err);
}

static char *ask_parts(struct bed *bed, const struct bed_frame *frame,
                       const struct ap_native_part *parts, uint32_t part_count, uint32_t rest_from,
                       const char *sql) {
  struct ap_chamber *chamber = bed_chamber(bed);
  check_ok(bind_parts(bed, chamber, frame, parts, part_count, rest_from), &bed->err);
  return bed_query_in(bed, chamber, sql);
}

static const char *const columns[][2] = {{"id", "int64"}, {"name", "string"}, {"ap_cell", "int32"}};

static void open_three(struct bed *bed, struct bed_frame *frame) {
  bed_open(bed);
  bed_frame_init(bed, frame, columns, COUNT(columns));
  for (int i = 0; i < 3; i++) {
    bed_append(bed, frame,
               ap_arena_format(&bed->arena,
                               "SELECT i AS id, 'n' || i AS name, i::INTEGER %% 7 AS ap_cell "
                               "FROM range(%d, %d) t(i)",
                               i * 100, i * 100 + 100));
  }
}

static void close_three(struct bed *bed, struct bed_frame *frame) {
  bed_frame_deinit(frame);
  bed_close(bed);
}

static void reads_as_cells_do(void **state) {
  (void)state;
  struct bed bed;
  struct bed_frame frame;
  open_three(&bed, &frame);
  static const char all[] = "SELECT * FROM w.s.orders ORDER BY id";
  static const char some[] =
      "SELECT count(*), sum(id)::BIGINT, sum(ap_cell)::BIGINT, min(name) "
      "FROM w.s.orders";
  char *expected = bed_ask(&bed, &frame, all);
  struct ap_native_copy *copy = copy_of(&bed, &frame, 1);
  struct ap_native_part part = {.copy = copy};
  assert_string_equal(ask_parts(&bed, &frame, &part, 1, 3, all), expected);
  assert_string_equal(ask_parts(&bed, &frame, &part, 1, 3, all), expected); /* bound already */
  /* ranges: the frame's own column ap_cell is another one */
  const struct ap_cell_range ranges[] = {{0, 0}, {2, 2}};
  part.ranges = ranges;
  part.range_count = 2;
  char *outer = ask_parts(&bed, &frame, &part, 1, 3, some);
  assert_true(strncmp(outer, "200|", 4) == 0);
  part.range_count = 1;
  /* a part beside cells: the first from the copy, two from Parquet */
  assert_string_equal(ask_parts(&bed, &frame, &part, 1, 1, all), expected);
  /* back to cells alone */
  assert_string_equal(bed_ask(&bed, &frame, all), expected);
  ap_native_copy_release(copy);
  close_three(&bed, &frame);
}

static void copies_leave_deleted_rows_out(void **state) {
  (void)state;
  struct bed bed;
  struct bed_frame frame;
  open_three(&bed, &frame);
  const uint64_t first[] = {0, 99};
  const uint64_t *const rows[] = {first, NULL, NULL};
  const uint64_t counts[] = {2, 0, 0};
  struct ap_frame_binding binding = bed_binding(&frame);
  binding.deleted_rows = rows;
  binding.deleted_row_counts = counts;
  const struct ap_native_request request = {
      .binding = &binding,
      .path = ap_arena_format(&bed.arena, "%s/d.db", bed.folder),
      .number = 9,
      .memory_limit_bytes = 256 * AP_MIB,
  };
  struct ap_native_copy *copy = NULL;
  check_ok(ap_native_copy_make(bed.engine, &request, &copy, &bed.err), &bed.err);
  const struct ap_native_part part = {.copy = copy};
  assert_string_equal(
      ask_parts(&bed, &frame, &part, 1, 3, "SELECT count(*), sum(id)::BIGINT FROM w.s.orders"),
      "298|44751\n");
  ap_native_copy_release(copy);
  close_three(&bed, &frame);
}

static void retired_copies_are_let_go(void **state) {
  (void)state;
  struct bed bed;
  struct bed_frame frame;
  open_three(&bed, &frame);
  static const char count[] = "SELECT count(*) FROM w.s.orders";
  int files = bed_count_files(&bed, bed.folder);
  struct ap_native_copy *copies[AP_COPIES_ATTACHED_MAX + 1];
  for (uint32_t i = 0; i < COUNT(copies); i++) {
    copies[i] = copy_of(&bed, &frame, i);
    const struct ap_native_part part = {.copy = copies[i]};
    assert_string_equal(ask_parts(&bed, &frame, &part, 1, 3, count), "300\n");
  }
  /* One whose file is gone is read on by those who have it open. */
  const struct ap_native_part last = {.copy = copies[AP_COPIES_ATTACHED_MAX]};
  struct ap_chamber *chamber = bed_chamber(&bed);
  check_ok(bind_parts(&bed, chamber, &frame, &last, 1, 3), &bed.err);
  ap_native_copy_retire(last.copy);
  assert_string_equal(bed_query_in(&bed, chamber, count), "300\n");
  for (uint32_t i = 0; i < COUNT(copies); i++) ap_native_copy_retire(copies[i]);
  assert_int_equal(bed_count_files(&bed, bed.folder), files);
  assert_string_equal(bed_ask(&bed, &frame, count), "300\n");
  /* More than a chamber may have open in one statement */
  struct ap_native_part parts[AP_COPIES_ATTACHED_MAX + 1];
  for (uint32_t i = 0; i < COUNT(copies); i++) {
    ap_native_copy_release(copies[i]);
    copies[i] = copy_of(&bed, &frame, 100 + i);
    parts[i] = (struct ap_native_part){.copy = copies[i]};
  }
  chamber = bed_chamber(&bed);
  check_status(bind_parts(&bed, chamber, &frame, parts, COUNT(parts), 3), AP_BUSY, &bed.err);
  ap_chamber_release(chamber);
  for (uint32_t i = 0; i < COUNT(copies); i++) ap_native_copy_release(copies[i]);
  close_three(&bed, &frame);
}

/* Spoil a file from an offset on, in place. */
static void spoil(struct ap_arena *arena, const char *path, int64_t offset, int64_t size) {
  int file = open(path, O_WRONLY);
  assert_true(file >= 0);
  char *junk = ap_arena_allocate(arena, (size_t)size);
  assert_non_null(junk);
  memset(junk, 0x5a, (size_t)size);
  assert_int_equal(pwrite(file, junk, (size_t)size, offset), size);
  close(file);
}

static void damage_is_found(void **state) {
  (void)state;
  struct bed bed;
  struct bed_frame frame;
  open_three(&bed, &frame);
  static const char sum[] =
      "SELECT sum(id)::BIGINT, max(name), sum(ap_cell)::BIGINT "
      "FROM w.s.orders";
  struct ap_native_copy *copies[3];
  for (uint32_t i = 0; i < 3; i++) copies[i] = copy_of(&bed, &frame, i);
  int64_t size = ap_native_copy_size_bytes(copies[0]);
  spoil(&bed.arena, ap_arena_format(&bed.arena, "%s/0.db", bed.folder), 3 * 4096, size - 3 * 4096);
  assert_int_equal(truncate(ap_arena_format(&bed.arena, "%s/1.db", bed.folder), size / 3), 0);
  assert_int_equal(unlink(ap_arena_format(&bed.arena, "%s/2.db", bed.folder)), 0);
  for (uint32_t i = 0; i < 3; i++) {
    const struct ap_native_part part = {.copy = copies[i]};
    struct ap_chamber *chamber = bed_chamber(&bed);
    ap_status status = bind_parts(&bed, chamber, &frame, &part, 1, 3);
    if (status == AP_OK) {
      status = bed_try(&bed, chamber, sum, NULL);
    } else {
      ap_chamber_release(chamber);
    }
    assert_int_not_equal(status, AP_OK);
    assert_true(ap_native_copy_is_suspect(copies[i]));
    ap_native_copy_retire(copies[i]);
    ap_native_copy_release(copies[i]);
    assert_true(strncmp(bed_ask(&bed, &frame, sum), "44850|", 6) == 0);
  }
  close_three(&bed, &frame);
}

/* Whether there is a copy of a column made by an expression over i, and if so that it says the
 * same. */
static bool copies_signs(struct bed *bed, uint64_t number, const char *type,
                         const char *expression) {
  const char *const words[][2] = {{"a", type}};
  struct bed_frame frame;
  bed_frame_init(bed, &frame, words, 1);
  bed_append(bed, &frame,
             ap_arena_format(&bed->arena, "SELECT %s AS a FROM range(3000) t(i)", expression));
  struct ap_frame_binding binding = bed_binding(&frame);
  const struct ap_native_request request = {
      .binding = &binding,
      .path =
          ap_arena_format(&bed->arena, "%s/signs-%llu.db", bed->folder, (unsigned long long)number),
      .number = number,
      .memory_limit_bytes = 256 * AP_MIB,
  };
  struct ap_native_copy *copy = NULL;
  ap_status status = ap_native_copy_make(bed->engine, &request, &copy, &bed->err);
  if (status == AP_OK) {
    static const char ask[] = "SELECT a::VARCHAR, count(*) FROM w.s.orders GROUP BY 1 ORDER BY 1";
    const struct ap_native_part part = {.copy = copy};
    char *expected = bed_ask(bed, &frame, ask);
    assert_string_equal(ask_parts(bed, &frame, &part, 1, 1, ask), expected);
    ap_native_copy_release(copy);
  } else {
    check_status(status, AP_UNSUPPORTED, &bed->err);
  }
  check_ok(ap_files_remove_tree(ap_env_system()->files, frame.folder, &bed->err), &bed->err);
  bed_frame_deinit(&frame);
  return status == AP_OK;
}

static void zeros_keep_their_signs(void **state) {
  (void)state;
  struct bed bed;
  bed_open(&bed);
  assert_true(copies_signs(&bed, 1, "float64", "0.0::DOUBLE"));
  assert_true(copies_signs(&bed, 2, "float64", "(i % 3)::DOUBLE * -1.0::DOUBLE"));
  assert_true(copies_signs(&bed, 3, "float32", "[0.0, -0.0, 3.0][(i // 50) % 3 + 1]::FLOAT"));
  assert_true(
      copies_signs(&bed, 4, "float64", "CASE WHEN i = 7 THEN 'nan' ELSE '-0.0' END::DOUBLE"));
  assert_false(copies_signs(&bed, 6, "list<float64>", "['-0.0'::DOUBLE]"));
  assert_true(copies_signs(&bed, 7, "list<float64>", "['-0.0'::DOUBLE, i / 4]"));
  bed_close(&bed);
}

static bool always(void *context) {
  ++*(int *)context;
  return true;
}

static void making_can_be_stopped(void **state) {
  (void)state;
  struct bed bed;
  struct bed_frame frame;
  bed_open(&bed);
  bed_frame_init(&bed, &frame, columns, COUNT(columns));
  bed_append(&bed, &frame,
             "SELECT i AS id, 'n' || i AS name, 1::INTEGER AS ap_cell FROM range(3000000) t(i)");
  int asked = 0;
  const struct ap_run_control control = {.cancelled = always, .context = &asked};
  const struct ap_frame_binding binding = bed_binding(&frame);
  const struct ap_native_request request = {
      .binding = &binding,
      .path = ap_arena_format(&bed.arena, "%s/stopped.db", bed.folder),
      .number = 1,
      .memory_limit_bytes = 256 * AP_MIB,
      .control = &control,
  };
  int files = bed_count_files(&bed, bed.folder);
  struct ap_native_copy *copy = NULL;
  check_status(ap_native_copy_make(bed.engine, &request, &copy, &bed.err), AP_CANCELLED, &bed.err);
  assert_true(asked > 0);
  assert_int_equal(bed_count_files(&bed, bed.folder), files);
  /* Nor is anything left of one that cannot be read. */
  assert_int_equal(
      unlink(ap_arena_format(&bed.arena, "%s/%s", frame.folder, frame.cells[0]->path.data)), 0);
  struct ap_native_request again = request;
  again.control = NULL;
  check_status(ap_native_copy_make(bed.engine, &again, &copy, &bed.err), AP_IO, &bed.err);
  assert_int_equal(bed_count_files(&bed, bed.folder), files);
  bed_frame_deinit(&frame);
  bed_close(&bed);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(reads_as_cells_do),         cmocka_unit_test(copies_leave_deleted_rows_out),
      cmocka_unit_test(retired_copies_are_let_go), cmocka_unit_test(damage_is_found),
      cmocka_unit_test(making_can_be_stopped),     cmocka_unit_test(zeros_keep_their_signs),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
