/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp.h"

#include <stdio.h>
#include <string.h>

enum { MAX_TEXTS = TENON_MAX_RECIPIENTS * 2 * TN_MAIL_ADDRESS_ROOM };

tn_smtp_message *tn_smtp_message_new(void) {
  tn_smtp_message *m = tn_alloc(sizeof *m);
  if (!m) return NULL;
  tn_mime_init(&m->mime);
  tn_str_init(&m->texts, MAX_TEXTS);
  return m;
}

static void forget_errors(tn_smtp_message *m) {
  for (size_t i = 0; i < m->count; i++) {
    tn_free(m->recipients[i].error);
    m->recipients[i].error = NULL;
  }
}

void tn_smtp_message_free(tn_smtp_message *m) {
  if (!m) return;
  forget_errors(m);
  tn_mime_release(&m->mime);
  tn_str_release(&m->texts);
  tn_free(m->recipients);
  tn_free(m);
}

void tn_smtp_message_trim(tn_smtp_message *m, size_t most) {
  if (m->mime.text.capacity > most) tn_mime_release(&m->mime);
}

const char *tn_smtp_message_text(const tn_smtp_message *m, size_t at) {
  return tn_str_text(&m->texts) + at;
}

/* ---- Making it ready ---- */

bool tn_smtp_sender(const tn_smtp_config *c, char *text, size_t room, tenon_mailbox *ret) {
  *ret = (tenon_mailbox){0};
  if (c->from && *c->from) {
    snprintf(text, room, "%s", c->from);
    return !tn_mailbox_parse(text, &ret->name, &ret->address) &&
           !tn_mail_address_check(ret->address, NULL);
  }
  if (!c->username || tn_mail_address_check(c->username, NULL)) return false;
  ret->address = c->username;
  return true;
}

static bool reserve(tn_smtp_message *m, size_t count) {
  if (count <= m->room) return true;
  tn_smtp_recipient *more = tn_resize(m->recipients, count * sizeof *more);
  if (!more) return false;
  m->recipients = more;
  m->room = count;
  return true;
}

static bool is_there(const tn_smtp_message *m, const char *wire) {
  for (size_t i = 0; i < m->count; i++)
    if (strcmp(tn_smtp_message_text(m, m->recipients[i].wire), wire) == 0) return true;
  return false;
}

/* One who is named twice gets it once. */
static bool add_recipients(tn_smtp_message *m, const tenon_mailboxes *list) {
  char wire[TN_MAIL_ADDRESS_ROOM];
  for (size_t i = 0; i < list->count; i++) {
    tn_smtp_recipient *r = &m->recipients[m->count];
    m->is_utf8 |= tn_mail_address_wire(list->items[i].address, wire);
    if (is_there(m, wire)) continue;
    r->address = m->texts.size;
    if (!tn_str_add(&m->texts, list->items[i].address, strlen(list->items[i].address) + 1))
      return false;
    r->wire = m->texts.size;
    if (!tn_str_add(&m->texts, wire, strlen(wire) + 1)) return false;
    r->is_settled = false;
    r->error = NULL;
    m->count++;
  }
  return true;
}

static tenon_status take_recipients(tn_smtp_message *m, const tenon_mail *mail, tenon_error *err) {
  forget_errors(m);
  tn_str_clear(&m->texts);
  m->count = m->accepted = 0;
  m->is_utf8 = m->is_queued = false;
  m->number = mail->number;
  m->mime.id[0] = 0;
  if (!reserve(m, mail->to.count + mail->cc.count + mail->bcc.count) ||
      !add_recipients(m, &mail->to) || !add_recipients(m, &mail->cc) ||
      !add_recipients(m, &mail->bcc))
    return tn_no_memory(err);
  return TENON_OK;
}

static tenon_status write_mail(tn_smtp_message *m, const tn_smtp *s, const tenon_mail *mail,
                               tenon_error *err) {
  char text[1024];
  tenon_mailbox from;
  if (!mail->from.address && !tn_smtp_sender(s->config, text, sizeof text, &from))
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG,
                      "give from, in the message or as the connector's parameter",
                      "the message has no sender");
  m->is_utf8 |=
      tn_mail_address_wire(mail->from.address ? mail->from.address : from.address, m->sender);
  tenon_status status = tn_mime_write(mail, &from, &m->mime, err);
  m->is_utf8 |= m->mime.needs_utf8;
  return status;
}

/* What this server will not take, before anything of it travels. */
static tenon_status check_offers(const tn_smtp_message *m, const tn_smtp *s, tenon_error *err) {
  const tn_smtp_offers *o = &s->offers;
  if (m->is_utf8 && !o->utf8)
    return tenon_fail(err, TENON_UNSUPPORTED, TENON_STAGE_DATA,
                      "use an address in ASCII, or a server that offers SMTPUTF8",
                      "%s takes no addresses with characters beyond ASCII", s->config->host);
  if (!o->max_size || (int64_t)m->mime.text.size <= o->max_size) return TENON_OK;
  tenon_fail(err, TENON_LIMITED, TENON_STAGE_DATA,
             "send what is big another way, and a link to it by mail",
             "the message has %zu bytes and %s takes %lld at most", m->mime.text.size,
             s->config->host, (long long)o->max_size);
  if (err) err->retryable = 0;
  return TENON_LIMITED;
}

tenon_status tn_smtp_message_fill(tn_smtp_message *m, const tn_smtp *s, const tenon_mail *mail,
                                  bool *ret_sound, tenon_error *err) {
  tenon_error why = TENON_ERROR_INIT;
  tenon_status status = take_recipients(m, mail, err);
  if (status) return status;
  status = write_mail(m, s, mail, &why);
  if (!status) status = check_offers(m, s, &why);
  if (status) tn_smtp_message_settle_all(m, TENON_MAIL_REFUSED, NULL, &why);
  *ret_sound = !status;
  return TENON_OK;
}

/* ---- What became of it ---- */

void tn_smtp_message_settle(tn_smtp_message *m, size_t i, tenon_delivery delivery,
                            const tn_smtp_reply *reply, const tenon_error *why) {
  tn_smtp_recipient *r = &m->recipients[i];
  if (r->is_settled) return;
  r->is_settled = true;
  r->delivery = delivery;
  r->code = reply ? reply->code : 0;
  r->enhanced[0] = r->reply[0] = 0;
  if (reply) {
    memcpy(r->enhanced, reply->enhanced, sizeof r->enhanced);
    tn_smtp_said(reply, r->reply, sizeof r->reply);
  }
  r->error = why ? tn_alloc(sizeof *r->error) : NULL;
  if (r->error) *r->error = *why;
}

void tn_smtp_message_settle_all(tn_smtp_message *m, tenon_delivery delivery,
                                const tn_smtp_reply *reply, const tenon_error *why) {
  for (size_t i = 0; i < m->count; i++) tn_smtp_message_settle(m, i, delivery, reply, why);
}

void tn_smtp_message_tell(const tn_smtp_message *m, const tenon_send *request) {
  for (size_t i = 0; i < m->count; i++) {
    const tn_smtp_recipient *r = &m->recipients[i];
    tenon_error forgotten = TENON_ERROR_INIT;
    tenon_mail_outcome o = {.struct_size = sizeof o,
                            .message = m->number,
                            .id = *m->mime.id ? m->mime.id : NULL,
                            .recipient = tn_smtp_message_text(m, r->address),
                            .delivery = r->delivery,
                            .code = r->code,
                            .enhanced = r->enhanced,
                            .reply = r->reply,
                            .error = r->error};
    if (r->delivery != TENON_MAIL_ACCEPTED && !o.error) {
      tn_no_memory(&forgotten);
      o.error = &forgotten;
    }
    request->outcome(request->outcome_arg, &o);
  }
}
