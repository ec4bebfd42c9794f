/* SPDX-License-Identifier: Apache-2.0 */
/* Index pages: whatever a server writes, its entries are names right below the folder, each once and in order. The first
 * byte chooses between HTML and JSON. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "providers/storage/http/page.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_entry(const tn_web_page *p, size_t i) {
  const tn_web_entry *e = &p->items[i];
  const char *name = tn_web_name_at(p, i);
  size_t n = e->size - e->is_folder;
  if (!n || e->at + e->size > p->texts.size || memchr(name, '/', n) || memchr(name, 0, n)) abort();
  if (e->is_folder && name[n] != '/') abort();
  if ((n == 1 && name[0] == '.') || (n == 2 && memcmp(name, "..", 2) == 0)) abort();
  if (e->bytes < -1 || (e->is_folder && e->modified_us != INT64_MIN)) abort();
  if (!i) return;
  const tn_web_entry *b = &p->items[i - 1];
  int order = memcmp(tn_web_name_at(p, i - 1), name, b->size < e->size ? b->size : e->size);
  if (order > 0 || (order == 0 && b->size >= e->size)) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char *const types[] = {"text/html; charset=utf-8", "application/json"};
  tn_web_page page;
  tenon_error err = TENON_ERROR_INIT;
  if (!size) return 0;
  if (tn_web_page_read("http://h.example:8080/a%20b/c/", types[*data & 1], (const char *)data + 1, size - 1, &page, &err)) {
    if (!err.message[0]) abort();
    return 0;
  }
  for (size_t i = 0; i < page.count; i++) check_entry(&page, i);
  tn_web_page_release(&page);
  return 0;
}
