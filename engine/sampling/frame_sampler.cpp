#include "sampling/frame_sampler.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "sparsity/difference_hash.h"

namespace saccade {
namespace {

// A hash this far from that of the kept frame says "another picture" even where no single cell moved much;
// 4 of 64 bits is the 0.95 match that the literature's skip rules use, rounded down.
constexpr int kHashChanged = 4;

// Rates are kept to within this share of a period, or a 30 fps stream sampled at 10 fps would lose a frame
// to every rounded timestamp.
constexpr double kPeriodTolerance = 0.02;

// What "no bound" means once downstream cannot keep up, in frames per second: a usual camera's rate.
constexpr double kUnboundedRate = 30;

// The share of a minute's budget that may be spent at once.
constexpr double kBurstShare = 0.1;

// By how much more a frame must differ when the budget is about to run out.
constexpr double kStrictest = 4;

Duration period_of(double rate) { return from_seconds(1.0 / rate); }

Duration with_tolerance(Duration period) {
  return period - std::chrono::duration_cast<Duration>(period * kPeriodTolerance);
}

}  // namespace

const char *to_string(SamplingMode mode) {
  switch (mode) {
    case SamplingMode::adaptive: return "adaptive";
    case SamplingMode::uniform: return "uniform";
    case SamplingMode::every: return "every";
  }
  return "unknown";
}

const char *to_string(SamplingReason reason) {
  switch (reason) {
    case SamplingReason::first: return "first";
    case SamplingReason::scheduled: return "scheduled";
    case SamplingReason::changed: return "changed";
    case SamplingReason::heartbeat: return "heartbeat";
    case SamplingReason::no_time: return "no-time";
    case SamplingReason::time_jump: return "time-jump";
    case SamplingReason::too_soon: return "too-soon";
    case SamplingReason::duplicate: return "duplicate";
    case SamplingReason::skipped: return "skipped";
    case SamplingReason::overloaded: return "overloaded";
    case SamplingReason::over_budget: return "over-budget";
  }
  return "unknown";
}

bool is_kept(SamplingReason reason) { return reason <= SamplingReason::time_jump; }

void FrameSampler::slow_down(double factor) { factor_ = std::clamp(factor, 0.01, 1.0); }

void FrameSampler::forget() {
  started_ = false;
  last_seen_.reset();
  last_kept_.reset();
}

std::uint64_t FrameSampler::kept() const {
  std::uint64_t n = 0;
  for (int i = 0; i < kSamplingReasons; ++i) {
    if (is_kept(static_cast<SamplingReason>(i))) n += counts_[static_cast<std::size_t>(i)];
  }
  return n;
}

std::uint64_t FrameSampler::dropped() const {
  std::uint64_t n = 0;
  for (const auto count : counts_) n += count;
  return n - kept();
}

double FrameSampler::unhindered_rate() const {
  if (settings_.max_rate > 0) return settings_.max_rate;
  return factor_ < 1 ? kUnboundedRate : 0;
}

bool FrameSampler::differs(const Thumbnail &now) const {
  // A flickering lamp moves all cells alike, so their median offset is no change of the scene; but a large
  // one (a light switched, night fallen) is, hence the bound.
  std::array<int, std::tuple_size_v<Thumbnail>> offsets{};
  for (std::size_t i = 0; i < now.size(); ++i) offsets[i] = now[i] - kept_thumbnail_[i];
  auto sorted = offsets;
  const auto middle = sorted.begin() + sorted.size() / 2;
  std::nth_element(sorted.begin(), middle, sorted.end());
  const int limit = static_cast<int>(std::lround(2 * settings_.threshold));
  const int flicker = std::clamp(*middle, -limit, limit);
  const double threshold = settings_.threshold * strictness();
  return std::any_of(offsets.begin(), offsets.end(),
                     [&](int offset) { return std::abs(offset - flicker) >= threshold; });
}

double FrameSampler::most_allowance() const { return std::max(1.0, settings_.budget * kBurstShare); }

void FrameSampler::earn(std::optional<StreamTime> pts) {
  const double minutes = pts && last_seen_ ? std::max(0.0, to_seconds(*pts - *last_seen_)) / 60 : 0;
  allowance_ = std::min(most_allowance(), allowance_ + minutes * settings_.budget);
}

// Whether the budget pays for one more frame.
bool FrameSampler::spend() {
  if (settings_.budget <= 0) return true;
  if (allowance_ < 1) return false;
  allowance_ -= 1;
  return true;
}

double FrameSampler::strictness() const {
  if (settings_.budget <= 0) return 1;
  return kStrictest - (kStrictest - 1) * allowance_ / most_allowance();
}

SamplingReason FrameSampler::judge_uniform(StreamTime pts) {
  const double rate = unhindered_rate();
  if (rate <= 0) return SamplingReason::scheduled;
  const auto period = period_of(rate * factor_);
  if (pts + (period - with_tolerance(period)) < next_turn_) {
    const bool unhindered = last_kept_ && pts - *last_kept_ >= with_tolerance(period_of(rate));
    return unhindered ? SamplingReason::overloaded : SamplingReason::skipped;
  }
  // Turns lie on a fixed lattice, so that the mean rate is right; after a long gap the lattice starts anew.
  next_turn_ = pts - next_turn_ > period ? pts + period : next_turn_ + period;
  return SamplingReason::scheduled;
}

SamplingReason FrameSampler::judge_every() {
  const auto n = static_cast<std::uint64_t>(std::max(1, settings_.every));
  return seen_ % n == 0 ? SamplingReason::scheduled : SamplingReason::skipped;
}

SamplingReason FrameSampler::judge_adaptive(const Frame &luma, std::optional<StreamTime> pts) {
  if (const double rate = unhindered_rate(); pts && last_kept_ && rate > 0) {
    const auto since = *pts - *last_kept_;
    if (settings_.max_rate > 0 && since < with_tolerance(period_of(rate))) return SamplingReason::too_soon;
    if (since < with_tolerance(period_of(rate * factor_))) return SamplingReason::overloaded;
  }
  Thumbnail now;
  sample_thumbnail(luma, kColumns, kRows, now);
  const int changed_bits = hash_distance(difference_hash(now, kColumns, kRows), kept_hash_);
  const bool new_hash = changed_bits >= kHashChanged * strictness();
  if (new_hash || differs(now)) return pts ? SamplingReason::changed : SamplingReason::no_time;
  const bool silent = pts && last_kept_ && settings_.min_rate > 0 &&
                      *pts - *last_kept_ >= with_tolerance(period_of(settings_.min_rate));
  return silent ? SamplingReason::heartbeat : SamplingReason::duplicate;
}

SamplingReason FrameSampler::judge(const Frame &luma, std::optional<StreamTime> pts) {
  if (!started_ || luma.width != width_ || luma.height != height_) return SamplingReason::first;
  if (pts && last_seen_ && *pts < *last_seen_) return SamplingReason::time_jump;
  switch (settings_.mode) {
    case SamplingMode::every: return judge_every();
    case SamplingMode::uniform: return pts ? judge_uniform(*pts) : SamplingReason::no_time;
    case SamplingMode::adaptive: return judge_adaptive(luma, pts);
  }
  return SamplingReason::scheduled;
}

SamplingDecision FrameSampler::decide(const Frame &luma, std::optional<StreamTime> pts) {
  earn(pts);
  auto reason = judge(luma, pts);
  if (reason == SamplingReason::first || reason == SamplingReason::time_jump) {
    if (!started_) allowance_ = most_allowance();  // neither jumps in time nor new sizes fill it again
    spend();
    seen_ = 0;
    last_kept_.reset();
    if (const double rate = unhindered_rate(); pts && rate > 0) next_turn_ = *pts + period_of(rate * factor_);
  }
  const bool has_turn = reason == SamplingReason::scheduled || reason == SamplingReason::changed ||
                        reason == SamplingReason::heartbeat;
  if (has_turn && !spend()) reason = SamplingReason::over_budget;
  const bool keep = is_kept(reason);
  started_ = true;
  width_ = luma.width;
  height_ = luma.height;
  ++seen_;
  if (pts) last_seen_ = pts;
  if (keep) {
    if (pts) last_kept_ = pts;
    if (settings_.mode == SamplingMode::adaptive) {
      sample_thumbnail(luma, kColumns, kRows, kept_thumbnail_);
      kept_hash_ = difference_hash(kept_thumbnail_, kColumns, kRows);
    }
  }
  ++counts_[static_cast<std::size_t>(reason)];
  return {keep, reason};
}

}  // namespace saccade
