#include "offload/chat/same_words.h"

#include <cctype>

namespace saccade {

namespace {

// The words of a text: lower case, without punctuation and runs of white space.
std::string words_of(const std::string &text) {
  std::string words;
  bool gap = false;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isspace(byte)) {
      gap = true;
    } else if (!std::ispunct(byte)) {
      if (gap && !words.empty()) words += ' ';
      gap = false;
      words += static_cast<char>(std::tolower(byte));
    }
  }
  return words;
}

}  // namespace

bool same_words(const std::string &a, const std::string &b) { return words_of(a) == words_of(b); }

}  // namespace saccade
