/* SPDX-License-Identifier: Apache-2.0
 *
 * See zorder.h. The ranges are found by a tree of CASE expressions over constants, eight
 * comparisons a value, which the engine runs over whole vectors.
 *
 * A row's place is the interleaved number, of which the highest bits suffice; with one column twice
 * the number of its range, and one more unless the value is the range's lower bound: so a value
 * that very many rows have is a place by itself, which needs no sorting, as no other does in which
 * all rows are equal. Nulls come last.
 */
#include "execute/zorder.h"

#include "base/assert.h"

enum {
  BITS = 8,
  BOUNDS = (1 << BITS) - 1,
  SAMPLE_ROWS = 65536,
  PLACE_BITS = 12,  /* places are counted: at most so many */
  ROW_BYTES = 48,   /* what the engine takes for a row that it sorts, beside its values */
  VALUE_BYTES = 16, /* and for a value, beside a text's own bytes */
  BUDGET_SHARE = 2, /* the engine sorts half of its budget without spilling */
  PASSES_MAX = 256, /* each reads everything; beyond that the engine spills */
};

/* No column of a frame can be called so. */
#define PLACE  "\"\x1fz\""
#define NUMBER "\"\x1fn\""
#define RANGE  "\"\x1fr%u\""

struct places {
  struct ap_chamber *chamber;
  const struct ap_zorder_request *request;
  struct ap_arena *arena;
  struct ap_text *bounds;
  struct ap_text rows; /* a query: all columns of the view, and of each row its number and place */
};

static void append_quantiles(struct ap_buffer *out, const struct ap_schema *schema,
                             const uint32_t *fields, uint32_t field_count) {
  for (uint32_t i = 0; i < field_count; ++i) {
    ap_buffer_append_string(out, i > 0 ? ", quantile_disc(" : "quantile_disc(");
    ap_buffer_append_identifier(out, schema->fields[fields[i]].name);
    ap_buffer_append_string(out, ", [");
    for (int bound = 1; bound <= BOUNDS; ++bound) {
      ap_buffer_append_format(out, bound > 1 ? ", %d / %d.0" : "%d / %d.0", bound, BOUNDS + 1);
    }
    ap_buffer_append_format(out, "]) AS q%u", i);
  }
}

/* One row: the bounds of all columns as texts, one column after the other. */
static void append_question(struct ap_buffer *out, struct ap_text view,
                            const struct ap_schema *schema, const uint32_t *fields,
                            uint32_t field_count) {
  ap_buffer_append_string(out, "SELECT ");
  for (uint32_t i = 0; i < field_count; ++i) {
    for (int bound = 1; bound <= BOUNDS; ++bound) {
      ap_buffer_append_format(
          out, i > 0 || bound > 1 ? ", CAST(q%u[%d] AS VARCHAR)" : "CAST(q%u[%d] AS VARCHAR)", i,
          bound);
    }
  }
  ap_buffer_append_string(out, " FROM (SELECT ");
  append_quantiles(out, schema, fields, field_count);
  ap_buffer_append_string(out, " FROM (SELECT ");
  for (uint32_t i = 0; i < field_count; ++i) {
    if (i > 0) ap_buffer_append_string(out, ", ");
    ap_buffer_append_identifier(out, schema->fields[fields[i]].name);
  }
  ap_buffer_append_string(out, " FROM ");
  ap_buffer_append_text(out, view);
  ap_buffer_append_format(out, " USING SAMPLE reservoir(%d ROWS) REPEATABLE (1)))", SAMPLE_ROWS);
}

/* The bits of a column's range number, each at its place among those of the others. */
static int64_t spread(uint32_t range, uint32_t column, uint32_t column_count) {
  int64_t bits = 0;
  for (uint32_t bit = 0; bit < BITS; ++bit) {
    bits |= (int64_t)((range >> bit) & 1) << (bit * column_count + (column_count - 1 - column));
  }
  return bits;
}

/* What a value's range among bounds[low..high) adds to the number: equal bounds leave ranges empty.
 * Its bits are spread here and not by the engine, which would find the range once for each bit. */
static void append_range(struct ap_buffer *out, const struct places *places, uint32_t i, int low,
                         int high) {
  const struct ap_zorder_request *request = places->request;
  const struct ap_field *field = &request->schema->fields[request->fields[i]];
  bool is_leaf = low == high;
  bool alone = request->field_count == 1;
  if (is_leaf && (!alone || low == 0)) {
    int64_t number = alone ? 1 : spread((uint32_t)low, i, request->field_count);
    ap_buffer_append_format(out, "%lld", (long long)number);
    return;
  }
  int bound = is_leaf ? low - 1 : low + (high - low) / 2;
  ap_buffer_append_string(out, "CASE WHEN ");
  ap_buffer_append_identifier(out, field->name);
  ap_buffer_append_string(out, is_leaf ? " = CAST(" : " < CAST(");
  ap_buffer_append_literal(out, places->bounds[i * BOUNDS + (uint32_t)bound]);
  ap_buffer_append_string(out, " AS ");
  ap_type_append_sql(out, &field->type);
  ap_buffer_append_string(out, ") THEN ");
  if (is_leaf) {
    ap_buffer_append_format(out, "%d ELSE %d END", 2 * low, 2 * low + 1);
    return;
  }
  append_range(out, places, i, low, bound);
  ap_buffer_append_string(out, " ELSE ");
  append_range(out, places, i, bound + 1, high);
  ap_buffer_append_string(out, " END");
}

/* SELECT *, <range of each column> FROM view */
static void append_ranges(struct ap_buffer *out, const struct places *places) {
  const struct ap_zorder_request *request = places->request;
  bool alone = request->field_count == 1;
  ap_buffer_append_string(out, "SELECT *");
  for (uint32_t i = 0; i < request->field_count; ++i) {
    ap_buffer_append_string(out, ", CAST(CASE WHEN ");
    ap_buffer_append_identifier(out, request->schema->fields[request->fields[i]].name);
    ap_buffer_append_format(out, " IS NULL THEN %d ELSE ", alone ? 2 * (BOUNDS + 1) : 0);
    append_range(out, places, i, 0, BOUNDS);
    ap_buffer_append_format(out, " END AS BIGINT) AS " RANGE, i);
  }
  ap_buffer_append_string(out, " FROM ");
  ap_buffer_append_text(out, request->view);
}

static void append_rows(struct ap_buffer *out, const struct places *places) {
  uint32_t count = places->request->field_count;
  uint32_t bits = count * BITS;
  ap_buffer_append_string(out, "SELECT * EXCLUDE (");
  for (uint32_t i = 0; i < count; ++i) {
    ap_buffer_append_format(out, i > 0 ? ", " RANGE : RANGE, i);
  }
  ap_buffer_append_format(out, "), " NUMBER " >> %u AS " PLACE " FROM (SELECT *, ",
                          count > 1 && bits > PLACE_BITS ? bits - PLACE_BITS : 0);
  for (uint32_t i = 0; i < count; ++i) ap_buffer_append_format(out, i > 0 ? " + " RANGE : RANGE, i);
  ap_buffer_append_string(out, " AS " NUMBER " FROM (");
  append_ranges(out, places);
  ap_buffer_append_string(out, "))");
}

static void append_columns(struct ap_buffer *out, const struct ap_zorder_request *request) {
  for (uint32_t i = 0; i < request->field_count; ++i) {
    if (i > 0) ap_buffer_append_string(out, ", ");
    ap_buffer_append_identifier(out, request->schema->fields[request->fields[i]].name);
  }
}

/* ---- passes ---------------------------------------------------------------------------------- */

/* What the engine takes for the rows while it sorts them. */
static void append_weight(struct ap_buffer *out, const struct ap_schema *schema) {
  ap_buffer_append_format(out, "sum(CAST(%u",
                          (unsigned)(ROW_BYTES + VALUE_BYTES * schema->field_count));
  for (uint32_t i = 0; i < schema->field_count; ++i) {
    const struct ap_field *field = &schema->fields[i];
    bool is_text = field->type.kind == AP_TYPE_STRING;
    bool is_binary = field->type.kind == AP_TYPE_BINARY;
    if (!is_text && !is_binary && field->type.field_count == 0) continue;
    ap_buffer_append_string(out, is_binary ? " + coalesce(octet_length("
                                 : is_text ? " + coalesce(strlen("
                                           : " + coalesce(strlen(CAST(");
    ap_buffer_append_identifier(out, field->name);
    ap_buffer_append_string(out, is_text || is_binary ? "), 0)" : " AS VARCHAR)), 0)");
  }
  ap_buffer_append_string(out, " AS BIGINT))");
}

/* One text: of every place with rows "number bytes sorted;", in order. With one column a place is
 * in order when all its rows are the bound or null; else when all have the same number. */
static ap_status weigh(const struct places *places, struct ap_text *out_weights, ap_error *err) {
  const struct ap_zorder_request *request = places->request;
  struct ap_buffer sql;
  ap_buffer_init(&sql, places->request->allocator);
  ap_buffer_append_string(&sql,
                          "SELECT string_agg(p || ' ' || w || ' ' || s, ';' ORDER BY p) || ';' "
                          "FROM (SELECT " PLACE " AS p, ");
  append_weight(&sql, request->schema);
  ap_buffer_append_string(&sql, " AS w, ");
  ap_buffer_append_string(&sql, request->field_count == 1 ? "CAST(min(" PLACE ") > 1 AND min(" PLACE
                                                            ") % 2 = 0 AS INTEGER)"
                                                          : "CAST(min(" NUMBER ") = max(" NUMBER
                                                            ") AS INTEGER)");
  ap_buffer_append_string(&sql, " AS s FROM (");
  ap_buffer_append_text(&sql, places->rows);
  ap_buffer_append_string(&sql, ") GROUP BY 1)");
  ap_status status = ap_buffer_check(&sql, err);
  if (status == AP_OK) {
    status = ap_chamber_evaluate(places->chamber, ap_buffer_text(&sql), NULL, 0, request->control,
                                 places->arena, out_weights, 1, err);
  }
  ap_buffer_deinit(&sql);
  return status;
}

struct place {
  int64_t number;
  int64_t bytes;
  bool sorted;
};

/* The next of the weights; false at their end. */
static bool next_place(struct ap_text *io_weights, struct place *out_place) {
  int64_t numbers[3] = {0};
  if (io_weights->size == 0) return false;
  for (int i = 0; i < 3; ++i) {
    size_t size = 0;
    while (size < io_weights->size && io_weights->data[size] != ' ' &&
           io_weights->data[size] != ';') {
      size++;
    }
    bool ok = ap_text_parse_i64((struct ap_text){io_weights->data, size}, &numbers[i]);
    AP_ASSERT(ok && size < io_weights->size);
    io_weights->data += size + 1;
    io_weights->size -= size + 1;
  }
  *out_place = (struct place){numbers[0], numbers[1], numbers[2] != 0};
  return true;
}

struct pass {
  int64_t first;
  int64_t last;
  int64_t bytes;
  uint32_t places;
  bool sorted;
};

static ap_status append_pass(struct places *places, const struct pass *pass, bool whole,
                             struct ap_zorder *zorder, ap_error *err) {
  struct ap_buffer sql;
  bool alone = places->request->field_count == 1;
  ap_buffer_init(&sql, places->request->allocator);
  ap_buffer_append_string(&sql, "SELECT * EXCLUDE (" NUMBER ", " PLACE ") FROM (");
  ap_buffer_append_text(&sql, places->rows);
  ap_buffer_append_string(&sql, ")");
  if (!whole) {
    ap_buffer_append_format(&sql, " WHERE " PLACE " BETWEEN %lld AND %lld", (long long)pass->first,
                            (long long)pass->last);
  }
  if (!pass->sorted) {
    ap_buffer_append_string(&sql, alone ? " ORDER BY " : " ORDER BY " NUMBER ", ");
    append_columns(&sql, places->request);
  }
  ap_status status = ap_buffer_check(&sql, err);
  const char *copy = ap_arena_copy(places->arena, ap_buffer_text(&sql));
  if (status == AP_OK && copy == NULL) status = AP_FAIL_MEMORY(err);
  if (status == AP_OK) {
    AP_ASSERT(zorder->query_count < zorder->queries_max);
    zorder->queries[zorder->query_count++] = (struct ap_text){copy, sql.size};
  }
  ap_buffer_deinit(&sql);
  return status;
}

/* Neighbouring places together while they fit. One that is too large and in order is a pass by
 * itself, so that nothing of it is sorted; a large one that is not, too: the engine spills. */
static ap_status make_passes(struct places *places, struct ap_text weights, int64_t pass_bytes,
                             struct ap_zorder *zorder, ap_error *err) {
  struct ap_text rest = weights;
  struct place place;
  struct pass pass = {0};
  while (next_place(&rest, &place)) {
    bool fits = pass.places > 0 && pass.bytes + place.bytes <= pass_bytes;
    if (pass.places > 0 && !fits) {
      AP_TRY(append_pass(places, &pass, false, zorder, err));
      pass = (struct pass){0};
    }
    if (pass.places == 0) pass.first = place.number;
    pass.last = place.number;
    pass.bytes += place.bytes;
    pass.sorted = pass.places == 0 && place.sorted;
    pass.places++;
  }
  if (pass.places == 0) return AP_OK;
  return append_pass(places, &pass, zorder->query_count == 0, zorder, err);
}

static ap_status plan_passes(struct places *places, struct ap_zorder *zorder, ap_error *err) {
  struct ap_text weights;
  struct ap_text rest;
  struct place place;
  int64_t bytes = 0;
  uint32_t count = 0;
  AP_TRY(weigh(places, &weights, err));
  for (rest = weights; next_place(&rest, &place); ++count) bytes += place.bytes;
  zorder->queries_max = count + 1;
  zorder->queries = AP_ARENA_ARRAY(places->arena, struct ap_text, count + 1);
  if (zorder->queries == NULL) return AP_FAIL_MEMORY(err);
  int64_t pass_bytes = places->request->budget_bytes / BUDGET_SHARE;
  if (pass_bytes < bytes / PASSES_MAX) pass_bytes = bytes / PASSES_MAX;
  return make_passes(places, weights, pass_bytes, zorder, err);
}

/* ---- the whole ------------------------------------------------------------------------------- */

static ap_status find_bounds(struct places *places, bool *out_known, ap_error *err) {
  const struct ap_zorder_request *request = places->request;
  uint32_t count = request->field_count * BOUNDS;
  struct ap_buffer question;
  places->bounds = AP_ARENA_ARRAY(places->arena, struct ap_text, count);
  if (places->bounds == NULL) return AP_FAIL_MEMORY(err);
  ap_buffer_init(&question, places->request->allocator);
  append_question(&question, request->view, request->schema, request->fields, request->field_count);
  ap_status status = ap_buffer_check(&question, err);
  if (status == AP_OK) {
    status = ap_chamber_evaluate(places->chamber, ap_buffer_text(&question), NULL, 0,
                                 request->control, places->arena, places->bounds, count, err);
  }
  ap_buffer_deinit(&question);
  if (status != AP_OK) return status;
  *out_known = true; /* of a column of nothing but nulls there are no quantiles */
  for (uint32_t i = 0; i < count; ++i) *out_known = *out_known && places->bounds[i].data != NULL;
  return AP_OK;
}

/* Without bounds: sorted by the columns, all at once. */
static ap_status plan_plain(struct places *places, struct ap_zorder *zorder, ap_error *err) {
  struct ap_buffer sql;
  ap_buffer_init(&sql, places->request->allocator);
  ap_buffer_append_string(&sql, "SELECT * FROM ");
  ap_buffer_append_text(&sql, places->request->view);
  ap_buffer_append_string(&sql, " ORDER BY ");
  append_columns(&sql, places->request);
  ap_status status = ap_buffer_check(&sql, err);
  const char *copy = ap_arena_copy(places->arena, ap_buffer_text(&sql));
  zorder->queries = AP_ARENA_ARRAY(places->arena, struct ap_text, 1);
  if (status == AP_OK && (copy == NULL || zorder->queries == NULL)) status = AP_FAIL_MEMORY(err);
  if (status == AP_OK) {
    zorder->queries[0] = (struct ap_text){copy, sql.size};
    zorder->query_count = 1;
  }
  ap_buffer_deinit(&sql);
  return status;
}

ap_status ap_zorder_plan(struct ap_chamber *chamber, const struct ap_zorder_request *request,
                         struct ap_arena *arena, struct ap_zorder *out_zorder, ap_error *err) {
  AP_ASSERT(request->field_count >= 1 && request->field_count <= AP_ZORDER_COLUMNS_MAX);
  AP_ASSERT(request->budget_bytes > 0);
  struct places places = {.chamber = chamber, .request = request, .arena = arena};
  bool known = false;
  *out_zorder = (struct ap_zorder){0};
  AP_TRY(find_bounds(&places, &known, err));
  if (!known) return plan_plain(&places, out_zorder, err);
  struct ap_buffer rows;
  ap_buffer_init(&rows, request->allocator);
  append_rows(&rows, &places);
  ap_status status = ap_buffer_check(&rows, err);
  places.rows = ap_buffer_text(&rows);
  if (status == AP_OK) status = plan_passes(&places, out_zorder, err);
  ap_buffer_deinit(&rows);
  return status;
}
