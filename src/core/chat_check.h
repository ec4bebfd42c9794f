/* SPDX-License-Identifier: Apache-2.0 */
/* Conversations that no system would take are refused before one is asked. */
#ifndef TN_CORE_CHAT_CHECK_H
#define TN_CORE_CHAT_CHECK_H

#include "tenon/provider.h"

tenon_status tn_chat_check(const tenon_chat *, tenon_error *err);

#endif
