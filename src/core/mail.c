/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The calling function of the facet `mail`. What can be wrong with a message by itself is refused
 * here, once for all kinds; providers get sound messages, one after the other. Outcomes pass through
 * here, too: they are counted, and secrets in what a system said are covered.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "core/params.h"
#include "core/session_parts.h"
#include "net/mail_address.h"
#include "net/mime.h"

enum { MAX_WORD = 900, MAX_LINE_TEXT = 64 << 10, MAX_TYPE = 127, MAX_ID = 250 };

static const char remedy_header[] = "leave line breaks and control characters out of it";

static tenon_status refuse(tenon_error *err, const char *remedy, const char *format, ...)
    TENON_PRINTF(3, 4);

static tenon_status refuse(tenon_error *err, const char *remedy, const char *format, ...) {
  char text[400];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, remedy, "%s", text);
}

/* ---- One message ---- */

/* Text of a header: a line break in it would begin another header. */
static tenon_status check_line(const char *text, const char *what, tenon_error *err) {
  size_t size = text ? strlen(text) : 0;
  if (size > MAX_LINE_TEXT) return refuse(err, "make it shorter", "%s is longer than 64 KiB", what);
  for (size_t i = 0; i < size; i++)
    if ((unsigned char)text[i] < 0x20 || text[i] == 0x7F)
      return refuse(err, remedy_header, "%s has the control character 0x%02x", what,
                    (unsigned)(unsigned char)text[i]);
  if (size && !tn_utf8_valid(text, size, NULL))
    return refuse(err, "give it in UTF-8", "%s is not UTF-8", what);
  return TENON_OK;
}

static tenon_status check_body(const char *text, const char *what, tenon_error *err) {
  if (!text || tn_utf8_valid(text, strlen(text), NULL)) return TENON_OK;
  return refuse(err, "give it in UTF-8", "%s is not UTF-8", what);
}

static tenon_status check_mailbox(const tenon_mailbox *m, const char *what, tenon_error *err) {
  const char *wrong = tn_mail_address_check(m->address, NULL);
  if (wrong)
    return refuse(err, "correct the address", "%s cannot be \"%.254s\": %s", what,
                  m->address ? m->address : "", wrong);
  return check_line(m->name, "a name beside an address", err);
}

static tenon_status check_mailboxes(const tenon_mailboxes *list, const char *what,
                                    tenon_error *err) {
  tenon_status status = TENON_OK;
  for (size_t i = 0; i < list->count && !status; i++)
    status = check_mailbox(&list->items[i], what, err);
  return status;
}

static tenon_status check_addresses(const tenon_mail *m, tenon_error *err) {
  if (m->to.count > TENON_MAX_RECIPIENTS || m->cc.count > TENON_MAX_RECIPIENTS ||
      m->bcc.count > TENON_MAX_RECIPIENTS || m->reply_to.count > TENON_MAX_RECIPIENTS ||
      m->to.count + m->cc.count + m->bcc.count > TENON_MAX_RECIPIENTS)
    return refuse(err, "send it in several messages", "the message has more than %d recipients",
                  TENON_MAX_RECIPIENTS);
  if (m->to.count + m->cc.count + m->bcc.count == 0)
    return refuse(err, "name at least one in to, cc or bcc", "the message has no recipient");
  tenon_status status = m->from.address ? check_mailbox(&m->from, "from", err) : TENON_OK;
  if (!status) status = check_mailboxes(&m->to, "to", err);
  if (!status) status = check_mailboxes(&m->cc, "cc", err);
  if (!status) status = check_mailboxes(&m->bcc, "bcc", err);
  return status ? status : check_mailboxes(&m->reply_to, "reply_to", err);
}

/* Characters that a token has: RFC 2045, 5.1; `also` are allowed beside them. */
static bool is_token(const char *text, size_t size, const char *also) {
  for (size_t i = 0; i < size; i++) {
    unsigned char c = (unsigned char)text[i];
    if (c <= 0x20 || c >= 0x7F || (strchr("()<>@,;:\\\"/[]?=", c) && !strchr(also, c)))
      return false;
  }
  return size > 0;
}

/* A message's or a part's: LEFT@RIGHT, as RFC 5322 has it. */
static tenon_status check_id(const char *id, const char *what, tenon_error *err) {
  if (!id || (strlen(id) <= MAX_ID && is_token(id, strlen(id), "@=:/?[]"))) return TENON_OK;
  return refuse(err, "write it like 20240131.7@example.com, without brackets",
                "%s cannot be \"%.250s\"", what, id);
}

/* These say what the message is and where it goes: they follow from its other fields. */
static bool is_reserved(const char *name) {
  static const char *const reserved[] = {"from",         "to",          "cc",       "bcc",
                                         "reply-to",     "subject",     "date",     "message-id",
                                         "mime-version", "return-path", "received", NULL};
  for (const char *const *r = reserved; *r; r++)
    if (strcasecmp(name, *r) == 0) return true;
  return strncasecmp(name, "content-", 8) == 0 || strncasecmp(name, "resent-", 7) == 0;
}

/* Lines are folded at spaces alone, and no line has more than 998 bytes. */
static bool can_be_folded(const char *text) {
  while (*text) {
    size_t word = strcspn(text, " ");
    if (word > MAX_WORD) return false;
    text += word + strspn(text + word, " ");
  }
  return true;
}

static tenon_status check_header(const tenon_mail_header *h, tenon_error *err) {
  size_t size = h->name ? strlen(h->name) : 0;
  if (size > 76 || !is_token(h->name, size, "()<>@,;\\\"/[]?="))
    return refuse(err, "use letters, digits and dashes", "a header cannot be called \"%.80s\"",
                  h->name ? h->name : "");
  if (is_reserved(h->name))
    return refuse(err, "use the message's own field for it",
                  "the header %s is not for further headers", h->name);
  if (!h->value) return refuse(err, "give it one", "the header %s has no value", h->name);
  if (!can_be_folded(h->value))
    return refuse(err, "make it shorter, or put spaces into it",
                  "the header %s has a word of more than %d bytes", h->name, MAX_WORD);
  return check_line(h->value, h->name, err);
}

static bool is_media_type(const char *type) {
  size_t first = strcspn(type, "/");
  return type[first] == '/' && strlen(type) <= MAX_TYPE && is_token(type, first, "") &&
         is_token(type + first + 1, strlen(type + first + 1), "") &&
         strncasecmp(type, "multipart/", 10) != 0 && strncasecmp(type, "message/", 8) != 0;
}

static tenon_status check_attachment(const tenon_attachment *a, tenon_error *err) {
  tenon_status status = check_line(a->name, "an attachment's name", err);
  if (status) return status;
  if (a->type && !is_media_type(a->type))
    return refuse(err, "give one like image/png", "an attachment's type cannot be \"%.120s\"",
                  a->type);
  if (a->size && !a->data)
    return refuse(err, "give its bytes", "an attachment has a size but no data");
  return check_id(a->content_id, "a content id", err);
}

static bool has_id_twice(const tenon_mail *m, size_t i) {
  const char *id = m->attachments[i].content_id;
  for (size_t k = 0; id && k < i; k++)
    if (m->attachments[k].content_id && strcmp(m->attachments[k].content_id, id) == 0) return true;
  return false;
}

static tenon_status check_parts(const tenon_mail *m, tenon_error *err) {
  tenon_status status = TENON_OK;
  if (m->attachment_count > TENON_MAX_ATTACHMENTS || m->header_count > TENON_MAX_MAIL_HEADERS)
    return refuse(err, "send less in one message", "more than %d attachments or %d headers",
                  TENON_MAX_ATTACHMENTS, TENON_MAX_MAIL_HEADERS);
  for (size_t i = 0; i < m->header_count && !status; i++)
    status = check_header(&m->headers[i], err);
  for (size_t i = 0; i < m->attachment_count && !status; i++)
    status = check_attachment(&m->attachments[i], err);
  for (size_t i = 0; i < m->attachment_count && !status; i++)
    if (has_id_twice(m, i))
      status = refuse(err, "give each its own", "two attachments have the content id %s",
                      m->attachments[i].content_id);
  return status;
}

static tenon_status check_message(const tenon_mail *m, tenon_error *err) {
  if (m->wrong) return refuse(err, "correct the message", "%s", m->wrong);
  tenon_status status = check_addresses(m, err);
  if (!status) status = check_line(m->subject, "the subject", err);
  if (!status) status = check_id(m->id, "the message's id", err);
  if (!status) status = check_parts(m, err);
  if (!status) status = check_body(m->text, "the text", err);
  if (!status) status = check_body(m->html, "the html", err);
  return status;
}

/* ---- Messages and their outcomes, on their way to the provider and back ---- */

typedef struct passage {
  const tenon_send *request;
  tn_session *session;
  tenon_mail message; /* the one that the provider has, numbered */
  size_t taken;       /* of the array */
  bool is_over;       /* the source has ended, or failed */
  tenon_sent sent;
} passage;

static void count(tenon_sent *s, tenon_delivery d) {
  switch (d) {
    case TENON_MAIL_ACCEPTED: s->accepted++; break;
    case TENON_MAIL_REFUSED: s->refused++; break;
    case TENON_MAIL_DEFERRED: s->deferred++; break;
    case TENON_MAIL_UNSENT:
    case TENON_MAIL_UNKNOWN: break;
  }
}

/* A system may repeat what it was told: what it said is covered like any error. */
static void tell(void *arg, const tenon_mail_outcome *from) {
  passage *p = arg;
  tenon_mail_outcome o = *from;
  tenon_error said = TENON_ERROR_INIT, why = TENON_ERROR_INIT;
  count(&p->sent, o.delivery);
  if (!p->request->outcome) return;
  tenon_fail(&said, TENON_DATA, TENON_STAGE_NONE, NULL, "%s", o.reply ? o.reply : "");
  tn_config_redact(p->session->generation->config, &said);
  o.struct_size = sizeof o;
  o.reply = said.message;
  if (!o.enhanced) o.enhanced = "";
  if (o.error) {
    why = *o.error;
    tn_config_redact(p->session->generation->config, &why);
    o.error = &why;
  }
  p->request->outcome(p->request->outcome_arg, &o);
}

static void tell_all(passage *p, const tenon_mailboxes *list, tenon_mail_outcome *o) {
  for (size_t i = 0; i < list->count; i++) {
    o->recipient = list->items[i].address;
    if (o->recipient) tell(p, o);
  }
}

static void refuse_message(passage *p, const tenon_mail *m, const tenon_error *why) {
  tenon_mail_outcome o = {
      .message = m->number, .delivery = TENON_MAIL_REFUSED, .reply = "", .error = why};
  const tenon_mailboxes *lists[] = {&m->to, &m->cc, &m->bcc};
  int64_t before = p->sent.refused;
  for (size_t i = 0; i < 3; i++)
    if (lists[i]->count <= TENON_MAX_RECIPIENTS) tell_all(p, lists[i], &o);
  if (p->sent.refused > before) return;
  o.recipient = NULL;
  tell(p, &o);
}

/* Callers may know a shorter struct than ours, or a longer one. */
static const tenon_mail *message_at(const tenon_send *r, size_t i) {
  return (const tenon_mail *)(const void *)((const char *)r->messages +
                                            i * r->messages->struct_size);
}

static tenon_status take(passage *p, const tenon_mail **ret, tenon_error *err) {
  const tenon_send *r = p->request;
  *ret = !p->is_over && p->taken < r->message_count ? message_at(r, p->taken++) : NULL;
  if (*ret) return TENON_OK;
  tenon_status status = p->is_over || !r->next ? TENON_OK : r->next(r->arg, ret, err);
  p->is_over = status || !*ret;
  return status;
}

static void adopt(passage *p, const tenon_mail *m) {
  p->message = (tenon_mail){0};
  memcpy(&p->message, m, m->struct_size < sizeof *m ? m->struct_size : sizeof *m);
  p->message.struct_size = sizeof p->message;
  p->message.number = p->sent.messages++;
}

static tenon_status next_message(void *arg, const tenon_mail **ret, tenon_error *err) {
  passage *p = arg;
  for (;;) {
    const tenon_mail *m = NULL;
    tenon_error why = TENON_ERROR_INIT;
    tenon_status status = take(p, &m, err);
    if (status || !m) return *ret = NULL, status;
    adopt(p, m);
    if (check_message(&p->message, &why) == TENON_OK) return *ret = &p->message, TENON_OK;
    refuse_message(p, &p->message, &why);
  }
}

/* The call failed: what nobody took yet is unsent. A source that waits is not waited for any more. */
static void leave_unsent(passage *p, const tenon_error *why) {
  tenon_mail_outcome o = {.delivery = TENON_MAIL_UNSENT, .reply = "", .error = why};
  const tenon_mail *m = NULL;
  tenon_error unheard = TENON_ERROR_INIT;
  p->is_over |= p->request->next && p->request->waits;
  while (next_message(p, &m, &unheard) == TENON_OK && m) {
    o.message = m->number;
    o.id = m->id;
    tell_all(p, &m->to, &o);
    tell_all(p, &m->cc, &o);
    tell_all(p, &m->bcc, &o);
  }
}

tenon_status tn_mail_send(tenon_ctx *ctx, tn_session *s, const tenon_send *request, tenon_sent *ret,
                          tenon_error *err) {
  passage p = {.request = request, .session = s, .sent = {.struct_size = sizeof p.sent}};
  const tenon_send own = {.struct_size = sizeof own,
                          .waits = request->next && request->waits,
                          .next = next_message,
                          .arg = &p,
                          .outcome = tell,
                          .outcome_arg = &p};
  tenon_sent unused;
  tenon_error why = TENON_ERROR_INIT;
  if (request->message_count && request->messages->struct_size < offsetof(tenon_mail, number))
    return refuse(err, "set it with sizeof", "the messages' struct_size is not set");
  const tn_call c = {.op = TN_OP_mail_send, .request = &own, .reply = &unused};
  tenon_status status = tn_call_run(ctx, s, &c, NULL, &why);
  if (status) {
    leave_unsent(&p, &why);
    return tn_pass_error(&why, err);
  }
  if (ret) *ret = p.sent;
  return TENON_OK;
}

/* ---- A message as it would travel ---- */

static void take_text(tn_connector *c, const char *key, char *text, size_t room) {
  pthread_mutex_lock(&c->lock);
  const char *const *value = tn_config_value(c->current->config, key, TENON_PARAM_STRING);
  snprintf(text, room, "%s", value && *value ? *value : "");
  pthread_mutex_unlock(&c->lock);
}

/* Who sends where a mail does not say: the parameter `from`, or a username that is an address. */
static bool take_sender(tn_connector *c, char *text, size_t room, tenon_mailbox *ret) {
  *ret = (tenon_mailbox){0};
  take_text(c, "from", text, room);
  if (!*text) take_text(c, "username", text, room);
  return !tn_mailbox_parse(text, &ret->name, &ret->address) &&
         !tn_mail_address_check(ret->address, NULL);
}

tenon_status tn_mail_compose(tn_connector *c, const tenon_mail *mail, tn_str *out,
                             tenon_error *err) {
  char text[1024];
  tenon_mailbox from;
  tn_mime m;
  if (!tn_provider_has_op(c->provider, TN_OP_mail_send))
    return tenon_fail(err, TENON_UNSUPPORTED, TENON_STAGE_NONE,
                      "`tenon kinds` says what each kind can do", "kind %s sends no mail",
                      c->provider->kind);
  tenon_status status = check_message(mail, err);
  if (status) return status;
  if (!take_sender(c, text, sizeof text, &from) && !mail->from.address)
    return refuse(err, "give from, in the message or as the connector's parameter",
                  "the message has no sender");
  tn_mime_init(&m);
  status = tn_mime_write(mail, &from, &m, err);
  if (!status && !tn_str_add(out, m.text.data, m.text.size)) status = tn_no_memory(err);
  tn_mime_release(&m);
  return status;
}
