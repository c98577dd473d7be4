/* SPDX-License-Identifier: Apache-2.0
 *
 * See duration.h. Fractions of a millisecond are dropped.
 */
#include "ledger/duration.h"

struct unit {
  const char *name;
  int64_t microseconds;
};

static const struct unit units[] = {
    {"microsecond", 1},   {"millisecond", 1000}, {"second", 1000000},       {"minute", 60000000},
    {"hour", 3600000000}, {"day", 86400000000},  {"week", 7 * 86400000000},
};

static struct ap_text next_word(struct ap_text text, size_t *offset) {
  while (*offset < text.size && text.data[*offset] == ' ') *offset += 1;
  size_t start = *offset;
  while (*offset < text.size && text.data[*offset] != ' ') *offset += 1;
  return (struct ap_text){text.data + start, *offset - start};
}

static bool find_unit(struct ap_text word, int64_t *out_microseconds) {
  char last = word.size > 0 ? word.data[word.size - 1] : '\0';
  struct ap_text singular = {word.data, word.size - (last == 's' || last == 'S' ? 1 : 0)};
  for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
    if (ap_text_equal_ignoring_case(singular, ap_text_of(units[i].name))) {
      *out_microseconds = units[i].microseconds;
      return true;
    }
  }
  return false;
}

bool ap_duration_parse(struct ap_text text, int64_t *out_ms) {
  size_t offset = 0;
  int64_t total_us = 0;
  uint32_t parts = 0;
  struct ap_text word = next_word(text, &offset);
  if (ap_text_equal_ignoring_case(word, AP_TEXT("interval"))) word = next_word(text, &offset);
  while (word.size > 0) {
    int64_t number = 0;
    int64_t unit_us = 0;
    if (!ap_text_parse_i64(word, &number) || number < 0) return false;
    if (!find_unit(next_word(text, &offset), &unit_us)) return false;
    if (__builtin_mul_overflow(number, unit_us, &number)) return false;
    if (__builtin_add_overflow(total_us, number, &total_us)) return false;
    parts += 1;
    word = next_word(text, &offset);
  }
  if (parts == 0) return false;
  *out_ms = total_us / 1000;
  return true;
}
