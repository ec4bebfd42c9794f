/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of a collection as lines of JSON, such as vector_lines.h reads. */
#ifndef TN_CLI_VECTOR_OUTPUT_H
#define TN_CLI_VECTOR_OUTPUT_H

#include "cli/rows.h"

/* To stdout, or (path) to a file that appears whole or not at all. */
tenon_status tn_cli_write_lines(tn_cli_rows *, const char *path, tenon_error *err);

/* A value of metadata: JSON already; what a damaged file has instead becomes a string. */
tenon_status tn_cli_put_metadata(tn_cli_rows *, size_t column, tn_document *, tenon_error *err);

#endif
