/* SPDX-License-Identifier: Apache-2.0
 *
 * The arena's parts as a list in order of address, neighbours of equal kind merged, and the free
 * ones also as a treap by address (Aragon and Seidel, "Randomized search trees", 1989) in which
 * each node knows the largest block below it: so the highest that fits is found on one way down,
 * and those among which to look for the best are few, because what is large is few.
 */
#include "shelf/space.h"

#include "base/assert.h"

enum { CANDIDATES_MAX = 1024 }; /* that the best is chosen of */

struct ap_shelf_block {
  int64_t offset;
  int64_t bytes; /* multiple of the grain */
  int64_t asked; /* of a taken block */
  struct ap_shelf_block *before;
  struct ap_shelf_block *after;
  struct ap_shelf_block *left; /* free blocks only, as the next three */
  struct ap_shelf_block *right;
  int64_t largest; /* of this and those below it */
  uint64_t priority;
  int64_t warm_bytes; /* from the front; behind them all is cold */
  bool is_free;
};

struct ap_shelf_space {
  struct ap_allocator *allocator;
  int64_t bytes;
  int64_t page_bytes;
  int64_t small_bytes;
  int64_t used;
  struct ap_shelf_block *last;
  struct ap_shelf_block *tree;
};

/* ---- the tree of free blocks ----------------------------------------------------------------- */

static uint64_t mix(uint64_t number) {
  number = (number ^ (number >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
  number = (number ^ (number >> 27)) * UINT64_C(0x94D049BB133111EB);
  return number ^ (number >> 31);
}

static int64_t largest_of(const struct ap_shelf_block *tree) {
  return tree != NULL ? tree->largest : 0;
}

static struct ap_shelf_block *weigh(struct ap_shelf_block *block) {
  int64_t largest = block->bytes;
  if (largest_of(block->left) > largest) largest = block->left->largest;
  if (largest_of(block->right) > largest) largest = block->right->largest;
  block->largest = largest;
  return block;
}

/* All below the offset into *out_low, the rest into *out_high. */
static void split(struct ap_shelf_block *tree, int64_t offset, struct ap_shelf_block **out_low,
                  struct ap_shelf_block **out_high) {
  if (tree == NULL) {
    *out_low = NULL;
    *out_high = NULL;
  } else if (tree->offset < offset) {
    split(tree->right, offset, &tree->right, out_high);
    *out_low = weigh(tree);
  } else {
    split(tree->left, offset, out_low, &tree->left);
    *out_high = weigh(tree);
  }
}

/* All of low lie before all of high. */
static struct ap_shelf_block *join(struct ap_shelf_block *low, struct ap_shelf_block *high) {
  if (low == NULL) return high;
  if (high == NULL) return low;
  if (low->priority > high->priority) {
    low->right = join(low->right, high);
    return weigh(low);
  }
  high->left = join(low, high->left);
  return weigh(high);
}

static void tree_add(struct ap_shelf_space *space, struct ap_shelf_block *block) {
  struct ap_shelf_block *low = NULL;
  struct ap_shelf_block *high = NULL;
  block->left = NULL;
  block->right = NULL;
  block->is_free = true;
  block->priority = mix((uint64_t)block->offset + 1);
  split(space->tree, block->offset, &low, &high);
  space->tree = join(join(low, weigh(block)), high);
}

static struct ap_shelf_block *without(struct ap_shelf_block *tree,
                                      const struct ap_shelf_block *block) {
  AP_ASSERT(tree != NULL);
  if (tree == block) return join(tree->left, tree->right);
  if (block->offset < tree->offset) {
    tree->left = without(tree->left, block);
  } else {
    tree->right = without(tree->right, block);
  }
  return weigh(tree);
}

static void tree_remove(struct ap_shelf_space *space, struct ap_shelf_block *block) {
  space->tree = without(space->tree, block);
  block->is_free = false;
}

struct search {
  int64_t bytes;
  int64_t unit; /* that its place is a multiple of */
  struct ap_shelf_block *best;
  int candidates;
};

static int64_t round_up(int64_t number, int64_t unit) {
  return (number + unit - 1) / unit * unit;
}

static int64_t gap_before(const struct ap_shelf_block *block, int64_t unit) {
  return round_up(block->offset, unit) - block->offset;
}

/* The smallest block that has the room; of equal ones the lowest. */
static void find_best(struct ap_shelf_block *tree, struct search *search) {
  if (largest_of(tree) < search->bytes || search->candidates >= CANDIDATES_MAX) return;
  find_best(tree->left, search);
  if (tree->bytes - gap_before(tree, search->unit) >= search->bytes) {
    search->candidates++;
    if (search->best == NULL || tree->bytes < search->best->bytes) search->best = tree;
  }
  find_best(tree->right, search);
}

/* The highest free block of at least so many bytes. */
static struct ap_shelf_block *highest(struct ap_shelf_block *tree, int64_t bytes) {
  while (largest_of(tree) >= bytes) {
    if (largest_of(tree->right) >= bytes) {
      tree = tree->right;
    } else if (tree->bytes >= bytes) {
      return tree;
    } else {
      tree = tree->left;
    }
  }
  return NULL;
}

/* ---- the list of all blocks ------------------------------------------------------------------ */

static struct ap_shelf_block *make_block(struct ap_shelf_space *space) {
  return ap_allocate_zeroed(space->allocator, 1, sizeof(struct ap_shelf_block));
}

/* `made` becomes the part of block behind its first bytes. Of warmth each keeps its own. */
static void cut(struct ap_shelf_space *space, struct ap_shelf_block *block, int64_t bytes,
                struct ap_shelf_block *made) {
  AP_ASSERT(bytes > 0 && bytes < block->bytes);
  made->offset = block->offset + bytes;
  made->bytes = block->bytes - bytes;
  made->warm_bytes = block->warm_bytes > bytes ? block->warm_bytes - bytes : 0;
  if (block->warm_bytes > bytes) block->warm_bytes = bytes;
  block->bytes = bytes;
  made->before = block;
  made->after = block->after;
  block->after = made;
  if (made->after != NULL) {
    made->after->before = made;
  } else {
    space->last = made;
  }
}

/* The block that follows becomes a part of this one. */
static void swallow(struct ap_shelf_space *space, struct ap_shelf_block *block) {
  struct ap_shelf_block *gone = block->after;
  if (gone->warm_bytes > 0) block->warm_bytes = block->bytes + gone->warm_bytes;
  block->bytes += gone->bytes;
  block->after = gone->after;
  if (gone->after != NULL) {
    gone->after->before = block;
  } else {
    space->last = block;
  }
  ap_free(space->allocator, gone);
}

/* A block that is neither taken nor in the tree becomes free, with its free neighbours. */
static void set_free(struct ap_shelf_space *space, struct ap_shelf_block *block) {
  if (block->after != NULL && block->after->is_free) {
    tree_remove(space, block->after);
    swallow(space, block);
  }
  if (block->before != NULL && block->before->is_free) {
    block = block->before;
    tree_remove(space, block);
    swallow(space, block);
  }
  tree_add(space, block);
}

/* ---- taking and giving ----------------------------------------------------------------------- */

ap_status ap_shelf_space_create(struct ap_allocator *allocator, int64_t bytes, int64_t page_bytes,
                                int64_t small_bytes, struct ap_shelf_space **out, ap_error *err) {
  AP_ASSERT(bytes > 0 && page_bytes >= AP_SHELF_GRAIN && bytes % page_bytes == 0);
  struct ap_shelf_space *space = ap_allocate_zeroed(allocator, 1, sizeof *space);
  if (space == NULL) return AP_FAIL_MEMORY(err);
  *space = (struct ap_shelf_space){
      .allocator = allocator, .bytes = bytes, .page_bytes = page_bytes, .small_bytes = small_bytes};
  struct ap_shelf_block *all = make_block(space);
  if (all == NULL) {
    ap_free(allocator, space);
    return AP_FAIL_MEMORY(err);
  }
  all->bytes = bytes;
  space->last = all;
  tree_add(space, all);
  *out = space;
  return AP_OK;
}

void ap_shelf_space_destroy(struct ap_shelf_space *space) {
  if (space == NULL) return;
  struct ap_shelf_block *block = space->last;
  while (block != NULL) {
    struct ap_shelf_block *before = block->before;
    ap_free(space->allocator, block);
    block = before;
  }
  ap_free(space->allocator, space);
}

/* A free block and where in it the room begins. */
static struct ap_shelf_block *find_room(struct ap_shelf_space *space, int64_t bytes, int64_t unit,
                                        bool small, int64_t *out_gap) {
  struct search search = {.bytes = bytes, .unit = unit};
  if (small) {
    struct ap_shelf_block *found = highest(space->tree, bytes);
    if (found != NULL) *out_gap = found->bytes - bytes;
    return found;
  }
  find_best(space->tree, &search);
  if (search.best != NULL) *out_gap = gap_before(search.best, unit);
  return search.best;
}

ap_status ap_shelf_space_take(struct ap_shelf_space *space, int64_t size_bytes, bool whole_pages,
                              struct ap_shelf_block **out, ap_error *err) {
  int64_t unit = whole_pages ? space->page_bytes : AP_SHELF_GRAIN;
  int64_t gap = 0;
  AP_ASSERT(size_bytes > 0);
  *out = NULL;
  if (size_bytes > space->bytes) return AP_OK;
  int64_t bytes = round_up(size_bytes, unit);
  bool small = !whole_pages && size_bytes < space->small_bytes;
  struct ap_shelf_block *found = find_room(space, bytes, unit, small, &gap);
  if (found == NULL) return AP_OK;
  struct ap_shelf_block *front = gap > 0 ? make_block(space) : NULL;
  struct ap_shelf_block *rest = found->bytes - gap > bytes ? make_block(space) : NULL;
  if ((gap > 0 && front == NULL) || (found->bytes - gap > bytes && rest == NULL)) {
    ap_free(space->allocator, front);
    ap_free(space->allocator, rest);
    return AP_FAIL_MEMORY(err);
  }
  tree_remove(space, found);
  if (gap > 0) {
    cut(space, found, gap, front);
    tree_add(space, found);
    found = front;
  }
  if (rest != NULL) {
    cut(space, found, bytes, rest);
    tree_add(space, rest);
  }
  found->asked = size_bytes;
  space->used += found->bytes;
  *out = found;
  return AP_OK;
}

void ap_shelf_space_give(struct ap_shelf_space *space, struct ap_shelf_block *block) {
  AP_ASSERT(!block->is_free && block->asked > 0);
  space->used -= block->bytes;
  block->asked = 0;
  block->warm_bytes = block->bytes;
  set_free(space, block);
}

void ap_shelf_space_shorten(struct ap_shelf_space *space, struct ap_shelf_block *block,
                            int64_t size_bytes) {
  AP_ASSERT(!block->is_free && size_bytes > 0 && size_bytes <= block->asked);
  bool whole_pages =
      block->offset % space->page_bytes == 0 && block->bytes % space->page_bytes == 0;
  int64_t bytes = round_up(size_bytes, whole_pages ? space->page_bytes : AP_SHELF_GRAIN);
  block->asked = size_bytes;
  if (bytes == block->bytes) return;
  struct ap_shelf_block *rest = make_block(space);
  if (rest == NULL) return;
  block->warm_bytes = block->bytes;
  cut(space, block, bytes, rest);
  space->used -= rest->bytes;
  set_free(space, rest);
}

int64_t ap_shelf_block_offset(const struct ap_shelf_block *block) {
  return block->offset;
}

int64_t ap_shelf_block_size(const struct ap_shelf_block *block) {
  return block->asked;
}

int64_t ap_shelf_space_bytes(const struct ap_shelf_space *space) {
  return space->bytes;
}

int64_t ap_shelf_space_used(const struct ap_shelf_space *space) {
  return space->used;
}

int64_t ap_shelf_space_largest_free(const struct ap_shelf_space *space) {
  return largest_of(space->tree);
}

bool ap_shelf_space_cool(struct ap_shelf_space *space, int64_t max_bytes, int64_t *out_offset,
                         int64_t *out_size) {
  int64_t page = space->page_bytes;
  for (struct ap_shelf_block *block = space->last; block != NULL; block = block->before) {
    if (!block->is_free || block->warm_bytes == 0) continue;
    int64_t first = round_up(block->offset, page);
    int64_t warm_end = round_up(block->offset + block->warm_bytes, page);
    int64_t block_end = (block->offset + block->bytes) / page * page;
    int64_t end = warm_end < block_end ? warm_end : block_end;
    int64_t start = end - max_bytes / page * page;
    if (start <= first) {
      start = first;
      block->warm_bytes = 0;
    } else {
      block->warm_bytes = start - block->offset;
    }
    if (start >= end) continue;
    *out_offset = start;
    *out_size = end - start;
    return true;
  }
  return false;
}
