// A flag with a condition variable on the monotonic clock, so that a step of the wall clock neither shortens nor
// lengthens a wait.

#define _GNU_SOURCE

#include "COgawaPlatform.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

struct opf_bell {
    pthread_mutex_t mutex;
    pthread_cond_t condition;
    bool rung;
};

opf_bell *opf_bell_create(void) {
    opf_bell *bell = malloc(sizeof(opf_bell));
    if (bell == NULL) {
        abort();
    }
    pthread_mutex_init(&bell->mutex, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
#if defined(__linux__)
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
#endif
    pthread_cond_init(&bell->condition, &attributes);
    pthread_condattr_destroy(&attributes);
    bell->rung = false;
    return bell;
}

void opf_bell_destroy(opf_bell *bell) {
    pthread_cond_destroy(&bell->condition);
    pthread_mutex_destroy(&bell->mutex);
    free(bell);
}

void opf_bell_ring(opf_bell *bell) {
    pthread_mutex_lock(&bell->mutex);
    bell->rung = true;
    pthread_cond_signal(&bell->condition);
    pthread_mutex_unlock(&bell->mutex);
}

bool opf_bell_wait(opf_bell *bell, int64_t nanoseconds) {
    struct timespec deadline;
    if (nanoseconds >= 0) {
#if defined(__linux__)
        clock_gettime(CLOCK_MONOTONIC, &deadline);
#else
        clock_gettime(CLOCK_REALTIME, &deadline);
#endif
        const int64_t limit = INT64_C(1000000000) * 86400 * 365;
        const int64_t wait = nanoseconds < limit ? nanoseconds : limit;
        deadline.tv_sec += wait / 1000000000;
        deadline.tv_nsec += wait % 1000000000;
        if (deadline.tv_nsec >= 1000000000) {
            deadline.tv_nsec -= 1000000000;
            deadline.tv_sec += 1;
        }
    }
    pthread_mutex_lock(&bell->mutex);
    int failure = 0;
    while (!bell->rung && failure == 0) {
        failure = nanoseconds < 0 ? pthread_cond_wait(&bell->condition, &bell->mutex)
                                  : pthread_cond_timedwait(&bell->condition, &bell->mutex, &deadline);
    }
    bool rung = bell->rung;
    bell->rung = false;
    pthread_mutex_unlock(&bell->mutex);
    return rung;
}

void opf_name_thread(const char *name) {
#if defined(__linux__)
    pthread_setname_np(pthread_self(), name);
#else
    pthread_setname_np(name);
#endif
}
