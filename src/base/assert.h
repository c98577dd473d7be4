/* SPDX-License-Identifier: Apache-2.0
 *
 * AP_ASSERT: programming errors end the process at once, in release builds too. Never used on
 * outside input: that gets an error.
 */
#ifndef AP_BASE_ASSERT_H
#define AP_BASE_ASSERT_H

/* Print the broken condition to standard error and abort. */
_Noreturn void ap_assert_failed(const char *condition, const char *file, int line);

#define AP_ASSERT(condition) \
  ((condition) ? (void)0 : ap_assert_failed(#condition, __FILE__, __LINE__))

#endif
