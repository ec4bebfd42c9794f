/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/error.h"
#include "core/params.h"

enum { MAX_SETTINGS = 1024, MAX_BYTES = 4 << 20 };

void tn_settings_init(tn_settings *s) {
  *s = (tn_settings){0};
  tn_arena_init(&s->arena, MAX_BYTES);
}

void tn_settings_release(tn_settings *s) {
  tn_arena_release(&s->arena);
  tn_free(s->items);
  s->items = NULL;
  s->count = s->capacity = 0;
}

static tenon_status too_much(tenon_error *err) {
  return tenon_fail(err, TENON_LIMITED, TENON_STAGE_CONFIG, NULL,
                    "settings of more than %d bytes, or more than %d of them",
                    MAX_BYTES, MAX_SETTINGS);
}

static tenon_status make_room(tn_settings *s, tenon_error *err) {
  if (s->count < s->capacity) return TENON_OK;
  if (s->count >= MAX_SETTINGS) return too_much(err);
  size_t capacity = s->capacity ? s->capacity * 2 : 16;
  tn_setting *items = tn_resize(s->items, capacity * sizeof *items);
  if (!items) return tn_no_memory(err);
  s->items = items;
  s->capacity = capacity;
  return TENON_OK;
}

/* A later one stands behind those before it, so that it also wins over other names of its row. */
static void forget(tn_settings *s, const char *key) {
  size_t kept = 0;
  for (size_t i = 0; i < s->count; i++)
    if (strcmp(s->items[i].key, key) != 0) s->items[kept++] = s->items[i];
  s->count = kept;
}

tenon_status tn_settings_add(tn_settings *s, const tn_setting *setting, tenon_error *err) {
  tenon_status status = make_room(s, err);
  if (status) return status;
  tn_setting copy = {.key = tn_arena_strdup(&s->arena, setting->key),
                     .value = tn_arena_strdup(&s->arena, setting->value),
                     .base = setting->base ? tn_arena_strdup(&s->arena, setting->base) : NULL,
                     .is_structured = setting->is_structured};
  if (!copy.key || !copy.value || (setting->base && !copy.base)) return too_much(err);
  forget(s, copy.key);
  s->items[s->count++] = copy;
  return TENON_OK;
}

tenon_status tn_settings_set(tn_settings *s, const char *key, const char *value, tenon_error *err) {
  const tn_setting setting = {.key = key, .value = value};
  return tn_settings_add(s, &setting, err);
}

const char *tn_settings_take(tn_settings *s, const char *key) {
  for (size_t i = 0; i < s->count; i++) {
    if (strcmp(s->items[i].key, key) != 0) continue;
    const char *value = s->items[i].value;
    memmove(&s->items[i], &s->items[i + 1], (s->count - i - 1) * sizeof s->items[0]);
    s->count--;
    return value;
  }
  return NULL;
}
