/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 as in RFC 4648, with padding. */
#ifndef TN_BASE_BASE64_H
#define TN_BASE_BASE64_H

#include "base/str.h"

bool tn_base64_encode(tn_str *to, const void *data, size_t size);
/* False if it is not base64 or does not fit; `to` is then of no use. */
bool tn_base64_decode(tn_str *to, const char *text, size_t size);

#endif
