/* SPDX-License-Identifier: Apache-2.0 */
/* Vectors and ids on the command line: there, in files (@FILE), or on stdin (-). */
#ifndef TN_CLI_VECTOR_INPUT_H
#define TN_CLI_VECTOR_INPUT_H

#include "cli/cli.h"

/* Vectors of one dimension, one behind the other. */
typedef struct tn_cli_numbers {
  float *items;
  size_t used, room;         /* numbers */
  size_t dimension, count;   /* of vectors */
} tn_cli_numbers;

/* Each word is "[1, 2]" or "1,2"; or a file of such, each in brackets or on a line of its own. */
tenon_status tn_cli_take_vectors(const tn_cli *, const tn_cli_again *words, tn_cli_numbers *ret,
                                 tenon_error *err);
void tn_cli_numbers_release(tn_cli_numbers *);

typedef struct tn_cli_ids {
  tn_str texts;              /* one behind the other, each with a NUL */
  const char **items;
  size_t count;
} tn_cli_ids;

/* Each word is an id; or a file of them, one a line. */
tenon_status tn_cli_take_ids(const tn_cli *, const tn_cli_again *words, tn_cli_ids *ret,
                             tenon_error *err);
void tn_cli_ids_release(tn_cli_ids *);

#endif
