/* SPDX-License-Identifier: Apache-2.0
 *
 * The public calls about hives, boxes and frames.
 */
#include "execute/definition.h"

#include "api/handles.h"
#include "base/limits.h"
#include "execute/report.h"

#include <string.h>

#define CATALOG(apiary) ap_node_catalog((apiary)->node)

ap_status ap_api_check_names(const char *hive, const char *box, const char *frame, ap_error *err) {
  const char *missing = hive == NULL    ? "hive"
                        : box == NULL   ? "box"
                        : frame == NULL ? "frame"
                                        : NULL;
  if (missing != NULL) return AP_FAIL(err, AP_INVALID_ARGUMENT, "%s is NULL", missing);
  return AP_OK;
}

ap_status ap_hive_create(ap_apiary *apiary, const char *hive, bool if_absent, ap_error *err) {
  AP_TRY(ap_api_check_names(hive, "", "", err));
  return ap_catalog_create_hive(CATALOG(apiary), ap_text_of(hive), if_absent, err);
}

ap_status ap_box_create(ap_apiary *apiary, const char *hive, const char *box, bool if_absent,
                        ap_error *err) {
  AP_TRY(ap_api_check_names(hive, box, "", err));
  return ap_catalog_create_box(CATALOG(apiary), ap_text_of(hive), ap_text_of(box), if_absent, err);
}

ap_status ap_hive_rename(ap_apiary *apiary, const char *hive, const char *new_name, ap_error *err) {
  AP_TRY(ap_api_check_names(hive, new_name, "", err));
  return ap_catalog_rename_hive(CATALOG(apiary), ap_text_of(hive), ap_text_of(new_name), err);
}

ap_status ap_box_rename(ap_apiary *apiary, const char *hive, const char *box, const char *new_name,
                        ap_error *err) {
  AP_TRY(ap_api_check_names(hive, box, new_name, err));
  return ap_catalog_rename_box(CATALOG(apiary), ap_text_of(hive), ap_text_of(box),
                               ap_text_of(new_name), err);
}

ap_status ap_frame_rename(ap_apiary *apiary, const char *hive, const char *box, const char *frame,
                          const char *new_name, ap_error *err) {
  AP_TRY(ap_api_check_names(hive, box, frame, err));
  AP_TRY(ap_api_check_names(new_name, "", "", err));
  return ap_catalog_rename_frame(CATALOG(apiary), ap_text_of(hive), ap_text_of(box),
                                 ap_text_of(frame), ap_text_of(new_name), err);
}

static ap_status drop(ap_apiary *apiary, const char *hive, const char *box, const char *frame,
                      bool cascade, bool if_exists, ap_error *err) {
  const struct ap_drop_request request = {.hive = ap_text_of(hive),
                                          .box = ap_text_of(box),
                                          .name = ap_text_of(frame),
                                          .cascade = cascade,
                                          .if_exists = if_exists};
  return ap_drop(apiary->node, &request, err);
}

ap_status ap_hive_drop(ap_apiary *apiary, const char *hive, bool cascade, bool if_exists,
                       ap_error *err) {
  AP_TRY(ap_api_check_names(hive, "", "", err));
  return drop(apiary, hive, NULL, NULL, cascade, if_exists, err);
}

/* An empty name would mean the level above: it is refused as a name first. */
ap_status ap_box_drop(ap_apiary *apiary, const char *hive, const char *box, bool cascade,
                      bool if_exists, ap_error *err) {
  AP_TRY(ap_api_check_names(hive, box, "", err));
  AP_TRY(ap_catalog_check_name("box", ap_text_of(box), err));
  return drop(apiary, hive, box, NULL, cascade, if_exists, err);
}

ap_status ap_frame_drop(ap_apiary *apiary, const char *hive, const char *box, const char *frame,
                        bool if_exists, ap_error *err) {
  AP_TRY(ap_api_check_names(hive, box, frame, err));
  AP_TRY(ap_catalog_check_name("box", ap_text_of(box), err));
  AP_TRY(ap_catalog_check_name("frame", ap_text_of(frame), err));
  return drop(apiary, hive, box, frame, false, if_exists, err);
}

/* ---- creating a frame ------------------------------------------------------------------------ */

static ap_status schema_of_columns(struct ap_arena *arena, const ap_column *columns, size_t count,
                                   struct ap_schema *out_schema, ap_error *err) {
  if (count > AP_COLUMNS_MAX) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "%zu columns; at most %d are allowed", count,
                   AP_COLUMNS_MAX);
  }
  struct ap_field *fields = AP_ARENA_ARRAY(arena, struct ap_field, count + 1);
  if (fields == NULL) return AP_FAIL_MEMORY(err);
  for (size_t i = 0; i < count; ++i) {
    if (columns[i].name == NULL || columns[i].type == NULL) {
      return AP_FAIL(err, AP_INVALID_ARGUMENT, "column %zu has no name or no type", i);
    }
    const char *name = ap_arena_copy_string(arena, columns[i].name);
    if (name == NULL) return AP_FAIL_MEMORY(err);
    fields[i].name = ap_text_of(name);
    ap_status status = ap_type_parse(arena, ap_text_of(columns[i].type), &fields[i].type,
                                     &fields[i].nullable, err);
    if (status != AP_OK) return ap_error_prefix(err, status, "column '%s'", name);
  }
  *out_schema = (struct ap_schema){(uint32_t)count, fields};
  return AP_OK;
}

static ap_status read_definition(struct ap_arena *arena, const ap_frame_definition *definition,
                                 struct ap_schema *schema, struct ap_frame_request *request,
                                 ap_error *err) {
  size_t partition_count = AP_OPTION(definition, partition_by_count, 0);
  size_t property_count = AP_OPTION(definition, property_count, 0);
  size_t column_count = AP_OPTION(definition, column_count, 0);
  const struct ArrowSchema *arrow = AP_OPTION(definition, schema, NULL);
  if (column_count > 0 && definition->columns != NULL) {
    AP_TRY(schema_of_columns(arena, definition->columns, column_count, schema, err));
  } else if (column_count == 0 && arrow != NULL) {
    AP_TRY(ap_schema_from_arrow(arena, arrow, schema, err));
  } else {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "a frame needs columns");
  }
  if (partition_count > AP_PARTITION_COLUMNS_MAX || property_count > AP_PROPERTIES_MAX) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT,
                   "%zu partition columns and %zu properties; at most %d and %d are allowed",
                   partition_count, property_count, AP_PARTITION_COLUMNS_MAX, AP_PROPERTIES_MAX);
  }
  struct ap_text *partitions = AP_ARENA_ARRAY(arena, struct ap_text, partition_count + 1);
  struct ap_property *properties = AP_ARENA_ARRAY(arena, struct ap_property, property_count + 1);
  if (partitions == NULL || properties == NULL) return AP_FAIL_MEMORY(err);
  for (size_t i = 0; i < partition_count; ++i) {
    if (definition->partition_by[i] == NULL) {
      return AP_FAIL(err, AP_INVALID_ARGUMENT, "partition column %zu has no name", i);
    }
    partitions[i] = ap_text_of(definition->partition_by[i]);
  }
  for (size_t i = 0; i < property_count; ++i) {
    properties[i].name = ap_text_of(definition->properties[i].name);
    properties[i].value = ap_text_of(definition->properties[i].value);
  }
  request->schema = schema;
  request->partition_by = partitions;
  request->partition_by_count = (uint32_t)partition_count;
  request->description = ap_text_of(AP_OPTION(definition, description, NULL));
  request->properties = properties;
  request->property_count = (uint32_t)property_count;
  return AP_OK;
}

ap_status ap_frame_create(ap_apiary *apiary, const char *hive, const char *box, const char *frame,
                          const ap_frame_definition *definition, bool if_absent, ap_error *err) {
  AP_TRY(ap_api_check_names(hive, box, frame, err));
  if (definition == NULL) return AP_FAIL(err, AP_INVALID_ARGUMENT, "definition is NULL");
  struct ap_arena arena;
  struct ap_schema schema = {0};
  struct ap_frame_request request = {.hive = ap_text_of(hive),
                                     .box = ap_text_of(box),
                                     .name = ap_text_of(frame),
                                     .if_absent = if_absent};
  ap_arena_init(&arena, ap_env_system()->allocator);
  ap_status status = read_definition(&arena, definition, &schema, &request, err);
  if (status == AP_OK) status = ap_frame_define(apiary->node, &request, err);
  ap_arena_deinit(&arena);
  return status;
}

ap_status ap_frame_attach(ap_apiary *apiary, const char *hive, const char *box, const char *frame,
                          const char *folder, ap_error *err) {
  AP_TRY(ap_api_check_names(hive, box, frame, err));
  if (folder == NULL) return AP_FAIL(err, AP_INVALID_ARGUMENT, "folder is NULL");
  struct ap_text location = ap_text_of(folder);
  if (location.size > 1 && ap_text_ends_with(location, AP_TEXT("/"))) location.size -= 1;
  const struct ap_attach_request request = {.hive = ap_text_of(hive),
                                            .box = ap_text_of(box),
                                            .name = ap_text_of(frame),
                                            .location = location};
  return ap_attach(apiary->node, &request, err);
}

/* ---- lists ----------------------------------------------------------------------------------- */

struct ap_names {
  struct ap_arena arena;
  struct ap_frame_entry *entries;
  uint32_t count;
  int level; /* 0: hives, 1: boxes, 2: frames */
};

ap_status ap_list(ap_apiary *apiary, const char *hive, const char *box, ap_names **out_names,
                  ap_error *err) {
  struct ap_allocator *allocator = ap_env_system()->allocator;
  struct ap_names *names = ap_allocate_zeroed(allocator, 1, sizeof *names);
  if (names == NULL) return AP_FAIL_MEMORY(err);
  ap_arena_init(&names->arena, allocator);
  names->level = hive == NULL ? 0 : box == NULL ? 1 : 2;
  ap_status status = AP_OK;
  if (names->level == 0) {
    status =
        ap_catalog_list_hives(CATALOG(apiary), &names->arena, &names->entries, &names->count, err);
  } else if (names->level == 1) {
    status = ap_catalog_check_name("hive", ap_text_of(hive), err);
    if (status == AP_OK) {
      status = ap_catalog_list_boxes(CATALOG(apiary), ap_text_of(hive), &names->arena,
                                     &names->entries, &names->count, err);
    }
  } else {
    status = ap_catalog_check_name("hive", ap_text_of(hive), err);
    if (status == AP_OK) status = ap_catalog_check_name("box", ap_text_of(box), err);
    if (status == AP_OK) {
      status = ap_catalog_list_frames(CATALOG(apiary), ap_text_of(hive), ap_text_of(box),
                                      &names->arena, &names->entries, &names->count, err);
    }
  }
  if (status != AP_OK) {
    ap_names_free(names);
    return status;
  }
  *out_names = names;
  return AP_OK;
}

size_t ap_names_count(const ap_names *names) {
  return names->count;
}

const char *ap_names_get(const ap_names *names, size_t index) {
  if (index >= names->count) return NULL;
  const struct ap_frame_entry *entry = &names->entries[index];
  return names->level == 0   ? entry->hive.data
         : names->level == 1 ? entry->box.data
                             : entry->name.data;
}

void ap_names_free(ap_names *names) {
  if (names == NULL) return;
  ap_arena_deinit(&names->arena);
  ap_free(ap_env_system()->allocator, names);
}

/* ---- about a frame --------------------------------------------------------------------------- */

ap_status ap_frame_describe(ap_apiary *apiary, const char *hive, const char *box, const char *frame,
                            char **out_json, ap_error *err) {
  AP_TRY(ap_api_check_names(hive, box, frame, err));
  struct ap_buffer json;
  ap_buffer_init(&json, ap_env_system()->allocator);
  ap_status status = ap_report_frame(apiary->node, ap_text_of(hive), ap_text_of(box),
                                     ap_text_of(frame), &json, err);
  if (status == AP_OK) status = ap_api_hand_out(&json, out_json, err);
  ap_buffer_deinit(&json);
  return status;
}

ap_status ap_frame_history(ap_apiary *apiary, const char *hive, const char *box, const char *frame,
                           uint32_t limit, struct ArrowArrayStream *out_stream, ap_error *err) {
  AP_TRY(ap_api_check_names(hive, box, frame, err));
  return ap_answer_history(apiary->node, ap_text_of(hive), ap_text_of(box), ap_text_of(frame),
                           limit, out_stream, err);
}

ap_status ap_frame_checkpoint(ap_apiary *apiary, const char *hive, const char *box,
                              const char *frame, int64_t *out_version, ap_error *err) {
  AP_TRY(ap_api_check_names(hive, box, frame, err));
  struct ap_frame *found = NULL;
  int64_t version = 0;
  AP_TRY(ap_node_find_frame(apiary->node, ap_text_of(hive), ap_text_of(box), ap_text_of(frame),
                            &found, err));
  ap_status status = ap_ledger_checkpoint(found->ledger, &version, err);
  if (status != AP_OK) ap_frame_error(found, status, err);
  ap_node_release_frame(apiary->node, found);
  if (status == AP_OK && out_version != NULL) *out_version = version;
  return status;
}
