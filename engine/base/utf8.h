// Whether bytes are UTF-8 (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF), for text from
// files, networks and models. Pure functions, safe from any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace saccade {

// How many bytes at the end of `text` begin a character that is not complete yet, 0 to 3; nothing when no
// bytes behind `text` could make it UTF-8.
std::optional<std::size_t> unfinished_utf8(std::string_view text);

inline bool is_utf8(std::string_view text) { return unfinished_utf8(text) == std::size_t{0}; }

}  // namespace saccade
