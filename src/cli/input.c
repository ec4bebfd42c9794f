/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/input.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/ctx.h"
#include "base/error.h"

tenon_status tn_cli_input_open(const tn_cli *cli, const char *path, tn_cli_input *ret,
                               tenon_error *err) {
  struct stat st;
  bool is_stdin = strcmp(path, "-") == 0;
  /* a pipe that nobody writes to yet must not hold it up */
  int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return tn_fail_errno(err, errno, TENON_STAGE_CONFIG, "check the path", "%s", path);
  if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
    if (!is_stdin) close(fd);
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "name a file in it", "%s is a folder",
                      path);
  }
  *ret = (tn_cli_input){.ctx = cli->ctx, .name = is_stdin ? "stdin" : path, .fd = fd};
  return TENON_OK;
}

void tn_cli_input_close(tn_cli_input *in) {
  if (in->fd > STDIN_FILENO) close(in->fd);
  in->fd = -1;
  if (in->buffer) tn_wipe(in->buffer, TN_CLI_INPUT_ROOM);
  tn_free(in->buffer);
  in->buffer = NULL;
}

tenon_status tn_cli_input_read(tn_cli_input *in, void *to, size_t room, size_t *ret_size,
                               tenon_error *err) {
  struct pollfd one = {.fd = in->fd, .events = POLLIN};
  for (;;) {
    tenon_status status = in->ctx ? tn_ctx_wait(in->ctx, &one, 1, -1, err) : TENON_OK;
    if (status) return status;
    ssize_t n = read(in->fd, to, room);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n < 0)
      return tn_fail_errno(err, errno, TENON_STAGE_DATA, "look at what is read", "%s", in->name);
    *ret_size = (size_t)n;
    return TENON_OK;
  }
}

static tenon_status too_long(const tn_cli_input *in, size_t max, const char *what,
                             tenon_error *err) {
  return tenon_fail(err, TENON_LIMITED, TENON_STAGE_DATA, "split it", "%s: %s more than %zu bytes",
                    in->name, what, max);
}

tenon_status tn_cli_input_all(tn_cli_input *in, tn_str *to, tenon_error *err) {
  char piece[8192];
  for (size_t n;;) {
    tenon_status status = tn_cli_input_read(in, piece, sizeof piece, &n, err);
    if (!status && n && !tn_str_add(to, piece, n)) status = too_long(in, to->max, "there are", err);
    tn_wipe(piece, sizeof piece);
    if (status || !n) return status;
  }
}

static tenon_status refill(tn_cli_input *in, tenon_error *err) {
  if (!in->buffer && !(in->buffer = tn_alloc(TN_CLI_INPUT_ROOM))) return tn_no_memory(err);
  in->at = in->end = 0;
  return tn_cli_input_read(in, in->buffer, TN_CLI_INPUT_ROOM, &in->end, err);
}

tenon_status tn_cli_input_line(tn_cli_input *in, tn_str *to, bool *ret_there, tenon_error *err) {
  tn_str_clear(to);
  *ret_there = false;
  for (;;) {
    if (in->at == in->end) {
      tenon_status status = refill(in, err);
      if (status || !in->end) return status;
    }
    *ret_there = true;
    const char *from = in->buffer + in->at, *newline = memchr(from, '\n', in->end - in->at);
    size_t n = newline ? (size_t)(newline - from) : in->end - in->at;
    if (!tn_str_add(to, from, n)) return too_long(in, to->max, "a line has", err);
    in->at += n + (newline != NULL);
    if (newline) return TENON_OK;
  }
}
