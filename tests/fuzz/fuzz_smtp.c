/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A mail server that says anything. The first byte chooses how we talk to it and in what pieces its
 * words come; all behind that is what it says. Every mail has an outcome for every recipient, one that
 * was accepted has a reply that says so, and it ends.
 */
#include <stdlib.h>
#include <string.h>

#include "core/registry.h"
#include "providers/email/smtp/smtp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

extern const tenon_provider tn_provider_smtp;

enum { MAILS = 4, RECIPIENTS = 3, MANY = 130 };

/* ---- The network: what comes is given in pieces, what goes out is taken ---- */

static struct {
  const uint8_t *data;
  size_t size, at, piece;
  int64_t moves;
  bool tls;
} server;

static tenon_status resolve(tenon_ctx *ctx, const char *host, uint16_t port, tenon_address *ret, size_t room, size_t *count,
                            tenon_error *err) {
  (void)ctx, (void)host, (void)port, (void)room, (void)err;
  *ret = (tenon_address){.text = "192.0.2.1"};
  *count = 1;
  return TENON_OK;
}

static tenon_status connect_nowhere(tenon_ctx *ctx, const tenon_address *a, int timeout_ms, int *ret, tenon_error *err) {
  (void)ctx, (void)a, (void)timeout_ms, (void)err;
  *ret = 1;
  return TENON_OK;
}

static tenon_status adopt(int fd, tenon_socket **ret, tenon_error *err) {
  (void)fd, (void)err;
  *ret = (tenon_socket *)&server;
  return TENON_OK;
}

static tenon_status start_tls(tenon_ctx *ctx, tenon_socket *s, const char *host, const tenon_tls_options *o, int timeout_ms,
                              tenon_error *err) {
  (void)ctx, (void)s, (void)host, (void)o, (void)timeout_ms, (void)err;
  server.tls = true;
  return TENON_OK;
}

static tenon_status move(tenon_ctx *ctx, tenon_socket *s, tenon_transfer *t, int timeout_ms, tenon_error *err) {
  (void)ctx, (void)s, (void)timeout_ms, (void)err;
  size_t n = server.size - server.at;
  if (n > server.piece) n = server.piece;
  if (n > t->in_room) n = t->in_room;
  if (++server.moves > 1 << 20) abort();
  memcpy(t->in, server.data + server.at, n);
  server.at += n;
  t->sent = t->out_size;
  t->received = n;
  t->ended = n == 0 && t->in_room;
  return TENON_OK;
}

static int fd_of(const tenon_socket *s) { return s ? -1 : -2; }
static const char *tls_version(const tenon_socket *s) { return s && server.tls ? "TLSv1.3" : NULL; }
static void close_socket(tenon_socket *s, const void *last, size_t size) { (void)s, (void)last, (void)size; }

static const tenon_socket_ops sockets = {.struct_size = sizeof sockets, .adopt = adopt, .start_tls = start_tls, .move = move,
                                         .fd = fd_of, .tls_version = tls_version, .close = close_socket};

static tenon_host host;

static void begin(void) {
  host = *tn_host();
  host.resolve = resolve;
  host.connect = connect_nowhere;
  host.socket = &sockets;
  if (tn_provider_smtp.init(&host, NULL)) abort();
}

/* ---- Mails ---- */

typedef struct mails {
  int given, many;
  int told[MAILS];
  tenon_mail mail;
  tenon_mailbox to[MANY];
} mails;

static tenon_status next(void *arg, const tenon_mail **ret, tenon_error *err) {
  mails *m = arg;
  (void)err;
  *ret = NULL;
  if (m->given == MAILS) return TENON_OK;
  m->mail.number = m->given++;
  m->mail.to.count = (size_t)(m->many && m->mail.number == 1 ? MANY : RECIPIENTS);
  m->mail.text = m->mail.number == 2 ? "." : "a\n.\n..b";
  *ret = &m->mail;
  return TENON_OK;
}

static void outcome(void *arg, const tenon_mail_outcome *o) {
  mails *m = arg;
  m->told[o->message]++;
  bool accepted = o->delivery == TENON_MAIL_ACCEPTED;
  if (accepted ? o->code / 100 != 2 || o->error : !o->error || !o->error->code || !o->error->message[0]) abort();
  if (o->delivery == TENON_MAIL_REFUSED && o->code && o->code / 100 != 5) abort();
  if (o->delivery == TENON_MAIL_DEFERRED && o->code / 100 != 4) abort();
  if (strpbrk(o->reply, "\r\n") || strlen(o->enhanced) > 9) abort();
}

static void send_mails(tenon_ctx *ctx, void *session, bool many, bool waits) {
  mails m = {.many = many};
  tenon_sent sent;
  tenon_error err = TENON_ERROR_INIT;
  for (int i = 0; i < MANY; i++) m.to[i].address = i % 2 ? "b@example.com" : "j\xC3\xB6rg@example.com";
  if (!many) m.to[0].address = "a@example.com", m.to[2].address = "c@example.com";
  m.mail = (tenon_mail){.struct_size = sizeof m.mail, .from = {NULL, "me@example.com"}, .to = {m.to, 0}};
  const tenon_send request = {.struct_size = sizeof request, .waits = waits, .next = next, .arg = &m, .outcome = outcome, .outcome_arg = &m};
  tenon_status status = tn_provider_smtp.mail->send(ctx, session, &request, &sent, &err);
  if (status ? !err.code || !err.message[0] : m.given != MAILS) abort();
  for (int i = 0; i < m.given; i++)
    if (m.told[i] != (many && i == 1 ? MANY : RECIPIENTS)) abort();
}

static tn_smtp_config configure(int how) {
  tn_smtp_config c = {.host = "mail.example.com", .tls = how & 1 ? "plain" : "starttls", .auth = "auto", .from = "me@example.com",
                      .timeout_ms = 1000, .connect_timeout_ms = 1000, .port = how & 64 ? 465 : 0};
  if (how & 64) c.tls = "implicit";
  if (how & 2) c.username = "user", c.password = "secret";
  if (how & 4) c.token = "token";
  return c;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  tenon_ctx *ctx;
  tenon_test test = {.struct_size = sizeof test};
  void *session = NULL;
  if (!host.abi && !host.resolve) begin();
  if (!size) return 0;
  int how = data[0];
  const tn_smtp_config config = configure(how);
  server.data = data + 1, server.size = size - 1, server.at = 0, server.moves = 0, server.tls = false;
  server.piece = how & 8 ? 1 : how & 16 ? 7 : size;
  if (tenon_ctx_new(NULL, -1, &ctx, NULL)) abort();
  if (how & 128) {
    tn_provider_smtp.test(ctx, &tn_provider_smtp, &config, &test, NULL);
  } else if (!tn_provider_smtp.open(ctx, &tn_provider_smtp, &config, &session, NULL)) {
    send_mails(ctx, session, how & 32, how & 4);
    tn_provider_smtp.check(ctx, session, NULL);
    tn_provider_smtp.reset(ctx, session, NULL);
    tn_provider_smtp.close(session);
  }
  tenon_ctx_free(ctx);
  return 0;
}
