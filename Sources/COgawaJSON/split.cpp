// Splits a body of JSON events (an object, an array of objects, or NDJSON) and checks every byte of it.
//
// simdjson's first stage finds where each token begins, and on the way proves the UTF-8, the ends of strings and the
// absence of control characters inside them, at gigabytes per second. What remains is a walk from token to
// token: the grammar, escapes, numbers. That walk is ours and not simdjson's second stage, because it has to know where
// each event begins and ends, where the key is, and at which byte a mistake lies.
//
// The first stage only says that something is wrong, not where. Then the same walk runs again over a
// source that finds the tokens byte by byte and makes the first stage's checks itself. The walk is a template over
// the two sources, so both accept the same bodies; a test holds them against each other.
//
// Nothing here recurses, and no read leaves the body. The walk keeps one bit per open container.

#include "ogawa_split.h"

#include <charconv>
#include <cstring>
#include <memory>
#include <new>
#include <simdjson.h>
#include <vector>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the search for quotes reads eight bytes as one number");

namespace {

constexpr size_t retained_capacity = 1 << 20;

enum character : uint8_t { blank = 1, breaks_scalar = 2 };

struct character_table {
    uint8_t classes[256] = {};
    constexpr character_table() {
        for (const char c : {' ', '\t', '\n', '\r'}) classes[uint8_t(c)] = blank | breaks_scalar;
        // Not the quote: behind a number or a word the first stage does not report it as a token.
        for (const char c : {',', ':', '[', ']', '{', '}'}) classes[uint8_t(c)] = breaks_scalar;
    }
};
constexpr character_table characters;

inline bool is_blank(uint8_t c) { return (characters.classes[c] & blank) != 0; }
inline bool breaks_scalar_token(uint8_t c) { return (characters.classes[c] & breaks_scalar) != 0; }
inline bool is_digit(uint8_t c) { return uint8_t(c - '0') < 10; }

// Tokens from the first stage's index.
struct indexed_tokens {
    static constexpr bool checks_text = false;
    const uint32_t *index;
    size_t count;
    size_t length;
    size_t at = 0;

    size_t next(size_t) { return at < count ? index[at++] : length; }
};

// Tokens found byte by byte.
struct scanned_tokens {
    static constexpr bool checks_text = true;
    const uint8_t *bytes;
    size_t length;

    size_t next(size_t position) {
        while (position < length && is_blank(bytes[position])) position++;
        return position;
    }
};

// The top bit of each zero byte. Above a zero byte other bits may be set wrongly, below the first one none is.
inline uint64_t zero_bytes(uint64_t x) { return (x - 0x0101010101010101ull) & ~x & 0x8080808080808080ull; }

inline uint64_t quotes_and_backslashes(uint64_t x) {
    return zero_bytes(x ^ 0x2222222222222222ull) | zero_bytes(x ^ 0x5c5c5c5c5c5c5c5cull);
}

// The bytes of one UTF-8 sequence that begins at `p`; 0 where it is none.
size_t sequence_length(const uint8_t *p, size_t left) {
    const uint8_t c = p[0];
    const auto follows = [&](size_t i, uint8_t low, uint8_t high) { return i < left && p[i] >= low && p[i] <= high; };
    if (c < 0x80) return 1;
    if (c >= 0xc2 && c <= 0xdf) return follows(1, 0x80, 0xbf) ? 2 : 0;
    if (c >= 0xe0 && c <= 0xef) {
        const uint8_t low = c == 0xe0 ? 0xa0 : 0x80;
        const uint8_t high = c == 0xed ? 0x9f : 0xbf;
        return follows(1, low, high) && follows(2, 0x80, 0xbf) ? 3 : 0;
    }
    if (c >= 0xf0 && c <= 0xf4) {
        const uint8_t low = c == 0xf0 ? 0x90 : 0x80;
        const uint8_t high = c == 0xf4 ? 0x8f : 0xbf;
        return follows(1, low, high) && follows(2, 0x80, 0xbf) && follows(3, 0x80, 0xbf) ? 4 : 0;
    }
    return 0;
}

int hex_digit(uint8_t c) {
    if (is_digit(c)) return c - '0';
    const uint8_t lower = c | 0x20;
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

void append_utf8(std::vector<uint8_t> &target, uint32_t scalar) {
    if (scalar < 0x80) {
        target.push_back(uint8_t(scalar));
        return;
    }
    if (scalar < 0x800) {
        target.push_back(uint8_t(0xc0 | scalar >> 6));
    } else {
        if (scalar < 0x10000) {
            target.push_back(uint8_t(0xe0 | scalar >> 12));
        } else {
            target.push_back(uint8_t(0xf0 | scalar >> 18));
            target.push_back(uint8_t(0x80 | (scalar >> 12 & 0x3f)));
        }
        target.push_back(uint8_t(0x80 | (scalar >> 6 & 0x3f)));
    }
    target.push_back(uint8_t(0x80 | (scalar & 0x3f)));
}

// The value of four hexadecimal digits; nothing but digits was let through before.
uint32_t four_digits(const uint8_t *p) {
    uint32_t value = 0;
    for (int i = 0; i < 4; i++) value = value << 4 | uint32_t(hex_digit(p[i]) & 0xf);
    return value;
}

}  // namespace

struct ogawa_splitter {
    std::unique_ptr<simdjson::internal::dom_parser_implementation> parser;
    size_t capacity = 0;
    std::vector<ogawa_split_element> elements;
    std::vector<uint8_t> decoded;
    std::vector<uint8_t> member_name;

    bool make_room(size_t count);
    void release_excess();
    bool find_tokens(const uint8_t *bytes, size_t count);
};

namespace {

// The grammar over a source of token positions.
template <typename Tokens> class walk {
public:
    walk(ogawa_splitter &splitter, const uint8_t *bytes, size_t count, const ogawa_split_rules &rules, Tokens tokens)
        : splitter(splitter), bytes(bytes), length(count), rules(rules), tokens(tokens),
          max_depth(rules.max_depth < 64 ? rules.max_depth : 64) {}

    ogawa_split_result run() {
        splitter.elements.clear();
        splitter.decoded.clear();
        body();
        return {error, uint32_t(splitter.elements.size()), splitter.elements.data(), splitter.decoded.data(), position,
                expected};
    }

private:
    ogawa_splitter &splitter;
    const uint8_t *bytes;
    size_t length;
    const ogawa_split_rules &rules;
    Tokens tokens;
    size_t max_depth;

    int32_t error = OGAWA_SPLIT_OK;
    size_t position = 0;
    const char *expected = nullptr;
    // Behind the last token that was read.
    size_t end = 0;
    ogawa_split_element element{};
    bool has_escape = false;

    bool fail(size_t at, const char *what, int32_t code = OGAWA_SPLIT_MALFORMED) {
        error = code;
        position = at;
        expected = what;
        return false;
    }

    size_t next() { return tokens.next(end); }
    uint8_t at(size_t i) const { return i < length ? bytes[i] : 0; }

    bool body() {
        size_t p = next();
        if (p == length) return fail(p, "a JSON object, an array of objects, or NDJSON");
        if (bytes[p] != '[') return lines(p);
        end = p + 1;
        p = next();
        if (at(p) == ']' && p < length) return closing(p);
        for (;;) {
            if (!one(p)) return false;
            p = next();
            if (p < length && bytes[p] == ',') {
                end = p + 1;
                p = next();
            } else if (p < length && bytes[p] == ']') {
                return closing(p);
            } else {
                return fail(p, "',' or ']' after an event of the array");
            }
        }
    }

    bool closing(size_t p) {
        end = p + 1;
        p = next();
        return p == length || fail(p, "the end of the body after ']'");
    }

    bool lines(size_t p) {
        for (;;) {
            if (!one(p)) return false;
            p = next();
            if (p == length) return true;
            if (std::memchr(bytes + end, '\n', p - end) == nullptr)
                return fail(p, "a line break between two events, or the end of the body");
        }
    }

    bool one(size_t p) {
        if (p >= length || bytes[p] != '{') return fail(p, "a JSON object");
        if (splitter.elements.size() >= rules.max_elements)
            return fail(p, "fewer events in one request", OGAWA_SPLIT_TOO_MANY);
        element = ogawa_split_element{};
        element.start = uint32_t(p);
        if (!object(p)) return false;
        element.count = uint32_t(end - p);
        if (element.count > rules.max_element_bytes) return fail(p, "a smaller event", OGAWA_SPLIT_TOO_LARGE);
        splitter.elements.push_back(element);
        return true;
    }

    // One object with everything inside it. `arrays` has the bit of each open container that is an array.
    bool object(size_t p) {
        uint64_t arrays = 0;
        size_t depth = 0;
        bool is_key_value = false;

    open:
        if (depth == max_depth) return fail(p, "at most 64 levels of nesting");
        depth++;
        arrays = arrays << 1 | uint64_t(bytes[p] == '[');
        end = p + 1;
        p = next();
        if (arrays & 1) {
            if (at(p) == ']' && p < length) goto close;
            goto value;
        }
        if (at(p) == '}' && p < length) {
            if (depth == 1) element.is_empty = 1;
            goto close;
        }

    member:
        if (at(p) != '"') return fail(p, "a member name in quotes");
        if (!text(p)) return false;
        if (depth == 1 && is_key_name(p)) {
            if (element.key_kind != OGAWA_KEY_ABSENT) return fail(p, "the key field once", OGAWA_SPLIT_KEY_TWICE);
            is_key_value = true;
        }
        p = next();
        if (at(p) != ':') return fail(p, "':' after the member name");
        end = p + 1;
        p = next();

    value:
        switch (at(p)) {
        case '{':
        case '[':
            if (is_key_value) key_is_other(p, is_key_value);
            goto open;
        case '"':
            if (!text(p)) return false;
            if (is_key_value) key_is_text(p, is_key_value);
            break;
        case '-':
        case '0': case '1': case '2': case '3': case '4':
        case '5': case '6': case '7': case '8': case '9':
            if (!number(p)) return false;
            if (is_key_value) {
                element.key_kind = OGAWA_KEY_NUMBER;
                element.key_start = uint32_t(p);
                element.key_count = uint32_t(end - p);
                is_key_value = false;
            }
            break;
        case 't':
            if (!literal(p, "true", 4)) return false;
            if (is_key_value) key_is_other(p, is_key_value);
            break;
        case 'f':
            if (!literal(p, "false", 5)) return false;
            if (is_key_value) key_is_other(p, is_key_value);
            break;
        case 'n':
            if (!literal(p, "null", 4)) return false;
            if (is_key_value) key_is_other(p, is_key_value);
            break;
        default:
            return fail(p, arrays & 1 ? "a value or ']'" : "a value");
        }

    after:
        p = next();
        if (at(p) == ',') {
            end = p + 1;
            p = next();
            if (arrays & 1) goto value;
            goto member;
        }
        if (p == length || bytes[p] != (arrays & 1 ? ']' : '}'))
            return fail(p, arrays & 1 ? "',' or ']'" : "',' or '}'");

    close:
        end = p + 1;
        arrays >>= 1;
        if (--depth == 0) return true;
        goto after;
    }

    void key_is_other(size_t p, bool &is_key_value) {
        element.key_kind = OGAWA_KEY_OTHER;
        element.key_start = uint32_t(p);
        is_key_value = false;
    }

    void key_is_text(size_t p, bool &is_key_value) {
        is_key_value = false;
        if (!has_escape) {
            element.key_kind = OGAWA_KEY_TEXT;
            element.key_start = uint32_t(p + 1);
            element.key_count = uint32_t(end - p - 2);
            return;
        }
        element.key_kind = OGAWA_KEY_DECODED;
        element.key_start = uint32_t(splitter.decoded.size());
        decode(p + 1, end - 1, splitter.decoded);
        element.key_count = uint32_t(splitter.decoded.size() - element.key_start);
    }

    // Whether the text token that was just read names the key field, however it is escaped.
    bool is_key_name(size_t p) {
        const uint8_t *name = bytes + p + 1;
        size_t count = end - p - 2;
        if (has_escape) {
            splitter.member_name.clear();
            decode(p + 1, end - 1, splitter.member_name);
            name = splitter.member_name.data();
            count = splitter.member_name.size();
        }
        return count == rules.key_field_count && std::memcmp(name, rules.key_field, count) == 0;
    }

    // The text between two positions without its escapes, which were checked before.
    void decode(size_t from, size_t to, std::vector<uint8_t> &target) {
        for (size_t i = from; i < to; i++) {
            if (bytes[i] != '\\') {
                target.push_back(bytes[i]);
                continue;
            }
            i++;
            switch (bytes[i]) {
            case 'b': target.push_back('\b'); break;
            case 'f': target.push_back('\f'); break;
            case 'n': target.push_back('\n'); break;
            case 'r': target.push_back('\r'); break;
            case 't': target.push_back('\t'); break;
            case 'u': {
                uint32_t scalar = four_digits(bytes + i + 1);
                i += 4;
                if (scalar >= 0xd800 && scalar < 0xdc00) {
                    scalar = 0x10000 + ((scalar - 0xd800) << 10) + (four_digits(bytes + i + 3) - 0xdc00);
                    i += 6;
                }
                append_utf8(target, scalar);
                break;
            }
            default: target.push_back(bytes[i]);
            }
        }
    }

    // Reads a text token; `end` is behind the closing quote.
    bool text(size_t p) {
        has_escape = false;
        size_t i = p + 1;
        for (;;) {
            if (!Tokens::checks_text) {
                while (length - i >= 8) {
                    uint64_t chunk;
                    std::memcpy(&chunk, bytes + i, 8);
                    const uint64_t hits = quotes_and_backslashes(chunk);
                    if (hits != 0) {
                        i += size_t(__builtin_ctzll(hits)) >> 3;
                        break;
                    }
                    i += 8;
                }
            }
            if (i >= length) return fail(length, "'\"' at the end of the text");
            const uint8_t c = bytes[i];
            if (c == '"') {
                end = i + 1;
                return true;
            }
            if (c == '\\') {
                if (!escape(i)) return false;
                continue;
            }
            if (Tokens::checks_text) {
                if (c < 0x20) return fail(i, "control characters in a text to be escaped");
                const size_t count = sequence_length(bytes + i, length - i);
                if (count == 0) return fail(i, "valid UTF-8");
                i += count;
            } else {
                i++;
            }
        }
    }

    bool escape(size_t &i) {
        has_escape = true;
        const uint8_t c = at(i + 1);
        if (c != 'u') {
            if (c == 0 || std::strchr("\"\\/bfnrt", c) == nullptr)
                return fail(i, "one of the escapes \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX");
            i += 2;
            return true;
        }
        if (!has_four_digits(i + 2)) return fail(i, "four hexadecimal digits after \\u");
        const uint32_t unit = four_digits(bytes + i + 2);
        if (unit >= 0xdc00 && unit < 0xe000) return fail(i, "a high surrogate before a low one");
        if (unit >= 0xd800 && unit < 0xdc00) {
            const bool is_pair = at(i + 6) == '\\' && at(i + 7) == 'u' && has_four_digits(i + 8);
            const uint32_t low = is_pair ? four_digits(bytes + i + 8) : 0;
            if (low < 0xdc00 || low >= 0xe000) return fail(i, "a low surrogate after a high one");
            i += 12;
            return true;
        }
        i += 6;
        return true;
    }

    bool has_four_digits(size_t i) const {
        if (i + 4 > length) return false;
        for (size_t k = 0; k < 4; k++)
            if (hex_digit(bytes[i + k]) < 0) return false;
        return true;
    }

    bool literal(size_t p, const char *word, size_t count) {
        if (length - p < count || std::memcmp(bytes + p, word, count) != 0) return fail(p, "a value");
        end = p + count;
        return end == length || breaks_scalar_token(bytes[end]) || fail(p, "a value");
    }

    bool digits(size_t &i) {
        if (!is_digit(at(i))) return fail(i, "a digit");
        while (is_digit(at(i))) i++;
        return true;
    }

    bool number(size_t p) {
        size_t i = p + (bytes[p] == '-' ? 1 : 0);
        const size_t whole = i;
        if (at(i) == '0') {
            i++;
            if (is_digit(at(i))) return fail(i, "no digit after a leading 0");
        } else if (!digits(i)) {
            return false;
        }
        const size_t whole_digits = i - whole;
        if (at(i) == '.' && !digits(++i)) return false;
        long exponent = 0;
        if ((at(i) | 0x20) == 'e') {
            i++;
            const bool is_negative = at(i) == '-';
            if (is_negative || at(i) == '+') i++;
            const size_t first = i;
            if (!digits(i)) return false;
            for (size_t k = first; k < i && exponent < 1000000; k++) exponent = exponent * 10 + (bytes[k] - '0');
            if (is_negative) exponent = -exponent;
        }
        if (i < length && !breaks_scalar_token(bytes[i])) return fail(i, "the end of the number");
        end = i;
        // Below 10^308 a number is finite for certain; the rest is left to the exact conversion.
        return long(whole_digits) + exponent <= 308 || is_finite(p, i);
    }

    bool is_finite(size_t p, size_t i) {
        double value = 0;
        const auto *first = reinterpret_cast<const char *>(bytes) + p;
        const auto status = std::from_chars(first, first + (i - p), value).ec;
        return status == std::errc() || fail(p, "a number within the range of 64-bit floats");
    }
};

template <typename Tokens>
ogawa_split_result walk_body(
    ogawa_splitter &splitter, const uint8_t *bytes, size_t count, const ogawa_split_rules &rules, Tokens tokens) {
    return walk<Tokens>(splitter, bytes, count, rules, tokens).run();
}

ogawa_split_result out_of_memory() {
    return {OGAWA_SPLIT_NO_MEMORY, 0, nullptr, nullptr, 0, "memory for the body"};
}

}  // namespace

bool ogawa_splitter::make_room(size_t count) {
    if (parser && count <= capacity) return true;
    const size_t wanted = count < 65536 ? 65536 : count;
    if (!parser) {
        if (simdjson::get_active_implementation()->create_dom_parser_implementation(wanted, 1, parser)) return false;
    } else if (parser->allocate(wanted, 1)) {
        parser.reset();
        capacity = 0;
        return false;
    }
    capacity = wanted;
    return true;
}

// One large body must not hold its memory for ever.
void ogawa_splitter::release_excess() {
    if (capacity <= retained_capacity) return;
    parser.reset();
    capacity = 0;
}

// Runs the first stage; false where it objects to something.
bool ogawa_splitter::find_tokens(const uint8_t *bytes, size_t count) {
    return parser->stage1(bytes, count, simdjson::stage1_mode::regular) == simdjson::SUCCESS;
}

extern "C" {

ogawa_splitter *ogawa_splitter_create(void) { return new (std::nothrow) ogawa_splitter(); }

void ogawa_splitter_destroy(ogawa_splitter *splitter) { delete splitter; }

ogawa_split_result ogawa_splitter_split(
    ogawa_splitter *splitter, const uint8_t *bytes, size_t count, const ogawa_split_rules *rules) {
    if (count >= UINT32_MAX) return {OGAWA_SPLIT_TOO_LARGE, 0, nullptr, nullptr, 0, "a body below 4 GiB"};
    try {
        if (!splitter->make_room(count)) return out_of_memory();
        ogawa_split_result result;
        if (splitter->find_tokens(bytes, count)) {
            const indexed_tokens tokens{
                splitter->parser->structural_indexes.get(), splitter->parser->n_structural_indexes, count};
            result = walk_body(*splitter, bytes, count, *rules, tokens);
        } else {
            result = walk_body(*splitter, bytes, count, *rules, scanned_tokens{bytes, count});
            if (result.error == OGAWA_SPLIT_OK) {
                result.error = OGAWA_SPLIT_MALFORMED;
                result.expected = "valid JSON";
            }
        }
        splitter->release_excess();
        return result;
    } catch (...) {
        return out_of_memory();
    }
}

ogawa_split_result ogawa_splitter_split_slowly(
    ogawa_splitter *splitter, const uint8_t *bytes, size_t count, const ogawa_split_rules *rules) {
    if (count >= UINT32_MAX) return {OGAWA_SPLIT_TOO_LARGE, 0, nullptr, nullptr, 0, "a body below 4 GiB"};
    try {
        return walk_body(*splitter, bytes, count, *rules, scanned_tokens{bytes, count});
    } catch (...) {
        return out_of_memory();
    }
}

}  // extern "C"
