/* SPDX-License-Identifier: Apache-2.0 */
#include "net/digest.h"

#include <pthread.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/library.h"
#include "base/mem.h"

enum { BLOCK = 64 };

/* ---- The library ---- */

static struct {
  __typeof__(&EVP_MD_CTX_new) new_state;
  __typeof__(&EVP_MD_CTX_free) free_state;
  __typeof__(&EVP_DigestInit_ex) begin;
  __typeof__(&EVP_DigestUpdate) add;
  __typeof__(&EVP_DigestFinal_ex) end;
  __typeof__(&EVP_sha256) sha256;
} crypto;

static const char *const symbols[] = {"EVP_MD_CTX_new",   "EVP_MD_CTX_free",    "EVP_DigestInit_ex",
                                      "EVP_DigestUpdate", "EVP_DigestFinal_ex", "EVP_sha256"};
enum { SYMBOLS = sizeof symbols / sizeof symbols[0] };
_Static_assert(sizeof crypto == SYMBOLS * sizeof(void *), "one slot a function");

static tenon_status open_crypto(tenon_error *err) {
  static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  static bool done;
  static const char *const names[] = {"libcrypto.so.3", "libcrypto.so.1.1", NULL};
  void *slots[SYMBOLS];
  tenon_status status = TENON_OK;
  pthread_mutex_lock(&lock);
  if (!done) {
    status = tn_library_open(names, symbols, slots, SYMBOLS,
                             "install OpenSSL (Debian: apt-get install libssl3)", err);
    if (!status) memcpy(&crypto, slots, sizeof crypto);
    done = status == TENON_OK;
  }
  pthread_mutex_unlock(&lock);
  return status;
}

/* ---- Digests ---- */

static void begin(tn_sha256 *s) { s->failed = !crypto.begin(s->state, crypto.sha256(), NULL); }

tenon_status tn_sha256_init(tn_sha256 *ret, tenon_error *err) {
  tenon_status status = open_crypto(err);
  if (status) return status;
  tn_sha256 s = {.state = crypto.new_state()};
  if (!s.state)
    return tenon_fail(err, TENON_LIMITED, TENON_STAGE_NONE, "give the process more memory",
                      "out of memory");
  begin(&s);
  *ret = s;
  return TENON_OK;
}

void tn_sha256_release(tn_sha256 *s) {
  if (s->state) crypto.free_state(s->state);
  *s = (tn_sha256){0};
}

void tn_sha256_add(tn_sha256 *s, const void *data, size_t size) {
  if (!crypto.add(s->state, data, size)) s->failed = true;
}

tenon_status tn_sha256_end(tn_sha256 *s, unsigned char ret[TN_SHA256_SIZE], tenon_error *err) {
  unsigned char digest[TN_SHA256_SIZE];
  bool failed = s->failed || !crypto.end(s->state, digest, NULL);
  begin(s);
  if (failed)
    return tenon_fail(err, TENON_INTERNAL, TENON_STAGE_NONE,
                      "check that this machine's OpenSSL allows SHA-256",
                      "libcrypto makes no SHA-256 digest");
  memcpy(ret, digest, sizeof digest);
  return TENON_OK;
}

tenon_status tn_sha256_of(tn_sha256 *s, const void *data, size_t size,
                          unsigned char ret[TN_SHA256_SIZE], tenon_error *err) {
  tn_sha256_add(s, data, size);
  return tn_sha256_end(s, ret, err);
}

/* RFC 2104. libcrypto's own costs a look-up of the algorithm each time, more than two short digests. */
tenon_status tn_hmac_sha256(tn_sha256 *s, const void *key, size_t key_size, const void *data,
                            size_t size, unsigned char ret[TN_SHA256_SIZE], tenon_error *err) {
  unsigned char pad[BLOCK] = {0}, inner[TN_SHA256_SIZE];
  tenon_status status = TENON_OK;
  if (key_size > BLOCK) status = tn_sha256_of(s, key, key_size, pad, err);
  else if (key_size) memcpy(pad, key, key_size);
  for (int i = 0; i < BLOCK; i++) pad[i] ^= 0x36;
  tn_sha256_add(s, pad, sizeof pad);
  if (!status) status = tn_sha256_of(s, data, size, inner, err);
  for (int i = 0; i < BLOCK; i++) pad[i] ^= 0x36 ^ 0x5C;
  tn_sha256_add(s, pad, sizeof pad);
  tn_wipe(pad, sizeof pad);
  return status ? status : tn_sha256_of(s, inner, sizeof inner, ret, err);
}

void tn_hex(const unsigned char *data, size_t size, char *ret) {
  static const char digits[] = "0123456789abcdef";
  for (size_t i = 0; i < size; i++) {
    ret[2 * i] = digits[data[i] >> 4];
    ret[2 * i + 1] = digits[data[i] & 15];
  }
  ret[2 * size] = 0;
}
