/* SPDX-License-Identifier: Apache-2.0
 *
 * What the opaque handles of apiary/apiary.h are, and helpers that the files of this folder share.
 */
#ifndef AP_API_HANDLES_H
#define AP_API_HANDLES_H

#include "execute/node.h"
#include "execute/session.h"
#include "execute/write.h"

#include <apiary/apiary.h>

struct ap_apiary {
  struct ap_node *node;
  bool timing; /* APIARY_TIMING */
};

struct ap_session {
  struct ap_apiary *apiary;
  struct ap_sql_session *sql;
  struct ap_mutex *mutex;       /* guards what follows; the engine's own lock is taken under it */
  struct query_stream *queries; /* under way, or streams that are open */
  uint32_t references;          /* the caller's, and one of each of them */
};

/* A member of an options struct is there when the caller's struct is long enough to hold it. */
#define AP_OPTION(options, member, fallback)                                                     \
  ((options) != NULL && (options)->struct_size >=                                                \
                            offsetof(__typeof__(*(options)), member) + sizeof((options)->member) \
       ? (options)->member                                                                       \
       : (fallback))

/* Names come from outside: a missing one is an error that says which, not a crash. */
AP_MUST_CHECK ap_status ap_api_check_names(const char *hive, const char *box, const char *frame,
                                           ap_error *err);

/* Moves a buffer's text to the caller of the public API. */
AP_MUST_CHECK ap_status ap_api_hand_out(struct ap_buffer *buffer, char **out_string, ap_error *err);

/* Copy what the caller's result struct has room for. */
void ap_api_copy_outcome(const struct ap_write_outcome *outcome, double temperature,
                         ap_write_result *out_result);

#endif
