#include "sparsity/patch_statistics.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <string>

#include "base/vectorised.h"
#include "sparsity/difference_hash.h"

namespace saccade {
namespace {

constexpr int kCellsPerSide = 8;     // of one patch, at most
constexpr int kPixelsPerCell = 4;    // along one side, at least, while a patch is large enough
constexpr int kRowsBeforeFold = 64;  // 64 rows of gradients up to 510 stay below 2^16
constexpr int kTallPicture = 720;    // rows, from which on half of them tell enough:
constexpr int kOfRows = 4;           // the first two of four
constexpr int kSampleStep = 4;       // histogram and Laplacian look at every fourth row,
constexpr int kTallSampleStep = 8;   // of tall pictures at every eighth

int cell_edge(int index, int cells, int size) {
  return static_cast<int>(static_cast<std::int64_t>(index) * size / cells);
}

Status check(const Frame &frame, PatchGrid wanted) {
  if (frame.width < 1 || frame.height < 1 || wanted.rows < 1 || wanted.columns < 1) {
    return {StatusKind::invalid_argument,
            "cannot measure a picture of " + std::to_string(frame.width) + "x" +
                std::to_string(frame.height) + " pixels on " + std::to_string(wanted.rows) + " rows and " +
                std::to_string(wanted.columns) + " columns: each of them must be at least 1"};
  }
  const auto line = static_cast<std::size_t>(frame.width * bytes_per_pixel(frame.format));
  const auto needed = static_cast<std::size_t>(frame.height - 1) * frame.stride + line;
  if (frame.stride < line || frame.pixels.size() < needed) {
    return {StatusKind::invalid_argument, "a picture of " + std::to_string(frame.width) + "x" +
                                              std::to_string(frame.height) + " pixels needs " +
                                              std::to_string(needed) + " bytes but came with " +
                                              std::to_string(frame.pixels.size())};
  }
  return {};
}

// The inner loops run over whole rows of pixels, so that the compiler vectorises them.
SACCADE_VECTORISED void add_pixels(const std::uint8_t *row, std::size_t width, std::uint16_t *sum,
                                   std::uint32_t *squares, std::uint16_t *gradient) {
  for (std::size_t x = 0; x < width; ++x) {
    const std::uint16_t v = row[x];
    sum[x] = static_cast<std::uint16_t>(sum[x] + v);
    squares[x] += static_cast<std::uint32_t>(v) * v;
  }
  for (std::size_t x = 0; x + 1 < width; ++x) {
    gradient[x] = static_cast<std::uint16_t>(gradient[x] + std::abs(row[x + 1] - row[x]));
  }
}

SACCADE_VECTORISED void add_gradient_down(const std::uint8_t *row, const std::uint8_t *above,
                                          std::size_t width, std::uint16_t *gradient) {
  for (std::size_t x = 0; x < width; ++x) {
    gradient[x] = static_cast<std::uint16_t>(gradient[x] + std::abs(row[x] - above[x]));
  }
}

struct ColumnSums {
  std::uint64_t squares = 0;
  std::uint32_t gradient = 0;
};

SACCADE_VECTORISED ColumnSums sum_columns(const std::uint32_t *squares, const std::uint16_t *gradient,
                                          std::size_t count) {
  ColumnSums sums;
  for (std::size_t x = 0; x < count; ++x) {
    sums.squares += squares[x];
    sums.gradient += gradient[x];
  }
  return sums;
}

struct LaplacianSums {
  std::int32_t sum = 0;  // of up to two million pixels of at most 1020
  std::uint64_t squares = 0;
};

SACCADE_VECTORISED LaplacianSums laplacian_of(const std::uint8_t *above, const std::uint8_t *row,
                                              const std::uint8_t *below, std::size_t width) {
  constexpr std::size_t kRun = 2048;  // squares of up to 1020 stay below 2^31 in sum
  LaplacianSums sums;
  for (std::size_t start = 1; start + 1 < width; start += kRun) {
    const std::size_t end = std::min(start + kRun, width - 1);
    std::int32_t squares = 0;
    for (std::size_t x = start; x < end; ++x) {
      const auto value =
          static_cast<std::int16_t>(4 * row[x] - row[x - 1] - row[x + 1] - above[x] - below[x]);
      sums.sum += value;
      squares += value * value;
    }
    sums.squares += static_cast<std::uint32_t>(squares);
  }
  return sums;
}

}  // namespace

double PatchSums::mean() const { return pixels ? static_cast<double>(sum) / pixels : 0; }

double PatchSums::deviation() const {
  if (!pixels) return 0;
  const double m = mean();
  return std::sqrt(std::max(0.0, static_cast<double>(sum_squares) / pixels - m * m));
}

double PatchSums::mean_gradient() const { return pixels ? static_cast<double>(gradient) / pixels : 0; }

PatchGrid fit_grid(PatchGrid wanted, int width, int height) {
  return {std::clamp(wanted.rows, 1, std::max(1, height)), std::clamp(wanted.columns, 1, std::max(1, width))};
}

void PatchStatistics::lay_out(int width, int height, PatchGrid grid) {
  width_ = width;
  height_ = height;
  layout_.grid = grid;
  layout_.cells_across = std::clamp(width / grid.columns / kPixelsPerCell, 1, kCellsPerSide);
  layout_.cells_down = std::clamp(height / grid.rows / kPixelsPerCell, 1, kCellsPerSide);
  every_row_ = height < kTallPicture || height / layout_.rows() < kOfRows;
  patches_.resize(static_cast<std::size_t>(grid.count()));
  cells_.resize(layout_.count());
  const auto w = static_cast<std::size_t>(width);
  column_sum_.assign(w, 0);
  column_squares_.assign(w, 0);
  column_gradient_.assign(w, 0);
  const int columns = layout_.columns();
  cell_sum_.assign(static_cast<std::size_t>(columns), 0);
  cell_start_.resize(static_cast<std::size_t>(columns) + 1);
  for (int c = 0; c <= columns; ++c) cell_start_[static_cast<std::size_t>(c)] = cell_edge(c, columns, width);
  for (auto &row : luma_rows_) row.resize(w);
}

// Valid until a row is asked for that is three or more away.
const std::uint8_t *PatchStatistics::luma_row(const Frame &frame, int y) {
  const auto *row = frame.row(y);
  if (frame.format == PixelFormat::gray8) return row;
  const auto slot = static_cast<std::size_t>(y) % luma_rows_.size();
  auto &luma = luma_rows_[slot];
  if (luma_row_of_[slot] == y) return luma.data();
  luma_row_of_[slot] = y;
  for (std::size_t x = 0; x < luma.size(); ++x) luma[x] = luma_of(row[3 * x], row[3 * x + 1], row[3 * x + 2]);
  return luma.data();
}

void PatchStatistics::add_row(const std::uint8_t *row, const std::uint8_t *above) {
  const auto w = static_cast<std::size_t>(width_);
  add_pixels(row, w, column_sum_.data(), column_squares_.data(), column_gradient_.data());
  if (above) add_gradient_down(row, above, w, column_gradient_.data());
  ++rows_to_fold_;
}

PatchSums *PatchStatistics::patches_of_row(int cell_row) {
  return &patches_[static_cast<std::size_t>(cell_row / layout_.cells_down * layout_.grid.columns)];
}

// ΣY of each pixel column goes to its cell.
void PatchStatistics::fold_sums() {
  for (std::size_t cell = 0; cell < cell_sum_.size(); ++cell) {
    std::uint32_t sum = 0;
    for (int x = cell_start_[cell]; x < cell_start_[cell + 1]; ++x)
      sum += column_sum_[static_cast<std::size_t>(x)];
    cell_sum_[cell] += sum;
  }
  std::fill(column_sum_.begin(), column_sum_.end(), std::uint16_t{0});
}

// The other sums go to patches only: as seldom as 16 bits allow.
void PatchStatistics::fold_squares_and_gradients(int cell_row) {
  auto *patch = patches_of_row(cell_row);
  for (int p = 0; p < layout_.grid.columns; ++p) {
    const auto first = cell_start_[static_cast<std::size_t>(p * layout_.cells_across)];
    const auto last = cell_start_[static_cast<std::size_t>((p + 1) * layout_.cells_across)];
    const auto sums = sum_columns(&column_squares_[static_cast<std::size_t>(first)],
                                  &column_gradient_[static_cast<std::size_t>(first)],
                                  static_cast<std::size_t>(last - first));
    patch[p].sum_squares += sums.squares;
    patch[p].gradient += sums.gradient;
  }
  std::fill(column_squares_.begin(), column_squares_.end(), 0U);
  std::fill(column_gradient_.begin(), column_gradient_.end(), std::uint16_t{0});
  rows_to_fold_ = 0;
}

void PatchStatistics::finish_cell_row(int cell_row, int pixel_rows) {
  auto *out = &cells_[static_cast<std::size_t>(cell_row * layout_.columns())];
  auto *patch = patches_of_row(cell_row);
  std::size_t cell = 0;
  for (int p = 0; p < layout_.grid.columns; ++p, ++patch) {
    for (int c = 0; c < layout_.cells_across; ++c, ++cell) {
      const auto pixels =
          static_cast<std::uint32_t>((cell_start_[cell + 1] - cell_start_[cell]) * pixel_rows);
      out[cell] = static_cast<std::uint8_t>((cell_sum_[cell] + pixels / 2) / pixels);
      patch->pixels += pixels;
      patch->sum += cell_sum_[cell];
      cell_sum_[cell] = 0;
    }
  }
}

void PatchStatistics::sample_row(const std::uint8_t *row) {
  for (int x = 0; x < width_; x += kSampleStep) ++histogram_[row[x]];
}

void PatchStatistics::add_laplacian(const std::uint8_t *above, const std::uint8_t *row,
                                    const std::uint8_t *below) {
  if (width_ < 3) return;
  const auto sums = laplacian_of(above, row, below, static_cast<std::size_t>(width_));
  laplacian_sum_ += sums.sum;
  laplacian_squares_ += static_cast<std::int64_t>(sums.squares);
  laplacian_count_ += width_ - 2;
}

// Adds the rows of a row of cells. Returns how many were looked at.
int PatchStatistics::measure_cell_row(const Frame &frame, int cell_row) {
  int rows = 0;
  const int sample_step = every_row_ ? kSampleStep : kTallSampleStep;
  const int last = cell_edge(cell_row + 1, layout_.rows(), height_);
  for (int y = cell_edge(cell_row, layout_.rows(), height_); y < last; ++y) {
    if (!every_row_ && y % kOfRows >= kOfRows / 2) continue;
    const auto *above = y > 0 ? luma_row(frame, y - 1) : nullptr;
    const auto *row = luma_row(frame, y);
    add_row(row, above);
    if (y % sample_step == 0) sample_row(row);
    if (y % sample_step == 1 && y + 1 < height_) add_laplacian(above, row, luma_row(frame, y + 1));
    if (++rows % kRowsBeforeFold == 0) fold_sums();
    if (rows_to_fold_ == kRowsBeforeFold) fold_squares_and_gradients(cell_row);
  }
  return rows;
}

Status PatchStatistics::measure(const Frame &frame, PatchGrid wanted) {
  if (auto status = check(frame, wanted); !status.ok()) return status;
  const auto grid = fit_grid(wanted, frame.width, frame.height);
  if (frame.width != width_ || frame.height != height_ || grid != layout_.grid) {
    lay_out(frame.width, frame.height, grid);
  }
  std::fill(patches_.begin(), patches_.end(), PatchSums{});
  histogram_.fill(0);
  laplacian_sum_ = laplacian_squares_ = laplacian_count_ = 0;

  luma_row_of_.fill(-1);
  for (int cell_row = 0; cell_row < layout_.rows(); ++cell_row) {
    const int rows = measure_cell_row(frame, cell_row);
    fold_sums();
    finish_cell_row(cell_row, rows);
    if ((cell_row + 1) % layout_.cells_down == 0) fold_squares_and_gradients(cell_row);
  }
  hash_ = difference_hash(cells_, layout_.columns(), layout_.rows());
  return {};
}

double PatchStatistics::laplacian_variance() const {
  if (laplacian_count_ == 0) return 0;
  const auto n = static_cast<double>(laplacian_count_);
  const double mean = static_cast<double>(laplacian_sum_) / n;
  return std::max(0.0, static_cast<double>(laplacian_squares_) / n - mean * mean);
}

namespace {

// Of the cells [x0, x1) x [y0, y1) the mean of |cell - reference|, less what they have in common up to
// `shade`.
float mean_difference(const CellLayout &layout, const std::uint8_t *cells, const std::uint8_t *reference,
                      float shade, int x0, int x1, int y0, int y1) {
  int sum = 0;
  int common = 0;
  for (int y = y0; y < y1; ++y) {
    const int row = y * layout.columns();
    for (int x = x0; x < x1; ++x) {
      const int difference = cells[row + x] - reference[row + x];
      sum += std::abs(difference);
      common += difference;
    }
  }
  const auto count = static_cast<float>((x1 - x0) * (y1 - y0));
  return static_cast<float>(sum) / count - std::min(shade, static_cast<float>(std::abs(common)) / count);
}

}  // namespace

void patch_differences(const CellLayout &layout, std::span<const std::uint8_t> cells,
                       std::span<const std::uint8_t> reference, float shade, std::span<float> out) {
  const int half_x = (layout.cells_across + 1) / 2;
  const int half_y = (layout.cells_down + 1) / 2;
  for (int p = 0; p < layout.grid.count(); ++p) {
    const int x0 = p % layout.grid.columns * layout.cells_across;
    const int y0 = p / layout.grid.columns * layout.cells_down;
    float most = 0;
    for (int y = 0; y < layout.cells_down; y += half_y) {
      for (int x = 0; x < layout.cells_across; x += half_x) {
        most = std::max(most, mean_difference(layout, cells.data(), reference.data(), shade, x0 + x,
                                              x0 + std::min(x + half_x, layout.cells_across), y0 + y,
                                              y0 + std::min(y + half_y, layout.cells_down)));
      }
    }
    out[static_cast<std::size_t>(p)] = most;
  }
}

}  // namespace saccade
