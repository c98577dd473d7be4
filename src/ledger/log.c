/* SPDX-License-Identifier: Apache-2.0
 *
 * See log.h. Versions are 20 digits, so the order of keys is the order of versions, and everything
 * that does not begin with a digit ("_last_checkpoint", "_sidecars/") comes after all of them.
 */
#include "ledger/log.h"

#include "base/assert.h"
#include "base/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
  VERSION_DIGITS = 20,
  PART_DIGITS = 10,
  PARTS_MAX = 100000,
  GROWTH_MIN = 16,
  GATHERED_MAX = 4
};

ap_status ap_log_key(struct ap_text prefix, const char *name, char *out_key,
                     struct ap_text *out_text, ap_error *err) {
  int size = snprintf(out_key, AP_LOG_KEY_MAX, "%.*s/_delta_log/%s", AP_TEXT_ARG(prefix), name);
  if (size < 0 || size >= AP_LOG_KEY_MAX) {
    return AP_FAIL(err, AP_INVALID_ARGUMENT, "the folder name '%.*s' is too long",
                   AP_TEXT_ARG(prefix));
  }
  *out_text = (struct ap_text){out_key, (size_t)size};
  return AP_OK;
}

ap_status ap_log_commit_key(struct ap_text prefix, int64_t version, char *out_key,
                            struct ap_text *out_text, ap_error *err) {
  char name[VERSION_DIGITS + 8];
  AP_ASSERT(version >= 0);
  (void)snprintf(name, sizeof(name), "%020" PRId64 ".json", version);
  return ap_log_key(prefix, name, out_key, out_text, err);
}

/* Digits at the start of text as a number. */
static bool take_number(struct ap_text *text, size_t digits, int64_t *out_number) {
  if (text->size < digits) return false;
  int64_t number = 0;
  for (size_t i = 0; i < digits; i++) {
    char c = text->data[i];
    if (c < '0' || c > '9') return false;
    if (__builtin_mul_overflow(number, 10, &number)) return false;
    if (__builtin_add_overflow(number, c - '0', &number)) return false;
  }
  *text = (struct ap_text){text->data + digits, text->size - digits};
  *out_number = number;
  return true;
}

enum file_kind { FILE_OTHER, FILE_COMMIT, FILE_CHECKPOINT };

struct log_file {
  enum file_kind kind;
  int64_t version;
  enum ap_checkpoint_form form;
  int64_t part;
  int64_t parts;
};

/* <v>.checkpoint.<part>.<parts>.parquet: what follows "checkpoint." */
static bool parse_parts(struct ap_text rest, struct log_file *file) {
  if (!take_number(&rest, PART_DIGITS, &file->part) || rest.size == 0 || rest.data[0] != '.') {
    return false;
  }
  rest = (struct ap_text){rest.data + 1, rest.size - 1};
  return take_number(&rest, PART_DIGITS, &file->parts) &&
         ap_text_equal(rest, AP_TEXT(".parquet")) && file->part >= 1 && file->part <= file->parts &&
         file->parts <= PARTS_MAX;
}

static struct log_file parse_name(struct ap_text name) {
  struct log_file file = {.kind = FILE_OTHER, .version = -1, .part = 1, .parts = 1};
  static const struct ap_text checkpoint = {".checkpoint.", 12};
  if (!take_number(&name, VERSION_DIGITS, &file.version)) return file;
  if (ap_text_equal(name, AP_TEXT(".json"))) {
    file.kind = FILE_COMMIT;
  } else if (ap_text_starts_with(name, checkpoint)) {
    struct ap_text rest = {name.data + checkpoint.size, name.size - checkpoint.size};
    struct log_file parts = file;
    if (ap_text_equal(rest, AP_TEXT("parquet"))) {
      file.kind = FILE_CHECKPOINT;
      file.form = AP_CHECKPOINT_CLASSIC;
    } else if (parse_parts(rest, &parts)) {
      file = parts;
      file.kind = FILE_CHECKPOINT;
      file.form = AP_CHECKPOINT_PARTS;
    } else if (!memchr(rest.data, '/', rest.size) &&
               (ap_text_ends_with(rest, AP_TEXT(".parquet")) ||
                ap_text_ends_with(rest, AP_TEXT(".json")))) {
      file.kind = FILE_CHECKPOINT;
      file.form = AP_CHECKPOINT_V2;
    }
  }
  return file;
}

struct lister {
  struct ap_arena *arena;
  struct ap_log_listing *listing;
  size_t folder_size; /* of "<prefix>/_delta_log/" */
  uint32_t commit_room;
  uint32_t checkpoint_room;
  /* multi-part checkpoints that are being gathered; racing writers may have cut one version into
     different numbers of parts */
  struct ap_log_checkpoint gathered[GATHERED_MAX];
  uint32_t parts_seen[GATHERED_MAX];
  uint32_t next_gathered;
};

/* Room for one more item in an array of the arena. */
static void *grow(struct ap_arena *arena, void *items, uint32_t count, uint32_t *room,
                  size_t size) {
  if (count < *room) return items;
  uint32_t wanted = *room ? *room * 2 : GROWTH_MIN;
  void *larger = ap_arena_allocate_zeroed(arena, wanted, size);
  if (!larger) return NULL;
  if (count > 0) memcpy(larger, items, count * size);
  *room = wanted;
  return larger;
}

static ap_status add_checkpoint(struct lister *lister, const struct ap_log_checkpoint *checkpoint,
                                ap_error *err) {
  struct ap_log_listing *listing = lister->listing;
  struct ap_log_checkpoint *items =
      grow(lister->arena, listing->checkpoints, listing->checkpoint_count, &lister->checkpoint_room,
           sizeof(*items));
  if (!items) return AP_FAIL_MEMORY(err);
  listing->checkpoints = items;
  items[listing->checkpoint_count++] = *checkpoint;
  return AP_OK;
}

/* Keys come in order, so the parts of one checkpoint come as 1, 2, ..; a missing one leaves it
 * incomplete, and its place is taken by a later one. */
static ap_status add_part(struct lister *lister, const struct log_file *file,
                          const struct ap_store_object *object, const char *name, ap_error *err) {
  uint32_t slot = 0;
  if (file->part == 1) {
    slot = lister->next_gathered++ % GATHERED_MAX;
    struct ap_log_checkpoint *fresh = &lister->gathered[slot];
    *fresh = (struct ap_log_checkpoint){
        .version = file->version, .form = AP_CHECKPOINT_PARTS, .part_count = (uint32_t)file->parts};
    fresh->names = AP_ARENA_ARRAY(lister->arena, const char *, (size_t)file->parts);
    if (!fresh->names) return AP_FAIL_MEMORY(err);
    lister->parts_seen[slot] = 0;
  }
  for (; file->part > 1 && slot < GATHERED_MAX; slot++) {
    const struct ap_log_checkpoint *known = &lister->gathered[slot];
    if (known->names && known->version == file->version &&
        known->part_count == (uint32_t)file->parts) {
      break;
    }
  }
  if (slot == GATHERED_MAX || (int64_t)lister->parts_seen[slot] + 1 != file->part) return AP_OK;
  struct ap_log_checkpoint *parts = &lister->gathered[slot];
  parts->names[lister->parts_seen[slot]++] = name;
  if (object->modified_ms > parts->modified_ms) parts->modified_ms = object->modified_ms;
  if (lister->parts_seen[slot] < parts->part_count) return AP_OK;
  return add_checkpoint(lister, parts, err);
}

static ap_status add_checkpoint_file(struct lister *lister, const struct log_file *file,
                                     const struct ap_store_object *object, struct ap_text name,
                                     ap_error *err) {
  const char *copy = ap_arena_copy(lister->arena, name);
  if (!copy) return AP_FAIL_MEMORY(err);
  if (file->form == AP_CHECKPOINT_PARTS) return add_part(lister, file, object, copy, err);
  struct ap_log_checkpoint checkpoint = {.version = file->version,
                                         .form = file->form,
                                         .part_count = 1,
                                         .modified_ms = object->modified_ms};
  checkpoint.names = AP_ARENA_ARRAY(lister->arena, const char *, 1);
  if (!checkpoint.names) return AP_FAIL_MEMORY(err);
  checkpoint.names[0] = copy;
  return add_checkpoint(lister, &checkpoint, err);
}

static ap_status visit_object(void *context, const struct ap_store_object *object, ap_error *err) {
  struct lister *lister = context;
  AP_ASSERT(object->key.size >= lister->folder_size);
  struct ap_text name = {object->key.data + lister->folder_size,
                         object->key.size - lister->folder_size};
  if (name.size > 0 && name.data[0] > '9') return AP_END;
  struct log_file file = parse_name(name);
  if (file.kind == FILE_CHECKPOINT) return add_checkpoint_file(lister, &file, object, name, err);
  if (file.kind != FILE_COMMIT) return AP_OK;
  struct ap_log_listing *listing = lister->listing;
  struct ap_log_commit *items = grow(lister->arena, listing->commits, listing->commit_count,
                                     &lister->commit_room, sizeof(*items));
  if (!items) return AP_FAIL_MEMORY(err);
  listing->commits = items;
  items[listing->commit_count++] =
      (struct ap_log_commit){file.version, object->modified_ms, object->size_bytes};
  return AP_OK;
}

ap_status ap_log_list(struct ap_store *store, struct ap_text prefix, int64_t first_version,
                      struct ap_arena *arena, struct ap_log_listing *out_listing, ap_error *err) {
  char folder[AP_LOG_KEY_MAX];
  char after[AP_LOG_KEY_MAX];
  char name[VERSION_DIGITS + 8];
  struct ap_text folder_text;
  struct ap_text after_text = {NULL, 0};
  AP_ASSERT(first_version >= 0);
  *out_listing = (struct ap_log_listing){0};
  AP_TRY(ap_log_key(prefix, "", folder, &folder_text, err));
  (void)snprintf(name, sizeof(name), "%020" PRId64, first_version);
  /* "<v>" itself is no file, and every file of version v comes after it */
  if (first_version > 0) AP_TRY(ap_log_key(prefix, name, after, &after_text, err));
  struct lister lister = {.arena = arena, .listing = out_listing, .folder_size = folder_text.size};
  return ap_store_list(store, folder_text, after_text, visit_object, &lister, err);
}

const struct ap_log_commit *ap_log_find_commit(const struct ap_log_listing *listing,
                                               int64_t version) {
  uint32_t low = 0;
  uint32_t high = listing->commit_count;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (listing->commits[middle].version < version) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  bool found = low < listing->commit_count && listing->commits[low].version == version;
  return found ? &listing->commits[low] : NULL;
}

int64_t ap_log_first_version(const struct ap_log_listing *listing) {
  if (listing->commit_count > 0 && listing->commits[0].version == 0) return 0;
  return listing->checkpoint_count > 0 ? listing->checkpoints[0].version : -1;
}

static ap_status parse_last_checkpoint(struct ap_allocator *allocator, struct ap_text text,
                                       struct ap_last_checkpoint *out, ap_error *err) {
  struct ap_arena arena;
  const struct ap_json *json = NULL;
  int64_t version = -1;
  int64_t add_count = -1;
  ap_arena_init(&arena, allocator);
  ap_status status = ap_json_parse(&arena, text, &json, NULL);
  if (status == AP_OK && ap_json_get_i64(json, "version", -1, &version) && version >= 0) {
    out->version = version;
    if (!ap_json_get_i64(json, "numOfAddFiles", -1, &add_count)) add_count = -1;
    out->add_count = add_count;
  }
  ap_arena_deinit(&arena);
  return status == AP_OUT_OF_MEMORY ? AP_FAIL_MEMORY(err) : AP_OK;
}

ap_status ap_log_read_last_checkpoint(struct ap_store *store, struct ap_text prefix,
                                      struct ap_allocator *allocator,
                                      struct ap_last_checkpoint *out, ap_error *err) {
  char key[AP_LOG_KEY_MAX];
  struct ap_text key_text;
  ap_error local;
  struct ap_buffer buffer;
  *out = (struct ap_last_checkpoint){.version = -1, .add_count = -1};
  AP_TRY(ap_log_key(prefix, "_last_checkpoint", key, &key_text, err));
  ap_buffer_init(&buffer, allocator);
  ap_error_clear(&local);
  ap_status status = ap_store_get(store, key_text, 0, -1, &buffer, &local);
  if (status == AP_OK) {
    status = parse_last_checkpoint(allocator, ap_buffer_text(&buffer), out, err);
  } else if (status == AP_NOT_FOUND) {
    status = AP_OK;
  } else if (err) {
    *err = local;
  }
  ap_buffer_deinit(&buffer);
  return status;
}

/* Removal. */

struct remover {
  struct ap_arena *arena;
  size_t folder_size;
  int64_t keep_version;
  const char **keys;
  uint32_t count;
  uint32_t room;
};

/* Our business: "<v>.json", "<v>.crc", "<v>.checkpoint*", "<v>.<w>.compacted.json". */
static bool is_expired(struct ap_text name, int64_t keep_version) {
  int64_t version = -1;
  struct ap_text rest = name;
  if (!take_number(&rest, VERSION_DIGITS, &version) || version >= keep_version) return false;
  return parse_name(name).kind != FILE_OTHER || ap_text_equal(rest, AP_TEXT(".crc")) ||
         ap_text_ends_with(rest, AP_TEXT(".compacted.json"));
}

static ap_status visit_expired(void *context, const struct ap_store_object *object, ap_error *err) {
  struct remover *remover = context;
  struct ap_text name = {object->key.data + remover->folder_size,
                         object->key.size - remover->folder_size};
  struct ap_text digits = name;
  int64_t version = -1;
  if (name.size > 0 && name.data[0] > '9') return AP_END;
  if (take_number(&digits, VERSION_DIGITS, &version) && version >= remover->keep_version) {
    return AP_END;
  }
  if (!is_expired(name, remover->keep_version)) return AP_OK;
  const char **keys =
      grow(remover->arena, remover->keys, remover->count, &remover->room, sizeof(*keys));
  const char *copy = ap_arena_copy(remover->arena, object->key);
  if (!keys || !copy) return AP_FAIL_MEMORY(err);
  remover->keys = keys;
  keys[remover->count++] = copy;
  return AP_OK;
}

ap_status ap_log_remove_before(struct ap_store *store, struct ap_text prefix, int64_t keep_version,
                               struct ap_arena *arena, ap_error *err) {
  char folder[AP_LOG_KEY_MAX];
  struct ap_text folder_text;
  AP_TRY(ap_log_key(prefix, "", folder, &folder_text, err));
  struct remover remover = {
      .arena = arena, .folder_size = folder_text.size, .keep_version = keep_version};
  AP_TRY(
      ap_store_list(store, folder_text, (struct ap_text){NULL, 0}, visit_expired, &remover, err));
  for (uint32_t i = 0; i < remover.count; i++) {
    AP_TRY(ap_store_remove(store, ap_text_of(remover.keys[i]), err));
  }
  return AP_OK;
}
