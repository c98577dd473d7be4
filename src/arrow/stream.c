/* SPDX-License-Identifier: Apache-2.0
 *
 * Streams: pulling from them, making them, and the three that stand over others.
 *
 * A stream belongs to one thread at a time. Released streams are never called.
 */
#include "arrow/stream.h"

#include "arrow/array.h"
#include "base/assert.h"

#include <errno.h>
#include <string.h>

static int source_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out);
static int source_next(struct ArrowArrayStream *stream, struct ArrowArray *out);
static const char *source_last_error(struct ArrowArrayStream *stream);
static void source_release(struct ArrowArrayStream *stream);

ap_status ap_stream_error_of(struct ArrowArrayStream *stream, int code, const char *what,
                             ap_error *err) {
  AP_ASSERT(stream->release != NULL && code != 0);
  if (stream->get_last_error == source_last_error) {
    const struct ap_stream_source *source = stream->private_data;
    AP_ASSERT(source->error.code != AP_OK);
    if (err != NULL) *err = source->error;
    return source->error.code;
  }
  const char *message = stream->get_last_error == NULL ? NULL : stream->get_last_error(stream);
  if (message == NULL || message[0] == '\0') message = "the producer gave no reason";
  ap_status status = code == ENOMEM ? AP_OUT_OF_MEMORY : AP_QUERY;
  return AP_FAIL(err, status, "%s: %s", what, message);
}

ap_status ap_stream_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out_schema,
                           ap_error *err) {
  AP_ASSERT(stream->release != NULL);
  memset(out_schema, 0, sizeof(*out_schema));
  int code = stream->get_schema(stream, out_schema);
  if (code != 0) {
    out_schema->release = NULL;
    return ap_stream_error_of(stream, code, "reading the schema of an Arrow stream", err);
  }
  if (out_schema->release == NULL) {
    return AP_FAIL(err, AP_QUERY, "an Arrow stream gave a released schema");
  }
  return AP_OK;
}

ap_status ap_stream_next(struct ArrowArrayStream *stream, struct ArrowArray *out_array,
                         ap_error *err) {
  AP_ASSERT(stream->release != NULL);
  memset(out_array, 0, sizeof(*out_array));
  int code = stream->get_next(stream, out_array);
  if (code == 0) return AP_OK;
  out_array->release = NULL;
  return ap_stream_error_of(stream, code, "reading an Arrow stream", err);
}

void ap_stream_release(struct ArrowArrayStream *stream) {
  if (stream != NULL && stream->release != NULL) stream->release(stream);
}

void ap_schema_release(struct ArrowSchema *schema) {
  if (schema != NULL && schema->release != NULL) schema->release(schema);
}

void ap_array_release(struct ArrowArray *array) {
  if (array != NULL && array->release != NULL) array->release(array);
}

void ap_stream_from_source(struct ap_stream_source *source, struct ArrowArrayStream *out) {
  AP_ASSERT(source->schema != NULL && source->next != NULL && source->destroy != NULL);
  memset(&source->error, 0, sizeof(source->error));
  *out = (struct ArrowArrayStream){
      .get_schema = source_schema,
      .get_next = source_next,
      .get_last_error = source_last_error,
      .release = source_release,
      .private_data = source,
  };
}

struct ap_stream_source *ap_stream_source_of(const struct ArrowArrayStream *stream) {
  return stream->release == source_release ? stream->private_data : NULL;
}

/* The errno that says about the same; the text and the ap_error say it all. */
static int errno_of(ap_status status) {
  switch (status) {
    case AP_OK:
      return 0;
    case AP_OUT_OF_MEMORY:
    case AP_MEMORY_EXCEEDED:
      return ENOMEM;
    case AP_UNSUPPORTED:
      return ENOTSUP;
    case AP_CANCELLED:
      return ECANCELED;
    case AP_INVALID_ARGUMENT:
    case AP_SCHEMA_MISMATCH:
      return EINVAL;
    default:
      return EIO;
  }
}

static int source_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out) {
  struct ap_stream_source *source = stream->private_data;
  ap_error_clear(&source->error);
  out->release = NULL;
  return errno_of(source->schema(source, out, &source->error));
}

static int source_next(struct ArrowArrayStream *stream, struct ArrowArray *out) {
  struct ap_stream_source *source = stream->private_data;
  ap_error_clear(&source->error);
  out->release = NULL;
  return errno_of(source->next(source, out, &source->error));
}

static const char *source_last_error(struct ArrowArrayStream *stream) {
  const struct ap_stream_source *source = stream->private_data;
  return source->error.code == AP_OK ? NULL : source->error.message;
}

static void source_release(struct ArrowArrayStream *stream) {
  struct ap_stream_source *source = stream->private_data;
  stream->release = NULL;
  source->destroy(source);
}

/* A stream over another, or over a schema and at most one array. */
struct layered {
  struct ap_stream_source source;
  struct ArrowArrayStream inner;
  struct ArrowSchema schema;
  struct ArrowArray array;
  struct ap_array_shared *shared; /* what slices are cut from */
  int64_t next_row;               /* of shared */
  int64_t rows_max;
};

static void layered_destroy(struct ap_stream_source *self) {
  struct layered *layered = (struct layered *)self;
  ap_array_shared_release(layered->shared);
  ap_array_release(&layered->array);
  ap_schema_release(&layered->schema);
  ap_stream_release(&layered->inner);
  ap_free(ap_allocator_system(), layered);
}

static ap_status layered_schema(struct ap_stream_source *self, struct ArrowSchema *out,
                                ap_error *err) {
  struct layered *layered = (struct layered *)self;
  if (layered->schema.release == NULL) return ap_stream_schema(&layered->inner, out, err);
  if (ArrowSchemaDeepCopy(&layered->schema, out) == NANOARROW_OK) return AP_OK;
  out->release = NULL;
  return AP_FAIL_MEMORY(err);
}

static struct layered *layered_create(ap_status (*next)(struct ap_stream_source *self,
                                                        struct ArrowArray *out, ap_error *err)) {
  struct layered *layered = ap_allocate_zeroed(ap_allocator_system(), 1, sizeof(*layered));
  if (layered == NULL) return NULL;
  layered->source.schema = layered_schema;
  layered->source.next = next;
  layered->source.destroy = layered_destroy;
  return layered;
}

static ap_status next_validated(struct ap_stream_source *self, struct ArrowArray *out,
                                ap_error *err) {
  struct layered *layered = (struct layered *)self;
  AP_TRY(ap_stream_next(&layered->inner, out, err));
  if (out->release == NULL) return AP_OK;
  ap_status status = ap_array_validate(&layered->schema, out, err);
  if (status != AP_OK) ap_array_release(out);
  return status;
}

ap_status ap_stream_validated(struct ArrowArrayStream *inner, struct ArrowArrayStream *out,
                              ap_error *err) {
  AP_ASSERT(inner->release != NULL);
  struct layered *layered = layered_create(next_validated);
  if (layered == NULL) return AP_FAIL_MEMORY(err);
  ap_status status = ap_stream_schema(inner, &layered->schema, err);
  if (status != AP_OK) {
    layered_destroy(&layered->source);
    return status;
  }
  layered->inner = *inner;
  inner->release = NULL;
  ap_stream_from_source(&layered->source, out);
  return AP_OK;
}

static ap_status next_of_one(struct ap_stream_source *self, struct ArrowArray *out, ap_error *err) {
  struct layered *layered = (struct layered *)self;
  (void)err;
  *out = layered->array;
  layered->array.release = NULL;
  return AP_OK;
}

ap_status ap_stream_empty(struct ArrowSchema *schema, struct ArrowArrayStream *out, ap_error *err) {
  struct ArrowArray none = {0};
  return ap_stream_of_one(schema, &none, out, err);
}

ap_status ap_stream_of_one(struct ArrowSchema *schema, struct ArrowArray *array,
                           struct ArrowArrayStream *out, ap_error *err) {
  AP_ASSERT(schema->release != NULL);
  struct layered *layered = layered_create(next_of_one);
  if (layered == NULL) return AP_FAIL_MEMORY(err);
  layered->schema = *schema;
  layered->array = *array;
  schema->release = NULL;
  array->release = NULL;
  ap_stream_from_source(&layered->source, out);
  return AP_OK;
}

/* Cut a view of the whole down to rows [start, start + count). The offset goes to the children:
 * not every consumer heeds the one at the top. */
static void cut(struct ArrowArray *view, int64_t start, int64_t count) {
  for (int64_t i = 0; i < view->n_children; i++) {
    struct ArrowArray *child = view->children[i];
    child->offset += view->offset + start;
    bool whole = child->length == count;
    child->length = count;
    if (!whole && child->null_count != 0) child->null_count = -1;
  }
  view->offset = 0;
  view->length = count;
}

static ap_status next_slice(struct layered *layered, struct ArrowArray *out, ap_error *err) {
  const struct ArrowArray *whole = ap_array_shared_get(layered->shared);
  int64_t count = whole->length - layered->next_row;
  if (count > layered->rows_max) count = layered->rows_max;
  AP_TRY(ap_array_view(layered->shared, whole, out, err));
  cut(out, layered->next_row, count);
  layered->next_row += count;
  if (layered->next_row < whole->length) return AP_OK;
  ap_array_shared_release(layered->shared);
  layered->shared = NULL;
  return AP_OK;
}

static ap_status next_sliced(struct ap_stream_source *self, struct ArrowArray *out, ap_error *err) {
  struct layered *layered = (struct layered *)self;
  if (layered->shared != NULL) return next_slice(layered, out, err);
  struct ArrowArray array = {0};
  AP_TRY(ap_stream_next(&layered->inner, &array, err));
  bool nothing_to_cut = array.release == NULL || array.length <= layered->rows_max;
  bool has_top_nulls = array.release != NULL && array.null_count != 0 && array.n_buffers > 0 &&
                       array.buffers != NULL && array.buffers[0] != NULL;
  if (nothing_to_cut || has_top_nulls) {
    *out = array; /* nulls at the top have no place in the children */
    return AP_OK;
  }
  ap_status status = AP_OK;
  for (int64_t i = 0; i < array.n_children && status == AP_OK; i++) {
    if (array.children[i]->length - array.offset >= array.length) continue;
    status = AP_FAIL(err, AP_INVALID_ARGUMENT, "an Arrow batch of %lld rows has a column of %lld",
                     (long long)array.length, (long long)array.children[i]->length);
  }
  if (status == AP_OK) status = ap_array_share(&array, &layered->shared, err);
  if (status != AP_OK) {
    ap_array_release(&array);
    return status;
  }
  layered->next_row = 0;
  return next_slice(layered, out, err);
}

ap_status ap_stream_sliced(struct ArrowArrayStream *inner, int64_t rows_max,
                           struct ArrowArrayStream *out, ap_error *err) {
  AP_ASSERT(inner->release != NULL && rows_max > 0);
  struct layered *layered = layered_create(next_sliced);
  if (layered == NULL) return AP_FAIL_MEMORY(err);
  layered->inner = *inner;
  layered->rows_max = rows_max;
  inner->release = NULL;
  ap_stream_from_source(&layered->source, out);
  return AP_OK;
}
