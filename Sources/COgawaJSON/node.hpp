// The wanted paths as a tree, and how a member's name matches one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace ogj {

struct Node {
    std::string name;
    int field = -1;  // the column that takes this member itself
    std::vector<Node> children;
};

// Whether a raw name holds an escape before its closing quote.
inline bool has_escape(const char *name) {
    while (*name != '"' && *name != '\\') name++;
    return *name == '\\';
}

// Whether a raw name has exactly `length` bytes before its closing quote.
inline bool ends_at(const char *name, size_t length) {
    for (size_t i = 0; i < length; i++)
        if (name[i] == '"') return false;
    return name[length] == '"';
}

inline bool equals_ignoring_case(const char *a, const char *b, size_t count) {
    for (size_t i = 0; i < count; i++) {
        unsigned char x = a[i], y = b[i];
        if (x == y) continue;
        unsigned char lowered = x | 0x20;
        if (lowered != (y | 0x20) || lowered < 'a' || lowered > 'z') return false;
    }
    return true;
}

}  // namespace ogj
