/* SPDX-License-Identifier: Apache-2.0
 *
 * What a frame is apart from its cells: the protocol and metaData actions, decoded once and shared
 * by all snapshots until one of the two changes. Immutable and counted; safe from any thread.
 */
#ifndef AP_LEDGER_TABLE_H
#define AP_LEDGER_TABLE_H

#include "ledger/ledger.h"

struct ap_protocol {
  int64_t reader_version;
  int64_t writer_version;
  const struct ap_text *reader_features; /* empty below reader version 3 */
  uint32_t reader_feature_count;
  const struct ap_text *writer_features; /* empty below writer version 7 */
  uint32_t writer_feature_count;
};

struct ap_table {
  struct ap_allocator *allocator;
  atomic_uint reference_count;
  struct ap_arena arena;
  struct ap_text protocol_json; /* the actions' values, for checkpoints */
  struct ap_text metadata_json;
  struct ap_protocol protocol;
  struct ap_text id;
  struct ap_text name;
  struct ap_text description;
  int64_t created_ms;
  struct ap_text schema_json; /* schemaString */
  struct ap_schema schema;
  struct ap_schema physical;
  uint64_t schema_id;
  uint64_t physical_schema_id;
  struct ap_text *physical_names;
  enum ap_column_mapping mapping;
  uint32_t *partition_columns;
  struct ap_text *partition_names; /* physical: the members of partitionValues */
  uint32_t partition_column_count;
  struct ap_property *properties;
  uint32_t property_count;
};

/* Decode both actions' values; reference_count 1. AP_CORRUPT or AP_UNSUPPORTED (a type). Features
 * are not judged here: see features.h. */
AP_MUST_CHECK ap_status ap_table_create(struct ap_allocator *allocator,
                                        struct ap_text protocol_json, struct ap_text metadata_json,
                                        struct ap_table **out_table, ap_error *err);
struct ap_table *ap_table_retain(struct ap_table *table);
void ap_table_release(struct ap_table *table); /* NULL is allowed */

/* Empty text when the property is not set. */
struct ap_text ap_table_property(const struct ap_table *table, const char *name);
/* "true", case ignored; the fallback when not set or otherwise. */
bool ap_table_property_bool(const struct ap_table *table, const char *name, bool fallback);
int64_t ap_table_property_i64(const struct ap_table *table, const char *name, int64_t fallback);
int64_t ap_table_property_duration_ms(const struct ap_table *table, const char *name,
                                      int64_t fallback_ms);

/* Same physical partition columns in the same order: then cells of one fit the other. */
bool ap_table_same_partitioning(const struct ap_table *a, const struct ap_table *b);
/* Whether a commit prepared on `a` may land on `b`: protocol, schema, partitioning and the rules
 * for rows are the same. */
bool ap_table_same_shape(const struct ap_table *a, const struct ap_table *b);

/* Check a definition and append the texts of version 0's protocol and metaData lines; before: of
 * the version that replaces that table (NULL: none), where the protocol's line may be left out. */
AP_MUST_CHECK ap_status ap_table_append_definition(struct ap_buffer *out,
                                                   const struct ap_table_definition *definition,
                                                   const struct ap_table *before,
                                                   struct ap_random *random,
                                                   struct ap_text table_id, int64_t created_ms,
                                                   ap_error *err);

#endif
