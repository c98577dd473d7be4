/* SPDX-License-Identifier: Apache-2.0
 *
 * The types Shelf and ShelfBuilder: apiary/shelf.h for the package arrowshelf.
 *
 * A Shelf may be used by any number of threads; every call that asks the server is made without the
 * GIL. Closing waits for nobody: calls under way keep the handle, which is counted.
 */
#include "core.h"

#include <apiary/shelf.h>

#include <stdlib.h>
#include <string.h>

typedef struct {
  PyObject_HEAD ap_shelf *shelf; /* NULL: closed */
  long calls;                    /* under way; with the GIL */
  bool closing;
} Shelf;

typedef struct {
  PyObject_HEAD ap_shelf_builder *builder; /* NULL: closed */
  bool busy;
} Builder;

/* ---- the handle ------------------------------------------------------------------------------ */

static PyObject *allocate(PyTypeObject *type) {
  allocfunc make = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
  return make(type, 0);
}

static void dispose(PyObject *object) {
  PyTypeObject *type = Py_TYPE(object);
  freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
  release(object);
  Py_DECREF(type);
}

static PyObject *shelf_new(PyTypeObject *type, PyObject *args, PyObject *keywords) {
  ap_shelf_options options = AP_SHELF_OPTIONS_INIT;
  ap_error error = {0};
  long long timeout_ms = 0;
  unsigned copy_threads = 0;
  (void)keywords;
  if (!PyArg_ParseTuple(args, "zLI", &options.socket, &timeout_ms, &copy_threads)) return NULL;
  options.timeout_ms = timeout_ms;
  options.copy_threads = copy_threads;
  Shelf *self = (Shelf *)allocate(type);
  if (self == NULL) return NULL;
  if (ap_shelf_open(&options, &self->shelf, &error) != AP_OK) {
    Py_DECREF(self);
    return core_raise(&error);
  }
  return (PyObject *)self;
}

static void shelf_let_go(Shelf *self) {
  ap_shelf *shelf = self->shelf;
  self->shelf = NULL;
  Py_BEGIN_ALLOW_THREADS;
  ap_shelf_close(shelf);
  Py_END_ALLOW_THREADS;
}

static void shelf_dealloc(PyObject *object) {
  shelf_let_go((Shelf *)object);
  dispose(object);
}

static ap_shelf *shelf_enter(PyObject *object) {
  Shelf *self = (Shelf *)object;
  if (self->shelf == NULL || self->closing) {
    (void)core_fail(AP_STATE, "open another", "the connection to the shelf is closed");
    return NULL;
  }
  self->calls++;
  return self->shelf;
}

static void shelf_leave(PyObject *object) {
  Shelf *self = (Shelf *)object;
  if (--self->calls == 0 && self->closing) shelf_let_go(self);
}

static PyObject *shelf_close(PyObject *object, PyObject *unused) {
  Shelf *self = (Shelf *)object;
  (void)unused;
  self->closing = true;
  if (self->calls == 0) shelf_let_go(self);
  Py_RETURN_NONE;
}

/* What a call gave: None, or its error. */
static PyObject *outcome(ap_status status, const ap_error *error) {
  if (status != AP_OK) return core_raise(error);
  Py_RETURN_NONE;
}

/* ---- putting and getting --------------------------------------------------------------------- */

static PyObject *shelf_put(PyObject *object, PyObject *args) {
  ap_shelf_put_options options = AP_SHELF_PUT_OPTIONS_INIT;
  struct ArrowArrayStream stream = {0};
  char key[AP_SHELF_KEY_SIZE];
  ap_error error = {0};
  ap_status status = AP_OK;
  PyObject *source = NULL;
  int pinned = 0;
  if (!PyArg_ParseTuple(args, "Ozzp", &source, &options.name, &options.labels, &pinned)) {
    return NULL;
  }
  options.pinned = pinned != 0;
  if (!core_stream_take(source, &stream)) return NULL;
  ap_shelf *shelf = shelf_enter(object);
  if (shelf == NULL) {
    stream.release(&stream);
    return NULL;
  }
  Py_BEGIN_ALLOW_THREADS;
  status = ap_shelf_put(shelf, &stream, &options, key, &error);
  Py_END_ALLOW_THREADS;
  shelf_leave(object);
  return status == AP_OK ? PyUnicode_FromString(key) : core_raise(&error);
}

static void stream_capsule_free(PyObject *capsule) {
  struct ArrowArrayStream *stream = PyCapsule_GetPointer(capsule, "arrow_array_stream");
  if (stream == NULL) return;
  if (stream->release != NULL) {
    Py_BEGIN_ALLOW_THREADS;
    stream->release(stream);
    Py_END_ALLOW_THREADS;
  }
  free(stream);
}

static PyObject *shelf_get(PyObject *object, PyObject *args) {
  ap_shelf_get_options options = AP_SHELF_GET_OPTIONS_INIT;
  ap_error error = {0};
  ap_status status = AP_OK;
  const char *key = NULL;
  int check = 0;
  if (!PyArg_ParseTuple(args, "sp", &key, &check)) return NULL;
  options.check_values = check != 0;
  struct ArrowArrayStream *stream = calloc(1, sizeof *stream);
  if (stream == NULL) return PyErr_NoMemory();
  PyObject *capsule = PyCapsule_New(stream, "arrow_array_stream", stream_capsule_free);
  if (capsule == NULL) {
    free(stream);
    return NULL;
  }
  ap_shelf *shelf = shelf_enter(object);
  if (shelf == NULL) {
    Py_DECREF(capsule);
    return NULL;
  }
  Py_BEGIN_ALLOW_THREADS;
  status = ap_shelf_get(shelf, key, &options, stream, &error);
  Py_END_ALLOW_THREADS;
  shelf_leave(object);
  if (status == AP_OK) return capsule;
  Py_DECREF(capsule);
  return core_raise(&error);
}

/* ---- keys ------------------------------------------------------------------------------------ */

static PyObject *shelf_delete(PyObject *object, PyObject *args) {
  ap_error error = {0};
  ap_status status = AP_OK;
  const char *key = NULL;
  if (!PyArg_ParseTuple(args, "s", &key)) return NULL;
  ap_shelf *shelf = shelf_enter(object);
  if (shelf == NULL) return NULL;
  Py_BEGIN_ALLOW_THREADS;
  status = ap_shelf_delete(shelf, key, &error);
  Py_END_ALLOW_THREADS;
  shelf_leave(object);
  return outcome(status, &error);
}

static PyObject *shelf_delete_all(PyObject *object, PyObject *unused) {
  ap_error error = {0};
  ap_status status = AP_OK;
  int64_t count = 0;
  ap_shelf *shelf = shelf_enter(object);
  (void)unused;
  if (shelf == NULL) return NULL;
  Py_BEGIN_ALLOW_THREADS;
  status = ap_shelf_delete_all(shelf, &count, &error);
  Py_END_ALLOW_THREADS;
  shelf_leave(object);
  return status == AP_OK ? PyLong_FromLongLong(count) : core_raise(&error);
}

static PyObject *shelf_pin(PyObject *object, PyObject *args) {
  ap_error error = {0};
  ap_status status = AP_OK;
  const char *key = NULL;
  int pinned = 0;
  if (!PyArg_ParseTuple(args, "sp", &key, &pinned)) return NULL;
  ap_shelf *shelf = shelf_enter(object);
  if (shelf == NULL) return NULL;
  Py_BEGIN_ALLOW_THREADS;
  status = ap_shelf_pin(shelf, key, pinned != 0, &error);
  Py_END_ALLOW_THREADS;
  shelf_leave(object);
  return outcome(status, &error);
}

static PyObject *shelf_list(PyObject *object, PyObject *args) {
  ap_error error = {0};
  ap_status status = AP_OK;
  const char *label = NULL;
  char *json = NULL;
  if (!PyArg_ParseTuple(args, "z", &label)) return NULL;
  ap_shelf *shelf = shelf_enter(object);
  if (shelf == NULL) return NULL;
  Py_BEGIN_ALLOW_THREADS;
  status = ap_shelf_list(shelf, label, &json, &error);
  Py_END_ALLOW_THREADS;
  shelf_leave(object);
  if (status != AP_OK) return core_raise(&error);
  PyObject *text = PyUnicode_FromString(json);
  ap_string_free(json);
  return text;
}

static PyObject *shelf_usage(PyObject *object, PyObject *unused) {
  ap_shelf_usage usage = AP_SHELF_USAGE_INIT;
  ap_error error = {0};
  ap_status status = AP_OK;
  ap_shelf *shelf = shelf_enter(object);
  (void)unused;
  if (shelf == NULL) return NULL;
  Py_BEGIN_ALLOW_THREADS;
  status = ap_shelf_get_usage(shelf, &usage, &error);
  Py_END_ALLOW_THREADS;
  shelf_leave(object);
  if (status != AP_OK) return core_raise(&error);
  return Py_BuildValue(
      "{sLsLsLsLsLsLsLsLsLsLsLsLsL}", "memory_bytes", (long long)usage.memory_bytes, "used_bytes",
      (long long)usage.used_bytes, "resident_bytes", (long long)usage.resident_bytes,
      "largest_free_bytes", (long long)usage.largest_free_bytes, "objects",
      (long long)usage.objects, "unsealed", (long long)usage.unsealed, "deleted",
      (long long)usage.deleted, "connections", (long long)usage.connections, "puts",
      (long long)usage.puts, "gets", (long long)usage.gets, "deletes", (long long)usage.deletes,
      "evictions", (long long)usage.evictions, "server_process", (long long)usage.server_process);
}

static PyObject *shelf_is_connected(PyObject *object, PyObject *unused) {
  bool connected = false;
  ap_shelf *shelf = shelf_enter(object);
  (void)unused;
  if (shelf == NULL) return NULL;
  Py_BEGIN_ALLOW_THREADS;
  connected = ap_shelf_is_connected(shelf);
  Py_END_ALLOW_THREADS;
  shelf_leave(object);
  return PyBool_FromLong(connected);
}

static PyObject *shelf_shutdown(PyObject *object, PyObject *unused) {
  ap_error error = {0};
  ap_status status = AP_OK;
  ap_shelf *shelf = shelf_enter(object);
  (void)unused;
  if (shelf == NULL) return NULL;
  Py_BEGIN_ALLOW_THREADS;
  status = ap_shelf_shutdown(shelf, &error);
  Py_END_ALLOW_THREADS;
  shelf_leave(object);
  return outcome(status, &error);
}

/* Between the two, the forking thread keeps the GIL and the handle's lock. */
static PyObject *shelf_before_fork(PyObject *object, PyObject *unused) {
  ap_shelf *shelf = shelf_enter(object);
  (void)unused;
  if (shelf == NULL) return NULL;
  Py_BEGIN_ALLOW_THREADS;
  ap_shelf_before_fork(shelf);
  Py_END_ALLOW_THREADS;
  Py_RETURN_NONE;
}

static PyObject *shelf_after_fork(PyObject *object, PyObject *args) {
  int is_child = 0;
  if (!PyArg_ParseTuple(args, "p", &is_child)) return NULL;
  ap_shelf_after_fork(((Shelf *)object)->shelf, is_child != 0);
  /* Other threads' calls ended with them. */
  if (is_child) ((Shelf *)object)->calls = 1;
  shelf_leave(object);
  Py_RETURN_NONE;
}

/* ---- building -------------------------------------------------------------------------------- */

static PyObject *shelf_create(PyObject *object, PyObject *args) {
  ap_shelf_put_options options = AP_SHELF_PUT_OPTIONS_INIT;
  struct ArrowSchema schema = {0};
  struct core_state *state = core_state_get();
  ap_error error = {0};
  ap_status status = AP_OK;
  PyObject *source = NULL;
  long long rows = 0;
  int pinned = 0;
  if (state == NULL ||
      !PyArg_ParseTuple(args, "OLzzp", &source, &rows, &options.name, &options.labels, &pinned)) {
    return NULL;
  }
  options.pinned = pinned != 0;
  Builder *self = (Builder *)allocate((PyTypeObject *)state->shelf_builder_type);
  if (self == NULL) return NULL;
  ap_shelf *shelf = core_schema_take(source, &schema) ? shelf_enter(object) : NULL;
  if (shelf != NULL) {
    Py_BEGIN_ALLOW_THREADS;
    status = ap_shelf_create(shelf, &schema, rows, &options, &self->builder, &error);
    Py_END_ALLOW_THREADS;
    shelf_leave(object);
  }
  if (schema.release != NULL) schema.release(&schema);
  if (shelf != NULL && status == AP_OK) return (PyObject *)self;
  Py_DECREF(self);
  return shelf == NULL ? NULL : core_raise(&error);
}

static bool builder_enter(Builder *self) {
  if (self->builder != NULL && !self->busy) {
    self->busy = true;
    return true;
  }
  (void)core_fail(AP_STATE, "", "the builder is %s", self->busy ? "in use" : "closed");
  return false;
}

/* (address, bytes) of a column's values. */
static PyObject *builder_values(PyObject *object, PyObject *args) {
  Builder *self = (Builder *)object;
  long long column = 0;
  int64_t bytes = 0;
  if (!PyArg_ParseTuple(args, "L", &column) || !builder_enter(self)) return NULL;
  void *address = ap_shelf_builder_values(self->builder, column, &bytes);
  self->busy = false;
  if (address == NULL) {
    return core_fail(AP_INVALID_ARGUMENT, "", "column %lld cannot be written here", column);
  }
  return Py_BuildValue("KL", (unsigned long long)(uintptr_t)address, (long long)bytes);
}

static PyObject *builder_seal(PyObject *object, PyObject *unused) {
  Builder *self = (Builder *)object;
  char key[AP_SHELF_KEY_SIZE];
  ap_error error = {0};
  ap_status status = AP_OK;
  (void)unused;
  if (!builder_enter(self)) return NULL;
  Py_BEGIN_ALLOW_THREADS;
  status = ap_shelf_seal(self->builder, key, &error);
  Py_END_ALLOW_THREADS;
  self->busy = false;
  return status == AP_OK ? PyUnicode_FromString(key) : core_raise(&error);
}

static void builder_dealloc(PyObject *object) {
  Builder *self = (Builder *)object;
  Py_BEGIN_ALLOW_THREADS;
  ap_shelf_builder_close(self->builder);
  Py_END_ALLOW_THREADS;
  dispose(object);
}

/* ---- types ----------------------------------------------------------------------------------- */

static PyObject *builder_new(PyTypeObject *type, PyObject *args, PyObject *keywords) {
  (void)type;
  (void)args;
  (void)keywords;
  PyErr_SetString(PyExc_TypeError, "builders are made by Shelf.create()");
  return NULL;
}

static PyMethodDef builder_methods[] = {
    {"values", builder_values, METH_VARARGS, "Address and bytes of a column's values."},
    {"seal", builder_seal, METH_NOARGS, "Let the object be seen; gives its key."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot builder_slots[] = {
    {Py_tp_new, builder_new},
    {Py_tp_dealloc, builder_dealloc},
    {Py_tp_methods, builder_methods},
    {0, NULL},
};

PyType_Spec core_shelf_builder_spec = {
    .name = "apiary._core.ShelfBuilder",
    .basicsize = sizeof(Builder),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = builder_slots,
};

static PyMethodDef shelf_methods[] = {
    {"put", shelf_put, METH_VARARGS, "Put Arrow data; gives its key."},
    {"get", shelf_get, METH_VARARGS, "An Arrow stream over the shelf's memory."},
    {"delete", shelf_delete, METH_VARARGS, "Forget a key or name."},
    {"delete_all", shelf_delete_all, METH_NOARGS, "Forget all; gives how many."},
    {"pin", shelf_pin, METH_VARARGS, "Keep an object from eviction, or not."},
    {"list", shelf_list, METH_VARARGS, "What is on the shelf, as JSON."},
    {"usage", shelf_usage, METH_NOARGS, "The server's numbers."},
    {"is_connected", shelf_is_connected, METH_NOARGS, "Does the server answer?"},
    {"shutdown", shelf_shutdown, METH_NOARGS, "End the server."},
    {"create", shelf_create, METH_VARARGS, "A builder of columns in place."},
    {"before_fork", shelf_before_fork, METH_NOARGS, "See apiary/shelf.h."},
    {"after_fork", shelf_after_fork, METH_VARARGS, "See apiary/shelf.h."},
    {"close", shelf_close, METH_NOARGS, "Drop the connection."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot shelf_slots[] = {
    {Py_tp_new, shelf_new},
    {Py_tp_dealloc, shelf_dealloc},
    {Py_tp_methods, shelf_methods},
    {0, NULL},
};

PyType_Spec core_shelf_spec = {
    .name = "apiary._core.Shelf",
    .basicsize = sizeof(Shelf),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = shelf_slots,
};
