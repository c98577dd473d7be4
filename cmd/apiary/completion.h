/* SPDX-License-Identifier: Apache-2.0
 *
 * What a word in a statement may become: keywords, names, columns, functions, by what stands
 * around it.
 */
#ifndef CLI_COMPLETION_H
#define CLI_COMPLETION_H

#include "lines.h"
#include "names.h"

#include <apiary/apiary.h>

struct cli_completion {
  struct cli_names *names;
  ap_apiary *apiary;
  ap_session *session; /* whose USE counts */
  const char *pending; /* what was typed of the statement before this line */
};

/* before and behind: the line around the cursor. Gives how many bytes of `before` the candidates
 * take the place of. What cannot be read is left out. */
size_t cli_complete(const struct cli_completion *completion, const char *before, const char *behind,
                    struct cli_candidates *candidates);

/* Names alone, of hives, boxes and frames; the last word of `before`. */
size_t cli_complete_name(const struct cli_completion *completion, const char *before,
                         struct cli_candidates *candidates);

/* A name as SQL needs it: quoted when it is no plain word, or a reserved one. */
void cli_completion_append_name(struct cli_text *text, const char *name);

#endif
