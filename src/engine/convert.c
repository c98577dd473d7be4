/* SPDX-License-Identifier: Apache-2.0
 *
 * See convert.h. Expressions are built from the leaves up by recursion over the type, whose depth
 * is limited (AP_TYPE_DEPTH_MAX). Failing allocations are remembered by the buffer.
 */
#include "engine/convert.h"

#include "base/assert.h"
#include "base/limits.h"

static const struct ap_field *find_field(const struct ap_type *from, struct ap_text name) {
  struct ap_schema schema = {.field_count = from->field_count, .fields = from->fields};
  int32_t index = ap_schema_find(&schema, name);
  return index < 0 ? NULL : &from->fields[index];
}

/* The conversion of child i; false when `from` has no such child. */
static bool child_of(const struct ap_conversion *conversion, uint32_t i,
                     struct ap_conversion *out_child, struct ap_text *out_name) {
  const struct ap_field *field = &conversion->from->fields[i];
  if (conversion->to->kind == AP_TYPE_STRUCT) {
    field = find_field(conversion->from, conversion->match->fields[i].name);
    if (!field) return false;
  }
  *out_child = *conversion;
  out_child->from = &field->type;
  out_child->match = &conversion->match->fields[i].type;
  out_child->to = &conversion->to->fields[i].type;
  *out_name = field->name;
  return true;
}

static bool is_timestamp(enum ap_type_kind kind) {
  return kind == AP_TYPE_TIMESTAMP || kind == AP_TYPE_TIMESTAMP_TZ;
}

static bool is_nested(const struct ap_type *type) {
  return type->kind == AP_TYPE_LIST || type->kind == AP_TYPE_STRUCT || type->kind == AP_TYPE_MAP;
}

/* Whether a cast would be wrong, refused, or lose something. */
static bool must_rebuild(const struct ap_conversion *conversion) {
  const struct ap_type *from = conversion->from;
  const struct ap_type *to = conversion->to;
  if (from->kind == AP_TYPE_NULL) return false;
  if (!is_nested(to)) {
    bool time = from->kind == AP_TYPE_TIME || to->kind == AP_TYPE_TIME;
    if (time) return conversion->times_are_integers || from->kind != to->kind;
    return is_timestamp(from->kind) && from->unit == AP_UNIT_NANOSECOND;
  }
  AP_ASSERT(from->kind == to->kind);
  for (uint32_t i = 0; i < to->field_count; i++) {
    struct ap_conversion child;
    struct ap_text name;
    if (!child_of(conversion, i, &child, &name)) return true;
    if (to->kind == AP_TYPE_STRUCT && !ap_text_equal(name, to->fields[i].name)) return true;
    if (must_rebuild(&child)) return true;
  }
  return false;
}

/* Whether kinds, parameters, names and order agree, so that not even a cast is needed. */
static bool is_same(const struct ap_type *from, const struct ap_type *to) {
  if (from->kind != to->kind || from->field_count != to->field_count ||
      from->precision != to->precision || from->scale != to->scale || from->unit != to->unit) {
    return false;
  }
  for (uint32_t i = 0; i < to->field_count; i++) {
    bool named = to->kind == AP_TYPE_STRUCT;
    if (named && !ap_text_equal(from->fields[i].name, to->fields[i].name)) return false;
    if (!is_same(&from->fields[i].type, &to->fields[i].type)) return false;
  }
  return true;
}

bool ap_conversion_is_nothing(const struct ap_conversion *conversion) {
  return is_same(conversion->from, conversion->to) && !must_rebuild(conversion);
}

static void append_cast(struct ap_buffer *out, struct ap_text expression,
                        const struct ap_type *to) {
  ap_buffer_append_string(out, "CAST(");
  ap_buffer_append_text(out, expression);
  ap_buffer_append_string(out, " AS ");
  ap_type_append_sql(out, to);
  ap_buffer_append_string(out, ")");
}

/* CASE WHEN <number> % 1000 <> 0 THEN error(..) ELSE */
static void append_whole_microseconds(struct ap_buffer *out, const struct ap_conversion *conversion,
                                      struct ap_text number) {
  ap_buffer_append_string(out, "CASE WHEN ");
  ap_buffer_append_text(out, number);
  ap_buffer_append_string(out, " % 1000 <> 0 THEN error(");
  ap_buffer_append_literal(out, conversion->complaint);
  ap_buffer_append_string(out, ") ELSE ");
}

/* A number in the source's unit as microseconds. */
static void append_time_number(struct ap_buffer *out, const struct ap_conversion *conversion,
                               struct ap_text expression) {
  switch (conversion->from->unit) {
    case AP_UNIT_NANOSECOND:
      append_whole_microseconds(out, conversion, expression);
      ap_buffer_append_text(out, expression);
      ap_buffer_append_string(out, " // 1000 END");
      return;
    case AP_UNIT_SECOND:
      ap_buffer_append_string(out, "1000000 * CAST(");
      break;
    case AP_UNIT_MILLISECOND:
      ap_buffer_append_string(out, "1000 * CAST(");
      break;
    case AP_UNIT_MICROSECOND:
      ap_buffer_append_string(out, "CAST(");
      break;
  }
  ap_buffer_append_text(out, expression);
  ap_buffer_append_string(out, " AS BIGINT)");
}

static void append_time(struct ap_buffer *out, const struct ap_conversion *conversion,
                        struct ap_text expression) {
  const struct ap_type *from = conversion->from;
  bool to_time = conversion->to->kind == AP_TYPE_TIME;
  if (from->kind == AP_TYPE_TIME && !conversion->times_are_integers) {
    AP_ASSERT(!to_time);
    ap_buffer_append_string(out, "epoch_us(");
    ap_buffer_append_text(out, expression);
    ap_buffer_append_string(out, ")");
    return;
  }
  if (to_time) ap_buffer_append_string(out, "TIME '00:00:00' + to_microseconds(");
  if (from->kind == AP_TYPE_TIME) {
    append_time_number(out, conversion, expression);
  } else {
    ap_buffer_append_text(out, expression);
  }
  if (to_time) ap_buffer_append_string(out, ")");
}

static void append_timestamp(struct ap_buffer *out, const struct ap_conversion *conversion,
                             struct ap_text expression) {
  struct ap_buffer number;
  ap_buffer_init(&number, out->allocator);
  ap_buffer_append_string(&number, "epoch_ns(");
  ap_buffer_append_text(&number, expression);
  ap_buffer_append_string(&number, ")");
  out->failed |= number.failed;
  append_whole_microseconds(out, conversion, ap_buffer_text(&number));
  struct ap_type plain = {.kind = AP_TYPE_TIMESTAMP};
  ap_buffer_clear(&number);
  append_cast(&number, expression, &plain);
  append_cast(out, ap_buffer_text(&number), conversion->to);
  out->failed |= number.failed;
  ap_buffer_append_string(out, " END");
  ap_buffer_deinit(&number);
}

/* struct_extract(e, 'name') */
static void append_member(struct ap_buffer *out, struct ap_text expression, struct ap_text name) {
  ap_buffer_append_string(out, "struct_extract(");
  ap_buffer_append_text(out, expression);
  ap_buffer_append_string(out, ", ");
  ap_buffer_append_literal(out, name);
  ap_buffer_append_string(out, ")");
}

static void append_any(struct ap_buffer *out, const struct ap_conversion *conversion,
                       struct ap_text expression, uint32_t depth);

/* Convert child i, which is reached by struct_extract from the expression. */
static void append_child(struct ap_buffer *out, const struct ap_conversion *conversion, uint32_t i,
                         struct ap_text expression, uint32_t depth) {
  struct ap_conversion child;
  struct ap_text name;
  if (!child_of(conversion, i, &child, &name)) {
    append_cast(out, AP_TEXT("NULL"), &conversion->to->fields[i].type);
    return;
  }
  if (conversion->to->kind == AP_TYPE_MAP) name = i == 0 ? AP_TEXT("key") : AP_TEXT("value");
  struct ap_buffer member;
  ap_buffer_init(&member, out->allocator);
  append_member(&member, expression, name);
  append_any(out, &child, ap_buffer_text(&member), depth + 1);
  out->failed |= member.failed;
  ap_buffer_deinit(&member);
}

static void append_struct(struct ap_buffer *out, const struct ap_conversion *conversion,
                          struct ap_text expression, uint32_t depth) {
  ap_buffer_append_string(out, "CASE WHEN ");
  ap_buffer_append_text(out, expression);
  ap_buffer_append_string(out, " IS NULL THEN NULL ELSE struct_pack(");
  for (uint32_t i = 0; i < conversion->to->field_count; i++) {
    if (i > 0) ap_buffer_append_string(out, ", ");
    ap_buffer_append_identifier(out, conversion->to->fields[i].name);
    ap_buffer_append_string(out, " := ");
    append_child(out, conversion, i, expression, depth);
  }
  ap_buffer_append_string(out, ") END");
}

static void append_list(struct ap_buffer *out, const struct ap_conversion *conversion,
                        struct ap_text expression, uint32_t depth) {
  struct ap_conversion child;
  struct ap_text name;
  bool found = child_of(conversion, 0, &child, &name);
  AP_ASSERT(found);
  struct ap_buffer variable;
  ap_buffer_init(&variable, out->allocator);
  ap_buffer_append_format(&variable, "x%u", depth);
  ap_buffer_append_string(out, "list_transform(");
  ap_buffer_append_text(out, expression);
  ap_buffer_append_format(out, ", lambda x%u: ", depth);
  append_any(out, &child, ap_buffer_text(&variable), depth + 1);
  ap_buffer_append_string(out, ")");
  out->failed |= variable.failed;
  ap_buffer_deinit(&variable);
}

static void append_map(struct ap_buffer *out, const struct ap_conversion *conversion,
                       struct ap_text expression, uint32_t depth) {
  struct ap_buffer variable;
  ap_buffer_init(&variable, out->allocator);
  ap_buffer_append_format(&variable, "x%u", depth);
  ap_buffer_append_string(out, "map_from_entries(list_transform(map_entries(");
  ap_buffer_append_text(out, expression);
  ap_buffer_append_format(out, "), lambda x%u: struct_pack(k := ", depth);
  append_child(out, conversion, 0, ap_buffer_text(&variable), depth);
  ap_buffer_append_string(out, ", v := ");
  append_child(out, conversion, 1, ap_buffer_text(&variable), depth);
  ap_buffer_append_string(out, ")))");
  out->failed |= variable.failed;
  ap_buffer_deinit(&variable);
}

static void append_any(struct ap_buffer *out, const struct ap_conversion *conversion,
                       struct ap_text expression, uint32_t depth) {
  AP_ASSERT(depth <= 2 * AP_TYPE_DEPTH_MAX);
  if (!must_rebuild(conversion)) {
    append_cast(out, expression, conversion->to);
    return;
  }
  switch (conversion->to->kind) {
    case AP_TYPE_STRUCT:
      append_struct(out, conversion, expression, depth);
      return;
    case AP_TYPE_LIST:
      append_list(out, conversion, expression, depth);
      return;
    case AP_TYPE_MAP:
      append_map(out, conversion, expression, depth);
      return;
    default:
      break;
  }
  if (is_timestamp(conversion->from->kind)) {
    append_timestamp(out, conversion, expression);
  } else {
    append_time(out, conversion, expression);
  }
}

void ap_conversion_append(struct ap_buffer *out, const struct ap_conversion *conversion,
                          struct ap_text expression) {
  append_any(out, conversion, expression, 0);
}

bool ap_type_has_strict_parts(const struct ap_type *type) {
  for (uint32_t i = 0; i < type->field_count; i++) {
    bool is_key = type->kind == AP_TYPE_MAP && i == 0;
    if (!is_key && !type->fields[i].nullable) return true;
    if (ap_type_has_strict_parts(&type->fields[i].type)) return true;
  }
  return false;
}

static void append_check(struct ap_buffer *out, const struct ap_conversion *conversion,
                         struct ap_text expression, uint32_t depth);

/* "(part IS NULL) OR <checks within the part>" for child i, reached by `part`. */
static void append_part_check(struct ap_buffer *out, const struct ap_conversion *conversion,
                              uint32_t i, struct ap_text part, uint32_t depth) {
  const struct ap_field *rule = &conversion->match->fields[i];
  bool is_key = conversion->match->kind == AP_TYPE_MAP && i == 0;
  bool strict = !rule->nullable && !is_key;
  struct ap_conversion child;
  struct ap_text name;
  if (strict) {
    ap_buffer_append_text(out, part);
    ap_buffer_append_string(out, " IS NULL");
  } else {
    ap_buffer_append_string(out, "false");
  }
  bool deeper = ap_type_has_strict_parts(&rule->type);
  if (!deeper || !child_of(conversion, i, &child, &name)) return;
  if (child.from->kind == AP_TYPE_NULL) return;
  ap_buffer_append_string(out, " OR ");
  append_check(out, &child, part, depth + 1);
}

static void append_struct_check(struct ap_buffer *out, const struct ap_conversion *conversion,
                                struct ap_text expression, uint32_t depth) {
  struct ap_buffer part;
  ap_buffer_init(&part, out->allocator);
  for (uint32_t i = 0; i < conversion->match->field_count; i++) {
    const struct ap_field *field = find_field(conversion->from, conversion->match->fields[i].name);
    if (!field) continue;
    ap_buffer_clear(&part);
    append_member(&part, expression, field->name);
    out->failed |= part.failed;
    ap_buffer_append_string(out, i > 0 ? " OR (" : "(");
    append_part_check(out, conversion, i, ap_buffer_text(&part), depth);
    ap_buffer_append_string(out, ")");
  }
  ap_buffer_deinit(&part);
}

/* Lists, and the values of maps: some element violates. */
static void append_list_check(struct ap_buffer *out, const struct ap_conversion *conversion,
                              struct ap_text expression, uint32_t depth) {
  bool map = conversion->match->kind == AP_TYPE_MAP;
  struct ap_buffer part;
  ap_buffer_init(&part, out->allocator);
  ap_buffer_append_format(&part, "x%u", depth);
  ap_buffer_append_string(out, map ? "len(list_filter(map_values(" : "len(list_filter((");
  ap_buffer_append_text(out, expression);
  ap_buffer_append_format(out, "), lambda x%u: ", depth);
  append_part_check(out, conversion, map ? 1 : 0, ap_buffer_text(&part), depth);
  ap_buffer_append_string(out, ")) > 0");
  out->failed |= part.failed;
  ap_buffer_deinit(&part);
}

static void append_check(struct ap_buffer *out, const struct ap_conversion *conversion,
                         struct ap_text expression, uint32_t depth) {
  AP_ASSERT(depth <= 2 * AP_TYPE_DEPTH_MAX);
  ap_buffer_append_string(out, "(");
  ap_buffer_append_text(out, expression);
  ap_buffer_append_string(out, " IS NOT NULL AND (");
  if (conversion->match->kind == AP_TYPE_STRUCT) {
    append_struct_check(out, conversion, expression, depth);
  } else {
    append_list_check(out, conversion, expression, depth);
  }
  ap_buffer_append_string(out, "))");
}

void ap_conversion_append_null_check(struct ap_buffer *out, const struct ap_conversion *conversion,
                                     struct ap_text expression) {
  AP_ASSERT(ap_type_has_strict_parts(conversion->match));
  append_check(out, conversion, expression, 0);
}
