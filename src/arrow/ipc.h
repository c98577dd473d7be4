/* SPDX-License-Identifier: Apache-2.0
 *
 * Arrow IPC, stream and file format, both ways. Outside bytes are hostile: every message is checked
 * before an array leaves here (AP_CORRUPT says what and at which message).
 */
#ifndef AP_ARROW_IPC_H
#define AP_ARROW_IPC_H

#include "arrow/stream.h"

/* Read IPC bytes: stream format, or file format when they begin with "ARROW1". The bytes are copied
 * as needed and may go once this returns. Compressed bodies and dictionaries that the decoder does
 * not know: AP_UNSUPPORTED by name. */
AP_MUST_CHECK ap_status ap_ipc_read(struct ap_text bytes, struct ArrowArrayStream *out,
                                    ap_error *err);

enum ap_ipc_format {
  AP_IPC_STREAM,
  AP_IPC_FILE,
};

/* Write a whole stream into a buffer. Takes and releases the stream, on failure too. */
AP_MUST_CHECK ap_status ap_ipc_write(struct ArrowArrayStream *stream, enum ap_ipc_format format,
                                     struct ap_buffer *out, ap_error *err);

/* The same, piece by piece: write is called with each message as it is ready, so that a large
 * result never stands in memory whole. A status other than AP_OK from write ends it and is
 * returned. */
AP_MUST_CHECK ap_status ap_ipc_write_to(struct ArrowArrayStream *stream, enum ap_ipc_format format,
                                        ap_status (*write)(void *context, const void *data,
                                                           size_t size),
                                        void *context, ap_error *err);

#endif
