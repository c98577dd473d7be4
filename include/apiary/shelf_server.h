/* SPDX-License-Identifier: Apache-2.0
 *
 * The server of a shelf of Arrow data: one memory that the processes of a user share, and who holds
 * what in it. This is all of the program arrowshelf-server but its command line.
 *
 * The memory is anonymous: whatever ends the server, kill -9 too, frees it as soon as no client has
 * it mapped, and leaves no file. Conventions are those of apiary.h.
 */
#ifndef APIARY_SHELF_SERVER_H
#define APIARY_SHELF_SERVER_H

#include <apiary/status.h>

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum ap_shelf_when_full {
  AP_SHELF_REFUSE = 0, /* a put that finds no room fails */
  AP_SHELF_EVICT = 1,  /* objects go that nobody holds or pinned, least recently held first */
} ap_shelf_when_full;

typedef struct ap_shelf_server_options {
  size_t struct_size;
  const char *socket;   /* a path, or @ and an abstract name; NULL: $ARROWSHELF_SOCKET, else
                           $XDG_RUNTIME_DIR/arrowshelf.sock, else @arrowshelf-<uid> */
  int64_t memory_bytes; /* that objects may take; 0: half of what this process may use */
  int64_t warm_bytes;   /* of it, what is there before it is needed and stays when it is free; -1:
                           none; 0: a sixteenth */
  ap_shelf_when_full when_full;
  void (*ready)(void *context, const char *socket); /* clients can connect from now on; or NULL */
  void *context;
} ap_shelf_server_options;
#define AP_SHELF_SERVER_OPTIONS_INIT \
  { sizeof(ap_shelf_server_options), NULL, 0, 0, AP_SHELF_REFUSE, NULL, NULL }

/* Serve this user's processes until SIGTERM, SIGINT or a client asks for the end; then what is
 * being written may be finished for five seconds (a second signal ends it at once). The calling
 * thread is the server's; the signals are blocked in it. options NULL: all defaults.
 * AP_ALREADY_EXISTS: the socket is served. */
AP_API AP_MUST_CHECK ap_status ap_shelf_serve(const ap_shelf_server_options *options,
                                              ap_error *err);

typedef struct ap_shelf_server_state {
  size_t struct_size;
  int64_t process;
  int64_t memory_bytes;       /* that objects may take */
  int64_t used_bytes;         /* that they take, unsealed ones and deleted ones still held too */
  int64_t resident_bytes;     /* that the shelf takes of the machine's memory */
  int64_t largest_free_bytes; /* that could be had in one piece */
  int64_t objects;            /* that have a key */
  int64_t unsealed;           /* that are being written */
  int64_t deleted;            /* without a key, still held */
  int64_t connections;        /* that of this question included */
  int64_t puts, gets, deletes, evictions; /* since the server began */
} ap_shelf_server_state;
#define AP_SHELF_SERVER_STATE_INIT \
  { sizeof(ap_shelf_server_state), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/* Ask the server at the socket (NULL as above). AP_ABANDONED: none is there. */
AP_API AP_MUST_CHECK ap_status ap_shelf_server_ask(const char *socket,
                                                   ap_shelf_server_state *out_state, ap_error *err);

#ifdef __cplusplus
}
#endif

#endif
