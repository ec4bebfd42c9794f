/* SPDX-License-Identifier: Apache-2.0 */
/* The pages of a chunk: do they lie where the footer says that the chunk is? */
#ifndef TN_FORMATS_PARQUET_PAGES_H
#define TN_FORMATS_PARQUET_PAGES_H

#include "formats/parquet_footer.h"

/* Walks the pages of one chunk of the file at fd until all its values were seen. DATA: one leaves the chunk. */
tenon_status tn_parquet_pages_check(tenon_ctx *, int fd, const tn_parquet_footer *, size_t chunk, const char *name, tenon_error *err);

#endif
