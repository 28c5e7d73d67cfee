// `merge`: bipartite matching (ToMe, arXiv 2210.09461; on encoder output FOLDER, arXiv 2501.02430).
// Tokens at even places look for their most similar token at odd places, by cosine; the closest pairs
// become their weighted mean. One pass can remove at most half, so passes repeat until the count is met.
#include <algorithm>
#include <numeric>

#include "tokens/even_odd_matches.h"
#include "tokens/methods.h"
#include "tokens/token_rows.h"

namespace saccade {
namespace {

void merge_into(TokenSet &tokens, const Match &match) {
  const auto from = static_cast<std::size_t>(match.from);
  const auto to = static_cast<std::size_t>(match.to);
  const float total = tokens.weights[from] + tokens.weights[to];
  const float share = total > 0 ? tokens.weights[from] / total : 0.5F;
  const auto d = static_cast<std::size_t>(tokens.dimension);
  for (std::size_t k = 0; k < d; ++k) {
    auto &value = tokens.values[to * d + k];
    value += share * (tokens.values[from * d + k] - value);
  }
  auto &p = tokens.positions[to];
  const auto &q = tokens.positions[from];
  p.t += share * (q.t - p.t);
  p.y += share * (q.y - p.y);
  p.x += share * (q.x - p.x);
  tokens.weights[to] = total;
}

TokenSet merge_once(TokenSet tokens, int surplus) {
  auto matches = match_even_to_odd(tokens.values, tokens.dimension);
  matches.resize(static_cast<std::size_t>(std::min(surplus, tokens.count() / 2)));
  std::vector<bool> gone(tokens.positions.size(), false);
  for (const auto &match : matches) {
    merge_into(tokens, match);
    gone[static_cast<std::size_t>(match.from)] = true;
  }
  std::vector<int> left;
  for (int i = 0; i < tokens.count(); ++i) {
    if (!gone[static_cast<std::size_t>(i)]) left.push_back(i);
  }
  return select_rows(tokens, std::move(left));
}

class Merge final : public TokenCompressor {
 public:
  std::string_view name() const override { return "merge"; }

 private:
  TokenSet reduce(const TokenSet &tokens, const KeepRequest &, int rows) const override {
    TokenSet merged = tokens;
    while (merged.count() > rows) {
      const int surplus = merged.count() - rows;  // before the move: arguments are evaluated in any order
      merged = merge_once(std::move(merged), surplus);
    }
    return merged;
  }
};

}  // namespace

std::unique_ptr<TokenCompressor> make_merge() { return std::make_unique<Merge>(); }

}  // namespace saccade
