/* SPDX-License-Identifier: Apache-2.0
 *
 * shell: statements line by line, from a terminal, a file, a pipe or the command line.
 *
 * Starts it and ends it; what it does stands in shell_run.c and the dot_*.c.
 */
#include "completion.h"
#include "shell.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATIENCE = 3 };

/* ---- the apiary ------------------------------------------------------------------------------ */

void shell_close(struct shell *shell) {
  struct cli *cli = shell->cli;
  ap_session_close(cli->session);
  ap_close(cli->apiary);
  cli->session = NULL;
  cli->apiary = NULL;
  cli_names_forget(shell->names);
}

int shell_open(struct shell *shell, const char *storage) {
  struct cli *cli = shell->cli;
  struct cli old = *cli;
  ap_error error = {0};
  if (storage != NULL) cli->arguments.values[CLI_STORAGE] = storage;
  cli->apiary = NULL;
  cli->session = NULL;
  int status = cli_open(cli);
  cli->arguments.values[CLI_STORAGE] = old.arguments.values[CLI_STORAGE];
  if (status == CLI_EXIT_OK && ap_session_open(cli->apiary, &cli->session, &error) != AP_OK) {
    status = cli_fail(cli, &error);
  }
  if (status != CLI_EXIT_OK) { /* the old one stays */
    ap_close(cli->apiary);
    cli->apiary = old.apiary;
    cli->session = old.session;
    return status;
  }
  ap_session_close(old.session);
  ap_close(old.apiary);
  cli_names_forget(shell->names);
  return status;
}

/* ---- the terminal ---------------------------------------------------------------------------- */

static size_t complete(void *context, const char *before, const char *behind,
                       struct cli_candidates *candidates) {
  struct shell *shell = context;
  const char *pending = cli_text_string(&shell->script->text);
  if (pending[0] == '\0' && before[strspn(before, " \t")] == '.') {
    return shell_complete_dot(shell, before, candidates);
  }
  const struct cli_completion completion = {.names = shell->names,
                                            .apiary = shell->cli->apiary,
                                            .session = shell->cli->session,
                                            .pending = pending};
  return cli_complete(&completion, before, behind, candidates);
}

/* What was typed of a statement goes back into the line that is edited. */
static bool take_back(void *context, struct cli_text *text, struct cli_text *prompt) {
  struct shell *shell = context;
  struct shell_script *script = shell->script;
  if (script->text.size == 0) return false;
  cli_text_append(text, script->text.data, script->text.size);
  cli_text_clear(&script->text);
  script->scanned = 0;
  cli_text_clear(prompt);
  shell_append_prompt(shell, false, prompt);
  return true;
}

/* ~/.apiary/history; "" without a home. */
static void find_history(struct cli_text *path) {
  const char *home = getenv("HOME");
  if (home == NULL || home[0] == '\0') return;
  cli_text_append_format(path, "%s/.apiary", home);
  if (mkdir(path->data, 0700) != 0 && errno != EEXIST) {
    cli_text_clear(path);
    return;
  }
  cli_text_append_string(path, "/history");
}

static int run_terminal(struct shell *shell) {
  struct cli *cli = shell->cli;
  struct cli_text history = {0};
  struct shell_script script = {.is_terminal = true};
  find_history(&history);
  const struct cli_lines_options options = {
      .interrupt = &cli->interrupt,
      .fd = STDIN_FILENO,
      .is_terminal = true,
      .history_path = history.size == 0 ? NULL : history.data,
      .complete = complete,
      .take_back = take_back,
      .context = shell,
  };
  int status = CLI_EXIT_OK;
  shell->lines = cli_lines_create(&options);
  if (shell->lines == NULL) {
    status = cli_fail_text(cli, "pipe the statements in instead", "this terminal cannot be used");
  } else {
    atomic_store(&cli->interrupt.patience, PATIENCE);
    (void)cli_output_format(&cli->output, "apiary %s. Statements end in ';', .help helps.\n",
                            ap_version());
    (void)cli_finish_output(cli);
    (void)shell_run_lines(shell, shell->lines, &script);
  }
  cli_lines_destroy(shell->lines);
  shell->lines = NULL;
  cli_text_deinit(&history);
  return status;
}

/* ---- the command ----------------------------------------------------------------------------- */

/* ~/.apiaryrc is for people; a file that is named is read in any case. */
static void read_init(struct shell *shell) {
  const struct cli_arguments *arguments = &shell->cli->arguments;
  const char *home = getenv("HOME");
  struct cli_text path = {0};
  if (arguments->values[CLI_INIT] != NULL) {
    cli_text_append_string(&path, arguments->values[CLI_INIT]);
  } else if (shell->is_terminal && !arguments->given[CLI_NO_INIT] && home != NULL) {
    cli_text_append_format(&path, "%s/.apiaryrc", home);
    if (access(path.data, R_OK) != 0) cli_text_clear(&path);
  }
  if (path.size > 0) (void)shell_run_file(shell, path.data, true);
  cli_interrupt_clear(&shell->cli->interrupt);
  cli_text_deinit(&path);
}

static int run_inputs(struct shell *shell) {
  const struct cli_arguments *arguments = &shell->cli->arguments;
  int status = CLI_EXIT_OK;
  for (size_t i = 0; i < arguments->input_count && status == CLI_EXIT_OK && !shell->is_over; ++i) {
    const struct cli_input *input = &arguments->inputs[i];
    status = input->option == CLI_FILE ? shell_run_file(shell, input->value, false)
                                       : shell_run_text(shell, NULL, input->value);
  }
  return status;
}

static int run_shell(struct shell *shell) {
  int status = CLI_EXIT_OK;
  read_init(shell);
  if (shell->is_over) {
    return shell->status;
  } else if (shell->cli->arguments.input_count > 0) {
    status = run_inputs(shell);
  } else if (shell->is_terminal) {
    status = run_terminal(shell);
  } else {
    status = shell_run_file(shell, "-", false);
  }
  if (status == CLI_EXIT_OK && shell->has_failed) status = CLI_EXIT_FAILED;
  return status == CLI_EXIT_OK ? shell->status : status;
}

static void shell_deinit(struct shell *shell) {
  if (shell->file_name.size > 0) {
    (void)cli_output_flush(&shell->file);
    (void)close(shell->file.fd);
    cli_output_deinit(&shell->file);
  }
  cli_text_deinit(&shell->file_name);
  cli_text_deinit(&shell->pager);
  cli_text_deinit(&shell->null_text);
  cli_text_deinit(&shell->frame_name);
  cli_text_deinit(&shell->prompt);
  free(shell->widths);
  ap_session_close(shell->cli->session);
  shell->cli->session = NULL;
  cli_names_destroy(shell->names);
}

int cli_run_shell(struct cli *cli) {
  struct shell shell = {.cli = cli, .is_bailing = true, .width_max = -1};
  const char *pager = getenv("PAGER");
  shell.is_terminal =
      isatty(STDIN_FILENO) == 1 && cli->output.is_terminal && cli->arguments.input_count == 0;
  shell.has_rows_max = cli->arguments.given[CLI_MAX_ROWS];
  int status = cli_writer_options_of(cli, &shell.options);
  if (cli->arguments.given[CLI_INIT] && cli->arguments.given[CLI_NO_INIT]) {
    status = cli_fail_usage(cli, NULL, "--init and --no-init exclude each other");
  }
  if (status != CLI_EXIT_OK) return status;
  if (shell.is_terminal) {
    cli_text_append_string(&shell.pager, pager == NULL ? "less -SRFX" : pager);
  }
  shell.names = cli_names_create();
  status = shell_open(&shell, NULL);
  if (status == CLI_EXIT_OK) status = run_shell(&shell);
  shell_deinit(&shell);
  return status;
}
