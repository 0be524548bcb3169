/*
 * replay.c - runs a fuzz target on every file of its corpus, without libFuzzer.
 *
 *   fuzz_NAME_replay FOLDER
 *
 * Each input lies at the end of memory of exactly its size, so that a sanitizer sees the first
 * byte past it. No file at all is a failure.
 */
#include "fuzz.h"

#include <dirent.h>
#include <sys/stat.h>

/* The file's bytes; NULL: it cannot be read. */
static uint8_t *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    struct stat info;
    uint8_t *data = NULL;

    if (file == NULL || fstat(fileno(file), &info) != 0 || !S_ISREG(info.st_mode))
        goto done;
    *size = (size_t)info.st_size;
    data = malloc(*size + (*size == 0));
    if (data != NULL && fread(data, 1, *size, file) != *size) {
        free(data);
        data = NULL;
    }
done:
    if (file != NULL)
        (void)fclose(file);
    return data;
}

int main(int argc, char **argv)
{
    DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;
    size_t n = 0;

    if (folder == NULL) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        char path[4096];
        size_t size;
        if (entry->d_name[0] == '.')
            continue;
        (void)snprintf(path, sizeof path, "%s/%s", argv[1], entry->d_name);
        uint8_t *data = read_file(path, &size);
        if (data == NULL) {
            fprintf(stderr, "cannot read %s\n", path);
            return 1;
        }
        fprintf(stderr, "%s\n", entry->d_name); /* the last one told is the one that crashed */
        (void)LLVMFuzzerTestOneInput(data, size);
        free(data);
        n++;
    }
    (void)closedir(folder);
    printf("%zu inputs\n", n);
    return n > 0 ? 0 : 1;
}
