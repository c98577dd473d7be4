/* SPDX-License-Identifier: Apache-2.0
 *
 * See resolve.h.
 */
#include "execute/resolve.h"

#include "base/assert.h"
#include "execute/report.h"
#include "plan/pivot.h"

#include <inttypes.h>
#include <string.h>

/* A byte that no name may hold parts a frame's name from its version in a view's name. */
#define VERSION_MARK '\x1f'

struct qualified {
  struct ap_text hive;
  struct ap_text box;
  struct ap_text name;
};

static bool is_engine_schema(struct ap_text schema) {
  return ap_text_equal_ignoring_case(schema, AP_TEXT("information_schema")) ||
         ap_text_equal_ignoring_case(schema, AP_TEXT("pg_catalog"));
}

static bool is_engine_catalog(struct ap_text catalog) {
  return ap_text_equal_ignoring_case(catalog, AP_TEXT("system")) ||
         ap_text_equal_ignoring_case(catalog, AP_TEXT("temp")) ||
         ap_text_equal_ignoring_case(catalog, AP_TEXT("memory"));
}

static bool is_engine_name(const struct ap_reference *reference) {
  return is_engine_schema(reference->schema) || is_engine_catalog(reference->catalog) ||
         (reference->catalog.size == 0 && is_engine_catalog(reference->schema));
}

ap_status ap_parse_timestamp_ms(struct ap_text text, int64_t *out_ms, ap_error *err) {
  const struct ap_type type = {.kind = AP_TYPE_TIMESTAMP_TZ};
  const struct ap_type day = {.kind = AP_TYPE_DATE};
  struct ap_value value;
  if (ap_value_parse(text, &type, &value)) {
    int64_t us = value.i64;
    *out_ms = us >= 0 ? us / 1000 : -((-us + 999) / 1000);
    return AP_OK;
  }
  if (ap_value_parse(text, &day, &value)) {
    *out_ms = value.i64 * 86400000;
    return AP_OK;
  }
  ap_status status =
      AP_FAIL(err, AP_INVALID_ARGUMENT, "'%.*s' is not a timestamp", AP_TEXT_ARG(text));
  ap_error_hint(err, "write it as '2026-01-31 12:00:00' (UTC) or '2026-01-31T12:00:00+01:00'");
  return status;
}

static void place(const struct ap_reference *reference, ap_error *err) {
  if (reference->location >= 0) ap_error_position(err, (uint64_t)reference->location);
}

/* Complete a reference with the session's names; false: that cannot be. */
static bool qualify(const struct ap_reference *reference, struct ap_text hive, struct ap_text box,
                    struct qualified *out_name, ap_error *out_reason) {
  out_name->name = reference->name;
  if (reference->catalog.size > 0) {
    out_name->hive = reference->catalog;
    out_name->box = reference->schema;
    return true;
  }
  out_name->hive = hive;
  out_name->box = reference->schema.size > 0 ? reference->schema : box;
  if (out_name->hive.size > 0 && out_name->box.size > 0) return true;
  if (out_reason->code == AP_OK) {
    const char *part = reference->schema.size > 0 ? "hive" : hive.size > 0 ? "box" : "hive and box";
    (void)AP_FAIL(out_reason, AP_NOT_FOUND, "'%.*s%s%.*s' names no %s, and none is in use",
                  AP_TEXT_ARG(reference->schema), reference->schema.size > 0 ? "." : "",
                  AP_TEXT_ARG(reference->name), part);
    ap_error_hint(out_reason, "write hive.box.frame, or say USE hive.box first");
    place(reference, out_reason);
  }
  return false;
}

bool ap_resolve_complete(const struct ap_reference *reference, struct ap_text hive,
                         struct ap_text box, struct ap_text *out_hive, struct ap_text *out_box) {
  struct qualified name;
  ap_error ignored = {0};
  if (is_engine_name(reference) || !qualify(reference, hive, box, &name, &ignored)) return false;
  *out_hive = name.hive;
  *out_box = name.box;
  return true;
}

/* What the engine has computed stands as "@<microseconds>". */
static ap_status moment_ms(struct ap_text text, int64_t *out_ms, ap_error *err) {
  int64_t us;
  if (text.size > 1 && text.data[0] == '@' &&
      ap_text_parse_i64((struct ap_text){text.data + 1, text.size - 1}, &us)) {
    *out_ms = us / 1000 - (us % 1000 < 0);
    return AP_OK;
  }
  return ap_parse_timestamp_ms(text, out_ms, err);
}

struct ap_pinned *ap_pins_find(const struct ap_pins *pins, struct ap_text frame_id) {
  for (uint32_t i = 0; pins != NULL && i < pins->count; ++i) {
    if (ap_text_equal(pins->items[i].frame->entry.id, frame_id)) return &pins->items[i];
  }
  return NULL;
}

void ap_pins_clear(struct ap_node *node, struct ap_pins *pins) {
  for (uint32_t i = 0; i < pins->count; ++i) {
    ap_snapshot_release(pins->items[i].snapshot);
    ap_node_release_frame(node, pins->items[i].frame);
  }
  pins->count = 0;
}

/* The latest snapshot is the pinned one, or becomes it. */
ap_status ap_pins_take(struct ap_node *node, struct ap_pins *pins, struct ap_frame *frame,
                       struct ap_snapshot **out_snapshot, ap_error *err) {
  const struct ap_pinned *pinned = ap_pins_find(pins, frame->entry.id);
  if (pinned != NULL) {
    *out_snapshot = ap_snapshot_retain(pinned->snapshot);
    return AP_OK;
  }
  AP_TRY(ap_ledger_snapshot(frame->ledger, AP_AT_LATEST, 0, out_snapshot, err));
  if (pins == NULL || pins->room == 0) return AP_OK;
  if (pins->count == pins->room) {
    ap_status status =
        AP_FAIL(err, AP_UNSUPPORTED, "a transaction that reads more than %u frames", pins->room);
    ap_error_hint(err, "COMMIT, and read the others outside of it");
    return status;
  }
  struct ap_frame *held = NULL;
  AP_TRY(
      ap_node_find_frame(node, frame->entry.hive, frame->entry.box, frame->entry.name, &held, err));
  pins->items[pins->count++] = (struct ap_pinned){held, ap_snapshot_retain(*out_snapshot)};
  return AP_OK;
}

static ap_status take_snapshot(struct ap_node *node, struct ap_pins *pins,
                               const struct ap_reference *reference, struct ap_frame *frame,
                               struct ap_snapshot **out_snapshot, ap_error *err) {
  int64_t ms = 0;
  AP_ASSERT(reference->moment == NULL); /* ap_travel_settle comes first */
  switch (reference->at) {
    case AP_REFERENCE_VERSION:
      return ap_ledger_snapshot(frame->ledger, AP_AT_VERSION, reference->version, out_snapshot,
                                err);
    case AP_REFERENCE_TIMESTAMP:
      AP_TRY(moment_ms(reference->timestamp, &ms, err));
      return ap_ledger_snapshot(frame->ledger, AP_AT_TIMESTAMP, ms, out_snapshot, err);
    case AP_REFERENCE_LATEST:
      break;
  }
  return ap_pins_take(node, pins, frame, out_snapshot, err);
}

static struct ap_resolved *find_item(const struct ap_resolution *resolution, struct ap_text id,
                                     bool is_past, int64_t version) {
  for (uint32_t i = 0; i < resolution->count; ++i) {
    struct ap_resolved *item = resolution->items[i];
    if (item->is_target) continue;
    if (item->is_past != is_past || !ap_text_equal(item->frame->entry.id, id)) continue;
    if (!is_past || item->snapshot->version == version) return item;
  }
  return NULL;
}

static ap_status name_view(struct ap_arena *arena, struct ap_resolved *item, ap_error *err) {
  item->view_name = item->frame->entry.name;
  if (!item->is_past && !item->is_target) return AP_OK;
  char *name = item->is_target
                   ? ap_arena_format(arena, "%s" AP_TARGET_MARK, item->frame->entry.name.data)
                   : ap_arena_format(arena, "%s%c%" PRId64, item->frame->entry.name.data,
                                     VERSION_MARK, item->snapshot->version);
  if (name == NULL) return AP_FAIL_MEMORY(err);
  item->view_name = ap_text_of(name);
  return AP_OK;
}

static bool has_target_mark(struct ap_text name) {
  return ap_text_ends_with(name, AP_TEXT(AP_TARGET_MARK));
}

/* Hold the frame (taken) at the version the reference asks for. */
static ap_status add_item(struct ap_node *node, struct ap_arena *arena,
                          const struct ap_reference *reference, struct ap_frame *frame,
                          struct ap_resolution *resolution, struct ap_resolved **out_item,
                          ap_error *err) {
  bool is_past = reference->at != AP_REFERENCE_LATEST;
  bool is_target = resolution->pins != NULL && has_target_mark(reference->name);
  struct ap_resolved *item =
      is_past || is_target ? NULL : find_item(resolution, frame->entry.id, false, 0);
  struct ap_snapshot *snapshot = NULL;
  ap_status status = AP_OK;
  if (item == NULL) {
    status = take_snapshot(node, resolution->pins, reference, frame, &snapshot, err);
    if (status != AP_OK) {
      status = ap_frame_error(frame, status, err);
      goto drop;
    }
    if (is_past) item = find_item(resolution, frame->entry.id, true, snapshot->version);
  }
  if (item != NULL) {
    *out_item = item;
    goto drop;
  }
  item = AP_ARENA_NEW(arena, struct ap_resolved);
  if (item == NULL) {
    status = AP_FAIL_MEMORY(err);
    goto drop;
  }
  *item = (struct ap_resolved){
      .frame = frame, .snapshot = snapshot, .is_past = is_past, .is_target = is_target};
  resolution->items[resolution->count++] = item; /* holds frame and snapshot from here on */
  *out_item = item;
  return name_view(arena, item, err);
drop:
  ap_snapshot_release(snapshot);
  ap_node_release_frame(node, frame);
  return status;
}

/* An unqualified name that is left to the engine must not find what another query bound; the engine
 * looks in the box called main, too. */
static ap_status forget_left_over(struct ap_chamber *chamber, const struct qualified *name,
                                  ap_error *err) {
  if (name->hive.size == 0) return AP_OK;
  if (name->box.size > 0) {
    AP_TRY(ap_chamber_forget_frame(chamber, name->hive, name->box, name->name, err));
  }
  return ap_chamber_forget_frame(chamber, name->hive, AP_TEXT("main"), name->name, err);
}

/* Nor what this one binds there by its full name. */
static ap_status check_left_to_engine(const struct ap_reference *reference, struct ap_text hive,
                                      const struct ap_resolution *resolution, ap_error *err) {
  for (uint32_t i = 0; i < resolution->count; ++i) {
    const struct ap_frame_entry *entry = &resolution->items[i]->frame->entry;
    if (reference->schema.size > 0 || !ap_text_equal_ignoring_case(entry->hive, hive) ||
        !ap_text_equal_ignoring_case(entry->box, AP_TEXT("main")) ||
        !ap_text_equal_ignoring_case(entry->name, reference->name)) {
      continue;
    }
    if (err != NULL) *err = resolution->unresolved;
    return resolution->unresolved.code;
  }
  return AP_OK;
}

static ap_status resolve_one(struct ap_node *node, struct ap_chamber *chamber,
                             const struct ap_reference *reference, struct ap_text hive,
                             struct ap_text box, struct ap_arena *arena,
                             struct ap_resolution *resolution, struct ap_resolved **out_item,
                             ap_error *err) {
  *out_item = NULL;
  if (is_engine_name(reference)) return AP_OK;
  struct qualified name;
  if (!qualify(reference, hive, box, &name, &resolution->unresolved)) {
    /* The engine would look for a hive of that name, and find what another query left there. */
    if (reference->schema.size == 0) return forget_left_over(chamber, &name, err);
    if (err != NULL) *err = resolution->unresolved;
    return AP_NOT_FOUND;
  }
  struct ap_frame *frame = NULL;
  ap_error missing = {0};
  if (resolution->pins != NULL && has_target_mark(name.name)) {
    name.name.size -= sizeof AP_TARGET_MARK - 1;
  }
  ap_status status = ap_node_find_frame(node, name.hive, name.box, name.name, &frame, &missing);
  if (status == AP_OK) {
    return add_item(node, arena, reference, frame, resolution, out_item, err);
  }
  bool unqualified = reference->schema.size == 0 && reference->catalog.size == 0;
  if (status == AP_NOT_FOUND && unqualified && reference->at == AP_REFERENCE_LATEST) {
    if (resolution->unresolved.code == AP_OK) {
      resolution->unresolved = missing;
      place(reference, &resolution->unresolved);
    }
    return forget_left_over(chamber, &name, err);
  }
  place(reference, &missing);
  if (err != NULL) *err = missing;
  return status;
}

ap_status ap_resolve(struct ap_node *node, struct ap_chamber *chamber, const struct ap_tree *tree,
                     struct ap_text hive, struct ap_text box, struct ap_pins *pins,
                     struct ap_arena *arena, struct ap_resolution *resolution, ap_error *err) {
  *resolution = (struct ap_resolution){.pins = pins};
  resolution->items = AP_ARENA_ARRAY(arena, struct ap_resolved *, tree->reference_count + 1);
  resolution->by_reference = AP_ARENA_ARRAY(arena, struct ap_resolved *, tree->reference_count + 1);
  if (resolution->items == NULL || resolution->by_reference == NULL) return AP_FAIL_MEMORY(err);
  for (uint32_t i = 0; i < tree->reference_count; ++i) {
    AP_TRY(resolve_one(node, chamber, &tree->references[i], hive, box, arena, resolution,
                       &resolution->by_reference[i], err));
  }
  for (uint32_t i = 0; i < tree->reference_count; ++i) {
    if (resolution->by_reference[i] != NULL) continue;
    AP_TRY(check_left_to_engine(&tree->references[i], hive, resolution, err));
  }
  return AP_OK;
}

void ap_resolution_deinit(struct ap_node *node, struct ap_resolution *resolution) {
  for (uint32_t i = 0; i < resolution->count; ++i) {
    ap_snapshot_release(resolution->items[i]->snapshot);
    ap_node_release_frame(node, resolution->items[i]->frame);
  }
  resolution->count = 0;
}

/* Cut the next part off a dotted name, "quoted" or plain. False when it is malformed. */
static bool next_part(struct ap_text *rest, struct ap_arena *arena, struct ap_text *out_part) {
  bool quoted = rest->size > 0 && rest->data[0] == '"';
  char *copy = ap_arena_allocate(arena, rest->size + 1);
  if (copy == NULL) return false;
  size_t size = 0;
  size_t i = quoted ? 1 : 0;
  bool closed = !quoted;
  for (; i < rest->size; ++i) {
    char byte = rest->data[i];
    if (quoted && byte == '"') {
      bool doubled = i + 1 < rest->size && rest->data[i + 1] == '"';
      if (!doubled) {
        closed = true;
        i += 1;
        break;
      }
      i += 1;
    } else if (!quoted && byte == '.') {
      break;
    }
    copy[size++] = byte;
  }
  copy[size] = '\0';
  *out_part = (struct ap_text){copy, size};
  bool more = i < rest->size;
  if (!closed || (more && rest->data[i] != '.')) return false;
  size_t used = more ? i + 1 : i;
  *rest = (struct ap_text){rest->data + used, rest->size - used};
  return true;
}

/* What may stand behind a name in the engine's list: " AS alias", " TABLESAMPLE ...". */
static struct ap_text without_tail(struct ap_text name) {
  bool quoted = false;
  for (size_t i = 0; i < name.size; ++i) {
    if (name.data[i] == '"') quoted = !quoted;
    if (!quoted && name.data[i] == ' ') return (struct ap_text){name.data, i};
  }
  return name;
}

static ap_status split_name(struct ap_text name, struct ap_arena *arena,
                            struct ap_reference *out_reference, ap_error *err) {
  struct ap_text parts[3] = {{0}, {0}, {0}};
  uint32_t count = 0;
  struct ap_text rest = without_tail(name);
  while (rest.size > 0) {
    if (count == 3 || !next_part(&rest, arena, &parts[count])) {
      return AP_FAIL(err, AP_UNSUPPORTED, "table name %.*s", AP_TEXT_ARG(name));
    }
    count += 1;
  }
  AP_ASSERT(count <= 3);
  if (count == 0) return AP_FAIL(err, AP_UNSUPPORTED, "an empty table name");
  *out_reference = (struct ap_reference){.location = -1};
  out_reference->name = parts[count - 1];
  if (count >= 2) out_reference->schema = parts[count - 2];
  if (count == 3) out_reference->catalog = parts[0];
  return AP_OK;
}

/* The tree of the text that names what the PIVOTs in sql read. */
static ap_status find_pivoted(struct ap_chamber *chamber, struct ap_text sql,
                              struct ap_arena *arena, struct ap_tree *out_tree, bool *out_found,
                              ap_error *err) {
  struct ap_buffer tables;
  struct ap_buffer json;
  ap_buffer_init(&tables, ap_allocator_system());
  ap_buffer_init(&json, ap_allocator_system());
  ap_status status = ap_pivot_append_tables(&tables, arena, sql, out_found, err);
  if (status == AP_OK && *out_found) {
    status = ap_chamber_parse(chamber, ap_buffer_text(&tables), &json, err);
    if (status == AP_OK) status = ap_tree_parse(arena, ap_buffer_text(&json), out_tree, err);
  }
  ap_buffer_deinit(&json);
  ap_buffer_deinit(&tables);
  if (status != AP_OK || !*out_found) return status;
  out_tree->root = NULL; /* it is no tree of sql */
  for (uint32_t i = 0; i < out_tree->reference_count; ++i) {
    if (out_tree->references[i].at == AP_REFERENCE_LATEST) continue;
    status = AP_FAIL(err, AP_UNSUPPORTED, "PIVOT without values of a frame AT a version");
    ap_error_hint(err,
                  "give it its values: PIVOT t AT (VERSION => 1) ON c IN ('a', 'b') USING ...");
    return status;
  }
  return AP_OK;
}

ap_status ap_resolve_names_without_tree(struct ap_chamber *chamber, struct ap_text sql,
                                        struct ap_arena *arena, struct ap_tree *out_tree,
                                        ap_error *err) {
  struct ap_text *names = NULL;
  uint32_t count = 0;
  bool found = false;
  AP_TRY(find_pivoted(chamber, sql, arena, out_tree, &found, err));
  if (found) return AP_OK;
  AP_TRY(ap_chamber_table_names(chamber, sql, arena, &names, &count, err));
  struct ap_reference *references = AP_ARENA_ARRAY(arena, struct ap_reference, count + 1);
  if (references == NULL) return AP_FAIL_MEMORY(err);
  for (uint32_t i = 0; i < count; ++i) {
    AP_TRY(split_name(names[i], arena, &references[i], err));
  }
  /* What cannot be seen may be there. */
  *out_tree = (struct ap_tree){.references = references,
                               .reference_count = count,
                               .is_rewritten_wrongly = true,
                               .is_limited_wrongly = true};
  return AP_OK;
}
