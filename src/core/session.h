/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connectors at work: a checked configuration, its pool of sessions, and the operations called on
 * them. Each calling function passes through one tn_call, where deadline, retry, trace, fault
 * injection and redaction live.
 */
#ifndef TN_CORE_SESSION_H
#define TN_CORE_SESSION_H

#include "core/apply.h"
#include "core/filters.h"
#include "core/params.h"
#include "core/stream.h"
#include "tenon/provider.h"

struct tn_egress;
struct tn_tokens;
typedef struct tn_connector tn_connector;   /* counted; any thread */
/* one thread at a time, unless the kind is TENON_SHARED */
typedef struct tn_session tn_session;

/* Takes the config over, also on failure. name is for messages. Pooled kinds read pool_size,
 * max_overflow and pool_recycle from their parameters. */
tenon_status tn_connector_new(const char *name, tn_config *, tn_connector **ret, tenon_error *err);
/* Its own egress policy, beside those of contexts. Before others know it; it takes a reference. */
void tn_connector_restrict(tn_connector *, struct tn_egress *);
/* Where its sessions get tokens, whatever context they are used with; borrowed. */
void tn_connector_set_tokens(tn_connector *, struct tn_tokens *);
tn_connector *tn_connector_ref(tn_connector *);
void tn_connector_free(tn_connector *);
const tenon_provider *tn_connector_provider(const tn_connector *);
const tn_config *tn_connector_config(tn_connector *);   /* until it is replaced */
const char *tn_connector_name(const tn_connector *);
/* New parameters: sessions made before are closed when they come back. */
tenon_status tn_connector_replace(tn_connector *, tn_config *, tenon_error *err);

/* Default deadline 15 s. The test's own failure is the answer, and steps are filled either way. */
tenon_status tn_connector_test(tenon_ctx *, tn_connector *, tenon_test *ret, tenon_error *err);

struct tn_consent_show;
/* A person's consent, kept as the grant that the configuration names (net/token_consent.h). Default deadline 10 min. */
tenon_status tn_connector_authorize(tenon_ctx *, tn_connector *, const struct tn_consent_show *, tenon_error *err);

/* A session from the pool, or a new one (default deadline 15 s), or after waiting in line. */
tenon_status tn_session_acquire(tenon_ctx *, tn_connector *, tn_session **ret, tenon_error *err);
/* Gives it back; while a stream of it is open, that stream does so when it is released. */
void tn_session_release(tn_session *);
tn_connector *tn_session_connector(tn_session *);

/* ---- The facets' operations. Streams come out as Arrow streams that hold session and context. ---- */

tenon_status tn_tables_list(tenon_ctx *, tn_session *, const tenon_tables_list *,
                            struct ArrowArrayStream *ret, tenon_error *);
tenon_status tn_tables_describe(tenon_ctx *, tn_session *, const tenon_read *, tenon_table *ret,
                                tenon_error *);
tenon_status tn_tables_plan(tenon_ctx *, tn_session *, const tenon_plan_request *, tenon_plan *ret,
                            tenon_error *);
/* The whole request is met: what the system did not apply is applied here. *ret_applied (may be NULL)
 * says what the system did. An order that it cannot give is UNSUPPORTED unless core/order.h has a sorter. */
typedef struct tn_applied {
  uint32_t applied;
  uint64_t filters_applied;
} tn_applied;
tenon_status tn_tables_read(tenon_ctx *, tn_session *, const tenon_read *,
                            struct ArrowArrayStream *ret, tn_applied *ret_applied, tenon_error *);
tenon_status tn_tables_write(tenon_ctx *, tn_session *, const tenon_write *, tenon_written *ret,
                             tenon_error *);
tenon_status tn_tables_execute(tenon_ctx *, tn_session *, const tenon_execute *,
                               tenon_executed *ret, tenon_error *);

tenon_status tn_objects_list(tenon_ctx *, tn_session *, const tenon_objects_list *,
                             struct ArrowArrayStream *ret, tenon_error *);
tenon_status tn_objects_stat(tenon_ctx *, tn_session *, const tenon_key_bytes *, tenon_object *ret,
                             tenon_error *);
tenon_status tn_objects_get(tenon_ctx *, tn_session *, const tenon_get *, tenon_got *ret,
                            tenon_error *);
tenon_status tn_objects_put(tenon_ctx *, tn_session *, const tenon_put *, tenon_object *ret,
                            tenon_error *);
tenon_status tn_objects_copy(tenon_ctx *, tn_session *, const tenon_objects_copy *,
                             tenon_object *ret, tenon_error *);
tenon_status tn_objects_remove(tenon_ctx *, tn_session *, const tenon_delete *, tenon_deleted *ret,
                               tenon_error *);
tenon_status tn_objects_presign(tenon_ctx *, tn_session *, const tenon_presign *,
                                tenon_presigned *ret, tenon_error *);

tenon_status tn_vectors_create(tenon_ctx *, tn_session *, const tenon_vectors_create *,
                               tenon_collection *ret, tenon_error *);
tenon_status tn_vectors_list(tenon_ctx *, tn_session *, const tenon_vectors_list *,
                             struct ArrowArrayStream *ret, tenon_error *);
tenon_status tn_vectors_drop(tenon_ctx *, tn_session *, const tenon_vectors_drop *,
                             tenon_collection *ret, tenon_error *);
/* Rows of any sort come to the provider in the canonical form (core/vector_rows.h). */
tenon_status tn_vectors_upsert(tenon_ctx *, tn_session *, const tenon_vectors_upsert *,
                               tenon_vectors_upserted *ret, tenon_error *);
tenon_status tn_vectors_get(tenon_ctx *, tn_session *, const tenon_vectors_get *,
                            struct ArrowArrayStream *ret, tenon_error *);
tenon_status tn_vectors_query(tenon_ctx *, tn_session *, const tenon_vectors_query *,
                              struct ArrowArrayStream *ret, tenon_error *);
tenon_status tn_vectors_remove(tenon_ctx *, tn_session *, const tenon_vectors_delete *,
                               tenon_vectors_deleted *ret, tenon_error *);
tenon_status tn_vectors_count(tenon_ctx *, tn_session *, const tenon_vectors_count *,
                              tenon_vectors_counted *ret, tenon_error *);

/* Messages are checked before the provider sees them; the outcomes are counted. */
tenon_status tn_mail_send(tenon_ctx *, tn_session *, const tenon_send *, tenon_sent *ret,
                          tenon_error *);
/* A message as it would travel; nothing is connected to. */
tenon_status tn_mail_compose(tn_connector *, const tenon_mail *, tn_str *out, tenon_error *);

/* *ret is released by its `release`. */
tenon_status tn_actions_list(tenon_ctx *, tn_session *, const tenon_actions_list *, tenon_actions *ret, tenon_error *);
/* Without a deadline: 60 s. */
tenon_status tn_actions_call(tenon_ctx *, tn_session *, const tenon_action_call *, tenon_action_result *ret, tenon_error *);

tenon_status tn_models_list(tenon_ctx *, tn_session *, const tenon_models_list *,
                            struct ArrowArrayStream *ret, tenon_error *);
/* The first event has come when it answers: until then the call is repeated as others are. */
tenon_status tn_models_chat(tenon_ctx *, tn_session *, const tenon_chat *, tenon_events *ret,
                            tenon_error *);
/* Any number of texts up to TENON_MAX_EMBEDDED, in as many requests as the kind's limits want. */
tenon_status tn_models_embed(tenon_ctx *, tn_session *, const tenon_embed *, tenon_embeddings *ret,
                             tenon_error *);

/* The sorter: registered once by the room above that has one (the engine). Takes `in` over. */
typedef tenon_status (*tn_sort_fn)(tenon_ctx *, struct ArrowArrayStream *in, const tenon_order *,
                                   size_t n,
                                   struct ArrowArrayStream *ret, tenon_error *err);
void tn_set_sorter(tn_sort_fn);

#endif
