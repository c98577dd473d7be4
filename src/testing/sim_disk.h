/* SPDX-License-Identifier: Apache-2.0
 *
 * The simulated disk: nodes, names, and what of them has reached the platter.
 *
 * A folder has the names that programs see, the names that would be there after a power loss, and
 * between the two the ordered list of changes that nobody has synced yet. A file's bytes are
 * written once, so "synced" is one flag. Removed nodes stay in memory until the disk goes.
 */
#ifndef AP_TESTING_SIM_DISK_H
#define AP_TESTING_SIM_DISK_H

#include "testing/sim_internal.h"

struct sim_entry {
  const char *name;
  struct sim_node *node;
};

struct sim_entries {
  struct sim_entry *items;
  size_t count;
  size_t capacity;
};

/* One unsynced change of one folder: take old_name away, put new_name there; either may be NULL. */
struct sim_change {
  const char *old_name;
  const char *new_name;
  struct sim_node *node;
};

struct sim_node {
  struct sim_node *next;
  enum ap_file_kind kind;
  int64_t modified_ms;
  bool locked;
  /* of a file */
  char *data;
  size_t size;
  bool synced;
  /* of a folder */
  struct sim_entries seen;
  struct sim_entries durable;
  struct sim_change *changes;
  size_t change_count;
  size_t change_capacity;
};

struct sim_disk {
  struct ap_arena arena; /* all memory of the disk */
  struct sim_node *nodes;
  struct sim_node *root;
  int64_t crashes; /* handles of locks from before a crash are void */
};

/* Where a path leads. */
struct sim_place {
  struct sim_node *folder; /* NULL for the root itself */
  const char *name;        /* the last part of the path, in the disk's memory */
  struct sim_node *node;   /* NULL when the name is not there */
};

struct sim_disk *sim_disk_create(void);
void sim_disk_destroy(struct sim_disk *disk);
struct sim_node *sim_disk_new_node(struct sim_disk *disk, enum ap_file_kind kind, int64_t now_ms);
/* Take a file's bytes. */
void sim_disk_fill(struct sim_disk *disk, struct sim_node *node, struct ap_text data);
/* AP_NOT_FOUND when a parent is missing or no folder; AP_INVALID_ARGUMENT for paths with "..". */
ap_status sim_disk_find(struct sim_disk *disk, const char *path, struct sim_place *out_place);
/* Change the names of a folder as programs see them, and remember it as not synced. */
void sim_disk_change(struct sim_disk *disk, struct sim_node *folder, const char *old_name,
                     const char *new_name, struct sim_node *node);
struct sim_node *sim_disk_lookup(const struct sim_node *folder, const char *name);
/* The first count changes reach the platter. */
void sim_disk_persist(struct sim_disk *disk, struct sim_node *folder, size_t count);
/* What programs see becomes what is on the platter, for every node. */
void sim_disk_crash(struct sim_disk *disk, enum ap_sim_crash crash, struct ap_random *random);

#endif
