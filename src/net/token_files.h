/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The library's own store of grants: a folder of mode 0700 with two files a grant, NAME.grant (0600) and NAME.lock. Any
 * thread, any number of processes of one user.
 */
#ifndef TN_NET_TOKEN_FILES_H
#define TN_NET_TOKEN_FILES_H

#include "tenon/provider.h"

/* The folder is made when the first grant is put in; nothing is looked at before. tn_token_files_free. */
tenon_status tn_token_files_new(const char *folder, tenon_token_store *ret, tenon_error *err);
void tn_token_files_free(tenon_token_store *);   /* zeroed memory is fine */

#endif
