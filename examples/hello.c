/* SPDX-License-Identifier: Apache-2.0
 *
 * Apiary from C, whole: open, make a hive, a box and a frame, write three rows, ask for sums.
 *
 *   cc hello.c $(pkg-config --cflags --libs apiary) -o hello && ./hello ./data
 *
 * Rows come and go as Arrow streams. Here the stream is made by hand of plain C arrays; a program
 * that has an Arrow library hands over what that exports. No memory is allocated.
 */
#include <apiary/apiary.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- three rows as an Arrow stream ----------------------------------------------------------- */

/* Everything is static, so releasing means only to say that it is released. */
static void release_schema(struct ArrowSchema *schema) {
  schema->release = NULL;
}

static void release_array(struct ArrowArray *array) {
  array->release = NULL;
}

static void release_stream(struct ArrowArrayStream *stream) {
  stream->release = NULL;
}

/* The stream, its schema and its one batch. */
struct rows {
  struct ArrowSchema columns[2];
  struct ArrowSchema *column_list[2];
  struct ArrowArray values[2];
  struct ArrowArray *value_list[2];
  const void *customer_buffers[3];
  const void *amount_buffers[2];
  const void *row_buffers[1];
  int batches_left;
};

static int get_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out) {
  struct rows *rows = stream->private_data;
  static const char *const names[2] = {"customer", "amount"};
  static const char *const formats[2] = {"u", "g"}; /* a string and a double */
  for (int i = 0; i < 2; ++i) {
    rows->columns[i] = (struct ArrowSchema){.format = formats[i],
                                            .name = names[i],
                                            .flags = ARROW_FLAG_NULLABLE,
                                            .release = release_schema};
    rows->column_list[i] = &rows->columns[i];
  }
  *out = (struct ArrowSchema){.format = "+s",
                              .name = "",
                              .n_children = 2,
                              .children = rows->column_list,
                              .release = release_schema};
  return 0;
}

static int get_next(struct ArrowArrayStream *stream, struct ArrowArray *out) {
  static const int32_t offsets[] = {0, 3, 6, 9};
  static const double amounts[] = {10.5, 4.0, 2.5};
  struct rows *rows = stream->private_data;
  *out = (struct ArrowArray){.release = NULL}; /* a released array ends the stream */
  if (rows->batches_left == 0) return 0;
  --rows->batches_left;
  /* The first buffer says which values are null: none. */
  rows->customer_buffers[1] = offsets;
  rows->customer_buffers[2] = "annbobann";
  rows->amount_buffers[1] = amounts;
  rows->values[0] = (struct ArrowArray){
      .length = 3, .n_buffers = 3, .buffers = rows->customer_buffers, .release = release_array};
  rows->values[1] = (struct ArrowArray){
      .length = 3, .n_buffers = 2, .buffers = rows->amount_buffers, .release = release_array};
  for (int i = 0; i < 2; ++i) rows->value_list[i] = &rows->values[i];
  *out = (struct ArrowArray){.length = 3,
                             .n_buffers = 1,
                             .n_children = 2,
                             .buffers = rows->row_buffers,
                             .children = rows->value_list,
                             .release = release_array};
  return 0;
}

static const char *get_last_error(struct ArrowArrayStream *stream) {
  (void)stream;
  return NULL;
}

/* ---- the program ----------------------------------------------------------------------------- */

static ap_status write_rows(ap_apiary *apiary, ap_error *error) {
  static const ap_column columns[] = {{"customer", "string not null"}, {"amount", "float64"}};
  ap_frame_definition definition = AP_FRAME_DEFINITION_INIT;
  ap_write_result result = AP_WRITE_RESULT_INIT;
  struct rows rows = {.batches_left = 1};
  struct ArrowArrayStream stream = {.get_schema = get_schema,
                                    .get_next = get_next,
                                    .get_last_error = get_last_error,
                                    .release = release_stream,
                                    .private_data = &rows};
  definition.columns = columns;
  definition.column_count = 2;
  ap_status status = ap_hive_create(apiary, "warehouse", true, error);
  if (status == AP_OK) status = ap_box_create(apiary, "warehouse", "sales", true, error);
  if (status == AP_OK) {
    status = ap_frame_create(apiary, "warehouse", "sales", "orders", &definition, true, error);
  }
  if (status != AP_OK) return status;
  status = ap_frame_write(apiary, "warehouse", "sales", "orders", &stream, NULL, &result, error);
  if (status == AP_OK) {
    printf("wrote %" PRId64 " rows as version %" PRId64 "\n", result.rows_written, result.version);
  }
  return status;
}

/* Column 0 is a string, column 1 a double, which is what the query below says. */
static void print_batch(const struct ArrowArray *batch) {
  const struct ArrowArray *names = batch->children[0];
  const struct ArrowArray *totals = batch->children[1];
  const int32_t *offsets = (const int32_t *)names->buffers[1] + names->offset;
  const char *text = names->buffers[2];
  const double *values = (const double *)totals->buffers[1] + totals->offset;
  for (int64_t i = 0; i < batch->length; ++i) {
    printf("%.*s %.1f\n", (int)(offsets[i + 1] - offsets[i]), text + offsets[i], values[i]);
  }
}

static ap_status print_totals(ap_apiary *apiary, ap_error *error) {
  ap_session *session = NULL;
  struct ArrowArrayStream stream;
  ap_status status = ap_session_open(apiary, &session, error);
  if (status != AP_OK) return status;
  status = ap_session_query(session,
                            "SELECT customer, sum(amount) AS total FROM warehouse.sales.orders "
                            "GROUP BY customer ORDER BY customer",
                            NULL, &stream, error);
  if (status == AP_OK) {
    struct ArrowArray batch = {.release = NULL};
    int code = 0;
    while ((code = stream.get_next(&stream, &batch)) == 0 && batch.release != NULL) {
      print_batch(&batch);
      batch.release(&batch);
    }
    if (code != 0) status = ap_stream_get_error(&stream, code, error);
    stream.release(&stream);
  }
  ap_session_close(session);
  return status;
}

int main(int argc, char **argv) {
  ap_open_options options = AP_OPEN_OPTIONS_INIT;
  ap_apiary *apiary = NULL;
  ap_error error = {.code = AP_OK};
  options.storage = argc > 1 ? argv[1] : NULL; /* NULL: ~/.apiary/data/default */
  ap_status status = ap_open(&options, &apiary, &error);
  if (status == AP_OK) status = write_rows(apiary, &error);
  if (status == AP_OK) status = print_totals(apiary, &error);
  if (status != AP_OK) fprintf(stderr, "%s\n%s\n", error.message, error.hint);
  ap_close(apiary);
  return status == AP_OK ? 0 : 1;
}
