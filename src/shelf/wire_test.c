/* SPDX-License-Identifier: Apache-2.0
 *
 * Packets of the shelf: what is encoded is decoded as it was; each rule of wire.h is broken once.
 */
#include "testing/check.h"

#include "shelf/wire.h"

static const struct ap_shelf_key some_key = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}};

struct example {
  struct ap_shelf_packet packet;
  bool answer;
};

#define ANSWER  .flags = AP_SHELF_FLAG_ANSWER
#define TEXT(t) .text = {(t), sizeof(t) - 1}

static const struct ap_shelf_extent wanted[2] = {{0, 100}, {0, 1}};
static const struct ap_shelf_extent placed[2] = {{64, 100}, {192, 1}};

static const struct example examples[] = {
    {{.kind = AP_SHELF_HELLO, .a = AP_SHELF_WRITER, .sequence = 7}, false},
    {{.kind = AP_SHELF_HELLO, ANSWER, .key = some_key, .a = 4096, .b = 4096, .c = 9}, true},
    {{.kind = AP_SHELF_CREATE, .extents = wanted, .extent_count = 2, TEXT("a name")}, false},
    {{.kind = AP_SHELF_CREATE, ANSWER, .key = some_key, .extents = placed, .extent_count = 2},
     true},
    {{.kind = AP_SHELF_EXTEND, .key = some_key, .extents = wanted, .extent_count = 1}, false},
    {{.kind = AP_SHELF_SEAL, .key = some_key, .a = 64, .b = 10, .c = 3, TEXT("n\0l m")}, false},
    {{.kind = AP_SHELF_SEAL, ANSWER, .key = some_key, .a = 100}, true},
    {{.kind = AP_SHELF_ABANDON, .key = some_key}, false},
    {{.kind = AP_SHELF_GET, TEXT("a name")}, false},
    {{.kind = AP_SHELF_GET, .key = some_key}, false},
    {{.kind = AP_SHELF_GET,
      ANSWER,
      .key = some_key,
      .extents = placed,
      .extent_count = 2,
      .a = 70,
      .b = 94,
      .c = 5},
     true},
    {{.kind = AP_SHELF_RELEASE, .flags = AP_SHELF_FLAG_QUIET, .key = some_key}, false},
    {{.kind = AP_SHELF_DELETE, .flags = AP_SHELF_FLAG_ALL}, false},
    {{.kind = AP_SHELF_RENAME, .flags = AP_SHELF_FLAG_NAME, .key = some_key, TEXT("n\0")}, false},
    {{.kind = AP_SHELF_PIN, .flags = AP_SHELF_FLAG_PINNED, .key = some_key}, false},
    {{.kind = AP_SHELF_LIST, .a = 3, TEXT("label")}, false},
    {{.kind = AP_SHELF_LIST, ANSWER, .a = 1, TEXT("{}")}, true},
    {{.kind = AP_SHELF_STATS}, false},
    {{.kind = AP_SHELF_FORK, .key = some_key}, false},
    {{.kind = AP_SHELF_SUBSCRIBE, .flags = AP_SHELF_FLAG_SEALED}, false},
    {{.kind = AP_SHELF_EVENT, .flags = AP_SHELF_FLAG_LOST, .a = 12, TEXT("\0")}, true},
    {{.kind = AP_SHELF_EVENT, .flags = AP_SHELF_FLAG_SEALED, .key = some_key, TEXT("n\0")}, true},
    {{.kind = AP_SHELF_SHUTDOWN}, false},
    {{.kind = AP_SHELF_GET, ANSWER, .status = AP_NOT_FOUND, TEXT("no\0list them")}, true},
};

enum { EXAMPLES = sizeof examples / sizeof examples[0] };

static size_t encoded(const struct example *example, uint8_t *out) {
  ap_error err = {0};
  size_t size = 0;
  check_ok(ap_shelf_packet_encode(&example->packet, out, &size, &err), &err);
  return size;
}

static void test_examples(void **state) {
  static uint8_t bytes[AP_SHELF_PACKET_BYTES_MAX + 1];
  (void)state;
  for (size_t i = 0; i < EXAMPLES; i++) {
    const struct ap_shelf_packet *in = &examples[i].packet;
    struct ap_shelf_packet out;
    ap_error err = {0};
    size_t size = encoded(&examples[i], bytes + 1); /* unaligned on purpose */
    check_ok(ap_shelf_packet_decode(bytes + 1, size, examples[i].answer, &out, &err), &err);
    assert_int_equal(out.kind, in->kind);
    assert_int_equal(out.flags, in->flags);
    assert_int_equal(out.status, in->status);
    assert_int_equal(out.sequence, in->sequence);
    assert_true(ap_shelf_key_equal(out.key, in->key));
    assert_true(out.a == in->a && out.b == in->b && out.c == in->c);
    assert_true(ap_text_equal(out.text, in->text));
    assert_int_equal(out.extent_count, in->extent_count);
    for (size_t j = 0; j < out.extent_count; j++) {
      struct ap_shelf_extent found = ap_shelf_packet_extent(&out, j);
      struct ap_shelf_extent meant = ap_shelf_packet_extent(in, j);
      assert_true(found.offset == meant.offset && found.size == meant.size);
    }
    /* Nor is it taken from the other end, with a byte less or with one more. */
    check_status(ap_shelf_packet_decode(bytes + 1, size, !examples[i].answer, &out, &err),
                 AP_CORRUPT, &err);
    check_status(ap_shelf_packet_decode(bytes + 1, size - 1, examples[i].answer, &out, &err),
                 AP_CORRUPT, &err);
    check_status(ap_shelf_packet_decode(bytes + 1, size + 1, examples[i].answer, &out, &err),
                 AP_CORRUPT, &err);
  }
}

static void refused(struct ap_shelf_packet packet, const char *why) {
  static uint8_t bytes[AP_SHELF_PACKET_BYTES_MAX];
  ap_error err = {0};
  size_t size = 0;
  check_status(ap_shelf_packet_encode(&packet, bytes, &size, &err), AP_INVALID_ARGUMENT, &err);
  check_contains(err.message, why);
}

static void test_refused(void **state) {
  static char long_text[AP_SHELF_PACKET_BYTES_MAX];
  static struct ap_shelf_extent many[AP_SHELF_EXTENTS_MAX + 1];
  const struct ap_shelf_extent beyond[2] = {{0, INT64_MAX}, {0, INT64_MAX}};
  const struct ap_shelf_extent empty = {0, 0};
  const struct ap_shelf_extent behind = {INT64_MAX, 1};
  (void)state;
  memset(long_text, 'x', sizeof long_text);
  for (size_t i = 0; i <= AP_SHELF_EXTENTS_MAX; i++) many[i].size = 1;
#define REFUSED(why, ...) refused((struct ap_shelf_packet){__VA_ARGS__}, why)
  REFUSED("unknown kind", .kind = 0);
  REFUSED("unknown kind", .kind = AP_SHELF_KIND_END);
  REFUSED("unknown role", .kind = AP_SHELF_HELLO, .a = 3);
  REFUSED("a number", .kind = AP_SHELF_HELLO, .a = -1);
  REFUSED("a number", .kind = AP_SHELF_STATS, .b = 1);
  REFUSED("unknown flags", .kind = AP_SHELF_GET, .flags = AP_SHELF_FLAG_PAGES, TEXT("n"));
  REFUSED("unknown flags", .kind = AP_SHELF_GET, .flags = 1 << 12, TEXT("n"));
  REFUSED("exactly one", .kind = AP_SHELF_GET);
  REFUSED("exactly one", .kind = AP_SHELF_GET, .key = some_key, TEXT("n"));
  REFUSED("exactly one", .kind = AP_SHELF_DELETE, .flags = AP_SHELF_FLAG_ALL, TEXT("n"));
  REFUSED("has a key", .kind = AP_SHELF_STATS, .key = some_key);
  REFUSED("has no key", .kind = AP_SHELF_RELEASE);
  REFUSED("has a text", .kind = AP_SHELF_STATS, TEXT("n"));
  REFUSED("parts of text", .kind = AP_SHELF_LIST, TEXT("a\0b"));
  REFUSED("not UTF-8", .kind = AP_SHELF_LIST, TEXT("\xff"));
  REFUSED("none or too many", .kind = AP_SHELF_CREATE);
  REFUSED("none or too many", .kind = AP_SHELF_CREATE, .extents = many,
          .extent_count = AP_SHELF_EXTENTS_MAX + 1);
  REFUSED("with a place", .kind = AP_SHELF_CREATE, .extents = placed, .extent_count = 1);
  REFUSED("cannot be", .kind = AP_SHELF_CREATE, .extents = &empty, .extent_count = 1);
  REFUSED("beyond all bounds", .kind = AP_SHELF_CREATE, .extents = beyond, .extent_count = 2);
  REFUSED("cannot be", .kind = AP_SHELF_GET, ANSWER, .key = some_key, .extents = &behind,
          .extent_count = 1);
  REFUSED("has extents", .kind = AP_SHELF_STATS, .extents = wanted, .extent_count = 1);
  REFUSED("no metadata", .kind = AP_SHELF_SEAL, .key = some_key, TEXT("\0"));
  REFUSED("out of bounds", .kind = AP_SHELF_SEAL, .key = some_key, .a = INT64_MAX, .b = 1,
          TEXT("\0"));
  REFUSED("not one event", .kind = AP_SHELF_EVENT, .key = some_key, TEXT("\0"));
  REFUSED("has a status", .kind = AP_SHELF_STATS, .status = AP_IO);
  REFUSED("number of numbers", .kind = AP_SHELF_STATS, ANSWER, TEXT("1234"));
  REFUSED("with flags", .kind = AP_SHELF_GET, .status = AP_IO,
          .flags = AP_SHELF_FLAG_ANSWER | AP_SHELF_FLAG_PINNED, TEXT("\0"));
  REFUSED("too long", .kind = AP_SHELF_LIST, .text = {long_text, sizeof long_text});
}

static void test_headers(void **state) {
  static uint8_t bytes[AP_SHELF_PACKET_BYTES_MAX];
  struct ap_shelf_packet out;
  ap_error err = {0};
  size_t size = encoded(&examples[0], bytes);
  (void)state;
  bytes[2]++;
  check_status(ap_shelf_packet_decode(bytes, size, false, &out, &err), AP_UNSUPPORTED, &err);
  assert_int_equal(out.sequence, 7);
  bytes[2]--;
  for (size_t at = 0; at < 24; at++) {
    if (at == 2 || (at >= 16 && at < 20)) continue; /* the version; the sequence is free */
    bytes[at] ^= 0x80;
    check_status(ap_shelf_packet_decode(bytes, size, false, &out, &err), AP_CORRUPT, &err);
    bytes[at] ^= 0x80;
  }
  check_status(ap_shelf_packet_decode(bytes, 3, false, &out, &err), AP_CORRUPT, &err);
}

static void test_places(void **state) {
  ap_error err = {0};
  struct ap_shelf_packet packet = examples[10].packet;
  (void)state;
  assert_int_equal(packet.kind, AP_SHELF_GET);
  check_ok(ap_shelf_packet_check_places(&packet, 193, &err), &err);
  check_status(ap_shelf_packet_check_places(&packet, 192, &err), AP_CORRUPT, &err);
  packet.b = 95; /* reaches beyond its extent */
  check_status(ap_shelf_packet_check_places(&packet, 193, &err), AP_CORRUPT, &err);
  packet.a = 63;
  packet.b = 1;
  check_status(ap_shelf_packet_check_places(&packet, 193, &err), AP_CORRUPT, &err);
}

static void test_refusals(void **state) {
  ap_error err = {0};
  (void)state;
  check_status(ap_shelf_packet_error(&examples[EXAMPLES - 1].packet, &err), AP_NOT_FOUND, &err);
  assert_string_equal(err.message, "no");
  assert_string_equal(err.hint, "list them");
  check_ok(ap_shelf_packet_error(&examples[0].packet, &err), &err);
}

static void test_keys_names_labels(void **state) {
  char text[37];
  char upper[] = "FFFFFFFF-ffff-ffff-ffff-0123456789ab";
  char name[AP_SHELF_NAME_BYTES_MAX + 2] = "";
  struct ap_shelf_key key;
  ap_error err = {0};
  (void)state;
  ap_shelf_key_text(some_key, text);
  assert_string_equal(text, "01020304-0506-0708-090a-0b0c0d0e0f00");
  assert_true(ap_shelf_key_parse(ap_text_of(text), &key));
  assert_true(ap_shelf_key_equal(key, some_key));
  assert_true(ap_shelf_key_parse(ap_text_of(upper), &key));
  assert_false(ap_shelf_key_parse(AP_TEXT("01020304-0506-0708-090a-0b0c0d0e0f0"), &key));
  assert_false(ap_shelf_key_parse(AP_TEXT("01020304-0506-0708-090a-0b0c0d0e0f0g"), &key));
  assert_false(ap_shelf_key_parse(AP_TEXT("01020304+0506-0708-090a-0b0c0d0e0f00"), &key));
  check_ok(ap_shelf_name_check(AP_TEXT("orders of 2024"), &err), &err);
  check_ok(ap_shelf_name_check(AP_TEXT(""), &err), &err);
  check_status(ap_shelf_name_check(ap_text_of(text), &err), AP_INVALID_ARGUMENT, &err);
  check_status(ap_shelf_name_check(AP_TEXT("a\nb"), &err), AP_INVALID_ARGUMENT, &err);
  check_status(ap_shelf_name_check(AP_TEXT("\xc3"), &err), AP_INVALID_ARGUMENT, &err);
  memset(name, 'n', AP_SHELF_NAME_BYTES_MAX + 1);
  check_status(ap_shelf_name_check(ap_text_of(name), &err), AP_INVALID_ARGUMENT, &err);
  check_ok(ap_shelf_labels_check(AP_TEXT("a bc"), &err), &err);
  check_ok(ap_shelf_labels_check(AP_TEXT(""), &err), &err);
  check_status(ap_shelf_labels_check(AP_TEXT("a  b"), &err), AP_INVALID_ARGUMENT, &err);
  check_status(ap_shelf_labels_check(AP_TEXT(" a"), &err), AP_INVALID_ARGUMENT, &err);
  check_status(ap_shelf_labels_check(AP_TEXT("a "), &err), AP_INVALID_ARGUMENT, &err);
  assert_true(ap_shelf_labels_have(AP_TEXT("a bc d"), AP_TEXT("bc")));
  assert_true(ap_shelf_labels_have(AP_TEXT("a bc d"), AP_TEXT("d")));
  assert_false(ap_shelf_labels_have(AP_TEXT("a bc d"), AP_TEXT("b")));
  assert_false(ap_shelf_labels_have(AP_TEXT(""), AP_TEXT("b")));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_examples), cmocka_unit_test(test_refused),
      cmocka_unit_test(test_headers),  cmocka_unit_test(test_places),
      cmocka_unit_test(test_refusals), cmocka_unit_test(test_keys_names_labels)};
  return AP_RUN_TESTS(tests);
}
