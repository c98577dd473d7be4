/* SPDX-License-Identifier: Apache-2.0
 *
 * The statement tree: one walk over all of it, so that no table reference can hide in a node that
 * is not known here. Known are the nodes that change what a reference means: those with a WITH
 * clause, SELECT (whose WHERE may prune) and JOIN (which decides whether it may).
 * Thread: the arena's.
 */
#include "plan/tree.h"

#include "base/limits.h"
#include "plan/tree_filter.h"

#include <string.h>

enum { REFERENCES_INITIAL = 8 };

/* The names of WITH clauses in reach, innermost first. */
struct cte {
  struct ap_text name;
  bool recursive;
  struct ap_cte_use *use; /* NULL: nobody asks */
  const struct cte *outer;
};

/* Where in a FROM clause a node stands. */
struct place {
  const struct cte *ctes;
  const struct ap_json *select;
  bool usable; /* WHERE of that select may prune here */
  bool null_extended;
  const struct ap_filter *filters;
};

struct walker {
  struct ap_arena *arena;
  struct ap_reference *references;
  uint32_t count;
  uint32_t capacity;
  ap_error *err;
  bool makes_rows;
  bool is_rewritten_wrongly;
  bool orders;  /* ORDER BY stands somewhere */
  bool limits;  /* LIMIT does */
  bool retypes; /* something may change the type of a column of whole numbers */
};

static ap_status walk(struct walker *walker, const struct ap_json *value, struct place place);

static struct ap_text text_of(const struct ap_json *node, const char *name) {
  struct ap_text text;
  if (!ap_json_get_text(node, name, (struct ap_text){0}, &text)) return (struct ap_text){0};
  return text;
}

static bool type_is(struct ap_text type, const char *name) {
  return ap_text_equal_string(type, name);
}

static struct place outside_from(const struct cte *ctes) {
  return (struct place){.ctes = ctes};
}

/* All members but the one or two named. */
static ap_status walk_members(struct walker *walker, const struct ap_json *node,
                              const char *but_first, const char *but_second, struct place place) {
  for (uint32_t i = 0; i < node->count; i++) {
    const struct ap_json_member *member = &node->members[i];
    if (ap_text_equal_string(member->name, but_first)) continue;
    if (but_second && ap_text_equal_string(member->name, but_second)) continue;
    AP_TRY(walk(walker, &member->value, place));
  }
  return AP_OK;
}

static const struct cte *push_cte(struct walker *walker, struct ap_text name, bool recursive,
                                  const struct cte *outer) {
  struct cte *cte = AP_ARENA_NEW(walker->arena, struct cte);
  if (cte) *cte = (struct cte){.name = name, .recursive = recursive, .outer = outer};
  return cte;
}

static ap_status walk_query_node(struct walker *walker, const struct ap_json *node,
                                 const struct ap_filter_entry *entry, const struct cte *ctes);

static bool is_empty_list(const struct ap_json *list) {
  return !list || (list->kind == AP_JSON_ARRAY && list->count == 0);
}

/* A WITH clause's value: {aliases, query: {node}, ...}. Its uses come later. */
static ap_status walk_cte(struct walker *walker, const struct ap_json *clause,
                          const struct cte *ctes, struct ap_cte_use **out_use) {
  const struct ap_json *node = ap_json_find(ap_json_find(clause, "query"), "node");
  *out_use = NULL;
  if (!node || !is_empty_list(ap_json_find(clause, "aliases"))) {
    return walk(walker, clause, outside_from(ctes));
  }
  struct ap_filter_entry entry;
  struct ap_cte_use *use = AP_ARENA_NEW(walker->arena, struct ap_cte_use);
  if (!use) return AP_FAIL_MEMORY(walker->err);
  AP_TRY(ap_filter_await(walker->arena, use, &entry, walker->err));
  AP_TRY(walk_query_node(walker, node, &entry, ctes));
  *out_use = use;
  /* What else the clause holds has no tables, but the walk shall see all of it. */
  AP_TRY(walk_members(walker, ap_json_find(clause, "query"), "node", NULL, outside_from(ctes)));
  return walk_members(walker, clause, "query", NULL, outside_from(ctes));
}

/* Each clause sees those before it; the node sees all. */
static ap_status walk_ctes(struct walker *walker, const struct ap_json *node,
                           const struct cte **ctes) {
  const struct ap_json *map = ap_json_find(ap_json_find(node, "cte_map"), "map");
  if (!map || map->kind != AP_JSON_ARRAY) return AP_OK;
  for (uint32_t i = 0; i < map->count; i++) {
    const struct ap_json *entry = &map->items[i];
    const struct ap_json *clause = ap_json_find(entry, "value");
    struct ap_cte_use *use = NULL;
    if (clause) AP_TRY(walk_cte(walker, clause, *ctes, &use));
    struct cte *cte = AP_ARENA_NEW(walker->arena, struct cte);
    if (!cte) return AP_FAIL_MEMORY(walker->err);
    *cte = (struct cte){.name = text_of(entry, "key"), .use = use, .outer = *ctes};
    *ctes = cte;
  }
  return AP_OK;
}

static ap_status walk_select(struct walker *walker, const struct ap_json *node,
                             const struct ap_filter_entry *entry, const struct cte *ctes) {
  struct place place = {
      .ctes = ctes,
      .select = node,
      .usable = !ap_json_is_null(ap_json_find(node, "where_clause")) &&
                ap_json_is_null(ap_json_find(node, "sample")),
  };
  const struct ap_json *from = ap_json_find(node, "from_table");
  AP_TRY(ap_filter_enter(walker->arena, entry, node, &place.filters, walker->err));
  if (place.usable) {
    AP_TRY(ap_filter_add(walker->arena, ap_json_find(node, "where_clause"), from, &place.filters,
                         walker->err));
  }
  if (from) AP_TRY(walk(walker, from, place));
  return walk_members(walker, node, "cte_map", "from_table", outside_from(ctes));
}

static ap_status walk_set_operation(struct walker *walker, const struct ap_json *node,
                                    const struct ap_filter_entry *entry, const struct cte *ctes) {
  const struct ap_filter_entry branch = ap_filter_enter_union(entry, node);
  for (uint32_t i = 0; i < node->count; i++) {
    const struct ap_json_member *member = &node->members[i];
    bool is_side =
        ap_text_equal_string(member->name, "left") || ap_text_equal_string(member->name, "right");
    if (ap_text_equal_string(member->name, "cte_map")) continue;
    if (is_side && ap_json_find(&member->value, "cte_map")) {
      AP_TRY(walk_query_node(walker, &member->value, &branch, ctes));
    } else {
      AP_TRY(walk(walker, &member->value, outside_from(ctes)));
    }
  }
  return AP_OK;
}

/* The name of a recursive clause means the clause in its right side only. */
static ap_status walk_recursive(struct walker *walker, const struct ap_json *node,
                                const struct cte *ctes) {
  const struct ap_json *left = ap_json_find(node, "left");
  walker->makes_rows = true;
  if (left) AP_TRY(walk(walker, left, outside_from(ctes)));
  const struct cte *inner = push_cte(walker, text_of(node, "cte_name"), true, ctes);
  if (!inner) return AP_FAIL_MEMORY(walker->err);
  return walk_members(walker, node, "cte_map", "left", outside_from(inner));
}

static ap_status walk_cte_node(struct walker *walker, const struct ap_json *node,
                               const struct cte *ctes) {
  const struct ap_json *query = ap_json_find(node, "query");
  if (query) AP_TRY(walk(walker, query, outside_from(ctes)));
  const struct cte *inner = push_cte(walker, text_of(node, "cte_name"), false, ctes);
  if (!inner) return AP_FAIL_MEMORY(walker->err);
  return walk_members(walker, node, "cte_map", "query", outside_from(inner));
}

static ap_status walk_query_node(struct walker *walker, const struct ap_json *node,
                                 const struct ap_filter_entry *entry, const struct cte *ctes) {
  struct ap_text type = text_of(node, "type");
  AP_TRY(walk_ctes(walker, node, &ctes));
  if (type_is(type, "SELECT_NODE")) return walk_select(walker, node, entry, ctes);
  if (type_is(type, "SET_OPERATION_NODE")) return walk_set_operation(walker, node, entry, ctes);
  if (type_is(type, "RECURSIVE_CTE_NODE")) return walk_recursive(walker, node, ctes);
  if (type_is(type, "CTE_NODE")) return walk_cte_node(walker, node, ctes);
  return walk_members(walker, node, "cte_map", NULL, outside_from(ctes));
}

/* WHERE sees what a join puts out. Rows may be left out of a side only when no row of the output
 * depends on them but those that WHERE drops. */
static void join_sides(const struct ap_json *node, struct place *left, struct place *right) {
  struct ap_text join_type = text_of(node, "join_type");
  struct ap_text kind = text_of(node, "ref_type");
  bool outer_left = type_is(join_type, "LEFT");
  bool outer_right = type_is(join_type, "RIGHT");
  bool full = type_is(join_type, "FULL") || type_is(join_type, "OUTER");
  bool half = type_is(join_type, "SEMI") || type_is(join_type, "ANTI");
  bool known = type_is(join_type, "INNER") || outer_left || outer_right || full || half;
  bool asof = type_is(kind, "ASOF"); /* the nearest right row: another becomes nearest */
  known = known && (asof || type_is(kind, "REGULAR") || type_is(kind, "NATURAL") ||
                    type_is(kind, "CROSS") || type_is(kind, "DEPENDENT"));
  /* POSITIONAL is not among the known: leaving out a row moves all behind it. An aliased or
   * sampled join is left alone too. */
  known =
      known && text_of(node, "alias").size == 0 && ap_json_is_null(ap_json_find(node, "sample"));
  if (!known) left->filters = NULL;
  if (!known || half || asof) right->filters = NULL;
  left->usable = left->usable && known;
  right->usable = right->usable && known && !half && !asof;
  left->null_extended = left->null_extended || outer_right || full || !known;
  right->null_extended = right->null_extended || outer_left || full || !known;
}

/* ON prunes what it decides about alone: both sides, but not rows that come out without a match. */
static ap_status add_join_condition(struct walker *walker, const struct ap_json *node,
                                    struct place *left, struct place *right) {
  struct ap_text join_type = text_of(node, "join_type");
  const struct ap_json *condition = ap_json_find(node, "condition");
  /* USING: the columns are equal, which only join.h knows to read. */
  if (!is_empty_list(ap_json_find(node, "using_columns"))) condition = node;
  bool inner = type_is(join_type, "INNER") || type_is(join_type, "SEMI");
  bool is_plain = type_is(text_of(node, "ref_type"), "REGULAR") &&
                  text_of(node, "alias").size == 0 && ap_json_is_null(ap_json_find(node, "sample"));
  if (is_plain && (inner || type_is(join_type, "RIGHT"))) {
    AP_TRY(ap_filter_add(walker->arena, condition, node, &left->filters, walker->err));
  }
  if (is_plain && (inner || type_is(join_type, "LEFT") || type_is(join_type, "ANTI"))) {
    AP_TRY(ap_filter_add(walker->arena, condition, node, &right->filters, walker->err));
  }
  return AP_OK;
}

static ap_status walk_join(struct walker *walker, const struct ap_json *node, struct place place) {
  struct place left = place;
  struct place right = place;
  left.null_extended = right.null_extended = false;
  join_sides(node, &left, &right);
  AP_TRY(ap_filter_pass_join(walker->arena, left.filters, left.null_extended, &left.filters,
                             walker->err));
  AP_TRY(ap_filter_pass_join(walker->arena, right.filters, right.null_extended, &right.filters,
                             walker->err));
  left.null_extended = left.null_extended || place.null_extended;
  right.null_extended = right.null_extended || place.null_extended;
  AP_TRY(add_join_condition(walker, node, &left, &right));
  for (uint32_t i = 0; i < node->count; i++) {
    const struct ap_json_member *member = &node->members[i];
    bool is_left = ap_text_equal_string(member->name, "left");
    bool is_right = ap_text_equal_string(member->name, "right");
    struct place of_member = is_left ? left : is_right ? right : outside_from(place.ctes);
    AP_TRY(walk(walker, &member->value, of_member));
  }
  return AP_OK;
}

/* The clause that a name means; NULL: none. */
static const struct cte *answering_cte(const struct ap_reference *reference,
                                       const struct cte *ctes) {
  bool recurring = ap_text_equal_string(reference->schema, "recurring");
  if (reference->catalog.size > 0 || (reference->schema.size > 0 && !recurring)) return NULL;
  for (const struct cte *cte = ctes; cte; cte = cte->outer) {
    if (recurring && !cte->recursive) continue;
    if (ap_text_equal_ignoring_case(cte->name, reference->name)) return cte;
  }
  return NULL;
}

static void note_use(const struct cte *cte, const struct ap_reference *reference) {
  bool is_plain = !reference->renames_columns && !reference->sampled;
  if (!cte->use) return;
  cte->use->count++;
  cte->use->item = reference->node;
  cte->use->filters = is_plain ? reference->filters : NULL;
}

static bool constant_text(const struct ap_json *expression, struct ap_text *out_text) {
  if (type_is(text_of(expression, "class"), "CAST")) {
    expression = ap_json_find(expression, "child");
  }
  if (!type_is(text_of(expression, "class"), "CONSTANT")) return false;
  const struct ap_json *value = ap_json_find(ap_json_find(expression, "value"), "value");
  if (!value || value->kind != AP_JSON_STRING) return false;
  *out_text = value->text;
  return true;
}

static bool constant_integer(const struct ap_json *expression, int64_t *out_number) {
  if (!type_is(text_of(expression, "class"), "CONSTANT")) return false;
  const struct ap_json *value = ap_json_find(ap_json_find(expression, "value"), "value");
  struct ap_text type = text_of(ap_json_find(ap_json_find(expression, "value"), "type"), "id");
  return (type_is(type, "INTEGER") || type_is(type, "BIGINT")) && value &&
         value->kind == AP_JSON_NUMBER && ap_text_parse_i64(value->text, out_number);
}

/* A whole number, or the text of one. */
static bool constant_version(const struct ap_json *expression, int64_t *out_version) {
  struct ap_text text;
  return constant_integer(expression, out_version) ||
         (constant_text(expression, &text) && ap_text_parse_i64(text, out_version));
}

static ap_status read_at(struct walker *walker, struct ap_reference *reference) {
  const struct ap_json *at = ap_json_find(reference->node, "at_clause");
  if (ap_json_is_null(at)) return AP_OK;
  const struct ap_json *expression = ap_json_find(at, "expr");
  struct ap_text unit = text_of(at, "unit");
  bool known;
  if (ap_text_equal_ignoring_case(unit, AP_TEXT("VERSION"))) {
    reference->at = AP_REFERENCE_VERSION;
    known = constant_version(expression, &reference->version);
  } else if (ap_text_equal_ignoring_case(unit, AP_TEXT("TIMESTAMP"))) {
    reference->at = AP_REFERENCE_TIMESTAMP;
    known = constant_text(expression, &reference->timestamp);
  } else {
    return AP_FAIL(walker->err, AP_UNSUPPORTED,
                   "%.*s AT (%.*s => ...): expected VERSION or TIMESTAMP",
                   AP_TEXT_ARG(reference->name), AP_TEXT_ARG(unit));
  }
  if (known) return AP_OK;
  if (!expression || ap_tree_has_subquery(expression)) {
    return AP_FAIL(walker->err, AP_UNSUPPORTED,
                   "%.*s AT (%.*s => ...): a subquery, where a constant is wanted",
                   AP_TEXT_ARG(reference->name), AP_TEXT_ARG(unit));
  }
  reference->moment = expression;
  return AP_OK;
}

static ap_status push_reference(struct walker *walker, const struct ap_reference *reference) {
  if (walker->count == walker->capacity) {
    uint32_t capacity = walker->capacity ? walker->capacity * 2 : REFERENCES_INITIAL;
    struct ap_reference *larger = AP_ARENA_ARRAY(walker->arena, struct ap_reference, capacity);
    if (!larger) return AP_FAIL_MEMORY(walker->err);
    if (walker->count) {
      memcpy(larger, walker->references, walker->count * sizeof(*larger));
    }
    walker->references = larger;
    walker->capacity = capacity;
  }
  walker->references[walker->count++] = *reference;
  return AP_OK;
}

static ap_status walk_base_table(struct walker *walker, const struct ap_json *node,
                                 struct place place) {
  const struct ap_json *renamed = ap_json_find(node, "column_name_alias");
  struct ap_reference reference = {
      .catalog = text_of(node, "catalog_name"),
      .schema = text_of(node, "schema_name"),
      .name = text_of(node, "table_name"),
      .alias = text_of(node, "alias"),
      .renames_columns = renamed && renamed->kind == AP_JSON_ARRAY && renamed->count > 0,
      .sampled = !ap_json_is_null(ap_json_find(node, "sample")),
      .has_select = place.usable,
      .node = node,
      .select = place.select,
      .null_extended = place.null_extended,
      .filters = place.filters,
  };
  /* An unknown place is 2^64 - 1. */
  if (!ap_json_get_i64(node, "query_location", -1, &reference.location)) reference.location = -1;
  const struct cte *cte = answering_cte(&reference, place.ctes);
  if (cte) {
    note_use(cte, &reference);
  } else {
    AP_TRY(read_at(walker, &reference));
    AP_TRY(push_reference(walker, &reference));
  }
  return walk_members(walker, node, "", NULL, outside_from(place.ctes));
}

/* The tables such a function reads stand in a text, where nobody looks for frames. */
static ap_status walk_table_function(struct walker *walker, const struct ap_json *node,
                                     struct place place) {
  static const char *const refused[] = {"query", "query_table", "json_execute_serialized_sql"};
  struct ap_text name = text_of(ap_json_find(node, "function"), "function_name");
  walker->makes_rows = true;
  for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
    if (!ap_text_equal_ignoring_case(name, ap_text_of(refused[i]))) continue;
    ap_status status = AP_FAIL(walker->err, AP_UNSUPPORTED,
                               "the function %s() reads tables that a text names", refused[i]);
    ap_error_hint(walker->err, "name the frame in the FROM clause");
    return status;
  }
  return walk_members(walker, node, "", NULL, outside_from(place.ctes));
}

/* A SELECT in FROM. */
static ap_status walk_subquery(struct walker *walker, const struct ap_json *node,
                               struct place place) {
  const struct ap_json *query = ap_json_find(node, "subquery");
  const struct ap_json *inner = ap_json_find(query, "node");
  bool is_plain = is_empty_list(ap_json_find(node, "column_name_alias")) &&
                  ap_json_is_null(ap_json_find(node, "sample"));
  if (!inner || !is_plain || !ap_json_find(inner, "cte_map")) {
    return walk_members(walker, node, "", NULL, outside_from(place.ctes));
  }
  const struct ap_filter_entry entry = {.filters = place.filters, .item = node};
  AP_TRY(walk_query_node(walker, inner, &entry, place.ctes));
  AP_TRY(walk_members(walker, query, "node", NULL, outside_from(place.ctes)));
  return walk_members(walker, node, "subquery", NULL, outside_from(place.ctes));
}

/* Whether date_trunc() or TRY_CAST stands in the value, at any depth. */
static bool has_partial_function(const struct ap_json *value) {
  if (value->kind == AP_JSON_ARRAY) {
    for (uint32_t i = 0; i < value->count; i++) {
      if (has_partial_function(&value->items[i])) return true;
    }
  }
  if (value->kind != AP_JSON_OBJECT) return false;
  struct ap_text name = text_of(value, "function_name");
  bool tries;
  if (ap_json_get_bool(value, "try_cast", false, &tries) && tries) return true;
  if (ap_text_equal_ignoring_case(name, AP_TEXT("date_trunc")) ||
      ap_text_equal_ignoring_case(name, AP_TEXT("datetrunc"))) {
    return true;
  }
  for (uint32_t i = 0; i < value->count; i++) {
    if (has_partial_function(&value->members[i].value)) return true;
  }
  return false;
}

/* `c IS DISTINCT FROM x OR c = y` loses rows of files in which c is null throughout, and
 * `date_trunc('month', c) <> x` keeps rows in which c is null, and `TRY_CAST(c AS TINYINT) <> x`
 * those in which the cast fails. */
static bool is_rewritten_wrongly(const struct ap_json *value, struct ap_text type) {
  if (!ap_text_starts_with(type, AP_TEXT("COMPARE_"))) return false;
  return type_is(type, "COMPARE_DISTINCT_FROM") || type_is(type, "COMPARE_NOT_DISTINCT_FROM") ||
         has_partial_function(value);
}

/* Whether a cast is to no type of whole numbers, for sure. */
static bool is_plain_cast(const struct ap_json *cast) {
  static const char *const plain[] = {
      "VARCHAR", "DATE",    "TIME",    "DOUBLE", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE",
      "FLOAT",   "DECIMAL", "BOOLEAN", "BLOB",   "INTERVAL",  "UUID",
      "LIST",    "STRUCT",  "MAP"};
  struct ap_text to = text_of(ap_json_find(cast, "cast_type"), "id");
  for (size_t i = 0; i < sizeof(plain) / sizeof(*plain); i++) {
    if (type_is(to, plain[i])) return true;
  }
  return false;
}

/* What makes of ORDER BY with LIMIT a query that the engine answers wrongly: see tree.h. */
static void note_order(struct walker *walker, const struct ap_json *value, struct ap_text type) {
  if (type_is(type, "ORDER_MODIFIER")) walker->orders = true;
  if (ap_text_starts_with(type, AP_TEXT("LIMIT_"))) walker->limits = true;
  if (type_is(type, "SET_OPERATION_NODE")) walker->retypes = true;
  if (type_is(text_of(value, "class"), "CAST") && !is_plain_cast(value)) walker->retypes = true;
}

static ap_status walk(struct walker *walker, const struct ap_json *value, struct place place) {
  if (value->kind == AP_JSON_ARRAY) {
    for (uint32_t i = 0; i < value->count; i++) {
      AP_TRY(walk(walker, &value->items[i], place));
    }
    return AP_OK;
  }
  if (value->kind != AP_JSON_OBJECT) return AP_OK;
  struct ap_text type = text_of(value, "type");
  note_order(walker, value, type);
  if (ap_json_find(value, "cte_map")) {
    const struct ap_filter_entry none = {0};
    return walk_query_node(walker, value, &none, place.ctes);
  }
  if (is_rewritten_wrongly(value, type)) walker->is_rewritten_wrongly = true;
  if (type_is(type, "BASE_TABLE")) return walk_base_table(walker, value, place);
  if (type_is(type, "JOIN")) return walk_join(walker, value, place);
  if (type_is(type, "SUBQUERY") && !ap_json_find(value, "class")) {
    return walk_subquery(walker, value, place);
  }
  if (type_is(type, "TABLE_FUNCTION")) return walk_table_function(walker, value, place);
  return walk_members(walker, value, "", NULL, outside_from(place.ctes));
}

/* The engine writes bare Infinity and NaN for constants like 1e999, which is no JSON: they become
 * numbers beyond every double, and what is no number becomes no number's text. */
static ap_status tame_infinity(struct ap_arena *arena, struct ap_text json,
                               struct ap_text *out_json, ap_error *err) {
  static const struct {
    struct ap_text word;
    const char *number; /* as long as the word */
  } words[] = {{{"Infinity", 8}, "1e999999"}, {{"NaN", 3}, "\"\" "}};
  char *copy = NULL;
  bool quoted = false;
  for (size_t i = 0; i < json.size; i++) {
    if (quoted && json.data[i] == '\\') {
      i++;
    } else if (json.data[i] == '"') {
      quoted = !quoted;
    } else if (!quoted && (json.data[i] == 'I' || json.data[i] == 'N')) {
      struct ap_text rest = {json.data + i, json.size - i};
      for (size_t k = 0; k < sizeof(words) / sizeof(*words); k++) {
        if (!ap_text_starts_with(rest, words[k].word)) continue;
        if (!copy) copy = ap_arena_copy(arena, json);
        if (!copy) return AP_FAIL_MEMORY(err);
        memcpy(copy + i, words[k].number, words[k].word.size);
      }
    }
  }
  *out_json = copy ? (struct ap_text){copy, json.size} : json;
  return AP_OK;
}

/* {"error":true,"error_type":"parser","error_message":"...","position":"48"} */
static ap_status engine_error(const struct ap_json *root, ap_error *err) {
  struct ap_text type = text_of(root, "error_type");
  struct ap_text message = text_of(root, "error_message");
  struct ap_text position = text_of(root, "position");
  if (message.size == 0) message = AP_TEXT("the engine cannot read the statement");
  if (!type_is(type, "parser") && !type_is(type, "syntax")) {
    return AP_FAIL(err, AP_UNSUPPORTED, "%.*s", AP_TEXT_ARG(message));
  }
  if (position.size == 0) return AP_FAIL(err, AP_SYNTAX, "%.*s", AP_TEXT_ARG(message));
  int64_t offset = -1;
  (void)AP_FAIL(err, AP_SYNTAX, "%.*s (at byte %.*s of the statement)", AP_TEXT_ARG(message),
                AP_TEXT_ARG(position));
  if (ap_text_parse_i64(position, &offset) && offset >= 0) {
    ap_error_position(err, (uint64_t)offset);
  }
  return AP_SYNTAX;
}

ap_status ap_tree_parse(struct ap_arena *arena, struct ap_text json, struct ap_tree *out_tree,
                        ap_error *err) {
  const struct ap_json *root;
  struct ap_text tamed;
  *out_tree = (struct ap_tree){0};
  AP_TRY(tame_infinity(arena, json, &tamed, err));
  ap_status status = ap_json_parse_nested(arena, tamed, AP_TREE_DEPTH_MAX, &root, err);
  if (status == AP_CORRUPT) {
    return ap_error_prefix(err, AP_CORRUPT, "the statement's tree (at most %d levels are read)",
                           AP_TREE_DEPTH_MAX);
  }
  if (status != AP_OK) return status;
  bool failed;
  if (!ap_json_get_bool(root, "error", false, &failed) || failed) return engine_error(root, err);
  const struct ap_json *statements = ap_json_find(root, "statements");
  if (!statements || statements->kind != AP_JSON_ARRAY || statements->count == 0) {
    return AP_FAIL(err, AP_CORRUPT, "a statement tree without statements");
  }
  struct walker walker = {.arena = arena, .err = err};
  out_tree->root = root;
  AP_TRY(walk(&walker, statements, outside_from(NULL)));
  for (uint32_t i = 0; i < walker.count; i++) {
    AP_TRY(ap_filter_settle(arena, &walker.references[i].filters, err));
  }
  out_tree->references = walker.references;
  out_tree->reference_count = walker.count;
  out_tree->makes_rows = walker.makes_rows;
  out_tree->is_rewritten_wrongly = walker.is_rewritten_wrongly;
  out_tree->is_limited_wrongly = walker.orders && walker.limits && walker.retypes;
  return AP_OK;
}
