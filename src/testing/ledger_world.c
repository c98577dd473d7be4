/* SPDX-License-Identifier: Apache-2.0
 *
 * See ledger_world.h.
 */
#include "testing/ledger_world.h"

#include "base/assert.h"
#include "ledger/replay.h"
#include "store/local.h"
#include "testing/check.h"

#include <inttypes.h>
#include <stdio.h>

static const char prefix[] = "hive/frame";

static void open_store(struct ap_ledger_world *world) {
  check_ok(ap_store_local_open(&world->env, "/store", AP_DURABLE, &world->local, &world->err),
           &world->err);
  ap_faulty_store_init(&world->faulty, world->local);
}

struct ap_ledger_world *ap_ledger_world_create(uint64_t seed) {
  struct ap_ledger_world *world = ap_allocate_zeroed(ap_allocator_system(), 1, sizeof(*world));
  assert_non_null(world);
  world->sim = ap_sim_create(seed);
  ap_counting_allocator_init(&world->memory);
  world->env = *ap_sim_env(world->sim);
  world->env.allocator = &world->memory.base;
  open_store(world);
  ap_fake_codec_init(&world->codec, world->env.files, world->env.allocator);
  ap_arena_init(&world->arena, ap_allocator_system());
  struct ap_field *fields = AP_ARENA_ARRAY(&world->arena, struct ap_field, 3);
  fields[0] = (struct ap_field){.name = AP_TEXT("id"), .type = {.kind = AP_TYPE_INT64}};
  fields[1] = (struct ap_field){
      .name = AP_TEXT("name"), .type = {.kind = AP_TYPE_STRING}, .nullable = true};
  fields[2] =
      (struct ap_field){.name = AP_TEXT("day"), .type = {.kind = AP_TYPE_STRING}, .nullable = true};
  world->schema = (struct ap_schema){3, fields};
  return world;
}

void ap_ledger_world_destroy(struct ap_ledger_world *world) {
  ap_store_destroy(world->local);
  ap_arena_deinit(&world->arena);
  ap_sim_destroy(world->sim);
  int64_t alive = world->memory.live_blocks;
  ap_free(ap_allocator_system(), world);
  assert_int_equal(alive, 0);
}

void ap_ledger_world_reopen_store(struct ap_ledger_world *world) {
  ap_store_destroy(world->local);
  open_store(world);
}

struct ap_ledger *ap_ledger_world_open(struct ap_ledger_world *world) {
  struct ap_ledger *ledger = NULL;
  check_ok(ap_ledger_open(&world->env, &world->faulty.base, &world->codec.base, ap_text_of(prefix),
                          &ledger, &world->err),
           &world->err);
  return ledger;
}

ap_status ap_ledger_world_create_table(struct ap_ledger_world *world, struct ap_ledger *ledger,
                                       bool partitioned, const struct ap_property *properties,
                                       uint32_t property_count) {
  static const uint32_t day[] = {2};
  struct ap_table_definition definition = {.schema = &world->schema,
                                           .partition_columns = day,
                                           .partition_column_count = partitioned ? 1 : 0,
                                           .name = AP_TEXT("frame"),
                                           .properties = properties,
                                           .property_count = property_count};
  return ap_ledger_create_table(ledger, &definition, &world->err);
}

static ap_status removes_day(void *context, const struct ap_snapshot *snapshot,
                             struct ap_cell *cell, bool *out_removes, ap_error *err) {
  (void)snapshot;
  (void)err;
  *out_removes = ap_text_equal_string(cell->partition_values[0].text, context);
  return AP_OK;
}

static ap_status reads_day(void *context, const struct ap_snapshot *snapshot, struct ap_cell *cell,
                           bool *out_reads, ap_error *err) {
  return removes_day(context, snapshot, cell, out_reads, err);
}

static void make_rewrite(const struct ap_world_write *write, struct ap_commit *commit) {
  commit->kind = AP_COMMIT_REWRITE;
  commit->base = write->base;
  commit->removed_cells = write->removed;
  commit->removed_cell_count = write->removed_count;
  commit->reads_all = write->reads_all;
  commit->reads = write->reads_day ? reads_day : NULL;
  commit->context = (void *)(uintptr_t)write->reads_day;
  commit->same_rows = write->same_rows;
  commit->operation = write->same_rows ? AP_TEXT("OPTIMIZE") : AP_TEXT("UPDATE");
  commit->operation_metrics_json = AP_TEXT("{\"numAddedFiles\":\"1\"}");
}

ap_status ap_ledger_world_write(struct ap_ledger_world *world, struct ap_ledger *ledger,
                                const struct ap_world_write *write,
                                struct ap_commit_result *out_result, ap_error *err) {
  struct ap_cell_draft drafts[16];
  struct ap_partition_value value = {.text = ap_text_of(write->day)};
  char paths[16][64];
  char statistics[64];
  AP_ASSERT(write->cell_count <= 16);
  (void)snprintf(statistics, sizeof(statistics), "{\"numRecords\":%" PRId64 "}",
                 write->rows_per_cell);
  for (uint32_t i = 0; i < write->cell_count; i++) {
    /* paths come in no order, so that snapshots must sort */
    uint32_t number = world->next_cell++;
    (void)snprintf(paths[i], sizeof(paths[i]), "%s%scell %08x-%u.parquet",
                   write->day ? write->day : "", write->day ? "/" : "", number * 2654435761u,
                   number);
    if (write->out_paths) memcpy(write->out_paths[i], paths[i], sizeof(paths[i]));
    drafts[i] = (struct ap_cell_draft){.path = ap_text_of(paths[i]),
                                       .size_bytes = 1000 + number,
                                       .row_count = write->rows_per_cell,
                                       .partition_count = write->day ? 1 : 0,
                                       .partition_values = &value,
                                       .statistics_json = ap_text_of(statistics)};
  }
  struct ap_commit commit = {
      .kind = write->overwrite ? AP_COMMIT_OVERWRITE : AP_COMMIT_APPEND,
      .adds = drafts,
      .add_count = write->cell_count,
      .removes = write->replace_day ? removes_day : NULL,
      .context = (void *)(uintptr_t)write->day,
      .schema_id = ap_schema_id(&world->schema),
      .app_id = ap_text_of(write->app_id),
      .app_version = write->app_version,
  };
  if (write->base) make_rewrite(write, &commit);
  return ap_ledger_commit(ledger, &commit, out_result, err);
}

ap_status ap_ledger_world_append(struct ap_ledger_world *world, struct ap_ledger *ledger,
                                 ap_error *err) {
  struct ap_world_write write = {.cell_count = 1, .rows_per_cell = 10};
  struct ap_commit_result result;
  return ap_ledger_world_write(world, ledger, &write, &result, err);
}

static void describe_cells(const struct ap_snapshot *snapshot, struct ap_buffer *out) {
  for (uint32_t i = 0; i < snapshot->cell_count; i++) {
    const struct ap_cell *cell = snapshot->cells[i];
    ap_buffer_append_format(
        out, "cell %.*s size %" PRId64 " own %d dv %c", AP_TEXT_ARG(cell->path), cell->size_bytes,
        cell->own, cell->deletion_vector.storage_type ? cell->deletion_vector.storage_type : '-');
    for (uint32_t k = 0; k < cell->partition_count; k++) {
      ap_buffer_append_format(out, " value %.*s%s", AP_TEXT_ARG(cell->partition_values[k].text),
                              cell->partition_values[k].is_null ? "(null)" : "");
    }
    ap_buffer_append_format(out, " stats %.*s\n", AP_TEXT_ARG(cell->statistics_json));
  }
}

void ap_ledger_world_describe(const struct ap_snapshot *snapshot, int64_t now_ms,
                              struct ap_buffer *out) {
  const struct ap_snapshot_full *full = (const struct ap_snapshot_full *)(const void *)snapshot;
  const struct ap_tombstone **tombstones = NULL;
  uint32_t tombstone_count = 0;
  struct ap_arena arena;
  ap_buffer_append_format(out,
                          "version %" PRId64 " id %.*s name %.*s schema %016" PRIx64
                          " rows %" PRId64 " bytes %" PRId64 "\n",
                          snapshot->version, AP_TEXT_ARG(snapshot->table_id),
                          AP_TEXT_ARG(snapshot->name), snapshot->schema_id, snapshot->row_count,
                          snapshot->size_bytes);
  for (uint32_t i = 0; i < snapshot->property_count; i++) {
    ap_buffer_append_format(out, "property %.*s=%.*s\n", AP_TEXT_ARG(snapshot->properties[i].name),
                            AP_TEXT_ARG(snapshot->properties[i].value));
  }
  describe_cells(snapshot, out);
  for (uint32_t i = 0; full->marks && i < full->marks->txn_count; i++) {
    ap_buffer_append_format(out, "txn %.*s %" PRId64 "\n", AP_TEXT_ARG(full->marks->txns[i].app_id),
                            full->marks->txns[i].version);
  }
  for (uint32_t i = 0; full->marks && i < full->marks->domain_count; i++) {
    ap_buffer_append_format(out, "domain %.*s\n", AP_TEXT_ARG(full->marks->domains[i].json));
  }
  ap_arena_init(&arena, ap_allocator_system());
  check_ok(ap_tombstones_live(full->tombstones, snapshot->cells, snapshot->cell_count,
                              ap_replay_expired_ms(full->table, now_ms), &arena, &tombstones,
                              &tombstone_count, NULL),
           NULL);
  for (uint32_t i = 0; i < tombstone_count; i++) {
    ap_buffer_append_format(out, "removed %.*s at %" PRId64 "\n", AP_TEXT_ARG(tombstones[i]->path),
                            tombstones[i]->deleted_ms);
  }
  ap_arena_deinit(&arena);
}

static struct ap_text key_of(const char *name, char (*out_key)[256]) {
  int size = snprintf(*out_key, sizeof(*out_key), "%s/%s", prefix, name);
  return (struct ap_text){*out_key, (size_t)size};
}

void ap_ledger_world_put(struct ap_ledger_world *world, const char *name, struct ap_text data) {
  char key[256];
  check_ok(ap_store_put(world->local, key_of(name, &key), data, &world->err), &world->err);
}

void ap_ledger_world_get(struct ap_ledger_world *world, const char *name, struct ap_buffer *out) {
  char key[256];
  check_ok(ap_store_get(world->local, key_of(name, &key), 0, -1, out, &world->err), &world->err);
}

void ap_ledger_world_remove(struct ap_ledger_world *world, const char *name) {
  char key[256];
  check_ok(ap_store_remove(world->local, key_of(name, &key), &world->err), &world->err);
}

bool ap_ledger_world_has(struct ap_ledger_world *world, const char *name) {
  char key[256];
  struct ap_store_object object;
  return ap_store_head(world->local, key_of(name, &key), &object, NULL) == AP_OK;
}
