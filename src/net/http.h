/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP client that tenon/http.h describes. */
#ifndef TN_NET_HTTP_H
#define TN_NET_HTTP_H

#include "tenon/http.h"
#include "tenon/provider.h"

extern const tenon_http_ops tn_http_ops;

#endif
