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
  if (!type || type->kind != AP_JSON_STRING || !ap_text_equal_string(type->text, "BASE_TABLE")) {
    return NULL;
  }
  for (uint32_t i = 0; i < writer->tree->reference_count; i++) {
    const struct ap_reference *reference = &writer->tree->references[i];
    if (reference->node != node) continue;
    *out_rename = &writer->renamed[i];
    return writer->renamed[i].name.size > 0 ? reference : NULL;
  }
  return NULL;
}

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
    ap_buffer_append_string(writer->out, "null");
  } else {
    return false;
  }
  return true;
}

static void write_value(const struct writer *writer, const struct ap_json *value);

static void write_object(const struct writer *writer, const struct ap_json *value) {
  const struct ap_reference_rename *rename = NULL;
  const struct ap_reference *reference = renamed_reference(writer, value, &rename);
  ap_buffer_append(writer->out, "{", 1);
  for (uint32_t i = 0; i < value->count; i++) {
    const struct ap_json_member *member = &value->members[i];
    if (i > 0) ap_buffer_append(writer->out, ",", 1);
    write_string(writer->out, member->name);
    ap_buffer_append(writer->out, ":", 1);
    if (reference && write_changed(writer, member->name, reference, rename)) continue;
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
  write_value(&writer, tree->root);
}
