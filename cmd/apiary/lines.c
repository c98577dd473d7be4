/* SPDX-License-Identifier: Apache-2.0
 *
 * See lines.h. Editing is libedit's, in its wide-character form; reading a key waits for Ctrl-C
 * too, so that no signal handler is needed.
 */
#include "lines.h"

#include "width.h"

#include <histedit.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include <wchar.h>

enum { HISTORY_ENTRIES_MAX = 1000, INPUT_BYTES = 4096, SCREEN_COLUMNS = 80 };

struct cli_lines {
  struct cli_lines_options options;
  EditLine *edit; /* NULL: no terminal */
  History *history;
  const char *prompt;
  char input[INPUT_BYTES];
  size_t input_at;
  size_t input_size;
  bool interrupted;
};

/* ---- candidates ------------------------------------------------------------------------------ */

void cli_candidates_add(struct cli_candidates *candidates, const char *item, size_t size) {
  if (candidates->count == candidates->capacity) {
    candidates->capacity = candidates->capacity == 0 ? 32 : 2 * candidates->capacity;
    candidates->items =
        cli_reallocate(candidates->items, candidates->capacity, sizeof *candidates->items);
  }
  candidates->items[candidates->count++] = cli_copy(item, size);
}

void cli_candidates_deinit(struct cli_candidates *candidates) {
  for (size_t i = 0; i < candidates->count; ++i) free(candidates->items[i]);
  free(candidates->items);
  *candidates = (struct cli_candidates){0};
}

static int compare_items(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort(struct cli_candidates *candidates) {
  size_t kept = 0;
  if (candidates->count < 2) return;
  qsort(candidates->items, candidates->count, sizeof *candidates->items, compare_items);
  for (size_t i = 1; i < candidates->count; ++i) {
    if (strcmp(candidates->items[i], candidates->items[kept]) == 0) {
      free(candidates->items[i]);
    } else {
      candidates->items[++kept] = candidates->items[i];
    }
  }
  candidates->count = kept + 1;
}

/* Bytes that all have in common, the case of letters aside. */
static size_t common_size(const struct cli_candidates *candidates) {
  size_t size = strlen(candidates->items[0]);
  for (size_t i = 1; i < candidates->count; ++i) {
    size_t same = 0;
    while (same < size &&
           strncasecmp(candidates->items[0] + same, candidates->items[i] + same, 1) == 0) {
      ++same;
    }
    size = same;
  }
  return size;
}

/* ---- keys ------------------------------------------------------------------------------------ */

/* Wait for input; 1 it is there, 0 Ctrl-C was. */
static int wait_for_input(struct cli_lines *lines) {
  for (;;) {
    struct pollfd ready[2] = {{lines->options.fd, POLLIN, 0},
                              {lines->options.interrupt->pipe[0], POLLIN, 0}};
    if (poll(ready, 2, -1) < 0 && errno != EINTR) return 1;
    if (ready[1].revents != 0) return 0;
    if (ready[0].revents != 0) return 1;
  }
}

/* 1 a byte, 0 the end, -1 Ctrl-C or failure. */
static int read_byte(struct cli_lines *lines, char *out_byte) {
  if (lines->input_at == lines->input_size) {
    if (wait_for_input(lines) == 0) {
      lines->interrupted = true;
      errno = EINTR;
      return -1;
    }
    /* A terminal is read key by key, so that a program started later gets what is typed ahead. */
    size_t wanted = lines->edit != NULL ? 1 : sizeof lines->input;
    ssize_t size = read(lines->options.fd, lines->input, wanted);
    if (size <= 0) return (int)size;
    lines->input_at = 0;
    lines->input_size = (size_t)size;
  }
  *out_byte = lines->input[lines->input_at++];
  return 1;
}

static struct cli_lines *lines_of(EditLine *edit) {
  void *lines = NULL;
  (void)el_get(edit, EL_CLIENTDATA, &lines);
  return lines;
}

static int read_key(EditLine *edit, wchar_t *out_key) {
  struct cli_lines *lines = lines_of(edit);
  char bytes[4];
  size_t size = 0;
  *out_key = 0xfffd;
  while (size < sizeof bytes) {
    uint32_t character = 0;
    int got = read_byte(lines, &bytes[size]);
    if (got <= 0) return got;
    /* A Ctrl-D that was typed while no line was edited comes as a zero. */
    if (bytes[size] == '\0') continue;
    ++size;
    if (cli_utf8_decode(bytes, size, &character) == size) {
      *out_key = (wchar_t)character;
      return 1;
    }
    if ((unsigned char)bytes[0] < 0xc2) return 1;
  }
  return 1;
}

static char *show_prompt(EditLine *edit) {
  return (char *)(uintptr_t)lines_of(edit)->prompt;
}

/* ---- completion ------------------------------------------------------------------------------ */

static bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '.' || c == '"' || (unsigned char)c >= 0x80;
}

static void list(const struct cli_candidates *candidates) {
  size_t width = 0;
  for (size_t i = 0; i < candidates->count; ++i) {
    size_t size = cli_width_of(candidates->items[i], strlen(candidates->items[i]));
    if (size > width) width = size;
  }
  size_t per_line = SCREEN_COLUMNS / (width + 2);
  if (per_line == 0) per_line = 1;
  struct cli_text text = {0};
  for (size_t i = 0; i < candidates->count; ++i) {
    cli_text_append_char(&text, i % per_line == 0 ? '\n' : ' ');
    const char *item = candidates->items[i];
    size_t shown = cli_width_append(&text, item, strlen(item), SIZE_MAX);
    cli_text_append_repeated(&text, " ", width - shown + 1);
  }
  (void)printf("%s\n", cli_text_string(&text));
  (void)fflush(stdout);
  cli_text_deinit(&text);
}

static unsigned char complete(EditLine *edit, int key) {
  struct cli_lines *lines = lines_of(edit);
  struct cli_candidates candidates = {0};
  const LineInfo *info = el_line(edit);
  unsigned char answer = CC_ERROR;
  (void)key;
  const char *start = info->cursor;
  while (start > info->buffer && is_word(start[-1])) --start;
  char *line = cli_copy(info->buffer, (size_t)(info->cursor - info->buffer));
  char *word = cli_copy(start, (size_t)(info->cursor - start));
  size_t word_size = strlen(word);
  lines->options.complete(lines->options.context, line, word, &candidates);
  sort(&candidates);
  if (candidates.count > 0) {
    size_t common = common_size(&candidates);
    const char *first = candidates.items[0];
    struct cli_text rest = {0};
    if (common >= word_size) cli_text_append(&rest, first + word_size, common - word_size);
    bool is_whole = candidates.count == 1 && (common == 0 || first[common - 1] != '.');
    if (is_whole) cli_text_append_char(&rest, ' ');
    if (rest.size > 0 && el_insertstr(edit, rest.data) == 0) {
      answer = CC_REFRESH;
    } else if (candidates.count > 1) {
      list(&candidates);
      answer = CC_REDISPLAY;
    }
    cli_text_deinit(&rest);
  }
  cli_candidates_deinit(&candidates);
  free(word);
  free(line);
  return answer;
}

/* ---- lines ----------------------------------------------------------------------------------- */

static void load_history(struct cli_lines *lines) {
  HistEvent event;
  lines->history = history_init();
  if (lines->history == NULL) return;
  (void)history(lines->history, &event, H_SETSIZE, HISTORY_ENTRIES_MAX);
  (void)history(lines->history, &event, H_SETUNIQUE, 1);
  if (lines->options.history_path != NULL) {
    (void)history(lines->history, &event, H_LOAD, lines->options.history_path);
  }
  (void)el_set(lines->edit, EL_HIST, history, lines->history);
}

static bool start_editing(struct cli_lines *lines) {
  lines->edit = el_init("apiary", stdin, stdout, stderr);
  if (lines->edit == NULL) return false;
  (void)el_set(lines->edit, EL_CLIENTDATA, lines);
  (void)el_set(lines->edit, EL_SIGNAL, 0);
  (void)el_set(lines->edit, EL_PROMPT, show_prompt);
  (void)el_set(lines->edit, EL_EDITOR, "emacs");
  (void)el_set(lines->edit, EL_GETCFN, read_key);
  (void)el_set(lines->edit, EL_ADDFN, "complete", "Complete the word", complete);
  (void)el_set(lines->edit, EL_BIND, "^I", "complete", NULL);
  (void)el_set(lines->edit, EL_BIND, "^R", "em-inc-search-prev", NULL);
  (void)el_source(lines->edit, NULL);
  load_history(lines);
  return true;
}

struct cli_lines *cli_lines_create(const struct cli_lines_options *options) {
  struct cli_lines *lines = cli_allocate(1, sizeof *lines);
  lines->options = *options;
  lines->prompt = "";
  if (options->is_terminal && !start_editing(lines)) {
    free(lines);
    return NULL;
  }
  return lines;
}

void cli_lines_destroy(struct cli_lines *lines) {
  if (lines == NULL) return;
  if (lines->history != NULL) history_end(lines->history);
  if (lines->edit != NULL) el_end(lines->edit);
  free(lines);
}

static enum cli_line read_edited(struct cli_lines *lines, struct cli_text *line) {
  int size = 0;
  el_resize(lines->edit);
  const char *text = el_gets(lines->edit, &size);
  if (lines->interrupted) {
    cli_interrupt_clear(lines->options.interrupt);
    (void)printf("^C\n");
    (void)fflush(stdout);
    return CLI_LINE_INTERRUPTED;
  }
  if (text == NULL || size <= 0) return CLI_LINE_END;
  size_t end = strlen(text);
  if (end > 0 && text[end - 1] == '\n') --end;
  cli_text_append(line, text, end);
  return CLI_LINE_READ;
}

enum cli_line cli_lines_read(struct cli_lines *lines, const char *prompt, struct cli_text *line) {
  lines->prompt = prompt;
  lines->interrupted = false;
  cli_text_clear(line);
  if (lines->edit != NULL) return read_edited(lines, line);
  for (;;) {
    char byte = 0;
    int got = read_byte(lines, &byte);
    if (lines->interrupted) return CLI_LINE_INTERRUPTED;
    if (got <= 0) return line->size > 0 ? CLI_LINE_READ : CLI_LINE_END;
    if (byte == '\n') return CLI_LINE_READ;
    cli_text_append_char(line, byte);
  }
}

void cli_lines_remember(struct cli_lines *lines, const char *statement) {
  HistEvent event;
  if (lines->history == NULL) return;
  (void)history(lines->history, &event, H_ENTER, statement);
  if (lines->options.history_path != NULL) {
    (void)history(lines->history, &event, H_SAVE, lines->options.history_path);
  }
}
