/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TN_PROVIDERS_HTTP_FOLDER_H
#define TN_PROVIDERS_HTTP_FOLDER_H

#include "providers/storage/http/http.h"
#include "providers/storage/http/page.h"

/* The index page of a folder: an empty key, or one with a slash at its end. */
tenon_status tn_web_folder(tenon_ctx *, tn_web *, const tenon_key_bytes *folder, tn_web_page *ret, tenon_error *);

#endif
