/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where DuckDB's library is: beside the program or library that this code is in, or where `make
 * install` puts it seen from there, or where the system's own search finds it. Another version than
 * ours is as good as none.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "engine/duckdb_api.h"

enum { MAX_PATH = 4096 };

static const char *const remedy =
    "run `make run` or `make install`, which fetch it, or put libduckdb.so of version 1.5.5 beside the program or into "
    "PREFIX/lib/tenon";

static tn_duckdb functions;
static atomic_bool loaded;

static void *slot(void *library, const char *name, const char **ret_missing) {
  void *found = dlsym(library, name);
  if (!found && !*ret_missing) *ret_missing = name;
  return found;
}

/* Fills the table from a library; NULL, or why it cannot be used. */
static const char *bind(void *library) {
  const char *missing = NULL;
  tn_duckdb f;
#define TN_DUCKDB_BIND(name) f.name = (__typeof__(f.name))(uintptr_t)slot(library, "duckdb_" #name, &missing);
  TN_DUCKDB_FUNCTIONS(TN_DUCKDB_BIND)
#undef TN_DUCKDB_BIND
  if (missing || strcmp(f.library_version(), TN_DUCKDB_VERSION) != 0) return "is of another version than " TN_DUCKDB_VERSION;
  functions = f;
  return NULL;
}

/* The folder of the program (/proc/self/exe) or of the shared library that holds this function. */
static bool own_folder(bool of_program, char *ret, size_t room) {
  if (of_program) {
    ssize_t n = readlink("/proc/self/exe", ret, room - 1);
    if (n <= 0) return false;
    ret[n] = 0;
  } else {
    Dl_info info;
    if (!dladdr((const void *)&loaded, &info) || !info.dli_fname || strlen(info.dli_fname) >= room) return false;
    snprintf(ret, room, "%s", info.dli_fname);
  }
  char *slash = strrchr(ret, '/');
  if (slash) *slash = 0;
  return slash != NULL;
}

typedef struct tn_search {
  char tried[512];   /* why each that was found could not be used */
} tn_search;

static bool try_path(const char *path, tn_search *search) {
  if (strchr(path, '/') && access(path, R_OK) != 0) return false;
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  const char *why = library ? bind(library) : dlerror();
  if (!why) return true;
  if (library) dlclose(library);
  if (strchr(path, '/')) snprintf(search->tried, sizeof search->tried, "%s: %s", path, why);
  return false;
}

static bool try_folder(bool of_program, tn_search *search) {
  static const char *const places[] = {"", "tenon/", "../lib/tenon/", "../lib/"};
  char folder[MAX_PATH], path[MAX_PATH + 64];
  if (!own_folder(of_program, folder, sizeof folder)) return false;
  for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
    snprintf(path, sizeof path, "%s/%slibduckdb.so", folder, places[i]);
    if (try_path(path, search)) return true;
  }
  return false;
}

static tenon_status load(tenon_error *err) {
  tn_search search = {""};
  if (try_folder(false, &search) || try_folder(true, &search) || try_path("libduckdb.so", &search)) return TENON_OK;
  return tenon_fail(err, TENON_UNSUPPORTED, TENON_STAGE_CONFIG, remedy, "the DuckDB library is needed for this and %s%s",
                    search.tried[0] ? "cannot be used: " : "was not found", search.tried);
}

tenon_status tn_duckdb_get(const tn_duckdb **ret, tenon_error *err) {
  static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  if (!atomic_load_explicit(&loaded, memory_order_acquire)) {
    pthread_mutex_lock(&lock);
    tenon_status status = atomic_load(&loaded) ? TENON_OK : load(err);
    if (!status) atomic_store_explicit(&loaded, true, memory_order_release);
    pthread_mutex_unlock(&lock);
    if (status) return status;
  }
  *ret = &functions;
  return TENON_OK;
}
