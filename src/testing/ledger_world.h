/* SPDX-License-Identifier: Apache-2.0
 *
 * A frame in a simulated world, for tests of the ledger: short calls to create, append, overwrite
 * and look, and a text of everything a snapshot holds, to compare two of them by.
 * Thread: the test's.
 */
#ifndef AP_TESTING_LEDGER_WORLD_H
#define AP_TESTING_LEDGER_WORLD_H

#include "ledger/ledger.h"
#include "testing/alloc.h"
#include "testing/fake_codec.h"
#include "testing/faulty_store.h"
#include "testing/sim.h"

struct ap_ledger_world {
  struct ap_sim *sim;
  struct ap_env env; /* the simulation's, with a counting allocator */
  struct ap_counting_allocator memory;
  struct ap_store *local;
  struct ap_faulty_store faulty; /* around local; what ledgers use */
  struct ap_fake_codec codec;
  struct ap_arena arena; /* of the definition */
  struct ap_schema schema;
  uint32_t next_cell;
  ap_error err;
};

/* Schema: id int64 not null, name string, day string; partitioned by day where told. */
struct ap_ledger_world *ap_ledger_world_create(uint64_t seed);
/* Fails the test when memory of the product is still alive. */
void ap_ledger_world_destroy(struct ap_ledger_world *world);
/* After ap_sim_crash: the store as another process would open it. */
void ap_ledger_world_reopen_store(struct ap_ledger_world *world);

struct ap_ledger *ap_ledger_world_open(struct ap_ledger_world *world);
ap_status ap_ledger_world_create_table(struct ap_ledger_world *world, struct ap_ledger *ledger,
                                       bool partitioned, const struct ap_property *properties,
                                       uint32_t property_count);

struct ap_world_write {
  bool overwrite;
  const char *day; /* partition value of the cells, and with replace_day what is removed; NULL: the
                      table has no partitions */
  bool replace_day;
  uint32_t cell_count;
  int64_t rows_per_cell;
  const char *app_id; /* NULL: none */
  int64_t app_version;
  char (*out_paths)[64]; /* cell_count paths; NULL: not wanted */
  /* A rewrite of what base holds; NULL: none. */
  struct ap_snapshot *base;
  struct ap_cell *const *removed;
  uint32_t removed_count;
  bool reads_all;
  const char *reads_day; /* cells of that day might have been read; NULL: none */
  bool same_rows;
};

ap_status ap_ledger_world_write(struct ap_ledger_world *world, struct ap_ledger *ledger,
                                const struct ap_world_write *write,
                                struct ap_commit_result *out_result, ap_error *err);
/* One cell of ten rows, no partition. */
ap_status ap_ledger_world_append(struct ap_ledger_world *world, struct ap_ledger *ledger,
                                 ap_error *err);

/* Everything: shown members, cells with their actions, transactions, domains, live tombstones. */
void ap_ledger_world_describe(const struct ap_snapshot *snapshot, int64_t now_ms,
                              struct ap_buffer *out);

/* Objects below the frame's folder: "_delta_log/...". */
void ap_ledger_world_put(struct ap_ledger_world *world, const char *name, struct ap_text data);
void ap_ledger_world_get(struct ap_ledger_world *world, const char *name, struct ap_buffer *out);
void ap_ledger_world_remove(struct ap_ledger_world *world, const char *name);
bool ap_ledger_world_has(struct ap_ledger_world *world, const char *name);

#endif
