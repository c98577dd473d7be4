/* SPDX-License-Identifier: Apache-2.0
 *
 * Schema enforcement: before anything is written, every difference between what comes and what the
 * frame holds is found and named. Columns match exactly, else but for ASCII case.
 */
#include "engine/write.h"

#include "base/assert.h"
#include "base/status.h"

enum { PROBLEMS_MAX = 8 }; /* named in one message */

struct check {
  const struct ap_cell_target *target;
  struct ap_buffer problems;
  uint32_t problem_count;
  bool only_nulls; /* every problem so far is a null where none may be */
};

/* Begin one more problem; false when enough were named. */
static bool begin_problem(struct check *check, struct ap_text column) {
  check->problem_count++;
  if (check->problem_count > PROBLEMS_MAX) return false;
  if (check->problem_count > 1) ap_buffer_append_string(&check->problems, "; ");
  ap_buffer_append_string(&check->problems, "column '");
  ap_buffer_append_text(&check->problems, column);
  ap_buffer_append_string(&check->problems, "' ");
  return true;
}

static const struct ap_field *find_child(const struct ap_type *type, struct ap_text name) {
  struct ap_schema schema = {.field_count = type->field_count, .fields = type->fields};
  int32_t index = ap_schema_find(&schema, name);
  return index < 0 ? NULL : &type->fields[index];
}

/* Whether each value of `from` can be stored as `to`; struct members match by name. */
static bool fits(const struct ap_type *from, const struct ap_type *to) {
  if (from->kind == AP_TYPE_NULL) return true;
  bool nested = to->kind == AP_TYPE_STRUCT || to->kind == AP_TYPE_LIST || to->kind == AP_TYPE_MAP;
  if (!nested) return ap_type_widens(from, to);
  if (from->kind != to->kind || from->field_count != to->field_count) return false;
  for (uint32_t i = 0; i < to->field_count; i++) {
    const struct ap_field *child = &from->fields[i];
    if (to->kind == AP_TYPE_STRUCT) child = find_child(from, to->fields[i].name);
    if (!child || !fits(&child->type, &to->fields[i].type)) return false;
    if (child->type.kind == AP_TYPE_NULL && !to->fields[i].nullable) return false;
  }
  return true;
}

static void check_column(struct check *check, const struct ap_field *expected,
                         const struct ap_field *found) {
  if (found->type.kind == AP_TYPE_NULL && !expected->nullable) {
    if (begin_problem(check, expected->name)) {
      ap_buffer_append_string(&check->problems, "must not be null, but holds nothing but nulls");
    }
    return;
  }
  if (fits(&found->type, &expected->type)) return;
  check->only_nulls = false;
  if (!begin_problem(check, expected->name)) return;
  ap_buffer_append_string(&check->problems, "expects ");
  ap_type_append_word(&check->problems, &expected->type);
  ap_buffer_append_string(&check->problems, ", found ");
  ap_type_append_word(&check->problems, &found->type);
}

/* Columns of the source that no field took. */
static void check_extra(struct check *check, const struct ap_schema *source, const bool *taken) {
  for (uint32_t i = 0; i < source->field_count; i++) {
    if (taken[i]) continue;
    check->only_nulls = false;
    int32_t twin = ap_schema_find(check->target->schema, source->fields[i].name);
    if (!begin_problem(check, source->fields[i].name)) continue;
    ap_buffer_append_string(&check->problems, twin >= 0 ? "is there twice" : "is not in the frame");
  }
}

static ap_status report(struct check *check, ap_error *err) {
  const struct ap_cell_target *target = check->target;
  if (check->problem_count > PROBLEMS_MAX) {
    ap_buffer_append_format(&check->problems, "; and %u more", check->problem_count - PROBLEMS_MAX);
  }
  AP_TRY(ap_buffer_check(&check->problems, err));
  ap_status code = check->only_nulls ? AP_NULL_VIOLATION : AP_SCHEMA_MISMATCH;
  (void)AP_FAIL(err, code, "frame %.*s: %s", AP_TEXT_ARG(target->frame), check->problems.data);
  struct ap_buffer hint;
  ap_buffer_init(&hint, check->problems.allocator);
  for (uint32_t i = 0; i < target->schema->field_count; i++) {
    const struct ap_field *field = &target->schema->fields[i];
    ap_buffer_append_string(&hint, i > 0 ? ", " : "");
    ap_buffer_append_text(&hint, field->name);
    ap_buffer_append_string(&hint, " ");
    ap_type_append_word(&hint, &field->type);
    if (!field->nullable) ap_buffer_append_string(&hint, " not null");
  }
  if (!hint.failed && hint.size > 0) ap_error_hint(err, "the frame's columns are: %s", hint.data);
  ap_buffer_deinit(&hint);
  return code;
}

ap_status ap_write_check(const struct ap_cell_target *target, const struct ap_schema *source,
                         struct ap_arena *arena, uint32_t **out_order, ap_error *err) {
  uint32_t count = target->schema->field_count;
  AP_ASSERT(count > 0 && target->physical->field_count == count);
  uint32_t *order = AP_ARENA_ARRAY(arena, uint32_t, count);
  bool *taken = AP_ARENA_ARRAY(arena, bool, source->field_count + 1);
  if (!order || !taken) return AP_FAIL_MEMORY(err);
  struct check check = {.target = target, .only_nulls = true};
  ap_buffer_init(&check.problems, arena->allocator);
  for (uint32_t i = 0; i < count; i++) {
    const struct ap_field *expected = &target->schema->fields[i];
    int32_t found = ap_schema_find(source, expected->name);
    if (found < 0 && ap_write_has_default(target->rules, i)) {
      order[i] = AP_COLUMN_MISSING;
      continue;
    }
    if (found < 0 || taken[found]) {
      check.only_nulls = false;
      if (begin_problem(&check, expected->name)) {
        ap_buffer_append_string(&check.problems, "is missing");
      }
      continue;
    }
    order[i] = (uint32_t)found;
    taken[found] = true;
    check_column(&check, expected, &source->fields[found]);
  }
  check_extra(&check, source, taken);
  ap_status status = check.problem_count > 0 ? report(&check, err) : AP_OK;
  ap_buffer_deinit(&check.problems);
  if (status == AP_OK) *out_order = order;
  return status;
}
