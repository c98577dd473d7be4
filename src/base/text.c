/* SPDX-License-Identifier: Apache-2.0
 *
 * Text slices and growable buffers. Numbers are read and written without the C library's decimal
 * point, so that a program around us that sets a locale changes nothing.
 */
#include "base/text.h"

#include "base/assert.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
  DIGITS_MAX = 800,          /* more significant digits than any double needs to round rightly */
  EXPONENT_MAX = 1000000,    /* beyond this every number is 0 or out of range */
  DISTANCE_BYTES_MAX = 256,  /* longer names are not compared for nearness */
  BUFFER_CAPACITY_MIN = 256, /* first allocation of a buffer */
};

struct ap_text ap_text_of(const char *string) {
  return (struct ap_text){string, string ? strlen(string) : 0};
}

bool ap_text_equal(struct ap_text a, struct ap_text b) {
  return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

bool ap_text_equal_string(struct ap_text a, const char *b) {
  return ap_text_equal(a, ap_text_of(b));
}

static char lower_ascii(char byte) {
  return byte >= 'A' && byte <= 'Z' ? (char)(byte + ('a' - 'A')) : byte;
}

bool ap_text_equal_ignoring_case(struct ap_text a, struct ap_text b) {
  if (a.size != b.size) return false;
  for (size_t i = 0; i < a.size; i++) {
    if (lower_ascii(a.data[i]) != lower_ascii(b.data[i])) return false;
  }
  return true;
}

int ap_text_compare(struct ap_text a, struct ap_text b) {
  size_t size = a.size < b.size ? a.size : b.size;
  int order = size ? memcmp(a.data, b.data, size) : 0;
  if (order != 0) return order < 0 ? -1 : 1;
  return a.size < b.size ? -1 : a.size > b.size;
}

bool ap_text_starts_with(struct ap_text text, struct ap_text prefix) {
  return text.size >= prefix.size &&
         ap_text_equal((struct ap_text){text.data, prefix.size}, prefix);
}

bool ap_text_ends_with(struct ap_text text, struct ap_text suffix) {
  if (text.size < suffix.size) return false;
  if (suffix.size == 0) return true;
  return memcmp(text.data + (text.size - suffix.size), suffix.data, suffix.size) == 0;
}

/* The well-formed byte sequences of the Unicode standard, table 3-7. */
size_t ap_text_utf8_size(struct ap_text text) {
  const unsigned char *byte = (const unsigned char *)text.data;
  if (text.size == 0) return 0;
  if (byte[0] < 0x80) return 1;
  size_t size = byte[0] >= 0xF0 ? 4 : byte[0] >= 0xE0 ? 3 : 2;
  if (byte[0] < 0xC2 || byte[0] > 0xF4 || text.size < size) return 0;
  unsigned char low = 0x80;
  unsigned char high = 0xBF;
  if (byte[0] == 0xE0) low = 0xA0;
  if (byte[0] == 0xED) high = 0x9F;
  if (byte[0] == 0xF0) low = 0x90;
  if (byte[0] == 0xF4) high = 0x8F;
  if (byte[1] < low || byte[1] > high) return 0;
  for (size_t i = 2; i < size; i++) {
    if (byte[i] < 0x80 || byte[i] > 0xBF) return 0;
  }
  return size;
}

bool ap_text_is_utf8(struct ap_text text) {
  size_t at = 0;
  while (at < text.size) {
    uint64_t word;
    if (text.size - at >= sizeof(word)) {
      memcpy(&word, text.data + at, sizeof(word));
      if ((word & UINT64_C(0x8080808080808080)) == 0) {
        at += sizeof(word);
        continue;
      }
    }
    size_t size = ap_text_utf8_size((struct ap_text){text.data + at, text.size - at});
    if (size == 0) return false;
    at += size;
  }
  return true;
}

static bool is_digit(char byte) {
  return byte >= '0' && byte <= '9';
}

bool ap_text_parse_i64(struct ap_text text, int64_t *out_value) {
  bool negative = text.size > 0 && text.data[0] == '-';
  size_t at = negative ? 1 : 0;
  if (at == text.size) return false;
  int64_t value = 0; /* kept negative, whose range is the larger */
  for (; at < text.size; at++) {
    if (!is_digit(text.data[at])) return false;
    if (__builtin_mul_overflow(value, 10, &value)) return false;
    if (__builtin_sub_overflow(value, text.data[at] - '0', &value)) return false;
  }
  if (!negative && value == INT64_MIN) return false;
  *out_value = negative ? value : -value;
  return true;
}

/* A decimal number taken apart: digits * 10^exponent. */
struct decimal {
  char digits[DIGITS_MAX + 2];
  size_t count;
  int64_t exponent;
  bool dropped; /* a digit other than 0 did not fit */
};

static void decimal_add_digit(struct decimal *decimal, char digit, bool in_fraction) {
  bool leading_zero = digit == '0' && decimal->count == 0;
  bool fits = decimal->count < DIGITS_MAX;
  if (fits && !leading_zero) decimal->digits[decimal->count++] = digit;
  if (!fits && digit != '0') decimal->dropped = true;
  if (in_fraction && fits) decimal->exponent--;
  if (!in_fraction && !fits) decimal->exponent++;
}

/* [digits][.digits], at least one digit. Moves *at past it. */
static bool read_mantissa(struct ap_text text, size_t *at, struct decimal *decimal) {
  bool in_fraction = false;
  bool any = false;
  for (; *at < text.size; (*at)++) {
    char byte = text.data[*at];
    if (byte == '.' && !in_fraction) {
      in_fraction = true;
    } else if (is_digit(byte)) {
      any = true;
      decimal_add_digit(decimal, byte, in_fraction);
    } else {
      break;
    }
  }
  return any;
}

static bool read_exponent(struct ap_text text, size_t *at, int64_t *out_exponent) {
  *out_exponent = 0;
  if (*at == text.size) return true;
  if (lower_ascii(text.data[*at]) != 'e') return false;
  (*at)++;
  bool negative = *at < text.size && text.data[*at] == '-';
  if (*at < text.size && (text.data[*at] == '-' || text.data[*at] == '+')) (*at)++;
  if (*at == text.size) return false;
  int64_t exponent = 0;
  for (; *at < text.size; (*at)++) {
    if (!is_digit(text.data[*at])) return false;
    if (exponent < EXPONENT_MAX * INT64_C(1000)) exponent = exponent * 10 + (text.data[*at] - '0');
  }
  *out_exponent = negative ? -exponent : exponent;
  return true;
}

/* Exact when the digits fit into 53 bits and the power of ten is exact too (Clinger's fast path).
 */
static bool convert_small(const struct decimal *decimal, double *out_value) {
  static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                  1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                  1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
  if (decimal->count > 15 || decimal->exponent < -22 || decimal->exponent > 22) return false;
  int64_t whole = 0;
  for (size_t i = 0; i < decimal->count; i++) whole = whole * 10 + (decimal->digits[i] - '0');
  if (decimal->exponent < 0) {
    *out_value = (double)whole / powers[-decimal->exponent];
  } else {
    *out_value = (double)whole * powers[decimal->exponent];
  }
  return true;
}

/* strtod rounds rightly; it is handed whole digits and an exponent, so no decimal point. */
static double convert_any(struct decimal *decimal) {
  if (decimal->dropped) {
    decimal->digits[decimal->count++] = '1';
    decimal->exponent--;
  }
  int64_t exponent = decimal->exponent;
  if (exponent > EXPONENT_MAX) exponent = EXPONENT_MAX;
  if (exponent < -EXPONENT_MAX) exponent = -EXPONENT_MAX;
  char text[DIGITS_MAX + 32];
  memcpy(text, decimal->digits, decimal->count);
  snprintf(text + decimal->count, sizeof(text) - decimal->count, "e%lld", (long long)exponent);
  int saved_errno = errno;
  double value = strtod(text, NULL);
  errno = saved_errno;
  return value;
}

bool ap_text_parse_f64(struct ap_text text, double *out_value) {
  struct decimal decimal;
  decimal.count = 0;
  decimal.exponent = 0;
  decimal.dropped = false;
  bool negative = text.size > 0 && text.data[0] == '-';
  size_t at = negative ? 1 : 0;
  int64_t exponent;
  if (!read_mantissa(text, &at, &decimal)) return false;
  if (!read_exponent(text, &at, &exponent)) return false;
  if (at != text.size) return false;
  double value = 0;
  if (decimal.count > 0) {
    decimal.exponent += exponent;
    if (!convert_small(&decimal, &value)) value = convert_any(&decimal);
  }
  if (isinf(value)) return false;
  *out_value = negative ? -value : value;
  return true;
}

bool ap_text_parse_size(struct ap_text text, int64_t *out_bytes) {
  static const struct {
    const char *unit;
    double factor;
  } units[] = {{"", 1},
               {"b", 1},
               {"k", 1024},
               {"kb", 1e3},
               {"kib", 1024},
               {"m", 1048576},
               {"mb", 1e6},
               {"mib", 1048576},
               {"g", 1073741824},
               {"gb", 1e9},
               {"gib", 1073741824},
               {"t", 1099511627776.0},
               {"tb", 1e12},
               {"tib", 1099511627776.0}};
  size_t digits = 0;
  double number = 0;
  while (digits < text.size && strchr("0123456789.", text.data[digits]) != NULL) ++digits;
  if (!ap_text_parse_f64((struct ap_text){text.data, digits}, &number)) return false;
  while (digits < text.size && text.data[digits] == ' ') ++digits;
  const struct ap_text unit = {text.data + digits, text.size - digits};
  for (size_t i = 0; i < sizeof units / sizeof units[0]; ++i) {
    if (!ap_text_equal_ignoring_case(unit, ap_text_of(units[i].unit))) continue;
    double bytes = number * units[i].factor;
    if (!(bytes >= 1 && bytes < 9e18)) return false;
    *out_bytes = (int64_t)bytes;
    return true;
  }
  return false;
}

char *ap_arena_copy(struct ap_arena *arena, struct ap_text text) {
  size_t bytes;
  if (__builtin_add_overflow(text.size, 1, &bytes)) return NULL;
  char *copy = ap_arena_allocate(arena, bytes);
  if (!copy) return NULL;
  if (text.size) memcpy(copy, text.data, text.size);
  copy[text.size] = '\0';
  return copy;
}

char *ap_arena_copy_string(struct ap_arena *arena, const char *string) {
  return ap_arena_copy(arena, ap_text_of(string));
}

char *ap_arena_format(struct ap_arena *arena, const char *format, ...) {
  char small[256];
  va_list arguments;
  va_start(arguments, format);
  int size = vsnprintf(small, sizeof(small), format, arguments);
  va_end(arguments);
  if (size < 0) return NULL;
  char *text = ap_arena_allocate(arena, (size_t)size + 1);
  if (!text) return NULL;
  if ((size_t)size < sizeof(small)) {
    memcpy(text, small, (size_t)size + 1);
    return text;
  }
  va_start(arguments, format);
  vsnprintf(text, (size_t)size + 1, format, arguments);
  va_end(arguments);
  return text;
}

char *ap_string_copy(struct ap_allocator *allocator, struct ap_text text) {
  size_t bytes;
  if (__builtin_add_overflow(text.size, 1, &bytes)) return NULL;
  char *copy = ap_allocate(allocator, bytes);
  if (!copy) return NULL;
  if (text.size) memcpy(copy, text.data, text.size);
  copy[text.size] = '\0';
  return copy;
}

static size_t smallest(size_t a, size_t b, size_t c) {
  size_t least = a < b ? a : b;
  return least < c ? least : c;
}

size_t ap_text_distance(struct ap_text a, struct ap_text b, size_t max) {
  if (ap_text_equal_ignoring_case(a, b)) return 0;
  size_t difference = a.size > b.size ? a.size - b.size : b.size - a.size;
  if (difference > max) return max + 1;
  if (a.size > DISTANCE_BYTES_MAX || b.size > DISTANCE_BYTES_MAX) return max + 1;
  size_t row[DISTANCE_BYTES_MAX + 1];
  for (size_t j = 0; j <= b.size; j++) row[j] = j;
  for (size_t i = 1; i <= a.size; i++) {
    size_t diagonal = row[0];
    size_t least = row[0] = i;
    for (size_t j = 1; j <= b.size; j++) {
      size_t change = lower_ascii(a.data[i - 1]) == lower_ascii(b.data[j - 1]) ? 0 : 1;
      size_t cell = smallest(row[j] + 1, row[j - 1] + 1, diagonal + change);
      diagonal = row[j];
      row[j] = cell;
      if (cell < least) least = cell;
    }
    if (least > max) return max + 1;
  }
  return row[b.size] <= max ? row[b.size] : max + 1;
}

const char *ap_text_nearest(struct ap_text name, const char *const *candidates, size_t count) {
  size_t best_distance = name.size / 3 + 1;
  const char *best = NULL;
  for (size_t i = 0; i < count && best_distance > 0; i++) {
    size_t distance = ap_text_distance(name, ap_text_of(candidates[i]), best_distance - 1);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidates[i];
    }
  }
  return best;
}

void ap_buffer_init(struct ap_buffer *buffer, struct ap_allocator *allocator) {
  AP_ASSERT(allocator);
  *buffer = (struct ap_buffer){.allocator = allocator};
}

void ap_buffer_deinit(struct ap_buffer *buffer) {
  if (buffer->data) ap_free(buffer->allocator, buffer->data);
  *buffer = (struct ap_buffer){.allocator = buffer->allocator};
}

void ap_buffer_clear(struct ap_buffer *buffer) {
  buffer->size = 0;
  buffer->failed = false;
  if (buffer->data) buffer->data[0] = '\0';
}

char *ap_buffer_reserve(struct ap_buffer *buffer, size_t size) {
  AP_ASSERT(buffer->allocator);
  if (buffer->failed) return NULL;
  size_t wanted;
  if (__builtin_add_overflow(buffer->size, size, &wanted) ||
      __builtin_add_overflow(wanted, 1, &wanted)) {
    buffer->failed = true;
    return NULL;
  }
  if (wanted <= buffer->capacity) return buffer->data + buffer->size;
  size_t capacity = buffer->capacity <= SIZE_MAX / 2 ? buffer->capacity * 2 : wanted;
  if (capacity < BUFFER_CAPACITY_MIN) capacity = BUFFER_CAPACITY_MIN;
  if (capacity < wanted) capacity = wanted;
  char *data = ap_reallocate(buffer->allocator, buffer->data, capacity);
  if (!data) {
    buffer->failed = true;
    return NULL;
  }
  buffer->data = data;
  buffer->capacity = capacity;
  return data + buffer->size;
}

void ap_buffer_append(struct ap_buffer *buffer, const void *data, size_t size) {
  char *end = ap_buffer_reserve(buffer, size);
  if (!end) return;
  if (size) memcpy(end, data, size);
  end[size] = '\0';
  buffer->size += size;
}

void ap_buffer_append_text(struct ap_buffer *buffer, struct ap_text text) {
  ap_buffer_append(buffer, text.data, text.size);
}

void ap_buffer_append_string(struct ap_buffer *buffer, const char *string) {
  ap_buffer_append_text(buffer, ap_text_of(string));
}

void ap_buffer_append_format(struct ap_buffer *buffer, const char *format, ...) {
  char small[256];
  va_list arguments;
  va_start(arguments, format);
  int size = vsnprintf(small, sizeof(small), format, arguments);
  va_end(arguments);
  if (size < 0) {
    buffer->failed = true;
    return;
  }
  if ((size_t)size < sizeof(small)) {
    ap_buffer_append(buffer, small, (size_t)size);
    return;
  }
  char *end = ap_buffer_reserve(buffer, (size_t)size);
  if (!end) return;
  va_start(arguments, format);
  vsnprintf(end, (size_t)size + 1, format, arguments);
  va_end(arguments);
  buffer->size += (size_t)size;
}

static void append_doubling(struct ap_buffer *buffer, struct ap_text text, char quote) {
  ap_buffer_append(buffer, &quote, 1);
  size_t start = 0;
  for (size_t i = 0; i < text.size; i++) {
    if (text.data[i] != quote) continue;
    ap_buffer_append(buffer, text.data + start, i + 1 - start);
    start = i; /* the quote stands again at the front of the next piece */
  }
  if (text.size > start) ap_buffer_append(buffer, text.data + start, text.size - start);
  ap_buffer_append(buffer, &quote, 1);
}

void ap_buffer_append_identifier(struct ap_buffer *buffer, struct ap_text name) {
  append_doubling(buffer, name, '"');
}

void ap_buffer_append_literal(struct ap_buffer *buffer, struct ap_text text) {
  append_doubling(buffer, text, '\'');
}

/* A finite double as digits d.ddd * 10^exponent; count digits, no zeros at the end. */
static int round_to_digits(double magnitude, int precision, char out_digits[32],
                           int *out_exponent) {
  char text[64];
  snprintf(text, sizeof(text), "%.*e", precision - 1, magnitude);
  int count = 0;
  const char *at = text;
  for (; *at != 'e'; at++) {
    if (is_digit(*at)) out_digits[count++] = *at;
  }
  *out_exponent = (int)strtol(at + 1, NULL, 10);
  while (count > 1 && out_digits[count - 1] == '0') count--;
  return count;
}

static double digits_value(const char *digits, int count, int exponent) {
  char text[64];
  int size = snprintf(text, sizeof(text), "%.*se%d", count, digits, exponent - (count - 1));
  double value = 0;
  return ap_text_parse_f64((struct ap_text){text, (size_t)size}, &value) ? value : INFINITY;
}

void ap_buffer_append_f64(struct ap_buffer *buffer, double number) {
  AP_ASSERT(isfinite(number));
  if (signbit(number)) ap_buffer_append_string(buffer, "-");
  double magnitude = fabs(number);
  char digits[32];
  int exponent = 0;
  int count = 0;
  for (int precision = 15; precision <= 17; precision++) {
    count = round_to_digits(magnitude, precision, digits, &exponent);
    if (digits_value(digits, count, exponent) == magnitude) break;
  }
  char text[64];
  int size;
  if (exponent < -5 || exponent > 16) {
    const char *point = count > 1 ? "." : "";
    size = snprintf(text, sizeof(text), "%c%s%.*se%+03d", digits[0], point, count - 1, digits + 1,
                    exponent);
  } else if (exponent < 0) {
    size = snprintf(text, sizeof(text), "0.%.*s%.*s", -exponent - 1, "00000", count, digits);
  } else if (count <= exponent + 1) {
    size = snprintf(text, sizeof(text), "%.*s%.*s.0", count, digits, exponent + 1 - count,
                    "00000000000000000");
  } else {
    size = snprintf(text, sizeof(text), "%.*s.%.*s", exponent + 1, digits, count - exponent - 1,
                    digits + exponent + 1);
  }
  ap_buffer_append(buffer, text, (size_t)size);
}

struct ap_text ap_buffer_text(const struct ap_buffer *buffer) {
  return (struct ap_text){buffer->data ? buffer->data : "", buffer->size};
}

ap_status ap_buffer_check(const struct ap_buffer *buffer, ap_error *err) {
  return buffer->failed ? AP_FAIL_MEMORY(err) : AP_OK;
}
