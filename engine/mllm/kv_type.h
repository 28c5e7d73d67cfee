// How a model's cached keys and values are stored.
#pragma once

#include <tuple>

namespace saccade {

// Smaller ones take less memory and less time to read, and answer a little differently. Quantised ones need
// attention heads whose size is a multiple of 32.
enum class KvType { f16, q8_0, q4_0 };

// What all sessions of one cache have in common.
struct KvSetup {
  KvType type = KvType::f16;
  bool sliding = false;    // whether little is read at a time behind much that is held
  bool attention = false;  // whether what questions attend to is told; with f16 only

  friend bool operator<(const KvSetup &a, const KvSetup &b) {
    return std::tie(a.type, a.sliding, a.attention) < std::tie(b.type, b.sliding, b.attention);
  }
};

}  // namespace saccade
