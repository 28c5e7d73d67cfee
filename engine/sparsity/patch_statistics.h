// One pass over a frame's luma, from which everything else in this room is computed.
//
// The pass gives per patch ΣY, ΣY², Σ|gradient|; for the whole picture a sampled histogram, the Laplacian's
// moments and a 64-bit difference hash; and the picture reduced to *cells*: each patch is divided into at
// most 8 x 8 cells of at least 4 x 4 pixels, and a cell holds its mean luma. The reference that changes are
// measured against (research: Eventful Transformers, arXiv 2308.13494) is kept in cells, because the
// mean over a cell averages sensor noise and codec ringing away and costs a sixteenth of the memory.
//
// Of a picture of 720 rows and more, half are looked at: the first two of four, so that both fields of an
// interlaced one are among them.
//
// Not thread-safe: one object belongs to one streaming thread. No allocation after the first frame
// as long as the size and the grid stay as they are.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "base/frame.h"
#include "base/patch_grid.h"
#include "base/status.h"

namespace saccade {

struct PatchSums {
  std::uint32_t pixels = 0;       // that were looked at
  std::uint64_t sum = 0;          // ΣY
  std::uint64_t sum_squares = 0;  // ΣY²
  std::uint64_t gradient = 0;     // Σ(|Y(x+1,y) - Y(x,y)| + |Y(x,y) - Y(x,y-1)|)

  double mean() const;
  double deviation() const;      // standard deviation of Y, in luma levels
  double mean_gradient() const;  // luma levels per pixel
};

// How a picture is divided: a grid of patches, each of cells_down x cells_across cells.
struct CellLayout {
  PatchGrid grid;
  int cells_across = 1;  // per patch
  int cells_down = 1;    // per patch

  int columns() const { return grid.columns * cells_across; }
  int rows() const { return grid.rows * cells_down; }
  std::size_t count() const { return static_cast<std::size_t>(columns()) * static_cast<std::size_t>(rows()); }
  bool operator==(const CellLayout &) const = default;
};

// `wanted`, with as many rows and columns taken away that every patch has at least one pixel.
PatchGrid fit_grid(PatchGrid wanted, int width, int height);

class PatchStatistics {
 public:
  // Measures `frame` on `wanted`, fitted to its size. Fails with invalid_argument, and keeps the earlier
  // figures, when the frame or the grid is empty or the frame's memory is too short for its size.
  Status measure(const Frame &frame, PatchGrid wanted);

  int width() const { return width_; }
  int height() const { return height_; }
  const CellLayout &layout() const { return layout_; }
  std::span<const PatchSums> patches() const { return patches_; }  // row by row
  std::span<const std::uint8_t> cells() const { return cells_; }   // layout().rows() x columns()
  std::uint64_t hash() const { return hash_; }
  std::span<const std::uint32_t, 256> histogram() const { return histogram_; }  // of a sample
  double laplacian_variance() const;  // of some rows; luma levels squared

 private:
  void lay_out(int width, int height, PatchGrid grid);
  const std::uint8_t *luma_row(const Frame &frame, int y);
  void add_row(const std::uint8_t *row, const std::uint8_t *above);
  PatchSums *patches_of_row(int cell_row);
  int measure_cell_row(const Frame &frame, int cell_row);
  void fold_sums();
  void fold_squares_and_gradients(int cell_row);
  void finish_cell_row(int cell_row, int pixel_rows);
  void sample_row(const std::uint8_t *row);
  void add_laplacian(const std::uint8_t *above, const std::uint8_t *row, const std::uint8_t *below);

  int width_ = 0;
  int height_ = 0;
  bool every_row_ = true;  // is looked at
  int rows_to_fold_ = 0;   // whose squares and gradients have not gone to their patches yet
  CellLayout layout_;
  std::vector<PatchSums> patches_;
  std::vector<std::uint8_t> cells_;
  std::uint64_t hash_ = 0;
  std::array<std::uint32_t, 256> histogram_{};
  std::int64_t laplacian_sum_ = 0;
  std::int64_t laplacian_squares_ = 0;
  std::int64_t laplacian_count_ = 0;

  // Sums down each pixel column, folded into cells and patches before 16 bits can overflow.
  std::vector<std::uint16_t> column_sum_;
  std::vector<std::uint32_t> column_squares_;
  std::vector<std::uint16_t> column_gradient_;
  std::vector<std::uint32_t> cell_sum_;  // of the current row of cells
  std::vector<int> cell_start_;          // first pixel column of each cell, and one past the last
  std::array<std::vector<std::uint8_t>, 3> luma_rows_;  // of an RGB frame: this row and those beside it
  std::array<int, 3> luma_row_of_{};                    // which rows these are
};

// Per patch the mean of |cell - reference| in luma levels, taken over the patch's quarter that differs most,
// so that something small in a large patch is not averaged away. What a quarter's cells have in common counts
// only beyond `shade` levels: a soft shadow brightens or darkens them alike, a thing has edges. `out` has one
// value per patch.
void patch_differences(const CellLayout &layout, std::span<const std::uint8_t> cells,
                       std::span<const std::uint8_t> reference, float shade, std::span<float> out);

}  // namespace saccade
