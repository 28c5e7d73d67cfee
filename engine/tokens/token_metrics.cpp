#include "tokens/token_metrics.h"

#include <algorithm>
#include <string>

#include "tokens/token_rows.h"

namespace saccade {
namespace {

constexpr float kCovered = 0.90F;

}  // namespace

Result<TokenMetrics> measure_compression(const TokenSet &original, const TokenSet &compressed) {
  if (original.count() == 0 || compressed.count() == 0 || original.dimension != compressed.dimension) {
    return Status{StatusKind::invalid_argument,
                  "cannot compare " + std::to_string(original.count()) + " tokens of dimension " +
                      std::to_string(original.dimension) + " with " + std::to_string(compressed.count()) +
                      " of dimension " + std::to_string(compressed.dimension)};
  }
  const auto rows = rows_of(original);
  const auto kept = rows_of(compressed);
  const RowMatrix unit = unit_rows(rows);
  const RowMatrix unit_kept = unit_rows(kept);
  const Eigen::RowVectorXf mean = rows.colwise().mean();

  double lost = 0;
  double spread = 0;
  int covered = 0;
  for (Eigen::Index i = 0; i < rows.rows(); ++i) {
    lost += (kept.rowwise() - rows.row(i)).rowwise().squaredNorm().minCoeff();
    spread += (rows.row(i) - mean).squaredNorm();
    covered += (unit_kept * unit.row(i).transpose()).maxCoeff() >= kCovered;
  }
  TokenMetrics metrics;
  metrics.quantisation_error = spread > 0 ? lost / spread : (lost > 0 ? 1 : 0);
  metrics.coverage = static_cast<double>(covered) / static_cast<double>(rows.rows());
  return metrics;
}

}  // namespace saccade
