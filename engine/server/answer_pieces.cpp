#include "server/answer_pieces.h"

#include <utility>

#include "base/utf8.h"

namespace saccade {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";
constexpr std::string_view kNoCharacter = "\xEF\xBF\xBD";  // U+FFFD

// The bytes of `bytes` that are whole characters; what begins one at its end stays in it.
std::string take_characters(std::string &bytes) {
  std::string text;
  std::string_view rest = bytes;
  while (!rest.empty()) {
    std::size_t length = 1;
    auto open = unfinished_utf8(rest.substr(0, length));
    while (open && *open > 0 && length < rest.size()) open = unfinished_utf8(rest.substr(0, ++length));
    if (open && *open > 0) break;
    text += open ? rest.substr(0, length) : kNoCharacter;
    rest.remove_prefix(open ? length : 1);
  }
  bytes = std::string(rest);
  return text;
}

}  // namespace

std::string AnswerPieces::add(std::string_view bytes) {
  half_ += bytes;
  auto text = take_characters(half_);
  return trims_ ? without_outer_space(std::move(text)) : text;
}

std::string AnswerPieces::finish() {
  std::string text;
  for (std::size_t i = 0; i < half_.size(); ++i) text += kNoCharacter;
  half_.clear();
  return trims_ ? without_outer_space(std::move(text)) : text;
}

std::string AnswerPieces::without_outer_space(std::string text) {
  text.insert(0, std::exchange(blanks_, {}));
  if (!begun_) text.erase(0, text.find_first_not_of(kBlanks));
  begun_ |= !text.empty();
  const auto end = text.find_last_not_of(kBlanks) + 1;  // 0 where there is nothing else
  blanks_ = text.substr(end);
  text.resize(end);
  return text;
}

}  // namespace saccade
