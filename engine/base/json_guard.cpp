#include "base/json_guard.h"

#include <string>

#include "base/utf8.h"

namespace saccade {

namespace {

constexpr std::string_view kOutsideStrings = " \t\r\n{}[],:+-.0123456789eEtrufalsn";

// The position after the string's closing quote, npos when it never closes or holds a raw control character.
std::size_t skip_string(std::string_view body, std::size_t at) {
  for (; at < body.size(); ++at) {
    const char c = body[at];
    if (c == '"') return at + 1;
    if (c == '\\') ++at;
    if (static_cast<unsigned char>(c) < 0x20) return std::string_view::npos;
  }
  return std::string_view::npos;
}

Status corrupt(std::string what) { return {StatusKind::corrupt, std::move(what)}; }

}  // namespace

Status check_json_shape(std::string_view body, int max_depth) {
  if (!is_utf8(body) || body.find('\0') != std::string_view::npos) return corrupt("it is not UTF-8 text");
  int depth = 0;
  for (std::size_t at = 0; at < body.size();) {
    const char c = body[at++];
    if (c == '"') {
      at = skip_string(body, at);
      if (at == std::string_view::npos) return corrupt("a string in it never ends");
      continue;
    }
    if (kOutsideStrings.find(c) == std::string_view::npos) return corrupt("it is not JSON");
    if (c == '{' || c == '[') ++depth;
    if (c == '}' || c == ']') --depth;
    if (depth > max_depth) return corrupt("it is nested more than " + std::to_string(max_depth) + " deep");
    if (depth < 0) return corrupt("it closes a bracket that it never opened");
  }
  if (depth != 0) return corrupt("it ends too early");
  return {};
}

}  // namespace saccade
