// The last of what was heard, so that a sound that deserves an answer can be handed on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "base/frame.h"
#include "base/time.h"

namespace saccade {

// A piece of sound, one channel.
struct SoundClip {
  int rate = 0;  // Hz; 0 = there is none
  StreamTime start{};
  std::vector<std::int16_t> samples;

  StreamTime end() const;
};

// Keeps samples, mixed down to one channel, until they are forgotten, but no more than kMostSamples: a file's
// sound may be read long before its pictures. A gap in time is silence while it is shorter than what is
// kept at all; a jump back, or another rate, starts anew. Not thread-safe.
class SoundMemory {
 public:
  static constexpr std::size_t kMostSamples = std::size_t{1} << 24;  // 349 s at 48 kHz, 32 MB

  void add(const AudioBlock &block);
  void skip_to(StreamTime end);                   // a gap: silence up to there
  SoundClip clip(StreamInterval interval) const;  // what is kept of it; rate 0 when nothing is
  void forget_before(StreamTime time);
  void forget();
  std::uint64_t lost() const { return lost_; }  // samples that nobody had forgotten, since the last forget()

 private:
  StreamTime time_of(std::size_t sample) const;
  std::size_t sample_at(StreamTime time) const;  // clamped to those there are
  void make_room();

  int rate_ = 0;
  StreamTime start_{};
  std::deque<std::int16_t> samples_;
  std::uint64_t lost_ = 0;
};

}  // namespace saccade
