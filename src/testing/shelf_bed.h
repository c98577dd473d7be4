/* SPDX-License-Identifier: Apache-2.0
 *
 * A shelf's server in a process of its own, and a client that speaks the wire and nothing more, for
 * tests. Whatever goes wrong between them fails the test that runs.
 */
#ifndef AP_TESTING_SHELF_BED_H
#define AP_TESTING_SHELF_BED_H

#include "shelf/wire.h"

#include <sys/types.h>

struct ap_shelf_bed {
  char socket[108];
  int64_t memory_bytes;
  int64_t warm_bytes;
  bool evicts;
  pid_t process; /* 0: none */
};

/* An abstract name of this process's own; the server is started and ready on return. */
void ap_shelf_bed_start(struct ap_shelf_bed *bed, const char *name, int64_t memory_bytes);
/* Again, at the same name. */
void ap_shelf_bed_restart(struct ap_shelf_bed *bed);
/* Send it a signal and wait for its end; returns its exit status, or 1000 and the signal. */
int ap_shelf_bed_stop(struct ap_shelf_bed *bed, int signal);

struct ap_shelf_wire_client {
  int socket;
  uint32_t sequence;
  struct ap_shelf_key token;
  int64_t arena_bytes;
  int64_t server_process;
  uint8_t *arena; /* NULL for a subscriber */
  const struct ap_shelf_counters *counters;
  struct ap_shelf_extent place; /* of what was got last */
  int64_t pattern;              /* of its bytes */
  uint8_t bytes[AP_SHELF_PACKET_BYTES_MAX];
};

/* Connect and say HELLO. False when nobody is there or the server is gone meanwhile. */
bool ap_shelf_wire_open(struct ap_shelf_wire_client *client, const char *socket,
                        enum ap_shelf_role role);
void ap_shelf_wire_close(struct ap_shelf_wire_client *client);
/* Send without waiting. False when the server is gone, or does not take it now. */
bool ap_shelf_wire_send(struct ap_shelf_wire_client *client, struct ap_shelf_packet *request);
/* The next packet, which shows client->bytes. False when the server is gone. */
bool ap_shelf_wire_receive(struct ap_shelf_wire_client *client, struct ap_shelf_packet *out);
/* Both, the answer being the request's. */
bool ap_shelf_wire_call(struct ap_shelf_wire_client *client, struct ap_shelf_packet request,
                        struct ap_shelf_packet *answer);
/* One extent of size bytes, filled by a pattern that its rows tell, then sealed. The answer's
 * status; AP_ABANDONED when the server is gone. */
ap_status ap_shelf_wire_put(struct ap_shelf_wire_client *client, int64_t size, int64_t pattern,
                            const char *name, bool held, struct ap_shelf_key *out_key);
/* Get by key, or name when key is zero; `check`: are its bytes those of the pattern? */
ap_status ap_shelf_wire_get(struct ap_shelf_wire_client *client, struct ap_shelf_key key,
                            const char *name, bool check, struct ap_shelf_key *out_key);
/* Fail unless the bytes there are those of the pattern. */
void ap_shelf_wire_check(const struct ap_shelf_wire_client *client, struct ap_shelf_extent place,
                         int64_t pattern);
ap_status ap_shelf_wire_by_key(struct ap_shelf_wire_client *client, enum ap_shelf_kind kind,
                               struct ap_shelf_key key);
bool ap_shelf_wire_statistics(struct ap_shelf_wire_client *client,
                              int64_t out[AP_SHELF_STATISTICS]);

#endif
