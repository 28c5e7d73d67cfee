// How far the whole picture has shifted against the reference: a hand that shakes is no change of the world.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "sparsity/patch_statistics.h"

namespace saccade {

// Shifts a frame's cells back to where the reference has them, when one shift of at most half a patch
// explains the picture better than none; else leaves them alone: what moves by itself is explained by no
// shift of the whole, and a pan is a new picture. Small shifts leave a rest at every edge, since cells are
// coarse; while a shift holds, a cell may differ by a quarter of the range of its neighbourhood.
//
// The shift is found by Gauss-Newton on the cells (Lucas and Kanade, 1981), started from the last frame's;
// cells that fit badly are left out. Not thread-safe. No allocation after the first frame with the same
// number of cells.
class CameraShift {
 public:
  // cells, reference: layout.count() of each. Returns the cells as the reference's camera would see them,
  // valid until the next call; `cells` themselves where there is no shift.
  std::span<const std::uint8_t> apply(std::span<const std::uint8_t> cells,
                                      std::span<const std::uint8_t> reference, const CellLayout &layout);
  double across() const { return across_; }  // of the last frame, in cells, to the right
  double down() const { return down_; }
  void forget() { across_ = down_ = 0; }

 private:
  struct Cells {
    std::span<const std::uint8_t> now;
    std::span<const std::uint8_t> reference;
    int columns;
    int rows;
    double most_across;  // cells that are taken for a shift
    double most_down;

    std::size_t index(int row, int column) const {
      return static_cast<std::size_t>(row) * static_cast<std::size_t>(columns) +
             static_cast<std::size_t>(column);
    }
  };

  static bool differs_all_over(const Cells &cells);
  static double misfit(const Cells &cells, double across, double down);
  static bool improve(const Cells &cells, double &across, double &down);
  void shift_back(const Cells &cells);

  double across_ = 0;
  double down_ = 0;
  std::vector<std::uint8_t> steady_;
};

}  // namespace saccade
