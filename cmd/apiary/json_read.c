/* SPDX-License-Identifier: Apache-2.0
 *
 * See json_read.h.
 */
#include "json_read.h"

#include "width.h"

#include <stdlib.h>
#include <string.h>

static void skip_space(struct cli_json_walk *walk) {
  while (walk->at < walk->end && strchr(" \t\r\n", *walk->at) != NULL) ++walk->at;
}

/* Behind a string that starts at `at`. */
static const char *string_end(const char *at, const char *end) {
  for (++at; at < end && *at != '"'; ++at) {
    if (*at == '\\') ++at;
  }
  return at < end ? at + 1 : end;
}

/* Behind the value that starts at `at`. */
static const char *value_end(const char *at, const char *end) {
  size_t depth = 0;
  while (at < end) {
    if (*at == '"') {
      at = string_end(at, end);
    } else if (*at == '{' || *at == '[') {
      ++depth;
      ++at;
    } else if (*at == '}' || *at == ']') {
      if (depth == 0) return at;
      --depth;
      ++at;
    } else if (depth == 0) {
      while (at < end && strchr(",}] \t\r\n", *at) == NULL) ++at;
      return at;
    } else {
      ++at;
    }
    if (depth == 0) return at;
  }
  return end;
}

struct cli_json cli_json_of(const char *text) {
  struct cli_json_walk walk = {text, text + strlen(text)};
  skip_space(&walk);
  return (struct cli_json){walk.at, (size_t)(value_end(walk.at, walk.end) - walk.at)};
}

struct cli_json_walk cli_json_walk_start(struct cli_json value) {
  struct cli_json_walk walk = {NULL, NULL};
  if (value.size < 2 || (value.data[0] != '{' && value.data[0] != '[')) return walk;
  walk.at = value.data + 1;
  walk.end = value.data + value.size - 1;
  return walk;
}

bool cli_json_walk_next(struct cli_json_walk *walk, struct cli_text *name,
                        struct cli_json *out_value) {
  skip_space(walk);
  if (walk->at < walk->end && *walk->at == ',') ++walk->at;
  skip_space(walk);
  if (walk->at >= walk->end) return false;
  const char *start = walk->at;
  walk->at = value_end(start, walk->end);
  struct cli_json first = {start, (size_t)(walk->at - start)};
  skip_space(walk);
  if (walk->at < walk->end && *walk->at == ':') {
    if (name != NULL) cli_json_append(name, first);
    ++walk->at;
    skip_space(walk);
    start = walk->at;
    walk->at = value_end(start, walk->end);
    first = (struct cli_json){start, (size_t)(walk->at - start)};
  }
  if (first.size == 0) walk->at = walk->end;
  *out_value = first;
  return first.size > 0;
}

struct cli_json cli_json_member(struct cli_json object, const char *name) {
  struct cli_json_walk walk = cli_json_walk_start(object);
  struct cli_text found = {0};
  struct cli_json value = {NULL, 0};
  while (cli_json_walk_next(&walk, &found, &value)) {
    bool is_it = strcmp(cli_text_string(&found), name) == 0;
    cli_text_clear(&found);
    if (!is_it) continue;
    cli_text_deinit(&found);
    return value;
  }
  cli_text_deinit(&found);
  return (struct cli_json){NULL, 0};
}

bool cli_json_is_null(struct cli_json value) {
  return value.data == NULL || (value.size == 4 && memcmp(value.data, "null", 4) == 0);
}

/* The four digits behind \u. */
static uint32_t hex(const char *at, const char *end) {
  char digits[5] = "";
  if (end - at < 4) return 0xfffd;
  memcpy(digits, at, 4);
  return (uint32_t)strtoul(digits, NULL, 16);
}

/* Behind the escape whose backslash stands at `at`. */
static const char *append_escape(struct cli_text *text, const char *at, const char *end) {
  static const char letters[] = "bfnrt";
  static const char meanings[] = "\b\f\n\r\t";
  const char *letter = memchr(letters, at[1], sizeof letters - 1);
  if (letter != NULL) {
    cli_text_append_char(text, meanings[letter - letters]);
    return at + 2;
  }
  if (at[1] != 'u') {
    cli_text_append_char(text, at[1]);
    return at + 2;
  }
  uint32_t character = hex(at + 2, end);
  at = end - at < 6 ? end : at + 6;
  if (character >= 0xd800 && character < 0xdc00 && end - at >= 6 && at[0] == '\\' && at[1] == 'u') {
    character = 0x10000 + ((character - 0xd800) << 10) + ((hex(at + 2, end) - 0xdc00) & 0x3ff);
    at += 6;
  }
  cli_utf8_append(text, character);
  return at;
}

void cli_json_append(struct cli_text *text, struct cli_json value) {
  if (value.size < 2 || value.data[0] != '"') {
    cli_text_append(text, value.data, value.size);
    return;
  }
  const char *end = value.data + value.size - 1;
  for (const char *at = value.data + 1; at < end;) {
    if (*at == '\\' && at + 1 < end) {
      at = append_escape(text, at, end);
    } else {
      cli_text_append_char(text, *at++);
    }
  }
}

long long cli_json_number(struct cli_json value, long long otherwise) {
  struct cli_text text = {0};
  char *end = NULL;
  cli_json_append(&text, value);
  long long number = strtoll(cli_text_string(&text), &end, 10);
  bool fine = text.size > 0 && *end == '\0';
  cli_text_deinit(&text);
  return fine ? number : otherwise;
}
