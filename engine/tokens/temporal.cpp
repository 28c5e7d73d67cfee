// `temporal`: only what changed (Differential Token Drop of TimeChat-Online, arXiv 2504.17343): a token
// close to the one that the consumer holds for the same place goes. Original positions stay.
#include "tokens/temporal.h"

#include <algorithm>
#include <limits>
#include <map>
#include <utility>

#include "tokens/methods.h"
#include "tokens/token_rows.h"

namespace saccade {
namespace {

// Cosine from which on a place counts as unchanged.
constexpr float kUnchanged = 0.95F;

bool same_shape(const TokenSet &a, const TokenSet &b) {
  return a.grid == b.grid && a.dimension == b.dimension;
}

// How far row i is from the reference of its place: 1 - cosine; infinite without a reference.
std::vector<float> distances_to_reference(const TokenSet &tokens, const SharedTokens &reference) {
  std::vector<float> distance(tokens.positions.size(), std::numeric_limits<float>::infinity());
  if (!reference || !same_shape(*reference, tokens)) return distance;
  std::map<int, int> row_of_patch;
  for (int i = 0; i < reference->count(); ++i) row_of_patch[patch_of(*reference, i)] = i;

  const RowMatrix now = unit_rows(rows_of(tokens));
  const RowMatrix then = unit_rows(rows_of(*reference));
  for (int i = 0; i < tokens.count(); ++i) {
    const auto found = row_of_patch.find(patch_of(tokens, i));
    if (found != row_of_patch.end()) {
      distance[static_cast<std::size_t>(i)] = 1 - now.row(i).dot(then.row(found->second));
    }
  }
  return distance;
}

class Temporal final : public TokenCompressor {
 public:
  std::string_view name() const override { return "temporal"; }

 private:
  // At most `rows`, those that changed most; fewer when less changed, but never none.
  TokenSet reduce(const TokenSet &tokens, const KeepRequest &request, int rows) const override {
    const auto distance = distances_to_reference(tokens, request.previous);
    const auto distance_of = [&](int i) { return distance[static_cast<std::size_t>(i)]; };
    auto chosen = candidates(tokens, request, rows);
    std::stable_sort(chosen.begin(), chosen.end(),
                     [&](int a, int b) { return distance_of(a) > distance_of(b); });
    const auto changed =
        std::count_if(chosen.begin(), chosen.end(), [&](int i) { return distance_of(i) > 1 - kUnchanged; });
    chosen.resize(static_cast<std::size_t>(std::clamp<std::ptrdiff_t>(changed, 1, rows)));
    return select_rows(tokens, std::move(chosen));
  }
};

}  // namespace

void TemporalReference::commit(const TokenSet &emitted) {
  if (!reference_ || !same_shape(*reference_, emitted)) {
    reference_ = std::make_shared<const TokenSet>(emitted);
    return;
  }
  std::map<int, std::pair<const TokenSet *, int>> row_of_patch;
  for (const TokenSet *set : {reference_.get(), &emitted}) {
    for (int i = 0; i < set->count(); ++i) row_of_patch[patch_of(*set, i)] = {set, i};
  }
  auto next = std::make_shared<TokenSet>();
  next->dimension = emitted.dimension;
  next->grid = emitted.grid;
  next->seen = emitted.seen;
  next->pts = emitted.pts;
  for (const auto &[patch, source] : row_of_patch) {
    const auto &[set, i] = source;
    const auto row = set->row(i);
    next->values.insert(next->values.end(), row.begin(), row.end());
    next->positions.push_back(set->positions[static_cast<std::size_t>(i)]);
    next->weights.push_back(set->weights[static_cast<std::size_t>(i)]);
  }
  reference_ = std::move(next);
}

std::unique_ptr<TokenCompressor> make_temporal() { return std::make_unique<Temporal>(); }

}  // namespace saccade
