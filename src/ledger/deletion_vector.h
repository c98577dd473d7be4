/* SPDX-License-Identifier: Apache-2.0
 *
 * Deletion vectors: which rows of a cell are gone, in the log (inline) or in a file beside the
 * cells. Read: Size, checksum, form, order and number of rows are checked; whatever the bytes are,
 * the answer is right or AP_CORRUPT. Written: deletion_vector_write.c. Thread: pure functions.
 */
#ifndef AP_LEDGER_DELETION_VECTOR_H
#define AP_LEDGER_DELETION_VECTOR_H

#include "ledger/ledger.h"
#include "ledger/log.h"

#include "cell/cell.h"

/* A serialised RoaringBitmapArray as ascending row numbers in the arena. row_count: rows of the
 * cell's file; no row may lie beyond. cardinality: how many there must be. */
AP_MUST_CHECK ap_status ap_deletion_vector_decode(struct ap_arena *arena, struct ap_text bytes,
                                                  int64_t cardinality, int64_t row_count,
                                                  const uint64_t **out_rows, uint64_t *out_count,
                                                  ap_error *err);

/* Z85 text to bytes; false when it is none. */
bool ap_deletion_vector_z85(struct ap_buffer *out, struct ap_text text);

/* The file of a vector of storage type 'u', relative to the frame's folder: "ab/deletion_vector_
 * <uuid>.bin". False when the text is malformed. */
bool ap_deletion_vector_path(struct ap_buffer *out, struct ap_text path_or_inline);

/* Find, read, check and decode a cell's vector. */
AP_MUST_CHECK ap_status ap_deletion_vector_read(struct ap_store *store, struct ap_text prefix,
                                                const struct ap_cell *cell, struct ap_arena *arena,
                                                const uint64_t **out_rows, uint64_t *out_count,
                                                ap_error *err);

/* CRC-32 of IEEE 802.3, as files have it behind each vector. */
uint32_t ap_deletion_vector_checksum(struct ap_text bytes);

/* Append the serialised form of ascending rows. */
void ap_deletion_vector_encode(struct ap_buffer *out, const uint64_t *rows, uint64_t count);
/* Append bytes as Z85 text, filled up with zeros to a multiple of four. */
void ap_deletion_vector_z85_append(struct ap_buffer *out, struct ap_text bytes);

/* See ap_ledger_write_deleted_rows. */
AP_MUST_CHECK ap_status ap_deletion_vectors_write(struct ap_store *store, struct ap_random *random,
                                                  struct ap_text prefix,
                                                  const struct ap_deleted_rows *sets,
                                                  uint32_t count, struct ap_arena *arena,
                                                  struct ap_deletion_vector *out_vectors,
                                                  struct ap_text *out_key, ap_error *err);

/* The statistics of a cell for an add with a vector: bounds are not tight any more. Empty: there
 * are none that could be read. */
AP_MUST_CHECK ap_status ap_deletion_vector_statistics(const struct ap_cell *cell,
                                                      struct ap_arena *arena,
                                                      struct ap_text *out_json, ap_error *err);

#endif
