#define _GNU_SOURCE
#include "COgawaPlatform.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#include <sys/syscall.h>
#endif

static void close_everything(void) {
#if defined(__linux__) && defined(SYS_close_range)
    if (syscall(SYS_close_range, 3u, ~0u, 0u) == 0) return;
#endif
    for (int fd = 3; fd < 65536; fd++) close(fd);
}

int opf_fork(void) {
    int child = fork();
    if (child != 0) return child;
#ifdef __linux__
    prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
    // Sockets, files and locks stay the parent's alone.
    close_everything();
    return 0;
}

int opf_wait(int child, int64_t milliseconds) {
    struct timespec pause = {0, 5 * 1000 * 1000};
    for (int64_t waited = 0;; waited += 5) {
        int status = 0;
        int result = waitpid(child, &status, WNOHANG);
        if (result == child) return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        if (result < 0 && errno != EINTR) return -1;
        if (waited >= milliseconds) {
            kill(child, SIGKILL);
            waitpid(child, &status, 0);
            return -1;
        }
        nanosleep(&pause, NULL);
    }
}
