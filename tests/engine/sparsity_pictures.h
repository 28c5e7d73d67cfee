// Small synthetic pictures for the tests of sampling and sparsity.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/frame.h"

namespace saccade::test {

inline StreamTime ms(std::int64_t milliseconds) { return std::chrono::milliseconds(milliseconds); }

// An owned grey picture that tests paint on.
class Picture {
 public:
  Picture(int width, int height, int luma = 0)
      : width_(width),
        height_(height),
        pixels_(static_cast<std::size_t>(width) * static_cast<std::size_t>(height),
                static_cast<std::uint8_t>(luma)) {}

  std::uint8_t &at(int x, int y) {
    return pixels_[static_cast<std::size_t>(y) * static_cast<std::size_t>(width_) +
                   static_cast<std::size_t>(x)];
  }

  Picture &fill(int x0, int y0, int width, int height, int luma) {
    for (int y = y0; y < y0 + height; ++y) {
      for (int x = x0; x < x0 + width; ++x) at(x, y) = static_cast<std::uint8_t>(luma);
    }
    return *this;
  }

  // Vertical stripes, each `period` pixels wide, of two lumas.
  Picture &stripes(int period, int dark, int bright) {
    for (int y = 0; y < height_; ++y) {
      for (int x = 0; x < width_; ++x) at(x, y) = static_cast<std::uint8_t>(x / period % 2 ? bright : dark);
    }
    return *this;
  }

  Picture &add(int levels) {
    for (auto &p : pixels_) p = static_cast<std::uint8_t>(std::min(255, std::max(0, p + levels)));
    return *this;
  }

  // The same noise for the same seed, evenly spread over [-amplitude, amplitude].
  Picture &noise(int amplitude, std::uint32_t seed) {
    std::uint32_t state = seed * 2654435761U + 1;
    for (auto &p : pixels_) {
      state = state * 1664525U + 1013904223U;
      const int n = static_cast<int>(state >> 16) % (2 * amplitude + 1) - amplitude;
      p = static_cast<std::uint8_t>(std::min(255, std::max(0, p + n)));
    }
    return *this;
  }

  Frame frame(StreamTime pts = {}) const {
    return {PixelFormat::gray8, width_, height_, static_cast<std::size_t>(width_), pixels_, pts};
  }
  int width() const { return width_; }
  int height() const { return height_; }

 private:
  int width_;
  int height_;
  std::vector<std::uint8_t> pixels_;
};

}  // namespace saccade::test
