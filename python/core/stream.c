/* SPDX-License-Identifier: Apache-2.0
 *
 * The type Stream: the answer of a query, batch by batch.
 *
 * One thread at a time; a second one is an error, not a crash. Closing and interrupting work from
 * any thread: a stream that is being read meanwhile ends its reader. What is forgotten is closed.
 */
#include "flow.h"

#include <stdlib.h>

typedef struct {
  PyObject_HEAD struct core_flow *flow; /* NULL: closed, at its end, or handed out */
  struct ArrowSchema schema;            /* stays */
  const char *why;                      /* there is no flow */
  bool ended;                           /* all rows have been given */
  bool busy;
  bool closing; /* by whoever is busy, when done */
} Stream;

/* An exception that is set stays. */
static void let_go(Stream *self, const char *why) {
  PyObject *type = NULL, *value = NULL, *traceback = NULL;
  struct core_flow *flow = self->flow;
  self->flow = NULL;
  if (why != NULL) self->why = why;
  PyErr_Fetch(&type, &value, &traceback);
  core_flow_destroy(flow);
  PyErr_Restore(type, value, traceback);
}

PyObject *core_stream_create(struct core_flow *flow) {
  struct core_state *state = core_state_get();
  ap_error error = {0};
  ap_status status = AP_OK;
  Py_BEGIN_ALLOW_THREADS;
  status = core_flow_open(flow, &error);
  Py_END_ALLOW_THREADS;
  Stream *self = NULL;
  if (status != AP_OK) {
    (void)core_raise(&error);
  } else if (state != NULL) {
    PyTypeObject *type = (PyTypeObject *)state->stream_type;
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    self = (Stream *)allocate(type, 0);
  }
  if (self != NULL && !core_schema_copy(&flow->schema, &self->schema)) {
    Py_CLEAR(self);
    PyErr_NoMemory();
  }
  if (self == NULL) {
    core_flow_destroy(flow);
    return NULL;
  }
  core_flow_show(flow);
  self->flow = flow;
  return (PyObject *)self;
}

static PyObject *stream_new(PyTypeObject *type, PyObject *args, PyObject *keywords) {
  (void)type;
  (void)args;
  (void)keywords;
  PyErr_SetString(PyExc_TypeError, "streams are made by Session.stream()");
  return NULL;
}

static void stream_dealloc(PyObject *object) {
  Stream *self = (Stream *)object;
  PyTypeObject *type = Py_TYPE(object);
  let_go(self, NULL);
  if (self->schema.release != NULL) self->schema.release(&self->schema);
  freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
  release(object);
  Py_DECREF(type);
}

/* ---- reading --------------------------------------------------------------------------------- */

static bool stream_enter(Stream *self) {
  if (self->busy) {
    (void)core_fail(AP_STATE, "let one thread read a stream", "the stream is being read");
    return false;
  }
  if (self->flow == NULL) {
    (void)core_fail(AP_STATE, "run the query again", "the stream is %s", self->why);
    return false;
  }
  if (!core_shared_enter(self->flow->shared)) {
    let_go(self, "closed, since the apiary was shut down");
    return false;
  }
  self->busy = true;
  return true;
}

static void stream_leave(Stream *self) {
  core_shared_leave(self->flow->shared);
  self->busy = false;
  if (self->closing) let_go(self, "closed");
}

struct reading {
  struct core_flow *flow;
  struct ArrowArray array;
  ap_status status;
  ap_error error;
};

static void read_next(void *opaque) {
  struct reading *reading = opaque;
  reading->status = core_flow_next(reading->flow, &reading->array, &reading->error);
}

/* At the end None, and from then on. With the last batch the engine is free again. */
static PyObject *stream_next(PyObject *object, PyObject *unused) {
  Stream *self = (Stream *)object;
  struct reading reading = {.flow = self->flow};
  (void)unused;
  if (self->ended) {
    Py_INCREF(Py_None);
    return Py_None;
  }
  if (!stream_enter(self)) return NULL;
  core_watch_enter(&self->flow->watch);
  Py_BEGIN_ALLOW_THREADS;
  core_work(self->flow->shared, &self->flow->watch, &self->flow->stream, read_next, &reading);
  Py_END_ALLOW_THREADS;
  PyObject *batch = NULL;
  bool raised = core_watch_restore(&self->flow->watch);
  if (raised && reading.status == AP_OK && reading.array.release != NULL) {
    reading.array.release(&reading.array);
  } else if (!raised && reading.status != AP_OK) {
    (void)core_raise(&reading.error);
  } else if (!raised && reading.array.release != NULL) {
    batch = core_batches_of(&self->schema, &reading.array);
  } else if (!raised) {
    Py_INCREF(Py_None);
    batch = Py_None;
  }
  if (batch != NULL && core_flow_is_at_end(self->flow)) self->ended = true;
  if (batch == NULL || self->ended) self->closing = true;
  stream_leave(self);
  if (self->ended) self->why = "at its end";
  return batch;
}

static PyObject *stream_close(PyObject *object, PyObject *unused) {
  Stream *self = (Stream *)object;
  (void)unused;
  if (self->busy) {
    self->closing = true;
    core_flow_interrupt(self->flow);
  } else if (self->flow != NULL) {
    let_go(self, "closed");
  }
  Py_RETURN_NONE;
}

static PyObject *stream_interrupt(PyObject *object, PyObject *unused) {
  Stream *self = (Stream *)object;
  (void)unused;
  if (self->flow != NULL) core_flow_interrupt(self->flow);
  Py_RETURN_NONE;
}

static void destroy_stream_capsule(PyObject *capsule) {
  struct ArrowArrayStream *stream = PyCapsule_GetPointer(capsule, "arrow_array_stream");
  if (stream == NULL) return;
  if (stream->release != NULL) stream->release(stream);
  free(stream);
}

/* Once: the rows that are left go over to the consumer. */
static PyObject *stream_arrow_c_stream(PyObject *object, PyObject *args, PyObject *keywords) {
  static char *names[] = {"requested_schema", NULL};
  Stream *self = (Stream *)object;
  PyObject *wish = NULL;
  if (!PyArg_ParseTupleAndKeywords(args, keywords, "|O:__arrow_c_stream__", names, &wish) ||
      !stream_enter(self)) {
    return NULL;
  }
  stream_leave(self);
  struct ArrowArrayStream *stream = calloc(1, sizeof *stream);
  if (stream == NULL) return PyErr_NoMemory();
  PyObject *capsule = PyCapsule_New(stream, "arrow_array_stream", destroy_stream_capsule);
  if (capsule == NULL) {
    free(stream);
    return NULL;
  }
  core_flow_hand_out(self->flow, stream);
  self->flow = NULL;
  self->why = "handed to another library";
  return capsule;
}

/* ---- about it -------------------------------------------------------------------------------- */

static PyObject *stream_none(PyObject *object, void *unused) {
  (void)unused;
  return core_batches_of(&((Stream *)object)->schema, NULL);
}

static PyObject *stream_closed(PyObject *object, void *unused) {
  (void)unused;
  return PyBool_FromLong(((Stream *)object)->flow == NULL);
}

static PyMethodDef stream_methods[] = {
    {"next", stream_next, METH_NOARGS, "The next batch; None at the end."},
    {"close", stream_close, METH_NOARGS, "End the query, from any thread."},
    {"interrupt", stream_interrupt, METH_NOARGS, "Cancel the query, from any thread."},
    {"__arrow_c_stream__", (PyCFunction)(void (*)(void))stream_arrow_c_stream,
     METH_VARARGS | METH_KEYWORDS, "The rows that are left, for one consumer."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef stream_members[] = {
    {"none", stream_none, NULL, "The same columns without rows.", NULL},
    {"closed", stream_closed, NULL, "Is there nothing more to read?", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot stream_slots[] = {
    {Py_tp_doc, "The answer of a query, batch by batch."},
    {Py_tp_new, stream_new},
    {Py_tp_dealloc, stream_dealloc},
    {Py_tp_methods, stream_methods},
    {Py_tp_getset, stream_members},
    {0, NULL},
};

PyType_Spec core_stream_spec = {
    .name = "apiary._core.Stream",
    .basicsize = sizeof(Stream),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = stream_slots,
};
