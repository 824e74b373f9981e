// Rows to JSON lines, and doubles to and from text.

#include "ogawa_encode.h"

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace {

struct Writer {
    ogj_buffer *buffer;
    bool failed = false;

    bool room(size_t count) {
        if (buffer->capacity - buffer->count >= count) return true;
        size_t wanted = buffer->capacity * 2;
        if (wanted < buffer->count + count) wanted = buffer->count + count;
        if (wanted < 4096) wanted = 4096;
        void *larger = std::realloc(buffer->base, wanted);
        if (larger == nullptr) {
            failed = true;
            return false;
        }
        buffer->base = static_cast<uint8_t *>(larger);
        buffer->capacity = wanted;
        return true;
    }

    void byte(char c) {
        if (room(1)) buffer->base[buffer->count++] = uint8_t(c);
    }

    void bytes(const void *source, size_t count) {
        if (!room(count)) return;
        std::memcpy(buffer->base + buffer->count, source, count);
        buffer->count += count;
    }

    void text(const uint8_t *source, size_t count) {
        if (!room(count * 6 + 2)) return;
        uint8_t *out = buffer->base + buffer->count;
        *out++ = '"';
        for (size_t i = 0; i < count; i++) {
            const uint8_t c = source[i];
            if (c >= 0x20 && c != '"' && c != '\\') {
                *out++ = c;
                continue;
            }
            *out++ = '\\';
            switch (c) {
            case '"': *out++ = '"'; break;
            case '\\': *out++ = '\\'; break;
            case '\n': *out++ = 'n'; break;
            case '\r': *out++ = 'r'; break;
            case '\t': *out++ = 't'; break;
            case '\b': *out++ = 'b'; break;
            case '\f': *out++ = 'f'; break;
            default: {
                static const char digits[] = "0123456789abcdef";
                std::memcpy(out, "u00", 3);
                out[3] = uint8_t(digits[c >> 4]);
                out[4] = uint8_t(digits[c & 15]);
                out += 5;
            }
            }
        }
        *out++ = '"';
        buffer->count = size_t(out - buffer->base);
    }

    void integer(int64_t value) {
        if (!room(24)) return;
        char *start = reinterpret_cast<char *>(buffer->base + buffer->count);
        buffer->count += size_t(std::to_chars(start, start + 24, value).ptr - start);
    }

    void real(double value) {
        if (!room(32)) return;
        buffer->count += ogj_format_double(value, reinterpret_cast<char *>(buffer->base + buffer->count));
    }

    // The civil-calendar algorithm of OgawaCore.Timestamp, for the output form with 7 digits and Z.
    void datetime(int64_t ticks) {
        if (!room(32)) return;
        int64_t seconds = ticks / 10000000, fraction = ticks % 10000000;
        if (fraction < 0) fraction += 10000000, seconds--;
        int64_t days = seconds / 86400, second = seconds % 86400;
        if (second < 0) second += 86400, days--;
        const int64_t shifted = days + 719468;
        const int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
        const int64_t day_of_era = shifted - era * 146097;
        const int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
        const int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        const int64_t month_index = (5 * day_of_year + 2) / 153;
        const int64_t day = day_of_year - (153 * month_index + 2) / 5 + 1;
        const int64_t month = month_index < 10 ? month_index + 3 : month_index - 9;
        const int64_t year = year_of_era + era * 400 + (month <= 2 ? 1 : 0);
        char *out = reinterpret_cast<char *>(buffer->base + buffer->count);
        *out++ = '"';
        auto digits = [&out](int64_t value, int count) {
            for (int i = count - 1; i >= 0; i--, value /= 10) out[i] = char('0' + value % 10);
            out += count;
        };
        digits(year, 4);
        *out++ = '-';
        digits(month, 2);
        *out++ = '-';
        digits(day, 2);
        *out++ = 'T';
        digits(second / 3600, 2);
        *out++ = ':';
        digits(second / 60 % 60, 2);
        *out++ = ':';
        digits(second % 60, 2);
        *out++ = '.';
        digits(fraction, 7);
        *out++ = 'Z';
        *out++ = '"';
        buffer->count = size_t(out - reinterpret_cast<char *>(buffer->base));
    }

    void value(const ogj_item &item, size_t row) {
        const uint64_t bits = item.values[row];
        switch (item.tags[row]) {
        case OGJ_BIGINT: return integer(int64_t(bits));
        case OGJ_FLOAT: {
            double number;
            std::memcpy(&number, &bits, 8);
            return real(number);
        }
        case OGJ_BIT: return bits ? bytes("true", 4) : bytes("false", 5);
        case OGJ_TEXT: return text(item.heap + uint32_t(bits), size_t(bits >> 32));
        case OGJ_DATETIME: return datetime(int64_t(bits));
        case OGJ_RECORD:
        case OGJ_ARRAY: return bytes(item.heap + uint32_t(bits), size_t(bits >> 32));
        default: return bytes("null", 4);
        }
    }

    // Copies the members of a valid JSON object text, leaving out the excluded names. Line breaks between tokens become blanks,
    // so that a line stays a line.
    void spread(const ogj_item &item, size_t row, bool &is_first) {
        if (item.tags[row] != OGJ_RECORD) return;
        const uint64_t bits = item.values[row];
        const char *p = reinterpret_cast<const char *>(item.heap + uint32_t(bits));
        const char *end = p + size_t(bits >> 32);
        p++;  // the opening brace
        while (p < end) {
            while (p < end && (*p == ',' || *p == ' ' || *p == '\t' || *p == '\n' || *p == '\r')) p++;
            if (p >= end || *p != '"') return;
            const char *start = p;
            const char *name_end = skip_string(p, end);
            std::string_view name(start + 1, size_t(name_end - start - 2));
            const char *stop = skip_value(name_end, end);
            if (!is_excluded(item, name)) {
                if (!is_first) byte(',');
                is_first = false;
                one_line(start, stop);
            }
            p = stop;
        }
    }

    static bool is_excluded(const ogj_item &item, std::string_view name) {
        for (size_t i = 0; i < item.excluded_count; i++)
            if (std::string_view(item.excluded[i], item.excluded_lengths[i]) == name) return true;
        return false;
    }

    static const char *skip_string(const char *p, const char *end) {
        for (p++; p < end; p++) {
            if (*p == '\\') {
                p++;
            } else if (*p == '"') {
                return p + 1;
            }
        }
        return end;
    }

    // From behind a member's name to the ',' or '}' behind its value.
    static const char *skip_value(const char *p, const char *end) {
        int depth = 0;
        while (p < end) {
            switch (*p) {
            case '"': p = skip_string(p, end); continue;
            case '{':
            case '[': depth++; break;
            case '}':
            case ']':
                if (depth == 0) return p;
                depth--;
                break;
            case ',':
                if (depth == 0) return p;
                break;
            default: break;
            }
            p++;
        }
        return end;
    }

    void one_line(const char *start, const char *stop) {
        if (!room(size_t(stop - start))) return;
        uint8_t *out = buffer->base + buffer->count;
        for (const char *p = start; p < stop; p++) *out++ = *p == '\n' || *p == '\r' ? ' ' : uint8_t(*p);
        buffer->count += size_t(stop - start);
    }
};

}  // namespace

int ogj_encode_rows(const ogj_item *items, size_t item_count, size_t row_count, ogj_buffer *buffer, ogj_slice *lines) {
    Writer writer{buffer};
    for (size_t row = 0; row < row_count; row++) {
        const size_t start = buffer->count;
        bool is_first = true;
        writer.byte('{');
        for (size_t i = 0; i < item_count; i++) {
            const ogj_item &item = items[i];
            if (item.label == nullptr) {
                writer.spread(item, row, is_first);
                continue;
            }
            if (!is_first) writer.byte(',');
            is_first = false;
            writer.bytes(item.label, item.label_length);
            writer.value(item, row);
        }
        writer.byte('}');
        if (lines != nullptr) lines[row] = ogj_slice{uint32_t(start), uint32_t(buffer->count - start)};
        writer.byte('\n');
    }
    return writer.failed ? -1 : 0;
}

void ogj_buffer_free(ogj_buffer *buffer) {
    std::free(buffer->base);
    *buffer = ogj_buffer{nullptr, 0, 0};
}

size_t ogj_format_double(double value, char *target) {
    if (!std::isfinite(value)) {
        std::memcpy(target, "null", 4);
        return 4;
    }
    char *end = std::to_chars(target, target + 32, value).ptr;
    const size_t count = size_t(end - target);
    for (size_t i = 0; i < count; i++)
        if (target[i] == '.' || target[i] == 'e') return count;
    target[count] = '.';
    target[count + 1] = '0';
    return count + 2;
}

int ogj_parse_double(const char *text, size_t count, double *value) {
    const char *end = text + count;
    while (text < end && (*text == ' ' || *text == '\t')) text++;
    while (end > text && (end[-1] == ' ' || end[-1] == '\t')) end--;
    if (text < end && *text == '+' && end - text > 1 && text[1] != '-') text++;
    if (text == end) return 0;
    // Letters other than an exponent would let "inf" and "nan" through.
    const char first = *text == '-' && end - text > 1 ? text[1] : *text;
    if (!((first >= '0' && first <= '9') || first == '.')) return 0;
    auto result = std::from_chars(text, end, *value);
    return result.ec == std::errc() && result.ptr == end;
}
