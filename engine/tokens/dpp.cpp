// `dpp`: the subset of most volume, important and unlike each other: the greedy maximum of a determinantal
// point process with the kernel diag(r) S diag(r), as CDPruner (arXiv 2506.10967) prunes with. S holds
// cosines, r is the keep map.
#include <algorithm>

#include "tokens/greedy_volume.h"
#include "tokens/methods.h"
#include "tokens/token_rows.h"

namespace saccade {
namespace {

class Dpp final : public TokenCompressor {
 public:
  std::string_view name() const override { return "dpp"; }

 private:
  TokenSet reduce(const TokenSet &tokens, const KeepRequest &request, int rows) const override {
    const auto pool = candidates(tokens, request, rows);
    RowMatrix scaled = unit_rows_of(tokens, pool);  // rows r * unit: their products are the kernel
    scale_by_importance(scaled, tokens, request.keep, pool);
    const Eigen::VectorXf squares = scaled.rowwise().squaredNorm();
    auto chosen = greedy_volume(
        squares, rows, [&](Eigen::Index i) -> Eigen::VectorXf { return scaled * scaled.row(i).transpose(); });
    std::ranges::transform(chosen, chosen.begin(), [&](int i) { return pool[static_cast<std::size_t>(i)]; });
    return select_rows(tokens, std::move(chosen));
  }
};

}  // namespace

std::unique_ptr<TokenCompressor> make_dpp() { return std::make_unique<Dpp>(); }

}  // namespace saccade
