// Events of one stream nearly always have the same members in the same order. A shape is what such bodies have in common:
// the bytes between the values. A body that has them is read in one pass without building an index first; any other body,
// and any value that is not plain, is left to the general reader. See shape.cpp for what "plain" means.
#pragma once

#include "node.hpp"
#include "ogawa_decode.h"

namespace ogj {

// Where a row's values go.
struct Target {
    ogj_column *columns;
    ogj_heap *heap;
    size_t row, field_count;
};

class Shape {
public:
    // Takes the bytes between the values from a body that the general reader accepted; false where it has no shape.
    bool learn(const uint8_t *body, size_t count, const Node &root, int whole_body);

    // Reads a body of this shape; false where it is not one, with nothing of it promised about the row. 64 bytes behind the body must be readable.
    bool read(const uint8_t *body, size_t count, const Target &target) const;

private:
    enum class Step : uint8_t { skip, value, open, close, end };

    // The bytes before, then what is there.
    struct Part {
        uint32_t start = 0, length = 0;
        Step step = Step::skip;
        uint8_t mark = 0;
        int32_t field = -1;
    };

    static constexpr size_t maximum_depth = 32, maximum_parts = 512, mark_count = 8;

    std::vector<Part> parts;
    std::vector<uint8_t> literals;
    int whole_body = -1;
    // Only while learning.
    const uint8_t *cursor = nullptr, *end = nullptr, *pending = nullptr;
    uint8_t open_marks = 0;

    void add(Step step, int field, uint8_t mark = 0);
    void skip_blanks();
    bool learn_value(const Node *node, size_t depth);
    bool learn_object(const Node *node, size_t depth);
    bool learn_array(size_t depth);
    bool learn_text();
};

// The last few shapes of a stream.
class ShapeCache {
public:
    bool read(const uint8_t *body, size_t count, const Target &target);
    void learn(const uint8_t *body, size_t count, const Node &root, int whole_body);

private:
    static constexpr size_t shape_count = 4, longest_body = 1 << 14;
    // Learning costs about as much as reading with the general reader; a stream without shapes learns seldom.
    static constexpr int cost_of_learning = 16, highest_cost = 1024, rest = 4096;

    Shape shapes[shape_count];
    size_t used = 0, last = 0, oldest = 0;
    int cost = 0, resting = 0;
};

}  // namespace ogj
