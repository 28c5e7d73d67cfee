// `dpp`: the subset of most volume, important and unlike each other: the greedy maximum of a determinantal
// point process with the kernel diag(r) S diag(r), as CDPruner (arXiv 2506.10967) prunes with. S holds
// cosines, r is the keep map. Greedy by one Cholesky row a step (Chen et al., arXiv 1709.05135).
#include <algorithm>
#include <cmath>
#include <limits>

#include "tokens/methods.h"
#include "tokens/token_rows.h"

namespace saccade {
namespace {

constexpr float kLeastVolume = 1e-6F;  // less is rounding: what is left is a copy of what is kept
constexpr float kLeastImportance = 0.01F;

class Dpp final : public TokenCompressor {
 public:
  std::string_view name() const override { return "dpp"; }

 private:
  TokenSet reduce(const TokenSet &tokens, const KeepRequest &request, int rows) const override {
    const auto pool = candidates(tokens, request, rows);
    const auto n = static_cast<Eigen::Index>(pool.size());
    RowMatrix scaled = unit_rows_of(tokens, pool);  // rows r * unit: their products are the kernel
    for (Eigen::Index i = 0; i < n; ++i) {
      const float r = importance_of(tokens, request.keep, pool[static_cast<std::size_t>(i)]);
      scaled.row(i) *= std::max(r, kLeastImportance);
    }

    // volume(i): squared length of row i without what lies along the kept ones. A kept row has -infinity,
    // which it keeps whatever is taken from it.
    Eigen::VectorXf volume = scaled.rowwise().squaredNorm();
    RowMatrix factors = RowMatrix::Zero(rows, n);
    std::vector<int> chosen;
    for (int step = 0; step < rows; ++step) {
      Eigen::Index next = 0;
      const float left = volume.maxCoeff(&next);
      chosen.push_back(pool[static_cast<std::size_t>(next)]);
      volume(next) = -std::numeric_limits<float>::infinity();
      if (left <= kLeastVolume) continue;
      Eigen::VectorXf along = scaled * scaled.row(next).transpose();
      along -= factors.topRows(step).transpose() * factors.col(next).head(step);
      along /= std::sqrt(left);
      factors.row(step) = along.transpose();
      volume -= along.cwiseAbs2();
    }
    return select_rows(tokens, std::move(chosen));
  }
};

}  // namespace

std::unique_ptr<TokenCompressor> make_dpp() { return std::make_unique<Dpp>(); }

}  // namespace saccade
