/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/error.h"

enum { NARROWEST = 20, WIDEST = 1000 };

static int width_of(int fd) {
  struct winsize size;
  if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col >= NARROWEST)
    return size.ws_col < WIDEST ? size.ws_col : WIDEST;
  const char *columns = getenv("COLUMNS");
  long n = columns ? strtol(columns, NULL, 10) : 0;
  return n >= NARROWEST && n <= WIDEST ? (int)n : 80;
}

tn_cli_terminal tn_cli_terminal_look(void) {
  tn_cli_terminal t = {.out_is_terminal = isatty(STDOUT_FILENO),
                       .err_is_terminal = isatty(STDERR_FILENO)};
  const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");
  bool dumb = !term || !*term || strcmp(term, "dumb") == 0;
  bool color = !dumb && !(no_color && *no_color);
  t.color_out = t.out_is_terminal && color;
  t.color_err = t.err_is_terminal && color;
  t.can_redraw = t.err_is_terminal && !dumb;
  t.width = width_of(t.out_is_terminal ? STDOUT_FILENO : STDERR_FILENO);
  return t;
}

void tn_cli_occupy_descriptors(void) {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
    if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) < 0)
      _exit(127);
}

bool tn_cli_reader_is_gone(void) {
  struct pollfd out = {.fd = STDOUT_FILENO};
  return poll(&out, 1, 0) == 1 && out.revents & POLLERR;
}

void tn_cli_end_quietly(void) {
  signal(SIGPIPE, SIG_DFL);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGPIPE);
  sigprocmask(SIG_UNBLOCK, &set, NULL);
  raise(SIGPIPE);
  _exit(128 + SIGPIPE);
}

tenon_status tn_cli_output_failed(tenon_error *err) {
  /* the reason is the next write's, too */
  int reason = write(STDOUT_FILENO, "\n", 1) < 0 ? errno : EIO;
  if (reason == EPIPE) tn_cli_end_quietly();
  return tn_fail_errno(err, reason, TENON_STAGE_WRITE, "look at what stdout leads to",
                       "cannot write to stdout");
}
