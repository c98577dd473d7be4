/* SPDX-License-Identifier: Apache-2.0
 *
 * Object storage: a flat space of keys with bytes, as a bucket offers it; a folder offers the same.
 *
 * Guarantees every backend must give (testing/store_conformance.c proves it):
 *   - An object is whole or absent: no reader ever sees a part of one.
 *   - When put, put_if_absent or put_files returns AP_OK, the bytes survive power loss.
 *   - Of racing put_if_absent calls on one key exactly one returns AP_OK; the others return
 *     AP_ALREADY_EXISTS. When the reply is lost: AP_OUTCOME_UNKNOWN; the caller reads back.
 *   - A read after a write sees it, from every process.
 * Keys: 1..1024 bytes of UTF-8, segments parted by '/', no empty, "." or ".." segment, no control
 * byte, no backslash; anything else is AP_INVALID_ARGUMENT before it reaches a backend.
 * Thread: safe from any thread. Errors name the key.
 */
#ifndef AP_STORE_STORE_H
#define AP_STORE_STORE_H

#include "base/text.h"

struct ap_store_object {
  struct ap_text key; /* NUL-terminated */
  int64_t size_bytes;
  int64_t modified_ms; /* by the store's clock */
};

/* Called per object, in byte order of the keys. AP_END stops early without error; another status is
 * returned by the list. The object's memory is valid during the call only. */
typedef ap_status (*ap_store_visit)(void *context, const struct ap_store_object *object,
                                    ap_error *err);

/* A finished local file that becomes an object. */
struct ap_store_upload {
  const char *path;   /* absolute; the store may take the file away */
  struct ap_text key; /* must not exist: AP_ALREADY_EXISTS */
};

struct ap_store;

struct ap_store_vtable {
  ap_status (*get)(struct ap_store *self, struct ap_text key, int64_t offset, int64_t size,
                   struct ap_buffer *out, ap_error *err);
  ap_status (*put)(struct ap_store *self, struct ap_text key, struct ap_text data, ap_error *err);
  ap_status (*put_if_absent)(struct ap_store *self, struct ap_text key, struct ap_text data,
                             ap_error *err);
  ap_status (*put_files)(struct ap_store *self, const struct ap_store_upload *uploads, size_t count,
                         ap_error *err);
  ap_status (*list)(struct ap_store *self, struct ap_text prefix, struct ap_text start_after,
                    ap_store_visit visit, void *context, ap_error *err);
  ap_status (*head)(struct ap_store *self, struct ap_text key, struct ap_store_object *out_object,
                    ap_error *err);
  ap_status (*remove)(struct ap_store *self, struct ap_text key, ap_error *err);
  /* NULL: what can be seen is durable */
  ap_status (*settle)(struct ap_store *self, struct ap_text key, ap_error *err);
  ap_status (*local_path)(struct ap_store *self, struct ap_text key, struct ap_buffer *out_path,
                          ap_error *err);
  ap_status (*staging_path)(struct ap_store *self, struct ap_buffer *out_path, ap_error *err);
  void (*destroy)(struct ap_store *self);
};

/* The first member of every backend. */
struct ap_store {
  const struct ap_store_vtable *vtable;
  const char *description; /* for messages: "local:///data/apiary"; never a secret */
};

/* Append bytes [offset, offset + size) of an object to out, fewer when it ends before; size -1: to
 * the end. AP_NOT_FOUND when there is no such key. */
AP_MUST_CHECK ap_status ap_store_get(struct ap_store *store, struct ap_text key, int64_t offset,
                                     int64_t size, struct ap_buffer *out, ap_error *err);
/* Create or replace. */
AP_MUST_CHECK ap_status ap_store_put(struct ap_store *store, struct ap_text key,
                                     struct ap_text data, ap_error *err);
/* Create; AP_ALREADY_EXISTS when the key is there. */
AP_MUST_CHECK ap_status ap_store_put_if_absent(struct ap_store *store, struct ap_text key,
                                               struct ap_text data, ap_error *err);
/* Make objects of finished files, all durable when it returns AP_OK. On failure some may have
 * become objects: the caller, whose keys are unique, removes them or leaves them to garbage
 * collection. The files stay then, for another try. */
AP_MUST_CHECK ap_status ap_store_put_files(struct ap_store *store,
                                           const struct ap_store_upload *uploads, size_t count,
                                           ap_error *err);
/* Every object whose key starts with prefix (any prefix, not only whole folders; empty: all) and is
 * greater than start_after (empty: from the first). */
AP_MUST_CHECK ap_status ap_store_list(struct ap_store *store, struct ap_text prefix,
                                      struct ap_text start_after, ap_store_visit visit,
                                      void *context, ap_error *err);
/* out_object->key is the key that was passed in. */
AP_MUST_CHECK ap_status ap_store_head(struct ap_store *store, struct ap_text key,
                                      struct ap_store_object *out_object, ap_error *err);
/* A missing key is fine. */
AP_MUST_CHECK ap_status ap_store_remove(struct ap_store *store, struct ap_text key, ap_error *err);
/* Make an object durable that can be seen: after AP_OUTCOME_UNKNOWN, for who then finds the object
 * there and wants to rely on it. */
AP_MUST_CHECK ap_status ap_store_settle(struct ap_store *store, struct ap_text key, ap_error *err);
/* Append a path or URL from which the engine reads the object (the object need not exist). */
AP_MUST_CHECK ap_status ap_store_local_path(struct ap_store *store, struct ap_text key,
                                            struct ap_buffer *out_path, ap_error *err);
/* Append the absolute path of an existing folder, this store instance's own, where files for
 * put_files are built. What a dead process left in its own is swept by a later one that writes. */
AP_MUST_CHECK ap_status ap_store_staging_path(struct ap_store *store, struct ap_buffer *out_path,
                                              ap_error *err);
void ap_store_destroy(struct ap_store *store); /* NULL is allowed */

/* The rules for keys, above. */
AP_MUST_CHECK ap_status ap_store_check_key(struct ap_text key, ap_error *err);

#endif
