// Starting a child process that cannot outlive its parent and inherits nothing but what it is given.
//
// posix_spawn cannot ask for the signal at the parent's death nor lower limits, so the child is made with vfork (no copy of
// the page tables of a large process) and makes system calls only until it becomes the new program.

#define _GNU_SOURCE

#include "COgawaPlatform.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__linux__)
#include <sys/prctl.h>
#include <sys/syscall.h>
#define OPF_FORK vfork
#else
#define OPF_FORK fork
#endif

enum { OPF_FIRST_FREE = OPF_SPAWN_DESCRIPTORS, OPF_LAST_SIGNAL = 64 };

static void opf_close_from(int first) {
#if defined(__linux__) && defined(SYS_close_range)
    if (syscall(SYS_close_range, (unsigned)first, ~0u, 0u) == 0) {
        return;
    }
#endif
    long limit = sysconf(_SC_OPEN_MAX);
    if (limit < 0 || limit > 65536) {
        limit = 65536;
    }
    for (long descriptor = first; descriptor < limit; descriptor++) {
        close((int)descriptor);
    }
}

// Runs in the child, which shares the parent's memory: it writes to nothing but its own stack and `failure`.
static void opf_become(const opf_spawn_request *request, pid_t parent, volatile int *failure) {
    int sources[OPF_SPAWN_DESCRIPTORS];
    // First out of the way of the targets, so that no target overwrites a source still needed.
    for (int target = 0; target < OPF_SPAWN_DESCRIPTORS; target++) {
        sources[target] = -1;
        if (request->descriptors[target] >= 0) {
            sources[target] = fcntl(request->descriptors[target], F_DUPFD, OPF_FIRST_FREE);
            if (sources[target] < 0) {
                *failure = errno;
                return;
            }
        }
    }
    for (int target = 0; target < OPF_SPAWN_DESCRIPTORS; target++) {
        if (sources[target] < 0) {
            close(target);
        } else if (dup2(sources[target], target) < 0) {
            *failure = errno;
            return;
        }
    }
    opf_close_from(OPF_FIRST_FREE);
    if (setpgid(0, 0) != 0 || (request->directory != NULL && chdir(request->directory) != 0)) {
        *failure = errno;
        return;
    }
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
#if defined(__linux__)
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    // The parent may have gone before the call above.
    if (getppid() != parent) {
        *failure = ESRCH;
        return;
    }
#else
    (void)parent;
#endif
    struct sigaction standard;
    memset(&standard, 0, sizeof standard);
    standard.sa_handler = SIG_DFL;
    for (int number = 1; number < OPF_LAST_SIGNAL; number++) {
        sigaction(number, &standard, NULL);
    }
    sigset_t empty;
    sigemptyset(&empty);
    sigprocmask(SIG_SETMASK, &empty, NULL);
    execve(request->path, request->arguments, request->environment);
    *failure = errno;
}

// Where fork copies memory (not Linux), a failure of the child shows as exit code 127 instead of as a result.
int opf_spawn(const opf_spawn_request *request, int32_t *process) {
    sigset_t all, previous;
    sigfillset(&all);
    volatile int failure = 0;
    // No handler of the parent may run in the child while they share memory.
    pthread_sigmask(SIG_SETMASK, &all, &previous);
    const pid_t parent = getpid();
    const pid_t child = OPF_FORK();
    if (child == 0) {
        opf_become(request, parent, &failure);
        _exit(127);
    }
    const int fork_failure = child < 0 ? errno : 0;
    pthread_sigmask(SIG_SETMASK, &previous, NULL);
    if (child < 0) {
        return fork_failure;
    }
    if (failure != 0) {
        int status;
        while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
        }
        return failure;
    }
    *process = (int32_t)child;
    return 0;
}

int opf_pipe(int32_t ends[2]) {
#if defined(__linux__)
    return pipe2(ends, O_CLOEXEC);
#else
    if (pipe(ends) != 0) {
        return -1;
    }
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    return 0;
#endif
}

int opf_pidfd_open(int32_t process) {
#if defined(__linux__) && defined(SYS_pidfd_open)
    return (int)syscall(SYS_pidfd_open, (pid_t)process, 0u);
#else
    (void)process;
    errno = ENOSYS;
    return -1;
#endif
}

bool opf_has_exited(int32_t process) {
    siginfo_t info;
    memset(&info, 0, sizeof info);
    if (waitid(P_PID, (id_t)process, &info, WEXITED | WNOHANG | WNOWAIT) != 0) {
        return errno == ECHILD;
    }
    return info.si_pid == (pid_t)process;
}

bool opf_reap(int32_t process, int32_t *exit_code, int32_t *signal_number) {
    int status = 0;
    pid_t reaped;
    do {
        reaped = waitpid((pid_t)process, &status, WNOHANG);
    } while (reaped < 0 && errno == EINTR);
    if (reaped == 0) {
        return false;
    }
    *exit_code = reaped > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    *signal_number = reaped > 0 && WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    return true;
}
