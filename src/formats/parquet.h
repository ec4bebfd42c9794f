/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the Parquet format share. */
#ifndef TN_FORMATS_PARQUET_H
#define TN_FORMATS_PARQUET_H

#include "formats/format.h"

tenon_status tn_parquet_writer(tenon_ctx *, int fd, const struct ArrowSchema *, const tn_format_options *, tn_writer *ret,
                               tenon_error *);
tenon_status tn_parquet_schema(tenon_ctx *, const tn_input *, const tn_format_options *, struct ArrowSchema *ret, int64_t *ret_rows,
                               tenon_error *);
tenon_status tn_parquet_read(tenon_ctx *, const tn_input *, const tn_format_options *, const struct ArrowSchema *expected,
                             const tenon_read *, tenon_rows *ret, tenon_error *);

#endif
