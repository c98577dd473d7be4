/* SPDX-License-Identifier: Apache-2.0
 *
 * Walking over JSON that the library handed out: objects and arrays, member by member.
 *
 * Text that is not JSON ends a walk early; nothing is read outside it.
 */
#ifndef CLI_JSON_READ_H
#define CLI_JSON_READ_H

#include "text.h"

/* A value within a JSON text, without space around it. data NULL: none. */
struct cli_json {
  const char *data;
  size_t size;
};

struct cli_json cli_json_of(const char *text);

struct cli_json_walk {
  const char *at;
  const char *end;
};

/* Over an object's or array's members; nothing to walk over where the value is neither. */
struct cli_json_walk cli_json_walk_start(struct cli_json value);
/* The next member: its name (an object's; unescaped into *name, which may be NULL) and value. */
bool cli_json_walk_next(struct cli_json_walk *walk, struct cli_text *name,
                        struct cli_json *out_value);

/* An object's member; data NULL when there is none. */
struct cli_json cli_json_member(struct cli_json object, const char *name);
bool cli_json_is_null(struct cli_json value);
/* A string unescaped, anything else as it stands. */
void cli_json_append(struct cli_text *text, struct cli_json value);
/* A whole number; otherwise `otherwise`. */
long long cli_json_number(struct cli_json value, long long otherwise);

#endif
