// What of a sound leaves the device, and as which bytes. Pure functions, safe from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/time.h"
#include "sparsity/sound_memory.h"

namespace saccade {

// No more of a sound leaves than its newest: so many seconds, as much as models hear at a time (30, and some
// refuse the last frame of them), and no more samples than these have at 48 kHz (a WAV file of 2.8 MB, 3.7 MB
// in a request).
inline constexpr Duration kLongestUploadSound = std::chrono::seconds(29);
inline constexpr std::size_t kMostUploadSamples = std::size_t{29} * 48'000;

// What of `clip` may leave; without samples, rate 0.
SoundClip newest_to_upload(SoundClip clip);

// `more`, heard later, behind `heard`: what both have once, silence between them. Where they do not join
// (another rate, a jump back, a gap longer than what may leave) it is `more` alone. Of it what may leave.
SoundClip joined_sound(SoundClip heard, const SoundClip &more);

// A WAV file: PCM of 16 bits, one channel, at the clip's rate. Empty when there are no samples.
std::vector<std::uint8_t> wav_file(const SoundClip &clip);

// Bytes that wav_file(clip) takes in a request, in base64: exact. 0 when there are no samples.
std::size_t wav_bytes_in_request(const SoundClip &clip);

}  // namespace saccade
