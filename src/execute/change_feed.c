/* SPDX-License-Identifier: Apache-2.0
 *
 * The change files of DELETE, UPDATE and MERGE in a frame that keeps a change data feed: each row
 * that goes, changes (before and after) or comes, with _change_type. They lie in _change_data/ and
 * the commit names them; whoever reads the frame passes them over. INSERT, TRUNCATE and DELETE of
 * everything need none: there whole cells tell.
 */
#include "execute/change.h"

#include "ledger/changes.h"

#define FED "fed" /* the list of the cells that go */

static bool keeps_feed(const struct ap_change *change) {
  struct ap_text wanted = ap_snapshot_property(change->snapshot, "delta.enableChangeDataFeed");
  return ap_text_equal_ignoring_case(wanted, AP_TEXT("true"));
}

/* ---- the query ------------------------------------------------------------------------------- */

static void append_type(struct ap_buffer *out, const char *type) {
  ap_buffer_append_format(out, ", '%s' AS _change_type", type);
}

/* Rows as they were. */
static void append_before(struct ap_buffer *out, const struct ap_change *change, const char *type,
                          enum ap_merge_action action) {
  const char *between = "SELECT ";
  for (uint32_t i = 0; i < change->snapshot->schema.field_count; ++i) {
    if (ap_change_is_generated(change, i)) continue; /* computed anew, to the same */
    ap_buffer_append_string(out, between);
    ap_buffer_append_string(out, "ap_a.");
    ap_buffer_append_identifier(out, change->snapshot->schema.fields[i].name);
    between = ", ";
  }
  append_type(out, type);
  ap_change_append_joined(out, change, FED, "SEMI JOIN", action);
}

static void append_after(struct ap_buffer *out, const struct ap_change *change) {
  ap_change_append_kept(out, change);
  append_type(out, "update_postimage");
  ap_change_append_joined(out, change, FED, "JOIN", AP_MERGE_UPDATE);
}

static void append_inserted(struct ap_buffer *out, const struct ap_change *change) {
  const char *between = "SELECT ";
  for (uint32_t i = 0; i < change->snapshot->schema.field_count; ++i) {
    if (ap_change_is_generated(change, i)) continue;
    ap_buffer_append_format(out, "%sap_m.ap_v%u AS ", between, i);
    ap_buffer_append_identifier(out, change->snapshot->schema.fields[i].name);
    between = ", ";
  }
  append_type(out, "insert");
  ap_buffer_append_string(out, " FROM temp.main." AP_MATCHES_TABLE " AS ap_m WHERE ");
  ap_change_append_in(out, change, AP_MERGE_INSERT);
}

static void append_query(struct ap_buffer *out, const struct ap_change *change) {
  bool touches = change->removed_count > 0;
  const char *between = "";
  if (touches && ap_change_has_action(change, AP_MERGE_DELETE)) {
    append_before(out, change, "delete", AP_MERGE_DELETE);
    between = " UNION ALL ";
  }
  if (touches && ap_change_has_action(change, AP_MERGE_UPDATE)) {
    ap_buffer_append_string(out, between);
    append_before(out, change, "update_preimage", AP_MERGE_UPDATE);
    ap_buffer_append_string(out, " UNION ALL ");
    append_after(out, change);
    between = " UNION ALL ";
  }
  if (change->counts.inserted > 0) {
    ap_buffer_append_string(out, between);
    append_inserted(out, change);
  }
}

/* ---- the files ------------------------------------------------------------------------------- */

static ap_status extend(struct ap_change *change, const struct ap_schema *schema,
                        struct ap_schema *out_schema, ap_error *err) {
  uint32_t count = schema->field_count;
  struct ap_field *fields = AP_ARENA_ARRAY(&change->arena, struct ap_field, (size_t)count + 1);
  if (fields == NULL) return AP_FAIL_MEMORY(err);
  for (uint32_t i = 0; i < count; ++i) fields[i] = schema->fields[i];
  fields[count] = (struct ap_field){
      .name = AP_TEXT("_change_type"), .type = {.kind = AP_TYPE_STRING}, .nullable = true};
  *out_schema = (struct ap_schema){count + 1, fields};
  return AP_OK;
}

/* What is written was checked with the cells; only generated columns are to be computed again. */
static ap_status generated_only(struct ap_change *change, const struct ap_cell_rules **out_rules,
                                ap_error *err) {
  uint32_t count = change->snapshot->schema.field_count;
  *out_rules = NULL;
  if (change->rules == NULL) return AP_OK;
  struct ap_text *none = AP_ARENA_ARRAY(&change->arena, struct ap_text, (size_t)count + 1);
  struct ap_text *generated = AP_ARENA_ARRAY(&change->arena, struct ap_text, (size_t)count + 1);
  struct ap_cell_rules *rules = AP_ARENA_NEW(&change->arena, struct ap_cell_rules);
  if (none == NULL || generated == NULL || rules == NULL) return AP_FAIL_MEMORY(err);
  for (uint32_t i = 0; i < count; ++i) generated[i] = change->rules->generated[i];
  *rules = (struct ap_cell_rules){.defaults = none, .generated = generated};
  *out_rules = rules;
  return AP_OK;
}

static ap_status write_files(struct ap_change *change, struct ap_text query, const char *staging,
                             ap_error *err) {
  const struct ap_snapshot *snapshot = change->snapshot;
  struct ap_schema schema;
  struct ap_schema physical;
  struct ap_node_facts facts;
  struct ap_cell_target target = {.frame = ap_text_of(change->full_name),
                                  .schema = &schema,
                                  .physical = &physical,
                                  .partition_columns = snapshot->partition_columns,
                                  .partition_column_count = snapshot->partition_column_count,
                                  .staging_folder = staging};
  const struct ap_cell_source source = {.query = query};
  ap_node_get_facts(change->node, &facts);
  target.target_bytes = facts.cell_target_bytes;
  AP_TRY(extend(change, &snapshot->schema, &schema, err));
  AP_TRY(extend(change, &snapshot->physical, &physical, err));
  AP_TRY(generated_only(change, &target.rules, err));
  AP_TRY(ap_chamber_write_cells(ap_query_prepared_chamber(change->prepared), &source, &target,
                                change->run->request->control, &change->arena, &change->feed.drafts,
                                &change->feed.count, err));
  for (uint32_t i = 0; i < change->feed.count; ++i) {
    struct ap_text *path = &change->feed.drafts[i].path;
    const char *moved = ap_arena_format(&change->arena, "_change_data/%.*s", AP_TEXT_ARG(*path));
    if (moved == NULL) return AP_FAIL_MEMORY(err);
    *path = ap_text_of(moved);
  }
  return AP_OK;
}

static ap_status write_feed(struct ap_change *change, ap_error *err) {
  struct ap_buffer query;
  struct ap_buffer staging;
  ap_buffer_init(&query, ap_node_env(change->node)->allocator);
  ap_buffer_init(&staging, ap_node_env(change->node)->allocator);
  ap_status status = AP_OK;
  if (change->removed_count > 0) {
    status = ap_change_fill_list(change, AP_LIST_TABLE(FED), change->removed_files,
                                 change->removed_count, err);
    if (status == AP_OK) {
      status = ap_query_prepared_bind(change->prepared, change->target->resolved, AP_LIST_MARK(FED),
                                      change->removed, change->removed_count, err);
    }
  }
  append_query(&query, change);
  if (status == AP_OK) status = ap_buffer_check(&query, err);
  if (status == AP_OK) {
    status = ap_store_staging_path(ap_node_store(change->node), &staging, err);
  }
  if (status == AP_OK) status = ap_buffer_check(&staging, err);
  if (status == AP_OK) status = write_files(change, ap_buffer_text(&query), staging.data, err);
  ap_chamber_empty(ap_query_prepared_chamber(change->prepared), AP_LIST_TABLE(FED));
  ap_buffer_deinit(&staging);
  ap_buffer_deinit(&query);
  return status;
}

ap_status ap_change_write_feed(struct ap_change *change, ap_error *err) {
  struct ap_buffer lines;
  if (!keeps_feed(change)) return AP_OK;
  if (change->removed_count == 0 && change->counts.inserted == 0) return AP_OK;
  if (ap_schema_find(&change->snapshot->schema, AP_TEXT("_change_type")) >= 0) {
    return AP_FAIL(err, AP_UNSUPPORTED, "frame %s has a column '_change_type' of its own",
                   change->full_name);
  }
  AP_TRY(write_feed(change, err));
  ap_buffer_init(&lines, ap_node_env(change->node)->allocator);
  ap_change_files_append(&lines, change->snapshot, change->feed.drafts, change->feed.count);
  ap_status status = ap_buffer_check(&lines, err);
  if (status == AP_OK) {
    const char *copy = ap_arena_copy(&change->arena, ap_buffer_text(&lines));
    change->feed_lines = (struct ap_text){copy, lines.size};
    if (copy == NULL) status = AP_FAIL_MEMORY(err);
  }
  ap_buffer_deinit(&lines);
  return status;
}
