/* process.c - the child process that every measurement talks to. */
#include "bench.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

double bench_now(void)
{
    struct timespec now;

    if (clock_gettime(CLOCK_MONOTONIC, &now) != 0)
        bench_die("no clock");
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void bench_die(const char *format, ...)
{
    va_list args;

    (void)fputs("hypha-bench: ", stderr);
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fputc('\n', stderr);
    exit(1);
}

bool bench_fork(struct bench_child *child)
{
    int down[2], up[2];

    (void)fflush(NULL);
    if (pipe(down) != 0 || pipe(up) != 0)
        bench_die("pipe: %s", strerror(errno));
    child->pid = fork();
    if (child->pid < 0)
        bench_die("fork: %s", strerror(errno));
    if (child->pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* never outlive the bench */
        (void)close(down[1]);
        (void)close(up[0]);
        child->from = down[0];
        child->to = up[1];
        return true;
    }
    (void)close(down[0]);
    (void)close(up[1]);
    child->from = up[0];
    child->to = down[1];
    return false;
}

void bench_tell(int to, const void *bytes, size_t len)
{
    bench_write(to, bytes, len);
}

void bench_hear(int from, void *bytes, size_t len)
{
    bench_read(from, bytes, len);
}

void bench_join(struct bench_child *child)
{
    int status;

    (void)close(child->from);
    (void)close(child->to);
    if (waitpid(child->pid, &status, 0) != child->pid || !WIFEXITED(status) ||
        WEXITSTATUS(status) != 0)
        bench_die("the peer process failed");
}

void bench_kill(struct bench_child *child)
{
    (void)kill(child->pid, SIGKILL);
    (void)close(child->from);
    (void)close(child->to);
    (void)waitpid(child->pid, NULL, 0);
}
