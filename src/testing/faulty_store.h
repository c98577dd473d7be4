/* SPDX-License-Identifier: Apache-2.0
 *
 * A store that passes every call on to another one, counts them, and fails where it is told to: for
 * sweeps over each call of an operation, and for putting a rival's write between two of its calls.
 * Thread: any, as long as faults and hooks are set while no call is under way.
 */
#ifndef AP_TESTING_FAULTY_STORE_H
#define AP_TESTING_FAULTY_STORE_H

#include "store/store.h"

#include <stdatomic.h>

enum ap_store_operation {
  AP_STORE_GET = 1,
  AP_STORE_PUT = 2,
  AP_STORE_PUT_IF_ABSENT = 4,
  AP_STORE_PUT_FILES = 8,
  AP_STORE_LIST = 16,
  AP_STORE_HEAD = 32,
  AP_STORE_REMOVE = 64,
  AP_STORE_STAGING_PATH = 128,
  AP_STORE_SETTLE = 256,
  AP_STORE_ALL = 511,
};

enum ap_store_fault {
  AP_STORE_FAULT_NONE,
  AP_STORE_FAULT_BEFORE,   /* the inner store is not asked; AP_IO */
  AP_STORE_FAULT_NO_SPACE, /* likewise; AP_NO_SPACE */
  AP_STORE_FAULT_AFTER,    /* it was done, but the reply is lost: AP_OUTCOME_UNKNOWN for
                              put_if_absent, AP_IO for all others */
  AP_STORE_FAULT_DOWN,     /* as BEFORE, for this call and all later ones */
};

/* Called before each call that counts, outside of any lock. It may use the inner store. */
typedef void (*ap_store_hook)(void *context, enum ap_store_operation operation, struct ap_text key);

struct ap_faulty_store {
  struct ap_store base; /* what is handed on; destroying it leaves inner alone */
  struct ap_store *inner;
  _Atomic int64_t calls;  /* that matched operations, since the last arm */
  _Atomic int64_t faults; /* that were made to fail, since the last arm */
  enum ap_store_fault fault;
  enum ap_store_operation operations;
  int64_t fail_at;
  ap_store_hook hook;
  void *hook_context;
};

/* inner outlives the wrapper and stays the caller's. local_path is passed on uncounted. */
void ap_faulty_store_init(struct ap_faulty_store *store, struct ap_store *inner);

/* Count anew from here and make the n-th call (1: the next) of these operations fail. n 0: only
 * count. */
void ap_faulty_store_arm(struct ap_faulty_store *store, enum ap_store_fault fault,
                         enum ap_store_operation operations, int64_t n);

/* NULL: none. */
void ap_faulty_store_set_hook(struct ap_faulty_store *store, ap_store_hook hook, void *context);

#endif
