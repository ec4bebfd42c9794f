/* SPDX-License-Identifier: Apache-2.0 */
/* The kind postgresql: facts, parameters, operations. */
#include "providers/sql/postgresql/connect.h"
#include "providers/sql/postgresql/read.h"

static const char *const aliases[] = {"postgres", "rds", NULL};

static const char *const ssl_modes[] = {"disable",   "allow",       "prefer", "require",
                                        "verify-ca", "verify-full", NULL};
static const char *const bindings[] = {"disable", "prefer", "require", NULL};
static const char *const session_attrs[] = {"any",     "read-write",     "read-only", "primary",
                                            "standby", "prefer-standby", NULL};

#define C tn_pg_config

static const tenon_param params[] = {
    {TENON_LIST(C, host), .key = "host", .label = "Host", .group = "Connection", .env = "PGHOST",
     .help = "The server's name or address; several with commas between are tried in turn. Each "
             "may carry its own port "
             "(db1:5433).",
     .aliases = "hosts,server"},
    {TENON_INTEGER(C, port), .key = "port", .label = "Port",
     .help = "The server's port; 5432 unless given.", .min = 1, .max = 65535, .group = "Connection",
     .env = "PGPORT"},
    {TENON_PATH(C, socket), .flags = TENON_LOCAL, .key = "socket", .label = "Socket directory",
     .group = "Connection",
     .help = "The directory of the server's unix socket, instead of a host: /var/run/postgresql."},
    {TENON_STRING(C, database), .key = "database", .label = "Database",
     .help = "The database; by default the username.", .group = "Connection", .env = "PGDATABASE",
     .aliases = "dbname,db"},
    {TENON_STRING(C, schema), .key = "schema", .label = "Schema", .group = "Connection",
     .aliases = "currentSchema",
     .help = "The schema of names that say none; by default the role's search_path decides."},
    {TENON_STRING(C, username), .key = "username", .label = "Username", .group = "Login",
     .env = "PGUSER", .help = "The role to log in as; by default the name of this process's user.",
     .aliases = "user,login"},
    {TENON_STRING(C, password), .flags = TENON_SECRET, .key = "password", .label = "Password",
     .group = "Login", .help = "The role's password.", .env = "PGPASSWORD", .aliases = "pass"},
    {TENON_ENUM(C, sslmode), .key = "sslmode", .label = "TLS", .choices = ssl_modes, .group = "TLS",
     .env = "PGSSLMODE",
     .help = "How the connection is encrypted and the server checked. By default verify-full, and "
             "prefer for a unix socket or this machine's own addresses."},
    {TENON_FILE(C, sslrootcert), .key = "sslrootcert", .label = "Authority", .group = "TLS",
     .env = "PGSSLROOTCERT",
     .help = "Certificates of the authorities that are trusted (PEM); by default this machine's."},
    {TENON_FILE(C, sslcert), .key = "sslcert", .label = "Client certificate", .group = "TLS",
     .env = "PGSSLCERT", .help = "The certificate to log in with (PEM)."},
    {TENON_FILE(C, sslkey), .flags = TENON_SECRET, .key = "sslkey", .label = "Client key",
     .group = "TLS", .help = "The key of the client certificate (PEM).", .env = "PGSSLKEY"},
    {TENON_STRING(C, sslpassword), .flags = TENON_SECRET | TENON_ADVANCED, .key = "sslpassword",
     .label = "Key's password", .help = "The password of an encrypted client key.", .group = "TLS"},
    {TENON_ENUM(C, channel_binding), .flags = TENON_ADVANCED, .key = "channel_binding",
     .label = "Channel binding", .choices = bindings, .group = "TLS", .default_value = "prefer",
     .help = "Whether the login is bound to the TLS connection (SCRAM only)."},
    {TENON_ENUM(C, target_session_attrs), .flags = TENON_ADVANCED, .key = "target_session_attrs",
     .label = "Kind of server", .choices = session_attrs, .group = "Connection",
     .default_value = "any",
     .help = "Which of several hosts will do: any, one that takes writes, a standby, …"},
    {TENON_DURATION(C, connect_timeout_ms), .key = "connect_timeout", .label = "Connect timeout",
     .group = "Connection",
     .help = "How long one host may take; 0: as long as the whole operation may.",
     .default_value = "10s", .min = 0, .max = 3600000},
    {TENON_DURATION(C, statement_timeout_ms), .flags = TENON_ADVANCED, .key = "statement_timeout",
     .label = "Statement timeout", .group = "Session",
     .help = "After how long the server gives a statement up; 0: what the role has set.",
     .default_value = "0", .min = 0, .max = INT32_MAX},
    {TENON_STRING(C, application_name), .flags = TENON_ADVANCED, .key = "application_name",
     .label = "Application name", .group = "Session",
     .help = "What the server shows in pg_stat_activity.", .default_value = "tenon"},
    {TENON_STRING(C, timezone), .flags = TENON_ADVANCED, .key = "timezone", .label = "Time zone",
     .group = "Session",
     .help = "The zone in which queries take local times, and in which the server writes instants "
             "where they are read "
             "as text. Otherwise instants are in UTC.",
     .default_value = "UTC"},
    {TENON_STRING(C, options), .flags = TENON_ADVANCED, .key = "options", .label = "Server options",
     .group = "Session",
     .help = "Settings for the session, as the server's command line has them: -c work_mem=64MB."},
    {TENON_SIZE(C, max_row_bytes), .flags = TENON_ADVANCED, .key = "max_row_bytes",
     .label = "Longest row", .group = "Session",
     .help = "A row with more bytes than this is an error, not memory.", .default_value = "256M",
     .min = 65536, .max = 1100000000},
    {TENON_INTEGER(C, pool_size), .flags = TENON_ADVANCED, .key = "pool_size", .label = "Pool size",
     .group = "Pool", .help = "Connections that are kept open.", .default_value = "5", .min = 0,
     .max = 1000},
    {TENON_INTEGER(C, max_overflow), .flags = TENON_ADVANCED, .key = "max_overflow",
     .label = "Overflow", .group = "Pool",
     .help = "Connections above the pool's size that are opened under load.", .default_value = "15",
     .min = 0, .max = 1000},
    {TENON_DURATION(C, pool_recycle_ms), .flags = TENON_ADVANCED, .key = "pool_recycle",
     .label = "Recycle after", .group = "Pool",
     .help = "A connection older than this is replaced when it comes back.",
     .default_value = "1800s", .min = 1000, .max = INT64_C(31536000000)},
};

#undef C

static tenon_status init(const tenon_host *host, tenon_error *err) {
  (void)err;
  tn_pg_host = host;
  return TENON_OK;
}

static const tenon_tables_ops tables = {
    .struct_size = sizeof tables,
    .list = tn_pg_list,
    .describe = tn_pg_describe,
    .read = tn_pg_read,
};

extern const tenon_provider tn_provider_postgresql;

const tenon_provider tn_provider_postgresql = {
    .struct_size = sizeof tn_provider_postgresql,
    .abi = TENON_ABI,
    .kind = "postgresql",
    .category = "sql",
    .label = "PostgreSQL",
    .summary = "Tables and queries of a PostgreSQL server, read losslessly over COPY.",
    .aliases = aliases,
    .params = TENON_PARAMS(params),
    .config_size = sizeof(tn_pg_config),
    .traits = TENON_QUERYABLE | TENON_POOLED,
    .init = init,
    .parse_url = tn_pg_parse_url,
    .test = tn_pg_test,
    .open = tn_pg_open,
    .check = tn_pg_check,
    .reset = tn_pg_reset,
    .close = tn_pg_close,
    .tables = &tables,
};
