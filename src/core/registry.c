/* SPDX-License-Identifier: Apache-2.0 */
#include "core/registry.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/ops.h"
#include "core/params.h"
#include "core/stream.h"

/* ---- Operations: ops.def is the headers' slots, neither more nor less, and of the same types ---- */

#define TN_OP(facet, name, Request, Reply, flags)                                                             \
  _Static_assert(_Generic(((tenon_##facet##_ops *)0)->name,                                                   \
                     tenon_status (*)(tenon_ctx *, void *, const Request *, Reply *, tenon_error *): 1,       \
                     default: 0),                                                                             \
                 #facet "." #name " is declared otherwise in ops.def");
#include "core/ops.def"
#undef TN_OP

/* The facets, each with its first slot. */
#define FACETS(X) X(tables, list) X(objects, list) X(vectors, create) X(models, list) X(mail, send) X(actions, list)

typedef void (*any_slot)(void);
#define COUNT_SLOTS(facet, first) \
  +(sizeof(tenon_##facet##_ops) - offsetof(tenon_##facet##_ops, first)) / sizeof(any_slot)
_Static_assert(FACETS(COUNT_SLOTS) == TN_OP_COUNT, "a facet has slots that ops.def does not have");

static tenon_status absent(const char *operation, tenon_error *err) {
  return tenon_fail(err, TENON_UNSUPPORTED, TENON_STAGE_QUERY,
                    "`tenon kinds` says what each kind can do",
                    "this kind has no operation %s", operation);
}

/* What stands in the slot of an operation that a kind does not have, and how each one is called. */
#define TN_OP(facet, name, Request, Reply, flags)                                                             \
  static tenon_status absent_##facet##_##name(tenon_ctx *ctx, void *session, const Request *request,         \
                                              Reply *ret, tenon_error *err) {                                 \
    (void)ctx, (void)session, (void)request, (void)ret;                                                       \
    return absent(#facet "." #name, err);                                                                     \
  }                                                                                                           \
  static tenon_status invoke_##facet##_##name(const tenon_provider *p, tenon_ctx *ctx, void *session,        \
                                              const void *request, void *reply, tenon_error *err) {           \
    return p->facet->name(ctx, session, request, reply, err);                                                 \
  }
#include "core/ops.def"
#undef TN_OP

static const tn_op ops[TN_OP_COUNT] = {
#define TN_OP(facet, slot, Request, Reply, op_flags) \
  {.name = #facet "." #slot, .flags = (op_flags), .reply_size = sizeof(Reply), .invoke = invoke_##facet##_##slot},
#include "core/ops.def"
#undef TN_OP
};

const tn_op *tn_op_at(tn_op_id id) { return &ops[id]; }

int64_t tn_op_stall_ms(const tn_op *op) {
  return op->flags & TN_OP_SLOW ? TN_SLOW_STALL_MS : TN_STALL_MS;
}

/* A kind's own table of a facet may be older, and shorter, than ours. */
#define HAS_SLOT(table, slot) \
  ((table) && (table)->struct_size >= offsetof(__typeof__(*(table)), slot) + sizeof((table)->slot) && (table)->slot)

bool tn_provider_has_op(const tenon_provider *p, tn_op_id id) {
  switch (id) {
#define TN_OP(facet, name, Request, Reply, flags) \
  case TN_OP_##facet##_##name: return HAS_SLOT(p->facet, name) && p->facet->name != absent_##facet##_##name;
#include "core/ops.def"
#undef TN_OP
    case TN_OP_COUNT: break;
  }
  return false;
}

bool tn_provider_has(const tenon_provider *p, const char *operation) {
  for (int i = 0; i < TN_OP_COUNT; i++)
    if (strcmp(ops[i].name, operation) == 0) return tn_provider_has_op(p, (tn_op_id)i);
  return false;
}

/* ---- Lifecycle operations that a kind may leave out ---- */

static tenon_status nothing_to_do(tenon_ctx *ctx, void *session, tenon_error *err) {
  (void)ctx, (void)session, (void)err;
  return TENON_OK;
}

static tenon_status no_init(const tenon_host *host, tenon_error *err) {
  (void)host, (void)err;
  return TENON_OK;
}

/* ---- Entries ---- */

enum { MAX_KINDS = 256 };

typedef struct entry {
  tenon_provider provider;
#define FACET_TABLE(facet, first) tenon_##facet##_ops facet;
  FACETS(FACET_TABLE)
  tenon_param rows[];
} entry;

struct tn_registry {
  entry *entries[MAX_KINDS];
  size_t count;
};

static tenon_status refuse(const tenon_provider *p, tenon_error *err, const char *why) {
  return tenon_fail(err, TENON_INTERNAL, TENON_STAGE_CONFIG, "mend the provider", "kind %s: %s",
                    p->kind ? p->kind : "(none)", why);
}

static tenon_status check_abi(const tenon_provider *p, tenon_error *err) {
  if (p->struct_size < offsetof(tenon_provider, objects) + sizeof p->objects || !p->kind)
    return refuse(p, err, "it is not a tenon_provider of this contract (struct_size)");
  if (p->abi != TENON_ABI)
    return refuse(p, err, "it was made for another version of the contract (abi)");
  if (p->params.count && p->params.item_size < offsetof(tenon_param, aliases) + sizeof(char *))
    return refuse(p, err, "its parameter table is not one of this contract (item_size)");
  return TENON_OK;
}

static tenon_status check_lifecycle(const tenon_provider *p, tenon_error *err) {
  if (!p->category || !p->label || !p->summary)
    return refuse(p, err, "it has no category, label or summary");
  if (!p->test) return refuse(p, err, "it has no operation test, which is mandatory");
  if (!p->open) return refuse(p, err, "it has no operation open, which is mandatory");
  if (!p->close) return refuse(p, err, "it has no operation close, which is mandatory");
  return TENON_OK;
}

/* Of a kind as it came: it may be older, and shorter, than our struct. */
static bool has_facet(const tenon_provider *p, tn_op_id id) {
  switch (id) {
#define TN_OP(facet, name, Request, Reply, flags) case TN_OP_##facet##_##name: return HAS_SLOT(p, facet);
#include "core/ops.def"
#undef TN_OP
    case TN_OP_COUNT: break;
  }
  return false;
}

static tenon_status check_mandatory(const tenon_provider *p, tenon_error *err) {
  for (int i = 0; i < TN_OP_COUNT; i++)
    if (ops[i].flags & TN_OP_MANDATORY && has_facet(p, (tn_op_id)i) &&
        !tn_provider_has_op(p, (tn_op_id)i))
      return tenon_fail(err, TENON_INTERNAL, TENON_STAGE_CONFIG, "mend the provider",
                        "kind %s: it has no operation %s, which is mandatory", p->kind, ops[i].name);
  return TENON_OK;
}

/* Copies what the kind has of a struct of ours; its own may be shorter or longer. */
static void copy_known(void *to, size_t size, const void *from, size_t from_size) {
  memcpy(to, from, from_size < size ? from_size : size);
}

static void fill_slots(entry *e) {
#define TN_OP(facet, name, Request, Reply, flags) \
  if (!e->facet.name) e->facet.name = absent_##facet##_##name;
#include "core/ops.def"
#undef TN_OP
  tenon_provider *p = &e->provider;
  if (!p->init) p->init = no_init;
  if (!p->check) p->check = nothing_to_do;
  if (!p->reset) p->reset = nothing_to_do;
}

static void fill_entry(entry *e, const tenon_provider *p) {
  copy_known(&e->provider, sizeof e->provider, p, p->struct_size);
#define COPY_FACET(facet, first)                                                                 \
  if (e->provider.facet)                                                                         \
    copy_known(&e->facet, sizeof e->facet, e->provider.facet, e->provider.facet->struct_size);   \
  e->facet.struct_size = sizeof e->facet;                                                        \
  e->provider.facet = &e->facet;
  FACETS(COPY_FACET)
  for (size_t i = 0; i < p->params.count; i++)
    copy_known(&e->rows[i], sizeof e->rows[i], tn_param_at(p, i), p->params.item_size);
  e->provider.struct_size = sizeof e->provider;
  e->provider.params = (tenon_params){e->rows, p->params.count, sizeof e->rows[0]};
  fill_slots(e);
}

/* ---- init: once a process, however many registries there are ---- */

static struct {
  pthread_mutex_t lock;
  const tenon_provider *done[MAX_KINDS * 4];
  size_t count;
} inited = {.lock = PTHREAD_MUTEX_INITIALIZER};

static tenon_status init_once(const tenon_provider *original, const tenon_provider *p,
                              tenon_error *err) {
  tenon_status status = TENON_OK;
  pthread_mutex_lock(&inited.lock);
  size_t i = 0;
  while (i < inited.count && inited.done[i] != original) i++;
  if (i == inited.count) {
    status = p->init(tn_host(), err);
    if (!status && i < sizeof inited.done / sizeof inited.done[0])
      inited.done[inited.count++] = original;
  }
  pthread_mutex_unlock(&inited.lock);
  return status;
}

/* ---- The registry ---- */

tenon_status tn_registry_new(tn_registry **ret, tenon_error *err) {
  tn_registry *r = tn_alloc(sizeof *r);
  if (!r) return tn_no_memory(err);
  *ret = r;
  return TENON_OK;
}

void tn_registry_free(tn_registry *r) {
  if (!r) return;
  for (size_t i = 0; i < r->count; i++) tn_free(r->entries[i]);
  tn_free(r);
}

static bool has_name(const tenon_provider *p, const char *name) {
  if (strcmp(p->kind, name) == 0) return true;
  for (const char *const *a = p->aliases; a && *a; a++)
    if (strcmp(*a, name) == 0) return true;
  return false;
}

static const tenon_provider *find(const tn_registry *r, const char *name) {
  for (size_t i = 0; i < r->count; i++)
    if (has_name(&r->entries[i]->provider, name)) return &r->entries[i]->provider;
  return NULL;
}

static tenon_status check_names(const tn_registry *r, const tenon_provider *p, tenon_error *err) {
  const tenon_provider *other = find(r, p->kind);
  for (const char *const *a = p->aliases; a && *a && !other; a++) other = find(r, *a);
  if (!other) return TENON_OK;
  return tenon_fail(err, TENON_CONFLICT, TENON_STAGE_CONFIG, "give the kind other names",
                    "kind %s: its name or an alias is taken by kind %s", p->kind, other->kind);
}

static tenon_status check_all(const tn_registry *r, const tenon_provider *p, tenon_error *err) {
  tenon_status status = check_abi(p, err);
  if (!status) status = check_lifecycle(p, err);
  if (!status) status = tn_params_check(p, err);
  if (!status) status = tn_config_check_defaults(p, err);
  if (!status) status = check_mandatory(p, err);
  if (!status) status = check_names(r, p, err);
  if (!status && r->count == MAX_KINDS) status = refuse(p, err, "there are too many kinds");
  return status;
}

tenon_status tn_registry_add(tn_registry *r, const tenon_provider *p, tenon_error *err) {
  tenon_status status = check_all(r, p, err);
  if (status) return status;
  entry *e = tn_alloc(sizeof *e + p->params.count * sizeof(tenon_param));
  if (!e) return tn_no_memory(err);
  fill_entry(e, p);
  status = init_once(p, &e->provider, err);
  if (status) tn_free(e);
  else r->entries[r->count++] = e;
  return status;
}

/* Kinds and their aliases, for "did you mean". */
static size_t all_names(const tn_registry *r, const char **names, size_t room) {
  size_t n = 0;
  for (size_t i = 0; i < r->count; i++) {
    const tenon_provider *p = &r->entries[i]->provider;
    if (n < room) names[n++] = p->kind;
    for (const char *const *a = p->aliases; a && *a && n < room; a++) names[n++] = *a;
  }
  return n;
}

tenon_status tn_registry_find(const tn_registry *r, const char *kind, const tenon_provider **ret,
                              tenon_error *err) {
  const tenon_provider *p = find(r, kind);
  if (p) {
    *ret = p;
    return TENON_OK;
  }
  const char *names[1024];
  const char *nearest = tn_nearest(kind, names, all_names(r, names, 1024));
  return tenon_fail(err, TENON_NOT_FOUND, TENON_STAGE_CONFIG, "`tenon kinds` lists the kinds",
                    "there is no kind %.64s%s%s%s", kind, nearest ? " (did you mean " : "", nearest
                        ? nearest : "",
                    nearest ? "?)" : "");
}

const tenon_provider *tn_registry_at(const tn_registry *r, size_t i) {
  return i < r->count ? &r->entries[i]->provider : NULL;
}
