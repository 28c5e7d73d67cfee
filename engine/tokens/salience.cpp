// `salience`: tokens that stand out and differ from each other in what they show or in where they lie. As
// `dpp`, with two changes. The mean token is taken from all of them first, so that a token's length is how
// far it stands out and a plain background has next to none; encoders give all tokens a large common part,
// which hides that from a cosine. And likeness fades with distance in the picture, since two people side by
// side look alike but are not one; without it, whoever is to be counted goes as redundant.
#include <algorithm>
#include <cmath>

#include "tokens/greedy_volume.h"
#include "tokens/methods.h"
#include "tokens/token_rows.h"

namespace saccade {
namespace {

constexpr float kPlaceShare = 0.5F;  // of the likeness fades
constexpr float kReach = 0.25F;      // over this share of the grid's side, as a Gaussian's deviation
constexpr float kTimeReach = 1;      // seconds

class Salience final : public TokenCompressor {
 public:
  std::string_view name() const override { return "salience"; }

 private:
  TokenSet reduce(const TokenSet &tokens, const KeepRequest &request, int rows) const override {
    if (rows == tokens.count()) return tokens;
    const auto pool = candidates(tokens, request, rows);
    RowMatrix apart = unit_rows_of(tokens, pool);
    apart.rowwise() -= unit_rows(rows_of(tokens)).colwise().mean().eval();
    scale_by_importance(apart, tokens, request.keep, pool);
    const auto places = places_of(tokens, pool);
    const Eigen::VectorXf squares = apart.rowwise().squaredNorm();
    auto chosen = greedy_volume(squares, rows, [&](Eigen::Index i) -> Eigen::VectorXf {
      const Eigen::VectorXf alike = apart * apart.row(i).transpose();
      const Eigen::ArrayXf distance = (places.rowwise() - places.row(i)).rowwise().squaredNorm().array();
      return alike.array() * (1 - kPlaceShare + kPlaceShare * (-0.5F * distance).exp());
    });
    std::ranges::transform(chosen, chosen.begin(), [&](int i) { return pool[static_cast<std::size_t>(i)]; });
    return select_rows(tokens, std::move(chosen));
  }

  // t, y and x of each row, in units over which likeness fades.
  static Eigen::MatrixX3f places_of(const TokenSet &tokens, const std::vector<int> &pool) {
    const auto reach = [](int side) { return kReach * static_cast<float>(std::max(1, side)); };
    Eigen::MatrixX3f places(static_cast<Eigen::Index>(pool.size()), 3);
    for (Eigen::Index i = 0; i < places.rows(); ++i) {
      const auto &p = tokens.positions[static_cast<std::size_t>(pool[static_cast<std::size_t>(i)])];
      places.row(i) << p.t / kTimeReach, p.y / reach(tokens.grid.rows), p.x / reach(tokens.grid.columns);
    }
    return places;
  }
};

}  // namespace

std::unique_ptr<TokenCompressor> make_salience() { return std::make_unique<Salience>(); }

}  // namespace saccade
