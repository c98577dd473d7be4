/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading Arrow schemas: format strings become kinds, and kinds words.
 */
#include "reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
  const char *format;
  enum core_kind kind;
  int width;
  int64_t per_second;
} plain_formats[] = {
    {"n", CORE_NULL, 0, 0},
    {"b", CORE_BOOLEAN, 0, 0},
    {"c", CORE_INT8, 1, 0},
    {"C", CORE_UINT8, 1, 0},
    {"s", CORE_INT16, 2, 0},
    {"S", CORE_UINT16, 2, 0},
    {"i", CORE_INT32, 4, 0},
    {"I", CORE_UINT32, 4, 0},
    {"l", CORE_INT64, 8, 0},
    {"L", CORE_UINT64, 8, 0},
    {"e", CORE_FLOAT16, 2, 0},
    {"f", CORE_FLOAT32, 4, 0},
    {"g", CORE_FLOAT64, 8, 0},
    {"u", CORE_TEXT, 4, 0},
    {"U", CORE_TEXT, 8, 0},
    {"vu", CORE_TEXT, 0, 0},
    {"z", CORE_BINARY, 4, 0},
    {"Z", CORE_BINARY, 8, 0},
    {"vz", CORE_BINARY, 0, 0},
    {"tdD", CORE_DATE32, 4, 0},
    {"tdm", CORE_DATE64, 8, 0},
    {"tts", CORE_TIME, 4, 1},
    {"ttm", CORE_TIME, 4, 1000},
    {"ttu", CORE_TIME, 8, 1000000},
    {"ttn", CORE_TIME, 8, 1000000000},
    {"tDs", CORE_DURATION, 8, 1},
    {"tDm", CORE_DURATION, 8, 1000},
    {"tDu", CORE_DURATION, 8, 1000000},
    {"tDn", CORE_DURATION, 8, 1000000000},
    {"tiM", CORE_MONTHS, 4, 0},
    {"tiD", CORE_DAYS_MILLISECONDS, 8, 0},
    {"tin", CORE_MONTHS_DAYS_NANOSECONDS, 16, 0},
    {"+l", CORE_LIST, 4, 0},
    {"+L", CORE_LIST, 8, 0},
    {"+vl", CORE_LIST_VIEW, 4, 0},
    {"+vL", CORE_LIST_VIEW, 8, 0},
    {"+s", CORE_STRUCT, 0, 0},
    {"+m", CORE_MAP, 4, 0},
};

static bool set_zone(const char *zone, struct core_reader *reader) {
  struct core_state *state = core_state_get();
  if (zone[0] == '\0') return true;
  if (state == NULL) return false;
  reader->zone_name = calloc(strlen(zone) + 1, 1);
  if (reader->zone_name == NULL) {
    PyErr_NoMemory();
    return false;
  }
  memcpy(reader->zone_name, zone, strlen(zone));
  if (strcmp(zone, "UTC") == 0) {
    reader->zone = state->utc;
    Py_INCREF(reader->zone);
  } else {
    reader->zone = PyObject_CallFunction(state->zone_of, "s", zone);
  }
  return reader->zone != NULL;
}

static void set_union_members(const char *ids, struct core_reader *reader) {
  char *end = NULL;
  memset(reader->type_members, -1, sizeof reader->type_members);
  for (int8_t member = 0; *ids != '\0' && member < reader->count; ++member) {
    long id = strtol(ids, &end, 10);
    if (end == ids || id < 0 || id > 127) return;
    reader->type_members[id] = member;
    ids = *end == ',' ? end + 1 : end;
  }
}

/* Formats with something behind a colon. */
static bool set_parameters(const char *format, struct core_reader *reader) {
  static const char units[] = "smun";
  int bits = 128;
  if (sscanf(format, "d:%d,%d,%d", &reader->precision, &reader->scale, &bits) >= 2) {
    reader->kind = CORE_DECIMAL;
    reader->width = bits / 8;
    return bits == 32 || bits == 64 || bits == 128 || bits == 256;
  }
  if (sscanf(format, "w:%d", &reader->width) == 1) {
    reader->kind = CORE_FIXED_BINARY;
    return reader->width >= 0;
  }
  if (sscanf(format, "+w:%d", &reader->width) == 1) {
    reader->kind = CORE_FIXED_LIST;
    return reader->width >= 0;
  }
  if (strncmp(format, "+us:", 4) == 0 || strncmp(format, "+ud:", 4) == 0) {
    reader->kind = format[2] == 's' ? CORE_SPARSE_UNION : CORE_DENSE_UNION;
    set_union_members(format + 4, reader);
    return true;
  }
  if (strncmp(format, "ts", 2) == 0 && format[2] != '\0' && format[3] == ':') {
    static const int64_t per_second[] = {1, 1000, 1000000, 1000000000};
    const char *unit = strchr(units, format[2]);
    if (unit == NULL) return false;
    reader->kind = CORE_TIMESTAMP;
    reader->width = 8;
    reader->per_second = per_second[unit - units];
    return set_zone(format + 4, reader);
  }
  return false;
}

static bool set_kind(const char *format, struct core_reader *reader) {
  for (size_t i = 0; i < sizeof plain_formats / sizeof plain_formats[0]; ++i) {
    if (strcmp(plain_formats[i].format, format) != 0) continue;
    reader->kind = plain_formats[i].kind;
    reader->width = plain_formats[i].width;
    reader->per_second = plain_formats[i].per_second;
    return true;
  }
  return set_parameters(format, reader);
}

static bool children_fit(const struct core_reader *reader) {
  switch (reader->kind) {
    case CORE_LIST:
    case CORE_LIST_VIEW:
    case CORE_FIXED_LIST:
      return reader->count == 1;
    case CORE_MAP:
      return reader->count == 1 && reader->children[0].kind == CORE_STRUCT &&
             reader->children[0].count == 2;
    case CORE_STRUCT:
    case CORE_SPARSE_UNION:
    case CORE_DENSE_UNION:
      return true;
    default:
      return reader->count == 0;
  }
}

static bool read_schema(const struct ArrowSchema *schema, struct core_reader *reader) {
  const char *name = schema->name == NULL ? "" : schema->name;
  reader->name = PyUnicode_DecodeUTF8(name, (Py_ssize_t)strlen(name), "replace");
  reader->children = calloc((size_t)schema->n_children + 1, sizeof *reader->children);
  if (reader->name == NULL || reader->children == NULL) {
    if (!PyErr_Occurred()) PyErr_NoMemory();
    return false;
  }
  reader->count = schema->n_children;
  for (int64_t i = 0; i < reader->count; ++i) {
    if (!read_schema(schema->children[i], &reader->children[i])) return false;
  }
  if (!set_kind(schema->format, reader) || !children_fit(reader)) {
    if (!PyErr_Occurred()) {
      (void)core_fail(AP_UNSUPPORTED, "use to_arrow()",
                      "column '%s' has the Arrow type '%s', which has no Python value", name,
                      schema->format);
    }
    return false;
  }
  if (schema->dictionary == NULL) return true;
  reader->index_kind = reader->kind;
  reader->kind = CORE_DICTIONARY;
  reader->dictionary = calloc(1, sizeof *reader->dictionary);
  if (reader->dictionary == NULL) {
    PyErr_NoMemory();
    return false;
  }
  return read_schema(schema->dictionary, reader->dictionary);
}

static void reader_deinit(struct core_reader *reader) {
  for (int64_t i = 0; i < reader->count; ++i) reader_deinit(&reader->children[i]);
  free(reader->children);
  free(reader->zone_name);
  Py_XDECREF(reader->name);
  Py_XDECREF(reader->zone);
  core_reader_destroy(reader->dictionary);
}

void core_reader_destroy(struct core_reader *reader) {
  if (reader == NULL) return;
  reader_deinit(reader);
  free(reader);
}

struct core_reader *core_reader_create(const struct ArrowSchema *schema) {
  struct core_reader *reader = calloc(1, sizeof *reader);
  if (reader == NULL) {
    PyErr_NoMemory();
    return NULL;
  }
  if (!read_schema(schema, reader)) {
    core_reader_destroy(reader);
    return NULL;
  }
  return reader;
}

PyObject *core_reader_name(const struct core_reader *reader, int64_t column) {
  return reader->children[column].name;
}

/* ---- words ----------------------------------------------------------------------------------- */

static const char *plain_word(enum core_kind kind) {
  static const char *const words[] = {
      [CORE_NULL] = "null",
      [CORE_BOOLEAN] = "boolean",
      [CORE_INT8] = "int8",
      [CORE_INT16] = "int16",
      [CORE_INT32] = "int32",
      [CORE_INT64] = "int64",
      [CORE_UINT8] = "uint8",
      [CORE_UINT16] = "uint16",
      [CORE_UINT32] = "uint32",
      [CORE_UINT64] = "uint64",
      [CORE_FLOAT16] = "float16",
      [CORE_FLOAT32] = "float32",
      [CORE_FLOAT64] = "float64",
      [CORE_TEXT] = "string",
      [CORE_BINARY] = "binary",
      [CORE_FIXED_BINARY] = "binary",
      [CORE_DATE32] = "date",
      [CORE_DATE64] = "date",
      [CORE_TIME] = "time",
      [CORE_DURATION] = "duration",
      [CORE_MONTHS] = "interval",
      [CORE_DAYS_MILLISECONDS] = "interval",
      [CORE_MONTHS_DAYS_NANOSECONDS] = "interval",
      [CORE_SPARSE_UNION] = "union",
      [CORE_DENSE_UNION] = "union",
  };
  return words[kind];
}

static PyObject *word_of(const struct core_reader *reader);

static PyObject *struct_word(const struct core_reader *reader) {
  PyObject *word = PyUnicode_FromString("struct<");
  for (int64_t i = 0; word != NULL && i < reader->count; ++i) {
    PyObject *member = word_of(&reader->children[i]);
    PyObject *longer = member == NULL ? NULL
                                      : PyUnicode_FromFormat("%U%s%U: %U", word, i > 0 ? ", " : "",
                                                             reader->children[i].name, member);
    Py_XDECREF(member);
    Py_DECREF(word);
    word = longer;
  }
  PyObject *closed = word == NULL ? NULL : PyUnicode_FromFormat("%U>", word);
  Py_XDECREF(word);
  return closed;
}

static PyObject *map_word(const struct core_reader *reader) {
  PyObject *key = word_of(&reader->children[0].children[0]);
  PyObject *value = key == NULL ? NULL : word_of(&reader->children[0].children[1]);
  PyObject *word = value == NULL ? NULL : PyUnicode_FromFormat("map<%U, %U>", key, value);
  Py_XDECREF(key);
  Py_XDECREF(value);
  return word;
}

static PyObject *list_word(const struct core_reader *reader) {
  PyObject *item = word_of(&reader->children[0]);
  PyObject *word = item == NULL ? NULL : PyUnicode_FromFormat("list<%U>", item);
  Py_XDECREF(item);
  return word;
}

static PyObject *word_of(const struct core_reader *reader) {
  switch (reader->kind) {
    case CORE_DECIMAL:
      return PyUnicode_FromFormat("decimal(%d,%d)", reader->precision, reader->scale);
    case CORE_TIMESTAMP:
      if (reader->zone_name == NULL) return PyUnicode_FromString("timestamp");
      return PyUnicode_FromFormat("timestamp[us, %s]", reader->zone_name);
    case CORE_LIST:
    case CORE_LIST_VIEW:
    case CORE_FIXED_LIST:
      return list_word(reader);
    case CORE_STRUCT:
      return struct_word(reader);
    case CORE_MAP:
      return map_word(reader);
    case CORE_DICTIONARY:
      return word_of(reader->dictionary);
    default:
      return PyUnicode_FromString(plain_word(reader->kind));
  }
}

PyObject *core_reader_word(const struct core_reader *reader, int64_t column) {
  return word_of(&reader->children[column]);
}
