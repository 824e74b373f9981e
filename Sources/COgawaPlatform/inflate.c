// zlib behind an opaque type: inflateInit2 is a macro, which Swift does not see.

#include "COgawaPlatform.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

// 15 bits of window plus 16: gzip only, with its own checksum.
#define GZIP_WINDOW (15 + 16)

struct opf_inflate {
    z_stream stream;
};

opf_inflate *opf_inflate_create(void) {
    opf_inflate *inflater = calloc(1, sizeof(opf_inflate));
    if (inflater != NULL && inflateInit2(&inflater->stream, GZIP_WINDOW) != Z_OK) {
        free(inflater);
        return NULL;
    }
    return inflater;
}

void opf_inflate_destroy(opf_inflate *inflater) {
    inflateEnd(&inflater->stream);
    free(inflater);
}

opf_inflate_result opf_inflate_run(
    opf_inflate *inflater, const uint8_t *source, size_t source_count, uint8_t *target, size_t target_count,
    size_t *taken, size_t *given) {
    z_stream *stream = &inflater->stream;
    const uInt available = source_count < UINT_MAX ? (uInt)source_count : UINT_MAX;
    const uInt room = target_count < UINT_MAX ? (uInt)target_count : UINT_MAX;
    stream->next_in = (Bytef *)source;
    stream->avail_in = available;
    stream->next_out = target;
    stream->avail_out = room;
    const int result = inflate(stream, Z_NO_FLUSH);
    *taken = available - stream->avail_in;
    *given = room - stream->avail_out;
    switch (result) {
    case Z_OK:
    case Z_BUF_ERROR:
        return OPF_INFLATE_MORE;
    case Z_STREAM_END:
        return OPF_INFLATE_MEMBER_END;
    case Z_MEM_ERROR:
        return OPF_INFLATE_MEMORY;
    default:
        return OPF_INFLATE_BAD;
    }
}

bool opf_inflate_reset(opf_inflate *inflater) { return inflateReset2(&inflater->stream, GZIP_WINDOW) == Z_OK; }

const char *opf_inflate_message(const opf_inflate *inflater) {
    return inflater->stream.msg != NULL ? inflater->stream.msg : "not gzip data";
}

size_t opf_gzip_bound(size_t source_count) { return compressBound(source_count) + 64; }

size_t opf_gzip(const uint8_t *source, size_t source_count, uint8_t *target, size_t target_count) {
    if (source_count > UINT_MAX || target_count > UINT_MAX) {
        return 0;
    }
    z_stream stream;
    memset(&stream, 0, sizeof(stream));
    if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
        return 0;
    }
    stream.next_in = (Bytef *)source;
    stream.avail_in = (uInt)source_count;
    stream.next_out = target;
    stream.avail_out = (uInt)target_count;
    const int result = deflate(&stream, Z_FINISH);
    const size_t count = stream.total_out;
    deflateEnd(&stream);
    return result == Z_STREAM_END ? count : 0;
}
