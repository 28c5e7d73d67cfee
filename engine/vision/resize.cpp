#include "vision/resize.h"

#include <algorithm>
#include <vector>

namespace saccade {
namespace {

// The stretch of input pixels that one output pixel is made of, and their shares, which sum to 1.
struct Taps {
  int first = 0;
  std::vector<float> shares;
};

Taps area_taps(int to, double step) {
  const double begin = to * step;
  const double end = begin + step;
  Taps taps{static_cast<int>(begin), {}};
  for (int i = taps.first; i < end - 1e-6; ++i) {
    const double covered = std::min<double>(end, i + 1) - std::max<double>(begin, i);
    taps.shares.push_back(static_cast<float>(covered / step));
  }
  return taps;
}

Taps linear_taps(int to, double step, int size) {
  const double at = std::clamp((to + 0.5) * step - 0.5, 0.0, static_cast<double>(size - 1));
  const int first = std::min(static_cast<int>(at), std::max(size - 2, 0));
  if (size == 1) return {0, {1}};
  const auto share = static_cast<float>(at - first);
  return {first, {1 - share, share}};
}

std::vector<Taps> taps_of(int from, int to) {
  const double step = static_cast<double>(from) / to;
  std::vector<Taps> all;
  all.reserve(static_cast<std::size_t>(to));
  for (int i = 0; i < to; ++i) all.push_back(step >= 1 ? area_taps(i, step) : linear_taps(i, step, from));
  return all;
}

void add_row(const std::uint8_t *row, float share, std::vector<float> &sum) {
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += share * static_cast<float>(row[i]);
}

// One output row out of a row of sums over input columns.
void shrink_row(const std::vector<float> &sums, const std::vector<Taps> &columns, std::uint8_t *out) {
  for (const auto &taps : columns) {
    const float *from = sums.data() + static_cast<std::size_t>(taps.first) * 3;
    float pixel[3] = {};
    for (const float share : taps.shares) {
      for (int c = 0; c < 3; ++c) pixel[c] += share * from[c];
      from += 3;
    }
    // Rounded without lround(), which is a call for each number, and took as long as all the rest.
    for (const float value : pixel)
      *out++ = static_cast<std::uint8_t>((static_cast<int>(2 * std::clamp(value, 0.0F, 255.0F)) + 1) / 2);
  }
}

}  // namespace

Image resize_area(const Frame &rgb, int width, int height) {
  const auto pixels = static_cast<std::size_t>(width) * static_cast<std::size_t>(height);
  Image image{width, height, std::vector<std::uint8_t>(pixels * 3)};
  auto *out = image.rgb.data();
  if (width == rgb.width && height == rgb.height) {
    for (int y = 0; y < height; ++y) out = std::copy_n(rgb.row(y), static_cast<std::size_t>(width) * 3, out);
    return image;
  }
  const auto columns = taps_of(rgb.width, width);
  const auto rows = taps_of(rgb.height, height);
  std::vector<float> sums(static_cast<std::size_t>(rgb.width) * 3);
  for (const auto &taps : rows) {
    std::fill(sums.begin(), sums.end(), 0.0F);
    int y = taps.first;
    for (const float share : taps.shares) add_row(rgb.row(y++), share, sums);
    shrink_row(sums, columns, out);
    out += static_cast<std::size_t>(width) * 3;
  }
  return image;
}

}  // namespace saccade
