/* SPDX-License-Identifier: Apache-2.0
 *
 * See number.h.
 *
 * Shortest floats: a double is given by at least 15 and at most 17 significant digits (a float by 6
 * to 9), subnormal ones by fewer, so the first count in that range that reads back is taken. The C
 * library's conversions both round correctly, and the locale of numbers is always C.
 */
#include "number.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* "1.2345e+03" as "1234.5": plain where the point stands near, as Python writes floats. */
static void append_layout(struct cli_text *text, const char *scientific) {
  char digits[24];
  size_t count = 0;
  const char *at = scientific;
  if (*at == '-') {
    cli_text_append_char(text, '-');
    ++at;
  }
  for (; *at != 'e'; ++at) {
    if (*at != '.') digits[count++] = *at;
  }
  while (count > 1 && digits[count - 1] == '0') --count;
  long exponent = strtol(at + 1, NULL, 10);
  if (exponent < -4 || exponent >= 16) {
    cli_text_append_char(text, digits[0]);
    if (count > 1) cli_text_append_char(text, '.');
    cli_text_append(text, digits + 1, count - 1);
    cli_text_append_format(text, "e%c%02ld", exponent < 0 ? '-' : '+', labs(exponent));
    return;
  }
  if (exponent < 0) {
    cli_text_append_string(text, "0.");
    cli_text_append_repeated(text, "0", (size_t)(-exponent - 1));
    cli_text_append(text, digits, count);
    return;
  }
  size_t before = (size_t)exponent + 1;
  cli_text_append(text, digits, count < before ? count : before);
  if (count < before) cli_text_append_repeated(text, "0", before - count);
  cli_text_append_char(text, '.');
  if (count <= before) {
    cli_text_append_char(text, '0');
  } else {
    cli_text_append(text, digits + before, count - before);
  }
}

static bool append_special(struct cli_text *text, double value) {
  if (isfinite(value)) return false;
  cli_text_append_string(text, isnan(value) ? "nan" : value > 0 ? "inf" : "-inf");
  return true;
}

void cli_append_f64(struct cli_text *text, double value) {
  char form[40];
  if (append_special(text, value)) return;
  for (int digits = fabs(value) < DBL_MIN ? 1 : 15; digits <= 17; ++digits) {
    (void)snprintf(form, sizeof form, "%.*e", digits - 1, value);
    if (strtod(form, NULL) == value) break;
  }
  append_layout(text, form);
}

void cli_append_f32(struct cli_text *text, float value) {
  char form[40];
  if (append_special(text, (double)value)) return;
  for (int digits = fabsf(value) < FLT_MIN ? 1 : 6; digits <= 9; ++digits) {
    (void)snprintf(form, sizeof form, "%.*e", digits - 1, (double)value);
    if (strtof(form, NULL) == value) break;
  }
  append_layout(text, form);
}

/* By hand: nanoarrow 0.8 takes the smallest halves (subnormal ones) for floats of their bits. */
static double half_value(uint16_t bits) {
  int exponent = bits >> 10 & 31;
  int fraction = bits & 1023;
  double size = exponent == 0 ? ldexp(fraction, -24) : ldexp(1024 + fraction, exponent - 25);
  if (exponent == 31) size = fraction == 0 ? (double)INFINITY : (double)NAN;
  return bits >> 15 ? -size : size;
}

void cli_append_f16(struct cli_text *text, uint16_t bits) {
  char form[40];
  double value = half_value(bits);
  if (append_special(text, value)) return;
  /* What lies within half the way to the neighbour nearer to zero reads back as this one. */
  uint16_t neighbour = (bits & 0x7fff) == 0 ? bits : (uint16_t)(bits - 1);
  double gap = fabs(value - half_value(neighbour));
  for (int digits = 1; digits <= 5; ++digits) {
    (void)snprintf(form, sizeof form, "%.*e", digits - 1, value);
    if (fabs(strtod(form, NULL) - value) * 2 < gap || gap == 0) break;
  }
  append_layout(text, form);
}

void cli_append_u64(struct cli_text *text, uint64_t size, bool is_negative) {
  char digits[24];
  size_t at = sizeof digits;
  do {
    digits[--at] = (char)('0' + size % 10);
    size /= 10;
  } while (size > 0);
  if (is_negative) digits[--at] = '-';
  cli_text_append(text, digits + at, sizeof digits - at);
}

void cli_append_scaled(struct cli_text *text, const char *digits, size_t size, int32_t scale) {
  if (size > 0 && digits[0] == '-') {
    cli_text_append_char(text, '-');
    ++digits;
    --size;
  }
  if (scale <= 0) {
    cli_text_append(text, digits, size);
    bool is_zero = size == 1 && digits[0] == '0';
    if (!is_zero) cli_text_append_repeated(text, "0", (size_t)-scale);
    return;
  }
  size_t behind = (size_t)scale;
  if (size <= behind) {
    cli_text_append_string(text, "0.");
    cli_text_append_repeated(text, "0", behind - size);
    cli_text_append(text, digits, size);
    return;
  }
  cli_text_append(text, digits, size - behind);
  cli_text_append_char(text, '.');
  cli_text_append(text, digits + size - behind, behind);
}

void cli_append_grouped(struct cli_text *text, int64_t value) {
  char digits[32];
  int size = snprintf(digits, sizeof digits, "%" PRId64, value);
  for (int i = 0; i < size; ++i) {
    bool is_group = i > 0 && digits[i - 1] != '-' && (size - i) % 3 == 0;
    if (is_group) cli_text_append_char(text, ',');
    cli_text_append_char(text, digits[i]);
  }
}

void cli_append_size(struct cli_text *text, int64_t bytes) {
  static const char *const units[] = {"kB", "MB", "GB", "TB", "PB"};
  double size = (double)bytes / 1e3;
  size_t unit = 0;
  if (bytes < 1000) {
    cli_text_append_format(text, "%" PRId64 " B", bytes);
    return;
  }
  while (size >= 999.95 && unit + 1 < sizeof units / sizeof units[0]) {
    size /= 1e3;
    ++unit;
  }
  cli_text_append_format(text, "%.1f %s", size, units[unit]);
}

bool cli_parse_count(const char *string, int64_t *out_count) {
  int64_t count = 0;
  if (string[0] == '\0') return false;
  for (; *string != '\0'; ++string) {
    if (*string < '0' || *string > '9') return false;
    if (count > (INT64_MAX - 9) / 10) return false;
    count = count * 10 + (*string - '0');
  }
  *out_count = count;
  return true;
}
