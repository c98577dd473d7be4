/* SPDX-License-Identifier: Apache-2.0
 *
 * See replace.h.
 */
#include "execute/replace.h"

#include "base/assert.h"
#include "base/json.h"
#include "base/limits.h"

ap_status ap_replacement_plan(struct ap_replacement *replacement, struct ap_arena *arena,
                              ap_error *err) {
  struct ap_table_definition definition;
  AP_ASSERT(replacement->planned == NULL);
  AP_TRY(ap_frame_define_table(replacement->request, arena, &definition, err));
  ap_status status = ap_ledger_plan_replacement(replacement->frame->ledger, replacement->base,
                                                &definition, &replacement->planned, err);
  return status == AP_OK ? AP_OK : ap_frame_error(replacement->frame, status, err);
}

/* Lists and objects stand in operationParameters as texts. */
static void append_parameters(struct ap_buffer *out, const struct ap_frame_request *request) {
  struct ap_json_writer writer;
  struct ap_json_writer inner;
  struct ap_buffer text;
  ap_buffer_init(&text, out->allocator);
  ap_json_writer_init(&writer, out);
  ap_json_begin_object(&writer);
  ap_json_writer_init(&inner, &text);
  ap_json_begin_array(&inner);
  for (uint32_t i = 0; i < request->partition_by_count; ++i) {
    ap_json_string(&inner, request->partition_by[i]);
  }
  ap_json_end_array(&inner);
  ap_json_member_string(&writer, "partitionBy", ap_buffer_text(&text));
  ap_json_member_string(&writer, "description", request->description);
  ap_buffer_clear(&text);
  ap_json_writer_init(&inner, &text);
  ap_json_begin_object(&inner);
  for (uint32_t i = 0; i < request->property_count; ++i) {
    ap_json_name(&inner, request->properties[i].name);
    ap_json_string(&inner, request->properties[i].value);
  }
  ap_json_end_object(&inner);
  ap_json_member_string(&writer, "properties", ap_buffer_text(&text));
  ap_json_end_object(&writer);
  out->failed |= text.failed;
  ap_buffer_deinit(&text);
}

ap_status ap_replacement_commit(const struct ap_replacement *replacement, struct ap_arena *arena,
                                int64_t *out_version, ap_error *err) {
  struct ap_buffer parameters;
  struct ap_commit_result result = {0};
  ap_buffer_init(&parameters, arena->allocator);
  append_parameters(&parameters, replacement->request);
  ap_status status = ap_buffer_check(&parameters, err);
  if (status == AP_OK) {
    const struct ap_commit commit = {
        .kind = AP_COMMIT_REPLACE,
        .base = replacement->base,
        .replacement = replacement->planned,
        .adds = replacement->adds,
        .add_count = replacement->add_count,
        .reads_all = replacement->reads_all,
        .operation = replacement->has_query ? AP_TEXT("CREATE OR REPLACE TABLE AS SELECT")
                                            : AP_TEXT("CREATE OR REPLACE TABLE"),
        .operation_parameters_json = ap_buffer_text(&parameters),
    };
    status = ap_ledger_commit(replacement->frame->ledger, &commit, &result, err);
    if (status != AP_OK) status = ap_frame_error(replacement->frame, status, err);
  }
  ap_buffer_deinit(&parameters);
  if (status == AP_OK) *out_version = result.version;
  return status;
}

static ap_status replace_once(struct ap_node *node, const struct ap_frame_request *request,
                              ap_error *err) {
  struct ap_replacement replacement = {.request = request};
  struct ap_arena arena;
  int64_t version = 0;
  AP_TRY(ap_node_find_frame(node, request->hive, request->box, request->name, &replacement.frame,
                            err));
  ap_arena_init(&arena, ap_node_env(node)->allocator);
  ap_status status = ap_frame_latest(replacement.frame, &replacement.base, err);
  if (status == AP_OK) status = ap_replacement_plan(&replacement, &arena, err);
  if (status == AP_OK) status = ap_replacement_commit(&replacement, &arena, &version, err);
  ap_snapshot_release(replacement.planned);
  ap_snapshot_release(replacement.base);
  ap_node_release_frame(node, replacement.frame);
  ap_arena_deinit(&arena);
  return status;
}

ap_status ap_frame_replace(struct ap_node *node, const struct ap_frame_request *request,
                           ap_error *err) {
  ap_status status = AP_CONFLICT;
  for (int i = 0; status == AP_CONFLICT && i < AP_CHANGE_ATTEMPTS_MAX; ++i) {
    ap_error_clear(err);
    status = replace_once(node, request, err);
  }
  return status;
}
