#include "tokens/even_odd_matches.h"

#include <algorithm>

#include "tokens/token_rows.h"

namespace saccade {

std::vector<Match> match_even_to_odd(std::span<const float> values, int width) {
  if (width < 1) return {};
  const auto count = static_cast<Eigen::Index>(values.size()) / width;
  const RowMatrix unit = unit_rows(Eigen::Map<const RowMatrix>(values.data(), count, width));
  const auto odd_count = unit.rows() / 2;
  const auto even_count = unit.rows() - odd_count;
  if (odd_count == 0) return {};
  using Strided = Eigen::Map<const RowMatrix, 0, Eigen::OuterStride<>>;
  const Eigen::OuterStride<> every_other(2 * unit.cols());
  const Strided even(unit.data(), even_count, unit.cols(), every_other);
  const Strided odd(unit.data() + unit.cols(), odd_count, unit.cols(), every_other);
  const RowMatrix similarity = even * odd.transpose();

  std::vector<Match> matches;
  matches.reserve(static_cast<std::size_t>(even_count));
  for (Eigen::Index i = 0; i < even_count; ++i) {
    Eigen::Index best = 0;
    const float value = similarity.row(i).maxCoeff(&best);
    matches.push_back({static_cast<int>(2 * i), static_cast<int>(2 * best + 1), value});
  }
  std::stable_sort(matches.begin(), matches.end(),
                   [](const Match &a, const Match &b) { return a.similarity > b.similarity; });
  return matches;
}

}  // namespace saccade
