/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A table for people: columns as wide as their values, and all of it as wide as the terminal. Cells
 * hold what may be shown (text.h); long ones are cut with "…".
 */
#ifndef TN_CLI_TABLE_H
#define TN_CLI_TABLE_H

#include <stdbool.h>
#include <stdio.h>

#include "tenon/provider.h"

typedef enum tn_cell_style {
  TN_CELL_PLAIN,
  TN_CELL_NULL,
  TN_CELL_GOOD,
  TN_CELL_BAD,
  TN_CELL_WARN,
  TN_CELL_FAINT
} tn_cell_style;

typedef struct tn_cli_table tn_cli_table;

/* width 0: as wide as it gets. */
tenon_status tn_cli_table_new(size_t columns, FILE *out, int width, bool color, tn_cli_table **ret,
                              tenon_error *err);
void tn_cli_table_free(tn_cli_table *);
void tn_cli_table_column(tn_cli_table *, size_t i, const char *title, bool align_right);
/* Cells come row by row, from left to right. data NULL is a NULL. */
tenon_status tn_cli_table_cell(tn_cli_table *, const char *data, size_t size, tn_cell_style,
                               tenon_error *err);
tenon_status tn_cli_table_text(tn_cli_table *, const char *text, tn_cell_style, tenon_error *err);
/* Prints what has not been printed yet, and the heads first. Long tables are printed in parts by themselves. */
void tn_cli_table_flush(tn_cli_table *);
/* Columns for which there was no room, and the first of them; after a flush. */
size_t tn_cli_table_hidden(const tn_cli_table *);

#endif
