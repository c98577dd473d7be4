/* SPDX-License-Identifier: Apache-2.0
 *
 * How statements ask the engine's pool for bees: in whose name, for how much, and how many cells
 * make a query large.
 */
#ifndef AP_EXECUTE_BEES_H
#define AP_EXECUTE_BEES_H

#include "execute/node.h"

/* In whose name statements run, and what they may take at most. Belongs to a session. */
struct ap_bee_account {
  struct ap_admission_session turn;
  uint32_t bees_max;        /* 0: as many as there are */
  int64_t memory_max_bytes; /* 0: what the bees bring */
};

void ap_bee_account_init(struct ap_bee_account *account, struct ap_node *node);

/* Whether it has bounds of its own; account may be NULL. */
bool ap_bee_account_is_bounded(const struct ap_bee_account *account);

/* account may be NULL: nobody in particular, with all that the node gives. */
struct ap_chamber_request ap_bee_request(struct ap_bee_account *account, enum ap_work work,
                                         const struct ap_run_control *control);

/* A chamber with one bee for a short piece of work. */
AP_MUST_CHECK ap_status ap_bee_admit(struct ap_node *node, struct ap_bee_account *account,
                                     enum ap_work work, const struct ap_run_control *control,
                                     struct ap_chamber **out_chamber, ap_error *err);
/* The same, with all the bees and the memory that the account may have now. */
AP_MUST_CHECK ap_status ap_bee_acquire(struct ap_node *node, struct ap_bee_account *account,
                                       enum ap_work work, const struct ap_run_control *control,
                                       struct ap_chamber **out_chamber, ap_error *err);

#endif
