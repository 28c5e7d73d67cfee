// Pictures that need no file, and where the shipped model lies.
#pragma once

#include <cstdlib>
#include <string>

#include "base/frame.h"
#include "vision/model_pair.h"

namespace saccade {

inline ModelFiles shipped_model() {
  const char *folder = std::getenv("SACCADE_MODELS");
  const std::string models = folder ? folder : "samples/models";
  return {models + "/saccade-edge-text.gguf", models + "/saccade-edge-mmproj.gguf", 1};
}

// Sky above, road below: enough of a street to be asked whether it is day or night.
inline Image plain_street(int width, int height, bool day) {
  Image image{width, height, {}};
  image.rgb.reserve(static_cast<std::size_t>(width) * static_cast<std::size_t>(height) * 3);
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x) {
      const bool sky = y < height / 2;
      const std::uint8_t level = day ? 1 : 5;  // night is a fifth as bright
      image.rgb.push_back(static_cast<std::uint8_t>((sky ? 150 : 90) / level));
      image.rgb.push_back(static_cast<std::uint8_t>((sky ? 190 : 90) / level));
      image.rgb.push_back(static_cast<std::uint8_t>((sky ? 240 : 92) / level));
    }
  return image;
}

}  // namespace saccade
