/* SPDX-License-Identifier: Apache-2.0
 *
 * What EXPLAIN knows, before it is written as text or JSON: for explain.c and explain_text.c only.
 */
#ifndef AP_EXECUTE_EXPLANATION_H
#define AP_EXECUTE_EXPLANATION_H

#include "execute/query_run.h"

#include "base/json.h"

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

struct ap_explanation {
  const struct ap_query_run *run;
  struct ap_arena *arena;
  bool analyze;
  const char *kind;
  const char *reason;
  struct ap_node_facts facts;
  struct ap_explained_frame *frames;
  uint32_t frame_count;
  struct ap_explained_operator root; /* its children are the plan */
  int64_t rows;                      /* of the answer */
  int64_t execute_us;
};

/* explain_text.c: lines parted by '\n'. */
void ap_explanation_write_text(struct ap_buffer *out, const struct ap_explanation *explanation);

#endif
