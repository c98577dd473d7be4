/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of commands: what each is called, takes and shows as examples. Data only.
 */
#include "cli.h"

#include <string.h>

#define ANY 1000000

#define FORMAT_HELP "table (default), csv, tsv, json, ndjson, markdown, line, html, insert, arrow"

const struct cli_command cli_commands[] = {
    {.name = "create",
     .usage = "NAME [--columns COLUMNS] ...",
     .summary = "make a hive, a box or a frame",
     .details = "NAME is HIVE, HIVE.BOX or HIVE.BOX.FRAME; missing parents are made too.",
     .words_min = 1,
     .words_max = 1,
     .options = {{CLI_COLUMNS, "a frame's columns: 'id int64 not null, name string'"},
                 {CLI_PARTITION_BY, "a frame's partition columns: year,month"},
                 {CLI_DESCRIPTION, "a frame's description"},
                 {CLI_IF_NOT_EXISTS, "no error when it is there already"}},
     .examples = {"apiary create shop", "apiary create shop.sales",
                  "apiary create shop.sales.orders --columns 'id int64 not null, customer string, "
                  "amount decimal(10,2)'"},
     .run = cli_run_create},
    {.name = "attach",
     .usage = "FRAME FOLDER",
     .summary = "take in a Delta table that another engine wrote",
     .details = "FOLDER is the table's path below the storage root. Its rows stay where they are.",
     .words_min = 2,
     .words_max = 2,
     .examples = {"apiary attach shop.sales.orders lake/orders",
                  "apiary attach shop.web.visits spark/visits --storage /data"},
     .run = cli_run_attach},
    {.name = "drop",
     .usage = "NAME [--cascade] [--if-exists]",
     .summary = "remove a hive, a box or a frame with its rows",
     .words_min = 1,
     .words_max = 1,
     .options = {{CLI_CASCADE, "a hive or box with all it holds"},
                 {CLI_IF_EXISTS, "no error when it is not there"}},
     .examples = {"apiary drop shop.sales.orders", "apiary drop shop --cascade"},
     .run = cli_run_drop},
    {.name = "rename",
     .usage = "OLD NEW",
     .summary = "give a hive, a box or a frame a new name",
     .details = "NEW is the last part alone, or the whole name with the same hive and box.",
     .words_min = 2,
     .words_max = 2,
     .examples = {"apiary rename shop.sales.orders purchases", "apiary rename shop store"},
     .run = cli_run_rename},
    {.name = "list",
     .usage = "[HIVE[.BOX]]",
     .summary = "list hives, the boxes of a hive, the frames of a box",
     .words_max = 1,
     .examples = {"apiary list", "apiary list shop", "apiary list shop.sales"},
     .run = cli_run_list},
    {.name = "import",
     .usage = "FRAME PATH... [--format FORMAT] ...",
     .summary = "load files into a frame, as one commit",
     .details = "PATH is a file, a folder or a quoted pattern. A missing frame is made with the\n"
                "columns that the files have. Ctrl-C ends it, and nothing has changed.",
     .words_min = 2,
     .words_max = ANY,
     .options = {{CLI_FORMAT, "csv, json, parquet or arrow (default: by the files' names)"},
                 {CLI_PARTITION_BY, "partition columns of a frame that is made: year,month"},
                 {CLI_OVERWRITE, "replace the rows that are there"},
                 {CLI_NO_CREATE, "fail when there is no such frame"},
                 {CLI_NULL, "CSV: the text that means null, as NA, beside an empty field"}},
     .examples = {"apiary import shop.sales.orders orders.csv",
                  "apiary import shop.sales.orders 'exports/*.parquet' --overwrite",
                  "apiary import shop.web.visits logs/ --format json --partition-by day"},
     .run = cli_run_import},
    {.name = "export",
     .usage = "'SQL'|FRAME FILE [--format FORMAT]",
     .summary = "write a query's rows to a new file",
     .words_min = 2,
     .words_max = 2,
     .options = {{CLI_FORMAT, "csv, json, parquet or arrow (default: by the file's name)"}},
     .examples = {"apiary export shop.sales.orders orders.parquet",
                  "apiary export 'SELECT customer, sum(amount) FROM shop.sales.orders GROUP BY 1' "
                  "totals.csv"},
     .run = cli_run_export},
    {.name = "sql",
     .usage = "'SQL' [--format FORMAT] ...",
     .summary = "run SQL and print its rows",
     .details =
         "Of several statements, the rows of the last are printed. '-' reads standard input.\n"
         "--param gives $1, $2 and so on, in order; --param NAME=VALUE gives $NAME. Numbers,\n"
         "true, false and NULL are such; anything else, and all in single quotes, is text.",
     .words_max = 1,
     .options = {{CLI_FORMAT, FORMAT_HELP},
                 {CLI_FILE, "read the SQL from a file; -: from standard input"},
                 {CLI_PARAM, "a value for a parameter; may be given again"},
                 {CLI_MAX_ROWS, "of a table, show the first and last rows (terminal: 40; 0: all)"},
                 {CLI_NO_HEADER, "rows alone"}},
     .examples = {"apiary sql 'SELECT 42'",
                  "apiary sql 'SELECT * FROM shop.sales.orders WHERE amount > $1' --param 9.99",
                  "apiary sql -f csv 'FROM shop.sales.orders' | head"},
     .run = cli_run_sql_command},
    {.name = "describe",
     .usage = "FRAME [--format table|json]",
     .summary = "show a frame's columns and size",
     .words_min = 1,
     .words_max = 1,
     .options = {{CLI_FORMAT, "table (default) or json"}},
     .examples = {"apiary describe shop.sales.orders",
                  "apiary describe shop.sales.orders --format json"},
     .run = cli_run_describe},
    {.name = "history",
     .usage = "FRAME [--limit N] [--format FORMAT]",
     .summary = "show a frame's versions, newest first",
     .words_min = 1,
     .words_max = 1,
     .options = {{CLI_LIMIT, "so many versions (default: all)"},
                 {CLI_FORMAT, FORMAT_HELP},
                 {CLI_MAX_ROWS, "of a table, show the first and last rows (terminal: 40; 0: all)"},
                 {CLI_NO_HEADER, "rows alone"}},
     .examples = {"apiary history shop.sales.orders",
                  "apiary history shop.sales.orders --limit 10 --format json"},
     .run = cli_run_history},
    {.name = "checkpoint",
     .usage = "FRAME",
     .summary = "write a checkpoint of a frame's ledger",
     .words_min = 1,
     .words_max = 1,
     .examples = {"apiary checkpoint shop.sales.orders",
                  "apiary checkpoint --storage /data/shop shop.sales.orders"},
     .run = cli_run_checkpoint},
    {.name = "status",
     .usage = "[--format table|json]",
     .summary = "show cores, memory, storage and versions",
     .options = {{CLI_FORMAT, "table (default) or json"}},
     .examples = {"apiary status", "apiary status --format json"},
     .run = cli_run_status},
    {.name = "shell",
     .usage = "[-c SQL] [-f FILE] ...",
     .summary = "type SQL, line by line, or run scripts",
     .details =
         "Statements end in ';'. '.help' lists what else there is. With -c or -f, or when "
         "standard\n"
         "input is no terminal, it is a script, which the first error ends with exit status 1.",
     .options = {{CLI_COMMAND, "run statements and dot commands, then leave; may be given again",
                  'c'},
                 {CLI_FILE, "run a file of them, then leave; -: standard input", 'f'},
                 {CLI_FORMAT, FORMAT_HELP, 0},
                 {CLI_MAX_ROWS, "of a table, show the first and last rows; 0: all", 0},
                 {CLI_NO_HEADER, "rows alone", 0},
                 {CLI_INIT, "read this file first, instead of ~/.apiaryrc on a terminal", 0},
                 {CLI_NO_INIT, "read no ~/.apiaryrc", 0}},
     .examples = {"apiary shell", "apiary shell --storage ./data < script.sql",
                  "apiary shell -c 'USE shop.sales; SELECT count(*) FROM orders;'",
                  "apiary shell -f script.sql --format csv"},
     .run = cli_run_shell},
    {.name = "help",
     .usage = "[COMMAND]",
     .summary = "show help",
     .words_max = 1,
     .examples = {"apiary help", "apiary help import"},
     .run = cli_run_help},
    {.name = NULL},
};

int cli_run_help(struct cli *cli) {
  struct cli_text text = {0};
  int status = CLI_EXIT_OK;
  if (cli->arguments.word_count == 0) {
    cli_help_append_program(&text);
  } else {
    const struct cli_command *command = cli_command_find(cli->arguments.words[0]);
    if (command == NULL) {
      status = cli_fail_usage(cli, "'apiary help' lists them", "there is no command '%s'",
                              cli->arguments.words[0]);
    } else {
      cli_help_append(&text, command);
    }
  }
  (void)cli_output_string(&cli->output, cli_text_string(&text));
  cli_text_deinit(&text);
  return status;
}
