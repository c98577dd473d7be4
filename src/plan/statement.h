/* SPDX-License-Identifier: Apache-2.0
 *
 * Statement heads: which statement a text is, and the names it gives, by a real tokenizer and a
 * recursive-descent parser. Whatever reads data (SELECT, FROM, WITH, VALUES, PIVOT, DESCRIBE and
 * EXPLAIN of a query, ...) is left to the engine's own parser as text. Both vocabularies: HIVE =
 * DATABASE, BOX = SCHEMA, FRAME = TABLE.
 * Pure: no I/O. Errors are AP_SYNTAX with line and column and what was expected.
 */
#ifndef AP_PLAN_STATEMENT_H
#define AP_PLAN_STATEMENT_H

#include "plan/statement_alter.h"
#include "plan/statement_change.h"

enum ap_statement_kind {
  AP_STATEMENT_QUERY,          /* text: the query; goes to the engine */
  AP_STATEMENT_EXPLAIN,        /* body: the query that is explained; text: the whole */
  AP_STATEMENT_DESCRIBE_QUERY, /* DESCRIBE SELECT ...; body: the query */
  AP_STATEMENT_USE,            /* scope says what was named; HIVE, BOX or UNSPECIFIED (one or two
                                  parts: a hive, a box of the current hive, or hive.box) */
  AP_STATEMENT_SHOW_HIVES,
  AP_STATEMENT_SHOW_BOXES,      /* IN hive */
  AP_STATEMENT_SHOW_FRAMES,     /* IN box | hive.box | hive */
  AP_STATEMENT_SHOW_VIEWS,      /* likewise */
  AP_STATEMENT_SHOW_CREATE,     /* a frame or view: name */
  AP_STATEMENT_SHOW_CHANGES,    /* of a frame: changes */
  AP_STATEMENT_SHOW_COLUMNS,    /* of a frame, too */
  AP_STATEMENT_SHOW_PARTITIONS, /* likewise */
  AP_STATEMENT_SHOW_PROPERTIES, /* likewise; like: one property's name, or empty */
  AP_STATEMENT_DESCRIBE,        /* a frame */
  AP_STATEMENT_CREATE_HIVE,
  AP_STATEMENT_CREATE_BOX,
  AP_STATEMENT_CREATE_FRAME, /* columns, frame */
  AP_STATEMENT_ALTER_FRAME,  /* alter; COMMENT ON too */
  AP_STATEMENT_DROP_HIVE,
  AP_STATEMENT_DROP_BOX,
  AP_STATEMENT_DROP_FRAME,
  AP_STATEMENT_OPTIMIZE, /* maintenance */
  AP_STATEMENT_VACUUM,   /* maintenance */
  AP_STATEMENT_CHECK,    /* maintenance */
  AP_STATEMENT_ANALYZE,
  AP_STATEMENT_CREATE_VIEW, /* body: the query; columns: names only */
  AP_STATEMENT_DROP_VIEW,
  AP_STATEMENT_HISTORY,         /* of a frame; limit */
  AP_STATEMENT_RESTORE,         /* name to a version or timestamp: is_version, value */
  AP_STATEMENT_COPY_FROM,       /* name, paths, options */
  AP_STATEMENT_COPY_TO,         /* name or body, paths (one), options */
  AP_STATEMENT_SET,             /* name: an option; value */
  AP_STATEMENT_RESET,           /* name: an option; none: all */
  AP_STATEMENT_SHOW_OPTION,     /* likewise */
  AP_STATEMENT_PREPARE,         /* name, body */
  AP_STATEMENT_EXECUTE,         /* name, options: the values */
  AP_STATEMENT_DEALLOCATE,      /* name; none: all */
  AP_STATEMENT_RENAME,          /* name to new_name; object says what it is */
  AP_STATEMENT_CREATE_FRAME_AS, /* change: the query; columns' names, partition_by */
  AP_STATEMENT_INSERT,          /* this and the next: change */
  AP_STATEMENT_DELETE,
  AP_STATEMENT_UPDATE,
  AP_STATEMENT_MERGE,
  AP_STATEMENT_TRUNCATE,
  AP_STATEMENT_BEGIN,
  AP_STATEMENT_COMMIT,
  AP_STATEMENT_ROLLBACK,
  AP_STATEMENT_ENGINE_SET, /* SET/RESET/PRAGMA and the like: not offered; head names it */
  AP_STATEMENT_REFUSED,    /* ATTACH, ...: head names it */
};

enum ap_explain_format {
  AP_EXPLAIN_TEXT,
  AP_EXPLAIN_JSON,
  AP_EXPLAIN_ENGINE, /* as the engine shows its plans */
};

enum ap_scope {
  AP_SCOPE_UNSPECIFIED,
  AP_SCOPE_HIVE,
  AP_SCOPE_BOX,
};

enum ap_object {
  AP_OBJECT_NONE,
  AP_OBJECT_HIVE,
  AP_OBJECT_BOX,
  AP_OBJECT_FRAME,
  AP_OBJECT_VIEW,
};

/* A possibly qualified name; parts unquoted. */
struct ap_name {
  struct ap_text parts[3];
  uint32_t count; /* 0: none */
};

struct ap_statement_column {
  struct ap_text name;
  struct ap_text type; /* as written */
  bool not_null;
  struct ap_text default_value; /* expressions as written; empty: none */
  struct ap_text generated;
  struct ap_text comment;
};

/* OPTIMIZE f [FULL] [WHERE condition] [ZORDER BY (a, b)]; VACUUM f [RETAIN n HOURS] [DRY RUN];
 * CHECK FRAME f [QUICK]. */
struct ap_statement_maintenance {
  bool full;
  bool dry_run;
  bool quick;
  int64_t retain_ms;        /* -1: not given */
  struct ap_text condition; /* empty: none */
  const struct ap_text *order_by;
  uint32_t order_by_count;
};

/* An option of COPY, or a value of EXECUTE with the name it may have. */
struct ap_statement_option {
  struct ap_text name;
  struct ap_text value; /* unquoted; of EXECUTE: the expression as written */
  bool has_value;
};

struct ap_statement {
  enum ap_statement_kind kind;
  struct ap_text text; /* of the statement, without the closing semicolon */
  size_t offset;       /* of it in the whole text */
  struct ap_text body;
  struct ap_text head; /* its first word, upper case */
  bool analyze;        /* EXPLAIN ANALYZE */
  enum ap_explain_format explain_format;
  enum ap_statement_kind explained; /* EXPLAIN of a statement that changes rows: its kind, and its
                                       members beside the text, which is body; else QUERY */
  enum ap_scope scope;
  struct ap_name name;
  enum ap_object object;   /* RENAME */
  struct ap_name new_name; /* RENAME */
  struct ap_text value;    /* SET, RESTORE */
  bool is_version;         /* RESTORE */
  int64_t limit;           /* HISTORY; 0: all */
  const struct ap_text *paths;
  uint32_t path_count;
  const struct ap_statement_option *options;
  uint32_t option_count;
  bool if_exists;      /* DROP */
  bool if_not_exists;  /* CREATE */
  bool or_replace;     /* CREATE FRAME, CREATE VIEW */
  bool cascade;        /* DROP */
  struct ap_text like; /* SHOW ... LIKE 'pattern'; empty: none */
  const struct ap_statement_column *columns;
  uint32_t column_count;
  const struct ap_text *partition_by; /* PARTITIONED BY (a, b) | PARTITION BY (a, b) */
  uint32_t partition_count;
  struct ap_statement_maintenance maintenance;
  const struct ap_statement_frame *frame;     /* CREATE FRAME (..) */
  const struct ap_statement_alter *alter;     /* ALTER FRAME */
  const struct ap_statement_changes *changes; /* SHOW CHANGES */
  const struct ap_change_statement *change;   /* of statements that change rows */
};

/* Split a text at semicolons that end statements (quotes, comments and dollar quotes respected) and
 * parse each head. Empty statements are left out. Time travel is written as the engine wants it
 * (plan/travel.h). Arena memory; texts point into sql, or into a copy of it in the arena. */
AP_MUST_CHECK ap_status ap_statements_parse(struct ap_arena *arena, struct ap_text sql,
                                            struct ap_statement **out_statements,
                                            uint32_t *out_count, ap_error *err);

#endif
