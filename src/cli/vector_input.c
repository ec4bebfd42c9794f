/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/vector_input.h"

#include <string.h>

#include "base/error.h"
#include "base/float.h"
#include "cli/input.h"

enum { MAX_FILE = 1 << 30, MAX_IDS = 1 << 20, FIRST_ROOM = 1024 };
static const size_t MAX_NUMBERS = (size_t)1 << 28;   /* 1 GiB */

/* @@x is the word @x. */
static bool is_file(const char *word) {
  return (*word == '@' && word[1] != '@') || strcmp(word, "-") == 0;
}

static const char *path_of(const char *word) { return *word == '@' ? word + 1 : word; }

/* ---- Vectors ---- */

static tenon_status bad_vector(const char *word, tenon_error *err) {
  return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "write the numbers as '[0.1, 0.2, 0.3]'",
                    is_file(word) ? "there is something else than vectors in %.200s"
                                  : "--vector cannot be \"%.80s\"",
                    path_of(word));
}

static const char *skip_blanks(const char *at) { return at + strspn(at, " \t\r"); }

static bool put_number(tn_cli_numbers *n, float v) {
  if (n->used == n->room) {
    size_t room = n->room ? n->room * 2 : FIRST_ROOM;
    float *items = room > MAX_NUMBERS ? NULL : tn_resize(n->items, room * sizeof *items);
    if (!items) return false;
    n->items = items;
    n->room = room;
  }
  n->items[n->used++] = v;
  return true;
}

/* In brackets a line may end anywhere. */
static const char *skip_between(const char *at, bool in_brackets) {
  return at + strspn(at, in_brackets ? " \t\r\n" : " \t\r");
}

/* The numbers up to the bracket or, without one, the line's end; NULL: something else is there. */
static const char *take_numbers(const char *at, bool in_brackets, tn_cli_numbers *n,
                                tenon_status *status, tenon_error *err) {
  for (bool more = true; more;) {
    float v;
    size_t size = strcspn(at, " \t\r\n,[]");
    if (!size || !tn_parse_f32(at, size, &v)) return NULL;
    if (!put_number(n, v)) {
      *status = tn_no_memory(err);
      return NULL;
    }
    at = skip_between(at + size, in_brackets);
    more = *at == ',' || (*at && !strchr("\n]", *at));
    if (*at == ',') at = skip_between(at + 1, in_brackets);
  }
  return at;
}

static tenon_status close_vector(tn_cli_numbers *n, size_t begin, tenon_error *err) {
  size_t size = n->used - begin;
  if (size > TENON_MAX_DIMENSION)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG,
                      "give vectors of the collection's dimension",
                      "a vector has more than %d numbers", TENON_MAX_DIMENSION);
  if (n->count && size != n->dimension)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "give vectors of one length",
                      "vector %zu has %zu numbers, the first one %zu", n->count + 1, size,
                      n->dimension);
  n->dimension = size;
  n->count++;
  return TENON_OK;
}

/* Moves *at behind one vector and the blanks behind it. */
static tenon_status take_vector(const char **at, const char *word, tn_cli_numbers *n,
                                tenon_error *err) {
  size_t begin = n->used;
  tenon_status status = TENON_OK;
  bool in_brackets = **at == '[';
  const char *end = take_numbers(skip_between(*at + in_brackets, in_brackets), in_brackets, n,
                                 &status, err);
  if (status) return status;
  if (!end || (in_brackets && *end != ']')) return bad_vector(word, err);
  end = skip_blanks(end + in_brackets);
  if (*end == ',' && is_file(word)) end = skip_blanks(end + 1);
  if (*end && *end != '\n') return bad_vector(word, err);
  *at = end + strspn(end, " \t\r\n");
  return close_vector(n, begin, err);
}

static tenon_status take_text(const char *text, const char *word, tn_cli_numbers *n,
                              tenon_error *err) {
  const char *at = text + strspn(text, " \t\r\n");
  tenon_status status = *at ? TENON_OK : bad_vector(word, err);
  while (!status && *at) status = take_vector(&at, word, n, err);
  return status;
}

static tenon_status take_file(const tn_cli *cli, const char *word, tn_cli_numbers *n,
                              tenon_error *err) {
  tn_cli_input in;
  tn_str text;
  tenon_status status = tn_cli_input_open(cli, path_of(word), &in, err);
  if (status) return status;
  tn_str_init(&text, MAX_FILE);
  status = tn_cli_input_all(&in, &text, err);
  tn_cli_input_close(&in);
  if (!status && text.size && memchr(text.data, 0, text.size)) status = bad_vector(word, err);
  if (!status) status = take_text(tn_str_text(&text), word, n, err);
  tn_str_release(&text);
  return status;
}

void tn_cli_numbers_release(tn_cli_numbers *n) { tn_free(n->items); }

tenon_status tn_cli_take_vectors(const tn_cli *cli, const tn_cli_again *words, tn_cli_numbers *ret,
                                 tenon_error *err) {
  tn_cli_numbers n = {0};
  tenon_status status = TENON_OK;
  if (!words->count)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG,
                      "give --vector '[0.1, …]', or --text with --embed",
                      "no vector is given");
  for (size_t i = 0; i < words->count && !status; i++) {
    const char *word = words->items[i];
    status = is_file(word) ? take_file(cli, word, &n, err) : take_text(word, word, &n, err);
  }
  if (status) tn_cli_numbers_release(&n);
  else *ret = n;
  return status;
}

/* ---- Ids ---- */

static tenon_status put_id(tn_cli_ids *ids, const char *id, size_t size, tenon_error *err) {
  if (ids->count == MAX_IDS)
    return tenon_fail(err, TENON_LIMITED, TENON_STAGE_CONFIG, "ask in several calls",
                      "there are more than %d ids", MAX_IDS);
  if (memchr(id, 0, size))
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "give a text file, one id a line",
                      "id %zu has a NUL character", ids->count + 1);
  if (!tn_str_add(&ids->texts, id, size) || !tn_str_add(&ids->texts, "", 1))
    return tn_no_memory(err);
  ids->count++;
  return TENON_OK;
}

static tenon_status take_lines(const tn_cli *cli, const char *word, tn_cli_ids *ids,
                               tenon_error *err) {
  tn_cli_input in;
  tn_str line;
  bool there = true;
  tenon_status status = tn_cli_input_open(cli, path_of(word), &in, err);
  if (status) return status;
  tn_str_init(&line, TN_CLI_INPUT_ROOM);
  while (!status && there) {
    status = tn_cli_input_line(&in, &line, &there, err);
    size_t size = line.size;
    if (size && line.data[size - 1] == '\r') size--;
    if (!status && there && size) status = put_id(ids, line.data, size, err);
  }
  tn_cli_input_close(&in);
  tn_str_release(&line);
  return status;
}

void tn_cli_ids_release(tn_cli_ids *ids) {
  tn_free(ids->items);
  tn_str_release(&ids->texts);
}

tenon_status tn_cli_take_ids(const tn_cli *cli, const tn_cli_again *words, tn_cli_ids *ret,
                             tenon_error *err) {
  tn_cli_ids ids = {0};
  tenon_status status = TENON_OK;
  tn_str_init(&ids.texts, MAX_FILE);
  for (size_t i = 0; i < words->count && !status; i++) {
    const char *word = words->items[i];
    bool is_doubled = word[0] == '@' && word[1] == '@';
    status = is_file(word) ? take_lines(cli, word, &ids, err)
                           : put_id(&ids, word + is_doubled, strlen(word + is_doubled), err);
  }
  /* with words, but without an id, it is a list of none, not no list */
  if (!status && words->count && !(ids.items = tn_alloc_array(ids.count + 1, sizeof *ids.items)))
    status = tn_no_memory(err);
  if (status) {
    tn_cli_ids_release(&ids);
    return status;
  }
  const char *at = tn_str_text(&ids.texts);
  for (size_t i = 0; i < ids.count; i++, at += strlen(at) + 1) ids.items[i] = at;
  *ret = ids;
  return TENON_OK;
}
