/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: durations of table properties are read as Spark reads them; what has no fixed length, or is
 * none, is refused.
 * Method: a table of cases.
 */
#include "ledger/duration.h"

#include "testing/check.h"

static void reads_intervals(void **state) {
  (void)state;
  static const struct {
    const char *text;
    int64_t ms; /* -1: refused */
  } cases[] = {
      {"interval 30 days", 2592000000},
      {"interval 1 week", 604800000},
      {"INTERVAL 2 Hours 30 minutes", 9000000},
      {"  5 seconds ", 5000},
      {"interval 1 millisecond", 1},
      {"interval 2500 microseconds", 2},
      {"interval 0 days", 0},
      {"interval 1 weeks 1 day", 691200000},
      {"", -1},
      {"interval", -1},
      {"interval 1 month", -1},
      {"interval 1 year", -1},
      {"interval days", -1},
      {"interval 3", -1},
      {"interval -1 day", -1},
      {"interval 1.5 days", -1},
      {"interval 99999999999999 days", -1},
      {"interval 1 day 2", -1},
      {"interval interval 1 day", -1},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    int64_t ms = -1;
    bool valid = ap_duration_parse(ap_text_of(cases[i].text), &ms);
    if (!valid) ms = -1;
    if (ms != cases[i].ms) fail_msg("'%s' gives %lld", cases[i].text, (long long)ms);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(reads_intervals)};
  return AP_RUN_TESTS(tests);
}
