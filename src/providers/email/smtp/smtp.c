/* SPDX-License-Identifier: Apache-2.0 */
/* Mail servers that take mail for sending. */
#include "smtp.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

const tenon_host *tn_smtp_host;

static const char *const tls_modes[] = {"auto", "implicit", "starttls", "plain", NULL};
static const char *const auths[] = {
    "auto", "plain", "login", "xoauth2", "oauth_refresh", "oauth_client_credentials", "none", NULL};
static const char *const aliases[] = {"smtps", NULL};

#define C tn_smtp_config

static const tenon_param params[] = {
    {TENON_STRING(C, host), .key = "host", .label = "Host", .flags = TENON_REQUIRED,
     .group = "Connection", .help = "the server's name: smtp.example.com",
     .aliases = "server,smtp_host"},
    {TENON_INTEGER(C, port), .key = "port", .label = "Port", .group = "Connection", .min = 1,
     .max = 65535, .help = "587 unless given; 465 for tls=implicit, 25 for tls=plain",
     .aliases = "smtp_port"},
    {TENON_DURATION(C, connect_timeout_ms), .key = "connect_timeout", .label = "Connect timeout",
     .flags = TENON_ADVANCED, .group = "Connection", .default_value = "10s", .min = 1,
     .max = 3600000, .help = "how long each step of connecting may take"},
    {TENON_DURATION(C, timeout_ms), .key = "timeout", .label = "Timeout", .flags = TENON_ADVANCED,
     .group = "Connection", .default_value = "60s", .min = 1, .max = 3600000,
     .help = "how long the server may be silent when it should answer; behind a message ten "
             "minutes at least"},
    {TENON_STRING(C, hello), .key = "hello", .label = "Own name", .flags = TENON_ADVANCED,
     .group = "Connection",
     .help = "what this machine calls itself to the server; its address in brackets unless given",
     .aliases = "helo,local_hostname"},
    {TENON_STRING(C, username), .key = "username", .label = "Username", .group = "Login",
     .aliases = "user,login", .help = "the login, usually the mail address"},
    {TENON_STRING(C, password), .key = "password", .label = "Password", .flags = TENON_SECRET,
     .group = "Login", .help = "its password, or an app password that the service made",
     .aliases = "pass"},
    {TENON_STRING(C, token), .key = "token", .label = "OAuth token", .flags = TENON_SECRET,
     .group = "Login", .help = "an access token instead of a password, for XOAUTH2",
     .aliases = "access_token"},
    {TENON_ENUM(C, auth), .key = "auth", .label = "Way to log in", .flags = TENON_ADVANCED,
     .group = "Login", .choices = auths, .default_value = "auto",
     .help = "auto: XOAUTH2 with a token, else PLAIN or LOGIN, whichever the server offers; "
             "oauth_…: XOAUTH2 with tokens that "
             "are got by a grant, or as a client; none: do not log in"},
    TN_OAUTH_PARAMS(C, oauth, "Login", "auth=oauth_client_credentials|oauth_refresh",
                    "auth=oauth_refresh"),
    {TENON_ENUM(C, tls), .key = "tls", .label = "TLS", .group = "TLS", .choices = tls_modes,
     .default_value = "auto",
     .help = "implicit: from the first byte on; starttls: right after the greeting, or not at all; "
             "auto: implicit on port 465, else starttls, but on this machine's own addresses whatever "
             "the server offers, and without asking who it is; plain: never, everything can be read "
             "on the way",
     .aliases = "security,encryption"},
    {TENON_FILE(C, ca), .key = "ca", .label = "CA certificates", .flags = TENON_ADVANCED,
     .group = "TLS", .help = "trusted instead of the system's, in PEM"},
    {TENON_FILE(C, certificate), .key = "certificate", .label = "Client certificate",
     .flags = TENON_ADVANCED, .group = "TLS",
     .help = "what is shown to a server that asks for it, in PEM; its chain may follow"},
    {TENON_FILE(C, key), .key = "key", .label = "Client key",
     .flags = TENON_SECRET | TENON_ADVANCED, .group = "TLS",
     .help = "the key of the client certificate, in PEM"},
    {TENON_BOOLEAN(C, insecure), .key = "insecure", .label = "Take any certificate",
     .flags = TENON_ADVANCED, .group = "TLS", .default_value = "false",
     .help = "do not verify who the server is"},
    {TENON_STRING(C, from), .key = "from", .label = "Sender", .group = "Mail",
     .aliases = "sender,from_address",
     .help = "of messages that name none: Ada <ada@example.com>; the username where that is an "
             "address"},
    {TENON_STRING(C, test_recipient), .key = "test_recipient", .label = "Recipient of the test",
     .flags = TENON_ADVANCED, .group = "Mail",
     .help = "an address that the test asks the server about; nothing is sent to it"},
    {TENON_INTEGER(C, pool_size), .key = "pool_size", .label = "Pool size", .flags = TENON_ADVANCED,
     .group = "Pool", .default_value = "5", .min = 0, .max = 1000,
     .help = "sessions that are kept open"},
    {TENON_INTEGER(C, max_overflow), .key = "max_overflow", .label = "Overflow",
     .flags = TENON_ADVANCED, .group = "Pool", .default_value = "15", .min = 0, .max = 1000,
     .help = "sessions above the pool's size that are opened under load"},
    {TENON_DURATION(C, pool_recycle_ms), .key = "pool_recycle", .label = "Recycle after",
     .flags = TENON_ADVANCED, .group = "Pool", .default_value = "300s", .min = 1000,
     .max = INT64_C(31536000000),
     .help = "a session older than this is replaced when it comes back"},
};

#undef C

/* ---- URLs: smtp://user:password@host:587?from=…, smtps://… ---- */

static tenon_status parse_login(const char *text, size_t size, tn_url_set set, void *arg,
                                tenon_error *err) {
  const char *colon = memchr(text, ':', size);
  size_t user = colon ? (size_t)(colon - text) : size;
  tenon_status status = tn_url_part("username", text, user, set, arg, err);
  return status || !colon ? status
                          : tn_url_part("password", colon + 1, size - user - 1, set, arg, err);
}

static tenon_status parse_place(const char *text, size_t size, tn_url_set set, void *arg,
                                tenon_error *err) {
  const char *host = text, *end = text + size;
  if (*text == '[')
    host++, end = memchr(text, ']', size);
  else if (memchr(text, ':', size))
    end = memchr(text, ':', size);
  if (!end || end == host)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG,
                      "write it as smtp://host or smtp://user@host:587", "the URL names no host");
  tenon_status status = tn_url_part("host", host, (size_t)(end - host), set, arg, err);
  const char *port = *text == '[' ? end + 1 : end;
  if (status || port >= text + size) return status;
  return tn_url_part("port", port + 1, (size_t)(text + size - port) - 1, set, arg, err);
}

static tenon_status parse_url(const char *url, tn_url_set set, void *arg, tenon_error *err) {
  const char *at = strstr(url, "://") + 3, *end = at + strcspn(at, "/?#");
  const char *login = memrchr(at, '@', (size_t)(end - at));
  tenon_status status = TENON_OK;
  if (strncasecmp(url, "smtps:", 6) == 0) status = set(arg, "tls", "implicit", err);
  if (!status && login) {
    status = parse_login(at, (size_t)(login - at), set, arg, err);
    at = login + 1;
  }
  if (!status) status = parse_place(at, (size_t)(end - at), set, arg, err);
  if (status) return status;
  end += *end == '/';
  if (*end == '?') return tn_url_query(end + 1, set, arg, err);
  if (!*end) return TENON_OK;
  return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "leave it out",
                    "the URL of a mail server has no path");
}

/* ---- Sessions ---- */

static tenon_status check_config(const tn_smtp_config *c, tenon_error *err) {
  char text[1024];
  tenon_mailbox from;
  bool odd = false;
  for (const char *f = c->from ? c->from : ""; *f; f++)
    odd |= (unsigned char)*f < ' ' || *f == 0x7F;
  if (c->from && *c->from &&
      (odd || strlen(c->from) >= sizeof text || !tn_smtp_sender(c, text, sizeof text, &from)))
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG,
                      "write it as ada@example.com or Ada <ada@example.com>",
                      "from is not an address");
  if (c->test_recipient && *c->test_recipient && tn_mail_address_check(c->test_recipient, NULL))
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "write it as ada@example.com",
                      "test_recipient is not an address");
  for (const char *h = c->hello ? c->hello : ""; *h; h++)
    if ((unsigned char)*h <= ' ' || (unsigned char)*h >= 0x7F || h - c->hello > 254)
      return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG,
                        "give this machine's name: mail.example.com", "hello is not a name");
  return TENON_OK;
}

static tenon_status open_walked(tenon_ctx *ctx, const tn_smtp_config *config, tenon_test *test,
                                tn_smtp **ret, tenon_error *err) {
  tn_smtp *s = NULL;
  tenon_status status = check_config(config, err);
  if (!status) status = tn_smtp_new(config, &s, err);
  if (status) return status;
  status = tn_smtp_connect(ctx, s, test, err);
  if (!status)
    *ret = s;
  else
    tn_smtp_free(s);
  return status;
}

static tenon_status open_session(tenon_ctx *ctx, const tenon_provider *provider, const void *config,
                                 void **ret, tenon_error *err) {
  tn_smtp *s = NULL;
  (void)provider;
  tenon_status status = open_walked(ctx, config, NULL, &s, err);
  if (!status) *ret = s;
  return status;
}

static tenon_status command(tenon_ctx *ctx, tn_smtp *s, const char *text, tenon_error *err) {
  if (s->broken)
    return tenon_fail(err, TENON_GONE, TENON_STAGE_QUERY, NULL, "the session with %s has ended",
                      s->config->host);
  tenon_status status = tn_smtp_ask(ctx, s, text, err);
  if (!status && s->reply.code / 100 != 2) status = tn_smtp_refused(s, text, err);
  return status ? status : tn_smtp_expect_silence(s, err);
}

static tenon_status check(tenon_ctx *ctx, void *session, tenon_error *err) {
  return command(ctx, session, "NOOP", err);
}

static tenon_status reset(tenon_ctx *ctx, void *session, tenon_error *err) {
  tn_smtp *s = session;
  if (!s->broken && !s->open_mail) return TENON_OK; /* each message left it clean */
  tenon_status status = command(ctx, s, "RSET", err);
  if (!status) s->open_mail = false;
  return status;
}

static void close_session(void *session) { tn_smtp_free(session); }

/* ---- Test ---- */

/* Asks as if a mail were to be sent, and takes it back. */
static tenon_status ask_permission(tenon_ctx *ctx, tn_smtp *s, const char *sender,
                                   tenon_error *err) {
  const char *recipient = s->config->test_recipient;
  char wire[TN_MAIL_ADDRESS_ROOM], line[TN_MAIL_ADDRESS_ROOM + 40];
  bool utf8 = tn_mail_address_wire(sender, wire);
  snprintf(line, sizeof line, "MAIL FROM:<%s>%s", wire, utf8 && s->offers.utf8 ? " SMTPUTF8" : "");
  tenon_status status = tn_smtp_ask(ctx, s, line, err);
  if (status) return status;
  if (s->reply.code / 100 != 2) return tn_smtp_sender_refused(s, sender, err);
  s->open_mail = true;
  if (recipient && *recipient) {
    tn_mail_address_wire(recipient, wire);
    snprintf(line, sizeof line, "RCPT TO:<%s>", wire);
    status = tn_smtp_ask(ctx, s, line, err);
    if (!status && s->reply.code / 100 != 2) status = tn_smtp_recipient_refused(s, recipient, err);
  }
  return status ? status : reset(ctx, s, err);
}

static tenon_status step_permission(tenon_ctx *ctx, tn_smtp *s, tenon_test *t, tenon_error *err) {
  char text[1024];
  tenon_mailbox from;
  tn_smtp_host->step_begin(t, "permission");
  if (!tn_smtp_sender(s->config, text, sizeof text, &from)) {
    tn_smtp_host->step_end(t, TENON_SKIPPED, NULL, "no sender is configured (from)");
    return TENON_OK;
  }
  tenon_status status = ask_permission(ctx, s, from.address, err);
  if (status) {
    tn_smtp_host->step_end(t, TENON_FAILED, err->remedy, "%s", err->message);
    return status;
  }
  const char *recipient = s->config->test_recipient;
  bool asked = recipient && *recipient;
  tn_smtp_host->step_end(t, TENON_PASSED, NULL, "may send as %s%s%s; nothing was sent",
                         from.address, asked ? " to " : "", asked ? recipient : "");
  return TENON_OK;
}

static void tell_offers(const tn_smtp *s, tenon_test *t) {
  const tn_smtp_offers *o = &s->offers;
  if (o->max_size) tn_smtp_host->fact(t, "largest_message", "%lld", (long long)o->max_size);
  tn_smtp_host->fact(t, "offers", "%s%s%s%s", o->pipelining ? "PIPELINING " : "",
                     o->eight_bit ? "8BITMIME " : "", o->utf8 ? "SMTPUTF8 " : "",
                     o->size ? "SIZE" : "");
  if (*o->mechanisms) tn_smtp_host->fact(t, "logins", "%s", o->mechanisms);
}

static tenon_status test(tenon_ctx *ctx, const tenon_provider *provider, const void *config,
                         tenon_test *ret, tenon_error *err) {
  tenon_error own = TENON_ERROR_INIT;
  tn_smtp *s = NULL;
  (void)provider;
  if (!err) err = &own;
  tenon_status status = open_walked(ctx, config, ret, &s, err);
  if (status) return status;
  status = step_permission(ctx, s, ret, err);
  if (!status) tell_offers(s, ret);
  tn_smtp_free(s);
  return status;
}

/* ---- The provider ---- */

static tenon_status init(const tenon_host *host, tenon_error *err) {
  (void)err;
  tn_smtp_host = host;
  return TENON_OK;
}

static const tenon_mail_ops mail = {.struct_size = sizeof mail, .send = tn_smtp_send};

static tenon_status consent(const void *config, tenon_consent *ret, tenon_error *err) {
  static const tenon_http_options http = {.struct_size = sizeof http};
  const tn_smtp_config *c = config;
  return tn_oauth_consent(&c->oauth, strcmp(c->auth, "oauth_refresh") == 0, &http, ret, err);
}

static const tenon_oauth oauth = {.struct_size = sizeof oauth, .consent = consent};

extern const tenon_provider tn_provider_smtp;

const tenon_provider tn_provider_smtp = {
    .struct_size = sizeof tn_provider_smtp,
    .abi = TENON_ABI,
    .kind = "smtp",
    .category = "email",
    .label = "SMTP",
    .summary =
        "Sends mail through a mail server, many messages in one session, under verified TLS.",
    .aliases = aliases,
    .params = TENON_PARAMS(params),
    .config_size = sizeof(tn_smtp_config),
    .traits = TENON_POOLED,
    .init = init,
    .parse_url = parse_url,
    .test = test,
    .open = open_session,
    .check = check,
    .reset = reset,
    .close = close_session,
    .mail = &mail,
    .oauth = &oauth,
};
