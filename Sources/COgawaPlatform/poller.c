// Waiting for many sockets: epoll on Linux, kqueue elsewhere.

#include "COgawaPlatform.h"

#include <unistd.h>

#if defined(__linux__)

#include <sys/epoll.h>

int opf_poller_create(void) { return epoll_create1(EPOLL_CLOEXEC); }

static int control(int poller, int operation, int descriptor, bool wants_writing) {
    struct epoll_event event = {0};
    event.events = EPOLLIN | (wants_writing ? EPOLLOUT : 0);
    event.data.fd = descriptor;
    return epoll_ctl(poller, operation, descriptor, &event);
}

int opf_poller_add(int poller, int descriptor) { return control(poller, EPOLL_CTL_ADD, descriptor, false); }

int opf_poller_want_writing(int poller, int descriptor, bool wants) {
    return control(poller, EPOLL_CTL_MOD, descriptor, wants);
}

int opf_poller_remove(int poller, int descriptor) { return control(poller, EPOLL_CTL_DEL, descriptor, false); }

int opf_poller_wait(int poller, opf_poll_event *events, int count, int milliseconds) {
    struct epoll_event ready[OPF_POLL_EVENTS];
    int limit = count < OPF_POLL_EVENTS ? count : OPF_POLL_EVENTS;
    int found = epoll_wait(poller, ready, limit, milliseconds);
    for (int i = 0; i < found; i++) {
        uint32_t flags = ready[i].events;
        events[i].descriptor = ready[i].data.fd;
        events[i].is_readable = (flags & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0;
        events[i].is_writable = (flags & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0;
    }
    return found < 0 ? 0 : found;
}

#else

#include <sys/event.h>
#include <sys/time.h>

int opf_poller_create(void) { return kqueue(); }

static int change(int poller, int descriptor, short filter, unsigned short flags) {
    struct kevent event;
    EV_SET(&event, descriptor, filter, flags, 0, 0, NULL);
    return kevent(poller, &event, 1, NULL, 0, NULL);
}

int opf_poller_add(int poller, int descriptor) { return change(poller, descriptor, EVFILT_READ, EV_ADD); }

int opf_poller_want_writing(int poller, int descriptor, bool wants) {
    return change(poller, descriptor, EVFILT_WRITE, wants ? EV_ADD : EV_DELETE);
}

int opf_poller_remove(int poller, int descriptor) {
    change(poller, descriptor, EVFILT_WRITE, EV_DELETE);
    return change(poller, descriptor, EVFILT_READ, EV_DELETE);
}

int opf_poller_wait(int poller, opf_poll_event *events, int count, int milliseconds) {
    struct kevent ready[OPF_POLL_EVENTS];
    int limit = count < OPF_POLL_EVENTS ? count : OPF_POLL_EVENTS;
    struct timespec time = {milliseconds / 1000, (long)(milliseconds % 1000) * 1000000};
    int found = kevent(poller, NULL, 0, ready, limit, milliseconds < 0 ? NULL : &time);
    for (int i = 0; i < found; i++) {
        events[i].descriptor = (int)ready[i].ident;
        events[i].is_readable = ready[i].filter == EVFILT_READ;
        events[i].is_writable = ready[i].filter == EVFILT_WRITE;
    }
    return found < 0 ? 0 : found;
}

#endif

void opf_poller_destroy(int poller) { close(poller); }
