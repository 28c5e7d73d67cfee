#include "mllm/token_text.h"

#include <algorithm>

namespace saccade {

std::string text_of_token(const llama_vocab *vocabulary, std::int32_t token) {
  std::string text(64, '\0');
  const auto write = [&] {
    return llama_token_to_piece(vocabulary, token, text.data(), static_cast<std::int32_t>(text.size()), 0,
                                /*special=*/false);
  };
  auto length = write();
  if (length < 0) {
    text.resize(static_cast<std::size_t>(-length));
    length = write();
  }
  text.resize(static_cast<std::size_t>(std::max(length, 0)));
  return text;
}

}  // namespace saccade
