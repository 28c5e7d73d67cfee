#include "sparsity/difference_hash.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>

namespace saccade {
namespace {

constexpr int kSamplesPerSide = 8;

// The pixels [first, last) that belong to cell `index` of `cells`; never empty.
struct Range {
  int first;
  int last;
};
Range cell_range(int index, int cells, int size) {
  const int first = static_cast<int>(static_cast<std::int64_t>(index) * size / cells);
  const int last = static_cast<int>(static_cast<std::int64_t>(index + 1) * size / cells);
  return {std::min(first, size - 1), std::max(std::min(first, size - 1) + 1, last)};
}

int luma_at(const Frame &frame, int x, int y) {
  const auto *row = frame.row(y);
  if (frame.format == PixelFormat::gray8) return row[x];
  return luma_of(row[3 * x], row[3 * x + 1], row[3 * x + 2]);
}

int mean_luma(const Frame &frame, Range across, Range down) {
  const int step_x = std::max(1, (across.last - across.first + kSamplesPerSide - 1) / kSamplesPerSide);
  const int step_y = std::max(1, (down.last - down.first + kSamplesPerSide - 1) / kSamplesPerSide);
  int sum = 0;
  int samples = 0;
  for (int y = down.first; y < down.last; y += step_y) {
    for (int x = across.first; x < across.last; x += step_x) {
      sum += luma_at(frame, x, y);
      ++samples;
    }
  }
  return (sum + samples / 2) / samples;
}

}  // namespace

void sample_thumbnail(const Frame &frame, int columns, int rows, std::span<std::uint8_t> out) {
  std::size_t i = 0;
  for (int row = 0; row < rows; ++row) {
    const auto down = cell_range(row, rows, frame.height);
    for (int column = 0; column < columns; ++column) {
      out[i++] = static_cast<std::uint8_t>(mean_luma(frame, cell_range(column, columns, frame.width), down));
    }
  }
}

std::uint64_t difference_hash(std::span<const std::uint8_t> luma, int columns, int rows) {
  std::array<int, static_cast<std::size_t>(kHashColumns * kHashRows)> thumbnail{};
  const Frame picture{PixelFormat::gray8, columns, rows, static_cast<std::size_t>(columns), luma, {}};
  for (int row = 0; row < kHashRows; ++row) {
    for (int column = 0; column < kHashColumns; ++column) {
      thumbnail[static_cast<std::size_t>(row * kHashColumns + column)] =
          mean_luma(picture, cell_range(column, kHashColumns, columns), cell_range(row, kHashRows, rows));
    }
  }
  std::uint64_t hash = 0;
  for (int row = 0; row < kHashRows; ++row) {
    for (int column = 0; column + 1 < kHashColumns; ++column) {
      const auto i = static_cast<std::size_t>(row * kHashColumns + column);
      hash = hash << 1 | (thumbnail[i] > thumbnail[i + 1] + kHashMargin ? 1U : 0U);
    }
  }
  return hash;
}

int hash_distance(std::uint64_t a, std::uint64_t b) { return std::popcount(a ^ b); }

}  // namespace saccade
