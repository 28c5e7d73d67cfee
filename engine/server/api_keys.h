// Who may ask.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace saccade {

// The keys of a server. Immutable; thread-safe. Only their SHA-256 is kept.
class ApiKeys {
 public:
  ApiKeys() = default;  // none: everybody may ask

  // One key a line; blank lines, and those that begin with #, hold none. Errors name the file, and never a
  // key: not_found (it cannot be read), invalid_argument (no key in it, or one that no header can carry).
  static Result<ApiKeys> read(const std::string &path);

  bool empty() const { return digests_.empty(); }
  // Which of the keys a header "Authorization: Bearer KEY" brings, counted from 0; nothing for another, or no
  // header (null). Takes as long for a nearly right key as for a wrong one.
  std::optional<std::size_t> find(const char *authorization) const;

 private:
  using Digest = std::array<std::uint8_t, 32>;
  static Digest digest_of(std::string_view key);
  std::vector<Digest> digests_;
};

}  // namespace saccade
