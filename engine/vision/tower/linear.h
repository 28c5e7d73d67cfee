// y = W x + b for blocks of rows, in fp32 or int8.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "vision/tower/matrix_product.h"

namespace saccade::tower {

// Rows that are about to be multiplied. int8: each row with a scale of its own, so that no row's outlier
// coarsens another (per-token quantisation, ZeroQuant, arXiv 2206.01861).
class Rows {
 public:
  Rows(Precision precision, int most_rows, int width);

  void put(int row, std::span<const float> values);  // width floats
  const void *data() const;
  float scale(int row) const { return scales_[static_cast<std::size_t>(row)]; }

 private:
  std::size_t width_;
  std::vector<float> exact_;         // fp32 only
  std::vector<std::uint8_t> bytes_;  // int8 only
  std::vector<float> scales_;
};

// Room for the widest product of a block; one thread's.
struct ProductScratch {
  ProductScratch(int most_rows, int most_outer);
  std::vector<std::int32_t> sums;  // or floats: rows x outer
  std::vector<float> row;
};

// Thread-safe after it was made.
class Linear {
 public:
  // weights: outer x inner, row by row; bias: outer floats, or none.
  Linear(Precision precision, std::span<const float> weights, std::span<const float> bias, int inner,
         int most_rows);

  int outer() const { return outer_; }
  std::string kernel() const { return product_.kernel(); }

  // Calls visit(row, std::span<float>) for every row of the result, which may be changed and is gone after
  // the visit.
  template <typename Visit>
  void run(const Rows &in, int rows, ProductScratch &scratch, const Visit &visit) const {
    product_.run(in.data(), packed_.data(), rows, scratch.sums.data());
    for (int r = 0; r < rows; ++r) visit(r, finished(in, r, scratch));
  }

 private:
  std::span<float> finished(const Rows &in, int row, ProductScratch &scratch) const;

  Precision precision_;
  int outer_;
  MatrixProduct product_;
  PackedMatrix packed_;
  std::vector<float> bias_;
  std::vector<float> scales_;          // int8: of each output
  std::vector<std::int32_t> offsets_;  // int8: what the 128 in every input adds to each output
};

}  // namespace saccade::tower
