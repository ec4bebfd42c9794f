/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "base/ctx.h"
#include "cli/cli.h"
#include "cli/text.h"

enum { DRAW_EVERY_MS = 100, TELL_EVERY_MS = 1000, FIRST_DRAW_MS = 300 };

tn_cli_progress tn_cli_progress_start(const tn_cli *cli) {
  const char *how = cli->common->progress ? cli->common->progress : "auto";
  tn_cli_progress p = {.cli = cli, .json = strcmp(how, "json") == 0, .last_ms = tn_now_ms()};
  p.draw = strcmp(how, "auto") == 0 && cli->terminal.can_redraw && !cli->common->quiet;
  /* what is done at once needs no progress */
  p.last_ms += p.draw ? FIRST_DRAW_MS - DRAW_EVERY_MS : 0;
  return p;
}

static int64_t rate_of(const tenon_progress *now) {
  return now->elapsed_ms > 0 ? now->rows * 1000 / now->elapsed_ms : 0;
}

static int64_t remaining_bytes_ms(const tenon_progress *now) {
  if (now->bytes_estimate <= now->bytes || now->bytes <= 0) return -1;
  return (int64_t)((double)(now->bytes_estimate - now->bytes) * (double)now->elapsed_ms / (double)now->bytes);
}

/* -1: there is no telling. An estimate that is passed already says nothing. */
static int64_t remaining_ms(const tenon_progress *now) {
  if (now->rows < 0) return remaining_bytes_ms(now);
  int64_t rate = rate_of(now);
  if (now->rows_estimate <= now->rows || rate == 0) return -1;
  return (now->rows_estimate - now->rows) * 1000 / rate;
}

static void draw_bytes(const tenon_progress *now) {
  char bytes[32], all[32], rate[32];
  tn_cli_show_bytes(bytes, sizeof bytes, now->bytes);
  tn_cli_show_bytes(rate, sizeof rate, now->elapsed_ms > 0 ? now->bytes * 1000 / now->elapsed_ms : 0);
  fprintf(stderr, "\r\033[K  %s", bytes);
  if (now->bytes_estimate > 0) {
    tn_cli_show_bytes(all, sizeof all, now->bytes_estimate);
    fprintf(stderr, " of %s", all);
  }
  fprintf(stderr, "   %s/s", rate);
  fflush(stderr);
}

static void draw(const tenon_progress *now, const char *noun) {
  char rows[32], bytes[32], rate[32], left[32];
  tn_cli_show_count(rows, sizeof rows, now->rows);
  tn_cli_show_count(rate, sizeof rate, rate_of(now));
  fprintf(stderr, "\r\033[K  %s %s   %s %s/s", rows, noun, rate, noun);
  if (now->bytes >= 0) {
    tn_cli_show_bytes(bytes, sizeof bytes, now->bytes);
    fprintf(stderr, "   %s", bytes);
  }
  int64_t ms = remaining_ms(now);
  if (ms >= 0) {
    tn_cli_show_time(left, sizeof left, ms);
    fprintf(stderr, "   about %s left", left);
  }
  fflush(stderr);
}

static void tell(const tenon_progress *now, bool done) {
  tn_document j;
  tn_document_init(&j, stderr);
  tn_document_open(&j, NULL, '{');
  tn_document_open(&j, "progress", '{');
  tn_document_count(&j, "rows", now->rows);
  tn_document_count(&j, "bytes", now->bytes);
  tn_document_integer(&j, "elapsed_ms", now->elapsed_ms);
  tn_document_integer(&j, "rows_per_second", now->rows < 0 ? 0 : rate_of(now));
  tn_document_count(&j, "rows_estimate", now->rows_estimate);
  tn_document_count(&j, "bytes_estimate", now->bytes_estimate > 0 ? now->bytes_estimate : -1);
  bool had_estimate = now->rows_estimate >= 0 || now->bytes_estimate > 0;
  tn_document_count(&j, "eta_ms", done && had_estimate ? 0 : remaining_ms(now));
  tn_document_bool(&j, "done", done);
  tn_document_close_to(&j, 0);
  tn_document_newline(&j);
  tn_document_flush(&j);
  tn_document_release(&j);
}

void tn_cli_progress_step(void *progress, const tenon_progress *now) {
  tn_cli_progress *p = progress;
  p->latest = *now;
  if (now->rows_estimate < 0 && p->rows_estimate > 0) p->latest.rows_estimate = p->rows_estimate;
  now = &p->latest;
  if (!p->draw && !p->json) return;
  int64_t at = tn_now_ms();
  if (at - p->last_ms < (p->draw ? DRAW_EVERY_MS : TELL_EVERY_MS)) return;
  p->last_ms = at;
  p->drawn = true;
  if (p->draw && now->rows < 0) draw_bytes(now);
  else if (p->draw) draw(now, p->noun ? p->noun : "rows");
  else tell(now, false);
}

void tn_cli_progress_end(tn_cli_progress *p, tenon_status status) {
  if (p->json) tell(&p->latest, status == TENON_OK);
  if (p->draw && p->drawn) fputs("\r\033[K", stderr);
}
