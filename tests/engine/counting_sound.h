// A sound of which each sample can be told from its neighbours.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "sparsity/sound_memory.h"

namespace saccade {

// Samples that count up from `first`.
inline SoundClip counting(int rate, Duration start, std::size_t count, int first = 1) {
  SoundClip clip{rate, start, std::vector<std::int16_t>(count)};
  for (std::size_t i = 0; i < count; ++i)
    clip.samples[i] = static_cast<std::int16_t>((first + static_cast<int>(i)) % 30'000);
  return clip;
}

}  // namespace saccade
