/* SPDX-License-Identifier: Apache-2.0
 *
 * A codec that keeps checkpoint rows as the lines they came in, with a head and an end so that cut
 * files are noticed. For tests of the ledger that need no Parquet.
 * Thread: any.
 */
#ifndef AP_TESTING_FAKE_CODEC_H
#define AP_TESTING_FAKE_CODEC_H

#include "cell/codec.h"
#include "port/files.h"

struct ap_fake_codec {
  struct ap_codec base; /* what is handed on */
  struct ap_files *files;
  struct ap_allocator *allocator;
  bool fail_encode; /* AP_IO */
};

void ap_fake_codec_init(struct ap_fake_codec *codec, struct ap_files *files,
                        struct ap_allocator *allocator);
/* The bytes of a file that decodes to these lines. */
void ap_fake_codec_append_file(struct ap_buffer *out, struct ap_text lines);

#endif
