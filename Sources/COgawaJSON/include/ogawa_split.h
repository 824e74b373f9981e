#ifndef OGAWA_SPLIT_H
#define OGAWA_SPLIT_H

// Splits a body of JSON events and checks every byte of it. See split.cpp for how.

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Memory that is used again from one body to the next; for one thread at a time.
typedef struct ogawa_splitter ogawa_splitter;

/// What the key field of an event held.
enum {
    OGAWA_KEY_ABSENT = 0,
    OGAWA_KEY_TEXT = 1,     ///< Text without escapes: the bytes of the body between the quotes.
    OGAWA_KEY_NUMBER = 2,   ///< A number: its bytes in the body.
    OGAWA_KEY_DECODED = 3,  ///< Text with escapes: bytes of the result's `decoded`.
    OGAWA_KEY_OTHER = 4,    ///< Something that is no key; `key_start` is where it begins in the body.
};

/// One event of a body.
typedef struct {
    uint32_t start;  ///< The opening brace.
    uint32_t count;  ///< Bytes from the opening to the closing brace.
    uint32_t key_start;
    uint32_t key_count;
    uint16_t key_kind;
    uint16_t is_empty;  ///< 1 where the object has no members.
} ogawa_split_element;

/// Why a body was refused.
enum {
    OGAWA_SPLIT_OK = 0,
    OGAWA_SPLIT_MALFORMED = 1,
    OGAWA_SPLIT_TOO_MANY = 2,
    OGAWA_SPLIT_TOO_LARGE = 3,
    OGAWA_SPLIT_KEY_TWICE = 4,
    OGAWA_SPLIT_NO_MEMORY = 5,
};

/// What a body must keep to.
typedef struct {
    const uint8_t *key_field;  ///< The name of the key field as plain UTF-8.
    size_t key_field_count;
    size_t max_elements;
    size_t max_element_bytes;
    size_t max_depth;  ///< At most 64.
} ogawa_split_rules;

typedef struct {
    int32_t error;
    uint32_t count;  ///< Events found; with an error, the events before the bad one.
    const ogawa_split_element *elements;
    const uint8_t *decoded;
    size_t position;       ///< Where reading stopped; only with an error.
    const char *expected;  ///< A phrase that lives for ever; only with an error.
} ogawa_split_result;

/// Returns NULL where there is no memory.
ogawa_splitter *ogawa_splitter_create(void);
void ogawa_splitter_destroy(ogawa_splitter *splitter);

/// Splits `count` bytes, which need no padding. What the result points to lives until the next call.
ogawa_split_result ogawa_splitter_split(
    ogawa_splitter *splitter, const uint8_t *bytes, size_t count, const ogawa_split_rules *rules);

/// The same answer by a slow reader that shares no code with simdjson; for tests and for the position of a bad byte.
ogawa_split_result ogawa_splitter_split_slowly(
    ogawa_splitter *splitter, const uint8_t *bytes, size_t count, const ogawa_split_rules *rules);

#ifdef __cplusplus
}
#endif

#endif
