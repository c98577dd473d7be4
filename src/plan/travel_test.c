/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: every way to write time travel becomes the engine's clause, nothing else is touched, and
 * what stands behind a clause keeps its place.
 * Method: a table of texts and what becomes of them; places compared byte by byte; every allocation
 * fails in turn.
 */
#include "plan/travel.h"

#include "testing/alloc.h"
#include "testing/check.h"

#include <string.h>

static const struct row {
  const char *sql;
  const char *rewritten; /* NULL: stays as it is */
} rows[] = {
    {"FROM f VERSION AS OF 3", "FROM f AT(VERSION=>3) "},
    {"FROM f version as of 3;", "FROM f AT(VERSION=>3) ;"},
    {"FROM \"f\"VERSION AS OF 3", "FROM \"f\"AT(VERSION=>3) "},
    {"FROM a.b.f VERSION AS OF $1 WHERE x", "FROM a.b.f AT(VERSION=>$1)  WHERE x"},
    {"FROM f VERSION AS OF ? WHERE x", "FROM f AT(VERSION=> ?) WHERE x"},
    {"FROM f VERSION AS OF -1", "FROM f AT(VERSION=> -1)"},
    {"FROM f VERSION AS OF (1 + 2) x", "FROM f x AT(VERSION=>(1 + 2)) "},
    {"FROM f VERSION AS OF '3'", "FROM f AT(VERSION=>'3') "},
    {"FROM f AS x VERSION AS OF 3 JOIN g", "FROM f AS x AT(VERSION=>3)  JOIN g"},
    {"FROM f VERSION AS OF 3 AS x JOIN g", "FROM f AS x AT(VERSION=>3)  JOIN g"},
    {"FROM f VERSION AS OF 3 x, g", "FROM f x AT(VERSION=>3) , g"},
    {"FROM f VERSION AS OF 3 x(a, b), g", "FROM f x(a, b) AT(VERSION=>3) , g"},
    {"FROM f AS x(a) VERSION AS OF 3", "FROM f AS x(a) AT(VERSION=>3) "},
    {"FROM f AT (VERSION => 3) AS x JOIN g", "FROM f AS x AT (VERSION => 3) JOIN g"},
    {"FROM f at (timestamp => now()) x(a), g", "FROM f x(a) at (timestamp => now()), g"},
    {"FROM f AT (VERSION => 3) WHERE x", NULL},
    {"FROM f x AT (VERSION => 3) y", NULL},
    {"FROM f AT (VERSION => 3)", NULL},
    {"FROM f AS x AT (VERSION => 3)", NULL},
    {"SELECT a AT TIME ZONE 'UTC' b", NULL},
    {"FROM f FOR VERSION AS OF 3", "FROM f AT(VERSION=>3)     "},
    {"FROM f FOR SYSTEM_VERSION AS OF 3", "FROM f AT(VERSION=>3)            "},
    {"FROM f AS OF VERSION 3", "FROM f AT(VERSION=>3) "},
    {"FROM f AS OF TIMESTAMP 'x'", "FROM f AT(TIMESTAMP=>'x') "},
    {"FROM f TIMESTAMP AS OF '2026-01-31' JOIN g ON x",
     "FROM f AT(TIMESTAMP=>'2026-01-31')  JOIN g ON x"},
    {"FROM f FOR SYSTEM_TIME AS OF now() - INTERVAL 1 DAY d",
     "FROM f d AT(TIMESTAMP=>now() - INTERVAL 1 DAY)       "},
    {"FROM f TIMESTAMP AS OF now() - INTERVAL '1 day' WHERE x",
     "FROM f AT(TIMESTAMP=>now() - INTERVAL '1 day')  WHERE x"},
    {"FROM f TIMESTAMP AS OF now() - INTERVAL (2) HOURS + INTERVAL '3' MINUTE m LEFT JOIN g",
     "FROM f m AT(TIMESTAMP=>now() - INTERVAL (2) HOURS + INTERVAL '3' MINUTE)  LEFT JOIN g"},
    {"FROM f TIMESTAMP AS OF TIMESTAMP '2026-01-31' AS x",
     "FROM f AS x AT(TIMESTAMP=>TIMESTAMP '2026-01-31') "},
    {"FROM f TIMESTAMP AS OF TIMESTAMP WITH TIME ZONE '2026-01-31'",
     "FROM f AT(TIMESTAMP=>TIMESTAMP WITH TIME ZONE '2026-01-31') "},
    {"FROM f TIMESTAMP AS OF '2026-01-31'::date::timestamp(3) y",
     "FROM f y AT(TIMESTAMP=>'2026-01-31'::date::timestamp(3)) "},
    {"FROM f TIMESTAMP AS OF CAST('x' AS DATE) - 7 GROUP BY ALL",
     "FROM f AT(TIMESTAMP=>CAST('x' AS DATE) - 7)  GROUP BY ALL"},
    {"FROM f TIMESTAMP AS OF now() AT TIME ZONE 'UTC' z",
     "FROM f z AT(TIMESTAMP=>now() AT TIME ZONE 'UTC') "},
    {"FROM f TIMESTAMP AS OF current_timestamp AS x",
     "FROM f AS x AT(TIMESTAMP=>current_timestamp) "},
    {"FROM f VERSION /* the */ AS OF 3 -- old\nAS x",
     "FROM f AS x AT(VERSION=>3)                  "},
    {"(SELECT 1 FROM f VERSION AS OF 3) UNION FROM f VERSION AS OF 4",
     "(SELECT 1 FROM f AT(VERSION=>3) ) UNION FROM f AT(VERSION=>4) "},
    {"MERGE INTO t USING f VERSION AS OF 3 AS s ON t.a = s.a",
     "MERGE INTO t USING f AS s AT(VERSION=>3)  ON t.a = s.a"},
    {"FROM f VERSION AS OF'3'x", "FROM f x AT(VERSION=>'3')"}, /* no blank to spare */
    /* names, texts and comments */
    {"SELECT version AS of FROM f", NULL},
    {"SELECT x, version AS of, 3 FROM f", NULL},
    {"SELECT DISTINCT version AS of FROM f", NULL},
    {"SELECT timestamp AS of FROM f", NULL},
    {"SELECT f.version AS of FROM f", NULL},
    {"FROM version AS of", NULL},
    {"FROM version AS of (a)", NULL},
    {"FROM f JOIN version AS of ON x", NULL},
    {"FROM f AS of", NULL},
    {"FROM f AS of JOIN g", NULL},
    {"FROM f AS of, version", NULL},
    {"SELECT 'f VERSION AS OF 3', \"f VERSION AS OF 3\", $$f VERSION AS OF 3$$", NULL},
    {"SELECT 1 -- f VERSION AS OF 3\n/* f VERSION AS OF 3 */", NULL},
    {"FROM f AT (VERSION => 3) -- of", NULL},
    {"RESTORE FRAME f TO VERSION AS OF 3", NULL},
    {"FROM f VERSION AS OF f", NULL}, /* the engine says what is wrong */
    /* cut short */
    {"FROM f TIMESTAMP AS OF now() AT TIME", "FROM f AT(TIMESTAMP=>now())  AT TIME"},
    {"FROM f TIMESTAMP AS OF INTERVAL", "FROM f AT(TIMESTAMP=>INTERVAL) "},
    {"FROM f TIMESTAMP AS OF INTERVAL -", "FROM f AT(TIMESTAMP=>INTERVAL -) "},
    {"FROM f TIMESTAMP AS OF now() AT TIME ZONE", "FROM f AT(TIMESTAMP=>now() AT TIME ZONE) "},
    {"FROM f TIMESTAMP AS OF now( x", "FROM f AT(TIMESTAMP=>now( x) "},
    {"of", NULL},
    {"", NULL},
};

static void clauses_are_rewritten(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct ap_arena arena;
    struct ap_text out;
    ap_error err = {0};
    struct ap_text sql = ap_text_of(rows[i].sql);
    ap_arena_init(&arena, ap_allocator_system());
    check_ok(ap_travel_rewrite(&arena, sql, &out, &err), &err);
    check_text(out, rows[i].rewritten ? rows[i].rewritten : rows[i].sql);
    if (rows[i].rewritten == NULL) assert_ptr_equal(out.data, sql.data);
    if (!strstr(rows[i].sql, "OF'")) assert_int_equal(out.size, sql.size);
    ap_arena_deinit(&arena);
  }
}

static void errors_say_where(void **state) {
  (void)state;
  static const struct {
    const char *sql;
    const char *message;
  } errors[] = {
      {"FROM f FOR VERSION AS OF", "line 1, column 25: expected a version behind AS OF"},
      {"FROM f\nFOR SYSTEM_TIME AS OF WHERE x",
       "line 2, column 23: expected a timestamp behind AS OF"},
      {"FROM f VERSION AS OF -", "line 1, column 22: expected a version behind AS OF"},
      {"FROM f VERSION AS OF 'x", "line 1, column 22: a string without its end: expected '"},
  };
  for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
    struct ap_arena arena;
    struct ap_text out;
    ap_error err = {0};
    ap_arena_init(&arena, ap_allocator_system());
    check_status(ap_travel_rewrite(&arena, ap_text_of(errors[i].sql), &out, &err), AP_SYNTAX, &err);
    check_contains(err.message, errors[i].message);
    ap_arena_deinit(&arena);
  }
}

static ap_status rewrite_body(void *context, struct ap_allocator *allocator, ap_error *err) {
  struct ap_arena arena;
  struct ap_text out;
  ap_arena_init(&arena, allocator);
  ap_status status = ap_travel_rewrite(&arena, ap_text_of(context), &out, err);
  ap_arena_deinit(&arena);
  return status;
}

static void survives_without_memory(void **state) {
  (void)state;
  char sql[] = "FROM f VERSION AS OF 3 AS \"x\"\"y\" JOIN g TIMESTAMP AS OF 'it''s'";
  assert_true(ap_sweep_memory(rewrite_body, sql) > 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(clauses_are_rewritten),
      cmocka_unit_test(errors_say_where),
      cmocka_unit_test(survives_without_memory),
  };
  return AP_RUN_TESTS(tests);
}
