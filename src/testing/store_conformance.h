/* SPDX-License-Identifier: Apache-2.0
 *
 * What every store must do, whatever is behind it (store/store.h): one suite that each backend's
 * test program runs against itself.
 *
 * Call inside a cmocka test; a broken promise fails that test. Objects made lie under
 * "conformance-" and a run's own number, and are removed when all held. Random choices come from
 * AP_TEST_SEED when it is set; the seed is printed.
 */
#ifndef AP_TESTING_STORE_CONFORMANCE_H
#define AP_TESTING_STORE_CONFORMANCE_H

#include "port/env.h"
#include "store/store.h"

struct ap_store_conformance {
  const char *name;         /* of the backend, for the report */
  const struct ap_env *env; /* staging folders are written through its files */
  /* Open a new instance on the same storage, as another process would. It is destroyed by the
   * suite. Called in forked children too when processes is set. */
  ap_status (*open)(void *context, struct ap_store **out_store, ap_error *err);
  void *context;
  bool threads;       /* the env's threads are real enough to race */
  bool processes;     /* forked processes reach the same storage */
  size_t bytes_max;   /* size of the big object */
  size_t files_count; /* files of the big put_files */
};

void ap_store_conformance_run(const struct ap_store_conformance *suite);

#endif
