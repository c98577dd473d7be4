/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: a cell states no maximum of a float column that holds NaN, which is greatest, in whichever
 * row group it stands; without NaN the maximum is stated.
 * Method: files of several row groups with one NaN in the first, a middle or the last one, written
 * from streams, from queries and into partitions, in a folder whose name has wildcards.
 */
#include "testing/engine_bed.h"

#define COUNT(array) (uint32_t)(sizeof(array) / sizeof((array)[0]))

enum { ROWS = 300000 };

static const char *const columns[][2] = {
    {"p", "string"}, {"d", "float64"}, {"odd.\"f\"", "float32"}, {"e", "float64"}};

/* Every file has its maximum of e, and of d and f exactly when no NaN was written. */
static void check_maxima(struct bed *bed, const struct ap_cell_draft *draft, bool has_nan) {
  const struct ap_json *tree = NULL;
  check_ok(ap_json_parse(&bed->arena, draft->statistics_json, &tree, &bed->err), &bed->err);
  const struct ap_json *maxima = ap_json_find(tree, "maxValues");
  const struct ap_json *minima = ap_json_find(tree, "minValues");
  assert_int_equal(ap_json_find(maxima, "d") == NULL, has_nan);
  assert_int_equal(ap_json_find(maxima, "odd.\"f\"") == NULL, has_nan);
  assert_non_null(ap_json_find(maxima, "e"));
  assert_non_null(ap_json_find(minima, "d"));
  assert_non_null(ap_json_find(minima, "odd.\"f\""));
}

static void check_write(struct bed *bed, struct bed_frame *frame, int nan_row, bool as_query) {
  char *sql = ap_arena_format(
      &bed->arena,
      "SELECT 'x' p, CASE WHEN i = %d THEN 'nan'::DOUBLE ELSE i END d, CASE WHEN i = %d THEN "
      "'nan'::FLOAT ELSE i END \"odd.\"\"f\"\"\", i::DOUBLE e FROM range(%d) t(i)",
      nan_row, nan_row, ROWS);
  struct ArrowArrayStream stream = {0};
  struct ap_cell_source source = {.query = ap_text_of(sql)};
  if (!as_query) {
    stream = bed_stream(bed, sql);
    source = (struct ap_cell_source){.stream = &stream};
  }
  struct ap_cell_draft *drafts = NULL;
  uint32_t count = 0;
  check_ok(bed_write(bed, frame, &source, &drafts, &count), &bed->err);
  assert_int_equal(count, 1);
  check_maxima(bed, &drafts[0], nan_row >= 0);
  struct ap_files *files = ap_env_system()->files;
  check_ok(files->remove_file(files, drafts[0].staged_path.data, &bed->err), &bed->err);
}

static void nan_in_any_row_group_hides_the_maximum(void **state) {
  (void)state;
  static const int rows[] = {-1, 0, 130000, ROWS - 1};
  struct bed bed;
  bed_open(&bed);
  snprintf(bed.staging, sizeof bed.staging, "%s/st[a]g*ng", bed.folder);
  assert_int_equal(mkdir(bed.staging, 0700), 0);
  struct bed_frame frame;
  bed_frame_init(&bed, &frame, columns, COUNT(columns));
  for (uint32_t i = 0; i < COUNT(rows); i++) {
    for (int partitioned = 0; partitioned < 2; partitioned++) {
      frame.partition_count = (uint32_t)partitioned;
      check_write(&bed, &frame, rows[i], false);
      check_write(&bed, &frame, rows[i], true);
    }
  }
  bed_frame_deinit(&frame);
  bed_close(&bed);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(nan_in_any_row_group_hides_the_maximum),
  };
  return AP_RUN_TESTS(tests);
}
