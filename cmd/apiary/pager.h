/* SPDX-License-Identifier: Apache-2.0
 *
 * A pager for rows that the screen does not take.
 *
 * It is started when more lines come than the screen has; fewer are written as they are. Whoever
 * leaves it early ends the query that feeds it, which is no failure.
 */
#ifndef CLI_PAGER_H
#define CLI_PAGER_H

#include "cli.h"

#include <sys/types.h>

struct cli_pager {
  struct cli *cli;
  const char *command; /* for the system's shell */
  pid_t process;       /* 0: not started */
  int patience;        /* of Ctrl-C, which is the pager's meanwhile */
  bool was_left;       /* by the user, before the end */
};

/* Standard output, a terminal, goes through the pager until cli_pager_end. */
void cli_pager_begin(struct cli_pager *pager, struct cli *cli, const char *command);
/* Wait until the user has left it. */
void cli_pager_end(struct cli_pager *pager);

#endif
