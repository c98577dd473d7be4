/* SPDX-License-Identifier: Apache-2.0
 *
 * ap_ipc_write: an Arrow stream as IPC bytes, by nanoarrow's encoder.
 *
 * The encoder knows neither offsets nor dictionaries nor views, so batches are brought into their
 * plain form first where they are not. One thread at a time.
 */
#include "arrow/ipc.h"

#include "arrow/plain.h"
#include "base/assert.h"

#include <errno.h>
#include <nanoarrow/nanoarrow_ipc.h>

struct writer {
  struct ArrowIpcWriter ipc;
  struct ArrowSchema schema; /* of the stream */
  struct ArrowSchema plain;
  struct ArrowArrayView view;
  bool has_view;
};

static ap_status write_batches(struct writer *writer, struct ArrowArrayStream *stream,
                               ap_error *err);
static ap_status write_batch(struct writer *writer, const struct ArrowArray *array, ap_error *err);

/* Where the bytes go, and what that place answered last. */
struct sink {
  ap_status (*write)(void *context, const void *data, size_t size);
  void *context;
  ap_status status;
};

static ArrowErrorCode pour(struct ArrowIpcOutputStream *stream, const void *data, int64_t size,
                           int64_t *out_size, struct ArrowError *error) {
  struct sink *sink = stream->private_data;
  (void)error;
  sink->status = sink->write(sink->context, data, (size_t)size);
  if (sink->status != AP_OK) return EIO;
  *out_size = size;
  return NANOARROW_OK;
}

static ap_status append(void *context, const void *data, size_t size) {
  struct ap_buffer *buffer = context;
  ap_buffer_append(buffer, data, size);
  return buffer->failed ? AP_OUT_OF_MEMORY : AP_OK;
}

static void release_output(struct ArrowIpcOutputStream *stream) {
  stream->release = NULL;
}

/* nanoarrow's answer as ours. */
static ap_status check(ArrowErrorCode code, const struct ArrowError *error, ap_error *err) {
  if (code == NANOARROW_OK) return AP_OK;
  if (code == ENOMEM) return AP_FAIL_MEMORY(err);
  return AP_FAIL(err, code == ENOTSUP ? AP_UNSUPPORTED : AP_INVALID_ARGUMENT,
                 "writing Arrow IPC: %s", error->message);
}

static ap_status write_stream(struct writer *writer, struct ArrowArrayStream *stream,
                              enum ap_ipc_format format, ap_error *err) {
  struct ArrowError error = {{0}};
  AP_TRY(ap_stream_schema(stream, &writer->schema, err));
  AP_TRY(ap_schema_plain(&writer->schema, &writer->plain, err));
  if (format == AP_IPC_FILE) {
    AP_TRY(check(ArrowIpcWriterStartFile(&writer->ipc, &error), &error, err));
  }
  AP_TRY(check(ArrowIpcWriterWriteSchema(&writer->ipc, &writer->plain, &error), &error, err));
  AP_TRY(check(ArrowArrayViewInitFromSchema(&writer->view, &writer->plain, &error), &error, err));
  writer->has_view = true;
  AP_TRY(write_batches(writer, stream, err));
  AP_TRY(check(ArrowIpcWriterWriteArrayView(&writer->ipc, NULL, &error), &error, err));
  if (format == AP_IPC_STREAM) return AP_OK;
  return check(ArrowIpcWriterFinalizeFile(&writer->ipc, &error), &error, err);
}

ap_status ap_ipc_write(struct ArrowArrayStream *stream, enum ap_ipc_format format,
                       struct ap_buffer *out, ap_error *err) {
  return ap_ipc_write_to(stream, format, append, out, err);
}

ap_status ap_ipc_write_to(struct ArrowArrayStream *stream, enum ap_ipc_format format,
                          ap_status (*write)(void *context, const void *data, size_t size),
                          void *context, ap_error *err) {
  struct writer writer = {0};
  struct sink sink = {write, context, AP_OK};
  struct ArrowIpcOutputStream output = {
      .write = pour, .release = release_output, .private_data = &sink};
  ap_status status = AP_OK;
  AP_ASSERT(stream->release != NULL);
  if (ArrowIpcWriterInit(&writer.ipc, &output) != NANOARROW_OK) {
    status = AP_FAIL_MEMORY(err);
  } else {
    status = write_stream(&writer, stream, format, err);
    ArrowIpcWriterReset(&writer.ipc);
    if (status != AP_OK && sink.status != AP_OK) {
      status = sink.status == AP_OUT_OF_MEMORY
                   ? AP_FAIL_MEMORY(err)
                   : AP_FAIL(err, sink.status, "the receiver of the Arrow bytes ended the writing");
    }
  }
  if (writer.has_view) ArrowArrayViewReset(&writer.view);
  ap_schema_release(&writer.plain);
  ap_schema_release(&writer.schema);
  ap_stream_release(stream);
  return status;
}

static ap_status write_batches(struct writer *writer, struct ArrowArrayStream *stream,
                               ap_error *err) {
  for (;;) {
    struct ArrowArray array = {0};
    AP_TRY(ap_stream_next(stream, &array, err));
    if (array.release == NULL) return AP_OK;
    ap_status status = ap_array_validate(&writer->schema, &array, err);
    if (status == AP_OK && !ap_array_is_plain(&writer->schema, &array)) {
      struct ArrowArray plain = {0};
      status = ap_array_plain(&writer->schema, &array, &plain, err);
      if (status == AP_OK) status = write_batch(writer, &plain, err);
      ap_array_release(&plain);
    } else if (status == AP_OK) {
      status = write_batch(writer, &array, err);
    }
    ap_array_release(&array);
    AP_TRY(status);
  }
}

/* Producers may leave nulls uncounted (-1); the format wants the number. */
static void count_nulls(struct ArrowArrayView *view) {
  if (view->null_count < 0) view->null_count = ArrowArrayViewComputeNullCount(view);
  for (int64_t i = 0; i < view->n_children; i++) count_nulls(view->children[i]);
}

static ap_status write_batch(struct writer *writer, const struct ArrowArray *array, ap_error *err) {
  struct ArrowError error = {{0}};
  AP_TRY(check(ArrowArrayViewSetArray(&writer->view, array, &error), &error, err));
  count_nulls(&writer->view);
  return check(ArrowIpcWriterWriteArrayView(&writer->ipc, &writer->view, &error), &error, err);
}
