// How a segment that waits for the link lies in a file: pure functions on bytes, safe from any thread and on
// any bytes. Internal to Spool.
//
//   "SACSPOOL", version, size of the header     8 + 4 + 4 bytes, numbers little-endian as everywhere in it
//   header                                      owner, id, question, …, size and SHA-256 of what follows
//   SHA-256 of all before
//   pictures                                    their number, then size and bytes of each
//   sound                                       size and bytes; nothing where there is none
//
// Whatever is cut off or flipped is found: in the front part by its sum, behind it by the header's.
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

// Pictures and sound as they lie in a file. Their SHA-256 is SpoolHeader::content.
std::vector<std::uint8_t> spool_media(const SegmentMedia &media);
// The part before them.
std::vector<std::uint8_t> spool_front(const SpoolHeader &header, std::size_t media_size);

// Bytes of the whole front part, from its first kSpoolPrefixBytes. corrupt when that is no such file.
Result<std::size_t> spool_front_size(std::span<const std::uint8_t> prefix);

struct SpoolFront {
  SpoolHeader header;  // without attempts
  std::size_t media_size = 0;
};
// Each: corrupt when a byte is not as it was written.
Result<SpoolFront> read_spool_front(std::span<const std::uint8_t> front);
Result<SegmentMedia> read_spool_media(std::span<const std::uint8_t> media, const Sha256 &content);

}  // namespace saccade
