// How a model's cached keys and values are stored.
#pragma once

namespace saccade {

// Smaller ones take less memory and less time to read, and answer a little differently. Quantised ones need
// attention heads whose size is a multiple of 32.
enum class KvType { f16, q8_0, q4_0 };

}  // namespace saccade
