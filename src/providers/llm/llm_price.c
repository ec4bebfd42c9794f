/* SPDX-License-Identifier: Apache-2.0 */
/* What tokens cost: data (llm_price.def), and how it is looked up. A model that is not there has no
 * price. */
#include <string.h>
#include <strings.h>

#include "llm.h"

/* Micro-dollars for a million tokens, which is picodollars for one. -1: the vendor names none. */
typedef struct price {
  const char *host, *model;
  int64_t input, cached, cache_written, output;
} price;

static const price prices[] = {
#define TN_PRICE(host, model, input, cached, cache_written, output) \
  {host, model, input, cached, cache_written, output},
#include "llm_price.def"
#undef TN_PRICE
};

/* Prices hold where the vendor itself is asked, not somebody who speaks the same protocol. */
static bool is_at(const tn_llm *l, const char *host) {
  return l->base.is_tls && strcasecmp(l->base.authority, host) == 0;
}

static const price *find(const tn_llm *l, const char *model) {
  for (size_t i = 0; i < sizeof prices / sizeof *prices; i++)
    if (strcmp(model, prices[i].model) == 0 && is_at(l, prices[i].host)) return &prices[i];
  return NULL;
}

/* Adds tokens at a price; false where it cannot be known. */
static bool add(int64_t *pico, int64_t tokens, int64_t each) {
  int64_t part;
  if (tokens <= 0) return true;
  return each >= 0 && !__builtin_mul_overflow(tokens, each, &part) &&
         !__builtin_add_overflow(*pico, part, pico);
}

void tn_llm_price(const tn_llm *l, const char *model, tenon_usage *u) {
  const price *p = find(l, model);
  int64_t pico = 0, cached = u->cached > 0 ? u->cached : 0,
          written = u->cache_written > 0 ? u->cache_written : 0;
  if (!p || u->input < 0 || u->output < 0 || u->input < cached + written) return;
  if (!add(&pico, u->input - cached - written, p->input) || !add(&pico, cached, p->cached) ||
      !add(&pico, written, p->cache_written) || !add(&pico, u->output, p->output))
    return;
  u->cost_nano = pico / 1000 + (pico % 1000 >= 500);
}
