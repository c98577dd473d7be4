/* SPDX-License-Identifier: Apache-2.0
 *
 * What clients and the server of the shelf say to each other: one packet of a SOCK_SEQPACKET socket
 * for each request, answer and event. Pure: bytes to structs and back; no I/O. Thread: any.
 *
 * The socket is the one asked for, else $ARROWSHELF_SOCKET, else ap_socket_default_path of
 * "arrowshelf". Each end checks that the other is of its own user (or, of the server, root).
 *
 * A packet is 64 bytes of header, then its extents of 16 bytes each, then its text; numbers are the
 * machine's own, because both ends are on it:
 *
 *     0 u16 magic          8 u32 status        24 u8[16] key
 *     2 u8  version       12 u32 text bytes    40 i64 a
 *     3 u8  kind          16 u32 sequence      48 i64 b
 *     4 u16 flags         20 u32 zero          56 i64 c
 *     6 u16 extents                            64 extents: i64 offset, i64 size; then the text
 *
 * A decoder refuses whatever is not said here: other sizes, unknown kinds and flags, fields that a
 * kind does not use and that are not zero, text that is not UTF-8 or has another number of parts.
 *
 * Requests carry a sequence that the answer repeats, and are answered in order. An answer has the
 * kind of its request and the flag ANSWER. A refusal has a status other than AP_OK and for a text
 * the parts "message", "hint" and, but for its key, nothing else. Packets that do not decode close
 * the connection. Parts of a text are divided by NUL: "a\0b" are two, "" is one empty part.
 *
 * Places are offsets into the arena, one memory of fixed size for all objects, multiples of 64
 * there; sizes are as they were asked for. "object" below: the request's key, or, where that is
 * zero, text part 1 is a name. A name never has the form of a key's text.
 *
 *   HELLO       First on each connection. a: role (ap_shelf_role).
 *               -> key: the connection's token; a: arena bytes; b: bytes of the counter page; c:
 *               the server's process. With it come two descriptors: the arena, for AP_SHELF_WRITER
 *               read-write, for AP_SHELF_READER read-only, and the counter page (struct
 *               ap_shelf_counters), read-only. For AP_SHELF_SUBSCRIBER none. A reader or writer may
 *               say HELLO again to be given the other descriptor. A server of another version
 *               refuses with AP_UNSUPPORTED and closes.
 *   CREATE      A new object of the connection's own, seen by nobody. Extents: sizes wanted (> 0),
 *               offsets 0. Flag PAGES: each begins at a page and has whole pages to itself. text:
 *               the name that it is to have or "" (AP_ALREADY_EXISTS when it is taken now; it is
 *               not reserved). Writers only.
 *               -> key; the extents in the same order. AP_MEMORY_EXCEEDED: no room, nothing made.
 *   EXTEND      key, extents and PAGES as for CREATE. -> key; the new extents alone.
 *   SEAL        The object is complete and can be seen. key; a, b: offset and size (> 0) of the
 *               metadata, within one of its extents; c: rows. At most one extent: the object's last
 *               one with its offset and the size used of it; the rest is given back. text: name,
 *               labels (words divided by single spaces); either may be "". Flag PINNED. Flag HOLD:
 *               the connection has a reference from now on.
 *               -> key; a: the object's bytes. AP_ALREADY_EXISTS: the name is taken; still
 * unsealed. ABANDON     key: of an unsealed object of the connection. -> key. GET         object.
 * The connection has a reference from now on, if it had none.
 *               -> key; flag PINNED; extents, in order of creation; a, b, c as sealed.
 *   RELEASE     key. The connection has no reference any more (none before is no error). Flag
 *               QUIET: there is no answer. -> key.
 *   DELETE      object. Forgets key and name; extents stay while a connection has a reference.
 *               -> key. Flag ALL instead of an object: all sealed objects -> a: how many.
 *   RENAME      key; text: name, labels, of which those are set that the flags NAME and LABELS say;
 *               "" takes a name or the labels away. -> key.
 *   PIN         object; flag PINNED or not. -> key.
 *   LIST        a: 0, or b of the answer before; text: a label, or "" for all.
 *               -> text: JSON objects divided by ',' (key, name, labels, bytes, rows, references,
 *               pinned), oldest first; a: how many; b: 0 when they were the last. The objects are
 *               those of the moment: what is sealed meanwhile comes last.
 *   STATS       -> text: AP_SHELF_STATISTICS numbers i64 in the order of that enumeration.
 *   FORK        key: another connection's token. Its references become this one's too, so that a
 *               forked process keeps what its parent holds: opened by the parent before it forks.
 *               A forked process closes the descriptors of its parent's connections, or these
 *               outlive the parent.
 *               -> a: how many references were copied. AP_NOT_FOUND: no such connection.
 *   SUBSCRIBE   text: a label, or "". Flags SEALED, DELETED, EVICTED: which events. Subscribers
 *               only. -> nothing. From then on the connection takes no further requests and gets
 *   EVENT       without a request: flag SEALED, DELETED or EVICTED; key; a: bytes; c: rows; text:
 *               name, labels. Flag LOST alone: the subscriber read too slowly and a events are
 *               gone.
 *   SHUTDOWN    -> nothing; the server drains and ends.
 *
 * When a connection ends, however it does, its unsealed objects are gone and so are its references.
 */
#ifndef AP_SHELF_WIRE_H
#define AP_SHELF_WIRE_H

#include "base/text.h"

#include <stdatomic.h>

enum {
  AP_SHELF_WIRE_VERSION = 1,
  AP_SHELF_HEADER_BYTES = 64,
  AP_SHELF_EXTENT_BYTES = 16,
  AP_SHELF_PACKET_BYTES_MAX = 128 * 1024,
  AP_SHELF_EXTENTS_MAX = 8000,    /* of one object */
  AP_SHELF_NAME_BYTES_MAX = 128,  /* of an object's name */
  AP_SHELF_LABEL_BYTES_MAX = 1024 /* of all labels of an object */
};

enum ap_shelf_kind {
  AP_SHELF_HELLO = 1,
  AP_SHELF_CREATE,
  AP_SHELF_EXTEND,
  AP_SHELF_SEAL,
  AP_SHELF_ABANDON,
  AP_SHELF_GET,
  AP_SHELF_RELEASE,
  AP_SHELF_DELETE,
  AP_SHELF_RENAME,
  AP_SHELF_PIN,
  AP_SHELF_LIST,
  AP_SHELF_STATS,
  AP_SHELF_FORK,
  AP_SHELF_SUBSCRIBE,
  AP_SHELF_EVENT,
  AP_SHELF_SHUTDOWN,
  AP_SHELF_KIND_END
};

enum ap_shelf_flag {
  AP_SHELF_FLAG_ANSWER = 1 << 0,
  AP_SHELF_FLAG_PAGES = 1 << 1,
  AP_SHELF_FLAG_PINNED = 1 << 2,
  AP_SHELF_FLAG_HOLD = 1 << 3,
  AP_SHELF_FLAG_QUIET = 1 << 4,
  AP_SHELF_FLAG_ALL = 1 << 5,
  AP_SHELF_FLAG_NAME = 1 << 6,
  AP_SHELF_FLAG_LABELS = 1 << 7,
  AP_SHELF_FLAG_SEALED = 1 << 8,
  AP_SHELF_FLAG_DELETED = 1 << 9,
  AP_SHELF_FLAG_EVICTED = 1 << 10,
  AP_SHELF_FLAG_LOST = 1 << 11
};

enum ap_shelf_role { AP_SHELF_READER = 0, AP_SHELF_WRITER = 1, AP_SHELF_SUBSCRIBER = 2 };

/* The numbers of STATS; bytes unless said otherwise. */
enum ap_shelf_statistic {
  AP_SHELF_STAT_MEMORY,       /* of the arena */
  AP_SHELF_STAT_USED,         /* of objects, unsealed and deleted ones included */
  AP_SHELF_STAT_RESIDENT,     /* that the arena takes of the machine's memory */
  AP_SHELF_STAT_LARGEST_FREE, /* extent that could be had now */
  AP_SHELF_STAT_OBJECTS,      /* sealed, with a key */
  AP_SHELF_STAT_UNSEALED,     /* objects */
  AP_SHELF_STAT_DELETED,      /* objects without a key that are still held */
  AP_SHELF_STAT_CONNECTIONS,
  AP_SHELF_STAT_PUTS, /* seals since the server began; so are the next */
  AP_SHELF_STAT_GETS, /* that the server answered */
  AP_SHELF_STAT_DELETES,
  AP_SHELF_STAT_EVICTIONS,
  AP_SHELF_STAT_PROCESS, /* the server's */
  AP_SHELF_STATISTICS
};

/* The counter page. A holder of an object may answer for it without asking the server while
 * `removals` is what it was when it last did: it grows before a key or name ceases to lead where it
 * led. `ended` is 1 when the server has ended in good order. Written by the server with release,
 * read with acquire. */
struct ap_shelf_counters {
  _Atomic uint64_t removals;
  _Atomic uint64_t ended;
};

struct ap_shelf_key {
  uint8_t bytes[16];
};

struct ap_shelf_extent {
  int64_t offset;
  int64_t size;
};

/* Decoded, it shows the bytes it came from; extents through ap_shelf_packet_extent, because they
 * may lie unaligned. */
struct ap_shelf_packet {
  enum ap_shelf_kind kind;
  uint32_t flags;
  ap_status status;
  uint32_t sequence;
  struct ap_shelf_key key;
  int64_t a;
  int64_t b;
  int64_t c;
  const void *extents;
  size_t extent_count;
  struct ap_text text;
};

/* Into out, of AP_SHELF_PACKET_BYTES_MAX. AP_INVALID_ARGUMENT when it is longer or would not decode
 * at the other end. */
AP_MUST_CHECK ap_status ap_shelf_packet_encode(const struct ap_shelf_packet *packet, uint8_t *out,
                                               size_t *out_size, ap_error *err);
/* AP_UNSUPPORTED: of another version, of which no more is known (sequence is set); AP_CORRUPT: no
 * packet. `answers`: only answers and events are taken, otherwise only requests. */
AP_MUST_CHECK ap_status ap_shelf_packet_decode(const uint8_t *bytes, size_t size, bool answers,
                                               struct ap_shelf_packet *out, ap_error *err);
struct ap_shelf_extent ap_shelf_packet_extent(const struct ap_shelf_packet *packet, size_t index);
/* Do all extents, and a and b as a place where the kind has one, lie within the arena? AP_CORRUPT
 * otherwise. What a client asks of each answer before it follows an offset. */
AP_MUST_CHECK ap_status ap_shelf_packet_check_places(const struct ap_shelf_packet *packet,
                                                     int64_t arena_bytes, ap_error *err);

/* Part `index` (from 0) of a text; "" beyond the last. Shows the text's bytes. */
struct ap_text ap_shelf_text_part(struct ap_text text, size_t index);
/* The error that a refusal carries; returns its status. */
ap_status ap_shelf_packet_error(const struct ap_shelf_packet *packet, ap_error *err);

bool ap_shelf_key_is_zero(struct ap_shelf_key key);
bool ap_shelf_key_equal(struct ap_shelf_key a, struct ap_shelf_key b);
/* 36 characters in lower case and the NUL. */
void ap_shelf_key_text(struct ap_shelf_key key, char out[37]);
/* False when the text has not the form of a key. Upper case is taken too. */
bool ap_shelf_key_parse(struct ap_text text, struct ap_shelf_key *out);
/* AP_INVALID_ARGUMENT: too long, not UTF-8, a control character in it, or of the form of a key.
 * "" is allowed. */
AP_MUST_CHECK ap_status ap_shelf_name_check(struct ap_text name, ap_error *err);
/* The same for words divided by single spaces. */
AP_MUST_CHECK ap_status ap_shelf_labels_check(struct ap_text labels, ap_error *err);
/* Is the word among the labels? */
bool ap_shelf_labels_have(struct ap_text labels, struct ap_text label);

#endif
