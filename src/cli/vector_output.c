/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/vector_output.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json_text.h"

tenon_status tn_cli_put_metadata(tn_cli_rows *rows, size_t c, tn_document *j, tenon_error *err) {
  const char *data;
  size_t size;
  tn_json_text checked;
  tenon_status status = tn_cli_rows_text(rows, c, &data, &size, err);
  if (status || !data || tn_json_text_check(data, size, &checked, NULL))
    return status ? status : tn_cli_rows_json(rows, c, "metadata", j, err);
  /* between values it may have ended lines, which here end rows */
  for (char *at = rows->value.data; *at; at++)
    if (*at == '\n' || *at == '\r') *at = ' ';
  tn_document_raw(j, "metadata", data);
  return TENON_OK;
}

static tenon_status put_row(tn_cli_rows *rows, tn_document *j, tenon_error *err) {
  tenon_status status = TENON_OK;
  tn_json_writer_init(&j->writer, &j->text);
  tn_document_open(j, NULL, '{');
  for (size_t c = 0; c < tn_cli_rows_columns(rows) && !status; c++) {
    const char *name = tn_cli_rows_name(rows, c);
    status = strcmp(name, "metadata") == 0 ? tn_cli_put_metadata(rows, c, j, err)
                                           : tn_cli_rows_json(rows, c, name, j, err);
  }
  tn_document_close(j);
  tn_document_newline(j);
  return status;
}

static tenon_status write_rows(tn_cli_rows *rows, FILE *out, const char *name, tenon_error *err) {
  tn_document j;
  tenon_status status;
  tn_document_init(&j, out);
  for (bool there = true;;) {
    status = tn_cli_rows_next(rows, &there, err);
    if (!status && there) status = put_row(rows, &j, err);
    if (status || !there) break;
  }
  bool written = tn_document_flush(&j) && fflush(out) == 0 && !ferror(out);
  if (!status && !written)
    status = tn_fail_errno(err, errno, TENON_STAGE_WRITE, "make room, and try again", "writing %s",
                           name);
  tn_document_release(&j);
  return status;
}

tenon_status tn_cli_write_lines(tn_cli_rows *rows, const char *path, tenon_error *err) {
  tn_new_file file;
  if (!path) return write_rows(rows, stdout, "stdout", err);
  tenon_status status = tn_new_file_init(&file, AT_FDCWD, path, err);
  if (status) return status;
  int fd = dup(file.fd);
  FILE *out = fd < 0 ? NULL : fdopen(fd, "w");
  if (!out) {
    status = tn_fail_errno(err, errno, TENON_STAGE_WRITE, NULL, "%s", path);
    if (fd >= 0) close(fd);
  } else {
    status = write_rows(rows, out, path, err);
    fclose(out);
  }
  if (!status) return tn_new_file_commit(&file, false, err);
  tn_new_file_release(&file);
  return status;
}
