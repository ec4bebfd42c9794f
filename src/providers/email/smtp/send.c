/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many messages in one session. With PIPELINING a message costs one way there and back: its content
 * and the next one's envelope travel together, and while the server works the message after is made.
 * The transaction that a refusal leaves behind is reset before the next envelope, so that no recipient
 * of one message can become one of another.
 */
#include "smtp.h"

#include <stdio.h>
#include <string.h>

enum { CONTENT_MS = 600000, KEPT_BYTES = 1 << 20 };

typedef struct sending {
  tenon_ctx *ctx;
  tn_smtp *s;
  const tenon_send *request;
  tn_smtp_message *current, *next; /* NULL: there is none */
  size_t dot;   /* where in s->out the content of the current one ends; 0: not in it yet */
  bool no_mail; /* the server refused MAIL */
  bool goes_on; /* the server said 354 */
  bool all_taken;
  tenon_status source; /* what the messages' source ended with */
  tenon_error source_error;
} sending;

static bool is_good(const tn_smtp_reply *r) { return r->code / 100 == 2; }

/* ---- Taking messages ---- */

/* The next message that this server may take, into `to`; *ret NULL: there is none. */
static tenon_status take(sending *x, tn_smtp_message *to, tn_smtp_message **ret, tenon_error *err) {
  *ret = NULL;
  while (!x->all_taken) {
    const tenon_mail *mail = NULL;
    bool sound = false;
    x->source = x->request->next(x->request->arg, &mail, &x->source_error);
    x->all_taken = x->source || !mail;
    if (x->all_taken) break;
    tenon_status status = tn_smtp_message_fill(to, x->s, mail, &sound, err);
    if (status) return status;
    if (sound) return *ret = to, TENON_OK;
    tn_smtp_message_tell(to, x->request);
  }
  return TENON_OK;
}

static tn_smtp_message *other(const sending *x) {
  return x->current == x->s->first ? x->s->second : x->s->first;
}

/* ---- The envelope: command 0 is MAIL, then one RCPT a recipient, then DATA ---- */

static void put_mail(tn_smtp *s, const tn_smtp_message *m) {
  char size[32] = "";
  if (s->offers.size) snprintf(size, sizeof size, " SIZE=%zu", m->mime.text.size);
  tn_smtp_put(s, "MAIL FROM:<%s>%s%s%s", m->sender, size,
              m->is_utf8 && s->offers.eight_bit ? " BODY=8BITMIME" : "",
              m->is_utf8 ? " SMTPUTF8" : "");
  s->open_mail = true;
}

static void put_command(tn_smtp *s, const tn_smtp_message *m, size_t i) {
  if (i == 0)
    put_mail(s, m);
  else if (i <= m->count)
    tn_smtp_put(s, "RCPT TO:<%s>", tn_smtp_message_text(m, m->recipients[i - 1].wire));
  else
    tn_smtp_put(s, "DATA");
}

static void put_envelope(tn_smtp *s, tn_smtp_message *m) {
  if (!s->offers.pipelining || m->count + 2 > TN_SMTP_GROUP) return;
  for (size_t i = 0; i < m->count + 2; i++) put_command(s, m, i);
  m->is_queued = true;
}

static tenon_delivery how_refused(const tn_smtp_reply *r) {
  return r->code / 100 == 4 ? TENON_MAIL_DEFERRED : TENON_MAIL_REFUSED;
}

static tenon_status unexpected(tn_smtp *s, const char *command, tenon_error *err) {
  s->broken = true;
  return tenon_fail(err, TENON_DATA, TENON_STAGE_QUERY, "ask who runs the server",
                    "%s answers %s with %d, which means nothing there", s->config->host, command,
                    s->reply.code);
}

static tenon_status on_mail_reply(sending *x, tenon_error *err) {
  tenon_error why = TENON_ERROR_INIT;
  tn_smtp_reply *r = &x->s->reply;
  if (r->code / 100 == 3) return unexpected(x->s, "MAIL", err);
  if (is_good(r)) return TENON_OK;
  x->no_mail = true;
  tn_smtp_sender_refused(x->s, x->current->sender, &why);
  tn_smtp_message_settle_all(x->current, how_refused(r), r, &why);
  return TENON_OK;
}

static tenon_status on_recipient_reply(sending *x, size_t i, tenon_error *err) {
  tenon_error why = TENON_ERROR_INIT;
  tn_smtp_reply *r = &x->s->reply;
  tn_smtp_message *m = x->current;
  if (r->code / 100 == 3) return unexpected(x->s, "RCPT", err);
  if (is_good(r)) {
    m->accepted += !m->recipients[i].is_settled;
    return TENON_OK;
  }
  tn_smtp_recipient_refused(x->s, tn_smtp_message_text(m, m->recipients[i].address), &why);
  tn_smtp_message_settle(m, i, how_refused(r), r, &why);
  return TENON_OK;
}

static tenon_status on_data_reply(sending *x, tenon_error *err) {
  tenon_error why = TENON_ERROR_INIT;
  tn_smtp_reply *r = &x->s->reply;
  x->goes_on = r->code == 354;
  if (x->goes_on && !x->no_mail) return TENON_OK;
  /* a content without a MAIL could only be of a transaction that is not ours to end */
  if (r->code / 100 < 4) return unexpected(x->s, "DATA", err);
  tn_smtp_content_refused(x->s, &why);
  tn_smtp_message_settle_all(x->current, how_refused(r), r, &why);
  return TENON_OK;
}

static tenon_status on_reply(sending *x, size_t i, tenon_error *err) {
  if (i == 0) return on_mail_reply(x, err);
  if (i <= x->current->count) return on_recipient_reply(x, i - 1, err);
  return on_data_reply(x, err);
}

static bool is_pointless(const tn_smtp_message *m, size_t i) {
  bool refused = i > 0 && m->count && m->recipients[0].is_settled && !m->accepted;
  for (size_t k = 0; refused && k < m->count; k++) refused = m->recipients[k].is_settled;
  return refused;
}

/* Says what was not said yet, and reads all replies. */
static tenon_status walk_envelope(sending *x, tenon_error *err) {
  tn_smtp *s = x->s;
  tn_smtp_message *m = x->current;
  size_t total = m->count + 2, said = m->is_queued ? total : 0,
         group = s->offers.pipelining ? TN_SMTP_GROUP : 1;
  tenon_status status = TENON_OK;
  x->goes_on = x->no_mail = false;
  for (size_t i = 0; i < total && !status; i++) {
    if (i == said) {
      if (is_pointless(m, i)) break;
      /* DATA waits for what became of the recipients, unless all of it goes in one group */
      for (; said < total && said < i + group && (said + 1 < total || said == i || total <= group);
           said++)
        put_command(s, m, said);
      status = tn_smtp_flush(x->ctx, s, err);
    }
    if (!status) status = tn_smtp_read(x->ctx, s, s->config->timeout_ms, err);
    if (!status) status = on_reply(x, i, err);
  }
  return status;
}

/* ---- The content ---- */

/* Where the next line that begins with a dot begins; `end` if none does. */
static const char *find_dot(const char *at, const char *end, bool line_begins) {
  if (line_begins && at < end && *at == '.') return at;
  const char *found = memmem(at, (size_t)(end - at), "\n.", 2);
  return found ? found + 1 : end;
}

/* A line's first dot is doubled (RFC 5321, 4.5.2). All lines end with CR LF: mime.h says so. */
static tenon_status put_content(sending *x, tenon_error *err) {
  tn_smtp *s = x->s;
  const char *at = x->current->mime.text.data, *end = at + x->current->mime.text.size;
  bool line_begins = true;
  while (at < end) {
    const char *piece_end = end - at > TN_SMTP_OUT / 2 ? at + TN_SMTP_OUT / 2 : end;
    const char *dot = find_dot(at, piece_end, line_begins);
    tn_str_add(&s->out, at, (size_t)(dot - at));
    if (dot < piece_end) tn_str_add(&s->out, "..", 2);
    line_begins = dot == piece_end && dot > at && dot[-1] == '\n';
    at = dot < piece_end ? dot + 1 : dot;
    if (s->out.size > TN_SMTP_OUT) {
      tenon_status status = tn_smtp_flush(x->ctx, s, err);
      if (status) return status;
    }
  }
  tn_str_add(&s->out, ".\r\n", 3);
  x->dot = s->out.size;
  return TENON_OK;
}

/* A server that took no recipient and wants the content all the same gets none. */
static tenon_status put_rest(sending *x, tenon_error *err) {
  if (x->goes_on && x->current->accepted) return put_content(x, err);
  tn_smtp_put(x->s, x->goes_on ? "." : "RSET");
  return TENON_OK;
}

static tenon_status on_content_reply(sending *x, tenon_error *err) {
  tenon_error why = TENON_ERROR_INIT;
  tn_smtp_reply *r = &x->s->reply;
  if (r->code / 100 == 3) return unexpected(x->s, "the message", err);
  x->s->open_mail = false;
  if (is_good(r)) {
    tn_smtp_message_settle_all(x->current, TENON_MAIL_ACCEPTED, r, NULL);
  } else {
    tn_smtp_content_refused(x->s, &why);
    tn_smtp_message_settle_all(x->current, how_refused(r), r, &why);
  }
  if (r->code != 421) return TENON_OK;
  /* the answer came, and it was the last one of the session */
  x->s->broken = true;
  return x->next || !x->all_taken ? tn_smtp_goodbye(x->s, err) : TENON_OK;
}

/* A server looks at a content before it answers; who gives up too soon sends it twice (RFC 5321,
 * 4.5.3.2.6). */
static tenon_status read_end(sending *x, tenon_error *err) {
  tn_smtp *s = x->s;
  bool content = x->goes_on && x->current->accepted;
  int64_t patience =
      content && s->config->timeout_ms < CONTENT_MS ? CONTENT_MS : s->config->timeout_ms;
  tenon_status status = content ? tn_smtp_read_any(x->ctx, s, patience, err)
                                : tn_smtp_read(x->ctx, s, patience, err);
  if (status) return status;
  if (content) return on_content_reply(x, err);
  s->open_mail = false;
  if (!x->goes_on && !is_good(&s->reply)) {
    s->broken = true;
    return tn_smtp_refused(s, "RSET", err);
  }
  return TENON_OK;
}

/* ---- One after the other ---- */

/* The current message from its envelope's replies to its end; the next one's envelope goes with its
 * content. */
static tenon_status send_current(sending *x, tenon_error *err) {
  tn_smtp *s = x->s;
  tenon_status status = tn_smtp_flush(x->ctx, s, err);
  if (!status && !x->request->waits && !x->next) status = take(x, other(x), &x->next, err);
  if (!status) status = walk_envelope(x, err);
  if (!status) status = put_rest(x, err);
  if (!status && x->next) put_envelope(s, x->next);
  if (!status) status = tn_smtp_flush(x->ctx, s, err);
  if (!status) status = read_end(x, err);
  if (!status) s->open_mail = x->next && x->next->is_queued;
  return status;
}

static bool has_open(const tn_smtp_message *m) {
  size_t i = 0;
  while (i < m->count && m->recipients[i].is_settled) i++;
  return i < m->count;
}

/* The session is lost. What was sent up to its last dot may have been taken all the same: that is what
 * the call has to say then, too. */
static void give_up(sending *x, const tenon_error *why, tenon_error *call) {
  bool whole = x->dot && (x->s->out_at >= x->dot || !x->s->out.size);
  if (x->current) {
    tenon_error unknown = *why;
    unknown.retryable = 0;
    snprintf(unknown.remedy, sizeof unknown.remedy,
             "find out whether it arrived before you send it again: it may arrive twice");
    whole &= has_open(x->current);
    tn_smtp_message_settle_all(x->current, whole ? TENON_MAIL_UNKNOWN : TENON_MAIL_UNSENT, NULL,
                               whole ? &unknown : why);
    tn_smtp_message_tell(x->current, x->request);
    if (whole) *call = unknown;
  }
  if (x->next) {
    tn_smtp_message_settle_all(x->next, TENON_MAIL_UNSENT, NULL, why);
    tn_smtp_message_tell(x->next, x->request);
  }
}

/* The deadline knows only that it passed. */
static void say_where(const sending *x, tenon_error *why) {
  if (why->code != TENON_TIMEOUT || why->stage != TENON_STAGE_NONE) return;
  why->stage = TENON_STAGE_WRITE;
  tn_error_prefix(why, "%s did not %s: ", x->s->config->host,
                  x->dot ? "answer to the message" : "answer to its envelope, or take it");
  snprintf(why->remedy, sizeof why->remedy,
           "allow more time; if it stays, look at the server's log");
}

static tenon_status send_all(sending *x, tenon_error *err) {
  tenon_status status = take(x, x->s->first, &x->current, err);
  if (!status && x->current) put_envelope(x->s, x->current);
  while (!status && x->current) {
    x->dot = 0;
    status = send_current(x, err);
    if (status) return status;
    tn_smtp_message_tell(x->current, x->request);
    tn_smtp_message *ready = x->next;
    x->next = NULL;
    if (!ready) {
      status = tn_smtp_expect_silence(x->s, err);
      if (!status) status = take(x, x->current, &ready, err);
      if (ready) put_envelope(x->s, ready);
    }
    x->current = ready;
  }
  return status;
}

static tenon_status prepare(tn_smtp *s, tenon_error *err) {
  if (s->broken)
    return tenon_fail(err, TENON_GONE, TENON_STAGE_QUERY, "open another session",
                      "the session with %s has ended", s->config->host);
  if (!s->first) s->first = tn_smtp_message_new();
  if (!s->second) s->second = tn_smtp_message_new();
  return s->first && s->second ? TENON_OK : tn_no_memory(err);
}

tenon_status tn_smtp_send(tenon_ctx *ctx, void *session, const tenon_send *request, tenon_sent *ret,
                          tenon_error *err) {
  sending x = {.ctx = ctx, .s = session, .request = request, .source_error = TENON_ERROR_INIT};
  tenon_error why = TENON_ERROR_INIT;
  tenon_status status = prepare(x.s, err);
  if (status) return status;
  status = send_all(&x, &why);
  if (status) {
    x.s->broken = true;
    say_where(&x, &why);
    const tenon_error lost = why;
    give_up(&x, &lost, &why);
  }
  tn_smtp_message_trim(x.s->first, KEPT_BYTES);
  tn_smtp_message_trim(x.s->second, KEPT_BYTES);
  if (status) return tn_pass_error(&why, err);
  if (x.source) return tn_pass_error(&x.source_error, err);
  *ret = (tenon_sent){.struct_size = sizeof *ret};
  return TENON_OK;
}
