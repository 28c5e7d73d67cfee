// Is something to be heard that was not there before? Energy per band over a background that follows.
#pragma once

#include <array>
#include <cstddef>
#include <deque>
#include <vector>

#include "base/frame.h"
#include "base/time.h"

namespace saccade {

// What was heard in an interval.
struct SoundReading {
  bool present = false;    // whether there was any sound track at all
  double activity = 0;     // [0, 1]; 0 = only background, 1 = far above it
  double novelty = 0;      // [0, 1]; likewise above all that was heard in the last second or so
  double level_db = -120;  // of the loudest hop, dB relative to full scale
};

// Cuts the sound into hops of kHop, takes each hop's power in a dozen bands, and compares them with a running
// background: activity = clip((excess - kQuietExcess) / (kFullExcess - kQuietExcess)), where excess is
// the mean of the three bands that stand out most, in dB. The background follows within a second or two, so
// that a horn is heard over a siren, and never lies below kSilence, so that a rustle in a silent room is not.
// Novelty is the same over each band's peak, which sinks slowly: the next of many beeps and the next syllable
// are not new, a horn between them is.
//
// Keeps its readings until they are forgotten, but no more than kMostHops: a file's sound may be read long
// before its pictures. Not thread-safe.
class SoundActivity {
 public:
  static constexpr Duration kHop = std::chrono::milliseconds(32);
  static constexpr std::size_t kMostHops = 112'500;  // an hour, 4 MB
  static constexpr std::size_t kBands = 12;

  void add(const AudioBlock &block);  // blocks in order; a jump in time starts a new hop
  void skip_to(StreamTime end);       // a gap: silence up to there
  StreamTime heard_until() const { return heard_until_; }
  SoundReading over(StreamInterval interval) const;  // the most of all hops that end in (start, end]
  void forget_before(StreamTime time);               // nobody will ask for what ended by then
  void forget();

 private:
  struct Hop {
    StreamTime end{};
    double activity = 0;
    double novelty = 0;
    double level_db = -120;
  };

  void finish_hop();
  void remember(const Hop &hop);
  using Bands = std::array<double, kBands>;  // dB relative to full scale

  double excess_over_background(const Bands &bands);
  double excess_over_peaks(const Bands &bands);

  int rate_ = 0;
  std::vector<float> window_;  // mono samples of the hop that is being filled
  std::vector<float> spectrum_;
  Bands background_{};
  Bands peaks_{};
  std::deque<Bands> onset_;  // too fresh to be among the peaks: a sound that swells is new as a whole
  bool started_ = false;     // background and peaks have values
  bool anchored_ = false;    // hop_start_ has one
  StreamTime hop_start_{};
  StreamTime heard_until_{};
  std::deque<Hop> hops_;
};

}  // namespace saccade
