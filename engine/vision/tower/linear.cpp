#include "vision/tower/linear.h"

#include <algorithm>
#include <cstddef>

#include "vision/tower/row_math.h"

namespace saccade::tower {
namespace {

MatrixLayout transposed(int inner, int outer) { return {inner, outer, 1, inner}; }

}  // namespace

Rows::Rows(Precision precision, int most_rows, int width) : width_(static_cast<std::size_t>(width)) {
  const auto rows = static_cast<std::size_t>(padded_rows(most_rows));
  scales_.resize(rows, 1);
  if (precision == Precision::fp32) {
    exact_.resize(rows * width_);
  } else {
    bytes_.resize(rows * width_);
  }
}

void Rows::put(int row, std::span<const float> values) {
  const auto r = static_cast<std::size_t>(row);
  if (!exact_.empty()) {
    std::copy(values.begin(), values.end(), &exact_[r * width_]);
  } else {
    scales_[r] = quantise_u8(values, &bytes_[r * width_]);
  }
}

const void *Rows::data() const {
  if (!exact_.empty()) return exact_.data();
  return bytes_.data();
}

ProductScratch::ProductScratch(int most_rows, int most_outer)
    : sums(area(padded_rows(most_rows), most_outer)), row(static_cast<std::size_t>(most_outer)) {}

Linear::Linear(Precision precision, std::span<const float> weights, std::span<const float> bias, int inner,
               int most_rows)
    : precision_(precision),
      outer_(static_cast<int>(weights.size() / static_cast<std::size_t>(inner))),
      product_(precision, transposed(inner, outer_), MatrixProduct::Right::packed, most_rows),
      packed_(product_.make_packed()),
      bias_(bias.begin(), bias.end()) {
  const auto outputs = static_cast<std::size_t>(outer_);
  bias_.resize(outputs, 0);
  if (precision == Precision::fp32) {
    product_.pack(weights.data(), packed_);
    return;
  }
  std::vector<std::int8_t> bytes(weights.size());
  scales_.resize(outputs);
  offsets_.resize(outputs);
  const auto width = static_cast<std::size_t>(inner);
  for (std::size_t i = 0; i < outputs; ++i) {
    scales_[i] = quantise_s8(weights.subspan(i * width, width), &bytes[i * width], offsets_[i]);
    offsets_[i] *= 128;
  }
  product_.pack(bytes.data(), packed_);
}

std::span<float> Linear::finished(const Rows &in, int row, ProductScratch &scratch) const {
  const auto outputs = static_cast<std::size_t>(outer_);
  auto *sums = scratch.sums.data() + area(row, outer_);
  if (precision_ == Precision::fp32) {
    const std::span values(reinterpret_cast<float *>(sums), outputs);
    add(bias_, values.data());
    return values;
  }
  dequantise({sums, outputs}, offsets_.data(), in.scale(row), scales_.data(), bias_.data(),
             scratch.row.data());
  return {scratch.row.data(), outputs};
}

}  // namespace saccade::tower
