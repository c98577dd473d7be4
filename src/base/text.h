/* SPDX-License-Identifier: Apache-2.0
 *
 * Text slices and growable buffers.
 *
 * ap_text is a borrowed slice: not NUL-terminated unless said, never owned. ap_buffer owns bytes
 * and grows; running out of memory is remembered in it (like an I/O error on a FILE), so a writer
 * may append many times and check once with ap_buffer_check.
 */
#ifndef AP_BASE_TEXT_H
#define AP_BASE_TEXT_H

#include "base/alloc.h"

#include <stdbool.h>
#include <stdint.h>

struct ap_text {
  const char *data; /* may be NULL when size is 0 */
  size_t size;
};

#define AP_TEXT(literal) ((struct ap_text){(literal), sizeof(literal) - 1})
/* For printf: printf("%.*s", AP_TEXT_ARG(text)); cut at INT_MAX. */
#define AP_TEXT_ARG(text) (int)((text).size > 0x7fffffff ? 0x7fffffff : (text).size), (text).data

struct ap_text ap_text_of(const char *string); /* NULL gives the empty text */
bool ap_text_equal(struct ap_text a, struct ap_text b);
bool ap_text_equal_string(struct ap_text a, const char *b);
/* ASCII letters only, as the engine compares names; other bytes must be equal. */
bool ap_text_equal_ignoring_case(struct ap_text a, struct ap_text b);
int ap_text_compare(struct ap_text a, struct ap_text b); /* unsigned bytes, shorter first */
bool ap_text_starts_with(struct ap_text text, struct ap_text prefix);
bool ap_text_ends_with(struct ap_text text, struct ap_text suffix);
bool ap_text_is_utf8(struct ap_text text); /* strict: no surrogates, no overlong forms */
/* Bytes of the character that text begins with; 0 when it is empty or not UTF-8 there. */
size_t ap_text_utf8_size(struct ap_text text);
/* The whole text as a decimal number. False on anything else, overflow included; "inf" and "nan"
 * are no numbers here. */
bool ap_text_parse_i64(struct ap_text text, int64_t *out_value);
bool ap_text_parse_f64(struct ap_text text, double *out_value);
/* "512MiB", "4 GB", "1.5g", "4096": bytes, at least one. K, M, G and T alone are powers of 1024. */
bool ap_text_parse_size(struct ap_text text, int64_t *out_bytes);

/* NUL-terminated copies; NULL when out of memory. */
char *ap_arena_copy(struct ap_arena *arena, struct ap_text text);
char *ap_arena_copy_string(struct ap_arena *arena, const char *string);
char *ap_arena_format(struct ap_arena *arena, const char *format, ...) AP_PRINTF_LIKE(2, 3);
char *ap_string_copy(struct ap_allocator *allocator, struct ap_text text);

/* Edit distance for "did you mean" (Levenshtein, ASCII case ignored), at most max + 1. */
size_t ap_text_distance(struct ap_text a, struct ap_text b, size_t max);
/* The candidate nearest to name, within a third of its length; NULL when none is near. */
const char *ap_text_nearest(struct ap_text name, const char *const *candidates, size_t count);

struct ap_buffer {
  struct ap_allocator *allocator;
  char *data; /* always NUL-terminated after the first append; the NUL is not counted */
  size_t size;
  size_t capacity;
  bool failed; /* out of memory once; later appends do nothing */
};

void ap_buffer_init(struct ap_buffer *buffer, struct ap_allocator *allocator);
void ap_buffer_deinit(struct ap_buffer *buffer); /* idempotent; accepts zeroed memory */
void ap_buffer_clear(struct ap_buffer *buffer);  /* keeps the memory */
void ap_buffer_append(struct ap_buffer *buffer, const void *data, size_t size);
void ap_buffer_append_text(struct ap_buffer *buffer, struct ap_text text);
void ap_buffer_append_string(struct ap_buffer *buffer, const char *string);
void ap_buffer_append_format(struct ap_buffer *buffer, const char *format, ...)
    AP_PRINTF_LIKE(2, 3);
/* "name" with quotes doubled, for SQL identifiers; 'text' likewise for SQL literals. */
void ap_buffer_append_identifier(struct ap_buffer *buffer, struct ap_text name);
void ap_buffer_append_literal(struct ap_buffer *buffer, struct ap_text text);
/* The shortest decimal text that reads back as the same double, always with a point or an exponent:
 * "5.0", "0.1", "-1e+300". number must be finite. */
void ap_buffer_append_f64(struct ap_buffer *buffer, double number);
/* Room for size more bytes (and the NUL) at the end, for a producer that writes in place and then
 * adds to size; NULL when out of memory. */
char *ap_buffer_reserve(struct ap_buffer *buffer, size_t size);
struct ap_text ap_buffer_text(const struct ap_buffer *buffer);
/* AP_OUT_OF_MEMORY when any append failed. */
AP_MUST_CHECK ap_status ap_buffer_check(const struct ap_buffer *buffer, ap_error *err);

#endif
