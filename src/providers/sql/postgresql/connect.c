/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Logging in with libpq, step by step. Names are looked up by the host and the address handed on,
 * so libpq never blocks. Each of its keys is set: what is left open it would take from the
 * environment, from ~/.pgpass or from a service file.
 */
#include "providers/sql/postgresql/connect.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

enum { MAX_ADDRESSES = 8, MAX_FILE = 1 << 20, TRACE_ROOM = 16 * 1024, MAX_NAME = 128 };

/* A file that is not there, and cannot be: libpq then does without. */
static const char no_file[] = "/dev/null/none";

/* ---- Certificates and keys as files ---- */

static void files_release(tn_pg_files *f) {
  for (size_t i = 0; i < sizeof f->fds / sizeof f->fds[0]; i++)
    if (f->fds[i] >= 0) close(f->fds[i]);
}

static tenon_status write_file(const char *what, tenon_blob blob, int *ret_fd, char *path,
                               size_t room, tenon_error *err) {
  if (blob.size == 0) {
    snprintf(path, room, "%s", no_file);
    return TENON_OK;
  }
  if (blob.size > MAX_FILE || !memmem(blob.data, blob.size, "-----BEGIN ", 11))
    return tenon_fail(
        err, TENON_CONFIG, TENON_STAGE_CONFIG,
        "give the PEM text itself, or its file as $FILE:PATH",
        blob.size > MAX_FILE ? "%s has more than 1 MiB" : "%s is not PEM: it has no -----BEGIN",
        what);
  /* libpq opens the path itself, wants 0600 for keys, and must not find it after us. */
  *ret_fd = memfd_create(what, MFD_CLOEXEC);
  ssize_t written = *ret_fd < 0 ? -1 : write(*ret_fd, blob.data, blob.size);
  if (written != (ssize_t)blob.size || fchmod(*ret_fd, 0600) != 0)
    return tenon_fail(err, TENON_IO, TENON_STAGE_CONFIG, NULL, "%s cannot be handed to libpq: %s",
                      what, strerror(errno));
  snprintf(path, room, "/proc/self/fd/%d", *ret_fd);
  return TENON_OK;
}

/* The authorities that this machine trusts; libpq 15 has no word for them. */
static bool system_root(char *path, size_t room) {
  static const char *const places[] = {"/etc/ssl/certs/ca-certificates.crt",
                                       "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
                                       "/etc/ssl/cert.pem"};
  for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
    if (access(places[i], R_OK) == 0) {
      snprintf(path, room, "%s", places[i]);
      return true;
    }
  return false;
}

static tenon_status files_init(tn_pg_files *f, const tn_pg_config *c, tenon_error *err) {
  *f = (tn_pg_files){.fds = {-1, -1, -1}};
  tenon_status status = write_file("sslrootcert", c->sslrootcert, &f->fds[0], f->root,
                                   sizeof f->root, err);
  if (!status) status = write_file("sslcert", c->sslcert, &f->fds[1], f->cert, sizeof f->cert, err);
  if (!status) status = write_file("sslkey", c->sslkey, &f->fds[2], f->key, sizeof f->key, err);
  if (!status && !c->sslcert.size != !c->sslkey.size)
    status = tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG,
                        "give both: a client certificate is used with its key",
                        c->sslcert.size ? "sslcert is given without sslkey"
                                        : "sslkey is given without sslcert");
  if (status) files_release(f);
  else if (c->sslrootcert.size == 0) f->system_root = system_root(f->root, sizeof f->root);
  return status;
}

/* ---- libpq's keys ---- */

typedef struct keys {
  const char *names[40], *values[40];
  size_t count;
  char port[8], host[2 * sizeof(((tn_pg_endpoint *)0)->host)];
} keys;

static void add_key(keys *k, const char *name, const char *value) {
  k->names[k->count] = name;
  k->values[k->count++] = value;
}

/* libpq takes an empty value for none and looks into the environment: so no value here is empty. */
static const char *or_else(const char *value, const char *otherwise) {
  return value && *value ? value : otherwise;
}

static void add_address(keys *k, const tn_pg_dial *d) {
  const tn_pg_endpoint *e = d->endpoint;
  snprintf(k->port, sizeof k->port, "%u", e->port);
  /* A socket has no hostaddr, and an empty one would be looked for in the environment: only a list
   * of two can be empty and still be a value, so the socket is named twice. */
  if (e->local) snprintf(k->host, sizeof k->host, "%s,%s", e->host, e->host);
  add_key(k, "host", e->local ? k->host : e->host);
  add_key(k, "hostaddr", e->local ? "," : d->address->text);
  add_key(k, "port", k->port);
}

static void add_tls(keys *k, const tn_pg_dial *d) {
  const tn_pg_config *c = d->config;
  /* libpq checks the chain whenever there is a root file, whatever the mode: none where it is not
   * asked. */
  bool root = c->sslrootcert.size || strncmp(d->sslmode, "verify", 6) == 0;
  add_key(k, "sslmode", d->sslmode);
  add_key(k, "sslrootcert", root ? d->files->root : no_file);
  add_key(k, "sslcert", d->files->cert);
  add_key(k, "sslkey", d->files->key);
  add_key(k, "sslpassword", or_else(c->sslpassword, NULL));
  add_key(k, "sslcrl", no_file);
  add_key(k, "sslcrldir", no_file);
  add_key(k, "sslcompression", "0");
  add_key(k, "sslsni", "1");
  add_key(k, "ssl_min_protocol_version", "TLSv1.2");
  add_key(k, "ssl_max_protocol_version", "TLSv1.3");
  add_key(k, "channel_binding", or_else(c->channel_binding, "prefer"));
}

static void keys_init(keys *k, const tn_pg_dial *d) {
  const tn_pg_config *c = d->config;
  *k = (keys){0};
  add_address(k, d);
  add_tls(k, d);
  add_key(k, "user", d->username);
  /* Not a password: what is sent when the server asks for one and none is given. */
  add_key(k, "password", or_else(c->password, "-"));
  add_key(k, "passfile", "/dev/null");
  add_key(k, "dbname", d->database);
  add_key(k, "connect_timeout", "0");
  add_key(k, "client_encoding", "UTF8");
  add_key(k, "options", d->plain_options ? NULL : or_else(c->options, " "));
  add_key(k, "application_name", or_else(c->application_name, "tenon"));
  add_key(k, "keepalives", "1");
  add_key(k, "gssencmode", "disable");
  add_key(k, "krbsrvname", "postgres");
  add_key(k, "target_session_attrs", "any");   /* session_is checks it, and says what it found */
}

/* ---- The key for cancelling, which libpq keeps to itself but traces ---- */

typedef struct tracer {
  char *text;
  FILE *file;
} tracer;

static void tracer_start(tracer *t, PGconn *conn) {
  t->text = tn_alloc(TRACE_ROOM);
  t->file = t->text ? fmemopen(t->text, TRACE_ROOM, "w") : NULL;
  if (!t->file) return;
  setvbuf(t->file, NULL, _IONBF, 0);   /* what is traced stands nowhere but in our memory */
  tn_pq.PQtrace(conn, t->file);
  tn_pq.PQsetTraceFlags(conn, PQTRACE_SUPPRESS_TIMESTAMPS);
}

static tn_pg_cancel_key tracer_finish(tracer *t, PGconn *conn) {
  tn_pg_cancel_key key = {0};
  if (t->file) {
    tn_pq.PQuntrace(conn);
    fclose(t->file);
    t->text[TRACE_ROOM - 1] = 0;
    const char *line = strstr(t->text, "BackendKeyData");
    int pid, secret;
    /* the process id is known otherwise too: a key is taken only from a line that has it right */
    if (line && sscanf(line, "BackendKeyData %d %d", &pid, &secret) == 2 &&
        pid == tn_pq.PQbackendPID(conn))
      key = (tn_pg_cancel_key){.known = true, .pid = (uint32_t)pid, .secret = (uint32_t)secret};
    tn_wipe(t->text, TRACE_ROOM);
  }
  tn_free(t->text);
  return key;
}

static void ignore_notice(void *arg, const PGresult *notice) {
  (void)arg;
  (void)notice;
}

/* ---- One address ---- */

static tenon_stage stage_of(ConnStatusType status) {
  switch (status) {
    case CONNECTION_NEEDED: case CONNECTION_STARTED: return TENON_STAGE_TCP;
    /* connected, and not yet decided whether the first message asks for TLS */
    case CONNECTION_MADE: case CONNECTION_SSL_STARTUP: return TENON_STAGE_TLS;
    default: return TENON_STAGE_AUTH;
  }
}

static void pass_tcp(tn_pg_dial *d) {
  bool six = strchr(d->address->text, ':') != NULL;
  if (d->endpoint->local) tn_pg_step_end(d, TENON_PASSED, NULL, "connected to %s", d->where);
  else
    tn_pg_step_end(d, TENON_PASSED, NULL, six ? "connected to [%s]:%u" : "connected to %s:%u",
                   d->address->text, d->endpoint->port);
}

static void pass_tls(tn_pg_dial *d) {
  if (d->endpoint->local) {
    tn_pg_step_end(d, TENON_SKIPPED, NULL, "a unix socket");
  } else if (!tn_pq.PQsslInUse(d->conn)) {
    tn_pg_step_end(d, TENON_SKIPPED, NULL, "not encrypted (sslmode=%s)", d->sslmode);
  } else if (strncmp(d->sslmode, "verify", 6) == 0) {
    tn_pg_step_end(d, TENON_PASSED, NULL, "%s, %s", tn_pq.PQsslAttribute(d->conn, "protocol"),
                   strcmp(d->sslmode, "verify-full") == 0 ? "certificate and host name verified"
                                                          : "certificate verified, host name not");
  } else {
    bool loopback = tn_pg_is_loopback(d->address);
    tn_pg_step_end(d, loopback ? TENON_PASSED : TENON_WARNED,
                   loopback ? NULL : "say sslmode=verify-full to know who answers",
                   "%s, server not verified (sslmode=%s)",
                   tn_pq.PQsslAttribute(d->conn, "protocol"), d->sslmode);
  }
}

/* Steps only go forward: when sslmode=prefer falls back to a second connection, that is one more
 * second of the same step. */
static void advance(tn_pg_dial *d, tenon_stage to) {
  if (d->stage == TENON_STAGE_TCP && to > TENON_STAGE_TCP) {
    pass_tcp(d);
    d->stage = TENON_STAGE_TLS;
    tn_pg_step_begin(d, d->stage);
  }
  if (d->stage == TENON_STAGE_TLS && to > TENON_STAGE_TLS) {
    pass_tls(d);
    d->stage = TENON_STAGE_AUTH;
    tn_pg_step_begin(d, d->stage);
  }
}

/* Waits as libpq asks; `until` is the time for this address, the context's own comes on top. */
static tenon_status wait_socket(tn_pg_dial *d, PostgresPollingStatusType want, int64_t until,
                                tenon_error *err) {
  int64_t left = until - tn_now_ms();
  struct pollfd fd = {.fd = tn_pq.PQsocket(d->conn),
                      .events = want == PGRES_POLLING_READING ? POLLIN : POLLOUT};
  tenon_error own = TENON_ERROR_INIT;
  tenon_status status = tn_pg_host->wait(d->ctx, &fd, 1, left > 0 ? (int)left : 0, &own);
  if (status == TENON_TIMEOUT || (!status && !fd.revents)) return tn_pg_explain_timeout(d, err);
  return status ? tenon_fail(err, status, d->stage, own.remedy, "%s", own.message) : TENON_OK;
}

static tenon_status poll_connection(tn_pg_dial *d, int64_t until, tenon_error *err) {
  PostgresPollingStatusType want = PGRES_POLLING_WRITING;
  if (tn_pq.PQstatus(d->conn) == CONNECTION_BAD) return tn_pg_explain(d, err);
  for (;;) {
    tenon_status status = wait_socket(d, want, until, err);
    if (status) return status;
    want = tn_pq.PQconnectPoll(d->conn);
    if (want == PGRES_POLLING_FAILED) return tn_pg_explain(d, err);
    if (want == PGRES_POLLING_OK) break;
    advance(d, stage_of(tn_pq.PQstatus(d->conn)));
  }
  advance(d, TENON_STAGE_AUTH);
  return TENON_OK;
}

static tenon_status check_server(const tn_pg_session *s, tenon_error *err) {
  int version = tn_pq.PQserverVersion(s->conn);
  const char *integers = tn_pq.PQparameterStatus(s->conn, "integer_datetimes");
  if (version >= 120000 && (!integers || strcmp(integers, "on") == 0)) return TENON_OK;
  return tenon_fail(err, TENON_UNSUPPORTED, TENON_STAGE_AUTH, "use PostgreSQL 12 or newer",
                    "the server at %s is PostgreSQL %d%s", s->where, version / 10000,
                    version >= 120000 ? " with floating-point times" : "");
}

static tenon_status new_session(tn_pg_dial *d, tn_pg_cancel_key key, tn_pg_session **ret,
                                tenon_error *err) {
  tn_pg_session *s = tn_alloc(sizeof *s);
  if (!s)
    return tenon_fail(err, TENON_LIMITED, TENON_STAGE_NONE, "give the process more memory",
                      "out of memory");
  s->config = d->config;
  s->conn = d->conn;
  s->key = key;
  memcpy(s->where, d->where, sizeof s->where);
  const char *encoding = tn_pq.PQparameterStatus(d->conn, "server_encoding");
  s->utf8 = encoding && strcmp(encoding, "UTF8") == 0;
  tenon_status status = check_server(s, err);
  if (status) {
    tn_free(s);
    return status;
  }
  tn_pq.PQsetnonblocking(d->conn, 1);
  *ret = s;
  return TENON_OK;
}

static tenon_status try_connection(tn_pg_dial *d, int64_t until, tn_pg_session **ret,
                                   tenon_error *err) {
  keys k;
  keys_init(&k, d);
  d->conn = tn_pq.PQconnectStartParams(k.names, k.values, 0);
  if (!d->conn)
    return tenon_fail(err, TENON_LIMITED, TENON_STAGE_NONE, "give the process more memory",
                      "out of memory");
  tn_pq.PQsetErrorVerbosity(d->conn, PQERRORS_VERBOSE);
  tn_pq.PQsetNoticeReceiver(d->conn, ignore_notice, NULL);   /* by itself it prints them */
  tracer trace;
  tracer_start(&trace, d->conn);
  tenon_status status = poll_connection(d, until, err);
  tn_pg_cancel_key key = tracer_finish(&trace, d->conn);
  if (!status) status = new_session(d, key, ret, err);
  if (status) {
    tn_pq.PQfinish(d->conn);
    d->conn = NULL;
  }
  return status;
}

static tenon_status pass_on(tenon_error *err, const tenon_error *own) {
  if (err && err->code == TENON_OK) *err = *own;
  return own->code;
}

static bool refuses_options(const tn_pg_dial *d, const tenon_error *e) {
  return !d->plain_options && (!d->config->options || !*d->config->options) &&
         strstr(e->message, "startup parameter") && strstr(e->message, "options");
}

static tenon_status try_address(tn_pg_dial *d, const tenon_address *address, int64_t budget_ms,
                                tn_pg_session **ret, tenon_error *err) {
  d->address = address;
  bool near = tn_pg_is_loopback(address);
  d->sslmode = d->config->sslmode ? d->config->sslmode : near ? "prefer" : "verify-full";
  d->stage = TENON_STAGE_TCP;
  tn_pg_step_begin(d, d->stage);
  int64_t until = tn_now_ms() + budget_ms;
  tenon_error own = TENON_ERROR_INIT;
  tenon_status status = try_connection(d, until, ret, &own);
  if (status && refuses_options(d, &own)) {
    d->plain_options = true;
    own = (tenon_error)TENON_ERROR_INIT;
    status = try_connection(d, until, ret, &own);
  }
  return status ? pass_on(err, &own) : TENON_OK;
}

/* ---- target_session_attrs ---- */

typedef struct session_state {
  bool standby, read_only;
} session_state;

/* Servers before 14 do not report it by themselves. */
static tenon_status ask_state(tenon_ctx *ctx, tn_pg_session *s, session_state *ret,
                              tenon_error *err) {
  PGresult *result;
  tenon_status status = tn_pg_query(ctx, s,
                                    "SELECT pg_catalog.pg_is_in_recovery(), "
                                    "pg_catalog.current_setting('default_transaction_read_only')",
                                    NULL, 0, &result, err);
  if (status) return status;
  ret->standby = strcmp(tn_pq.PQgetvalue(result, 0, 0), "t") == 0;
  ret->read_only = ret->standby || strcmp(tn_pq.PQgetvalue(result, 0, 1), "on") == 0;
  tn_pq.PQclear(result);
  return TENON_OK;
}

static tenon_status get_state(tenon_ctx *ctx, tn_pg_session *s, session_state *ret,
                              tenon_error *err) {
  const char *standby = tn_pq.PQparameterStatus(s->conn, "in_hot_standby");
  const char *read_only = tn_pq.PQparameterStatus(s->conn, "default_transaction_read_only");
  if (!standby || !read_only) return ask_state(ctx, s, ret, err);
  ret->standby = strcmp(standby, "on") == 0;
  ret->read_only = ret->standby || strcmp(read_only, "on") == 0;
  return TENON_OK;
}

static bool is_wanted(const char *attrs, const session_state *state) {
  if (strcmp(attrs, "read-write") == 0) return !state->read_only;
  if (strcmp(attrs, "read-only") == 0) return state->read_only;
  if (strcmp(attrs, "primary") == 0) return !state->standby;
  if (strcmp(attrs, "standby") == 0) return state->standby;
  return true;
}

static tenon_status session_is(tn_pg_dial *d, tn_pg_session *s, tenon_error *err) {
  session_state state;
  if (strcmp(d->session_attrs, "any") == 0) return TENON_OK;
  tenon_status status = get_state(d->ctx, s, &state, err);
  if (status || is_wanted(d->session_attrs, &state)) return status;
  return tenon_fail(err, TENON_UNREACHABLE, TENON_STAGE_PERMISSION,
                    "name a host of the wanted role too, or change target_session_attrs",
                    "the server at %s is %s, and target_session_attrs=%s was asked for", s->where,
                    state.standby     ? "a standby"
                    : state.read_only ? "read-only"
                                      : "a primary",
                    d->session_attrs);
}

/* Logged in: is it what was asked for? */
static tenon_status enter(tn_pg_dial *d, tn_pg_session *s, tenon_error *err) {
  tn_pg_step_end(d, TENON_PASSED, NULL, "logged in as %s", tn_pq.PQuser(d->conn));
  d->stage = TENON_STAGE_PERMISSION;
  tn_pg_step_begin(d, d->stage);
  tenon_status status = session_is(d, s, err);
  if (!status)
    tn_pg_step_end(d, TENON_PASSED, NULL, "may connect to database %s", tn_pq.PQdb(d->conn));
  return status;
}

/* ---- All of them ---- */

/* Another host or address may do where this one could not be reached or is the wrong one; but what
 * one server refuses is the answer. */
static bool worth_another(const tenon_error *e) {
  return e->code == TENON_UNREACHABLE || (e->code == TENON_TIMEOUT) || e->stage == TENON_STAGE_DNS;
}

static int64_t share_of_time(const tn_pg_dial *d, size_t attempts_left) {
  int64_t left = tn_pg_host->remaining_ms(d->ctx), own = d->config->connect_timeout_ms;
  if (left != INT64_MAX) left /= (int64_t)attempts_left;
  if (own > 0 && own < left) left = own;
  return left < 1 ? 1 : left > 3600000 ? 3600000 : left;
}

static tenon_status resolve(tn_pg_dial *d, tenon_address *ret, size_t *ret_count,
                            tenon_error *err) {
  const tn_pg_endpoint *e = d->endpoint;
  if (e->local) {
    snprintf(d->where, sizeof d->where, "%.107s/.s.PGSQL.%u", e->host, e->port);
    return tn_pg_host->resolve(d->ctx, d->where, e->port, ret, MAX_ADDRESSES, ret_count, err);
  }
  bool six = strchr(e->host, ':') != NULL;
  snprintf(d->where, sizeof d->where, six ? "[%.140s]:%u" : "%.140s:%u", e->host, e->port);
  tn_pg_step_begin(d, TENON_STAGE_DNS);
  tenon_status status = tn_pg_host->resolve(d->ctx, e->host, e->port, ret, MAX_ADDRESSES, ret_count,
                                            err);
  if (status) return status;
  bool numeric = strcmp(ret[0].text, e->host) == 0;
  tn_pg_step_end(d, TENON_PASSED, NULL, numeric ? "%s is an address" : "%s has %zu address%s",
                 e->host, *ret_count, *ret_count == 1 ? "" : "es");
  return TENON_OK;
}

static tenon_status try_endpoint(tn_pg_dial *d, const tn_pg_endpoint *e, size_t endpoints_left,
                                 tn_pg_session **ret, tenon_error *err) {
  tenon_address addresses[MAX_ADDRESSES];
  size_t count = 0;
  d->endpoint = e;
  d->stage = TENON_STAGE_DNS;
  tenon_status status = resolve(d, addresses, &count, err);
  for (size_t i = 0; i < count; i++) {
    tenon_error own = TENON_ERROR_INIT;
    status = try_address(d, &addresses[i], share_of_time(d, count - i + endpoints_left - 1), ret,
                         &own);
    if (!status) status = enter(d, *ret, &own);
    if (!status) return TENON_OK;
    tn_pg_disconnect(*ret);
    *ret = NULL;
    bool last = i + 1 == count || !worth_another(&own) || tn_pg_host->check(d->ctx, NULL);
    if (last) return pass_on(err, &own);
    tn_pg_step_end(d, TENON_WARNED, NULL, "%s: %s", addresses[i].text, own.message);
  }
  return status;
}

static tenon_status try_endpoints(tn_pg_dial *d, const tn_pg_endpoint *endpoints, size_t count,
                                  tn_pg_session **ret, tenon_error *err) {
  tenon_status status = TENON_INTERNAL;
  for (size_t i = 0; i < count; i++) {
    tenon_error own = TENON_ERROR_INIT;
    status = try_endpoint(d, &endpoints[i], count - i, ret, &own);
    if (!status) return TENON_OK;
    if (i + 1 == count || !worth_another(&own) || tn_pg_host->check(d->ctx, NULL)) {
      tn_pg_step_failed(d, &own);
      return pass_on(err, &own);
    }
    tn_pg_step_end(d, TENON_WARNED, NULL, "%s", own.message);
  }
  return status;
}

/* Without a name: that of the process's user, as libpq does it. */
static tenon_status own_name(char *ret, size_t room, tenon_error *err) {
  struct passwd entry, *found = NULL;
  char data[4096];
  if (getpwuid_r(geteuid(), &entry, data, sizeof data, &found) != 0 || !found)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "set username",
                      "no username is given, and this process's user has no name");
  snprintf(ret, room, "%s", found->pw_name);
  return TENON_OK;
}

static tenon_status dial_all(tn_pg_dial *d, tn_pg_session **ret, tenon_error *err) {
  tn_pg_endpoint endpoints[TN_PG_MAX_HOSTS];
  size_t count;
  tenon_status status = tn_pg_endpoints(d->config, endpoints, &count, err);
  if (status) return status;
  const char *attrs = or_else(d->config->target_session_attrs, "any");
  d->session_attrs = attrs;
  if (strcmp(attrs, "prefer-standby") == 0) {
    d->session_attrs = "standby";
    tenon_error own = TENON_ERROR_INIT;
    if (!try_endpoints(d, endpoints, count, ret, &own)) return TENON_OK;
    if (tn_pg_host->check(d->ctx, NULL)) return pass_on(err, &own);
    d->session_attrs = "any";
  }
  return try_endpoints(d, endpoints, count, ret, err);
}

tenon_status tn_pg_connect(tenon_ctx *ctx, const tn_pg_config *config, tenon_test *test,
                           tn_pg_session **ret, tenon_error *err) {
  char user[MAX_NAME];
  tn_pg_files files;
  tenon_status status = tn_pq_open(err);
  bool named = config->username && *config->username;
  if (!status && !named) status = own_name(user, sizeof user, err);
  if (!status) status = files_init(&files, config, err);
  if (status) return status;
  tn_pg_dial d = {.ctx = ctx, .config = config, .test = test, .files = &files};
  d.username = named ? config->username : user;
  d.database = or_else(config->database, d.username);
  tn_pg_session *session = NULL;
  status = dial_all(&d, &session, err);
  files_release(&files);
  if (!status) *ret = session;
  return status;
}

void tn_pg_disconnect(tn_pg_session *s) {
  if (!s) return;
  tn_pq.PQfinish(s->conn);
  tn_free(s);
}
