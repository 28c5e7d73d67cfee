#include "tokens/greedy_volume.h"

#include <cmath>
#include <limits>

#include "tokens/token_rows.h"

namespace saccade {
namespace {

// Of the largest diagonal entry; less is rounding: what is left is a copy of what is kept.
constexpr float kLeastShare = 1e-6F;

}  // namespace

std::vector<int> greedy_volume(const Eigen::VectorXf &diagonal, int rows,
                               const std::function<Eigen::VectorXf(Eigen::Index i)> &column_of) {
  // left(i): the volume that i would add. A chosen one has -infinity, which it keeps whatever is taken from
  // it.
  Eigen::VectorXf left = diagonal;
  const float least = kLeastShare * diagonal.maxCoeff();
  RowMatrix factors = RowMatrix::Zero(rows, diagonal.size());
  std::vector<int> chosen;
  for (int step = 0; step < rows; ++step) {
    Eigen::Index next = 0;
    const float most = left.maxCoeff(&next);
    chosen.push_back(static_cast<int>(next));
    left(next) = -std::numeric_limits<float>::infinity();
    if (most <= least) continue;
    Eigen::VectorXf along = column_of(next);
    along -= factors.topRows(step).transpose() * factors.col(next).head(step);
    along /= std::sqrt(most);
    factors.row(step) = along.transpose();
    left -= along.cwiseAbs2();
  }
  return chosen;
}

}  // namespace saccade
