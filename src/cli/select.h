/* SPDX-License-Identifier: Apache-2.0 */
/* The options that say what of a target is read: the same for `read` and `copy`. */
#ifndef TN_CLI_SELECT_H
#define TN_CLI_SELECT_H

#include "cli/cli.h"

typedef struct tn_cli_select {
  const char *query;
  tn_cli_again where;
  tn_cli_texts columns;
  tn_cli_order order;
  int64_t limit;                 /* -1: none */
  const char *special_values, *numeric_as;
} tn_cli_select;

extern const char *const tn_cli_special_choices[];

/* Rows of an option table; the arguments T have a tn_cli_select as their member m. */
#define TN_CLI_SELECT_OPTIONS(T, m) \
  {TN_TEXT(T, m.query), .name = "query", .value = "SQL", \
   .help = "instead of a table: a query in the system's own language, read-only"}, \
  {TN_WORDS(T, m.columns), .name = "columns", .letter = 'c', .value = "A,B", \
   .help = "these columns, in this order"}, \
  {TN_AGAIN(T, m.where), .name = "where", .letter = 'w', .value = "COND", \
   .help = "rows for which this holds: 'a >= 3 and b is null', with = <> < <= > >= in between " \
           "like is and; again for more"}, \
  {TN_NUMBER(T, m.limit), .name = "limit", .letter = 'n', .value = "N", \
   .help = "at most so many rows"}, \
  {TN_ORDER(T, m.order), .name = "order", .value = "A,-B", \
   .help = "sorted by A, then by B from the greatest down; NULLs last"}, \
  {TN_CHOICE(T, m.special_values), .name = "special-values", .value = "HOW", \
   .choices = tn_cli_special_choices, \
   .help = "values that the exact type cannot hold, such as infinity: an error that names them, " \
           "their text, or NULL"}, \
  {TN_TEXT(T, m.numeric_as), .name = "numeric-as", .value = "TYPE", \
   .help = "numbers without a declared scale: decimal(38,10), float64; without this they are text"}

/* Options of every command that has a target. The arguments begin with a tn_cli_common, as all do. */
#define TN_CLI_TARGET_OPTIONS \
  {TN_SETTINGS(tn_cli_common, settings), .name = "set", .value = "KEY=VALUE", \
   .help = "a parameter of the target, over what its URL or tenon.yaml says; again for more. A " \
           "secret as $ENV:NAME or $FILE:PATH: the machine's other users can see what stands here"}

/* A size that bounds buffers and the engine. */
#define TN_CLI_MEMORY_OPTION \
  {TN_BYTES(tn_cli_common, memory), .name = "mem", .value = "SIZE", \
   .help = "bounds buffers and the engine's memory: 64M, 1G; 1M or more, of which a sort or a " \
           "Parquet file takes 32M at least"}

/* The read that they ask for. Borrows from the options and the run's arena. */
tenon_status tn_cli_select_read(tn_cli *, const tn_cli_select *, tenon_read *ret, tenon_error *err);

#endif
