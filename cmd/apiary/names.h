/* SPDX-License-Identifier: Apache-2.0
 *
 * What there is, remembered between two keys: names of hives, boxes and frames, descriptions of
 * frames, functions of the engine.
 *
 * What was read is believed for some seconds, or until the shell changes something itself. One
 * thread uses it.
 */
#ifndef CLI_NAMES_H
#define CLI_NAMES_H

#include "lines.h"

#include <apiary/apiary.h>

struct cli_names;

struct cli_names *cli_names_create(void);
void cli_names_destroy(struct cli_names *names); /* NULL is allowed */
/* Believe nothing any more. */
void cli_names_forget(struct cli_names *names);

/* As ap_list; NULL when that fails. Valid until the next call. */
const ap_names *cli_names_list(struct cli_names *names, ap_apiary *apiary, const char *hive,
                               const char *box);
/* As ap_frame_describe; NULL when that fails. Valid until the next call. */
const char *cli_names_describe(struct cli_names *names, ap_apiary *apiary, char *const parts[3]);
/* The engine's functions, asked for once. */
const struct cli_candidates *cli_names_functions(struct cli_names *names, ap_session *session);

#endif
