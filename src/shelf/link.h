/* SPDX-License-Identifier: Apache-2.0
 *
 * A client's link to the server: its connection, the mappings of the arena, and the objects that
 * this process holds. What arrays and builders hold of it outlives the handle.
 *
 * Lock order: the link's one lock is held while a request is under way, and calls nothing that
 * locks. Thread: any.
 */
#ifndef AP_SHELF_LINK_H
#define AP_SHELF_LINK_H

#include "port/threads.h"
#include "shelf/table.h"
#include "shelf/unpack.h"

#include <stdatomic.h>

enum { AP_SHELF_LINK_PATH_BYTES = 108 };

/* The memory of one server, mapped. Counted by the link and by the objects that lie in it. */
struct ap_shelf_arena {
  atomic_size_t references;
  int64_t bytes;
  uint8_t *readable;
  uint8_t *writable; /* NULL until this process writes */
  const struct ap_shelf_counters *counters;
  int64_t counter_bytes;
  struct ap_shelf_extent *guarded; /* pages of `writable` that are read only; by the link's lock */
  size_t guarded_count;
  int socket;       /* of a connection that is asked no more, but holds what lies here; -1: none */
  uint8_t *touched; /* of each so many bytes of `writable`: written to by this process; or NULL */
};

/* An object that this process holds. The server counts it once; we count who holds it here. */
struct ap_shelf_held {
  struct ap_shelf_holder holder; /* first */
  struct ap_shelf_link *link;
  struct ap_shelf_arena *arena;
  struct ap_shelf_entry by_key;
  struct ap_shelf_entry by_name; /* only with a name */
  struct ap_shelf_key key;
  char name[AP_SHELF_NAME_BYTES_MAX + 1]; /* by which it was got */
  atomic_size_t references;
  uint64_t removals;   /* the counter's value at which the key was known to lead here */
  uint64_t generation; /* of the connection that holds it */
  struct ap_shelf_extent *extents;
  size_t extent_count;
  char *block;
  size_t block_size;
};

struct ap_shelf_link;

AP_MUST_CHECK ap_status ap_shelf_link_open(const char *socket, int64_t timeout_ms,
                                           struct ap_shelf_link **out, ap_error *err);
void ap_shelf_link_retain(struct ap_shelf_link *link);
void ap_shelf_link_release(struct ap_shelf_link *link); /* NULL is allowed */
/* Drop the connection unless it holds something; the next request makes a new one. */
void ap_shelf_link_disconnect(struct ap_shelf_link *link);

/* Around a fork, so that the child has a connection of its own that holds all its parent holds.
 * What is between them must be short: the link is locked. */
void ap_shelf_link_before_fork(struct ap_shelf_link *link);
void ap_shelf_link_after_fork(struct ap_shelf_link *link, bool is_child);

struct ap_shelf_answer {
  struct ap_shelf_packet packet;
  struct ap_shelf_extent *extents; /* of the packet, checked; freed by ap_shelf_answer_deinit */
  char *text;                      /* a copy, NUL-terminated, or NULL */
  uint64_t generation;             /* of the connection */
};

/* Ask and wait. `generation`: 0, or of the only connection on which it makes sense (AP_ABANDONED
 * when that is gone). A refusal is its error. writes: the arena must be mapped writable. */
AP_MUST_CHECK ap_status ap_shelf_link_ask(struct ap_shelf_link *link,
                                          const struct ap_shelf_packet *request, bool writes,
                                          uint64_t generation, struct ap_shelf_answer *out,
                                          ap_error *err);
void ap_shelf_answer_deinit(struct ap_shelf_answer *answer); /* accepts zeroed memory */
/* The arena of the connection that gave the answer, writable where asked; NULL when that is gone.
 * The caller holds it. */
struct ap_shelf_arena *ap_shelf_link_arena(struct ap_shelf_link *link, uint64_t generation);
void ap_shelf_arena_release(struct ap_shelf_arena *arena);

/* Take the right to write an extent of whole pages from this process, until the server gives its
 * room to another object; and give it back. */
AP_MUST_CHECK ap_status ap_shelf_link_guard(struct ap_shelf_link *link,
                                            struct ap_shelf_arena *arena,
                                            struct ap_shelf_extent extent, ap_error *err);
void ap_shelf_link_unguard(struct ap_shelf_link *link, struct ap_shelf_arena *arena,
                           struct ap_shelf_extent extent);

/* Did this process write to all of the extent before? From now on it did. The server may have taken
 * pages back since; they come again when they are touched. */
bool ap_shelf_link_touch(struct ap_shelf_link *link, struct ap_shelf_arena *arena,
                         struct ap_shelf_extent extent);

/* The object of a key or name, held once more. */
AP_MUST_CHECK ap_status ap_shelf_link_hold(struct ap_shelf_link *link, const char *key,
                                           struct ap_shelf_held **out, ap_error *err);

#endif
