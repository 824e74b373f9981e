// Rows to JSON lines, and doubles to and from text.

#include "ogawa_encode.h"
#include "shortest.hpp"

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace {

// The target needs room for 2 bytes more than the shortest text.
size_t format(double value, char *target) {
    if (!std::isfinite(value)) {
        std::memcpy(target, "null", 4);
        return 4;
    }
    char *end = ogj::write_shortest(value, target);
    const size_t count = size_t(end - target);
    for (size_t i = 0; i < count; i++)
        if (target[i] == '.' || target[i] == 'e') return count;
    end[0] = '.';
    end[1] = '0';
    return count + 2;
}

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
        buffer->count = size_t(write_text(source, count, buffer->base + buffer->count) - buffer->base);
    }

    // Needs room for 6 bytes per byte, and 2.
    static uint8_t *write_text(const uint8_t *source, size_t count, uint8_t *out) {
        *out++ = '"';
        size_t i = 0;
        while (true) {
            const size_t plain = plain_count(source + i, count - i);
            std::memcpy(out, source + i, plain);
            out += plain;
            i += plain;
            if (i == count) break;
            out = escape(source[i++], out);
        }
        *out++ = '"';
        return out;
    }

    // Bytes before the first that needs an escape, eight at a time.
    static size_t plain_count(const uint8_t *source, size_t count) {
        constexpr uint64_t ones = 0x0101010101010101, highs = 0x8080808080808080;
        size_t i = 0;
        for (uint64_t word; i + 8 <= count; i += 8) {
            std::memcpy(&word, source + i, 8);
            const uint64_t quote = word ^ (ones * '"'), slash = word ^ (ones * '\\');
            // A borrow can only set a bit above one that is rightly set, which is enough here.
            const uint64_t special = ((quote - ones) & ~quote) | ((slash - ones) & ~slash) | ((word - ones * 0x20) & ~word);
            if ((special & highs) != 0) break;
        }
        while (i < count && source[i] >= 0x20 && source[i] != '"' && source[i] != '\\') i++;
        return i;
    }

    static uint8_t *escape(uint8_t c, uint8_t *out) {
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
        return out;
    }

    // The civil-calendar algorithm of OgawaCore.Timestamp, for the output form with 7 digits and Z.
    uint8_t *write_datetime(int64_t ticks, uint8_t *target) {
        int64_t seconds = ticks / 10000000, fraction = ticks % 10000000;
        if (fraction < 0) fraction += 10000000, seconds--;
        int64_t days = seconds / 86400, second = seconds % 86400;
        if (second < 0) second += 86400, days--;
        if (days != date_days) write_date(days);
        char *out = reinterpret_cast<char *>(target);
        std::memcpy(out, date, sizeof date);
        const uint32_t clock = uint32_t(second), part = uint32_t(fraction);
        two(out + 12, clock / 3600);
        out[14] = ':';
        two(out + 15, clock / 60 % 60);
        out[17] = ':';
        two(out + 18, clock % 60);
        out[20] = '.';
        two(out + 21, part / 100000);
        two(out + 23, part / 1000 % 100);
        two(out + 25, part / 10 % 100);
        out[27] = char('0' + part % 10);
        out[28] = 'Z';
        out[29] = '"';
        return target + 30;
    }

    static void two(char *target, uint32_t value) {
        target[0] = char('0' + value / 10);
        target[1] = char('0' + value % 10);
    }

    // The last day written: rows that follow one another are mostly of the same day.
    int64_t date_days = INT64_MIN;
    char date[12];

    void write_date(int64_t days) {
        date_days = days;
        const int64_t shifted = days + 719468;
        const int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
        const int64_t day_of_era = shifted - era * 146097;
        const int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
        const int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        const int64_t month_index = (5 * day_of_year + 2) / 153;
        const int64_t day = day_of_year - (153 * month_index + 2) / 5 + 1;
        const int64_t month = month_index < 10 ? month_index + 3 : month_index - 9;
        int64_t year = year_of_era + era * 400 + (month <= 2 ? 1 : 0);
        date[0] = '"';
        for (int i = 4; i > 0; i--, year /= 10) date[i] = char('0' + year % 10);
        date[5] = date[8] = '-';
        two(date + 6, uint32_t(month));
        two(date + 9, uint32_t(day));
        date[11] = 'T';
    }

    // Most bytes of a value that is no text, record or array.
    static constexpr size_t plain_room = ogj::shortest_room + 2;

    static size_t room_for(const ogj_item &item, size_t row) {
        const uint8_t tag = item.tags[row];
        return tag == OGJ_TEXT || tag >= OGJ_RECORD ? size_t(item.values[row] >> 32) * 6 + plain_room : plain_room;
    }

    // Writes a value for which there is room.
    uint8_t *write_value(const ogj_item &item, size_t row, uint8_t *out) {
        const uint64_t bits = item.values[row];
        const uint8_t *text = item.heap + uint32_t(bits);
        const size_t count = size_t(bits >> 32);
        char *chars = reinterpret_cast<char *>(out);
        switch (item.tags[row]) {
        case OGJ_FLOAT: {
            double number;
            std::memcpy(&number, &bits, 8);
            return out + format(number, chars);
        }
        case OGJ_TEXT: return write_text(text, count, out);
        case OGJ_DATETIME: return write_datetime(int64_t(bits), out);
        case OGJ_BIGINT: return out + (std::to_chars(chars, chars + 24, int64_t(bits)).ptr - chars);
        case OGJ_BIT: return write_word(bits ? "true" : "false", out);
        case OGJ_RECORD:
        case OGJ_ARRAY: std::memcpy(out, text, count); return out + count;
        default: return write_word("null", out);
        }
    }

    static uint8_t *write_word(const char *word, uint8_t *out) {
        while (*word != 0) *out++ = uint8_t(*word++);
        return out;
    }

    void value(const ogj_item &item, size_t row) {
        if (!room(room_for(item, row))) return;
        buffer->count = size_t(write_value(item, row, buffer->base + buffer->count) - buffer->base);
    }

    // A row of named items, with one look at the room for all of it.
    void named_row(const ogj_item *items, size_t item_count, size_t labels_length, size_t row) {
        size_t needed = labels_length + item_count + 3;
        for (size_t i = 0; i < item_count; i++) needed += room_for(items[i], row);
        if (!room(needed)) return;
        uint8_t *out = buffer->base + buffer->count;
        char before = '{';
        for (size_t i = 0; i < item_count; i++) {
            const ogj_item &item = items[i];
            *out++ = uint8_t(before);
            before = ',';
            std::memcpy(out, item.label, item.label_length);
            out = write_value(item, row, out + item.label_length);
        }
        *out++ = '}';
        *out++ = '\n';
        buffer->count = size_t(out - buffer->base);
    }

    // Copies the members of a valid JSON object text, leaving out the excluded names. Line breaks between tokens become blanks,
    // so that a line stays a line.
    void spread(const ogj_item *items, size_t index, size_t row, bool &is_first) {
        const ogj_item &item = items[index];
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
            if (!is_excluded(item, name) && !is_earlier(items, index, row, name)) {
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

    // Whether a spread further left has a member of that name, which wins.
    static bool is_earlier(const ogj_item *items, size_t index, size_t row, std::string_view wanted) {
        for (size_t i = 0; i < index; i++) {
            const ogj_item &item = items[i];
            if (item.label != nullptr || item.tags[row] != OGJ_RECORD || is_excluded(item, wanted)) continue;
            const uint64_t bits = item.values[row];
            const char *p = reinterpret_cast<const char *>(item.heap + uint32_t(bits));
            const char *end = p + size_t(bits >> 32);
            p++;
            while (p < end) {
                while (p < end && (*p == ',' || *p == ' ' || *p == '\t' || *p == '\n' || *p == '\r')) p++;
                if (p >= end || *p != '"') break;
                const char *start = p;
                const char *name_end = skip_string(p, end);
                if (std::string_view(start + 1, size_t(name_end - start - 2)) == wanted) return true;
                p = skip_value(name_end, end);
            }
        }
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
    bool is_named = item_count > 0;
    size_t labels_length = 0;
    for (size_t i = 0; i < item_count; i++) {
        is_named = is_named && items[i].label != nullptr;
        labels_length += items[i].label_length;
    }
    for (size_t row = 0; row < row_count; row++) {
        const size_t start = buffer->count;
        if (is_named) {
            writer.named_row(items, item_count, labels_length, row);
            if (lines != nullptr) lines[row] = ogj_slice{uint32_t(start), uint32_t(buffer->count - start - 1)};
            continue;
        }
        bool is_first = true;
        writer.byte('{');
        for (size_t i = 0; i < item_count; i++) {
            const ogj_item &item = items[i];
            if (item.label == nullptr) {
                writer.spread(items, i, row, is_first);
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
    char text[ogj::shortest_room + 2];
    const size_t count = format(value, text);
    std::memcpy(target, text, count);
    return count;
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
