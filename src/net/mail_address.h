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

enum { TN_MAIL_ADDRESS_ROOM = 512 };

/* An address that passed, as it travels: the domain in ASCII where this machine has libidn2. True: it
 * still has characters beyond ASCII, for which a system has to know RFC 6531. */
bool tn_mail_address_wire(const char *text, char ret[TN_MAIL_ADDRESS_ROOM]);

/* Ada Lovelace <ada@example.com>, "Lovelace, Ada" <ada@example.com> or ada@example.com, as a person
 * writes it. Works in a copy of the text: *name (NULL: none) and *address point into it. NULL, or what
 * is wrong with it; the address itself is not looked at. */
const char *tn_mailbox_parse(char *text, const char **ret_name, const char **ret_address);

#endif
