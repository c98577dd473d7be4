/* SPDX-License-Identifier: Apache-2.0
 *
 * What EXPLAIN knows, before it is written as text or JSON: for explain.c and explain_text.c only.
 */
#ifndef AP_EXECUTE_EXPLANATION_H
#define AP_EXECUTE_EXPLANATION_H

#include "execute/query_run.h"

#include "base/json.h"
#include "plan/statement.h"

struct ap_explained_frame {
  const struct ap_choice *choice;
  int64_t bytes; /* of all its cells, and of those to read */
  int64_t bytes_kept;
  int64_t rows_kept; /* deleted ones taken off; -1: some cell does not say */
  uint32_t partitions;
  uint32_t partitions_kept;
  uint32_t references;
};

/* An operator of the engine, and those it takes its rows from. */
struct ap_explained_operator {
  struct ap_text name;   /* "hash join" */
  struct ap_text detail; /* "INNER; day = day" */
  const struct ap_json *info;
  double estimated_rows; /* -1: unknown, as are all below */
  double rows;
  double rows_scanned;
  double seconds;
  double peak_memory_bytes;
  double spill_bytes;
  struct ap_explained_operator *children;
  uint32_t child_count;
};

/* What a statement that changes rows does with what its query finds. */
struct ap_explained_change {
  const char *statement; /* "UPDATE" */
  struct ap_text hive;
  struct ap_text box;
  struct ap_text frame;
  int64_t version;    /* read; after a run, where it landed; -1: a transaction's */
  const char *method; /* "append", "rewrite cells", "deletion vectors", "remove all cells" */
  const char *reason;
  bool has_run; /* then all below */
  int64_t rows_inserted;
  int64_t rows_updated;
  int64_t rows_deleted; /* -1: not known */
  int64_t rows_copied;
  uint32_t cells_removed; /* taken away, whether their rows stand elsewhere now or not */
  uint32_t cells_marked;  /* that stay, with a deletion vector */
  uint32_t cells_added;
  int64_t bytes_added;
  uint32_t change_files;
};

/* Text: the lines; JSON: one object. */
void ap_explained_change_write_text(struct ap_buffer *out,
                                    const struct ap_explained_change *change);
void ap_explained_change_write_json(struct ap_json_writer *writer,
                                    const struct ap_explained_change *change);

struct ap_explanation {
  const struct ap_query_run *run;           /* NULL: a change without a query */
  const struct ap_explained_change *change; /* NULL: a query */
  struct ap_allocator *allocator;
  struct ap_arena *arena;
  bool analyze;
  const char *kind;
  const char *reason;
  struct ap_node_facts facts;
  struct ap_explained_frame *frames;
  uint32_t frame_count;
  struct ap_explained_operator root; /* its children are the plan */
  struct ap_chamber_usage granted;   /* to the run: bees and budget */
  int64_t rows;                      /* of the answer */
  int64_t execute_us;
};

/* explain.c: ask the engine for the plan of a query that is prepared, and about its frames; then
 * write all. run is explanation's. */
AP_MUST_CHECK ap_status ap_explanation_ask(struct ap_explanation *explanation,
                                           struct ap_query_run *run, ap_error *err);
AP_MUST_CHECK ap_status ap_explanation_answer(const struct ap_explanation *explanation,
                                              enum ap_explain_format format,
                                              struct ArrowArrayStream *out_stream, ap_error *err);
void ap_explanation_init(struct ap_explanation *explanation, struct ap_node *node,
                         struct ap_arena *arena, bool analyze);

/* explain_text.c: lines parted by '\n'. */
void ap_explanation_write_text(struct ap_buffer *out, const struct ap_explanation *explanation);

#endif
