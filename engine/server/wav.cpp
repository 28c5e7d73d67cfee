#include "server/wav.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace saccade {
namespace {

constexpr unsigned kPcm = 1, kFloat = 3, kExtensible = 0xFFFE;  // format tags

std::uint32_t little_endian(std::string_view bytes, std::size_t at, int count) {
  std::uint32_t value = 0;
  for (int i = 0; i < count; ++i)
    value |= static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[at + static_cast<std::size_t>(i)]))
             << (8 * i);
  return value;
}

struct Format {
  unsigned tag = 0;
  unsigned channels = 0;
  unsigned rate = 0;
  unsigned bits = 0;

  std::size_t sample_bytes() const { return bits / 8; }
  std::size_t frame_bytes() const { return sample_bytes() * channels; }
  bool is_known() const {
    const bool samples = (tag == kPcm && (bits == 8 || bits == 16 || bits == 24 || bits == 32)) ||
                         (tag == kFloat && bits == 32);
    return samples && channels >= 1 && channels <= 16 && rate >= 1'000 && rate <= 400'000;
  }
};

Format format_of(std::string_view chunk) {
  Format format{little_endian(chunk, 0, 2), little_endian(chunk, 2, 2), little_endian(chunk, 4, 4),
                little_endian(chunk, 14, 2)};
  if (format.tag == kExtensible && chunk.size() >= 26) format.tag = little_endian(chunk, 24, 2);
  return format;
}

float sample_at(std::string_view data, std::size_t at, const Format &format) {
  const auto raw = little_endian(data, at, static_cast<int>(format.sample_bytes()));
  if (format.tag == kFloat) {
    const auto value = std::bit_cast<float>(raw);
    return std::isfinite(value) ? std::clamp(value, -1.0F, 1.0F) : 0.0F;
  }
  if (format.bits == 8) return (static_cast<float>(raw) - 128) / 128;
  // The sign is the highest bit, wherever that is.
  const auto value = static_cast<std::int32_t>(raw << (32 - format.bits));
  return static_cast<float>(value) / 2147483648.0F;
}

std::vector<float> mono_of(std::string_view data, const Format &format) {
  const auto frame = format.frame_bytes();
  std::vector<float> mono(data.size() / frame);
  for (std::size_t i = 0; i < mono.size(); ++i) {
    for (unsigned c = 0; c < format.channels; ++c)
      mono[i] += sample_at(data, i * frame + c * format.sample_bytes(), format);
    mono[i] /= static_cast<float>(format.channels);
  }
  return mono;
}

std::vector<float> at_rate(const std::vector<float> &samples, unsigned from, int to) {
  if (from == static_cast<unsigned>(to)) return samples;
  const double step = static_cast<double>(from) / to;
  std::vector<float> resampled(
      std::max<std::size_t>(1, static_cast<std::size_t>(static_cast<double>(samples.size()) / step)));
  for (std::size_t i = 0; i < resampled.size(); ++i) {
    const double begin = static_cast<double>(i) * step;
    const auto first = std::min(static_cast<std::size_t>(begin), samples.size() - 1);
    const auto end = std::min(static_cast<std::size_t>(std::ceil(begin + step)), samples.size());
    if (step > 1) {
      float sum = 0;
      for (auto k = first; k < end; ++k) sum += samples[k];
      resampled[i] = sum / static_cast<float>(end - first);
    } else {
      const auto next = std::min(first + 1, samples.size() - 1);
      const auto share = static_cast<float>(begin - static_cast<double>(first));
      resampled[i] = samples[first] * (1 - share) + samples[next] * share;
    }
  }
  return resampled;
}

Status invalid(std::string what) { return {StatusKind::invalid_argument, std::move(what)}; }

// At few samples a second a small file plays for hours, and becomes many times as large.
Status check_length(std::string_view data, const Format &format, Duration longest) {
  const auto frames = data.size() / format.frame_bytes();
  const std::chrono::milliseconds plays(frames * 1000 / format.rate);
  if (plays <= longest) return {};
  return invalid("a sound plays for " + std::to_string(plays.count()) + " ms, and this server hears " +
                 std::to_string(static_cast<long>(to_milliseconds(longest))) +
                 " ms at most. Send its newest part");
}

}  // namespace

Result<std::vector<float>> decode_wav(std::string_view file, int rate, Duration longest) {
  if (file.size() < 12 || !file.starts_with("RIFF") || file.substr(8, 4) != "WAVE")
    return invalid("a sound is no WAV file");
  std::optional<Format> format;
  for (std::size_t at = 12; at + 8 <= file.size();) {
    const auto name = file.substr(at, 4);
    const auto length = static_cast<std::size_t>(little_endian(file, at + 4, 4));
    // Files that were written to a pipe say that they are longer than they are.
    const auto chunk = file.substr(at + 8, length);
    if (name == "fmt " && chunk.size() >= 16) format = format_of(chunk);
    if (name == "data") {
      if (!format || !format->is_known())
        return invalid("a sound's WAV file must hold PCM of 8, 16, 24 or 32 bits or float of 32 bits");
      if (auto status = check_length(chunk, *format, longest); !status.ok()) return status;
      const auto mono = mono_of(chunk, *format);
      if (mono.empty()) return invalid("a sound's WAV file holds no samples");
      return at_rate(mono, format->rate, rate);
    }
    at += 8 + length + length % 2;
  }
  return invalid("a sound's WAV file holds no data");
}

}  // namespace saccade
