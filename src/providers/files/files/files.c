/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of this machine: objects below one folder.
 */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

const tenon_host *tn_files_host;

static const tenon_param params[] = {
    {TENON_PATH(tn_files_config, root), .key = "root", .label = "Folder",
     .flags = TENON_REQUIRED | TENON_LOCAL,
     .help = "the folder whose files are the objects; nothing outside is ever read or written",
     .aliases = "path,folder"},
    TN_FILE_PARAMS(tn_files_config, files),
};

/* ---- URLs: file:///absolute/folder?format=csv, file://relative ---- */

static tenon_status parse_url(const char *url, tn_url_set set, void *arg, tenon_error *err) {
  const char *path = strchr(url, ':');
  path = path ? path + 1 : url;
  if (strncmp(path, "//", 2) == 0) path += 2;
  if (strncmp(path, "localhost/", 10) == 0) path += 9;
  size_t size = strcspn(path, "?");
  tenon_status status = size ? tn_url_part("root", path, size, set, arg, err) : TENON_OK;
  const char *query = path + size + (path[size] == '?');
  return status ? status : tn_url_query(query, set, arg, err);
}

/* ---- Opening ---- */

static tenon_status open_session(tenon_ctx *ctx, const tenon_provider *provider, const void *config,
                                 void **ret, tenon_error *err) {
  const tn_files_config *c = config;
  int fd = -1;
  (void)provider;
  tenon_status status = tn_files_host->check(ctx, err);
  if (!status) status = tn_folder_open(c->root, O_PATH, &fd, err);
  if (status) return status;
  tn_files *s = tn_alloc(sizeof *s);
  if (!s) {
    close(fd);
    return tn_no_memory(err);
  }
  *s = (tn_files){.config = c, .root_fd = fd, .has_openat2 = tn_files_find_openat2(fd)};
  *ret = s;
  return TENON_OK;
}

static void close_session(void *session) {
  tn_files *s = session;
  close(s->root_fd);
  tn_free(s);
}

/* ---- Test ---- */

static tenon_status step_rights(const tn_files *s, tenon_test *t, tenon_error *err) {
  tn_files_host->step_begin(t, "permission");
  int fd = openat(s->root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0)
    return tn_fail_errno(err, errno, TENON_STAGE_PERMISSION,
                         "give this user the right to read the folder", "%s", s->config->root);
  close(fd);
  bool writable = faccessat(s->root_fd, ".", W_OK, 0) == 0;
  tn_files_host->step_end(t, TENON_PASSED, NULL, writable ? "readable, writable" : "readable");
  tn_files_host->fact(t, "read_only", "%s", writable ? "false" : "true");
  return TENON_OK;
}

static tenon_status step_probe(tenon_ctx *ctx, tn_files *s, tenon_test *t, tenon_error *err) {
  tenon_objects_list req = {.struct_size = sizeof req, .delimiter = '/'};
  tenon_stream stream;
  struct ArrowArray batch = {0};
  long long rows = 0;
  tn_files_host->step_begin(t, "probe");
  tenon_status status = tn_files_list(ctx, s, &req, &stream, err);
  if (status) return status;
  status = stream.next(stream.self, &batch, err);
  if (!status && batch.release) rows = batch.length;
  tn_array_release(&batch);
  tn_schema_release(&stream.schema);
  stream.close(stream.self);
  if (status) return status;
  tn_files_host->step_end(t, TENON_PASSED, NULL, "%lld objects and folders with objects%s", rows,
                          rows == 4096 ? " or more" : "");
  return TENON_OK;
}

static void learn(const tn_files *s, tenon_test *t) {
  struct statvfs fs;
  char *path = realpath(s->config->root, NULL);
  if (path) tn_files_host->fact(t, "root", "%s", path);
  tn_free(path);
  if (fstatvfs(s->root_fd, &fs) == 0)
    tn_files_host->fact(t, "free_bytes", "%llu", (unsigned long long)fs.f_bavail * fs.f_frsize);
  tn_files_host->fact(t, "links_to_files", "%s",
                      s->has_openat2 ? "followed below the root"
                                     : "not followed: the kernel is too old");
}

static tenon_status test(tenon_ctx *ctx, const tenon_provider *provider, const void *config,
                         tenon_test *ret, tenon_error *err) {
  tenon_error own = TENON_ERROR_INIT;
  void *session;
  if (!err) err = &own;
  tn_files_host->step_begin(ret, "open");
  tenon_status status = open_session(ctx, provider, config, &session, err);
  if (status) return status;
  tn_files_host->step_end(ret, TENON_PASSED, NULL, "a folder");
  status = step_rights(session, ret, err);
  if (!status) status = step_probe(ctx, session, ret, err);
  if (!status) learn(session, ret);
  close_session(session);
  return status;
}

/* ---- The provider ---- */

static tenon_status init(const tenon_host *host, tenon_error *err) {
  (void)err;
  tn_files_host = host;
  return TENON_OK;
}

static const char *const aliases[] = {"file", "local", NULL};

static const tenon_objects_ops objects = {
    .struct_size = sizeof objects,
    .list = tn_files_list,
    .stat = tn_files_stat,
    .get = tn_files_get,
    .put = tn_files_put,
    .copy = tn_files_copy,
    .remove = tn_files_remove,
};

const tenon_provider tn_provider_files = {
    .struct_size = sizeof tn_provider_files,
    .abi = TENON_ABI,
    .kind = "files",
    .category = "files",
    .label = "Files",
    .summary = "Files of this machine below a folder; CSV, TSV, Parquet and others as tables.",
    .aliases = aliases,
    .params = TENON_PARAMS(params),
    .config_size = sizeof(tn_files_config),
    .traits = TENON_SHARED | TENON_NEAR,
    .init = init,
    .parse_url = parse_url,
    .test = test,
    .open = open_session,
    .close = close_session,
    .objects = &objects,
};
