/* SPDX-License-Identifier: Apache-2.0 */
/* Replies of token endpoints and grants of stores: whatever comes is taken whole or refused, and what was taken can be sent,
 * kept and read again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "net/token_consent.h"
#include "net/token_grant.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const tenon_token_source source = {
    .struct_size = sizeof source, .grant = "g", .token_url = "https://idp/token", .client_id = "c", .client_secret = "s"};

static void check_header(const char *token) {
  if (!token) return;
  if (!*token || strlen(token) >= TENON_TOKEN_ROOM) abort();
  for (; *token; token++)
    if (*token <= ' ' || *token >= 0x7F) abort();
}

static void check_print(const tn_grant *g) {
  tn_grant again;
  tn_str text, twice;
  tn_str_init(&text, TENON_GRANT_ROOM);
  tn_str_init(&twice, TENON_GRANT_ROOM);
  if (!tn_grant_print(g, &text) || tn_grant_parse(text.data, text.size, &again, NULL)) abort();
  if (!tn_grant_print(&again, &twice) || strcmp(text.data, twice.data)) abort();
  if (strcmp(g->refresh_token, again.refresh_token)) abort();
  tn_grant_release(&again);
  tn_str_release(&text);
  tn_str_release(&twice);
}

static void try_reply(const char *text, size_t size) {
  tn_token_reply reply;
  tn_token_error said;
  tenon_error err = TENON_ERROR_INIT;
  tenon_status status = tn_token_reply_read(text, size, &reply, &err);
  if (status ? !*err.message || !*err.remedy || reply.access_token : !reply.access_token || reply.lifetime_ms < 0) abort();
  check_header(reply.access_token);
  if (!status || reply.refresh_token) {
    tn_grant g;
    const tn_grant_ask ask = {.source = &source, .now_ms = 1800000000000};
    if (tn_grant_begin(&g, source.token_url, source.client_id, "r", NULL)) abort();
    if (tn_grant_renew(&g, &reply, &ask, NULL)) abort();
    check_print(&g);
    tn_grant_release(&g);
  }
  tn_token_reply_release(&reply);
  if (tn_token_error_read(text, size, &said) && (!*said.word || !tn_token_error_fail(&said, "u", NULL))) abort();
}

static void try_grant(const char *text, size_t size) {
  tn_grant g;
  tn_grant_step step;
  tenon_error err = TENON_ERROR_INIT;
  if (tn_grant_parse(text, size, &g, &err)) {
    if (!*err.message || !*err.remedy) abort();
    return;
  }
  const tn_grant_ask ask = {.source = &source, .now_ms = 1800000000000, .valid_ms = 1000};
  if (!tn_grant_decide(&g, &ask, &step, NULL) && step == TN_GRANT_USE && !g.access_token) abort();
  check_header(g.access_token);
  check_print(&g);
  tn_grant_release(&g);
}

static void check_visible(const char *text, char least) {
  for (; *text; text++)
    if (*text < least || *text >= 0x7F) abort();
}

/* What a browser, or anybody on this machine, may send. */
static void try_return(const char *head, size_t size) {
  static const char state[] = "state-that-nobody-knows";
  tn_consent_return said;
  tn_consent_outcome outcome = tn_consent_read(head, size, state, &said);
  check_visible(said.code, ' ');
  check_visible(said.word, ' ');
  check_visible(said.said, ' ');
  if (outcome == TN_CONSENT_CODE && !*said.code) abort();
  if (outcome == TN_CONSENT_REFUSED && !*said.word) abort();
  if (outcome > TN_CONSENT_FORGED && !memmem(head, size, "state=", 6)) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size > TENON_GRANT_ROOM) return 0;
  try_reply((const char *)data, size);
  try_grant((const char *)data, size);
  try_return((const char *)data, size);
  return 0;
}
