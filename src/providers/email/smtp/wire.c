/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

tenon_status tn_smtp_new(const tn_smtp_config *config, tn_smtp **ret, tenon_error *err) {
  tn_smtp *s = tn_alloc(sizeof *s);
  if (!s) return tn_no_memory(err);
  s->config = config;
  s->in = tn_alloc(TN_SMTP_IN);
  tn_str_init(&s->out, 2 * TN_SMTP_OUT);
  tn_str_init(&s->reply.text, TN_SMTP_MAX_REPLY);
  tn_str_init(&s->told, 2 * TN_SMTP_OUT);
  if (!s->in) {
    tn_smtp_free(s);
    return tn_no_memory(err);
  }
  *ret = s;
  return TENON_OK;
}

void tn_smtp_free(tn_smtp *s) {
  static const char quit[] = "QUIT\r\n";
  bool polite = s->socket && !s->broken && !s->open_mail;
  tn_smtp_host->socket->close(s->socket, quit, polite ? sizeof quit - 1 : 0);
  tn_smtp_message_free(s->first);
  tn_smtp_message_free(s->second);
  if (s->out.data) tn_wipe(s->out.data, s->out.capacity); /* passwords went through it */
  tn_str_release(&s->out);
  tn_str_release(&s->reply.text);
  tn_free(s->in);
  tn_free(s);
}

/* ---- Out ---- */

void tn_smtp_put(tn_smtp *s, const char *format, ...) {
  char line[TN_SMTP_MAX_LINE];
  va_list args;
  va_start(args, format);
  int n = vsnprintf(line, sizeof line, format, args);
  va_end(args);
  if (n < 0 || (size_t)n >= sizeof line || strpbrk(line, "\r\n")) {
    s->out.failed = true;
    return;
  }
  tn_str_add(&s->out, line, (size_t)n);
  tn_str_puts(&s->out, "\r\n");
}

static tenon_status lost(tn_smtp *s, tenon_status status) {
  s->broken = true;
  return status;
}

static tenon_status ended(tn_smtp *s, tenon_error *err) {
  s->broken = true;
  return tenon_fail(
      err, TENON_UNREACHABLE, TENON_STAGE_QUERY,
      "try again; if it stays, look at the server's log, and at its limits on connections",
      "%s closed the connection", s->config->host);
}

static void make_room(tn_smtp *s) {
  if (!s->in_at) return;
  memmove(s->in, s->in + s->in_at, s->in_size - s->in_at);
  s->in_size -= s->in_at;
  s->in_at = 0;
}

/* Sends what waits to be sent and takes what comes meanwhile: a server that is kept from answering
 * stops reading. */
tenon_status tn_smtp_flush(tenon_ctx *ctx, tn_smtp *s, tenon_error *err) {
  if (s->out.failed) {
    s->broken = true;
    return tenon_fail(err, TENON_LIMITED, TENON_STAGE_WRITE, "use shorter names and addresses",
                      "a command is longer than %d bytes", TN_SMTP_MAX_LINE);
  }
  make_room(s);
  while (s->out_at < s->out.size) {
    tenon_transfer t = {.out = s->out.data + s->out_at,
                        .out_size = s->out.size - s->out_at,
                        .in = s->in + s->in_size,
                        .in_room = TN_SMTP_IN - s->in_size};
    tenon_status status =
        tn_smtp_host->socket->move(ctx, s->socket, &t, (int)s->config->timeout_ms, err);
    s->out_at += t.sent;
    s->in_size += t.received;
    if (status) return lost(s, status);
    if (t.ended && !t.sent) return ended(s, err);
  }
  tn_str_clear(&s->out);
  s->out_at = 0;
  return TENON_OK;
}

/* ---- In ---- */

static tenon_status strange(tn_smtp *s, const char *what, tenon_error *err) {
  s->broken = true;
  return tenon_fail(err, TENON_DATA, TENON_STAGE_QUERY,
                    "check that host and port are those of a mail server (SMTP)",
                    "%s does not answer as a mail server does: %s", s->config->host, what);
}

static tenon_status receive(tenon_ctx *ctx, tn_smtp *s, int64_t timeout_ms, tenon_error *err) {
  make_room(s);
  tenon_transfer t = {.in = s->in + s->in_size, .in_room = TN_SMTP_IN - s->in_size};
  tenon_status status = tn_smtp_host->socket->move(ctx, s->socket, &t, (int)timeout_ms, err);
  if (status) return lost(s, status);
  s->in_size += t.received;
  return t.ended && !t.received ? ended(s, err) : TENON_OK;
}

/* One line without its end, within s->in. */
static tenon_status read_line(tenon_ctx *ctx, tn_smtp *s, int64_t timeout_ms, const char **ret,
                              size_t *ret_size, tenon_error *err) {
  for (;;) {
    const char *begin = s->in + s->in_at;
    size_t there = s->in_size - s->in_at;
    const char *end = memchr(begin, '\n', there);
    size_t size = end ? (size_t)(end - begin) : there;
    if (size > TN_SMTP_MAX_LINE) return strange(s, "a line of its reply is too long", err);
    if (end) {
      s->in_at += size + 1;
      if (!size || begin[size - 1] != '\r' || memchr(begin, '\r', size - 1) ||
          memchr(begin, 0, size))
        return strange(
            s, "a line of its reply does not end with CR LF, or has other control characters", err);
      *ret = begin;
      *ret_size = size - 1;
      return TENON_OK;
    }
    tenon_status status = receive(ctx, s, timeout_ms, err);
    if (status) return status;
  }
}

static bool is_digit(char c, char from, char to) { return c >= from && c <= to; }

/* 250-text, 250 text, 250: RFC 5321, 4.2. -1: it is none. */
static int code_of(const char *line, size_t size) {
  if (size < 3 || !is_digit(line[0], '2', '5') || !is_digit(line[1], '0', '9') ||
      !is_digit(line[2], '0', '9'))
    return -1;
  if (size > 3 && line[3] != ' ' && line[3] != '-') return -1;
  return (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
}

/* A class and two numbers: 5.7.1, RFC 3463. */
static void take_enhanced(tn_smtp_reply *r) {
  const char *text = tn_str_text(&r->text);
  size_t n = strspn(text, "0123456789.");
  int dots = 0;
  for (size_t i = 0; i < n; i++) dots += text[i] == '.';
  bool ok = n >= 5 && n <= 9 && dots == 2 && text[0] == '0' + r->code / 100 && text[1] == '.' &&
            text[2] != '.' && text[n - 1] != '.' && (text[n] == ' ' || text[n] == 0);
  snprintf(r->enhanced, sizeof r->enhanced, "%.*s", ok ? (int)n : 0, text);
}

tenon_status tn_smtp_read_any(tenon_ctx *ctx, tn_smtp *s, int64_t timeout_ms, tenon_error *err) {
  tn_smtp_reply *r = &s->reply;
  bool more = true;
  tn_str_clear(&r->text);
  for (int i = 0; more; i++) {
    const char *line = NULL;
    size_t size = 0;
    tenon_status status = read_line(ctx, s, timeout_ms, &line, &size, err);
    if (status) return status;
    int code = code_of(line, size);
    if (code < 0 || (i && code != r->code))
      return strange(s, "a line of its reply begins with no code", err);
    if (i == TN_SMTP_MAX_LINES) return strange(s, "its reply has too many lines", err);
    r->code = code;
    more = size > 3 && line[3] == '-';
    if (i) tn_str_putc(&r->text, '\n');
    if (size > 4) tn_str_add(&r->text, line + 4, size - 4);
    if (r->text.failed) return strange(s, "its reply is too long", err);
  }
  take_enhanced(r);
  return TENON_OK;
}

tenon_status tn_smtp_read(tenon_ctx *ctx, tn_smtp *s, int64_t timeout_ms, tenon_error *err) {
  tenon_status status = tn_smtp_read_any(ctx, s, timeout_ms, err);
  return status || s->reply.code != 421 ? status : tn_smtp_goodbye(s, err);
}

tenon_status tn_smtp_goodbye(tn_smtp *s, tenon_error *err) {
  char said[300];
  tn_smtp_said(&s->reply, said, sizeof said);
  s->broken = true;
  return tenon_fail(err, TENON_UNREACHABLE, TENON_STAGE_QUERY,
                    "try again later; if it stays, send less at once or ask who runs the server",
                    "%s ends the session: 421 %s", s->config->host, said);
}

tenon_status tn_smtp_ask(tenon_ctx *ctx, tn_smtp *s, const char *command, tenon_error *err) {
  tn_smtp_put(s, "%s", command);
  tenon_status status = tn_smtp_flush(ctx, s, err);
  return status ? status : tn_smtp_read(ctx, s, s->config->timeout_ms, err);
}

tenon_status tn_smtp_expect_silence(tn_smtp *s, tenon_error *err) {
  return s->in_at == s->in_size ? TENON_OK : strange(s, "it says more than it was asked for", err);
}

void tn_smtp_said(const tn_smtp_reply *r, char *text, size_t room) {
  size_t skip = strlen(r->enhanced);
  snprintf(text, room, "%s",
           tn_str_text(&r->text) + skip + (skip && tn_str_text(&r->text)[skip] == ' '));
  for (char *c = text; *c; c++)
    if ((unsigned char)*c < 0x20 || *c == 0x7F) *c = ' ';
}
