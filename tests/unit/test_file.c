/* SPDX-License-Identifier: Apache-2.0 */
/* Files that appear whole or not at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"

static char folder[64];

static int make_folder(void **state) {
  (void)state;
  snprintf(folder, sizeof folder, "/tmp/tenon-file-XXXXXX");
  return mkdtemp(folder) ? 0 : -1;
}

static int drop_folder(void **state) {
  (void)state;
  char command[128];
  snprintf(command, sizeof command, "rm -rf %s", folder);
  return system(command);
}

static const char *in_folder(const char *name) {
  static char path[4][256];
  static int turn;
  turn = (turn + 1) % 4;
  snprintf(path[turn], sizeof path[turn], "%s/%s", folder, name);
  return path[turn];
}

static int entries(void) {
  int n = 0;
  DIR *d = opendir(folder);
  for (struct dirent *e; (e = readdir(d));) n += e->d_name[0] != '.' || strlen(e->d_name) > 2;
  closedir(d);
  return n;
}

static void put(const char *name, const char *text, bool if_absent, tenon_status expected) {
  tn_new_file f;
  tenon_error err = TENON_ERROR_INIT;
  assert_int_equal(tn_new_file_init(&f, AT_FDCWD, in_folder(name), &err), TENON_OK);
  assert_int_equal(tn_write_all(f.fd, text, strlen(text), &err), TENON_OK);
  assert_int_equal(tn_new_file_commit(&f, if_absent, &err), expected);
  assert_int_equal(f.fd, -1);
  tn_new_file_release(&f);
}

static void has(const char *name, const char *text) {
  char *data;
  size_t size;
  assert_int_equal(tn_read_file(in_folder(name), 100, &data, &size, NULL), TENON_OK);
  assert_string_equal(data, text);
  assert_int_equal(size, strlen(text));
  tn_free(data);
}

static void appears_whole(void **state) {
  (void)state;
  put("a", "one", false, TENON_OK);
  has("a", "one");
  put("a", "two", false, TENON_OK);
  has("a", "two");
  put("a", "three", true, TENON_CONFLICT);
  has("a", "two");
  put("b", "four", true, TENON_OK);
  has("b", "four");
  assert_int_equal(entries(), 2);
}

static void abandoned_leaves_nothing(void **state) {
  (void)state;
  int before = entries();
  tn_new_file f;
  assert_int_equal(tn_new_file_init(&f, AT_FDCWD, in_folder("c"), NULL), TENON_OK);
  assert_int_equal(tn_write_all(f.fd, "x", 1, NULL), TENON_OK);
  tn_new_file_release(&f);
  assert_int_equal(entries(), before);
}

static void refuses_what_is_no_file(void **state) {
  (void)state;
  tn_new_file f;
  tenon_error err = TENON_ERROR_INIT;
  assert_int_equal(tn_new_file_init(&f, AT_FDCWD, folder, &err), TENON_CONFIG);
  tn_error_init(&err);
  assert_int_equal(tn_new_file_init(&f, AT_FDCWD, "/dev/null", &err), TENON_CONFIG);
  tn_error_init(&err);
  assert_int_equal(tn_new_file_init(&f, AT_FDCWD, in_folder("no/such"), &err), TENON_NOT_FOUND);
  tn_error_init(&err);
  assert_int_equal(tn_new_file_init(&f, AT_FDCWD, in_folder(""), &err), TENON_CONFIG);
  tn_error_init(&err);
  char *data = (char *)1;
  size_t size = 7;
  assert_int_equal(tn_read_file("/dev/zero", 100, &data, &size, &err), TENON_CONFIG);
  tn_error_init(&err);
  assert_int_equal(tn_read_file(in_folder("nothing"), 100, &data, &size, &err), TENON_NOT_FOUND);
  assert_ptr_equal(data, (char *)1);
  assert_int_equal(size, 7);
}

static void links_are_replaced_unless_to_devices(void **state) {
  (void)state;
  tn_new_file f;
  struct stat st;
  assert_int_equal(symlink("/dev/null", in_folder("null")), 0);
  assert_int_equal(tn_new_file_init(&f, AT_FDCWD, in_folder("null"), NULL), TENON_CONFIG);
  assert_int_equal(symlink("a", in_folder("link")), 0);
  put("a", "target", false, TENON_OK);
  put("link", "own", false, TENON_OK);
  has("a", "target");
  has("link", "own");
  assert_int_equal(lstat(in_folder("link"), &st), 0);
  assert_true(S_ISREG(st.st_mode));
}

static void permissions_stay(void **state) {
  (void)state;
  struct stat st;
  put("secret", "1", false, TENON_OK);
  assert_int_equal(chmod(in_folder("secret"), 0600), 0);
  put("secret", "2", false, TENON_OK);
  assert_int_equal(stat(in_folder("secret"), &st), 0);
  assert_int_equal(st.st_mode & 07777, 0600);
}

static void knows_its_temporaries(void **state) {
  (void)state;
  assert_true(tn_new_file_is_temporary(".tenon-12-0.part"));
  assert_false(tn_new_file_is_temporary(".tenon-"));
  assert_false(tn_new_file_is_temporary("x.part"));
}

static void small_files_have_a_limit(void **state) {
  (void)state;
  char *data;
  size_t size;
  put("d", "1234567890", false, TENON_OK);
  assert_int_equal(tn_read_file(in_folder("d"), 9, &data, &size, NULL), TENON_LIMITED);
  assert_int_equal(tn_read_file(in_folder("d"), 10, &data, &size, NULL), TENON_OK);
  assert_int_equal(size, 10);
  tn_free(data);
}

static void a_spool_has_no_name(void **state) {
  (void)state;
  struct stat st;
  int fd = tn_spool_open();
  assert_true(fd >= 0);
  assert_int_equal(fstat(fd, &st), 0);
  assert_int_equal(st.st_nlink, 0);
  close(fd);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(appears_whole),
      cmocka_unit_test(abandoned_leaves_nothing),
      cmocka_unit_test(refuses_what_is_no_file),
      cmocka_unit_test(links_are_replaced_unless_to_devices),
      cmocka_unit_test(permissions_stay),
      cmocka_unit_test(knows_its_temporaries),
      cmocka_unit_test(small_files_have_a_limit),
      cmocka_unit_test(a_spool_has_no_name),
  };
  return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
