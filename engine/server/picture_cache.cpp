#include "server/picture_cache.h"

#include <glib.h>

#include "base/glib_pointer.h"

namespace saccade {
namespace {

std::size_t bytes_of(const EncodedImage &image) {
  std::size_t bytes = 0;
  for (const auto &piece : image.pieces)
    if (piece.tokens) bytes += piece.tokens->values.size() * sizeof(float);
  return bytes;
}

}  // namespace

std::string PictureCache::key_of(std::string_view file) {
  const CString digest(g_compute_checksum_for_data(
      G_CHECKSUM_SHA256, reinterpret_cast<const guchar *>(file.data()), file.size()));
  return digest.get();
}

std::optional<EncodedImage> PictureCache::find(const std::string &key) {
  const std::lock_guard lock(mutex_);
  const auto place = places_.find(key);
  if (place == places_.end()) return std::nullopt;
  entries_.splice(entries_.begin(), entries_, place->second);
  return place->second->image;
}

void PictureCache::add(const std::string &key, const EncodedImage &image) {
  const auto bytes = bytes_of(image);
  const std::lock_guard lock(mutex_);
  if (places_.contains(key) || bytes > most_bytes_) return;
  entries_.push_front({key, image, bytes});
  places_[key] = entries_.begin();
  bytes_ += bytes;
  while (bytes_ > most_bytes_) {
    bytes_ -= entries_.back().bytes;
    places_.erase(entries_.back().key);
    entries_.pop_back();
  }
}

}  // namespace saccade
