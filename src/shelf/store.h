/* SPDX-License-Identifier: Apache-2.0
 *
 * What lies on the shelf and who holds it: objects, names, labels, references, quota, eviction.
 * Pure: it moves offsets, not memory, and talks to nobody; wire.h says what its operations mean.
 *
 * Guarantees: an operation that fails changed nothing but that idle objects may have been evicted;
 * when a client goes, so do its references and what it had not sealed; room of an object is free
 * again as soon as it is neither sealed under a key nor held. Thread: one.
 */
#ifndef AP_SHELF_STORE_H
#define AP_SHELF_STORE_H

#include "shelf/wire.h"

struct ap_shelf_store;
struct ap_shelf_client; /* a connection, as far as the store cares */
struct ap_shelf_object;

/* An object was sealed, or is about to be deleted or evicted (AP_SHELF_FLAG_*). */
typedef void (*ap_shelf_told)(void *context, uint32_t what, const struct ap_shelf_object *object);

struct ap_shelf_store_options {
  struct ap_allocator *allocator;
  int64_t memory_bytes; /* a multiple of page_bytes */
  int64_t page_bytes;
  bool evicts;        /* what nobody holds and nobody pinned, least recently used first */
  ap_shelf_told told; /* NULL: nobody listens; may not call the store */
  void *context;
};

AP_MUST_CHECK ap_status ap_shelf_store_create(const struct ap_shelf_store_options *options,
                                              struct ap_shelf_store **out, ap_error *err);
/* All clients are gone before. NULL is allowed. */
void ap_shelf_store_destroy(struct ap_shelf_store *store);

/* token: not zero, and of no other client. */
AP_MUST_CHECK ap_status ap_shelf_client_create(struct ap_shelf_store *store,
                                               struct ap_shelf_key token,
                                               struct ap_shelf_client **out, ap_error *err);
void ap_shelf_client_destroy(struct ap_shelf_store *store, struct ap_shelf_client *client);
/* Give `client` the references of the client with that token too. */
AP_MUST_CHECK ap_status ap_shelf_store_fork(struct ap_shelf_store *store,
                                            struct ap_shelf_client *client,
                                            struct ap_shelf_key token, int64_t *out_count,
                                            ap_error *err);

/* What an object needs, in extents of these sizes. */
struct ap_shelf_wish {
  const struct ap_shelf_packet *sizes; /* its extents */
  bool whole_pages;
};

/* key: of no other object. name: "" or one that is free now. */
AP_MUST_CHECK ap_status ap_shelf_store_create_object(struct ap_shelf_store *store,
                                                     struct ap_shelf_client *client,
                                                     struct ap_shelf_key key,
                                                     const struct ap_shelf_wish *wish,
                                                     struct ap_text name,
                                                     struct ap_shelf_object **out, ap_error *err);
/* The new extents are the last of the object's. */
AP_MUST_CHECK ap_status ap_shelf_store_extend(struct ap_shelf_store *store,
                                              struct ap_shelf_client *client,
                                              struct ap_shelf_key key,
                                              const struct ap_shelf_wish *wish,
                                              struct ap_shelf_object **out, ap_error *err);

struct ap_shelf_seal {
  int64_t meta_offset;
  int64_t meta_size;
  int64_t rows;
  struct ap_shelf_extent last; /* size 0: stays as it is */
  struct ap_text name;
  struct ap_text labels;
  bool pinned;
  bool held; /* by the client from now on */
};

AP_MUST_CHECK ap_status ap_shelf_store_seal(struct ap_shelf_store *store,
                                            struct ap_shelf_client *client, struct ap_shelf_key key,
                                            const struct ap_shelf_seal *seal,
                                            struct ap_shelf_object **out, ap_error *err);
AP_MUST_CHECK ap_status ap_shelf_store_abandon(struct ap_shelf_store *store,
                                               struct ap_shelf_client *client,
                                               struct ap_shelf_key key, ap_error *err);

/* Below, key zero: the object of the name. */
AP_MUST_CHECK ap_status ap_shelf_store_find(const struct ap_shelf_store *store,
                                            struct ap_shelf_key key, struct ap_text name,
                                            struct ap_shelf_object **out, ap_error *err);
AP_MUST_CHECK ap_status ap_shelf_store_get(struct ap_shelf_store *store,
                                           struct ap_shelf_client *client, struct ap_shelf_key key,
                                           struct ap_text name, struct ap_shelf_object **out,
                                           ap_error *err);
void ap_shelf_store_release(struct ap_shelf_store *store, struct ap_shelf_client *client,
                            struct ap_shelf_key key);
/* These take what ap_shelf_store_find gave. */
void ap_shelf_store_delete(struct ap_shelf_store *store, struct ap_shelf_object *object);
int64_t ap_shelf_store_delete_all(struct ap_shelf_store *store);
void ap_shelf_store_pin(struct ap_shelf_store *store, struct ap_shelf_object *object, bool pinned);
/* NULL leaves the name or the labels as they are; "" takes them away. */
AP_MUST_CHECK ap_status ap_shelf_store_rename(struct ap_shelf_store *store,
                                              struct ap_shelf_object *object,
                                              const struct ap_text *name,
                                              const struct ap_text *labels, ap_error *err);

/* The sealed object with the least number greater than `number`; NULL when there is none. */
const struct ap_shelf_object *ap_shelf_store_next(const struct ap_shelf_store *store,
                                                  int64_t number);

/* The next after a sealed one; NULL after the last. */
const struct ap_shelf_object *ap_shelf_store_after(const struct ap_shelf_store *store,
                                                   const struct ap_shelf_object *object);

/* What an object shows. Text lives until the object changes. */
struct ap_shelf_object_info {
  struct ap_shelf_key key;
  struct ap_text name;
  struct ap_text labels;
  int64_t number; /* grows with each seal */
  int64_t bytes;
  int64_t rows;
  int64_t meta_offset;
  int64_t meta_size;
  int64_t references; /* connections that hold it */
  size_t extent_count;
  bool pinned;
};
void ap_shelf_object_show(const struct ap_shelf_object *object, struct ap_shelf_object_info *out);
struct ap_shelf_extent ap_shelf_object_extent(const struct ap_shelf_object *object, size_t index);

/* All but those of the machine: RESIDENT, CONNECTIONS and PROCESS. */
void ap_shelf_store_statistics(const struct ap_shelf_store *store,
                               int64_t out[AP_SHELF_STATISTICS]);
/* As ap_shelf_space_cool. */
bool ap_shelf_store_cool(struct ap_shelf_store *store, int64_t max_bytes, int64_t *out_offset,
                         int64_t *out_size);
/* How often a key or name ceased to lead where it led. */
uint64_t ap_shelf_store_removals(const struct ap_shelf_store *store);

#endif
