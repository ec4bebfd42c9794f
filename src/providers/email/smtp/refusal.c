/* SPDX-License-Identifier: Apache-2.0 */
/* What a server's refusals mean: which kind of failure, and what to do. */
#include "smtp.h"

#include <string.h>
#include <strings.h>

/* The first row that fits decides. */
typedef struct rule {
  int code;             /* 0: any; 4, 5: of that class */
  const char *enhanced; /* its beginning; NULL: any */
  const char *word;     /* stands in the text, whatever its case; NULL: any */
  tenon_status status;
  const char *remedy;
} rule;

static bool fits(const rule *r, const tn_smtp_reply *reply) {
  if (r->code >= 100 ? r->code != reply->code : r->code && r->code != reply->code / 100)
    return false;
  if (r->enhanced && strncmp(reply->enhanced, r->enhanced, strlen(r->enhanced)) != 0) return false;
  return !r->word || strcasestr(tn_str_text(&reply->text), r->word);
}

static tenon_status refuse(const tn_smtp *s, const rule *rules, tenon_stage stage, tenon_error *err,
                           const char *format, const char *what) {
  const tn_smtp_reply *reply = &s->reply;
  char said[400];
  while (!fits(rules, reply)) rules++; /* the last fits all */
  tn_smtp_said(reply, said, sizeof said);
  bool first = err && !err->code;
  tenon_fail(err, rules->status, stage, rules->remedy, format, s->config->host, what, reply->code,
             *reply->enhanced ? " " : "", reply->enhanced, said);
  if (first) {
    err->vendor_code = reply->code;
    err->retryable = reply->code / 100 == 4;
  }
  return rules->status;
}

static const char later[] = "try again later";

tenon_status tn_smtp_auth_refused(const tn_smtp *s, const char *mechanism, tenon_error *err) {
  static const rule rules[] = {
      {0, NULL, "application-specific", TENON_UNAUTHENTICATED,
       "make an app password at the mail service and give it as password"},
      {0, NULL, "app password", TENON_UNAUTHENTICATED,
       "make an app password at the mail service and give it as password"},
      {0, "5.7.9", NULL, TENON_UNAUTHENTICATED,
       "the service wants an app password, or OAuth: auth=xoauth2 with a token"},
      {0, "5.7.139", NULL, TENON_UNAUTHENTICATED,
       "the service takes no passwords here: use auth=xoauth2 with a token, or let its "
       "administrator allow SMTP AUTH"},
      {0, NULL, "basic authentication is disabled", TENON_UNAUTHENTICATED,
       "the service takes no passwords here: use auth=xoauth2 with a token, or let its "
       "administrator allow SMTP AUTH"},
      {0, NULL, "expired", TENON_UNAUTHENTICATED, "renew the password or the token"},
      {432, NULL, NULL, TENON_UNAUTHENTICATED,
       "log in once by another way: the service wants to change how it keeps the password"},
      {534, NULL, NULL, TENON_UNAUTHENTICATED,
       "the service wants a stronger login: an app password, or auth=xoauth2"},
      {538, NULL, NULL, TENON_TLS,
       "the server takes this login under TLS only: tls=starttls or tls=implicit"},
      {0, NULL, "too many", TENON_LIMITED,
       "wait before the next login: the server counts failed ones"},
      {4, NULL, NULL, TENON_LIMITED, later},
      {504, NULL, NULL, TENON_UNSUPPORTED, "choose another auth: plain, login or xoauth2"},
      {535, NULL, NULL, TENON_UNAUTHENTICATED,
       "check username and password; some services want an app password, or OAuth (auth=xoauth2)"},
      {0, NULL, NULL, TENON_UNAUTHENTICATED,
       "check username and password, and which auth the server takes"},
  };
  return refuse(s, rules, TENON_STAGE_AUTH, err, "%s refuses the login by %s: %d%s%s %s",
                mechanism);
}

static const char later_greylist[] = "try again in some minutes: the server lets strangers wait";

/* For MAIL, RCPT and the message alike. */
#define COMMON_RULES \
  {530, NULL, "starttls", TENON_TLS, \
   "the server takes mail under TLS only: tls=starttls or tls=implicit"}, \
  {530, NULL, NULL, TENON_UNAUTHENTICATED, "log in: give username and password"}, \
  {4, NULL, "greylist", TENON_LIMITED, later_greylist}, \
  {452, "4.5.3", NULL, TENON_LIMITED, "send to fewer recipients in one message"}, \
  {4, NULL, "rate", TENON_LIMITED, "send more slowly, or later"}, \
  {4, NULL, NULL, TENON_LIMITED, later}

tenon_status tn_smtp_sender_refused(const tn_smtp *s, const char *sender, tenon_error *err) {
  static const rule rules[] = {
      COMMON_RULES,
      {552, NULL, NULL, TENON_LIMITED, "send less in one message"},
      {0, "5.3.4", NULL, TENON_LIMITED, "send less in one message"},
      {555, NULL, NULL, TENON_UNSUPPORTED,
       "ask who runs the server: it does not take what it offered"},
      {0, NULL, NULL, TENON_FORBIDDEN, "send from an address that this login may use"},
  };
  return refuse(s, rules, TENON_STAGE_PERMISSION, err, "%s takes no mail from %s: %d%s%s %s",
                sender);
}

tenon_status tn_smtp_recipient_refused(const tn_smtp *s, const char *recipient, tenon_error *err) {
  static const rule rules[] = {
      COMMON_RULES,
      {0, NULL, "relay", TENON_FORBIDDEN,
       "the server takes mail for its own domains only from those who log in: give username and "
       "password, "
       "or use the server that your mail is sent through"},
      {0, "5.1.", NULL, TENON_NOT_FOUND, "check the address: nobody has it"},
      {0, "5.2.2", NULL, TENON_LIMITED, "the mailbox is full: its owner has to make room"},
      {552, NULL, NULL, TENON_LIMITED, "the mailbox is full: its owner has to make room"},
      {0, "5.2.", NULL, TENON_NOT_FOUND, "the mailbox takes no mail: ask its owner"},
      {550, NULL, "user", TENON_NOT_FOUND, "check the address: nobody has it"},
      {550, NULL, "mailbox", TENON_NOT_FOUND, "check the address: nobody has it"},
      {553, NULL, NULL, TENON_CONFIG, "check how the address is written"},
      {0, NULL, NULL, TENON_FORBIDDEN, "ask who runs the server why it refuses the address"},
  };
  return refuse(s, rules, TENON_STAGE_PERMISSION, err, "%s takes no mail for %s: %d%s%s %s",
                recipient);
}

tenon_status tn_smtp_content_refused(const tn_smtp *s, tenon_error *err) {
  static const rule rules[] = {
      COMMON_RULES,
      {552, NULL, NULL, TENON_LIMITED, "send less in one message"},
      {0, "5.3.4", NULL, TENON_LIMITED, "send less in one message"},
      {0, "5.7.", NULL, TENON_FORBIDDEN,
       "the server's policy refuses it: look at sender, links and attachments"},
      {0, "5.6.", NULL, TENON_DATA,
       "ask who runs the server what it does not like about the message"},
      {0, NULL, NULL, TENON_FORBIDDEN, "ask who runs the server why it refuses the message"},
  };
  return refuse(s, rules, TENON_STAGE_WRITE, err, "%s refuses %s: %d%s%s %s", "the message");
}

tenon_status tn_smtp_refused(const tn_smtp *s, const char *what, tenon_error *err) {
  static const rule rules[] = {
      {4, NULL, NULL, TENON_LIMITED, later},
      {554, NULL, NULL, TENON_FORBIDDEN,
       "the server takes no mail from this machine: ask who runs it"},
      {550, NULL, NULL, TENON_FORBIDDEN,
       "the server takes no mail from this machine: set hello to its name, or ask who runs it"},
      {0, NULL, NULL, TENON_UNSUPPORTED, "check that this is a server for sending mail"},
  };
  return refuse(s, rules, TENON_STAGE_QUERY, err, "%s refuses %s: %d%s%s %s", what);
}
