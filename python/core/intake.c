/* SPDX-License-Identifier: Apache-2.0
 *
 * Arrow data from other libraries: the PyCapsule interface, and IPC bytes.
 *
 * What is in a capsule is moved out of it; the capsule's destructor then finds it released.
 */
#include "core.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A struct moved out of a capsule; false with an error set. */
static bool move_out(PyObject *capsule, const char *name, void *out, size_t size) {
  void *inside = PyCapsule_GetPointer(capsule, name);
  if (inside == NULL) return false;
  memcpy(out, inside, size);
  return true;
}

static bool schema_of_capsule(PyObject *capsule, struct ArrowSchema *out) {
  if (!move_out(capsule, "arrow_schema", out, sizeof *out)) return false;
  if (out->release == NULL) {
    PyErr_SetString(PyExc_ValueError, "the Arrow schema has been consumed already");
    return false;
  }
  ((struct ArrowSchema *)PyCapsule_GetPointer(capsule, "arrow_schema"))->release = NULL;
  return true;
}

static bool array_of_capsule(PyObject *capsule, struct ArrowArray *out) {
  if (!move_out(capsule, "arrow_array", out, sizeof *out)) return false;
  if (out->release == NULL) {
    PyErr_SetString(PyExc_ValueError, "the Arrow array has been consumed already");
    return false;
  }
  ((struct ArrowArray *)PyCapsule_GetPointer(capsule, "arrow_array"))->release = NULL;
  return true;
}

static bool stream_of_capsule(PyObject *capsule, struct ArrowArrayStream *out) {
  if (!move_out(capsule, "arrow_array_stream", out, sizeof *out)) return false;
  if (out->release == NULL) {
    PyErr_SetString(PyExc_ValueError, "the Arrow stream has been consumed already");
    return false;
  }
  ((struct ArrowArrayStream *)PyCapsule_GetPointer(capsule, "arrow_array_stream"))->release = NULL;
  return true;
}

/* ---- a stream of one array ------------------------------------------------------------------- */

struct single {
  struct ArrowSchema schema;
  struct ArrowArray array; /* released once it has been given */
};

static int single_get_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out) {
  struct single *single = stream->private_data;
  return core_schema_copy(&single->schema, out) ? 0 : ENOMEM;
}

static int single_get_next(struct ArrowArrayStream *stream, struct ArrowArray *out) {
  struct single *single = stream->private_data;
  *out = single->array;
  single->array.release = NULL;
  return 0;
}

static const char *single_last_error(struct ArrowArrayStream *stream) {
  (void)stream;
  return "out of memory";
}

static void single_release(struct ArrowArrayStream *stream) {
  struct single *single = stream->private_data;
  if (single->array.release != NULL) single->array.release(&single->array);
  if (single->schema.release != NULL) single->schema.release(&single->schema);
  free(single);
  stream->release = NULL;
}

static bool stream_of_array(PyObject *pair, struct ArrowArrayStream *out) {
  struct single *single = calloc(1, sizeof *single);
  PyObject *schema = NULL;
  PyObject *array = NULL;
  if (single == NULL) {
    PyErr_NoMemory();
    return false;
  }
  *out = (struct ArrowArrayStream){.get_schema = single_get_schema,
                                   .get_next = single_get_next,
                                   .get_last_error = single_last_error,
                                   .release = single_release,
                                   .private_data = single};
  if (PyTuple_Check(pair) && PyArg_ParseTuple(pair, "OO", &schema, &array) &&
      schema_of_capsule(schema, &single->schema) && array_of_capsule(array, &single->array)) {
    return true;
  }
  if (!PyErr_Occurred()) {
    PyErr_SetString(PyExc_TypeError, "__arrow_c_array__ gave no pair of capsules");
  }
  single_release(out);
  return false;
}

/* ---- what an object offers ------------------------------------------------------------------- */

static bool stream_of_bytes(PyObject *bytes, struct ArrowArrayStream *out) {
  ap_error error = {0};
  char *data = NULL;
  Py_ssize_t size = 0;
  ap_status status = AP_OK;
  if (PyBytes_AsStringAndSize(bytes, &data, &size) != 0) return false;
  Py_BEGIN_ALLOW_THREADS;
  status = ap_ipc_decode(data, (size_t)size, out, &error);
  Py_END_ALLOW_THREADS;
  if (status != AP_OK) (void)core_raise(&error);
  return status == AP_OK;
}

static bool offers(PyObject *source, const char *method) {
  PyObject *found = PyObject_GetAttrString(source, method);
  if (found == NULL) PyErr_Clear();
  Py_XDECREF(found);
  return found != NULL;
}

bool core_stream_take(PyObject *source, struct ArrowArrayStream *out) {
  bool taken = false;
  if (PyBytes_Check(source)) return stream_of_bytes(source, out);
  if (offers(source, "__arrow_c_stream__")) {
    PyObject *capsule = PyObject_CallMethod(source, "__arrow_c_stream__", NULL);
    taken = capsule != NULL && stream_of_capsule(capsule, out);
    Py_XDECREF(capsule);
  } else if (offers(source, "__arrow_c_array__")) {
    PyObject *pair = PyObject_CallMethod(source, "__arrow_c_array__", NULL);
    taken = pair != NULL && stream_of_array(pair, out);
    Py_XDECREF(pair);
  } else {
    PyErr_Format(PyExc_TypeError, "%R is no Arrow data", (PyObject *)Py_TYPE(source));
  }
  return taken;
}

bool core_schema_take(PyObject *source, struct ArrowSchema *out) {
  PyObject *capsule = PyObject_CallMethod(source, "__arrow_c_schema__", NULL);
  bool taken = capsule != NULL && schema_of_capsule(capsule, out);
  Py_XDECREF(capsule);
  return taken;
}
