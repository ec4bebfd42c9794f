/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses as people write them, and messages of any text: what comes out is ASCII in lines of at most 998
 * bytes, and has no header that was not asked for. Fields of the input end at a byte of 0.
 */
#include <stdlib.h>
#include <string.h>

#include "net/mail_address.h"
#include "net/mime.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FIELDS = 8 };

/* What the core lets through. */
static bool is_line(const char *text) {
  for (; *text; text++)
    if ((unsigned char)*text < 0x20 || *text == 0x7F) return false;
  return true;
}

static void check_address(const char *text) {
  char copy[2048], wire[TN_MAIL_ADDRESS_ROOM];
  const char *name = NULL, *address = NULL;
  tn_mail_address a;
  if (strlen(text) < sizeof copy) {
    memcpy(copy, text, strlen(text) + 1);
    if (!tn_mailbox_parse(copy, &name, &address) && (!address || (name && !*name))) abort();
  }
  if (tn_mail_address_check(text, &a)) return;
  bool utf8 = tn_mail_address_wire(text, wire);
  if (strpbrk(wire, "\r\n\t") || !strchr(wire, '@') || text[a.local] != '@') abort();
  if (text[0] != '"' && strpbrk(wire, " <>,;")) abort();
  if (!utf8)
    for (const char *c = wire; *c; c++)
      if ((unsigned char)*c >= 0x80) abort();
}

/* Lines of the head that do not continue another. */
static int check_text(const tn_mime *m, const char *end_of_head) {
  int headers = 0;
  const char *end = m->text.data + m->text.size;
  for (const char *line = m->text.data; line < end;) {
    const char *stop = memchr(line, '\n', (size_t)(end - line));
    if (!stop || stop == line || stop[-1] != '\r' || memchr(line, '\r', (size_t)(stop - 1 - line)) || stop - line > 999) abort();
    for (const char *c = line; c < stop; c++)
      if (!*c || (unsigned char)*c >= 0x80) abort();
    if (line < end_of_head && *line != ' ') {
      headers++;
      if (!memchr(line, ':', (size_t)(stop - line))) abort();
    }
    line = stop + 1;
  }
  return headers;
}

static void write_mail(char *const *f) {
  tn_mime m;
  const tenon_mailbox from = {f[0], "me@example.com"}, to[] = {{f[1], "a@example.com"}, {f[2], "b@example.com"}};
  const tenon_attachment files[] = {{sizeof files[0], f[6], NULL, *f[5] ? "id@example.com" : NULL, f[5], strlen(f[5])},
                                    {sizeof files[0], f[7], NULL, NULL, f[6], strlen(f[6])}};
  const tenon_mail mail = {.struct_size = sizeof mail, .to = {to, 2}, .subject = f[3], .text = f[4], .html = *f[5] ? f[5] : NULL,
                           .attachments = files, .attachment_count = strlen(f[7]) % 3};
  tn_mime_init(&m);
  if (tn_mime_write(&mail, &from, &m, NULL)) abort();
  const char *end_of_head = strstr(m.text.data, "\r\n\r\n");
  /* Date, From, To, Subject, Message-ID, MIME-Version, Content-Type, and Content-Transfer-Encoding where it has one part */
  bool parts = mail.html || mail.attachment_count;
  bool alone = !mail.attachment_count && !mail.html;
  if (!end_of_head || check_text(&m, end_of_head) != 7 + (!parts || alone) || m.needs_utf8) abort();
  tn_mime_release(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *copy = malloc(size + FIELDS + 1), *f[FIELDS];
  if (!copy) abort();
  if (size) memcpy(copy, data, size);
  memset(copy + size, 0, FIELDS + 1);
  char *at = copy;
  bool sound = true;
  for (int i = 0; i < FIELDS; i++) {
    f[i] = at;
    at += at < copy + size ? strlen(at) + 1 : 0;
    sound &= tn_utf8_valid(f[i], strlen(f[i]), NULL) && (i == 4 || i == 5 || is_line(f[i]));
    check_address(f[i]);
  }
  if (sound) write_mail(f);
  free(copy);
  return 0;
}
