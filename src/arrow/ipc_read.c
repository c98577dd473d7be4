/* SPDX-License-Identifier: Apache-2.0
 *
 * ap_ipc_read: the messages of Arrow IPC, stream and file, as an Arrow stream.
 *
 * The bytes are copied once and shown by the arrays. Messages are decoded and validated as they are
 * pulled; errors say which message. One thread at a time; arrays may be released from any thread.
 */
#include "arrow/ipc.h"

#include "arrow/ipc_batch.h"
#include "base/assert.h"
#include "base/limits.h"

#include <string.h>

enum {
  HEADER_SCHEMA = 1,
  HEADER_DICTIONARY_BATCH = 2,
  HEADER_RECORD_BATCH = 3,
  VERSION_4 = 3,
  VERSION_5 = 4,
  BLOCK_BYTES = 24,     /* offset, metadata length, padding, body length */
  FILE_MAGIC_BYTES = 8, /* "ARROW1" and two of padding */
  FILE_END_BYTES = 10,  /* footer size and "ARROW1" */
};

static const struct ap_text file_magic = {"ARROW1", 6};

struct message {
  struct ap_flat flat;
  struct ap_flat_table header;
  uint8_t kind;
  struct ap_text body;
  bool at_end; /* the mark of the end, or no bytes left: nothing else is set */
};

struct reader {
  struct ap_stream_source source;
  struct ap_ipc_bytes *bytes;
  struct ArrowSchema schema;
  struct ap_ipc_values *values;
  uint32_t value_count;
  uint32_t message_number; /* of the last message read, from 1 */
  size_t at;               /* streams: of the next message */
  bool is_file;
  bool is_done;
  struct ap_flat footer_flat;
  struct ap_flat_vector blocks; /* files: record batches, within the footer */
  uint32_t next_block;
  size_t footer_at;
};

static ap_status open_stream(struct reader *reader, ap_error *err);
static ap_status open_file(struct reader *reader, ap_error *err);
static ap_status read_message(struct reader *reader, size_t *at, size_t end,
                              struct message *out_message, ap_error *err);
static ap_status take_schema(struct reader *reader, const struct ap_flat_table *table,
                             ap_error *err);
static ap_status take_values(struct reader *reader, const struct message *message, ap_error *err);
static ap_status take_batch(struct reader *reader, const struct message *message,
                            struct ArrowArray *out, ap_error *err);

static void reader_destroy(struct ap_stream_source *self) {
  struct reader *reader = (struct reader *)self;
  for (uint32_t i = 0; i < reader->value_count; i++) {
    ap_array_shared_release(reader->values[i].values);
  }
  ap_free(ap_allocator_system(), reader->values);
  ap_schema_release(&reader->schema);
  ap_ipc_bytes_release(reader->bytes);
  ap_free(ap_allocator_system(), reader);
}

static ap_status reader_schema(struct ap_stream_source *self, struct ArrowSchema *out,
                               ap_error *err) {
  struct reader *reader = (struct reader *)self;
  if (ArrowSchemaDeepCopy(&reader->schema, out) == NANOARROW_OK) return AP_OK;
  out->release = NULL;
  return AP_FAIL_MEMORY(err);
}

/* Put the number of the message before an error that concerns it; a fault of the data is
 * corruption here, whoever found it. */
static ap_status at_message(const struct reader *reader, ap_status status, ap_error *err) {
  if (status == AP_OK || status == AP_OUT_OF_MEMORY) return status;
  if (status == AP_INVALID_ARGUMENT) {
    ap_error found = {0};
    if (err != NULL) found = *err;
    status = AP_FAIL(err, AP_CORRUPT, "%s", found.message);
  }
  return ap_error_prefix(err, status, "Arrow IPC message %u", reader->message_number);
}

static ap_status next_of_stream(struct reader *reader, struct ArrowArray *out, ap_error *err) {
  struct message message = {0};
  for (;;) {
    size_t size = ap_ipc_bytes_text(reader->bytes).size;
    AP_TRY(at_message(reader, read_message(reader, &reader->at, size, &message, err), err));
    if (message.at_end) return AP_OK;
    if (message.kind != HEADER_DICTIONARY_BATCH) break;
    AP_TRY(at_message(reader, take_values(reader, &message, err), err));
  }
  return at_message(reader, take_batch(reader, &message, out, err), err);
}

/* The message a block of the footer points to. */
static ap_status read_block(struct reader *reader, const struct ap_flat_vector *blocks,
                            uint32_t index, struct message *out_message, ap_error *err) {
  int64_t offset = ap_flat_i64_at(blocks, index, BLOCK_BYTES, 0);
  if (offset < FILE_MAGIC_BYTES || offset > (int64_t)reader->footer_at) {
    reader->message_number++;
    return AP_FAIL(err, AP_CORRUPT, "the footer points to byte %lld", (long long)offset);
  }
  size_t at = (size_t)offset;
  AP_TRY(read_message(reader, &at, reader->footer_at, out_message, err));
  if (!out_message->at_end) return AP_OK;
  return AP_FAIL(err, AP_CORRUPT, "the footer points to no message");
}

static ap_status next_of_file(struct reader *reader, struct ArrowArray *out, ap_error *err) {
  struct message message = {0};
  if (reader->next_block == reader->blocks.count) return AP_OK;
  ap_status status = read_block(reader, &reader->blocks, reader->next_block, &message, err);
  if (status == AP_OK) status = take_batch(reader, &message, out, err);
  if (status == AP_OK) reader->next_block++;
  return at_message(reader, status, err);
}

static ap_status reader_next(struct ap_stream_source *self, struct ArrowArray *out, ap_error *err) {
  struct reader *reader = (struct reader *)self;
  if (reader->is_done) return AP_OK;
  ap_status status =
      reader->is_file ? next_of_file(reader, out, err) : next_of_stream(reader, out, err);
  /* After an error nothing can be trusted to follow; asked again, the reader fails again. */
  if (status == AP_OK && out->release == NULL) reader->is_done = true;
  return status;
}

ap_status ap_ipc_read(struct ap_text bytes, struct ArrowArrayStream *out, ap_error *err) {
  if (bytes.size == 0) return AP_FAIL(err, AP_CORRUPT, "there are no Arrow IPC bytes");
  if (ap_text_starts_with(bytes, AP_TEXT("FEA1"))) {
    ap_status status = AP_FAIL(err, AP_UNSUPPORTED, "the bytes are Feather version 1");
    ap_error_hint(err, "write the file as Arrow IPC (Feather version 2)");
    return status;
  }
  struct reader *reader = ap_allocate_zeroed(ap_allocator_system(), 1, sizeof(*reader));
  if (reader == NULL) return AP_FAIL_MEMORY(err);
  reader->source.schema = reader_schema;
  reader->source.next = reader_next;
  reader->source.destroy = reader_destroy;
  reader->bytes = ap_ipc_bytes_create(bytes);
  reader->is_file = ap_text_starts_with(bytes, file_magic);
  ap_status status = AP_OK;
  if (reader->bytes == NULL) {
    status = AP_FAIL_MEMORY(err);
  } else {
    status = reader->is_file ? open_file(reader, err) : open_stream(reader, err);
  }
  if (status != AP_OK) {
    reader_destroy(&reader->source);
    return status;
  }
  ap_stream_from_source(&reader->source, out);
  return AP_OK;
}

static ap_status open_stream(struct reader *reader, ap_error *err) {
  struct message message = {0};
  size_t size = ap_ipc_bytes_text(reader->bytes).size;
  ap_status status = read_message(reader, &reader->at, size, &message, err);
  if (status == AP_OK && (message.at_end || message.kind != HEADER_SCHEMA)) {
    status = AP_FAIL(err, AP_CORRUPT, "the bytes do not begin with a schema");
  }
  if (status == AP_OK) status = take_schema(reader, &message.header, err);
  return at_message(reader, status, err);
}

static ap_status read_footer(struct reader *reader, struct ap_flat_table *out_footer,
                             ap_error *err) {
  struct ap_text text = ap_ipc_bytes_text(reader->bytes);
  uint32_t size = 0;
  if (text.size < FILE_MAGIC_BYTES + FILE_END_BYTES || !ap_text_ends_with(text, file_magic)) {
    ap_status status = AP_FAIL(err, AP_CORRUPT, "the Arrow IPC file has no footer");
    ap_error_hint(err, "the file seems cut short: copy it again, or let its writer finish");
    return status;
  }
  memcpy(&size, text.data + text.size - FILE_END_BYTES, sizeof(size));
  if (size > text.size - FILE_MAGIC_BYTES - FILE_END_BYTES) {
    return AP_FAIL(err, AP_CORRUPT, "the Arrow IPC file of %zu bytes has a footer of %u", text.size,
                   size);
  }
  reader->footer_at = text.size - FILE_END_BYTES - size;
  reader->footer_flat = (struct ap_flat){(const uint8_t *)text.data + reader->footer_at, size};
  if (ap_flat_root(&reader->footer_flat, out_footer)) return AP_OK;
  return AP_FAIL(err, AP_CORRUPT, "the footer of the Arrow IPC file is damaged");
}

static ap_status open_file(struct reader *reader, ap_error *err) {
  struct ap_flat_table footer = {0};
  struct ap_flat_table schema = {0};
  struct ap_flat_vector dictionaries = {0};
  AP_TRY(read_footer(reader, &footer, err));
  if (!ap_flat_child(&footer, 1, &schema) ||
      !ap_flat_children(&footer, 2, BLOCK_BYTES, &dictionaries) ||
      !ap_flat_children(&footer, 3, BLOCK_BYTES, &reader->blocks)) {
    return AP_FAIL(err, AP_CORRUPT, "the footer of the Arrow IPC file is damaged");
  }
  ap_status status = take_schema(reader, &schema, err);
  if (status != AP_OK) return ap_error_prefix(err, status, "the footer of the Arrow IPC file");
  for (uint32_t i = 0; i < dictionaries.count; i++) {
    struct message message = {0};
    status = read_block(reader, &dictionaries, i, &message, err);
    if (status == AP_OK && message.kind != HEADER_DICTIONARY_BATCH) {
      status = AP_FAIL(err, AP_CORRUPT, "the footer points to no dictionary");
    }
    if (status == AP_OK) status = take_values(reader, &message, err);
    if (status != AP_OK) return at_message(reader, status, err);
  }
  return AP_OK;
}

/* What follows the end would be lost in silence. */
static ap_status check_rest(const char *data, size_t at, size_t end, ap_error *err) {
  for (; at < end; at++) {
    if (data[at] == 0) continue;
    return AP_FAIL(err, AP_CORRUPT, "%zu bytes follow the end of the stream at byte %zu", end - at,
                   at);
  }
  return AP_OK;
}

/* The size of the metadata; before it 0xffffffff, but not in streams of before 2019. 0 marks the
 * end. *at moves to the metadata. */
static ap_status read_prefix(const char *data, size_t *at, size_t end, uint32_t *out_size,
                             ap_error *err) {
  uint32_t size = UINT32_MAX;
  for (int words = 0; words < 2 && size == UINT32_MAX; words++) {
    if (end - *at < sizeof(size)) {
      return AP_FAIL(err, AP_CORRUPT, "the bytes end within a message, at byte %zu", end);
    }
    memcpy(&size, data + *at, sizeof(size));
    *at += sizeof(size);
  }
  if (size > INT32_MAX || size > end - *at) {
    return AP_FAIL(err, AP_CORRUPT, "the description at byte %zu says %u bytes, %zu are left", *at,
                   size, end - *at);
  }
  *out_size = size;
  return AP_OK;
}

static ap_status read_message(struct reader *reader, size_t *at, size_t end,
                              struct message *out_message, ap_error *err) {
  struct ap_text text = ap_ipc_bytes_text(reader->bytes);
  struct ap_flat_table table = {0};
  struct message message = {0};
  int16_t version = 0;
  int64_t body_size = 0;
  uint32_t size = 0;
  AP_ASSERT(*at <= end && end <= text.size);
  message.at_end = *at == end;
  reader->message_number++;
  if (!message.at_end) AP_TRY(read_prefix(text.data, at, end, &size, err));
  message.at_end = size == 0;
  *out_message = message;
  if (message.at_end) return reader->is_file ? AP_OK : check_rest(text.data, *at, end, err);
  out_message->flat = (struct ap_flat){(const uint8_t *)text.data + *at, size};
  *at += size;
  if (!ap_flat_root(&out_message->flat, &table) || !ap_flat_i16(&table, 0, 0, &version) ||
      !ap_flat_u8(&table, 1, 0, &out_message->kind) ||
      !ap_flat_child(&table, 2, &out_message->header) || !ap_flat_i64(&table, 3, 0, &body_size)) {
    return AP_FAIL(err, AP_CORRUPT, "the description is damaged");
  }
  if (version != VERSION_4 && version != VERSION_5) {
    return AP_FAIL(err, AP_UNSUPPORTED, "metadata version %d is not read", version + 1);
  }
  if (body_size < 0 || (uint64_t)body_size > end - *at) {
    return AP_FAIL(err, AP_CORRUPT, "the body at byte %zu says %lld bytes, %zu are left", *at,
                   (long long)body_size, end - *at);
  }
  out_message->body = (struct ap_text){text.data + *at, (size_t)body_size};
  *at += (size_t)body_size;
  return AP_OK;
}

static ap_status take_schema(struct reader *reader, const struct ap_flat_table *table,
                             ap_error *err) {
  struct ap_ipc_dictionary *dictionaries = NULL;
  uint32_t count = 0;
  AP_TRY(ap_ipc_schema_read(table, ap_allocator_system(), &reader->schema, &dictionaries, &count,
                            err));
  ap_status status = AP_OK;
  if (count > 0) {
    reader->values = ap_allocate_zeroed(ap_allocator_system(), count, sizeof(*reader->values));
    if (reader->values == NULL) status = AP_FAIL_MEMORY(err);
  }
  for (uint32_t i = 0; status == AP_OK && i < count; i++) {
    reader->values[i].dictionary = dictionaries[i];
    reader->value_count = i + 1;
  }
  ap_free(ap_allocator_system(), dictionaries);
  return status;
}

static ap_status take_values(struct reader *reader, const struct message *message, ap_error *err) {
  int64_t id = 0;
  uint8_t is_delta = 0;
  struct ap_flat_table data = {0};
  bool is_known = false;
  if (!ap_flat_i64(&message->header, 0, 0, &id) || !ap_flat_child(&message->header, 1, &data) ||
      !ap_flat_u8(&message->header, 2, 0, &is_delta)) {
    return AP_FAIL(err, AP_CORRUPT, "the description of a dictionary is damaged");
  }
  if (is_delta != 0) {
    ap_status status =
        AP_FAIL(err, AP_UNSUPPORTED, "dictionary %lld is sent piecewise", (long long)id);
    ap_error_hint(err, "write whole dictionaries, or plain columns");
    return status;
  }
  struct ap_ipc_batch batch = {data, reader->bytes, message->body, reader->values,
                               reader->value_count};
  /* Several fields may draw from one dictionary; each gets its own arrays over the same bytes. */
  for (uint32_t i = 0; i < reader->value_count; i++) {
    struct ap_ipc_values *values = &reader->values[i];
    struct ArrowArray array = {0};
    struct ap_array_shared *shared = NULL;
    if (values->dictionary.id != id) continue;
    is_known = true;
    AP_TRY(ap_ipc_batch_read_values(&batch, values->dictionary.field->dictionary, &array, err));
    ap_status status = ap_array_share(&array, &shared, err);
    if (status != AP_OK) {
      ap_array_release(&array);
      return status;
    }
    ap_array_shared_release(values->values);
    values->values = shared;
  }
  if (is_known) return AP_OK;
  return AP_FAIL(err, AP_CORRUPT, "no column has dictionary %lld", (long long)id);
}

static ap_status take_batch(struct reader *reader, const struct message *message,
                            struct ArrowArray *out, ap_error *err) {
  struct ArrowArray array = {0};
  if (message->kind == HEADER_SCHEMA) {
    return AP_FAIL(err, AP_CORRUPT, "a second schema comes where a batch is due");
  }
  if (message->kind != HEADER_RECORD_BATCH) {
    return AP_FAIL(err, AP_UNSUPPORTED, "messages of kind %d are not read", message->kind);
  }
  struct ap_ipc_batch batch = {message->header, reader->bytes, message->body, reader->values,
                               reader->value_count};
  AP_TRY(ap_ipc_batch_read(&batch, &reader->schema, &array, err));
  ap_status status = ap_array_validate(&reader->schema, &array, err);
  if (status != AP_OK) {
    ap_array_release(&array);
    return status;
  }
  *out = array;
  return AP_OK;
}
