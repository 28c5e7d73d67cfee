#include "sparsity/sound_activity.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <opencv2/core.hpp>

namespace saccade {
namespace {

constexpr double kSilence = -75;        // dB relative to full scale, per band
constexpr double kQuietExcess = 6;      // dB: background wavers by that much
constexpr double kFullExcess = 24;      // dB
constexpr double kRisingSeconds = 1.5;  // how fast the background follows what gets louder
constexpr double kFallingSeconds = 0.4;
constexpr double kPeaksSink = 12;  // dB a second
constexpr std::size_t kOnsetHops = 4;
constexpr double kLowestHz = 100;
constexpr double kHighestHz = 7000;
constexpr std::size_t kLoudestBands = 3;
constexpr std::size_t kNewestBands = 1;  // a siren is one tone

double decibels(double power) { return 10 * std::log10(std::max(power, 1e-12)); }

double mean_of_most(std::array<double, SoundActivity::kBands> excess, std::size_t most) {
  const auto end = excess.begin() + static_cast<std::ptrdiff_t>(most);
  std::partial_sort(excess.begin(), end, excess.end(), std::greater<>());
  return std::accumulate(excess.begin(), end, 0.0) / static_cast<double>(most);
}

double share_of_range(double excess) {
  return std::clamp((excess - kQuietExcess) / (kFullExcess - kQuietExcess), 0.0, 1.0);
}

}  // namespace

void SoundActivity::forget() {
  window_.clear();
  started_ = anchored_ = false;
  onset_.clear();
  hops_.clear();
  hop_start_ = heard_until_ = {};
}

void SoundActivity::remember(const Hop &hop) {
  hops_.push_back(hop);
  heard_until_ = hop.end;
  if (hops_.size() > kMostHops) hops_.pop_front();
}

void SoundActivity::forget_before(StreamTime time) {
  while (!hops_.empty() && hops_.front().end <= time) hops_.pop_front();
}

void SoundActivity::skip_to(StreamTime end) {
  window_.clear();
  if (end <= heard_until_) return;
  Hop silent;
  silent.end = end;
  remember(silent);
  hop_start_ = end;
}

void SoundActivity::add(const AudioBlock &block) {
  if (block.rate <= 0 || block.channels <= 0) return;
  const double pending_seconds = rate_ ? static_cast<double>(window_.size()) / rate_ : 0;
  const auto drift = block.pts - (hop_start_ + from_seconds(pending_seconds));
  if (!anchored_ || block.rate != rate_ || drift > kClockWavers || drift < -kClockWavers) {
    if (block.rate != rate_ || block.pts < heard_until_) forget();
    window_.clear();
    rate_ = block.rate;
    hop_start_ = block.pts;
    anchored_ = true;
  }
  const auto hop_size = static_cast<std::size_t>(to_seconds(kHop) * rate_);
  for (std::size_t i = 0; i < block.frames(); ++i) {
    window_.push_back(block.mono(i));
    if (window_.size() >= std::max<std::size_t>(hop_size, 16)) finish_hop();
  }
}

double SoundActivity::excess_over_background(const Bands &bands) {
  Bands excess{};
  for (std::size_t b = 0; b < kBands; ++b) {
    excess[b] = bands[b] - std::max(background_[b], kSilence);
    const double seconds = bands[b] > background_[b] ? kRisingSeconds : kFallingSeconds;
    background_[b] += (bands[b] - background_[b]) * (1 - std::exp(-to_seconds(kHop) / seconds));
  }
  return mean_of_most(excess, kLoudestBands);
}

double SoundActivity::excess_over_peaks(const Bands &bands) {
  Bands excess{};
  for (std::size_t b = 0; b < kBands; ++b) {
    excess[b] = bands[b] - std::max(peaks_[b], kSilence);
  }
  onset_.push_back(bands);
  if (onset_.size() > kOnsetHops) {
    for (std::size_t b = 0; b < kBands; ++b) {
      peaks_[b] = std::max(onset_.front()[b], peaks_[b] - kPeaksSink * to_seconds(kHop));
    }
    onset_.pop_front();
  }
  return mean_of_most(excess, kNewestBands);
}

void SoundActivity::finish_hop() {
  const auto n = window_.size();
  double power = 0;
  for (std::size_t i = 0; i < n; ++i) {
    power += static_cast<double>(window_[i]) * window_[i];
    const double hann = 0.5 - 0.5 * std::cos(2 * CV_PI * static_cast<double>(i) / static_cast<double>(n));
    window_[i] = static_cast<float>(window_[i] * hann);
  }
  spectrum_.resize(n);
  const cv::Mat in(1, static_cast<int>(n), CV_32F, window_.data());
  cv::Mat out(1, static_cast<int>(n), CV_32F, spectrum_.data());
  cv::dft(in, out);  // packed: re0, re1, im1, re2, im2, …

  Bands bands{};
  const double highest = std::min(kHighestHz, 0.48 * rate_);
  const double scale =
      16.0 / (3.0 * static_cast<double>(n) * static_cast<double>(n));  // a full-scale sine: -3 dB
  for (std::size_t k = 1; 2 * k < n; ++k) {
    const double hz = static_cast<double>(k) * rate_ / static_cast<double>(n);
    if (hz < kLowestHz || hz >= highest) continue;
    const double position = std::log(hz / kLowestHz) / std::log(highest / kLowestHz);
    const auto band = std::min(kBands - 1, static_cast<std::size_t>(position * kBands));
    const double re = spectrum_[2 * k - 1];
    const double im = spectrum_[2 * k];
    bands[band] += (re * re + im * im) * scale;
  }
  for (auto &band : bands) band = decibels(band);
  if (!started_) background_ = peaks_ = bands;
  started_ = true;

  Hop hop;
  hop.end = hop_start_ + from_seconds(static_cast<double>(n) / rate_);
  hop.activity = share_of_range(excess_over_background(bands));
  hop.novelty = share_of_range(excess_over_peaks(bands));
  hop.level_db = decibels(power / static_cast<double>(n));
  remember(hop);
  hop_start_ = hop.end;
  window_.clear();
}

SoundReading SoundActivity::over(StreamInterval interval) const {
  SoundReading reading;
  reading.present = true;
  const auto ends_later = [](StreamTime time, const Hop &hop) { return time < hop.end; };
  auto hop = std::upper_bound(hops_.begin(), hops_.end(), interval.start, ends_later);
  for (; hop != hops_.end() && hop->end <= interval.end; ++hop) {
    reading.activity = std::max(reading.activity, hop->activity);
    reading.novelty = std::max(reading.novelty, hop->novelty);
    reading.level_db = std::max(reading.level_db, hop->level_db);
  }
  return reading;
}

}  // namespace saccade
