/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many mails in one session through the library: mail PORT COUNT
 *
 * The texts are there before the clock starts; the messages are written while they are sent.
 */
#include "mails.h"
#include "tenon/tenon.h"

typedef struct mails {
  long count, at;
  char *texts;               /* MAIL_ROOM each */
  tenon_mailbox to;
  tenon_mail mail;
  char subject[64], recipient[64];
  long accepted;
} mails;

static tenon_status next(void *arg, const tenon_mail **ret, tenon_error *err) {
  mails *m = arg;
  (void)err;
  *ret = NULL;
  if (m->at == m->count) return TENON_OK;
  snprintf(m->subject, sizeof m->subject, "Mail number %ld", m->at);
  snprintf(m->recipient, sizeof m->recipient, "r%ld@example.com", m->at);
  m->to.address = m->recipient;
  m->mail.text = m->texts + MAIL_ROOM * m->at++;
  *ret = &m->mail;
  return TENON_OK;
}

static void outcome(void *arg, const tenon_mail_outcome *o) {
  mails *m = arg;
  m->accepted += o->delivery == TENON_MAIL_ACCEPTED;
}

static uint64_t make(mails *m) {
  uint64_t sum = 0;
  m->texts = malloc((size_t)m->count * MAIL_ROOM);
  if (!m->texts) abort();
  for (long i = 0; i < m->count; i++)
    sum += mail_hash(m->texts + MAIL_ROOM * i, mail_text((uint64_t)i, m->texts + MAIL_ROOM * i));
  return sum;
}

static int fail(const tenon_error *err) {
  fprintf(stderr, "%s: %s\n", err->message, err->remedy);
  return 1;
}

int main(int argc, char **argv) {
  tenon *t;
  tenon_session *s;
  tenon_error err = TENON_ERROR_INIT;
  char url[80];
  if (argc != 3) return 2;
  mails m = {.count = strtol(argv[2], NULL, 10)};
  m.mail = (tenon_mail){.struct_size = sizeof m.mail, .to = {&m.to, 1}, .subject = m.subject};
  m.mail.from.address = "bench@example.com";
  uint64_t sum = make(&m);
  snprintf(url, sizeof url, "smtp://127.0.0.1:%s", argv[1]);
  if (tenon_new(NULL, &t, &err) || tenon_open(NULL, t, url, NULL, 0, &s, &err)) return fail(&err);
  const tenon_send request = {.struct_size = sizeof request, .next = next, .arg = &m, .outcome = outcome, .outcome_arg = &m};
  double wall = mail_clock(CLOCK_MONOTONIC), cpu = mail_clock(CLOCK_PROCESS_CPUTIME_ID);
  if (tenon_send_mail(NULL, s, &request, NULL, &err)) return fail(&err);
  wall = mail_clock(CLOCK_MONOTONIC) - wall;
  cpu = mail_clock(CLOCK_PROCESS_CPUTIME_ID) - cpu;
  tenon_close(s);
  tenon_free(t);
  mail_report(m.accepted, sum, wall, cpu);
  free(m.texts);
  return 0;
}
