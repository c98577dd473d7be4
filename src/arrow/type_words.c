/* SPDX-License-Identifier: Apache-2.0
 *
 * Type words: the notation of people. Reads the words of Python, Arrow, Spark and SQL, writes one
 * canonical word and the engine's SQL type.
 *
 * A recursive descent over the text, nesting limited to AP_TYPE_DEPTH_MAX. Errors name the word as
 * written. Safe from any thread.
 */
#include "arrow/type.h"

#include "base/limits.h"

#include <string.h>

struct parser {
  struct ap_arena *arena;
  struct ap_text whole;
  const char *at;
  const char *end;
  uint32_t depth;
  ap_error *err;
};

struct word {
  const char *name;
  enum ap_type_kind kind;
  enum ap_time_unit unit;
};

/* The canonical word of each kind stands first. */
static const struct word words[] = {
    {"null", AP_TYPE_NULL, 0},
    {"boolean", AP_TYPE_BOOLEAN, 0},
    {"bool", AP_TYPE_BOOLEAN, 0},
    {"int8", AP_TYPE_INT8, 0},
    {"tinyint", AP_TYPE_INT8, 0},
    {"byte", AP_TYPE_INT8, 0},
    {"int16", AP_TYPE_INT16, 0},
    {"smallint", AP_TYPE_INT16, 0},
    {"short", AP_TYPE_INT16, 0},
    {"int32", AP_TYPE_INT32, 0},
    {"int", AP_TYPE_INT32, 0},
    {"integer", AP_TYPE_INT32, 0},
    {"int64", AP_TYPE_INT64, 0},
    {"bigint", AP_TYPE_INT64, 0},
    {"long", AP_TYPE_INT64, 0},
    {"uint8", AP_TYPE_UINT8, 0},
    {"utinyint", AP_TYPE_UINT8, 0},
    {"uint16", AP_TYPE_UINT16, 0},
    {"usmallint", AP_TYPE_UINT16, 0},
    {"uint32", AP_TYPE_UINT32, 0},
    {"uinteger", AP_TYPE_UINT32, 0},
    {"uint64", AP_TYPE_UINT64, 0},
    {"ubigint", AP_TYPE_UINT64, 0},
    {"float16", AP_TYPE_FLOAT16, 0},
    {"halffloat", AP_TYPE_FLOAT16, 0},
    {"float32", AP_TYPE_FLOAT32, 0},
    {"real", AP_TYPE_FLOAT32, 0},
    {"float64", AP_TYPE_FLOAT64, 0},
    {"float", AP_TYPE_FLOAT64, 0},
    {"double", AP_TYPE_FLOAT64, 0},
    {"float8", AP_TYPE_FLOAT64, 0},
    {"decimal", AP_TYPE_DECIMAL, 0},
    {"numeric", AP_TYPE_DECIMAL, 0},
    {"decimal128", AP_TYPE_DECIMAL, 0},
    {"string", AP_TYPE_STRING, 0},
    {"str", AP_TYPE_STRING, 0},
    {"utf8", AP_TYPE_STRING, 0},
    {"text", AP_TYPE_STRING, 0},
    {"varchar", AP_TYPE_STRING, 0},
    {"char", AP_TYPE_STRING, 0},
    {"nchar", AP_TYPE_STRING, 0},
    {"nvarchar", AP_TYPE_STRING, 0},
    {"bpchar", AP_TYPE_STRING, 0},
    {"large_string", AP_TYPE_STRING, 0},
    {"string_view", AP_TYPE_STRING, 0},
    {"binary", AP_TYPE_BINARY, 0},
    {"bytes", AP_TYPE_BINARY, 0},
    {"blob", AP_TYPE_BINARY, 0},
    {"bytea", AP_TYPE_BINARY, 0},
    {"large_binary", AP_TYPE_BINARY, 0},
    {"date", AP_TYPE_DATE, 0},
    {"date32", AP_TYPE_DATE, 0},
    {"time", AP_TYPE_TIME, AP_UNIT_MICROSECOND},
    {"time32", AP_TYPE_TIME, AP_UNIT_MICROSECOND},
    {"time64", AP_TYPE_TIME, AP_UNIT_MICROSECOND},
    {"timestamp", AP_TYPE_TIMESTAMP, AP_UNIT_MICROSECOND},
    {"datetime", AP_TYPE_TIMESTAMP, AP_UNIT_MICROSECOND},
    {"timestamp_ntz", AP_TYPE_TIMESTAMP, AP_UNIT_MICROSECOND},
    {"timestamp_s", AP_TYPE_TIMESTAMP, AP_UNIT_SECOND},
    {"timestamp_ms", AP_TYPE_TIMESTAMP, AP_UNIT_MILLISECOND},
    {"timestamp_ns", AP_TYPE_TIMESTAMP, AP_UNIT_NANOSECOND},
    {"timestamptz", AP_TYPE_TIMESTAMP_TZ, AP_UNIT_MICROSECOND},
    {"timestamp_ltz", AP_TYPE_TIMESTAMP_TZ, AP_UNIT_MICROSECOND},
    {"list", AP_TYPE_LIST, 0},
    {"array", AP_TYPE_LIST, 0},
    {"large_list", AP_TYPE_LIST, 0},
    {"struct", AP_TYPE_STRUCT, 0},
    {"row", AP_TYPE_STRUCT, 0},
    {"map", AP_TYPE_MAP, 0},
};
enum { WORD_COUNT = sizeof(words) / sizeof(words[0]) };

/* Indexed by ap_time_unit. */
static const char *const unit_words[] = {"us", "s", "ms", "ns"};

static ap_status parse_type(struct parser *parser, struct ap_type *out_type, bool *out_nullable);
static ap_status parse_base(struct parser *parser, struct ap_type *out_type);

static bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_name_start(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

static void skip_space(struct parser *parser) {
  while (parser->at < parser->end && is_space(*parser->at)) parser->at++;
}

static bool peek(struct parser *parser, char c) {
  skip_space(parser);
  return parser->at < parser->end && *parser->at == c;
}

static bool accept(struct parser *parser, char c) {
  if (!peek(parser, c)) return false;
  parser->at++;
  return true;
}

/* The next word, empty when there is none; does not move. */
static struct ap_text peek_word(struct parser *parser) {
  skip_space(parser);
  const char *at = parser->at;
  if (at == parser->end || !is_name_start(*at)) return (struct ap_text){parser->at, 0};
  while (at < parser->end && (is_name_start(*at) || is_digit(*at))) at++;
  return (struct ap_text){parser->at, (size_t)(at - parser->at)};
}

static bool accept_word(struct parser *parser, const char *word) {
  struct ap_text next = peek_word(parser);
  if (!ap_text_equal_ignoring_case(next, ap_text_of(word))) return false;
  parser->at += next.size;
  return true;
}

/* All of the words, or none of them. */
static bool accept_words(struct parser *parser, const char *const *sequence) {
  const char *start = parser->at;
  for (; *sequence != NULL; sequence++) {
    if (accept_word(parser, *sequence)) continue;
    parser->at = start;
    return false;
  }
  return true;
}

static ap_status fail_syntax(struct parser *parser, const char *expected) {
  skip_space(parser);
  struct ap_text rest = {parser->at, (size_t)(parser->end - parser->at)};
  if (rest.size == 0) {
    return AP_FAIL(parser->err, AP_SCHEMA_MISMATCH, "type '%.*s' ends where %s is expected",
                   AP_TEXT_ARG(parser->whole), expected);
  }
  return AP_FAIL(parser->err, AP_SCHEMA_MISMATCH, "type '%.*s': expected %s before '%.*s'",
                 AP_TEXT_ARG(parser->whole), expected, AP_TEXT_ARG(rest));
}

static ap_status expect(struct parser *parser, char c, const char *expected) {
  return accept(parser, c) ? AP_OK : fail_syntax(parser, expected);
}

static ap_status fail_depth(struct parser *parser) {
  return AP_FAIL(parser->err, AP_SCHEMA_MISMATCH, "type '%.*s' nests deeper than %d",
                 AP_TEXT_ARG(parser->whole), AP_TYPE_DEPTH_MAX);
}

static uint32_t depth_of(const struct ap_type *type) {
  uint32_t deepest = 0;
  for (uint32_t i = 0; i < type->field_count; i++) {
    uint32_t depth = depth_of(&type->fields[i].type);
    if (depth > deepest) deepest = depth;
  }
  return deepest + 1;
}

ap_status ap_type_parse(struct ap_arena *arena, struct ap_text word, struct ap_type *out_type,
                        bool *out_nullable, ap_error *err) {
  struct parser parser = {arena, word, word.data, word.data + word.size, 0, err};
  if (word.size == 0) return AP_FAIL(err, AP_SCHEMA_MISMATCH, "the type is empty");
  if (!ap_text_is_utf8(word) || memchr(word.data, '\0', word.size) != NULL) {
    return AP_FAIL(err, AP_SCHEMA_MISMATCH, "the type is no UTF-8 text");
  }
  struct ap_type type = {0};
  bool nullable = true;
  AP_TRY(parse_type(&parser, &type, &nullable));
  skip_space(&parser);
  if (parser.at < parser.end) return fail_syntax(&parser, "the end");
  if (depth_of(&type) > AP_TYPE_DEPTH_MAX) return fail_depth(&parser);
  *out_type = type;
  *out_nullable = nullable;
  return AP_OK;
}

/* One child field of a list or map. */
static ap_status set_fields(struct parser *parser, struct ap_type *type, uint32_t count,
                            struct ap_field *source) {
  struct ap_field *fields = AP_ARENA_ARRAY(parser->arena, struct ap_field, count);
  if (fields == NULL) return AP_FAIL_MEMORY(parser->err);
  memcpy(fields, source, count * sizeof(*fields));
  type->fields = fields;
  type->field_count = count;
  return AP_OK;
}

/* T[] and T[3]; a "[" that begins anything else is left alone. */
static ap_status parse_brackets(struct parser *parser, struct ap_type *type) {
  uint32_t wraps = 0;
  while (peek(parser, '[')) {
    const char *start = parser->at++;
    skip_space(parser);
    while (parser->at < parser->end && is_digit(*parser->at)) parser->at++;
    if (!accept(parser, ']')) {
      parser->at = start;
      return AP_OK;
    }
    if (++wraps > AP_TYPE_DEPTH_MAX) return fail_depth(parser);
    struct ap_field element = {AP_TEXT("element"), *type, true, NULL};
    struct ap_type list = {.kind = AP_TYPE_LIST};
    AP_TRY(set_fields(parser, &list, 1, &element));
    *type = list;
  }
  return AP_OK;
}

static ap_status parse_type(struct parser *parser, struct ap_type *out_type, bool *out_nullable) {
  static const char *const not_null[] = {"not", "null", NULL};
  if (++parser->depth > AP_TYPE_DEPTH_MAX) return fail_depth(parser);
  AP_TRY(parse_base(parser, out_type));
  AP_TRY(parse_brackets(parser, out_type));
  *out_nullable = !accept_words(parser, not_null);
  parser->depth--;
  return AP_OK;
}

static ap_status fail_unknown(struct parser *parser, struct ap_text name) {
  const char *candidates[WORD_COUNT];
  for (size_t i = 0; i < WORD_COUNT; i++) candidates[i] = words[i].name;
  if (name.size == 0) return fail_syntax(parser, "a type");
  const char *near = ap_text_nearest(name, candidates, WORD_COUNT);
  ap_status status;
  if (near != NULL) {
    status = AP_FAIL(parser->err, AP_SCHEMA_MISMATCH, "'%.*s' is no type; did you mean '%s'?",
                     AP_TEXT_ARG(name), near);
  } else {
    status = AP_FAIL(parser->err, AP_SCHEMA_MISMATCH, "'%.*s' is no type", AP_TEXT_ARG(name));
  }
  ap_error_hint(parser->err,
                "types are boolean, int8..int64, uint8..uint64, float32, float64, "
                "decimal(p,s), string, binary, date, time, timestamp, timestamptz, list<T>, "
                "struct<name: T>, map<K, V>");
  return status;
}

static ap_status parse_number(struct parser *parser, int64_t max, const char *what,
                              int64_t *out_number) {
  skip_space(parser);
  const char *start = parser->at;
  while (parser->at < parser->end && is_digit(*parser->at)) parser->at++;
  struct ap_text digits = {start, (size_t)(parser->at - start)};
  if (digits.size == 0) return fail_syntax(parser, what);
  if (!ap_text_parse_i64(digits, out_number) || *out_number > max) {
    return AP_FAIL(parser->err, AP_SCHEMA_MISMATCH, "type '%.*s': %s is %.*s, at most %d goes",
                   AP_TEXT_ARG(parser->whole), what, AP_TEXT_ARG(digits), (int)max);
  }
  return AP_OK;
}

static ap_status parse_decimal(struct parser *parser, struct ap_type *type) {
  int64_t precision = 0;
  int64_t scale = 0;
  if (!accept(parser, '(')) {
    ap_status status = AP_FAIL(parser->err, AP_SCHEMA_MISMATCH,
                               "type '%.*s' lacks precision and scale", AP_TEXT_ARG(parser->whole));
    ap_error_hint(parser->err, "write decimal(precision, scale), for example decimal(18,2)");
    return status;
  }
  AP_TRY(parse_number(parser, 38, "the precision", &precision));
  if (precision == 0) {
    return AP_FAIL(parser->err, AP_SCHEMA_MISMATCH, "type '%.*s': the precision is 0, from 1 on",
                   AP_TEXT_ARG(parser->whole));
  }
  if (accept(parser, ',')) AP_TRY(parse_number(parser, precision, "the scale", &scale));
  type->precision = (uint8_t)precision;
  type->scale = (uint8_t)scale;
  return expect(parser, ')', "')'");
}

/* varchar(10): the length is read and, as in the engine, of no effect. */
static ap_status parse_length(struct parser *parser) {
  int64_t ignored = 0;
  if (!accept(parser, '(')) return AP_OK;
  AP_TRY(parse_number(parser, INT32_MAX, "the length", &ignored));
  return expect(parser, ')', "')'");
}

/* "[us]", "[ns, UTC]", "[us, tz=Europe/Berlin]", "[day]"; then SQL's words about zones. */
static ap_status parse_temporal(struct parser *parser, struct ap_type *type) {
  static const char *const with_zone[] = {"with", "time", "zone", NULL};
  static const char *const without_zone[] = {"without", "time", "zone", NULL};
  const char *start = parser->at;
  if (accept(parser, '[')) {
    struct ap_text unit = peek_word(parser);
    if (unit.size == 0) {
      parser->at = start; /* a list suffix */
    } else if (type->kind == AP_TYPE_DATE) {
      if (!accept_word(parser, "day")) return fail_syntax(parser, "'day'");
      return expect(parser, ']', "']'");
    } else {
      parser->at += unit.size;
      int32_t found = -1;
      for (int32_t i = 0; i < 4; i++) {
        if (ap_text_equal_ignoring_case(unit, ap_text_of(unit_words[i]))) found = i;
      }
      if (found < 0) {
        return AP_FAIL(parser->err, AP_SCHEMA_MISMATCH,
                       "type '%.*s': '%.*s' is no unit; there are s, ms, us and ns",
                       AP_TEXT_ARG(parser->whole), AP_TEXT_ARG(unit));
      }
      type->unit = (enum ap_time_unit)found;
      if (type->kind != AP_TYPE_TIME && accept(parser, ',')) {
        skip_space(parser);
        const char *zone = parser->at;
        while (parser->at < parser->end && *parser->at != ']') parser->at++;
        if (parser->at == zone) return fail_syntax(parser, "a time zone");
        type->kind = AP_TYPE_TIMESTAMP_TZ;
      }
      AP_TRY(expect(parser, ']', "']'"));
    }
  }
  if (accept_words(parser, without_zone)) return AP_OK;
  if (type->kind == AP_TYPE_TIMESTAMP && accept_words(parser, with_zone)) {
    type->kind = AP_TYPE_TIMESTAMP_TZ;
  }
  return AP_OK;
}

/* The opening bracket of a nested type; its partner is stored. */
static ap_status open_bracket(struct parser *parser, char *out_close) {
  *out_close = '>';
  if (accept(parser, '<')) return AP_OK;
  *out_close = ')';
  return expect(parser, '(', "'<'");
}

static ap_status parse_list(struct parser *parser, struct ap_type *type) {
  char close = 0;
  struct ap_field element = {.name = AP_TEXT("element")};
  AP_TRY(open_bracket(parser, &close));
  AP_TRY(parse_type(parser, &element.type, &element.nullable));
  AP_TRY(expect(parser, close, "the closing bracket"));
  return set_fields(parser, type, 1, &element);
}

static ap_status parse_map(struct parser *parser, struct ap_type *type) {
  char close = 0;
  struct ap_field fields[2] = {{.name = AP_TEXT("key")}, {.name = AP_TEXT("value")}};
  AP_TRY(open_bracket(parser, &close));
  AP_TRY(parse_type(parser, &fields[0].type, &fields[0].nullable));
  AP_TRY(expect(parser, ',', "','"));
  AP_TRY(parse_type(parser, &fields[1].type, &fields[1].nullable));
  AP_TRY(expect(parser, close, "the closing bracket"));
  fields[0].nullable = false; /* a key is never null, said or not */
  return set_fields(parser, type, 2, fields);
}

/* A plain name, or one in double quotes with quotes doubled. */
static ap_status parse_field_name(struct parser *parser, struct ap_text *out_name) {
  struct ap_text word = peek_word(parser);
  if (word.size > 0) {
    parser->at += word.size;
    char *copy = ap_arena_copy(parser->arena, word);
    if (copy == NULL) return AP_FAIL_MEMORY(parser->err);
    *out_name = (struct ap_text){copy, word.size};
    return AP_OK;
  }
  if (!accept(parser, '"')) return fail_syntax(parser, "a field name");
  char *name = ap_arena_allocate(parser->arena, (size_t)(parser->end - parser->at) + 1);
  if (name == NULL) return AP_FAIL_MEMORY(parser->err);
  size_t size = 0;
  for (;; parser->at++) {
    if (parser->at == parser->end) return fail_syntax(parser, "'\"'");
    if (*parser->at == '"') {
      parser->at++;
      if (parser->at == parser->end || *parser->at != '"') break;
    }
    name[size++] = *parser->at;
  }
  name[size] = '\0';
  *out_name = (struct ap_text){name, size};
  return AP_OK;
}

static ap_status grow_fields(struct parser *parser, struct ap_field **fields, uint32_t count) {
  if (count < 8 || (count & (count - 1)) != 0) return AP_OK;
  struct ap_field *grown = AP_ARENA_ARRAY(parser->arena, struct ap_field, (size_t)count * 2);
  if (grown == NULL) return AP_FAIL_MEMORY(parser->err);
  memcpy(grown, *fields, count * sizeof(*grown));
  *fields = grown;
  return AP_OK;
}

static ap_status parse_struct(struct parser *parser, struct ap_type *type) {
  char close = 0;
  uint32_t count = 0;
  AP_TRY(open_bracket(parser, &close));
  struct ap_field *fields = AP_ARENA_ARRAY(parser->arena, struct ap_field, 8);
  if (fields == NULL) return AP_FAIL_MEMORY(parser->err);
  if (!peek(parser, close)) {
    do {
      AP_TRY(grow_fields(parser, &fields, count));
      struct ap_field *field = &fields[count++];
      AP_TRY(parse_field_name(parser, &field->name));
      (void)accept(parser, ':'); /* struct<a: T> and STRUCT(a T) */
      AP_TRY(parse_type(parser, &field->type, &field->nullable));
      for (uint32_t i = 0; i + 1 < count; i++) {
        if (!ap_text_equal_ignoring_case(fields[i].name, field->name)) continue;
        return AP_FAIL(parser->err, AP_SCHEMA_MISMATCH, "type '%.*s' has two fields '%.*s'",
                       AP_TEXT_ARG(parser->whole), AP_TEXT_ARG(field->name));
      }
    } while (count < AP_COLUMNS_MAX && accept(parser, ','));
  }
  type->fields = fields;
  type->field_count = count;
  return expect(parser, close, "',' or the closing bracket");
}

static ap_status parse_base(struct parser *parser, struct ap_type *out_type) {
  struct ap_text name = peek_word(parser);
  const struct word *word = NULL;
  for (size_t i = 0; i < WORD_COUNT && word == NULL; i++) {
    if (ap_text_equal_ignoring_case(name, ap_text_of(words[i].name))) word = &words[i];
  }
  if (word == NULL) return fail_unknown(parser, name);
  parser->at += name.size;
  *out_type = (struct ap_type){.kind = word->kind, .unit = word->unit};
  switch (word->kind) {
    case AP_TYPE_DECIMAL:
      return parse_decimal(parser, out_type);
    case AP_TYPE_STRING:
      return parse_length(parser);
    case AP_TYPE_FLOAT64:
      (void)accept_word(parser, "precision"); /* double precision */
      return AP_OK;
    case AP_TYPE_DATE:
    case AP_TYPE_TIME:
    case AP_TYPE_TIMESTAMP:
    case AP_TYPE_TIMESTAMP_TZ:
      return parse_temporal(parser, out_type);
    case AP_TYPE_LIST:
      return parse_list(parser, out_type);
    case AP_TYPE_STRUCT:
      return parse_struct(parser, out_type);
    case AP_TYPE_MAP:
      return parse_map(parser, out_type);
    default:
      return AP_OK;
  }
}

static const char *canonical_word(enum ap_type_kind kind) {
  for (size_t i = 0; i < WORD_COUNT; i++) {
    if (words[i].kind == kind) return words[i].name;
  }
  return "null";
}

/* A field of a struct word; quoted where the bare name would not be read back. */
static void append_field_name(struct ap_buffer *out, struct ap_text name) {
  bool plain = name.size > 0 && is_name_start(name.data[0]);
  for (size_t i = 0; plain && i < name.size; i++) {
    plain = is_name_start(name.data[i]) || is_digit(name.data[i]);
  }
  if (plain) {
    ap_buffer_append_text(out, name);
  } else {
    ap_buffer_append_identifier(out, name);
  }
}

static void append_nested_words(struct ap_buffer *out, const struct ap_type *type) {
  ap_buffer_append_string(out, "<");
  for (uint32_t i = 0; i < type->field_count; i++) {
    const struct ap_field *field = &type->fields[i];
    if (i > 0) ap_buffer_append_string(out, ", ");
    if (type->kind == AP_TYPE_STRUCT) {
      append_field_name(out, field->name);
      ap_buffer_append_string(out, ": ");
    }
    ap_type_append_word(out, &field->type);
    bool is_key = type->kind == AP_TYPE_MAP && i == 0;
    if (!field->nullable && !is_key) ap_buffer_append_string(out, " not null");
  }
  ap_buffer_append_string(out, ">");
}

void ap_type_append_word(struct ap_buffer *out, const struct ap_type *type) {
  if (type->kind == AP_TYPE_TIMESTAMP_TZ) {
    ap_buffer_append_format(out, "timestamp[%s, UTC]", unit_words[type->unit]);
    return;
  }
  ap_buffer_append_string(out, canonical_word(type->kind));
  switch (type->kind) {
    case AP_TYPE_DECIMAL:
      ap_buffer_append_format(out, "(%d,%d)", type->precision, type->scale);
      break;
    case AP_TYPE_TIME:
    case AP_TYPE_TIMESTAMP:
      if (type->unit == AP_UNIT_MICROSECOND) break;
      ap_buffer_append_format(out, "[%s]", unit_words[type->unit]);
      break;
    case AP_TYPE_LIST:
    case AP_TYPE_STRUCT:
    case AP_TYPE_MAP:
      append_nested_words(out, type);
      break;
    default:
      break;
  }
}

/* NULL for the kinds that need more than a word. */
static const char *sql_word(enum ap_type_kind kind) {
  static const char *const names[] = {
      [AP_TYPE_NULL] = "\"NULL\"",
      [AP_TYPE_BOOLEAN] = "BOOLEAN",
      [AP_TYPE_INT8] = "TINYINT",
      [AP_TYPE_INT16] = "SMALLINT",
      [AP_TYPE_INT32] = "INTEGER",
      [AP_TYPE_INT64] = "BIGINT",
      [AP_TYPE_UINT8] = "UTINYINT",
      [AP_TYPE_UINT16] = "USMALLINT",
      [AP_TYPE_UINT32] = "UINTEGER",
      [AP_TYPE_UINT64] = "UBIGINT",
      [AP_TYPE_FLOAT16] = "FLOAT",
      [AP_TYPE_FLOAT32] = "FLOAT",
      [AP_TYPE_FLOAT64] = "DOUBLE",
      [AP_TYPE_DECIMAL] = NULL,
      [AP_TYPE_STRING] = "VARCHAR",
      [AP_TYPE_BINARY] = "BLOB",
      [AP_TYPE_DATE] = "DATE",
      [AP_TYPE_TIME] = "TIME",
      [AP_TYPE_TIMESTAMP] = "TIMESTAMP",
      [AP_TYPE_TIMESTAMP_TZ] = "TIMESTAMP WITH TIME ZONE",
      [AP_TYPE_LIST] = NULL,
      [AP_TYPE_STRUCT] = NULL,
      [AP_TYPE_MAP] = NULL,
  };
  return names[kind];
}

void ap_type_append_sql(struct ap_buffer *out, const struct ap_type *type) {
  const char *word = sql_word(type->kind);
  if (word != NULL) {
    ap_buffer_append_string(out, word);
    return;
  }
  switch (type->kind) {
    case AP_TYPE_DECIMAL:
      ap_buffer_append_format(out, "DECIMAL(%d,%d)", type->precision, type->scale);
      break;
    case AP_TYPE_LIST:
      ap_type_append_sql(out, &type->fields[0].type);
      ap_buffer_append_string(out, "[]");
      break;
    case AP_TYPE_MAP:
      ap_buffer_append_string(out, "MAP(");
      ap_type_append_sql(out, &type->fields[0].type);
      ap_buffer_append_string(out, ", ");
      ap_type_append_sql(out, &type->fields[1].type);
      ap_buffer_append_string(out, ")");
      break;
    default:
      ap_buffer_append_string(out, "STRUCT(");
      for (uint32_t i = 0; i < type->field_count; i++) {
        if (i > 0) ap_buffer_append_string(out, ", ");
        ap_buffer_append_identifier(out, type->fields[i].name);
        ap_buffer_append_string(out, " ");
        ap_type_append_sql(out, &type->fields[i].type);
      }
      ap_buffer_append_string(out, ")");
      break;
  }
}
