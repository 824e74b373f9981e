// What Swift cannot say well: CPU instructions, condition variables on the monotonic clock, zlib's macros.
#ifndef OGAWA_PLATFORM_H
#define OGAWA_PLATFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// CRC-32C (Castagnoli polynomial, reflected, as in RFC 3720). `seed` is 0 or the checksum of the bytes before.
uint32_t opf_crc32c(uint32_t seed, const void *bytes, size_t count);
// The same by tables only, so that a test can hold the two against each other.
uint32_t opf_crc32c_portable(uint32_t seed, const void *bytes, size_t count);
// Whether the CPU's own instruction is in use.
bool opf_crc32c_is_hardware(void);

// A bell: a flag that one thread sets and another waits for and clears.
typedef struct opf_bell opf_bell;
opf_bell *opf_bell_create(void);
void opf_bell_destroy(opf_bell *bell);
void opf_bell_ring(opf_bell *bell);
// Waits until the bell has rung and clears it. A negative time waits for ever. False when the time ran out.
bool opf_bell_wait(opf_bell *bell, int64_t nanoseconds);

// Names the calling thread for tools; at most 15 bytes.
void opf_name_thread(const char *name);

// A child process in a group of its own, without core files, that is killed when the thread that started it ends.
enum { OPF_SPAWN_DESCRIPTORS = 5 };
typedef struct {
    const char *path;
    char *const *arguments;    // ends with NULL
    char *const *environment;  // ends with NULL; the whole of it
    const char *directory;     // NULL: as the parent
    // What becomes the child's descriptors 0 to 4; negative: closed. Everything else is closed.
    int descriptors[OPF_SPAWN_DESCRIPTORS];
} opf_spawn_request;
// Returns 0, or the error of the step that failed.
int opf_spawn(const opf_spawn_request *request, int32_t *process);
// A pipe that no child inherits by accident: ends[0] reads, ends[1] writes.
int opf_pipe(int32_t ends[2]);
// A descriptor that becomes readable when the process ends; negative where the system has none.
int opf_pidfd_open(int32_t process);
// Whether the child has ended but still has its number, so that its group can be signalled safely.
bool opf_has_exited(int32_t process);
// Takes an ended child away; false while it runs. exit_code is negative where a signal ended it.
bool opf_reap(int32_t process, int32_t *exit_code, int32_t *signal_number);

// Makes a copy of this process that sees its memory as it is now, has only the calling thread and no open files but the standard
// ones, and dies with the calling thread. 0 in the copy, the copy's number in the parent, -1 where there is no room for one.
int opf_fork(void);
// Waits for a copy's end, and ends it when the time is up. Its exit code, or -1.
int opf_wait(int child, int64_t milliseconds);

// Bytes of malloc's heap in use, -1 where the system does not tell.
long long opf_heap_bytes(void);

// Decompression of gzip, one member after the other as one text.
typedef struct opf_inflate opf_inflate;
typedef enum { OPF_INFLATE_MORE = 0, OPF_INFLATE_MEMBER_END = 1, OPF_INFLATE_BAD = 2, OPF_INFLATE_MEMORY = 3 } opf_inflate_result;
opf_inflate *opf_inflate_create(void);
void opf_inflate_destroy(opf_inflate *stream);
// Moves bytes from source to target; reports how many were taken and given.
opf_inflate_result opf_inflate_run(
    opf_inflate *stream, const uint8_t *source, size_t source_count, uint8_t *target, size_t target_count,
    size_t *taken, size_t *given);
// Makes the stream ready for the next member.
bool opf_inflate_reset(opf_inflate *stream);
// zlib's words for the last failure, or a general one.
const char *opf_inflate_message(const opf_inflate *stream);

// One whole gzip member, for tests and small files; returns the size, 0 when the target is too small.
size_t opf_gzip(const uint8_t *source, size_t source_count, uint8_t *target, size_t target_count);
size_t opf_gzip_bound(size_t source_count);

// The sum of two numbers in text, exact to 17 digits behind the point, without trailing zeros.
typedef enum { OPF_SUM_OK = 0, OPF_SUM_BAD_FIRST = 1, OPF_SUM_BAD_SECOND = 2, OPF_SUM_INFINITE = 3 } opf_sum_result;
opf_sum_result opf_sum_decimal(
    const char *first, size_t first_count, const char *second, size_t second_count, char *target, size_t target_count,
    size_t *written);
// The shortest of 15 to 17 digits that reads back as the same number; returns the length.
size_t opf_format_double(double value, char *target, size_t target_count);

// Waiting for many sockets. A descriptor that broke is readable and writable: the next call on it tells.
typedef struct {
    int descriptor;
    bool is_readable;
    bool is_writable;
} opf_poll_event;
enum { OPF_POLL_EVENTS = 512 };
int opf_poller_create(void);
void opf_poller_destroy(int poller);
int opf_poller_add(int poller, int descriptor);
int opf_poller_want_writing(int poller, int descriptor, bool wants);
int opf_poller_remove(int poller, int descriptor);
// Returns how many events were written to `events`; 0 after the time or an interruption.
int opf_poller_wait(int poller, opf_poll_event *events, int count, int milliseconds);

#endif
