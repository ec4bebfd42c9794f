/* SPDX-License-Identifier: Apache-2.0 */
/* From a name to a session that may send. Each step is one of the test's; without a test they are
 * walked all the same. */
#include "smtp.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

enum { ADDRESSES = 8 };

typedef struct walk {
  tenon_ctx *ctx;
  tn_smtp *s;
  tenon_test *test; /* NULL: it is no test */
  tenon_error *err;
  uint16_t port;
  bool implicit, clear; /* TLS from the first byte; never */
} walk;

/* ---- Steps ---- */

static void begin(walk *w, const char *name) {
  if (w->test) tn_smtp_host->step_begin(w->test, name);
}

static void end(walk *w, tenon_outcome outcome, const char *remedy, const char *evidence) {
  if (w->test) tn_smtp_host->step_end(w->test, outcome, remedy, "%s", evidence);
}

static tenon_status fail(walk *w, tenon_status status) {
  end(w, TENON_FAILED, w->err->remedy, w->err->message);
  return status;
}

/* ---- dns and tcp ---- */

static bool is_near(const tenon_address *a) {
  struct sockaddr_storage s = {0};
  memcpy(&s, a->sa.bytes, a->sa_size < sizeof s ? a->sa_size : sizeof s);
  if (s.ss_family == AF_INET)
    return ntohl(((struct sockaddr_in *)&s)->sin_addr.s_addr) >> 24 == 127;
  if (s.ss_family != AF_INET6) return s.ss_family == AF_UNIX;
  const struct in6_addr *six = &((struct sockaddr_in6 *)&s)->sin6_addr;
  return IN6_IS_ADDR_LOOPBACK(six) || (IN6_IS_ADDR_V4MAPPED(six) && six->s6_addr[12] == 127);
}

static tenon_status look_up(walk *w, tenon_address *addresses, size_t *count) {
  char text[200];
  begin(w, "dns");
  tenon_status status = tn_smtp_host->resolve(w->ctx, w->s->config->host, w->port, addresses,
                                              ADDRESSES, count, w->err);
  if (status) return fail(w, status);
  snprintf(text, sizeof text, "%zu address%s: %s%s", *count, *count == 1 ? "" : "es",
           addresses[0].text, *count > 1 ? " …" : "");
  end(w, TENON_PASSED, NULL, text);
  return TENON_OK;
}

static tenon_status reach(walk *w, const tenon_address *addresses, size_t count) {
  char text[200];
  int fd = -1;
  begin(w, "tcp");
  tenon_status status = TENON_OK;
  for (size_t i = 0; i < count && fd < 0; i++) {
    tenon_error why = TENON_ERROR_INIT;
    status = tn_smtp_host->connect(w->ctx, &addresses[i], (int)w->s->config->connect_timeout_ms,
                                   &fd, &why);
    if (!status) {
      w->s->is_near = is_near(&addresses[i]);
      snprintf(text, sizeof text, "%s port %u answers", addresses[i].text, (unsigned)w->port);
    } else if (i + 1 == count || tn_smtp_host->check(w->ctx, NULL)) {
      tn_pass_error(&why, w->err);
      return fail(w, status);
    }
  }
  status = tn_smtp_host->socket->adopt(fd, &w->s->socket, w->err);
  if (status) return fail(w, status);
  end(w, TENON_PASSED, NULL, text);
  return TENON_OK;
}

/* ---- What the server offers ---- */

static bool is_word(const char *line, size_t size, const char *word) {
  size_t n = strlen(word);
  return size >= n && strncasecmp(line, word, n) == 0 && (size == n || line[n] == ' ');
}

/* SIZE, SIZE 0 and SIZE 10485760 (RFC 1870); what is no number is no limit. */
static int64_t size_of(const char *text, size_t size) {
  int64_t n = 0;
  for (size_t i = 0; i < size; i++) {
    if (text[i] < '0' || text[i] > '9' || n > INT64_MAX / 10 - 1) return 0;
    n = n * 10 + (text[i] - '0');
  }
  return n;
}

static void take_mechanisms(tn_smtp_offers *o, const char *text, size_t size) {
  snprintf(o->mechanisms, sizeof o->mechanisms, "%.*s", (int)(size < 150 ? size : 150), text);
  while (size) {
    size_t n = 0;
    while (n < size && text[n] != ' ') n++;
    o->plain |= is_word(text, n, "PLAIN");
    o->login |= is_word(text, n, "LOGIN");
    o->xoauth2 |= is_word(text, n, "XOAUTH2");
    size_t skip = n < size ? n + 1 : n;
    text += skip;
    size -= skip;
  }
}

static void take_offer(tn_smtp_offers *o, const char *line, size_t size) {
  o->pipelining |= is_word(line, size, "PIPELINING");
  o->starttls |= is_word(line, size, "STARTTLS");
  o->utf8 |= is_word(line, size, "SMTPUTF8");
  o->eight_bit |= is_word(line, size, "8BITMIME");
  if (is_word(line, size, "SIZE")) {
    o->size = true;
    o->max_size = size > 5 ? size_of(line + 5, size - 5) : 0;
  }
  if (is_word(line, size, "AUTH") && size > 5) take_mechanisms(o, line + 5, size - 5);
}

/* The first line is the server's name. */
static tn_smtp_offers offers_of(const tn_smtp_reply *r) {
  tn_smtp_offers o = {0};
  const char *line = strchr(tn_str_text(&r->text), '\n');
  while (line) {
    size_t size = strcspn(line + 1, "\n");
    take_offer(&o, line + 1, size);
    line = line[1 + size] ? line + 1 + size : NULL;
  }
  return o;
}

/* Our name: the given one, or the address that we come from, as RFC 5321, 4.1.3 has it. */
static void own_name(const tn_smtp *s, char *text, size_t room) {
  struct sockaddr_storage a = {0};
  socklen_t size = sizeof a;
  char address[INET6_ADDRSTRLEN] = "127.0.0.1";
  if (s->config->hello && *s->config->hello) {
    snprintf(text, room, "%s", s->config->hello);
    return;
  }
  bool known = getsockname(tn_smtp_host->socket->fd(s->socket), (struct sockaddr *)&a, &size) == 0;
  bool six = known && a.ss_family == AF_INET6;
  if (six)
    inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&a)->sin6_addr, address, sizeof address);
  else if (known && a.ss_family == AF_INET)
    inet_ntop(AF_INET, &((struct sockaddr_in *)&a)->sin_addr, address, sizeof address);
  snprintf(text, room, "[%s%s]", six ? "IPv6:" : "", address);
}

static tenon_status hello(walk *w) {
  char name[300], command[320];
  tn_smtp *s = w->s;
  own_name(s, name, sizeof name);
  snprintf(command, sizeof command, "EHLO %s", name);
  tenon_status status = tn_smtp_ask(w->ctx, s, command, w->err);
  if (status) return status;
  s->offers = offers_of(&s->reply);
  if (s->reply.code == 250) return tn_smtp_expect_silence(s, w->err);
  if (s->reply.code != 500 && s->reply.code != 502) return tn_smtp_refused(s, "EHLO", w->err);
  s->offers = (tn_smtp_offers){0};
  snprintf(command, sizeof command, "HELO %s", name); /* a server of before 1995 */
  status = tn_smtp_ask(w->ctx, s, command, w->err);
  if (!status && s->reply.code != 250) status = tn_smtp_refused(s, "HELO", w->err);
  return status ? status : tn_smtp_expect_silence(s, w->err);
}

/* The deadline knows only that it passed. */
static tenon_status say_where(walk *w, tenon_stage stage, const char *what, tenon_status status) {
  if (status != TENON_TIMEOUT || !w->err || w->err->stage != TENON_STAGE_NONE) return status;
  w->err->stage = stage;
  tn_error_prefix(w->err, "%s did not %s: ", w->s->config->host, what);
  snprintf(w->err->remedy, sizeof w->err->remedy,
           "allow more time; if it stays, look at the server's log");
  return status;
}

/* A server that speaks TLS from the first byte on waits for ours, as we for its greeting. */
static tenon_status no_greeting(walk *w, const tenon_error *why) {
  if (why->code != TENON_TIMEOUT || w->implicit) return tn_pass_error(why, w->err);
  return tenon_fail(w->err, TENON_TIMEOUT, TENON_STAGE_TLS,
                    "if it is a port for TLS from the first byte on (465), say tls=implicit; else "
                    "check host and port",
                    "%s takes the connection and says nothing", w->s->config->host);
}

static tenon_status greet(walk *w) {
  char text[200];
  tenon_error why = TENON_ERROR_INIT;
  begin(w, "probe");
  tenon_status status = tn_smtp_read(w->ctx, w->s, w->s->config->connect_timeout_ms, &why);
  if (status) return fail(w, no_greeting(w, &why));
  if (w->s->reply.code != 220) return fail(w, tn_smtp_refused(w->s, "the connection", w->err));
  tn_smtp_said(&w->s->reply, text, sizeof text);
  status = tn_smtp_expect_silence(w->s, w->err);
  if (!status) status = say_where(w, TENON_STAGE_QUERY, "answer EHLO", hello(w));
  if (status) return fail(w, status);
  if (w->test) tn_smtp_host->fact(w->test, "server", "%s", text);
  end(w, TENON_PASSED, NULL, text);
  return TENON_OK;
}

/* ---- tls ---- */

/* This machine's own server usually has a certificate that nobody signed; the way to it is short. */
static bool is_lenient(const walk *w) {
  const tn_smtp_config *c = w->s->config;
  return c->insecure || (w->s->is_near && strcmp(c->tls, "auto") == 0 && !c->ca.size);
}

static tenon_status encrypt(walk *w) {
  const tn_smtp_config *c = w->s->config;
  const tenon_tls_options options = {.struct_size = sizeof options,
                                     .insecure = is_lenient(w),
                                     .ca = c->ca.data,
                                     .ca_size = c->ca.size,
                                     .certificate = c->certificate.data,
                                     .certificate_size = c->certificate.size,
                                     .key = c->key.data,
                                     .key_size = c->key.size};
  tenon_error why = TENON_ERROR_INIT;
  tenon_status status = tn_smtp_host->socket->start_tls(w->ctx, w->s->socket, c->host, &options,
                                                        (int)c->connect_timeout_ms, &why);
  if (!status) return TENON_OK;
  w->s->broken = true;
  if (w->implicit && (strstr(why.message, "wrong version") || strstr(why.message, "packet length")))
    return tenon_fail(
        w->err, TENON_TLS, TENON_STAGE_TLS,
        "say tls=starttls, or use the server's port for TLS from the first byte on (465)",
        "%s does not speak TLS from the first byte on at port %u", c->host, (unsigned)w->port);
  return tn_pass_error(&why, w->err);
}

static tenon_status not_secured(walk *w) {
  w->s->broken = true;
  return tenon_fail(w->err, TENON_TLS, TENON_STAGE_TLS,
                    "use the server's port for sending (587, or 465 with tls=implicit); somebody "
                    "on the way may take STARTTLS "
                    "out; tls=plain sends everything readable, if you mean that",
                    "%s offers no TLS at port %u", w->s->config->host, (unsigned)w->port);
}

/* What came in the clear behind the answer was put there by somebody on the way (RFC 3207, 6). */
static tenon_status start_tls(walk *w) {
  tn_smtp *s = w->s;
  static const char what[] = "go on with TLS behind STARTTLS";
  tenon_status status = tn_smtp_ask(w->ctx, s, "STARTTLS", w->err);
  if (status) return say_where(w, TENON_STAGE_TLS, what, status);
  if (s->reply.code != 220) {
    s->broken = true;
    return tn_smtp_refused(s, "STARTTLS", w->err);
  }
  if (s->in_at != s->in_size) {
    s->broken = true;
    return tenon_fail(w->err, TENON_TLS, TENON_STAGE_TLS,
                      "look at what stands between this machine and the server",
                      "something came in the clear behind the answer to STARTTLS: somebody on the "
                      "way may have put it there");
  }
  status = say_where(w, TENON_STAGE_TLS, what, encrypt(w));
  return status ? status : say_where(w, TENON_STAGE_QUERY, "answer EHLO", hello(w));
}

static tenon_status end_tls(walk *w) {
  const char *version = tn_smtp_host->socket->tls_version(w->s->socket);
  char text[120];
  bool lenient = is_lenient(w);
  snprintf(text, sizeof text, "%s, the certificate %s", version,
           lenient ? "was not verified" : "is good");
  if (w->test) tn_smtp_host->fact(w->test, "tls", "%s", version);
  const char *remedy = w->s->config->insecure
                           ? "take insecure away, and give the CA as ca if it is your own"
                           : "say tls=starttls or tls=implicit, and give the CA as ca: by itself this "
                             "machine's own server is not asked who it is";
  end(w, lenient ? TENON_WARNED : TENON_PASSED, lenient ? remedy : NULL, text);
  return TENON_OK;
}

static tenon_status secure(walk *w) {
  bool wanted = !w->clear, may_stay = w->s->is_near && strcmp(w->s->config->tls, "auto") == 0;
  begin(w, "tls");
  if (wanted && !w->s->offers.starttls && !may_stay) return fail(w, not_secured(w));
  if (!wanted || !w->s->offers.starttls) {
    end(w, w->s->is_near ? TENON_SKIPPED : TENON_WARNED,
        w->s->is_near ? NULL : "say tls=starttls or tls=implicit",
        "everything is sent in the clear");
    return TENON_OK;
  }
  tenon_status status = start_tls(w);
  return status ? fail(w, status) : end_tls(w);
}

static tenon_status secure_at_once(walk *w) {
  begin(w, "tls");
  tenon_status status = encrypt(w);
  return status ? fail(w, status) : end_tls(w);
}

/* ---- auth ---- */

static tenon_status log_in(walk *w) {
  char text[200];
  const char *mechanism = NULL;
  begin(w, "auth");
  if (!tn_smtp_has_login(w->s->config)) {
    end(w, TENON_SKIPPED, NULL, "as nobody");
    return TENON_OK;
  }
  tenon_status status = tn_smtp_log_in(w->ctx, w->s, &mechanism, w->err);
  if (status) return fail(w, status);
  snprintf(text, sizeof text, "logged in by %s", mechanism);
  end(w, TENON_PASSED, NULL, text);
  return TENON_OK;
}

/* ---- All of them ---- */

static void choose_port(walk *w) {
  const tn_smtp_config *c = w->s->config;
  w->implicit = strcmp(c->tls, "implicit") == 0 || (strcmp(c->tls, "auto") == 0 && c->port == 465);
  w->clear = strcmp(c->tls, "plain") == 0;
  w->port = (uint16_t)(c->port ? c->port : w->implicit ? 465 : w->clear ? 25 : 587);
}

tenon_status tn_smtp_connect(tenon_ctx *ctx, tn_smtp *s, tenon_test *test, tenon_error *err) {
  tenon_address addresses[ADDRESSES];
  tenon_error own = TENON_ERROR_INIT;
  size_t count = 0;
  walk w = {.ctx = ctx, .s = s, .test = test, .err = &own};
  choose_port(&w);
  tenon_status status = look_up(&w, addresses, &count);
  if (!status) status = reach(&w, addresses, count);
  if (!status && w.implicit) status = secure_at_once(&w);
  if (!status) status = greet(&w);
  if (!status && !w.implicit) status = secure(&w);
  if (!status) status = log_in(&w);
  return status ? tn_pass_error(&own, err) : TENON_OK;
}
