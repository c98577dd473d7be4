/* SPDX-License-Identifier: Apache-2.0
 *
 * The statement tree as JSON again, with other names in its table references. Written by an own
 * recursion, because a tree may nest deeper than ap_json_writer allows; the reader's limit bounds
 * it.
 * Thread: the buffer's.
 */
#include "plan/tree.h"

struct writer {
  struct ap_buffer *out;
  const struct ap_tree *tree;
  const struct ap_reference_rename *renamed;
  bool names_parameters;
};

static void write_string(struct ap_buffer *out, struct ap_text text) {
  struct ap_json_writer writer;
  ap_json_writer_init(&writer, out);
  ap_json_string(&writer, text);
}

/* The reference of a renamed BASE_TABLE; NULL for all other nodes. */
static const struct ap_reference *renamed_reference(const struct writer *writer,
                                                    const struct ap_json *node,
                                                    const struct ap_reference_rename **out_rename) {
  const struct ap_json *type = ap_json_find(node, "type");
  if (!writer->renamed || !type || type->kind != AP_JSON_STRING ||
      !ap_text_equal_string(type->text, "BASE_TABLE")) {
    return NULL;
  }
  for (uint32_t i = 0; i < writer->tree->reference_count; i++) {
    const struct ap_reference *reference = &writer->tree->references[i];
    if (reference->node != node) continue;
    *out_rename = &writer->renamed[i];
    return (*out_rename)->name.size > 0 || (*out_rename)->subquery.size > 0 ? reference : NULL;
  }
  return NULL;
}

static void write_value(const struct writer *writer, const struct ap_json *value);

/* The member's new value; false when it stays. */
static bool write_changed(const struct writer *writer, struct ap_text name,
                          const struct ap_reference *reference,
                          const struct ap_reference_rename *rename) {
  if (ap_text_equal_string(name, "catalog_name")) {
    write_string(writer->out, rename->catalog);
  } else if (ap_text_equal_string(name, "schema_name")) {
    write_string(writer->out, rename->schema);
  } else if (ap_text_equal_string(name, "table_name")) {
    write_string(writer->out, rename->name);
  } else if (ap_text_equal_string(name, "alias")) {
    if (ap_text_equal_ignoring_case(rename->name, reference->name)) return false;
    write_string(writer->out, reference->alias.size > 0 ? reference->alias : reference->name);
  } else if (ap_text_equal_string(name, "at_clause")) {
    if (rename->at) {
      write_value(writer, rename->at);
    } else {
      ap_buffer_append_string(writer->out, "null");
    }
  } else {
    return false;
  }
  return true;
}

static bool is_parameter(const struct ap_json *node) {
  const struct ap_json *class = ap_json_find(node, "class");
  return class && class->kind == AP_JSON_STRING && ap_text_equal_string(class->text, "PARAMETER");
}

/* $1 as $ap_1; false for parameters that have names. */
static bool write_numbered(struct ap_buffer *out, const struct ap_json_member *member) {
  int64_t number;
  if (!ap_text_equal_string(member->name, "identifier") || member->value.kind != AP_JSON_STRING ||
      !ap_text_parse_i64(member->value.text, &number)) {
    return false;
  }
  ap_buffer_append_format(out, "\"" AP_TREE_PARAMETER_PREFIX "%.*s\"",
                          AP_TEXT_ARG(member->value.text));
  return true;
}

static void write_member(const struct writer *writer, const char *name,
                         const struct ap_json *value) {
  ap_buffer_append(writer->out, ",", 1);
  write_string(writer->out, ap_text_of(name));
  ap_buffer_append(writer->out, ":", 1);
  if (value) {
    write_value(writer, value);
  } else {
    ap_buffer_append_string(writer->out, "null");
  }
}

/* What stood for a table stands for a subquery. */
static void write_subquery(const struct writer *writer, const struct ap_reference *reference,
                           const struct ap_reference_rename *rename) {
  ap_buffer_append_string(writer->out, "{\"type\":\"SUBQUERY\",\"alias\":");
  write_string(writer->out, reference->alias.size > 0 ? reference->alias : reference->name);
  write_member(writer, "sample", ap_json_find(reference->node, "sample"));
  write_member(writer, "query_location", ap_json_find(reference->node, "query_location"));
  ap_buffer_append_string(writer->out, ",\"subquery\":");
  ap_buffer_append_text(writer->out, rename->subquery);
  write_member(writer, "column_name_alias", ap_json_find(reference->node, "column_name_alias"));
  ap_buffer_append_string(writer->out, "}");
}

static void write_object(const struct writer *writer, const struct ap_json *value) {
  const struct ap_reference_rename *rename = NULL;
  const struct ap_reference *reference = renamed_reference(writer, value, &rename);
  bool parameter = writer->names_parameters && is_parameter(value);
  if (reference && rename->subquery.size > 0) {
    write_subquery(writer, reference, rename);
    return;
  }
  ap_buffer_append(writer->out, "{", 1);
  for (uint32_t i = 0; i < value->count; i++) {
    const struct ap_json_member *member = &value->members[i];
    if (i > 0) ap_buffer_append(writer->out, ",", 1);
    write_string(writer->out, member->name);
    ap_buffer_append(writer->out, ":", 1);
    if (reference && write_changed(writer, member->name, reference, rename)) continue;
    if (parameter && write_numbered(writer->out, member)) continue;
    write_value(writer, &member->value);
  }
  ap_buffer_append(writer->out, "}", 1);
}

static void write_value(const struct writer *writer, const struct ap_json *value) {
  switch (value->kind) {
    case AP_JSON_OBJECT:
      write_object(writer, value);
      break;
    case AP_JSON_ARRAY:
      ap_buffer_append(writer->out, "[", 1);
      for (uint32_t i = 0; i < value->count; i++) {
        if (i > 0) ap_buffer_append(writer->out, ",", 1);
        write_value(writer, &value->items[i]);
      }
      ap_buffer_append(writer->out, "]", 1);
      break;
    case AP_JSON_STRING:
      write_string(writer->out, value->text);
      break;
    case AP_JSON_NUMBER:
      ap_buffer_append_text(writer->out, value->text);
      break;
    case AP_JSON_NULL:
      ap_buffer_append_string(writer->out, "null");
      break;
    case AP_JSON_FALSE:
    case AP_JSON_TRUE:
      ap_buffer_append_string(writer->out, value->kind == AP_JSON_TRUE ? "true" : "false");
      break;
  }
}

void ap_tree_write_renamed(struct ap_buffer *out, const struct ap_tree *tree,
                           const struct ap_reference_rename *renamed) {
  struct writer writer = {.out = out, .tree = tree, .renamed = renamed};
  for (uint32_t i = 0; i < tree->reference_count; i++) {
    if (renamed[i].name.size > 0) writer.names_parameters = true;
  }
  write_value(&writer, tree->root);
}

void ap_tree_write_part(struct ap_buffer *out, const struct ap_tree *tree,
                        const struct ap_reference_rename *renamed, const struct ap_json *part) {
  struct writer writer = {.out = out, .tree = tree, .renamed = renamed};
  write_value(&writer, part);
}

void ap_tree_write_named_part(struct ap_buffer *out, const struct ap_tree *tree,
                              const struct ap_json *part) {
  struct writer writer = {.out = out, .tree = tree, .names_parameters = true};
  write_value(&writer, part);
}

void ap_tree_write_select(struct ap_buffer *out, const struct ap_json *expression) {
  const struct ap_tree none = {0};
  struct writer writer = {.out = out, .tree = &none, .names_parameters = true};
  ap_buffer_append_string(out,
                          "{\"error\":false,\"statements\":[{\"node\":{\"type\":\"SELECT_NODE\","
                          "\"modifiers\":[],\"cte_map\":{\"map\":[]},\"select_list\":[");
  write_value(&writer, expression);
  ap_buffer_append_string(
      out,
      "],\"from_table\":{\"type\":\"EMPTY\",\"alias\":\"\",\"sample\":null,\"query_location\":0},"
      "\"where_clause\":null,\"group_expressions\":[],\"group_sets\":[],"
      "\"aggregate_handling\":\"STANDARD_HANDLING\",\"having\":null,\"sample\":null,"
      "\"qualify\":null},\"named_param_map\":[]}]}");
}

void ap_tree_write_value(struct ap_buffer *out, const struct ap_json *value) {
  const struct ap_tree none = {0};
  struct writer writer = {.out = out, .tree = &none};
  write_value(&writer, value);
}
