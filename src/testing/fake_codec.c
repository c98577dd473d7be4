/* SPDX-License-Identifier: Apache-2.0
 *
 * See fake_codec.h. Columns that were not asked for are left out, as a real codec does.
 */
#include "testing/fake_codec.h"

#include <string.h>

static const struct ap_text head = {"FAKE\n", 5};
static const struct ap_text tail = {"EKAF\n", 5};

void ap_fake_codec_append_file(struct ap_buffer *out, struct ap_text lines) {
  ap_buffer_append_text(out, head);
  ap_buffer_append_text(out, lines);
  ap_buffer_append_text(out, tail);
}

static ap_status encode(struct ap_codec *self, struct ap_text lines,
                        const struct ap_codec_column *columns, uint32_t column_count,
                        const char *path, ap_error *err) {
  struct ap_fake_codec *codec = (struct ap_fake_codec *)self;
  struct ap_buffer file;
  (void)columns;
  if (codec->fail_encode || column_count == 0) return AP_FAIL(err, AP_IO, "cannot encode %s", path);
  ap_buffer_init(&file, codec->allocator);
  ap_fake_codec_append_file(&file, lines);
  ap_status status = ap_buffer_check(&file, err);
  if (status == AP_OK) {
    status = codec->files->create(codec->files, path, ap_buffer_text(&file), false, err);
  }
  ap_buffer_deinit(&file);
  return status;
}

/* {"<column>": at the start of the line, for one of the columns */
static bool is_wanted(struct ap_text line, const char *const *columns, uint32_t column_count) {
  for (uint32_t i = 0; i < column_count; i++) {
    struct ap_text name = ap_text_of(columns[i]);
    if (line.size > name.size + 3 && memcmp(line.data + 2, name.data, name.size) == 0 &&
        line.data[2 + name.size] == '"') {
      return true;
    }
  }
  return false;
}

static ap_status decode(struct ap_codec *self, const char *path, const char *const *columns,
                        uint32_t column_count, struct ap_buffer *out_lines, ap_error *err) {
  struct ap_fake_codec *codec = (struct ap_fake_codec *)self;
  struct ap_buffer file;
  ap_buffer_init(&file, codec->allocator);
  ap_status status = codec->files->read(codec->files, path, 0, -1, &file, err);
  struct ap_text text = ap_buffer_text(&file);
  if (status == AP_OK && (text.size < head.size + tail.size || !ap_text_starts_with(text, head) ||
                          !ap_text_ends_with(text, tail))) {
    status = AP_FAIL(err, AP_CORRUPT, "%s is no file of this codec", path);
  }
  for (size_t at = head.size; status == AP_OK && at < text.size - tail.size;) {
    const char *end = memchr(text.data + at, '\n', text.size - at);
    struct ap_text line = {text.data + at, (size_t)(end - (text.data + at)) + 1};
    if (is_wanted(line, columns, column_count)) ap_buffer_append_text(out_lines, line);
    at += line.size;
  }
  if (status == AP_OK) status = ap_buffer_check(out_lines, err);
  ap_buffer_deinit(&file);
  return status;
}

void ap_fake_codec_init(struct ap_fake_codec *codec, struct ap_files *files,
                        struct ap_allocator *allocator) {
  *codec = (struct ap_fake_codec){
      .base = {.decode = decode, .encode = encode}, .files = files, .allocator = allocator};
}
