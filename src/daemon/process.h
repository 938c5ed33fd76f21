/* daemon/process.h - what this process takes of the machine. */
#ifndef HY_DAEMON_PROCESS_H
#define HY_DAEMON_PROCESS_H

#include <stdint.h>

/* 0 for what is not known. */
struct hy_process {
    uint64_t resident_bytes, virtual_bytes;
    uint64_t open_files, max_files;
    double cpu_s;
};

void hy_process_read(struct hy_process *ret_process);

#endif
