/* SPDX-License-Identifier: Apache-2.0 */
/* CRC-32C (Castagnoli), as S3's x-amz-checksum-crc32c has it. Source: RFC 3720, appendix B.4. */
#ifndef TN_PROVIDERS_S3_CRC32C_H
#define TN_PROVIDERS_S3_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Goes on from the sum of what came before; that of nothing is 0. */
uint32_t tn_crc32c(uint32_t before, const void *data, size_t size);

#endif
