/* SPDX-License-Identifier: Apache-2.0
 *
 * See action.h. Members that are null count as absent: checkpoints hold every column of a struct.
 */
#include "ledger/action.h"

#include "base/assert.h"
#include "base/limits.h"
#include "cell/draft.h"

#include <string.h>

struct action_name {
  const char *name;
  enum ap_action_kind kind;
};

static const struct action_name action_names[] = {
    {"add", AP_ACTION_ADD},
    {"remove", AP_ACTION_REMOVE},
    {"metaData", AP_ACTION_METADATA},
    {"protocol", AP_ACTION_PROTOCOL},
    {"txn", AP_ACTION_TXN},
    {"domainMetadata", AP_ACTION_DOMAIN},
    {"commitInfo", AP_ACTION_COMMIT_INFO},
    {"checkpointMetadata", AP_ACTION_CHECKPOINT_METADATA},
    {"sidecar", AP_ACTION_SIDECAR},
    {"cdc", AP_ACTION_CDC},
};

static ap_status decode_file(struct ap_arena *arena, struct ap_action *action, bool is_add,
                             ap_error *err);
static ap_status decode_txn(struct ap_action *action, ap_error *err);
static ap_status decode_domain(struct ap_action *action, ap_error *err);
static ap_status decode_commit_info(struct ap_action *action);
static ap_status decode_checkpoint_metadata(struct ap_action *action, ap_error *err);
static ap_status decode_sidecar(struct ap_arena *arena, struct ap_action *action, ap_error *err);
static ap_status decode_value(struct ap_arena *arena, struct ap_action *action, ap_error *err);

/* The text of the only member's value, cut from the line where the line has the plain form. */
static ap_status value_text(struct ap_arena *arena, struct ap_text line, const struct ap_json *root,
                            const struct ap_json_member *member, struct ap_text *out_text,
                            ap_error *err) {
  AP_ASSERT(root->kind == AP_JSON_OBJECT);
  size_t skip = member->name.size + 4; /* {"name": */
  if (root->count == 1 && line.size > skip && line.data[0] == '{' && line.data[1] == '"' &&
      memcmp(line.data + 2, member->name.data, member->name.size) == 0 &&
      line.data[skip - 2] == '"' && line.data[skip - 1] == ':' && line.data[skip] == '{' &&
      line.data[line.size - 1] == '}') {
    *out_text = (struct ap_text){line.data + skip, line.size - skip - 1};
    return AP_OK;
  }
  return ap_action_json_text(arena, &member->value, out_text, err);
}

ap_status ap_action_decode(struct ap_arena *arena, struct ap_text line,
                           struct ap_action *out_action, ap_error *err) {
  *out_action = (struct ap_action){.kind = AP_ACTION_UNKNOWN};
  const struct ap_json *root = NULL;
  AP_TRY(ap_json_parse(arena, line, &root, err));
  if (root->kind != AP_JSON_OBJECT) return AP_FAIL(err, AP_CORRUPT, "an action is no JSON object");
  for (uint32_t i = 0; i < root->count; i++) {
    const struct ap_json_member *member = &root->members[i];
    if (ap_json_is_null(&member->value)) continue;
    for (size_t n = 0; n < sizeof(action_names) / sizeof(action_names[0]); n++) {
      if (!ap_text_equal_string(member->name, action_names[n].name)) continue;
      if (out_action->kind != AP_ACTION_UNKNOWN) {
        return AP_FAIL(err, AP_CORRUPT, "one line holds two actions, '%.*s' is the second",
                       AP_TEXT_ARG(member->name));
      }
      if (member->value.kind != AP_JSON_OBJECT) {
        return AP_FAIL(err, AP_CORRUPT, "action '%s' is no JSON object", action_names[n].name);
      }
      out_action->kind = action_names[n].kind;
      out_action->value = &member->value;
      AP_TRY(value_text(arena, line, root, member, &out_action->json, err));
    }
  }
  return decode_value(arena, out_action, err);
}

static ap_status decode_value(struct ap_arena *arena, struct ap_action *action, ap_error *err) {
  switch (action->kind) {
    case AP_ACTION_ADD:
      return decode_file(arena, action, true, err);
    case AP_ACTION_REMOVE:
    case AP_ACTION_CDC:
      return decode_file(arena, action, false, err);
    case AP_ACTION_TXN:
      return decode_txn(action, err);
    case AP_ACTION_DOMAIN:
      return decode_domain(action, err);
    case AP_ACTION_COMMIT_INFO:
      return decode_commit_info(action);
    case AP_ACTION_CHECKPOINT_METADATA:
      return decode_checkpoint_metadata(action, err);
    case AP_ACTION_SIDECAR:
      return decode_sidecar(arena, action, err);
    case AP_ACTION_METADATA:
    case AP_ACTION_PROTOCOL:
    case AP_ACTION_UNKNOWN:
      break;
  }
  return AP_OK;
}

/* A member that must be there. */
static ap_status need_text(const struct ap_json *value, const char *action, const char *name,
                           struct ap_text *out_text, ap_error *err) {
  const struct ap_json *member = ap_json_find(value, name);
  if (ap_json_is_null(member)) return AP_FAIL(err, AP_CORRUPT, "%s.%s is missing", action, name);
  if (member->kind != AP_JSON_STRING) {
    return AP_FAIL(err, AP_CORRUPT, "%s.%s is no text", action, name);
  }
  *out_text = member->text;
  return AP_OK;
}

static ap_status get_i64(const struct ap_json *value, const char *action, const char *name,
                         int64_t fallback, int64_t *out_number, ap_error *err) {
  if (ap_json_get_i64(value, name, fallback, out_number)) return AP_OK;
  return AP_FAIL(err, AP_CORRUPT, "%s.%s is no 64-bit integer", action, name);
}

bool ap_action_path_is_absolute(struct ap_text path) {
  if (path.size > 0 && path.data[0] == '/') return true;
  for (size_t i = 0; i < path.size; i++) {
    char c = path.data[i];
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    bool other = (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
    if (c == ':') return i > 0 && i + 1 < path.size && path.data[i + 1] == '/';
    if (!letter && !(other && i > 0)) return false;
  }
  return false;
}

/* A relative path may not leave the folder, whatever it is joined to. */
static ap_status check_relative(struct ap_text path, ap_error *err) {
  size_t start = 0;
  if (path.size > AP_KEY_BYTES_MAX) {
    return AP_FAIL(err, AP_CORRUPT, "path of %zu bytes is longer than %d", path.size,
                   (int)AP_KEY_BYTES_MAX);
  }
  for (size_t i = 0; i <= path.size; i++) {
    if (i < path.size && (unsigned char)path.data[i] < 0x20) {
      return AP_FAIL(err, AP_CORRUPT, "path holds control byte %d", (int)path.data[i]);
    }
    if (i < path.size && path.data[i] != '/') continue;
    struct ap_text segment = {path.data + start, i - start};
    if (segment.size == 0 || ap_text_equal_string(segment, ".") ||
        ap_text_equal_string(segment, "..")) {
      return AP_FAIL(err, AP_CORRUPT, "path '%.*s' holds the segment '%.*s'", AP_TEXT_ARG(path),
                     AP_TEXT_ARG(segment));
    }
    start = i + 1;
  }
  return AP_OK;
}

static ap_status decode_path(struct ap_arena *arena, struct ap_text uri, struct ap_text *out_path,
                             ap_error *err) {
  *out_path = uri;
  if (uri.size == 0) return AP_FAIL(err, AP_CORRUPT, "path is empty");
  if (ap_action_path_is_absolute(uri)) {
    if (memchr(uri.data, '\0', uri.size)) return AP_FAIL(err, AP_CORRUPT, "path holds a zero byte");
    return AP_OK;
  }
  if (memchr(uri.data, '%', uri.size)) {
    struct ap_buffer buffer;
    ap_buffer_init(&buffer, arena->allocator);
    bool valid = ap_uri_unescape_append(&buffer, uri);
    ap_status status = ap_buffer_check(&buffer, err);
    if (status == AP_OK && !valid) {
      status = AP_FAIL(err, AP_CORRUPT, "path '%.*s' has a broken %%-escape", AP_TEXT_ARG(uri));
    }
    if (status == AP_OK)
      status = ap_action_copy_text(arena, ap_buffer_text(&buffer), out_path, err);
    ap_buffer_deinit(&buffer);
    if (status != AP_OK) return status;
    if (!ap_text_is_utf8(*out_path)) {
      return AP_FAIL(err, AP_CORRUPT, "path '%.*s' is not UTF-8", AP_TEXT_ARG(uri));
    }
  }
  return check_relative(*out_path, err);
}

static ap_status decode_deletion_vector(const struct ap_json *value, struct ap_deletion_vector *out,
                                        ap_error *err) {
  *out = (struct ap_deletion_vector){.offset = -1};
  if (ap_json_is_null(value)) return AP_OK;
  if (value->kind != AP_JSON_OBJECT) {
    return AP_FAIL(err, AP_CORRUPT, "deletionVector is no JSON object");
  }
  struct ap_text type = {NULL, 0};
  AP_TRY(need_text(value, "deletionVector", "storageType", &type, err));
  if (type.size != 1 || !memchr("upi", type.data[0], 3)) {
    return AP_FAIL(err, AP_CORRUPT, "deletionVector.storageType '%.*s' is not u, p or i",
                   AP_TEXT_ARG(type));
  }
  out->storage_type = type.data[0];
  AP_TRY(need_text(value, "deletionVector", "pathOrInlineDv", &out->path_or_inline, err));
  AP_TRY(get_i64(value, "deletionVector", "offset", -1, &out->offset, err));
  AP_TRY(get_i64(value, "deletionVector", "sizeInBytes", -1, &out->size_bytes, err));
  AP_TRY(get_i64(value, "deletionVector", "cardinality", -1, &out->cardinality, err));
  if (out->offset < -1 || out->size_bytes < 0 || out->cardinality < 0) {
    return AP_FAIL(err, AP_CORRUPT, "deletionVector lacks a size or holds a negative number");
  }
  return AP_OK;
}

/* stats is text; checkpoints of some writers hold only stats_parsed, a struct of the same shape. */
static ap_status decode_statistics(struct ap_arena *arena, const struct ap_json *value,
                                   struct ap_text *out_json, ap_error *err) {
  const struct ap_json *stats = ap_json_find(value, "stats");
  if (!ap_json_is_null(stats)) {
    if (stats->kind != AP_JSON_STRING) return AP_FAIL(err, AP_CORRUPT, "add.stats is no text");
    *out_json = stats->text;
    return AP_OK;
  }
  const struct ap_json *parsed = ap_json_find(value, "stats_parsed");
  if (ap_json_is_null(parsed) || parsed->kind != AP_JSON_OBJECT) return AP_OK;
  return ap_action_json_text(arena, parsed, out_json, err);
}

static ap_status decode_file(struct ap_arena *arena, struct ap_action *action, bool is_add,
                             ap_error *err) {
  const char *name = is_add ? "add" : action->kind == AP_ACTION_CDC ? "cdc" : "remove";
  const struct ap_json *value = action->value;
  struct ap_file_action *file = &action->file;
  struct ap_text uri = {NULL, 0};
  *file = (struct ap_file_action){.size_bytes = -1};
  AP_TRY(need_text(value, name, "path", &uri, err));
  ap_status status = decode_path(arena, uri, &file->path, err);
  if (status != AP_OK) return ap_error_prefix(err, status, "%s.path", name);
  AP_TRY(get_i64(value, name, "size", -1, &file->size_bytes, err));
  if (is_add && file->size_bytes < 0) {
    return AP_FAIL(err, AP_CORRUPT, "add.size is missing or negative");
  }
  AP_TRY(get_i64(value, name, is_add ? "modificationTime" : "deletionTimestamp", 0,
                 &file->modified_ms, err));
  file->partition_values = ap_json_find(value, "partitionValues");
  if (ap_json_is_null(file->partition_values)) file->partition_values = NULL;
  if (file->partition_values && file->partition_values->kind != AP_JSON_OBJECT) {
    return AP_FAIL(err, AP_CORRUPT, "%s.partitionValues is no JSON object", name);
  }
  status =
      decode_deletion_vector(ap_json_find(value, "deletionVector"), &file->deletion_vector, err);
  if (status != AP_OK) return ap_error_prefix(err, status, "%s", name);
  if (!is_add) return AP_OK;

  AP_TRY(decode_statistics(arena, value, &file->statistics_json, err));
  const struct ap_json *tags = ap_json_find(value, "tags");
  if (ap_json_is_null(tags)) return AP_OK;
  if (tags->kind != AP_JSON_OBJECT) return AP_FAIL(err, AP_CORRUPT, "add.tags is no JSON object");
  return tags->count == 0 ? AP_OK : ap_action_json_text(arena, tags, &file->tags_json, err);
}

static ap_status decode_txn(struct ap_action *action, ap_error *err) {
  AP_TRY(need_text(action->value, "txn", "appId", &action->txn.app_id, err));
  if (ap_json_is_null(ap_json_find(action->value, "version"))) {
    return AP_FAIL(err, AP_CORRUPT, "txn.version is missing");
  }
  AP_TRY(get_i64(action->value, "txn", "version", 0, &action->txn.version, err));
  return get_i64(action->value, "txn", "lastUpdated", -1, &action->txn.updated_ms, err);
}

static ap_status decode_domain(struct ap_action *action, ap_error *err) {
  AP_TRY(need_text(action->value, "domainMetadata", "domain", &action->domain.domain, err));
  if (!ap_json_get_bool(action->value, "removed", false, &action->domain.removed)) {
    return AP_FAIL(err, AP_CORRUPT, "domainMetadata.removed is no boolean");
  }
  return AP_OK;
}

/* Free-form but for the members we need; others' texts of a wrong kind are not ours to judge. */
static ap_status decode_commit_info(struct ap_action *action) {
  struct ap_commit_info *info = &action->commit_info;
  *info = (struct ap_commit_info){.in_commit_timestamp = -1};
  struct ap_text none = {NULL, 0};
  if (!ap_json_get_text(action->value, "txnId", none, &info->txn_id)) info->txn_id = none;
  if (!ap_json_get_i64(action->value, "inCommitTimestamp", -1, &info->in_commit_timestamp)) {
    info->in_commit_timestamp = -1;
  }
  return AP_OK;
}

static ap_status decode_checkpoint_metadata(struct ap_action *action, ap_error *err) {
  AP_TRY(get_i64(action->value, "checkpointMetadata", "version", -1, &action->checkpoint_version,
                 err));
  if (action->checkpoint_version < 0) {
    return AP_FAIL(err, AP_CORRUPT, "checkpointMetadata.version is missing");
  }
  return AP_OK;
}

static ap_status decode_sidecar(struct ap_arena *arena, struct ap_action *action, ap_error *err) {
  struct ap_text uri = {NULL, 0};
  AP_TRY(need_text(action->value, "sidecar", "path", &uri, err));
  ap_status status = decode_path(arena, uri, &action->sidecar.path, err);
  return status == AP_OK ? AP_OK : ap_error_prefix(err, status, "sidecar.path");
}

bool ap_action_next_line(struct ap_text text, size_t *offset, uint32_t *line_number,
                         struct ap_text *out_line) {
  while (*offset < text.size) {
    const char *start = text.data + *offset;
    size_t left = text.size - *offset;
    const char *end = memchr(start, '\n', left);
    size_t size = end ? (size_t)(end - start) : left;
    *offset += size + (end ? 1 : 0);
    *line_number += 1;
    while (size > 0 && (start[size - 1] == '\r' || start[size - 1] == ' ')) size -= 1;
    while (size > 0 && *start == ' ') start += 1, size -= 1;
    if (size == 0) continue;
    *out_line = (struct ap_text){start, size};
    return true;
  }
  return false;
}

ap_status ap_action_partition_values(struct ap_arena *arena, const struct ap_json *partition_values,
                                     const struct ap_text *names, uint32_t count,
                                     struct ap_partition_value **out_values, ap_error *err) {
  struct ap_partition_value *values =
      AP_ARENA_ARRAY(arena, struct ap_partition_value, count ? count : 1);
  if (!values) return AP_FAIL_MEMORY(err);
  for (uint32_t i = 0; i < count; i++) {
    const struct ap_json *value = NULL;
    for (uint32_t m = 0; partition_values && m < partition_values->count; m++) {
      if (ap_text_equal(partition_values->members[m].name, names[i])) {
        value = &partition_values->members[m].value;
      }
    }
    values[i] = (struct ap_partition_value){.is_null = true};
    if (ap_json_is_null(value)) continue;
    if (value->kind != AP_JSON_STRING) {
      return AP_FAIL(err, AP_CORRUPT, "partition value of '%.*s' is no text",
                     AP_TEXT_ARG(names[i]));
    }
    if (value->text.size == 0) continue;
    values[i] = (struct ap_partition_value){.text = value->text};
  }
  *out_values = values;
  return AP_OK;
}

ap_status ap_action_json_text(struct ap_arena *arena, const struct ap_json *value,
                              struct ap_text *out_text, ap_error *err) {
  struct ap_buffer buffer;
  struct ap_json_writer writer;
  ap_buffer_init(&buffer, arena->allocator);
  ap_json_writer_init(&writer, &buffer);
  ap_json_value(&writer, value);
  ap_status status = ap_buffer_check(&buffer, err);
  if (status == AP_OK) status = ap_action_copy_text(arena, ap_buffer_text(&buffer), out_text, err);
  ap_buffer_deinit(&buffer);
  return status;
}

ap_status ap_action_copy_text(struct ap_arena *arena, struct ap_text text, struct ap_text *out_text,
                              ap_error *err) {
  const char *copy = ap_arena_copy(arena, text);
  if (!copy) return AP_FAIL_MEMORY(err);
  *out_text = (struct ap_text){copy, text.size};
  return AP_OK;
}
