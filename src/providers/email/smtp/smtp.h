/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kind smtp, inside. Sources: RFC 5321 (SMTP), RFC 2920 (pipelining), RFC 3207 (STARTTLS), RFC
 * 4954 (AUTH), RFC 1870 (SIZE), RFC 6531 (SMTPUTF8), RFC 2034 and 3463 (enhanced codes).
 *
 *   smtp.c      parameters, URLs, sessions' lives; the provider itself
 *   wire.c      commands out, replies in
 *   connect.c   from a name to a session that may send, step by step; the test walks the same steps
 *   auth.c      who we are
 *   refusal.c   what a server's refusals mean
 *   message.c   a message made ready, and what became of it
 *   send.c      many messages in one session, each on the heels of the last
 */
#ifndef TN_PROVIDERS_SMTP_H
#define TN_PROVIDERS_SMTP_H

#include "base/base64.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/percent.h"
#include "base/str.h"
#include "net/mail_address.h"
#include "net/mime.h"
#include "providers/over_oauth.h"
#include "tenon/provider.h"

typedef struct tn_smtp_config {
  uint64_t set;
  const char *host, *tls, *auth, *username, *password, *token, *from, *hello, *test_recipient;
  int64_t port;
  tn_oauth_params oauth;
  tenon_blob ca, certificate, key;
  bool insecure;
  int64_t connect_timeout_ms, timeout_ms;
  int64_t pool_size, max_overflow, pool_recycle_ms;
} tn_smtp_config;

enum {
  TN_SMTP_MAX_LINE = 2048,       /* of a reply; RFC 5321 has 512 */
  TN_SMTP_MAX_REPLY = 16 << 10,
  TN_SMTP_MAX_LINES = 128,
  TN_SMTP_IN = 64 << 10,
  TN_SMTP_OUT = 256 << 10,       /* what is gathered before it is sent */
  TN_SMTP_GROUP = 100            /* commands at once: their replies fit into the buffer */
};

typedef struct tn_smtp_reply {
  int code;
  char enhanced[16];             /* 5.1.1, or "" */
  tn_str text;                   /* the lines without their codes, LF between them */
} tn_smtp_reply;

/* What the server offers. */
typedef struct tn_smtp_offers {
  bool pipelining, starttls, utf8, eight_bit, size;
  bool plain, login, xoauth2;
  int64_t max_size;              /* 0: it does not say */
  char mechanisms[160];          /* as the server lists them */
} tn_smtp_offers;

typedef struct tn_smtp {
  const tn_smtp_config *config;
  tenon_socket *socket;
  tn_smtp_offers offers;
  bool is_near;                  /* on this machine */
  bool broken;                   /* nobody knows what the server thinks; not to be used again */
  bool open_mail;                /* MAIL was said, and neither finished nor reset */
  char *in;
  size_t in_size, in_at;
  tn_str out;
  size_t out_at;                 /* sent of it */
  tn_smtp_reply reply;           /* the last */
  tn_str told;                   /* while logging in: what was last told of us */
  struct tn_smtp_message *first, *second;   /* recycled */
} tn_smtp;

extern const tenon_host *tn_smtp_host;

/* ---- wire.c ---- */

tenon_status tn_smtp_new(const tn_smtp_config *, tn_smtp **ret, tenon_error *err);
void tn_smtp_free(tn_smtp *);
/* Appends a command; CR LF is added. Too much at once is LIMITED when it is sent. */
void tn_smtp_put(tn_smtp *, const char *format, ...) TENON_PRINTF(2, 3);
tenon_status tn_smtp_flush(tenon_ctx *, tn_smtp *, tenon_error *err);
/* The next reply, into s->reply. One that is none, too long, or (421) ends the session is an error. */
tenon_status tn_smtp_read(tenon_ctx *, tn_smtp *, int64_t timeout_ms, tenon_error *err);
/* The same where 421 is an answer to what was asked, too; and what it is otherwise. */
tenon_status tn_smtp_read_any(tenon_ctx *, tn_smtp *, int64_t timeout_ms, tenon_error *err);
tenon_status tn_smtp_goodbye(tn_smtp *, tenon_error *err);
/* One command and its reply. */
tenon_status tn_smtp_ask(tenon_ctx *, tn_smtp *, const char *command, tenon_error *err);
/* Fails if the server said more than it was asked for. */
tenon_status tn_smtp_expect_silence(tn_smtp *, tenon_error *err);
/* The reply in one line, without what does not belong there. */
void tn_smtp_said(const tn_smtp_reply *, char *text, size_t room);

/* ---- connect.c ---- */

/* Connects, secures, logs in. test may be NULL. */
tenon_status tn_smtp_connect(tenon_ctx *, tn_smtp *, tenon_test *, tenon_error *err);

/* ---- auth.c ---- */

bool tn_smtp_has_login(const tn_smtp_config *);
tenon_status tn_smtp_log_in(tenon_ctx *, tn_smtp *, const char **ret_mechanism, tenon_error *err);

/* ---- refusal.c: s->reply as a failure ---- */

tenon_status tn_smtp_auth_refused(const tn_smtp *, const char *mechanism, tenon_error *err);
tenon_status tn_smtp_sender_refused(const tn_smtp *, const char *sender, tenon_error *err);
tenon_status tn_smtp_recipient_refused(const tn_smtp *, const char *recipient, tenon_error *err);
tenon_status tn_smtp_content_refused(const tn_smtp *, tenon_error *err);
/* Of anything else: EHLO, RSET, NOOP. */
tenon_status tn_smtp_refused(const tn_smtp *, const char *what, tenon_error *err);

/* ---- message.c ---- */

typedef struct tn_smtp_recipient {
  size_t address, wire;          /* where they begin in the message's texts */
  tenon_delivery delivery;
  bool is_settled;
  int code;
  char enhanced[16];
  char reply[400];
  tenon_error *error;            /* owned; NULL: none */
} tn_smtp_recipient;

typedef struct tn_smtp_message {
  tn_mime mime;
  int64_t number;
  char sender[TN_MAIL_ADDRESS_ROOM];
  tn_str texts;                  /* the recipients' addresses, NUL behind each */
  tn_smtp_recipient *recipients;
  size_t count, room, accepted;
  bool is_queued;                /* its envelope is under way */
  bool is_utf8;
} tn_smtp_message;

tn_smtp_message *tn_smtp_message_new(void);
void tn_smtp_message_free(tn_smtp_message *);
/* Gives memory back where it has more than that; what was in it is gone then. */
void tn_smtp_message_trim(tn_smtp_message *, size_t most);
/* Makes a mail ready. What is wrong with it for this server is settled for all recipients; then
 * *ret_sound is false. Fails only if there is no memory. */
tenon_status tn_smtp_message_fill(tn_smtp_message *, const tn_smtp *, const tenon_mail *,
                                  bool *ret_sound, tenon_error *err);
const char *tn_smtp_message_text(const tn_smtp_message *, size_t at);
/* What became of the recipients that are not settled yet; reply NULL: the server said nothing. */
void tn_smtp_message_settle(tn_smtp_message *, size_t recipient, tenon_delivery,
                            const tn_smtp_reply *, const tenon_error *);
void tn_smtp_message_settle_all(tn_smtp_message *, tenon_delivery, const tn_smtp_reply *,
                                const tenon_error *);
void tn_smtp_message_tell(const tn_smtp_message *, const tenon_send *);

/* The sender of messages that name none; false: there is none. text keeps it. */
bool tn_smtp_sender(const tn_smtp_config *, char *text, size_t room, tenon_mailbox *ret);

/* ---- send.c ---- */

tenon_status tn_smtp_send(tenon_ctx *, void *session, const tenon_send *, tenon_sent *ret,
                          tenon_error *err);

#endif
