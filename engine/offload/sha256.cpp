#include "offload/sha256.h"

#include <glib.h>

#include <memory>

namespace saccade {

namespace {

struct ChecksumFree {
  void operator()(GChecksum *sum) const { g_checksum_free(sum); }
};

}  // namespace

Sha256 sha256_of(std::span<const std::uint8_t> bytes) {
  const std::unique_ptr<GChecksum, ChecksumFree> sum(g_checksum_new(G_CHECKSUM_SHA256));
  g_checksum_update(sum.get(), bytes.data(), static_cast<gssize>(bytes.size()));
  Sha256 digest{};
  gsize size = digest.size();
  g_checksum_get_digest(sum.get(), digest.data(), &size);
  return digest;
}

std::string hex_of(const Sha256 &digest) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t byte : digest) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

}  // namespace saccade
