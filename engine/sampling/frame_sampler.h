// Which frames are new: the cheap first sieve, before anything looks at patches.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/frame.h"
#include "base/time.h"

namespace saccade {

enum class SamplingMode {
  adaptive,  // keep what differs from the frame kept last; max_rate and min_rate bound it
  uniform,   // keep max_rate frames per second of stream time, whatever the stream's own rate
  every,     // keep one frame in `every`
};

enum class SamplingReason {
  // kept
  first,      // nothing to compare with: the stream's start, after a flush, or a new picture size
  scheduled,  // its turn has come (uniform, every)
  changed,    // it differs from the frame kept last
  heartbeat,  // nothing changed, but min_rate asks for a sign of life
  no_time,    // it has no pts, so no rate can be kept: only the picture decides
  time_jump,  // its pts went backwards; the schedule starts anew
  // dropped
  too_soon,     // max_rate allows no frame yet
  duplicate,    // hardly differs from the frame kept last
  skipped,      // between two turns (uniform, every)
  overloaded,   // max_rate would allow it, but downstream cannot keep up
  over_budget,  // the minute's budget is spent
};
inline constexpr int kSamplingReasons = 11;

const char *to_string(SamplingMode mode);
const char *to_string(SamplingReason reason);
bool is_kept(SamplingReason reason);

struct FrameSamplerSettings {
  SamplingMode mode = SamplingMode::adaptive;
  double max_rate = 5;    // frames per second of stream time; 0 = no upper bound
  double min_rate = 0.2;  // frames per second of stream time in adaptive mode; 0 = no heartbeat
  int every = 1;          // in mode every: keep the 1st, the (1 + every)th, …
  double threshold = 5;   // luma levels by which one of the thumbnail's cells must differ
  // Frames per minute of stream time on the average, in any mode; 0 = no bound. A tenth of a minute's may be
  // spent at once. In adaptive mode the threshold rises, up to fourfold, as the budget runs out, so that it
  // goes to what changes most.
  double budget = 0;
};

struct SamplingDecision {
  bool keep = true;
  SamplingReason reason = SamplingReason::first;
};

// Not thread-safe: guard it with the lock of the object that owns it.
class FrameSampler {
 public:
  explicit FrameSampler(FrameSamplerSettings settings = {}) : settings_(settings) {}

  const FrameSamplerSettings &settings() const { return settings_; }
  void configure(const FrameSamplerSettings &settings) { settings_ = settings; }  // keeps what was seen

  // `luma` is only read in adaptive mode; `pts` is stream time, or nothing when the buffer had none.
  SamplingDecision decide(const Frame &luma, std::optional<StreamTime> pts);

  // Multiplies max_rate (30 when it has no bound) by `factor` in (0, 1] until told otherwise.
  void slow_down(double factor);
  double slow_down_factor() const { return factor_; }

  void forget();  // after a flush or a new stream: the next frame is the first

  // How often each reason was given since construction.
  std::uint64_t count(SamplingReason reason) const { return counts_[static_cast<std::size_t>(reason)]; }
  std::uint64_t kept() const;
  std::uint64_t dropped() const;

 private:
  static constexpr int kColumns = 32;
  static constexpr int kRows = 18;
  using Thumbnail = std::array<std::uint8_t, static_cast<std::size_t>(kColumns *kRows)>;

  SamplingReason judge(const Frame &luma, std::optional<StreamTime> pts);
  SamplingReason judge_uniform(StreamTime pts);
  SamplingReason judge_every();
  SamplingReason judge_adaptive(const Frame &luma, std::optional<StreamTime> pts);
  bool differs(const Thumbnail &now) const;
  double most_allowance() const;
  void earn(std::optional<StreamTime> pts);
  bool spend();
  double strictness() const;       // what the threshold is multiplied with
  double unhindered_rate() const;  // frames per second; 0 = no bound

  FrameSamplerSettings settings_;
  double factor_ = 1;
  bool started_ = false;
  std::uint64_t seen_ = 0;  // frames since the start, for mode every
  int width_ = 0;
  int height_ = 0;
  std::optional<StreamTime> last_seen_;
  std::optional<StreamTime> last_kept_;
  StreamTime next_turn_{};  // of mode uniform
  double allowance_ = 0;    // frames that the budget still pays for
  Thumbnail kept_thumbnail_{};
  std::uint64_t kept_hash_ = 0;
  std::array<std::uint64_t, kSamplingReasons> counts_{};
};

}  // namespace saccade
