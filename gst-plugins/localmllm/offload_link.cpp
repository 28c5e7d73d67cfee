#include "localmllm/offload_link.h"

#include <gst/video/video.h>

#include "common/metas.h"
#include "common/rgb_buffer.h"
#include "localmllm/text_pad.h"
#include "offload/chat/same_words.h"

namespace saccade::gst {
namespace {

// A cloud that never answers must not make the list grow: the oldest draft then stands for good.
constexpr std::size_t kMostAwaited = 256;

GstVideoInfo rgb_info(int width, int height) {
  GstVideoInfo info;
  gst_video_info_set_format(&info, GST_VIDEO_FORMAT_RGB, static_cast<guint>(width),
                            static_cast<guint>(height));
  return info;
}

BufferPtr black_buffer(const GstVideoInfo &info) {
  BufferPtr buffer(gst_buffer_new_allocate(nullptr, GST_VIDEO_INFO_SIZE(&info), nullptr));
  gst_buffer_memset(buffer.get(), 0, 0, GST_VIDEO_INFO_SIZE(&info));
  return buffer;
}

}  // namespace

LinkState OffloadLink::state() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

void OffloadLink::start_stream(GstEvent *upstream_start) {
  const EventPtr start(derived_stream_start(upstream_start, "offload"));
  gst_pad_push_event(pad(), gst_event_ref(start.get()));
  started_ = true;
  has_segment_ = false;
  width_ = height_ = 0;
}

void OffloadLink::set_segment(const GstSegment &segment) {
  if (!width_) return;  // the pad was requested after the caps had passed: send() makes up for both, in order
  gst_pad_push_event(pad(), gst_event_new_segment(&segment));
  gst_pad_push_event(pad(), gst_event_new_gap(segment.start, 0));
  has_segment_ = true;
}

void OffloadLink::pass(GstClockTime pts, GstClockTime duration) {
  if (has_segment_) gst_pad_push_event(pad(), gst_event_new_gap(pts, duration));
}

void OffloadLink::end() { gst_pad_push_event(pad(), gst_event_new_eos()); }

bool OffloadLink::begin(const Question &question, const Answer &answer, bool draft_follows) {
  await(answer, false);  // before anything is sent: the answer may come on another thread at once
  const bool sent = push_begin(question, answer, draft_follows) && push_picture(question, answer.id);
  if (!sent) forget(answer.id);
  return sent;
}

bool OffloadLink::draft(const Answer &draft, bool verify) {
  await(draft, true);
  const bool sent = push_draft(draft, verify);
  if (!sent) forget(draft.id);
  return sent;
}

void OffloadLink::cancel(std::uint64_t id, const char *reason) {
  forget(id);
  gst_pad_push_event(pad(), new_segment_cancel({owner_, id, reason}));
}

bool OffloadLink::send(const Question &question, const Answer &draft, bool verify) {
  await(draft, true);
  const bool sent =
      push_begin(question, draft, false) && push_draft(draft, verify) && push_picture(question, draft.id);
  if (!sent) forget(draft.id);
  return sent;
}

void OffloadLink::await(const Answer &draft, bool drafted) {
  const std::lock_guard lock(mutex_);
  const bool known = awaited_.contains(draft.id);
  while (!known && awaited_.size() >= kMostAwaited) awaited_.erase(awaited_.begin());
  awaited_[draft.id] = {draft, drafted, Clock::now()};
}

void OffloadLink::forget(std::uint64_t id) {
  const std::lock_guard lock(mutex_);
  awaited_.erase(id);
  std::erase_if(arrived_, [id](const CloudAnswer &answer) { return answer.id == id; });
  changed_.notify_all();
}

bool OffloadLink::push_begin(const Question &question, const Answer &answer, bool draft_follows) {
  if (!started_) start_stream(nullptr);
  if (!set_caps(question.picture.width, question.picture.height)) return false;
  if (!has_segment_) set_segment(question.segment);
  gst_pad_push_event(pad(),
                     new_segment_begin({owner_, answer.id, answer.question, answer.about, draft_follows}));
  return true;
}

bool OffloadLink::push_draft(const Answer &draft, bool verify) {
  const auto confidence = static_cast<double>(draft.confidence);
  return gst_pad_push_event(pad(), new_segment_draft({owner_, draft.id, draft.text, confidence, verify}));
}

bool OffloadLink::set_caps(int width, int height) {
  if (width == width_ && height == height_) return true;
  if (!started_) return true;  // the pad was requested in between: begin() and send() make up for it
  const auto info = rgb_info(width, height);
  GstCaps *caps = gst_video_info_to_caps(&info);
  const bool accepted = gst_pad_push_event(pad(), gst_event_new_caps(caps));
  gst_caps_unref(caps);
  if (!accepted) return false;
  width_ = width;
  height_ = height;
  return true;
}

bool OffloadLink::push_picture(const Question &question, std::uint64_t id) {
  const auto info = rgb_info(question.picture.width, question.picture.height);
  auto buffer = question.shown ? rgb_buffer(question.picture, info) : black_buffer(info);
  if (!buffer) return false;
  GST_BUFFER_PTS(buffer.get()) = question.pts;
  GST_BUFFER_DURATION(buffer.get()) = question.duration;
  saccade::gst::set_segment(buffer.get(), {id, 0, true, question.shown});
  if (question.mas) set_mas(buffer.get(), *question.mas);
  if (question.sound) set_audio(buffer.get(), *question.sound);
  return gst_pad_push(pad(), buffer.release()) == GST_FLOW_OK;
}

bool OffloadLink::receive(GstEvent *event) {
  if (auto state = parse_link_state(event)) {
    const std::lock_guard lock(mutex_);
    state_ = std::move(*state);
    return true;
  }
  auto answer = parse_cloud_answer(event);
  if (!answer || answer->owner != owner_) return false;
  const std::lock_guard lock(mutex_);
  if (!awaited_.contains(answer->id)) return true;  // ours, but nobody waits for it any more
  // What grew further meanwhile is told of once.
  std::erase_if(arrived_, [&](const CloudAnswer &one) { return one.id == answer->id && one.partial; });
  arrived_.push_back(std::move(*answer));
  changed_.notify_all();
  return true;
}

std::optional<OffloadLink::Arrived> OffloadLink::take() {
  const std::lock_guard lock(mutex_);
  while (!arrived_.empty()) {
    auto answer = std::move(arrived_.front());
    arrived_.pop_front();
    const auto found = awaited_.find(answer.id);
    if (found == awaited_.end()) continue;  // forgotten meanwhile, or a second last word
    const auto [draft, drafted, since] = found->second;
    if (!answer.partial) awaited_.erase(found);
    // A cloud that was sooner than the draft has never seen it.
    if (drafted && !answer.partial) answer.verified |= same_words(answer.text, draft.text);
    return Arrived{std::move(answer), draft, drafted, since};
  }
  return std::nullopt;
}

bool OffloadLink::wait(Clock::time_point until) {
  std::unique_lock lock(mutex_);
  changed_.wait_until(lock, until, [this] { return given_up_ || !arrived_.empty() || awaited_.empty(); });
  return !given_up_ && !arrived_.empty();
}

void OffloadLink::give_up() {
  const std::lock_guard lock(mutex_);
  given_up_ = true;
  awaited_.clear();
  arrived_.clear();
  changed_.notify_all();
}

std::size_t OffloadLink::awaited() const {
  const std::lock_guard lock(mutex_);
  return awaited_.size();
}

void OffloadLink::reset() {
  const std::lock_guard lock(mutex_);
  given_up_ = false;
}

void OffloadLink::start() {
  const std::lock_guard lock(mutex_);
  given_up_ = false;
  awaited_.clear();
  arrived_.clear();
  state_ = {};
}

}  // namespace saccade::gst
