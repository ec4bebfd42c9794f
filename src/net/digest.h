/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 and HMAC-SHA-256, by OpenSSL's libcrypto, which is opened when the first is made. */
#ifndef TN_NET_DIGEST_H
#define TN_NET_DIGEST_H

#include "tenon/provider.h"

enum { TN_SHA256_SIZE = 32, TN_SHA256_HEX = 2 * TN_SHA256_SIZE };

/* A digest piece by piece. It can be used again after each end. */
typedef struct tn_sha256 {
  void *state;
  bool failed;
} tn_sha256;

/* UNSUPPORTED without libcrypto. */
tenon_status tn_sha256_init(tn_sha256 *ret, tenon_error *err);
void tn_sha256_release(tn_sha256 *);   /* zeroed memory is fine */
void tn_sha256_add(tn_sha256 *, const void *data, size_t size);
/* What was added since init or the last end; tells, too, if an add failed. */
tenon_status tn_sha256_end(tn_sha256 *, unsigned char ret[TN_SHA256_SIZE], tenon_error *err);

/* All at once, in a state that was made before. */
tenon_status tn_sha256_of(tn_sha256 *, const void *data, size_t size,
                          unsigned char ret[TN_SHA256_SIZE], tenon_error *err);
tenon_status tn_hmac_sha256(tn_sha256 *, const void *key, size_t key_size, const void *data,
                            size_t size, unsigned char ret[TN_SHA256_SIZE], tenon_error *err);

/* Lower-case hexadecimal digits and a NUL. */
void tn_hex(const unsigned char *data, size_t size, char *ret);

#endif
