/* process.c - read from /proc and getrusage(). */
#include "daemon/process.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

/* The file begins with the pages that are mapped and those that are in use. */
static void read_memory(struct hy_process *process)
{
    FILE *file = fopen("/proc/self/statm", "re");
    long page = sysconf(_SC_PAGESIZE);
    char line[128], *at = line;

    if (file == NULL)
        return;
    if (page > 0 && fgets(line, sizeof line, file) != NULL) {
        process->virtual_bytes = strtoull(at, &at, 10) * (uint64_t)page;
        process->resident_bytes = strtoull(at, &at, 10) * (uint64_t)page;
    }
    (void)fclose(file);
}

static void read_files(struct hy_process *process)
{
    DIR *folder = opendir("/proc/self/fd");
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        process->max_files = limit.rlim_cur;
    if (folder == NULL)
        return;
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;)
        if (entry->d_name[0] != '.')
            process->open_files++;
    (void)closedir(folder);
    if (process->open_files > 0)
        process->open_files--; /* the folder itself was open */
}

static double seconds(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

void hy_process_read(struct hy_process *ret_process)
{
    struct rusage usage;

    *ret_process = (struct hy_process){ 0 };
    read_memory(ret_process);
    read_files(ret_process);
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        ret_process->cpu_s = seconds(usage.ru_utime) + seconds(usage.ru_stime);
}
