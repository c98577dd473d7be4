/* SPDX-License-Identifier: Apache-2.0
 *
 * ALTER .. RENAME TO: other names in the catalog; what is in a hive or box comes along, and no file
 * moves. A session that uses what was renamed goes on using it.
 * Thread: the session's.
 */
#include "base/assert.h"
#include "execute/report.h"
#include "execute/statement_run.h"

#include <string.h>

static bool is_in_use(const char *name, struct ap_text renamed) {
  return ap_text_equal_ignoring_case(ap_text_of(name), renamed);
}

static void keep_name(char *into, struct ap_text name) {
  AP_ASSERT(name.size <= AP_NAME_BYTES_MAX); /* the catalog allows no longer one */
  memcpy(into, name.data, name.size);
  into[name.size] = '\0';
}

static ap_status rename_hive(struct ap_statement_run *run, ap_error *err) {
  struct ap_sql_session *session = run->session;
  struct ap_text old = run->statement->name.parts[0];
  struct ap_text new_name = run->statement->new_name.parts[0];
  AP_TRY(ap_catalog_rename_hive(ap_node_catalog(session->node), old, new_name, err));
  if (is_in_use(session->hive, old)) keep_name(session->hive, new_name);
  return AP_OK;
}

/* A box stays in its hive. */
static ap_status rename_box(struct ap_statement_run *run, ap_error *err) {
  struct ap_sql_session *session = run->session;
  const struct ap_name *target = &run->statement->new_name;
  struct ap_text hive;
  struct ap_text box;
  AP_TRY(ap_run_box_name(run, &hive, &box, err));
  if (target->count == 2 && !ap_text_equal_ignoring_case(target->parts[0], hive)) {
    ap_status status = AP_FAIL(err, AP_UNSUPPORTED, "a box cannot leave its hive: %.*s is not %.*s",
                               AP_TEXT_ARG(target->parts[0]), AP_TEXT_ARG(hive));
    ap_error_hint(err, "frames can: ALTER FRAME h.b.f RENAME TO h2.b2.f");
    return status;
  }
  struct ap_text new_name = target->parts[target->count - 1];
  AP_TRY(ap_catalog_rename_box(ap_node_catalog(session->node), hive, box, new_name, err));
  if (is_in_use(session->hive, hive) && is_in_use(session->box, box)) {
    keep_name(session->box, new_name);
  }
  return AP_OK;
}

/* A new name of one part stays in the box of the old one. */
static ap_status rename_frame(struct ap_statement_run *run, ap_error *err) {
  const struct ap_name *target = &run->statement->new_name;
  struct ap_text old[3];
  struct ap_text renamed[3];
  AP_TRY(ap_run_frame_name(run, &old[0], &old[1], &old[2], err));
  renamed[0] = target->count == 3 ? target->parts[0] : old[0];
  renamed[1] = target->count > 1 ? target->parts[target->count - 2] : old[1];
  renamed[2] = target->parts[target->count - 1];
  return ap_catalog_move(ap_node_catalog(run->session->node), old[0], old[1], old[2],
                         run->statement->object == AP_OBJECT_VIEW, renamed[0], renamed[1],
                         renamed[2], err);
}

ap_status ap_run_rename(struct ap_statement_run *run, struct ArrowArrayStream *out, ap_error *err) {
  const struct ap_statement *statement = run->statement;
  ap_status status = AP_OK;
  switch (statement->object) {
    case AP_OBJECT_HIVE:
      status = rename_hive(run, err);
      break;
    case AP_OBJECT_BOX:
      status = rename_box(run, err);
      break;
    case AP_OBJECT_FRAME:
    case AP_OBJECT_VIEW:
      status = rename_frame(run, err);
      break;
    case AP_OBJECT_NONE:
      AP_ASSERT(!"a renaming of nothing");
  }
  if (status == AP_NOT_FOUND && statement->if_exists) {
    ap_error_clear(err);
    return ap_answer_message(out, err, "nothing to rename");
  }
  if (status != AP_OK) return status;
  return ap_answer_message(out, err, "renamed %.*s to %.*s",
                           AP_TEXT_ARG(statement->name.parts[statement->name.count - 1]),
                           AP_TEXT_ARG(statement->new_name.parts[statement->new_name.count - 1]));
}
