// `downscale`: means over even parts of the picture, what a smaller picture would tell. The third control.
#include "tokens/even_cells.h"
#include "tokens/methods.h"
#include "tokens/token_rows.h"

namespace saccade {
namespace {

class Downscale final : public TokenCompressor {
 public:
  std::string_view name() const override { return "downscale"; }

 private:
  TokenSet reduce(const TokenSet &tokens, const KeepRequest &, int rows) const override {
    return means_of(tokens, groups_of(tokens, rows), rows);
  }

  // Of a set that is no whole grid, stretches in reading order: a part of the grid might have no token.
  static std::vector<int> groups_of(const TokenSet &tokens, int rows) {
    const bool whole_grid = tokens.count() == tokens.grid.count();
    const EvenCells cells(whole_grid ? tokens.grid : PatchGrid{1, tokens.count()}, rows);
    std::vector<int> groups;
    groups.reserve(tokens.positions.size());
    for (int i = 0; i < tokens.count(); ++i) groups.push_back(cells.cell_of(i));
    return groups;
  }
};

}  // namespace

std::unique_ptr<TokenCompressor> make_downscale() { return std::make_unique<Downscale>(); }

}  // namespace saccade
