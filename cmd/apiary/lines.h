/* SPDX-License-Identifier: Apache-2.0
 *
 * Lines from a terminal, edited, with history and completion, or from any other input as they are.
 */
#ifndef CLI_LINES_H
#define CLI_LINES_H

#include "interrupt.h"
#include "text.h"

/* What the word before the cursor may become. */
struct cli_candidates {
  char **items; /* whole words; one that ends in '.' goes on */
  size_t count;
  size_t capacity;
};
void cli_candidates_add(struct cli_candidates *candidates, const char *item, size_t size);
void cli_candidates_deinit(struct cli_candidates *candidates);

struct cli_lines_options {
  struct cli_interrupt *interrupt;
  int fd; /* without a terminal: where lines come from */
  bool is_terminal;
  const char *history_path; /* NULL: none */
  /* Add what `word` at the end of `line` may become. */
  void (*complete)(void *context, const char *line, const char *word,
                   struct cli_candidates *candidates);
  void *context;
};

enum cli_line {
  CLI_LINE_READ,
  CLI_LINE_INTERRUPTED, /* Ctrl-C: what was typed is gone */
  CLI_LINE_END,
};

struct cli_lines;
/* NULL when the terminal cannot be edited on. The options' pointers must outlive it. */
struct cli_lines *cli_lines_create(const struct cli_lines_options *options);
void cli_lines_destroy(struct cli_lines *lines);
/* The next line, without its end. */
enum cli_line cli_lines_read(struct cli_lines *lines, const char *prompt, struct cli_text *line);
/* Remember a statement, and write the history file. */
void cli_lines_remember(struct cli_lines *lines, const char *statement);

#endif
