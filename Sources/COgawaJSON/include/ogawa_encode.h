// Columns to JSON lines.
#pragma once

#include "ogawa_decode.h"

#ifdef __cplusplus
extern "C" {
#endif

// One item of a row. A spread item has no name: its records' members are written in place, except excluded names.
typedef struct {
    const uint8_t *tags;
    const uint64_t *values;
    const uint8_t *heap;
    // `"name":` with the name escaped; null for a spread.
    const char *label;
    size_t label_length;
    // For a spread: names to leave out, one after another with their lengths.
    const char *const *excluded;
    const size_t *excluded_lengths;
    size_t excluded_count;
} ogj_item;

typedef struct {
    uint8_t *base;
    size_t count;
    size_t capacity;
} ogj_buffer;

// Appends one JSON object and '\n' per row; writes the slice of each line without its '\n' where `lines` is not null.
// The buffer grows by realloc; free it with ogj_buffer_free. Returns 0, or -1 where memory ran out.
int ogj_encode_rows(const ogj_item *items, size_t item_count, size_t row_count, ogj_buffer *buffer, ogj_slice *lines);
void ogj_buffer_free(ogj_buffer *buffer);

// Shortest text that reads back as the same double; a whole number keeps ".0". NaN and infinities give "null".
// Writes at most 32 bytes and returns the count.
size_t ogj_format_double(double value, char *target);

// Reads a complete number text (blanks around it allowed); returns 1 and the value, or 0.
int ogj_parse_double(const char *text, size_t count, double *value);

// Finds a member by path in a JSON object text; returns its tag, with the value packed into `value` (text, records and arrays
// are appended to the heap, which needs room for `count` bytes). A missing member or bad text is OGJ_NULL.
int ogj_find_member(
    const uint8_t *object, size_t count, const char *const *parts, const size_t *part_lengths, size_t part_count,
    ogj_heap *heap, uint64_t *value);

#ifdef __cplusplus
}
#endif
