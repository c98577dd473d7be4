/* SPDX-License-Identifier: Apache-2.0
 *
 * Questions about a statement tree that need no scopes: is such a node anywhere in it?
 * Pure; any thread. The reader's limit on nesting bounds the recursion.
 */
#include "plan/tree.h"

static bool member_is(const struct ap_json *node, const char *name, struct ap_text wanted) {
  const struct ap_json *member = ap_json_find(node, name);
  return member && member->kind == AP_JSON_STRING && ap_text_equal(member->text, wanted);
}

struct wanted {
  struct ap_text class;
  struct ap_text identifier; /* empty: any */
  bool anywhere;             /* in AT clauses, too */
};

static bool has_node(const struct ap_json *value, const struct wanted *wanted) {
  if (value->kind == AP_JSON_ARRAY) {
    for (uint32_t i = 0; i < value->count; i++) {
      if (has_node(&value->items[i], wanted)) return true;
    }
    return false;
  }
  if (value->kind != AP_JSON_OBJECT) return false;
  if (member_is(value, "class", wanted->class) &&
      (wanted->identifier.size == 0 || member_is(value, "identifier", wanted->identifier))) {
    return true;
  }
  for (uint32_t i = 0; i < value->count; i++) {
    bool is_at = ap_text_equal_string(value->members[i].name, "at_clause");
    if ((!is_at || wanted->anywhere) && has_node(&value->members[i].value, wanted)) return true;
  }
  return false;
}

bool ap_tree_has_subquery(const struct ap_json *value) {
  const struct wanted wanted = {.class = AP_TEXT("SUBQUERY"), .anywhere = true};
  return has_node(value, &wanted);
}

bool ap_tree_has_parameter(const struct ap_tree *tree, struct ap_text name, bool anywhere) {
  const struct wanted wanted = {
      .class = AP_TEXT("PARAMETER"), .identifier = name, .anywhere = anywhere};
  return tree->root && name.size > 0 && has_node(tree->root, &wanted);
}

static bool is_place(struct ap_text name) {
  return ap_text_equal_string(name, "query_location");
}

bool ap_tree_equal(const struct ap_json *a, const struct ap_json *b) {
  if (a->kind != b->kind) return false;
  bool holds = a->kind == AP_JSON_ARRAY || a->kind == AP_JSON_OBJECT;
  if (!holds) {
    return (a->kind != AP_JSON_STRING && a->kind != AP_JSON_NUMBER) ||
           ap_text_equal(a->text, b->text);
  }
  if (a->count != b->count) return false;
  for (uint32_t i = 0; i < a->count; i++) {
    if (a->kind == AP_JSON_ARRAY) {
      if (!ap_tree_equal(&a->items[i], &b->items[i])) return false;
    } else if (!ap_text_equal(a->members[i].name, b->members[i].name) ||
               (!is_place(a->members[i].name) &&
                !ap_tree_equal(&a->members[i].value, &b->members[i].value))) {
      return false;
    }
  }
  return true;
}
