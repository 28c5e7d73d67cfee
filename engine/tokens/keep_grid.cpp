// `grid`: tokens at even distances, whatever they show. The control that any cleverer method must beat, as it
// costs nothing.
#include "tokens/even_cells.h"
#include "tokens/methods.h"
#include "tokens/token_rows.h"

namespace saccade {
namespace {

class KeepGrid final : public TokenCompressor {
 public:
  std::string_view name() const override { return "grid"; }

 private:
  TokenSet reduce(const TokenSet &tokens, const KeepRequest &request, int rows) const override {
    const auto pool = candidates(tokens, request, rows);
    const bool whole_grid = request.keep.empty() && tokens.count() == tokens.grid.count();
    const EvenCells cells(whole_grid ? tokens.grid : PatchGrid{1, static_cast<int>(pool.size())}, rows);
    std::vector<int> chosen;
    chosen.reserve(static_cast<std::size_t>(rows));
    for (int cell = 0; cell < rows; ++cell)
      chosen.push_back(pool[static_cast<std::size_t>(cells.middle_of(cell))]);
    return select_rows(tokens, std::move(chosen));
  }
};

}  // namespace

std::unique_ptr<TokenCompressor> make_keep_grid() { return std::make_unique<KeepGrid>(); }

}  // namespace saccade
