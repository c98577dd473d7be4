/* SPDX-License-Identifier: Apache-2.0
 *
 * Goal: names are guarded, hives, boxes and frames come, go and are found as catalog.h says, every
 * process sees every change, and neither a restart nor a checkpoint changes what there is.
 * Method: a simulated machine with a folder store; expectations by hand; after a random run of
 * changes, the state from each checkpoint against the state from the whole log.
 */
#include "catalog/catalog.h"

#include "base/limits.h"
#include "store/local.h"
#include "testing/check.h"
#include "testing/random.h"
#include "testing/sim.h"

#include <stdio.h>
#include <stdlib.h>

struct fixture {
  struct ap_sim *sim;
  const struct ap_env *env;
  struct ap_store *store;
  struct ap_catalog *catalog;
  struct ap_arena arena;
  ap_error err;
};

static void setup(struct fixture *fixture) {
  *fixture = (struct fixture){.sim = ap_sim_create(1)};
  fixture->env = ap_sim_env(fixture->sim);
  ap_arena_init(&fixture->arena, ap_allocator_system());
  check_ok(ap_store_local_open(fixture->env, "/data", AP_DURABLE, &fixture->store, &fixture->err),
           &fixture->err);
  check_ok(ap_catalog_open(fixture->env, fixture->store, &fixture->catalog, &fixture->err),
           &fixture->err);
}

static void teardown(struct fixture *fixture) {
  ap_catalog_close(fixture->catalog);
  ap_store_destroy(fixture->store);
  ap_arena_deinit(&fixture->arena);
  ap_sim_destroy(fixture->sim);
}

static void reopen(struct fixture *fixture) {
  ap_catalog_close(fixture->catalog);
  check_ok(ap_catalog_open(fixture->env, fixture->store, &fixture->catalog, &fixture->err),
           &fixture->err);
}

static struct ap_text text(const char *string) {
  return ap_text_of(string);
}

static void make_hive(struct fixture *f, const char *hive) {
  check_ok(ap_catalog_create_hive(f->catalog, text(hive), false, &f->err), &f->err);
}

static void make_box(struct fixture *f, const char *hive, const char *box) {
  check_ok(ap_catalog_create_box(f->catalog, text(hive), text(box), false, &f->err), &f->err);
}

static void make_frame(struct fixture *f, const char *hive, const char *box, const char *frame) {
  struct ap_text location;
  check_ok(ap_catalog_choose_location(f->catalog, text(hive), text(box), text(frame), &f->arena,
                                      &location, &f->err),
           &f->err);
  check_ok(ap_catalog_add_frame(f->catalog, text(hive), text(box), text(frame), location, &f->err),
           &f->err);
}

static ap_status find_frame(struct fixture *f, const char *hive, const char *box, const char *frame,
                            struct ap_frame_entry *out_entry) {
  f->err = (ap_error){0};
  return ap_catalog_find_frame(f->catalog, text(hive), text(box), text(frame), &f->arena, out_entry,
                               &f->err);
}

/* "hive.box.frame hive.box.frame " of a list. */
static void check_list(const struct ap_frame_entry *entries, uint32_t count, const char *expected) {
  struct ap_buffer out;
  ap_buffer_init(&out, ap_allocator_system());
  for (uint32_t i = 0; i < count; i++) {
    ap_buffer_append_text(&out, entries[i].hive);
    if (entries[i].box.size > 0) ap_buffer_append_format(&out, ".%s", entries[i].box.data);
    if (entries[i].name.size > 0) ap_buffer_append_format(&out, ".%s", entries[i].name.data);
    ap_buffer_append_string(&out, " ");
  }
  check_text(ap_buffer_text(&out), expected);
  ap_buffer_deinit(&out);
}

static void check_frames(struct fixture *f, const char *hive, const char *box,
                         const char *expected) {
  struct ap_frame_entry *entries;
  uint32_t count;
  check_ok(ap_catalog_list_frames(f->catalog, text(hive), text(box), &f->arena, &entries, &count,
                                  &f->err),
           &f->err);
  check_list(entries, count, expected);
}

static void check_boxes(struct fixture *f, const char *hive, const char *expected) {
  struct ap_frame_entry *entries;
  uint32_t count;
  check_ok(ap_catalog_list_boxes(f->catalog, text(hive), &f->arena, &entries, &count, &f->err),
           &f->err);
  check_list(entries, count, expected);
}

static void check_hives(struct fixture *f, const char *expected) {
  struct ap_frame_entry *entries;
  uint32_t count;
  check_ok(ap_catalog_list_hives(f->catalog, &f->arena, &entries, &count, &f->err), &f->err);
  check_list(entries, count, expected);
}

/* ---- names ----------------------------------------------------------------------------------- */

static void test_names(void **state) {
  (void)state;
  static const char *const good[] = {
      "a",   "Sales 2024", "orders-eu", "caf\xc3\xa9",     "1", "main", "select", "a.b", "it's",
      "%2F", "a_",         "x;y",       "\xf0\x9f\x90\x9d"};
  static const struct {
    const char *name;
    const char *why;
  } bad[] = {{"", "empty"},        {"../x", "'/'"},           {"a/b", "'/'"},
             {".", "begin with"},  {"..", "begin with"},      {"a\\b", "'\\'"},
             {"a\"b", "'\"'"},     {"_x", "begin with"},      {" x", "space"},
             {"x ", "space"},      {"a\nb", "control"},       {"a\x7f", "control"},
             {"a\x01", "control"}, {"\xff\xfe", "UTF-8"},     {"a\xc3", "UTF-8"},
             {".hidden", "begin"}, {"\xed\xa0\x80", "UTF-8"}, {"/", "'/'"},
             {"\xc0\xaf", "UTF-8"}};
  ap_error err;
  for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
    check_ok(ap_catalog_check_name("frame", text(good[i]), &err), &err);
  }
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
    check_status(ap_catalog_check_name("frame", text(bad[i].name), &err), AP_INVALID_ARGUMENT,
                 &err);
    check_contains(err.message, bad[i].why);
    assert_true(ap_text_is_utf8(text(err.message)));
  }
  char longest[130];
  memset(longest, 'x', sizeof(longest));
  check_ok(ap_catalog_check_name("frame", (struct ap_text){longest, 128}, &err), &err);
  check_status(ap_catalog_check_name("frame", (struct ap_text){longest, 129}, &err),
               AP_INVALID_ARGUMENT, &err);
  check_contains(err.message, "128 bytes");
  check_status(ap_catalog_check_name("frame", (struct ap_text){"a\0b", 3}, &err),
               AP_INVALID_ARGUMENT, &err);
}

static void test_reserved_names(void **state) {
  (void)state;
  static const char *const reserved[] = {"system", "TEMP", "Memory", "information_schema",
                                         "pg_catalog"};
  ap_error err;
  for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++) {
    check_status(ap_catalog_check_name("hive", text(reserved[i]), &err), AP_INVALID_ARGUMENT, &err);
    check_status(ap_catalog_check_name("box", text(reserved[i]), &err), AP_INVALID_ARGUMENT, &err);
    check_ok(ap_catalog_check_name("frame", text(reserved[i]), &err), &err);
  }
  check_ok(ap_catalog_check_name("box", text("main"), &err), &err);
  check_status(ap_catalog_check_name("hive", text("main"), &err), AP_INVALID_ARGUMENT, &err);
}

/* What is refused leaves nothing behind, and what is asked for with such a name is not found. */
static void test_hostile_names(void **state) {
  (void)state;
  static const char *const hostile[] = {"../x", "a/b",  "",        ".",
                                        "a\nb", "\xff", "_apiary", "\"; --"};
  struct fixture f;
  struct ap_frame_entry entry;
  struct ap_text location;
  setup(&f);
  make_hive(&f, "h");
  make_box(&f, "h", "b");
  make_frame(&f, "h", "b", "f");
  for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
    struct ap_text name = text(hostile[i]);
    const ap_status wrong = AP_INVALID_ARGUMENT;
    check_status(ap_catalog_create_hive(f.catalog, name, true, &f.err), wrong, &f.err);
    check_status(ap_catalog_create_box(f.catalog, text("h"), name, true, &f.err), wrong, &f.err);
    check_status(ap_catalog_add_frame(f.catalog, text("h"), text("b"), name, text("x/y/z"), &f.err),
                 wrong, &f.err);
    check_status(ap_catalog_choose_location(f.catalog, text("h"), text("b"), name, &f.arena,
                                            &location, &f.err),
                 wrong, &f.err);
    check_status(ap_catalog_rename_frame(f.catalog, text("h"), text("b"), text("f"), name, &f.err),
                 wrong, &f.err);
    check_status(ap_catalog_rename_box(f.catalog, text("h"), text("b"), name, &f.err), wrong,
                 &f.err);
    check_status(ap_catalog_rename_hive(f.catalog, text("h"), name, &f.err), wrong, &f.err);
    const ap_status missing = name.size == 0 ? wrong : AP_NOT_FOUND;
    check_status(find_frame(&f, "h", "b", hostile[i], &entry), missing, &f.err);
    check_status(find_frame(&f, "h", hostile[i], "f", &entry), missing, &f.err);
    check_status(find_frame(&f, hostile[i], "b", "f", &entry), missing, &f.err);
    check_status(ap_catalog_drop_frame(f.catalog, text("h"), text("b"), name, false, &f.err),
                 missing, &f.err);
    assert_true(ap_text_is_utf8(text(f.err.message)));
  }
  static const char *const locations[] = {"", "/x", "../x", "a/../b", "a//b", "a\nb"};
  for (size_t i = 0; i < sizeof(locations) / sizeof(locations[0]); i++) {
    check_status(ap_catalog_add_frame(f.catalog, text("h"), text("b"), text("new"),
                                      text(locations[i]), &f.err),
                 AP_INVALID_ARGUMENT, &f.err);
  }
  check_frames(&f, "", "", "h.b.f ");
  teardown(&f);
}

/* ---- creating, finding, listing -------------------------------------------------------------- */

static void test_create_and_find(void **state) {
  (void)state;
  struct fixture f;
  struct ap_frame_entry entry;
  setup(&f);
  check_hives(&f, "");
  make_hive(&f, "Warehouse");
  make_box(&f, "warehouse", "Sales");
  make_frame(&f, "WAREHOUSE", "sales", "Orders");
  check_ok(find_frame(&f, "warehouse", "SALES", "oRDERS", &entry), &f.err);
  check_text(entry.hive, "Warehouse"); /* names keep their case, also the parents' */
  check_text(entry.box, "Sales");
  check_text(entry.name, "Orders");
  check_text(entry.location, "Warehouse/Sales/Orders");
  assert_int_equal(entry.id.size, 36);
  assert_true(entry.created_ms == ap_clock_wall_ms(f.env->clock));
  struct ap_text name;
  check_ok(ap_catalog_find_hive(f.catalog, text("WAREHOUSE"), &f.arena, &name, &f.err), &f.err);
  check_text(name, "Warehouse");
  check_ok(
      ap_catalog_find_box(f.catalog, text("warehouse"), text("SALES"), &f.arena, &name, &f.err),
      &f.err);
  check_text(name, "Sales");
  reopen(&f);
  struct ap_frame_entry again;
  check_ok(find_frame(&f, "Warehouse", "Sales", "Orders", &again), &f.err);
  assert_true(ap_text_equal(again.id, entry.id));
  assert_true(again.created_ms == entry.created_ms);
  teardown(&f);
}

static void test_idempotence(void **state) {
  (void)state;
  struct fixture f;
  setup(&f);
  make_hive(&f, "h");
  check_status(ap_catalog_create_hive(f.catalog, text("H"), false, &f.err), AP_ALREADY_EXISTS,
               &f.err);
  check_contains(f.err.message, "hive h exists");
  check_ok(ap_catalog_create_hive(f.catalog, text("H"), true, &f.err), &f.err);
  check_status(ap_catalog_create_box(f.catalog, text("x"), text("b"), true, &f.err), AP_NOT_FOUND,
               &f.err);
  make_box(&f, "h", "b");
  check_status(ap_catalog_create_box(f.catalog, text("h"), text("B"), false, &f.err),
               AP_ALREADY_EXISTS, &f.err);
  check_ok(ap_catalog_create_box(f.catalog, text("h"), text("B"), true, &f.err), &f.err);
  make_frame(&f, "h", "b", "f");
  check_status(
      ap_catalog_add_frame(f.catalog, text("h"), text("b"), text("F"), text("a/b/c"), &f.err),
      AP_ALREADY_EXISTS, &f.err);
  check_contains(f.err.message, "frame h.b.f exists");
  check_status(
      ap_catalog_add_frame(f.catalog, text("h"), text("b"), text("g"), text("h/b/f"), &f.err),
      AP_ALREADY_EXISTS, &f.err);
  check_contains(f.err.message, "already belongs to frame h.b.f");
  check_status(
      ap_catalog_add_frame(f.catalog, text("h"), text("b"), text("g"), text("h/b"), &f.err),
      AP_STATE, &f.err);
  check_contains(f.err.message, "folder 'h/b' holds folder 'h/b/f' of frame h.b.f");
  check_status(
      ap_catalog_add_frame(f.catalog, text("h"), text("b"), text("g"), text("h/b/f/g"), &f.err),
      AP_STATE, &f.err);
  check_contains(f.err.message, "folder 'h/b/f/g' lies in folder 'h/b/f' of frame h.b.f");
  check_hives(&f, "h ");
  check_boxes(&f, "", "h.b ");
  check_frames(&f, "", "", "h.b.f ");
  /* Four creations that did something made four versions, and no more. */
  struct ap_store_object object;
  check_ok(
      ap_store_head(f.store, text("_apiary/catalog/00000000000000000002.json"), &object, &f.err),
      &f.err);
  check_status(
      ap_store_head(f.store, text("_apiary/catalog/00000000000000000003.json"), &object, &f.err),
      AP_NOT_FOUND, &f.err);
  teardown(&f);
}

static void test_missing_names_are_told(void **state) {
  (void)state;
  struct fixture f;
  struct ap_frame_entry entry;
  setup(&f);
  check_status(find_frame(&f, "sales", "eu", "orders", &entry), AP_NOT_FOUND, &f.err);
  check_contains(f.err.message, "hive sales does not exist");
  check_contains(f.err.hint, "no hive yet");
  make_hive(&f, "sales");
  make_hive(&f, "stock");
  make_box(&f, "sales", "europe");
  make_frame(&f, "sales", "europe", "orders");
  make_frame(&f, "sales", "europe", "lines");
  check_status(find_frame(&f, "sales", "europe", "ordres", &entry), AP_NOT_FOUND, &f.err);
  check_contains(f.err.message, "frame sales.europe.ordres does not exist");
  check_contains(f.err.hint, "did you mean 'orders'?");
  check_status(find_frame(&f, "sales", "eurupe", "orders", &entry), AP_NOT_FOUND, &f.err);
  check_contains(f.err.message, "box sales.eurupe does not exist");
  check_contains(f.err.hint, "did you mean 'europe'?");
  check_status(find_frame(&f, "sale", "europe", "orders", &entry), AP_NOT_FOUND, &f.err);
  check_contains(f.err.hint, "did you mean 'sales'?");
  check_status(find_frame(&f, "sales", "europe", "entirely_else", &entry), AP_NOT_FOUND, &f.err);
  check_contains(f.err.hint, "SHOW FRAMES");
  check_status(find_frame(&f, "stock", "x", "y", &entry), AP_NOT_FOUND, &f.err);
  check_contains(f.err.hint, "no box yet");
  uint32_t count;
  struct ap_frame_entry *entries;
  check_status(
      ap_catalog_list_frames(f.catalog, text("stok"), text(""), &f.arena, &entries, &count, &f.err),
      AP_NOT_FOUND, &f.err);
  check_contains(f.err.hint, "did you mean 'stock'?");
  teardown(&f);
}

static void test_lists(void **state) {
  (void)state;
  struct fixture f;
  setup(&f);
  make_hive(&f, "b");
  make_hive(&f, "a");
  make_hive(&f, "C");
  make_box(&f, "a", "y");
  make_box(&f, "a", "X");
  make_box(&f, "b", "y");
  make_frame(&f, "a", "y", "2");
  make_frame(&f, "a", "y", "10");
  make_frame(&f, "a", "x", "q");
  make_frame(&f, "b", "y", "q");
  /* "a" is a prefix of "ab" and must not take its things along. */
  make_hive(&f, "ab");
  make_box(&f, "ab", "y");
  make_box(&f, "a", "yy");
  make_frame(&f, "a", "yy", "1");
  check_hives(&f, "C a ab b "); /* by bytes */
  check_boxes(&f, "", "a.X a.y a.yy ab.y b.y ");
  check_boxes(&f, "A", "a.X a.y a.yy ");
  check_frames(&f, "", "", "a.X.q a.y.10 a.y.2 a.yy.1 b.y.q ");
  check_frames(&f, "a", "", "a.X.q a.y.10 a.y.2 a.yy.1 ");
  check_frames(&f, "a", "Y", "a.y.10 a.y.2 ");
  check_frames(&f, "c", "", "");
  teardown(&f);
}

/* ---- renaming, dropping, properties ---------------------------------------------------------- */

static void test_rename(void **state) {
  (void)state;
  struct fixture f;
  struct ap_frame_entry before;
  struct ap_frame_entry after;
  setup(&f);
  make_hive(&f, "h");
  make_hive(&f, "other");
  make_box(&f, "h", "b");
  make_box(&f, "h", "c");
  make_frame(&f, "h", "b", "f");
  make_frame(&f, "h", "b", "g");
  check_ok(find_frame(&f, "h", "b", "f", &before), &f.err);
  check_ok(ap_catalog_set_property(f.catalog, text("h"), text("b"), text("f"), text("k"), text("v"),
                                   &f.err),
           &f.err);
  check_ok(ap_catalog_rename_frame(f.catalog, text("h"), text("b"), text("f"), text("F"), &f.err),
           &f.err); /* only the case */
  check_ok(ap_catalog_rename_frame(f.catalog, text("h"), text("b"), text("f"), text("zz"), &f.err),
           &f.err);
  check_status(find_frame(&f, "h", "b", "f", &after), AP_NOT_FOUND, &f.err);
  check_ok(ap_catalog_rename_box(f.catalog, text("h"), text("b"), text("z"), &f.err), &f.err);
  check_ok(ap_catalog_rename_hive(f.catalog, text("h"), text("A"), &f.err), &f.err);
  check_frames(&f, "", "", "A.z.g A.z.zz ");
  check_boxes(&f, "", "A.c A.z ");
  check_ok(find_frame(&f, "a", "z", "ZZ", &after), &f.err);
  assert_true(ap_text_equal(before.id, after.id));
  assert_true(ap_text_equal(before.location, after.location));
  struct ap_text value;
  check_ok(ap_catalog_get_property(f.catalog, text("a"), text("z"), text("zz"), text("k"), &f.arena,
                                   &value, &f.err),
           &f.err);
  check_text(value, "v");
  check_status(
      ap_catalog_rename_frame(f.catalog, text("a"), text("z"), text("zz"), text("G"), &f.err),
      AP_ALREADY_EXISTS, &f.err);
  check_status(ap_catalog_rename_box(f.catalog, text("a"), text("z"), text("C"), &f.err),
               AP_ALREADY_EXISTS, &f.err);
  check_status(ap_catalog_rename_hive(f.catalog, text("a"), text("Other"), &f.err),
               AP_ALREADY_EXISTS, &f.err);
  check_status(ap_catalog_rename_hive(f.catalog, text("gone"), text("x"), &f.err), AP_NOT_FOUND,
               &f.err);
  reopen(&f);
  check_frames(&f, "", "", "A.z.g A.z.zz ");
  /* The old name is free again, and its folder is not. */
  make_hive(&f, "h");
  make_box(&f, "h", "b");
  struct ap_text location;
  check_ok(ap_catalog_choose_location(f.catalog, text("h"), text("b"), text("f"), &f.arena,
                                      &location, &f.err),
           &f.err);
  assert_true(ap_text_starts_with(location, AP_TEXT("h/b/f-")));
  teardown(&f);
}

static void test_views(void **state) {
  (void)state;
  struct fixture f;
  struct ap_frame_entry entry;
  struct ap_frame_entry *entries;
  uint32_t count;
  bool found;
  setup(&f);
  make_hive(&f, "h");
  make_box(&f, "h", "b");
  make_box(&f, "h", "c");
  make_frame(&f, "h", "b", "f");
  const struct ap_text h = text("h");
  const struct ap_text b = text("b");
  check_ok(ap_catalog_add_view(f.catalog, h, b, text("V"), text("one"), false, false, &f.err),
           &f.err);
  check_status(ap_catalog_add_view(f.catalog, h, b, text("v"), text("two"), false, false, &f.err),
               AP_ALREADY_EXISTS, &f.err);
  check_ok(ap_catalog_add_view(f.catalog, h, b, text("v"), text("two"), false, true, &f.err),
           &f.err);
  check_ok(ap_catalog_find_view(f.catalog, h, b, text("v"), &f.arena, &entry, &f.err), &f.err);
  check_text(entry.view, "one");
  check_ok(ap_catalog_add_view(f.catalog, h, b, text("v"), text("two"), true, false, &f.err),
           &f.err);
  reopen(&f);
  check_ok(ap_catalog_look_up(f.catalog, h, b, text("V"), &f.arena, &entry, &found, &f.err),
           &f.err);
  assert_true(found);
  check_text(entry.view, "two");
  check_text(entry.name, "v");
  /* Frames and views share their names and are not taken for each other. */
  check_status(ap_catalog_add_view(f.catalog, h, b, text("f"), text("x"), true, true, &f.err),
               AP_ALREADY_EXISTS, &f.err);
  check_status(ap_catalog_add_frame(f.catalog, h, b, text("v"), text("h/b/v"), &f.err),
               AP_ALREADY_EXISTS, &f.err);
  check_status(find_frame(&f, "h", "b", "v", &entry), AP_STATE, &f.err);
  check_contains(f.err.message, "h.b.v is a view, not a frame");
  check_status(ap_catalog_drop_frame(f.catalog, h, b, text("v"), true, &f.err), AP_STATE, &f.err);
  check_status(ap_catalog_drop_view(f.catalog, h, b, text("f"), true, &f.err), AP_STATE, &f.err);
  check_status(ap_catalog_rename_frame(f.catalog, h, b, text("v"), text("w"), &f.err), AP_STATE,
               &f.err);
  check_frames(&f, "h", "", "h.b.f ");
  /* Moves keep the id. */
  check_ok(find_frame(&f, "h", "b", "f", &entry), &f.err);
  const struct ap_text id = entry.id;
  check_ok(ap_catalog_move(f.catalog, h, b, text("f"), false, h, text("C"), text("g"), &f.err),
           &f.err);
  check_ok(find_frame(&f, "h", "c", "G", &entry), &f.err);
  assert_true(ap_text_equal(entry.id, id));
  check_text(entry.box, "c");
  check_status(ap_catalog_move(f.catalog, h, b, text("v"), true, h, text("c"), text("g"), &f.err),
               AP_ALREADY_EXISTS, &f.err);
  check_status(ap_catalog_move(f.catalog, h, b, text("v"), true, h, text("x"), text("g"), &f.err),
               AP_NOT_FOUND, &f.err);
  check_ok(ap_catalog_move(f.catalog, h, b, text("v"), true, h, text("c"), text("V2"), &f.err),
           &f.err);
  reopen(&f);
  check_ok(ap_catalog_list_views(f.catalog, h, text(""), &f.arena, &entries, &count, &f.err),
           &f.err);
  check_list(entries, count, "h.c.V2 ");
  check_ok(ap_catalog_drop_view(f.catalog, h, text("c"), text("v2"), false, &f.err), &f.err);
  check_status(ap_catalog_drop_view(f.catalog, h, text("c"), text("v2"), false, &f.err),
               AP_NOT_FOUND, &f.err);
  check_ok(ap_catalog_drop_view(f.catalog, h, text("c"), text("v2"), true, &f.err), &f.err);
  teardown(&f);
}

static void test_drop(void **state) {
  (void)state;
  struct fixture f;
  struct ap_frame_entry entry;
  setup(&f);
  make_hive(&f, "h");
  make_box(&f, "h", "b");
  make_frame(&f, "h", "b", "f");
  make_frame(&f, "h", "b", "g");
  check_status(ap_catalog_drop_hive(f.catalog, text("h"), false, false, &f.err), AP_STATE, &f.err);
  check_contains(f.err.message, "hive h is not empty: it has h.b");
  check_status(ap_catalog_drop_box(f.catalog, text("h"), text("b"), false, false, &f.err), AP_STATE,
               &f.err);
  check_contains(f.err.hint, "CASCADE");
  check_ok(ap_catalog_drop_frame(f.catalog, text("h"), text("b"), text("F"), false, &f.err),
           &f.err);
  check_status(ap_catalog_drop_frame(f.catalog, text("h"), text("b"), text("f"), false, &f.err),
               AP_NOT_FOUND, &f.err);
  check_ok(ap_catalog_drop_frame(f.catalog, text("h"), text("b"), text("f"), true, &f.err), &f.err);
  check_ok(ap_catalog_drop_frame(f.catalog, text("h"), text("x"), text("f"), true, &f.err), &f.err);
  check_ok(ap_catalog_drop_box(f.catalog, text("x"), text("b"), false, true, &f.err), &f.err);
  check_ok(ap_catalog_drop_hive(f.catalog, text("x"), false, true, &f.err), &f.err);
  check_status(ap_catalog_drop_hive(f.catalog, text("x"), true, false, &f.err), AP_NOT_FOUND,
               &f.err);
  check_ok(ap_catalog_drop_box(f.catalog, text("h"), text("b"), true, false, &f.err), &f.err);
  check_status(find_frame(&f, "h", "b", "g", &entry), AP_NOT_FOUND, &f.err);
  check_ok(ap_catalog_drop_hive(f.catalog, text("h"), false, false, &f.err), &f.err);
  check_hives(&f, "");
  reopen(&f);
  check_hives(&f, "");
  teardown(&f);
}

static void test_drop_tells_what_went(void **state) {
  (void)state;
  struct fixture f;
  struct ap_frame_entry *frames;
  uint32_t count;
  setup(&f);
  make_hive(&f, "h");
  make_box(&f, "h", "b");
  make_box(&f, "h", "c");
  make_frame(&f, "h", "b", "f");
  make_frame(&f, "h", "b", "g");
  make_frame(&f, "h", "c", "f");
  make_frame(&f, "h", "c", "i");
  check_ok(ap_catalog_drop(f.catalog, text("h"), text("b"), text("G"), false, false, &f.arena,
                           &frames, &count, &f.err),
           &f.err);
  check_list(frames, count, "h.b.g ");
  check_text(frames[0].location, "h/b/g");
  check_ok(ap_catalog_drop(f.catalog, text("h"), text("b"), text("G"), false, true, &f.arena,
                           &frames, &count, &f.err),
           &f.err);
  assert_int_equal(count, 0);
  check_ok(ap_catalog_drop(f.catalog, text("h"), text("C"), text(""), true, false, &f.arena,
                           &frames, &count, &f.err),
           &f.err);
  check_list(frames, count, "h.c.f h.c.i ");
  check_ok(ap_catalog_drop(f.catalog, text("h"), text(""), text(""), true, false, &f.arena, &frames,
                           &count, &f.err),
           &f.err);
  check_list(frames, count, "h.b.f ");
  check_status(ap_catalog_drop(f.catalog, text("h"), text(""), text("f"), true, false, &f.arena,
                               &frames, &count, &f.err),
               AP_INVALID_ARGUMENT, &f.err);
  teardown(&f);
}

static void check_property(struct fixture *f, const char *hive, const char *box, const char *frame,
                           const char *name, const char *expected) {
  struct ap_text value;
  check_ok(ap_catalog_get_property(f->catalog, text(hive), text(box), text(frame), text(name),
                                   &f->arena, &value, &f->err),
           &f->err);
  check_text(value, expected);
}

static void set_property(struct fixture *f, const char *hive, const char *box, const char *frame,
                         const char *name, const char *value) {
  check_ok(ap_catalog_set_property(f->catalog, text(hive), text(box), text(frame), text(name),
                                   text(value), &f->err),
           &f->err);
}

static void test_properties(void **state) {
  (void)state;
  struct fixture f;
  setup(&f);
  make_hive(&f, "h");
  make_box(&f, "h", "b");
  make_frame(&f, "h", "b", "f");
  check_property(&f, "h", "", "", "owner", "");
  set_property(&f, "h", "", "", "owner", "ada");
  set_property(&f, "h", "b", "", "owner", "\"quoted\"\n\xc3\xbc");
  set_property(&f, "H", "B", "F", "owner", "grace");
  set_property(&f, "h", "b", "f", "Owner", "edsger"); /* names of properties keep their case */
  set_property(&f, "h", "b", "f", "owner", "grace h.");
  reopen(&f);
  check_property(&f, "h", "", "", "owner", "ada");
  check_property(&f, "h", "b", "", "owner", "\"quoted\"\n\xc3\xbc");
  check_property(&f, "h", "b", "f", "owner", "grace h.");
  check_property(&f, "h", "b", "f", "Owner", "edsger");
  set_property(&f, "h", "b", "f", "owner", "");
  set_property(&f, "h", "b", "f", "never", "");
  check_property(&f, "h", "b", "f", "owner", "");
  check_property(&f, "h", "b", "f", "Owner", "edsger");
  check_status(ap_catalog_set_property(f.catalog, text("h"), text("x"), text(""), text("k"),
                                       text("v"), &f.err),
               AP_NOT_FOUND, &f.err);
  check_status(ap_catalog_set_property(f.catalog, text("h"), text(""), text(""), text(""),
                                       text("v"), &f.err),
               AP_INVALID_ARGUMENT, &f.err);
  check_status(ap_catalog_set_property(f.catalog, text("h"), text(""), text(""), text("k"),
                                       text("\xff"), &f.err),
               AP_INVALID_ARGUMENT, &f.err);
  teardown(&f);
}

/* ---- folders --------------------------------------------------------------------------------- */

static void check_location(struct fixture *f, const char *frame, const char *prefix, bool exact) {
  struct ap_text location;
  check_ok(ap_catalog_choose_location(f->catalog, text("h \xc3\xbc"), text("b"), text(frame),
                                      &f->arena, &location, &f->err),
           &f->err);
  if (exact) {
    check_text(location, prefix);
  } else {
    assert_true(ap_text_starts_with(location, text(prefix)));
    assert_true(location.size > strlen(prefix));
  }
  check_ok(ap_store_check_key(location, &f->err), &f->err);
}

static void test_locations(void **state) {
  (void)state;
  struct fixture f;
  setup(&f);
  make_hive(&f, "h \xc3\xbc");
  make_box(&f, "h \xc3\xbc", "b");
  check_location(&f, "f.1_x-y", "h~20~C3~BC/b/f.1_x-y", true);
  check_location(&f, "a b%", "h~20~C3~BC/b/a~20b~25", true);
  /* Objects lie there: another table's, or a dropped frame's. */
  check_ok(ap_store_put(f.store, text("h~20~C3~BC/b/f/x/y"), text("x"), &f.err), &f.err);
  check_location(&f, "f", "h~20~C3~BC/b/f-", false);
  check_location(&f, "f2", "h~20~C3~BC/b/f2", true);
  /* A frame whose folder is still empty has it nevertheless. */
  make_frame(&f, "h \xc3\xbc", "b", "g");
  check_location(&f, "G", "h~20~C3~BC/b/G-", false);
  char longest[129];
  for (size_t i = 0; i + 3 < sizeof(longest); i += 3) memcpy(longest + i, "\xe2\x82\xac", 3);
  longest[126] = '\0';
  struct ap_text location;
  check_ok(ap_catalog_choose_location(f.catalog, text("h \xc3\xbc"), text("b"), text(longest),
                                      &f.arena, &location, &f.err),
           &f.err);
  assert_true(location.size < 200);
  check_ok(ap_store_put(f.store, location, text("x"), &f.err), &f.err);
  check_status(ap_catalog_choose_location(f.catalog, text("h \xc3\xbc"), text("c"), text("f"),
                                          &f.arena, &location, &f.err),
               AP_NOT_FOUND, &f.err);
  teardown(&f);
}

/* ---- several catalogs, restarts, checkpoints ------------------------------------------------- */

static void test_two_see_each_other(void **state) {
  (void)state;
  struct fixture f;
  struct ap_frame_entry entry;
  setup(&f);
  struct ap_catalog *first = f.catalog;
  struct ap_catalog *second;
  check_ok(ap_catalog_open(f.env, f.store, &second, &f.err), &f.err);
  make_hive(&f, "h");
  f.catalog = second;
  make_box(&f, "h", "b");
  f.catalog = first;
  make_frame(&f, "h", "b", "f");
  f.catalog = second;
  check_ok(find_frame(&f, "h", "b", "f", &entry), &f.err);
  check_ok(ap_catalog_rename_frame(second, text("h"), text("b"), text("f"), text("g"), &f.err),
           &f.err);
  f.catalog = first;
  check_status(find_frame(&f, "h", "b", "f", &entry), AP_NOT_FOUND, &f.err);
  check_ok(find_frame(&f, "h", "b", "g", &entry), &f.err);
  check_ok(ap_catalog_drop_frame(first, text("h"), text("b"), text("g"), false, &f.err), &f.err);
  f.catalog = second;
  check_status(find_frame(&f, "h", "b", "g", &entry), AP_NOT_FOUND, &f.err);
  ap_catalog_close(second);
  f.catalog = first;
  teardown(&f);
}

static void dump(struct fixture *f, struct ap_buffer *out) {
  struct ap_frame_entry *entries;
  uint32_t count;
  check_ok(ap_catalog_list_hives(f->catalog, &f->arena, &entries, &count, &f->err), &f->err);
  for (uint32_t i = 0; i < count; i++) ap_buffer_append_format(out, "%s\n", entries[i].hive.data);
  check_ok(ap_catalog_list_boxes(f->catalog, text(""), &f->arena, &entries, &count, &f->err),
           &f->err);
  for (uint32_t i = 0; i < count; i++) {
    struct ap_text value;
    check_ok(ap_catalog_get_property(f->catalog, entries[i].hive, entries[i].box, text(""),
                                     text("p"), &f->arena, &value, &f->err),
             &f->err);
    ap_buffer_append_format(out, "%s.%s %s\n", entries[i].hive.data, entries[i].box.data,
                            value.data);
  }
  check_ok(
      ap_catalog_list_frames(f->catalog, text(""), text(""), &f->arena, &entries, &count, &f->err),
      &f->err);
  for (uint32_t i = 0; i < count; i++) {
    ap_buffer_append_format(out, "%s.%s.%s %s %s %lld\n", entries[i].hive.data, entries[i].box.data,
                            entries[i].name.data, entries[i].id.data, entries[i].location.data,
                            (long long)entries[i].created_ms);
  }
  check_ok(
      ap_catalog_list_views(f->catalog, text(""), text(""), &f->arena, &entries, &count, &f->err),
      &f->err);
  for (uint32_t i = 0; i < count; i++) {
    ap_buffer_append_format(out, "%s.%s.%s %s {%s}\n", entries[i].hive.data, entries[i].box.data,
                            entries[i].name.data, entries[i].id.data, entries[i].view.data);
  }
}

static ap_status remove_checkpoint(void *context, const struct ap_store_object *object,
                                   ap_error *err) {
  struct fixture *f = context;
  if (!ap_text_ends_with(object->key, AP_TEXT(".checkpoint.json"))) return AP_OK;
  return ap_store_remove(f->store, object->key, err);
}

static const char *random_name(struct ap_random *random) {
  static const char *const names[] = {"a", "b", "C", "d", "ee", "f f", "\xc3\xbc"};
  return names[ap_random_below(random, 7)];
}

/* Statuses do not matter here: all changes go through the same calls. */
static void change_at_random(struct fixture *f, struct ap_random *random) {
  struct ap_text hive = text(random_name(random));
  struct ap_text box = text(random_name(random));
  struct ap_text frame = text(random_name(random));
  struct ap_text other = text(random_name(random));
  struct ap_text location;
  switch (ap_random_below(random, 15)) {
    case 0:
      (void)!ap_catalog_create_hive(f->catalog, hive, true, NULL);
      break;
    case 1:
      (void)!ap_catalog_rename_hive(f->catalog, hive, other, NULL);
      break;
    case 2:
      (void)!ap_catalog_drop_hive(f->catalog, hive, ap_random_below(random, 4) == 0, true, NULL);
      break;
    case 3:
    case 4:
      (void)!ap_catalog_create_box(f->catalog, hive, box, true, NULL);
      break;
    case 5:
      (void)!ap_catalog_rename_box(f->catalog, hive, box, other, NULL);
      break;
    case 6:
      (void)!ap_catalog_set_property(f->catalog, hive, box, text(""), text("p"), other, NULL);
      break;
    case 7:
      (void)!ap_catalog_drop_frame(f->catalog, hive, box, frame, true, NULL);
      break;
    case 8:
      (void)!ap_catalog_rename_frame(f->catalog, hive, box, frame, other, NULL);
      break;
    case 9:
      (void)!ap_catalog_add_view(f->catalog, hive, box, frame, other, true, false, NULL);
      break;
    case 10:
      (void)!ap_catalog_drop_view(f->catalog, hive, box, frame, true, NULL);
      break;
    case 11:
      (void)!ap_catalog_move(f->catalog, hive, box, frame, ap_random_below(random, 2) == 0,
                             text(random_name(random)), text(random_name(random)), other, NULL);
      break;
    default:
      if (ap_catalog_choose_location(f->catalog, hive, box, frame, &f->arena, &location, NULL) ==
          AP_OK) {
        (void)!ap_catalog_add_frame(f->catalog, hive, box, frame, location, NULL);
      }
  }
}

/* The same from memory, from the newest checkpoint, from an older one, and from the first change
 * on; with and without the hint. */
static void test_checkpoints(void **state) {
  (void)state;
  struct fixture f;
  struct ap_seeded_random random;
  ap_seeded_random_init(&random, ap_test_seed("test_checkpoints"));
  setup(&f);
  for (int i = 0; i < 1500; i++) change_at_random(&f, &random.base);
  struct ap_store_object object;
  check_ok(ap_store_head(f.store, text("_apiary/catalog/_last"), &object, &f.err), &f.err);
  check_ok(ap_store_head(f.store, text("_apiary/catalog/00000000000000000127.checkpoint.json"),
                         &object, &f.err),
           &f.err);
  struct ap_buffer expected;
  struct ap_buffer found;
  ap_buffer_init(&expected, ap_allocator_system());
  ap_buffer_init(&found, ap_allocator_system());
  dump(&f, &expected);
  assert_true(expected.size > 100);
  static const char *const hints[] = {NULL, "{\"version\":63}\n", "{\"version\":9999}", "garbage",
                                      "{\"version\":-5}"};
  for (size_t i = 0; i <= sizeof(hints) / sizeof(hints[0]); i++) {
    if (i == sizeof(hints) / sizeof(hints[0])) { /* at last without any checkpoint */
      check_ok(ap_store_remove(f.store, text("_apiary/catalog/_last"), &f.err), &f.err);
      check_ok(
          ap_store_list(f.store, text("_apiary/catalog/"), text(""), remove_checkpoint, &f, &f.err),
          &f.err);
    } else if (hints[i] != NULL) {
      check_ok(ap_store_put(f.store, text("_apiary/catalog/_last"), text(hints[i]), &f.err),
               &f.err);
    }
    reopen(&f);
    ap_buffer_clear(&found);
    dump(&f, &found);
    assert_string_equal(found.data, expected.data);
  }
  ap_buffer_deinit(&expected);
  ap_buffer_deinit(&found);
  teardown(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_names),
      cmocka_unit_test(test_reserved_names),
      cmocka_unit_test(test_hostile_names),
      cmocka_unit_test(test_create_and_find),
      cmocka_unit_test(test_idempotence),
      cmocka_unit_test(test_missing_names_are_told),
      cmocka_unit_test(test_lists),
      cmocka_unit_test(test_rename),
      cmocka_unit_test(test_views),
      cmocka_unit_test(test_drop),
      cmocka_unit_test(test_drop_tells_what_went),
      cmocka_unit_test(test_properties),
      cmocka_unit_test(test_locations),
      cmocka_unit_test(test_two_see_each_other),
      cmocka_unit_test(test_checkpoints),
  };
  return AP_RUN_TESTS(tests);
}
