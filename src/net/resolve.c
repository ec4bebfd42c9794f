/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system's look-up blocks for as long as it likes and cannot be cancelled. So each runs on a
 * thread of its own, and who asked waits for it only as long as its context allows; a thread whose
 * asker went away frees what both held.
 */
#include "net/resolve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stddef.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/ctx.h"
#include "base/egress.h"
#include "base/error.h"
#include "base/mem.h"

enum { MAX_LOOKUPS = 64, MAX_HOST = 255 };

typedef struct lookup {
  atomic_int refs;           /* the asker and the thread */
  int done_fd;               /* eventfd */
  char host[MAX_HOST + 1];
  int code;                  /* of getaddrinfo; written before done_fd */
  int code_errno;
  struct addrinfo *found;
} lookup;

static atomic_int lookups_under_way;

/* ---- Addresses ---- */

static tenon_address address_of(const struct sockaddr *sa, size_t size, uint16_t port) {
  tenon_address a = {.sa_size = (uint32_t)size};
  struct sockaddr_storage s = {0};
  memcpy(&s, sa, size);
  if (s.ss_family == AF_INET) {
    struct sockaddr_in *in = (struct sockaddr_in *)&s;
    in->sin_port = htons(port);
    inet_ntop(AF_INET, &in->sin_addr, a.text, sizeof a.text);
  } else {
    struct sockaddr_in6 *in = (struct sockaddr_in6 *)&s;
    in->sin6_port = htons(port);
    inet_ntop(AF_INET6, &in->sin6_addr, a.text, sizeof a.text);
  }
  memcpy(a.sa.bytes, &s, size);
  return a;
}

/* @name is a socket in no folder: its name starts with a NUL. */
static tenon_status unix_address(const char *path, tenon_address *ret, tenon_error *err) {
  struct sockaddr_un un = {.sun_family = AF_UNIX};
  size_t n = strlen(path);
  if (n >= sizeof un.sun_path || n >= sizeof ret->text)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_DNS, "move the socket to a shorter path",
                      "the socket's path has %zu bytes, more than %zu", n, sizeof un.sun_path - 1);
  tenon_address a = {.sa_size = sizeof un};
  memcpy(un.sun_path, path, n + 1);
  if (path[0] == '@') {
    un.sun_path[0] = 0;
    a.sa_size = (uint32_t)(offsetof(struct sockaddr_un, sun_path) + n);
  }
  memcpy(a.sa.bytes, &un, sizeof un);
  memcpy(a.text, path, n + 1);
  *ret = a;
  return TENON_OK;
}

/* Those of a look-up that may be connected to, each once. name NULL: it was an address. */
static tenon_status take_addresses(tenon_ctx *ctx, const char *name, const struct addrinfo *found,
                                   uint16_t port, tenon_address *ret, size_t room,
                                   size_t *ret_count, tenon_error *err) {
  tenon_error refusal = TENON_ERROR_INIT;
  size_t n = 0;
  for (const struct addrinfo *at = found; at && n < room; at = at->ai_next) {
    if (at->ai_family != AF_INET && at->ai_family != AF_INET6) continue;
    tenon_address a = address_of(at->ai_addr, at->ai_addrlen, port);
    bool again = false;
    for (size_t i = 0; i < n && !again; i++) again = memcmp(&ret[i].sa, &a.sa, sizeof a.sa) == 0;
    if (!again && tn_egress_admit(ctx, name, &a, &refusal) == TENON_OK) ret[n++] = a;
  }
  if (n == 0 && refusal.code) {
    if (err && !err->code) *err = refusal;
    return refusal.code;
  }
  if (n == 0) return tenon_fail(err, TENON_UNREACHABLE, TENON_STAGE_DNS, NULL,
                                "the name has no address that can be connected to");
  *ret_count = n;
  return TENON_OK;
}

/* ---- Failures ---- */

static tenon_status name_failed(const char *host, int code, int errnum, tenon_error *err) {
  const char *const spelling =
      "check the spelling of the host, and that this machine can look names up";
  switch (code) {
    case EAI_NONAME:
#ifdef EAI_NODATA
    case EAI_NODATA:
#endif
      tenon_fail(err, TENON_UNREACHABLE, TENON_STAGE_DNS, spelling, "no host is called %s", host);
      if (err) err->retryable = 0;
      return TENON_UNREACHABLE;
    case EAI_AGAIN:
      return tenon_fail(err, TENON_UNREACHABLE, TENON_STAGE_DNS,
                        "check that this machine reaches its name server",
                        "looking up %s: the name server does not answer", host);
    case EAI_MEMORY: return tn_no_memory(err);
    case EAI_SYSTEM:
      return tn_fail_errno(err, errnum, TENON_STAGE_DNS, spelling, "looking up %s", host);
    default: return tenon_fail(err, TENON_UNREACHABLE, TENON_STAGE_DNS, spelling,
                               "looking up %s: %s", host, gai_strerror(code));
  }
}

/* ---- A look-up and its thread ---- */

static void lookup_unref(lookup *l) {
  if (atomic_fetch_sub(&l->refs, 1) != 1) return;
  if (l->found) freeaddrinfo(l->found);
  close(l->done_fd);
  tn_free(l);
}

static void *look_up(void *arg) {
  lookup *l = arg;
  const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM,
                                 .ai_flags = AI_ADDRCONFIG};
  l->code = getaddrinfo(l->host, NULL, &hints, &l->found);
  l->code_errno = errno;
  uint64_t one = 1;
  if (write(l->done_fd, &one, sizeof one) < 0) { /* an eventfd that holds nothing has room */
  }
  atomic_fetch_sub(&lookups_under_way, 1);
  lookup_unref(l);
  return NULL;
}

static tenon_status lookup_new(const char *host, lookup **ret, tenon_error *err) {
  lookup *l = tn_alloc(sizeof *l);
  if (!l) return tn_no_memory(err);
  l->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (l->done_fd < 0) {
    tn_free(l);
    return tn_fail_errno(err, errno, TENON_STAGE_DNS, "raise the limit on open files (ulimit -n)",
                         "eventfd");
  }
  atomic_init(&l->refs, 2);
  snprintf(l->host, sizeof l->host, "%s", host);
  *ret = l;
  return TENON_OK;
}

static bool start_thread(lookup *l) {
  if (atomic_fetch_add(&lookups_under_way, 1) < MAX_LOOKUPS) {
    pthread_attr_t attr;
    pthread_t thread;
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, 256 * 1024);
    bool started = pthread_create(&thread, &attr, look_up, l) == 0;
    pthread_attr_destroy(&attr);
    if (started) return true;
  }
  atomic_fetch_sub(&lookups_under_way, 1);
  lookup_unref(l); /* the thread's share */
  return false;
}

static tenon_status await(tenon_ctx *ctx, lookup *l, tenon_error *err) {
  struct pollfd done = {.fd = l->done_fd, .events = POLLIN};
  tenon_error why = TENON_ERROR_INIT;
  while (!done.revents) {
    tenon_status status = tn_ctx_wait(ctx, &done, 1, -1, &why);
    if (status == TENON_TIMEOUT)
      return tenon_fail(err, TENON_TIMEOUT, TENON_STAGE_DNS,
                        "check that this machine reaches its name server",
                        "looking up %s took too long", l->host);
    if (status) {
      if (err && !err->code) *err = why;
      return status;
    }
  }
  /* poll alone says nothing about the memory behind the wake-up; taking the count does. */
  uint64_t woken;
  if (read(l->done_fd, &woken, sizeof woken) < 0)
    return tn_fail_errno(err, errno, TENON_STAGE_DNS, "", "eventfd");
  return l->code ? name_failed(l->host, l->code, l->code_errno, err) : TENON_OK;
}

static tenon_status resolve_name(tenon_ctx *ctx, const char *host, uint16_t port,
                                 tenon_address *ret, size_t room,
                                 size_t *ret_count, tenon_error *err) {
  lookup *l = NULL;
  tenon_status status = lookup_new(host, &l, err);
  if (status) return status;
  if (!start_thread(l))
    status = tenon_fail(err, TENON_LIMITED, TENON_STAGE_DNS, "try again later",
                        "too many names are being looked up");
  if (!status) status = await(ctx, l, err);
  if (!status) status = take_addresses(ctx, host, l->found, port, ret, room, ret_count, err);
  lookup_unref(l);
  return status;
}

/* ---- All ---- */

/* % is for the zone of an address: fe80::1%eth0. */
static bool is_host_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         strchr("-._:%", c);
}

static tenon_status check_host(const char *host, tenon_error *err) {
  const char *why = !*host ? "is empty" : strlen(host) > MAX_HOST ? "is longer than a name can be"
      : NULL;
  for (const char *c = host; *c && !why; c++)
    if ((unsigned char)*c <= ' ' || *c == 0x7F) why = "has a space or control character";
    else if ((unsigned char)*c > 0x7F) why = "has a letter beyond ASCII";
    else if (!is_host_char(*c)) why = "has a character that is in no name and no address";
  if (!why) return TENON_OK;
  return tenon_fail(err, TENON_CONFIG, TENON_STAGE_DNS,
                    "give the name (of other letters its form xn--…) or the address of a host, alone",
                    "the host %s", why);
}

static tenon_status resolve_path(tenon_ctx *ctx, const char *path, tenon_address *ret,
                                 size_t *ret_count, tenon_error *err) {
  tenon_address a;
  tenon_status status = unix_address(path, &a, err);
  if (!status) status = tn_egress_check(ctx, &a, err);
  if (status) return status;
  *ret = a;
  *ret_count = 1;
  return TENON_OK;
}

tenon_status tn_resolve(tenon_ctx *ctx, const char *host, uint16_t port, tenon_address *ret,
                        size_t room,
                        size_t *ret_count, tenon_error *err) {
  if (host[0] == '/' || host[0] == '@') return resolve_path(ctx, host, ret, ret_count, err);
  tenon_status status = check_host(host, err);
  if (!status) status = tn_egress_check_name(ctx, host, err);
  if (!status) status = tn_ctx_check(ctx, err);
  if (status) return status;
  const struct addrinfo numeric = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_NUMERICHOST};
  struct addrinfo *found = NULL;
  if (getaddrinfo(host, NULL, &numeric, &found) != 0)
    return resolve_name(ctx, host, port, ret, room, ret_count, err);
  status = take_addresses(ctx, NULL, found, port, ret, room, ret_count, err);
  freeaddrinfo(found);
  return status;
}
