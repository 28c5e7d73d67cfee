// Pictures and sounds that were encoded before: whoever checks a draft and then goes on from it sends the
// same ones twice, and encoding them is most of the work.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "server/last_used.h"
#include "vision/vision_encoder.h"

namespace saccade {

// Thread-safe. What was used longest ago leaves when there is more than `most_bytes` of tokens.
class PictureCache {
 public:
  explicit PictureCache(std::size_t most_bytes) : kept_(most_bytes) {}

  // What a file is known by: what it was read as, for the same bytes may be sent as another thing and are
  // refused then; and its SHA-256, so that no two are taken for one another.
  static std::string key_of(Sense sense, std::string_view file);

  // The very same tokens as before, which the KV cache knows again.
  std::optional<EncodedImage> find(const std::string &key) { return kept_.find(key); }
  void add(const std::string &key, const EncodedImage &image);

 private:
  LastUsed<EncodedImage> kept_;
};

}  // namespace saccade
