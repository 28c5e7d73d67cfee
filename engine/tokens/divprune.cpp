// `divprune`: the most diverse subset, greedily (DivPrune, arXiv 2503.02175): each step adds the token
// whose nearest kept token, by cosine, is farthest. The first is the one farthest from its own nearest.
#include <algorithm>

#include "tokens/methods.h"
#include "tokens/token_rows.h"

namespace saccade {
namespace {

// Rows of the similarity matrix held at once: 256 x 4,096 floats are 4 MiB.
constexpr Eigen::Index kBlock = 256;

// For each row, the cosine to the most similar other row.
Eigen::VectorXf similarity_to_nearest(const RowMatrix &unit) {
  Eigen::VectorXf nearest(unit.rows());
  for (Eigen::Index begin = 0; begin < unit.rows(); begin += kBlock) {
    const auto n = std::min(kBlock, unit.rows() - begin);
    RowMatrix similarity = unit.middleRows(begin, n) * unit.transpose();
    for (Eigen::Index i = 0; i < n; ++i) {
      similarity(i, begin + i) = -1;
      nearest(begin + i) = similarity.row(i).maxCoeff();
    }
  }
  return nearest;
}

class DivPrune final : public TokenCompressor {
 public:
  std::string_view name() const override { return "divprune"; }

 private:
  TokenSet reduce(const TokenSet &tokens, const KeepRequest &request, int rows) const override {
    const auto pool = candidates(tokens, request, rows);
    const RowMatrix unit = unit_rows_of(tokens, pool);

    // similarity(i): to the nearest kept row; 2 marks a row that is kept itself. minCoeff takes the
    // first of equals, so that ties fall in reading order.
    constexpr float kTaken = 2;
    Eigen::VectorXf similarity = similarity_to_nearest(unit);
    std::vector<int> chosen;
    for (int step = 0; step < rows; ++step) {
      Eigen::Index next = 0;
      similarity.minCoeff(&next);
      chosen.push_back(pool[static_cast<std::size_t>(next)]);
      const Eigen::VectorXf to_next = unit * unit.row(next).transpose();
      if (step == 0) {
        similarity = to_next;
      } else {
        similarity = similarity.cwiseMax(to_next);
      }
      for (const int taken : chosen) {
        similarity(std::lower_bound(pool.begin(), pool.end(), taken) - pool.begin()) = kTaken;
      }
    }
    return select_rows(tokens, std::move(chosen));
  }
};

}  // namespace

std::unique_ptr<TokenCompressor> make_divprune() { return std::make_unique<DivPrune>(); }

}  // namespace saccade
