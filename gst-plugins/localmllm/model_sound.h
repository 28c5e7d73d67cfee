// From the sound that a gate hands on with a picture to samples that the model takes.
#pragma once

#include <vector>

#include "sparsity/sound_memory.h"

namespace saccade::gst {

// The newest of the clip that the model hears (AudioEncoder::kLongest), at `rate`, in [-1, 1]. Empty when
// there is none, or at a rate that GStreamer cannot convert.
std::vector<float> sound_for_model(const SoundClip &clip, int rate);

}  // namespace saccade::gst
