// `grid`: tokens at even distances, whatever they show. The control that any cleverer method must beat,
// as it costs nothing and is what a smaller input picture would give.
#include <algorithm>
#include <cmath>

#include "tokens/methods.h"
#include "tokens/token_rows.h"

namespace saccade {
namespace {

// The middle of the i-th of `parts` equal parts of [0, length).
int middle_of_part(int i, int parts, int length) {
  return static_cast<int>((2LL * i + 1) * length / (2LL * parts));
}

std::vector<int> spread_over_line(const std::vector<int> &line, int rows) {
  std::vector<int> chosen;
  chosen.reserve(static_cast<std::size_t>(rows));
  for (int i = 0; i < rows; ++i) {
    chosen.push_back(line[static_cast<std::size_t>(middle_of_part(i, rows, static_cast<int>(line.size())))]);
  }
  return chosen;
}

// As near to square cells as the count allows: some grid rows, evenly spaced, and in each an even
// share of the count.
std::vector<int> spread_over_grid(const PatchGrid &grid, int count) {
  const double ideal = std::sqrt(static_cast<double>(count) * grid.rows / grid.columns);
  const int fewest = (count + grid.columns - 1) / grid.columns;
  const int lines = std::clamp(static_cast<int>(std::lround(ideal)), fewest, std::min(grid.rows, count));
  std::vector<int> chosen;
  for (int line = 0; line < lines; ++line) {
    const int share = count * (line + 1) / lines - count * line / lines;
    const int y = middle_of_part(line, lines, grid.rows);
    for (int i = 0; i < share; ++i) {
      chosen.push_back(y * grid.columns + middle_of_part(i, share, grid.columns));
    }
  }
  return chosen;
}

class KeepGrid final : public TokenCompressor {
 public:
  std::string_view name() const override { return "grid"; }

 private:
  TokenSet reduce(const TokenSet &tokens, const KeepRequest &request, int rows) const override {
    const bool whole_grid = request.keep.empty() && tokens.count() == tokens.grid.count();
    return select_rows(tokens, whole_grid ? spread_over_grid(tokens.grid, rows)
                                          : spread_over_line(candidates(tokens, request, rows), rows));
  }
};

}  // namespace

std::unique_ptr<TokenCompressor> make_keep_grid() { return std::make_unique<KeepGrid>(); }

}  // namespace saccade
