// SHA-256 (FIPS 180-4): what tells contents apart and finds damage. Pure functions, safe from any thread.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>

namespace saccade {

using Sha256 = std::array<std::uint8_t, 32>;

Sha256 sha256_of(std::span<const std::uint8_t> bytes);
std::string hex_of(const Sha256 &digest);  // 64 digits in lower case

}  // namespace saccade
