/* SPDX-License-Identifier: Apache-2.0
 *
 * See csv_shape.h. Rows by RFC 4180: a field that begins with a quote goes to the next quote that
 * is not doubled, line ends included.
 */
#include "execute/csv_shape.h"

#include "base/assert.h"
#include "base/limits.h"

#include <inttypes.h>
#include <string.h>

enum {
  SAMPLE_BYTES = 64 * 1024,
  PIECE_BYTES = 1024 * 1024,
};

static const char separators[] = {',', '\t', ';', '|'};
enum { SEPARATOR_COUNT = sizeof separators };

/* Where in a row a byte stands. */
enum place {
  AT_FIELD_START,
  IN_FIELD,
  IN_QUOTES,
  AFTER_QUOTE, /* the end of the field, or the first of two */
};

struct rows {
  char separator;
  enum place place;
  int64_t line;     /* of the byte, from 1 */
  int64_t row_line; /* on which the row began */
  uint64_t fields;  /* ended in this row */
  bool is_blank;    /* nothing stands in the row */
};

/* A row that ended. */
struct row {
  int64_t line;
  uint64_t fields;
};

static struct rows start_rows(char separator) {
  return (struct rows){.separator = separator, .line = 1, .row_line = 1, .is_blank = true};
}

/* End the row; false for a blank one. */
static bool end_row(struct rows *rows, struct row *out_row) {
  bool is_row = !rows->is_blank;
  *out_row = (struct row){rows->row_line, rows->fields + 1};
  rows->fields = 0;
  rows->is_blank = true;
  rows->place = AT_FIELD_START;
  return is_row;
}

/* Take a byte; true when it ended a row. */
static bool take(struct rows *rows, char c, struct row *out_row) {
  if (c == '\n') ++rows->line;
  if (rows->place == IN_QUOTES) {
    if (c == '"') rows->place = AFTER_QUOTE;
    return false;
  }
  if (c == '\n' || c == '\r') {
    return end_row(rows, out_row);
  }
  if (rows->is_blank) rows->row_line = rows->line;
  rows->is_blank = false;
  if (c == rows->separator) {
    ++rows->fields;
    rows->place = AT_FIELD_START;
  } else if (c == '"' && rows->place == AT_FIELD_START) {
    rows->place = IN_QUOTES;
  } else if (c == '"' && rows->place == AFTER_QUOTE) {
    rows->place = IN_QUOTES;
  } else {
    rows->place = IN_FIELD;
  }
  return false;
}

static bool is_compressed(struct ap_text bytes) {
  return bytes.size >= 4 &&
         (memcmp(bytes.data, "\x1f\x8b", 2) == 0 || memcmp(bytes.data, "\x28\xb5\x2f\xfd", 4) == 0);
}

/* ---- the separator --------------------------------------------------------------------------- */

/* The fields of the first row, and whether more than half of the rows have as many. */
static uint64_t judge(struct ap_text sample, bool is_whole, char separator) {
  struct rows rows = start_rows(separator);
  struct row row;
  uint64_t first = 0;
  uint64_t count = 0;
  uint64_t same = 0;
  for (size_t i = 0; i < sample.size; ++i) {
    if (!take(&rows, sample.data[i], &row)) continue;
    if (count++ == 0) first = row.fields;
    if (row.fields == first) ++same;
  }
  if (is_whole && end_row(&rows, &row)) {
    if (count++ == 0) first = row.fields;
    if (row.fields == first) ++same;
  }
  return first > 1 && 2 * same > count ? first : 0;
}

/* The separator with the most fields among those that the sample agrees on. */
static char choose(struct ap_text sample, bool is_whole) {
  uint64_t most = 0;
  char chosen = '\0';
  for (size_t i = 0; i < SEPARATOR_COUNT; ++i) {
    uint64_t fields = judge(sample, is_whole, separators[i]);
    if (fields <= most) continue;
    most = fields;
    chosen = separators[i];
  }
  return chosen;
}

ap_status ap_csv_separator(struct ap_files *files, struct ap_allocator *allocator,
                           const struct ap_text *paths, uint32_t path_count, char *out_separator,
                           ap_error *err) {
  AP_ASSERT(path_count > 0);
  struct ap_buffer sample;
  ap_status status = AP_OK;
  uint32_t tried = path_count < AP_CSV_FILES_TRIED ? path_count : AP_CSV_FILES_TRIED;
  ap_buffer_init(&sample, allocator);
  *out_separator = '\0';
  for (uint32_t i = 0; i < tried && status == AP_OK; ++i) {
    ap_buffer_clear(&sample);
    status = files->read(files, paths[i].data, 0, SAMPLE_BYTES, &sample, err);
    if (status == AP_OK) status = ap_buffer_check(&sample, err);
    if (status != AP_OK) break;
    struct ap_text text = ap_buffer_text(&sample);
    char chosen = is_compressed(text) ? '\0' : choose(text, text.size < SAMPLE_BYTES);
    if (i > 0 && chosen != *out_separator) chosen = '\0';
    *out_separator = chosen;
    if (chosen == '\0') break;
  }
  ap_buffer_deinit(&sample);
  return status;
}

/* ---- ragged rows ----------------------------------------------------------------------------- */

static ap_status refuse(struct ap_text path, const struct row *row, uint64_t expected,
                        ap_error *err) {
  ap_status status =
      AP_FAIL(err, AP_SCHEMA_MISMATCH,
              "file %.*s, line %" PRId64 ": %" PRIu64 " fields where the first row has %" PRIu64,
              AP_TEXT_ARG(path), row->line, row->fields, expected);
  ap_error_hint(err,
                "every row needs the same number of fields; correct the line, or put a field "
                "that holds the separator into double quotes");
  return status;
}

struct check {
  struct ap_text path;
  struct rows rows;
  uint64_t expected; /* fields of the first row; 0 before it */
};

static ap_status check_row(struct check *check, const struct row *row, ap_error *err) {
  if (check->expected == 0) check->expected = row->fields;
  return row->fields == check->expected ? AP_OK : refuse(check->path, row, check->expected, err);
}

static ap_status check_piece(struct check *check, struct ap_text piece, ap_error *err) {
  struct row row;
  for (size_t i = 0; i < piece.size; ++i) {
    if (take(&check->rows, piece.data[i], &row)) AP_TRY(check_row(check, &row, err));
  }
  return AP_OK;
}

ap_status ap_csv_check_rows(struct ap_files *files, struct ap_allocator *allocator,
                            struct ap_text path, char separator, ap_error *err) {
  AP_ASSERT(separator != '\0');
  struct check check = {.path = path, .rows = start_rows(separator)};
  struct ap_buffer piece;
  struct row row;
  ap_status status = AP_OK;
  bool more = true;
  ap_buffer_init(&piece, allocator);
  for (int64_t offset = 0; more && status == AP_OK; offset += PIECE_BYTES) {
    ap_buffer_clear(&piece);
    status = files->read(files, path.data, offset, PIECE_BYTES, &piece, err);
    if (status == AP_OK) status = ap_buffer_check(&piece, err);
    struct ap_text text = ap_buffer_text(&piece);
    more = text.size == PIECE_BYTES;
    if (offset == 0 && is_compressed(text)) break;
    if (status == AP_OK) status = check_piece(&check, text, err);
  }
  if (status == AP_OK && !more && end_row(&check.rows, &row)) status = check_row(&check, &row, err);
  ap_buffer_deinit(&piece);
  return status;
}
