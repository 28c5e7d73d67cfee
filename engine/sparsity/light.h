// What of a picture's difference is only the light: exposure, gain, flicker, a cloud before the sun.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/time.h"

namespace saccade {

// now = gain * reference + offset, in luma levels.
struct Light {
  double gain = 1;
  double offset = 0;
};

// Brings a frame's cells back to the light of the reference that they are compared with, so that a camera's
// automatic exposure or a lamp's flicker is no change. Only what one gain and one offset explain for most of
// the picture counts as light, and only up to kMostLight levels: a cut, a moving object, a switched-off lamp
// stay what they are. Light that stays changed is noticed all the same: lasting() says by how much, so that
// dusk is seen in the end. What is as bright as before although the light is not, a lamp, has not changed
// either.
//
// The fit is to the reference and not to the frame before, so that no error adds up. Background subtraction
// knows the problem as "light switch"; gain and offset from quantiles of the two pictures are a plain robust
// regression of our own. Not thread-safe. No allocation after the first call with the same number of cells.
class LightCompensation {
 public:
  static constexpr double kMostLight = 60;  // luma levels at the picture's median

  // `reference`: as many cells, in the light that earlier results are in. Returns the cells in that light;
  // valid until the next call.
  std::span<const std::uint8_t> apply(std::span<const std::uint8_t> cells,
                                      std::span<const std::uint8_t> reference, StreamTime pts);
  // There is nothing to compare with: the cells as they are.
  std::span<const std::uint8_t> pass(std::span<const std::uint8_t> cells, StreamTime pts);

  double lasting() const {
    return lasting_;
  }               // signed luma levels by which the light has been changed for seconds
  void accept();  // the reference is now in the light of the last frame
  void forget();

 private:
  struct Sample {
    std::uint8_t reference;
    std::int16_t difference;
  };

  void draw_samples(std::span<const std::uint8_t> cells, std::span<const std::uint8_t> reference);
  Light line();
  double median_difference(std::size_t first, std::size_t count);
  double level_of(Light light) const;
  Light fit();
  double inliers(Light light) const;
  void follow(StreamTime pts);

  Light light_;
  double level_ = 0;    // of the last frame's light: signed levels at the reference's median
  double lasting_ = 0;  // the same, low-passed
  StreamTime last_{};
  bool started_ = false;
  std::vector<Sample> samples_;
  std::vector<std::int16_t> scratch_;
  std::vector<std::uint8_t> steady_;
};

}  // namespace saccade
