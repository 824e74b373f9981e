// Record bodies to columns: JSON objects in, one tagged 64-bit value per requested field and row out.
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// Where a body lies in the batch's bytes; same layout as OgawaCore.ByteSlice.
typedef struct {
    uint32_t start;
    uint32_t count;
} ogj_slice;

// A column to fill; tags and the packing of values are those of OgawaCore.Column.
typedef struct {
    uint8_t *tags;
    uint64_t *values;
    uint16_t tag_set;
} ogj_column;

// Text storage shared by the columns of a batch.
typedef struct {
    uint8_t *base;
    size_t count;
    size_t capacity;
} ogj_heap;

enum { OGJ_NULL = 0, OGJ_BIGINT = 1, OGJ_FLOAT = 2, OGJ_BIT = 3, OGJ_TEXT = 4, OGJ_DATETIME = 5, OGJ_RECORD = 6, OGJ_ARRAY = 7 };

// Why a row could not be decoded.
enum { OGJ_OK = 0, OGJ_BAD_JSON = 1, OGJ_NOT_AN_OBJECT = 2, OGJ_NUMBER_RANGE = 3 };

typedef struct ogj_decoder ogj_decoder;

// `path_parts` holds all paths' parts one after another, `path_counts` the parts of each field; a path of no parts is the
// whole body. With `reads_all` each body is walked to its end, so that damage behind the last wanted field is found.
ogj_decoder *ogj_decoder_create(
    const char *const *path_parts, const size_t *part_lengths, const size_t *path_counts, size_t field_count, int reads_all);
void ogj_decoder_free(ogj_decoder *decoder);

// Most heap bytes that one body byte can cause (fields within fields are stored twice).
size_t ogj_decoder_overlap(const ogj_decoder *decoder);

// Decodes `count` bodies. `bytes` must be readable 64 bytes past the last body; the heap needs room for
// overlap * (sum of the bodies) bytes. Writes a status per row; a bad row is null in every column.
// Returns the number of bad rows.
size_t ogj_decode(
    ogj_decoder *decoder, const uint8_t *bytes, size_t byte_count, const ogj_slice *bodies, size_t count,
    ogj_column *columns, ogj_heap *heap, uint8_t *statuses);

#ifdef __cplusplus
}
#endif
