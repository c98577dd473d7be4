/* SPDX-License-Identifier: Apache-2.0
 *
 * Memory that processes share: anonymous files of fixed size, which live as long as a descriptor or
 * a mapping of them does and have no name anywhere. Pages come when they are first touched.
 * Thread: any.
 */
#ifndef AP_PORT_MEMORY_H
#define AP_PORT_MEMORY_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of size_bytes, never to grow or shrink. The descriptor is closed on exec. */
AP_MUST_CHECK ap_status ap_memory_create(const char *name, int64_t size_bytes, int *out_descriptor,
                                         ap_error *err);
/* A second descriptor of the same memory, by which it cannot be written nor mapped writable. */
AP_MUST_CHECK ap_status ap_memory_open_read_only(int descriptor, int *out_descriptor,
                                                 ap_error *err);
/* The size of what another process handed over; AP_INVALID_ARGUMENT when it could still shrink, so
 * that reading a mapping of it might kill. */
AP_MUST_CHECK ap_status ap_memory_size(int descriptor, int64_t *out_bytes, ap_error *err);
/* The whole of it. A writable mapping is not inherited by forked processes. */
AP_MUST_CHECK ap_status ap_memory_map(int descriptor, int64_t size_bytes, bool writable,
                                      void **out_address, ap_error *err);
void ap_memory_unmap(void *address, int64_t size_bytes);
/* Let pages of a writable mapping be read only, or again written. Multiples of a page. */
AP_MUST_CHECK ap_status ap_memory_protect(void *address, int64_t size_bytes, bool writable,
                                          ap_error *err);
/* Have the pages of a writable mapping there before they are touched, huge where they may be; does
 * what it can. */
void ap_memory_populate(void *address, int64_t size_bytes);
/* Give the pages of a range back; it reads as zeroes from then on. Multiples of a page. */
void ap_memory_discard(int descriptor, int64_t offset, int64_t size_bytes);
/* What it takes of the machine's memory at the moment. */
int64_t ap_memory_resident(int descriptor);
int64_t ap_memory_page_bytes(void);
void ap_descriptor_close(int descriptor); /* -1 is allowed */

#endif
