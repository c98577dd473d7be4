/* SPDX-License-Identifier: Apache-2.0
 *
 * Ctrl-C as something to ask for.
 *
 * SIGINT is blocked in every thread but waited for by one of its own, which counts it and makes a
 * descriptor readable. The callback for the library only reads the count. Someone who insists (a
 * second time without an answer; in the shell a third) ends the program at once, which is safe:
 * what is written is all or nothing.
 */
#ifndef CLI_INTERRUPT_H
#define CLI_INTERRUPT_H

#include <stdatomic.h>
#include <stdbool.h>

struct cli_interrupt {
  atomic_int count;
  atomic_int patience; /* of how many the last ends the program */
  int pipe[2];         /* [0] is readable from the first one until cli_interrupt_clear */
};

/* Before any other thread starts; lives as long as the program. SIGPIPE is ignored from here on.
 * False, with errno, when the system refuses. */
bool cli_interrupt_init(struct cli_interrupt *interrupt);
/* The library's `cancelled`; context is a struct cli_interrupt. */
bool cli_interrupt_asked(void *context);
void cli_interrupt_clear(struct cli_interrupt *interrupt);

#endif
