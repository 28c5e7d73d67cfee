// What the engine sees of a stream: views that own nothing, and one small owning picture.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/time.h"

namespace saccade {

enum class PixelFormat { gray8, rgb8 };

constexpr int bytes_per_pixel(PixelFormat format) { return format == PixelFormat::rgb8 ? 3 : 1; }

struct PixelRect {
  int left = 0;
  int top = 0;
  int width = 0;
  int height = 0;
};

// A non-owning view of one picture. Row y starts at pixels[y * stride]; stride is in bytes and may
// exceed width * bytes_per_pixel. Valid only as long as the memory behind it.
struct Frame {
  PixelFormat format = PixelFormat::gray8;
  int width = 0;
  int height = 0;
  std::size_t stride = 0;
  std::span<const std::uint8_t> pixels;
  StreamTime pts{};

  const std::uint8_t *row(int y) const { return pixels.data() + static_cast<std::size_t>(y) * stride; }

  // `rect` lies within the picture.
  Frame part(const PixelRect &rect) const {
    const auto first = static_cast<std::size_t>(rect.top) * stride +
                       static_cast<std::size_t>(rect.left * bytes_per_pixel(format));
    return {format, rect.width, rect.height, stride, pixels.subspan(first), pts};
  }
};

// An owned RGB picture without padding between rows.
struct Image {
  int width = 0;
  int height = 0;
  std::vector<std::uint8_t> rgb;  // height * width * 3

  Frame view(StreamTime pts = {}) const {
    return {PixelFormat::rgb8, width, height, static_cast<std::size_t>(width) * 3, rgb, pts};
  }
};

// A block of sound that starts no further than this from the end of the one before follows on it.
constexpr Duration kClockWavers = std::chrono::milliseconds(40);

// A non-owning view of interleaved float samples in [-1, 1].
struct AudioBlock {
  std::span<const float> samples;  // frames * channels
  int rate = 0;                    // Hz
  int channels = 1;
  StreamTime pts{};

  std::size_t frames() const { return samples.size() / static_cast<std::size_t>(channels); }
  float mono(std::size_t frame) const {  // the mean of its channels
    float sum = 0;
    for (const float s :
         samples.subspan(frame * static_cast<std::size_t>(channels), static_cast<std::size_t>(channels)))
      sum += s;
    return sum / static_cast<float>(channels);
  }
};

}  // namespace saccade
