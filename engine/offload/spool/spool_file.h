// How a segment that waits for the link lies in a file: pure functions on bytes, safe from any thread and on
// any bytes. Internal to Spool.
//
//   "SACSPOOL", version, size of the header     8 + 4 + 4 bytes, numbers little-endian as everywhere in it
//   header                                      owner, id, question, …, size and SHA-256 of the pictures
//   SHA-256 of all before
//   pictures                                    their number, then size and bytes of each
//
// Whatever is cut off or flipped is found: in the front part by its sum, in the pictures by the header's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/status.h"
#include "offload/spool/spool.h"

namespace saccade {

inline constexpr std::size_t kSpoolPrefixBytes = 16;
inline constexpr std::size_t kMostSpoolText = 64 << 10;  // bytes of a question or of an owner's name

// The pictures as they lie in a file. Their SHA-256 is SpoolHeader::content.
std::vector<std::uint8_t> spool_pictures(std::span<const JpegBytes> images);
// The part before them.
std::vector<std::uint8_t> spool_front(const SpoolHeader &header, std::size_t pictures_size);

// Bytes of the whole front part, from its first kSpoolPrefixBytes. corrupt when that is no such file.
Result<std::size_t> spool_front_size(std::span<const std::uint8_t> prefix);

struct SpoolFront {
  SpoolHeader header;  // without attempts
  std::size_t pictures_size = 0;
};
// Each: corrupt when a byte is not as it was written.
Result<SpoolFront> read_spool_front(std::span<const std::uint8_t> front);
Result<std::vector<JpegBytes>> read_spool_pictures(std::span<const std::uint8_t> pictures,
                                                   const Sha256 &content);

}  // namespace saccade
