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

#endif
