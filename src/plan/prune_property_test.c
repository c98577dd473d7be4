/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: no cell that holds a matching row is ever pruned, and ap_prune_exact is exact.
 * Method: random cells of random rows (integers, floats with NaN, infinities and -0.0, decimals,
 * strings, dates, timestamps, booleans, nulls), statistics computed here from the rows in the forms
 * that we and other writers use, random conditions written as the engine's tree and evaluated row
 * by row here in three-valued logic, by code that shares nothing with the product. That pruning
 * happens is counted, so that keeping everything would fail. Random, with a printed seed.
 */
#include "plan/prune.h"

#include "testing/check.h"
#include "testing/random.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum {
  ROUNDS = 12500, /* conditions, each over CELLS cells */
  CELLS = 8,
  ROWS_MAX = 6,
  ITEMS_MAX = 5,
};

/* The columns; the last three are partition columns. */
enum column { I32, I64, F32, F64, DEC, STR, DAY, TS, TZ, BOO, P_STR, P_INT, P_DAY, COLUMNS };

static const char *const names[COLUMNS] = {"i32", "i64", "f32", "f64",   "dec",   "str",  "day",
                                           "ts",  "tz",  "boo", "p_str", "p_int", "p_day"};

/* A value of a column: numbers and times in i (decimals in hundredths), floats in f. */
struct value {
  bool null;
  int64_t i;
  double f;
  const char *s;
};

struct cell {
  struct value rows[ROWS_MAX][COLUMNS];
  int row_count;
};

static struct ap_random *dice;
static struct ap_seeded_random seeded;

static uint64_t below(uint64_t bound) {
  return ap_random_below(dice, bound);
}

static bool one_in(uint64_t chances) {
  return below(chances) == 0;
}

static enum column base_of(enum column column) {
  return column == P_STR ? STR : column == P_INT ? I32 : column == P_DAY ? DAY : column;
}

static const char *const words[] = {"",  "a",  "ab",  "abc", "abd", "b",        "ba",
                                    "z", "zz", "a%b", "a_",  "A",   "\xC3\xA9", "\xC3\xA9t"};
static const double floats[] = {0.0,  -0.0, 0.1,  0.25, 0.5, 1.0,      1.5,       2.0,
                                -1.0, -2.5, 10.0, 1e10, NAN, INFINITY, -INFINITY, 16777217.0};

/* Values gather around a centre, so that cells have narrow ranges now and then. */
static int64_t near(int64_t centre, uint64_t spread) {
  return centre + (int64_t)below(2 * spread + 1) - (int64_t)spread;
}

#define DAY_MICROS (INT64_C(86400) * 1000000)

static struct value random_value(enum column column, int64_t centre, uint64_t spread) {
  struct value value = {.null = false};
  int64_t number = near(centre, spread);
  switch (base_of(column)) {
    case F32:
    case F64:
      value.f = one_in(3) ? floats[below(sizeof(floats) / sizeof(*floats))] : (double)number / 4;
      if (base_of(column) == F32) value.f = (double)(float)value.f;
      break;
    case STR:
      value.s = words[(uint64_t)(number + 1000) % (sizeof(words) / sizeof(*words))];
      break;
    case DEC:
      value.i = number * 25;
      break;
    case DAY:
      value.i = 19700 + number;
      break;
    case TS:
    case TZ:
      value.i = (19700 + number) * DAY_MICROS +
                (one_in(2) ? 0 : (int64_t)below(86400) * 1000000 + (int64_t)below(4) * 400);
      break;
    case BOO:
      value.i = number & 1;
      break;
    default:
      value.i = number;
      break;
  }
  return value;
}

static void random_cell(struct cell *cell) {
  cell->row_count = 1 + (int)below(ROWS_MAX);
  for (int column = 0; column < COLUMNS; column++) {
    int64_t centre = near(0, 8);
    uint64_t spread = below(4);
    uint64_t nulls = below(4); /* 0: all are null; 1: every second; else none */
    struct value constant = random_value((enum column)column, centre, spread);
    constant.null = one_in(5);
    for (int row = 0; row < cell->row_count; row++) {
      struct value *value = &cell->rows[row][column];
      *value = random_value((enum column)column, centre, spread);
      value->null = (nulls == 0 && one_in(2)) || (nulls == 1 && one_in(2));
      if (column >= P_STR) *value = constant;
    }
    if (nulls == 0 && column < P_STR) {
      for (int row = 0; row < cell->row_count; row++) cell->rows[row][column].null = true;
    }
  }
}

static int sign(double difference) {
  return (difference > 0) - (difference < 0);
}

static int compare_floats(double a, double b) {
  if (isnan(a) || isnan(b)) return (isnan(a) != 0) - (isnan(b) != 0);
  return a == b ? 0 : sign(isinf(a) ? a : isinf(b) ? -b : a - b);
}

static int compare_same(enum column column, const struct value *a, const struct value *b) {
  enum column base = base_of(column);
  if (base == F32 || base == F64) return compare_floats(a->f, b->f);
  if (base == STR) return sign(strcmp(a->s, b->s));
  return (a->i > b->i) - (a->i < b->i);
}

static void append_timestamp(struct ap_buffer *out, int64_t micros, bool milliseconds,
                             const char *zone) {
  struct ap_value value = {.kind = AP_VALUE_DATE};
  int64_t days = micros / DAY_MICROS;
  int64_t rest = micros % DAY_MICROS;
  value.i64 = days;
  ap_value_append_text(out, &value);
  ap_buffer_append_format(out, "T%02d:%02d:%02d.", (int)(rest / 3600000000),
                          (int)(rest / 60000000 % 60), (int)(rest / 1000000 % 60));
  if (milliseconds) {
    ap_buffer_append_format(out, "%03d%s", (int)(rest % 1000000 / 1000), zone);
  } else {
    ap_buffer_append_format(out, "%06d%s", (int)(rest % 1000000), zone);
  }
}

static void append_bound(struct ap_buffer *out, enum column column, const struct value *value,
                         bool own) {
  struct ap_value day = {.kind = AP_VALUE_DATE};
  switch (base_of(column)) {
    case F32:
    case F64:
      ap_buffer_append_f64(out, value->f);
      break;
    case STR:
      ap_buffer_append_format(out, "\"%s\"", value->s);
      break;
    case DEC:
      ap_buffer_append_format(out, "%s%" PRId64 ".%02d", value->i < 0 ? "-" : "",
                              (value->i < 0 ? -value->i : value->i) / 100,
                              (int)((value->i < 0 ? -value->i : value->i) % 100));
      break;
    case DAY:
      day.i64 = value->i;
      ap_buffer_append_string(out, "\"");
      ap_value_append_text(out, &day);
      ap_buffer_append_string(out, "\"");
      break;
    case TS:
    case TZ:
      ap_buffer_append_string(out, "\"");
      append_timestamp(out, value->i, !own, base_of(column) == TZ ? "Z" : "");
      ap_buffer_append_string(out, "\"");
      break;
    case BOO:
      ap_buffer_append_string(out, value->i ? "true" : "false");
      break;
    default:
      ap_buffer_append_format(out, "%" PRId64, value->i);
      break;
  }
}

/* The least or greatest value as that writer states it; NULL when it states none. We leave out the
 * maximum when there is a NaN; others leave NaN out of account. */
static const struct value *bound_of(const struct cell *cell, enum column column, bool max,
                                    bool own) {
  const struct value *found = NULL;
  bool floating = column == F32 || column == F64;
  for (int row = 0; row < cell->row_count; row++) {
    const struct value *value = &cell->rows[row][column];
    if (value->null) continue;
    if (floating && isnan(value->f)) {
      if (own && max) return NULL;
      continue;
    }
    int order = found ? compare_same(column, value, found) : 0;
    if (!found || (max ? order > 0 : order < 0)) found = value;
  }
  if (floating && found && isinf(found->f)) return NULL; /* JSON has no infinity */
  return found;
}

static void append_bounds(struct ap_buffer *out, const struct cell *cell, bool max, bool own) {
  bool comma = false;
  ap_buffer_append_format(out, ",\"%s\":{", max ? "maxValues" : "minValues");
  for (int column = 0; column < P_STR; column++) {
    const struct value *bound = bound_of(cell, (enum column)column, max, own);
    if (!bound || one_in(12)) continue;
    ap_buffer_append_format(out, "%s\"%s\":", comma ? "," : "", names[column]);
    append_bound(out, (enum column)column, bound, own);
    comma = true;
  }
  ap_buffer_append_string(out, "}");
}

static void append_statistics(struct ap_buffer *out, const struct cell *cell, bool own) {
  bool comma = false;
  ap_buffer_append_format(out, "{\"numRecords\":%d", cell->row_count);
  append_bounds(out, cell, false, own);
  append_bounds(out, cell, true, own);
  ap_buffer_append_string(out, ",\"nullCount\":{");
  for (int column = 0; column < P_STR; column++) {
    int nulls = 0;
    for (int row = 0; row < cell->row_count; row++) nulls += cell->rows[row][column].null;
    if (one_in(12)) continue;
    ap_buffer_append_format(out, "%s\"%s\":%d", comma ? "," : "", names[column], nulls);
    comma = true;
  }
  ap_buffer_append_string(out, "}}");
}

static struct ap_cell *make_cell(const struct cell *cell) {
  struct ap_buffer statistics;
  struct ap_buffer texts[3];
  struct ap_partition_value partitions[3];
  struct ap_cell *made = NULL;
  ap_error err = {0};
  bool own = one_in(2);
  ap_buffer_init(&statistics, ap_allocator_system());
  if (!one_in(20)) append_statistics(&statistics, cell, own);
  for (int i = 0; i < 3; i++) {
    const struct value *value = &cell->rows[0][P_STR + i];
    ap_buffer_init(&texts[i], ap_allocator_system());
    append_bound(&texts[i], (enum column)(P_STR + i), value, own);
    struct ap_text text = ap_buffer_text(&texts[i]);
    if (i != 1) { /* without the quotes */
      text.data++;
      text.size -= 2;
    }
    partitions[i] = (struct ap_partition_value){.text = text, .is_null = value->null};
  }
  struct ap_cell_parts parts = {
      .path = AP_TEXT("cell.parquet"),
      .partition_count = 3,
      .partition_values = partitions,
      .statistics_json = ap_buffer_text(&statistics),
      .tags_json =
          own ? AP_TEXT("{\"" AP_CELL_TAG "\":\"0000000000000001\"}") : (struct ap_text){0},
  };
  check_ok(ap_cell_create(ap_allocator_system(), &parts, &made, &err), &err);
  ap_buffer_deinit(&statistics);
  for (int i = 0; i < 3; i++) ap_buffer_deinit(&texts[i]);
  return made;
}

enum constant_kind { C_NULL, C_INTEGER, C_DECIMAL, C_DOUBLE, C_TEXT, C_DAY, C_TS, C_TZ, C_BOOLEAN };

/* A constant of a condition. literal: a plain 'text' standing for value of the column's kind. */
struct constant {
  enum constant_kind kind;
  struct value value; /* DECIMAL: thousandths */
  bool literal;
};

static void append_constant(struct ap_buffer *out, const char *type, const char *info,
                            const char *value) {
  ap_buffer_append_format(out,
                          "{\"class\":\"CONSTANT\",\"type\":\"VALUE_CONSTANT\",\"value\":{\"type\":"
                          "{\"id\":\"%s\",\"type_info\":%s},\"is_null\":false,\"value\":%s}}",
                          type, info, value);
}

static void append_text_as(struct ap_buffer *out, const char *text, const char *type) {
  char quoted[96];
  (void)snprintf(quoted, sizeof(quoted), "\"%s\"", text);
  if (type)
    ap_buffer_append_string(out, "{\"class\":\"CAST\",\"type\":\"OPERATOR_CAST\",\"child\":");
  append_constant(out, "VARCHAR", "null", quoted);
  if (type) {
    ap_buffer_append_format(
        out, ",\"cast_type\":{\"id\":\"%s\",\"type_info\":null},\"try_cast\":false}", type);
  }
}

/* The text of a value of a column's kind, as one would write it in SQL. */
static const char *sql_text(enum column column, const struct value *value, char *out, size_t size) {
  struct ap_buffer text;
  ap_buffer_init(&text, ap_allocator_system());
  append_bound(&text, column, value, true);
  struct ap_text written = ap_buffer_text(&text);
  if (written.data[0] == '"') {
    written.data++;
    written.size -= 2;
  }
  (void)snprintf(out, size, "%.*s", AP_TEXT_ARG(written));
  if (base_of(column) == TS && value->i % DAY_MICROS == 0) out[10] = '\0';
  if (base_of(column) == TZ && one_in(2)) out[strlen(out) - 1] = '\0'; /* UTC is the session's */
  ap_buffer_deinit(&text);
  return out;
}

static void append_constant_json(struct ap_buffer *out, enum column column,
                                 const struct constant *constant) {
  static const char *const times[] = {
      [C_DAY] = "DATE", [C_TS] = "TIMESTAMP", [C_TZ] = "TIMESTAMP WITH TIME ZONE"};
  enum column met;
  char text[96];
  const struct value *value = &constant->value;
  if (constant->literal) {
    append_text_as(out, sql_text(column, value, text, sizeof(text)), NULL);
    return;
  }
  switch (constant->kind) {
    case C_NULL:
      ap_buffer_append_string(out,
                              "{\"class\":\"CONSTANT\",\"type\":\"VALUE_CONSTANT\",\"value\":"
                              "{\"type\":{\"id\":\"NULL\",\"type_info\":null},\"is_null\":true}}");
      break;
    case C_INTEGER:
      (void)snprintf(text, sizeof(text), "%" PRId64, value->i);
      append_constant(out, one_in(2) ? "INTEGER" : "BIGINT", "null", text);
      break;
    case C_DECIMAL:
      (void)snprintf(text, sizeof(text), "%" PRId64, value->i);
      append_constant(out, "DECIMAL", "{\"width\":12,\"scale\":3}", text);
      break;
    case C_DOUBLE:
      if (isnan(value->f) || isinf(value->f)) {
        append_text_as(out,
                       isnan(value->f) ? "NaN"
                       : value->f > 0  ? "Infinity"
                                       : "-Infinity",
                       "DOUBLE");
        break;
      }
      (void)snprintf(text, sizeof(text), "%.17g", value->f);
      append_constant(out, "DOUBLE", "null", text);
      break;
    case C_TEXT:
      append_text_as(out, value->s, NULL);
      break;
    case C_DAY:
    case C_TS:
    case C_TZ:
      met = constant->kind == C_DAY ? DAY : constant->kind == C_TS ? TS : TZ;
      append_text_as(out, sql_text(met, value, text, sizeof(text)), times[constant->kind]);
      break;
    case C_BOOLEAN:
      append_text_as(out, value->i ? "t" : "f", "BOOLEAN");
      break;
  }
}

static struct constant random_number(enum column column) {
  struct constant constant = {.kind = C_INTEGER};
  constant.value.i = near(0, 12);
  switch (below(4)) {
    case 0:
      constant.kind = C_DECIMAL;
      constant.value.i = near(0, 12) * (one_in(2) ? 250 : 100);
      break;
    case 1:
      constant.kind = C_DOUBLE;
      constant.value.f =
          one_in(2) ? floats[below(sizeof(floats) / sizeof(*floats))] : (double)near(0, 12) / 4;
      break;
    case 2: {
      constant.literal = true;
      constant.value = random_value(column, 0, 8);
      bool special = isnan(constant.value.f) || isinf(constant.value.f);
      if ((column == F32 || column == F64) && special) constant.value.f = 0.5;
      break;
    }
    default:
      break;
  }
  return constant;
}

static struct constant random_constant(enum column column) {
  struct constant constant = {.kind = C_NULL};
  enum column base = base_of(column);
  if (one_in(12)) return constant;
  switch (base) {
    case STR:
      constant.kind = C_TEXT;
      constant.value = random_value(STR, 0, 8);
      break;
    case DAY:
    case TS:
      constant.kind = one_in(2) ? C_DAY : C_TS;
      constant.literal = one_in(3);
      constant.value = random_value(constant.literal         ? base
                                    : constant.kind == C_DAY ? DAY
                                                             : TS,
                                    0, 8);
      break;
    case TZ:
      constant.kind = C_TZ;
      constant.literal = one_in(2);
      constant.value = random_value(TZ, 0, 8);
      break;
    case BOO:
      constant.kind = C_BOOLEAN;
      constant.value.i = (int64_t)below(2);
      break;
    default:
      return random_number(base);
  }
  return constant;
}

/* How the engine compares a column's value with a constant; as_double: a list with a double in it,
 * where every number is brought to double. */
static int compare_number(enum column base, const struct value *value,
                          const struct constant *constant, bool as_double) {
  double right = constant->kind == C_DOUBLE ? constant->value.f : 0;
  double scale = constant->kind == C_DECIMAL ? 1000 : 1;
  bool floating = base == F32 || base == F64;
  if (constant->literal) {
    if (floating && as_double && base == F32) {
      /* 'text' becomes a double here, not a float. */
      char text[96];
      return compare_floats(value->f, strtod(sql_text(base, &constant->value, text, 96), NULL));
    }
    return compare_same(base, value, &constant->value);
  }
  if (constant->kind != C_DOUBLE && floating) {
    right = (double)constant->value.i / scale;
    if (base == F32 && !as_double) right = (double)((float)constant->value.i / (float)scale);
    return compare_floats(value->f, right);
  }
  if (constant->kind == C_DOUBLE) {
    double left = floating ? value->f : base == DEC ? (double)value->i / 100 : (double)value->i;
    return compare_floats(left, right);
  }
  int64_t left = base == DEC ? value->i * 10 : value->i * 1000;
  int64_t thousandths = constant->kind == C_DECIMAL ? constant->value.i : constant->value.i * 1000;
  return (left > thousandths) - (left < thousandths);
}

static int64_t micros_of(enum constant_kind kind, const struct value *value) {
  return kind == C_DAY ? value->i * DAY_MICROS : value->i;
}

static int compare_constant(enum column column, const struct value *value,
                            const struct constant *constant, bool as_double) {
  enum column base = base_of(column);
  if (base == DAY || base == TS) {
    int64_t left = micros_of(base == DAY ? C_DAY : C_TS, value);
    enum constant_kind kind = constant->literal ? (base == DAY ? C_DAY : C_TS) : constant->kind;
    int64_t right = micros_of(kind, &constant->value);
    return (left > right) - (left < right);
  }
  if (base == STR || base == TZ || base == BOO) return compare_same(base, value, &constant->value);
  return compare_number(base, value, constant, as_double);
}

enum answer { FALSE_ANSWER, TRUE_ANSWER, NULL_ANSWER };

enum condition_kind {
  K_AND,
  K_OR,
  K_NOT,
  K_COMPARE,
  K_COLUMNS, /* column against column */
  K_IN,
  K_BETWEEN,
  K_IS_NULL,
  K_LIKE,
  K_IS_TRUE,
  K_MYSTERY, /* a function that nobody knows */
};

static const char *const comparisons[] = {
    "COMPARE_EQUAL",         "COMPARE_NOTEQUAL",
    "COMPARE_LESSTHAN",      "COMPARE_LESSTHANOREQUALTO",
    "COMPARE_GREATERTHAN",   "COMPARE_GREATERTHANOREQUALTO",
    "COMPARE_DISTINCT_FROM", "COMPARE_NOT_DISTINCT_FROM",
};
enum { EQ, NE, LT, LE, GT, GE, DISTINCT, NOT_DISTINCT };

struct condition {
  enum condition_kind kind;
  enum column column;
  enum column other; /* COLUMNS */
  int comparison;
  bool negated; /* NOT IN, IS NOT NULL, NOT LIKE, IS NOT TRUE */
  bool swapped; /* constant on the left */
  bool cast;    /* the column in a widening cast */
  struct constant constants[ITEMS_MAX];
  int constant_count;
  char pattern[16];
  struct condition *children[2];
};

static bool partition_only;

static enum column random_column(void) {
  return partition_only ? (enum column)(P_STR + (int)below(3)) : (enum column)below(COLUMNS);
}

static struct condition *random_condition(struct ap_arena *arena, int depth) {
  struct condition *condition = AP_ARENA_NEW(arena, struct condition);
  assert_non_null(condition);
  condition->kind = (enum condition_kind)(depth > 0 ? below(K_MYSTERY + 1)
                                                    : K_COMPARE + below(K_IS_TRUE - K_COMPARE));
  if (partition_only && (condition->kind == K_MYSTERY || condition->kind == K_COLUMNS)) {
    condition->kind = K_COMPARE;
  }
  condition->column = random_column();
  condition->comparison = (int)below(8);
  condition->negated = one_in(2);
  condition->swapped = one_in(3);
  condition->cast = one_in(6);
  condition->constant_count = condition->kind == K_IN        ? 1 + (int)below(ITEMS_MAX)
                              : condition->kind == K_BETWEEN ? 2
                                                             : 1;
  if (condition->kind == K_LIKE) {
    static const char *const patterns[] = {"a%", "ab%", "z%", "%", "a_%", "abc", "%b", "\xC3\xA9%"};
    condition->column = partition_only || one_in(2) ? P_STR : STR;
    (void)snprintf(condition->pattern, sizeof(condition->pattern), "%s",
                   patterns[below(partition_only ? 4 : 8)]);
  }
  if (condition->kind == K_COLUMNS) {
    static const enum column pairs[][2] = {{I32, I64},   {I32, DEC},   {F32, F64}, {DAY, TS},
                                           {STR, P_STR}, {P_INT, I32}, {I64, F64}, {DAY, P_DAY}};
    uint64_t pair = below(8);
    condition->column = pairs[pair][0];
    condition->other = pairs[pair][1];
  }
  for (int i = 0; i < condition->constant_count; i++) {
    condition->constants[i] = random_constant(condition->column);
  }
  if (condition->kind <= K_NOT || condition->kind == K_IS_TRUE) {
    for (int i = 0; i < 2; i++) condition->children[i] = random_condition(arena, depth - 1);
  }
  return condition;
}

static void append_column(struct ap_buffer *out, const struct condition *condition,
                          enum column column) {
  static const char *const widened[COLUMNS] = {[I32] = "BIGINT",
                                               [F32] = "DOUBLE",
                                               [DAY] = "TIMESTAMP",
                                               [STR] = "VARCHAR",
                                               [P_INT] = "BIGINT"};
  const char *type = condition->cast ? widened[column] : NULL;
  if (type)
    ap_buffer_append_string(out, "{\"class\":\"CAST\",\"type\":\"OPERATOR_CAST\",\"child\":");
  ap_buffer_append_format(out, "{\"class\":\"COLUMN_REF\",\"column_names\":[\"%s\"]}",
                          names[column]);
  if (type) {
    ap_buffer_append_format(
        out, ",\"cast_type\":{\"id\":\"%s\",\"type_info\":null},\"try_cast\":false}", type);
  }
}

/* The kind of column that a constant meets. */
static enum column met_column(const struct condition *condition) {
  enum column base = base_of(condition->column);
  if (!condition->cast) return base;
  return base == I32                               ? I64
         : base == F32                             ? F64
         : base == DAY && condition->column == DAY ? TS
                                                   : base;
}

static void append_condition(struct ap_buffer *out, const struct condition *condition);

static void append_comparison(struct ap_buffer *out, const struct condition *condition) {
  ap_buffer_append_format(out, "{\"class\":\"COMPARISON\",\"type\":\"%s\",\"left\":",
                          comparisons[condition->comparison]);
  if (condition->kind == K_COLUMNS) {
    append_column(out, condition, condition->column);
    ap_buffer_append_string(out, ",\"right\":");
    append_column(out, &(struct condition){.cast = false}, condition->other);
  } else if (condition->swapped) {
    append_constant_json(out, met_column(condition), &condition->constants[0]);
    ap_buffer_append_string(out, ",\"right\":");
    append_column(out, condition, condition->column);
  } else {
    append_column(out, condition, condition->column);
    ap_buffer_append_string(out, ",\"right\":");
    append_constant_json(out, met_column(condition), &condition->constants[0]);
  }
  ap_buffer_append_string(out, "}");
}

static void append_list(struct ap_buffer *out, const struct condition *condition) {
  if (condition->kind == K_BETWEEN) {
    ap_buffer_append_string(out, "{\"class\":\"BETWEEN\",\"type\":\"COMPARE_BETWEEN\",\"input\":");
    append_column(out, condition, condition->column);
    ap_buffer_append_string(out, ",\"lower\":");
    append_constant_json(out, met_column(condition), &condition->constants[0]);
    ap_buffer_append_string(out, ",\"upper\":");
    append_constant_json(out, met_column(condition), &condition->constants[1]);
    ap_buffer_append_string(out, "}");
    return;
  }
  ap_buffer_append_format(out, "{\"class\":\"OPERATOR\",\"type\":\"%s\",\"children\":[",
                          condition->negated ? "COMPARE_NOT_IN" : "COMPARE_IN");
  append_column(out, condition, condition->column);
  for (int i = 0; i < condition->constant_count; i++) {
    ap_buffer_append_string(out, ",");
    append_constant_json(out, met_column(condition), &condition->constants[i]);
  }
  ap_buffer_append_string(out, "]}");
}

static void append_group(struct ap_buffer *out, const struct condition *condition) {
  if (condition->kind == K_NOT) {
    ap_buffer_append_string(out,
                            "{\"class\":\"OPERATOR\",\"type\":\"OPERATOR_NOT\",\"children\":[");
  } else {
    ap_buffer_append_format(out, "{\"class\":\"CONJUNCTION\",\"type\":\"%s\",\"children\":[",
                            condition->kind == K_AND ? "CONJUNCTION_AND" : "CONJUNCTION_OR");
  }
  append_condition(out, condition->children[0]);
  if (condition->kind != K_NOT) {
    ap_buffer_append_string(out, ",");
    append_condition(out, condition->children[1]);
  }
  ap_buffer_append_string(out, "]}");
}

static void append_function(struct ap_buffer *out, const struct condition *condition) {
  ap_buffer_append_format(
      out, "{\"class\":\"FUNCTION\",\"type\":\"FUNCTION\",\"function_name\":\"%s\",\"children\":[",
      condition->kind == K_MYSTERY ? "mystery"
      : condition->negated         ? "!~~"
                                   : "~~");
  append_column(out, &(struct condition){.cast = false}, condition->column);
  if (condition->kind == K_LIKE) {
    ap_buffer_append_string(out, ",");
    append_text_as(out, condition->pattern, NULL);
  }
  ap_buffer_append_string(out, "]}");
}

static void append_condition(struct ap_buffer *out, const struct condition *condition) {
  switch (condition->kind) {
    case K_AND:
    case K_OR:
    case K_NOT:
      append_group(out, condition);
      break;
    case K_COMPARE:
    case K_COLUMNS:
      append_comparison(out, condition);
      break;
    case K_IN:
    case K_BETWEEN:
      append_list(out, condition);
      break;
    case K_IS_NULL:
      ap_buffer_append_format(out, "{\"class\":\"OPERATOR\",\"type\":\"%s\",\"children\":[",
                              condition->negated ? "OPERATOR_IS_NOT_NULL" : "OPERATOR_IS_NULL");
      append_column(out, condition, condition->column);
      ap_buffer_append_string(out, "]}");
      break;
    case K_IS_TRUE:
      ap_buffer_append_format(out,
                              "{\"class\":\"COMPARISON\",\"type\":\"%s\",\"left\":{\"class\":"
                              "\"CAST\",\"type\":\"OPERATOR_CAST\",\"child\":",
                              comparisons[condition->negated ? DISTINCT : NOT_DISTINCT]);
      append_condition(out, condition->children[0]);
      ap_buffer_append_string(out,
                              ",\"cast_type\":{\"id\":\"BOOLEAN\",\"type_info\":null},\"try_cast\":"
                              "false},\"right\":");
      append_constant(out, "BOOLEAN", "null", "true");
      ap_buffer_append_string(out, "}");
      break;
    case K_LIKE:
    case K_MYSTERY:
      append_function(out, condition);
      break;
  }
}

static enum answer negate(enum answer answer) {
  return answer == NULL_ANSWER ? NULL_ANSWER : answer == TRUE_ANSWER ? FALSE_ANSWER : TRUE_ANSWER;
}

static enum answer answer_of(bool yes) {
  return yes ? TRUE_ANSWER : FALSE_ANSWER;
}

static bool holds(int comparison, int order) {
  switch (comparison) {
    case EQ:
    case NOT_DISTINCT:
      return order == 0;
    case NE:
    case DISTINCT:
      return order != 0;
    case LT:
      return order < 0;
    case LE:
      return order <= 0;
    case GT:
      return order > 0;
    default:
      return order >= 0;
  }
}

static enum answer compared(int comparison, bool left_null, bool right_null, int order) {
  if (left_null || right_null) {
    if (comparison == DISTINCT) return answer_of(left_null != right_null);
    if (comparison == NOT_DISTINCT) return answer_of(left_null == right_null);
    return NULL_ANSWER;
  }
  return answer_of(holds(comparison, order));
}

/* A column's value after the cast, in the terms of met_column. */
static struct value met_value(const struct condition *condition, const struct value *row) {
  struct value value = row[condition->column];
  if (condition->cast && condition->column == DAY) value.i *= DAY_MICROS;
  return value;
}

static bool any_double(const struct condition *condition) {
  for (int i = 0; i < condition->constant_count; i++) {
    const struct constant *constant = &condition->constants[i];
    if (constant->kind == C_DOUBLE && !constant->literal) return true;
  }
  return false;
}

static enum answer answer_constant(const struct condition *condition, const struct value *row,
                                   int index, int comparison) {
  const struct constant *constant = &condition->constants[index];
  struct value value = met_value(condition, row);
  if (value.null || constant->kind == C_NULL) {
    return compared(comparison, value.null, constant->kind == C_NULL, 0);
  }
  bool as_double = any_double(condition);
  int order = compare_constant(met_column(condition), &value, constant, as_double);
  return compared(comparison, false, false, order);
}

static double as_number(enum column column, const struct value *value) {
  enum column base = base_of(column);
  return base == F32 || base == F64 ? value->f
         : base == DEC              ? (double)value->i / 100
                                    : (double)value->i;
}

static enum answer answer_columns(const struct condition *condition, const struct value *row) {
  const struct value *left = &row[condition->column];
  const struct value *right = &row[condition->other];
  enum column base = base_of(condition->column);
  int order = 0;
  if (left->null || right->null) {
    return compared(condition->comparison, left->null, right->null, 0);
  }
  if (base == STR) {
    order = sign(strcmp(left->s, right->s));
  } else if (base == DAY) {
    int64_t a = left->i * DAY_MICROS;
    int64_t b = base_of(condition->other) == DAY ? right->i * DAY_MICROS : right->i;
    order = (a > b) - (a < b);
  } else {
    order = compare_floats(as_number(condition->column, left), as_number(condition->other, right));
  }
  return compared(condition->comparison, false, false, order);
}

static bool like(const char *text, const char *pattern) {
  if (*pattern == '\0') return *text == '\0';
  if (*pattern == '%') return like(text, pattern + 1) || (*text != '\0' && like(text + 1, pattern));
  if (*text == '\0') return false;
  if (*pattern != '_') return *text == *pattern && like(text + 1, pattern + 1);
  for (text++; ((unsigned char)*text & 0xC0) == 0x80; text++) continue;
  return like(text, pattern + 1);
}

static enum answer answer_in(const struct condition *condition, const struct value *row) {
  enum answer answer = FALSE_ANSWER;
  for (int i = 0; i < condition->constant_count && answer != TRUE_ANSWER; i++) {
    enum answer item = answer_constant(condition, row, i, EQ);
    if (item != FALSE_ANSWER) answer = item;
  }
  return condition->negated ? negate(answer) : answer;
}

static enum answer both(enum answer a, enum answer b) {
  if (a == FALSE_ANSWER || b == FALSE_ANSWER) return FALSE_ANSWER;
  return a == NULL_ANSWER || b == NULL_ANSWER ? NULL_ANSWER : TRUE_ANSWER;
}

static int mirrored(int comparison) {
  static const int mirror[] = {EQ, NE, GT, GE, LT, LE, DISTINCT, NOT_DISTINCT};
  return mirror[comparison];
}

static enum answer answer_row(const struct condition *condition, const struct value *row) {
  switch (condition->kind) {
    case K_AND:
      return both(answer_row(condition->children[0], row), answer_row(condition->children[1], row));
    case K_OR:
      return negate(both(negate(answer_row(condition->children[0], row)),
                         negate(answer_row(condition->children[1], row))));
    case K_NOT:
      return negate(answer_row(condition->children[0], row));
    case K_COMPARE:
      return answer_constant(
          condition, row, 0,
          condition->swapped ? mirrored(condition->comparison) : condition->comparison);
    case K_COLUMNS:
      return answer_columns(condition, row);
    case K_IN:
      return answer_in(condition, row);
    case K_BETWEEN:
      return both(answer_constant(condition, row, 0, GE), answer_constant(condition, row, 1, LE));
    case K_IS_NULL:
      return answer_of(row[condition->column].null != condition->negated);
    case K_LIKE: {
      if (row[condition->column].null) return NULL_ANSWER;
      bool matches = like(row[condition->column].s, condition->pattern);
      return answer_of(matches != condition->negated);
    }
    case K_IS_TRUE: {
      bool is_true = answer_row(condition->children[0], row) == TRUE_ANSWER;
      return answer_of(is_true != condition->negated);
    }
    default:
      return (enum answer)(((uintptr_t)row >> 4) % 3); /* whatever, but always the same */
  }
}

static bool matches(const struct condition *condition, const struct cell *cell) {
  for (int row = 0; row < cell->row_count; row++) {
    if (answer_row(condition, cell->rows[row]) == TRUE_ANSWER) return true;
  }
  return false;
}

static const struct ap_field fields[COLUMNS] = {
    {.name = {"i32", 3}, .type = {.kind = AP_TYPE_INT32}, .nullable = true},
    {.name = {"i64", 3}, .type = {.kind = AP_TYPE_INT64}, .nullable = true},
    {.name = {"f32", 3}, .type = {.kind = AP_TYPE_FLOAT32}, .nullable = true},
    {.name = {"f64", 3}, .type = {.kind = AP_TYPE_FLOAT64}, .nullable = true},
    {.name = {"dec", 3},
     .type = {.kind = AP_TYPE_DECIMAL, .precision = 10, .scale = 2},
     .nullable = true},
    {.name = {"str", 3}, .type = {.kind = AP_TYPE_STRING}, .nullable = true},
    {.name = {"day", 3}, .type = {.kind = AP_TYPE_DATE}, .nullable = true},
    {.name = {"ts", 2}, .type = {.kind = AP_TYPE_TIMESTAMP}, .nullable = true},
    {.name = {"tz", 2}, .type = {.kind = AP_TYPE_TIMESTAMP_TZ}, .nullable = true},
    {.name = {"boo", 3}, .type = {.kind = AP_TYPE_BOOLEAN}, .nullable = true},
    {.name = {"p_str", 5}, .type = {.kind = AP_TYPE_STRING}, .nullable = true},
    {.name = {"p_int", 5}, .type = {.kind = AP_TYPE_INT32}, .nullable = true},
    {.name = {"p_day", 5}, .type = {.kind = AP_TYPE_DATE}, .nullable = true},
};
static const struct ap_schema schema = {COLUMNS, fields};
static const uint32_t partitions[] = {P_STR, P_INT, P_DAY};

static void append_statement(struct ap_buffer *out, const struct condition *condition) {
  ap_buffer_append_string(
      out,
      "{\"error\":false,\"statements\":[{\"node\":{\"type\":\"SELECT_NODE\",\"cte_map\":{\"map\":"
      "[]},\"from_table\":{\"type\":\"BASE_TABLE\",\"table_name\":\"f\"},\"where_clause\":");
  append_condition(out, condition);
  ap_buffer_append_string(out, "}}]}");
}

struct world {
  struct ap_arena arena;
  struct ap_buffer json;
  struct cell cells[CELLS];
  struct ap_cell *made[CELLS];
  struct ap_prune_frame frame;
  struct ap_tree tree;
  const struct condition *condition;
};

static void make_world(struct world *world, int depth) {
  ap_error err = {0};
  ap_arena_init(&world->arena, ap_allocator_system());
  ap_buffer_init(&world->json, ap_allocator_system());
  for (int i = 0; i < CELLS; i++) {
    random_cell(&world->cells[i]);
    world->made[i] = make_cell(&world->cells[i]);
  }
  world->frame = (struct ap_prune_frame){.schema = &schema,
                                         .schema_id = 7,
                                         .partition_columns = partitions,
                                         .partition_column_count = 3,
                                         .cells = world->made,
                                         .cell_count = CELLS};
  world->condition = random_condition(&world->arena, depth);
  append_statement(&world->json, world->condition);
  check_ok(ap_tree_parse(&world->arena, ap_buffer_text(&world->json), &world->tree, &err), &err);
}

static void free_world(struct world *world) {
  for (int i = 0; i < CELLS; i++) ap_cell_release(world->made[i]);
  ap_buffer_deinit(&world->json);
  ap_arena_deinit(&world->arena);
}

static void never_loses_a_row(void **state) {
  static struct world world;
  (void)state;
  ap_seeded_random_init(&seeded, ap_test_seed("never_loses_a_row"));
  dice = &seeded.base;
  partition_only = false;
  uint64_t cases = 0;
  uint64_t without_match = 0;
  uint64_t pruned = 0;
  uint64_t rounds = ap_test_rounds(ROUNDS);
  for (uint64_t round = 0; round < rounds; round++) {
    struct ap_prune_result result;
    ap_error err = {0};
    make_world(&world, (int)below(3));
    const struct ap_prune_frame *frames[] = {&world.frame};
    check_ok(ap_prune(&world.arena, &world.tree, frames, NULL, &result, &err), &err);
    uint32_t next = 0;
    for (uint32_t i = 0; i < CELLS; i++) {
      bool kept = next < result.kept_count && result.kept[next] == i;
      bool match = matches(world.condition, &world.cells[i]);
      if (kept) next++;
      if (match && !kept) {
        fail_msg("cell %u of round %" PRIu64 " has a matching row but was pruned:\n%s\n%.*s", i,
                 round, world.json.data, AP_TEXT_ARG(world.made[i]->statistics_json));
      }
      cases++;
      without_match += !match;
      pruned += !kept;
    }
    assert_int_equal(next, result.kept_count);
    free_world(&world);
  }
  print_message("%" PRIu64 " cases: of %" PRIu64 " cells without a match %" PRIu64 " pruned\n",
                cases, without_match, pruned);
  assert_true(pruned * 2 > without_match);
}

static void decides_exactly(void **state) {
  static struct world world;
  (void)state;
  ap_seeded_random_init(&seeded, ap_test_seed("decides_exactly"));
  dice = &seeded.base;
  partition_only = true;
  uint64_t decided = 0;
  uint64_t rounds = ap_test_rounds(ROUNDS / 4);
  for (uint64_t round = 0; round < rounds; round++) {
    bool found[CELLS];
    ap_error err = {0};
    make_world(&world, (int)below(3));
    ap_status status = ap_prune_exact(&world.arena, &world.tree, &world.frame, found, &err);
    if (status != AP_OK) check_status(status, AP_UNSUPPORTED, &err);
    for (uint32_t i = 0; status == AP_OK && i < CELLS; i++) {
      if (found[i] != matches(world.condition, &world.cells[i])) {
        fail_msg("cell %u of round %" PRIu64 " decided wrongly:\n%s", i, round, world.json.data);
      }
      decided++;
    }
    free_world(&world);
  }
  print_message("%" PRIu64 " cells decided\n", decided);
  assert_true(decided > rounds * CELLS / 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(never_loses_a_row),
      cmocka_unit_test(decides_exactly),
  };
  return AP_RUN_TESTS(tests);
}
