/* SPDX-License-Identifier: Apache-2.0
 *
 * The process's working folder, for making relative paths absolute once, where they come in.
 */
#ifndef AP_PORT_WORKING_FOLDER_H
#define AP_PORT_WORKING_FOLDER_H

#include "base/text.h"

/* Append its absolute path. AP_NOT_FOUND when the folder was removed. */
AP_MUST_CHECK ap_status ap_working_folder_append(struct ap_buffer *out_path, ap_error *err);

#endif
