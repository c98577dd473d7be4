/* SPDX-License-Identifier: Apache-2.0
 *
 * See definition.h.
 */
#include "execute/definition.h"

#include "base/assert.h"
#include "base/limits.h"

#include <string.h>

/* The one object that stays where a dropped frame lay. */
#define AP_DROPPED_MARK "_apiary_dropped"

static ap_status find_partition_columns(const struct ap_frame_request *request,
                                        struct ap_arena *arena, uint32_t **out_columns,
                                        ap_error *err) {
  uint32_t *columns = AP_ARENA_ARRAY(arena, uint32_t, request->partition_by_count + 1);
  if (columns == NULL) return AP_FAIL_MEMORY(err);
  if (request->partition_by_count > AP_PARTITION_COLUMNS_MAX) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "%u partition columns; at most %d are allowed",
                   request->partition_by_count, AP_PARTITION_COLUMNS_MAX);
  }
  for (uint32_t i = 0; i < request->partition_by_count; ++i) {
    struct ap_text name = request->partition_by[i];
    int32_t index = ap_schema_find(request->schema, name);
    if (index < 0) {
      return AP_FAIL(err, AP_SCHEMA_MISMATCH, "partition column '%.*s' is no column of frame %.*s",
                     AP_TEXT_ARG(name), AP_TEXT_ARG(request->name));
    }
    for (uint32_t j = 0; j < i; ++j) {
      if (columns[j] != (uint32_t)index) continue;
      return AP_FAIL(err, AP_INVALID_ARGUMENT, "partition column '%.*s' is named twice",
                     AP_TEXT_ARG(name));
    }
    columns[i] = (uint32_t)index;
  }
  *out_columns = columns;
  return AP_OK;
}

/* ---- an existing frame against a request ----------------------------------------------------- */

static void append_field(struct ap_buffer *out, const struct ap_field *field) {
  ap_buffer_append_text(out, field->name);
  ap_buffer_append_string(out, " ");
  ap_type_append_word(out, &field->type);
  if (!field->nullable) ap_buffer_append_string(out, " not null");
}

/* Lines of what differs, for the error; empty when the schemas are the same. */
static void append_difference(struct ap_buffer *out, const struct ap_schema *have,
                              const struct ap_schema *want) {
  for (uint32_t i = 0; i < want->field_count; ++i) {
    const struct ap_field *field = &want->fields[i];
    int32_t index = ap_schema_find(have, field->name);
    if (index >= 0 && have->fields[index].nullable == field->nullable &&
        ap_type_equal(&have->fields[index].type, &field->type)) {
      continue;
    }
    ap_buffer_append_string(out, index < 0 ? "; not there: " : "; asked for: ");
    append_field(out, field);
    if (index < 0) continue;
    ap_buffer_append_string(out, ", there: ");
    append_field(out, &have->fields[index]);
  }
  for (uint32_t i = 0; i < have->field_count; ++i) {
    if (ap_schema_find(want, have->fields[i].name) >= 0) continue;
    ap_buffer_append_string(out, "; not asked for: ");
    append_field(out, &have->fields[i]);
  }
}

static bool same_partitioning(const struct ap_snapshot *snapshot,
                              const struct ap_frame_request *request) {
  if (snapshot->partition_column_count != request->partition_by_count) return false;
  for (uint32_t i = 0; i < request->partition_by_count; ++i) {
    const struct ap_field *field = &snapshot->schema.fields[snapshot->partition_columns[i]];
    if (!ap_text_equal_ignoring_case(field->name, request->partition_by[i])) return false;
  }
  return true;
}

static ap_status check_existing(struct ap_node *node, const struct ap_frame_request *request,
                                ap_error *err) {
  struct ap_frame *frame = NULL;
  struct ap_snapshot *snapshot = NULL;
  struct ap_buffer difference;
  ap_buffer_init(&difference, ap_node_env(node)->allocator);
  ap_status status =
      ap_node_find_frame(node, request->hive, request->box, request->name, &frame, err);
  if (status == AP_OK) {
    status = ap_frame_latest(frame, &snapshot, err);
  }
  if (status == AP_OK) {
    append_difference(&difference, &snapshot->schema, request->schema);
    if (!same_partitioning(snapshot, request)) {
      ap_buffer_append_string(&difference, "; it is partitioned by other columns");
    }
    if (difference.size > 0) {
      status = AP_FAIL(err, AP_SCHEMA_MISMATCH, "frame %s.%s.%s is there with another definition%s",
                       frame->entry.hive.data, frame->entry.box.data, frame->entry.name.data,
                       difference.data);
      ap_error_hint(err, "use the frame as it is, choose another name, or drop it first");
    }
  }
  ap_buffer_deinit(&difference);
  ap_snapshot_release(snapshot);
  ap_node_release_frame(node, frame);
  return status;
}

/* ---- creating -------------------------------------------------------------------------------- */

ap_status ap_frame_define_table(const struct ap_frame_request *request, struct ap_arena *arena,
                                struct ap_table_definition *out_definition, ap_error *err) {
  uint32_t *partition_columns = NULL;
  AP_TRY(find_partition_columns(request, arena, &partition_columns, err));
  *out_definition = (struct ap_table_definition){
      .schema = request->schema,
      .partition_columns = partition_columns,
      .partition_column_count = request->partition_by_count,
      .name = request->name,
      .description = request->description,
      .properties = request->properties,
      .property_count = request->property_count,
      .alterations = request->alterations,
      .alteration_count = request->alteration_count,
  };
  return AP_OK;
}

static ap_status create_ledger(struct ap_node *node, const struct ap_frame_request *request,
                               struct ap_text location, struct ap_arena *arena, ap_error *err) {
  struct ap_table_definition definition;
  struct ap_ledger *ledger = NULL;
  AP_TRY(ap_frame_define_table(request, arena, &definition, err));
  AP_TRY(ap_node_open_ledger(node, location, &ledger, err));
  ap_status status = ap_ledger_create_table(ledger, &definition, err);
  ap_ledger_close(ledger);
  return status;
}

static ap_status remove_object(void *context, const struct ap_store_object *object, ap_error *err) {
  (void)err;
  if (ap_text_ends_with(object->key, AP_TEXT("/" AP_DROPPED_MARK))) return AP_OK;
  (void)!ap_store_remove(context, object->key, NULL);
  return AP_OK;
}

/* The objects below a location that no name leads to any more, but for a mark that goes there first
 * and stays: a location with an object in it is never chosen again, so that a slow remover can
 * never meet the files of a later frame. */
static void remove_location(struct ap_node *node, struct ap_text location) {
  struct ap_store *store = ap_node_store(node);
  struct ap_buffer key;
  ap_buffer_init(&key, ap_node_env(node)->allocator);
  ap_buffer_append_text(&key, location);
  ap_buffer_append_string(&key, "/");
  size_t prefix_size = key.size;
  ap_buffer_append_string(&key, AP_DROPPED_MARK);
  if (ap_buffer_check(&key, NULL) == AP_OK &&
      ap_store_put(store, ap_buffer_text(&key), AP_TEXT("{}"), NULL) == AP_OK) {
    const struct ap_text prefix = {key.data, prefix_size};
    (void)!ap_store_list(store, prefix, (struct ap_text){0}, remove_object, store, NULL);
  }
  ap_buffer_deinit(&key);
}

static ap_status fill_frame(struct ap_node *node, const struct ap_frame_request *request,
                            struct ap_text location, ap_error *err) {
  struct ap_ledger *ledger = NULL;
  if (request->fill == NULL) return AP_OK;
  AP_TRY(ap_node_open_ledger(node, location, &ledger, err));
  ap_status status = request->fill(request->fill_context, ledger, location, err);
  ap_ledger_close(ledger);
  return status;
}

static ap_status create_frame(struct ap_node *node, const struct ap_frame_request *request,
                              struct ap_arena *arena, ap_error *err) {
  struct ap_catalog *catalog = ap_node_catalog(node);
  struct ap_text location;
  ap_status status = AP_OK;
  AP_TRY(ap_catalog_check_name("frame", request->name, err));
  for (int attempt = 0;; ++attempt) {
    AP_TRY(ap_catalog_choose_location(catalog, request->hive, request->box, request->name, arena,
                                      &location, err));
    status = create_ledger(node, request, location, arena, err);
    /* Two creators may choose one location; the loser sees it taken and chooses again. */
    if (status != AP_ALREADY_EXISTS || attempt == 8) break;
  }
  if (status != AP_OK) return status;
  status = fill_frame(node, request, location, err);
  if (status == AP_OK) {
    status =
        ap_catalog_add_frame(catalog, request->hive, request->box, request->name, location, err);
  } else if (status == AP_OUTCOME_UNKNOWN) {
    remove_location(node, location); /* no name leads there, whatever became of the rows */
  }
  if (status != AP_OK && status != AP_OUTCOME_UNKNOWN) remove_location(node, location);
  return status;
}

ap_status ap_frame_define(struct ap_node *node, const struct ap_frame_request *request,
                          ap_error *err) {
  AP_ASSERT(request->schema != NULL);
  struct ap_arena arena;
  struct ap_frame_entry entry;
  ap_arena_init(&arena, ap_node_env(node)->allocator);
  ap_error missing = {0};
  ap_status status = ap_catalog_find_frame(ap_node_catalog(node), request->hive, request->box,
                                           request->name, &arena, &entry, &missing);
  if (status == AP_NOT_FOUND) {
    status = create_frame(node, request, &arena, err);
  } else if (status == AP_OK) {
    status = AP_ALREADY_EXISTS;
    (void)AP_FAIL(err, AP_ALREADY_EXISTS, "frame %s.%s.%s is already there", entry.hive.data,
                  entry.box.data, entry.name.data);
  } else if (err != NULL) {
    *err = missing;
  }
  /* Also when another creator was first between our look and our entry. */
  if (status == AP_ALREADY_EXISTS && request->if_absent) {
    ap_error_clear(err);
    status = check_existing(node, request, err);
  }
  ap_arena_deinit(&arena);
  return status;
}

/* ---- attaching ------------------------------------------------------------------------------- */

static ap_status check_location(struct ap_text location, ap_error *err) {
  AP_TRY(ap_store_check_key(location, err));
  if (ap_text_equal(location, AP_TEXT("_apiary")) ||
      ap_text_starts_with(location, AP_TEXT("_apiary/"))) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "folder '%.*s' is Apiary's own and holds no frame",
                   AP_TEXT_ARG(location));
  }
  return AP_OK;
}

/* Whether there is a ledger, and whether it can be read. */
static ap_status check_ledger(struct ap_node *node, struct ap_text location, ap_error *err) {
  struct ap_ledger *ledger = NULL;
  struct ap_snapshot *snapshot = NULL;
  AP_TRY(ap_node_open_ledger(node, location, &ledger, err));
  ap_status status = ap_ledger_snapshot(ledger, AP_AT_LATEST, 0, &snapshot, err);
  if (status == AP_NOT_FOUND) {
    status = AP_FAIL(err, AP_NOT_FOUND, "there is no Delta table in folder '%.*s' of %s",
                     AP_TEXT_ARG(location), ap_node_store(node)->description);
    ap_error_hint(err, "name the folder that holds _delta_log, from the storage root on");
  }
  ap_snapshot_release(snapshot);
  ap_ledger_close(ledger);
  return status;
}

ap_status ap_attach(struct ap_node *node, const struct ap_attach_request *request, ap_error *err) {
  struct ap_text location = request->location;
  AP_TRY(ap_catalog_check_name("frame", request->name, err));
  AP_TRY(check_location(location, err));
  ap_status status = check_ledger(node, location, err);
  if (status == AP_OK) {
    status = ap_catalog_add_frame(ap_node_catalog(node), request->hive, request->box, request->name,
                                  location, err);
  }
  return status == AP_OK
             ? AP_OK
             : ap_error_prefix(err, status, "cannot attach folder '%.*s'", AP_TEXT_ARG(location));
}

/* ---- dropping -------------------------------------------------------------------------------- */

/* Whether some name leads to the location, after all: somebody may have attached the folder since.
 * When that cannot be told, it is. */
static bool is_location_named(struct ap_node *node, struct ap_text location) {
  const struct ap_text all = {NULL, 0};
  struct ap_frame_entry *entries = NULL;
  uint32_t count = 0;
  struct ap_arena arena;
  ap_arena_init(&arena, ap_node_env(node)->allocator);
  bool is_named = ap_catalog_list_frames(ap_node_catalog(node), all, all, &arena, &entries, &count,
                                         NULL) != AP_OK;
  for (uint32_t i = 0; !is_named && i < count; ++i) {
    is_named = ap_text_equal(entries[i].location, location);
  }
  ap_arena_deinit(&arena);
  return is_named;
}

ap_status ap_drop(struct ap_node *node, const struct ap_drop_request *request, ap_error *err) {
  struct ap_frame_entry *entries = NULL;
  uint32_t count = 0;
  struct ap_arena arena;
  ap_arena_init(&arena, ap_node_env(node)->allocator);
  ap_status status =
      ap_catalog_drop(ap_node_catalog(node), request->hive, request->box, request->name,
                      request->cascade, request->if_exists, &arena, &entries, &count, err);
  for (uint32_t i = 0; status == AP_OK && i < count; ++i) {
    ap_cache_forget(ap_node_cache(node), entries[i].id);
    if (!is_location_named(node, entries[i].location)) remove_location(node, entries[i].location);
  }
  ap_arena_deinit(&arena);
  return status;
}
