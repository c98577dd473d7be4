/* SPDX-License-Identifier: Apache-2.0
 *
 * The type Batches: the rows of an answer, held as Arrow arrays, handed out as often as asked.
 *
 * Immutable once made. Streams made of it are independent of it and of the GIL.
 */
#include "core.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FEW_ROWS 1024

typedef struct {
  PyObject_HEAD struct ArrowSchema schema;
  struct core_shared_array **arrays;
  Py_ssize_t count;
  int64_t rows;
  struct core_reader *reader; /* of the whole row; made when first needed */
} Batches;

/* ---- collecting ------------------------------------------------------------------------------ */

struct collected {
  struct ArrowSchema schema;
  struct core_shared_array **arrays;
  size_t count, room;
  int64_t rows;
};

static void collected_free(struct collected *rows) {
  for (size_t i = 0; i < rows->count; ++i) core_array_unshare(rows->arrays[i]);
  free(rows->arrays);
  if (rows->schema.release != NULL) rows->schema.release(&rows->schema);
  *rows = (struct collected){0};
}

static ap_status out_of_memory(ap_error *error) {
  static const char message[] = "out of memory while the rows of an answer were kept";
  error->code = AP_OUT_OF_MEMORY;
  error->error_class = ap_status_class(AP_OUT_OF_MEMORY);
  memcpy(error->sqlstate, ap_status_sqlstate(AP_OUT_OF_MEMORY), sizeof error->sqlstate);
  memcpy(error->message, message, sizeof message);
  return AP_OUT_OF_MEMORY;
}

static ap_status keep(struct collected *rows, struct ArrowArray *array, ap_error *error) {
  if (rows->count == rows->room) {
    size_t room = rows->room == 0 ? 16 : 2 * rows->room;
    void *grown = realloc(rows->arrays, room * sizeof *rows->arrays);
    if (grown == NULL) return out_of_memory(error);
    rows->arrays = grown;
    rows->room = room;
  }
  int64_t length = array->length;
  struct core_shared_array *shared = core_array_share(array);
  if (shared == NULL) return out_of_memory(error);
  rows->arrays[rows->count++] = shared;
  rows->rows += length;
  return AP_OK;
}

/* The stream's rows on their way, for whichever thread waits for them. */
struct collecting {
  struct ArrowArrayStream *stream;
  struct core_watch *watch;
  struct collected rows;
  bool ended;
  ap_status status;
  ap_error error;
};

/* Without the GIL. A stop that the watch asks for is AP_CANCELLED. */
static void collect_one(struct collecting *it) {
  struct ArrowArray array = {0};
  if (core_watch_cancelled(it->watch)) {
    it->status = AP_CANCELLED;
    return;
  }
  int code = it->stream->get_next(it->stream, &array);
  if (code != 0) {
    it->status = ap_stream_get_error(it->stream, code, &it->error);
    return;
  }
  it->ended = array.release == NULL;
  if (!it->ended && array.length > 0) it->status = keep(&it->rows, &array, &it->error);
  if (array.release != NULL) array.release(&array);
}

static void collect_rest(void *opaque) {
  struct collecting *it = opaque;
  while (it->status == AP_OK && !it->ended) collect_one(it);
}

/* A stream gives its first rows once it is full or at its end: after few rows there is nothing to
 * wait for. */
static void collect(struct core_shared *shared, struct collecting *it) {
  int code = it->stream->get_schema(it->stream, &it->rows.schema);
  if (code != 0) {
    it->rows.schema.release = NULL;
    it->status = ap_stream_get_error(it->stream, code, &it->error);
    return;
  }
  collect_one(it);
  if (it->status == AP_OK && !it->ended && it->rows.rows < FEW_ROWS) collect_one(it);
  if (it->status != AP_OK || it->ended) return;
  if (shared == NULL) {
    collect_rest(it);
  } else {
    core_work(shared, it->watch, it->stream, collect_rest, it);
  }
}

static Batches *batches_allocate(void) {
  struct core_state *state = core_state_get();
  if (state == NULL) return NULL;
  PyTypeObject *type = (PyTypeObject *)state->batches_type;
  allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
  return (Batches *)allocate(type, 0);
}

PyObject *core_batches_collect(struct core_shared *shared, struct ArrowArrayStream *stream,
                               struct core_watch *watch) {
  struct collecting it = {.stream = stream, .watch = watch};
  Py_BEGIN_ALLOW_THREADS;
  collect(shared, &it);
  stream->release(stream);
  if (it.status != AP_OK) collected_free(&it.rows);
  Py_END_ALLOW_THREADS;
  if (core_watch_restore(watch)) {
    collected_free(&it.rows);
    return NULL;
  }
  if (it.status != AP_OK) return core_raise(&it.error);
  Batches *self = batches_allocate();
  if (self == NULL) {
    collected_free(&it.rows);
    return NULL;
  }
  self->schema = it.rows.schema;
  self->arrays = it.rows.arrays;
  self->count = (Py_ssize_t)it.rows.count;
  self->rows = it.rows.rows;
  return (PyObject *)self;
}

PyObject *core_batches_of(const struct ArrowSchema *schema, struct ArrowArray *array) {
  struct collected rows = {0};
  ap_error error = {0};
  bool good = core_schema_copy(schema, &rows.schema) &&
              (array == NULL || keep(&rows, array, &error) == AP_OK);
  if (array != NULL && array->release != NULL) array->release(array);
  Batches *self = good ? batches_allocate() : NULL;
  if (self == NULL) {
    collected_free(&rows);
    return good ? NULL : PyErr_NoMemory();
  }
  self->schema = rows.schema;
  self->arrays = rows.arrays;
  self->count = (Py_ssize_t)rows.count;
  self->rows = rows.rows;
  return (PyObject *)self;
}

static PyObject *batches_new(PyTypeObject *type, PyObject *args, PyObject *keywords) {
  (void)type;
  (void)args;
  (void)keywords;
  PyErr_SetString(PyExc_TypeError, "Batches are made by calls that answer with rows");
  return NULL;
}

static void batches_dealloc(PyObject *object) {
  Batches *self = (Batches *)object;
  PyTypeObject *type = Py_TYPE(object);
  for (Py_ssize_t i = 0; i < self->count; ++i) core_array_unshare(self->arrays[i]);
  free(self->arrays);
  if (self->schema.release != NULL) self->schema.release(&self->schema);
  core_reader_destroy(self->reader);
  freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
  release(object);
  Py_DECREF(type);
}

/* ---- handing out ----------------------------------------------------------------------------- */

struct handed_out {
  struct ArrowSchema schema;
  struct core_shared_array **arrays;
  Py_ssize_t count, next;
};

static int handed_get_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out) {
  const struct handed_out *handed = stream->private_data;
  return core_schema_copy(&handed->schema, out) ? 0 : ENOMEM;
}

static int handed_get_next(struct ArrowArrayStream *stream, struct ArrowArray *out) {
  struct handed_out *handed = stream->private_data;
  out->release = NULL;
  if (handed->next == handed->count) return 0;
  if (!core_array_copy(handed->arrays[handed->next], out)) return ENOMEM;
  ++handed->next;
  return 0;
}

static const char *handed_last_error(struct ArrowArrayStream *stream) {
  (void)stream;
  return "out of memory";
}

static void handed_release(struct ArrowArrayStream *stream) {
  struct handed_out *handed = stream->private_data;
  for (Py_ssize_t i = 0; i < handed->count; ++i) core_array_unshare(handed->arrays[i]);
  free(handed->arrays);
  if (handed->schema.release != NULL) handed->schema.release(&handed->schema);
  free(handed);
  stream->release = NULL;
}

/* The arrays are kept by references of their own, taken as copies of no more than one pointer. */
static bool hand_out(Batches *self, struct ArrowArrayStream *out) {
  struct handed_out *handed = calloc(1, sizeof *handed);
  if (handed == NULL) return false;
  *out = (struct ArrowArrayStream){.get_schema = handed_get_schema,
                                   .get_next = handed_get_next,
                                   .get_last_error = handed_last_error,
                                   .release = handed_release,
                                   .private_data = handed};
  handed->arrays = calloc((size_t)self->count + 1, sizeof *handed->arrays);
  if (handed->arrays == NULL || !core_schema_copy(&self->schema, &handed->schema)) {
    handed_release(out);
    return false;
  }
  for (; handed->count < self->count; ++handed->count) {
    handed->arrays[handed->count] = core_array_retain(self->arrays[handed->count]);
  }
  return true;
}

static void destroy_stream_capsule(PyObject *capsule) {
  struct ArrowArrayStream *stream = PyCapsule_GetPointer(capsule, "arrow_array_stream");
  if (stream == NULL) return;
  if (stream->release != NULL) stream->release(stream);
  free(stream);
}

static void destroy_schema_capsule(PyObject *capsule) {
  struct ArrowSchema *schema = PyCapsule_GetPointer(capsule, "arrow_schema");
  if (schema == NULL) return;
  if (schema->release != NULL) schema->release(schema);
  free(schema);
}

/* The requested schema is a wish that a producer may leave unfulfilled, as this one does. */
static PyObject *batches_arrow_c_stream(PyObject *object, PyObject *args, PyObject *keywords) {
  static char *names[] = {"requested_schema", NULL};
  PyObject *wish = NULL;
  if (!PyArg_ParseTupleAndKeywords(args, keywords, "|O:__arrow_c_stream__", names, &wish)) {
    return NULL;
  }
  struct ArrowArrayStream *stream = calloc(1, sizeof *stream);
  if (stream == NULL || !hand_out((Batches *)object, stream)) {
    free(stream);
    return PyErr_NoMemory();
  }
  PyObject *capsule = PyCapsule_New(stream, "arrow_array_stream", destroy_stream_capsule);
  if (capsule == NULL) {
    stream->release(stream);
    free(stream);
  }
  return capsule;
}

static PyObject *batches_arrow_c_schema(PyObject *object, PyObject *unused) {
  struct ArrowSchema *schema = calloc(1, sizeof *schema);
  (void)unused;
  if (schema == NULL || !core_schema_copy(&((Batches *)object)->schema, schema)) {
    free(schema);
    return PyErr_NoMemory();
  }
  PyObject *capsule = PyCapsule_New(schema, "arrow_schema", destroy_schema_capsule);
  if (capsule == NULL) {
    schema->release(schema);
    free(schema);
  }
  return capsule;
}

static void destroy_array_capsule(PyObject *capsule) {
  struct ArrowArray *array = PyCapsule_GetPointer(capsule, "arrow_array");
  if (array == NULL) return;
  if (array->release != NULL) array->release(array);
  free(array);
}

/* Only of one array: a schema's capsule and the array's. */
static PyObject *batches_arrow_c_array(PyObject *object, PyObject *unused) {
  Batches *self = (Batches *)object;
  if (self->count != 1) {
    PyErr_Format(PyExc_ValueError, "there are %zd arrays, not one", self->count);
    return NULL;
  }
  PyObject *schema = batches_arrow_c_schema(object, unused);
  struct ArrowArray *array = schema == NULL ? NULL : calloc(1, sizeof *array);
  if (array == NULL || !core_array_copy(self->arrays[0], array)) {
    if (schema != NULL) PyErr_NoMemory();
    Py_XDECREF(schema);
    free(array);
    return NULL;
  }
  PyObject *capsule = PyCapsule_New(array, "arrow_array", destroy_array_capsule);
  if (capsule == NULL) {
    array->release(array);
    free(array);
  }
  PyObject *pair = capsule == NULL ? NULL : PyTuple_Pack(2, schema, capsule);
  Py_XDECREF(capsule);
  Py_DECREF(schema);
  return pair;
}

/* ---- IPC ------------------------------------------------------------------------------------- */

struct bytes_sink {
  char *data;
  size_t size, room;
};

static ap_status sink_write(void *context, const void *data, size_t size) {
  struct bytes_sink *sink = context;
  if (size > sink->room - sink->size) {
    size_t room = sink->room + sink->room / 2 + size + 65536;
    char *grown = room < sink->room ? NULL : realloc(sink->data, room);
    if (grown == NULL) return AP_OUT_OF_MEMORY;
    sink->data = grown;
    sink->room = room;
  }
  memcpy(sink->data + sink->size, data, size);
  sink->size += size;
  return AP_OK;
}

static PyObject *batches_to_ipc(PyObject *object, PyObject *unused) {
  struct ArrowArrayStream stream = {0};
  struct bytes_sink sink = {0};
  ap_error error = {0};
  ap_status status = AP_OK;
  PyObject *bytes = NULL;
  (void)unused;
  if (!hand_out((Batches *)object, &stream)) return PyErr_NoMemory();
  Py_BEGIN_ALLOW_THREADS;
  status = ap_ipc_encode(&stream, sink_write, &sink, &error);
  Py_END_ALLOW_THREADS;
  if (status == AP_OK) {
    bytes = PyBytes_FromStringAndSize(sink.data, (Py_ssize_t)sink.size);
  } else {
    (void)core_raise(&error);
  }
  free(sink.data);
  return bytes;
}

/* ---- rows as Python objects ------------------------------------------------------------------ */

static bool need_reader(Batches *self) {
  if (self->reader != NULL) return true;
  struct core_reader *reader = core_reader_create(&self->schema);
  if (reader == NULL) return false;
  if (self->reader == NULL) {
    self->reader = reader;
  } else {
    core_reader_destroy(reader); /* another thread was first while Python made a time zone */
  }
  return true;
}

/* Calls `make` for the rows start <= row < stop and lists what it gives. */
static PyObject *list_rows(Batches *self, int64_t start, int64_t stop, int64_t column,
                           PyObject *(*make)(Batches *self, const struct ArrowArray *array,
                                             int64_t row, int64_t column)) {
  if (!need_reader(self)) return NULL;
  PyObject *list = PyList_New(0);
  int64_t before = 0;
  for (Py_ssize_t i = 0; list != NULL && i < self->count && before < stop; ++i) {
    const struct ArrowArray *array = core_array_of(self->arrays[i]);
    int64_t from = start > before ? start - before : 0;
    int64_t to = stop - before < array->length ? stop - before : array->length;
    for (int64_t row = from; list != NULL && row < to; ++row) {
      PyObject *item = make(self, array, row, column);
      if (item == NULL || PyList_Append(list, item) != 0) Py_CLEAR(list);
      Py_XDECREF(item);
    }
    before += array->length;
  }
  return list;
}

static PyObject *make_value(Batches *self, const struct ArrowArray *array, int64_t row,
                            int64_t column) {
  return core_reader_member(self->reader, array, column, row);
}

static PyObject *make_tuple(Batches *self, const struct ArrowArray *array, int64_t row,
                            int64_t unused) {
  (void)unused;
  PyObject *tuple = PyTuple_New((Py_ssize_t)self->schema.n_children);
  for (int64_t i = 0; tuple != NULL && i < self->schema.n_children; ++i) {
    PyObject *value = core_reader_member(self->reader, array, i, row);
    if (value == NULL || PyTuple_SetItem(tuple, (Py_ssize_t)i, value) != 0) Py_CLEAR(tuple);
  }
  return tuple;
}

static PyObject *make_dict(Batches *self, const struct ArrowArray *array, int64_t row,
                           int64_t unused) {
  (void)unused;
  PyObject *dict = PyDict_New();
  for (int64_t i = 0; dict != NULL && i < self->schema.n_children; ++i) {
    PyObject *value = core_reader_member(self->reader, array, i, row);
    PyObject *name = core_reader_name(self->reader, i);
    if (value == NULL || name == NULL || PyDict_SetItem(dict, name, value) != 0) Py_CLEAR(dict);
    Py_XDECREF(value);
  }
  return dict;
}

static PyObject *batches_rows(PyObject *object, PyObject *args) {
  long long start = 0;
  long long stop = 0;
  if (!PyArg_ParseTuple(args, "LL:rows", &start, &stop)) return NULL;
  return list_rows((Batches *)object, start, stop, 0, make_tuple);
}

static PyObject *batches_dicts(PyObject *object, PyObject *args) {
  long long start = 0;
  long long stop = 0;
  if (!PyArg_ParseTuple(args, "LL:dicts", &start, &stop)) return NULL;
  return list_rows((Batches *)object, start, stop, 0, make_dict);
}

static PyObject *batches_column(PyObject *object, PyObject *args) {
  Batches *self = (Batches *)object;
  long long column = 0;
  if (!PyArg_ParseTuple(args, "L:column", &column)) return NULL;
  if (column < 0 || column >= self->schema.n_children) {
    PyErr_Format(PyExc_IndexError, "there is no column %lld", column);
    return NULL;
  }
  return list_rows(self, 0, self->rows, column, make_value);
}

static PyObject *batches_value(PyObject *object, PyObject *args) {
  Batches *self = (Batches *)object;
  long long row = 0;
  long long column = 0;
  if (!PyArg_ParseTuple(args, "LL:value", &row, &column)) return NULL;
  if (row < 0 || row >= self->rows || column < 0 || column >= self->schema.n_children) {
    PyErr_Format(PyExc_IndexError, "there is no column %lld of row %lld", column, row);
    return NULL;
  }
  PyObject *list = list_rows(self, row, row + 1, column, make_value);
  PyObject *value = list == NULL ? NULL : PySequence_GetItem(list, 0);
  Py_XDECREF(list);
  return value;
}

/* ---- about it -------------------------------------------------------------------------------- */

static PyObject *list_columns(PyObject *object,
                              PyObject *(*make)(const struct core_reader *reader, int64_t column)) {
  Batches *self = (Batches *)object;
  if (!need_reader(self)) return NULL;
  PyObject *list = PyList_New(0);
  for (int64_t i = 0; list != NULL && i < self->schema.n_children; ++i) {
    PyObject *item = make(self->reader, i);
    if (item == NULL || PyList_Append(list, item) != 0) Py_CLEAR(list);
    Py_XDECREF(item);
  }
  return list;
}

static PyObject *new_name(const struct core_reader *reader, int64_t column) {
  PyObject *name = core_reader_name(reader, column);
  Py_XINCREF(name);
  return name;
}

static PyObject *batches_names(PyObject *object, void *unused) {
  (void)unused;
  return list_columns(object, new_name);
}

static PyObject *batches_types(PyObject *object, void *unused) {
  (void)unused;
  return list_columns(object, core_reader_word);
}

static PyObject *batches_num_rows(PyObject *object, void *unused) {
  (void)unused;
  return PyLong_FromLongLong(((Batches *)object)->rows);
}

static PyMethodDef batches_methods[] = {
    {"__arrow_c_stream__", (PyCFunction)(void (*)(void))batches_arrow_c_stream,
     METH_VARARGS | METH_KEYWORDS, "All rows, as an Arrow stream."},
    {"__arrow_c_array__", batches_arrow_c_array, METH_NOARGS, "The one array."},
    {"__arrow_c_schema__", batches_arrow_c_schema, METH_NOARGS, "The columns, as an Arrow schema."},
    {"to_ipc", batches_to_ipc, METH_NOARGS, "All rows, as bytes of an Arrow IPC stream."},
    {"rows", batches_rows, METH_VARARGS, "The rows from start to before stop, as tuples."},
    {"dicts", batches_dicts, METH_VARARGS, "The rows from start to before stop, as dicts."},
    {"column", batches_column, METH_VARARGS, "The values of one column."},
    {"value", batches_value, METH_VARARGS, "One value: value(row, column)"},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef batches_members[] = {
    {"names", batches_names, NULL, "The columns' names.", NULL},
    {"types", batches_types, NULL, "The columns' types, as words.", NULL},
    {"num_rows", batches_num_rows, NULL, "The number of rows.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot batches_slots[] = {
    {Py_tp_doc, "Rows, held as Arrow arrays."},
    {Py_tp_new, batches_new},
    {Py_tp_dealloc, batches_dealloc},
    {Py_tp_methods, batches_methods},
    {Py_tp_getset, batches_members},
    {0, NULL},
};

PyType_Spec core_batches_spec = {
    .name = "apiary._core.Batches",
    .basicsize = sizeof(Batches),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = batches_slots,
};
