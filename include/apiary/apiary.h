/* SPDX-License-Identifier: Apache-2.0
 *
 * Apiary's C API.
 *
 * An apiary is a lakehouse on one storage root: hives (databases) of boxes (schemas) of frames
 * (tables); a frame is a Delta table of Parquet cells. Rows come and go as Arrow streams.
 *
 *   ap_apiary *apiary = NULL;
 *   ap_error error = {0};
 *   if (ap_open(NULL, &apiary, &error) != AP_OK) { fprintf(stderr, "%s\n", error.message); ... }
 *
 * Conventions. Handles are opaque. Options begin with struct_size, set by their _INIT macro, so
 * that later versions can add members; NULL options mean the defaults. Strings are NUL-terminated
 * UTF-8, borrowed for the call. Every function that can fail returns an ap_status and fills *err
 * when err is not NULL. Streams that are handed in are taken (released) whether the call succeeds
 * or not; streams that are handed out belong to the caller, who releases them. Threads. An
 * ap_apiary may be used from any number of threads; an ap_session from one at a time, but for
 * ap_session_interrupt. A result stream holds an engine until it is released.
 */
#ifndef APIARY_APIARY_H
#define APIARY_APIARY_H

#include <apiary/arrow.h>
#include <apiary/status.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ap_apiary ap_apiary;
typedef struct ap_session ap_session;

/* "0.1.0", and the engine's "v1.5.5". Static memory. */
AP_API const char *ap_version(void);
AP_API const char *ap_engine_version(void);

/* "4GB", "512 MiB", "1.5g", "1000000" in bytes: units of ten and of two as they are written, a bare
 * letter is one of two. AP_INVALID_ARGUMENT names what is no size, or none above zero. */
AP_API AP_MUST_CHECK ap_status ap_parse_size(const char *text, int64_t *out_bytes, ap_error *err);

/* Free a string that a call handed out. NULL is allowed. */
AP_API void ap_string_free(char *string);

/* ---- opening --------------------------------------------------------------------------------- */

typedef enum ap_cell_cache {
  AP_CELL_CACHE_DEFAULT = 0, /* $APIARY_CELL_CACHE ("on", "off", "eager"), else on */
  AP_CELL_CACHE_ON = 1,      /* what is read twice is copied when the node is idle */
  AP_CELL_CACHE_OFF = 2,
  AP_CELL_CACHE_EAGER = 3, /* a query copies what it reads before it reads it */
} ap_cell_cache;

typedef struct ap_open_options {
  size_t struct_size;
  const char *name;     /* NULL: $APIARY_NAME, else "default" */
  const char *storage;  /* a folder, "local://..." or "file://..."; NULL: $APIARY_STORAGE, else
                           ~/.apiary/data/<name> */
  int64_t memory_bytes; /* for all bees; 0: $APIARY_MEMORY ("4GB", "512 MiB"), else what the machine
                           or its control group gives */
  uint32_t bees;        /* cores to use; 0: all */
  bool relaxed;         /* skip fsync: a power cut may then lose acknowledged writes */
  int64_t cache_bytes;  /* of disk for decoded copies of cells that are read again and again; -1:
                           none; 0: $APIARY_CACHE_SIZE ("4GB", "0"), else 2 GiB, and none where
                           memory_bytes comes to less than 1 GiB */
  ap_cell_cache cache;
  int64_t scratch_bytes; /* of disk that one statement may spill to; 0: $APIARY_SCRATCH_SIZE
                            ("4GB"), else 90% of what is free there */
} ap_open_options;
#define AP_OPEN_OPTIONS_INIT \
  { sizeof(ap_open_options), NULL, NULL, 0, 0, false, 0, AP_CELL_CACHE_DEFAULT, 0 }

/* Open, and on first use create, an apiary. Cheap: the engine is started by the first query. */
AP_API AP_MUST_CHECK ap_status ap_open(const ap_open_options *options, ap_apiary **out_apiary,
                                       ap_error *err);
/* Sessions and streams must be gone. NULL is allowed. */
AP_API void ap_close(ap_apiary *apiary);

typedef enum ap_report {
  AP_REPORT_NODE = 0,   /* name, node_id, state, cores, memory_gb, bees, storage,
                           memory_per_bee_mb, target_cell_size_mb, engine */
  AP_REPORT_BEES = 1,   /* a list of bee_id, state, memory_used, memory_budget (bytes and _mb) */
  AP_REPORT_SWARM = 2,  /* alive, nodes [..], total_bees, total_idle_bees, total_memory_gb */
  AP_REPORT_COLONY = 3, /* temperature, regulation, setpoint, busy_bees, queued, chambers_open,
                           chambers_held, memory_used, memory_granted, abandoned_tasks */
} ap_report;

/* A report as JSON text; free it with ap_string_free. */
AP_API AP_MUST_CHECK ap_status ap_get_report(ap_apiary *apiary, ap_report report, char **out_json,
                                             ap_error *err);

/* ---- hives, boxes, frames -------------------------------------------------------------------- */

/* With if_absent an existing one is fine, else AP_ALREADY_EXISTS. */
AP_API AP_MUST_CHECK ap_status ap_hive_create(ap_apiary *apiary, const char *hive, bool if_absent,
                                              ap_error *err);
AP_API AP_MUST_CHECK ap_status ap_box_create(ap_apiary *apiary, const char *hive, const char *box,
                                             bool if_absent, ap_error *err);

typedef struct ap_column {
  const char *name;
  const char *type; /* "int64", "decimal(10,2)", "timestamp", "list<string>", ... see docs/sql.md; a
                       trailing "not null" forbids nulls */
} ap_column;

typedef struct ap_property_pair {
  const char *name;
  const char *value;
} ap_property_pair;

typedef struct ap_frame_definition {
  size_t struct_size;
  const ap_column *columns; /* or schema */
  size_t column_count;
  const struct ArrowSchema *schema; /* used when column_count is 0; borrowed */
  const char *const *partition_by;
  size_t partition_by_count;
  const char *description;            /* may be NULL */
  const ap_property_pair *properties; /* Delta table properties */
  size_t property_count;
} ap_frame_definition;
#define AP_FRAME_DEFINITION_INIT \
  { sizeof(ap_frame_definition), NULL, 0, NULL, NULL, 0, NULL, NULL, 0 }

/* With if_absent an existing frame is fine when its columns and partitioning are the same, else
 * AP_SCHEMA_MISMATCH shows the difference. */
AP_API AP_MUST_CHECK ap_status ap_frame_create(ap_apiary *apiary, const char *hive, const char *box,
                                               const char *frame,
                                               const ap_frame_definition *definition,
                                               bool if_absent, ap_error *err);

/* Take a Delta table that another engine wrote below the storage root in as a frame. folder is its
 * path from the root on ("lake/orders"). Its rows stay where they are, and other engines may go on
 * using them; but the folder is the frame's now, and goes when the frame is dropped. AP_NOT_FOUND:
 * no Delta table lies there; AP_UNSUPPORTED: it needs a feature that is not known;
 * AP_ALREADY_EXISTS, AP_STATE: the name is taken, or the folder overlaps with another frame's. */
AP_API AP_MUST_CHECK ap_status ap_frame_attach(ap_apiary *apiary, const char *hive, const char *box,
                                               const char *frame, const char *folder,
                                               ap_error *err);

/* Renaming keeps data, history and location. */
AP_API AP_MUST_CHECK ap_status ap_hive_rename(ap_apiary *apiary, const char *hive,
                                              const char *new_name, ap_error *err);
AP_API AP_MUST_CHECK ap_status ap_box_rename(ap_apiary *apiary, const char *hive, const char *box,
                                             const char *new_name, ap_error *err);
AP_API AP_MUST_CHECK ap_status ap_frame_rename(ap_apiary *apiary, const char *hive, const char *box,
                                               const char *frame, const char *new_name,
                                               ap_error *err);

/* Dropping forgets the name at once and then removes the files. A hive or box that still holds
 * something needs cascade. */
AP_API AP_MUST_CHECK ap_status ap_hive_drop(ap_apiary *apiary, const char *hive, bool cascade,
                                            bool if_exists, ap_error *err);
AP_API AP_MUST_CHECK ap_status ap_box_drop(ap_apiary *apiary, const char *hive, const char *box,
                                           bool cascade, bool if_exists, ap_error *err);
AP_API AP_MUST_CHECK ap_status ap_frame_drop(ap_apiary *apiary, const char *hive, const char *box,
                                             const char *frame, bool if_exists, ap_error *err);

/* A sorted list of names. hive NULL: hives; box NULL: boxes of hive; else frames of hive.box. The
 * names are valid until ap_names_free. */
typedef struct ap_names ap_names;
AP_API AP_MUST_CHECK ap_status ap_list(ap_apiary *apiary, const char *hive, const char *box,
                                       ap_names **out_names, ap_error *err);
AP_API size_t ap_names_count(const ap_names *names);
AP_API const char *ap_names_get(const ap_names *names, size_t index); /* NULL when out of range */
AP_API void ap_names_free(ap_names *names);                           /* NULL is allowed */

/* A frame as JSON: hive, box, name, id, location (absolute), schema (object of column -> type word,
 * "not null" included), partition_by, max_partitions, created_at (RFC 3339), version, cell_count,
 * row_count (null: unknown), total_bytes, description, properties. Free with ap_string_free. */
AP_API AP_MUST_CHECK ap_status ap_frame_describe(ap_apiary *apiary, const char *hive,
                                                 const char *box, const char *frame,
                                                 char **out_json, ap_error *err);

/* Versions, newest first: version (int64), timestamp (RFC 3339 text), operation, parameters (JSON
 * text), metrics (JSON text), engine, user_metadata. limit 0: all. */
AP_API AP_MUST_CHECK ap_status ap_frame_history(ap_apiary *apiary, const char *hive,
                                                const char *box, const char *frame, uint32_t limit,
                                                struct ArrowArrayStream *out_stream, ap_error *err);

/* Write a checkpoint of the ledger now, and clean up log entries past their retention. */
AP_API AP_MUST_CHECK ap_status ap_frame_checkpoint(ap_apiary *apiary, const char *hive,
                                                   const char *box, const char *frame,
                                                   int64_t *out_version, ap_error *err);

/* ---- writing and reading --------------------------------------------------------------------- */

typedef enum ap_write_mode {
  AP_WRITE_APPEND = 0,
  AP_WRITE_OVERWRITE = 1, /* replaces all rows, or those of replace_where */
} ap_write_mode;

typedef struct ap_write_options {
  size_t struct_size;
  ap_write_mode mode;
  const char *replace_where; /* OVERWRITE: a condition over partition columns; all new rows must
                                fulfil it; NULL: every row goes */
  const char *app_id; /* with app_version: a write that an application numbers is applied once */
  int64_t app_version;
  const char *user_metadata; /* kept in the history */
} ap_write_options;
#define AP_WRITE_OPTIONS_INIT \
  { sizeof(ap_write_options), AP_WRITE_APPEND, NULL, NULL, 0, NULL }

typedef struct ap_write_result {
  size_t struct_size; /* set by the caller */
  int64_t version;
  int64_t cells_written;
  int64_t cells_removed;
  int64_t rows_written;
  int64_t bytes_written;
  double duration_ms;
  double temperature;
  bool skipped; /* the application's version had been written before */
} ap_write_result;
#define AP_WRITE_RESULT_INIT \
  { sizeof(ap_write_result), 0, 0, 0, 0, 0, 0.0, 0.0, false }

/* Write a stream of rows as one atomic commit. All or nothing: on any error nothing has changed
 * (AP_OUTCOME_UNKNOWN alone leaves it open whether the commit is there). Columns are matched by
 * name. */
AP_API AP_MUST_CHECK ap_status ap_frame_write(ap_apiary *apiary, const char *hive, const char *box,
                                              const char *frame, struct ArrowArrayStream *stream,
                                              const ap_write_options *options,
                                              ap_write_result *out_result, ap_error *err);

typedef struct ap_read_options {
  size_t struct_size;
  const char *const *columns; /* NULL: all */
  size_t column_count;
  const char *filter;    /* an SQL condition; NULL: all rows */
  int64_t version;       /* -1: latest */
  const char *timestamp; /* "2026-01-31 12:00:00" (UTC); NULL: latest */
} ap_read_options;
#define AP_READ_OPTIONS_INIT \
  { sizeof(ap_read_options), NULL, 0, NULL, -1, NULL }

AP_API AP_MUST_CHECK ap_status ap_frame_read(ap_apiary *apiary, const char *hive, const char *box,
                                             const char *frame, const ap_read_options *options,
                                             struct ArrowArrayStream *out_stream, ap_error *err);

/* ---- SQL ------------------------------------------------------------------------------------- */

/* A session keeps what USE set. The apiary must outlive it. */
AP_API AP_MUST_CHECK ap_status ap_session_open(ap_apiary *apiary, ap_session **out_session,
                                               ap_error *err);
/* NULL is allowed. Streams of the session may stay open. */
AP_API void ap_session_close(ap_session *session);
/* The names that USE set, for prompts; "" when none. Valid until the next call on the session. */
AP_API const char *ap_session_hive(const ap_session *session);
AP_API const char *ap_session_box(const ap_session *session);
/* Whether BEGIN has opened a transaction that is open still. */
AP_API bool ap_session_in_transaction(const ap_session *session);

typedef enum ap_value_type {
  AP_VALUE_TYPE_NULL = 0,
  AP_VALUE_TYPE_BOOLEAN = 1,       /* i64 */
  AP_VALUE_TYPE_INTEGER = 2,       /* i64 */
  AP_VALUE_TYPE_FLOAT = 3,         /* f64 */
  AP_VALUE_TYPE_TEXT = 4,          /* data, size */
  AP_VALUE_TYPE_BINARY = 5,        /* data, size */
  AP_VALUE_TYPE_DECIMAL = 6,       /* data, size: plain digits */
  AP_VALUE_TYPE_DATE = 7,          /* i64: days since 1970 */
  AP_VALUE_TYPE_TIME = 8,          /* i64: microseconds since midnight */
  AP_VALUE_TYPE_TIMESTAMP = 9,     /* i64: microseconds since 1970, without zone */
  AP_VALUE_TYPE_TIMESTAMP_TZ = 10, /* i64: microseconds since 1970 UTC */
  AP_VALUE_TYPE_LIST = 11,         /* data: size items, each an ap_query_parameter */
  AP_VALUE_TYPE_STRUCT = 12,       /* the same; their names are the members' */
  AP_VALUE_TYPE_INTERVAL = 13,     /* i64: microseconds */
  AP_VALUE_TYPE_UUID = 14,         /* data: 16 bytes, as they are written */
  AP_VALUE_TYPE_MAP = 15,          /* the same as a list: each key before its value */
} ap_value_type;

typedef struct ap_query_parameter {
  const char *name; /* for $name; NULL: by position ($1, ?) */
  ap_value_type type;
  int64_t i64;
  double f64;
  const void *data;
  size_t size;
} ap_query_parameter;

typedef struct ap_query_options {
  size_t struct_size;
  const ap_query_parameter *parameters;
  size_t parameter_count;
  int64_t timeout_ms; /* 0: none */
  /* Asked now and then while a call works for the query; true ends it: AP_CANCELLED. Also asked
   * from a thread of the apiary's while the calling thread is busy, so it must answer at once, on
   * any thread, and call nothing of this API. */
  bool (*cancelled)(void *context);
  void (*progress)(void *context, double percent); /* -1: unknown */
  void *context;
} ap_query_options;
#define AP_QUERY_OPTIONS_INIT \
  { sizeof(ap_query_options), NULL, 0, 0, NULL, NULL, NULL }

/* Run SQL. Several statements: all run in order, the last one's result is streamed. */
AP_API AP_MUST_CHECK ap_status ap_session_query(ap_session *session, const char *sql,
                                                const ap_query_options *options,
                                                struct ArrowArrayStream *out_stream, ap_error *err);
/* From any thread: what the session runs, and each of its streams that is still open, ends with
 * AP_CANCELLED, even while the next rows are waited for. */
AP_API void ap_session_interrupt(ap_session *session);
/* The same for one stream of ap_session_query, which must not be released meanwhile. */
AP_API void ap_stream_interrupt(struct ArrowArrayStream *stream);

/* ---- files ----------------------------------------------------------------------------------- */

typedef struct ap_import_options {
  size_t struct_size;
  const char *format; /* "csv", "json", "parquet", "arrow"; NULL: by the files' names */
  const char *const *partition_by; /* for a frame that the import creates */
  size_t partition_by_count;
  bool create; /* create hive, box and frame when missing, the schema inferred */
  ap_write_mode mode;
  void (*progress)(void *context, double percent);
  bool (*cancelled)(void *context); /* as in ap_query_options */
  void *context;
  const char *null_text; /* CSV: the text that means null beside an empty field; NULL: none */
} ap_import_options;
#define AP_IMPORT_OPTIONS_INIT \
  { sizeof(ap_import_options), NULL, NULL, 0, true, AP_WRITE_APPEND, NULL, NULL, NULL, NULL }

/* Load files into a frame as one commit. Each path is a file, a folder (all files of the format
 * below it) or a glob. A frame that create made stays, empty, when the import then fails. Folders
 * that are Delta tables, or whose names hold a column's value, are AP_UNSUPPORTED. */
AP_API AP_MUST_CHECK ap_status ap_import(ap_apiary *apiary, const char *hive, const char *box,
                                         const char *frame, const char *const *paths,
                                         size_t path_count, const ap_import_options *options,
                                         ap_write_result *out_result, ap_error *err);

/* Write the rows of a query to a file that must not exist. format: "csv", "json", "parquet",
 * "arrow"; NULL: by the file's name. */
AP_API AP_MUST_CHECK ap_status ap_export(ap_session *session, const char *sql, const char *path,
                                         const char *format, const ap_query_options *options,
                                         int64_t *out_rows, ap_error *err);

/* Arrow IPC bytes (stream or file format) as a stream, every message checked. The bytes may go once
 * this returns. */
AP_API AP_MUST_CHECK ap_status ap_ipc_decode(const void *data, size_t size,
                                             struct ArrowArrayStream *out_stream, ap_error *err);

/* A stream's callbacks tell no more than an errno and a text. After one of them returned `code`
 * (not 0) and before the next call on the stream: the whole error, of streams that this API handed
 * out; of others their text. */
AP_API AP_MUST_CHECK ap_status ap_stream_get_error(struct ArrowArrayStream *stream, int code,
                                                   ap_error *err);

/* Write a stream as Arrow IPC stream format, piece by piece. A status other than AP_OK from write
 * ends it. The stream is taken. */
typedef ap_status (*ap_write_bytes)(void *context, const void *data, size_t size);
AP_API AP_MUST_CHECK ap_status ap_ipc_encode(struct ArrowArrayStream *stream, ap_write_bytes write,
                                             void *context, ap_error *err);

#ifdef __cplusplus
}
#endif

#endif
