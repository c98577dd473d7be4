/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the extension apiary._core share. The extension is a thin layer: it turns
 * Python arguments into calls of apiary/apiary.h and Arrow data into PyCapsules and back.
 *
 * CPython's limited API of 3.9. The GIL protects every struct here unless it says otherwise; it is
 * released around every call that can take time. Errors are raised as apiary.errors has them.
 */
#ifndef AP_PYTHON_CORE_H
#define AP_PYTHON_CORE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <apiary/apiary.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* ---- the module ------------------------------------------------------------------------------ */

struct core_state {
  PyObject *batches_type;
  PyObject *session_type;
  PyObject *stream_type;
  PyObject *shelf_builder_type;
  PyObject *from_status; /* apiary.errors.from_status */
  PyObject *decimal;     /* decimal.Decimal */
  PyObject *date_from_ordinal;
  PyObject *time;
  PyObject *timedelta;
  PyObject *epoch;   /* datetime(1970, 1, 1) */
  PyObject *utc;     /* timezone.utc */
  PyObject *zone_of; /* apiary.errors.zone: zoneinfo.ZoneInfo, imported when needed */
};

/* The state of the one module object; NULL with an error set before it is there. */
struct core_state *core_state_get(void);

extern PyType_Spec core_apiary_spec;
extern PyType_Spec core_session_spec;
extern PyType_Spec core_batches_spec;
extern PyType_Spec core_stream_spec;
extern PyType_Spec core_shelf_spec;
extern PyType_Spec core_shelf_builder_spec;

/* ---- errors ---------------------------------------------------------------------------------- */

/* Sets the exception of an ap_error; always returns NULL. */
PyObject *core_raise(const ap_error *error);
/* The same for an error that this layer finds itself; printf-like. */
PyObject *core_fail(ap_status status, const char *hint, const char *format, ...)
    AP_PRINTF_LIKE(3, 4);

/* ---- interruption ---------------------------------------------------------------------------- */

/* What a call without the GIL asks now and then. Belongs to the thread that makes the call. */
struct core_watch {
  pthread_t thread;   /* the one that makes the call */
  bool hears_signals; /* it is Python's main thread */
  int64_t next_ns;    /* when to look at signals again */
  PyObject *progress; /* callable or NULL; borrowed */
  atomic_bool raised; /* a Python exception ended the call, set last: */
  PyObject *type, *value, *traceback;
};

void core_watch_init(struct core_watch *watch, PyObject *progress);
/* The thread that runs this makes the calls from here on. */
void core_watch_enter(struct core_watch *watch);
/* For ap_query_options and ap_import_options; called without the GIL. */
bool core_watch_cancelled(void *watch);
void core_watch_progress(void *watch, double percent);
/* With the GIL: set the exception that ended the call; false when there was none. */
bool core_watch_restore(struct core_watch *watch);

/* ---- an opened apiary ------------------------------------------------------------------------ */

struct core_flow;
struct core_helper;
struct core_session;

/* Counted: by the Apiary object, by each open session, stream and call under way. The last one
 * closes it, so that shutting down never pulls it away from under a running call. Shutting down
 * closes idle sessions, whoever still knows their objects (the traceback of an error that somebody
 * keeps does); busy ones close at the end of their call. */
struct core_shared {
  ap_apiary *apiary;
  atomic_long references;
  long process;                  /* the one that opened it */
  atomic_bool closed;            /* no new calls */
  struct core_helper *helper;    /* NULL until the main thread first waits */
  pthread_mutex_t mutex;         /* guards the list: */
  struct core_flow *flows;       /* streams that are open */
  struct core_session *sessions; /* open ones; guarded by the GIL */
};

/* One more reference; false with an error set when it is shut down or belongs to another process.
 */
bool core_shared_enter(struct core_shared *shared);
void core_shared_leave(struct core_shared *shared); /* with the GIL */
void core_shared_drop(struct core_shared *shared);  /* without it */

/* A new session of an opened apiary, as a Session object. */
PyObject *core_session_create(struct core_shared *shared);
/* The apiary is shut down: close the sessions that nobody is in. With the GIL. */
void core_sessions_close(struct core_shared *shared);

/* Do work that may take long, without the GIL: on Python's main thread by a helper, so that signals
 * are heard. When one raises, the watch says so to whoever asks it, and the stream (may be NULL) is
 * interrupted. */
void core_work(struct core_shared *shared, struct core_watch *watch,
               struct ArrowArrayStream *stream, void (*work)(void *context), void *context);
struct core_helper *core_helper_create(void); /* NULL: there is no thread to be had */
void core_helper_destroy(struct core_helper *helper);

/* ---- arguments ------------------------------------------------------------------------------- */

/* Strings of a Python sequence as C strings; owner keeps them alive. */
struct core_strings {
  const char **items;
  Py_ssize_t count;
  PyObject *owner;
};
bool core_strings_take(PyObject *sequence, const char *what, struct core_strings *out);
void core_strings_free(struct core_strings *strings);

/* ---- Arrow in -------------------------------------------------------------------------------- */

/* A stream of what an object offers: __arrow_c_stream__, __arrow_c_array__, or bytes of Arrow IPC.
 * The caller releases it. */
bool core_stream_take(PyObject *source, struct ArrowArrayStream *out);
/* A schema of what an object offers by __arrow_c_schema__. The caller releases it. */
bool core_schema_take(PyObject *source, struct ArrowSchema *out);

/* ---- Arrow out ------------------------------------------------------------------------------- */

/* Copies that share what they show: the original is released with the last of them, from any
 * thread, without the GIL. NULL or false when there is no memory. */
struct core_shared_array;
struct core_shared_array *core_array_share(struct ArrowArray *array); /* takes the array */
struct core_shared_array *core_array_retain(struct core_shared_array *shared);
void core_array_unshare(struct core_shared_array *shared);
const struct ArrowArray *core_array_of(const struct core_shared_array *shared);
bool core_array_copy(struct core_shared_array *shared, struct ArrowArray *out);
bool core_schema_copy(const struct ArrowSchema *schema, struct ArrowSchema *out);

/* A Batches object of all that a stream gives; takes the stream in any case. Call with the GIL.
 * shared is held by the caller; NULL: a stream that is none of an apiary's. */
PyObject *core_batches_collect(struct core_shared *shared, struct ArrowArrayStream *stream,
                               struct core_watch *watch);
/* A Batches object of one array, which is taken, or of none. */
PyObject *core_batches_of(const struct ArrowSchema *schema, struct ArrowArray *array);

/* Arrays put together to larger ones. NULL: there is no memory, or a column cannot be joined. */
struct core_join;
struct core_join *core_join_create(const struct ArrowSchema *schema);
void core_join_destroy(struct core_join *join); /* NULL is allowed */
/* False: no memory, or more bytes than the column's offsets can count. */
bool core_join_append(struct core_join *join, const struct ArrowArray *array, int64_t from,
                      int64_t count);
int64_t core_join_bytes(const struct core_join *join);
/* Bytes of an array's rows from one on, about. */
int64_t core_join_measure(const struct core_join *join, const struct ArrowArray *array,
                          int64_t from);
int64_t core_join_rows(const struct core_join *join);
/* The rows so far as one array; the join is empty again. */
bool core_join_finish(struct core_join *join, struct ArrowArray *out);

/* ---- streams --------------------------------------------------------------------------------- */

/* What a stream is made with; a Stream object of a query that runs. */
struct core_flow *core_flow_create(struct core_shared *shared, PyObject *progress,
                                   int64_t batch_rows);
struct core_watch *core_flow_watch(struct core_flow *flow);
struct ArrowArrayStream *core_flow_stream(struct core_flow *flow); /* to be filled */
/* From any thread that keeps the flow from being destroyed. */
void core_flow_interrupt(struct core_flow *flow);
/* With the GIL. NULL is allowed. */
void core_flow_destroy(struct core_flow *flow);
/* All streams of an apiary that are open. Without the GIL. */
void core_flows_interrupt(struct core_shared *shared);
/* With the GIL; takes the flow, whose stream is filled, in any case. */
PyObject *core_stream_create(struct core_flow *flow);

/* ---- values ---------------------------------------------------------------------------------- */

/* How the values of a column become Python objects: the schema, read once. */
struct core_reader;
struct core_reader *core_reader_create(const struct ArrowSchema *schema); /* NULL: error set */
void core_reader_destroy(struct core_reader *reader);                     /* NULL is allowed */
/* The value of a member of a row; new reference, NULL with an error set. */
PyObject *core_reader_member(const struct core_reader *reader, const struct ArrowArray *array,
                             int64_t column, int64_t row);
/* A column's name; borrowed. */
PyObject *core_reader_name(const struct core_reader *reader, int64_t column);
/* A column's type as a word: "int64", "list<string>". New reference. */
PyObject *core_reader_word(const struct core_reader *reader, int64_t column);

#endif
