#include "vision/audio_encoder.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "vision/mtmd_chunks.h"

namespace saccade {
namespace {

// Of one sample libmtmd's assertions end the process, and some families' spectrograms want several windows.
constexpr Duration kShortest = std::chrono::milliseconds(100);  // silence makes up for less

// What libmtmd fills up with silence for Whisper and its kin.
constexpr Duration kWindow = std::chrono::seconds(30);

std::size_t samples_in(Duration time, int rate) { return static_cast<std::size_t>(to_seconds(time) * rate); }

Status check_sound(const AudioBlock &sound, int rate) {
  if (sound.rate != rate || sound.channels < 1)
    return {StatusKind::invalid_argument, "the model hears sound of " + std::to_string(rate) +
                                              " Hz, not of " + std::to_string(sound.rate) + " Hz"};
  if (sound.frames() == 0) return {StatusKind::invalid_argument, "there is nothing to hear: no samples"};
  return {};
}

// One channel, the newest kLongest of it, and no less than kShortest. Empty when some samples are no numbers:
// a single one would make all of the model's words undefined.
std::vector<float> mono_of(const AudioBlock &sound) {
  const auto longest = samples_in(AudioEncoder::kLongest, sound.rate);
  const auto first = sound.frames() - std::min(sound.frames(), longest);
  std::vector<float> samples;
  samples.reserve(sound.frames() - first);
  for (auto i = first; i < sound.frames(); ++i) {
    const float value = sound.mono(i);
    if (!std::isfinite(value)) return {};
    samples.push_back(std::clamp(value, -1.0F, 1.0F));
  }
  return samples;
}

MtmdChunksHandle chunks_of(const ModelPair::Impl &pair, std::vector<float> samples, int rate) {
  samples.resize(std::max(samples.size(), samples_in(kShortest, rate)));
  const MtmdBitmapHandle bitmap(mtmd_bitmap_init_from_audio(samples.size(), samples.data()));
  return cut_into_chunks(pair, bitmap.get());
}

int count_tokens(const mtmd_input_chunks *chunks) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < mtmd_input_chunks_size(chunks); ++i)
    if (const auto *chunk = mtmd_input_chunks_get(chunks, i); !is_text(chunk))
      count += mtmd_input_chunk_get_n_tokens(chunk);
  return static_cast<int>(count);
}

// count: of all tokens that the sound gets; the first of the values are theirs. each: the time of one.
SharedTokens tokens_of_sound(std::span<const float> values, int dimension, int count, StreamTime start,
                             double each, Duration spent) {
  auto tokens = std::make_shared<TokenSet>();
  const auto rows = static_cast<std::size_t>(count);
  tokens->sense = Sense::sound;
  tokens->dimension = dimension;
  tokens->grid = {1, count};
  tokens->seen = count;
  tokens->pts = start;
  tokens->encode_time = spent;
  const auto kept = values.first(rows * static_cast<std::size_t>(dimension));
  tokens->values.assign(kept.begin(), kept.end());
  tokens->weights.assign(rows, 1.0F);
  for (int i = 0; i < count; ++i)
    tokens->positions.push_back({static_cast<float>(to_seconds(start) + i * each), 0, 0});
  return tokens;
}

}  // namespace

AudioEncoder::AudioEncoder(std::shared_ptr<ModelPair> pair, int rate) : pair_(std::move(pair)), rate_(rate) {}

Result<std::unique_ptr<AudioEncoder>> AudioEncoder::create(std::shared_ptr<ModelPair> pair) {
  const auto *libmtmd = pair->impl().vision.get();
  const int rate = mtmd_support_audio(libmtmd) ? mtmd_get_audio_sample_rate(libmtmd) : 0;
  if (rate <= 0)
    return Status{StatusKind::unsupported, "projector \"" + pair->files().mmproj + "\" cannot take sound"};
  std::unique_ptr<AudioEncoder> encoder(new AudioEncoder(std::move(pair), rate));
  if (auto status = encoder->learn_layout(); !status.ok()) return status;
  return encoder;
}

// Sounds of two lengths that get the same number of tokens are filled up.
Status AudioEncoder::learn_layout() {
  int counts[2] = {};
  for (int i = 0; i < 2; ++i) {
    const auto samples = static_cast<std::size_t>(i + 1) * static_cast<std::size_t>(rate_);
    const auto chunks = chunks_of(pair_->impl(), std::vector<float>(samples), rate_);
    if (chunks) counts[i] = count_tokens(chunks.get());
    if (counts[i] == 0)
      return {StatusKind::unsupported,
              "projector \"" + pair_->files().mmproj + "\" made no tokens of a sound"};
  }
  window_tokens_ = counts[0] == counts[1] ? counts[0] : 0;
  return {};
}

// Of a filled window: all that have some of the sound in them.
int AudioEncoder::tokens_in(std::size_t samples) const {
  const auto window = samples_in(kWindow, rate_);
  return static_cast<int>((samples * static_cast<std::size_t>(window_tokens_) + window - 1) / window);
}

Result<EncodedImage> AudioEncoder::encode(const AudioBlock &sound, std::stop_token stop) const {
  if (auto status = check_sound(sound, rate_); !status.ok()) return status;
  auto samples = mono_of(sound);
  if (samples.empty())
    return Status{StatusKind::invalid_argument, "the sound cannot be heard: some samples are no numbers"};
  if (stop.stop_requested()) return Status{StatusKind::cancelled, "encoding was stopped"};
  const auto length = samples.size();
  const auto start =
      sound.pts + from_seconds(static_cast<double>(sound.frames() - length) / static_cast<double>(rate_));
  const auto chunks = chunks_of(pair_->impl(), std::move(samples), rate_);
  if (!chunks) return Status{StatusKind::internal, "libmtmd could not prepare a sound"};
  const int all = count_tokens(chunks.get());
  const int own = window_tokens_ == 0 ? all : tokens_in(length);
  const double seconds = static_cast<double>(length) / rate_;
  const double each = window_tokens_ == 0 ? seconds / all : to_seconds(kWindow) / window_tokens_;
  int given = 0;
  return lay_out_chunks(chunks.get(), [&](const mtmd_input_chunk *chunk) {
    return encode_chunk(pair_->impl(), chunk, stop, [&](std::span<const float> values, Duration spent) {
      const int count = std::min(static_cast<int>(mtmd_input_chunk_get_n_tokens(chunk)), own - given);
      const auto begin = start + from_seconds(given * each);
      given += count;
      return tokens_of_sound(values, llama_model_n_embd_inp(pair_->impl().text.get()), count, begin, each,
                             spent);
    });
  });
}

}  // namespace saccade
