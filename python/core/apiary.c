/* SPDX-License-Identifier: Apache-2.0
 *
 * The type Apiary: an opened apiary, and its calls but for SQL.
 *
 * Safe from any thread. After close(), and in a process that fork() made of the one that opened it,
 * every call is an error.
 */
#include "core.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct {
  PyObject_HEAD struct core_shared *shared;
} Apiary;

/* ---- lifetime -------------------------------------------------------------------------------- */

bool core_shared_enter(struct core_shared *shared) {
  if (shared->process != (long)getpid()) {
    (void)core_fail(AP_STATE, "make and start an Apiary in this process",
                    "the apiary was opened by process %ld, and this is process %ld",
                    shared->process, (long)getpid());
    return false;
  }
  if (shared->closed) {
    (void)core_fail(AP_STATE, "call start() again", "the apiary is shut down");
    return false;
  }
  atomic_fetch_add(&shared->references, 1);
  return true;
}

static struct core_shared *shared_create(void) {
  struct core_shared *shared = calloc(1, sizeof *shared);
  if (shared == NULL) return NULL;
  atomic_init(&shared->references, 1);
  pthread_mutex_init(&shared->mutex, NULL);
  shared->process = (long)getpid();
  return shared;
}

/* A fork's copy is left as it is: its threads and locks are the parent's. */
void core_shared_drop(struct core_shared *shared) {
  if (atomic_fetch_sub(&shared->references, 1) != 1) return;
  if (shared->process != (long)getpid()) return;
  core_helper_destroy(shared->helper);
  ap_close(shared->apiary);
  pthread_mutex_destroy(&shared->mutex);
  free(shared);
}

void core_shared_leave(struct core_shared *shared) {
  Py_BEGIN_ALLOW_THREADS;
  core_shared_drop(shared);
  Py_END_ALLOW_THREADS;
}

static PyObject *apiary_new(PyTypeObject *type, PyObject *args, PyObject *keywords) {
  static char *names[] = {"name",          "storage", "memory_bytes", "bees", "relaxed",
                          "scratch_bytes", NULL};
  ap_open_options options = AP_OPEN_OPTIONS_INIT;
  long long memory_bytes = 0;
  long long scratch_bytes = 0;
  unsigned int bees = 0;
  int relaxed = 0;
  if (!PyArg_ParseTupleAndKeywords(args, keywords, "zz|LIpL:Apiary", names, &options.name,
                                   &options.storage, &memory_bytes, &bees, &relaxed,
                                   &scratch_bytes)) {
    return NULL;
  }
  options.memory_bytes = memory_bytes;
  options.scratch_bytes = scratch_bytes;
  options.bees = bees;
  options.relaxed = relaxed != 0;
  struct core_shared *shared = shared_create();
  if (shared == NULL) return PyErr_NoMemory();
  allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
  Apiary *self = (Apiary *)allocate(type, 0);
  if (self == NULL) {
    core_shared_leave(shared);
    return NULL;
  }
  ap_error error = {0};
  ap_status status = AP_OK;
  Py_BEGIN_ALLOW_THREADS;
  status = ap_open(&options, &shared->apiary, &error);
  Py_END_ALLOW_THREADS;
  if (status != AP_OK) {
    core_shared_leave(shared);
    Py_DECREF(self);
    return core_raise(&error);
  }
  self->shared = shared;
  return (PyObject *)self;
}

/* Calls under way and streams keep it open until they are done; streams are ended, idle sessions
 * closed. */
static PyObject *apiary_close(PyObject *object, PyObject *unused) {
  Apiary *self = (Apiary *)object;
  struct core_shared *shared = self->shared;
  (void)unused;
  if (shared != NULL) {
    self->shared = NULL;
    atomic_store(&shared->closed, true);
    Py_BEGIN_ALLOW_THREADS;
    core_flows_interrupt(shared);
    Py_END_ALLOW_THREADS;
    core_sessions_close(shared);
    core_shared_leave(shared);
  }
  Py_RETURN_NONE;
}

static void apiary_dealloc(PyObject *object) {
  Apiary *self = (Apiary *)object;
  PyTypeObject *type = Py_TYPE(object);
  if (self->shared != NULL) core_shared_leave(self->shared);
  freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
  release(object);
  Py_DECREF(type);
}

/* What a call needs: the opened apiary, held; NULL with an error set. */
static struct core_shared *enter(PyObject *object) {
  struct core_shared *shared = ((Apiary *)object)->shared;
  if (shared == NULL) {
    (void)core_fail(AP_STATE, "call start() again", "the apiary is shut down");
    return NULL;
  }
  return core_shared_enter(shared) ? shared : NULL;
}

static PyObject *finish(struct core_shared *shared, ap_status status, const ap_error *error) {
  core_shared_leave(shared);
  if (status != AP_OK) return core_raise(error);
  Py_RETURN_NONE;
}

static PyObject *apiary_session(PyObject *object, PyObject *unused) {
  (void)unused;
  struct core_shared *shared = enter(object);
  if (shared == NULL) return NULL;
  PyObject *session = core_session_create(shared);
  core_shared_leave(shared);
  return session;
}

static PyObject *apiary_interrupt(PyObject *object, PyObject *unused) {
  (void)unused;
  struct core_shared *shared = enter(object);
  if (shared == NULL) return NULL;
  Py_BEGIN_ALLOW_THREADS;
  core_flows_interrupt(shared);
  core_shared_drop(shared);
  Py_END_ALLOW_THREADS;
  Py_RETURN_NONE;
}

/* Calls `call` without the GIL; sets status. */
#define WITHOUT_GIL(status, call) \
  Py_BEGIN_ALLOW_THREADS;         \
  (status) = (call);              \
  Py_END_ALLOW_THREADS

/* ---- reports --------------------------------------------------------------------------------- */

static PyObject *text_finish(struct core_shared *shared, ap_status status, char *text,
                             const ap_error *error) {
  core_shared_leave(shared);
  if (status != AP_OK) return core_raise(error);
  PyObject *result = PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "replace");
  ap_string_free(text);
  return result;
}

static PyObject *apiary_report(PyObject *object, PyObject *args) {
  int report = 0;
  char *text = NULL;
  ap_error error = {0};
  ap_status status = AP_OK;
  if (!PyArg_ParseTuple(args, "i:report", &report)) return NULL;
  struct core_shared *shared = enter(object);
  if (shared == NULL) return NULL;
  WITHOUT_GIL(status, ap_get_report(shared->apiary, (ap_report)report, &text, &error));
  return text_finish(shared, status, text, &error);
}

static PyObject *apiary_describe(PyObject *object, PyObject *args) {
  const char *hive = NULL;
  const char *box = NULL;
  const char *frame = NULL;
  char *text = NULL;
  ap_error error = {0};
  ap_status status = AP_OK;
  if (!PyArg_ParseTuple(args, "sss:describe", &hive, &box, &frame)) return NULL;
  struct core_shared *shared = enter(object);
  if (shared == NULL) return NULL;
  WITHOUT_GIL(status, ap_frame_describe(shared->apiary, hive, box, frame, &text, &error));
  return text_finish(shared, status, text, &error);
}

static PyObject *list_of_names(const ap_names *names) {
  PyObject *list = PyList_New(0);
  for (size_t i = 0; list != NULL && i < ap_names_count(names); ++i) {
    const char *name = ap_names_get(names, i);
    PyObject *item = PyUnicode_DecodeUTF8(name, (Py_ssize_t)strlen(name), "replace");
    if (item == NULL || PyList_Append(list, item) != 0) Py_CLEAR(list);
    Py_XDECREF(item);
  }
  return list;
}

static PyObject *apiary_list(PyObject *object, PyObject *args) {
  const char *hive = NULL;
  const char *box = NULL;
  ap_names *names = NULL;
  ap_error error = {0};
  ap_status status = AP_OK;
  if (!PyArg_ParseTuple(args, "zz:list", &hive, &box)) return NULL;
  struct core_shared *shared = enter(object);
  if (shared == NULL) return NULL;
  WITHOUT_GIL(status, ap_list(shared->apiary, hive, box, &names, &error));
  core_shared_leave(shared);
  if (status != AP_OK) return core_raise(&error);
  PyObject *list = list_of_names(names);
  ap_names_free(names);
  return list;
}

/* ---- hives and boxes ------------------------------------------------------------------------- */

static PyObject *apiary_create(PyObject *object, PyObject *args) {
  const char *hive = NULL;
  const char *box = NULL;
  int if_absent = 1;
  ap_error error = {0};
  ap_status status = AP_OK;
  if (!PyArg_ParseTuple(args, "szp:create", &hive, &box, &if_absent)) return NULL;
  struct core_shared *shared = enter(object);
  if (shared == NULL) return NULL;
  WITHOUT_GIL(status, box == NULL
                          ? ap_hive_create(shared->apiary, hive, if_absent != 0, &error)
                          : ap_box_create(shared->apiary, hive, box, if_absent != 0, &error));
  return finish(shared, status, &error);
}

static PyObject *apiary_rename(PyObject *object, PyObject *args) {
  const char *hive = NULL;
  const char *box = NULL;
  const char *frame = NULL;
  const char *new_name = NULL;
  ap_error error = {0};
  ap_status status = AP_OK;
  if (!PyArg_ParseTuple(args, "szzs:rename", &hive, &box, &frame, &new_name)) return NULL;
  struct core_shared *shared = enter(object);
  if (shared == NULL) return NULL;
  ap_apiary *apiary = shared->apiary;
  WITHOUT_GIL(status, box == NULL ? ap_hive_rename(apiary, hive, new_name, &error)
                      : frame == NULL
                          ? ap_box_rename(apiary, hive, box, new_name, &error)
                          : ap_frame_rename(apiary, hive, box, frame, new_name, &error));
  return finish(shared, status, &error);
}

static PyObject *apiary_drop(PyObject *object, PyObject *args) {
  const char *hive = NULL;
  const char *box = NULL;
  const char *frame = NULL;
  int cascade = 0;
  int if_exists = 0;
  ap_error error = {0};
  ap_status status = AP_OK;
  if (!PyArg_ParseTuple(args, "szzpp:drop", &hive, &box, &frame, &cascade, &if_exists)) return NULL;
  struct core_shared *shared = enter(object);
  if (shared == NULL) return NULL;
  ap_apiary *apiary = shared->apiary;
  bool all = cascade != 0;
  bool missing_ok = if_exists != 0;
  WITHOUT_GIL(status, box == NULL ? ap_hive_drop(apiary, hive, all, missing_ok, &error)
                      : frame == NULL
                          ? ap_box_drop(apiary, hive, box, all, missing_ok, &error)
                          : ap_frame_drop(apiary, hive, box, frame, missing_ok, &error));
  return finish(shared, status, &error);
}

/* ---- frames ---------------------------------------------------------------------------------- */

/* Columns or schema, partitioning and properties of a frame to be, as C has them. */
struct definition {
  struct core_strings names, types, partitions, keys, values;
  struct ArrowSchema schema;
  ap_column *columns;
  ap_property_pair *properties;
};

static void definition_free(struct definition *definition) {
  core_strings_free(&definition->names);
  core_strings_free(&definition->types);
  core_strings_free(&definition->partitions);
  core_strings_free(&definition->keys);
  core_strings_free(&definition->values);
  if (definition->schema.release != NULL) definition->schema.release(&definition->schema);
  PyMem_Free(definition->columns);
  PyMem_Free(definition->properties);
}

static bool definition_fill(struct definition *from, ap_frame_definition *out) {
  Py_ssize_t columns = from->names.count;
  Py_ssize_t properties = from->keys.count;
  if (columns != from->types.count || properties != from->values.count) {
    PyErr_SetString(PyExc_ValueError, "there are not as many names as values");
    return false;
  }
  from->columns = PyMem_Calloc((size_t)columns + 1, sizeof *from->columns);
  from->properties = PyMem_Calloc((size_t)properties + 1, sizeof *from->properties);
  if (from->columns == NULL || from->properties == NULL) {
    PyErr_NoMemory();
    return false;
  }
  for (Py_ssize_t i = 0; i < columns; ++i) {
    from->columns[i] = (ap_column){from->names.items[i], from->types.items[i]};
  }
  for (Py_ssize_t i = 0; i < properties; ++i) {
    from->properties[i] = (ap_property_pair){from->keys.items[i], from->values.items[i]};
  }
  out->columns = from->columns;
  out->column_count = (size_t)columns;
  out->schema = from->schema.release == NULL ? NULL : &from->schema;
  out->partition_by = from->partitions.items;
  out->partition_by_count = (size_t)from->partitions.count;
  out->properties = from->properties;
  out->property_count = (size_t)properties;
  return true;
}

static PyObject *apiary_create_frame(PyObject *object, PyObject *args) {
  const char *hive = NULL, *box = NULL, *frame = NULL, *description = NULL;
  PyObject *names, *types, *schema, *partitions, *keys, *values, *result = NULL;
  int if_absent = 1;
  struct definition parts = {0};
  ap_frame_definition definition = AP_FRAME_DEFINITION_INIT;
  ap_error error = {0};
  ap_status status = AP_OK;
  if (!PyArg_ParseTuple(args, "sssOOOOzOOp:create_frame", &hive, &box, &frame, &names, &types,
                        &schema, &partitions, &description, &keys, &values, &if_absent)) {
    return NULL;
  }
  if (core_strings_take(names, "a column's name", &parts.names) &&
      core_strings_take(types, "a column's type", &parts.types) &&
      core_strings_take(partitions, "a partition column", &parts.partitions) &&
      core_strings_take(keys, "a property's name", &parts.keys) &&
      core_strings_take(values, "a property's value", &parts.values) &&
      (schema == Py_None || core_schema_take(schema, &parts.schema)) &&
      definition_fill(&parts, &definition)) {
    struct core_shared *shared = enter(object);
    definition.description = description;
    if (shared != NULL) {
      WITHOUT_GIL(status, ap_frame_create(shared->apiary, hive, box, frame, &definition,
                                          if_absent != 0, &error));
      result = finish(shared, status, &error);
    }
  }
  definition_free(&parts);
  return result;
}

static PyObject *apiary_history(PyObject *object, PyObject *args) {
  const char *hive = NULL;
  const char *box = NULL;
  const char *frame = NULL;
  unsigned int limit = 0;
  struct ArrowArrayStream stream = {0};
  ap_error error = {0};
  ap_status status = AP_OK;
  if (!PyArg_ParseTuple(args, "sssI:history", &hive, &box, &frame, &limit)) return NULL;
  struct core_shared *shared = enter(object);
  if (shared == NULL) return NULL;
  WITHOUT_GIL(status, ap_frame_history(shared->apiary, hive, box, frame, limit, &stream, &error));
  PyObject *rows = NULL;
  if (status == AP_OK) {
    struct core_watch watch;
    core_watch_init(&watch, NULL);
    rows = core_batches_collect(shared, &stream, &watch);
  } else {
    (void)core_raise(&error);
  }
  core_shared_leave(shared);
  return rows;
}

static PyObject *apiary_checkpoint(PyObject *object, PyObject *args) {
  const char *hive = NULL;
  const char *box = NULL;
  const char *frame = NULL;
  int64_t version = 0;
  ap_error error = {0};
  ap_status status = AP_OK;
  if (!PyArg_ParseTuple(args, "sss:checkpoint", &hive, &box, &frame)) return NULL;
  struct core_shared *shared = enter(object);
  if (shared == NULL) return NULL;
  WITHOUT_GIL(status, ap_frame_checkpoint(shared->apiary, hive, box, frame, &version, &error));
  core_shared_leave(shared);
  return status == AP_OK ? PyLong_FromLongLong(version) : core_raise(&error);
}

static PyObject *apiary_attach(PyObject *object, PyObject *args) {
  const char *hive = NULL;
  const char *box = NULL;
  const char *frame = NULL;
  const char *folder = NULL;
  ap_error error = {0};
  ap_status status = AP_OK;
  if (!PyArg_ParseTuple(args, "ssss:attach", &hive, &box, &frame, &folder)) return NULL;
  struct core_shared *shared = enter(object);
  if (shared == NULL) return NULL;
  WITHOUT_GIL(status, ap_frame_attach(shared->apiary, hive, box, frame, folder, &error));
  core_shared_leave(shared);
  if (status != AP_OK) return core_raise(&error);
  Py_RETURN_NONE;
}

/* ---- rows ------------------------------------------------------------------------------------ */

static PyObject *result_of(const ap_write_result *result) {
  return Py_BuildValue(
      "{sLsLsLsLsLsdsdsO}", "version", (long long)result->version, "cells_written",
      (long long)result->cells_written, "cells_removed", (long long)result->cells_removed,
      "rows_written", (long long)result->rows_written, "bytes_written",
      (long long)result->bytes_written, "duration_ms", result->duration_ms, "temperature",
      result->temperature, "skipped", result->skipped ? Py_True : Py_False);
}

static PyObject *apiary_write(PyObject *object, PyObject *args) {
  const char *hive = NULL, *box = NULL, *frame = NULL;
  PyObject *source = NULL;
  int overwrite = 0;
  long long app_version = 0;
  ap_write_options options = AP_WRITE_OPTIONS_INIT;
  ap_write_result result = AP_WRITE_RESULT_INIT;
  struct ArrowArrayStream stream = {0};
  ap_error error = {0};
  ap_status status = AP_OK;
  if (!PyArg_ParseTuple(args, "sssOpzzLz:write", &hive, &box, &frame, &source, &overwrite,
                        &options.replace_where, &options.app_id, &app_version,
                        &options.user_metadata)) {
    return NULL;
  }
  options.mode = overwrite != 0 ? AP_WRITE_OVERWRITE : AP_WRITE_APPEND;
  options.app_version = app_version;
  struct core_shared *shared = enter(object);
  if (shared == NULL) return NULL;
  if (!core_stream_take(source, &stream)) {
    core_shared_leave(shared);
    return NULL;
  }
  WITHOUT_GIL(status,
              ap_frame_write(shared->apiary, hive, box, frame, &stream, &options, &result, &error));
  core_shared_leave(shared);
  return status == AP_OK ? result_of(&result) : core_raise(&error);
}

static PyObject *apiary_read(PyObject *object, PyObject *args) {
  const char *hive = NULL, *box = NULL, *frame = NULL;
  PyObject *columns = NULL;
  PyObject *rows = NULL;
  long long version = -1;
  ap_read_options options = AP_READ_OPTIONS_INIT;
  struct core_strings names = {0};
  struct ArrowArrayStream stream = {0};
  struct core_watch watch;
  ap_error error = {0};
  ap_status status = AP_OK;
  if (!PyArg_ParseTuple(args, "sssOzLz:read", &hive, &box, &frame, &columns, &options.filter,
                        &version, &options.timestamp) ||
      !core_strings_take(columns, "a column's name", &names)) {
    return NULL;
  }
  options.columns = names.items;
  options.column_count = (size_t)names.count;
  options.version = version;
  struct core_shared *shared = enter(object);
  if (shared != NULL) {
    WITHOUT_GIL(status, ap_frame_read(shared->apiary, hive, box, frame, &options, &stream, &error));
    core_watch_init(&watch, NULL);
    rows = status == AP_OK ? core_batches_collect(shared, &stream, &watch) : core_raise(&error);
    core_shared_leave(shared);
  }
  core_strings_free(&names);
  return rows;
}

struct importing {
  ap_apiary *apiary;
  const char *hive, *box, *frame;
  const struct core_strings *paths;
  const ap_import_options *options;
  ap_write_result result;
  ap_status status;
  ap_error error;
};

static void import_files(void *opaque) {
  struct importing *it = opaque;
  it->status = ap_import(it->apiary, it->hive, it->box, it->frame, it->paths->items,
                         (size_t)it->paths->count, it->options, &it->result, &it->error);
}

static PyObject *apiary_import(PyObject *object, PyObject *args) {
  const char *hive = NULL, *box = NULL, *frame = NULL;
  PyObject *paths = NULL, *partitions = NULL, *progress = NULL, *answer = NULL;
  int create = 1;
  int overwrite = 0;
  struct core_strings path_names = {0};
  struct core_strings partition_names = {0};
  ap_import_options options = AP_IMPORT_OPTIONS_INIT;
  struct importing it = {.paths = &path_names, .options = &options};
  struct core_watch watch;
  it.result = (ap_write_result)AP_WRITE_RESULT_INIT;
  if (!PyArg_ParseTuple(args, "sssOzOppzO:import_files", &hive, &box, &frame, &paths,
                        &options.format, &partitions, &create, &overwrite, &options.null_text,
                        &progress)) {
    return NULL;
  }
  if (!core_strings_take(paths, "a path", &path_names) ||
      !core_strings_take(partitions, "a partition column", &partition_names)) {
    core_strings_free(&path_names);
    return NULL;
  }
  core_watch_init(&watch, progress);
  options.partition_by = partition_names.items;
  options.partition_by_count = (size_t)partition_names.count;
  options.create = create != 0;
  options.mode = overwrite != 0 ? AP_WRITE_OVERWRITE : AP_WRITE_APPEND;
  options.cancelled = core_watch_cancelled;
  options.progress = watch.progress == NULL ? NULL : core_watch_progress;
  options.context = &watch;
  struct core_shared *shared = enter(object);
  if (shared != NULL) {
    it.apiary = shared->apiary;
    it.hive = hive;
    it.box = box;
    it.frame = frame;
    Py_BEGIN_ALLOW_THREADS;
    core_work(shared, &watch, NULL, import_files, &it);
    Py_END_ALLOW_THREADS;
    core_shared_leave(shared);
    if (!core_watch_restore(&watch)) {
      answer = it.status == AP_OK ? result_of(&it.result) : core_raise(&it.error);
    }
  }
  core_strings_free(&path_names);
  core_strings_free(&partition_names);
  return answer;
}

/* ---- the type -------------------------------------------------------------------------------- */

static PyMethodDef apiary_methods[] = {
    {"close", apiary_close, METH_NOARGS, "Close it once all calls are done."},
    {"interrupt", apiary_interrupt, METH_NOARGS, "End all streams that are open."},
    {"session", apiary_session, METH_NOARGS, "A new session."},
    {"report", apiary_report, METH_VARARGS, "A report as JSON: report(number)"},
    {"list", apiary_list, METH_VARARGS, "Names: list(hive, box)"},
    {"create", apiary_create, METH_VARARGS, "create(hive, box, if_absent)"},
    {"rename", apiary_rename, METH_VARARGS, "rename(hive, box, frame, new_name)"},
    {"drop", apiary_drop, METH_VARARGS, "drop(hive, box, frame, cascade, if_exists)"},
    {"create_frame", apiary_create_frame, METH_VARARGS,
     "create_frame(hive, box, frame, names, types, schema, partition_by, description, "
     "property_names, property_values, if_absent)"},
    {"describe", apiary_describe, METH_VARARGS, "A frame as JSON: describe(hive, box, frame)"},
    {"history", apiary_history, METH_VARARGS, "history(hive, box, frame, limit)"},
    {"checkpoint", apiary_checkpoint, METH_VARARGS, "checkpoint(hive, box, frame)"},
    {"attach", apiary_attach, METH_VARARGS, "attach(hive, box, frame, folder)"},
    {"write", apiary_write, METH_VARARGS,
     "write(hive, box, frame, data, overwrite, replace_where, app_id, app_version, user_metadata)"},
    {"read", apiary_read, METH_VARARGS,
     "read(hive, box, frame, columns, filter, version, timestamp)"},
    {"import_files", apiary_import, METH_VARARGS,
     "import_files(hive, box, frame, paths, format, partition_by, create, overwrite, progress)"},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot apiary_slots[] = {
    {Py_tp_doc, "Apiary(name, storage, memory_bytes=0, bees=0, relaxed=False)"},
    {Py_tp_new, apiary_new},
    {Py_tp_dealloc, apiary_dealloc},
    {Py_tp_methods, apiary_methods},
    {0, NULL},
};

PyType_Spec core_apiary_spec = {
    .name = "apiary._core.Apiary",
    .basicsize = sizeof(Apiary),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = apiary_slots,
};
