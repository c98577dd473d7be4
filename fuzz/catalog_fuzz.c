/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as each of the catalog's objects: refused with a reason, or applied to a small state,
 * written as a checkpoint, read again and written again with the same outcome.
 */
#include "fuzz/fuzz.h"

#include "base/assert.h"
#include "catalog/log.h"

static void check_refusal(ap_status status, const ap_error *err) {
  AP_ASSERT(status == AP_CORRUPT || status == AP_UNSUPPORTED);
  AP_ASSERT(err->message[0] != '\0' && ap_text_is_utf8(ap_text_of(err->message)));
}

/* A state that was read can be written and read back, and is in order. */
static void check_state(const struct ap_catalog_state *state) {
  struct ap_buffer first;
  struct ap_buffer second;
  struct ap_catalog_state *again;
  ap_buffer_init(&first, ap_allocator_system());
  ap_buffer_init(&second, ap_allocator_system());
  ap_catalog_checkpoint_append(&first, state);
  ap_status status =
      ap_catalog_checkpoint_parse(ap_allocator_system(), ap_buffer_text(&first), &again, NULL);
  AP_ASSERT(status == AP_OK);
  ap_catalog_checkpoint_append(&second, again);
  AP_ASSERT(ap_text_equal(ap_buffer_text(&first), ap_buffer_text(&second)));
  for (uint32_t i = 0; i < state->count; i++) {
    const struct ap_catalog_entry *entry = state->entries[i];
    AP_ASSERT(ap_catalog_state_find(state, entry->hive, entry->box, entry->name) == entry);
  }
  ap_catalog_state_release(again);
  ap_buffer_deinit(&first);
  ap_buffer_deinit(&second);
}

static void apply_all(struct ap_catalog_state *state, const struct ap_catalog_change *change) {
  ap_error err = {0};
  for (uint32_t i = 0; i < change->action_count; i++) {
    ap_status status = ap_catalog_state_apply(state, &change->actions[i], &err);
    if (status == AP_OK) continue;
    check_refusal(status, &err);
    return;
  }
  state->version = 0;
  check_state(state);
}

static void as_change(struct ap_text bytes) {
  struct ap_arena arena;
  struct ap_catalog_change change;
  ap_error err = {0};
  ap_arena_init(&arena, ap_allocator_system());
  ap_status status = ap_catalog_change_parse(&arena, bytes, &change, &err);
  if (status == AP_OK) {
    struct ap_catalog_state *state;
    status = ap_catalog_state_create(ap_allocator_system(), &state, NULL);
    AP_ASSERT(status == AP_OK);
    apply_all(state, &change);
    ap_catalog_state_release(state);
  } else {
    check_refusal(status, &err);
  }
  ap_arena_deinit(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct ap_text bytes = {(const char *)data, size};
  struct ap_catalog_state *state;
  ap_error err = {0};
  int64_t version;
  as_change(bytes);
  ap_status status = ap_catalog_checkpoint_parse(ap_allocator_system(), bytes, &state, &err);
  if (status == AP_OK) {
    check_state(state);
    ap_catalog_state_release(state);
  } else {
    check_refusal(status, &err);
  }
  status = ap_catalog_hint_parse(ap_allocator_system(), bytes, &version, &err);
  AP_ASSERT(status == AP_CORRUPT || (status == AP_OK && version >= 0));
  return 0;
}
