/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Row groups that cannot have a row for a condition, by the statistics in the footer: their chunks need not travel.
 * Bounds are taken for what they are: nothing lies outside of them, and whether anything lies at them nobody says. Of
 * deprecated fields, orders other than the type's own, floats (whose NaN no bounds show) and what is malformed nothing is concluded.
 * Source: Apache Parquet's parquet.thrift, Statistics and ColumnOrder.
 */
#ifndef TN_FORMATS_PARQUET_SKIP_H
#define TN_FORMATS_PARQUET_SKIP_H

#include "formats/parquet_types.h"

/* Clears groups[g] for each group in which no row meets the filter, whose values are of the column's type. */
void tn_parquet_skip(const tn_parquet_footer *, const tn_parquet_types *, int64_t column, const tenon_filter *, bool *groups);

/* Columns with bounds that contradict each other are no longer plain: the engine, too, would believe them. */
void tn_parquet_doubt(const tn_parquet_footer *, const struct ArrowSchema *file, tn_parquet_column *columns);

#endif
