#include "mllm/token_index.h"

#include <llama.h>

#include <algorithm>
#include <limits>

#include "mllm/token_text.h"

namespace saccade {
namespace {

constexpr std::uint32_t kNowhere = std::numeric_limits<std::uint32_t>::max();

}  // namespace

TokenIndex::TokenIndex(const llama_vocab *vocabulary) {
  const auto count = llama_vocab_n_tokens(vocabulary);
  for (std::int32_t id = 0; id < count; ++id) {
    if (llama_vocab_is_eog(vocabulary, id)) {
      ends_.push_back(id);
      continue;
    }
    const auto text = text_of_token(vocabulary, id);
    if (text.empty() || text.find('\0') != std::string::npos) continue;
    tokens_.push_back(
        {id, static_cast<std::uint32_t>(texts_.size()), static_cast<std::uint32_t>(text.size())});
    texts_ += text;
  }
  std::ranges::stable_sort(tokens_, {}, [this](const Token &token) { return text(token); });
  place_.assign(static_cast<std::size_t>(count), kNowhere);
  for (std::size_t i = 0; i < tokens_.size(); ++i)
    place_[static_cast<std::size_t>(tokens_[i].id)] = static_cast<std::uint32_t>(i);
}

std::string_view TokenIndex::text_of(std::int32_t id) const {
  if (id < 0 || static_cast<std::size_t>(id) >= place_.size()) return {};
  const auto place = place_[static_cast<std::size_t>(id)];
  return place == kNowhere ? std::string_view() : text(tokens_[place]);
}

bool TokenIndex::is_end(std::int32_t id) const { return std::ranges::binary_search(ends_, id); }

}  // namespace saccade
