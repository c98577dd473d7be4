/* SPDX-License-Identifier: Apache-2.0
 *
 * Changes of what there is: creating, renaming and dropping hives, boxes and frames, with what
 * belongs to each beside the catalog's entry (a frame's ledger, its files).
 */
#ifndef AP_EXECUTE_DEFINITION_H
#define AP_EXECUTE_DEFINITION_H

#include "execute/node.h"

struct ap_frame_request {
  struct ap_text hive;
  struct ap_text box;
  struct ap_text name;
  const struct ap_schema *schema;
  const struct ap_text *partition_by;
  uint32_t partition_by_count;
  struct ap_text description;
  const struct ap_property *properties;
  uint32_t property_count;
  const struct ap_alteration *alterations; /* see struct ap_table_definition */
  uint32_t alteration_count;
  bool if_absent; /* an equal frame is fine; a different one is AP_SCHEMA_MISMATCH with the
                     difference */
  /* Put the first rows into the new ledger, before the frame has its name; NULL: none. */
  ap_status (*fill)(void *context, struct ap_ledger *ledger, struct ap_text location,
                    ap_error *err);
  void *fill_context;
};

/* What the ledger is told of it. Arena memory; the request's texts stay its own. */
AP_MUST_CHECK ap_status ap_frame_define_table(const struct ap_frame_request *request,
                                              struct ap_arena *arena,
                                              struct ap_table_definition *out_definition,
                                              ap_error *err);

/* The ledger is written first, then the name is entered, so that a name never leads nowhere. */
AP_MUST_CHECK ap_status ap_frame_define(struct ap_node *node,
                                        const struct ap_frame_request *request, ap_error *err);

/* Enter a Delta table that lies below the storage root, whoever wrote it, as a frame. From then on
 * its folder is the frame's own: dropping the frame removes it. Refused are a folder that is not
 * there or holds no ledger (AP_NOT_FOUND), a ledger that cannot be read, a folder of Apiary's own,
 * and one that is, holds or lies in the folder of another frame. */
struct ap_attach_request {
  struct ap_text hive;
  struct ap_text box;
  struct ap_text name;
  struct ap_text location; /* key of the folder: "lake/orders" */
};
AP_MUST_CHECK ap_status ap_attach(struct ap_node *node, const struct ap_attach_request *request,
                                  ap_error *err);

/* Forget names, then remove the files that lay behind them. box and name empty: the whole hive;
 * name empty: the box. Files that cannot be removed are left and are nobody's. */
struct ap_drop_request {
  struct ap_text hive;
  struct ap_text box;
  struct ap_text name;
  bool cascade;
  bool if_exists;
};
AP_MUST_CHECK ap_status ap_drop(struct ap_node *node, const struct ap_drop_request *request,
                                ap_error *err);

#endif
