// Pictures and sounds that were encoded before: whoever checks a draft and then goes on from it sends the
// same ones twice, and encoding them is most of the work.
#pragma once

#include <cstddef>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "vision/vision_encoder.h"

namespace saccade {

// Thread-safe. What was used longest ago leaves when there is more than `most_bytes` of tokens.
class PictureCache {
 public:
  explicit PictureCache(std::size_t most_bytes) : most_bytes_(most_bytes) {}

  // What a file is known by: its SHA-256, so that no two are taken for one another.
  static std::string key_of(std::string_view file);

  // The very same tokens as before, which the KV cache knows again.
  std::optional<EncodedImage> find(const std::string &key);
  void add(const std::string &key, const EncodedImage &image);

 private:
  struct Entry {
    std::string key;
    EncodedImage image;
    std::size_t bytes = 0;
  };

  const std::size_t most_bytes_;
  std::mutex mutex_;
  std::list<Entry> entries_;  // the last used first
  std::unordered_map<std::string, std::list<Entry>::iterator> places_;
  std::size_t bytes_ = 0;
};

}  // namespace saccade
