/* SPDX-License-Identifier: Apache-2.0 */
/* One run of the command: what is common to all of them while they work. */
#ifndef TN_CLI_CLI_H
#define TN_CLI_CLI_H

#include "cli/command.h"
#include "cli/document.h"
#include "cli/terminal.h"

struct tn_cli {
  const tn_cli_command *command;
  const tn_cli_common *common;
  tn_cli_terminal terminal;
  tn_arena arena;      /* freed when the command ends */
  tenon *tenon;
  tenon_ctx *ctx;
  tn_document json;        /* the answer's document, with --json */
};

/* With --json: begins the document, at the object "result". */
tn_document *tn_cli_result(tn_cli *);

/* A text that is the whole answer: as it is, or with --json as the member "text" of the result. */
void tn_cli_answer_text(tn_cli *, const char *text);

/* A line for people on stderr; not with --quiet. */
void tn_cli_note(const tn_cli *, const char *format, ...) TENON_PRINTF(2, 3);
/* Said with -q, too. */
void tn_cli_note_failure(const tn_cli *, const char *format, ...) TENON_PRINTF(2, 3);

/* ---- Failures (report.c) ---- */

/* 0 for OK, 1 for INTERNAL, 2 for CONFIG …: docs/exit-codes.md. */
int tn_cli_exit_code(tenon_status);

/* Says on stderr what failed, where, and what to do. cli may be NULL, and doing: "read", "copy". */
void tn_cli_report(const tn_cli *cli, const char *doing, const tenon_error *err);
void tn_cli_report_json(tn_document *, const tenon_error *err);

/* ---- Signals (interrupt.c) ---- */

/* From now on Ctrl-C (or SIGTERM) cancels ctx, and a second one ends the process. Before any thread. */
void tn_cli_interrupt_watch(tenon_ctx *ctx, bool say_so);
/* The work has ended, and what is left is not cancelled: the first signal changes nothing. */
void tn_cli_interrupt_forget(void);
/* The signal that cancelled, 0: none yet. */
int tn_cli_interrupted(void);

/* ---- Progress (progress.c): on stderr, as --progress says ---- */

typedef struct tn_cli_progress {
  const tn_cli *cli;
  bool draw, json, drawn;
  const char *noun;        /* what is counted; NULL: rows */
  int64_t last_ms;
  int64_t rows_estimate;   /* where what is copied has none; 0: not known either */
  tenon_progress latest;
} tn_cli_progress;

tn_cli_progress tn_cli_progress_start(const tn_cli *);
void tn_cli_progress_step(void *progress, const tenon_progress *);   /* tenon_copy_options.progress */
void tn_cli_progress_end(tn_cli_progress *, tenon_status);   /* the last line says whether it was done */

#endif
