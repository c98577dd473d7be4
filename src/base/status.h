/* SPDX-License-Identifier: Apache-2.0
 *
 * Raising errors. The codes and the error struct are public: see apiary/status.h.
 *
 * Use: return AP_FAIL(err, AP_NOT_FOUND, "frame %s does not exist", name);
 * A hint is added where the way out is known: ap_error_hint(err, "...").
 * err may be NULL everywhere: then only the status is reported.
 */
#ifndef AP_BASE_STATUS_H
#define AP_BASE_STATUS_H

#include <apiary/status.h>

/* Fill err (when given) and return code. code must not be AP_OK. The message is cut, never overrun.
 */
ap_status ap_error_set(ap_error *err, ap_status code, const char *file, int line,
                       const char *format, ...) AP_PRINTF_LIKE(5, 6);

/* Set the way out of the error that err already holds. */
void ap_error_hint(ap_error *err, const char *format, ...) AP_PRINTF_LIKE(2, 3);

/* Say where in the text the error lies that err already holds: offset is the byte's, from 0 on. */
void ap_error_position(ap_error *err, uint64_t offset);

/* Put "prefix: " before the message that err already holds; the code stays. Returns err's code, or
 * code when err is NULL. For adding which frame, file or line an error of a callee concerns. */
ap_status ap_error_prefix(ap_error *err, ap_status code, const char *format, ...)
    AP_PRINTF_LIKE(3, 4);

/* Forget what err holds. NULL is allowed. */
void ap_error_clear(ap_error *err);

#define AP_FAIL(err, code, ...) ap_error_set((err), (code), __FILE__, __LINE__, __VA_ARGS__)

/* Return the status of a call that failed. Only where the function owns nothing yet. */
#define AP_TRY(expression)                              \
  do {                                                  \
    ap_status ap_try_status_ = (expression);            \
    if (ap_try_status_ != AP_OK) return ap_try_status_; \
  } while (0)

#endif
