#include "localmllm/model_sound.h"

#include <gst/audio/audio.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <span>

#include "base/time.h"
#include "vision/audio_encoder.h"

namespace saccade::gst {
namespace {

struct ConverterDeleter {
  void operator()(GstAudioConverter *p) const { gst_audio_converter_free(p); }
};
using ConverterPtr = std::unique_ptr<GstAudioConverter, ConverterDeleter>;

ConverterPtr converter_for(int from, int to) {
  GstAudioInfo in;
  GstAudioInfo out;
  gst_audio_info_init(&in);
  gst_audio_info_init(&out);
  gst_audio_info_set_format(&in, GST_AUDIO_FORMAT_S16, from, 1, nullptr);
  gst_audio_info_set_format(&out, GST_AUDIO_FORMAT_F32, to, 1, nullptr);
  return ConverterPtr(gst_audio_converter_new(GST_AUDIO_CONVERTER_FLAG_NONE, &in, &out, nullptr));
}

}  // namespace

std::vector<float> sound_for_model(const SoundClip &clip, int rate) {
  if (clip.rate <= 0 || rate <= 0 || clip.samples.empty()) return {};
  const auto converter = converter_for(clip.rate, rate);
  if (!converter) return {};
  const auto longest = static_cast<std::size_t>(to_seconds(AudioEncoder::kLongest) * clip.rate);
  const auto newest = std::span(clip.samples).last(std::min(clip.samples.size(), longest));
  // Silence behind the sound brings out what the resampler would keep of it, and it rounds down.
  std::vector<std::int16_t> in(newest.size() + gst_audio_converter_get_max_latency(converter.get()) + 1);
  std::ranges::copy(newest, in.begin());
  std::vector<float> out(gst_audio_converter_get_out_frames(converter.get(), in.size()));
  gpointer ins[] = {in.data()};
  gpointer outs[] = {out.data()};
  if (!gst_audio_converter_samples(converter.get(), GST_AUDIO_CONVERTER_FLAG_NONE, ins, in.size(), outs,
                                   out.size()))
    return {};
  const auto length = static_cast<std::size_t>(
      std::llround(static_cast<double>(newest.size()) * rate / static_cast<double>(clip.rate)));
  out.resize(std::min(out.size(), length));
  return out;
}

}  // namespace saccade::gst
