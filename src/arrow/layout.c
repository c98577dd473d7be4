/* SPDX-License-Identifier: Apache-2.0
 *
 * Arrow format strings to buffer layouts, by nanoarrow's parser.
 */
#include "arrow/layout.h"

#include <string.h>

static ap_status map_layout(const struct ArrowSchema *schema, struct ap_layout *layout,
                            ap_error *err);
static ap_status layout_of_type(const struct ArrowSchemaView *view, struct ap_layout *layout,
                                ap_error *err);

const char *ap_layout_name(const struct ArrowSchema *schema) {
  return schema->name == NULL ? "" : schema->name;
}

ap_status ap_layout_of(const struct ArrowSchema *schema, struct ap_layout *out_layout,
                       ap_error *err) {
  struct ap_layout layout = {0};
  if (schema == NULL || schema->release == NULL || schema->format == NULL) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "an Arrow schema was released before it was read");
  }
  /* nanoarrow refuses maps whose entries are flagged nullable, which other writers produce. */
  if (strcmp(schema->format, "+m") == 0) {
    AP_TRY(map_layout(schema, &layout, err));
  } else {
    struct ArrowSchemaView view = {0};
    struct ArrowError error = {{0}};
    if (schema->format[0] == '+' && schema->format[1] == 'r') {
      return AP_FAIL(err, AP_UNSUPPORTED, "column '%s' is run-end encoded; send it plain",
                     ap_layout_name(schema));
    }
    if (ArrowSchemaViewInit(&view, schema, &error) != NANOARROW_OK) {
      return AP_FAIL(err, AP_INVALID_ARGUMENT, "column '%s' has a broken Arrow schema: %s",
                     ap_layout_name(schema), error.message);
    }
    AP_TRY(layout_of_type(&view, &layout, err));
  }
  *out_layout = layout;
  return AP_OK;
}

static ap_status map_layout(const struct ArrowSchema *schema, struct ap_layout *layout,
                            ap_error *err) {
  const struct ArrowSchema *entries =
      schema->n_children == 1 && schema->children != NULL ? schema->children[0] : NULL;
  if (entries == NULL || entries->release == NULL || entries->format == NULL ||
      strcmp(entries->format, "+s") != 0 || entries->n_children != 2 || entries->children == NULL ||
      entries->children[0] == NULL || entries->children[1] == NULL) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT,
                   "column '%s' has a broken Arrow schema: a map needs one child of two fields",
                   ap_layout_name(schema));
  }
  *layout = (struct ap_layout){.kind = AP_LAYOUT_LIST, .is_map = true, .buffer_count = 2};
  return AP_OK;
}

static struct ap_layout fixed_layout(const struct ArrowSchemaView *view, bool is_integer,
                                     bool is_signed) {
  return (struct ap_layout){.kind = AP_LAYOUT_FIXED,
                            .is_integer = is_integer,
                            .is_signed = is_signed,
                            .width_bytes = view->layout.element_size_bits[1] / 8,
                            .buffer_count = 2};
}

/* Types whose values all take as many bytes; false for the others. */
static bool layout_of_fixed(const struct ArrowSchemaView *view, struct ap_layout *layout) {
  switch (view->storage_type) {
    case NANOARROW_TYPE_INT8:
    case NANOARROW_TYPE_INT16:
    case NANOARROW_TYPE_INT32:
    case NANOARROW_TYPE_INT64:
      *layout = fixed_layout(view, true, true);
      return true;
    case NANOARROW_TYPE_UINT8:
    case NANOARROW_TYPE_UINT16:
    case NANOARROW_TYPE_UINT32:
    case NANOARROW_TYPE_UINT64:
      *layout = fixed_layout(view, true, false);
      return true;
    case NANOARROW_TYPE_HALF_FLOAT:
    case NANOARROW_TYPE_FLOAT:
    case NANOARROW_TYPE_DOUBLE:
    case NANOARROW_TYPE_DECIMAL32:
    case NANOARROW_TYPE_DECIMAL64:
    case NANOARROW_TYPE_DECIMAL128:
    case NANOARROW_TYPE_DECIMAL256:
    case NANOARROW_TYPE_INTERVAL_MONTHS:
    case NANOARROW_TYPE_INTERVAL_DAY_TIME:
    case NANOARROW_TYPE_INTERVAL_MONTH_DAY_NANO:
    case NANOARROW_TYPE_FIXED_SIZE_BINARY:
      *layout = fixed_layout(view, false, false);
      return true;
    default:
      return false;
  }
}

static ap_status layout_of_type(const struct ArrowSchemaView *view, struct ap_layout *layout,
                                ap_error *err) {
  *layout = (struct ap_layout){.buffer_count = 2};
  if (layout_of_fixed(view, layout)) return AP_OK;
  enum ArrowType type = view->storage_type;
  switch (type) {
    case NANOARROW_TYPE_NA:
      *layout = (struct ap_layout){.kind = AP_LAYOUT_NULL};
      return AP_OK;
    case NANOARROW_TYPE_BOOL:
      layout->kind = AP_LAYOUT_BITS;
      return AP_OK;
    case NANOARROW_TYPE_STRING:
    case NANOARROW_TYPE_BINARY:
    case NANOARROW_TYPE_LARGE_STRING:
    case NANOARROW_TYPE_LARGE_BINARY:
      layout->kind = AP_LAYOUT_BYTES;
      layout->buffer_count = 3;
      layout->is_large = type == NANOARROW_TYPE_LARGE_STRING || type == NANOARROW_TYPE_LARGE_BINARY;
      layout->is_text = type == NANOARROW_TYPE_STRING || type == NANOARROW_TYPE_LARGE_STRING;
      return AP_OK;
    case NANOARROW_TYPE_STRING_VIEW:
    case NANOARROW_TYPE_BINARY_VIEW:
      layout->kind = AP_LAYOUT_VIEWS;
      layout->buffer_count = 3;
      layout->is_text = type == NANOARROW_TYPE_STRING_VIEW;
      return AP_OK;
    case NANOARROW_TYPE_LIST:
    case NANOARROW_TYPE_LARGE_LIST:
      layout->kind = AP_LAYOUT_LIST;
      layout->is_large = type == NANOARROW_TYPE_LARGE_LIST;
      return AP_OK;
    case NANOARROW_TYPE_LIST_VIEW:
    case NANOARROW_TYPE_LARGE_LIST_VIEW:
      layout->kind = AP_LAYOUT_LIST_VIEW;
      layout->buffer_count = 3;
      layout->is_large = type == NANOARROW_TYPE_LARGE_LIST_VIEW;
      return AP_OK;
    case NANOARROW_TYPE_FIXED_SIZE_LIST:
      layout->kind = AP_LAYOUT_FIXED_LIST;
      layout->buffer_count = 1;
      layout->list_size = view->fixed_size;
      return AP_OK;
    case NANOARROW_TYPE_STRUCT:
      layout->kind = AP_LAYOUT_STRUCT;
      layout->buffer_count = 1;
      return AP_OK;
    default:
      return AP_FAIL(err, AP_UNSUPPORTED, "column '%s' has Arrow type %s, which is not supported",
                     ap_layout_name(view->schema), ArrowTypeString(type));
  }
}
