/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why a connection failed. The server's own refusals carry an SQLSTATE, which libpq prints into its
 * text; failures below it have an errno's words. What remains (not a PostgreSQL server, a
 * certificate that is not trusted) libpq says in a sentence that may be translated, so we ask the
 * server ourselves on a side connection and look.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "providers/sql/postgresql/connect.h"
#include "providers/sql/postgresql/side.h"

enum { LOOK_BUDGET_MS = 2000, LAST_LOOK_MS = 300 };

/* ---- The server's refusal ---- */

/* In verbose text a refusal reads "FATAL:  28P01: password authentication failed". */
static const char *find_sqlstate(const char *text) {
  for (const char *at = text; (at = strstr(at, ":  ")); at += 3) {
    size_t n = 0;
    while (n < 5 && (isupper((unsigned char)at[3 + n]) || isdigit((unsigned char)at[3 + n]))) n++;
    if (n == 5 && at[8] == ':' && at[9] == ' ') return at + 3;
  }
  return NULL;
}

static bool names_hba(const char *refusal) {
  size_t line = strcspn(refusal, "\n");
  const char *at = strstr(refusal, "pg_hba.conf");
  return at && at < refusal + line;
}

/* With sslmode=prefer there may be two refusals, one with TLS and one without. That there is no
 * entry for one of the two ways is the less telling one. */
static const char *pick_refusal(const char *text) {
  const char *first = find_sqlstate(text);
  const char *second = first ? find_sqlstate(first) : NULL;
  return second && names_hba(first) ? second : first;
}

static bool line_has(const char *line, const char *word) {
  const char *at = strstr(line, word);
  return at && at < line + strcspn(line, "\n");
}

static const char *remedy_of_28000(const tn_pg_dial *d, const char *refusal, tenon_error *err) {
  if (names_hba(refusal)) {
    if (!tn_pq.PQsslInUse(d->conn) && line_has(refusal, "no encryption")) {
      err->code = TENON_TLS;
      return "the server takes this login only over TLS: say sslmode=require or verify-full";
    }
    err->code = TENON_FORBIDDEN;
    return "let the server's administrator add a line to pg_hba.conf for this role, database, "
           "address "
           "and encryption, and reload it";
  }
  if (line_has(refusal, "does not exist")) return "check the role's name: it is case-sensitive";
  if (line_has(refusal, "certificate"))
    return "give the role's client certificate and key with sslcert and sslkey";
  if (line_has(refusal, "not permitted to log in")) {
    err->code = TENON_FORBIDDEN;
    return "let the administrator say ALTER ROLE … LOGIN, or connect as another role";
  }
  return NULL;
}

static tenon_status refused(tn_pg_dial *d, const char *refusal, tenon_error *err) {
  char sqlstate[6], message[512];
  snprintf(sqlstate, sizeof sqlstate, "%.5s", refusal);
  snprintf(message, sizeof message, "%.*s", (int)strcspn(refusal + 7, "\n"), refusal + 7);
  tenon_error own = TENON_ERROR_INIT;
  tn_pg_report report = {.sqlstate = sqlstate, .message = message};
  tn_pg_fail_report(&own, &report);
  const char *remedy = NULL;
  if (strcmp(sqlstate, "28000") == 0) remedy = remedy_of_28000(d, refusal, &own);
  if (strcmp(sqlstate, "28P01") == 0 && !d->config->password)
    remedy = "the server asks for a password, and none is given: set password";
  /* nothing was asked yet: what it does not like are the settings of the session */
  if (own.stage == TENON_STAGE_QUERY &&
      (own.code == TENON_CONFIG || own.code == TENON_DATA || own.code == TENON_NOT_FOUND)) {
    own.code = TENON_CONFIG;
    remedy = "check options, application_name and the other settings of the session";
  }
  if (own.stage != TENON_STAGE_PERMISSION) own.stage = TENON_STAGE_AUTH;
  tenon_fail(err, own.code, own.stage, remedy ? remedy : own.remedy, "%s: %s", d->where,
             own.message);
  if (err && err->code == own.code) {
    err->retryable = own.retryable;
    memcpy(err->sqlstate, own.sqlstate, sizeof err->sqlstate);
  }
  return own.code;
}

/* ---- The network's refusal ---- */

typedef struct network_failure {
  int number;
  const char *remedy;
} network_failure;

static const network_failure network_failures[] = {
    {ECONNREFUSED,
     "nothing listens there: check host and port, and that the server runs and listens on "
     "that address (listen_addresses)"},
    {ENOENT, "no server has its socket there: check socket and port, and that the server runs"},
    {EACCES, "this user may not open the server's socket: check the directory's permissions"},
    {ETIMEDOUT, "a firewall may drop the packets: check host, port and the network"},
    {EHOSTUNREACH, "there is no route to that host: check the address and the network"},
    {ENETUNREACH, "there is no route to that network: check the address and the network"},
    {ECONNRESET,
     "something in between or the server itself cut the connection: check that the port is "
     "PostgreSQL's, and look at the server's log"},
};

/* strerror_r speaks the same language here as in libpq: both stand in this process. */
static tenon_status network_refused(tn_pg_dial *d, const char *text, tenon_error *err) {
  char room[128];
  for (size_t i = 0; i < sizeof network_failures / sizeof network_failures[0]; i++) {
    const char *words = strerror_r(network_failures[i].number, room, sizeof room);
    if (!strstr(text, words)) continue;
    return tenon_fail(err, TENON_UNREACHABLE, d->stage, network_failures[i].remedy,
                      "cannot connect to %s: %s", d->where, words);
  }
  return TENON_OK;
}

/* ---- A look of our own ---- */

typedef enum answer_kind { NO_ANSWER, OFFERS_TLS, NO_TLS, REFUSES, STRANGER } answer_kind;

typedef struct finding {
  answer_kind answer;
  char said[80];
  bool shaken;             /* the handshake came to its end */
  long verify_result;      /* OpenSSL's: 0 is a chain that is trusted */
  bool right_host;
  const char *reason;      /* of a handshake that failed */
} finding;

static answer_kind kind_of(const char *said, size_t size) {
  if (size == 0) return NO_ANSWER;
  if (size == 1 && said[0] == 'S') return OFFERS_TLS;
  if (size == 1 && said[0] == 'N') return NO_TLS;
  /* an ErrorResponse has a length of four bytes, the first of them surely 0 */
  if (said[0] == 'E' && (size == 1 || said[1] == 0)) return REFUSES;
  return STRANGER;
}

static void keep_printable(char *ret, size_t room, const char *said, size_t size) {
  size_t n = 0;
  for (size_t i = 0; i < size && n + 1 < room; i++) {
    if (said[i] == '\r' || said[i] == '\n') break;
    ret[n++] = said[i];
    if ((unsigned char)said[i] < 0x20 || (unsigned char)said[i] > 0x7E) ret[n - 1] = '.';
  }
  ret[n] = 0;
}

static void look_at_certificate(tn_pg_dial *d, tn_pg_side *side, finding *f) {
  const char *host = d->endpoint->host;
  bool numeric = strcmp(host, d->address->text) == 0;
  f->shaken = tn_pg_side_handshake(side, d->files->root, numeric ? NULL : host);
  if (!f->shaken) {
    if (side->tls) f->reason = tn_ssl.ERR_reason_error_string(tn_ssl.ERR_get_error());
    return;
  }
  f->verify_result = tn_ssl.SSL_get_verify_result(side->tls);
  struct x509_st *certificate = tn_ssl.SSL_get1_peer_certificate(side->tls);
  if (!certificate) return;
  f->right_host = tn_ssl.X509_check_host(certificate, host, 0, 0, NULL) == 1 ||
                  tn_ssl.X509_check_ip_asc(certificate, host, 0) == 1;
  tn_ssl.X509_free(certificate);
}

static void look(tn_pg_dial *d, tenon_ctx *ctx, int budget_ms, finding *f) {
  *f = (finding){.answer = NO_ANSWER};
  char said[64];
  tn_pg_side side;
  const void *bytes = d->address->sa.bytes;
  if (tn_pg_side_open(&side, ctx, bytes, (socklen_t)d->address->sa_size, budget_ms) &&
      tn_pg_side_ask_tls(&side)) {
    size_t n = tn_pg_side_read(&side, said, sizeof said);
    f->answer = kind_of(said, n);
    keep_printable(f->said, sizeof f->said, said, n);
    if (f->answer == OFFERS_TLS) look_at_certificate(d, &side, f);
  }
  tn_pg_side_close(&side);
}

/* ---- TLS ---- */

static bool verifies(const tn_pg_dial *d) { return strncmp(d->sslmode, "verify", 6) == 0; }

static tenon_status fail_tls(tn_pg_dial *d, tenon_error *err, const char *remedy, const char *why) {
  return tenon_fail(err, TENON_TLS, TENON_STAGE_TLS, remedy, "TLS with %s failed: %s", d->where,
                    why);
}

/* X509_V_ERR_… of x509_vfy.h */
enum { NOT_YET_VALID = 9, HAS_EXPIRED = 10, REVOKED = 23 };

static tenon_status untrusted(tn_pg_dial *d, const finding *f, tenon_error *err) {
  char why[200];
  snprintf(why, sizeof why, "the server's certificate is not accepted: %s",
           tn_ssl.X509_verify_cert_error_string(f->verify_result));
  if (f->verify_result == HAS_EXPIRED || f->verify_result == NOT_YET_VALID)
    return fail_tls(d, err, "let the server's administrator renew its certificate, and check this "
                            "machine's clock; sslmode=require encrypts without checking it", why);
  if (f->verify_result == REVOKED)
    return fail_tls(d, err, "the certificate was revoked: ask the server's administrator", why);
  return fail_tls(d, err,
                  d->files->system_root
                      ? "give the certificate of the authority that signed it with sslrootcert; "
                        "sslmode=require encrypts without checking who answers"
                      : "sslrootcert is not the authority that signed it: give the right one; "
                        "sslmode=require encrypts without checking who answers",
                  why);
}

static tenon_status explain_tls(tn_pg_dial *d, const finding *f, const char *said,
                                tenon_error *err) {
  if (f->answer == NO_TLS)
    return fail_tls(d, err,
                    "turn TLS on at the server (ssl = on), or say sslmode=disable if you trust "
                    "the network in between",
                    "the server does not offer it");
  if (f->answer == OFFERS_TLS && !f->shaken)
    return fail_tls(d, err,
                    "server and client must share a TLS version (1.2 or newer) and a cipher",
                    f->reason ? f->reason : "the handshake was cut off");
  if (f->shaken && verifies(d) && f->verify_result) return untrusted(d, f, err);
  if (f->shaken && strcmp(d->sslmode, "verify-full") == 0 && !f->right_host)
    return fail_tls(d, err,
                    "connect by the name that is in the certificate; sslmode=verify-ca checks "
                    "the authority alone",
                    "the server's certificate is for another host name");
  return fail_tls(d, err, "check sslcert, sslkey, sslpassword and sslrootcert", said);
}

/* ---- Everything ---- */

static tenon_status not_postgres(tn_pg_dial *d, const finding *f, tenon_error *err) {
  return tenon_fail(err, TENON_CONFIG, d->stage,
                    "check host and port: PostgreSQL's is 5432 unless told otherwise",
                    "what answers at %s is not a PostgreSQL server%s%s%s", d->where,
                    f->said[0] ? " (it says: " : "", f->said, f->said[0] ? ")" : "");
}

/* These sentences are English only where libpq speaks English; elsewhere the general answer has to
 * do. */
static tenon_status closed_early(tn_pg_dial *d, const char *said, tenon_error *err) {
  if (strstr(said, "server signature"))
    return tenon_fail(
        err, TENON_UNAUTHENTICATED, d->stage,
        "what answers does not know the role's password: make sure that nothing stands in between",
        "%s could not prove who it is: %s", d->where, said);
  if (strstr(said, "not supported"))
    return tenon_fail(
        err, TENON_UNSUPPORTED, d->stage,
        "let the server's administrator allow scram-sha-256 or cert for this role (pg_hba.conf)",
        "%s: %s", d->where, said);
  return tenon_fail(err, TENON_UNREACHABLE, d->stage,
                    "check that the port is PostgreSQL's, and look at the server's log",
                    "%s gave no proper answer: %s", d->where, said);
}

/* libpq's text without "connection to server at … failed: ", on one line by tenon_fail. */
static const char *own_words(const char *text) {
  const char *failed = strstr(text, "failed: ");
  return failed && failed[8] ? failed + 8 : text;
}

/* PGSERVICE and PGREQUIREPEER are all of the environment that libpq lets nobody override. */
static const char *environment_remedy(const char *text) {
  if (strstr(text, "service file") || strstr(text, "definition of service"))
    return "unset PGSERVICE: Tenon reads no service files";
  if (strstr(text, "requirepeer")) return "unset PGREQUIREPEER, or set it to the server's user";
  return NULL;
}

/* Whatever language libpq speaks, it names the file that it could not use. */
static tenon_status bad_file(const tn_pg_dial *d, const char *text, tenon_error *err) {
  const struct { const char *path, *key; } files[] = {
      {d->files->root, "sslrootcert"}, {d->files->cert, "sslcert"}, {d->files->key, "sslkey"}};
  for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
    const char *named = strncmp(files[i].path, "/proc/", 6) == 0 ? strstr(text, files[i].path)
                                                                 : NULL;
    if (!named) continue;
    const char *why = strstr(named, ": ");
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_TLS,
                      i == 2 ? "give the key that belongs to sslcert, as PEM, and its password "
                               "with sslpassword if it has one"
                             : "give a certificate as PEM",
                      "%s cannot be used: %s", files[i].key, why ? why + 2 : own_words(text));
  }
  return TENON_OK;
}

tenon_status tn_pg_explain(tn_pg_dial *d, tenon_error *err) {
  const char *text = tn_pq.PQerrorMessage(d->conn);
  const char *refusal = pick_refusal(text), *remedy = environment_remedy(text);
  if (refusal) return refused(d, refusal, err);
  if (remedy)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, remedy, "%s: %s", d->where,
                      own_words(text));
  tenon_status status = bad_file(d, text, err);
  if (!status) status = network_refused(d, text, err);
  if (status) return status;
  finding f;
  look(d, d->ctx, LOOK_BUDGET_MS, &f);
  if (f.answer == STRANGER) return not_postgres(d, &f, err);
  if (d->stage == TENON_STAGE_TLS && (f.answer == NO_TLS || f.answer == OFFERS_TLS))
    return explain_tls(d, &f, own_words(text), err);
  return closed_early(d, own_words(text), err);
}

/* The context may have no time left: the last look takes its own. */
static bool is_stranger(tn_pg_dial *d, finding *f) {
  tenon_error why = TENON_ERROR_INIT;
  if (tn_pg_host->check(d->ctx, &why) == TENON_CANCELLED) return false;
  look(d, NULL, LAST_LOOK_MS, f);
  return f->answer == STRANGER;
}

tenon_status tn_pg_explain_timeout(tn_pg_dial *d, tenon_error *err) {
  finding f;
  if (d->stage == TENON_STAGE_TCP)
    return tenon_fail(
        err, TENON_TIMEOUT, d->stage,
        "a firewall may drop the packets: check host, port and the network, or give it more time "
        "(connect_timeout)",
        "nothing answered at %s in time", d->where);
  if (is_stranger(d, &f)) return not_postgres(d, &f, err);
  return tenon_fail(err, TENON_TIMEOUT, d->stage,
                    "check that the port is PostgreSQL's and that the server is not overloaded, or "
                    "give it more time "
                    "(connect_timeout)",
                    "%s was silent for too long", d->where);
}
