/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses of mail. Sources: RFC 5321, 4.1.2 (Mailbox), RFC 6531 (characters beyond ASCII). */
#ifndef TN_NET_MAIL_ADDRESS_H
#define TN_NET_MAIL_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

typedef struct tn_mail_address {
  size_t local;            /* bytes before the @ */
  bool local_is_ascii, domain_is_ascii;
  bool is_literal;         /* ada@[192.0.2.1] */
} tn_mail_address;

/* NULL, or what is wrong with it: "it has no @". ret may be NULL. Nothing that passes can end a line
 * or leave its brackets. */
const char *tn_mail_address_check(const char *text, tn_mail_address *ret);

#endif
