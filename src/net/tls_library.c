/* SPDX-License-Identifier: Apache-2.0 */
#include "net/tls_library.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/library.h"

tn_tls_functions tn_tls;
BIO_METHOD *tn_tls_bio;

static const char *const symbols[] = {
#define NAME(name) #name,
    TN_TLS_FUNCTIONS(NAME)
#undef NAME
};
enum { SYMBOLS = sizeof symbols / sizeof symbols[0] };
_Static_assert(sizeof tn_tls == SYMBOLS * sizeof(void *), "one slot a function");

/* ---- OpenSSL's way to a socket of ours: its own would raise SIGPIPE ---- */

static int socket_of(BIO *b) { return (int)(intptr_t)tn_tls.BIO_get_data(b); }

static int bio_result(BIO *b, ssize_t n, int again) {
  tn_tls.BIO_clear_flags(b, BIO_FLAGS_RWS | BIO_FLAGS_SHOULD_RETRY);
  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    tn_tls.BIO_set_flags(b, again | BIO_FLAGS_SHOULD_RETRY);
  return (int)n;
}

static int bio_read(BIO *b, char *to, int size) {
  return bio_result(b, recv(socket_of(b), to, (size_t)size, 0), BIO_FLAGS_READ);
}

static int bio_write(BIO *b, const char *from, int size) {
  return bio_result(b, send(socket_of(b), from, (size_t)size, MSG_NOSIGNAL), BIO_FLAGS_WRITE);
}

static long bio_ctrl(BIO *b, int what, long number, void *pointer) {
  (void)b, (void)number, (void)pointer;
  return what == BIO_CTRL_FLUSH;
}

static tenon_status make_bio(tenon_error *err) {
  int type = tn_tls.BIO_get_new_index() | BIO_TYPE_SOURCE_SINK | BIO_TYPE_DESCRIPTOR;
  BIO_METHOD *m = tn_tls.BIO_meth_new(type, "socket");
  if (!m || !tn_tls.BIO_meth_set_read(m, bio_read) || !tn_tls.BIO_meth_set_write(m, bio_write) ||
      !tn_tls.BIO_meth_set_ctrl(m, bio_ctrl))
    return tn_no_memory(err);
  tn_tls_bio = m;
  return TENON_OK;
}

/* ---- Opening ---- */

tenon_status tn_tls_open(tenon_error *err) {
  static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  static bool done;
  static const char *const names[] = {"libssl.so.3", NULL};
  void *slots[SYMBOLS];
  tenon_status status = TENON_OK;
  pthread_mutex_lock(&lock);
  if (!done) {
    status = tn_library_open(names, symbols, slots, SYMBOLS,
                             "install OpenSSL 3 (Debian: apt-get install libssl3)", err);
    if (!status) {
      memcpy(&tn_tls, slots, sizeof tn_tls);
      status = make_bio(err);
    }
    done = status == TENON_OK;
  }
  pthread_mutex_unlock(&lock);
  return status;
}
