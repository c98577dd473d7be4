/* SPDX-License-Identifier: Apache-2.0
 *
 * What every fuzz target defines: libFuzzer's entry point, so that a target also links with
 * `clang -fsanitize=fuzzer`. It takes any bytes, ends the process by AP_ASSERT when an answer is
 * wrong, leaves nothing allocated, and returns 0.
 */
#ifndef AP_FUZZ_FUZZ_H
#define AP_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
