/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading JSON. The input is copied into the arena once; strings are unescaped in place there and
 * their closing quote becomes the NUL, so a text costs one copy however many strings it has.
 * Children wait on one stack until their container ends and are then copied out in their exact
 * number. The copy ends in zero bytes, which no token contains: that is the bounds check.
 * Thread: the arena's. Writing stands in json_write.c.
 */
#include "base/json.h"

#include "base/assert.h"
#include "base/limits.h"

#include <string.h>

enum {
  INPUT_PADDING = 8, /* zero bytes behind the copy: whole words may be read at its end */
  STACK_INITIAL = 64,
};

struct parser {
  char *begin;
  char *at;
  char *end;
  struct ap_arena *arena;
  struct ap_json_member *stack; /* children of the containers that are still open */
  size_t stack_count;
  size_t stack_capacity;
  uint32_t depth;
  uint32_t depth_max;
  ap_error *err;
};

static ap_status fail_at(struct parser *parser, const char *at, const char *what) {
  return AP_FAIL(parser->err, AP_CORRUPT, "not JSON: %s at byte %zu of %zu", what,
                 (size_t)(at - parser->begin), (size_t)(parser->end - parser->begin));
}

static void skip_space(struct parser *parser) {
  char *at = parser->at;
  while (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t') at++;
  parser->at = at;
}

static bool is_digit(char byte) {
  return byte >= '0' && byte <= '9';
}

static ap_status parse_number(struct parser *parser, struct ap_json *out_value) {
  char *at = parser->at;
  if (*at == '-') at++;
  if (*at == '0') {
    at++;
  } else {
    if (!is_digit(*at)) return fail_at(parser, at, "a digit is missing");
    while (is_digit(*at)) at++;
  }
  if (*at == '.') {
    at++;
    if (!is_digit(*at)) return fail_at(parser, at, "a digit is missing");
    while (is_digit(*at)) at++;
  }
  if (*at == 'e' || *at == 'E') {
    at++;
    if (*at == '+' || *at == '-') at++;
    if (!is_digit(*at)) return fail_at(parser, at, "a digit is missing");
    while (is_digit(*at)) at++;
  }
  out_value->kind = AP_JSON_NUMBER;
  out_value->text = (struct ap_text){parser->at, (size_t)(at - parser->at)};
  parser->at = at;
  return AP_OK;
}

static bool read_hex4(const char *at, uint32_t *out_unit) {
  uint32_t unit = 0;
  for (int i = 0; i < 4; i++) {
    char byte = at[i];
    uint32_t digit;
    if (is_digit(byte)) {
      digit = (uint32_t)(byte - '0');
    } else if (byte >= 'a' && byte <= 'f') {
      digit = (uint32_t)(byte - 'a') + 10;
    } else if (byte >= 'A' && byte <= 'F') {
      digit = (uint32_t)(byte - 'A') + 10;
    } else {
      return false;
    }
    unit = unit << 4 | digit;
  }
  *out_unit = unit;
  return true;
}

static char *put_utf8(char *to, uint32_t code) {
  if (code < 0x80) {
    *to++ = (char)code;
  } else if (code < 0x800) {
    *to++ = (char)(0xC0 | code >> 6);
    *to++ = (char)(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    *to++ = (char)(0xE0 | code >> 12);
    *to++ = (char)(0x80 | (code >> 6 & 0x3F));
    *to++ = (char)(0x80 | (code & 0x3F));
  } else {
    *to++ = (char)(0xF0 | code >> 18);
    *to++ = (char)(0x80 | (code >> 12 & 0x3F));
    *to++ = (char)(0x80 | (code >> 6 & 0x3F));
    *to++ = (char)(0x80 | (code & 0x3F));
  }
  return to;
}

/* \uXXXX, and its other half when it is a surrogate. *from stands on the backslash. */
static ap_status parse_unicode_escape(struct parser *parser, char **from, char **to) {
  uint32_t code;
  if (!read_hex4(*from + 2, &code)) return fail_at(parser, *from, "a broken \\u escape");
  char *next = *from + 6;
  if (code >= 0xDC00 && code <= 0xDFFF) return fail_at(parser, *from, "a lone surrogate");
  if (code >= 0xD800 && code <= 0xDBFF) {
    uint32_t low;
    if (next[0] != '\\' || next[1] != 'u' || !read_hex4(next + 2, &low) || low < 0xDC00 ||
        low > 0xDFFF) {
      return fail_at(parser, *from, "a lone surrogate");
    }
    code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    next += 6;
  }
  *to = put_utf8(*to, code);
  *from = next;
  return AP_OK;
}

static ap_status parse_escape(struct parser *parser, char **from, char **to) {
  char plain;
  switch ((*from)[1]) {
    case '"':
    case '\\':
    case '/':
      plain = (*from)[1];
      break;
    case 'b':
      plain = '\b';
      break;
    case 'f':
      plain = '\f';
      break;
    case 'n':
      plain = '\n';
      break;
    case 'r':
      plain = '\r';
      break;
    case 't':
      plain = '\t';
      break;
    case 'u':
      return parse_unicode_escape(parser, from, to);
    default:
      return fail_at(parser, *from, "an unknown escape");
  }
  *(*to)++ = plain;
  *from += 2;
  return AP_OK;
}

/* The first byte that is a quote, a backslash, a control byte or not ASCII. Eight at a time by the
 * "has zero byte" trick, which may see too much but never too little; the byte loop decides. */
static char *skip_plain(char *at) {
  const uint64_t ones = UINT64_C(0x0101010101010101);
  const uint64_t highs = UINT64_C(0x8080808080808080);
  for (;;) {
    uint64_t word;
    memcpy(&word, at, sizeof(word));
    uint64_t quote = word ^ (ones * '"');
    uint64_t backslash = word ^ (ones * '\\');
    uint64_t hits = ((quote - ones) & ~quote) | ((backslash - ones) & ~backslash) |
                    ((word - ones * 0x20) & ~word) | word;
    if (hits & highs) break;
    at += sizeof(word);
  }
  while ((unsigned char)*at >= 0x20 && *at != '"' && *at != '\\' && (unsigned char)*at < 0x80) at++;
  return at;
}

/* parser->at stands behind the opening quote. */
static ap_status parse_string(struct parser *parser, struct ap_text *out_text) {
  char *start = parser->at;
  char *from = start;
  char *to = start;
  for (;;) {
    char *stop = skip_plain(from);
    size_t plain = (size_t)(stop - from);
    if (to != from) memmove(to, from, plain);
    to += plain;
    from = stop;
    if (*from == '"') break;
    if (*from == '\\') {
      AP_TRY(parse_escape(parser, &from, &to));
      continue;
    }
    if (from == parser->end) return fail_at(parser, from, "a string without its end");
    if ((unsigned char)*from < 0x20) return fail_at(parser, from, "a control byte in a string");
    size_t size = ap_text_utf8_size((struct ap_text){from, (size_t)(parser->end - from)});
    if (size == 0) return fail_at(parser, from, "a byte that is not UTF-8");
    memmove(to, from, size);
    to += size;
    from += size;
  }
  *to = '\0';
  *out_text = (struct ap_text){start, (size_t)(to - start)};
  parser->at = from + 1;
  return AP_OK;
}

static ap_status parse_word(struct parser *parser, const char *word, size_t size,
                            enum ap_json_kind kind, struct ap_json *out_value) {
  if ((size_t)(parser->end - parser->at) < size || memcmp(parser->at, word, size) != 0) {
    return fail_at(parser, parser->at, "an unknown word");
  }
  parser->at += size;
  out_value->kind = kind;
  return AP_OK;
}

static struct ap_json_member *push(struct parser *parser) {
  if (parser->stack_count == parser->stack_capacity) {
    size_t capacity = parser->stack_capacity ? parser->stack_capacity * 2 : STACK_INITIAL;
    struct ap_json_member *stack =
        ap_reallocate(parser->arena->allocator, parser->stack, capacity * sizeof(*stack));
    if (!stack) return NULL;
    parser->stack = stack;
    parser->stack_capacity = capacity;
  }
  return &parser->stack[parser->stack_count++];
}

static ap_status parse_value(struct parser *parser, struct ap_json *out_value);

/* Behind a child: true when another follows, false when the container has ended. */
static ap_status parse_separator(struct parser *parser, char closing, bool *out_more) {
  skip_space(parser);
  char byte = *parser->at;
  if (byte != ',' && byte != closing) {
    return fail_at(parser, parser->at, closing == ']' ? "no ',' or ']'" : "no ',' or '}'");
  }
  parser->at++;
  *out_more = byte == ',';
  return AP_OK;
}

static ap_status enter(struct parser *parser) {
  if (parser->depth == parser->depth_max) {
    return fail_at(parser, parser->at, "nesting beyond the limit");
  }
  parser->depth++;
  parser->at++;
  skip_space(parser);
  return AP_OK;
}

static ap_status parse_array(struct parser *parser, struct ap_json *out_value) {
  AP_TRY(enter(parser));
  size_t first = parser->stack_count;
  bool more = *parser->at != ']';
  if (!more) parser->at++;
  while (more) {
    struct ap_json item;
    AP_TRY(parse_value(parser, &item));
    struct ap_json_member *slot = push(parser);
    if (!slot) return AP_FAIL_MEMORY(parser->err);
    slot->value = item;
    AP_TRY(parse_separator(parser, ']', &more));
  }
  parser->depth--;
  size_t count = parser->stack_count - first;
  *out_value = (struct ap_json){.kind = AP_JSON_ARRAY, .count = (uint32_t)count};
  if (count == 0) return AP_OK;
  struct ap_json *items = ap_arena_allocate(parser->arena, count * sizeof(*items));
  if (!items) return AP_FAIL_MEMORY(parser->err);
  for (size_t i = 0; i < count; i++) items[i] = parser->stack[first + i].value;
  out_value->items = items;
  parser->stack_count = first;
  return AP_OK;
}

static ap_status parse_member(struct parser *parser, struct ap_json_member *out_member) {
  skip_space(parser);
  if (*parser->at != '"') return fail_at(parser, parser->at, "no name of a member");
  parser->at++;
  AP_TRY(parse_string(parser, &out_member->name));
  skip_space(parser);
  if (*parser->at != ':') return fail_at(parser, parser->at, "no ':'");
  parser->at++;
  return parse_value(parser, &out_member->value);
}

static ap_status parse_object(struct parser *parser, struct ap_json *out_value) {
  AP_TRY(enter(parser));
  size_t first = parser->stack_count;
  bool more = *parser->at != '}';
  if (!more) parser->at++;
  while (more) {
    struct ap_json_member member;
    AP_TRY(parse_member(parser, &member));
    struct ap_json_member *slot = push(parser);
    if (!slot) return AP_FAIL_MEMORY(parser->err);
    *slot = member;
    AP_TRY(parse_separator(parser, '}', &more));
  }
  parser->depth--;
  size_t count = parser->stack_count - first;
  *out_value = (struct ap_json){.kind = AP_JSON_OBJECT, .count = (uint32_t)count};
  if (count == 0) return AP_OK;
  struct ap_json_member *members = ap_arena_allocate(parser->arena, count * sizeof(*members));
  if (!members) return AP_FAIL_MEMORY(parser->err);
  memcpy(members, parser->stack + first, count * sizeof(*members));
  out_value->members = members;
  parser->stack_count = first;
  return AP_OK;
}

/* The recursion goes no deeper than depth_max containers. */
static ap_status parse_value(struct parser *parser, struct ap_json *out_value) {
  skip_space(parser);
  *out_value = (struct ap_json){.kind = AP_JSON_NULL};
  switch (*parser->at) {
    case '{':
      return parse_object(parser, out_value);
    case '[':
      return parse_array(parser, out_value);
    case '"':
      parser->at++;
      out_value->kind = AP_JSON_STRING;
      return parse_string(parser, &out_value->text);
    case 't':
      return parse_word(parser, "true", 4, AP_JSON_TRUE, out_value);
    case 'f':
      return parse_word(parser, "false", 5, AP_JSON_FALSE, out_value);
    case 'n':
      return parse_word(parser, "null", 4, AP_JSON_NULL, out_value);
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
      return parse_number(parser, out_value);
    default:
      return fail_at(parser, parser->at, "no value");
  }
}

ap_status ap_json_parse(struct ap_arena *arena, struct ap_text input,
                        const struct ap_json **out_value, ap_error *err) {
  return ap_json_parse_nested(arena, input, AP_JSON_DEPTH_MAX, out_value, err);
}

ap_status ap_json_parse_nested(struct ap_arena *arena, struct ap_text input, uint32_t depth_max,
                               const struct ap_json **out_value, ap_error *err) {
  if (input.size > (size_t)AP_JSON_BYTES_MAX) {
    return AP_FAIL(err, AP_CORRUPT, "a JSON text of %zu bytes is beyond the limit of %lld",
                   input.size, (long long)AP_JSON_BYTES_MAX);
  }
  struct ap_json *root = AP_ARENA_NEW(arena, struct ap_json);
  char *copy = ap_arena_allocate(arena, input.size + INPUT_PADDING);
  if (!root || !copy) return AP_FAIL_MEMORY(err);
  if (input.size) memcpy(copy, input.data, input.size);
  memset(copy + input.size, 0, INPUT_PADDING);

  struct parser parser = {.begin = copy,
                          .at = copy,
                          .end = copy + input.size,
                          .arena = arena,
                          .depth_max = depth_max,
                          .err = err};
  ap_status status = parse_value(&parser, root);
  if (status == AP_OK) {
    AP_ASSERT(parser.depth == 0 && parser.stack_count == 0);
    skip_space(&parser);
    if (parser.at != parser.end) status = fail_at(&parser, parser.at, "more after the value");
  }
  ap_free(arena->allocator, parser.stack);
  if (status == AP_OK) *out_value = root;
  return status;
}

const struct ap_json *ap_json_find(const struct ap_json *value, const char *name) {
  if (!value || value->kind != AP_JSON_OBJECT) return NULL;
  struct ap_text wanted = ap_text_of(name);
  for (uint32_t i = value->count; i > 0; i--) {
    const struct ap_json_member *member = &value->members[i - 1];
    if (ap_text_equal(member->name, wanted)) return &member->value;
  }
  return NULL;
}

bool ap_json_is_null(const struct ap_json *value) {
  return !value || value->kind == AP_JSON_NULL;
}

bool ap_json_get_text(const struct ap_json *object, const char *name, struct ap_text fallback,
                      struct ap_text *out_value) {
  const struct ap_json *value = ap_json_find(object, name);
  *out_value = fallback;
  if (ap_json_is_null(value)) return true;
  if (value->kind != AP_JSON_STRING) return false;
  *out_value = value->text;
  return true;
}

bool ap_json_get_i64(const struct ap_json *object, const char *name, int64_t fallback,
                     int64_t *out_value) {
  const struct ap_json *value = ap_json_find(object, name);
  *out_value = fallback;
  if (ap_json_is_null(value)) return true;
  return value->kind == AP_JSON_NUMBER && ap_text_parse_i64(value->text, out_value);
}

bool ap_json_get_bool(const struct ap_json *object, const char *name, bool fallback,
                      bool *out_value) {
  const struct ap_json *value = ap_json_find(object, name);
  *out_value = fallback;
  if (ap_json_is_null(value)) return true;
  if (value->kind != AP_JSON_TRUE && value->kind != AP_JSON_FALSE) return false;
  *out_value = value->kind == AP_JSON_TRUE;
  return true;
}
