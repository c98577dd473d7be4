/* SPDX-License-Identifier: Apache-2.0
 *
 * Arrow values as Python objects, the ones that pyarrow's to_pylist gives, with two exceptions:
 * decimal(38,0), which is how the engine's sums over integers arrive, becomes int, and intervals
 * become timedelta with months of thirty days. A value that Python's type cannot hold is an error.
 *
 * The arrays come from our own library or from streams that it has checked; indices are the
 * caller's to keep in range.
 */
#include "reader.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define DAYS_BEFORE_1970 719163 /* of date.toordinal() */
#define SECONDS_OF_DAY   86400
#define MICROS_OF_SECOND 1000000
#define NANOS_OF_MICRO   1000

static PyObject *value_of(const struct core_reader *reader, const struct ArrowArray *array,
                          int64_t index);

static bool is_set(const void *bits, int64_t index) {
  return (((const uint8_t *)bits)[index >> 3] >> (index & 7) & 1) != 0;
}

/* An integer of `width` bytes. */
static int64_t integer_at(const void *data, int width, int64_t index) {
  switch (width) {
    case 1:
      return ((const int8_t *)data)[index];
    case 2:
      return ((const int16_t *)data)[index];
    case 4:
      return ((const int32_t *)data)[index];
    default:
      return ((const int64_t *)data)[index];
  }
}

static int64_t floor_divide(int64_t value, int64_t by, int64_t *out_rest) {
  int64_t quotient = value / by;
  int64_t rest = value % by;
  if (rest < 0) {
    rest += by;
    --quotient;
  }
  *out_rest = rest;
  return quotient;
}

/* ---- numbers --------------------------------------------------------------------------------- */

static double half_to_double(uint16_t half) {
  int exponent = half >> 10 & 31;
  int fraction = half & 1023;
  double value = 0.0;
  if (exponent == 31) {
    value = fraction != 0 ? (double)NAN : (double)INFINITY;
  } else if (exponent == 0) {
    value = ldexp(fraction, -24);
  } else {
    value = ldexp(fraction + 1024, exponent - 25);
  }
  return (half & 0x8000) != 0 ? -value : value;
}

static PyObject *number_of(enum core_kind kind, const void *data, int64_t i) {
  float single = 0.0F;
  switch (kind) {
    case CORE_INT8:
      return PyLong_FromLong(((const int8_t *)data)[i]);
    case CORE_INT16:
      return PyLong_FromLong(((const int16_t *)data)[i]);
    case CORE_INT32:
      return PyLong_FromLong(((const int32_t *)data)[i]);
    case CORE_INT64:
      return PyLong_FromLongLong(((const int64_t *)data)[i]);
    case CORE_UINT8:
      return PyLong_FromLong(((const uint8_t *)data)[i]);
    case CORE_UINT16:
      return PyLong_FromLong(((const uint16_t *)data)[i]);
    case CORE_UINT32:
      return PyLong_FromUnsignedLong(((const uint32_t *)data)[i]);
    case CORE_UINT64:
      return PyLong_FromUnsignedLongLong(((const uint64_t *)data)[i]);
    case CORE_FLOAT16:
      return PyFloat_FromDouble(half_to_double(((const uint16_t *)data)[i]));
    case CORE_FLOAT32:
      single = ((const float *)data)[i];
      return PyFloat_FromDouble((double)single);
    default:
      return PyFloat_FromDouble(((const double *)data)[i]);
  }
}

/* The digits of a number of `words` 32-bit words, least significant first, as text; the place where
 * they begin in buffer. The words are used up. */
static char *digits_of(uint32_t *words, int count, char *buffer, size_t room) {
  char *at = buffer + room - 1;
  *at = '\0';
  bool more = true;
  while (more) {
    uint64_t rest = 0;
    more = false;
    for (int i = count - 1; i >= 0; --i) {
      uint64_t value = rest << 32 | words[i];
      words[i] = (uint32_t)(value / 10);
      rest = value % 10;
      more = more || words[i] != 0;
    }
    *--at = (char)('0' + rest);
  }
  return at;
}

/* Two's complement of 4 to 32 bytes. */
static PyObject *decimal_of(const struct core_reader *reader, const void *data, int64_t index) {
  uint32_t words[8] = {0};
  char buffer[96];
  char text[112];
  int count = reader->width / 4;
  memcpy(words, (const char *)data + index * reader->width, (size_t)reader->width);
  bool negative = (words[count - 1] & 0x80000000U) != 0;
  uint64_t carry = 1;
  for (int i = 0; negative && i < count; ++i) {
    carry += (uint32_t)~words[i];
    words[i] = (uint32_t)carry;
    carry >>= 32;
  }
  const char *digits = digits_of(words, count, buffer, sizeof buffer);
  if (reader->precision == 38 && reader->scale == 0) {
    (void)snprintf(text, sizeof text, "%s%s", negative ? "-" : "", digits);
    return PyLong_FromString(text, NULL, 10);
  }
  struct core_state *state = core_state_get();
  (void)snprintf(text, sizeof text, "%s%sE%d", negative ? "-" : "", digits, -reader->scale);
  return state == NULL ? NULL : PyObject_CallFunction(state->decimal, "s", text);
}

/* ---- texts ----------------------------------------------------------------------------------- */

struct bytes_view {
  const char *data;
  Py_ssize_t size;
};

/* A view is 16 bytes: its size, then up to twelve bytes of its own, or four that are skipped, the
 * number of a buffer and an offset into it. */
static struct bytes_view view_at(const struct ArrowArray *array, int64_t index) {
  const char *view = (const char *)array->buffers[1] + 16 * index;
  int32_t size = 0;
  int32_t buffer = 0;
  int32_t offset = 0;
  memcpy(&size, view, sizeof size);
  if (size <= 12) return (struct bytes_view){view + 4, size};
  memcpy(&buffer, view + 8, sizeof buffer);
  memcpy(&offset, view + 12, sizeof offset);
  return (struct bytes_view){(const char *)array->buffers[2 + buffer] + offset, size};
}

static struct bytes_view bytes_at(const struct core_reader *reader, const struct ArrowArray *array,
                                  int64_t index) {
  if (reader->kind == CORE_FIXED_BINARY) {
    return (struct bytes_view){(const char *)array->buffers[1] + index * reader->width,
                               reader->width};
  }
  if (reader->width == 0) return view_at(array, index);
  int64_t from = integer_at(array->buffers[1], reader->width, index);
  int64_t to = integer_at(array->buffers[1], reader->width, index + 1);
  const char *data = array->buffers[2];
  return (struct bytes_view){data == NULL ? "" : data + from, (Py_ssize_t)(to - from)};
}

/* ---- dates and times ------------------------------------------------------------------------- */

static PyObject *out_of_python(const struct core_reader *reader, const char *why) {
  PyObject *name = PyUnicode_AsUTF8String(reader->name);
  if (name == NULL) return NULL;
  PyErr_Clear();
  (void)core_fail(AP_UNSUPPORTED, "use to_arrow(), or cast the column in SQL", "column '%s': %s",
                  PyBytes_AsString(name), why);
  Py_DECREF(name);
  return NULL;
}

static PyObject *date_of(const struct core_reader *reader, int64_t days) {
  struct core_state *state = core_state_get();
  if (state == NULL) return NULL;
  PyObject *date = days < -DAYS_BEFORE_1970 || days > 3000000
                       ? NULL
                       : PyObject_CallFunction(state->date_from_ordinal, "L",
                                               (long long)days + DAYS_BEFORE_1970);
  if (date != NULL) return date;
  return out_of_python(reader, "a date lies outside the years 1 to 9999 that Python's date holds");
}

/* Splits a count of units into seconds and microseconds; false when a part of a microsecond is left
 * over. */
static bool split_seconds(const struct core_reader *reader, int64_t value, int64_t *out_seconds,
                          int64_t *out_micros) {
  int64_t rest = 0;
  *out_seconds = floor_divide(value, reader->per_second, &rest);
  if (reader->per_second <= MICROS_OF_SECOND) {
    *out_micros = rest * (MICROS_OF_SECOND / reader->per_second);
    return true;
  }
  *out_micros = rest / NANOS_OF_MICRO;
  return rest % NANOS_OF_MICRO == 0;
}

static PyObject *time_of(const struct core_reader *reader, int64_t value) {
  struct core_state *state = core_state_get();
  int64_t seconds = 0;
  int64_t micros = 0;
  if (state == NULL) return NULL;
  if (!split_seconds(reader, value, &seconds, &micros)) {
    return out_of_python(reader, "a time has nanoseconds, which Python's time has not");
  }
  if (seconds < 0 || seconds >= SECONDS_OF_DAY) {
    return out_of_python(reader, "a time lies outside the day that Python's time holds");
  }
  return PyObject_CallFunction(state->time, "iiii", (int)(seconds / 3600), (int)(seconds / 60 % 60),
                               (int)(seconds % 60), (int)micros);
}

static PyObject *delta_of(int64_t days, int64_t seconds, int64_t micros) {
  struct core_state *state = core_state_get();
  if (state == NULL) return NULL;
  return PyObject_CallFunction(state->timedelta, "LLL", (long long)days, (long long)seconds,
                               (long long)micros);
}

/* In the zone of the column: the instant in UTC, carried over there by Python. */
static PyObject *in_zone(const struct core_reader *reader, PyObject *naive) {
  struct core_state *state = core_state_get();
  PyObject *none = PyTuple_New(0);
  PyObject *zone = state == NULL ? NULL : Py_BuildValue("{sO}", "tzinfo", state->utc);
  PyObject *replace = PyObject_GetAttrString(naive, "replace");
  PyObject *instant =
      none == NULL || zone == NULL || replace == NULL ? NULL : PyObject_Call(replace, none, zone);
  Py_XDECREF(none);
  Py_XDECREF(zone);
  Py_XDECREF(replace);
  if (instant == NULL || reader->zone == state->utc) return instant;
  PyObject *there = PyObject_CallMethod(instant, "astimezone", "O", reader->zone);
  Py_DECREF(instant);
  return there;
}

static PyObject *timestamp_of(const struct core_reader *reader, int64_t value) {
  struct core_state *state = core_state_get();
  int64_t seconds = 0;
  int64_t micros = 0;
  if (state == NULL) return NULL;
  if (!split_seconds(reader, value, &seconds, &micros)) {
    return out_of_python(reader, "a timestamp has nanoseconds, which Python's datetime has not");
  }
  PyObject *delta = delta_of(0, seconds, micros);
  PyObject *moment = delta == NULL ? NULL : PyNumber_Add(state->epoch, delta);
  Py_XDECREF(delta);
  PyObject *result = moment;
  if (moment != NULL && reader->zone != NULL) {
    result = in_zone(reader, moment);
    Py_DECREF(moment);
  }
  if (result != NULL) return result;
  if (!PyErr_ExceptionMatches(PyExc_OverflowError)) return NULL;
  return out_of_python(reader,
                       "a timestamp lies outside the years 1 to 9999 that Python's datetime holds");
}

static PyObject *interval_of(const struct core_reader *reader, const void *data, int64_t index) {
  const char *at = (const char *)data + index * reader->width;
  int32_t months = 0;
  int32_t days = 0;
  int64_t nanos = 0;
  int32_t millis = 0;
  if (reader->kind == CORE_DAYS_MILLISECONDS) {
    memcpy(&days, at, sizeof days);
    memcpy(&millis, at + 4, sizeof millis);
    nanos = (int64_t)millis * 1000000;
  } else {
    memcpy(&months, at, sizeof months);
    if (reader->kind == CORE_MONTHS_DAYS_NANOSECONDS) {
      memcpy(&days, at + 4, sizeof days);
      memcpy(&nanos, at + 8, sizeof nanos);
    }
  }
  return delta_of((int64_t)months * 30 + days, 0, nanos / NANOS_OF_MICRO);
}

/* ---- nested values --------------------------------------------------------------------------- */

static PyObject *list_of(const struct core_reader *item, const struct ArrowArray *array,
                         int64_t from, int64_t to) {
  PyObject *list = PyList_New((Py_ssize_t)(to - from));
  for (int64_t i = from; list != NULL && i < to; ++i) {
    PyObject *value = value_of(item, array, i);
    if (value == NULL || PyList_SetItem(list, (Py_ssize_t)(i - from), value) != 0) Py_CLEAR(list);
  }
  return list;
}

static PyObject *list_at(const struct core_reader *reader, const struct ArrowArray *array,
                         int64_t i) {
  const struct core_reader *item = &reader->children[0];
  const void *offsets = array->buffers[1];
  if (reader->kind == CORE_FIXED_LIST) {
    return list_of(item, array->children[0], i * reader->width, (i + 1) * reader->width);
  }
  int64_t from = integer_at(offsets, reader->width, i);
  int64_t to = reader->kind == CORE_LIST_VIEW
                   ? from + integer_at(array->buffers[2], reader->width, i)
                   : integer_at(offsets, reader->width, i + 1);
  return list_of(item, array->children[0], from, to);
}

static PyObject *struct_of(const struct core_reader *reader, const struct ArrowArray *array,
                           int64_t i) {
  PyObject *dict = PyDict_New();
  for (int64_t k = 0; dict != NULL && k < reader->count; ++k) {
    PyObject *value = value_of(&reader->children[k], array->children[k], i);
    if (value == NULL || PyDict_SetItem(dict, reader->children[k].name, value) != 0) Py_CLEAR(dict);
    Py_XDECREF(value);
  }
  return dict;
}

/* A list of (key, value): keys need not be hashable. */
static PyObject *map_of(const struct core_reader *reader, const struct ArrowArray *array,
                        int64_t i) {
  const struct core_reader *entry = &reader->children[0];
  const struct ArrowArray *entries = array->children[0];
  int64_t from = integer_at(array->buffers[1], 4, i);
  int64_t to = integer_at(array->buffers[1], 4, i + 1);
  PyObject *list = PyList_New(0);
  for (int64_t at = from; list != NULL && at < to; ++at) {
    int64_t row = at + entries->offset;
    PyObject *key = value_of(&entry->children[0], entries->children[0], row);
    PyObject *value = key == NULL ? NULL : value_of(&entry->children[1], entries->children[1], row);
    PyObject *pair = value == NULL ? NULL : PyTuple_Pack(2, key, value);
    if (pair == NULL || PyList_Append(list, pair) != 0) Py_CLEAR(list);
    Py_XDECREF(key);
    Py_XDECREF(value);
    Py_XDECREF(pair);
  }
  return list;
}

static PyObject *union_of(const struct core_reader *reader, const struct ArrowArray *array,
                          int64_t i) {
  int8_t id = ((const int8_t *)array->buffers[0])[i];
  int64_t member = id < 0 ? -1 : reader->type_members[id];
  if (member < 0) return core_fail(AP_CORRUPT, NULL, "a union has a member of type %d", (int)id);
  if (reader->kind == CORE_DENSE_UNION) i = ((const int32_t *)array->buffers[1])[i];
  return value_of(&reader->children[member], array->children[member], i);
}

static PyObject *dictionary_value(const struct core_reader *reader, const struct ArrowArray *array,
                                  int64_t i) {
  PyObject *number = number_of(reader->index_kind, array->buffers[1], i);
  if (number == NULL) return NULL;
  int64_t index = PyLong_AsLongLong(number);
  Py_DECREF(number);
  if (index == -1 && PyErr_Occurred()) return NULL;
  return value_of(reader->dictionary, array->dictionary, index);
}

/* ---- one value ------------------------------------------------------------------------------- */

static bool is_null(const struct core_reader *reader, const struct ArrowArray *array, int64_t i) {
  if (reader->kind == CORE_NULL) return true;
  if (reader->kind == CORE_SPARSE_UNION || reader->kind == CORE_DENSE_UNION) return false;
  return array->n_buffers > 0 && array->buffers[0] != NULL && !is_set(array->buffers[0], i);
}

/* i counts from the start of the buffers. */
static PyObject *present_value(const struct core_reader *reader, const struct ArrowArray *array,
                               int64_t i) {
  struct bytes_view bytes;
  int64_t rest = 0;
  switch (reader->kind) {
    case CORE_BOOLEAN:
      return PyBool_FromLong(is_set(array->buffers[1], i));
    case CORE_DECIMAL:
      return decimal_of(reader, array->buffers[1], i);
    case CORE_TEXT:
      bytes = bytes_at(reader, array, i);
      return PyUnicode_DecodeUTF8(bytes.data, bytes.size, NULL);
    case CORE_BINARY:
    case CORE_FIXED_BINARY:
      bytes = bytes_at(reader, array, i);
      return PyBytes_FromStringAndSize(bytes.data, bytes.size);
    case CORE_DATE32:
      return date_of(reader, ((const int32_t *)array->buffers[1])[i]);
    case CORE_DATE64:
      return date_of(reader, floor_divide(((const int64_t *)array->buffers[1])[i],
                                          (int64_t)SECONDS_OF_DAY * 1000, &rest));
    case CORE_TIME:
      return time_of(reader, integer_at(array->buffers[1], reader->width, i));
    case CORE_TIMESTAMP:
      return timestamp_of(reader, ((const int64_t *)array->buffers[1])[i]);
    case CORE_DURATION: {
      int64_t seconds = 0;
      int64_t micros = 0;
      (void)split_seconds(reader, ((const int64_t *)array->buffers[1])[i], &seconds, &micros);
      return delta_of(0, seconds, micros);
    }
    case CORE_MONTHS:
    case CORE_DAYS_MILLISECONDS:
    case CORE_MONTHS_DAYS_NANOSECONDS:
      return interval_of(reader, array->buffers[1], i);
    case CORE_LIST:
    case CORE_LIST_VIEW:
    case CORE_FIXED_LIST:
      return list_at(reader, array, i);
    case CORE_STRUCT:
      return struct_of(reader, array, i);
    case CORE_MAP:
      return map_of(reader, array, i);
    case CORE_DICTIONARY:
      return dictionary_value(reader, array, i);
    case CORE_SPARSE_UNION:
    case CORE_DENSE_UNION:
      return union_of(reader, array, i);
    default:
      return number_of(reader->kind, array->buffers[1], i);
  }
}

static PyObject *value_of(const struct core_reader *reader, const struct ArrowArray *array,
                          int64_t index) {
  int64_t i = index + array->offset;
  if (is_null(reader, array, i)) {
    Py_INCREF(Py_None);
    return Py_None;
  }
  return present_value(reader, array, i);
}

PyObject *core_reader_member(const struct core_reader *reader, const struct ArrowArray *array,
                             int64_t column, int64_t row) {
  return value_of(&reader->children[column], array->children[column], row + array->offset);
}
