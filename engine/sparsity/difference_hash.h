// A 64-bit fingerprint of a picture and the little picture that it is taken from.
// After "dHash" (each bit: is a thumbnail's cell brighter than its right neighbour?). Pure functions.
#pragma once

#include <cstdint>
#include <span>

#include "base/frame.h"

namespace saccade {

inline constexpr int kHashColumns = 9;
inline constexpr int kHashRows = 8;

// Two neighbours closer than this many luma levels count as equal, or else sensor noise on a blank
// wall would flip half of the bits from frame to frame.
inline constexpr int kHashMargin = 2;

// Luma of one RGB pixel, ITU-R BT.601 weights in 8-bit fixed point.
constexpr std::uint8_t luma_of(std::uint8_t r, std::uint8_t g, std::uint8_t b) {
  return static_cast<std::uint8_t>((77 * r + 150 * g + 29 * b + 128) >> 8);
}

// Fills `out` (rows * columns values, row by row) with the mean luma of the frame's cells, each from at most
// 8 x 8 sample points, so that the cost does not depend on the picture's size. A frame may have fewer
// pixels than there are cells. `frame` must not be empty.
void sample_thumbnail(const Frame &frame, int columns, int rows, std::span<std::uint8_t> out);

// The hash of a luma picture of any size from 1 x 1 up, without padding between rows.
std::uint64_t difference_hash(std::span<const std::uint8_t> luma, int columns, int rows);

// How many of the 64 bits differ.
int hash_distance(std::uint64_t a, std::uint64_t b);

}  // namespace saccade
