/* SPDX-License-Identifier: Apache-2.0
 *
 * See lines.h. Editing is libedit's, in its wide-character form; reading a key waits for Ctrl-C
 * too, so that no signal handler is needed. What is edited may hold line ends: a statement from the
 * history, or one whose earlier lines were taken back.
 */
#include "lines.h"

#include "output.h"
#include "width.h"

#include <histedit.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wchar.h>

enum {
  HISTORY_ENTRIES_MAX = 1000,
  HISTORY_BYTES_MAX = 1024 * 1024, /* of the file: a larger one is written anew */
  LISTED_MAX = 200,
  INPUT_BYTES = 4096,
  SCREEN_COLUMNS = 80,
};

struct cli_lines {
  struct cli_lines_options options;
  EditLine *edit; /* NULL: no terminal */
  History *history;
  const char *prompt;
  struct cli_text own_prompt; /* after lines were taken back */
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
  if (lines->options.text != NULL) {
    *out_byte = lines->options.text[lines->input_at];
    if (cli_interrupt_asked(lines->options.interrupt)) lines->interrupted = true;
    if (*out_byte == '\0' || lines->interrupted) return 0;
    ++lines->input_at;
    return 1;
  }
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

/* ---- lines within the line --------------------------------------------------------------------
 */

/* The start of the line that `at` stands in. */
static const wchar_t *line_start(const LineInfoW *info, const wchar_t *at) {
  while (at > info->buffer && at[-1] != L'\n') --at;
  return at;
}

/* Back among the lines that were read before this one, if there are such. */
static bool take_back(struct cli_lines *lines, EditLine *edit) {
  struct cli_text text = {0};
  const LineInfoW *info = el_wline(edit);
  bool is_taken = lines->options.take_back != NULL &&
                  lines->options.take_back(lines->options.context, &text, &lines->own_prompt);
  if (!is_taken) return false;
  long column = info->cursor - info->buffer;
  (void)el_cursor(edit, (int)-column);
  (void)el_insertstr(edit, cli_text_string(&text));
  lines->prompt = cli_text_string(&lines->own_prompt);
  cli_text_deinit(&text);
  return true;
}

/* One line up, to the same column; on the first one, what was typed before. */
static unsigned char go_up(EditLine *edit, int key) {
  struct cli_lines *lines = lines_of(edit);
  const LineInfoW *info = el_wline(edit);
  const wchar_t *start = line_start(info, info->cursor);
  (void)key;
  if (start == info->buffer) {
    if (!take_back(lines, edit)) {
      el_push(edit, "\020"); /* Ctrl-P */
      return CC_NORM;
    }
    info = el_wline(edit);
    start = line_start(info, info->cursor);
    if (start == info->buffer) return CC_REFRESH;
  }
  const wchar_t *above = line_start(info, start - 1);
  long column = info->cursor - start;
  long length = start - 1 - above;
  (void)el_cursor(edit, (int)(above + (column < length ? column : length) - info->cursor));
  return CC_REFRESH;
}

static unsigned char go_down(EditLine *edit, int key) {
  const LineInfoW *info = el_wline(edit);
  const wchar_t *start = line_start(info, info->cursor);
  const wchar_t *below = info->cursor;
  (void)key;
  while (below < info->lastchar && *below != L'\n') ++below;
  if (below == info->lastchar) {
    el_push(edit, "\016"); /* Ctrl-N */
    return CC_NORM;
  }
  ++below;
  long column = info->cursor - start;
  long length = 0;
  while (below + length < info->lastchar && below[length] != L'\n') ++length;
  (void)el_cursor(edit, (int)(below + (column < length ? column : length) - info->cursor));
  return CC_REFRESH;
}

static unsigned char go_to_start(EditLine *edit, int key) {
  const LineInfoW *info = el_wline(edit);
  (void)key;
  (void)el_cursor(edit, (int)(line_start(info, info->cursor) - info->cursor));
  return CC_CURSOR;
}

static int size_to_end(const LineInfoW *info) {
  const wchar_t *end = info->cursor;
  while (end < info->lastchar && *end != L'\n') ++end;
  return (int)(end - info->cursor);
}

static unsigned char go_to_end(EditLine *edit, int key) {
  (void)key;
  (void)el_cursor(edit, size_to_end(el_wline(edit)));
  return CC_CURSOR;
}

/* Up to the end of the line; of the last one libedit keeps what is cut. */
static unsigned char cut_line(EditLine *edit, int key) {
  const LineInfoW *info = el_wline(edit);
  int size = size_to_end(info);
  (void)key;
  if (info->cursor + size == info->lastchar) {
    el_push(edit, "\033\013"); /* Meta-Ctrl-K */
    return CC_NORM;
  }
  if (size == 0) size = 1; /* the line end itself */
  (void)el_cursor(edit, size);
  el_deletestr(edit, size);
  return CC_REFRESH;
}

static unsigned char break_line(EditLine *edit, int key) {
  (void)key;
  return el_insertstr(edit, "\n") == 0 ? CC_REFRESH : CC_ERROR;
}

/* ---- completion ------------------------------------------------------------------------------ */

static void list(const struct cli_candidates *candidates) {
  const struct cli_output screen = {.fd = STDOUT_FILENO, .is_terminal = true};
  size_t columns = cli_output_columns(&screen);
  size_t shown_count = candidates->count > LISTED_MAX ? LISTED_MAX : candidates->count;
  size_t width = 0;
  if (columns == 0) columns = SCREEN_COLUMNS;
  for (size_t i = 0; i < shown_count; ++i) {
    size_t size = cli_width_of(candidates->items[i], strlen(candidates->items[i]));
    if (size > width) width = size;
  }
  size_t per_line = columns / (width + 2);
  if (per_line == 0) per_line = 1;
  size_t rows = (shown_count + per_line - 1) / per_line;
  struct cli_text text = {0};
  for (size_t row = 0; row < rows; ++row) {
    cli_text_append_char(&text, '\n');
    for (size_t i = row; i < shown_count; i += rows) {
      const char *item = candidates->items[i];
      size_t shown = cli_width_append(&text, item, strlen(item), SIZE_MAX);
      if (i + rows < shown_count) cli_text_append_repeated(&text, " ", width - shown + 2);
    }
  }
  if (shown_count < candidates->count) {
    cli_text_append_format(&text, "\n... and %zu more", candidates->count - shown_count);
  }
  (void)printf("%s\n", cli_text_string(&text));
  (void)fflush(stdout);
  cli_text_deinit(&text);
}

static size_t count_characters(const char *text, size_t size) {
  size_t count = 0;
  for (size_t i = 0; i < size; ++i) count += ((unsigned char)text[i] & 0xc0) != 0x80;
  return count;
}

/* Put what all candidates have in common in place of the word; false when that adds nothing. */
static bool replace_word(EditLine *edit, const struct cli_candidates *candidates,
                         const char *word) {
  struct cli_text text = {0};
  size_t common = common_size(candidates);
  const char *first = candidates->items[0];
  size_t word_size = strlen(word);
  bool is_one = candidates->count == 1;
  cli_text_append(&text, first, common);
  char last = common > 0 ? first[common - 1] : '.';
  if (is_one && strchr(".(/", last) == NULL) cli_text_append_char(&text, ' ');
  bool is_more = text.size > word_size || (is_one && strcmp(text.data, word) != 0);
  if (is_more) {
    el_deletestr(edit, (int)count_characters(word, word_size));
    is_more = el_insertstr(edit, text.data) == 0;
  }
  cli_text_deinit(&text);
  return is_more;
}

static unsigned char complete(EditLine *edit, int key) {
  struct cli_lines *lines = lines_of(edit);
  struct cli_candidates candidates = {0};
  const LineInfo *info = el_line(edit);
  unsigned char answer = CC_ERROR;
  (void)key;
  char *before = cli_copy(info->buffer, (size_t)(info->cursor - info->buffer));
  char *behind = cli_copy(info->cursor, (size_t)(info->lastchar - info->cursor));
  const char *line = strrchr(before, '\n');
  line = line == NULL ? before : line + 1;
  if (line[strspn(line, " \t")] == '\0') {
    /* Nothing to complete: a text that is pasted may be indented by tabs. */
    answer = el_insertstr(edit, "  ") == 0 ? CC_REFRESH : CC_ERROR;
  } else {
    size_t size = lines->options.complete(lines->options.context, before, behind, &candidates);
    sort(&candidates);
    if (candidates.count > 0 && replace_word(edit, &candidates, before + strlen(before) - size)) {
      answer = CC_REFRESH;
    } else if (candidates.count > 1) {
      list(&candidates);
      answer = CC_REDISPLAY;
    }
  }
  cli_candidates_deinit(&candidates);
  free(behind);
  free(before);
  return answer;
}

/* ---- lines ----------------------------------------------------------------------------------- */

static bool is_large(const char *path) {
  FILE *file = fopen(path, "re");
  if (file == NULL) return false;
  bool is = fseek(file, 0, SEEK_END) == 0 && ftell(file) > HISTORY_BYTES_MAX;
  (void)fclose(file);
  return is;
}

static void load_history(struct cli_lines *lines) {
  const char *path = lines->options.history_path;
  HistEvent event;
  lines->history = history_init();
  if (lines->history == NULL) return;
  (void)history(lines->history, &event, H_SETSIZE, HISTORY_ENTRIES_MAX);
  (void)history(lines->history, &event, H_SETUNIQUE, 1);
  if (path != NULL) {
    (void)history(lines->history, &event, H_LOAD, path);
    if (is_large(path)) (void)history(lines->history, &event, H_SAVE, path);
  }
  (void)el_set(lines->edit, EL_HIST, history, lines->history);
}

static bool start_editing(struct cli_lines *lines) {
  static const char *const keys[][2] = {{"^I", "complete"},
                                        {"^R", "em-inc-search-prev"},
                                        {"\\e^K", "ed-kill-line"},
                                        {"^A", "go-to-start"},
                                        {"^E", "go-to-end"},
                                        {"^K", "cut-line"},
                                        {"\\e[A", "go-up"},
                                        {"\\eOA", "go-up"},
                                        {"\\e[B", "go-down"},
                                        {"\\eOB", "go-down"},
                                        {"\\e[H", "go-to-start"},
                                        {"\\eOH", "go-to-start"},
                                        {"\\e[1~", "go-to-start"},
                                        {"\\e[F", "go-to-end"},
                                        {"\\eOF", "go-to-end"},
                                        {"\\e[4~", "go-to-end"},
                                        {"\\e[3~", "ed-delete-next-char"},
                                        {"\\e[1;5C", "em-next-word"},
                                        {"\\e[1;5D", "ed-prev-word"},
                                        {"\\e^M", "break-line"},
                                        {"\\e^J", "break-line"}};
  lines->edit = el_init("apiary", stdin, stdout, stderr);
  if (lines->edit == NULL) return false;
  (void)el_set(lines->edit, EL_CLIENTDATA, lines);
  (void)el_set(lines->edit, EL_SIGNAL, 0);
  (void)el_set(lines->edit, EL_PROMPT, show_prompt);
  (void)el_set(lines->edit, EL_EDITOR, "emacs");
  (void)el_set(lines->edit, EL_GETCFN, read_key);
  /* Wide: of the others libedit keeps copies for ever. */
  (void)el_wset(lines->edit, EL_ADDFN, L"complete", L"Complete the word", complete);
  (void)el_wset(lines->edit, EL_ADDFN, L"go-up", L"One line up", go_up);
  (void)el_wset(lines->edit, EL_ADDFN, L"go-down", L"One line down", go_down);
  (void)el_wset(lines->edit, EL_ADDFN, L"break-line", L"Insert a line end", break_line);
  (void)el_wset(lines->edit, EL_ADDFN, L"go-to-start", L"To the line's start", go_to_start);
  (void)el_wset(lines->edit, EL_ADDFN, L"go-to-end", L"To the line's end", go_to_end);
  (void)el_wset(lines->edit, EL_ADDFN, L"cut-line", L"Cut to the line's end", cut_line);
  for (size_t i = 0; i < sizeof keys / sizeof keys[0]; ++i) {
    (void)el_set(lines->edit, EL_BIND, keys[i][0], keys[i][1], NULL);
  }
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
  cli_text_deinit(&lines->own_prompt);
  if (lines->history != NULL) history_end(lines->history);
  if (lines->edit != NULL) el_end(lines->edit);
  free(lines);
}

static enum cli_line read_edited(struct cli_lines *lines, struct cli_text *line) {
  int size = 0;
  el_resize(lines->edit);
  const char *text = el_gets(lines->edit, &size);
  if (lines->interrupted) {
    const LineInfo *info = el_line(lines->edit);
    cli_interrupt_clear(lines->options.interrupt);
    cli_text_append(line, info->buffer, (size_t)(info->lastchar - info->buffer));
    (void)printf("^C\n");
    (void)fflush(stdout);
    return CLI_LINE_INTERRUPTED;
  }
  if (text == NULL || size <= 0) {
    (void)printf("\n");
    (void)fflush(stdout);
    return CLI_LINE_END;
  }
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

/* Behind what other shells have written meanwhile. */
static void save_newest(struct cli_lines *lines, const char *path) {
  HistEvent event;
  int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  FILE *file = fd < 0 ? NULL : fdopen(fd, "a");
  if (file == NULL) {
    if (fd >= 0) (void)close(fd);
    return;
  }
  (void)fchmod(fd, 0600);
  (void)fseek(file, 0, SEEK_END);
  /* The newest, and so many before it. */
  (void)history(lines->history, &event, H_NSAVE_FP, (size_t)0, file);
  (void)fclose(file);
}

void cli_lines_remember(struct cli_lines *lines, const char *statement) {
  HistEvent event;
  if (lines->history == NULL) return;
  (void)history(lines->history, &event, H_ENTER, statement);
  if (lines->options.history_path != NULL) save_newest(lines, lines->options.history_path);
}

void cli_lines_append_history(const struct cli_lines *lines, size_t count, struct cli_text *text) {
  HistEvent event;
  size_t left = 0;
  if (lines->history == NULL) return;
  for (int got = history(lines->history, &event, H_LAST); got >= 0;
       got = history(lines->history, &event, H_PREV)) {
    ++left;
  }
  for (int got = history(lines->history, &event, H_LAST); got >= 0;
       got = history(lines->history, &event, H_PREV), --left) {
    if (count == 0 || left <= count) cli_text_append_format(text, "%s\n", event.str);
  }
  (void)history(lines->history, &event, H_FIRST);
}
