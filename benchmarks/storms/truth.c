/* Preloaded into the shell that runs a storm: what wait4 says of each child that it reaps.

   The calls of the loop come round in a fixed order, so the place of a reaped child in it names
   its program. One line for each shell that reaped anything, when it ends: how many, the CPU
   seconds of the shell and all its children, and the CPU seconds per place. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define PLACES 10

static double spent[PLACES];
static long reaped;
static pid_t shell;

static double seconds(const struct rusage *usage) {
    return usage->ru_utime.tv_sec + usage->ru_stime.tv_sec +
           (usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) / 1e6;
}

pid_t waitpid(pid_t pid, int *status, int options) {
    struct rusage usage;
    int ours = 0;
    pid_t got = wait4(pid, &ours, options, &usage);
    if (status)
        *status = ours;
    if (shell != getpid()) { /* a subshell begins with its parent's counts */
        shell = getpid();
        reaped = 0;
        for (int place = 0; place < PLACES; place++)
            spent[place] = 0;
    }
    if (got > 0 && (WIFEXITED(ours) || WIFSIGNALED(ours)))
        spent[reaped++ % PLACES] += seconds(&usage);
    return got;
}

__attribute__((destructor)) static void tell(void) {
    const char *path = getenv("STORM_TRUTH");
    struct rusage own, children;
    FILE *file;
    if (!path || shell != getpid() || !(file = fopen(path, "a")))
        return;
    getrusage(RUSAGE_SELF, &own);
    getrusage(RUSAGE_CHILDREN, &children);
    fprintf(file, "%ld %.6f", reaped, seconds(&own) + seconds(&children));
    for (int place = 0; place < PLACES; place++)
        fprintf(file, " %.6f", spent[place]);
    fputc('\n', file);
    fclose(file);
}
