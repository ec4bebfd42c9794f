/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a command line by a command's table. Options may stand anywhere; `--` ends them; `-` is an
 * operand. An option given twice is refused rather than guessed about.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "base/str.h"
#include "cli/command.h"
#include "core/params.h"

enum { MAX_OPTIONS = 48, MAX_WORDS = 1024 };

static const char *const progress_choices[] = {"auto", "never", "json", NULL};

static const char *const egress_choices[] = {"open", "no-metadata", "public-only", NULL};

static const tn_cli_option common_options[] = {
    {TN_TIME(tn_cli_common, timeout_ms), .name = "timeout", .value = "TIME",
     .help = "end with TIMEOUT when the whole command takes longer: 10, 30s, 5m; 0: no limit"},
    {TN_TEXT(tn_cli_common, connectors), .name = "connectors", .value = "FILE",
     .help = "the file of connectors (default: the nearest tenon.yaml upward from here)"},
    {TN_CHOICE(tn_cli_common, egress), .name = "egress", .value = "POLICY",
     .choices = egress_choices,
     .help = "where connections may go: everywhere; not to clouds' metadata services; to public "
             "addresses alone"},
    {TN_TEXT(tn_cli_common, egress_allow), .name = "egress-allow", .value = "LIST",
     .help = "hosts, networks and sockets beside the policy: db.corp,.example,10.0.0.0/8:5432"},
    {TN_FLAG(tn_cli_common, json), .name = "json",
     .help = "answer with one JSON document (docs/json.md), errors too"},
    {TN_CHOICE(tn_cli_common, progress), .name = "progress", .value = "HOW",
     .choices = progress_choices,
     .help = "auto: on a terminal; never; json: a line of JSON now and then; always on stderr"},
    {TN_FLAG(tn_cli_common, quiet), .name = "quiet", .letter = 'q',
     .help = "nothing on stderr but errors"},
    {TN_COUNT(tn_cli_common, verbose), .name = "verbose", .letter = 'v',
     .help = "say more of what happens; -vv: everything"},
    {TN_FLAG(tn_cli_common, help), .name = "help", .letter = 'h', .help = "show this help"},
};

enum { COMMON_COUNT = sizeof common_options / sizeof common_options[0] };

const tn_cli_option *tn_cli_option_at(const tn_cli_command *command, size_t i) {
  if (i < command->option_count) return &command->options[i];
  i -= command->option_count;
  return i < COMMON_COUNT ? &common_options[i] : NULL;
}

bool tn_cli_is_given(const tn_cli_option *o, const void *arguments) {
  const void *at = (const char *)arguments + o->offset;
  switch (o->type) {
    case TN_CLI_FLAG: return *(const bool *)at;
    case TN_CLI_TEXT: case TN_CLI_CHOICE: return *(const char *const *)at != NULL;
    case TN_CLI_LIST: return ((const tn_cli_texts *)at)->count > 0;
    case TN_CLI_ORDER: return ((const tn_cli_order *)at)->count > 0;
    case TN_CLI_AGAIN: return ((const tn_cli_again *)at)->count > 0;
    case TN_CLI_SETTINGS: return ((const tn_cli_settings *)at)->count > 0;
    default: return *(const int64_t *)at >= 0;   /* numbers, COUNT among them */
  }
}

/* ---- One command line under way ---- */

typedef struct parse {
  const tn_cli_command *command;
  tn_arena *arena;
  char *arguments;
  uint64_t given;      /* bit i: option i was there */
  char remedy[320];
  tenon_error *err;
} parse;

static tenon_status refuse(parse *p, const char *remedy, const char *what, const char *word) {
  if (!remedy) {
    snprintf(p->remedy, sizeof p->remedy, "see: tenon %s --help", p->command->name);
    remedy = p->remedy;
  }
  return tenon_fail(p->err, TENON_CONFIG, TENON_STAGE_CONFIG, remedy, what, word);
}

static const tn_cli_option *find_long(const tn_cli_command *command, const char *name, size_t size,
                                      size_t *ret_i) {
  const tn_cli_option *o;
  for (size_t i = 0; (o = tn_cli_option_at(command, i)); i++)
    if (strlen(o->name) == size && memcmp(o->name, name, size) == 0) {
      *ret_i = i;
      return o;
    }
  return NULL;
}

static const tn_cli_option *find_letter(const tn_cli_command *command, char letter, size_t *ret_i) {
  const tn_cli_option *o;
  for (size_t i = 0; (o = tn_cli_option_at(command, i)); i++)
    if (o->letter == letter) {
      *ret_i = i;
      return o;
    }
  return NULL;
}

static tenon_status unknown_option(parse *p, const char *word) {
  const char *names[MAX_OPTIONS];
  size_t count = 0;
  const tn_cli_option *o;
  for (; count < MAX_OPTIONS && (o = tn_cli_option_at(p->command, count)); count++)
    names[count] = o->name;
  char name[64];
  snprintf(name, sizeof name, "%.*s", (int)strcspn(word, "="), word);
  const char *nearest = strncmp(name, "--", 2) == 0 ? tn_nearest(name + 2, names, count) : NULL;
  if (!nearest) return refuse(p, NULL, "there is no option %s", name);
  snprintf(p->remedy, sizeof p->remedy, "did you mean --%s? See: tenon %s --help", nearest,
           p->command->name);
  return refuse(p, p->remedy, "there is no option %s", name);
}

/* ---- Values ---- */

static tenon_status bad_value(parse *p, const tn_cli_option *o, const char *value,
                              const char *expected) {
  snprintf(p->remedy, sizeof p->remedy, "%s", expected);
  return tenon_fail(p->err, TENON_CONFIG, TENON_STAGE_CONFIG, p->remedy, "--%s cannot be \"%s\"",
                    o->name, value);
}

static tenon_status set_choice(parse *p, const tn_cli_option *o, const char *value) {
  size_t count = 0;
  for (; o->choices[count]; count++)
    if (strcmp(o->choices[count], value) == 0) {
      memcpy(p->arguments + o->offset, &o->choices[count], sizeof o->choices[count]);
      return TENON_OK;
    }
  tn_str all;
  tn_str_init(&all, sizeof p->remedy);
  const char *nearest = tn_nearest(value, o->choices, count);
  if (nearest) tn_str_printf(&all, "did you mean %s? ", nearest);
  tn_str_puts(&all, nearest ? "There are " : "give one of ");
  for (size_t i = 0; i < count; i++) tn_str_printf(&all, "%s%s", i ? ", " : "", o->choices[i]);
  tenon_status status = bad_value(p, o, value, tn_str_text(&all));
  tn_str_release(&all);
  return status;
}

static tenon_status set_integer(parse *p, const tn_cli_option *o, const char *value) {
  char *end;
  errno = 0;
  long long n = strtoll(value, &end, 10);
  if (end == value || *end || errno || n < 0)
    return bad_value(p, o, value, "give a whole number, 0 or more");
  int64_t stored = n;
  memcpy(p->arguments + o->offset, &stored, sizeof stored);
  return TENON_OK;
}

static tenon_status set_size(parse *p, const tn_cli_option *o, const char *value) {
  int64_t bytes;
  bool may_be_none = o->offset != offsetof(tn_cli_common, memory);
  if (!tn_parse_size(value, &bytes) || (bytes == 0 && !may_be_none))
    return bad_value(p, o, value, "give a size such as 64M, 1G or 512K");
  memcpy(p->arguments + o->offset, &bytes, sizeof bytes);
  return TENON_OK;
}

static tenon_status set_duration(parse *p, const tn_cli_option *o, const char *value) {
  int64_t ms;
  if (!tn_parse_duration(value, &ms))
    return bad_value(p, o, value, "give a time such as 10, 250ms, 30s or 5m");
  memcpy(p->arguments + o->offset, &ms, sizeof ms);
  return TENON_OK;
}

/* One name of a list. */
typedef struct element {
  const char *text;
  bool quoted, minus;   /* minus: a - stood before it, outside of the quotes */
} element;

/* Takes the element at *at, unquoted into the arena; *at ends behind its comma or at the end.
 * False: a quote is not closed, or there is no memory. */
static bool take_element(tn_arena *arena, const char **at, bool with_minus, element *ret) {
  const char *s = *at + strspn(*at, " ");
  char *text = tn_arena_alloc(arena, strlen(s) + 1);
  if (!text) return false;
  size_t n = 0;
  bool minus = with_minus && *s == '-' && s[1];
  if (minus) s++;
  bool quoted = *s == '"';
  if (quoted) s++;
  for (; *s && (quoted || *s != ','); s++) {
    if (quoted && *s == '"' && s[1] != '"') break;
    if (quoted && *s == '"') s++;
    text[n++] = *s;
  }
  if (quoted && *s++ != '"') return false;
  if (quoted) s += strspn(s, " ");
  while (!quoted && n > 0 && text[n - 1] == ' ') n--;
  if (*s && *s != ',') return false;
  text[n] = 0;
  *at = *s ? s + 1 : s;
  *ret = (element){.text = text, .quoted = quoted, .minus = minus};
  return true;
}

static tenon_status take_elements(parse *p, const tn_cli_option *o, const char *value,
                                  element **ret, size_t *ret_count) {
  size_t most = 1, count = 0;
  for (const char *c = value; *c; c++) most += *c == ',';
  element *all = tn_arena_alloc(p->arena, most * sizeof *all);
  if (!all) return tn_no_memory(p->err);
  for (const char *at = value;;) {
    const char *before = at;
    element *e = &all[count++];
    if (!take_element(p->arena, &at, o->type == TN_CLI_ORDER, e) || !*e->text)
      return bad_value(p, o, value,
                       "separate the names by commas; quote one that has a comma: \"a,b\"");
    if (!*at && (at == before || at[-1] != ',')) break;
  }
  *ret = all;
  *ret_count = count;
  return TENON_OK;
}

static tenon_status set_list(parse *p, const tn_cli_option *o, const char *value) {
  element *all;
  tn_cli_texts list = {0};
  tenon_status status = take_elements(p, o, value, &all, &list.count);
  if (status) return status;
  list.items = tn_arena_alloc(p->arena, list.count * sizeof *list.items);
  if (!list.items) return tn_no_memory(p->err);
  for (size_t i = 0; i < list.count; i++) list.items[i] = all[i].text;
  memcpy(p->arguments + o->offset, &list, sizeof list);
  return TENON_OK;
}

/* As SQL has it. */
static bool ends_with_direction(const char *word) {
  const char *space = strrchr(word, ' ');
  return space && (strcasecmp(space, " desc") == 0 || strcasecmp(space, " asc") == 0);
}

static tenon_status set_order(parse *p, const tn_cli_option *o, const char *value) {
  element *all;
  tn_cli_order order = {0};
  tenon_status status = take_elements(p, o, value, &all, &order.count);
  if (status) return status;
  order.items = tn_arena_alloc(p->arena, order.count * sizeof *order.items);
  if (!order.items) return tn_no_memory(p->err);
  for (size_t i = 0; i < order.count; i++) {
    if (!all[i].quoted && ends_with_direction(all[i].text))
      return tenon_fail(p->err, TENON_CONFIG, TENON_STAGE_CONFIG,
                        "write --order a for ascending, --order -a for descending",
                        "order: %s has a direction behind it", all[i].text);
    order.items[i] = (tenon_order){.column = all[i].text, .descending = all[i].minus};
  }
  memcpy(p->arguments + o->offset, &order, sizeof order);
  return TENON_OK;
}

static tenon_status add_setting(parse *p, const tn_cli_option *o, const char *value) {
  tn_cli_settings *settings = (void *)(p->arguments + o->offset);
  const char *equals = strchr(value, '=');
  /* the value may be a secret: it is not repeated */
  if (!equals || equals == value)
    return tenon_fail(p->err, TENON_CONFIG, TENON_STAGE_CONFIG,
                      "give KEY=VALUE; `tenon kinds KIND` lists the keys", "--%s has no KEY=VALUE",
                      o->name);
  if (settings->count == TN_CLI_MAX_SETTINGS)
    return tenon_fail(p->err, TENON_LIMITED, TENON_STAGE_CONFIG, "put them into tenon.yaml",
                      "too many --%s", o->name);
  const char *key = tn_arena_strndup(p->arena, value, (size_t)(equals - value));
  if (!key) return tn_no_memory(p->err);
  settings->items[settings->count++] = (tenon_setting){.key = key, .value = equals + 1};
  return TENON_OK;
}

static tenon_status add_again(parse *p, const tn_cli_option *o, const char *value) {
  tn_cli_again *again = (void *)(p->arguments + o->offset);
  if (again->count == TN_CLI_MAX_AGAIN)
    return tenon_fail(p->err, TENON_LIMITED, TENON_STAGE_CONFIG,
                      "give fewer at once, or a file of them where the option takes one",
                      "--%s can be given %d times at most", o->name, TN_CLI_MAX_AGAIN);
  again->items[again->count++] = value;
  return TENON_OK;
}

static tenon_status set_value(parse *p, const tn_cli_option *o, const char *value) {
  switch (o->type) {
    case TN_CLI_CHOICE: return set_choice(p, o, value);
    case TN_CLI_INTEGER: return set_integer(p, o, value);
    case TN_CLI_SIZE: return set_size(p, o, value);
    case TN_CLI_DURATION: return set_duration(p, o, value);
    case TN_CLI_LIST: return set_list(p, o, value);
    case TN_CLI_ORDER: return set_order(p, o, value);
    case TN_CLI_AGAIN: return add_again(p, o, value);
    case TN_CLI_SETTINGS: return add_setting(p, o, value);
    case TN_CLI_FLAG: case TN_CLI_COUNT: case TN_CLI_TEXT: break;
  }
  memcpy(p->arguments + o->offset, &value, sizeof value);
  return TENON_OK;
}

static bool takes_value(const tn_cli_option *o) {
  return o->type != TN_CLI_FLAG && o->type != TN_CLI_COUNT;
}

static tenon_status note_given(parse *p, const tn_cli_option *o, size_t i) {
  bool again = p->given >> i & 1;
  p->given |= (uint64_t)1 << i;
  if (!again || o->type == TN_CLI_COUNT || o->type == TN_CLI_AGAIN || o->type == TN_CLI_SETTINGS ||
      o->type == TN_CLI_FLAG)
    return TENON_OK;
  return refuse(p, "give it once", "--%s is given twice", o->name);
}

static void set_flag(parse *p, const tn_cli_option *o) {
  if (o->type == TN_CLI_FLAG) {
    *(bool *)(p->arguments + o->offset) = true;
    return;
  }
  int64_t *count = (void *)(p->arguments + o->offset);
  *count = *count < 0 ? 1 : *count + 1;
}

/* ---- Words ---- */

/* Either parser of a word answers how many words further it took, in *ret_more. */
static tenon_status parse_long(parse *p, const char *word, const char *next, int *ret_more) {
  size_t size = strcspn(word + 2, "="), i = 0;
  const tn_cli_option *o = find_long(p->command, word + 2, size, &i);
  if (!o) return unknown_option(p, word);
  const char *value = word[2 + size] ? word + 3 + size : NULL;
  tenon_status status = note_given(p, o, i);
  if (status) return status;
  if (!takes_value(o)) {
    if (value) return refuse(p, NULL, "--%s takes no value", o->name);
    set_flag(p, o);
    return TENON_OK;
  }
  if (!value) {
    if (!next) return refuse(p, NULL, "--%s needs a value", o->name);
    value = next;
    *ret_more = 1;
  }
  return set_value(p, o, value);
}

static tenon_status parse_letters(parse *p, const char *word, const char *next, int *ret_more) {
  for (const char *c = word + 1; *c; c++) {
    size_t i = 0;
    const tn_cli_option *o = find_letter(p->command, *c, &i);
    if (!o) return unknown_option(p, word);
    tenon_status status = note_given(p, o, i);
    if (status) return status;
    if (!takes_value(o)) {
      set_flag(p, o);
      continue;
    }
    if (!c[1] && !next) return refuse(p, NULL, "--%s needs a value", o->name);
    *ret_more = !c[1];
    return set_value(p, o, c[1] ? c + 1 : next);
  }
  return TENON_OK;
}

static tenon_status add_operand(parse *p, const char *word) {
  tn_cli_common *common = (void *)p->arguments;
  size_t room = p->command->operands[1] ? 2 : p->command->operands[0] ? 1 : 0;
  if (common->operand_count == room) {
    char usage[200];
    tn_cli_usage(p->command, usage, sizeof usage);
    snprintf(p->remedy, sizeof p->remedy, "usage: %s; quote an argument that has spaces", usage);
    /* the word may be a target with a password in it: it is not repeated */
    return tenon_fail(p->err, TENON_CONFIG, TENON_STAGE_CONFIG, p->remedy,
                      "argument %zu is one too many", common->operand_count + 1);
  }
  if (!*word)
    return tenon_fail(p->err, TENON_CONFIG, TENON_STAGE_CONFIG, "is a shell variable not set?",
                      "%s is empty", p->command->operands[common->operand_count]);
  common->operands[common->operand_count++] = word;
  return TENON_OK;
}

static void start_numbers(const tn_cli_command *command, char *arguments) {
  const tn_cli_option *o;
  int64_t absent = -1;
  for (size_t i = 0; (o = tn_cli_option_at(command, i)); i++)
    if (o->type == TN_CLI_INTEGER || o->type == TN_CLI_SIZE || o->type == TN_CLI_DURATION)
      memcpy(arguments + o->offset, &absent, sizeof absent);
}

static tenon_status check_operands(parse *p) {
  const tn_cli_common *common = (void *)p->arguments;
  if (common->help || common->operand_count >= p->command->operands_required) return TENON_OK;
  char usage[200];
  tn_cli_usage(p->command, usage, sizeof usage);
  snprintf(p->remedy, sizeof p->remedy, "usage: %s", usage);
  return refuse(p, p->remedy, "%s is missing", p->command->operands[common->operand_count]);
}

tenon_status tn_cli_parse(const tn_cli_command *command, int word_count, char **words,
                          tn_arena *arena, void *arguments, tenon_error *err) {
  parse p = {.command = command, .arena = arena, .arguments = arguments, .err = err};
  bool only_operands = false;
  tenon_status status = TENON_OK;
  if (word_count > MAX_WORDS) return refuse(&p, NULL, "more than %s arguments", "1,024");
  start_numbers(command, p.arguments);
  for (int i = 0, more = 0; i < word_count && !status; i += 1 + more) {
    char *word = words[i], *next = i + 1 < word_count ? words[i + 1] : NULL;
    more = 0;
    if (!only_operands && strcmp(word, "--") == 0) only_operands = true;
    else if (!only_operands && strncmp(word, "--", 2) == 0)
      status = parse_long(&p, word, next, &more);
    else if (!only_operands && word[0] == '-' && word[1])
      status = parse_letters(&p, word, next, &more);
    else status = add_operand(&p, word);
  }
  return status ? status : check_operands(&p);
}
