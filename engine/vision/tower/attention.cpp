#include "vision/tower/attention.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "vision/tower/row_math.h"

namespace saccade::tower {
namespace {

constexpr float kMostProbability = 65535;  // 16 bits

// Keys of one head, transposed: head_width x positions.
MatrixLayout keys_of(const AttentionShape &shape) {
  return {shape.head_width, shape.positions, 1, shape.width()};
}

MatrixLayout values_of(const AttentionShape &shape) {
  return {shape.positions, shape.head_width, shape.width(), 1};
}

// int8 takes high and low bytes of the probabilities as rows of one product.
int rows_of_mix(Precision precision, int rows) {
  return precision == Precision::int8 ? 2 * padded_rows(rows) : padded_rows(rows);
}

}  // namespace

KeyValues::KeyValues(const AttentionShape &shape, Precision precision) : shape_(shape) {
  const auto all = area(shape.positions, shape.width());
  if (precision == Precision::fp32) {
    exact_keys_.resize(all);
    exact_values_.resize(all);
    return;
  }
  keys_.resize(all);
  values_.resize(all);
  const auto rows = area(shape.heads, shape.positions);
  key_scales_.resize(rows);
  key_offsets_.resize(rows);
  value_scales_.resize(rows);
}

void KeyValues::store(int position, const float *key, const float *value) {
  const auto row = area(position, shape_.width());
  if (!exact_keys_.empty()) {
    std::copy_n(key, shape_.width(), &exact_keys_[row]);
    std::copy_n(value, shape_.width(), &exact_values_[row]);
    return;
  }
  const auto width = static_cast<std::size_t>(shape_.head_width);
  for (int head = 0; head < shape_.heads; ++head) {
    const auto column = area(head, shape_.head_width);
    const auto i = area(head, shape_.positions) + static_cast<std::size_t>(position);
    std::int32_t sum = 0;
    key_scales_[i] = quantise_s8({key + column, width}, &keys_[row + column], sum);
    key_offsets_[i] = 128.0F * static_cast<float>(sum) * key_scales_[i];
    value_scales_[i] = quantise_s8({value + column, width}, &values_[row + column], sum);
  }
}

AttentionScratch::AttentionScratch(const AttentionShape &shape, Precision precision) {
  constexpr int rows = padded_rows(kQueryRows);
  scores.resize(area(rows, shape.positions));
  query_scales.resize(static_cast<std::size_t>(rows));
  totals.resize(static_cast<std::size_t>(rows));
  if (precision == Precision::fp32) {
    query.resize(area(rows, shape.head_width));
    exact_out.resize(area(rows, shape.head_width));
    return;
  }
  sums.resize(area(rows, shape.positions));
  byte_query.resize(area(rows, shape.head_width));
  probability.resize(area(2 * rows, shape.positions));
  out.resize(area(2 * rows, shape.head_width));
}

Attention::Attention(const AttentionShape &shape, Precision precision)
    : shape_(shape),
      precision_(precision),
      sharpness_(1.0F / std::sqrt(static_cast<float>(shape.head_width))),
      scores_(precision, keys_of(shape), MatrixProduct::Right::as_laid_out, kQueryRows),
      mix_(precision, values_of(shape), MatrixProduct::Right::packed, rows_of_mix(precision, kQueryRows)) {}

std::string Attention::kernels() const { return scores_.kernel() + ", " + mix_.kernel(); }

Attention::PackedValues Attention::make_values() const {
  PackedValues values;
  for (int head = 0; head < shape_.heads; ++head) values.push_back(mix_.make_packed());
  return values;
}

void Attention::pack(const KeyValues &from, int head, PackedValues &to) const {
  const auto column = area(head, shape_.head_width);
  auto &packed = to[static_cast<std::size_t>(head)];
  if (precision_ == Precision::fp32) {
    mix_.pack(&from.exact_values_[column], packed);
  } else {
    mix_.pack(&from.values_[column], packed);
  }
}

void Attention::run(std::span<const float> queries, int rows, const KeyValues &all,
                    const PackedValues &values, AttentionScratch &scratch, float *out) const {
  for (int head = 0; head < shape_.heads; ++head) {
    const auto &packed = values[static_cast<std::size_t>(head)];
    for (int first = 0; first < rows; first += kQueryRows) {
      const auto offset = area(first, shape_.width());
      const int count = std::min(kQueryRows, rows - first);
      if (precision_ == Precision::fp32) {
        run_exact_head(head, queries.data() + offset, count, all, packed, scratch, out + offset);
      } else {
        run_int8_head(head, queries.data() + offset, count, all, packed, scratch, out + offset);
      }
    }
  }
}

void Attention::run_exact_head(int head, const float *queries, int rows, const KeyValues &all,
                               const PackedMatrix &values, AttentionScratch &scratch, float *out) const {
  const auto width = static_cast<std::size_t>(shape_.head_width);
  const auto positions = static_cast<std::size_t>(shape_.positions);
  const auto column = area(head, shape_.head_width);
  for (int r = 0; r < rows; ++r) {
    const float *from = queries + area(r, shape_.width()) + column;
    std::transform(from, from + width, &scratch.query[area(r, shape_.head_width)],
                   [this](float q) { return q * sharpness_; });
  }
  scores_.run(scratch.query.data(), &all.exact_keys_[column], rows, scratch.scores.data());
  for (int r = 0; r < rows; ++r) {
    const std::span row(&scratch.scores[area(r, shape_.positions)], positions);
    scratch.totals[static_cast<std::size_t>(r)] = exponentials(row, largest(row));
  }
  mix_.run(scratch.scores.data(), values.data(), rows, scratch.exact_out.data());
  for (int r = 0; r < rows; ++r) {
    const float factor = 1.0F / scratch.totals[static_cast<std::size_t>(r)];
    const float *from = &scratch.exact_out[area(r, shape_.head_width)];
    std::transform(from, from + width, out + area(r, shape_.width()) + column,
                   [factor](float v) { return v * factor; });
  }
}

void Attention::run_int8_head(int head, const float *queries, int rows, const KeyValues &all,
                              const PackedMatrix &values, AttentionScratch &scratch, float *out) const {
  const auto width = static_cast<std::size_t>(shape_.head_width);
  const auto positions = static_cast<std::size_t>(shape_.positions);
  const auto column = area(head, shape_.head_width);
  const auto first = area(head, shape_.positions);  // of the head's scales
  const int padded = padded_rows(rows);
  const float *value_scales = &all.value_scales_[first];
  const float step = kMostProbability / std::max(1e-30F, largest({value_scales, positions}));

  for (int r = 0; r < rows; ++r) {
    const float *from = queries + area(r, shape_.width()) + column;
    scratch.query_scales[static_cast<std::size_t>(r)] =
        sharpness_ * quantise_u8({from, width}, &scratch.byte_query[area(r, shape_.head_width)]);
  }
  scores_.run(scratch.byte_query.data(), &all.keys_[column], rows, scratch.sums.data());
  for (int r = 0; r < rows; ++r) {
    const auto row = area(r, shape_.positions);
    const std::span sums(&scratch.sums[row], positions);
    const float most = scores_of(sums, scratch.query_scales[static_cast<std::size_t>(r)],
                                 &all.key_scales_[first], &all.key_offsets_[first], scratch.scores.data());
    scratch.totals[static_cast<std::size_t>(r)] = exponentials_u16(
        {scratch.scores.data(), positions}, most, value_scales, step, &scratch.probability[row],
        &scratch.probability[area(padded, shape_.positions) + row]);
  }
  mix_.run(scratch.probability.data(), values.data(), 2 * padded, scratch.out.data());
  for (int r = 0; r < rows; ++r) {
    const auto row = area(r, shape_.head_width);
    join_bytes({&scratch.out[row], width}, &scratch.out[area(padded, shape_.head_width) + row],
               1.0F / (step * scratch.totals[static_cast<std::size_t>(r)]),
               out + area(r, shape_.width()) + column);
  }
}

}  // namespace saccade::tower
