/* SPDX-License-Identifier: Apache-2.0
 *
 * The insides of engines and chambers, for the files of this module only.
 *
 * Locks: engine->mutex guards the pool and the alarm fields; nothing is called under it but the
 * engine's interrupt, which only sets a flag. A held chamber's other fields belong to its holder.
 */
#ifndef AP_ENGINE_CHAMBER_H
#define AP_ENGINE_CHAMBER_H

#include "engine/admission.h"
#include "engine/engine.h"
#include "engine/native.h"

#include "base/limits.h"

#include <duckdb.h>
#include <stdatomic.h>

struct ap_source;

/* A view that was made for a frame, and what it reads. */
struct ap_bound_frame {
  struct ap_bound_frame *next;
  struct ap_text hive; /* owned, as are all texts here */
  struct ap_text box;
  struct ap_text name;
  struct ap_text folder;
  struct ap_text view; /* the CREATE VIEW that stands; empty: none */
  uint64_t number;     /* names its variables: ap_<number> */
  uint64_t last_use;   /* chamber->use_count when it was bound last */
  uint64_t schema_id;
  uint64_t physical_schema_id;
  bool map_by_id;
  bool shows_places;
  bool complete;          /* the last binding went through */
  struct ap_cell **cells; /* retained */
  uint32_t cell_count;
  bool has_parts; /* the view reads native copies, too */
};

struct ap_attached_copy {
  struct ap_native_copy *copy; /* retained */
  uint64_t last_use;           /* chamber->use_count when it was bound last */
};

enum ap_chamber_prepared {
  AP_PREPARED_PARSE,
  AP_PREPARED_UNPARSE,
  AP_PREPARED_COUNT,
};

struct ap_chamber {
  struct ap_engine *engine;
  duckdb_database database;
  duckdb_connection connection;
  duckdb_connection visitors; /* of whoever visits: see admission.h; NULL until first needed */
  duckdb_prepared_statement prepared[AP_PREPARED_COUNT]; /* NULL until first used */
  char *scratch;           /* the chamber's own folder; made by the engine when it spills */
  uint32_t slot;           /* of the pool */
  uint32_t thread_count;   /* as set in the engine */
  uint32_t bees;           /* granted to this use */
  int64_t limit_bytes;     /* as set in the engine; the visitor's or the holder's to change */
  struct ap_wish wish;     /* of who uses it */
  int64_t taken_us;        /* when this use began */
  int64_t idle_since_us;   /* guarded by engine->mutex */
  bool broken;             /* close it instead of using it again */
  bool spare;              /* not of the pool: for the codec when no other is free */
  atomic_bool interrupted; /* set by ap_chamber_interrupt; sticks until the chamber is released */
  atomic_bool timed_out;   /* set by the alarm */
  /* What the alarm heeds; guarded by engine->mutex: */
  int64_t alarm_us;                    /* 0: no deadline */
  const struct ap_run_control *heeded; /* NULL: nobody to ask */
  struct ap_run_handle *heeded_handle; /* shows the chamber only so long; NULL: none */
  bool being_asked;                    /* the mutex is free, `heeded` in use */
  _Atomic int64_t memory_used_bytes;   /* as last measured */
  struct ap_bound_frame *frames;
  uint32_t frame_count;
  uint64_t frame_number_next;
  uint64_t use_count;           /* how often the chamber was acquired */
  struct ap_buffer known;       /* "hive"."box" pairs that exist, each closed by a NUL */
  struct ap_buffer current;     /* what USE named last; empty: the chamber's own */
  struct ap_source *source;     /* what the view ap_source reads now; NULL: nothing */
  struct ArrowArrayStream scan; /* the engine holds its address; reads `source` */
  bool keeps_progress;          /* the engine's account of progress is on */
  bool has_scan;                /* the view exists */
  struct ap_engine_care care;   /* what the engine's optimizer must not do now */
  struct ap_attached_copy attached[AP_COPIES_ATTACHED_MAX];
  uint32_t attached_count;
  bool has_options; /* a session's options are set */
};

struct ap_engine {
  struct ap_codec codec; /* first: the codec's functions find the engine by it */
  const struct ap_env *env;
  struct ap_engine_options options;
  char *scratch;
  struct ap_mutex *mutex;
  struct ap_condition *changed; /* a visit ended, a chamber came back or was closed */
  struct ap_mutex *codec_mutex; /* serialises the use of codec_chamber */
  struct ap_chamber *codec_chamber;
  struct ap_admission admission;                /* guarded by mutex */
  struct ap_chamber *chambers[AP_CHAMBERS_MAX]; /* of the slots; NULL: not open */
  int64_t measured_us;                          /* when memory was; guarded by mutex, as is */
  int64_t mean_hold_us;                         /* how long chambers are held on average */
  int64_t trimmed_us;                           /* when memory was given back to the machine */
  uint64_t session_number_last;
  uint64_t chamber_number_next;
  struct ap_thread *alarm_thread; /* NULL until the first deadline */
  struct ap_condition *alarm_changed;
  struct ap_condition *alarm_asked; /* a question of the alarm was answered */
  int64_t alarm_next_us;            /* when it looks again; guarded by mutex, as is */
  int64_t alarm_asks_until_us;      /* till when it looks often */
  bool alarm_missed;                /* there is more to heed than when it began to look */
  bool alarm_stop;
};

/* chamber.c */
AP_MUST_CHECK ap_status ap_chamber_open(struct ap_engine *engine, uint32_t thread_count,
                                        int64_t limit_bytes, struct ap_chamber **out_chamber,
                                        ap_error *err);
void ap_chamber_close(struct ap_chamber *chamber);
void ap_codec_init(struct ap_codec *codec); /* codec.c */

/* run.c: statements */
/* Run one text to its end. out_result may be NULL; otherwise the caller destroys it. */
AP_MUST_CHECK ap_status ap_chamber_run(struct ap_chamber *chamber, const char *sql,
                                       duckdb_result *out_result, ap_error *err);
/* Run one text under a control, its result materialised. */
AP_MUST_CHECK ap_status ap_chamber_run_controlled(struct ap_chamber *chamber, const char *sql,
                                                  const struct ap_run_control *control,
                                                  duckdb_result *out_result, ap_error *err);
/* The same with parameters. */
AP_MUST_CHECK ap_status ap_chamber_run_bound(struct ap_chamber *chamber, const char *sql,
                                             const struct ap_parameter *parameters,
                                             uint32_t parameter_count,
                                             const struct ap_run_control *control,
                                             duckdb_result *out_result, ap_error *err);
/* Run a prepared statement under a control. */
AP_MUST_CHECK ap_status ap_chamber_execute(struct ap_chamber *chamber,
                                           duckdb_prepared_statement statement, bool streaming,
                                           const struct ap_run_control *control,
                                           duckdb_result *out_result, ap_error *err);
/* AP_CANCELLED or AP_TIMEOUT when the chamber or the control says stop. */
AP_MUST_CHECK ap_status ap_chamber_check_stop(struct ap_chamber *chamber,
                                              const struct ap_run_control *control, ap_error *err);
/* Tell the percentage, when the engine knows it. */
void ap_chamber_report_progress(struct ap_chamber *chamber, const struct ap_run_control *control);
/* From now on another thread interrupts the chamber when the deadline passes, `cancelled` says so
 * (if it may be asked anywhere) or whoever has the handle wants it. NULL: no more; the control is
 * not used once this returns. Best effort: without a thread to ring, only between pieces of work.
 */
void ap_chamber_heed(struct ap_chamber *chamber, const struct ap_run_control *control);
/* Have the thread that rings, and closes chambers that nobody uses. Lock held. */
void ap_engine_need_alarms(struct ap_engine *engine);
void ap_engine_stop_alarms(struct ap_engine *engine);

/* evaluate.c: bind those of the named parameters that the statement has. */
AP_MUST_CHECK ap_status ap_chamber_bind_used(struct ap_chamber *chamber,
                                             duckdb_prepared_statement statement,
                                             const struct ap_parameter *parameters,
                                             uint32_t parameter_count, ap_error *err);
/* constants.c: one value of a vector. */
AP_MUST_CHECK ap_status ap_chamber_read_constant(duckdb_vector vector, duckdb_logical_type type,
                                                 idx_t row, struct ap_arena *arena,
                                                 struct ap_constant *out, ap_error *err);
/* parse.c: AP_INVALID_ARGUMENT when the text is too long or no UTF-8 text. */
AP_MUST_CHECK ap_status ap_chamber_check_statement(struct ap_text sql, ap_error *err);

/* options.c */
void ap_chamber_forget_options(struct ap_chamber *chamber);

/* parameters.c */
AP_MUST_CHECK ap_status ap_parameters_bind(struct ap_chamber *chamber,
                                           duckdb_prepared_statement statement,
                                           const struct ap_parameter *parameters,
                                           uint32_t parameter_count, ap_error *err);
/* One value, the place-th given, as the statement's parameter of that index. */
AP_MUST_CHECK ap_status ap_parameter_bind(struct ap_chamber *chamber,
                                          duckdb_prepared_statement statement, idx_t index,
                                          const struct ap_parameter *parameter, uint32_t place,
                                          ap_error *err);

/* A value without items; NULL when it is not of its kind. */
duckdb_value ap_parameter_value(const struct ap_parameter *parameter);
/* parameters_nested.c: one with items; *out_value NULL when one of them is not of its kind. */
AP_MUST_CHECK ap_status ap_parameter_nested(struct ap_chamber *chamber,
                                            const struct ap_parameter *parameter,
                                            duckdb_value *out_value, ap_error *err);

/* error.c */
/* A message that begins so is our own, about a value that a column cannot hold. */
#define AP_VALUE_MARK "apiary value: "
/* The engine's error as ours. message may be NULL. */
ap_status ap_chamber_fail(struct ap_chamber *chamber, duckdb_error_type type, const char *message,
                          ap_error *err);
ap_status ap_chamber_fail_result(struct ap_chamber *chamber, duckdb_result *result, ap_error *err);
/* Takes the error data. */
ap_status ap_chamber_fail_data(struct ap_chamber *chamber, duckdb_error_data data, ap_error *err);

/* bind.c */
void ap_chamber_forget_frames(struct ap_chamber *chamber);
/* CREATE the hive's catalog and the box's schema when they are not yet there. */
AP_MUST_CHECK ap_status ap_chamber_make_box(struct ap_chamber *chamber, struct ap_text hive,
                                            struct ap_text box, ap_error *err);

/* native.c */
/* Attach the copies that a binding reads. On failure that copy is suspect. */
AP_MUST_CHECK ap_status ap_chamber_attach_parts(struct ap_chamber *chamber,
                                                const struct ap_frame_binding *binding,
                                                ap_error *err);
/* Let go of files that are no more. */
void ap_chamber_detach_retired(struct ap_chamber *chamber);
/* After the database was closed. */
void ap_chamber_release_attached(struct ap_chamber *chamber);
/* Reading has failed: what the present statement has bound may be why. */
void ap_chamber_suspect_attached(struct ap_chamber *chamber);
void ap_native_append_select(struct ap_buffer *out, const struct ap_native_part *part,
                             const struct ap_schema *schema);

#endif
