/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/mail_input.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/base64.h"
#include "base/error.h"
#include "base/json.h"
#include "net/mail_address.h"

enum { MAX_CID = 300, MAX_LINE = TN_JSON_MAX_SIZE, MAX_MAIL_ARENA = 64 << 20 };

static tenon_status refuse(tenon_error *err, const char *remedy, const char *what,
                           const char *which) {
  return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, remedy, "%s \"%.200s\"", what, which);
}

/* ---- Options ---- */

static tenon_status take_mailbox(const char *text, tn_arena *arena, tenon_mailbox *ret,
                                 tenon_error *err) {
  char *copy = tn_arena_strdup(arena, text);
  if (!copy) return tn_no_memory(err);
  const char *wrong = tn_mailbox_parse(copy, &ret->name, &ret->address);
  if (!wrong) wrong = tn_mail_address_check(ret->address, NULL);
  if (!wrong) return TENON_OK;
  return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG,
                    "write it as ada@example.com or Ada Lovelace <ada@example.com>",
                    "\"%.300s\" is not an address: %s", text, wrong);
}

static tenon_status take_mailboxes(const char *const *texts, size_t count, tn_arena *arena,
                                   tenon_mailboxes *ret, tenon_error *err) {
  tenon_mailbox *all = tn_arena_alloc(arena, (count + 1) * sizeof *all);
  tenon_status status = all ? TENON_OK : tn_no_memory(err);
  for (size_t i = 0; i < count && !status; i++)
    status = take_mailbox(texts[i], arena, &all[i], err);
  if (!status && count) *ret = (tenon_mailboxes){all, count};
  return status;
}

/* The content of a file, or of stdin, kept with a NUL behind it. */
static tenon_status load(const tn_cli *cli, const char *path, tn_arena *arena, char **ret,
                         size_t *ret_size, tenon_error *err) {
  tn_cli_input in;
  tn_str data;
  tenon_status status = tn_cli_input_open(cli, path, &in, err);
  if (status) return status;
  tn_str_init(&data, TENON_MAX_MAIL_SIZE);
  status = tn_cli_input_all(&in, &data, err);
  if (!status) {
    *ret = tn_arena_strndup(arena, tn_str_text(&data), data.size);
    *ret_size = data.size;
    if (!*ret) status = tn_no_memory(err);
  }
  tn_str_release(&data);
  tn_cli_input_close(&in);
  return status;
}

static tenon_status take_text(const tn_cli *cli, const char *given, tn_arena *arena,
                              const char **ret, tenon_error *err) {
  char *text;
  size_t size;
  if (!given) return TENON_OK;
  if (given[0] != '@' || given[1] == '@') {
    *ret = given + (given[0] == '@');
    return TENON_OK;
  }
  tenon_status status = load(cli, given + 1, arena, &text, &size, err);
  if (status) return status;
  if (memchr(text, 0, size))
    return refuse(err, "give text in UTF-8", "there is a NUL in", given + 1);
  *ret = text;
  return TENON_OK;
}

static tenon_status take_headers(const tn_cli_again *given, tn_arena *arena, tenon_mail *ret,
                                 tenon_error *err) {
  tenon_mail_header *all = tn_arena_alloc(arena, (given->count + 1) * sizeof *all);
  if (!all) return tn_no_memory(err);
  for (size_t i = 0; i < given->count; i++) {
    const char *colon = strchr(given->items[i], ':');
    if (!colon)
      return refuse(err, "write it as 'Name: value'", "a header cannot be", given->items[i]);
    all[i].name = tn_arena_strndup(arena, given->items[i], (size_t)(colon - given->items[i]));
    all[i].value = colon + 1 + strspn(colon + 1, " ");
    if (!all[i].name) return tn_no_memory(err);
  }
  ret->headers = all;
  ret->header_count = given->count;
  return TENON_OK;
}

static bool fits_id(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
         strchr("._-", c);
}

/* A file within the html goes by its name: cid:logo.png; what an id cannot have is a dash there. */
static tenon_status name_inlined(tenon_attachment *a, tn_arena *arena, tenon_error *err) {
  char *id = tn_arena_strdup(arena, a->name);
  if (!id) return tn_no_memory(err);
  for (char *c = id; *c; c++)
    if (!fits_id(*c)) *c = '-';
  a->content_id = id;
  return TENON_OK;
}

static tenon_status take_file(const tn_cli *cli, const char *path, bool inlined, tn_arena *arena,
                              tenon_attachment *ret, tenon_error *err) {
  const char *slash = strrchr(path, '/');
  char *data;
  size_t size;
  tenon_status status = load(cli, path, arena, &data, &size, err);
  if (status) return status;
  *ret = (tenon_attachment){
      .struct_size = sizeof *ret, .name = slash ? slash + 1 : path, .data = data, .size = size};
  return inlined ? name_inlined(ret, arena, err) : TENON_OK;
}

static tenon_status take_files(const tn_cli *cli, const tn_cli_mail_options *o, tn_arena *arena,
                               tenon_mail *ret, tenon_error *err) {
  size_t count = o->attach.count + o->inlined.count;
  tenon_attachment *all = tn_arena_alloc(arena, (count + 1) * sizeof *all);
  tenon_status status = all ? TENON_OK : tn_no_memory(err);
  for (size_t i = 0; i < count && !status; i++) {
    bool inlined = i >= o->attach.count;
    const char *path = inlined ? o->inlined.items[i - o->attach.count] : o->attach.items[i];
    status = take_file(cli, path, inlined, arena, &all[i], err);
  }
  if (status) return status;
  ret->attachments = all;
  ret->attachment_count = count;
  return TENON_OK;
}

/* An image within the html that it does not show: nobody would see it. NULL: there is none. */
static const tenon_attachment *first_not_shown(const tenon_mail *m) {
  char cid[MAX_CID];
  for (size_t i = 0; i < m->attachment_count; i++) {
    if (!m->attachments[i].content_id) continue;
    snprintf(cid, sizeof cid, "cid:%s", m->attachments[i].content_id);
    if (!m->html || !strstr(m->html, cid)) return &m->attachments[i];
  }
  return NULL;
}

static tenon_status check_shown(const tenon_mail *m, tenon_error *err) {
  char remedy[MAX_CID + 60];
  const tenon_attachment *a = first_not_shown(m);
  if (!a) return TENON_OK;
  snprintf(remedy, sizeof remedy, "write src=\"cid:%s\" in the html, or use --attach", a->content_id);
  return refuse(err, remedy, m->html ? "the html does not show" : "there is no html to show", a->name);
}

tenon_status tn_cli_mail_of_options(const tn_cli *cli, const tn_cli_mail_options *o, bool many,
                                    tn_arena *arena, tenon_mail *ret, tenon_error *err) {
  tenon_mail m = {.struct_size = sizeof m, .subject = o->subject};
  tenon_status status = o->from ? take_mailbox(o->from, arena, &m.from, err) : TENON_OK;
  if (!status) status = take_mailboxes(o->to.items, o->to.count, arena, &m.to, err);
  if (!status) status = take_mailboxes(o->cc.items, o->cc.count, arena, &m.cc, err);
  if (!status) status = take_mailboxes(o->bcc.items, o->bcc.count, arena, &m.bcc, err);
  if (!status)
    status = take_mailboxes(o->reply_to.items, o->reply_to.count, arena, &m.reply_to, err);
  if (!status) status = take_text(cli, o->text, arena, &m.text, err);
  if (!status) status = take_text(cli, o->html, arena, &m.html, err);
  if (!status) status = take_headers(&o->headers, arena, &m, err);
  if (!status) status = take_files(cli, o, arena, &m, err);
  if (!status && !many && !m.subject && !m.text && !m.html && !m.attachment_count)
    status = tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG,
                        "give --text, --html, --subject or --attach", "the mail has nothing in it");
  if (!status && !many) status = check_shown(&m, err);
  if (!status) *ret = m;
  return status;
}

/* ---- Lines ---- */

static tenon_status bad_line(const tn_cli_mail_lines *l, tenon_error *err, const char *what) {
  return tenon_fail(
      err, TENON_DATA, TENON_STAGE_DATA,
      "write each mail as {\"to\": [\"ada@example.com\"], \"subject\": \"…\", \"text\": \"…\"}",
      "%s: line %lld: %s", l->in.name, (long long)l->number, what);
}

/* Texts are kept in the line's arena: what was parsed goes before the mail does. */
static tenon_status line_text(tn_cli_mail_lines *l, const tn_json *v, const char **ret,
                              tenon_error *err) {
  if (!v || tn_json_type_of(v) == TN_JSON_NULL) return TENON_OK;
  if (!tn_json_string(v)) return bad_line(l, err, "one of its members is not text");
  *ret = tn_arena_strdup(&l->arena, tn_json_string(v));
  return *ret ? TENON_OK : tn_no_memory(err);
}

/* An address that is none stays as it is: the core refuses the mail, and says so for it. */
static tenon_status line_mailbox(tn_cli_mail_lines *l, const tn_json *v, tenon_mailbox *ret,
                                 tenon_error *err) {
  const char *text = tn_json_string(v);
  if (!text) return bad_line(l, err, "an address is not text");
  if (take_mailbox(text, &l->arena, ret, NULL) == TENON_OK) return TENON_OK;
  *ret = (tenon_mailbox){.address = tn_arena_strdup(&l->arena, text)};
  return ret->address ? TENON_OK : tn_no_memory(err);
}

static tenon_status line_mailboxes(tn_cli_mail_lines *l, const tn_json *v, tenon_mailboxes *ret,
                                   tenon_error *err) {
  if (!v || tn_json_type_of(v) == TN_JSON_NULL) return TENON_OK;
  bool one = tn_json_type_of(v) == TN_JSON_STRING;
  if (!one && tn_json_type_of(v) != TN_JSON_ARRAY)
    return bad_line(l, err, "addresses are neither a text nor an array");
  size_t count = one ? 1 : tn_json_count(v);
  tenon_mailbox *all = tn_arena_alloc(&l->arena, (count + 1) * sizeof *all);
  tenon_status status = all ? TENON_OK : tn_no_memory(err);
  for (size_t i = 0; i < count && !status; i++)
    status = line_mailbox(l, one ? v : tn_json_at(v, i), &all[i], err);
  if (!status) *ret = (tenon_mailboxes){all, count};
  return status;
}

static tenon_status line_headers(tn_cli_mail_lines *l, const tn_json *v, tenon_error *err) {
  void *cursor = NULL;
  const char *key;
  const tn_json *member;
  size_t n = 0;
  if (!v || tn_json_type_of(v) == TN_JSON_NULL) return TENON_OK;
  if (tn_json_type_of(v) != TN_JSON_OBJECT) return bad_line(l, err, "its headers are no object");
  tenon_mail_header *all = tn_arena_alloc(&l->arena, (tn_json_count(v) + 1) * sizeof *all);
  if (!all) return tn_no_memory(err);
  while (tn_json_next(v, &cursor, &key, &member)) {
    all[n].name = tn_arena_strdup(&l->arena, key);
    all[n].value = "";
    tenon_status status =
        all[n].name ? line_text(l, member, &all[n].value, err) : tn_no_memory(err);
    if (status) return status;
    n++;
  }
  l->mail.headers = all;
  l->mail.header_count = n;
  return TENON_OK;
}

static tenon_status line_data(tn_cli_mail_lines *l, const tn_json *v, tenon_attachment *a,
                              tenon_error *err) {
  const char *text = tn_json_string(tn_json_get(v, "text")),
             *coded = tn_json_string(tn_json_get(v, "data"));
  tn_str data;
  if (!text == !coded)
    return bad_line(l, err, "an attachment has neither text nor data (base64), or both");
  tn_str_init(&data, MAX_LINE);
  bool ok = text ? tn_str_puts(&data, text) : tn_base64_decode(&data, coded, strlen(coded));
  if (ok) {
    a->data = tn_arena_strndup(&l->arena, tn_str_text(&data), data.size);
    a->size = data.size;
  }
  tn_str_release(&data);
  if (!ok) return bad_line(l, err, "an attachment's data is not base64");
  return a->data ? TENON_OK : tn_no_memory(err);
}

static tenon_status check_members(tn_cli_mail_lines *l, const tn_json *v, const char *const *known,
                                  tenon_error *err) {
  void *cursor = NULL;
  const char *key;
  const tn_json *member;
  char what[160];
  while (tn_json_next(v, &cursor, &key, &member)) {
    const char *const *k = known;
    while (*k && strcmp(*k, key) != 0) k++;
    if (*k) continue;
    snprintf(what, sizeof what, "there is no place for its member %.80s", key);
    return bad_line(l, err, what);
  }
  return TENON_OK;
}

static tenon_status line_attachment(tn_cli_mail_lines *l, const tn_json *v, tenon_attachment *a,
                                    tenon_error *err) {
  static const char *const known[] = {"name", "type", "content_id", "text", "data", NULL};
  *a = (tenon_attachment){.struct_size = sizeof *a};
  if (tn_json_type_of(v) != TN_JSON_OBJECT)
    return bad_line(l, err, "an attachment is none such as {\"name\": \"a.txt\", \"text\": \"…\"}");
  tenon_status status = check_members(l, v, known, err);
  if (!status) status = line_text(l, tn_json_get(v, "name"), &a->name, err);
  if (!status) status = line_text(l, tn_json_get(v, "type"), &a->type, err);
  if (!status) status = line_text(l, tn_json_get(v, "content_id"), &a->content_id, err);
  return status ? status : line_data(l, v, a, err);
}

static tenon_status line_attachments(tn_cli_mail_lines *l, const tn_json *v, tenon_error *err) {
  if (!v || tn_json_type_of(v) == TN_JSON_NULL) return TENON_OK;
  if (tn_json_type_of(v) != TN_JSON_ARRAY) return bad_line(l, err, "its attachments are no array");
  size_t count = tn_json_count(v);
  tenon_attachment *all = tn_arena_alloc(&l->arena, (count + 1) * sizeof *all);
  tenon_status status = all ? TENON_OK : tn_no_memory(err);
  for (size_t i = 0; i < count && !status; i++)
    status = line_attachment(l, tn_json_at(v, i), &all[i], err);
  if (status) return status;
  l->mail.attachments = all;
  l->mail.attachment_count = count;
  return TENON_OK;
}

static tenon_status take_line(tn_cli_mail_lines *l, const tn_json *v, tenon_error *err) {
  static const char *const known[] = {"from", "to",   "cc", "bcc",     "reply_to",    "subject",
                                      "text", "html", "id", "headers", "attachments", NULL};
  tenon_mail *m = &l->mail;
  *m = *l->base;
  if (tn_json_type_of(v) != TN_JSON_OBJECT) return bad_line(l, err, "it is no JSON object");
  /* for whom it is comes first: if anything else is wrong, they are who it is refused for */
  tenon_status status = line_mailboxes(l, tn_json_get(v, "to"), &m->to, err);
  if (!status) status = line_mailboxes(l, tn_json_get(v, "cc"), &m->cc, err);
  if (!status) status = line_mailboxes(l, tn_json_get(v, "bcc"), &m->bcc, err);
  if (!status) status = check_members(l, v, known, err);
  const tn_json *from = tn_json_get(v, "from");
  if (!status && from) status = line_mailbox(l, from, &m->from, err);
  if (!status) status = line_mailboxes(l, tn_json_get(v, "reply_to"), &m->reply_to, err);
  if (!status) status = line_text(l, tn_json_get(v, "subject"), &m->subject, err);
  if (!status) status = line_text(l, tn_json_get(v, "text"), &m->text, err);
  if (!status) status = line_text(l, tn_json_get(v, "html"), &m->html, err);
  if (!status) status = line_text(l, tn_json_get(v, "id"), &m->id, err);
  if (!status) status = line_headers(l, tn_json_get(v, "headers"), err);
  if (!status) status = line_attachments(l, tn_json_get(v, "attachments"), err);
  const tenon_attachment *lost =
      !status && m->attachments == l->base->attachments ? first_not_shown(m) : NULL;
  if (!lost) return status;
  char what[400];
  snprintf(what, sizeof what, "its html does not show %.120s: it has no cid:%.120s", lost->name,
           lost->content_id);
  return bad_line(l, err, what);
}

static tenon_status no_json(const tn_cli_mail_lines *l, const char *why, tenon_error *err) {
  return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA,
                    "correct the line, and send what begins with it: the lines before it are done, as their "
                    "outcomes say",
                    "%s: line %lld: %s", l->in.name, (long long)l->number, why);
}

/* A line whose members are wrong is a mail that is refused: the others are sent all the same. */
static tenon_status refuse_line(tn_cli_mail_lines *l, const tenon_error *why, tenon_error *err) {
  if (why->code != TENON_DATA) return tn_pass_error(why, err);
  l->mail.wrong = tn_arena_strdup(&l->arena, why->message);
  return l->mail.wrong ? TENON_OK : tn_no_memory(err);
}

tenon_status tn_cli_mail_lines_next(void *lines, const tenon_mail **ret, tenon_error *err) {
  tn_cli_mail_lines *l = lines;
  tenon_error why = TENON_ERROR_INIT;
  tn_json *parsed = NULL;
  bool there;
  tn_arena_release(&l->arena);
  tn_arena_init(&l->arena, MAX_MAIL_ARENA);
  do {
    tenon_status status = tn_cli_input_line(&l->in, &l->line, &there, err);
    if (status) return status;
    l->number += there;
    if (!there) {
      l->has_ended = true;
      return *ret = NULL, TENON_OK;
    }
  } while (strspn(tn_str_text(&l->line), " \t\r\n") == l->line.size);
  if (tn_json_parse(l->line.data, l->line.size, &parsed, &why))
    return no_json(l, why.message, err);
  tenon_status status = take_line(l, parsed, &why);
  tn_json_free(parsed);
  if (status) status = refuse_line(l, &why, err);
  if (!status) *ret = &l->mail;
  return status;
}

tenon_status tn_cli_mail_lines_open(const tn_cli *cli, const char *path, const tenon_mail *base,
                                    tn_cli_mail_lines *ret, tenon_error *err) {
  struct stat st;
  tn_cli_mail_lines l = {.base = base};
  tenon_status status = tn_cli_input_open(cli, path, &l.in, err);
  if (status) return status;
  l.waits = fstat(l.in.fd, &st) != 0 || !S_ISREG(st.st_mode);
  /* a file is read on when the call was cancelled, to say what is unsent */
  if (!l.waits) l.in.ctx = NULL;
  tn_str_init(&l.line, MAX_LINE);
  tn_arena_init(&l.arena, MAX_MAIL_ARENA);
  *ret = l;
  return TENON_OK;
}

void tn_cli_mail_lines_close(tn_cli_mail_lines *l) {
  tn_cli_input_close(&l->in);
  tn_str_release(&l->line);
  tn_arena_release(&l->arena);
}
