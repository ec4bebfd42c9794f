/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FAISS: flat indexes in a folder.
 */
#include "faiss.h"

#include <fcntl.h>
#include <unistd.h>

const tenon_host *tn_faiss_host;

/* ---- Parameters ---- */

static const char *const first_passes[] = {"int8", "none", NULL};

static const tenon_param params[] = {
    {TENON_PATH(tn_faiss_config, path), .key = "path", .label = "Folder",
     .flags = TENON_REQUIRED | TENON_LOCAL,
     .help = "the folder that holds the collections; indexes that FAISS's own library wrote "
             "(NAME.faiss, NAME.index) can be read in it, too",
     .aliases = "root,folder"},
    {TENON_ENUM(tn_faiss_config, first_pass), .key = "first_pass", .label = "First pass",
     .default_value = "int8", .choices = first_passes, .flags = TENON_ADVANCED,
     .help = "int8 reads a narrower copy of the vectors first, and the vectors themselves of those "
             "rows only that can be among the nearest; the answers are the same as with none"},
    {TENON_BOOLEAN(tn_faiss_config, blas), .key = "blas", .label = "Use OpenBLAS",
     .default_value = "true", .flags = TENON_ADVANCED,
     .help = "many vectors at once are looked for with OpenBLAS (libopenblas.so.0), on one thread, "
             "if it is installed; the answers are the same without it"},
    {TENON_DURATION(tn_faiss_config, lock_timeout_ms), .key = "lock_timeout",
     .label = "Wait for writers", .default_value = "30s", .min = 0, .max = 3600000,
     .flags = TENON_ADVANCED, .help = "how long a write waits while another program writes"},
};

/* ---- URLs: faiss:///absolute/folder, faiss://relative/folder ---- */

static tenon_status parse_url(const char *url, tn_url_set set, void *arg, tenon_error *err) {
  return tn_url_of_path(url, "path", set, arg, err);
}

/* ---- Opening ---- */

static tenon_status open_session(tenon_ctx *ctx, const tenon_provider *provider, const void *config,
                                 void **ret, tenon_error *err) {
  const tn_faiss_config *c = config;
  int fd = -1;
  (void)provider;
  tenon_status status = tn_faiss_host->check(ctx, err);
  if (!status) status = tn_folder_open(c->path, O_RDONLY, &fd, err);
  if (status) return status;
  tn_faiss *s = tn_alloc(sizeof *s);
  if (!s) {
    close(fd);
    return tn_no_memory(err);
  }
  *s = (tn_faiss){.config = c, .root_fd = fd};
  *ret = s;
  return TENON_OK;
}

static void close_session(void *session) {
  tn_faiss *s = session;
  tn_faiss_version_unref(s->recent);
  close(s->root_fd);
  tn_free(s);
}

/* ---- Test ---- */

static tenon_status step_probe(tenon_ctx *ctx, tn_faiss *s, tenon_test *t, tenon_error *err) {
  static const tenon_vectors_list all = {.struct_size = sizeof all};
  tenon_stream stream;
  struct ArrowArray batch = {0};
  long long rows = 0;
  tn_faiss_host->step_begin(t, "probe");
  tenon_status status = tn_faiss_list(ctx, s, &all, &stream, err);
  if (status) return status;
  status = stream.next(stream.self, &batch, err);
  if (!status && batch.release) rows = batch.length;
  tn_array_release(&batch);
  tn_schema_release(&stream.schema);
  stream.close(stream.self);
  if (status) return status;
  tn_faiss_host->step_end(t, TENON_PASSED, NULL, "%lld collection%s%s", rows, rows == 1 ? "" : "s",
                          rows == 1000 ? " or more" : "");
  return TENON_OK;
}

static tenon_status test(tenon_ctx *ctx, const tenon_provider *provider, const void *config,
                         tenon_test *ret, tenon_error *err) {
  tenon_error own = TENON_ERROR_INIT;
  void *session;
  if (!err) err = &own;
  tn_faiss_host->step_begin(ret, "open");
  tenon_status status = open_session(ctx, provider, config, &session, err);
  if (status) return status;
  tn_faiss *s = session;
  bool writable = faccessat(s->root_fd, ".", W_OK, 0) == 0;
  tn_faiss_host->step_end(ret, TENON_PASSED, NULL, "a folder, %s",
                          writable ? "writable" : "read-only");
  status = step_probe(ctx, s, ret, err);
  tn_faiss_host->fact(ret, "read_only", "%s", writable ? "false" : "true");
  tn_faiss_host->fact(ret, "instructions", "%s", tn_faiss_kernels_best()->name);
  close_session(session);
  return status;
}

/* ---- The provider ---- */

static tenon_status init(const tenon_host *host, tenon_error *err) {
  (void)err;
  tn_faiss_host = host;
  return TENON_OK;
}

static const tenon_vectors_ops vectors = {
    .struct_size = sizeof vectors,
    .create = tn_faiss_create,
    .list = tn_faiss_list,
    .drop = tn_faiss_drop,
    .upsert = tn_faiss_upsert,
    .get = tn_faiss_get,
    .query = tn_faiss_query,
    .remove = tn_faiss_remove,
    .count = tn_faiss_count,
};

const tenon_provider tn_provider_faiss = {
    .struct_size = sizeof tn_provider_faiss,
    .abi = TENON_ABI,
    .kind = "faiss",
    .category = "vector",
    .label = "FAISS",
    .summary = "Collections of vectors in a folder, as flat FAISS indexes, without a server.",
    .params = TENON_PARAMS(params),
    .config_size = sizeof(tn_faiss_config),
    .init = init,
    .parse_url = parse_url,
    .test = test,
    .open = open_session,
    .close = close_session,
    .vectors = &vectors,
};
