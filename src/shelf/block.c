/* SPDX-License-Identifier: Apache-2.0
 *
 * Head and schema of a metadata block. Recursion is bounded by AP_TYPE_DEPTH_MAX, memory by the
 * bytes that are there.
 */
#include "shelf/block.h"

#include "arrow/layout.h"
#include "arrow/stream.h"
#include "base/limits.h"

#include <string.h>

#define MAGIC UINT64_C(0x3146485341504131) /* the block begins "1APASHF1" */

/* A field's fixed part. */
struct field {
  int64_t flags;
  int64_t children;
  int64_t has_dictionary;
  int64_t format_bytes;
  int64_t name_bytes;
  int64_t metadata_bytes;
};

static ap_status read_field(struct ap_shelf_bytes *bytes, uint32_t depth, struct ArrowSchema *out,
                            ap_error *err);

bool ap_shelf_bytes_take(struct ap_shelf_bytes *bytes, void *out, size_t size) {
  if (bytes->left < size) return false;
  if (size > 0) memcpy(out, bytes->data, size);
  bytes->data += size;
  bytes->left -= size;
  return true;
}

void ap_shelf_block_write_head(struct ap_buffer *out, int64_t schema_bytes, int64_t batches,
                               int64_t rows) {
  struct ap_shelf_block_head head = {.magic = MAGIC,
                                     .version = AP_SHELF_BLOCK_VERSION,
                                     .schema_bytes = schema_bytes,
                                     .batches = batches,
                                     .rows = rows};
  ap_buffer_append(out, &head, sizeof head);
}

ap_status ap_shelf_block_read_head(struct ap_shelf_bytes *bytes, struct ap_shelf_block_head *out,
                                   ap_error *err) {
  if (!ap_shelf_bytes_take(bytes, out, sizeof *out) || out->magic != MAGIC) {
    return AP_FAIL(err, AP_CORRUPT, "an object of the shelf does not begin as one");
  }
  if (out->version != AP_SHELF_BLOCK_VERSION) {
    return AP_FAIL(err, AP_UNSUPPORTED, "an object of the shelf has version %u, not %d",
                   (unsigned)out->version, AP_SHELF_BLOCK_VERSION);
  }
  bool fits = out->schema_bytes >= 0 && (uint64_t)out->schema_bytes <= bytes->left &&
              out->batches >= 0 && out->rows >= 0 && out->reserved == 0;
  if (!fits) return AP_FAIL(err, AP_CORRUPT, "an object of the shelf has a broken head");
  return AP_OK;
}

static void pad(struct ap_buffer *out, size_t size) {
  static const char zeroes[8] = {0};
  ap_buffer_append(out, zeroes, (8 - size % 8) % 8);
}

/* Key-value metadata carries its own size. */
static int64_t metadata_bytes(const char *metadata) {
  return metadata == NULL ? -1 : ArrowMetadataSizeOf(metadata);
}

void ap_shelf_block_write_schema(struct ap_buffer *out, const struct ArrowSchema *schema) {
  struct field field = {
      .flags = schema->flags,
      .children = schema->n_children,
      .has_dictionary = schema->dictionary != NULL,
      .format_bytes = (int64_t)strlen(schema->format),
      .name_bytes = (int64_t)strlen(ap_layout_name(schema)),
      .metadata_bytes = metadata_bytes(schema->metadata),
  };
  size_t texts = (size_t)(field.format_bytes + field.name_bytes);
  ap_buffer_append(out, &field, sizeof field);
  ap_buffer_append_string(out, schema->format);
  ap_buffer_append_string(out, ap_layout_name(schema));
  if (field.metadata_bytes > 0) {
    ap_buffer_append(out, schema->metadata, (size_t)field.metadata_bytes);
    texts += (size_t)field.metadata_bytes;
  }
  pad(out, texts);
  for (int64_t i = 0; i < schema->n_children; i++) {
    ap_shelf_block_write_schema(out, schema->children[i]);
  }
  if (schema->dictionary != NULL) ap_shelf_block_write_schema(out, schema->dictionary);
}

static ap_status broken(ap_error *err, const char *what) {
  return AP_FAIL(err, AP_CORRUPT, "an object of the shelf has a broken schema: %s", what);
}

ap_status ap_shelf_block_read_schema(struct ap_shelf_bytes *bytes, struct ArrowSchema *out,
                                     ap_error *err) {
  ArrowSchemaInit(out);
  ap_status status = read_field(bytes, 0, out, err);
  if (status == AP_OK && strcmp(out->format, "+s") != 0) {
    status = broken(err, "its top is no struct");
  }
  if (status != AP_OK) ap_schema_release(out);
  return status;
}

/* Does a list of pairs of counted texts end where its bytes do? */
static bool is_metadata(const uint8_t *data, size_t size) {
  struct ap_shelf_bytes bytes = {data, size};
  int32_t pairs = 0;
  if (size == 0) return false;
  if (!ap_shelf_bytes_take(&bytes, &pairs, sizeof pairs) || pairs < 0) return false;
  for (int64_t i = 0; i < (int64_t)pairs * 2; i++) {
    int32_t length = 0;
    if (!ap_shelf_bytes_take(&bytes, &length, sizeof length)) return false;
    if (length < 0 || (uint32_t)length > bytes.left) return false;
    bytes.data += length;
    bytes.left -= (size_t)length;
  }
  return bytes.left == 0;
}

/* A counted text of a field into out, NUL-terminated, from private memory. */
static ap_status read_text(struct ap_shelf_bytes *bytes, int64_t size, char **out, ap_error *err) {
  struct ap_text text = {(const char *)bytes->data, (size_t)size};
  if (!ap_text_is_utf8(text) || (size > 0 && memchr(text.data, '\0', text.size) != NULL)) {
    return broken(err, "a name is no text");
  }
  *out = ap_string_copy(ap_allocator_system(), text);
  if (*out == NULL) return AP_FAIL_MEMORY(err);
  bytes->data += size;
  bytes->left -= (size_t)size;
  return AP_OK;
}

static ap_status read_texts(struct ap_shelf_bytes *bytes, const struct field *field,
                            struct ArrowSchema *out, ap_error *err) {
  struct ap_allocator *heap = ap_allocator_system();
  char *format = NULL;
  char *name = NULL;
  ap_status status = read_text(bytes, field->format_bytes, &format, err);
  if (status == AP_OK) status = read_text(bytes, field->name_bytes, &name, err);
  bool made = status == AP_OK && ArrowSchemaSetFormat(out, format) == NANOARROW_OK &&
              ArrowSchemaSetName(out, name) == NANOARROW_OK;
  if (made && field->metadata_bytes >= 0) {
    size_t size = (size_t)field->metadata_bytes;
    if (is_metadata(bytes->data, size)) {
      made = ArrowSchemaSetMetadata(out, (const char *)bytes->data) == NANOARROW_OK;
    } else {
      status = broken(err, "its metadata are no pairs");
    }
    bytes->data += size;
    bytes->left -= size;
  }
  if (status == AP_OK && !made) status = AP_FAIL_MEMORY(err);
  ap_free(heap, format);
  ap_free(heap, name);
  return status;
}

/* What a type has below it: nanoarrow looks at this for nested types only. */
static ap_status check_shape(const struct ArrowSchema *schema, ap_error *err) {
  struct ap_layout layout = {0};
  ap_error found = {0};
  ap_status status = ap_layout_of(schema, &layout, &found);
  if (status == AP_INVALID_ARGUMENT) return broken(err, found.message);
  if (status != AP_OK) {
    if (err != NULL) *err = found;
    return status;
  }
  bool nests = layout.kind == AP_LAYOUT_LIST || layout.kind == AP_LAYOUT_LIST_VIEW ||
               layout.kind == AP_LAYOUT_FIXED_LIST;
  if (nests && schema->n_children != 1) return broken(err, "a list needs one child");
  if (!nests && layout.kind != AP_LAYOUT_STRUCT && schema->n_children != 0) {
    return broken(err, "a flat type has children");
  }
  if (schema->dictionary != NULL && !(layout.kind == AP_LAYOUT_FIXED && layout.is_integer)) {
    return broken(err, "a dictionary's indices are no integers");
  }
  return AP_OK;
}

static ap_status read_below(struct ap_shelf_bytes *bytes, const struct field *field, uint32_t depth,
                            struct ArrowSchema *out, ap_error *err) {
  if (field->children > 0 && ArrowSchemaAllocateChildren(out, field->children) != NANOARROW_OK) {
    return AP_FAIL_MEMORY(err);
  }
  for (int64_t i = 0; i < field->children; i++) ArrowSchemaInit(out->children[i]);
  for (int64_t i = 0; i < field->children; i++) {
    AP_TRY(read_field(bytes, depth + 1, out->children[i], err));
  }
  if (field->has_dictionary != 0) {
    if (ArrowSchemaAllocateDictionary(out) != NANOARROW_OK) return AP_FAIL_MEMORY(err);
    ArrowSchemaInit(out->dictionary);
    AP_TRY(read_field(bytes, depth + 1, out->dictionary, err));
  }
  return AP_OK;
}

/* Into an initialised schema, which the caller releases on failure too. */
static ap_status read_field(struct ap_shelf_bytes *bytes, uint32_t depth, struct ArrowSchema *out,
                            ap_error *err) {
  struct field field;
  if (depth > AP_TYPE_DEPTH_MAX) return broken(err, "it nests too deep");
  if (!ap_shelf_bytes_take(bytes, &field, sizeof field)) return broken(err, "it ends early");
  int64_t left = (int64_t)bytes->left;
  int64_t metadata = field.metadata_bytes < 0 ? 0 : field.metadata_bytes;
  bool fits = field.format_bytes >= 0 && field.name_bytes >= 0 && field.metadata_bytes >= -1 &&
              field.format_bytes <= left && field.name_bytes <= left - field.format_bytes &&
              metadata <= left - field.format_bytes - field.name_bytes;
  if (!fits) return broken(err, "it ends early");
  int64_t texts = field.format_bytes + field.name_bytes + metadata;
  int64_t padding = (8 - texts % 8) % 8;
  bool sound = padding <= left - texts && field.has_dictionary >= 0 && field.has_dictionary <= 1 &&
               field.children >= 0 && field.children <= left / (int64_t)sizeof(struct field);
  if (!sound) return broken(err, "its counts are off");
  AP_TRY(read_texts(bytes, &field, out, err));
  bytes->data += padding;
  bytes->left -= (size_t)padding;
  out->flags = field.flags &
               (ARROW_FLAG_DICTIONARY_ORDERED | ARROW_FLAG_NULLABLE | ARROW_FLAG_MAP_KEYS_SORTED);
  AP_TRY(read_below(bytes, &field, depth, out, err));
  return check_shape(out, err);
}
