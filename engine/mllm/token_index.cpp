#include "mllm/token_index.h"

#include <llama.h>

#include <algorithm>

namespace saccade {
namespace {

std::string piece_of(const llama_vocab *vocabulary, std::int32_t token, bool with_control_tokens) {
  std::string piece(64, '\0');
  auto length = llama_token_to_piece(vocabulary, token, piece.data(), static_cast<std::int32_t>(piece.size()),
                                     0, with_control_tokens);
  if (length < 0) {
    piece.resize(static_cast<std::size_t>(-length));
    length = llama_token_to_piece(vocabulary, token, piece.data(), static_cast<std::int32_t>(piece.size()), 0,
                                  with_control_tokens);
  }
  piece.resize(static_cast<std::size_t>(std::max(length, 0)));
  return piece;
}

}  // namespace

std::optional<std::string> text_of(const llama_vocab *vocabulary, std::int32_t token) {
  auto text = piece_of(vocabulary, token, false);
  // At a zero byte llama.cpp's grammar stops reading a token.
  if (text.empty() || text.find('\0') != std::string::npos) return std::nullopt;
  if (text != piece_of(vocabulary, token, true)) return std::nullopt;
  return text;
}

TokenIndex::TokenIndex(const llama_vocab *vocabulary) {
  const auto count = llama_vocab_n_tokens(vocabulary);
  std::array<std::vector<std::int32_t>, 256> by_byte;
  for (std::int32_t token = 0; token < count; ++token) {
    if (llama_vocab_is_eog(vocabulary, token)) {
      ends_.push_back(token);
      continue;
    }
    const auto text = text_of(vocabulary, token);
    if (!text) continue;
    const auto byte = static_cast<std::uint8_t>(text->front());
    by_byte[byte].push_back(token);
    if (text->size() == 1 && !alone_[byte]) alone_[byte] = token;
  }
  for (std::size_t byte = 0; byte < by_byte.size(); ++byte) {
    tokens_.insert(tokens_.end(), by_byte[byte].begin(), by_byte[byte].end());
    from_[byte + 1] = tokens_.size();
  }
}

std::span<const std::int32_t> TokenIndex::beginning_with(std::uint8_t byte) const {
  return std::span(tokens_).subspan(from_[byte], from_[byte + 1] - from_[byte]);
}

}  // namespace saccade
