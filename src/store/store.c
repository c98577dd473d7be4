/* SPDX-License-Identifier: Apache-2.0
 *
 * What all backends share: the rules for keys, checked before a backend sees one, and the calls
 * through the backend's table. Holds no state.
 */
#include "store/store.h"

#include "base/assert.h"
#include "base/limits.h"

#include <string.h>

/* Enough of a key to recognise it, fit for a message whatever its bytes are. */
struct printable {
  char text[96];
};

static struct printable printable_key(struct ap_text key) {
  struct printable out;
  size_t room = sizeof(out.text) - 4;
  size_t size = key.size < room ? key.size : room;
  bool utf8 = ap_text_is_utf8(key);
  for (size_t i = 0; i < size; i++) {
    unsigned char byte = (unsigned char)key.data[i];
    bool plain = byte >= 0x20 && byte != 0x7f && (utf8 || byte < 0x80);
    out.text[i] = plain ? (char)byte : '?';
  }
  if (size < key.size) { /* do not end inside a character */
    while (size > 0 && ((unsigned char)out.text[size - 1] & 0xc0) == 0x80) size--;
    if (size > 0 && ((unsigned char)out.text[size - 1] & 0x80) != 0) size--;
  }
  const char *end = size < key.size ? "..." : "";
  memcpy(out.text + size, end, strlen(end) + 1);
  return out;
}

static bool is_dots(struct ap_text segment) {
  return ap_text_equal_string(segment, ".") || ap_text_equal_string(segment, "..");
}

/* The first forbidden byte's index, or text.size. */
static size_t find_forbidden_byte(struct ap_text text) {
  for (size_t i = 0; i < text.size; i++) {
    unsigned char byte = (unsigned char)text.data[i];
    if (byte < 0x20 || byte == 0x7f || byte == '\\') return i;
  }
  return text.size;
}

/* Whether every segment that a '/' ends in text is neither empty nor made of dots; *out_rest is
 * what follows the last '/'. */
static bool check_segments(struct ap_text text, struct ap_text *out_rest) {
  size_t start = 0;
  for (size_t i = 0; i < text.size; i++) {
    if (text.data[i] != '/') continue;
    struct ap_text segment = {text.data + start, i - start};
    if (segment.size == 0 || is_dots(segment)) return false;
    start = i + 1;
  }
  *out_rest = (struct ap_text){text.size == 0 ? NULL : text.data + start, text.size - start};
  return true;
}

ap_status ap_store_check_key(struct ap_text key, ap_error *err) {
  if (key.size == 0) return AP_FAIL(err, AP_INVALID_ARGUMENT, "a key must not be empty");
  struct printable shown = printable_key(key);
  if (key.size > AP_KEY_BYTES_MAX) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "key '%s' has %zu bytes; at most %d are allowed",
                   shown.text, key.size, AP_KEY_BYTES_MAX);
  }
  size_t forbidden = find_forbidden_byte(key);
  if (forbidden < key.size) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT,
                   "key '%s' has byte 0x%02x at offset %zu; control bytes and '\\' are not allowed",
                   shown.text, (unsigned)(unsigned char)key.data[forbidden], forbidden);
  }
  if (!ap_text_is_utf8(key)) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "key '%s' is not UTF-8", shown.text);
  }
  struct ap_text last;
  if (!check_segments(key, &last) || last.size == 0 || is_dots(last)) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT,
                   "key '%s' has an empty, '.' or '..' segment between its '/'", shown.text);
  }
  return AP_OK;
}

/* Whether any key at all can start with prefix. */
static bool prefix_is_possible(struct ap_text prefix) {
  struct ap_text rest;
  if (prefix.size > AP_KEY_BYTES_MAX) return false;
  if (find_forbidden_byte(prefix) < prefix.size || !check_segments(prefix, &rest)) return false;
  struct ap_text folders = {prefix.data, prefix.size - rest.size};
  return ap_text_is_utf8(folders); /* the rest may end inside a character */
}

ap_status ap_store_get(struct ap_store *store, struct ap_text key, int64_t offset, int64_t size,
                       struct ap_buffer *out, ap_error *err) {
  AP_ASSERT(store != NULL && out != NULL);
  AP_ASSERT(offset >= 0 && size >= -1);
  AP_TRY(ap_store_check_key(key, err));
  return store->vtable->get(store, key, offset, size, out, err);
}

ap_status ap_store_put(struct ap_store *store, struct ap_text key, struct ap_text data,
                       ap_error *err) {
  AP_ASSERT(store != NULL);
  AP_ASSERT(data.data != NULL || data.size == 0);
  AP_TRY(ap_store_check_key(key, err));
  return store->vtable->put(store, key, data, err);
}

ap_status ap_store_put_if_absent(struct ap_store *store, struct ap_text key, struct ap_text data,
                                 ap_error *err) {
  AP_ASSERT(store != NULL);
  AP_ASSERT(data.data != NULL || data.size == 0);
  AP_TRY(ap_store_check_key(key, err));
  return store->vtable->put_if_absent(store, key, data, err);
}

ap_status ap_store_put_files(struct ap_store *store, const struct ap_store_upload *uploads,
                             size_t count, ap_error *err) {
  AP_ASSERT(store != NULL);
  AP_ASSERT(uploads != NULL || count == 0);
  for (size_t i = 0; i < count; i++) {
    AP_ASSERT(uploads[i].path != NULL && uploads[i].path[0] == '/');
    AP_TRY(ap_store_check_key(uploads[i].key, err));
  }
  if (count == 0) return AP_OK;
  return store->vtable->put_files(store, uploads, count, err);
}

ap_status ap_store_list(struct ap_store *store, struct ap_text prefix, struct ap_text start_after,
                        ap_store_visit visit, void *context, ap_error *err) {
  AP_ASSERT(store != NULL);
  AP_ASSERT(visit != NULL);
  if (!prefix_is_possible(prefix)) return AP_OK;
  ap_status status = store->vtable->list(store, prefix, start_after, visit, context, err);
  return status == AP_END ? AP_OK : status;
}

ap_status ap_store_head(struct ap_store *store, struct ap_text key,
                        struct ap_store_object *out_object, ap_error *err) {
  AP_ASSERT(store != NULL);
  AP_ASSERT(out_object != NULL);
  AP_TRY(ap_store_check_key(key, err));
  return store->vtable->head(store, key, out_object, err);
}

ap_status ap_store_remove(struct ap_store *store, struct ap_text key, ap_error *err) {
  AP_ASSERT(store != NULL);
  AP_TRY(ap_store_check_key(key, err));
  return store->vtable->remove(store, key, err);
}

ap_status ap_store_settle(struct ap_store *store, struct ap_text key, ap_error *err) {
  AP_TRY(ap_store_check_key(key, err));
  return store->vtable->settle ? store->vtable->settle(store, key, err) : AP_OK;
}

ap_status ap_store_local_path(struct ap_store *store, struct ap_text key,
                              struct ap_buffer *out_path, ap_error *err) {
  AP_ASSERT(store != NULL && out_path != NULL);
  AP_TRY(ap_store_check_key(key, err));
  return store->vtable->local_path(store, key, out_path, err);
}

ap_status ap_store_staging_path(struct ap_store *store, struct ap_buffer *out_path, ap_error *err) {
  AP_ASSERT(store != NULL && out_path != NULL);
  return store->vtable->staging_path(store, out_path, err);
}

void ap_store_destroy(struct ap_store *store) {
  if (store != NULL) store->vtable->destroy(store);
}
