/* SPDX-License-Identifier: Apache-2.0
 *
 * Running one query here: parse, resolve names, take snapshots, prune, bind, run.
 *
 * All references of one statement to one frame see the same version. The result stream holds a
 * chamber until it is released.
 */
#ifndef AP_EXECUTE_QUERY_H
#define AP_EXECUTE_QUERY_H

#include "execute/bees.h"
#include "execute/resolve.h"
#include "execute/view.h"

struct ap_choices;

struct ap_query_request {
  struct ap_text text; /* what runs */
  struct ap_text body; /* the query in it, whose tables are looked up (EXPLAIN: without the head) */
  struct ap_text hive; /* defaults for unqualified names; may be empty */
  struct ap_text box;
  struct ap_text engine_options;      /* as ap_chamber_set_options takes them; empty: none */
  struct ap_text export_options;      /* as ap_chamber_export takes them; empty: the usual ones */
  const struct ap_view_chain *within; /* the view that the query is to become; NULL: none */
  const struct ap_parameter *parameters;
  uint32_t parameter_count;
  const struct ap_run_control *control; /* may be NULL */
  struct ap_pins *pins;                 /* may be NULL: every frame is read as it is */
  struct ap_bee_account *account;       /* in whose name; may be NULL */
  bool reads_no_copies;                 /* Parquet alone, not the cell cache */
};

/* Where the time went, for APIARY_TIMING; microseconds. */
struct ap_query_timing {
  int64_t parse_us;
  int64_t plan_us;     /* names and pruning */
  int64_t discover_us; /* snapshots */
  int64_t read_us;     /* binding cells */
  int64_t execute_us;  /* until the first rows */
  uint64_t cells_total;
  uint64_t cells_read;
  uint64_t cells_cached; /* of cells_read, those that decoded copies hold */
  int64_t bytes_cached;  /* of Parquet that was not read for it */
};

/* out_timing may be NULL. */
AP_MUST_CHECK ap_status ap_query(struct ap_node *node, const struct ap_query_request *request,
                                 struct ap_query_timing *out_timing,
                                 struct ArrowArrayStream *out_stream, ap_error *err);

/* The same up to binding, then the rows go to a file (ap_chamber_export). */
AP_MUST_CHECK ap_status ap_query_export(struct ap_node *node,
                                        const struct ap_query_request *request, const char *path,
                                        const char *format, int64_t *out_rows, ap_error *err);

/* A query up to binding, for those who run more in its chamber than its text. */
struct ap_query_prepared;
struct ap_query_run;
AP_MUST_CHECK ap_status ap_query_prepare(struct ap_node *node,
                                         const struct ap_query_request *request,
                                         struct ap_query_timing *out_timing,
                                         struct ap_query_prepared **out_prepared, ap_error *err);
void ap_query_prepared_destroy(struct ap_query_prepared *prepared); /* NULL is allowed */
struct ap_chamber *ap_query_prepared_chamber(struct ap_query_prepared *prepared);
/* Give the chamber back before the rest, when nothing more runs in it. */
void ap_query_prepared_release_chamber(struct ap_query_prepared *prepared);
/* For those who explain it (query_run.h). */
struct ap_query_run *ap_query_prepared_run(struct ap_query_prepared *prepared);
/* The text to run, in which every name is bound. */
struct ap_text ap_query_prepared_text(const struct ap_query_prepared *prepared);
/* What the text takes: those that say which version is read are taken already. */
const struct ap_parameter *ap_query_prepared_parameters(const struct ap_query_prepared *prepared,
                                                        uint32_t *out_count);
/* Which cells it reads of which frames. */
const struct ap_choices *ap_query_prepared_choices(const struct ap_query_prepared *prepared);
/* Bind other cells of a frame that the query reads: the view "hive"."box"."<frame><mark>", which
 * shows places among these cells. */
AP_MUST_CHECK ap_status ap_query_prepared_bind(struct ap_query_prepared *prepared,
                                               const struct ap_resolved *resolved, const char *mark,
                                               struct ap_cell **cells, uint32_t cell_count,
                                               ap_error *err);
/* Whether the references to the target that the query makes might read a cell of this snapshot. */
AP_MUST_CHECK ap_status ap_query_prepared_reads(const struct ap_query_prepared *prepared,
                                                const struct ap_snapshot *snapshot,
                                                struct ap_cell *cell, bool *out_reads,
                                                ap_error *err);
/* What a failure of the engine, which ran the text, means. */
ap_status ap_query_prepared_explain(const struct ap_query_prepared *prepared, ap_status status,
                                    ap_error *err);

#endif
