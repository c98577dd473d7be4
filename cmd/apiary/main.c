/* SPDX-License-Identifier: Apache-2.0
 *
 * The program: reads the command line, runs the command, gives its status.
 *
 * Exit status: 0 it worked, 1 it failed, 2 the command line is wrong, 130 interrupted. Results go
 * to standard output, everything else to standard error.
 */
#include "cli.h"
#include "width.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void print_version(struct cli *cli) {
  (void)cli_output_format(&cli->output, "apiary %s\nengine DuckDB %s\n", ap_version(),
                          ap_engine_version());
}

static int run(struct cli *cli, int argc, char **argv) {
  struct cli_text problem = {0};
  struct cli_text hint = {0};
  struct cli_text help = {0};
  const struct cli_arguments *arguments = &cli->arguments;
  int status = CLI_EXIT_OK;
  if (!cli_arguments_parse(&cli->arguments, argc, argv, &problem, &hint)) {
    status = cli_fail_usage(cli, cli_text_string(&hint), "%s", cli_text_string(&problem));
  } else if (arguments->given[CLI_HELP] && arguments->command != NULL) {
    cli_help_append(&help, arguments->command);
  } else if (arguments->given[CLI_HELP]) {
    cli_help_append_program(&help);
  } else if (arguments->given[CLI_VERSION]) {
    print_version(cli);
  } else if (arguments->command == NULL) {
    status = cli_fail_usage(cli, NULL, "which command?");
  } else {
    status = arguments->command->run(cli);
  }
  (void)cli_output_string(&cli->output, cli_text_string(&help));
  cli_text_deinit(&problem);
  cli_text_deinit(&hint);
  cli_text_deinit(&help);
  return status;
}

int main(int argc, char **argv) {
  struct cli cli = {.errors_are_seen = isatty(STDERR_FILENO) == 1};
  cli_width_set_locale();
  cli_output_init(&cli.output, STDOUT_FILENO);
  int status = CLI_EXIT_FAILED;
  if (cli_interrupt_init(&cli.interrupt)) {
    status = run(&cli, argc, argv);
  } else {
    (void)cli_fail_text(&cli, NULL, "cannot wait for signals: %s", strerror(errno));
  }
  int flushed = cli_finish_output(&cli);
  ap_close(cli.apiary);
  cli_output_deinit(&cli.output);
  cli_arguments_deinit(&cli.arguments);
  return status != CLI_EXIT_OK ? status : flushed;
}
