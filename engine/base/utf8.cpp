#include "base/utf8.h"

#include <algorithm>

namespace saccade {
namespace {

using Byte = unsigned char;

// By first byte: how long the character is, and which second bytes it may have; RFC 3629's table.
struct Form {
  Byte first, last;
  std::size_t length;
  Byte second_first, second_last;
};
constexpr Form kForms[] = {
    {0x00, 0x7F, 1, 0x00, 0x00}, {0xC2, 0xDF, 2, 0x80, 0xBF}, {0xE0, 0xE0, 3, 0xA0, 0xBF},
    {0xE1, 0xEC, 3, 0x80, 0xBF}, {0xED, 0xED, 3, 0x80, 0x9F}, {0xEE, 0xEF, 3, 0x80, 0xBF},
    {0xF0, 0xF0, 4, 0x90, 0xBF}, {0xF1, 0xF3, 4, 0x80, 0xBF}, {0xF4, 0xF4, 4, 0x80, 0x8F},
};

bool between(Byte low, char c, Byte high) {
  const auto byte = static_cast<Byte>(c);
  return low <= byte && byte <= high;
}

}  // namespace

std::optional<std::size_t> unfinished_utf8(std::string_view text) {
  while (!text.empty()) {
    const auto *form = std::ranges::find_if(
        kForms, [&](const Form &known) { return between(known.first, text.front(), known.last); });
    if (form == std::end(kForms)) return std::nullopt;
    const auto there = std::min(form->length, text.size());
    for (std::size_t i = 1; i < there; ++i) {
      const bool second = i == 1;
      if (!between(second ? form->second_first : 0x80, text[i], second ? form->second_last : 0xBF))
        return std::nullopt;
    }
    if (there < form->length) return there;
    text.remove_prefix(there);
  }
  return 0;
}

}  // namespace saccade
