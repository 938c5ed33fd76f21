/* replay.c - run every file of the given folders through the target that is linked in. */
#include "fuzz.h"

#include <dirent.h>
#include <string.h>

static int replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = NULL;
    size_t size = 0, got = 1;

    if (file == NULL)
        return -1;
    while (got > 0) {
        uint8_t *more = realloc(data, size + 4096);

        if (more == NULL)
            break;
        data = more;
        got = fread(data + size, 1, 4096, file);
        size += got;
    }
    (void)fclose(file);
    /* Exactly as large as the input: a read past its end is then seen by tools. */
    uint8_t *exact = malloc(size > 0 ? size : 1);
    if (exact != NULL) {
        if (size > 0)
            memcpy(exact, data, size);
        (void)LLVMFuzzerTestOneInput(exact, size);
    }
    free(exact);
    free(data);
    return exact == NULL ? -1 : 0;
}

static int replay_folder(const char *folder)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    char path[1024];
    int count = 0;

    if (dir == NULL)
        return -1;
    while (count >= 0 && (entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        (void)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        (void)fprintf(stderr, "%s\n", path);
        count = replay_file(path) == 0 ? count + 1 : -1;
    }
    (void)closedir(dir);
    return count;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        int count = replay_folder(argv[i]);

        if (count <= 0) {
            (void)fprintf(stderr, "%s: no inputs, or unreadable\n", argv[i]);
            return 1;
        }
    }
    return argc > 1 ? 0 : 1;
}
