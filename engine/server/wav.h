// Sounds out of WAV files that came from outside. Pure functions, safe from any thread and on any bytes.
#pragma once

#include <string_view>
#include <vector>

#include "base/status.h"
#include "base/time.h"

namespace saccade {

// The mean of a WAV file's channels at `rate` Hz, in [-1, 1]: PCM of 8, 16, 24 or 32 bits or float of 32,
// from 1,000 to 400,000 Hz, up to 16 channels. Where the file's rate is another, a sample is the mean of the
// input that it covers, or lies on a line between two of them. Errors: invalid_argument (it is no such file,
// holds no samples, or plays for more than `longest`, which is found out before memory is taken for it).
Result<std::vector<float>> decode_wav(std::string_view file, int rate, Duration longest);

}  // namespace saccade
