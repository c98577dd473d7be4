/* SPDX-License-Identifier: Apache-2.0
 *
 * See moment.h.
 */
#include "moment.h"

#include <inttypes.h>

enum { SECONDS_PER_DAY = 86400 };

/* Down, not towards zero. */
static int64_t divide(int64_t value, int64_t by, int64_t *out_rest) {
  int64_t quotient = value / by;
  int64_t rest = value % by;
  if (rest < 0) {
    rest += by;
    --quotient;
  }
  *out_rest = rest;
  return quotient;
}

/* The proleptic Gregorian day, after Howard Hinnant, "chrono-Compatible Low-Level Date
 * Algorithms": years begin in March, so that the leap day is the last. Gives the year. */
static int64_t append_day(struct cli_text *text, int64_t days) {
  int64_t day_of_era = 0;
  int64_t era = divide(days + 719468, 146097, &day_of_era);
  int64_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  int64_t shifted = (5 * day_of_year + 2) / 153;
  int64_t day = day_of_year - (153 * shifted + 2) / 5 + 1;
  int64_t month = shifted < 10 ? shifted + 3 : shifted - 9;
  int64_t year = year_of_era + era * 400 + (month <= 2 ? 1 : 0);
  cli_text_append_format(text, "%04" PRId64 "-%02" PRId64 "-%02" PRId64, year > 0 ? year : 1 - year,
                         month, day);
  return year;
}

void cli_append_date(struct cli_text *text, int64_t days) {
  if (days == INT32_MAX || days == -INT32_MAX) {
    cli_text_append_string(text, days > 0 ? "infinity" : "-infinity");
    return;
  }
  if (append_day(text, days) <= 0) cli_text_append_string(text, " (BC)");
}

/* ".789" without closing zeros; nothing for 0. */
static void append_fraction(struct cli_text *text, int64_t fraction, int64_t per_second) {
  if (fraction == 0) return;
  cli_text_append_char(text, '.');
  while (fraction > 0) {
    per_second /= 10;
    cli_text_append_char(text, (char)('0' + fraction / per_second));
    fraction %= per_second;
  }
}

void cli_append_time(struct cli_text *text, int64_t value, int64_t per_second) {
  int64_t fraction = 0;
  int64_t seconds = divide(value, per_second, &fraction);
  cli_text_append_format(text, "%02" PRId64 ":%02" PRId64 ":%02" PRId64, seconds / 3600,
                         seconds / 60 % 60, seconds % 60);
  append_fraction(text, fraction, per_second);
}

void cli_append_timestamp(struct cli_text *text, int64_t value, int64_t per_second, bool has_zone) {
  int64_t fraction = 0;
  int64_t second_of_day = 0;
  if (value == INT64_MAX || value == -INT64_MAX) {
    cli_text_append_string(text, value > 0 ? "infinity" : "-infinity");
    return;
  }
  int64_t seconds = divide(value, per_second, &fraction);
  int64_t days = divide(seconds, SECONDS_PER_DAY, &second_of_day);
  /* Days far beyond what a calendar needs would overflow the sums of append_day. */
  if (days > INT64_MAX / 8) days = INT64_MAX / 8;
  if (days < INT64_MIN / 8) days = INT64_MIN / 8;
  int64_t year = append_day(text, days);
  cli_text_append_char(text, ' ');
  cli_append_time(text, second_of_day, 1);
  append_fraction(text, fraction, per_second);
  if (has_zone) cli_text_append_string(text, "+00");
  if (year <= 0) cli_text_append_string(text, " (BC)");
}

static void append_part(struct cli_text *text, int64_t count, const char *unit, size_t start) {
  if (count == 0) return;
  if (text->size > start) cli_text_append_char(text, ' ');
  cli_text_append_format(text, "%" PRId64 " %s%s", count, unit,
                         count == 1 || count == -1 ? "" : "s");
}

void cli_append_interval(struct cli_text *text, int64_t months, int64_t days, int64_t nanoseconds) {
  size_t start = text->size;
  append_part(text, months / 12, "year", start);
  append_part(text, months % 12, "month", start);
  append_part(text, days, "day", start);
  if (nanoseconds == 0 && text->size > start) return;
  if (text->size > start) cli_text_append_char(text, ' ');
  /* By parts: the smallest number has no counterpart above zero. */
  int64_t seconds = nanoseconds / 1000000000;
  int64_t fraction = nanoseconds % 1000000000;
  if (nanoseconds < 0) cli_text_append_char(text, '-');
  cli_append_time(text, seconds < 0 ? -seconds : seconds, 1);
  append_fraction(text, fraction < 0 ? -fraction : fraction, 1000000000);
}
