#include "masgate/audio_inputs.h"

#include <algorithm>

namespace saccade::gst {
namespace {

// Interleaved F32LE or S16LE to floats in [-1, 1].
void to_floats(const GstAudioInfo &info, const GstMapInfo &map, std::vector<float> &out) {
  if (GST_AUDIO_INFO_FORMAT(&info) == GST_AUDIO_FORMAT_F32LE) {
    const auto *samples = reinterpret_cast<const float *>(map.data);
    out.assign(samples, samples + map.size / sizeof(float));
    return;
  }
  const auto *samples = reinterpret_cast<const gint16 *>(map.data);
  out.resize(map.size / sizeof(gint16));
  std::transform(samples, samples + out.size(), out.begin(),
                 [](gint16 s) { return static_cast<float>(s) / 32768.0F; });
}

}  // namespace

StreamTime AudioInputs::Input::running_time(GstClockTime pts) const {
  if (segment.format != GST_FORMAT_TIME || !GST_CLOCK_TIME_IS_VALID(pts)) return activity.heard_until();
  const auto time = gst_segment_to_running_time(&segment, GST_FORMAT_TIME, pts);
  return GST_CLOCK_TIME_IS_VALID(time) ? StreamTime(static_cast<std::int64_t>(time)) : activity.heard_until();
}

void AudioInputs::moved(Input &input) {
  input.hopeless = false;
  moved_.notify_all();
}

void AudioInputs::add(GstPad *pad) {
  const std::lock_guard lock(mutex_);
  gst_segment_init(&inputs_[pad].segment, GST_FORMAT_TIME);
}

void AudioInputs::remove(GstPad *pad) {
  const std::lock_guard lock(mutex_);
  inputs_.erase(pad);
  moved_.notify_all();
}

bool AudioInputs::empty() const {
  const std::lock_guard lock(mutex_);
  return inputs_.empty();
}

void AudioInputs::set_format(GstPad *pad, const GstAudioInfo &info) {
  const std::lock_guard lock(mutex_);
  auto &input = inputs_[pad];
  input.info = info;
  input.has_format = true;
}

void AudioInputs::set_segment(GstPad *pad, const GstSegment &segment) {
  const std::lock_guard lock(mutex_);
  auto &input = inputs_[pad];
  input.segment = segment;
  input.ended = false;
}

bool AudioInputs::take(GstPad *pad, GstBuffer *buffer) {
  const std::lock_guard lock(mutex_);
  auto &input = inputs_[pad];
  if (!input.has_format) return false;
  GstMapInfo map;
  if (!gst_buffer_map(buffer, &map, GST_MAP_READ)) return false;
  to_floats(input.info, map, input.samples);
  gst_buffer_unmap(buffer, &map);
  const auto time = input.running_time(GST_BUFFER_PTS(buffer));
  const AudioBlock block{input.samples, GST_AUDIO_INFO_RATE(&input.info),
                         GST_AUDIO_INFO_CHANNELS(&input.info), time};
  input.activity.add(block);
  input.memory.add(block);
  moved(input);
  return true;
}

void AudioInputs::skip(GstPad *pad, GstClockTime pts, GstClockTime duration) {
  const std::lock_guard lock(mutex_);
  auto &input = inputs_[pad];
  const auto length = GST_CLOCK_TIME_IS_VALID(duration) ? static_cast<std::int64_t>(duration) : 0;
  const auto end = input.running_time(pts) + Duration(length);
  input.activity.skip_to(end);
  input.memory.skip_to(end);
  moved(input);
}

void AudioInputs::end(GstPad *pad) {
  const std::lock_guard lock(mutex_);
  inputs_[pad].ended = true;
  moved_.notify_all();
}

void AudioInputs::flush(GstPad *pad) {
  const std::lock_guard lock(mutex_);
  auto &input = inputs_[pad];
  input.activity.forget();
  input.memory.forget();
  input.ended = false;
  gst_segment_init(&input.segment, GST_FORMAT_TIME);
  moved(input);
}

void AudioInputs::restart() {
  const std::lock_guard lock(mutex_);
  flushing_ = false;
  for (auto &[pad, input] : inputs_) {
    input.activity.forget();
    input.memory.forget();
    input.ended = input.hopeless = false;
  }
}

SoundReading AudioInputs::heard(StreamInterval interval, Duration keep) {
  const std::lock_guard lock(mutex_);
  SoundReading most;
  most_active_ = nullptr;
  for (auto &[pad, input] : inputs_) {
    if (!input.has_format) continue;
    input.activity.forget_before(interval.start);
    input.memory.forget_before(interval.end - keep);
    const auto reading = input.activity.over(interval);
    if (!most_active_ || reading.activity > most.activity) most_active_ = pad;
    most.present = true;
    most.activity = std::max(most.activity, reading.activity);
    most.novelty = std::max(most.novelty, reading.novelty);
    most.level_db = std::max(most.level_db, reading.level_db);
  }
  return most;
}

SoundClip AudioInputs::clip(StreamInterval interval) const {
  const std::lock_guard lock(mutex_);
  const auto input = inputs_.find(most_active_);
  return input == inputs_.end() ? SoundClip{} : input->second.memory.clip(interval);
}

std::uint64_t AudioInputs::lost_samples() const {
  const std::lock_guard lock(mutex_);
  std::uint64_t lost = 0;
  for (const auto &[pad, input] : inputs_) lost += input.memory.lost();
  return lost;
}

StreamTime AudioInputs::heard_until_locked() const {
  StreamTime latest{};
  for (const auto &[pad, input] : inputs_) latest = std::max(latest, input.activity.heard_until());
  return latest;
}

StreamTime AudioInputs::heard_until() const {
  const std::lock_guard lock(mutex_);
  return heard_until_locked();
}

void AudioInputs::wait_until_heard(StreamTime time, Duration most) {
  std::unique_lock lock(mutex_);
  const auto is_behind = [time](const Input &input) {
    return !input.ended && !input.hopeless && input.activity.heard_until() < time;
  };
  const auto all_heard = [&] {
    return flushing_ || std::none_of(inputs_.begin(), inputs_.end(),
                                     [&](const auto &entry) { return is_behind(entry.second); });
  };
  if (most <= Duration::zero() || moved_.wait_for(lock, most, all_heard)) return;
  for (auto &[pad, input] : inputs_) input.hopeless = is_behind(input);
}

void AudioInputs::set_flushing(bool flushing) {
  const std::lock_guard lock(mutex_);
  flushing_ = flushing;
  moved_.notify_all();
}

bool AudioInputs::wait_for_more(std::stop_token stop, StreamTime time) {
  std::unique_lock lock(mutex_);
  return moved_.wait(lock, stop, [&] { return heard_until_locked() > time; });
}

}  // namespace saccade::gst
