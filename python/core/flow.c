/* SPDX-License-Identifier: Apache-2.0
 *
 * A query's rows on their way: batches of a wished size made of what the engine gives.
 *
 * Holds at most one batch beside what the engine holds. One thread at a time pulls; any thread may
 * interrupt. The flow is in its apiary's list until it is destroyed, so that shutting down and
 * cancelling find it. A flow that was handed to another library belongs to that library's thread.
 */
#include "flow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BATCH_ROWS      65536
#define BATCH_BYTES     (16 << 20)
#define BATCH_BYTES_MAX (256 << 20)
#define BATCH_WAIT_NS   100000000

struct core_flow *core_flow_create(struct core_shared *shared, PyObject *progress,
                                   int64_t batch_rows) {
  struct core_flow *flow = calloc(1, sizeof *flow);
  if (flow == NULL) return NULL;
  atomic_fetch_add(&shared->references, 1);
  flow->shared = shared;
  flow->rows_max = batch_rows > 0 ? batch_rows : BATCH_ROWS;
  flow->bytes_max = batch_rows > 0 ? BATCH_BYTES_MAX : BATCH_BYTES;
  flow->waits = batch_rows > 0;
  core_watch_init(&flow->watch, progress);
  flow->progress = flow->watch.progress;
  Py_XINCREF(flow->progress);
  return flow;
}

struct core_watch *core_flow_watch(struct core_flow *flow) {
  return &flow->watch;
}

struct ArrowArrayStream *core_flow_stream(struct core_flow *flow) {
  return &flow->stream;
}

/* ---- the list -------------------------------------------------------------------------------- */

void core_flow_show(struct core_flow *flow) {
  struct core_shared *shared = flow->shared;
  pthread_mutex_lock(&shared->mutex);
  flow->next = shared->flows;
  shared->flows = flow;
  flow->shown = true;
  pthread_mutex_unlock(&shared->mutex);
}

static void hide(struct core_flow *flow) {
  struct core_shared *shared = flow->shared;
  if (!flow->shown) return;
  pthread_mutex_lock(&shared->mutex);
  struct core_flow **at = &shared->flows;
  while (*at != flow) at = &(*at)->next;
  *at = flow->next;
  flow->shown = false;
  pthread_mutex_unlock(&shared->mutex);
}

void core_flow_interrupt(struct core_flow *flow) {
  if (flow->stream.release != NULL) ap_stream_interrupt(&flow->stream);
}

void core_flows_interrupt(struct core_shared *shared) {
  pthread_mutex_lock(&shared->mutex);
  for (struct core_flow *flow = shared->flows; flow != NULL; flow = flow->next) {
    core_flow_interrupt(flow);
  }
  pthread_mutex_unlock(&shared->mutex);
}

/* ---- the end --------------------------------------------------------------------------------- */

/* A fork's copy is left as it is. */
static bool is_ours(const struct core_flow *flow) {
  return flow->shared->process == (long)getpid();
}

static void close_stream(struct core_flow *flow) {
  hide(flow);
  core_join_destroy(flow->join);
  flow->join = NULL;
  if (flow->rest.release != NULL) flow->rest.release(&flow->rest);
  if (flow->stream.release != NULL) flow->stream.release(&flow->stream);
  if (flow->schema.release != NULL) flow->schema.release(&flow->schema);
}

static void drop_objects(struct core_flow *flow) {
  Py_CLEAR(flow->progress);
  Py_CLEAR(flow->watch.type);
  Py_CLEAR(flow->watch.value);
  Py_CLEAR(flow->watch.traceback);
}

void core_flow_destroy(struct core_flow *flow) {
  if (flow == NULL || !is_ours(flow)) return;
  Py_BEGIN_ALLOW_THREADS;
  close_stream(flow);
  core_shared_drop(flow->shared);
  Py_END_ALLOW_THREADS;
  drop_objects(flow);
  free(flow);
}

/* ---- batches --------------------------------------------------------------------------------- */

static int64_t now_ns(void) {
  struct timespec now = {0};
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static ap_status no_memory(ap_error *error) {
  static const char message[] = "out of memory while rows were put together";
  error->code = AP_OUT_OF_MEMORY;
  error->error_class = ap_status_class(AP_OUT_OF_MEMORY);
  memcpy(error->sqlstate, ap_status_sqlstate(AP_OUT_OF_MEMORY), sizeof error->sqlstate);
  memcpy(error->message, message, sizeof message);
  return AP_OUT_OF_MEMORY;
}

ap_status core_flow_open(struct core_flow *flow, ap_error *error) {
  int code = flow->stream.get_schema(&flow->stream, &flow->schema);
  if (code != 0) {
    flow->schema.release = NULL;
    return ap_stream_get_error(&flow->stream, code, error);
  }
  flow->join = core_join_create(&flow->schema);
  return AP_OK;
}

/* The engine's next rows into `rest`, or the end. */
static ap_status pull(struct core_flow *flow, ap_error *error) {
  flow->rest_from = 0;
  while (!flow->ended && flow->rest.release == NULL) {
    if (core_watch_cancelled(&flow->watch)) return AP_CANCELLED;
    int code = flow->stream.get_next(&flow->stream, &flow->rest);
    if (code != 0) {
      flow->rest.release = NULL;
      return ap_stream_get_error(&flow->stream, code, error);
    }
    if (flow->rest.release == NULL) {
      flow->ended = true;
    } else if (flow->rest.length == 0) {
      flow->rest.release(&flow->rest);
    }
  }
  return AP_OK;
}

/* Enough rows, enough bytes, or the consumer has waited long enough. */
static bool is_full(const struct core_flow *flow, int64_t since_ns) {
  return core_join_rows(flow->join) >= flow->rows_max ||
         core_join_bytes(flow->join) >= flow->bytes_max ||
         (!flow->waits && core_join_rows(flow->join) > 0 && now_ns() - since_ns > BATCH_WAIT_NS);
}

/* Rows of `rest` for the batch: as many as it has room for by number and, about, by bytes. */
static int64_t count_rows(const struct core_flow *flow) {
  int64_t count = flow->rest.length - flow->rest_from;
  int64_t room = flow->rows_max - core_join_rows(flow->join);
  int64_t bytes = core_join_measure(flow->join, &flow->rest, flow->rest_from);
  int64_t bytes_room = flow->bytes_max - core_join_bytes(flow->join);
  if (bytes > bytes_room) {
    int64_t fitting = bytes_room / (bytes / count + 1);
    count = fitting < 1 ? 1 : fitting;
  }
  return count < room ? count : room;
}

static ap_status join_rows(struct core_flow *flow, struct ArrowArray *out, ap_error *error) {
  int64_t since_ns = now_ns();
  while (!is_full(flow, since_ns)) {
    if (flow->rest.release == NULL) {
      ap_status status = pull(flow, error);
      if (status != AP_OK) return status;
      if (flow->ended) break;
    }
    int64_t count = count_rows(flow);
    if (!core_join_append(flow->join, &flow->rest, flow->rest_from, count)) {
      return no_memory(error);
    }
    flow->rest_from += count;
    if (flow->rest_from == flow->rest.length) flow->rest.release(&flow->rest);
  }
  if (core_join_rows(flow->join) == 0) return AP_OK;
  return core_join_finish(flow->join, out) ? AP_OK : no_memory(error);
}

ap_status core_flow_next(struct core_flow *flow, struct ArrowArray *out, ap_error *error) {
  out->release = NULL;
  if (flow->join != NULL) return join_rows(flow, out, error);
  ap_status status = pull(flow, error);
  if (status == AP_OK && !flow->ended) {
    *out = flow->rest;
    flow->rest.release = NULL;
  }
  return status;
}

bool core_flow_is_at_end(const struct core_flow *flow) {
  return flow->ended && flow->rest.release == NULL;
}

/* ---- handed to another library --------------------------------------------------------------- */

struct handing {
  struct core_flow *flow;
  struct ArrowArray *out;
  ap_status status;
};

static void hand_next(void *opaque) {
  struct handing *handing = opaque;
  handing->status = core_flow_next(handing->flow, handing->out, &handing->flow->error);
}

static int flow_get_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out) {
  struct core_flow *flow = stream->private_data;
  return core_schema_copy(&flow->schema, out) ? 0 : ENOMEM;
}

/* No exception can pass through here. An interrupt is raised again as soon as Python runs; others
 * are told to standard error. */
static void tell_exception(struct core_flow *flow) {
  memcpy(flow->error.message, "cancelled", sizeof "cancelled");
  if (!core_watch_restore(&flow->watch)) return;
  if (PyErr_ExceptionMatches(PyExc_KeyboardInterrupt)) {
    PyErr_Clear();
    PyErr_SetInterrupt();
  } else {
    PyErr_WriteUnraisable(flow->progress == NULL ? Py_None : flow->progress);
  }
}

/* Whether the consumer holds the GIL is not known: take it, then let go of it. */
static int flow_get_next(struct ArrowArrayStream *stream, struct ArrowArray *out) {
  struct core_flow *flow = stream->private_data;
  struct handing handing = {.flow = flow, .out = out};
  out->release = NULL;
  flow->error.message[0] = '\0';
  if (atomic_load(&flow->shared->closed)) {
    static const char closed[] = "the apiary is shut down";
    memcpy(flow->error.message, closed, sizeof closed);
    return ECANCELED;
  }
  PyGILState_STATE gil = PyGILState_Ensure();
  core_watch_enter(&flow->watch);
  Py_BEGIN_ALLOW_THREADS;
  core_work(flow->shared, &flow->watch, &flow->stream, hand_next, &handing);
  Py_END_ALLOW_THREADS;
  if (handing.status == AP_CANCELLED) tell_exception(flow);
  PyGILState_Release(gil);
  switch (handing.status) {
    case AP_OK:
      return 0;
    case AP_CANCELLED:
      return ECANCELED;
    case AP_OUT_OF_MEMORY:
    case AP_MEMORY_EXCEEDED:
      return ENOMEM;
    default:
      return EIO;
  }
}

static const char *flow_last_error(struct ArrowArrayStream *stream) {
  const struct core_flow *flow = stream->private_data;
  return flow->error.message[0] == '\0' ? NULL : flow->error.message;
}

static void flow_release(struct ArrowArrayStream *stream) {
  struct core_flow *flow = stream->private_data;
  stream->release = NULL;
  if (!is_ours(flow)) return;
  close_stream(flow);
  if (flow->progress != NULL || atomic_load(&flow->watch.raised)) {
    PyGILState_STATE gil = PyGILState_Ensure();
    drop_objects(flow);
    PyGILState_Release(gil);
  }
  core_shared_drop(flow->shared);
  free(flow);
}

void core_flow_hand_out(struct core_flow *flow, struct ArrowArrayStream *out) {
  *out = (struct ArrowArrayStream){.get_schema = flow_get_schema,
                                   .get_next = flow_get_next,
                                   .get_last_error = flow_last_error,
                                   .release = flow_release,
                                   .private_data = flow};
}
