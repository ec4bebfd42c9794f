/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A command is a table: its options, what it says of itself, and the function that runs it. Parsing,
 * usage, help, "did you mean" and shell completion are made of these tables and nothing else.
 */
#ifndef TN_CLI_COMMAND_H
#define TN_CLI_COMMAND_H

#include <stdbool.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/str.h"
#include "tenon/tenon.h"

typedef enum tn_cli_type {
  TN_CLI_FLAG,       /* bool */
  TN_CLI_COUNT,      /* int64_t, one more each time */
  TN_CLI_TEXT,       /* const char * */
  TN_CLI_CHOICE,     /* const char *, one of choices */
  TN_CLI_INTEGER,    /* int64_t, 0 or more */
  TN_CLI_SIZE,       /* int64_t bytes */
  TN_CLI_DURATION,   /* int64_t milliseconds */
  TN_CLI_LIST,       /* tn_cli_texts, separated by commas; "a ""quoted"" one" may have commas */
  TN_CLI_ORDER,      /* tn_cli_order, the same with a - before those that descend */
  TN_CLI_AGAIN,      /* tn_cli_again, may be given again and again */
  TN_CLI_SETTINGS    /* tn_cli_settings, KEY=VALUE, may be given again and again */
} tn_cli_type;

typedef struct tn_cli_texts {
  const char **items;
  size_t count;
} tn_cli_texts;

typedef struct tn_cli_order {
  tenon_order *items;
  size_t count;
} tn_cli_order;

enum { TN_CLI_MAX_SETTINGS = 64, TN_CLI_MAX_AGAIN = 256, TN_CLI_MAX_TEXT = 64 * 1024 };

typedef struct tn_cli_again {
  const char *items[TN_CLI_MAX_AGAIN];
  size_t count;
} tn_cli_again;

typedef struct tn_cli_settings {
  tenon_setting items[TN_CLI_MAX_SETTINGS];
  size_t count;
} tn_cli_settings;

typedef struct tn_cli_option {
  tn_cli_type type;
  size_t offset;                 /* into the command's arguments; set by the macros below */
  const char *name;              /* without the dashes */
  char letter;                   /* 0: none */
  const char *value;             /* what help calls the value: N, FILE */
  const char *const *choices;    /* NULL-terminated */
  const char *help;
} tn_cli_option;

#define TN_CLI_ROW(T, m, option_type, c_type) \
  .type = (option_type), .offset = offsetof(T, m) + 0 * sizeof(_Generic(((T *)0)->m, c_type: 1))
#define TN_FLAG(T, m) TN_CLI_ROW(T, m, TN_CLI_FLAG, bool)
#define TN_COUNT(T, m) TN_CLI_ROW(T, m, TN_CLI_COUNT, int64_t)
#define TN_TEXT(T, m) TN_CLI_ROW(T, m, TN_CLI_TEXT, const char *)
#define TN_CHOICE(T, m) TN_CLI_ROW(T, m, TN_CLI_CHOICE, const char *)
#define TN_NUMBER(T, m) TN_CLI_ROW(T, m, TN_CLI_INTEGER, int64_t)
#define TN_BYTES(T, m) TN_CLI_ROW(T, m, TN_CLI_SIZE, int64_t)
#define TN_TIME(T, m) TN_CLI_ROW(T, m, TN_CLI_DURATION, int64_t)
#define TN_WORDS(T, m) TN_CLI_ROW(T, m, TN_CLI_LIST, tn_cli_texts)
#define TN_ORDER(T, m) TN_CLI_ROW(T, m, TN_CLI_ORDER, tn_cli_order)
#define TN_AGAIN(T, m) TN_CLI_ROW(T, m, TN_CLI_AGAIN, tn_cli_again)
#define TN_SETTINGS(T, m) TN_CLI_ROW(T, m, TN_CLI_SETTINGS, tn_cli_settings)

/* What every command's arguments begin with. Numbers that were not given are -1. */
typedef struct tn_cli_common {
  const char *operands[2];
  size_t operand_count;
  bool help, json, quiet;
  int64_t verbose, timeout_ms;
  const char *progress, *connectors, *egress, *egress_allow;
  int64_t memory;              /* these two are options of some commands only */
  tn_cli_settings settings;
} tn_cli_common;

typedef struct tn_cli tn_cli;

typedef struct tn_cli_command {
  const char *name;
  const char *operands[2];       /* TARGET, or FROM and TO; NULL: none */
  size_t operands_required;
  const char *summary;           /* one line, for the list of commands */
  const char *about;             /* paragraphs, separated by an empty line; wrapped when shown */
  const char *const *examples;   /* pairs: a command line and what it does; NULL-terminated */
  const tn_cli_option *options;  /* beside the common ones */
  size_t option_count;
  size_t size;                   /* of the arguments, a struct that starts with tn_cli_common */
  bool is_hidden;                /* not in the list of commands */
  /* What it was doing, for "tenon: cannot …": a verb. The target follows, redacted. */
  const char *verb;
  const char *between;           /* what stands before the second operand then; NULL: " to "; "": it is not shown */
  tenon_status (*run)(tn_cli *, const void *arguments, tenon_error *err);
} tn_cli_command;

#define TN_CLI_OPTIONS(array) .options = (array), .option_count = sizeof(array) / sizeof((array)[0])

extern const tn_cli_command tn_cli_kinds, tn_cli_test, tn_cli_ls, tn_cli_stat, tn_cli_get, tn_cli_put, tn_cli_rm, tn_cli_presign,
    tn_cli_describe, tn_cli_read, tn_cli_copy,
    tn_cli_help, tn_cli_completion, tn_cli_vectors, tn_cli_chat, tn_cli_embed, tn_cli_actions, tn_cli_call,
    tn_cli_authorize, tn_cli_grant, tn_cli_send;

/* The commands in the order of the list; NULL behind the last. */
extern const tn_cli_command *const tn_cli_commands[];
const tn_cli_command *tn_cli_command_find(const char *name);   /* NULL: none */
const char *tn_cli_command_nearest(const char *name);          /* NULL: none is near */

/* The i-th option of a command, its own first, then the common ones; NULL behind the last. */
const tn_cli_option *tn_cli_option_at(const tn_cli_command *, size_t i);

/* Was it on the command line? Of a flag or value: is it another than where it was not. */
bool tn_cli_is_given(const tn_cli_option *, const void *arguments);

/* Fills the arguments (zeroed, command->size bytes) from the words behind the command's name. Texts
 * are borrowed from the words or kept in the arena. */
tenon_status tn_cli_parse(const tn_cli_command *, int word_count, char **words, tn_arena *, void *arguments,
                          tenon_error *err);

/* "tenon read TARGET [options]" */
void tn_cli_usage(const tn_cli_command *, char *text, size_t room);
void tn_cli_add_help(const tn_cli_command *, int width, tn_str *out);
void tn_cli_add_topic(const char *text, int width, tn_str *out);
void tn_cli_add_overview(int width, tn_str *out);

#endif
