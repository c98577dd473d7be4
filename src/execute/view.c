/* SPDX-License-Identifier: Apache-2.0
 *
 * What the catalog keeps of a view, as JSON: {"sql":..,"hive":..,"box":..,"columns":[{"name":..,
 * "source":..,"type":..}]}. Members that are not known are passed over.
 */
#include "execute/view.h"

#include "base/limits.h"

void ap_view_write(struct ap_buffer *out, const struct ap_view_definition *view) {
  struct ap_json_writer writer;
  ap_json_writer_init(&writer, out);
  ap_json_begin_object(&writer);
  ap_json_member_string(&writer, "sql", view->sql);
  ap_json_member_string(&writer, "hive", view->hive);
  ap_json_member_string(&writer, "box", view->box);
  ap_json_name(&writer, AP_TEXT("columns"));
  ap_json_begin_array(&writer);
  for (uint32_t i = 0; i < view->column_count; ++i) {
    ap_json_begin_object(&writer);
    ap_json_member_string(&writer, "name", view->columns[i].name);
    ap_json_member_string(&writer, "source", view->columns[i].source);
    ap_json_member_string(&writer, "type", view->columns[i].type);
    ap_json_end_object(&writer);
  }
  ap_json_end_array(&writer);
  ap_json_end_object(&writer);
}

static bool read_column(const struct ap_json *json, struct ap_view_column *column) {
  const struct ap_text none = {0};
  return json->kind == AP_JSON_OBJECT && ap_json_get_text(json, "name", none, &column->name) &&
         ap_json_get_text(json, "source", none, &column->source) &&
         ap_json_get_text(json, "type", none, &column->type) && column->name.size > 0 &&
         column->source.size > 0;
}

ap_status ap_view_read(struct ap_arena *arena, const struct ap_frame_entry *entry,
                       struct ap_view_definition *out_view, ap_error *err) {
  const struct ap_text none = {0};
  const struct ap_json *json = NULL;
  *out_view = (struct ap_view_definition){0};
  ap_status status = ap_json_parse(arena, entry->view, &json, err);
  if (status == AP_OUT_OF_MEMORY) return status;
  const struct ap_json *columns = status == AP_OK ? ap_json_find(json, "columns") : NULL;
  bool fits = columns != NULL && columns->kind == AP_JSON_ARRAY && columns->count > 0 &&
              ap_json_get_text(json, "sql", none, &out_view->sql) &&
              ap_json_get_text(json, "hive", none, &out_view->hive) &&
              ap_json_get_text(json, "box", none, &out_view->box) && out_view->sql.size > 0;
  struct ap_view_column *read =
      fits ? AP_ARENA_ARRAY(arena, struct ap_view_column, columns->count) : NULL;
  if (fits && read == NULL) return AP_FAIL_MEMORY(err);
  for (uint32_t i = 0; fits && i < columns->count; ++i) {
    fits = read_column(&columns->items[i], &read[i]);
  }
  if (!fits) {
    return AP_FAIL(err, AP_CORRUPT, "view %s.%s.%s: its definition in the catalog cannot be read",
                   entry->hive.data, entry->box.data, entry->name.data);
  }
  out_view->columns = read;
  out_view->column_count = columns->count;
  return AP_OK;
}
