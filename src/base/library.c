/* SPDX-License-Identifier: Apache-2.0 */
#include "base/library.h"

#include <dlfcn.h>
#include <stdio.h>

static void *open_first(const char *const *names, char *why, size_t room) {
  for (; *names; names++) {
    void *library = dlopen(*names, RTLD_NOW | RTLD_LOCAL);
    if (library) return library;
    snprintf(why, room, "%s", dlerror());
  }
  return NULL;
}

tenon_status tn_library_open(const char *const *names, const char *const *symbols, void **slots,
                             size_t count, const char *remedy, tenon_error *err) {
  char why[300] = "no name was given";
  void *library = open_first(names, why, sizeof why);
  if (!library)
    return tenon_fail(err, TENON_UNSUPPORTED, TENON_STAGE_CONFIG, remedy,
                      "a library cannot be opened: %s", why);
  for (size_t i = 0; i < count; i++) {
    void *symbol = dlsym(library, symbols[i]);
    if (!symbol)
      return tenon_fail(err, TENON_UNSUPPORTED, TENON_STAGE_CONFIG, remedy,
                        "the library %s has no %s: it is too old",
                        names[0], symbols[i]);
    slots[i] = symbol;
  }
  return TENON_OK;
}
