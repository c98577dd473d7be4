/* SPDX-License-Identifier: Apache-2.0
 *
 * See travel.h. The engine computes the expression; what it may be is a whole number for versions
 * and anything the engine takes for a time for timestamps, in UTC unless it carries a zone.
 */
#include "execute/travel.h"

#include <inttypes.h>

static const char *unit_of(const struct ap_reference *reference) {
  return reference->at == AP_REFERENCE_VERSION ? "VERSION" : "TIMESTAMP";
}

/* SELECT CAST(epoch_us(CAST((SELECT moment) AS TIMESTAMPTZ)) AS VARCHAR) */
static ap_status write_question(struct ap_chamber *chamber, const struct ap_reference *reference,
                                struct ap_buffer *json, struct ap_buffer *moment,
                                struct ap_buffer *sql, ap_error *err) {
  bool is_version = reference->at == AP_REFERENCE_VERSION;
  ap_tree_write_select(json, reference->moment);
  AP_TRY(ap_buffer_check(json, err));
  AP_TRY(ap_chamber_unparse(chamber, ap_buffer_text(json), moment, err));
  ap_buffer_append_string(sql, is_version ? "SELECT CAST((" : "SELECT CAST(epoch_us(CAST((");
  ap_buffer_append_text(sql, ap_buffer_text(moment));
  ap_buffer_append_string(sql, is_version ? ") AS VARCHAR)" : ") AS TIMESTAMPTZ)) AS VARCHAR)");
  return ap_buffer_check(sql, err);
}

static ap_status take_answer(struct ap_reference *reference, struct ap_text value,
                             struct ap_arena *arena, ap_error *err) {
  int64_t number;
  if (value.data == NULL) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "%.*s AT (%s => ...): null",
                   AP_TEXT_ARG(reference->name), unit_of(reference));
  }
  if (!ap_text_parse_i64(value, &number)) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "%.*s AT (VERSION => ...): '%.*s' is no whole number",
                   AP_TEXT_ARG(reference->name), AP_TEXT_ARG(value));
  }
  reference->settled = reference->moment;
  reference->moment = NULL;
  if (reference->at == AP_REFERENCE_VERSION) {
    reference->version = number;
    return AP_OK;
  }
  const char *text = ap_arena_format(arena, "@%" PRId64, number);
  if (text == NULL) return AP_FAIL_MEMORY(err);
  reference->timestamp = ap_text_of(text);
  return AP_OK;
}

/* "ap_1" for the first one, as the tree writes it. */
static ap_status name_parameter(const struct ap_parameter *parameter, uint32_t place,
                                struct ap_arena *arena, struct ap_parameter *out_named,
                                ap_error *err) {
  *out_named = *parameter;
  if (parameter->name.size > 0) return AP_OK;
  const char *name = ap_arena_format(arena, AP_TREE_PARAMETER_PREFIX "%" PRIu32, place + 1);
  if (name == NULL) return AP_FAIL_MEMORY(err);
  out_named->name = ap_text_of(name);
  return AP_OK;
}

/* Frames of one view, read as of one time, have one moment. */
static bool copy_moment(const struct ap_tree *tree, uint32_t index) {
  struct ap_reference *reference = &tree->references[index];
  for (uint32_t i = 0; i < index; ++i) {
    const struct ap_reference *earlier = &tree->references[i];
    if (earlier->settled == NULL || earlier->at != reference->at) continue;
    if (!ap_tree_equal(earlier->settled, reference->moment)) continue;
    reference->version = earlier->version;
    reference->timestamp = earlier->timestamp;
    reference->settled = reference->moment;
    reference->moment = NULL;
    return true;
  }
  return false;
}

static ap_status settle(struct ap_chamber *chamber, struct ap_reference *reference,
                        const struct ap_parameter *parameters, uint32_t parameter_count,
                        struct ap_arena *arena, ap_error *err) {
  struct ap_buffer json;
  struct ap_buffer moment;
  struct ap_buffer sql;
  struct ap_text value = {0};
  struct ap_parameter *named = AP_ARENA_ARRAY(arena, struct ap_parameter, parameter_count + 1);
  if (named == NULL) return AP_FAIL_MEMORY(err);
  for (uint32_t i = 0; i < parameter_count; ++i) {
    AP_TRY(name_parameter(&parameters[i], i, arena, &named[i], err));
  }
  ap_buffer_init(&json, arena->allocator);
  ap_buffer_init(&moment, arena->allocator);
  ap_buffer_init(&sql, arena->allocator);
  ap_status status = write_question(chamber, reference, &json, &moment, &sql, err);
  if (status == AP_OK) {
    status = ap_chamber_evaluate(chamber, ap_buffer_text(&sql), named, parameter_count, NULL, arena,
                                 &value, 1, err);
  }
  if (status != AP_OK) {
    ap_error_prefix(err, status, "%.*s AT (%s => ...)", AP_TEXT_ARG(reference->name),
                    unit_of(reference));
  } else {
    status = take_answer(reference, value, arena, err);
  }
  ap_buffer_deinit(&json);
  ap_buffer_deinit(&moment);
  ap_buffer_deinit(&sql);
  return status;
}

ap_status ap_travel_settle(struct ap_chamber *chamber, struct ap_tree *tree,
                           const struct ap_parameter *parameters, uint32_t parameter_count,
                           struct ap_arena *arena, ap_error *err) {
  for (uint32_t i = 0; i < tree->reference_count; ++i) {
    if (tree->references[i].moment == NULL || copy_moment(tree, i)) continue;
    AP_TRY(settle(chamber, &tree->references[i], parameters, parameter_count, arena, err));
  }
  return AP_OK;
}

/* As the tree knows it. */
static struct ap_text name_in_tree(const struct ap_parameter *named, bool by_place) {
  const size_t prefix = sizeof(AP_TREE_PARAMETER_PREFIX) - 1;
  if (!by_place) return named->name;
  return (struct ap_text){named->name.data + prefix, named->name.size - prefix};
}

ap_status ap_travel_parameters(const struct ap_tree *tree, const struct ap_parameter *parameters,
                               uint32_t parameter_count, struct ap_arena *arena,
                               const struct ap_parameter **out_parameters, uint32_t *out_count,
                               ap_error *err) {
  struct ap_parameter *kept = AP_ARENA_ARRAY(arena, struct ap_parameter, parameter_count + 1);
  if (kept == NULL) return AP_FAIL_MEMORY(err);
  uint32_t count = 0;
  for (uint32_t i = 0; i < parameter_count; ++i) {
    AP_TRY(name_parameter(&parameters[i], i, arena, &kept[count], err));
    struct ap_text name = name_in_tree(&kept[count], parameters[i].name.size == 0);
    if (ap_tree_has_parameter(tree, name, false)) {
      count += 1;
    } else if (!ap_tree_has_parameter(tree, name, true)) {
      return AP_FAIL(err, AP_INVALID_ARGUMENT, "the statement has no parameter $%.*s",
                     AP_TEXT_ARG(name));
    }
  }
  *out_parameters = kept;
  *out_count = count;
  return AP_OK;
}
