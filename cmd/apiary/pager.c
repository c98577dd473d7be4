/* SPDX-License-Identifier: Apache-2.0
 *
 * See pager.h.
 */
#include "pager.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* The environment with what less needs, where the user has not set it: colours, lines that are not
 * wrapped, and our bytes taken for what they are in any locale. */
static char **make_environment(void) {
  size_t count = 0;
  while (environ[count] != NULL) ++count;
  char **variables = cli_allocate(count + 3, sizeof *variables);
  memcpy(variables, environ, count * sizeof *variables);
  if (getenv("LESS") == NULL) variables[count++] = (char *)(uintptr_t) "LESS=SRFX";
  if (getenv("LESSCHARSET") == NULL) {
    variables[count] = (char *)(uintptr_t) "LESSCHARSET=utf-8";
  }
  return variables;
}

static bool start(struct cli_pager *pager, int input) {
  char *arguments[] = {(char *)(uintptr_t) "sh", (char *)(uintptr_t) "-c",
                       (char *)(uintptr_t)pager->command, NULL};
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  sigset_t none;
  sigset_t usual;
  sigemptyset(&none);
  sigemptyset(&usual);
  sigaddset(&usual, SIGPIPE);
  sigaddset(&usual, SIGINT);
  if (posix_spawn_file_actions_init(&actions) != 0) return false;
  if (posix_spawnattr_init(&attributes) != 0) {
    (void)posix_spawn_file_actions_destroy(&actions);
    return false;
  }
  char **variables = make_environment();
  errno = posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
  if (errno == 0) errno = posix_spawnattr_setsigmask(&attributes, &none);
  if (errno == 0) errno = posix_spawnattr_setsigdefault(&attributes, &usual);
  if (errno == 0) {
    errno = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  if (errno == 0) {
    errno = posix_spawn(&pager->process, "/bin/sh", &actions, &attributes, arguments, variables);
  }
  bool is_started = errno == 0;
  free(variables);
  (void)posix_spawnattr_destroy(&attributes);
  (void)posix_spawn_file_actions_destroy(&actions);
  if (!is_started) pager->process = 0;
  return is_started;
}

static void overflow(void *context) {
  struct cli_pager *pager = context;
  struct cli_output *output = &pager->cli->output;
  int ends[2];
  if (pipe(ends) != 0) return;
  (void)fcntl(ends[0], F_SETFD, FD_CLOEXEC);
  (void)fcntl(ends[1], F_SETFD, FD_CLOEXEC);
  bool is_started = start(pager, ends[0]);
  (void)close(ends[0]);
  if (!is_started) { /* the rows go to the terminal */
    (void)close(ends[1]);
    return;
  }
  output->fd = ends[1];
  pager->patience = atomic_exchange(&pager->cli->interrupt.patience, INT_MAX);
}

void cli_pager_begin(struct cli_pager *pager, struct cli *cli, const char *command) {
  struct cli_output *output = &cli->output;
  size_t lines = cli_output_lines(output);
  *pager = (struct cli_pager){.cli = cli, .command = command};
  if (command[0] == '\0' || lines < 2) return;
  output->held = 0;
  output->line = 0;
  output->held_max = lines - 1; /* the prompt's line */
  output->columns = cli_output_columns(output);
  output->overflow = overflow;
  output->context = pager;
}

void cli_pager_end(struct cli_pager *pager) {
  struct cli_output *output = &pager->cli->output;
  int status = 0;
  (void)cli_output_flush(output);
  output->overflow = NULL;
  if (pager->process == 0) return;
  (void)close(output->fd);
  output->fd = STDOUT_FILENO;
  pager->was_left = output->error == EPIPE;
  if (pager->was_left) output->error = 0;
  cli_text_clear(&output->bytes);
  while (waitpid(pager->process, &status, 0) < 0 && errno == EINTR) continue;
  pager->process = 0;
  cli_interrupt_clear(&pager->cli->interrupt);
  atomic_store(&pager->cli->interrupt.patience, pager->patience);
}
