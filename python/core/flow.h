/* SPDX-License-Identifier: Apache-2.0
 *
 * The insides of flows, for the type Stream.
 */
#ifndef AP_PYTHON_FLOW_H
#define AP_PYTHON_FLOW_H

#include "core.h"

struct core_flow {
  struct core_shared *shared; /* referenced */
  struct core_flow *next;     /* of the apiary's; guarded by its mutex */
  bool shown;                 /* it is in the list */
  struct ArrowArrayStream stream;
  struct ArrowSchema schema;
  struct core_watch watch;
  PyObject *progress;     /* NULL: none */
  struct core_join *join; /* NULL: arrays pass as they are */
  int64_t rows_max, bytes_max;
  bool waits;             /* for a batch to be full, however long that takes */
  struct ArrowArray rest; /* what the engine gave and no batch has yet, */
  int64_t rest_from;      /* from this row on */
  bool ended;
  ap_error error; /* of a flow that was handed out */
};

/* Reads the schema. Without the GIL, as the next. */
ap_status core_flow_open(struct core_flow *flow, ap_error *error);
/* out->release NULL at the end. A stop that the watch asks for is AP_CANCELLED. */
ap_status core_flow_next(struct core_flow *flow, struct ArrowArray *out, ap_error *error);
/* All rows have been given. */
bool core_flow_is_at_end(const struct core_flow *flow);
void core_flow_show(struct core_flow *flow);
/* As an Arrow stream for any consumer; takes the flow. */
void core_flow_hand_out(struct core_flow *flow, struct ArrowArrayStream *out);

#endif
