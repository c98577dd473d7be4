/* SPDX-License-Identifier: Apache-2.0
 *
 * ArrowShelf: Arrow data that every process of a user maps and none copies.
 *
 * A server (the program arrowshelf-server) owns one memory; clients write into it in place and read
 * it where it lies. An object is put, or created, filled and sealed; then it is seen by its key and
 * never changes. What a client holds is let go with its connection, however it ends.
 *
 * Conventions are those of apiary.h. Thread: an ap_shelf may be used from any number of threads; a
 * builder by one at a time. A forked process makes a connection of its own, and what its parent
 * held when it forked stays valid in it.
 */
#ifndef APIARY_SHELF_H
#define APIARY_SHELF_H

#include <apiary/arrow.h>
#include <apiary/status.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
  AP_SHELF_KEY_SIZE = 37, /* a key's text, a UUID, and the NUL */
};

typedef struct ap_shelf ap_shelf;

typedef struct ap_shelf_options {
  size_t struct_size;
  const char *socket;    /* a path, or @ and an abstract name; NULL: $ARROWSHELF_SOCKET, else
                            $XDG_RUNTIME_DIR/arrowshelf.sock, else @arrowshelf-<uid> */
  int64_t timeout_ms;    /* for each answer of the server; 0: 30,000 */
  uint32_t copy_threads; /* that copy what is large; 0: two where there are two cores */
} ap_shelf_options;
#define AP_SHELF_OPTIONS_INIT \
  { sizeof(ap_shelf_options), NULL, 0, 0 }

/* Does not connect yet: every call does when needed, and again after the server went. A server that
 * is not there is AP_ABANDONED, whose hint names arrowshelf-server. options NULL: all defaults. */
AP_API AP_MUST_CHECK ap_status ap_shelf_open(const ap_shelf_options *options, ap_shelf **out_shelf,
                                             ap_error *err);
/* Streams, arrays and builders that came of it stay valid until they are released. NULL is allowed.
 */
AP_API void ap_shelf_close(ap_shelf *shelf);
/* Around fork(2), which may otherwise come while another thread is within a call: nothing else may
 * be called in between. Then the child has a connection of its own from the start, and holds what
 * its parent holds. Without them it makes one when it first calls. */
AP_API void ap_shelf_before_fork(ap_shelf *shelf);
AP_API void ap_shelf_after_fork(ap_shelf *shelf, bool is_child);
/* Does the server answer? */
AP_API bool ap_shelf_is_connected(ap_shelf *shelf);

typedef struct ap_shelf_put_options {
  size_t struct_size;
  const char *name;   /* by which it can be got too; unique; at most 128 bytes; NULL: none */
  const char *labels; /* any words, separated by single spaces; NULL: none */
  bool pinned;        /* is not evicted */
} ap_shelf_put_options;
#define AP_SHELF_PUT_OPTIONS_INIT \
  { sizeof(ap_shelf_put_options), NULL, NULL, false }

/* Put what a stream gives; takes the stream and releases it, on failure too. Every batch is
 * checked. AP_ALREADY_EXISTS: the name is taken. AP_MEMORY_EXCEEDED: no room. AP_UNSUPPORTED:
 * unions and run-end encoding. options NULL: all defaults. */
AP_API AP_MUST_CHECK ap_status ap_shelf_put(ap_shelf *shelf, struct ArrowArrayStream *stream,
                                            const ap_shelf_put_options *options,
                                            char out_key[AP_SHELF_KEY_SIZE], ap_error *err);

typedef struct ap_shelf_get_options {
  size_t struct_size;
  bool check_values; /* look at every offset, index and text, which costs a pass over the rows; an
                        array's place and size are always checked */
} ap_shelf_get_options;
#define AP_SHELF_GET_OPTIONS_INIT \
  { sizeof(ap_shelf_get_options), false }

/* By key or name. Nothing is copied: the arrays show the shelf's memory, read only, and hold it
 * until the last of them is released. AP_NOT_FOUND: there is no such key. options NULL: all
 * defaults. */
AP_API AP_MUST_CHECK ap_status ap_shelf_get(ap_shelf *shelf, const char *key,
                                            const ap_shelf_get_options *options,
                                            struct ArrowArrayStream *out_stream, ap_error *err);

/* Forget a key or name; the memory goes when nobody holds the object any more. */
AP_API AP_MUST_CHECK ap_status ap_shelf_delete(ap_shelf *shelf, const char *key, ap_error *err);
AP_API AP_MUST_CHECK ap_status ap_shelf_delete_all(ap_shelf *shelf, int64_t *out_count,
                                                   ap_error *err);
AP_API AP_MUST_CHECK ap_status ap_shelf_pin(ap_shelf *shelf, const char *key, bool pinned,
                                            ap_error *err);

/* Sealed objects, oldest first, as a JSON array of {key, name, labels, bytes, rows, references,
 * pinned}. label NULL: all. Free with ap_string_free. */
AP_API AP_MUST_CHECK ap_status ap_shelf_list(ap_shelf *shelf, const char *label, char **out_json,
                                             ap_error *err);

typedef struct ap_shelf_usage {
  size_t struct_size;
  int64_t memory_bytes;   /* that may be used */
  int64_t used_bytes;     /* by objects, those that are being written or only held included */
  int64_t resident_bytes; /* that the shelf takes of the machine's memory */
  int64_t largest_free_bytes;
  int64_t objects;  /* that have a key */
  int64_t unsealed; /* being written */
  int64_t deleted;  /* without a key, still held */
  int64_t connections;
  int64_t puts, gets, deletes, evictions; /* that the server saw since it began */
  int64_t server_process;
} ap_shelf_usage;
#define AP_SHELF_USAGE_INIT \
  { sizeof(ap_shelf_usage), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }
AP_API AP_MUST_CHECK ap_status ap_shelf_get_usage(ap_shelf *shelf, ap_shelf_usage *out_usage,
                                                  ap_error *err);
/* End the server. */
AP_API AP_MUST_CHECK ap_status ap_shelf_shutdown(ap_shelf *shelf, ap_error *err);

/* ---- building in place ----------------------------------------------------------------------- */

typedef struct ap_shelf_builder ap_shelf_builder;

/* One batch of `rows` rows of a schema whose columns all have fixed width, in the shelf's memory,
 * to be filled. AP_UNSUPPORTED names a column of another type. options NULL: all defaults. */
AP_API AP_MUST_CHECK ap_status ap_shelf_create(ap_shelf *shelf, const struct ArrowSchema *schema,
                                               int64_t rows, const ap_shelf_put_options *options,
                                               ap_shelf_builder **out_builder, ap_error *err);
/* A column's values, to be written until the object is sealed, and read until the builder is
 * closed. NULL when there is no such column. */
AP_API void *ap_shelf_builder_values(ap_shelf_builder *builder, int64_t column,
                                     int64_t *out_size_bytes);
/* Let the object be seen. Its memory is read only from now on: a write ends the process. */
AP_API AP_MUST_CHECK ap_status ap_shelf_seal(ap_shelf_builder *builder,
                                             char out_key[AP_SHELF_KEY_SIZE], ap_error *err);
/* What is not sealed is gone. NULL is allowed. */
AP_API void ap_shelf_builder_close(ap_shelf_builder *builder);

#ifdef __cplusplus
}
#endif

#endif
