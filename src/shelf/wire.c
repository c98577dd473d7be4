/* SPDX-License-Identifier: Apache-2.0
 *
 * Packets of the shelf, by a table of what each kind may carry. Encoding checks its own work by
 * decoding it, so that what is sent is also taken.
 */
#include "shelf/wire.h"

#include "base/assert.h"

#include <string.h>

enum { MAGIC = 0x4853 }; /* "SH" */

struct header {
  uint16_t magic;
  uint8_t version;
  uint8_t kind;
  uint16_t flags;
  uint16_t extents;
  uint32_t status;
  uint32_t text_bytes;
  uint32_t sequence;
  uint32_t zero;
  uint8_t key[16];
  int64_t a;
  int64_t b;
  int64_t c;
};
_Static_assert(sizeof(struct header) == AP_SHELF_HEADER_BYTES, "the header has no holes");
_Static_assert(sizeof(struct ap_shelf_extent) == AP_SHELF_EXTENT_BYTES, "nor has an extent");
_Static_assert(sizeof(struct ap_shelf_counters) == 16, "nor has the counter page");

enum key_use { NO_KEY, KEY, OBJECT }; /* OBJECT: a key, or a name as the text */
enum extent_use { NO_EXTENTS, SIZES, SHORTENED, PLACES };
enum { A = 1, B = 2, C = 4 };

struct rule {
  uint16_t flags;
  uint8_t key;
  uint8_t numbers; /* those that may be other than 0; none may be negative */
  uint8_t extents;
  uint8_t parts; /* of the text; 0: there is no text */
};

enum {
  F_EVENTS = AP_SHELF_FLAG_SEALED | AP_SHELF_FLAG_DELETED | AP_SHELF_FLAG_EVICTED,
};

static const struct rule requests[AP_SHELF_KIND_END] = {
    [AP_SHELF_HELLO] = {0, NO_KEY, A, NO_EXTENTS, 0},
    [AP_SHELF_CREATE] = {AP_SHELF_FLAG_PAGES, NO_KEY, 0, SIZES, 1},
    [AP_SHELF_EXTEND] = {AP_SHELF_FLAG_PAGES, KEY, 0, SIZES, 0},
    [AP_SHELF_SEAL] = {AP_SHELF_FLAG_PINNED | AP_SHELF_FLAG_HOLD, KEY, A | B | C, SHORTENED, 2},
    [AP_SHELF_ABANDON] = {0, KEY, 0, NO_EXTENTS, 0},
    [AP_SHELF_GET] = {0, OBJECT, 0, NO_EXTENTS, 1},
    [AP_SHELF_RELEASE] = {AP_SHELF_FLAG_QUIET, KEY, 0, NO_EXTENTS, 0},
    [AP_SHELF_DELETE] = {AP_SHELF_FLAG_ALL, OBJECT, 0, NO_EXTENTS, 1},
    [AP_SHELF_RENAME] = {AP_SHELF_FLAG_NAME | AP_SHELF_FLAG_LABELS, KEY, 0, NO_EXTENTS, 2},
    [AP_SHELF_PIN] = {AP_SHELF_FLAG_PINNED, OBJECT, 0, NO_EXTENTS, 1},
    [AP_SHELF_LIST] = {0, NO_KEY, A, NO_EXTENTS, 1},
    [AP_SHELF_STATS] = {0, NO_KEY, 0, NO_EXTENTS, 0},
    [AP_SHELF_FORK] = {0, KEY, 0, NO_EXTENTS, 0},
    [AP_SHELF_SUBSCRIBE] = {F_EVENTS, NO_KEY, 0, NO_EXTENTS, 1},
    [AP_SHELF_SHUTDOWN] = {0, NO_KEY, 0, NO_EXTENTS, 0},
};

static const struct rule answers[AP_SHELF_KIND_END] = {
    [AP_SHELF_HELLO] = {0, KEY, A | B | C, NO_EXTENTS, 0},
    [AP_SHELF_CREATE] = {0, KEY, 0, PLACES, 0},
    [AP_SHELF_EXTEND] = {0, KEY, 0, PLACES, 0},
    [AP_SHELF_SEAL] = {0, KEY, A, NO_EXTENTS, 0},
    [AP_SHELF_ABANDON] = {0, KEY, 0, NO_EXTENTS, 0},
    [AP_SHELF_GET] = {AP_SHELF_FLAG_PINNED, KEY, A | B | C, PLACES, 0},
    [AP_SHELF_RELEASE] = {0, KEY, 0, NO_EXTENTS, 0},
    [AP_SHELF_DELETE] = {AP_SHELF_FLAG_ALL, OBJECT, A, NO_EXTENTS, 0},
    [AP_SHELF_RENAME] = {0, KEY, 0, NO_EXTENTS, 0},
    [AP_SHELF_PIN] = {0, KEY, 0, NO_EXTENTS, 0},
    [AP_SHELF_LIST] = {0, NO_KEY, A | B, NO_EXTENTS, 1},
    [AP_SHELF_STATS] = {0, NO_KEY, 0, NO_EXTENTS, 1},
    [AP_SHELF_FORK] = {0, NO_KEY, A, NO_EXTENTS, 0},
    [AP_SHELF_SUBSCRIBE] = {0, NO_KEY, 0, NO_EXTENTS, 0},
    [AP_SHELF_EVENT] = {F_EVENTS | AP_SHELF_FLAG_LOST, OBJECT, A | C, NO_EXTENTS, 2},
    [AP_SHELF_SHUTDOWN] = {0, NO_KEY, 0, NO_EXTENTS, 0},
};

/* ---- texts and keys -------------------------------------------------------------------------- */

struct ap_text ap_shelf_text_part(struct ap_text text, size_t index) {
  for (;;) {
    const char *end = text.size > 0 ? memchr(text.data, '\0', text.size) : NULL;
    size_t size = end != NULL ? (size_t)(end - text.data) : text.size;
    if (index == 0) return (struct ap_text){text.data, size};
    if (end == NULL) return (struct ap_text){NULL, 0};
    text = (struct ap_text){end + 1, text.size - size - 1};
    index--;
  }
}

static size_t count_parts(struct ap_text text) {
  size_t count = 1;
  for (size_t i = 0; i < text.size; i++) count += text.data[i] == '\0';
  return count;
}

bool ap_shelf_key_is_zero(struct ap_shelf_key key) {
  return ap_shelf_key_equal(key, (struct ap_shelf_key){{0}});
}

bool ap_shelf_key_equal(struct ap_shelf_key a, struct ap_shelf_key b) {
  return memcmp(a.bytes, b.bytes, sizeof a.bytes) == 0;
}

static bool is_dash(size_t position) {
  return position == 8 || position == 13 || position == 18 || position == 23;
}

void ap_shelf_key_text(struct ap_shelf_key key, char out[37]) {
  static const char digits[] = "0123456789abcdef";
  size_t nibble = 0;
  for (size_t i = 0; i < 36; i++) {
    if (is_dash(i)) {
      out[i] = '-';
      continue;
    }
    uint8_t byte = key.bytes[nibble / 2];
    out[i] = digits[nibble % 2 == 0 ? byte >> 4 : byte & 15];
    nibble++;
  }
  out[36] = '\0';
}

static int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool ap_shelf_key_parse(struct ap_text text, struct ap_shelf_key *out) {
  struct ap_shelf_key key = {{0}};
  size_t nibble = 0;
  if (text.size != 36) return false;
  for (size_t i = 0; i < 36; i++) {
    if (is_dash(i) && text.data[i] == '-') continue;
    int digit = digit_of(text.data[i]);
    if (is_dash(i) || digit < 0) return false;
    key.bytes[nibble / 2] = (uint8_t)(key.bytes[nibble / 2] << 4 | digit);
    nibble++;
  }
  *out = key;
  return true;
}

static ap_status check_words(struct ap_text text, const char *what, size_t max, ap_error *err) {
  if (text.size > max) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "the %s has %zu bytes, more than %zu", what, text.size,
                   max);
  }
  for (size_t i = 0; i < text.size; i++) {
    unsigned char c = (unsigned char)text.data[i];
    if (c < 0x20 || c == 0x7f) {
      return AP_FAIL(err, AP_INVALID_ARGUMENT, "the %s has the control character %u", what, c);
    }
  }
  if (ap_text_is_utf8(text)) return AP_OK;
  return AP_FAIL(err, AP_INVALID_ARGUMENT, "the %s is not UTF-8", what);
}

ap_status ap_shelf_name_check(struct ap_text name, ap_error *err) {
  struct ap_shelf_key key;
  AP_TRY(check_words(name, "name", AP_SHELF_NAME_BYTES_MAX, err));
  if (!ap_shelf_key_parse(name, &key)) return AP_OK;
  return AP_FAIL(err, AP_INVALID_ARGUMENT, "the name '%.*s' has the form of a key",
                 AP_TEXT_ARG(name));
}

ap_status ap_shelf_labels_check(struct ap_text labels, ap_error *err) {
  AP_TRY(check_words(labels, "list of labels", AP_SHELF_LABEL_BYTES_MAX, err));
  bool word = false;
  for (size_t i = 0; i < labels.size; i++) {
    bool space = labels.data[i] == ' ';
    if (space && !word) break;
    word = !space;
  }
  if (labels.size == 0 || word) return AP_OK;
  return AP_FAIL(err, AP_INVALID_ARGUMENT, "the labels '%.*s' are not words with one space between",
                 AP_TEXT_ARG(labels));
}

bool ap_shelf_labels_have(struct ap_text labels, struct ap_text label) {
  for (size_t at = 0; at < labels.size;) {
    const char *space = memchr(labels.data + at, ' ', labels.size - at);
    size_t end = space != NULL ? (size_t)(space - labels.data) : labels.size;
    if (ap_text_equal((struct ap_text){labels.data + at, end - at}, label)) return true;
    at = end + 1;
  }
  return false;
}

/* ---- packets --------------------------------------------------------------------------------- */

struct ap_shelf_extent ap_shelf_packet_extent(const struct ap_shelf_packet *packet, size_t index) {
  struct ap_shelf_extent extent;
  AP_ASSERT(index < packet->extent_count);
  memcpy(&extent, (const uint8_t *)packet->extents + index * sizeof extent, sizeof extent);
  return extent;
}

static ap_status corrupt(const struct ap_shelf_packet *packet, const char *what, ap_error *err) {
  return AP_FAIL(err, AP_CORRUPT, "a packet of the shelf of kind %u: %s", (unsigned)packet->kind,
                 what);
}

static ap_status check_extents(const struct ap_shelf_packet *packet, const struct rule *rule,
                               ap_error *err) {
  size_t count = packet->extent_count;
  if (rule->extents == NO_EXTENTS && count > 0) return corrupt(packet, "has extents", err);
  if (rule->extents == SHORTENED && count > 1) return corrupt(packet, "more than one extent", err);
  if ((rule->extents == SIZES || rule->extents == PLACES) &&
      (count == 0 || count > AP_SHELF_EXTENTS_MAX)) {
    return corrupt(packet, "none or too many extents", err);
  }
  int64_t sum = 0;
  for (size_t i = 0; i < count; i++) {
    struct ap_shelf_extent extent = ap_shelf_packet_extent(packet, i);
    if (extent.offset < 0 || extent.size <= 0 || extent.offset > INT64_MAX - extent.size) {
      return corrupt(packet, "an extent that cannot be", err);
    }
    if (rule->extents == SIZES && extent.offset != 0) {
      return corrupt(packet, "a wanted extent with a place", err);
    }
    if (sum > INT64_MAX - extent.size) return corrupt(packet, "extents beyond all bounds", err);
    sum += extent.size;
  }
  return AP_OK;
}

static ap_status check_text(const struct ap_shelf_packet *packet, const struct rule *rule,
                            bool binary, ap_error *err) {
  struct ap_text text = packet->text;
  if (binary) {
    if (text.size == AP_SHELF_STATISTICS * sizeof(int64_t)) return AP_OK;
    return corrupt(packet, "another number of numbers", err);
  }
  if (rule->parts == 0 && text.size > 0) return corrupt(packet, "has a text", err);
  if (rule->parts > 0 && count_parts(text) != rule->parts) {
    return corrupt(packet, "another number of parts of text", err);
  }
  if (!ap_text_is_utf8(text)) return corrupt(packet, "its text is not UTF-8", err);
  return AP_OK;
}

static ap_status check_numbers(const struct ap_shelf_packet *packet, const struct rule *rule,
                               ap_error *err) {
  const int64_t numbers[3] = {packet->a, packet->b, packet->c};
  for (unsigned i = 0; i < 3; i++) {
    if (numbers[i] < 0 || (numbers[i] != 0 && (rule->numbers & 1U << i) == 0)) {
      return corrupt(packet, "a number that cannot be", err);
    }
  }
  return AP_OK;
}

/* An object is a key, or a name; or neither where a flag stands for all or for none. */
static ap_status check_key(const struct ap_shelf_packet *packet, const struct rule *rule,
                           bool answer, ap_error *err) {
  bool zero = ap_shelf_key_is_zero(packet->key);
  bool none = (packet->flags & (AP_SHELF_FLAG_ALL | AP_SHELF_FLAG_LOST)) != 0;
  if (rule->key == NO_KEY && !zero) return corrupt(packet, "has a key", err);
  if (rule->key == KEY && zero) return corrupt(packet, "has no key", err);
  if (rule->key != OBJECT) return AP_OK;
  if (none && !zero) return corrupt(packet, "has a key", err);
  if (answer && !none && zero) return corrupt(packet, "has no key", err);
  if (!answer && (!zero + (packet->text.size > 0) + none) != 1) {
    return corrupt(packet, "not exactly one of key, name and all", err);
  }
  return AP_OK;
}

static ap_status check_special(const struct ap_shelf_packet *packet, bool answer, ap_error *err) {
  if (packet->kind == AP_SHELF_HELLO && !answer && packet->a > AP_SHELF_SUBSCRIBER) {
    return corrupt(packet, "an unknown role", err);
  }
  if (packet->kind == AP_SHELF_SEAL && !answer && packet->b == 0) {
    return corrupt(packet, "no metadata", err);
  }
  if ((packet->kind == AP_SHELF_SEAL && !answer) || (packet->kind == AP_SHELF_GET && answer)) {
    if (packet->a > INT64_MAX - packet->b) return corrupt(packet, "metadata out of bounds", err);
  }
  if (packet->kind == AP_SHELF_EVENT) {
    uint32_t flags = packet->flags & ~(uint32_t)AP_SHELF_FLAG_ANSWER;
    if (flags == 0 || (flags & (flags - 1)) != 0) return corrupt(packet, "not one event", err);
  }
  return AP_OK;
}

static ap_status check_refusal(const struct ap_shelf_packet *packet, ap_error *err) {
  const struct rule none = {0, NO_KEY, 0, NO_EXTENTS, 2};
  if (packet->flags != AP_SHELF_FLAG_ANSWER) return corrupt(packet, "a refusal with flags", err);
  AP_TRY(check_numbers(packet, &none, err));
  AP_TRY(check_extents(packet, &none, err));
  return check_text(packet, &none, false, err);
}

/* Everything but the sizes. */
static ap_status check(const struct ap_shelf_packet *packet, bool want_answer, ap_error *err) {
  if (packet->kind < AP_SHELF_HELLO || packet->kind >= AP_SHELF_KIND_END) {
    return corrupt(packet, "an unknown kind", err);
  }
  bool answer = (packet->flags & AP_SHELF_FLAG_ANSWER) != 0 || packet->kind == AP_SHELF_EVENT;
  if (answer != want_answer) return corrupt(packet, "from the wrong end", err);
  if (packet->status != AP_OK && answer && packet->kind != AP_SHELF_EVENT) {
    return check_refusal(packet, err);
  }
  if (packet->status != AP_OK) return corrupt(packet, "has a status", err);
  const struct rule *rule = answer ? &answers[packet->kind] : &requests[packet->kind];
  uint32_t allowed = rule->flags;
  if (packet->kind != AP_SHELF_EVENT && answer) allowed |= AP_SHELF_FLAG_ANSWER;
  if ((packet->flags & ~allowed) != 0) return corrupt(packet, "unknown flags", err);
  AP_TRY(check_key(packet, rule, answer, err));
  AP_TRY(check_numbers(packet, rule, err));
  AP_TRY(check_extents(packet, rule, err));
  AP_TRY(check_text(packet, rule, answer && packet->kind == AP_SHELF_STATS, err));
  return check_special(packet, answer, err);
}

ap_status ap_shelf_packet_encode(const struct ap_shelf_packet *packet, uint8_t *out,
                                 size_t *out_size, ap_error *err) {
  size_t extent_bytes = 0;
  bool answer = (packet->flags & AP_SHELF_FLAG_ANSWER) != 0 || packet->kind == AP_SHELF_EVENT;
  ap_status status = check(packet, answer, err);
  if (status == AP_OK && packet->extent_count > AP_SHELF_EXTENTS_MAX) {
    status = corrupt(packet, "too many extents", err);
  }
  if (status == AP_OK) {
    extent_bytes = packet->extent_count * AP_SHELF_EXTENT_BYTES;
    if (packet->text.size > AP_SHELF_PACKET_BYTES_MAX - AP_SHELF_HEADER_BYTES - extent_bytes) {
      status = corrupt(packet, "too long", err);
    }
  }
  if (status != AP_OK) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "%s", err != NULL ? err->message : "no packet");
  }
  struct header header = {.magic = MAGIC,
                          .version = AP_SHELF_WIRE_VERSION,
                          .kind = (uint8_t)packet->kind,
                          .flags = (uint16_t)packet->flags,
                          .extents = (uint16_t)packet->extent_count,
                          .status = (uint32_t)packet->status,
                          .text_bytes = (uint32_t)packet->text.size,
                          .sequence = packet->sequence,
                          .a = packet->a,
                          .b = packet->b,
                          .c = packet->c};
  memcpy(header.key, packet->key.bytes, sizeof header.key);
  memcpy(out, &header, sizeof header);
  if (extent_bytes > 0) memcpy(out + sizeof header, packet->extents, extent_bytes);
  if (packet->text.size > 0) {
    memcpy(out + sizeof header + extent_bytes, packet->text.data, packet->text.size);
  }
  *out_size = sizeof header + extent_bytes + packet->text.size;
  return AP_OK;
}

static bool is_status(uint32_t number) {
  switch (number) {
#define AP_STATUS_ENTRY(code, value, sqlstate, error_class) case value:
    AP_STATUS_LIST(AP_STATUS_ENTRY)
#undef AP_STATUS_ENTRY
    return true;
  }
  return false;
}

ap_status ap_shelf_packet_decode(const uint8_t *bytes, size_t size, bool want_answers,
                                 struct ap_shelf_packet *out, ap_error *err) {
  struct header header;
  memset(out, 0, sizeof *out);
  if (size < sizeof header || size > AP_SHELF_PACKET_BYTES_MAX) {
    return AP_FAIL(err, AP_CORRUPT, "a packet of the shelf of %zu bytes", size);
  }
  memcpy(&header, bytes, sizeof header);
  if (header.magic != MAGIC) return AP_FAIL(err, AP_CORRUPT, "not a packet of the shelf");
  out->sequence = header.sequence;
  if (header.version != AP_SHELF_WIRE_VERSION) {
    return AP_FAIL(err, AP_UNSUPPORTED, "the other end speaks version %u of the shelf's, this %u",
                   header.version, AP_SHELF_WIRE_VERSION);
  }
  size_t extent_bytes = (size_t)header.extents * AP_SHELF_EXTENT_BYTES;
  size_t rest = size - sizeof header;
  if (extent_bytes > rest || rest - extent_bytes != header.text_bytes || header.zero != 0) {
    return AP_FAIL(err, AP_CORRUPT, "a packet of the shelf has %zu bytes, not what it says", size);
  }
  if (!is_status(header.status)) {
    return AP_FAIL(err, AP_CORRUPT, "a packet of the shelf has the status %u", header.status);
  }
  out->kind = (enum ap_shelf_kind)header.kind;
  out->flags = header.flags;
  out->status = (ap_status)header.status;
  memcpy(out->key.bytes, header.key, sizeof header.key);
  out->a = header.a;
  out->b = header.b;
  out->c = header.c;
  out->extents = bytes + sizeof header;
  out->extent_count = header.extents;
  out->text =
      (struct ap_text){(const char *)bytes + sizeof header + extent_bytes, header.text_bytes};
  return check(out, want_answers, err);
}

ap_status ap_shelf_packet_check_places(const struct ap_shelf_packet *packet, int64_t arena_bytes,
                                       ap_error *err) {
  bool found = packet->kind != AP_SHELF_GET;
  for (size_t i = 0; i < packet->extent_count; i++) {
    struct ap_shelf_extent extent = ap_shelf_packet_extent(packet, i);
    if (extent.size > arena_bytes || extent.offset > arena_bytes - extent.size) {
      return corrupt(packet, "an extent beyond the arena", err);
    }
    if (packet->kind == AP_SHELF_GET && packet->a >= extent.offset && packet->b <= extent.size &&
        packet->a - extent.offset <= extent.size - packet->b) {
      found = true;
    }
  }
  return found ? AP_OK : corrupt(packet, "metadata outside of its extents", err);
}

ap_status ap_shelf_packet_error(const struct ap_shelf_packet *packet, ap_error *err) {
  struct ap_text message = ap_shelf_text_part(packet->text, 0);
  struct ap_text hint = ap_shelf_text_part(packet->text, 1);
  if (packet->status == AP_OK) return AP_OK;
  ap_status status = AP_FAIL(err, packet->status, "%.*s", AP_TEXT_ARG(message));
  if (hint.size > 0) ap_error_hint(err, "%.*s", AP_TEXT_ARG(hint));
  return status;
}
