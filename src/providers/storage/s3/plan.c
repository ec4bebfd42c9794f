/* SPDX-License-Identifier: Apache-2.0 */
#include "plan.h"

#include <math.h>
#include <string.h>

enum {
  MAX_RANGES = 128,
  SERIAL_PAGES_AHEAD = 2,
  NEAR = 8,                  /* ranges that the reader comes to next … */
  MOST_PAGES = 64,           /* … may fill all of this; the first one goes on beyond it */
  MOST_FAR_PAGES = 40,
  CUT_AFTER = 2,             /* pages: shorter listings are not worth it */
  FIRST_PROBES = 6,          /* … */
  PAGES_A_PROBE = 8,         /* … and one more for so many pages */
  MOST_VAIN = 32,            /* requests more than pages were full, and half as many again: then nothing is cut */
  CLOSED_CHAIN = 2           /* guesses in a row before a folder's end */
};

static const double stride = 6, least = 4;     /* pages: of a new range, of one that is cut */

/* ---- Ranges ---- */

static tn_s3_range *new_range(tn_s3_plan *p) {
  tn_s3_range *r = tn_alloc(sizeof *r);
  if (!r) return NULL;
  r->id = p->next_id++;
  p->range_count++;
  return r;
}

static void free_range(tn_s3_plan *p, tn_s3_range *r) {
  for (int i = 0; i < r->count; i++) tn_s3_packed_free(r->pages[(r->first + i) % TN_S3_PAGES_AHEAD]);
  p->held -= r->count;
  p->range_count--;
  tn_free(r->token);
  tn_free(r);
}

tenon_status tn_s3_plan_init(tn_s3_plan *p, const tn_s3_key *prefix, const tn_s3_key *start_after, int window,
                             bool may_probe, tenon_error *err) {
  *p = (tn_s3_plan){.prefix = *prefix, .window = window, .may_probe = may_probe && window > 1, .next_id = 1};
  for (int i = 0; i <= TN_S3_MAX_DEPTH; i++) p->children[i] = 1;
  p->ranges = new_range(p);
  if (p->ranges) p->ranges->after = *start_after;
  if (p->may_probe) {
    p->marks = tn_alloc_array(TN_S3_MAX_MARKS, sizeof *p->marks);
    p->probed = tn_alloc_array(TN_S3_PROBED, sizeof *p->probed);
  }
  if (p->ranges && (!p->may_probe || (p->marks && p->probed))) return TENON_OK;
  tn_s3_plan_release(p);
  return tn_no_memory(err);
}

void tn_s3_plan_release(tn_s3_plan *p) {
  while (p->ranges) {
    tn_s3_range *r = p->ranges;
    p->ranges = r->next;
    free_range(p, r);
  }
  for (int i = 0; i < p->mark_count; i++) tn_free(p->marks[i].text);
  tn_free(p->marks);
  tn_free(p->probed);
  *p = (tn_s3_plan){0};
}

/* How far it is: nothing in front of this key is still to come. */
static const tn_s3_key *low_of(const tn_s3_range *r) { return r->has_seen ? &r->seen : &r->after; }

/* ---- Folders that are known ---- */

static int compare_mark(const tn_s3_mark *m, const tn_s3_key *key) {
  return tn_s3_compare_bytes(m->text, m->size, key->text, key->size);
}

/* The first mark behind a key. */
static int find_mark(const tn_s3_plan *p, const tn_s3_key *key) {
  int low = 0, high = p->mark_count;
  while (low < high) {
    int middle = (low + high) / 2;
    if (compare_mark(&p->marks[middle], key) <= 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

static void drop_marks(tn_s3_plan *p, int from, int to) {
  for (int i = from; i < to; i++) tn_free(p->marks[i].text);
  memmove(p->marks + from, p->marks + to, (size_t)(p->mark_count - to) * sizeof *p->marks);
  p->mark_count -= to - from;
}

static uint8_t depth_of(const tn_s3_plan *p, const char *text, size_t size) {
  uint8_t depth = 0;
  for (size_t i = p->prefix.size; i < size && depth < TN_S3_MAX_DEPTH; i++) depth = (uint8_t)(depth + (text[i] == '/'));
  return depth;
}

/* Those that are far make room. */
static void add_mark(tn_s3_plan *p, const char *text, size_t size) {
  tn_s3_key key = {.size = size};
  memcpy(key.text, text, size);
  int at = find_mark(p, &key);
  if (at == TN_S3_MAX_MARKS || (at > 0 && compare_mark(&p->marks[at - 1], &key) == 0)) return;
  if (p->mark_count == TN_S3_MAX_MARKS) drop_marks(p, p->mark_count - 1, p->mark_count);
  char *copy = tn_strndup(text, size);
  if (!copy) return;
  memmove(p->marks + at + 1, p->marks + at, (size_t)(p->mark_count - at) * sizeof *p->marks);
  p->marks[at] = (tn_s3_mark){.text = copy, .size = (uint16_t)size, .depth = depth_of(p, text, size)};
  p->mark_count++;
}

/* Folders on the lowest level that a mark stands for: as many as its siblings were found to have. */
static double weight_of(const tn_s3_plan *p, const tn_s3_mark *m, int leaf_depth) {
  double weight = 1;
  for (int d = m->depth; d < leaf_depth && weight < 1e6; d++) weight *= p->children[d];
  return weight;
}

static bool is_in(const tn_s3_range *r, const tn_s3_mark *m) { return !r->has_until || compare_mark(m, &r->until) < 0; }

static double folders_a_page(const tn_s3_plan *p, const tn_s3_range *r) {
  double average = p->pages_taken ? p->folders_taken / p->pages_taken : 1;
  return r->spread.folders > average ? r->spread.folders : average;
}

/* A folder about so many pages behind where the range is, or in the middle of what is left of it. */
static bool mark_for(const tn_s3_plan *p, const tn_s3_range *r, double pages, tn_s3_key *ret) {
  const tn_s3_key *low = low_of(r);
  int from = find_mark(p, low), depth = depth_of(p, low->text, low->size);
  double total = 0, folders = folders_a_page(p, r);
  for (int i = from; i < p->mark_count && is_in(r, &p->marks[i]) && total < folders * 1000; i++)
    total += weight_of(p, &p->marks[i], depth);
  if (total < least * folders) return false;
  double wanted = total / 2 < pages * folders ? total / 2 : pages * folders, passed = 0;
  for (int i = from; i < p->mark_count && is_in(r, &p->marks[i]); i++) {
    const tn_s3_mark *m = &p->marks[i];
    passed += weight_of(p, m, depth);
    if (passed < wanted) continue;
    memcpy(ret->text, m->text, (size_t)m->size + 1);
    ret->size = m->size;
    return true;
  }
  return false;
}

/* ---- Probes ---- */

static uint64_t hash_of(const tn_s3_key *key) {
  uint64_t hash = UINT64_C(14695981039346656037);
  for (size_t i = 0; i < key->size; i++) hash = (hash ^ (unsigned char)key->text[i]) * UINT64_C(1099511628211);
  return hash;
}

static tn_s3_probed *find_probed(tn_s3_plan *p, const tn_s3_key *folder) {
  uint64_t hash = hash_of(folder);
  for (int i = 0; i < p->probed_count && i < TN_S3_PROBED; i++)
    if (p->probed[i].folder == hash) return &p->probed[i];
  return NULL;
}

static tn_s3_probed *note_probed(tn_s3_plan *p, const tn_s3_key *folder) {
  tn_s3_probed *found = find_probed(p, folder);
  if (!found) found = &p->probed[p->probed_count++ % TN_S3_PROBED];
  *found = (tn_s3_probed){.folder = hash_of(folder), .is_all = true};
  return found;
}

static void set_part(tn_s3_key *to, const tn_s3_key *from, size_t size) {
  memcpy(to->text, from->text, size);
  to->text[size] = 0;
  to->size = size;
}

/* A folder of the last key's, but the lowest, that says something of the range and was not looked at: the lowest first. */
static bool find_unprobed(tn_s3_plan *p, const tn_s3_range *r, tn_s3_key *ret) {
  size_t slashes[TN_S3_MAX_DEPTH + 1], count = 0, shared = 0;
  slashes[count++] = p->prefix.size;
  for (size_t i = p->prefix.size; i < r->seen.size && count <= TN_S3_MAX_DEPTH; i++)
    if (r->seen.text[i] == '/') slashes[count++] = i + 1;
  while (r->has_until && shared < r->seen.size && shared < r->until.size && r->seen.text[shared] == r->until.text[shared]) shared++;
  for (size_t i = count - 1; i-- > 0 && slashes[i + 1] > shared;) {
    set_part(ret, &r->seen, slashes[i]);
    const tn_s3_probed *known = find_probed(p, ret);
    if (!known || (!known->is_all && tn_s3_compare(&known->until, &r->seen) < 0)) return true;
  }
  return false;
}

static bool find_probe(tn_s3_plan *p, tn_s3_work *ret) {
  if (!p->may_probe || !p->is_long || p->probes_made >= FIRST_PROBES + p->pages_taken / PAGES_A_PROBE) return false;
  for (tn_s3_range *r = p->ranges; r; r = r->next) {
    if (r->has_ended || !r->has_seen || !find_unprobed(p, r, &ret->folder)) continue;
    note_probed(p, &ret->folder);
    r->probes++;
    p->probes_made++;
    ret->range = NULL;
    ret->for_range = r->id;
    ret->after = r->seen;
    return true;
  }
  return false;
}

static tn_s3_range *range_with(tn_s3_plan *p, uint64_t id) {
  tn_s3_range *r = p->ranges;
  while (r && r->id != id) r = r->next;
  return r;
}

void tn_s3_plan_take_probe(tn_s3_plan *p, const tn_s3_work *work, const tn_s3_page *page) {
  tn_s3_range *r = range_with(p, work->for_range);
  size_t found = 0;
  p->under_way--;
  if (r) r->probes--;
  if (p->ranges) drop_marks(p, 0, find_mark(p, low_of(p->ranges)));
  for (size_t i = 0; page && i < page->count; i++) {
    if (!page->items[i].is_prefix) continue;
    add_mark(p, tn_s3_key_at(page, i), page->items[i].size);
    found++;
  }
  p->marks_seen++;
  if (!found) return;
  int depth = depth_of(p, work->folder.text, work->folder.size);
  if (p->children[depth] < (double)found) p->children[depth] = (double)found;
  if (!page->is_truncated) return;
  tn_s3_probed *known = note_probed(p, &work->folder);
  known->is_all = false;
  known->until.size = page->items[page->count - 1].size;
  memcpy(known->until.text, tn_s3_key_at(page, page->count - 1), known->until.size + 1);
}

/* ---- Cutting ---- */

/* The part behind `at` becomes a range of its own. */
static bool cut(tn_s3_plan *p, tn_s3_range *r, const tn_s3_key *at, bool is_guess) {
  tn_s3_range *right = new_range(p);
  if (!right) return false;
  right->after = *at;
  right->until = r->until;
  right->has_until = r->has_until;
  right->is_cut_off = true;
  right->spread = r->spread;
  right->chain = is_guess ? r->chain + 1 : 0;
  right->next = r->next;
  r->next = right;
  r->until = *at;
  r->has_until = true;
  return true;
}

/* Where nobody looked yet, only so many guesses are made in a row. */
static bool may_guess(const tn_s3_plan *p, const tn_s3_range *r) {
  if (r->spread.digit_count == 0) return false;
  return r->has_seen || r->chain < (r->has_until ? CLOSED_CHAIN : p->window);
}

static bool guess(const tn_s3_plan *p, const tn_s3_range *r, tn_s3_key *ret) {
  const tn_s3_key *low = low_of(r);
  double left = tn_s3_pages_between(&r->spread, low, r->has_until ? &r->until : NULL);
  /* a folder that had so many pages will have as many more */
  if (r->has_until && isinf(left)) left = 2 * r->run;
  if (left < least) return false;
  if (!tn_s3_key_behind(&r->spread, low, left / 2 < stride ? left / 2 : stride, p->prefix.size, ret)) return false;
  return !r->has_until || tn_s3_compare(ret, &r->until) < 0;
}

static bool may_be_cut(const tn_s3_plan *p, const tn_s3_range *r) {
  return !r->has_ended && r->probes == 0 && (r->tried_pages != r->pages_read + 1 || r->tried_marks != p->marks_seen);
}

static bool is_in_vain(const tn_s3_plan *p) {
  double full = p->biggest_page ? (double)p->rows / (double)p->biggest_page : 0;
  return p->requests > MOST_VAIN + 1.5 * full;
}

static bool cut_one(tn_s3_plan *p) {
  if (p->window == 1 || !p->is_long || p->range_count >= MAX_RANGES || is_in_vain(p)) return false;
  for (tn_s3_range *r = p->ranges; r; r = r->next) {
    tn_s3_key at;
    if (!may_be_cut(p, r)) continue;
    if (mark_for(p, r, stride, &at)) return cut(p, r, &at, false);
    if (may_guess(p, r) && guess(p, r, &at)) return cut(p, r, &at, true);
    r->tried_pages = r->pages_read + 1;
    r->tried_marks = p->marks_seen;
  }
  return false;
}

/* ---- What is to be asked ---- */

static bool may_ask(const tn_s3_plan *p, const tn_s3_range *r, int place) {
  int ahead = p->window > 1 ? TN_S3_PAGES_AHEAD : SERIAL_PAGES_AHEAD;
  if (r->has_ended || r->is_asked || r->count >= ahead) return false;
  return r == p->ranges || p->held + p->under_way < (place < NEAR ? MOST_PAGES : MOST_FAR_PAGES);
}

static bool find_page(const tn_s3_plan *p, int most, tn_s3_work *ret) {
  int place = 0;
  for (tn_s3_range *r = p->ranges; r && place < most; r = r->next) {
    if (may_ask(p, r, place)) {
      r->is_asked = true;
      ret->range = r;
      return true;
    }
    place += !r->has_ended;
  }
  return false;
}

bool tn_s3_plan_next(tn_s3_plan *p, tn_s3_work *ret) {
  if (p->under_way >= p->window) return false;
  bool found = find_page(p, 1, ret) || find_probe(p, ret) || find_page(p, MAX_RANGES, ret);
  while (!found && p->held + p->under_way < MOST_PAGES && cut_one(p)) found = find_page(p, MAX_RANGES, ret);
  p->under_way += found;
  p->requests += found;
  return found;
}

/* ---- Taking ---- */

static tenon_status bad_listing(const char *why, const char *remedy, tenon_error *err) {
  return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA, remedy, "the listing %s", why);
}

/* What belongs to the ranges beside it is dropped: rolled-up prefixes can be in two. */
static void trim(tn_s3_range *r, tn_s3_page *page) {
  size_t from = 0, to = page->count;
  while (r->is_cut_off && from < to &&
         tn_s3_compare_bytes(tn_s3_key_at(page, from), page->items[from].size, r->after.text, r->after.size) <= 0)
    from++;
  while (r->has_until && to > from &&
         tn_s3_compare_bytes(tn_s3_key_at(page, to - 1), page->items[to - 1].size, r->until.text, r->until.size) > 0) {
    to--;
    r->has_ended = true;
  }
  if (from > 0 && to > from) memmove(page->items, page->items + from, (to - from) * sizeof *page->items);
  page->count = to - from;
}

static tenon_status go_on(tn_s3_range *r, tn_s3_page *page, tenon_error *err) {
  if (!page->is_truncated) r->has_ended = true;
  if (!r->has_ended && (!page->token || !*page->token || (r->token && strcmp(page->token, r->token) == 0)))
    return bad_listing("does not say how it goes on", "ask who runs the service", err);
  tn_free(r->token);
  r->token = page->token;
  page->token = NULL;
  return TENON_OK;
}

static bool follows(const tn_s3_range *r, const tn_s3_page *page) {
  if (!tn_s3_page_is_sorted(page)) return false;
  return !page->count || !r->has_seen ||
         tn_s3_compare_bytes(tn_s3_key_at(page, 0), page->items[0].size, r->seen.text, r->seen.size) > 0;
}

static void note_seen(tn_s3_range *r, const tn_s3_page *page) {
  if (!page->count) return;
  const tn_s3_entry *last = &page->items[page->count - 1];
  memcpy(r->seen.text, tn_s3_key_at(page, page->count - 1), last->size);
  r->seen.text[last->size] = 0;
  r->seen.size = last->size;
  r->has_seen = true;
  r->chain = 0;
}

static void learn(tn_s3_plan *p, tn_s3_range *r, const tn_s3_page *page) {
  tn_s3_learn(page, &r->spread);
  r->run = r->spread.folders > 1 ? 0 : r->run + 1;
  p->folders_taken += r->spread.folders;
  p->pages_taken++;
}

static tenon_status check_order(tn_s3_plan *p, const tn_s3_range *r, const tn_s3_page *page, tenon_error *err) {
  if (p->window == 1 || follows(r, page)) return TENON_OK;
  if (r->is_cut_off || r->has_until) return bad_listing("is not in bytewise order", "set parallel_listing=no", err);
  p->window = 1;
  return TENON_OK;
}

tenon_status tn_s3_plan_take(tn_s3_plan *p, tn_s3_range *r, tn_s3_page *page, tenon_error *err) {
  p->under_way--;
  r->is_asked = false;
  if (page->count > p->biggest_page) p->biggest_page = page->count;
  tenon_status status = go_on(r, page, err);
  if (!status) status = check_order(p, r, page, err);
  if (status) return status;
  if (p->window > 1) learn(p, r, page);
  if (r->is_cut_off || r->has_until) trim(r, page);
  note_seen(r, page);
  p->rows += page->count;
  p->is_long |= ++r->pages_read >= CUT_AFTER;
  if (!page->count) return TENON_OK;
  tn_s3_packed *packed = tn_s3_pack(page);
  if (!packed) return tn_no_memory(err);
  r->pages[(r->first + r->count++) % TN_S3_PAGES_AHEAD] = packed;
  p->held++;
  return TENON_OK;
}

/* ---- Giving ---- */

tn_s3_packed *tn_s3_plan_give(tn_s3_plan *p, bool *ret_ended) {
  while (p->ranges && !p->ranges->count && p->ranges->has_ended && !p->ranges->is_asked) {
    tn_s3_range *r = p->ranges;
    p->ranges = r->next;
    free_range(p, r);
  }
  *ret_ended = !p->ranges;
  tn_s3_range *r = p->ranges;
  if (!r || !r->count) return NULL;
  tn_s3_packed *page = r->pages[r->first];
  r->first = (r->first + 1) % TN_S3_PAGES_AHEAD;
  r->count--;
  p->held--;
  return page;
}
