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
  int fd;           /* without a terminal: where lines come from */
  const char *text; /* without fd: the lines themselves; NULL: none */
  bool is_terminal;
  const char *history_path; /* NULL: none */
  /* Add what the word before the cursor may become; how many bytes of `before` it takes. */
  size_t (*complete)(void *context, const char *before, const char *behind,
                     struct cli_candidates *candidates);
  /* Give the lines that were read before this one back, to be edited again, and the prompt that
   * goes with them; false when there are none. */
  bool (*take_back)(void *context, struct cli_text *text, struct cli_text *prompt);
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
/* The next line, without its end; a statement that was recalled may hold several. After Ctrl-C the
 * line is not empty if something had been typed. */
enum cli_line cli_lines_read(struct cli_lines *lines, const char *prompt, struct cli_text *line);
/* Remember a statement, and add it to the history file, which many shells may share. */
void cli_lines_remember(struct cli_lines *lines, const char *statement);
/* The last `count` of what is remembered, the oldest first; 0: all. */
void cli_lines_append_history(const struct cli_lines *lines, size_t count, struct cli_text *text);

#endif
