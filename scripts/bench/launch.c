/* Runs a command and says what it took, without what the measuring program itself takes.
 *
 *   launch FD SECONDS COMMAND...
 *
 * Writes one line to FD: "EXIT_CODE WALL_SECONDS PEAK_KIB CPU_SECONDS STOPPED". After SECONDS (0: never) the command
 * and what it started are ended, and STOPPED is 1. Dies with whoever started it, and takes the command along.
 *
 * A process begins with the peak of the one that forked it; Python's would hide a small program's.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile pid_t child;
static volatile sig_atomic_t stopped;

static void end(int signal) {
    stopped = signal == SIGALRM ? 1 : 2;
    if (child > 0) kill(-child, SIGKILL);
}

static double seconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static double of(struct timeval time) { return (double)time.tv_sec + (double)time.tv_usec / 1e6; }

int main(int count, char **words) {
    if (count < 4) return 2;
    int result = atoi(words[1]);
    double limit = atof(words[2]);
    struct sigaction action = {.sa_handler = end, .sa_flags = SA_RESTART};
    for (const int *signal = (int[]){SIGALRM, SIGTERM, SIGINT, SIGHUP, 0}; *signal; signal++) sigaction(*signal, &action, NULL);
    prctl(PR_SET_PDEATHSIG, SIGTERM);

    double begun = seconds();
    child = fork();
    if (child < 0) return 2;
    if (child == 0) {
        setpgid(0, 0);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(result);
        execvp(words[3], words + 3);
        fprintf(stderr, "%s: %s\n", words[3], strerror(errno));
        _exit(127);
    }
    setpgid(child, child);
    if (limit > 0) {
        struct itimerval timer = {.it_value = {(time_t)limit, (suseconds_t)((limit - (double)(time_t)limit) * 1e6)}};
        setitimer(ITIMER_REAL, &timer, NULL);
    }
    int status;
    struct rusage usage;
    while (wait4(child, &status, 0, &usage) < 0)
        if (errno != EINTR) return 2;
    double took = seconds() - begun;
    /* What it left running would disturb the next one. */
    kill(-child, SIGKILL);
    if (stopped == 2) return 130;
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    dprintf(result, "%d %.6f %ld %.6f %d\n", code, took, usage.ru_maxrss, of(usage.ru_utime) + of(usage.ru_stime), (int)stopped);
    return 0;
}
