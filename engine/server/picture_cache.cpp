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

std::string PictureCache::key_of(Sense sense, std::string_view file) {
  const CString digest(g_compute_checksum_for_data(
      G_CHECKSUM_SHA256, reinterpret_cast<const guchar *>(file.data()), file.size()));
  std::string key = sense == Sense::sight ? "picture " : "sound ";
  return key += digest.get();
}

void PictureCache::add(const std::string &key, const EncodedImage &image) {
  kept_.add(key, image, bytes_of(image));
}

}  // namespace saccade
