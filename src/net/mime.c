/* SPDX-License-Identifier: Apache-2.0 */
#include "net/mime.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "base/civil.h"
#include "base/clock.h"
#include "base/error.h"
#include "net/mail_address.h"
#include "net/mime_body.h"
#include "net/mime_header.h"

void tn_mime_init(tn_mime *m) {
  *m = (tn_mime){0};
  tn_str_init(&m->text, TENON_MAX_MAIL_SIZE);
}

void tn_mime_release(tn_mime *m) { tn_str_release(&m->text); }

/* One message under way. */
typedef struct writer {
  const tenon_mail *mail;
  const tenon_mailbox *from;
  tn_mime *to;
  tn_str *out;
  char unique[33]; /* of this message alone: in its id and its boundaries */
} writer;

static bool make_unique(char text[33]) {
  unsigned char bytes[16];
  if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes) return false;
  for (size_t i = 0; i < sizeof bytes; i++) snprintf(text + 2 * i, 3, "%02x", bytes[i]);
  return true;
}

/* ---- The head ---- */

static void put_date(tn_str *out, int64_t ms) {
  static const char *const weekdays[] = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"};
  static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  int64_t s = ms / 1000 - (ms % 1000 < 0), days = s / 86400 - (s % 86400 < 0), year;
  int64_t of_day = s - days * 86400, weekday = days % 7 + (days % 7 < 0 ? 7 : 0);
  int month, day;
  tn_civil_of_days(days, &year, &month, &day);
  tn_str_printf(out, "Date: %s, %d %s %04lld %02d:%02d:%02d +0000\r\n", weekdays[weekday], day,
                months[month - 1], (long long)year, (int)(of_day / 3600), (int)(of_day / 60 % 60),
                (int)(of_day % 60));
}

static void put_mailboxes(writer *w, const char *name, const tenon_mailbox *boxes, size_t count) {
  if (!count) return;
  tn_mime_header h = tn_mime_header_begin(w->out, name);
  w->to->needs_utf8 |= tn_mime_put_mailboxes(&h, boxes, count);
  tn_mime_header_end(&h);
}

/* Ours is made of the sender's domain, so that no other system makes the same. */
static void put_id(writer *w) {
  char address[TN_MAIL_ADDRESS_ROOM];
  if (w->mail->id) {
    snprintf(w->to->id, sizeof w->to->id, "%s", w->mail->id);
  } else {
    tn_mail_address_wire(w->from->address, address);
    const char *domain = strrchr(address, '@') + 1;
    bool plain = *domain != '[' && strlen(domain) < 200;
    for (const char *c = domain; *c; c++) plain &= (unsigned char)*c < 0x80;
    snprintf(w->to->id, sizeof w->to->id, "%s@%.200s", w->unique, plain ? domain : "tenon.invalid");
  }
  tn_str_printf(w->out, "Message-ID: <%s>\r\n", w->to->id);
}

static void put_text_header(writer *w, const char *name, const char *value, bool as_it_is) {
  if (!value) return;
  tn_mime_header h = tn_mime_header_begin(w->out, name);
  tn_mime_put_text(&h, value, as_it_is);
  tn_mime_header_end(&h);
}

static void put_head(writer *w) {
  const tenon_mail *m = w->mail;
  put_date(w->out, m->date_ms ? m->date_ms : tn_wall_ns() / 1000000);
  put_mailboxes(w, "From", w->from, 1);
  put_mailboxes(w, "Reply-To", m->reply_to.items, m->reply_to.count);
  put_mailboxes(w, "To", m->to.items, m->to.count);
  put_mailboxes(w, "Cc", m->cc.items, m->cc.count);
  if (!m->to.count && !m->cc.count) tn_str_puts(w->out, "To: undisclosed-recipients:;\r\n");
  put_text_header(w, "Subject", m->subject, false);
  put_id(w);
  for (size_t i = 0; i < m->header_count; i++)
    put_text_header(w, m->headers[i].name, m->headers[i].value, true);
  tn_str_puts(w->out, "MIME-Version: 1.0\r\n");
}

/* ---- Parts ---- */

static bool is_inline(const tenon_mail *m, const tenon_attachment *a) {
  return m->html && a->content_id;
}

static size_t count_inline(const tenon_mail *m) {
  size_t n = 0;
  for (size_t i = 0; i < m->attachment_count; i++) n += is_inline(m, &m->attachments[i]);
  return n;
}

/* `which` tells the boundaries of one message apart. */
static void open_parts(writer *w, const char *kind, char which) {
  tn_str_printf(w->out,
                "Content-Type: multipart/%s;\r\n boundary=\"" TN_MIME_BOUNDARY "%c%s\"\r\n\r\n",
                kind, which, w->unique);
}

static void next_part(writer *w, char which, bool first) {
  tn_str_printf(w->out, "%s--" TN_MIME_BOUNDARY "%c%s\r\n", first ? "" : "\r\n", which, w->unique);
}

static void close_parts(writer *w, char which) {
  tn_str_printf(w->out, "\r\n--" TN_MIME_BOUNDARY "%c%s--\r\n", which, w->unique);
}

static const char *type_by_name(const char *name) {
  static const char *const types[][2] = {
      {"txt", "text/plain"},
      {"csv", "text/csv"},
      {"md", "text/markdown"},
      {"html", "text/html"},
      {"htm", "text/html"},
      {"css", "text/css"},
      {"ics", "text/calendar"},
      {"vcf", "text/vcard"},
      {"json", "application/json"},
      {"xml", "application/xml"},
      {"pdf", "application/pdf"},
      {"zip", "application/zip"},
      {"gz", "application/gzip"},
      {"parquet", "application/vnd.apache.parquet"},
      {"doc", "application/msword"},
      {"xls", "application/vnd.ms-excel"},
      {"docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
      {"xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
      {"pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"},
      {"png", "image/png"},
      {"jpg", "image/jpeg"},
      {"jpeg", "image/jpeg"},
      {"gif", "image/gif"},
      {"webp", "image/webp"},
      {"svg", "image/svg+xml"},
      {"mp3", "audio/mpeg"},
      {"mp4", "video/mp4"},
  };
  const char *dot = name ? strrchr(name, '.') : NULL;
  for (size_t i = 0; dot && i < sizeof types / sizeof types[0]; i++)
    if (strcasecmp(dot + 1, types[i][0]) == 0) return types[i][1];
  return "application/octet-stream";
}

static void put_attachment(writer *w, const tenon_attachment *a) {
  tn_str_printf(w->out, "Content-Type: %s\r\n", a->type ? a->type : type_by_name(a->name));
  tn_mime_header h = tn_mime_header_begin(w->out, "Content-Disposition");
  const char *disposition = is_inline(w->mail, a) ? "inline" : "attachment";
  tn_mime_put_word(&h, disposition, strlen(disposition));
  if (a->name && *a->name) tn_mime_put_parameter(&h, "filename", a->name);
  tn_mime_header_end(&h);
  if (a->content_id) tn_str_printf(w->out, "Content-ID: <%s>\r\n", a->content_id);
  tn_mime_put_bytes(w->out, a->data, a->size);
}

static void put_text(writer *w, const char *kind, const char *text) {
  tn_str_printf(w->out, "Content-Type: text/%s; charset=utf-8\r\n", kind);
  tn_mime_put_body(w->out, text);
}

static void put_attachments(writer *w, char which, bool inline_ones) {
  for (size_t i = 0; i < w->mail->attachment_count && !w->out->failed; i++) {
    if (is_inline(w->mail, &w->mail->attachments[i]) != inline_ones) continue;
    next_part(w, which, false);
    put_attachment(w, &w->mail->attachments[i]);
  }
}

/* The html, with the images that it shows. */
static void put_html(writer *w) {
  if (!count_inline(w->mail)) {
    put_text(w, "html", w->mail->html);
    return;
  }
  open_parts(w, "related", 'r');
  next_part(w, 'r', true);
  put_text(w, "html", w->mail->html);
  put_attachments(w, 'r', true);
  close_parts(w, 'r');
}

/* What is to be read. */
static void put_content(writer *w) {
  const tenon_mail *m = w->mail;
  if (!m->html) {
    put_text(w, "plain", m->text ? m->text : "");
  } else if (!m->text) {
    put_html(w);
  } else {
    open_parts(w, "alternative", 'a');
    next_part(w, 'a', true);
    put_text(w, "plain", m->text);
    next_part(w, 'a', false);
    put_html(w);
    close_parts(w, 'a');
  }
}

static void put_all(writer *w) {
  put_head(w);
  if (w->mail->attachment_count == count_inline(w->mail)) {
    put_content(w);
    return;
  }
  open_parts(w, "mixed", 'm');
  next_part(w, 'm', true);
  put_content(w);
  put_attachments(w, 'm', false);
  close_parts(w, 'm');
}

static tenon_status too_big(tenon_error *err) {
  tenon_fail(err, TENON_LIMITED, TENON_STAGE_DATA,
             "send what is big another way, and a link to it by mail",
             "the message is bigger than %d MiB", TENON_MAX_MAIL_SIZE >> 20);
  if (err) err->retryable = 0;
  return TENON_LIMITED;
}

tenon_status tn_mime_write(const tenon_mail *mail, const tenon_mailbox *from, tn_mime *ret,
                           tenon_error *err) {
  writer w = {
      .mail = mail, .from = mail->from.address ? &mail->from : from, .to = ret, .out = &ret->text};
  tn_str_clear(w.out);
  ret->needs_utf8 = false;
  ret->id[0] = 0;
  if (!make_unique(w.unique))
    return tenon_fail(err, TENON_INTERNAL, TENON_STAGE_NONE, NULL,
                      "the system gives no random numbers");
  put_all(&w);
  size_t size = w.out->size;
  if (!w.out->failed && (size < 2 || memcmp(w.out->data + size - 2, "\r\n", 2) != 0))
    tn_str_puts(w.out, "\r\n");
  return w.out->failed ? too_big(err) : TENON_OK;
}
