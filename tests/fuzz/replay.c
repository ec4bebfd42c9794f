/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gives a fuzz target what a fuzzer once found: nothing at all, then every file of the folders named
 * on the command line, in the order of their names. A corpus that has no file is an error, since then
 * the test would test nothing.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LONGEST_INPUT (16u << 20)

static int is_file(const struct dirent *entry) {
  return entry->d_name[0] != '.';
}

static int replay_file(const char *path) {
  FILE *file = fopen(path, "rb");
  if (!file) {
    perror(path);
    return 1;
  }
  uint8_t *data = malloc(LONGEST_INPUT);
  size_t size = data ? fread(data, 1, LONGEST_INPUT, file) : 0;
  int bad = !data || ferror(file) || !feof(file);
  fclose(file);
  /* A copy of exactly its size, so that a read behind the end is seen. */
  uint8_t *exact = bad ? NULL : malloc(size ? size : 1);
  if (exact) {
    memcpy(exact, data, size);
    fprintf(stderr, "replay: %s\n", path);
    LLVMFuzzerTestOneInput(exact, size);
  }
  bad |= !exact;
  free(exact);
  free(data);
  return bad;
}

static int replay_folder(const char *folder) {
  struct dirent **entries = NULL;
  int count = scandir(folder, &entries, is_file, alphasort);
  int bad = count <= 0;
  if (bad) fprintf(stderr, "replay: %s holds no input\n", folder);
  for (int i = 0; i < count; i++) {
    char path[4096];
    int length = snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
    bad |= length >= (int)sizeof path || replay_file(path);
    free(entries[i]);
  }
  free(entries);
  return bad;
}

int main(int argc, char **argv) {
  int bad = 0;
  uint8_t none = 0;
  LLVMFuzzerTestOneInput(&none, 0);
  for (int i = 1; i < argc; i++) bad |= replay_folder(argv[i]);
  return bad;
}
