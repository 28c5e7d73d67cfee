#include "server/api_keys.h"

#include <glib.h>

#include <algorithm>
#include <fstream>
#include <memory>

#include "base/text.h"

namespace saccade {
namespace {

constexpr std::size_t kLongestKey = 8192;  // longer than any header a client would send

struct ChecksumFree {
  void operator()(GChecksum *checksum) const { g_checksum_free(checksum); }
};

bool fits_a_header(std::string_view key) {
  return key.size() <= kLongestKey && std::ranges::all_of(key, [](char c) { return c > ' ' && c < '\x7f'; });
}

}  // namespace

ApiKeys::Digest ApiKeys::digest_of(std::string_view key) {
  const std::unique_ptr<GChecksum, ChecksumFree> checksum(g_checksum_new(G_CHECKSUM_SHA256));
  g_checksum_update(checksum.get(), reinterpret_cast<const guchar *>(key.data()),
                    static_cast<gssize>(key.size()));
  Digest digest{};
  gsize size = digest.size();
  g_checksum_get_digest(checksum.get(), digest.data(), &size);
  return digest;
}

Result<ApiKeys> ApiKeys::read(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  ApiKeys keys;
  int number = 0;
  for (std::string line; std::getline(file, line);) {
    ++number;
    const auto key = trimmed(line);
    if (key.empty() || key.starts_with('#')) continue;
    if (!fits_a_header(key))
      return Status{StatusKind::invalid_argument,
                    "api-key-file \"" + path + "\", line " + std::to_string(number) +
                        ": it holds characters that no API key has; a line is one key of visible ASCII"};
    keys.digests_.push_back(digest_of(key));
  }
  if (number == 0 && !file.eof())
    return Status{StatusKind::not_found,
                  "api-key-file \"" + path + "\" cannot be read; check that it exists and is readable"};
  if (keys.empty())
    return Status{StatusKind::invalid_argument,
                  "api-key-file \"" + path + "\" holds no key; put one on each line"};
  return keys;
}

std::optional<std::size_t> ApiKeys::find(const char *authorization) const {
  constexpr std::string_view kScheme = "Bearer ";
  const std::string_view header = authorization ? authorization : "";
  if (header.size() < kScheme.size() ||
      g_ascii_strncasecmp(header.data(), kScheme.data(), kScheme.size()) != 0)
    return std::nullopt;
  const auto asked = digest_of(trimmed(header.substr(kScheme.size())));
  std::optional<std::size_t> found;
  for (std::size_t i = 0; i < digests_.size(); ++i) {
    unsigned difference = 0;
    for (std::size_t at = 0; at < asked.size(); ++at)
      difference |= static_cast<unsigned>(asked[at] ^ digests_[i][at]);
    if (difference == 0) found = i;
  }
  return found;
}

}  // namespace saccade
