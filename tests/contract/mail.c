/* SPDX-License-Identifier: Apache-2.0 */
/* The facet `mail`: every recipient of every message has one outcome, whatever else is wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/error.h"
#include "contract/contract.h"

enum { MAX_TOLD = 64 };

typedef struct told {
  int count;
  struct {
    int64_t message;
    char recipient[80];
    tenon_delivery delivery;
    tenon_status code;
  } items[MAX_TOLD];
} told;

static void on_outcome(void *arg, const tenon_mail_outcome *o) {
  told *t = arg;
  assert_true(t->count < MAX_TOLD);
  assert_true(o->struct_size >= sizeof *o && o->reply && o->enhanced);
  assert_int_equal(o->delivery == TENON_MAIL_ACCEPTED, o->error == NULL);
  if (o->error) assert_true(o->error->code && o->error->message[0] && o->error->remedy[0]);
  t->items[t->count].message = o->message;
  strncpy(t->items[t->count].recipient, o->recipient ? o->recipient : "", 79);
  t->items[t->count].delivery = o->delivery;
  t->items[t->count++].code = o->error ? o->error->code : TENON_OK;
}

static void expect_told(const told *t, int64_t message, const char *recipient, tenon_delivery delivery) {
  int found = 0;
  for (int i = 0; i < t->count; i++)
    if (t->items[i].message == message && strcmp(t->items[i].recipient, recipient) == 0) {
      assert_int_equal(t->items[i].delivery, delivery);
      found++;
    }
  assert_int_equal(found, 1);
}

static tenon_mail mail_to(const tenon_mailbox *to, size_t count) {
  return (tenon_mail){.struct_size = sizeof(tenon_mail), .from = {"Me", "me@example.com"}, .to = {to, count},
                      .subject = "Hello", .text = "a\n.\nb"};
}

static void every_recipient_has_an_outcome(void **state) {
  contract_state *c = *state;
  const contract_kind *k = c->kind;
  tn_session *s = contract_session(c);
  const tenon_mailbox three[] = {{"Ada", k->mail_accepted}, {NULL, k->mail_refused}, {NULL, k->mail_deferred}};
  tenon_mail mails[3] = {mail_to(three, 3), mail_to(three, 1), mail_to(three + 1, 1)};
  told t = {0};
  tenon_sent sent = {0};
  tenon_error err = TENON_ERROR_INIT;
  mails[1].cc = (tenon_mailboxes){three + 2, 1};
  mails[2].bcc = (tenon_mailboxes){three, 1};
  const tenon_send req = {.struct_size = sizeof req, .messages = mails, .message_count = 3, .outcome = on_outcome, .outcome_arg = &t};
  if (tn_mail_send(NULL, s, &req, &sent, &err)) fail_msg("%s", err.message);
  assert_int_equal(t.count, 7);
  for (int64_t i = 0; i < 3; i++) expect_told(&t, i, k->mail_accepted, TENON_MAIL_ACCEPTED);
  expect_told(&t, 0, k->mail_refused, TENON_MAIL_REFUSED);
  expect_told(&t, 2, k->mail_refused, TENON_MAIL_REFUSED);
  expect_told(&t, 0, k->mail_deferred, TENON_MAIL_DEFERRED);
  expect_told(&t, 1, k->mail_deferred, TENON_MAIL_DEFERRED);
  assert_int_equal(sent.messages, 3);
  assert_int_equal(sent.accepted, 3);
  assert_int_equal(sent.refused, 2);
  assert_int_equal(sent.deferred, 2);
  tn_session_release(s);
}

static void what_is_wrong_in_itself_is_refused(void **state) {
  contract_state *c = *state;
  tn_session *s = contract_session(c);
  const tenon_mailbox good = {NULL, c->kind->mail_accepted};
  const tenon_mailbox bad[] = {{NULL, "a@example.com\r\nRCPT TO:<b@example.com>"}, {"x\r\nBcc: b@example.com", "a@example.com"},
                               {NULL, "no address"}, {NULL, NULL}, {"\xff", "a@example.com"}};
  const tenon_mail_header headers[] = {{"X-A", "b\r\nX-B: c"}, {"X:A", "b"}, {"Bcc", "b"}, {"Content-Type", "b"}, {"X", NULL}, {NULL, "x"}};
  const tenon_attachment attachments[] = {{.name = "a\nb"}, {.type = "text"}, {.content_id = "a>b"}, {.size = 1}, {.type = "multipart/mixed"}};
  const tenon_attachment twice[] = {{.content_id = "a@b"}, {.name = "c"}, {.content_id = "a@b"}};
  tenon_mail mails[26];
  int n = 0;
  for (size_t i = 0; i < 5; i++) mails[n++] = mail_to(&bad[i], 1);
  for (size_t i = 0; i < 6; i++) mails[n] = mail_to(&good, 1), mails[n].headers = &headers[i], mails[n++].header_count = 1;
  for (size_t i = 0; i < 5; i++) mails[n] = mail_to(&good, 1), mails[n].attachments = &attachments[i], mails[n++].attachment_count = 1;
  mails[n] = mail_to(&good, 1), mails[n].attachments = twice, mails[n++].attachment_count = 3;
  mails[n] = mail_to(&good, 1), mails[n++].subject = "a\nb";
  mails[n] = mail_to(&good, 1), mails[n++].text = "\xc3(";
  mails[n] = mail_to(&good, 1), mails[n++].id = "a b@c";
  mails[n] = mail_to(&good, 1), mails[n++].from.address = "me";
  mails[n] = mail_to(&good, 1), mails[n++].wrong = "its source cannot read it";
  mails[n++] = mail_to(NULL, 0);
  mails[n++] = mail_to(&good, TENON_MAX_RECIPIENTS + 1);
  mails[n++] = mail_to(&good, 1);   /* and one that is sound */
  told t = {0};
  tenon_sent sent = {0};
  tenon_error err = TENON_ERROR_INIT;
  const tenon_send req = {.struct_size = sizeof req, .messages = mails, .message_count = (size_t)n, .outcome = on_outcome, .outcome_arg = &t};
  if (tn_mail_send(NULL, s, &req, &sent, &err)) fail_msg("%s", err.message);
  assert_int_equal(sent.messages, n);
  assert_int_equal(sent.accepted, 1);
  assert_int_equal(sent.refused, n - 1);
  expect_told(&t, n - 1, c->kind->mail_accepted, TENON_MAIL_ACCEPTED);
  for (int i = 0; i < t.count; i++)
    assert_int_equal(t.items[i].code, t.items[i].message == n - 1 ? TENON_OK : TENON_CONFIG);
  tn_session_release(s);
}

/* ---- Messages that come one by one ---- */

typedef struct source {
  tenon_mail mail;
  tenon_mailbox to;
  int given, fails_at;       /* 0: never */
  bool waits;
  told told;
} source;

static tenon_status next(void *arg, const tenon_mail **ret, tenon_error *err) {
  source *s = arg;
  *ret = NULL;
  if (s->waits) assert_int_equal(s->told.count, s->given);   /* nothing is held back for it */
  if (s->fails_at && s->given == s->fails_at)
    return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA, "mend it", "the source is broken");
  if (s->given == 5) return TENON_OK;
  s->given++;
  *ret = &s->mail;
  return TENON_OK;
}

static tenon_status send_from(contract_state *c, source *from, tenon_sent *sent, tenon_error *err) {
  tn_session *s = contract_session(c);
  from->to.address = c->kind->mail_accepted;
  from->mail = mail_to(&from->to, 1);
  const tenon_send req = {.struct_size = sizeof req, .waits = from->waits, .next = next, .arg = from, .outcome = on_outcome,
                          .outcome_arg = &from->told};
  tenon_status status = tn_mail_send(NULL, s, &req, sent, err);
  tn_session_release(s);
  return status;
}

static void messages_come_one_by_one(void **state) {
  for (int waits = 0; waits < 2; waits++) {
    source from = {.waits = waits};
    tenon_sent sent = {0};
    tenon_error err = TENON_ERROR_INIT;
    if (send_from(*state, &from, &sent, &err)) fail_msg("%s", err.message);
    assert_int_equal(sent.accepted, 5);
    for (int i = 0; i < 5; i++) assert_int_equal(from.told.items[i].message, i);
  }
}

static void a_source_that_fails_ends_the_call(void **state) {
  source from = {.fails_at = 3};
  tenon_sent sent = {.messages = -1};
  tenon_error err = TENON_ERROR_INIT;
  assert_int_equal(send_from(*state, &from, &sent, &err), TENON_DATA);
  assert_string_equal(err.message, "the source is broken");
  assert_int_equal(from.told.count, 3);
  for (int i = 0; i < 3; i++) assert_int_equal(from.told.items[i].delivery, TENON_MAIL_ACCEPTED);
  assert_int_equal(sent.messages, -1);
  /* and the session is good for the next */
  source again = {0};
  tn_error_init(&err);
  if (send_from(*state, &again, &sent, &err)) fail_msg("%s", err.message);
}

static void no_message_is_no_failure(void **state) {
  tn_session *s = contract_session(*state);
  const tenon_send req = {.struct_size = sizeof req};
  tenon_sent sent = {.messages = -1};
  assert_int_equal(tn_mail_send(NULL, s, &req, &sent, NULL), TENON_OK);
  assert_int_equal(sent.messages, 0);
  tn_session_release(s);
}

/* A program that was made when the struct was shorter, or will be when it is longer. */
static void structs_of_other_sizes_are_read(void **state) {
  contract_state *c = *state;
  struct { tenon_mail mail; char newer[40]; } two[2];
  const tenon_mailbox to = {NULL, c->kind->mail_accepted};
  const tenon_send req = {.struct_size = sizeof req, .messages = &two[0].mail, .message_count = 2};
  tn_session *s = contract_session(c);
  tenon_sent sent = {0};
  tenon_error err = TENON_ERROR_INIT;
  memset(two, 0xEE, sizeof two);
  for (int i = 0; i < 2; i++) two[i].mail = mail_to(&to, 1), two[i].mail.struct_size = sizeof two[i];
  if (tn_mail_send(NULL, s, &req, &sent, &err)) fail_msg("%s", err.message);
  assert_int_equal(sent.accepted, 2);
  two[0].mail.struct_size = 0;
  assert_int_equal(tn_mail_send(NULL, s, &req, &sent, &err), TENON_CONFIG);
  tn_session_release(s);
}

const contract_check contract_mail_checks[] = {
    {"every recipient has an outcome", "mail.send", every_recipient_has_an_outcome, NULL},
    {"what is wrong in itself is refused", "mail.send", what_is_wrong_in_itself_is_refused, NULL},
    {"messages come one by one", "mail.send", messages_come_one_by_one, NULL},
    {"a source that fails ends the call", "mail.send", a_source_that_fails_ends_the_call, NULL},
    {"structs of other sizes are read", "mail.send", structs_of_other_sizes_are_read, NULL},
    {"no message is no failure", "mail.send", no_message_is_no_failure, NULL},
    {0}};
