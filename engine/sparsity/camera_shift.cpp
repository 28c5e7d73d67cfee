#include "sparsity/camera_shift.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdlib>

namespace saccade {
namespace {

constexpr int kStep = 2;         // every so many rows and columns are looked at for the shift
constexpr int kLeastCells = 16;  // a side
constexpr int kIterations = 4;
constexpr double kEnough = 0.02;     // cells: a smaller correction changes nothing
constexpr int kDifferent = 3;        // luma levels
constexpr double kAllOver = 0.04;    // share of the cells of a quarter of the picture
constexpr double kOutlier = 24;      // luma levels; more is not the camera's doing
constexpr double kBetter = 0.9;      // of the misfit without a shift is left at most
constexpr double kLeastTexture = 4;  // squared luma levels per cell, below which no shift can be seen
constexpr double kTolerance = 0.25;  // of the range of a cell's neighbourhood

// Between cells, by bilinear interpolation; the place must lie inside.
double value_at(std::span<const std::uint8_t> cells, int columns, double row, double column) {
  const auto y = static_cast<std::ptrdiff_t>(row);
  const auto x = static_cast<std::ptrdiff_t>(column);
  const double below = row - static_cast<double>(y);
  const double right = column - static_cast<double>(x);
  const auto *at = cells.data() + y * columns + x;
  const std::ptrdiff_t next_row = below > 0 ? columns : 0;
  const std::ptrdiff_t next = right > 0 ? 1 : 0;
  const double above_value = at[0] * (1 - right) + at[next] * right;
  const double below_value = at[next_row] * (1 - right) + at[next_row + next] * right;
  return above_value * (1 - below) + below_value * below;
}

bool is_inside(double row, double column, int rows, int columns) {
  return row >= 0 && column >= 0 && row <= rows - 1 && column <= columns - 1;
}

}  // namespace

// A camera that moved changes edges in more than one quarter of the picture. That other things do so, too,
// does no harm: this only spares the search while the picture stands still.
bool CameraShift::differs_all_over(const Cells &cells) {
  int quarters = 0;
  for (int quarter = 0; quarter < 4; ++quarter) {
    const int top = quarter / 2 * cells.rows / 2;
    const int left = quarter % 2 * cells.columns / 2;
    int different = 0;
    int looked_at = 0;
    for (int row = top; row < top + cells.rows / 2; row += kStep) {
      for (int column = left; column < left + cells.columns / 2; column += kStep) {
        const auto i = cells.index(row, column);
        different += std::abs(cells.now[i] - cells.reference[i]) > kDifferent;
        ++looked_at;
      }
    }
    quarters += different >= kAllOver * looked_at;
  }
  return quarters >= 2;
}

// Mean square of what the shift leaves unexplained, in luma levels, with outliers bounded: edges outweigh
// noise.
double CameraShift::misfit(const Cells &cells, double across, double down) {
  double sum = 0;
  int count = 0;
  for (int row = 1; row < cells.rows - 1; row += kStep) {
    for (int column = 1; column < cells.columns - 1; column += kStep) {
      if (!is_inside(row + down, column + across, cells.rows, cells.columns)) continue;
      const double moved = value_at(cells.now, cells.columns, row + down, column + across);
      const double left = std::min(kOutlier, std::abs(moved - cells.reference[cells.index(row, column)]));
      sum += left * left;
      ++count;
    }
  }
  return count ? sum / count : 0;
}

// One step of Gauss and Newton. False when the picture has too little texture, or nothing is left to improve.
bool CameraShift::improve(const Cells &cells, double &across, double &down) {
  double xx = 0;
  double xy = 0;
  double yy = 0;
  double xt = 0;
  double yt = 0;
  int count = 0;
  for (int row = 1; row < cells.rows - 1; row += kStep) {
    for (int column = 1; column < cells.columns - 1; column += kStep) {
      if (!is_inside(row + down, column + across, cells.rows, cells.columns)) continue;
      const auto i = cells.index(row, column);
      const double left =
          value_at(cells.now, cells.columns, row + down, column + across) - cells.reference[i];
      if (std::abs(left) > kOutlier) continue;
      const auto above = static_cast<std::size_t>(cells.columns);
      const double x = (cells.reference[i + 1] - cells.reference[i - 1]) / 2.0;
      const double y = (cells.reference[i + above] - cells.reference[i - above]) / 2.0;
      xx += x * x;
      xy += x * y;
      yy += y * y;
      xt += x * left;
      yt += y * left;
      ++count;
    }
  }
  const double determinant = xx * yy - xy * xy;
  if (count == 0 || std::min(xx, yy) < kLeastTexture * count || determinant <= 0.01 * xx * yy) return false;
  const double step_across = (yy * xt - xy * yt) / determinant;
  const double step_down = (xx * yt - xy * xt) / determinant;
  across = std::clamp(across - step_across, -cells.most_across, cells.most_across);
  down = std::clamp(down - step_down, -cells.most_down, cells.most_down);
  return std::abs(step_across) > kEnough || std::abs(step_down) > kEnough;
}

void CameraShift::shift_back(const Cells &cells) {
  for (int row = 0; row < cells.rows; ++row) {
    for (int column = 0; column < cells.columns; ++column) {
      const auto i = cells.index(row, column);
      const int there = cells.reference[i];
      steady_[i] = cells.reference[i];  // the reference has what lies outside of this picture
      if (!is_inside(row + down_, column + across_, cells.rows, cells.columns)) continue;
      int least = there;
      int most = there;
      for (int y = std::max(0, row - 1); y <= std::min(cells.rows - 1, row + 1); ++y) {
        for (int x = std::max(0, column - 1); x <= std::min(cells.columns - 1, column + 1); ++x) {
          const int neighbour = cells.reference[cells.index(y, x)];
          least = std::min(least, neighbour);
          most = std::max(most, neighbour);
        }
      }
      const double difference = value_at(cells.now, cells.columns, row + down_, column + across_) - there;
      const double counts = std::max(0.0, std::abs(difference) - kTolerance * (most - least));
      steady_[i] = static_cast<std::uint8_t>(std::lround(there + std::copysign(counts, difference)));
    }
  }
}

std::span<const std::uint8_t> CameraShift::apply(std::span<const std::uint8_t> now,
                                                 std::span<const std::uint8_t> reference,
                                                 const CellLayout &layout) {
  const Cells cells{now,
                    reference,
                    layout.columns(),
                    layout.rows(),
                    std::max(1.0, layout.cells_across / 2.0),
                    std::max(1.0, layout.cells_down / 2.0)};
  if (cells.columns < kLeastCells || cells.rows < kLeastCells || !differs_all_over(cells)) {
    forget();
    return now;
  }
  for (int i = 0; i < kIterations && improve(cells, across_, down_); ++i) {
  }
  if (misfit(cells, across_, down_) > kBetter * misfit(cells, 0, 0)) {
    forget();
    return now;
  }
  steady_.resize(now.size());
  shift_back(cells);
  return steady_;
}

}  // namespace saccade
