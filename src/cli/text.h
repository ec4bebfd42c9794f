/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Foreign text on a terminal. Whatever a system sends, nothing but printable characters gets out: a
 * value cannot move the cursor, change colours or reverse what stands beside it.
 */
#ifndef TN_CLI_TEXT_H
#define TN_CLI_TEXT_H

#include "base/str.h"

/* Appends at most `room` columns of the text (room < 0: all of it), cut with "…". Control characters,
 * invalid UTF-8 and characters that turn the direction of writing are escaped: \n, \x1b, \u202e.
 * Answers the columns that it takes. */
int tn_cli_show_text(tn_str *out, const char *data, size_t size, int room);

/* Wraps a text of ours at `width` columns, each line behind `indent` spaces; '\n' starts a new line. */
void tn_cli_wrap(tn_str *out, const char *text, int indent, int width);

/* 6001215 as "6,001,215", 1572864 as "1.5 MiB", 83000 ms as "1 min 23 s". */
void tn_cli_show_count(char *text, size_t room, int64_t n);
void tn_cli_show_bytes(char *text, size_t room, int64_t n);
void tn_cli_show_time(char *text, size_t room, int64_t ms);

#endif
