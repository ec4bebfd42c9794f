/* SPDX-License-Identifier: Apache-2.0 */
#include "net/mail_address.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/library.h"
#include "base/str.h"
#include "tenon/facets/mail.h"

static bool is_alnum(unsigned char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* Of an atom: RFC 5322, 3.2.3; and whatever is not ASCII. */
static bool is_atom(unsigned char c) {
  return is_alnum(c) || c >= 0x80 || (c && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

static bool is_control(unsigned char c) { return c < 0x20 || c == 0x7F; }

/* The bytes of a local part, 0: it is none. */
static size_t quoted_size(const char *text) {
  size_t i = 1;
  for (; text[i] && text[i] != '"'; i++) {
    if (text[i] == '\\') i++;
    if (is_control((unsigned char)text[i])) return 0;
  }
  return text[i] == '"' ? i + 1 : 0;
}

static size_t dotted_size(const char *text) {
  size_t i = 0;
  for (;; i++) {
    if (!is_atom((unsigned char)text[i])) return 0;
    while (is_atom((unsigned char)text[i])) i++;
    if (text[i] != '.') return i;
  }
}

static bool is_label(const char *text, size_t size) {
  if (!size || size > 63 || text[0] == '-' || text[size - 1] == '-') return false;
  for (size_t i = 0; i < size; i++) {
    unsigned char c = (unsigned char)text[i];
    if (!is_alnum(c) && c != '-' && c != '_' && c < 0x80) return false;
  }
  return true;
}

static bool is_name(const char *text) {
  for (;;) {
    size_t size = strcspn(text, ".");
    if (!is_label(text, size)) return false;
    if (!text[size]) return true;
    text += size + 1;
  }
}

static bool is_literal(const char *text) {
  size_t size = strlen(text);
  if (size < 3 || text[size - 1] != ']') return false;
  for (size_t i = 1; i + 1 < size; i++) {
    unsigned char c = (unsigned char)text[i];
    if (!is_alnum(c) && c != '.' && c != ':' && c != '-') return false;
  }
  return true;
}

static bool is_ascii(const char *text, size_t size) {
  for (size_t i = 0; i < size; i++)
    if ((unsigned char)text[i] >= 0x80) return false;
  return true;
}

const char *tn_mail_address_check(const char *text, tn_mail_address *ret) {
  size_t size = text ? strlen(text) : 0;
  if (!size) return "it is empty";
  if (size > TENON_MAX_MAIL_ADDRESS) return "it is longer than 254 bytes";
  if (!tn_utf8_valid(text, size, NULL)) return "it is not UTF-8";
  for (size_t i = 0; i < size; i++)
    if (is_control((unsigned char)text[i])) return "it has a control character";
  size_t local = text[0] == '"' ? quoted_size(text) : dotted_size(text);
  if (!local || local > 64 || text[local] != '@')
    return strchr(text, '@') ? "what stands before its @ cannot stand there" : "it has no @";
  const char *domain = text + local + 1;
  bool literal = *domain == '[';
  if (literal ? !is_literal(domain) : !is_name(domain))
    return "what stands behind its @ is not the name of a domain";
  if (ret)
    *ret = (tn_mail_address){.local = local,
                             .is_literal = literal,
                             .local_is_ascii = is_ascii(text, local),
                             .domain_is_ascii = is_ascii(domain, strlen(domain))};
  return NULL;
}

/* ---- As a person writes it ---- */

static char *trimmed(char *text) {
  text += strspn(text, " \t");
  size_t size = strlen(text);
  while (size && (text[size - 1] == ' ' || text[size - 1] == '\t')) text[--size] = 0;
  return text;
}

/* Takes the quotes off, in place. False: there is something behind them. */
static bool unquote(char *text) {
  char *to = text;
  size_t i = 1;
  for (; text[i] && text[i] != '"'; i++) {
    if (text[i] == '\\' && text[i + 1]) i++;
    *to++ = text[i];
  }
  bool ok = text[i] == '"' && !text[i + 1];
  *to = 0;
  return ok;
}

const char *tn_mailbox_parse(char *text, const char **ret_name, const char **ret_address) {
  char *at = trimmed(text), *bracket = strrchr(at, '<');
  size_t size = strlen(at);
  if (!bracket) {
    *ret_name = NULL;
    *ret_address = at;
    return NULL;
  }
  if (at[size - 1] != '>') return "there is something behind its >";
  at[size - 1] = 0;
  *bracket = 0;
  char *name = trimmed(at);
  if (*name == '"' && !unquote(name)) return "its quotes are not closed";
  *ret_name = *name ? name : NULL;
  *ret_address = trimmed(bracket + 1);
  return NULL;
}

/* ---- Names of domains in ASCII (RFC 5891), by libidn2 where there is one ---- */

static struct {
  int (*to_ascii)(const char *name, char **ret, int flags);
  void (*release)(void *);
} idn;

enum { NFC_INPUT = 1, NONTRANSITIONAL = 8 }; /* of idn2.h */

static pthread_once_t idn_once = PTHREAD_ONCE_INIT;

static void open_idn(void) {
  static const char *const names[] = {"libidn2.so.0", NULL};
  static const char *const symbols[] = {"idn2_to_ascii_8z", "idn2_free"};
  void *slots[2];
  if (tn_library_open(names, symbols, slots, 2, NULL, NULL)) return;
  memcpy(&idn, slots, sizeof idn);
}

static bool to_ascii(const char *domain, char *ret, size_t room) {
  char *found = NULL;
  pthread_once(&idn_once, open_idn);
  if (!idn.to_ascii || idn.to_ascii(domain, &found, NFC_INPUT | NONTRANSITIONAL)) return false;
  bool ok = strlen(found) < room && is_name(found) && is_ascii(found, strlen(found));
  if (ok) snprintf(ret, room, "%s", found);
  idn.release(found);
  return ok;
}

bool tn_mail_address_wire(const char *text, char ret[TN_MAIL_ADDRESS_ROOM]) {
  tn_mail_address a = {0};
  char domain[256];
  tn_mail_address_check(text, &a);
  snprintf(ret, TN_MAIL_ADDRESS_ROOM, "%s", text);
  if (a.domain_is_ascii) return !a.local_is_ascii;
  if (!to_ascii(text + a.local + 1, domain, sizeof domain)) return true;
  snprintf(ret, TN_MAIL_ADDRESS_ROOM, "%.*s@%s", (int)a.local, text, domain);
  return !a.local_is_ascii;
}
