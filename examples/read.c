/* SPDX-License-Identifier: Apache-2.0 */
/* Counts the rows of a target:  cc read.c $(pkg-config --cflags --libs tenon) && ./a.out prices.csv */
#include <stdio.h>
#include <tenon/tenon.h>

int main(int argc, char **argv) {
  tenon_error err = TENON_ERROR_INIT;
  tenon *t = NULL;
  tenon_session *session = NULL;
  struct ArrowArrayStream rows;

  if (argc == 2 && tenon_new(NULL, &t, &err) == TENON_OK &&
      tenon_open(NULL, t, argv[1], NULL, 0, &session, &err) == TENON_OK &&
      tenon_read_table(NULL, session, NULL, &rows, NULL, &err) == TENON_OK) {
    struct ArrowArray batch;
    long long count = 0;
    int code;
    while ((code = rows.get_next(&rows, &batch)) == 0 && batch.release) {
      count += batch.length;
      batch.release(&batch);
    }
    if (tenon_stream_error(&rows, code, &err) == TENON_OK) printf("%lld rows\n", count);
    rows.release(&rows);
  }
  if (err.code) fprintf(stderr, "%s: %s\ntry: %s\n", tenon_status_name(err.code), err.message, err.remedy);
  tenon_close(session);
  tenon_free(t);
  return err.code;
}
