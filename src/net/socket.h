/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TN_NET_SOCKET_H
#define TN_NET_SOCKET_H

#include "tenon/provider.h"

extern const tenon_socket_ops tn_socket_ops;

#endif
