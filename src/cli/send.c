/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/ctx.h"
#include "base/error.h"
#include "cli/mail_input.h"
#include "cli/select.h"
#include "cli/table.h"
#include "cli/text.h"

typedef struct send_arguments {
  tn_cli_common common;
  tn_cli_mail_options mail;
  const char *from_file;
  bool dry_run;
} send_arguments;

static const tn_cli_option options[] = {
    {TN_AGAIN(send_arguments, mail.to), .name = "to", .value = "ADDRESS",
     .help = "a recipient: ada@example.com or 'Ada Lovelace <ada@example.com>'; again for more"},
    {TN_AGAIN(send_arguments, mail.cc), .name = "cc", .value = "ADDRESS",
     .help = "one who gets a copy; again for more"},
    {TN_AGAIN(send_arguments, mail.bcc), .name = "bcc", .value = "ADDRESS",
     .help = "one who gets a copy that the others do not see; again for more"},
    {TN_TEXT(send_arguments, mail.from), .name = "from", .value = "ADDRESS",
     .help = "the sender, where it is not the connector's"},
    {TN_AGAIN(send_arguments, mail.reply_to), .name = "reply-to", .value = "ADDRESS",
     .help = "where answers go"},
    {TN_TEXT(send_arguments, mail.subject), .name = "subject", .letter = 's', .value = "TEXT",
     .help = "the subject"},
    {TN_TEXT(send_arguments, mail.text), .name = "text", .letter = 't', .value = "TEXT",
     .help = "the text; @FILE is a file's, @- that of stdin"},
    {TN_TEXT(send_arguments, mail.html), .name = "html", .value = "HTML",
     .help =
         "the same as HTML; @FILE is a file's, @- that of stdin. With both the reader shows one"},
    {TN_AGAIN(send_arguments, mail.attach), .name = "attach", .letter = 'a', .value = "FILE",
     .help = "a file with it; again for more"},
    {TN_AGAIN(send_arguments, mail.inlined), .name = "inline", .value = "FILE",
     .help = "an image within the HTML, which says src=\"cid:NAME\" with the file's name; again "
             "for more"},
    {TN_AGAIN(send_arguments, mail.headers), .name = "header", .value = "HEADER",
     .help = "a further header: 'List-Id: <news.example.com>'; again for more"},
    {TN_TEXT(send_arguments, from_file), .name = "from-file", .value = "FILE",
     .help = "many mails: lines of JSON, each {\"to\": …, \"subject\": …, \"text\": …} (- for "
             "stdin); what a line does "
             "not say, the other options say"},
    {TN_FLAG(send_arguments, dry_run), .name = "dry-run",
     .help = "show the mail as it would travel, and send nothing"},
    TN_CLI_TARGET_OPTIONS,
};

static const char *const examples[] = {
    "tenon send mailer --to ada@example.com -s 'Monthly figures' -t 'See the file.' -a figures.csv",
    "a mail with a file",
    "tenon send mailer --to ada@example.com -s Hello --html @letter.html --inline logo.png",
    "HTML that shows an image: <img src=\"cid:logo.png\">",
    "tenon send mailer --from-file invitations.jsonl --json",
    "many mails in one session, and what became of each",
    NULL,
};

static const struct {
  const char *word;
  tn_cell_style style;
} deliveries[] = {[TENON_MAIL_ACCEPTED] = {"accepted", TN_CELL_GOOD},
                  [TENON_MAIL_REFUSED] = {"refused", TN_CELL_BAD},
                  [TENON_MAIL_DEFERRED] = {"deferred", TN_CELL_WARN},
                  [TENON_MAIL_UNSENT] = {"unsent", TN_CELL_BAD},
                  [TENON_MAIL_UNKNOWN] = {"unknown", TN_CELL_WARN}};

/* ---- Outcomes ---- */

typedef struct outcomes {
  tn_cli *cli;
  tn_cli_table *table; /* NULL: JSON */
  tn_document *json;
  bool many; /* then a person sees only what was not accepted */
  int64_t counts[5], shown;
  tenon_error first;  /* why the first was not accepted */
  tenon_error broken; /* why they cannot be shown */
  tn_cli_progress progress;
  int64_t began_ms, messages;
} outcomes;

static void cell(outcomes *o, const char *text, tn_cell_style style) {
  if (!o->broken.code) tn_cli_table_text(o->table, text, style, &o->broken);
}

static void show_row(outcomes *o, const tenon_mail_outcome *m) {
  char number[32], code[48];
  snprintf(number, sizeof number, "%lld", (long long)m->message + 1);
  snprintf(code, sizeof code, "%d%s%s", m->code, *m->enhanced ? " " : "", m->enhanced);
  if (o->many) cell(o, number, TN_CELL_PLAIN);
  cell(o, m->recipient ? m->recipient : "(none)", TN_CELL_PLAIN);
  cell(o, deliveries[m->delivery].word, deliveries[m->delivery].style);
  cell(o, m->code ? code : "", TN_CELL_PLAIN);
  cell(o, *m->reply ? m->reply : m->error ? m->error->message : "", TN_CELL_FAINT);
  o->shown++;
}

static void add_json(outcomes *o, const tenon_mail_outcome *m) {
  tn_document *j = o->json;
  tn_document_open(j, NULL, '{');
  tn_document_integer(j, "message", m->message + 1);
  tn_document_text(j, "id", m->id);
  tn_document_text(j, "recipient", m->recipient);
  tn_document_text(j, "outcome", deliveries[m->delivery].word);
  tn_document_count(j, "code", m->code ? m->code : -1);
  tn_document_text(j, "enhanced", *m->enhanced ? m->enhanced : NULL);
  tn_document_text(j, "reply", *m->reply ? m->reply : NULL);
  tn_document_text(j, "problem", m->error ? m->error->message : NULL);
  tn_document_text(j, "remedy", m->error && *m->error->remedy ? m->error->remedy : NULL);
  tn_document_close(j);
  tn_document_newline(j);
}

static void show_progress(outcomes *o, const tenon_mail_outcome *m) {
  const tenon_progress now = {.struct_size = sizeof now,
                              .rows = m->message + 1,
                              .bytes = -1,
                              .rows_estimate = -1,
                              .elapsed_ms = tn_now_ms() - o->began_ms};
  tn_cli_progress_step(&o->progress, &now);
}

static void on_outcome(void *arg, const tenon_mail_outcome *m) {
  outcomes *o = arg;
  o->counts[m->delivery]++;
  if (m->error && !o->first.code) o->first = *m->error;
  if (o->json)
    add_json(o, m);
  else if (!o->many || m->delivery != TENON_MAIL_ACCEPTED)
    show_row(o, m);
  if (o->many) show_progress(o, m);
}

static tenon_status begin_outcomes(outcomes *o, tenon_error *err) {
  static const char *const titles[] = {"message", "recipient", "outcome", "code", "reply"};
  const tn_cli_terminal *t = &o->cli->terminal;
  size_t skip = o->many ? 0 : 1;
  if (o->cli->common->json) {
    o->json = tn_cli_result(o->cli);
    tn_document_open(o->json, "outcomes", '[');
    return TENON_OK;
  }
  tenon_status status = tn_cli_table_new(5 - skip, stdout, t->out_is_terminal ? t->width : 0,
                                         t->color_out, &o->table, err);
  for (size_t i = skip; i < 5 && !status; i++)
    tn_cli_table_column(o->table, i - skip, titles[i], i == 0);
  return status;
}

static void end_outcomes(outcomes *o) {
  static const char *const extra[] = {"accepted", "refused", "deferred", "unsent", "unknown"};
  char text[200], number[32];
  size_t n = 0;
  if (o->json) {
    tn_document_close(o->json);
    for (int i = 0; i < 5; i++) tn_document_integer(o->json, extra[i], o->counts[i]);
    return;
  }
  if (o->shown) tn_cli_table_flush(o->table);
  tn_cli_table_free(o->table);
  for (int i = 0; i < 5; i++) {
    if (!o->counts[i] && i) continue;
    tn_cli_show_count(number, sizeof number, o->counts[i]);
    n += (size_t)snprintf(text + n, sizeof text - n, "%s%s %s", n ? ", " : "", number, extra[i]);
  }
  tn_cli_note(o->cli, "%s", text);
}

/* No session came about. Of a source that waits nothing was read, and nothing is. */
static tenon_status leave_unsent(outcomes *o, const tenon_mail *mail, tn_cli_mail_lines *lines,
                                 const tenon_error *why) {
  tenon_error unheard = TENON_ERROR_INIT;
  tenon_mail_outcome m = {
      .delivery = TENON_MAIL_UNSENT, .enhanced = "", .reply = "", .error = why};
  if (lines && (lines->waits || tn_cli_mail_lines_next(lines, &mail, &unheard))) mail = NULL;
  for (; mail; m.message++) {
    const tenon_mailboxes *lists[] = {&mail->to, &mail->cc, &mail->bcc};
    for (size_t i = 0; i < 3; i++)
      for (size_t k = 0; k < lists[i]->count; k++) {
        m.recipient = lists[i]->items[k].address;
        on_outcome(o, &m);
      }
    if (!lines || tn_cli_mail_lines_next(lines, &mail, &unheard)) break;
  }
  return why->code;
}

static void say_what_was_not_read(const tn_cli_mail_lines *lines, tenon_error *err) {
  if (!lines || !lines->waits || lines->has_ended) return;
  tn_error_prefix(err, "%s was read to its line %lld, and what follows is unsent: ",
                  lines->in.name, (long long)lines->number);
}

static tenon_status judge(const outcomes *o, tenon_error *err) {
  int64_t all = 0, not_accepted;
  if (o->broken.code) return tn_pass_error(&o->broken, err);
  for (int i = 0; i < 5; i++) all += o->counts[i];
  not_accepted = all - o->counts[TENON_MAIL_ACCEPTED];
  if (!not_accepted) return TENON_OK;
  tn_pass_error(&o->first, err);
  if (all > 1)
    tn_error_prefix(err, "%lld of %lld recipients %s not accepted: ", (long long)not_accepted,
                    (long long)all, not_accepted == 1 ? "was" : "were");
  return o->first.code;
}

/* ---- Sending ---- */

/* session NULL: why there is none stands in `why`. */
static tenon_status send_through(tn_cli *cli, tenon_session *session, const tenon_mail *mail,
                                 tn_cli_mail_lines *lines, tenon_error *why, tenon_error *err) {
  outcomes o = {.cli = cli,
                .many = lines != NULL,
                .began_ms = tn_now_ms(),
                .first = TENON_ERROR_INIT,
                .broken = TENON_ERROR_INIT,
                .progress = tn_cli_progress_start(cli)};
  const tenon_send request = {.struct_size = sizeof request,
                              .waits = lines && lines->waits,
                              .messages = mail,
                              .message_count = lines ? 0 : 1,
                              .next = lines ? tn_cli_mail_lines_next : NULL,
                              .arg = lines,
                              .outcome = on_outcome,
                              .outcome_arg = &o};
  o.progress.noun = "mails";
  tenon_status status = begin_outcomes(&o, err);
  if (status) return status;
  status = session ? tenon_send_mail(cli->ctx, session, &request, NULL, why)
                   : leave_unsent(&o, mail, lines, why);
  if (o.many) tn_cli_progress_end(&o.progress, status);
  end_outcomes(&o);
  if (!status) return judge(&o, err);
  say_what_was_not_read(lines, why);
  return tn_pass_error(why, err);
}

/* Whom it goes to: of bcc the message itself has nothing. */
static void show_recipients(tn_cli *cli, const tenon_mail *mail, tn_document *j) {
  const tenon_mailboxes *lists[] = {&mail->to, &mail->cc, &mail->bcc};
  static const char *const names[] = {"to", "cc", "bcc"};
  if (j) tn_document_open(j, "recipients", '[');
  for (int i = 0; i < 3; i++)
    for (size_t k = 0; k < lists[i]->count; k++) {
      if (j) tn_document_text(j, NULL, lists[i]->items[k].address);
      else tn_cli_note(cli, "%s: %s", names[i], lists[i]->items[k].address);
    }
  if (j) tn_document_close(j);
}

static tenon_status show_mail(tn_cli *cli, const tenon_mail *mail, tenon_error *err) {
  const tn_cli_common *c = cli->common;
  char *text;
  size_t size;
  tenon_status status = tenon_compose_mail(cli->tenon, c->operands[0], c->settings.items,
                                           c->settings.count, mail, &text, &size, err);
  if (status) return status;
  tn_document *j = c->json ? tn_cli_result(cli) : NULL;
  if (j) tn_document_text(j, "text", text);
  else fwrite(text, 1, size, stdout);
  tenon_text_free(text);
  fflush(stdout);
  show_recipients(cli, mail, j);
  return TENON_OK;
}

/* All of them, one behind the other, or as JSON the first. */
static tenon_status show_mails(tn_cli *cli, const tenon_mail *mail, tn_cli_mail_lines *lines,
                               tenon_error *err) {
  tenon_status status = TENON_OK;
  if (!lines) return show_mail(cli, mail, err);
  for (bool first = true; !status; first = false) {
    status = tn_cli_mail_lines_next(lines, &mail, err);
    if (status || !mail || (cli->common->json && !first)) break;
    status = show_mail(cli, mail, err);
  }
  return status;
}

static tenon_status open_and_send(tn_cli *cli, const tenon_mail *mail, tn_cli_mail_lines *lines,
                                  tenon_error *err) {
  const tn_cli_common *c = cli->common;
  tenon_session *session = NULL;
  tenon_error why = TENON_ERROR_INIT;
  tenon_open(cli->ctx, cli->tenon, c->operands[0], c->settings.items, c->settings.count, &session,
             &why);
  tenon_status status = send_through(cli, session, mail, lines, &why, err);
  if (session) tenon_close(session);
  return status;
}

static tenon_status run(tn_cli *cli, const void *arguments, tenon_error *err) {
  const send_arguments *a = arguments;
  tn_cli_mail_lines lines;
  tenon_mail mail;
  tn_arena files;
  tn_arena_init(&files, 2 * (size_t)TENON_MAX_MAIL_SIZE);
  tenon_status status = tn_cli_mail_of_options(cli, &a->mail, a->from_file != NULL, &files, &mail, err);
  if (!status && a->from_file)
    status = tn_cli_mail_lines_open(cli, a->from_file, &mail, &lines, err);
  tn_cli_mail_lines *many = a->from_file && !status ? &lines : NULL;
  if (!status)
    status = a->dry_run ? show_mails(cli, &mail, many, err) : open_and_send(cli, &mail, many, err);
  if (many) tn_cli_mail_lines_close(many);
  tn_arena_release(&files);
  return status;
}

const tn_cli_command tn_cli_send = {
    .name = "send",
    .operands = {"TARGET"},
    .operands_required = 1,
    .summary = "send mails, and say what became of each for every recipient",
    .about =
        "TARGET is a system that sends mail, such as smtp://user@mail.example.com. Each recipient "
        "has an outcome: accepted, "
        "refused (for good), deferred (it may be tried again later), unsent, or unknown: the "
        "connection broke after the mail "
        "was sent and before the answer came, so that sending it again may deliver it twice.\n\n"
        "A line of --from-file has the members from, to, cc, bcc, reply_to, subject, text, html, id, "
             "headers {\"Name\": \"value\"} and attachments [{\"name\": \"a.txt\", \"text\": \"…\"}], or "
             "\"data\" with base64 in place of the text; \"type\" and \"content_id\" may stand beside.\n\n"
             "The command succeeds if every recipient was accepted.",
    .examples = examples,
    TN_CLI_OPTIONS(options),
    .size = sizeof(send_arguments),
    .verb = "send mail through",
    .run = run,
};
