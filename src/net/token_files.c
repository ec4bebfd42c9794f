/* SPDX-License-Identifier: Apache-2.0 */
#include "net/token_files.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/private_file.h"

typedef struct files {
  char *folder;
} files;

typedef struct file_name {
  char text[TENON_GRANT_NAME + 16];
} file_name;

static file_name name_of(const char *grant, const char *suffix) {
  file_name n;
  snprintf(n.text, sizeof n.text, "%s%s", grant, suffix);
  return n;
}

/* Paths and no secrets: whoever reads it has to know where it is. */
static tenon_status say_where(const files *f, tenon_status status, tenon_error *why, tenon_error *err) {
  if (status) tn_error_prefix(why, "the grants in %s: ", f->folder);
  return status ? tn_pass_error(why, err) : TENON_OK;
}

static tenon_status lock(tenon_ctx *ctx, void *self, const char *name, void **ret_lock, tenon_error *err) {
  const files *f = self;
  tenon_error why = TENON_ERROR_INIT;
  int folder, fd = -1;
  int *held = tn_alloc(sizeof *held);
  if (!held) return tn_no_memory(err);
  tenon_status status = tn_private_folder_open(f->folder, true, &folder, &why);
  if (!status) {
    status = tn_private_file_lock(ctx, folder, name_of(name, ".lock").text, &fd, &why);
    close(folder);
  }
  if (status) {
    tn_free(held);
    return say_where(f, status, &why, err);
  }
  *held = fd;
  *ret_lock = held;
  return TENON_OK;
}

static void unlock(void *self, void *taken) {
  int *held = taken;
  (void)self;
  close(*held);
  tn_free(held);
}

static tenon_status load(tenon_ctx *ctx, void *self, const char *name, char *ret, size_t room, size_t *ret_size,
                         tenon_error *err) {
  const files *f = self;
  tenon_error why = TENON_ERROR_INIT;
  int folder;
  (void)ctx;
  tenon_status status = tn_private_folder_open(f->folder, false, &folder, &why);
  if (!status) {
    status = tn_private_file_read(folder, name_of(name, ".grant").text, ret, room, ret_size, &why);
    close(folder);
  }
  return say_where(f, status, &why, err);
}

static tenon_status save(tenon_ctx *ctx, void *self, const char *name, const char *text, size_t size,
                         tenon_error *err) {
  const files *f = self;
  tenon_error why = TENON_ERROR_INIT;
  int folder;
  (void)ctx;
  tenon_status status = tn_private_folder_open(f->folder, size > 0, &folder, &why);
  if (!status) {
    file_name file = name_of(name, ".grant");
    status = size ? tn_private_file_write(folder, file.text, text, size, &why)
                  : tn_private_file_remove(folder, file.text, &why);
    close(folder);
  }
  return say_where(f, status, &why, err);
}

tenon_status tn_token_files_new(const char *folder, tenon_token_store *ret, tenon_error *err) {
  files *f = tn_alloc(sizeof *f);
  if (f) f->folder = tn_strdup(folder);
  if (!f || !f->folder) {
    tn_free(f);
    return tn_no_memory(err);
  }
  *ret = (tenon_token_store){
      .struct_size = sizeof *ret, .self = f, .lock = lock, .unlock = unlock, .load = load, .save = save};
  return TENON_OK;
}

void tn_token_files_free(tenon_token_store *store) {
  files *f = store->self;
  if (f) tn_free(f->folder);
  tn_free(f);
  *store = (tenon_token_store){0};
}
