/* SPDX-License-Identifier: Apache-2.0
 *
 * Statuses and errors: what every call of Apiary answers.
 *
 * A call that can fail returns an ap_status and fills an optional ap_error of fixed size, so that
 * reporting an error never allocates. The codes stand in one list, AP_STATUS_LIST, from which the
 * enumeration, the names, the SQLSTATEs and the classes are all made.
 */
#ifndef APIARY_STATUS_H
#define APIARY_STATUS_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(AP_BUILDING) && defined(__GNUC__)
#define AP_API __attribute__((visibility("default")))
#else
#define AP_API
#endif

#if defined(__GNUC__)
#define AP_MUST_CHECK                __attribute__((warn_unused_result))
#define AP_PRINTF_LIKE(index, first) __attribute__((__format__(__printf__, index, first)))
#else
#define AP_MUST_CHECK
#define AP_PRINTF_LIKE(index, first)
#endif

/* What a caller may do about an error. */
typedef enum ap_error_class {
  AP_CLASS_NONE = 0,      /* no error */
  AP_CLASS_USER = 1,      /* the request is at fault: change it */
  AP_CLASS_CONFLICT = 2,  /* another writer was first: read again, then decide */
  AP_CLASS_RETRYABLE = 3, /* the same call may succeed later */
  AP_CLASS_CORRUPT = 4,   /* stored bytes are not what they must be */
  AP_CLASS_FATAL = 5,     /* the process or the machine cannot go on with this */
} ap_error_class;

/* X(code, number, SQLSTATE, class) */
#define AP_STATUS_LIST(X)                                \
  X(AP_OK, 0, "00000", AP_CLASS_NONE)                    \
  X(AP_INVALID_ARGUMENT, 1, "22023", AP_CLASS_USER)      \
  X(AP_SYNTAX, 2, "42601", AP_CLASS_USER)                \
  X(AP_NOT_FOUND, 3, "42704", AP_CLASS_USER)             \
  X(AP_ALREADY_EXISTS, 4, "42710", AP_CLASS_USER)        \
  X(AP_SCHEMA_MISMATCH, 5, "42804", AP_CLASS_USER)       \
  X(AP_NULL_VIOLATION, 6, "23502", AP_CLASS_USER)        \
  X(AP_CONFIG, 7, "F0000", AP_CLASS_USER)                \
  X(AP_UNSUPPORTED, 8, "0A000", AP_CLASS_USER)           \
  X(AP_QUERY, 9, "42000", AP_CLASS_USER)                 \
  X(AP_STATE, 10, "55000", AP_CLASS_USER)                \
  X(AP_CONFLICT, 11, "40001", AP_CLASS_CONFLICT)         \
  X(AP_BUSY, 12, "53300", AP_CLASS_RETRYABLE)            \
  X(AP_TIMEOUT, 13, "57014", AP_CLASS_RETRYABLE)         \
  X(AP_CANCELLED, 14, "57014", AP_CLASS_USER)            \
  X(AP_MEMORY_EXCEEDED, 15, "53200", AP_CLASS_RETRYABLE) \
  X(AP_OUT_OF_MEMORY, 16, "53200", AP_CLASS_FATAL)       \
  X(AP_IO, 17, "58030", AP_CLASS_RETRYABLE)              \
  X(AP_NO_SPACE, 18, "53100", AP_CLASS_RETRYABLE)        \
  X(AP_PERMISSION, 19, "42501", AP_CLASS_USER)           \
  X(AP_CORRUPT, 20, "XX001", AP_CLASS_CORRUPT)           \
  X(AP_OUTCOME_UNKNOWN, 21, "08007", AP_CLASS_RETRYABLE) \
  X(AP_ABANDONED, 22, "57000", AP_CLASS_RETRYABLE)       \
  X(AP_INTERNAL, 23, "XX000", AP_CLASS_FATAL)            \
  X(AP_END, 24, "02000", AP_CLASS_NONE)                  \
  X(AP_CHECK_VIOLATION, 25, "23514", AP_CLASS_USER)

typedef enum ap_status {
#define AP_STATUS_ENTRY(code, number, sqlstate, error_class) code = number,
  AP_STATUS_LIST(AP_STATUS_ENTRY)
#undef AP_STATUS_ENTRY
} ap_status;

enum {
  AP_ERROR_MESSAGE_MAX = 1536,
  AP_ERROR_HINT_MAX = 384,
  AP_ERROR_ORIGIN_MAX = 64,
};

/* The caller's memory; a call that succeeds leaves it as it was. All text is NUL-terminated UTF-8.
 */
typedef struct ap_error {
  ap_status code;
  ap_error_class error_class;
  char sqlstate[6];
  char message[AP_ERROR_MESSAGE_MAX]; /* the thing and the value */
  char hint[AP_ERROR_HINT_MAX];       /* the way out; may be empty */
  char origin[AP_ERROR_ORIGIN_MAX];   /* "file.c:line" that raised it, for reports */
  uint32_t position; /* of SQL text that was handed in: the byte at fault, from 1 on; 0: unknown */
} ap_error;

/* "AP_NOT_FOUND" and the like; "AP_INTERNAL" for a number that is no code. Static memory. */
AP_API const char *ap_status_name(ap_status status);

/* The five-letter SQLSTATE of a code. Static memory. */
AP_API const char *ap_status_sqlstate(ap_status status);

AP_API ap_error_class ap_status_class(ap_status status);

#ifdef __cplusplus
}
#endif

#endif
