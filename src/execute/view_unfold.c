/* SPDX-License-Identifier: Apache-2.0
 *
 * See view.h. A reference to a view becomes the subquery
 *   (SELECT "source" AS "name", .. FROM (the view's text) AS "view")
 * in whose tree all names are full ones, so that neither what is in use nor a WITH clause around it
 * means anything to it. Views in views are unfolded on the way; the whole tree is read again at the
 * end, once.
 */
#include "base/assert.h"
#include "base/limits.h"
#include "execute/information.h"
#include "execute/resolve.h"
#include "execute/view.h"

#include <string.h>

struct unfolding {
  struct ap_node *node;
  struct ap_chamber *chamber;
  struct ap_arena *arena;
  uint32_t count; /* views unfolded so far */
  ap_error *err;
};

/* Where references stand: what completes their names, and in which views. */
struct place {
  struct ap_text hive;
  struct ap_text box;
  const struct ap_view_chain *chain; /* NULL: the statement itself */
  const struct ap_json *at;          /* an AT clause to be handed on; NULL: none */
};

static ap_status unfold_reference(struct unfolding *run, const struct ap_reference *reference,
                                  const struct place *place, struct ap_reference_rename *out_rename,
                                  bool *out_any);

static ap_status prefix_view(struct unfolding *run, const struct ap_frame_entry *entry,
                             ap_status status) {
  return ap_error_prefix(run->err, status, "view %s.%s.%s", entry->hive.data, entry->box.data,
                         entry->name.data);
}

/* SELECT * FROM (SELECT "source" AS "name", .. FROM (text) AS "view") AS "view" */
static ap_status append_text(struct ap_buffer *sql, const struct ap_frame_entry *entry,
                             const struct ap_view_definition *view, ap_error *err) {
  ap_buffer_append_string(sql, "SELECT * FROM (SELECT ");
  for (uint32_t i = 0; i < view->column_count; ++i) {
    if (i > 0) ap_buffer_append_string(sql, ", ");
    ap_buffer_append_identifier(sql, view->columns[i].source);
    if (ap_text_equal(view->columns[i].source, view->columns[i].name)) continue;
    ap_buffer_append_string(sql, " AS ");
    ap_buffer_append_identifier(sql, view->columns[i].name);
  }
  ap_buffer_append_string(sql, " FROM (");
  ap_buffer_append_text(sql, view->sql);
  ap_buffer_append_string(sql, "\n) AS ");
  ap_buffer_append_identifier(sql, entry->name);
  ap_buffer_append_string(sql, ") AS ");
  ap_buffer_append_identifier(sql, entry->name);
  return ap_buffer_check(sql, err);
}

static ap_status parse_view(struct unfolding *run, const struct ap_frame_entry *entry,
                            const struct ap_view_definition *view, struct ap_tree *out_tree) {
  struct ap_buffer sql;
  struct ap_buffer json;
  ap_buffer_init(&sql, run->arena->allocator);
  ap_buffer_init(&json, run->arena->allocator);
  ap_status status = append_text(&sql, entry, view, run->err);
  if (status == AP_OK) {
    status = ap_chamber_parse(run->chamber, ap_buffer_text(&sql), &json, run->err);
  }
  if (status == AP_OK) {
    status = ap_tree_parse(run->arena, ap_buffer_text(&json), out_tree, run->err);
  }
  ap_buffer_deinit(&sql);
  ap_buffer_deinit(&json);
  return status;
}

/* The "subquery" of the first FROM: what the view is. */
static const struct ap_json *find_subquery(const struct ap_tree *tree) {
  const struct ap_json *statements = ap_json_find(tree->root, "statements");
  AP_ASSERT(statements != NULL && statements->count > 0);
  const struct ap_json *node = ap_json_find(&statements->items[0], "node");
  return ap_json_find(ap_json_find(node, "from_table"), "subquery");
}

/* Each view may be met again, but not within itself. */
static ap_status check_chain(struct unfolding *run, const struct ap_frame_entry *entry,
                             const struct ap_view_chain *chain) {
  uint32_t depth = 0;
  for (const struct ap_view_chain *outer = chain; outer != NULL; outer = outer->outer) {
    bool same = ap_text_equal_ignoring_case(outer->entry->name, entry->name) &&
                ap_text_equal_ignoring_case(outer->entry->box, entry->box) &&
                ap_text_equal_ignoring_case(outer->entry->hive, entry->hive);
    if (same) {
      return AP_FAIL(run->err, AP_STATE, "view %s.%s.%s reads itself%s%s", entry->hive.data,
                     entry->box.data, entry->name.data, chain == outer ? "" : " through ",
                     chain == outer ? "" : chain->entry->name.data);
    }
    depth += 1;
  }
  if (depth < AP_VIEW_DEPTH_MAX && run->count < AP_VIEW_READS_MAX) return AP_OK;
  return AP_FAIL(run->err, AP_UNSUPPORTED,
                 "a statement that unfolds more than %d views, or %d one within the other",
                 AP_VIEW_READS_MAX, AP_VIEW_DEPTH_MAX);
}

/* The AT clause that the frames in a view get. */
static ap_status inherit_at(struct unfolding *run, const struct ap_frame_entry *entry,
                            const struct ap_reference *reference, const struct ap_json *inherited,
                            const struct ap_json **out_at) {
  *out_at = inherited;
  if (reference->at == AP_REFERENCE_LATEST) return AP_OK;
  *out_at = ap_json_find(reference->node, "at_clause");
  if (reference->at == AP_REFERENCE_TIMESTAMP) return AP_OK;
  ap_status status = AP_FAIL(run->err, AP_UNSUPPORTED, "%s.%s.%s is a view, which has no versions",
                             entry->hive.data, entry->box.data, entry->name.data);
  ap_error_hint(run->err, "TIMESTAMP AS OF reads all its frames as of a time");
  return status;
}

static ap_status unfold_view(struct unfolding *run, const struct ap_frame_entry *entry,
                             const struct ap_reference *reference, const struct place *place,
                             struct ap_reference_rename *out_rename) {
  struct ap_view_definition view;
  struct ap_tree tree;
  AP_TRY(check_chain(run, entry, place->chain));
  AP_TRY(ap_view_read(run->arena, entry, &view, run->err));
  const struct ap_view_chain chain = {entry, place->chain};
  struct place inner = {.hive = view.hive, .box = view.box, .chain = &chain};
  AP_TRY(inherit_at(run, entry, reference, place->at, &inner.at));
  run->count += 1;
  ap_status status = parse_view(run, entry, &view, &tree);
  if (status != AP_OK) return prefix_view(run, entry, status);
  struct ap_reference_rename *renames =
      AP_ARENA_ARRAY(run->arena, struct ap_reference_rename, tree.reference_count + 1);
  if (renames == NULL) return AP_FAIL_MEMORY(run->err);
  for (uint32_t i = 0; i < tree.reference_count; ++i) {
    bool any = false;
    AP_TRY(unfold_reference(run, &tree.references[i], &inner, &renames[i], &any));
  }
  const struct ap_json *subquery = find_subquery(&tree);
  if (subquery == NULL) return AP_FAIL(run->err, AP_INTERNAL, "a view without a subquery");
  struct ap_buffer json;
  ap_buffer_init(&json, run->arena->allocator);
  ap_tree_write_part(&json, &tree, renames, subquery);
  status = ap_buffer_check(&json, run->err);
  if (status == AP_OK) {
    const char *copy = ap_arena_copy(run->arena, ap_buffer_text(&json));
    if (copy == NULL) status = AP_FAIL_MEMORY(run->err);
    *out_rename = (struct ap_reference_rename){.subquery = {copy, json.size}};
  }
  ap_buffer_deinit(&json);
  return status;
}

/* Names that the engine may take for files. */
static bool may_be_file(const struct ap_reference *reference) {
  return reference->schema.size == 0 && (memchr(reference->name.data, '.', reference->name.size) ||
                                         memchr(reference->name.data, '/', reference->name.size));
}

static ap_status fail_gone(struct unfolding *run, const struct ap_frame_entry *view,
                           struct ap_text hive, struct ap_text box, struct ap_text name) {
  ap_status status =
      AP_FAIL(run->err, AP_NOT_FOUND, "view %s.%s.%s reads %.*s.%.*s.%.*s, which does not exist",
              view->hive.data, view->box.data, view->name.data, AP_TEXT_ARG(hive), AP_TEXT_ARG(box),
              AP_TEXT_ARG(name));
  ap_error_hint(run->err, "create it again, or replace the view: CREATE OR REPLACE VIEW");
  return status;
}

/* What stands for information_schema.<name>; not found: the engine's own, of the catalog named. */
static ap_status unfold_information(struct unfolding *run, const struct ap_reference *reference,
                                    struct ap_reference_rename *out_rename, bool *out_found) {
  struct ap_text hive = {0};
  struct ap_tree tree;
  struct ap_buffer sql;
  struct ap_buffer json;
  *out_found = reference->catalog.size == 0 ||
               ap_catalog_find_hive(ap_node_catalog(run->node), reference->catalog, run->arena,
                                    &hive, NULL) == AP_OK;
  if (!*out_found) return AP_OK;
  ap_buffer_init(&sql, run->arena->allocator);
  ap_buffer_init(&json, run->arena->allocator);
  ap_buffer_append_string(&sql, "SELECT * FROM (");
  ap_status status =
      ap_information_append(run->node, reference->name, hive, run->arena, &sql, run->err);
  ap_buffer_append_string(&sql, ") AS v");
  if (status == AP_OK) status = ap_buffer_check(&sql, run->err);
  if (status == AP_OK) {
    status = ap_chamber_parse(run->chamber, ap_buffer_text(&sql), &json, run->err);
  }
  if (status == AP_OK) {
    status = ap_tree_parse(run->arena, ap_buffer_text(&json), &tree, run->err);
  }
  if (status == AP_OK) {
    ap_buffer_clear(&json);
    ap_tree_write_part(&json, &tree, NULL, find_subquery(&tree));
    status = ap_buffer_check(&json, run->err);
  }
  if (status == AP_OK) {
    const char *copy = ap_arena_copy(run->arena, ap_buffer_text(&json));
    if (copy == NULL) status = AP_FAIL_MEMORY(run->err);
    *out_rename = (struct ap_reference_rename){.subquery = {copy, json.size}};
  }
  ap_buffer_deinit(&sql);
  ap_buffer_deinit(&json);
  return status;
}

static ap_status unfold_reference(struct unfolding *run, const struct ap_reference *reference,
                                  const struct place *place, struct ap_reference_rename *out_rename,
                                  bool *out_any) {
  struct ap_text hive;
  struct ap_text box;
  struct ap_frame_entry entry;
  bool found = false;
  *out_rename = (struct ap_reference_rename){0};
  if (ap_text_equal_ignoring_case(reference->schema, AP_TEXT("information_schema"))) {
    return unfold_information(run, reference, out_rename, out_any);
  }
  if (!ap_resolve_complete(reference, place->hive, place->box, &hive, &box)) return AP_OK;
  AP_TRY(ap_catalog_look_up(ap_node_catalog(run->node), hive, box, reference->name, run->arena,
                            &entry, &found, run->err));
  if (found && entry.view.size > 0) {
    *out_any = true;
    return unfold_view(run, &entry, reference, place, out_rename);
  }
  if (place->chain == NULL) return AP_OK;
  if (!found) {
    if (may_be_file(reference)) return AP_OK;
    return fail_gone(run, place->chain->entry, hive, box, reference->name);
  }
  *out_rename =
      (struct ap_reference_rename){.catalog = hive, .schema = box, .name = reference->name};
  out_rename->at =
      reference->at != AP_REFERENCE_LATEST ? ap_json_find(reference->node, "at_clause") : place->at;
  return AP_OK;
}

/* The tree is another one from here on. */
static ap_status read_again(struct unfolding *run, struct ap_tree *tree,
                            const struct ap_reference_rename *renames) {
  struct ap_buffer json;
  ap_buffer_init(&json, run->arena->allocator);
  ap_tree_write_renamed(&json, tree, renames);
  ap_status status = ap_buffer_check(&json, run->err);
  if (status == AP_OK) {
    const char *copy = ap_arena_copy(run->arena, ap_buffer_text(&json));
    if (copy == NULL) status = AP_FAIL_MEMORY(run->err);
    if (copy != NULL) {
      status = ap_tree_parse(run->arena, (struct ap_text){copy, json.size}, tree, run->err);
    }
  }
  ap_buffer_deinit(&json);
  if (status == AP_OK) tree->is_changed = true;
  return status;
}

/* Without a tree there is no place for a subquery. */
static ap_status refuse_without_tree(struct unfolding *run, const struct ap_tree *tree,
                                     const struct place *place) {
  for (uint32_t i = 0; i < tree->reference_count; ++i) {
    const struct ap_reference *reference = &tree->references[i];
    struct ap_text hive;
    struct ap_text box;
    struct ap_frame_entry entry;
    bool found = false;
    if (!ap_resolve_complete(reference, place->hive, place->box, &hive, &box)) continue;
    AP_TRY(ap_catalog_look_up(ap_node_catalog(run->node), hive, box, reference->name, run->arena,
                              &entry, &found, run->err));
    if (!found || entry.view.size == 0) continue;
    ap_status status = AP_FAIL(run->err, AP_UNSUPPORTED, "PIVOT without values of view %s.%s.%s",
                               entry.hive.data, entry.box.data, entry.name.data);
    ap_error_hint(run->err, "give it its values: PIVOT v ON c IN ('a', 'b') USING ...");
    return status;
  }
  return AP_OK;
}

ap_status ap_views_unfold(struct ap_node *node, struct ap_chamber *chamber, struct ap_text hive,
                          struct ap_text box, const struct ap_view_chain *within,
                          struct ap_arena *arena, struct ap_tree *tree, ap_error *err) {
  struct unfolding run = {.node = node, .chamber = chamber, .arena = arena, .err = err};
  const struct place place = {.hive = hive, .box = box};
  if (tree->root == NULL && within != NULL) {
    ap_status status = AP_FAIL(err, AP_UNSUPPORTED, "a view of a PIVOT without values");
    ap_error_hint(err, "give it its values: PIVOT t ON c IN ('a', 'b') USING ...");
    return status;
  }
  if (tree->root == NULL) return refuse_without_tree(&run, tree, &place);
  struct ap_reference_rename *renames =
      AP_ARENA_ARRAY(arena, struct ap_reference_rename, tree->reference_count + 1);
  if (renames == NULL) return AP_FAIL_MEMORY(err);
  bool any = false;
  for (uint32_t i = 0; i < tree->reference_count; ++i) {
    struct place own = place;
    own.chain = within;
    struct ap_reference_rename rename;
    bool is_view = false;
    AP_TRY(unfold_reference(&run, &tree->references[i], within ? &own : &place, &rename, &is_view));
    if (is_view) renames[i] = rename;
    any |= is_view;
  }
  return any ? read_again(&run, tree, renames) : AP_OK;
}
