/* SPDX-License-Identifier: Apache-2.0
 *
 * The file table over the simulated disk. Each call is one point of the schedule and one number for
 * faults. Answers are those of the machine's own file system (files_test.c asks both the same).
 */
#include "testing/sim_internal.h"

#include "base/assert.h"
#include "testing/sim_disk.h"

#include <string.h>

enum { NAME_BYTES_MAX = 255 };

struct sim_lock {
  struct sim_node *node;
  int64_t crashes; /* of the disk when it was taken */
};

static struct ap_sim *sim_of(struct ap_files *self) {
  return ((struct sim_files *)self)->sim;
}

static int64_t now_ms(const struct ap_sim *sim) {
  return (sim->now_us + sim->wall_offset_us) / 1000;
}

static ap_status fail_path(ap_error *err, ap_status status, const char *what, const char *path) {
  return AP_FAIL(err, status, "cannot %s %s: simulated %s", what, path, ap_status_name(status));
}

static enum ap_sim_fault next_fault(struct ap_sim *sim) {
  sim_yield(sim);
  sim->file_calls++;
  if (sim->power_lost) return AP_SIM_FAULT_IO;
  if (sim->file_calls != sim->fail_at) return AP_SIM_FAULT_NONE;
  sim->fault_struck = true;
  if (sim->fault == AP_SIM_FAULT_POWER_LOSS) sim->power_lost = true;
  return sim->fault;
}

/* The start of every call: an armed fault strikes here, unless it is one that strikes after. */
static ap_status begin(struct ap_sim *sim, const char *what, const char *path, bool *out_lost_reply,
                       ap_error *err) {
  enum ap_sim_fault fault = next_fault(sim);
  *out_lost_reply = fault == AP_SIM_FAULT_LOST_REPLY;
  if (fault == AP_SIM_FAULT_NONE || fault == AP_SIM_FAULT_LOST_REPLY) return AP_OK;
  return fail_path(err, fault == AP_SIM_FAULT_NO_SPACE ? AP_NO_SPACE : AP_IO, what, path);
}

/* The end of every call that changes something. */
static ap_status end(ap_status status, bool lost_reply, const char *what, const char *path,
                     ap_error *err) {
  if (status != AP_OK) return fail_path(err, status, what, path);
  return lost_reply ? fail_path(err, AP_IO, what, path) : AP_OK;
}

/* Calls that only look cannot succeed unseen. */
static ap_status begin_looking(struct ap_sim *sim, const char *what, const char *path,
                               ap_error *err) {
  bool lost_reply;
  AP_TRY(begin(sim, what, path, &lost_reply, err));
  return lost_reply ? fail_path(err, AP_IO, what, path) : AP_OK;
}

static ap_status find_new(struct ap_sim *sim, const char *path, struct sim_place *out_place) {
  ap_status status = sim_disk_find(sim->disk, path, out_place);
  if (status != AP_OK) return status;
  if (out_place->node) return AP_ALREADY_EXISTS;
  return strlen(out_place->name) > NAME_BYTES_MAX ? AP_IO : AP_OK;
}

static ap_status find_existing(struct ap_sim *sim, const char *path, struct sim_place *out_place) {
  ap_status status = sim_disk_find(sim->disk, path, out_place);
  if (status != AP_OK) return status;
  return out_place->node ? AP_OK : AP_NOT_FOUND;
}

static ap_status find_folder(struct ap_sim *sim, const char *path, struct sim_place *out_place) {
  ap_status status = find_existing(sim, path, out_place);
  if (status != AP_OK) return status;
  return out_place->node->kind == AP_FILE_FOLDER ? AP_OK : AP_NOT_FOUND;
}

static ap_status sim_create(struct ap_files *self, const char *path, struct ap_text data, bool sync,
                            ap_error *err) {
  struct ap_sim *sim = sim_of(self);
  enum ap_sim_fault fault = next_fault(sim);
  if (fault == AP_SIM_FAULT_NO_SPACE) return fail_path(err, AP_NO_SPACE, "write", path);
  if (fault == AP_SIM_FAULT_IO) return fail_path(err, AP_IO, "write", path);
  struct sim_place place;
  ap_status status = find_new(sim, path, &place);
  if (status != AP_OK) return fail_path(err, status, "create", path);
  bool torn = fault == AP_SIM_FAULT_TORN_WRITE || fault == AP_SIM_FAULT_POWER_LOSS;
  if (torn) data.size = (size_t)ap_random_below(&sim->damage.base, (uint64_t)data.size + 1);
  struct sim_node *node = sim_disk_new_node(sim->disk, AP_FILE_REGULAR, now_ms(sim));
  sim_disk_fill(sim->disk, node, data);
  node->synced = sync && !torn;
  sim_disk_change(sim->disk, place.folder, NULL, place.name, node);
  return fault == AP_SIM_FAULT_NONE ? AP_OK : fail_path(err, AP_IO, "write", path);
}

static ap_status sim_read(struct ap_files *self, const char *path, int64_t offset, int64_t size,
                          struct ap_buffer *out, ap_error *err) {
  struct ap_sim *sim = sim_of(self);
  AP_ASSERT(offset >= 0);
  AP_TRY(begin_looking(sim, "read", path, err));
  struct sim_place place;
  ap_status status = find_existing(sim, path, &place);
  if (status == AP_OK && place.node->kind != AP_FILE_REGULAR) status = AP_IO;
  if (status != AP_OK) return fail_path(err, status, "read", path);
  size_t start = (uint64_t)offset < place.node->size ? (size_t)offset : place.node->size;
  size_t count = place.node->size - start;
  if (size >= 0 && (uint64_t)size < count) count = (size_t)size;
  ap_buffer_append(out, place.node->data + start, count);
  return ap_buffer_check(out, err);
}

static ap_status sim_info(struct ap_files *self, const char *path, struct ap_file_info *out_info,
                          ap_error *err) {
  struct ap_sim *sim = sim_of(self);
  AP_TRY(begin_looking(sim, "look up", path, err));
  struct sim_place place;
  ap_status status = find_existing(sim, path, &place);
  if (status != AP_OK) return fail_path(err, status, "look up", path);
  out_info->kind = place.node->kind;
  out_info->size_bytes = (int64_t)place.node->size;
  out_info->modified_ms = place.node->modified_ms;
  return AP_OK;
}

static void sync_node(struct ap_sim *sim, struct sim_node *node) {
  node->synced = true;
  sim_disk_persist(sim->disk, node, node->change_count);
}

static ap_status sim_sync_file(struct ap_files *self, const char *path, ap_error *err) {
  struct ap_sim *sim = sim_of(self);
  bool lost_reply;
  AP_TRY(begin(sim, "sync", path, &lost_reply, err));
  struct sim_place place;
  ap_status status = find_existing(sim, path, &place);
  if (status == AP_OK) sync_node(sim, place.node);
  return end(status, lost_reply, "sync", path, err);
}

static ap_status sim_sync_folder(struct ap_files *self, const char *path, ap_error *err) {
  struct ap_sim *sim = sim_of(self);
  bool lost_reply;
  AP_TRY(begin(sim, "sync the folder", path, &lost_reply, err));
  struct sim_place place;
  ap_status status = find_folder(sim, path, &place);
  if (status == AP_OK) sync_node(sim, place.node);
  return end(status, lost_reply, "sync the folder", path, err);
}

static ap_status do_link(struct ap_sim *sim, const char *path, const char *new_path) {
  struct sim_place from;
  struct sim_place to;
  ap_status status = find_existing(sim, path, &from);
  if (status != AP_OK) return status;
  status = find_new(sim, new_path, &to);
  if (status != AP_OK) return status;
  if (from.node->kind != AP_FILE_REGULAR) return AP_PERMISSION;
  sim_disk_change(sim->disk, to.folder, NULL, to.name, from.node);
  return AP_OK;
}

static ap_status sim_link(struct ap_files *self, const char *path, const char *new_path,
                          ap_error *err) {
  bool lost_reply;
  struct ap_sim *sim = sim_of(self);
  AP_TRY(begin(sim, "make the name", new_path, &lost_reply, err));
  return end(do_link(sim, path, new_path), lost_reply, "make the name", new_path, err);
}

/* Whether folder stands below node. Searches down: nodes do not know their parents. */
static bool is_inside(const struct sim_node *folder, const struct sim_node *node) {
  if (folder == node) return true;
  if (node->kind != AP_FILE_FOLDER) return false;
  for (size_t i = 0; i < node->seen.count; i++) {
    if (is_inside(folder, node->seen.items[i].node)) return true;
  }
  return false;
}

static ap_status do_rename(struct ap_sim *sim, const char *path, const char *new_path) {
  struct sim_place from;
  struct sim_place to;
  ap_status status = find_existing(sim, path, &from);
  if (status != AP_OK) return status;
  status = sim_disk_find(sim->disk, new_path, &to);
  if (status != AP_OK) return status;
  if (!from.folder || !to.folder || is_inside(to.folder, from.node)) return AP_IO;
  if (to.node == from.node) return AP_OK; /* two names of one file: POSIX keeps both */
  if (to.node && to.node->kind == AP_FILE_FOLDER) {
    if (from.node->kind != AP_FILE_FOLDER) return AP_IO;
    if (to.node->seen.count > 0) return AP_ALREADY_EXISTS;
  } else if (to.node && from.node->kind == AP_FILE_FOLDER) {
    return AP_NOT_FOUND;
  }
  if (from.folder == to.folder) {
    sim_disk_change(sim->disk, to.folder, from.name, to.name, from.node);
  } else {
    sim_disk_change(sim->disk, to.folder, NULL, to.name, from.node);
    sim_disk_change(sim->disk, from.folder, from.name, NULL, NULL);
  }
  return AP_OK;
}

static ap_status sim_rename(struct ap_files *self, const char *path, const char *new_path,
                            ap_error *err) {
  bool lost_reply;
  struct ap_sim *sim = sim_of(self);
  AP_TRY(begin(sim, "rename", path, &lost_reply, err));
  return end(do_rename(sim, path, new_path), lost_reply, "rename", path, err);
}

static ap_status sim_remove_file(struct ap_files *self, const char *path, ap_error *err) {
  bool lost_reply;
  struct ap_sim *sim = sim_of(self);
  AP_TRY(begin(sim, "remove", path, &lost_reply, err));
  struct sim_place place;
  ap_status status = find_existing(sim, path, &place);
  if (status == AP_OK && place.node->kind != AP_FILE_REGULAR) status = AP_IO;
  if (status == AP_OK) sim_disk_change(sim->disk, place.folder, place.name, NULL, NULL);
  return end(status, lost_reply, "remove", path, err);
}

static ap_status sim_remove_folder(struct ap_files *self, const char *path, ap_error *err) {
  bool lost_reply;
  struct ap_sim *sim = sim_of(self);
  AP_TRY(begin(sim, "remove the folder", path, &lost_reply, err));
  struct sim_place place;
  ap_status status = find_folder(sim, path, &place);
  if (status == AP_OK && place.node->seen.count > 0) status = AP_ALREADY_EXISTS;
  if (status == AP_OK && !place.folder) status = AP_IO;
  if (status == AP_OK) sim_disk_change(sim->disk, place.folder, place.name, NULL, NULL);
  return end(status, lost_reply, "remove the folder", path, err);
}

/* One folder whose parent exists; existing is fine, another kind of that name is not. */
static ap_status do_make_folder(struct ap_sim *sim, const char *path, struct sim_place *out_place) {
  ap_status status = sim_disk_find(sim->disk, path, out_place);
  if (status != AP_OK) return status;
  if (out_place->node) {
    return out_place->node->kind == AP_FILE_FOLDER ? AP_OK : AP_ALREADY_EXISTS;
  }
  if (strlen(out_place->name) > NAME_BYTES_MAX) return AP_IO;
  out_place->node = sim_disk_new_node(sim->disk, AP_FILE_FOLDER, now_ms(sim));
  sim_disk_change(sim->disk, out_place->folder, NULL, out_place->name, out_place->node);
  return AP_OK;
}

static ap_status sim_make_folder(struct ap_files *self, const char *path, ap_error *err) {
  bool lost_reply;
  struct ap_sim *sim = sim_of(self);
  AP_TRY(begin(sim, "make the folder", path, &lost_reply, err));
  struct sim_place place;
  return end(do_make_folder(sim, path, &place), lost_reply, "make the folder", path, err);
}

static ap_status do_make_folders(struct ap_sim *sim, const char *path) {
  if (*path == '\0') return AP_INVALID_ARGUMENT;
  char *copy = ap_arena_copy_string(&sim->disk->arena, path);
  AP_ASSERT(copy);
  size_t size = strlen(copy);
  for (size_t at = 1; at <= size; at++) {
    char byte = copy[at];
    if (byte != '/' && byte != '\0') continue;
    copy[at] = '\0';
    struct sim_place place;
    ap_status status = do_make_folder(sim, copy, &place);
    copy[at] = byte;
    if (status != AP_OK) return status;
    if (place.folder) sync_node(sim, place.folder);
  }
  return AP_OK;
}

static ap_status sim_make_folders(struct ap_files *self, const char *path, ap_error *err) {
  bool lost_reply;
  struct ap_sim *sim = sim_of(self);
  AP_TRY(begin(sim, "make the folder", path, &lost_reply, err));
  return end(do_make_folders(sim, path), lost_reply, "make the folder", path, err);
}

/* In an order of the seed's choice, over a copy, because visit may change the folder. */
static ap_status sim_list(struct ap_files *self, const char *path, ap_file_visit visit,
                          void *context, ap_error *err) {
  struct ap_sim *sim = sim_of(self);
  AP_TRY(begin_looking(sim, "list", path, err));
  struct sim_place place;
  ap_status status = find_folder(sim, path, &place);
  if (status != AP_OK) return fail_path(err, status, "list", path);
  size_t count = place.node->seen.count;
  if (count == 0) return AP_OK;
  struct sim_entry *entries = sim_allocate(count * sizeof(*entries));
  memcpy(entries, place.node->seen.items, count * sizeof(*entries));
  for (size_t i = 0; i < count && status == AP_OK; i++) {
    size_t chosen = i + (size_t)ap_random_below(&sim->damage.base, (uint64_t)(count - i));
    struct sim_entry entry = entries[chosen];
    entries[chosen] = entries[i];
    status = visit(context, entry.name, entry.node->kind, err);
  }
  sim_free(entries);
  return status;
}

static ap_status sim_try_lock(struct ap_files *self, const char *path,
                              enum ap_file_lock *out_result, void **out_handle, ap_error *err) {
  struct ap_sim *sim = sim_of(self);
  AP_TRY(begin_looking(sim, "lock", path, err));
  struct sim_place place;
  ap_status status = sim_disk_find(sim->disk, path, &place);
  if (status == AP_OK && place.node && place.node->kind != AP_FILE_REGULAR) status = AP_IO;
  if (status != AP_OK) return fail_path(err, status, "lock", path);
  if (!place.node) {
    place.node = sim_disk_new_node(sim->disk, AP_FILE_REGULAR, now_ms(sim));
    sim_disk_fill(sim->disk, place.node, AP_TEXT(""));
    sim_disk_change(sim->disk, place.folder, NULL, place.name, place.node);
  }
  *out_handle = NULL;
  *out_result = AP_FILE_LOCK_HELD_ELSEWHERE;
  if (place.node->locked) return AP_OK;
  struct sim_lock *lock = sim_allocate(sizeof(*lock));
  lock->node = place.node;
  lock->crashes = sim->disk->crashes;
  place.node->locked = true;
  *out_result = AP_FILE_LOCK_TAKEN;
  *out_handle = lock;
  return AP_OK;
}

static void sim_unlock(struct ap_files *self, void *handle) {
  struct ap_sim *sim = sim_of(self);
  struct sim_lock *lock = handle;
  if (!lock) return;
  if (lock->crashes == sim->disk->crashes) {
    AP_ASSERT(lock->node->locked);
    lock->node->locked = false;
  }
  sim_free(lock);
  sim_yield(sim);
}

void sim_files_init(struct ap_sim *sim) {
  sim->disk = sim_disk_create();
  sim->files.sim = sim;
  sim->files.base = (struct ap_files){
      .create = sim_create,
      .read = sim_read,
      .info = sim_info,
      .sync_file = sim_sync_file,
      .sync_folder = sim_sync_folder,
      .link = sim_link,
      .rename = sim_rename,
      .remove_file = sim_remove_file,
      .remove_folder = sim_remove_folder,
      .make_folder = sim_make_folder,
      .make_folders = sim_make_folders,
      .list = sim_list,
      .try_lock = sim_try_lock,
      .unlock = sim_unlock,
  };
}

void sim_files_deinit(struct ap_sim *sim) {
  sim_disk_destroy(sim->disk);
  sim->disk = NULL;
}

void sim_files_crash(struct ap_sim *sim, enum ap_sim_crash crash) {
  sim_disk_crash(sim->disk, crash, &sim->damage.base);
}
