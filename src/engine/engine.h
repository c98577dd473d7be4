/* SPDX-License-Identifier: Apache-2.0
 *
 * The SQL engine: chambers, each a sealed DuckDB instance with its own memory limit, threads and
 * scratch folder. The only module that knows the engine's API.
 *
 * An engine is a pool: chambers are opened when first needed (about 20 ms) and reused. A chamber
 * belongs to one query at a time and, while held, to one thread; a result stream keeps its chamber
 * until it is released. An engine is safe from any thread.
 * Extension downloads are off; the time zone is UTC.
 */
#ifndef AP_ENGINE_ENGINE_H
#define AP_ENGINE_ENGINE_H

#include "arrow/stream.h"
#include "arrow/type.h"
#include "cell/cell.h"
#include "cell/constant.h"
#include "cell/codec.h"
#include "cell/draft.h"
#include "engine/admission.h"
#include "port/env.h"

struct ap_engine;
struct ap_chamber;
struct ap_native_part;

struct ap_engine_options {
  uint32_t chambers_max;      /* 1..AP_CHAMBERS_MAX; fewer where memory is short */
  uint32_t bees;              /* threads that may work at once */
  int64_t memory_bytes;       /* of all chambers together */
  const char *scratch_folder; /* absolute; made when first needed; each chamber spills below it */
  int64_t scratch_bytes;      /* of disk that one chamber may spill to; 0: 90% of what is free */
};

/* Opens nothing yet. env outlives the engine. */
AP_MUST_CHECK ap_status ap_engine_create(const struct ap_env *env,
                                         const struct ap_engine_options *options,
                                         struct ap_engine **out_engine, ap_error *err);
/* Every chamber must have come back. NULL is allowed. */
void ap_engine_destroy(struct ap_engine *engine);

/* The engine as a Parquet codec for ledgers; lives as long as the engine. */
struct ap_codec *ap_engine_codec(struct ap_engine *engine);

struct ap_engine_status {
  uint32_t chambers_open;
  uint32_t chambers_busy; /* that work, or are held by an open stream */
  uint32_t bees_busy;
  uint32_t queued;              /* works that wait for a bee */
  int64_t memory_used_bytes;    /* by the chambers that are open, as measured at most 100 ms ago */
  int64_t memory_granted_bytes; /* what they may use; never more than the engine's memory_bytes */
  double temperature;
};
void ap_engine_get_status(struct ap_engine *engine, struct ap_engine_status *out_status);
/* 0.4 x busy share of bees + 0.4 x used share of memory + 0.2 x queued share, in [0, 1]. */
double ap_engine_temperature(struct ap_engine *engine);

/* Who asks for a chamber, and what for. */
struct ap_chamber_request {
  struct ap_admission_session *session; /* NULL: nobody in particular */
  enum ap_work work;
  bool inner;        /* part of a work that holds a chamber: neither heat nor a yield hold it up */
  uint32_t bees_max; /* 0: as many as there are */
  int64_t memory_max_bytes;             /* 0: what the bees bring */
  int64_t timeout_ms;                   /* how long to wait for a bee: AP_BUSY then */
  const struct ap_run_control *control; /* may be NULL; heeded while waiting */
};

/* Within which a request's bees_max and memory_max_bytes mean something. Never change. */
struct ap_engine_bounds {
  uint32_t bees;
  int64_t memory_least_bytes; /* a chamber has that much, whatever is asked */
  int64_t memory_most_bytes;  /* what one statement alone may use */
};
void ap_engine_get_bounds(const struct ap_engine *engine, struct ap_engine_bounds *out_bounds);

/* An id for a session, by which the pool tells them apart. */
uint64_t ap_engine_new_session(struct ap_engine *engine);

/* A chamber of one's own with one bee: enough to parse, plan and do little. Waits in a queue that
 * serves sessions in turn. AP_BUSY, with the time after which to try again in the hint: the queue
 * is full, no bee came free, or the colony is too hot for this work. */
AP_MUST_CHECK ap_status ap_chamber_admit(struct ap_engine *engine,
                                         const struct ap_chamber_request *request,
                                         struct ap_chamber **out_chamber, ap_error *err);
/* Before a work that is not small: borrow the idle bees. The chamber may become another one (what
 * was bound in it is not in that), or NULL on failure: a query beyond the bees there are goes back
 * into the queue. */
AP_MUST_CHECK ap_status ap_chamber_claim(struct ap_chamber **io_chamber,
                                         const struct ap_chamber_request *request, ap_error *err);
/* Both at once, for a write in nobody's name. */
AP_MUST_CHECK ap_status ap_chamber_acquire(struct ap_engine *engine, int64_t timeout_ms,
                                           struct ap_chamber **out_chamber, ap_error *err);
void ap_chamber_release(struct ap_chamber *chamber); /* NULL is allowed */

struct ap_chamber_usage {
  uint32_t bees;             /* granted */
  int64_t budget_bytes;      /* what the statement may use */
  int64_t memory_used_bytes; /* now */
};
/* By the holder, between statements. */
void ap_chamber_get_usage(struct ap_chamber *chamber, struct ap_chamber_usage *out_usage);

/* The statement tree of a text, as JSON (json_serialize_sql); AP_SYNTAX and AP_UNSUPPORTED travel
 * inside the JSON, see plan/tree.h. */
AP_MUST_CHECK ap_status ap_chamber_parse(struct ap_chamber *chamber, struct ap_text sql,
                                         struct ap_buffer *out_json, ap_error *err);
/* The text of a tree (json_deserialize_sql). */
AP_MUST_CHECK ap_status ap_chamber_unparse(struct ap_chamber *chamber, struct ap_text json,
                                           struct ap_buffer *out_sql, ap_error *err);
/* Table names a text reads, for statements that have no tree (PIVOT): dotted and quoted as the
 * engine writes them; CTEs left out. Arena memory. */
AP_MUST_CHECK ap_status ap_chamber_table_names(struct ap_chamber *chamber, struct ap_text sql,
                                               struct ap_arena *arena, struct ap_text **out_names,
                                               uint32_t *out_count, ap_error *err);

/* A frame as the engine shall see it: the view "hive"."box"."name" over the given cells. */
struct ap_frame_binding {
  struct ap_text hive;
  struct ap_text box;
  struct ap_text name;              /* "orders", or "orders@v3" for a reference to the past */
  struct ap_text folder;            /* absolute path of the frame, without a trailing slash */
  const struct ap_schema *schema;   /* logical */
  const struct ap_schema *physical; /* names and types in the files; same shape */
  uint64_t schema_id;
  uint64_t physical_schema_id;
  bool map_by_id; /* column mapping by field id */
  const uint32_t *partition_columns;
  uint32_t partition_column_count;
  struct ap_cell *const *cells; /* the kept ones, borrowed for the call */
  uint32_t cell_count;
  /* Deleted rows of cells[i], ascending; NULL when no cell has any. */
  const uint64_t *const *deleted_rows;
  const uint64_t *deleted_row_counts;
  /* Rows of further cells, as native copies hold them; see native.h. */
  const struct ap_native_part *parts;
  uint32_t part_count;
  /* Show two columns more: AP_PLACE_FILE (INTEGER: which of cells, from 0) and AP_PLACE_ROW
   * (BIGINT: which row of its file, from 0, deleted ones counted). */
  bool shows_places;
};

/* No column of a frame can be called so. */
#define AP_PLACE_FILE \
  "\x1f"              \
  "file"
#define AP_PLACE_ROW \
  "\x1f"             \
  "row"

/* Make or refresh the view. What is already so is left (same schema, same cells: a few
 * microseconds). Zero cells give an empty view with the schema. Cells that are not `own` or of
 * another physical schema are read by union of their columns: missing ones are null, narrower types
 * are cast. */
AP_MUST_CHECK ap_status ap_chamber_bind_frame(struct ap_chamber *chamber,
                                              const struct ap_frame_binding *binding,
                                              ap_error *err);

/* Forget the view of a frame that is no more, so that its name answers nothing. */
AP_MUST_CHECK ap_status ap_chamber_forget_frame(struct ap_chamber *chamber, struct ap_text hive,
                                                struct ap_text box, struct ap_text name,
                                                ap_error *err);

/* Default names for unqualified references; empty: none. Makes hive and box known when needed. */
AP_MUST_CHECK ap_status ap_chamber_use(struct ap_chamber *chamber, struct ap_text hive,
                                       struct ap_text box, ap_error *err);

/* A path as the engine's readers take it, in which wildcards stand for themselves. */
void ap_engine_append_path(struct ap_buffer *out, struct ap_text path);

/* What the engine must not do in the statements to come, because DuckDB 1.5.5 does it wrongly
 * there: see plan/tree.h. At first it may do all. */
struct ap_engine_care {
  bool keeps_expressions; /* expressions are not rewritten */
  bool sorts_all;         /* ORDER BY with LIMIT drops no rows while it reads */
};
AP_MUST_CHECK ap_status ap_chamber_set_care(struct ap_chamber *chamber, struct ap_engine_care care,
                                            ap_error *err);

/* Options of the engine until the chamber is released, as SQL: "SET default_order = 'DESC';" and
 * others that sessions may set; empty: none. */
AP_MUST_CHECK ap_status ap_chamber_set_options(struct ap_chamber *chamber, struct ap_text settings,
                                               ap_error *err);

enum ap_parameter_kind {
  AP_PARAMETER_NULL,
  AP_PARAMETER_BOOLEAN,      /* i64 */
  AP_PARAMETER_INTEGER,      /* i64 */
  AP_PARAMETER_FLOAT,        /* f64 */
  AP_PARAMETER_TEXT,         /* text */
  AP_PARAMETER_BINARY,       /* text */
  AP_PARAMETER_DECIMAL,      /* text: plain digits */
  AP_PARAMETER_DATE,         /* i64: days since 1970 */
  AP_PARAMETER_TIME,         /* i64: microseconds since midnight */
  AP_PARAMETER_TIMESTAMP,    /* i64: microseconds, without zone */
  AP_PARAMETER_TIMESTAMP_TZ, /* i64: microseconds since 1970 UTC */
  AP_PARAMETER_LIST,         /* items */
  AP_PARAMETER_STRUCT,       /* items, with names */
  AP_PARAMETER_INTERVAL,     /* i64: microseconds */
  AP_PARAMETER_UUID,         /* text: 16 bytes */
  AP_PARAMETER_MAP,          /* items: each key before its value */
};

struct ap_parameter {
  enum ap_parameter_kind kind;
  struct ap_text name; /* for $name; empty: by position */
  int64_t i64;
  double f64;
  struct ap_text text;
  const struct ap_parameter *items;
  uint32_t item_count;
};

/* A way for other threads to reach a statement that runs and the stream it becomes: zeroed by its
 * owner, who keeps it until the stream is released. Guarded by the engine. */
struct ap_run_handle {
  struct ap_chamber *chamber; /* NULL: nothing runs */
};

/* What a running statement heeds. All optional. Called from the thread that runs it, but for
 * `cancelled` where `asked_anywhere` is set. */
struct ap_run_control {
  /* Asked between pieces of work; true: stop with AP_CANCELLED. */
  bool (*cancelled)(void *context);
  /* `cancelled` answers at once on any thread and calls nothing of the engine: then it is asked
   * during long pieces of work, too. */
  bool asked_anywhere;
  /* percent 0..100; -1: unknown. Called at most every 50 ms. */
  void (*progress)(void *context, double percent);
  void *context;
  int64_t deadline_us;          /* monotonic clock; 0: none. AP_TIMEOUT */
  struct ap_run_handle *handle; /* NULL: no other thread will ask */
};

/* AP_CANCELLED or AP_TIMEOUT when the control says stop. */
AP_MUST_CHECK ap_status ap_control_check(struct ap_clock *clock,
                                         const struct ap_run_control *control, ap_error *err);

/* What the engine calls the columns of a query; names in the arena. */
AP_MUST_CHECK ap_status ap_chamber_column_names(struct ap_chamber *chamber, struct ap_text sql,
                                                struct ap_arena *arena, struct ap_text *out_names,
                                                uint32_t count, ap_error *err);

/* The physical plan of a query, not run: [{"name", "children": [...], "extra_info": {...}}]. */
AP_MUST_CHECK ap_status ap_chamber_explain(struct ap_chamber *chamber, struct ap_text sql,
                                           const struct ap_parameter *parameters,
                                           uint32_t parameter_count,
                                           const struct ap_run_control *control,
                                           struct ap_buffer *out_json, ap_error *err);
/* Run a query to its end, its rows thrown away, and say what its operators did: {"children":
 * [...], "peak_memory_bytes", "spill_bytes"} with, in each operator, "name", "rows",
 * "rows_scanned", "seconds", "extra_info" and "children". */
AP_MUST_CHECK ap_status ap_chamber_profile(struct ap_chamber *chamber, struct ap_text sql,
                                           const struct ap_parameter *parameters,
                                           uint32_t parameter_count,
                                           const struct ap_run_control *control,
                                           struct ap_buffer *out_json, int64_t *out_rows,
                                           ap_error *err);

/* The first row of a query of count columns; texts in the arena. What has no rows or more than one
 * is AP_INTERNAL. */
AP_MUST_CHECK ap_status ap_chamber_constants(struct ap_chamber *chamber, struct ap_text sql,
                                             const struct ap_run_control *control,
                                             struct ap_arena *arena,
                                             struct ap_constant *out_constants, uint32_t count,
                                             ap_error *err);

/* The values of the first column of a query, with those of the parameters, all of them named, that
 * it has; texts in the arena. More than so many: the first ones, and *out_more. */
AP_MUST_CHECK ap_status ap_chamber_values(struct ap_chamber *chamber, struct ap_text sql,
                                          const struct ap_parameter *parameters,
                                          uint32_t parameter_count,
                                          const struct ap_run_control *control,
                                          struct ap_arena *arena, uint32_t values_max,
                                          struct ap_constant **out_values, uint32_t *out_count,
                                          bool *out_more, ap_error *err);

/* Run one statement and stream its result; the chamber goes with the stream and comes back to the
 * pool when the stream is released (on failure too). Memory over the limit: AP_MEMORY_EXCEEDED. A
 * statement without result rows gives a stream of no columns. */
AP_MUST_CHECK ap_status ap_chamber_query(struct ap_chamber *chamber, struct ap_text sql,
                                         const struct ap_parameter *parameters,
                                         uint32_t parameter_count,
                                         const struct ap_run_control *control,
                                         struct ArrowArrayStream *out_stream, ap_error *err);

/* What expressions are worth: the one row of a SELECT of `count` VARCHAR columns, with those of the
 * parameters, all of them named, that it has. Arena memory; a null has data NULL. The chamber stays
 * the caller's. */
AP_MUST_CHECK ap_status ap_chamber_evaluate(struct ap_chamber *chamber, struct ap_text sql,
                                            const struct ap_parameter *parameters,
                                            uint32_t parameter_count,
                                            const struct ap_run_control *control,
                                            struct ap_arena *arena, struct ap_text *out_values,
                                            uint32_t count, ap_error *err);

/* Stop what the chamber runs, from any thread: it ends with AP_CANCELLED. */
void ap_chamber_interrupt(struct ap_chamber *chamber);
/* The same for a statement that may be over, even while a stream's next rows are waited for. */
void ap_engine_interrupt(struct ap_engine *engine, struct ap_run_handle *handle);

/* The columns a query would give; names and types are in the arena. */
AP_MUST_CHECK ap_status ap_chamber_describe(struct ap_chamber *chamber, struct ap_text query,
                                            struct ap_arena *arena, struct ap_schema *out_schema,
                                            ap_error *err);

/* Tables of a chamber that hold what a statement found, until it is done: temp.main.<name>. They
 * spill. Fill: made anew from a query. */
AP_MUST_CHECK ap_status ap_chamber_fill(struct ap_chamber *chamber, const char *name,
                                        struct ap_text query, const struct ap_parameter *parameters,
                                        uint32_t parameter_count,
                                        const struct ap_run_control *control, ap_error *err);
void ap_chamber_empty(struct ap_chamber *chamber, const char *name); /* gone, if it was there */
/* The whole numbers that a query gives, row by row; NULL is INT64_MIN. Arena memory. */
AP_MUST_CHECK ap_status ap_chamber_numbers(struct ap_chamber *chamber, const char *query,
                                           const struct ap_run_control *control,
                                           struct ap_arena *arena, int64_t **out_numbers,
                                           uint64_t *out_rows, ap_error *err);

/* The expression that brings `value` to a column's type as an assignment does: what can be cast is,
 * and a value that cannot be fails the statement with the column's and the frame's name. */
void ap_engine_append_assignment(struct ap_buffer *out, struct ap_text frame,
                                 const struct ap_field *field, struct ap_text value);

/* Rows to become cells: a stream (taken, on failure too), or a query in this chamber. */
struct ap_cell_source {
  struct ArrowArrayStream *stream; /* NULL: query */
  struct ap_text query;
  int64_t row_bytes; /* what a row of the query takes in a file, about; 0: unknown */
  bool ordered;      /* the query's order counts: cells hold its rows one after the other */
  /* All rows of the query are of this partition (values of the target's columns); NULL: of any. */
  const struct ap_partition_value *partition;
};

/* A condition that every row must fulfil; null is not true. */
struct ap_cell_check {
  const char *what;         /* for messages: "constraint" */
  struct ap_text name;      /* likewise */
  struct ap_text shown;     /* likewise: the expression as it is kept */
  struct ap_text condition; /* of the engine, over the frame's columns */
};

/* What a frame demands of its rows beyond types and nulls. Expressions are the engine's; one per
 * field, empty: none. */
struct ap_cell_rules {
  const struct ap_text *defaults;  /* for columns that do not come */
  const struct ap_text *generated; /* computed when they do not come, verified when they do */
  const struct ap_cell_check *checks;
  uint32_t check_count;
};

struct ap_cell_target {
  struct ap_text frame;             /* for messages: "warehouse.sales.orders" */
  const struct ap_schema *schema;   /* logical: what the source must fit */
  const struct ap_schema *physical; /* what is written */
  const uint32_t *partition_columns;
  uint32_t partition_column_count;
  const char *staging_folder;        /* absolute, exists */
  int64_t target_bytes;              /* leafcutter */
  const struct ap_cell_rules *rules; /* NULL: none */
};

/* Check the source's columns against the schema, write LZ4 Parquet cells below staging_folder and
 * describe them. AP_SCHEMA_MISMATCH (missing, extra, wrong type) and AP_NULL_VIOLATION name column,
 * expected and found, AP_CHECK_VIOLATION the rule and a row; all leave no file. Zero rows give zero
 * cells. Drafts and their texts are in the arena. Files are not yet synced. */
AP_MUST_CHECK ap_status ap_chamber_write_cells(
    struct ap_chamber *chamber, const struct ap_cell_source *source,
    const struct ap_cell_target *target, const struct ap_run_control *control,
    struct ap_arena *arena, struct ap_cell_draft **out_drafts, uint32_t *out_count, ap_error *err);

/* Export: write the rows of a query as one file. format: "parquet", "csv", "json". */
AP_MUST_CHECK ap_status ap_chamber_export(struct ap_chamber *chamber, struct ap_text query,
                                          const char *path, const char *format,
                                          const struct ap_run_control *control, int64_t *out_rows,
                                          ap_error *err);
/* The same with options of the engine's COPY instead of the usual ones; empty: those. */
AP_MUST_CHECK ap_status ap_chamber_export_as(struct ap_chamber *chamber, struct ap_text query,
                                             const char *path, const char *format,
                                             struct ap_text options,
                                             const struct ap_run_control *control,
                                             int64_t *out_rows, ap_error *err);

/* "v1.5.5". Static memory. */
const char *ap_engine_library_version(void);

#endif
