/* SPDX-License-Identifier: Apache-2.0
 *
 * See bees.h.
 */
#include "execute/bees.h"

void ap_bee_account_init(struct ap_bee_account *account, struct ap_node *node) {
  *account = (struct ap_bee_account){.turn.id = ap_engine_new_session(ap_node_engine(node))};
}

struct ap_chamber_request ap_bee_request(struct ap_bee_account *account, enum ap_work work,
                                         const struct ap_run_control *control) {
  struct ap_chamber_request request = {
      .work = work, .timeout_ms = AP_CHAMBER_WAIT_MS, .control = control};
  if (account != NULL) {
    request.session = &account->turn;
    request.bees_max = account->bees_max;
    request.memory_max_bytes = account->memory_max_bytes;
  }
  return request;
}
