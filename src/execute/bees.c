/* SPDX-License-Identifier: Apache-2.0
 *
 * See bees.h.
 */
#include "execute/bees.h"

void ap_bee_account_init(struct ap_bee_account *account, struct ap_node *node) {
  *account = (struct ap_bee_account){.turn.id = ap_engine_new_session(ap_node_engine(node))};
}

bool ap_bee_account_is_bounded(const struct ap_bee_account *account) {
  return account != NULL && (account->bees_max > 0 || account->memory_max_bytes > 0);
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

ap_status ap_bee_admit(struct ap_node *node, struct ap_bee_account *account, enum ap_work work,
                       const struct ap_run_control *control, struct ap_chamber **out_chamber,
                       ap_error *err) {
  const struct ap_chamber_request request = ap_bee_request(account, work, control);
  return ap_chamber_admit(ap_node_engine(node), &request, out_chamber, err);
}

ap_status ap_bee_acquire(struct ap_node *node, struct ap_bee_account *account, enum ap_work work,
                         const struct ap_run_control *control, struct ap_chamber **out_chamber,
                         ap_error *err) {
  const struct ap_chamber_request request = ap_bee_request(account, work, control);
  AP_TRY(ap_chamber_admit(ap_node_engine(node), &request, out_chamber, err));
  return ap_chamber_claim(out_chamber, &request, err);
}
