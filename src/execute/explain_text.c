/* SPDX-License-Identifier: Apache-2.0
 *
 * EXPLAIN as lines of text: what is read of each frame, then the engine's operators as a tree with
 * numbers beside it. No line is longer than WIDTH_MAX columns and the numbers.
 */
#include "execute/explanation.h"

#include <inttypes.h>
#include <string.h>

enum { WIDTH_MAX = 76, NUMBER_WIDTH = 12, DEPTH_MAX = 64 };

/* Columns a text takes; every character counts as one. */
static size_t columns_of(struct ap_text text) {
  size_t columns = 0;
  for (size_t i = 0; i < text.size; ++i) columns += ((uint8_t)text.data[i] & 0xc0) != 0x80;
  return columns;
}

/* The text, cut with "..." when it takes more than so many columns. */
static void append_cut(struct ap_buffer *out, struct ap_text text, size_t columns) {
  if (columns_of(text) <= columns) {
    ap_buffer_append_text(out, text);
    return;
  }
  size_t kept = columns > 3 ? columns - 3 : 0;
  size_t size = 0;
  while (size < text.size) {
    bool starts = ((uint8_t)text.data[size] & 0xc0) != 0x80;
    if (starts && kept-- == 0) break;
    size += 1;
  }
  ap_buffer_append(out, text.data, size);
  ap_buffer_append_string(out, "...");
}

static void pad(struct ap_buffer *out, size_t from, size_t to) {
  for (; from < to; ++from) ap_buffer_append_string(out, " ");
}

static void append_bytes(struct ap_buffer *out, double bytes) {
  static const char *const units[] = {"kB", "MB", "GB", "TB"};
  if (bytes < 1000) {
    ap_buffer_append_format(out, "%.0f bytes", bytes);
    return;
  }
  size_t unit = 0;
  bytes /= 1000;
  while (bytes >= 1000 && unit + 1 < sizeof units / sizeof units[0]) {
    bytes /= 1000;
    unit += 1;
  }
  ap_buffer_append_format(out, "%.1f %s", bytes, units[unit]);
}

/* Whose keys they were. */
static void append_key_frames(struct ap_buffer *out, const struct ap_choice *choice) {
  for (uint32_t i = 0; i < AP_KEYS_SHOWN && choice->keys_of[i] != NULL; ++i) {
    ap_buffer_append_format(out, i > 0 ? ", %.*s" : " %.*s",
                            AP_TEXT_ARG(choice->keys_of[i]->frame->entry.name));
  }
}

static void append_pruned(struct ap_buffer *out, const struct ap_choice *choice) {
  enum { BY_KEYS = 2 };
  const struct {
    uint32_t count;
    const char *reason;
  } pruned[] = {{choice->pruned_by_partition, "by partition"},
                {choice->pruned_by_statistics, "by statistics"},
                {choice->pruned_by_keys, "by keys of"}};
  bool any = false;
  for (size_t i = 0; i < sizeof pruned / sizeof pruned[0]; ++i) {
    if (pruned[i].count == 0) continue;
    ap_buffer_append_format(out, "%s%" PRIu32 " %s", any ? ", " : " (pruned: ", pruned[i].count,
                            pruned[i].reason);
    if (i == BY_KEYS) append_key_frames(out, choice);
    any = true;
  }
  if (any) {
    ap_buffer_append_string(out, ")");
  } else if (choice->resolved->snapshot->cell_count > 0) {
    ap_buffer_append_string(
        out, choice->had_condition ? " (its condition rules out none)" : " (no condition on it)");
  }
}

static void append_frame(struct ap_buffer *out, const struct ap_explained_frame *frame) {
  const struct ap_frame_entry *entry = &frame->choice->resolved->frame->entry;
  const struct ap_snapshot *snapshot = frame->choice->resolved->snapshot;
  ap_buffer_append_format(out, "frame %.*s.%.*s.%.*s, version %" PRId64 "\n",
                          AP_TEXT_ARG(entry->hive), AP_TEXT_ARG(entry->box),
                          AP_TEXT_ARG(entry->name), snapshot->version);
  ap_buffer_append_format(out, "  cells       %" PRIu32 " of %" PRIu32, frame->choice->cell_count,
                          snapshot->cell_count);
  if (frame->choice->from_ledger) {
    ap_buffer_append_string(out, " (answered from the ledger's statistics)");
  } else {
    append_pruned(out, frame->choice);
  }
  if (frame->choice->cells_cached > 0) {
    ap_buffer_append_format(out, "\n  cached      %" PRIu32 " of these cells",
                            frame->choice->cells_cached);
  }
  if (snapshot->partition_column_count > 0) {
    ap_buffer_append_format(out, "\n  partitions  %" PRIu32 " of %" PRIu32, frame->partitions_kept,
                            frame->partitions);
  }
  ap_buffer_append_string(out, "\n  bytes       ");
  append_bytes(out, (double)frame->bytes_kept);
  ap_buffer_append_string(out, " of ");
  append_bytes(out, (double)frame->bytes);
  if (frame->rows_kept >= 0) {
    ap_buffer_append_format(out, "\n  rows        at most %" PRId64, frame->rows_kept);
  }
  ap_buffer_append_string(out, "\n");
}

struct tree {
  struct ap_buffer *out;
  bool analyze;
  size_t width;
  char prefix[DEPTH_MAX * 4]; /* "│  " for open branches, "   " for closed ones */
  size_t prefix_size;
};

static void append_count(struct ap_buffer *out, double number) {
  char digits[32];
  struct ap_buffer text;
  ap_buffer_init(&text, ap_allocator_system());
  if (number >= 0) ap_buffer_append_format(&text, "%.0f", number);
  size_t size = ap_buffer_text(&text).size;
  if (size >= sizeof digits) size = 0;
  pad(out, size, NUMBER_WIDTH);
  if (size > 0) ap_buffer_append(out, text.data, size);
  ap_buffer_deinit(&text);
}

static void append_numbers(struct tree *tree, const struct ap_explained_operator *operator) {
  append_count(tree->out, operator->estimated_rows);
  if (!tree->analyze) return;
  append_count(tree->out, operator->rows);
  if (operator->seconds >= 0) {
    ap_buffer_append_format(tree->out, "%*.2f ms", NUMBER_WIDTH - 3, operator->seconds * 1000);
  }
  if (operator->peak_memory_bytes> 0) {
    ap_buffer_append_string(tree->out, "  memory ");
    append_bytes(tree->out, operator->peak_memory_bytes);
  }
  if (operator->spill_bytes> 0) {
    ap_buffer_append_string(tree->out, "  spilled ");
    append_bytes(tree->out, operator->spill_bytes);
  }
}

/* Bounded by the depth of the engine's JSON. */
static void append_operator(struct tree *tree, const struct ap_explained_operator *operator,
                            bool is_root, bool is_last) {
  size_t start = tree->out->size;
  size_t old_size = tree->prefix_size;
  ap_buffer_append_string(tree->out, "  ");
  ap_buffer_append(tree->out, tree->prefix, tree->prefix_size);
  if (!is_root) ap_buffer_append_string(tree->out, is_last ? "└─ " : "├─ ");
  ap_buffer_append_text(tree->out, operator->name);
  struct ap_text line = {tree->out->data + start, tree->out->size - start};
  size_t columns = columns_of(line);
  if (operator->detail.size> 0 && columns + 8<tree->width) {
    ap_buffer_append_string(tree->out, "  ");
    append_cut(tree->out, operator->detail, tree->width - columns - 2);
  }
  line = (struct ap_text){tree->out->data + start, tree->out->size - start};
  pad(tree->out, columns_of(line), tree->width);
  append_numbers(tree, operator);
  while (tree->out->size > 0 && tree->out->data[tree->out->size - 1] == ' ') tree->out->size -= 1;
  ap_buffer_append_string(tree->out, "\n");
  const char *mark = is_root ? "" : is_last ? "   " : "│  ";
  if (tree->prefix_size + strlen(mark) > sizeof tree->prefix) return;
  memcpy(tree->prefix + tree->prefix_size, mark, strlen(mark));
  tree->prefix_size += strlen(mark);
  for (uint32_t i = 0; i < operator->child_count; ++i) {
    append_operator(tree, &operator->children[i], false, i + 1 == operator->child_count);
  }
  tree->prefix_size = old_size;
}

static void append_operators(struct ap_buffer *out, const struct ap_explanation *explanation) {
  struct tree tree = {.out = out, .analyze = explanation->analyze, .width = WIDTH_MAX};
  ap_buffer_append_string(out, "operators");
  pad(out, strlen("operators"), WIDTH_MAX);
  pad(out, strlen("estimated"), NUMBER_WIDTH);
  ap_buffer_append_string(out, "estimated");
  if (explanation->analyze) {
    pad(out, strlen("rows"), NUMBER_WIDTH);
    ap_buffer_append_string(out, "rows");
    pad(out, strlen("time"), NUMBER_WIDTH);
    ap_buffer_append_string(out, "time");
  }
  ap_buffer_append_string(out, "\n");
  for (uint32_t i = 0; i < explanation->root.child_count; ++i) {
    append_operator(&tree, &explanation->root.children[i], true, true);
  }
}

static void append_ms(struct ap_buffer *out, const char *phase, int64_t us) {
  ap_buffer_append_format(out, ", %s %.1f", phase, (double)us / 1000);
}

static void append_totals(struct ap_buffer *out, const struct ap_explanation *explanation) {
  const struct ap_query_timing *timing = &explanation->run->timing;
  ap_buffer_append_format(out, "milliseconds: parse %.1f", (double)timing->parse_us / 1000);
  append_ms(out, "discover", timing->discover_us);
  append_ms(out, "plan", timing->plan_us);
  append_ms(out, "bind", timing->read_us);
  if (explanation->analyze) append_ms(out, "execute", explanation->execute_us);
  ap_buffer_append_string(out, "\n");
  if (!explanation->analyze) return;
  ap_buffer_append_format(out, "answer: %" PRId64 " rows", explanation->rows);
  if (explanation->root.peak_memory_bytes >= 0) {
    ap_buffer_append_string(out, ", peak memory ");
    append_bytes(out, explanation->root.peak_memory_bytes);
  }
  if (explanation->root.spill_bytes >= 0) {
    ap_buffer_append_string(out, ", spilled ");
    append_bytes(out, explanation->root.spill_bytes);
  }
  ap_buffer_append_string(out, "\n");
}

void ap_explanation_write_text(struct ap_buffer *out, const struct ap_explanation *explanation) {
  ap_buffer_append_format(out, "%s: %s\n", explanation->kind, explanation->reason);
  ap_buffer_append_format(out, "%" PRIu32 " %s, ", explanation->facts.bees,
                          explanation->facts.bees == 1 ? "bee" : "bees");
  append_bytes(out, (double)explanation->facts.memory_bytes);
  ap_buffer_append_string(out, " of memory");
  if (explanation->granted.bees > 0) {
    ap_buffer_append_format(out, "; granted: %" PRIu32 " %s, ", explanation->granted.bees,
                            explanation->granted.bees == 1 ? "bee" : "bees");
    append_bytes(out, (double)explanation->granted.budget_bytes);
  }
  ap_buffer_append_string(out, "\n");
  if (explanation->change != NULL) ap_explained_change_write_text(out, explanation->change);
  if (explanation->run == NULL) return;
  for (uint32_t i = 0; i < explanation->frame_count; ++i) {
    append_frame(out, &explanation->frames[i]);
  }
  append_operators(out, explanation);
  append_totals(out, explanation);
}
