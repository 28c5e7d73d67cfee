#include "offload/upload/upload_sound.h"

#include <algorithm>
#include <cmath>
#include <string_view>

namespace saccade {

namespace {

constexpr std::size_t kWavHeader = 44;  // bytes
constexpr std::uint32_t kFormatBytes = 16;
constexpr std::uint16_t kPcm = 1;
constexpr std::uint16_t kSampleBytes = sizeof(std::int16_t);

// Little-endian, as everything in a WAV file.
class WavWriter {
 public:
  explicit WavWriter(std::size_t size) { bytes_.reserve(size); }
  void name(std::string_view four) { bytes_.insert(bytes_.end(), four.begin(), four.end()); }
  void two(std::uint16_t value) {
    bytes_.push_back(static_cast<std::uint8_t>(value));
    bytes_.push_back(static_cast<std::uint8_t>(value >> 8));
  }
  void four(std::uint32_t value) {
    two(static_cast<std::uint16_t>(value));
    two(static_cast<std::uint16_t>(value >> 16));
  }
  std::vector<std::uint8_t> take() { return std::move(bytes_); }

 private:
  std::vector<std::uint8_t> bytes_;
};

bool is_empty(const SoundClip &clip) { return clip.rate <= 0 || clip.samples.empty(); }

std::size_t most_samples(int rate) {
  const auto longest = static_cast<std::size_t>(to_seconds(kLongestUploadSound) * rate);
  return std::clamp<std::size_t>(longest, 1, kMostUploadSamples);
}

}  // namespace

SoundClip newest_to_upload(SoundClip clip) {
  if (is_empty(clip)) return {};
  const auto most = most_samples(clip.rate);
  if (clip.samples.size() <= most) return clip;
  const auto older = clip.samples.size() - most;
  clip.samples.erase(clip.samples.begin(), clip.samples.begin() + static_cast<std::ptrdiff_t>(older));
  clip.start += from_seconds(static_cast<double>(older) / clip.rate);
  return clip;
}

SoundClip joined_sound(SoundClip heard, const SoundClip &more) {
  if (is_empty(more)) return newest_to_upload(std::move(heard));
  const bool joins = !is_empty(heard) && heard.rate == more.rate && more.start >= heard.start;
  if (!joins) return newest_to_upload(more);
  const double between = std::round((to_seconds(more.start) - to_seconds(heard.start)) * more.rate) -
                         static_cast<double>(heard.samples.size());
  if (between >= static_cast<double>(most_samples(more.rate))) return newest_to_upload(more);
  auto &samples = heard.samples;
  if (between > 0) samples.resize(samples.size() + static_cast<std::size_t>(between), std::int16_t{0});
  const auto known = std::min(more.samples.size(), static_cast<std::size_t>(std::max(-between, 0.0)));
  samples.insert(samples.end(), more.samples.begin() + static_cast<std::ptrdiff_t>(known),
                 more.samples.end());
  return newest_to_upload(std::move(heard));
}

std::vector<std::uint8_t> wav_file(const SoundClip &clip) {
  if (is_empty(clip)) return {};
  const auto data = static_cast<std::uint32_t>(clip.samples.size() * kSampleBytes);
  const auto rate = static_cast<std::uint32_t>(clip.rate);
  WavWriter wav(kWavHeader + data);
  wav.name("RIFF");
  wav.four(static_cast<std::uint32_t>(kWavHeader) - 8 + data);
  wav.name("WAVEfmt ");
  wav.four(kFormatBytes);
  wav.two(kPcm);
  wav.two(1);  // channel
  wav.four(rate);
  wav.four(rate * kSampleBytes);
  wav.two(kSampleBytes);
  wav.two(8 * kSampleBytes);
  wav.name("data");
  wav.four(data);
  for (const std::int16_t sample : clip.samples) wav.two(static_cast<std::uint16_t>(sample));
  return wav.take();
}

std::size_t wav_bytes_in_request(const SoundClip &clip) {
  if (is_empty(clip)) return 0;
  const auto file = kWavHeader + clip.samples.size() * kSampleBytes;
  return (file + 2) / 3 * 4;
}

}  // namespace saccade
