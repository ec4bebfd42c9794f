/* SPDX-License-Identifier: Apache-2.0 */
/* Mails out of a command line and out of lines of JSON. */
#ifndef TN_CLI_MAIL_INPUT_H
#define TN_CLI_MAIL_INPUT_H

#include "cli/input.h"

typedef struct tn_cli_mail_options {
  const char *from, *subject, *text, *html;
  tn_cli_again to, cc, bcc, reply_to, headers, attach, inlined;
} tn_cli_mail_options;

/* What the options say, the content of files too, kept in the arena. A text @FILE is that file's.
 * many: it is what lines leave out. */
tenon_status tn_cli_mail_of_options(const tn_cli *, const tn_cli_mail_options *, bool many, tn_arena *,
                                    tenon_mail *ret, tenon_error *err);

/*
 * Lines such as {"to":["Ada <ada@example.com>"],"subject":"…","text":"…"}, one mail each, blank ones
 * left out; what a line does not say, `base` says. A line whose members are wrong is a mail that the
 * core refuses; one that is no JSON ends it. Members: from, to, cc, bcc, reply_to, subject,
 * text, html, id, headers {name: value}, attachments [{name, type, content_id, text or data (base64)}].
 */
typedef struct tn_cli_mail_lines {
  tn_cli_input in;
  bool waits;          /* the next may be long in coming: it is no file */
  bool has_ended;
  int64_t number;
  const tenon_mail *base;
  tenon_mail mail;
  tn_str line;
  tn_arena arena;      /* of the mail that was given last */
} tn_cli_mail_lines;

tenon_status tn_cli_mail_lines_open(const tn_cli *, const char *path, const tenon_mail *base, tn_cli_mail_lines *ret,
                                    tenon_error *err);
void tn_cli_mail_lines_close(tn_cli_mail_lines *);
/* tenon_send's next, with the lines as its argument. */
tenon_status tn_cli_mail_lines_next(void *lines, const tenon_mail **ret, tenon_error *err);

#endif
