/* SPDX-License-Identifier: Apache-2.0
 *
 * The end of a process whose own logic is broken: say where, then abort, so that a core is left and
 * nothing more is written.
 */
#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void ap_assert_failed(const char *condition, const char *file, int line) {
  fprintf(stderr, "apiary: broken assertion: %s (%s:%d)\n", condition, file, line);
  fflush(stderr);
  abort();
}
