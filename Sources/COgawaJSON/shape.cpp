// A body is of a shape when the bytes between its values are those of the shape. The values must be plain: text without
// escapes and control characters whose bytes are UTF-8, numbers of JSON's grammar that are exact in few steps, the three
// words. Whatever is not plain goes to the general reader, so that there is one place that decides about damage.

#include "shape.hpp"

#include <charconv>
#include <cstring>
#include <simdjson.h>
#include <utility>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace ogj {

namespace {

bool is_digit(uint8_t c) { return uint8_t(c - '0') < 10; }

#if defined(__SSE2__)

bool equals(const uint8_t *a, const uint8_t *b, size_t count) {
    while (true) {
        const __m128i x = _mm_loadu_si128(reinterpret_cast<const __m128i *>(a));
        const __m128i y = _mm_loadu_si128(reinterpret_cast<const __m128i *>(b));
        const unsigned different = ~unsigned(_mm_movemask_epi8(_mm_cmpeq_epi8(x, y)));
        if (count <= 16) return (different & ((1u << count) - 1)) == 0;
        if ((different & 0xffff) != 0) return false;
        a += 16, b += 16, count -= 16;
    }
}

// The closing quote of a text that is plain as far as ASCII goes; null where it is not.
const uint8_t *text_end(const uint8_t *p, const uint8_t *end, bool &is_ascii) {
    unsigned high = 0;
    for (; p < end; p += 16) {
        const __m128i x = _mm_loadu_si128(reinterpret_cast<const __m128i *>(p));
        const __m128i quote = _mm_cmpeq_epi8(x, _mm_set1_epi8('"'));
        const __m128i escape = _mm_cmpeq_epi8(x, _mm_set1_epi8('\\'));
        const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(x, _mm_set1_epi8(0x1f)), x);
        const unsigned special = unsigned(_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quote, escape), control)));
        const unsigned bytes = unsigned(_mm_movemask_epi8(x));
        if (special == 0) {
            high |= bytes;
            continue;
        }
        const unsigned place = unsigned(__builtin_ctz(special));
        is_ascii = (high | (bytes & ((1u << place) - 1))) == 0;
        return p[place] == '"' ? p + place : nullptr;
    }
    return nullptr;
}

#else

bool equals(const uint8_t *a, const uint8_t *b, size_t count) { return std::memcmp(a, b, count) == 0; }

const uint8_t *text_end(const uint8_t *p, const uint8_t *end, bool &is_ascii) {
    uint8_t high = 0;
    for (; p < end; p++) {
        if (*p == '"') {
            is_ascii = high < 0x80;
            return p;
        }
        if (*p < 0x20 || *p == '\\') return nullptr;
        high |= *p;
    }
    return nullptr;
}

#endif

constexpr double exact_powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

// Reads a number; null where it is not plain. A product or quotient of two exact doubles is rounded once, thus correctly
// (Clinger 1990); what has more digits goes to the library.
const uint8_t *number(const uint8_t *p, uint8_t &tag, uint64_t &bits) {
    const uint8_t *start = p;
    const bool is_negative = *p == '-';
    p += is_negative;
    const uint8_t *first = p;
    uint64_t digits = 0;
    if (*p == '0') {
        if (is_digit(*++p)) return nullptr;
    } else {
        if (!is_digit(*p)) return nullptr;
        do digits = digits * 10 + (*p++ - '0');
        while (is_digit(*p));
    }
    size_t count = size_t(p - first);
    if (*p != '.' && *p != 'e' && *p != 'E') {
        if (count > 18) return nullptr;
        tag = OGJ_BIGINT;
        bits = is_negative ? uint64_t(0) - digits : digits;
        return p;
    }
    size_t fraction = 0;
    if (*p == '.') {
        const uint8_t *point = p++;
        while (is_digit(*p)) digits = digits * 10 + (*p++ - '0');
        fraction = size_t(p - point) - 1;
        if (fraction == 0) return nullptr;
    }
    double value;
    if (*p == 'e' || *p == 'E' || count + fraction > 19 || digits > (uint64_t(1) << 53) || fraction > 22) {
        if (*p == 'e' || *p == 'E') {
            p++;
            if (*p == '+' || *p == '-') p++;
            if (!is_digit(*p)) return nullptr;
            while (is_digit(*p)) p++;
        }
        const char *text = reinterpret_cast<const char *>(start), *stop = reinterpret_cast<const char *>(p);
        const auto result = std::from_chars(text, stop, value);
        if (result.ec != std::errc() || result.ptr != stop) return nullptr;
    } else {
        value = double(int64_t(digits)) / exact_powers[fraction];
        if (is_negative) value = -value;
    }
    tag = OGJ_FLOAT;
    std::memcpy(&bits, &value, 8);
    return p;
}

const uint8_t *skip_number(const uint8_t *p) {
    while (is_digit(*p) || *p == '.' || *p == '-' || *p == '+' || *p == 'e' || *p == 'E') p++;
    return p;
}

// Bytes copied at once; the heap has this much room behind what is stored.
constexpr size_t chunk = 16;

bool store(ogj_heap &heap, const uint8_t *text, size_t count, uint64_t &value) {
    const size_t start = heap.count;
    if (heap.capacity - start < count + chunk) return false;
    uint8_t *to = heap.base + start;
    // Bytes behind the text are readable, and those behind the copy belong to nobody yet.
    for (size_t done = 0; done < count; done += chunk) std::memcpy(to + done, text + done, chunk);
    heap.count = start + count;
    value = uint64_t(uint32_t(start)) | uint64_t(uint32_t(count)) << 32;
    return true;
}

inline void put(const Target &target, int field, uint8_t tag, uint64_t value) {
    ogj_column &column = target.columns[field];
    column.tags[target.row] = tag;
    column.values[target.row] = value;
}

// Reads the scalar at `p` into a field, or only passes it where the field is negative; null where it is not plain.
inline const uint8_t *scalar(const uint8_t *p, const uint8_t *end, int field, const Target &target) {
    switch (*p) {
    case '"': {
        bool is_ascii = true;
        const uint8_t *stop = text_end(p + 1, end, is_ascii);
        if (stop == nullptr || stop >= end) return nullptr;
        const size_t count = size_t(stop - p) - 1;
        if (!is_ascii && !simdjson::validate_utf8(reinterpret_cast<const char *>(p + 1), count)) return nullptr;
        if (field >= 0) {
            uint64_t value;
            if (!store(*target.heap, p + 1, count, value)) return nullptr;
            put(target, field, OGJ_TEXT, value);
        }
        return stop + 1;
    }
    case 't':
        if (std::memcmp(p, "true", 4) != 0) return nullptr;
        if (field >= 0) put(target, field, OGJ_BIT, 1);
        return p + 4;
    case 'f':
        if (std::memcmp(p, "false", 5) != 0) return nullptr;
        if (field >= 0) put(target, field, OGJ_BIT, 0);
        return p + 5;
    case 'n':
        if (std::memcmp(p, "null", 4) != 0) return nullptr;
        if (field >= 0) put(target, field, OGJ_NULL, 0);
        return p + 4;
    default: {
        if (*p != '-' && !is_digit(*p)) return nullptr;
        if (field < 0) return skip_number(p);
        uint8_t tag;
        uint64_t bits;
        const uint8_t *stop = number(p, tag, bits);
        if (stop != nullptr) put(target, field, tag, bits);
        return stop;
    }
    }
}

}  // namespace

bool Shape::read(const uint8_t *body, size_t count, const Target &target) const {
    const uint8_t *p = body, *const end = body + count;
    const uint8_t *marks[mark_count];
    const uint8_t *const bytes = literals.data();
    for (const Part *part = parts.data();; part++) {
        if (end - p < ptrdiff_t(part->length) || !equals(p, bytes + part->start, part->length)) return false;
        p += part->length;
        switch (part->step) {
        case Step::skip:
        case Step::value:
            p = scalar(p, end, part->field, target);
            if (p == nullptr) return false;
            break;
        case Step::open:
            marks[part->mark] = p - 1;
            break;
        case Step::close: {
            const uint8_t *start = marks[part->mark];
            uint64_t value;
            if (!store(*target.heap, start, size_t(p - start), value)) return false;
            put(target, part->field, *start == '{' ? OGJ_RECORD : OGJ_ARRAY, value);
            break;
        }
        case Step::end:
            if (p != end) return false;
            if (whole_body >= 0) {
                uint64_t value;
                if (!store(*target.heap, body, count, value)) return false;
                put(target, whole_body, OGJ_RECORD, value);
            }
            return true;
        }
    }
}

// Learning: a plain descent over a body that is known to be well-formed as far as the general reader looks.

void Shape::add(Step step, int field, uint8_t mark) {
    Part part;
    part.start = uint32_t(literals.size());
    part.length = uint32_t(cursor - pending);
    part.step = step;
    part.mark = mark;
    part.field = field;
    literals.insert(literals.end(), pending, cursor);
    parts.push_back(part);
    pending = cursor;
}

void Shape::skip_blanks() {
    while (cursor < end && (*cursor == ' ' || *cursor == '\t' || *cursor == '\n' || *cursor == '\r')) cursor++;
}

// Passes a text without escapes.
bool Shape::learn_text() {
    bool is_ascii;
    const uint8_t *stop = text_end(cursor + 1, end, is_ascii);
    if (stop == nullptr || stop >= end) return false;
    cursor = stop + 1;
    return true;
}

bool Shape::learn_value(const Node *node, size_t depth) {
    if (cursor >= end || depth > maximum_depth || parts.size() >= maximum_parts) return false;
    const int field = node != nullptr ? node->field : -1;
    const bool is_object = *cursor == '{';
    if (!is_object && *cursor != '[') {
        add(field >= 0 ? Step::value : Step::skip, field);
        if (*cursor == '"') {
            if (!learn_text()) return false;
        } else {
            while (cursor < end && *cursor > ' ' && *cursor != ',' && *cursor != '}' && *cursor != ']') cursor++;
        }
        pending = cursor;
        return true;
    }
    // Fields within a record that is wanted itself are read by the general reader.
    if (field >= 0 && !node->children.empty() && is_object) return false;
    const uint8_t mark = open_marks;
    if (field >= 0) {
        if (mark >= mark_count) return false;
        open_marks++;
        cursor++;
        add(Step::open, -1, mark);
        cursor--;
    }
    if (!(is_object ? learn_object(node, depth) : learn_array(depth))) return false;
    if (field >= 0) {
        // The general reader's records end where the next token begins.
        skip_blanks();
        add(Step::close, field, mark);
        open_marks--;
    }
    return true;
}

bool Shape::learn_array(size_t depth) {
    cursor++;
    skip_blanks();
    if (cursor < end && *cursor == ']') return ++cursor, true;
    while (true) {
        if (!learn_value(nullptr, depth + 1)) return false;
        skip_blanks();
        if (cursor >= end) return false;
        const uint8_t c = *cursor++;
        if (c == ']') return true;
        if (c != ',') return false;
        skip_blanks();
    }
}

bool Shape::learn_object(const Node *node, size_t depth) {
    static const std::vector<Node> none;
    const std::vector<Node> &children = node != nullptr ? node->children : none;
    if (children.size() > 64) return false;
    uint64_t exact = 0, loose = 0;
    cursor++;
    skip_blanks();
    if (cursor < end && *cursor == '}') return ++cursor, true;
    while (true) {
        if (cursor >= end || *cursor != '"') return false;
        const char *name = reinterpret_cast<const char *>(cursor) + 1;
        if (!learn_text()) return false;
        const size_t length = size_t(reinterpret_cast<const char *>(cursor) - name) - 1;
        const Node *found = nullptr;
        size_t matches = 0;
        for (size_t i = 0; i < children.size(); i++) {
            const std::string &wanted = children[i].name;
            if (wanted.size() != length || !equals_ignoring_case(wanted.data(), name, length)) continue;
            matches++;
            const uint64_t bit = uint64_t(1) << i;
            const bool is_exact = std::memcmp(wanted.data(), name, length) == 0;
            // An exact name behind a loose one would have to undo what the loose one gave.
            if (is_exact && (loose & bit) != 0) return false;
            if (((exact | loose) & bit) != 0) continue;
            (is_exact ? exact : loose) |= bit;
            found = &children[i];
        }
        // Two wanted names that differ in case only.
        if (matches > 1) return false;
        skip_blanks();
        if (cursor >= end || *cursor++ != ':') return false;
        skip_blanks();
        if (!learn_value(found, depth + 1)) return false;
        skip_blanks();
        if (cursor >= end) return false;
        const uint8_t c = *cursor++;
        if (c == '}') return true;
        if (c != ',') return false;
        skip_blanks();
    }
}

bool Shape::learn(const uint8_t *body, size_t count, const Node &root, int whole) {
    parts.clear();
    literals.clear();
    whole_body = whole;
    open_marks = 0;
    cursor = pending = body;
    end = body + count;
    if (count == 0 || *body != '{' || !learn_object(&root, 0) || cursor != end) return false;
    add(Step::end, -1);
    // Comparing reads whole blocks.
    literals.resize(literals.size() + 64);
    return true;
}

bool ShapeCache::read(const uint8_t *body, size_t count, const Target &target) {
    const size_t before = target.heap->count;
    for (size_t turn = 0; turn < used; turn++) {
        const size_t index = turn == 0 ? last : turn <= last ? turn - 1 : turn;
        if (shapes[index].read(body, count, target)) {
            last = index;
            if (cost > 0) cost--;
            return true;
        }
        target.heap->count = before;
        for (size_t field = 0; field < target.field_count; field++) target.columns[field].tags[target.row] = OGJ_NULL;
    }
    return false;
}

void ShapeCache::learn(const uint8_t *body, size_t count, const Node &root, int whole_body) {
    if (resting > 0 && --resting > 0) return;
    if (cost > highest_cost) {
        cost = highest_cost / 2;
        resting = rest;
        return;
    }
    cost += cost_of_learning;
    if (count > longest_body) return;
    const size_t index = used < shape_count ? used : oldest;
    if (!shapes[index].learn(body, count, root, whole_body)) {
        // A shape that was not finished must not be read: it stays out of use, or a finished one takes its place.
        if (index < used) {
            used--;
            std::swap(shapes[index], shapes[used]);
            last = oldest = 0;
        }
        return;
    }
    if (used < shape_count) {
        last = used++;
    } else {
        last = oldest;
        oldest = (oldest + 1) % shape_count;
    }
}

}  // namespace ogj
