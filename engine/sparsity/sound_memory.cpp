#include "sparsity/sound_memory.h"

#include <algorithm>
#include <cmath>

namespace saccade {
namespace {

Duration length_of(std::size_t samples, int rate) {
  return rate > 0 ? from_seconds(static_cast<double>(samples) / rate) : Duration::zero();
}

std::int16_t to_pcm(float sample) {
  return static_cast<std::int16_t>(std::lround(std::clamp(sample, -1.0F, 1.0F) * 32767));
}

}  // namespace

StreamTime SoundClip::end() const { return start + length_of(samples.size(), rate); }

StreamTime SoundMemory::time_of(std::size_t sample) const { return start_ + length_of(sample, rate_); }

std::size_t SoundMemory::sample_at(StreamTime time) const {
  const double sample = std::round(to_seconds(time - start_) * rate_);
  return static_cast<std::size_t>(std::clamp(sample, 0.0, static_cast<double>(samples_.size())));
}

void SoundMemory::forget() {
  samples_.clear();
  rate_ = 0;
  lost_ = 0;
}

void SoundMemory::forget_before(StreamTime time) {
  const auto count = sample_at(time);
  start_ = time_of(count);
  samples_.erase(samples_.begin(), samples_.begin() + static_cast<std::ptrdiff_t>(count));
}

void SoundMemory::make_room() {
  if (samples_.size() <= kMostSamples) return;
  const auto count = samples_.size() - kMostSamples;
  lost_ += count;
  start_ = time_of(count);
  samples_.erase(samples_.begin(), samples_.begin() + static_cast<std::ptrdiff_t>(count));
}

void SoundMemory::skip_to(StreamTime end) {
  if (rate_ <= 0) return;
  const double missing = std::round(to_seconds(end - time_of(samples_.size())) * rate_);
  if (missing >= static_cast<double>(kMostSamples)) {
    samples_.clear();
    start_ = end;
  } else if (missing > 0) {
    samples_.insert(samples_.end(), static_cast<std::size_t>(missing), std::int16_t{0});
    make_room();
  }
}

void SoundMemory::add(const AudioBlock &block) {
  if (block.rate <= 0 || block.channels <= 0) return;
  const auto jump = block.pts - time_of(samples_.size());
  if (block.rate != rate_ || jump < -kClockWavers) {
    samples_.clear();
    rate_ = block.rate;
    start_ = block.pts;
  } else if (jump > kClockWavers) {
    skip_to(block.pts);
  } else {
    start_ += jump;  // the block's own time is right: clocks that drift apart do not add up
  }
  for (std::size_t i = 0; i < block.frames(); ++i) samples_.push_back(to_pcm(block.mono(i)));
  make_room();
}

SoundClip SoundMemory::clip(StreamInterval interval) const {
  const auto first = sample_at(interval.start);
  const auto last = std::max(first, sample_at(interval.end));
  if (first == last) return {};
  return {rate_,
          time_of(first),
          {samples_.begin() + static_cast<std::ptrdiff_t>(first),
           samples_.begin() + static_cast<std::ptrdiff_t>(last)}};
}

}  // namespace saccade
