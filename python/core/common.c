/* SPDX-License-Identifier: Apache-2.0
 *
 * Errors, interruption and arguments: what every call needs.
 */
#include "core.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define WATCH_INTERVAL_NS 50000000

/* ---- errors ---------------------------------------------------------------------------------- */

/* Texts come from outside too (file names, other writers' columns): never fail on a bad byte. */
static PyObject *text_of(const char *bytes) {
  return PyUnicode_DecodeUTF8(bytes, (Py_ssize_t)strlen(bytes), "replace");
}

PyObject *core_raise(const ap_error *error) {
  struct core_state *state = core_state_get();
  PyObject *message = text_of(error->message);
  PyObject *hint = text_of(error->hint);
  PyObject *exception = NULL;
  if (state != NULL && message != NULL && hint != NULL) {
    exception = PyObject_CallFunction(
        state->from_status, "sOOsOs", ap_status_name(error->code), message, hint, error->sqlstate,
        error->error_class == AP_CLASS_RETRYABLE || error->error_class == AP_CLASS_CONFLICT
            ? Py_True
            : Py_False,
        error->origin);
  }
  if (exception != NULL) PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
  Py_XDECREF(exception);
  Py_XDECREF(message);
  Py_XDECREF(hint);
  return NULL;
}

PyObject *core_fail(ap_status status, const char *hint, const char *format, ...) {
  ap_error error = {.code = status, .error_class = ap_status_class(status)};
  va_list arguments;
  va_start(arguments, format);
  (void)vsnprintf(error.message, sizeof error.message, format, arguments);
  va_end(arguments);
  (void)snprintf(error.sqlstate, sizeof error.sqlstate, "%s", ap_status_sqlstate(status));
  (void)snprintf(error.hint, sizeof error.hint, "%s", hint == NULL ? "" : hint);
  return core_raise(&error);
}

/* ---- interruption ---------------------------------------------------------------------------- */

static int64_t now_ns(void) {
  struct timespec now = {0};
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void core_watch_init(struct core_watch *watch, PyObject *progress) {
  *watch = (struct core_watch){.progress = progress == Py_None ? NULL : progress};
  core_watch_enter(watch);
}

/* On Linux a process's first thread, and that is Python's main thread, has the process's number. */
void core_watch_enter(struct core_watch *watch) {
  watch->thread = pthread_self();
  watch->hears_signals = syscall(SYS_gettid) == (long)getpid();
  watch->next_ns = now_ns() + WATCH_INTERVAL_NS;
}

/* The first exception ends the call and is kept until the GIL is back for good. Release pairs with
 * the acquire of whoever asks whether to stop. */
static void keep_exception(struct core_watch *watch) {
  if (atomic_load(&watch->raised)) {
    PyErr_Clear();
    return;
  }
  PyErr_Fetch(&watch->type, &watch->value, &watch->traceback);
  atomic_store_explicit(&watch->raised, true, memory_order_release);
}

/* Signals are only ever handled by the main thread; elsewhere the question costs next to nothing.
 */
bool core_watch_cancelled(void *opaque) {
  struct core_watch *watch = opaque;
  if (atomic_load_explicit(&watch->raised, memory_order_acquire)) return true;
  if (!watch->hears_signals || !pthread_equal(watch->thread, pthread_self())) return false;
  int64_t now = now_ns();
  if (now < watch->next_ns) return false;
  watch->next_ns = now + WATCH_INTERVAL_NS;
  PyGILState_STATE gil = PyGILState_Ensure();
  if (PyErr_CheckSignals() != 0) keep_exception(watch);
  PyGILState_Release(gil);
  return atomic_load(&watch->raised);
}

void core_watch_progress(void *opaque, double percent) {
  struct core_watch *watch = opaque;
  if (watch->progress == NULL || atomic_load(&watch->raised)) return;
  PyGILState_STATE gil = PyGILState_Ensure();
  PyObject *result = PyObject_CallFunction(watch->progress, "d", percent);
  if (result == NULL) keep_exception(watch);
  Py_XDECREF(result);
  PyGILState_Release(gil);
}

bool core_watch_restore(struct core_watch *watch) {
  if (!atomic_load(&watch->raised)) return false;
  PyErr_Restore(watch->type, watch->value, watch->traceback);
  watch->type = watch->value = watch->traceback = NULL;
  atomic_store(&watch->raised, false);
  return true;
}

/* ---- arguments ------------------------------------------------------------------------------- */

void core_strings_free(struct core_strings *strings) {
  PyMem_Free((void *)strings->items);
  Py_CLEAR(strings->owner);
  *strings = (struct core_strings){0};
}

static const char *take_string(PyObject *item, const char *what, PyObject *owner) {
  char *text = NULL;
  if (!PyUnicode_Check(item)) {
    PyErr_Format(PyExc_TypeError, "%s must be str, not %R", what, (PyObject *)Py_TYPE(item));
    return NULL;
  }
  PyObject *bytes = PyUnicode_AsUTF8String(item);
  if (bytes == NULL || PyBytes_AsStringAndSize(bytes, &text, NULL) != 0 ||
      PyList_Append(owner, bytes) != 0) {
    text = NULL;
  }
  Py_XDECREF(bytes); /* owner keeps it */
  return text;
}

bool core_strings_take(PyObject *sequence, const char *what, struct core_strings *out) {
  *out = (struct core_strings){0};
  if (sequence == Py_None) return true;
  Py_ssize_t count = PySequence_Size(sequence);
  if (count < 0) return false;
  out->owner = PyList_New(0);
  out->items = PyMem_Calloc((size_t)count + 1, sizeof *out->items);
  if (out->owner == NULL || out->items == NULL) {
    if (out->items == NULL) PyErr_NoMemory();
    core_strings_free(out);
    return false;
  }
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyObject *item = PySequence_GetItem(sequence, i);
    out->items[i] = item == NULL ? NULL : take_string(item, what, out->owner);
    Py_XDECREF(item);
    if (out->items[i] == NULL) {
      core_strings_free(out);
      return false;
    }
  }
  out->count = count;
  return true;
}
