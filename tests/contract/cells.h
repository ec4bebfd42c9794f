/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values of batches one by one, compared plainly by the words of tenon/value.h: the oracle that
 * kinds, and the core's own filters, are held against. Shares no code with them.
 */
#ifndef TESTS_CONTRACT_CELLS_H
#define TESTS_CONTRACT_CELLS_H

#include <stdbool.h>

#include "base/mem.h"
#include "tenon/provider.h"

typedef enum cell_kind { CELL_NONE = 0, CELL_WHOLE, CELL_REAL, CELL_DATA } cell_kind;

/* kind is the column's, also where the value is NULL. CELL_NONE: values of this type have no order.
 * 256-bit numbers are CELL_DATA, in bytes that compare as the numbers do. */
typedef struct cell {
  cell_kind kind;
  bool is_null;
  __int128 whole;
  double real;
  const char *data;     /* into the batch, or the arena */
  size_t size;
} cell;

cell cell_at(const struct ArrowSchema *column, const struct ArrowArray *, int64_t i, tn_arena *);
/* -1, 0, 1; neither is NULL. */
int cell_compare(const cell *, const cell *);
bool cell_holds(const cell *, tenon_filter_op, const cell *literals, size_t count);
/* The same value as a literal, and a literal of the column's type as a cell. */
tenon_value value_of_cell(const struct ArrowSchema *column, const cell *, tn_arena *);
cell cell_of_value(const struct ArrowSchema *column, const tenon_value *, tn_arena *);
bool is_text_or_binary(const struct ArrowSchema *column);

/* Rows of many batches, in order: what a stream gave, kept. */
typedef struct kept_rows {
  struct ArrowSchema schema;
  struct ArrowArray *batches;
  size_t batch_count;
  int64_t row_count;
  struct { size_t batch; int64_t row; } *rows;
} kept_rows;

/* Reads all of the stream, checking every batch, and releases it. On failure (with *err) nothing is kept. */
tenon_status keep_rows(struct ArrowArrayStream *, kept_rows *ret, tenon_error *err);
void kept_release(kept_rows *);
/* Row i as a line of JSON values, of the columns given (NULL: all). The caller frees. */
char *kept_line(const kept_rows *, int64_t i, const int64_t *columns, int64_t count);
cell kept_cell(const kept_rows *, int64_t row, int64_t column, tn_arena *);
int64_t kept_column(const kept_rows *, const char *name);   /* -1: none */

#endif
