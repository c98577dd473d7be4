/* SPDX-License-Identifier: Apache-2.0
 *
 * The type Session: SQL, and what USE set.
 *
 * A session runs one query at a time; a second one at the same time is an error, not a crash. The
 * package keeps a pool of them.
 */
#include "core.h"

#include <string.h>

typedef struct core_session {
  PyObject_HEAD struct core_shared *shared;
  ap_session *session; /* NULL: closed, and `shared` is not to be touched any more */
  bool busy;
  struct core_session *next; /* of the open ones */
} Session;

PyObject *core_session_create(struct core_shared *shared) {
  struct core_state *state = core_state_get();
  ap_session *session = NULL;
  ap_error error = {0};
  if (state == NULL || !core_shared_enter(shared)) return NULL;
  if (ap_session_open(shared->apiary, &session, &error) != AP_OK) {
    core_shared_leave(shared);
    return core_raise(&error);
  }
  PyTypeObject *type = (PyTypeObject *)state->session_type;
  allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
  Session *self = (Session *)allocate(type, 0);
  if (self == NULL) {
    ap_session_close(session);
    core_shared_leave(shared);
    return NULL;
  }
  self->shared = shared;
  self->session = session;
  self->next = shared->sessions;
  shared->sessions = self;
  return (PyObject *)self;
}

/* Also lets go of the apiary, which may close it. */
static void session_close(Session *self) {
  ap_session *session = self->session;
  struct core_session **at = &self->shared->sessions;
  if (session == NULL) return;
  while (*at != self) at = &(*at)->next;
  *at = self->next;
  self->session = NULL;
  Py_BEGIN_ALLOW_THREADS;
  ap_session_close(session);
  core_shared_drop(self->shared);
  Py_END_ALLOW_THREADS;
}

/* The caller's own reference keeps `shared`. Another thread may run whenever one is closed, so each
 * look at the list is a new one. */
void core_sessions_close(struct core_shared *shared) {
  struct core_session *session = shared->sessions;
  while (session != NULL) {
    if (session->busy) {
      session = session->next;
    } else {
      session_close(session);
      session = shared->sessions;
    }
  }
}

static PyObject *session_new(PyTypeObject *type, PyObject *args, PyObject *keywords) {
  (void)type;
  (void)args;
  (void)keywords;
  PyErr_SetString(PyExc_TypeError, "sessions are made by Apiary.session()");
  return NULL;
}

static void session_dealloc(PyObject *object) {
  Session *self = (Session *)object;
  PyTypeObject *type = Py_TYPE(object);
  session_close(self);
  freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
  release(object);
  Py_DECREF(type);
}

/* ---- parameters ------------------------------------------------------------------------------ */

/* A query's parameters. They borrow from the tuple that they were read from. */
struct parameters {
  const ap_query_parameter *items;
  Py_ssize_t count;
  PyObject *blocks; /* capsules that keep them, and those that are items of others */
};

static void free_block(PyObject *capsule) {
  PyMem_Free(PyCapsule_GetPointer(capsule, NULL));
}

static void free_parameters(struct parameters *parameters) {
  Py_CLEAR(parameters->blocks);
}

static ap_query_parameter *read_items(PyObject *tuple, PyObject *blocks, Py_ssize_t *out_count);

/* One of (name or None, type, value): value is an int, a float, bytes or a tuple of such, as the
 * type wants it. */
static bool read_parameter(PyObject *item, PyObject *blocks, ap_query_parameter *out) {
  PyObject *name = NULL;
  PyObject *value = NULL;
  int type = 0;
  char *text = NULL;
  Py_ssize_t size = 0;
  if (!PyArg_ParseTuple(item, "OiO", &name, &type, &value)) return false;
  *out = (ap_query_parameter){.type = (ap_value_type)type};
  if (name != Py_None) {
    if (PyBytes_AsStringAndSize(name, &text, NULL) != 0) return false;
    out->name = text;
  }
  switch (type) {
    case AP_VALUE_TYPE_NULL:
      return true;
    case AP_VALUE_TYPE_FLOAT:
      out->f64 = PyFloat_AsDouble(value);
      return !PyErr_Occurred();
    case AP_VALUE_TYPE_TEXT:
    case AP_VALUE_TYPE_BINARY:
    case AP_VALUE_TYPE_DECIMAL:
    case AP_VALUE_TYPE_UUID:
      if (PyBytes_AsStringAndSize(value, &text, &size) != 0) return false;
      out->data = text;
      out->size = (size_t)size;
      return true;
    case AP_VALUE_TYPE_LIST:
    case AP_VALUE_TYPE_STRUCT:
    case AP_VALUE_TYPE_MAP:
      out->data = read_items(value, blocks, &size);
      out->size = (size_t)size;
      return out->data != NULL;
    default:
      out->i64 = PyLong_AsLongLong(value);
      return !PyErr_Occurred();
  }
}

/* blocks keeps them. NULL with an error set. */
static ap_query_parameter *read_items(PyObject *tuple, PyObject *blocks, Py_ssize_t *out_count) {
  Py_ssize_t count = PyTuple_Size(tuple);
  if (count < 0) return NULL;
  ap_query_parameter *items = PyMem_Calloc((size_t)count + 1, sizeof *items);
  PyObject *block = items == NULL ? PyErr_NoMemory() : PyCapsule_New(items, NULL, free_block);
  if (block == NULL) {
    PyMem_Free(items);
    return NULL;
  }
  bool good = PyList_Append(blocks, block) == 0;
  Py_DECREF(block);
  for (Py_ssize_t i = 0; good && i < count; ++i) {
    good = read_parameter(PyTuple_GetItem(tuple, i), blocks, &items[i]);
  }
  *out_count = count;
  return good ? items : NULL;
}

/* False with an error set. */
static bool read_parameters(PyObject *tuple, struct parameters *out) {
  *out = (struct parameters){.count = PyTuple_Size(tuple)};
  if (out->count == 0) return true;
  out->blocks = PyList_New(0);
  if (out->blocks != NULL) out->items = read_items(tuple, out->blocks, &out->count);
  if (out->items != NULL) return true;
  Py_CLEAR(out->blocks);
  return false;
}

/* ---- running --------------------------------------------------------------------------------- */

static bool session_enter(Session *self) {
  if (self->busy) {
    (void)core_fail(AP_STATE, "use a session of one's own in each thread",
                    "the session is running another query");
    return false;
  }
  if (self->session == NULL) {
    (void)core_fail(AP_STATE, "call start() again", "the apiary is shut down");
    return false;
  }
  if (!core_shared_enter(self->shared)) return false;
  self->busy = true;
  return true;
}

static void session_leave(Session *self) {
  struct core_shared *shared = self->shared;
  self->busy = false;
  if (atomic_load(&shared->closed)) session_close(self);
  core_shared_leave(shared);
}

/* What both calls below take: sql, parameters, timeout_ms, progress. */
struct question {
  const char *sql;
  struct parameters parameters;
  long long timeout_ms;
  PyObject *progress;
};

static bool read_question(PyObject *args, struct question *out, long long *out_batch_rows) {
  PyObject *tuple = NULL;
  *out = (struct question){0};
  if (!PyArg_ParseTuple(args, "sO!LO|L:query", &out->sql, &PyTuple_Type, &tuple, &out->timeout_ms,
                        &out->progress, out_batch_rows)) {
    return false;
  }
  return read_parameters(tuple, &out->parameters);
}

struct asking {
  ap_session *session;
  const char *sql;
  const ap_query_options *options;
  struct ArrowArrayStream *stream;
  ap_status status;
  ap_error error;
};

static void ask(void *opaque) {
  struct asking *it = opaque;
  it->status = ap_session_query(it->session, it->sql, it->options, it->stream, &it->error);
}

/* Runs it until the first rows are there; frees the question. False with an error set. */
static bool run_question(Session *self, struct question *question, struct core_watch *watch,
                         struct ArrowArrayStream *stream) {
  ap_query_options options = AP_QUERY_OPTIONS_INIT;
  struct asking asking = {self->session, question->sql, &options, stream, AP_OK, {0}};
  options.parameters = question->parameters.items;
  options.parameter_count = (size_t)question->parameters.count;
  options.timeout_ms = question->timeout_ms;
  options.cancelled = core_watch_cancelled;
  options.progress = watch->progress == NULL ? NULL : core_watch_progress;
  options.context = watch;
  Py_BEGIN_ALLOW_THREADS;
  core_work(self->shared, watch, NULL, ask, &asking);
  Py_END_ALLOW_THREADS;
  free_parameters(&question->parameters);
  if (asking.status != AP_OK && !core_watch_restore(watch)) (void)core_raise(&asking.error);
  return asking.status == AP_OK;
}

static PyObject *session_query(PyObject *object, PyObject *args) {
  Session *self = (Session *)object;
  struct question question;
  struct core_watch watch;
  struct ArrowArrayStream stream = {0};
  PyObject *answer = NULL;
  long long unused = 0;
  if (!read_question(args, &question, &unused)) return NULL;
  if (!session_enter(self)) {
    free_parameters(&question.parameters);
    return NULL;
  }
  core_watch_init(&watch, question.progress);
  if (run_question(self, &question, &watch, &stream)) {
    answer = core_batches_collect(self->shared, &stream, &watch);
  }
  session_leave(self);
  return answer;
}

static PyObject *session_stream(PyObject *object, PyObject *args) {
  Session *self = (Session *)object;
  struct question question;
  PyObject *answer = NULL;
  long long batch_rows = 0;
  if (!read_question(args, &question, &batch_rows)) return NULL;
  if (!session_enter(self)) {
    free_parameters(&question.parameters);
    return NULL;
  }
  struct core_flow *flow = core_flow_create(self->shared, question.progress, batch_rows);
  if (flow == NULL) {
    free_parameters(&question.parameters);
    PyErr_NoMemory();
  } else if (run_question(self, &question, core_flow_watch(flow), core_flow_stream(flow))) {
    answer = core_stream_create(flow);
  } else {
    core_flow_destroy(flow);
  }
  session_leave(self);
  return answer;
}

struct exporting {
  ap_session *session;
  const char *sql;
  const char *path;
  const char *format;
  const ap_query_options *options;
  int64_t rows;
  ap_status status;
  ap_error error;
};

static void export_rows(void *opaque) {
  struct exporting *it = opaque;
  it->status =
      ap_export(it->session, it->sql, it->path, it->format, it->options, &it->rows, &it->error);
}

static PyObject *session_export(PyObject *object, PyObject *args) {
  Session *self = (Session *)object;
  struct exporting it = {0};
  if (!PyArg_ParseTuple(args, "ssz:export", &it.sql, &it.path, &it.format)) return NULL;
  if (!session_enter(self)) return NULL;
  struct core_watch watch;
  core_watch_init(&watch, NULL);
  ap_query_options options = AP_QUERY_OPTIONS_INIT;
  options.cancelled = core_watch_cancelled;
  options.context = &watch;
  it.session = self->session;
  it.options = &options;
  Py_BEGIN_ALLOW_THREADS;
  core_work(self->shared, &watch, NULL, export_rows, &it);
  Py_END_ALLOW_THREADS;
  session_leave(self);
  if (core_watch_restore(&watch)) return NULL;
  return it.status == AP_OK ? PyLong_FromLongLong(it.rows) : core_raise(&it.error);
}

static PyObject *session_interrupt(PyObject *object, PyObject *unused) {
  (void)unused;
  ap_session *session = ((Session *)object)->session;
  if (session != NULL) ap_session_interrupt(session);
  Py_RETURN_NONE;
}

static PyObject *session_hive(PyObject *object, void *unused) {
  (void)unused;
  ap_session *session = ((Session *)object)->session;
  return PyUnicode_FromString(session == NULL ? "" : ap_session_hive(session));
}

static PyObject *session_box(PyObject *object, void *unused) {
  (void)unused;
  ap_session *session = ((Session *)object)->session;
  return PyUnicode_FromString(session == NULL ? "" : ap_session_box(session));
}

static PyObject *session_in_transaction(PyObject *object, void *unused) {
  (void)unused;
  ap_session *session = ((Session *)object)->session;
  return PyBool_FromLong(session != NULL && ap_session_in_transaction(session));
}

static PyMethodDef session_methods[] = {
    {"query", session_query, METH_VARARGS, "Run SQL: query(sql, parameters, timeout_ms, progress)"},
    {"stream", session_stream, METH_VARARGS,
     "The same as a stream: stream(sql, parameters, timeout_ms, progress, batch_rows)"},
    {"export", session_export, METH_VARARGS, "Write rows to a file: export(sql, path, format)"},
    {"interrupt", session_interrupt, METH_NOARGS, "End what runs, from any thread."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef session_members[] = {
    {"hive", session_hive, NULL, "The hive that USE set, or an empty text.", NULL},
    {"box", session_box, NULL, "The box that USE set, or an empty text.", NULL},
    {"in_transaction", session_in_transaction, NULL, "Is a transaction open?", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot session_slots[] = {
    {Py_tp_doc, "SQL over an opened apiary."}, {Py_tp_new, session_new},
    {Py_tp_dealloc, session_dealloc},          {Py_tp_methods, session_methods},
    {Py_tp_getset, session_members},           {0, NULL},
};

PyType_Spec core_session_spec = {
    .name = "apiary._core.Session",
    .basicsize = sizeof(Session),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = session_slots,
};
