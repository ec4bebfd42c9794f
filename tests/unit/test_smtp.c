/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions of the kind smtp over time and short of memory; addresses; a message byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/mem.h"
#include "contract/smtp_fixture.h"
#include "core/registry.h"
#include "core/session.h"
#include "net/mail_address.h"
#include "net/mime.h"

extern const tenon_provider tn_provider_smtp;

static tn_registry *registry;
static char port[16];

static tn_connector *connect_to(const char *password) {
  tn_settings s;
  tn_config *config;
  tn_connector *c;
  const tenon_provider *p;
  const char *const given[] = {"host", "127.0.0.1", "port", port, "username", "mailer", "password", password, NULL};
  assert_int_equal(tn_registry_find(registry, "smtp", &p, NULL), TENON_OK);
  tn_settings_init(&s);
  for (const char *const *g = given; *g; g += 2) assert_int_equal(tn_settings_set(&s, g[0], g[1], NULL), TENON_OK);
  assert_int_equal(tn_config_new(p, &s, &config, NULL), TENON_OK);
  tn_settings_release(&s);
  assert_int_equal(tn_connector_new("mailer", config, &c, NULL), TENON_OK);
  return c;
}

/* ---- Sending ---- */

static const tenon_mailbox to[] = {{"Ada", "ada@example.com"}, {NULL, "refused@example.com"}, {NULL, "bo@example.com"}};
static const tenon_attachment file = {sizeof file, "a.bin", NULL, NULL, "\0\1\2", 3};
static const tenon_mail mails[] = {
    {.struct_size = sizeof *mails, .from = {"Me", "me@example.com"}, .to = {to, 3}, .subject = "Gr\xC3\xBC\xC3\x9F" "e",
     .text = "a\n.\n", .html = "<b>a</b>", .attachments = &file, .attachment_count = 1},
    {.struct_size = sizeof *mails, .from = {NULL, "me@example.com"}, .to = {to, 1}, .text = "b"}};

static void count_outcome(void *arg, const tenon_mail_outcome *o) {
  int *told = arg;
  assert_int_equal(o->delivery == TENON_MAIL_ACCEPTED, o->error == NULL);
  told[o->message]++;
}

static tenon_status send_both(tn_connector *c, int told[2], tenon_error *err) {
  const tenon_send req = {.struct_size = sizeof req, .messages = mails, .message_count = 2, .outcome = count_outcome, .outcome_arg = told};
  tn_session *s;
  told[0] = told[1] = 0;
  tenon_status status = tn_session_acquire(NULL, c, &s, err);
  if (status) return status;
  status = tn_mail_send(NULL, s, &req, NULL, err);
  tn_session_release(s);
  return status;
}

static void must_send(tn_connector *c) {
  int told[2];
  tenon_error err = TENON_ERROR_INIT;
  if (send_both(c, told, &err)) fail_msg("%s", err.message);
  assert_true(told[0] == 3 && told[1] == 1);
}

static void sessions_are_used_again(void **state) {
  (void)state;
  tn_connector *c = connect_to("canary-good");
  for (int i = 0; i < 5; i++) must_send(c);
  assert_int_equal(smtp_fixture_connections(), 1);
  tn_connector_free(c);
}

/* What a server closes while nobody uses it is noticed before the next mail, not by it. */
static void a_session_that_ended_while_idle_is_replaced(void **state) {
  (void)state;
  tn_connector *c = connect_to("canary-good");
  must_send(c);
  smtp_fixture_drop_all();
  usleep(1100 * 1000);   /* so long it is trusted without being asked */
  must_send(c);
  assert_int_equal(smtp_fixture_connections(), 1);
  tn_connector_free(c);
}

/* Closed a moment ago: the mail fails, is said to be unsent, and the next gets a new session. */
static void a_session_that_ended_just_now_fails_one_mail_alone(void **state) {
  (void)state;
  tn_connector *c = connect_to("canary-good");
  must_send(c);
  smtp_fixture_drop_all();
  int told[2], before = smtp_fixture_mails();
  tenon_error err = TENON_ERROR_INIT;
  assert_int_equal(send_both(c, told, &err), TENON_UNREACHABLE);
  assert_true(told[0] == 3 && told[1] == 1);
  assert_int_equal(smtp_fixture_mails(), before);
  must_send(c);
  tn_connector_free(c);
}

/* ---- Short of memory, and of nothing else afterwards ---- */

static int open_descriptors(void) {
  int n = 0;
  DIR *d = opendir("/proc/self/fd");
  while (readdir(d)) n++;
  closedir(d);
  return n;
}

static void expect_descriptors(int before) {
  for (int i = 0; i < 200 && (open_descriptors() > before || smtp_fixture_connections()); i++) usleep(10000);
  assert_int_equal(smtp_fixture_connections(), 0);
  assert_true(open_descriptors() <= before);
}

static void every_allocation_may_fail(void **state) {
  (void)state;
  tn_connector *c = connect_to("canary-good");
  must_send(c);
  tn_connector_free(c);
  int before = open_descriptors() - smtp_fixture_connections(), sent = 0;
  for (int64_t n = 1; !sent && n < 2000; n++) {
    int told[2];
    tenon_error err = TENON_ERROR_INIT;
    c = connect_to("canary-good");
    tn_mem_fail_at(n, 0);
    tenon_status status = send_both(c, told, &err);
    sent = tn_mem_count() < n;
    tn_mem_fail_at(0, 0);
    if (status) {
      assert_int_equal(err.code, status);
      assert_true(err.message[0]);
      assert_true((told[0] == 0 || told[0] == 3) && (told[1] == 0 || told[1] == 1));
    }
    tn_connector_free(c);
  }
  assert_true(sent);
  expect_descriptors(before);
}

static void failures_leave_nothing_open(void **state) {
  (void)state;
  tn_connector *c = connect_to("canary-wrong");
  int told[2];
  tenon_error err = TENON_ERROR_INIT;
  assert_int_equal(send_both(c, told, &err), TENON_UNAUTHENTICATED);
  int before = open_descriptors() - smtp_fixture_connections();
  for (int i = 0; i < 30; i++) {
    tn_error_init(&err);
    assert_int_equal(send_both(c, told, &err), TENON_UNAUTHENTICATED);
    assert_null(strstr(err.message, "canary"));
  }
  tn_connector_free(c);
  expect_descriptors(before);
}

/* ---- Addresses ---- */

static void addresses_are_what_they_may_be(void **state) {
  static const char *const good[] = {"a@b", "a.b@example.com", "a+b@example.com", "\"a b\"@example.com", "\"a\\\"b\"@example.com",
                                     "j\xC3\xB6rg@example.com", "a@b\xC3\xBC" "cher.example", "a@[192.0.2.1]", "a@[IPv6:2001:db8::1]",
                                     "o'neil@example.com", "a@xn--bcher-kva.example", "a@1.example"};
  static const char *const bad[] = {"", "a", "@b", "a@", "a@@b", "a@b@c", ".a@b", "a.@b", "a..b@c", "a b@c", "a@b c", "a@b>", "<a@b>",
                                    "a@b\r\nRCPT TO:<c@d>", "a\n@b", "a\t@b", "a@b\x7f", "a@-b", "a@b-", "a@b..c", "a@b.", "a@.b",
                                    "a@[", "a@[]", "a@[1.2.3.4", "a@[1.2\r\n3.4]", "\"a@b", "\"a\r\n\"@b", "\"a\\", "a@b,c@d", "a;b@c",
                                    "a@b:25", "a@b/c", "\xC3@b", "a(b)@c", "a@\xE2\x80"};
  (void)state;
  for (size_t i = 0; i < sizeof good / sizeof *good; i++)
    if (tn_mail_address_check(good[i], NULL)) fail_msg("%s is one", good[i]);
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    if (!tn_mail_address_check(bad[i], NULL)) fail_msg("%s is none", bad[i]);
  char longest[320];
  memset(longest, 'a', sizeof longest);
  longest[65] = '@', longest[70] = 0;
  assert_non_null(tn_mail_address_check(longest, NULL));
  longest[64] = '@', longest[65] = 'a';
  assert_null(tn_mail_address_check(longest, NULL));
  assert_non_null(tn_mail_address_check(NULL, NULL));
}

static void mailboxes_are_read_as_people_write_them(void **state) {
  static const struct { const char *text, *name, *address; } cases[] = {
      {"ada@example.com", NULL, "ada@example.com"}, {" ada@example.com ", NULL, "ada@example.com"},
      {"Ada <ada@example.com>", "Ada", "ada@example.com"}, {"<ada@example.com>", NULL, "ada@example.com"},
      {"\"Lovelace, Ada\" <a@b>", "Lovelace, Ada", "a@b"}, {"\"a \\\"b\\\" \\\\\" <a@b>", "a \"b\" \\", "a@b"},
      {"Ada < a@b >", "Ada", "a@b"}, {"\"\" <a@b>", NULL, "a@b"}, {"\xC3\x84" "da<a@b>", "\xC3\x84" "da", "a@b"}};
  static const char *const wrong[] = {"Ada <a@b> x", "\"Ada <a@b>", "\"Ada\" x <a@b>", "<a@b"};
  char text[100];
  const char *name, *address;
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    snprintf(text, sizeof text, "%s", cases[i].text);
    assert_null(tn_mailbox_parse(text, &name, &address));
    assert_string_equal(address, cases[i].address);
    assert_string_equal(name ? name : "(none)", cases[i].name ? cases[i].name : "(none)");
  }
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    snprintf(text, sizeof text, "%s", wrong[i]);
    assert_non_null(tn_mailbox_parse(text, &name, &address));
  }
}

static void an_address_travels_in_ascii_where_it_can(void **state) {
  char wire[TN_MAIL_ADDRESS_ROOM];
  (void)state;
  assert_false(tn_mail_address_wire("a@example.com", wire));
  assert_string_equal(wire, "a@example.com");
  assert_false(tn_mail_address_wire("a@B\xC3\xBC" "cher.example", wire));   /* with libidn2, as tools/setup has it */
  assert_string_equal(wire, "a@xn--bcher-kva.example");
  assert_true(tn_mail_address_wire("j\xC3\xB6rg@b\xC3\xBC" "cher.example", wire));
  assert_string_equal(wire, "j\xC3\xB6rg@xn--bcher-kva.example");
}

/* ---- A message byte by byte ---- */

static void a_message_is_written_as_it_should(void **state) {
  static const tenon_mailbox two[] = {{"Lovelace, Ada", "ada@example.com"}, {NULL, "bo@example.com"}};
  static const tenon_mail_header list_id = {"List-Id", "<news.example.com>"};
  const tenon_mail mail = {.struct_size = sizeof mail, .to = {two, 2}, .bcc = {two, 1}, .subject = "Gr\xC3\xBC\xC3\x9F" "e, and more",
                           .text = "a = \xC3\xA4\n.\nend ", .headers = &list_id, .header_count = 1, .id = "1@example.com",
                           .date_ms = INT64_C(1709210096000)};
  static const char expected[] =
      "Date: Thu, 29 Feb 2024 12:34:56 +0000\r\nFrom: Me <me@example.com>\r\n"
      "To: \"Lovelace, Ada\" <ada@example.com>, bo@example.com\r\nSubject: =?utf-8?b?R3LDvMOfZSwgYW5kIG1vcmU=?=\r\n"
      "Message-ID: <1@example.com>\r\nList-Id: <news.example.com>\r\nMIME-Version: 1.0\r\n"
      "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
      "a =3D =C3=A4\r\n.\r\nend=20\r\n";
  const tenon_mailbox me = {"Me", "me@example.com"};
  tn_mime m;
  (void)state;
  tn_mime_init(&m);
  for (int again = 0; again < 2; again++) {
    assert_int_equal(tn_mime_write(&mail, &me, &m, NULL), TENON_OK);
    assert_string_equal(m.text.data, expected);
    assert_string_equal(m.id, "1@example.com");
    assert_false(m.needs_utf8);
  }
  tn_mime_release(&m);
}

static int start(void **state) {
  (void)state;
  snprintf(port, sizeof port, "%d", smtp_fixture_start());
  if (tn_registry_new(&registry, NULL)) return -1;
  return tn_registry_add(registry, &tn_provider_smtp, NULL);
}

static int stop(void **state) {
  (void)state;
  tn_registry_free(registry);
  smtp_fixture_stop();
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(sessions_are_used_again),
      cmocka_unit_test(a_session_that_ended_while_idle_is_replaced),
      cmocka_unit_test(a_session_that_ended_just_now_fails_one_mail_alone),
      cmocka_unit_test(every_allocation_may_fail),
      cmocka_unit_test(failures_leave_nothing_open),
      cmocka_unit_test(addresses_are_what_they_may_be),
      cmocka_unit_test(mailboxes_are_read_as_people_write_them),
      cmocka_unit_test(an_address_travels_in_ascii_where_it_can),
      cmocka_unit_test(a_message_is_written_as_it_should),
  };
  return cmocka_run_group_tests(tests, start, stop);
}
