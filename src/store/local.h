/* SPDX-License-Identifier: Apache-2.0
 *
 * The local backend: a folder as object storage. put_if_absent writes a temporary file, syncs it,
 * links it to its name (which fails if that exists) and syncs the folder. Temporary files live
 * under
 * "_apiary/staging/<id>/" of the same file system; keys under "_apiary/staging/" are not listed.
 * On file systems whose case does not matter, or that lack hard links, opening says so.
 */
#ifndef AP_STORE_LOCAL_H
#define AP_STORE_LOCAL_H

#include "port/env.h"
#include "store/store.h"

enum ap_durability {
  AP_DURABLE, /* fsync of file and folder: the default */
  AP_RELAXED, /* no fsync: a crash of the machine may lose acknowledged writes; for measuring */
};

/* Open (and create) the folder. root: absolute or relative path, made absolute here. env outlives
 * the store. */
AP_MUST_CHECK ap_status ap_store_local_open(const struct ap_env *env, const char *root,
                                            enum ap_durability durability,
                                            struct ap_store **out_store, ap_error *err);

#endif
