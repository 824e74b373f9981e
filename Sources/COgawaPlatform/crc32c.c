// CRC-32C by the CPU's instruction where it has one, asked once at run time, else by slicing over 8 tables.

#include "COgawaPlatform.h"

#include <pthread.h>
#include <string.h>

#if defined(__x86_64__)
#include <nmmintrin.h>
#elif defined(__aarch64__)
#include <arm_acle.h>
#if defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif
#endif

static uint32_t tables[8][256];
static bool hardware;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void prepare(void) {
    for (uint32_t index = 0; index < 256; index++) {
        uint32_t crc = index;
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ ((crc & 1) ? 0x82f63b78u : 0);
        }
        tables[0][index] = crc;
    }
    for (uint32_t index = 0; index < 256; index++) {
        for (int table = 1; table < 8; table++) {
            uint32_t before = tables[table - 1][index];
            tables[table][index] = (before >> 8) ^ tables[0][before & 0xff];
        }
    }
#if defined(__x86_64__)
    __builtin_cpu_init();
    hardware = __builtin_cpu_supports("sse4.2");
#elif defined(__aarch64__) && defined(__linux__)
    hardware = (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0;
#elif defined(__aarch64__)
    hardware = true;
#endif
}

uint32_t opf_crc32c_portable(uint32_t seed, const void *bytes, size_t count) {
    pthread_once(&once, prepare);
    const uint8_t *next = bytes;
    uint32_t crc = ~seed;
    while (count >= 8) {
        uint32_t low = crc ^ ((uint32_t)next[0] | (uint32_t)next[1] << 8 | (uint32_t)next[2] << 16 | (uint32_t)next[3] << 24);
        crc = tables[7][low & 0xff] ^ tables[6][(low >> 8) & 0xff] ^ tables[5][(low >> 16) & 0xff] ^ tables[4][low >> 24]
            ^ tables[3][next[4]] ^ tables[2][next[5]] ^ tables[1][next[6]] ^ tables[0][next[7]];
        next += 8;
        count -= 8;
    }
    while (count-- > 0) {
        crc = (crc >> 8) ^ tables[0][(crc ^ *next++) & 0xff];
    }
    return ~crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t by_hardware(uint32_t seed, const uint8_t *next, size_t count) {
    uint64_t crc = (uint32_t)~seed;
    while (count >= 8) {
        uint64_t word;
        memcpy(&word, next, 8);
        crc = _mm_crc32_u64(crc, word);
        next += 8;
        count -= 8;
    }
    uint32_t narrow = (uint32_t)crc;
    while (count-- > 0) {
        narrow = _mm_crc32_u8(narrow, *next++);
    }
    return ~narrow;
}
#elif defined(__aarch64__)
__attribute__((target("crc"))) static uint32_t by_hardware(uint32_t seed, const uint8_t *next, size_t count) {
    uint32_t crc = ~seed;
    while (count >= 8) {
        uint64_t word;
        memcpy(&word, next, 8);
        crc = __crc32cd(crc, word);
        next += 8;
        count -= 8;
    }
    while (count-- > 0) {
        crc = __crc32cb(crc, *next++);
    }
    return ~crc;
}
#endif

uint32_t opf_crc32c(uint32_t seed, const void *bytes, size_t count) {
    pthread_once(&once, prepare);
#if defined(__x86_64__) || defined(__aarch64__)
    if (hardware) {
        return by_hardware(seed, bytes, count);
    }
#endif
    return opf_crc32c_portable(seed, bytes, count);
}

bool opf_crc32c_is_hardware(void) {
    pthread_once(&once, prepare);
    return hardware;
}
