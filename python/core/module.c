/* SPDX-License-Identifier: Apache-2.0
 *
 * The module apiary._core: its types, and the Python objects that values are made of.
 */
#include "core.h"

static struct PyModuleDef core_module;

struct core_state *core_state_get(void) {
  PyObject *module = PyState_FindModule(&core_module);
  if (module == NULL) {
    PyErr_SetString(PyExc_RuntimeError, "apiary._core is not loaded");
    return NULL;
  }
  return PyModule_GetState(module);
}

static PyObject *core_version(PyObject *module, PyObject *unused) {
  (void)module;
  (void)unused;
  return PyUnicode_FromString(ap_version());
}

static PyObject *core_engine_version(PyObject *module, PyObject *unused) {
  (void)module;
  (void)unused;
  return PyUnicode_FromString(ap_engine_version());
}

static PyObject *core_statuses(PyObject *module, PyObject *unused) {
  (void)module;
  (void)unused;
  PyObject *names = PyList_New(0);
  for (int status = 0; names != NULL && status <= (int)AP_CHECK_VIOLATION; ++status) {
    PyObject *name = PyUnicode_FromString(ap_status_name((ap_status)status));
    if (name == NULL || PyList_Append(names, name) != 0) Py_CLEAR(names);
    Py_XDECREF(name);
  }
  return names;
}

static PyObject *core_parse_size(PyObject *module, PyObject *text) {
  (void)module;
  ap_error error = {0};
  int64_t bytes = 0;
  PyObject *utf8 = PyUnicode_AsUTF8String(text);
  if (utf8 == NULL) return NULL;
  ap_status status = ap_parse_size(PyBytes_AsString(utf8), &bytes, &error);
  Py_DECREF(utf8);
  return status == AP_OK ? PyLong_FromLongLong(bytes) : core_raise(&error);
}

static PyObject *core_collect(PyObject *module, PyObject *source) {
  struct ArrowArrayStream stream = {0};
  struct core_watch watch;
  (void)module;
  if (!core_stream_take(source, &stream)) return NULL;
  core_watch_init(&watch, NULL);
  return core_batches_collect(NULL, &stream, &watch);
}

static PyMethodDef core_methods[] = {
    {"version", core_version, METH_NOARGS, "The version of the library."},
    {"engine_version", core_engine_version, METH_NOARGS, "The version of the SQL engine."},
    {"statuses", core_statuses, METH_NOARGS, "The names of all statuses, by number."},
    {"parse_size", core_parse_size, METH_O, "The bytes that a text such as '4GB' means."},
    {"collect", core_collect, METH_O, "All batches of an Arrow stream, array or IPC bytes."},
    {NULL, NULL, 0, NULL},
};

static PyObject *attribute_of(const char *module_name, const char *name) {
  PyObject *module = PyImport_ImportModule(module_name);
  PyObject *found = module == NULL ? NULL : PyObject_GetAttrString(module, name);
  Py_XDECREF(module);
  return found;
}

static PyObject *attribute_in(const char *module_name, const char *owner, const char *name) {
  PyObject *object = attribute_of(module_name, owner);
  PyObject *found = object == NULL ? NULL : PyObject_GetAttrString(object, name);
  Py_XDECREF(object);
  return found;
}

static PyObject *make_epoch(void) {
  PyObject *datetime = attribute_of("datetime", "datetime");
  PyObject *epoch = datetime == NULL ? NULL : PyObject_CallFunction(datetime, "iii", 1970, 1, 1);
  Py_XDECREF(datetime);
  return epoch;
}

static bool fill_state(PyObject *module, struct core_state *state) {
  state->batches_type = PyType_FromSpec(&core_batches_spec);
  state->session_type = PyType_FromSpec(&core_session_spec);
  state->stream_type = PyType_FromSpec(&core_stream_spec);
  state->shelf_builder_type = PyType_FromSpec(&core_shelf_builder_spec);
  state->from_status = attribute_of("apiary.errors", "from_status");
  state->zone_of = attribute_of("apiary.errors", "zone");
  state->decimal = attribute_of("decimal", "Decimal");
  state->date_from_ordinal = attribute_in("datetime", "date", "fromordinal");
  state->time = attribute_of("datetime", "time");
  state->timedelta = attribute_of("datetime", "timedelta");
  state->utc = attribute_in("datetime", "timezone", "utc");
  state->epoch = make_epoch();
  PyObject *const all[] = {
      state->batches_type, state->session_type, state->stream_type, state->shelf_builder_type,
      state->from_status,  state->zone_of,      state->decimal,     state->date_from_ordinal,
      state->time,         state->timedelta,    state->utc,         state->epoch,
  };
  for (size_t i = 0; i < sizeof all / sizeof all[0]; ++i) {
    if (all[i] == NULL) return false;
  }
  PyObject *apiary_type = PyType_FromSpec(&core_apiary_spec);
  if (apiary_type == NULL || PyModule_AddObject(module, "Apiary", apiary_type) != 0) {
    Py_XDECREF(apiary_type);
    return false;
  }
  PyObject *shelf_type = PyType_FromSpec(&core_shelf_spec);
  if (shelf_type == NULL || PyModule_AddObject(module, "Shelf", shelf_type) != 0) {
    Py_XDECREF(shelf_type);
    return false;
  }
  Py_INCREF(state->session_type);
  Py_INCREF(state->batches_type);
  Py_INCREF(state->stream_type);
  Py_INCREF(state->shelf_builder_type);
  return PyModule_AddObject(module, "Session", state->session_type) == 0 &&
         PyModule_AddObject(module, "Batches", state->batches_type) == 0 &&
         PyModule_AddObject(module, "Stream", state->stream_type) == 0 &&
         PyModule_AddObject(module, "ShelfBuilder", state->shelf_builder_type) == 0;
}

static int core_clear(PyObject *module) {
  struct core_state *state = PyModule_GetState(module);
  if (state == NULL) return 0;
  Py_CLEAR(state->batches_type);
  Py_CLEAR(state->session_type);
  Py_CLEAR(state->stream_type);
  Py_CLEAR(state->shelf_builder_type);
  Py_CLEAR(state->from_status);
  Py_CLEAR(state->zone_of);
  Py_CLEAR(state->decimal);
  Py_CLEAR(state->date_from_ordinal);
  Py_CLEAR(state->time);
  Py_CLEAR(state->timedelta);
  Py_CLEAR(state->utc);
  Py_CLEAR(state->epoch);
  return 0;
}

static void core_free(void *module) {
  (void)core_clear(module);
}

static struct PyModuleDef core_module = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "apiary._core",
    .m_doc = "The C library of Apiary, as the package apiary uses it.",
    .m_size = sizeof(struct core_state),
    .m_methods = core_methods,
    .m_clear = core_clear,
    .m_free = core_free,
};

PyMODINIT_FUNC PyInit__core(void);
PyMODINIT_FUNC PyInit__core(void) {
  PyObject *module = PyModule_Create(&core_module);
  if (module == NULL) return NULL;
  if (!fill_state(module, PyModule_GetState(module))) {
    Py_DECREF(module);
    return NULL;
  }
  return module;
}
