// `cluster`: neighbours that look alike become one: k-means by cosine over features to which their places are
// added, after SimpleCluster; what is returned is the weighted mean of the original rows. It starts from even
// distances, so that the same input gives the same output.
#include <algorithm>
#include <cmath>

#include "tokens/methods.h"
#include "tokens/token_rows.h"

namespace saccade {
namespace {

constexpr int kRounds = 10;
constexpr float kPlaceShare = 0.5F;  // length of the place's vector; a feature's is 1
constexpr int kWavesPerAxis = 8;     // of which a place is made
constexpr float kLongestWave = 100;  // in patches and seconds

// Rows of length 1 in which likeness is that of features and of places: sines and cosines of t, y and x.
RowMatrix placed_rows(const TokenSet &tokens) {
  const RowMatrix unit = unit_rows(rows_of(tokens));
  constexpr Eigen::Index kPlace = Eigen::Index{3} * 2 * kWavesPerAxis;
  RowMatrix placed(unit.rows(), unit.cols() + kPlace);
  placed.leftCols(unit.cols()) = unit;
  const float each = kPlaceShare / std::sqrt(static_cast<float>(kPlace) / 2);
  for (Eigen::Index i = 0; i < unit.rows(); ++i) {
    const auto &p = tokens.positions[static_cast<std::size_t>(i)];
    Eigen::Index column = unit.cols();
    for (const float value : {p.t, p.y, p.x}) {
      for (int wave = 0; wave < kWavesPerAxis; ++wave) {
        const float angle =
            value / std::pow(kLongestWave, static_cast<float>(wave) / static_cast<float>(kWavesPerAxis - 1));
        placed(i, column++) = each * std::sin(angle);
        placed(i, column++) = each * std::cos(angle);
      }
    }
  }
  return unit_rows(placed);
}

// Which centre each row is nearest to; a centre that nobody chose takes the row that is least like its own.
std::vector<int> assigned(const RowMatrix &placed, const RowMatrix &centres) {
  const RowMatrix like = placed * centres.transpose();
  std::vector<int> nearest(static_cast<std::size_t>(placed.rows()));
  std::vector<int> members(static_cast<std::size_t>(centres.rows()));
  Eigen::VectorXf fit(placed.rows());
  for (Eigen::Index i = 0; i < placed.rows(); ++i) {
    Eigen::Index best = 0;
    fit(i) = like.row(i).maxCoeff(&best);
    nearest[static_cast<std::size_t>(i)] = static_cast<int>(best);
    ++members[static_cast<std::size_t>(best)];
  }
  for (std::size_t c = 0; c < members.size(); ++c) {
    if (members[c]) continue;
    for (;;) {
      Eigen::Index least = 0;
      fit.minCoeff(&least);
      fit(least) = 2;  // not again
      auto &of = nearest[static_cast<std::size_t>(least)];
      if (members[static_cast<std::size_t>(of)] < 2) continue;
      --members[static_cast<std::size_t>(of)];
      of = static_cast<int>(c);
      ++members[c];
      break;
    }
  }
  return nearest;
}

class Cluster final : public TokenCompressor {
 public:
  std::string_view name() const override { return "cluster"; }

 private:
  TokenSet reduce(const TokenSet &tokens, const KeepRequest &, int rows) const override {
    const RowMatrix placed = placed_rows(tokens);
    RowMatrix centres(rows, placed.cols());
    for (int c = 0; c < rows; ++c) {
      const auto middle = (2 * Eigen::Index{c} + 1) * tokens.count() / (2 * Eigen::Index{rows});
      centres.row(c) = placed.row(middle);
    }
    std::vector<int> cluster;
    for (int round = 0; round < kRounds; ++round) {
      auto next = assigned(placed, centres);
      if (next == cluster) break;
      cluster = std::move(next);
      centres.setZero();
      for (Eigen::Index i = 0; i < placed.rows(); ++i)
        centres.row(cluster[static_cast<std::size_t>(i)]) +=
            tokens.weights[static_cast<std::size_t>(i)] * placed.row(i);
      centres = unit_rows(centres);
    }
    return means_of(tokens, cluster, rows);
  }
};

}  // namespace

std::unique_ptr<TokenCompressor> make_cluster() { return std::make_unique<Cluster>(); }

}  // namespace saccade
