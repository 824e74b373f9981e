// simdjson's on-demand parser behind a C interface. Only requested fields are materialised; the walk over an object ends
// as soon as all of them were found under their exact names, unless the decoder reads all.
//
// A name matches exactly, else without regard to ASCII case; an exact match later in the object wins. Of members
// with the same name the first counts.

#include "ogawa_decode.h"
#include "ogawa_encode.h"
#include "shape.hpp"

#include <charconv>
#include <cstdlib>
#include <cstring>
#include <simdjson.h>
#include <string>
#include <string_view>
#include <vector>

using namespace simdjson;
using namespace ogj;

namespace {

// 64 is what the gateway accepts; deeper text never reaches a log.
constexpr size_t maximum_depth = 128;

}  // namespace

struct ogj_decoder {
    ondemand::parser parser;
    ShapeCache shapes;
    Node root;
    int whole_body = -1;
    size_t field_count = 0;
    size_t overlap = 1;
    bool reads_all = false;
    bool learns = true;
    ogj_column *columns = nullptr;
    ogj_heap *heap = nullptr;
    size_t row = 0;
    uint8_t status = OGJ_OK;

    void put(int field, uint8_t tag, uint64_t value) {
        ogj_column &column = columns[field];
        column.tags[row] = tag;
        column.values[row] = value;
    }

    uint64_t store(const char *text, size_t count) {
        size_t start = heap->count;
        if (heap->capacity - start < count) return 0;
        std::memcpy(heap->base + start, text, count);
        heap->count = start + count;
        return uint64_t(uint32_t(start)) | uint64_t(uint32_t(count)) << 32;
    }

    bool fail(uint8_t why) {
        status = why;
        return false;
    }

    bool text(ondemand::value value, int field) {
        std::string_view raw = value.raw_json_token();
        size_t end = raw.size();
        while (end > 0 && raw[end - 1] != '"') end--;
        if (end < 2) return fail(OGJ_BAD_JSON);
        if (std::memchr(raw.data() + 1, '\\', end - 2) == nullptr) {
            // No escapes: the bytes between the quotes are the text. The token must still be consumed.
            put(field, OGJ_TEXT, store(raw.data() + 1, end - 2));
            raw_json_string consumed;
            return value.get_raw_json_string().get(consumed) == SUCCESS || fail(OGJ_BAD_JSON);
        }
        std::string_view unescaped;
        if (value.get_string().get(unescaped) != SUCCESS) return fail(OGJ_BAD_JSON);
        put(field, OGJ_TEXT, store(unescaped.data(), unescaped.size()));
        return true;
    }

    using raw_json_string = ondemand::raw_json_string;

    bool number(ondemand::value value, int field) {
        const std::string_view token = value.raw_json_token();
        ondemand::number number;
        if (value.get_number().get(number) != SUCCESS) return fail(OGJ_NUMBER_RANGE);
        switch (number.get_number_type()) {
        case ondemand::number_type::signed_integer:
            put(field, OGJ_BIGINT, uint64_t(number.get_int64()));
            return true;
        case ondemand::number_type::floating_point_number: {
            // simdjson 3.0.1 has read the text to its end, but its value is wrong for more than 19 digits.
            const double real = exact(token);
            uint64_t bits;
            std::memcpy(&bits, &real, 8);
            put(field, OGJ_FLOAT, bits);
            return true;
        }
        default:
            return fail(OGJ_NUMBER_RANGE);  // an integer beyond 64 bits
        }
    }

    // The value of a well-formed number, which may have blanks behind it.
    static double exact(std::string_view token) {
        double value = 0;
        const auto result = std::from_chars(token.data(), token.data() + token.size(), value);
        // Too small for a double: the nearest is 0 or a subnormal, which from_chars does not tell.
        if (result.ec == std::errc::result_out_of_range) value = std::strtod(std::string(token).c_str(), nullptr);
        return value;
    }

    bool scalar(ondemand::value value, ondemand::json_type type, int field) {
        switch (type) {
        case ondemand::json_type::string:
            return text(value, field);
        case ondemand::json_type::number:
            return number(value, field);
        case ondemand::json_type::boolean: {
            bool flag;
            if (value.get_bool().get(flag) != SUCCESS) return fail(OGJ_BAD_JSON);
            put(field, OGJ_BIT, flag ? 1 : 0);
            return true;
        }
        default: {
            bool is_null;
            if (value.is_null().get(is_null) != SUCCESS || !is_null) return fail(OGJ_BAD_JSON);
            put(field, OGJ_NULL, 0);
            return true;
        }
        }
    }

    bool container(ondemand::value value, ondemand::json_type type, const Node &node, size_t depth) {
        if (!node.children.empty() && type == ondemand::json_type::object) {
            ondemand::object object;
            if (value.get_object().get(object) != SUCCESS) return fail(OGJ_BAD_JSON);
            if (!members(object, node, depth + 1)) return false;
            if (node.field < 0) return true;
            std::string_view raw;
            if (object.reset().error() != SUCCESS || object.raw_json().get(raw) != SUCCESS) return fail(OGJ_BAD_JSON);
            put(node.field, OGJ_RECORD, store(raw.data(), raw.size()));
            return true;
        }
        if (node.field < 0) return true;
        std::string_view raw;
        if (type == ondemand::json_type::object) {
            ondemand::object object;
            if (value.get_object().get(object) != SUCCESS || object.raw_json().get(raw) != SUCCESS)
                return fail(OGJ_BAD_JSON);
            put(node.field, OGJ_RECORD, store(raw.data(), raw.size()));
        } else {
            ondemand::array array;
            if (value.get_array().get(array) != SUCCESS || array.raw_json().get(raw) != SUCCESS)
                return fail(OGJ_BAD_JSON);
            put(node.field, OGJ_ARRAY, store(raw.data(), raw.size()));
        }
        return true;
    }

    bool member(ondemand::value value, const Node &node, size_t depth) {
        ondemand::json_type type;
        if (value.type().get(type) != SUCCESS) return fail(OGJ_BAD_JSON);
        if (type == ondemand::json_type::object || type == ondemand::json_type::array)
            return container(value, type, node, depth);
        return node.field < 0 || scalar(value, type, node.field);
    }

    bool members(ondemand::object object, const Node &node, size_t depth) {
        if (depth > maximum_depth) return fail(OGJ_BAD_JSON);
        // Bit i: child i was found, exactly or at least without regard to case.
        uint64_t exact = 0, loose = 0;
        const size_t count = node.children.size();
        const uint64_t all = count >= 64 ? ~uint64_t(0) : (uint64_t(1) << count) - 1;
        for (auto field : object) {
            ondemand::raw_json_string raw_key;
            if (field.error() != SUCCESS || field.key().get(raw_key) != SUCCESS) return fail(OGJ_BAD_JSON);
            const char *name = raw_key.raw();
            std::string_view unescaped;
            if (has_escape(name)) {
                if (field.unescaped_key().get(unescaped) != SUCCESS) return fail(OGJ_BAD_JSON);
                name = unescaped.data();
            }
            // A member goes to the field of its exact name, so that `v` and `V` in one query take each their own.
            size_t match = count;
            bool is_exact = false;
            for (size_t i = 0; i < count && !is_exact; i++) {
                const Node &child = node.children[i];
                const size_t length = child.name.size();
                // A raw name ends with its quote; the padding behind a body makes the look-ahead safe.
                if (unescaped.data() == nullptr ? !ends_at(name, length) : unescaped.size() != length) continue;
                is_exact = std::memcmp(child.name.data(), name, length) == 0;
                const uint64_t bit = i < 64 ? uint64_t(1) << i : 0;
                const bool is_open = match == count && ((exact | loose) & bit) == 0;
                if (is_exact || (is_open && equals_ignoring_case(child.name.data(), name, length))) match = i;
            }
            const uint64_t bit = match < 64 ? uint64_t(1) << match : 0;
            if (match == count || (is_exact && (exact & bit) != 0)) continue;
            (is_exact ? exact : loose) |= bit;
            ondemand::value value;
            if (field.value().get(value) != SUCCESS || !member(value, node.children[match], depth))
                return fail(status != OGJ_OK ? status : uint8_t(OGJ_BAD_JSON));
            if (exact == all && !reads_all && count <= 64) return true;
        }
        return true;
    }

    bool body(const uint8_t *bytes, size_t count, size_t capacity) {
        ondemand::document document;
        if (parser.iterate(bytes, count, capacity).get(document) != SUCCESS) return fail(OGJ_BAD_JSON);
        ondemand::object object;
        if (document.get_object().get(object) != SUCCESS) return fail(OGJ_NOT_AN_OBJECT);
        if (!root.children.empty() || reads_all) {
            if (!members(object, root, 0)) return false;
            if (reads_all && document.current_location().error() != OUT_OF_BOUNDS) return fail(OGJ_BAD_JSON);
        }
        if (whole_body >= 0) {
            size_t start = 0, end = count;
            while (start < end && bytes[start] <= ' ') start++;
            while (end > start && bytes[end - 1] <= ' ') end--;
            put(whole_body, OGJ_RECORD, store(reinterpret_cast<const char *>(bytes) + start, end - start));
        }
        return true;
    }
};

namespace {

Node &child(Node &parent, std::string_view name) {
    for (auto &node : parent.children)
        if (node.name == name) return node;
    parent.children.push_back(Node{std::string(name), -1, {}});
    return parent.children.back();
}

// Null rows get the value 0; returns which tags there are.
uint16_t finish(ogj_column &column, size_t count) {
    if (count == 0) return 0;
    uint8_t *tags = column.tags;
    uint64_t *values = column.values;
    uint8_t different = 0;
    for (size_t row = 0; row < count; row++) different |= tags[row] ^ tags[0];
    if (different == 0 && tags[0] != OGJ_NULL) return uint16_t(1u << tags[0]);
    uint16_t set = 0;
    for (size_t row = 0; row < count; row++) {
        set |= uint16_t(1u << tags[row]);
        if (tags[row] == OGJ_NULL) values[row] = 0;
    }
    return set;
}

size_t overlap_of(const Node &node) {
    size_t deepest = 0;
    for (const auto &child : node.children) deepest = std::max(deepest, overlap_of(child));
    return deepest + (node.field >= 0 ? 1 : 0);
}

}  // namespace

ogj_decoder *ogj_decoder_create(
    const char *const *path_parts, const size_t *part_lengths, const size_t *path_counts, size_t field_count, int reads_all) {
    auto *decoder = new (std::nothrow) ogj_decoder;
    if (decoder == nullptr) return nullptr;
    decoder->field_count = field_count;
    decoder->reads_all = reads_all != 0;
    size_t part = 0;
    for (size_t field = 0; field < field_count; field++) {
        if (path_counts[field] == 0) {
            decoder->whole_body = int(field);
            continue;
        }
        Node *node = &decoder->root;
        for (size_t i = 0; i < path_counts[field]; i++, part++)
            node = &child(*node, std::string_view(path_parts[part], part_lengths[part]));
        node->field = int(field);
    }
    decoder->overlap = overlap_of(decoder->root) + (decoder->whole_body >= 0 ? 1 : 0);
    if (decoder->overlap == 0) decoder->overlap = 1;
    return decoder;
}

void ogj_decoder_free(ogj_decoder *decoder) { delete decoder; }

size_t ogj_decoder_overlap(const ogj_decoder *decoder) { return decoder->overlap; }

size_t ogj_decode(
    ogj_decoder *decoder, const uint8_t *bytes, size_t byte_count, const ogj_slice *bodies, size_t count,
    ogj_column *columns, ogj_heap *heap, uint8_t *statuses) {
    decoder->columns = columns;
    decoder->heap = heap;
    const size_t fields = decoder->field_count;
    size_t bad = 0;
    for (size_t field = 0; field < fields; field++) std::memset(columns[field].tags, OGJ_NULL, count);
    for (size_t row = 0; row < count; row++) {
        decoder->row = row;
        decoder->status = OGJ_OK;
        const uint8_t *body = bytes + bodies[row].start;
        const size_t body_count = bodies[row].count;
        statuses[row] = OGJ_OK;
        if (decoder->shapes.read(body, body_count, Target{columns, heap, row, fields})) continue;
        if (!decoder->body(body, body_count, byte_count - bodies[row].start)) {
            bad++;
            for (size_t field = 0; field < fields; field++) columns[field].tags[row] = OGJ_NULL;
            statuses[row] = decoder->status;
        } else if (decoder->learns) {
            decoder->shapes.learn(body, body_count, decoder->root, decoder->whole_body);
        }
    }
    for (size_t field = 0; field < fields; field++) columns[field].tag_set = finish(columns[field], count);
    return bad;
}

int ogj_find_member(
    const uint8_t *object, size_t count, const char *const *parts, const size_t *part_lengths, size_t part_count,
    ogj_heap *heap, uint64_t *value) {
    // A slow path (records made by functions): parse a padded copy with a decoder of one field.
    static thread_local std::vector<uint8_t> padded;
    padded.assign(object, object + count);
    padded.resize(count + SIMDJSON_PADDING);
    size_t path_count = part_count;
    ogj_decoder *decoder = ogj_decoder_create(parts, part_lengths, &path_count, 1, 0);
    if (decoder == nullptr) return OGJ_NULL;
    decoder->learns = false;
    uint8_t tag = OGJ_NULL, status = OGJ_OK;
    ogj_column column{&tag, value, 0};
    ogj_slice body{0, uint32_t(count)};
    ogj_decode(decoder, padded.data(), padded.size(), &body, 1, &column, heap, &status);
    ogj_decoder_free(decoder);
    return tag;
}
