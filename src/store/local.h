/* SPDX-License-Identifier: Apache-2.0
 *
 * The local backend: a folder as object storage. put_if_absent writes a temporary file, syncs it,
 * links it to its name (which fails if that exists) and syncs the folder; put renames instead.
 * Temporary files live in "_apiary/staging/<id>/" of the same folder; keys under "_apiary/staging"
 * are refused and not listed. Opening costs one look at the root; the staging folder is made, and
 * those of dead processes are swept, when something is first written. A file system whose case does
 * not matter, or that lacks hard links, is refused then, with the reason.
 *
 * What a folder cannot do: a key that is another one's folder ("a" beside "a/b") and a segment of
 * more than 255 bytes are refused. A removal may be undone by power loss; all else is durable.
 * A forked child may go on using a store, but only the process that opened it destroys it.
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
