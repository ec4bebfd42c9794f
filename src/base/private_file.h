/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that only their owner may read, in a folder that only its owner may enter. What others could have read or
 * written is refused, with the command that mends it; so is a link, a device, another user's file.
 */
#ifndef TN_BASE_PRIVATE_FILE_H
#define TN_BASE_PRIVATE_FILE_H

#include "tenon/provider.h"

/* Opens the folder; with `make` it is made, with those above it, where it is not there. NOT_FOUND: it is not. */
tenon_status tn_private_folder_open(const char *path, bool make, int *ret_fd, tenon_error *err);

/* The whole file; NOT_FOUND, or LIMITED where it has more than room bytes. */
tenon_status tn_private_file_read(int folder_fd, const char *name, char *ret, size_t room, size_t *ret_size,
                                  tenon_error *err);
/* Over an older one; whole or not at all, and durable when it answers OK. */
tenon_status tn_private_file_write(int folder_fd, const char *name, const char *data, size_t size, tenon_error *err);
/* Durable, too. It need not be there. */
tenon_status tn_private_file_remove(int folder_fd, const char *name, tenon_error *err);

/* Waits until nobody else has the lock of that file, which is made and stays; closing *ret_fd gives it back, as the
 * end of the process does. */
tenon_status tn_private_file_lock(tenon_ctx *, int folder_fd, const char *name, int *ret_fd, tenon_error *err);

#endif
