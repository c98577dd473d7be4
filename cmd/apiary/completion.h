/* SPDX-License-Identifier: Apache-2.0
 *
 * What a word in a statement may become: keywords, hives, boxes, frames, columns.
 */
#ifndef CLI_COMPLETION_H
#define CLI_COMPLETION_H

#include "lines.h"

#include <apiary/apiary.h>

struct cli_completion {
  ap_apiary *apiary;
  const char *hive; /* those of USE; "" none */
  const char *box;
  const char *statement; /* what was typed before this line */
};

/* Names that cannot be listed are left out. */
void cli_complete(const struct cli_completion *completion, const char *line, const char *word,
                  struct cli_candidates *candidates);

#endif
