// Doubles to their shortest text.
#pragma once

#include <cstddef>

namespace ogj {

constexpr size_t shortest_room = 48;

// Writes the text that std::to_chars gives for a finite value and returns its end. The text has at most 32 bytes, but the
// target needs room for `shortest_room`.
char *write_shortest(double value, char *target);

}  // namespace ogj
