/* SPDX-License-Identifier: Apache-2.0
 *
 * The faulty store.
 */
#include "testing/faulty_store.h"

#include "base/assert.h"

static struct ap_faulty_store *faulty_of(struct ap_store *self) {
  return (struct ap_faulty_store *)self;
}

/* Which fault strikes this call. */
static enum ap_store_fault next_fault(struct ap_faulty_store *store,
                                      enum ap_store_operation operation, struct ap_text key) {
  if (store->hook) store->hook(store->hook_context, operation, key);
  if (!(store->operations & operation)) return AP_STORE_FAULT_NONE;
  int64_t number = atomic_fetch_add(&store->calls, 1) + 1;
  bool strikes =
      number == store->fail_at || (store->fault == AP_STORE_FAULT_DOWN && number > store->fail_at);
  if (store->fail_at == 0 || !strikes) return AP_STORE_FAULT_NONE;
  atomic_fetch_add(&store->faults, 1);
  return store->fault;
}

/* Whether the call goes to the inner store; if not, err and *out_status say why. */
static bool goes_through(struct ap_faulty_store *store, enum ap_store_operation operation,
                         const char *what, struct ap_text key, enum ap_store_fault *out_fault,
                         ap_status *out_status, ap_error *err) {
  *out_fault = next_fault(store, operation, key);
  if (*out_fault == AP_STORE_FAULT_NONE || *out_fault == AP_STORE_FAULT_AFTER) return true;
  ap_status status = *out_fault == AP_STORE_FAULT_NO_SPACE ? AP_NO_SPACE : AP_IO;
  *out_status = AP_FAIL(err, status, "cannot %s %.*s: injected fault", what, AP_TEXT_ARG(key));
  return false;
}

static ap_status lose_reply(enum ap_store_fault fault, ap_status status, ap_status lost_status,
                            const char *what, struct ap_text key, ap_error *err) {
  if (fault != AP_STORE_FAULT_AFTER || status != AP_OK) return status;
  return AP_FAIL(err, lost_status, "the reply to %s %.*s was lost: injected fault", what,
                 AP_TEXT_ARG(key));
}

static ap_status faulty_get(struct ap_store *self, struct ap_text key, int64_t offset, int64_t size,
                            struct ap_buffer *out, ap_error *err) {
  struct ap_faulty_store *store = faulty_of(self);
  enum ap_store_fault fault;
  ap_status status;
  if (!goes_through(store, AP_STORE_GET, "get", key, &fault, &status, err)) return status;
  size_t size_before = out->size;
  status = ap_store_get(store->inner, key, offset, size, out, err);
  status = lose_reply(fault, status, AP_IO, "get", key, err);
  if (status != AP_OK && out->size > size_before) {
    out->size = size_before;
    out->data[size_before] = '\0';
  }
  return status;
}

static ap_status faulty_put(struct ap_store *self, struct ap_text key, struct ap_text data,
                            ap_error *err) {
  struct ap_faulty_store *store = faulty_of(self);
  enum ap_store_fault fault;
  ap_status status;
  if (!goes_through(store, AP_STORE_PUT, "put", key, &fault, &status, err)) return status;
  status = ap_store_put(store->inner, key, data, err);
  return lose_reply(fault, status, AP_IO, "put", key, err);
}

static ap_status faulty_put_if_absent(struct ap_store *self, struct ap_text key,
                                      struct ap_text data, ap_error *err) {
  struct ap_faulty_store *store = faulty_of(self);
  const char *what = "put if absent";
  enum ap_store_fault fault;
  ap_status status;
  if (!goes_through(store, AP_STORE_PUT_IF_ABSENT, what, key, &fault, &status, err)) return status;
  status = ap_store_put_if_absent(store->inner, key, data, err);
  return lose_reply(fault, status, AP_OUTCOME_UNKNOWN, what, key, err);
}

static ap_status faulty_put_files(struct ap_store *self, const struct ap_store_upload *uploads,
                                  size_t count, ap_error *err) {
  struct ap_faulty_store *store = faulty_of(self);
  struct ap_text key = count > 0 ? uploads[0].key : AP_TEXT("");
  enum ap_store_fault fault;
  ap_status status;
  if (!goes_through(store, AP_STORE_PUT_FILES, "put files", key, &fault, &status, err)) {
    return status;
  }
  status = ap_store_put_files(store->inner, uploads, count, err);
  return lose_reply(fault, status, AP_IO, "put files", key, err);
}

static ap_status faulty_list(struct ap_store *self, struct ap_text prefix,
                             struct ap_text start_after, ap_store_visit visit, void *context,
                             ap_error *err) {
  struct ap_faulty_store *store = faulty_of(self);
  enum ap_store_fault fault;
  ap_status status;
  if (!goes_through(store, AP_STORE_LIST, "list", prefix, &fault, &status, err)) return status;
  status = ap_store_list(store->inner, prefix, start_after, visit, context, err);
  return lose_reply(fault, status, AP_IO, "list", prefix, err);
}

static ap_status faulty_head(struct ap_store *self, struct ap_text key,
                             struct ap_store_object *out_object, ap_error *err) {
  struct ap_faulty_store *store = faulty_of(self);
  enum ap_store_fault fault;
  ap_status status;
  if (!goes_through(store, AP_STORE_HEAD, "head", key, &fault, &status, err)) return status;
  status = ap_store_head(store->inner, key, out_object, err);
  return lose_reply(fault, status, AP_IO, "head", key, err);
}

static ap_status faulty_remove(struct ap_store *self, struct ap_text key, ap_error *err) {
  struct ap_faulty_store *store = faulty_of(self);
  enum ap_store_fault fault;
  ap_status status;
  if (!goes_through(store, AP_STORE_REMOVE, "remove", key, &fault, &status, err)) return status;
  status = ap_store_remove(store->inner, key, err);
  return lose_reply(fault, status, AP_IO, "remove", key, err);
}

static ap_status faulty_settle(struct ap_store *self, struct ap_text key, ap_error *err) {
  struct ap_faulty_store *store = faulty_of(self);
  enum ap_store_fault fault;
  ap_status status;
  if (!goes_through(store, AP_STORE_SETTLE, "settle", key, &fault, &status, err)) return status;
  status = ap_store_settle(store->inner, key, err);
  return lose_reply(fault, status, AP_IO, "settle", key, err);
}

static ap_status faulty_local_path(struct ap_store *self, struct ap_text key,
                                   struct ap_buffer *out_path, ap_error *err) {
  return ap_store_local_path(faulty_of(self)->inner, key, out_path, err);
}

static ap_status faulty_staging_path(struct ap_store *self, struct ap_buffer *out_path,
                                     ap_error *err) {
  struct ap_faulty_store *store = faulty_of(self);
  struct ap_text key = AP_TEXT("the staging folder");
  enum ap_store_fault fault;
  ap_status status;
  if (!goes_through(store, AP_STORE_STAGING_PATH, "find", key, &fault, &status, err)) return status;
  status = ap_store_staging_path(store->inner, out_path, err);
  return lose_reply(fault, status, AP_IO, "find", key, err);
}

/* The wrapper is the caller's memory and inner is the caller's store: nothing to do. */
static void faulty_destroy(struct ap_store *self) {
  AP_ASSERT(faulty_of(self)->inner);
}

static const struct ap_store_vtable faulty_vtable = {
    .get = faulty_get,
    .put = faulty_put,
    .put_if_absent = faulty_put_if_absent,
    .put_files = faulty_put_files,
    .list = faulty_list,
    .head = faulty_head,
    .remove = faulty_remove,
    .settle = faulty_settle,
    .local_path = faulty_local_path,
    .staging_path = faulty_staging_path,
    .destroy = faulty_destroy,
};

void ap_faulty_store_init(struct ap_faulty_store *store, struct ap_store *inner) {
  AP_ASSERT(inner);
  store->base.vtable = &faulty_vtable;
  store->base.description = inner->description;
  store->inner = inner;
  store->hook = NULL;
  store->hook_context = NULL;
  atomic_init(&store->calls, 0);
  atomic_init(&store->faults, 0);
  ap_faulty_store_arm(store, AP_STORE_FAULT_NONE, AP_STORE_ALL, 0);
}

void ap_faulty_store_arm(struct ap_faulty_store *store, enum ap_store_fault fault,
                         enum ap_store_operation operations, int64_t n) {
  AP_ASSERT(n >= 0);
  atomic_store(&store->calls, 0);
  atomic_store(&store->faults, 0);
  store->fault = fault;
  store->operations = operations;
  store->fail_at = n;
}

void ap_faulty_store_set_hook(struct ap_faulty_store *store, ap_store_hook hook, void *context) {
  store->hook = hook;
  store->hook_context = context;
}
