// The life of a run, and what its streaming thread does; the worker is in local_run_worker.cpp.
#include "localmllm/local_run.h"

#include <algorithm>
#include <utility>

#include "common/encoder_kind.h"
#include "common/events.h"
#include "common/metas.h"

GST_DEBUG_CATEGORY_EXTERN(gst_local_mllm_debug);
#define GST_CAT_DEFAULT gst_local_mllm_debug

namespace saccade::gst {
namespace {

bool is_live(GstPad *sink) {
  GstQuery *query = gst_query_new_latency();
  gboolean live = FALSE;
  if (gst_pad_peer_query(sink, query)) gst_query_parse_latency(query, &live, nullptr, nullptr);
  gst_query_unref(query);
  return live;
}

Leaky leak_for(LeakySetting setting, bool live) {
  switch (setting) {
    case LeakySetting::none: return Leaky::none;
    case LeakySetting::upstream: return Leaky::upstream;
    case LeakySetting::downstream: return Leaky::downstream;
    case LeakySetting::automatic: break;
  }
  return live ? Leaky::downstream : Leaky::none;
}

// A question before the pictures is read once for all of them. But then they are its own, so that a second
// question has them read again, and models that learned to read it behind them answer worse.
PromptPosition position_for(const LocalMllmSettings &settings) {
  return settings.prompt_position == PromptPositionSetting::before ? PromptPosition::before
                                                                   : PromptPosition::after;
}

RouterSettings router_settings(const LocalMllmSettings &settings) {
  auto router = settings.router;
  router.latency_budget = Duration(static_cast<std::int64_t>(settings.latency_budget));
  return router;
}

}  // namespace

Result<std::unique_ptr<LocalRun>> LocalRun::create(const Pads &pads, const LocalMllmSettings &settings) {
  auto options = settings.answerer;
  options.latency_budget = Duration(static_cast<std::int64_t>(settings.latency_budget));
  options.session.prompt_position = position_for(settings);
  options.hear = settings.sound == SoundSetting::automatic;
  auto answerer = SegmentAnswerer::create(settings.files, options);
  if (!answerer.ok()) return answerer.status();
  tell_encoder(pads.element, answerer.value()->encoder(), settings.answerer.encoder);
  if (const auto &complaint = answerer.value()->complaint(); !complaint.empty())
    GST_ELEMENT_WARNING(pads.element, LIBRARY, SETTINGS, ("%s", complaint.c_str()), (nullptr));
  return std::unique_ptr<LocalRun>(new LocalRun(pads, settings, std::move(answerer).value()));
}

LocalRun::LocalRun(const Pads &pads, const LocalMllmSettings &settings,
                   std::unique_ptr<SegmentAnswerer> answerer)
    : pads_(pads),
      settings_(settings),
      answerer_(std::move(answerer)),
      intake_(answerer_->input(), settings.answerer.detail,
              {static_cast<int>(settings.offload_size), settings.offload_sound}, answerer_->sound_rate()),
      text_(pads.src, settings.display_duration),
      desk_(pads.element, router_settings(settings)),
      questions_(standing_questions(settings)),
      stale_(Duration(static_cast<std::int64_t>(settings.max_answer_age))),
      schedule_(settings.answer_on, Duration(static_cast<std::int64_t>(settings.answer_every))),
      queue_({.process = [this](Picture picture, std::stop_token stop) { process(std::move(picture), stop); },
              .forward = [this](EventPtr event) { forward(std::move(event)); },
              .due = [this] { show_due(); },
              .dropped = [this](Picture picture, DropReason reason) { lost(picture, reason); },
              .replacement =
                  [](const Picture &picture) {
                    return EventPtr(gst_event_new_gap(picture.time.pts, picture.time.duration));
                  },
              .event_dropped = {}}) {
  gst_segment_init(&segment_, GST_FORMAT_TIME);
  queue_.configure(settings_.max_queue, leak_for(settings_.leaky, false));
}

void LocalRun::cancel() {
  stop_work();
  queue_.cancel();
}

// What the queue's own stop token does not reach: questions answered on an event, and the drain.
void LocalRun::stop_work() {
  std::stop_source stopping;
  {
    const std::lock_guard lock(mutex_);
    stopping = stopping_;
  }
  stopping.request_stop();
  if (const auto link = offload()) link->give_up();
}

std::stop_token LocalRun::stop_token() const {
  const std::lock_guard lock(mutex_);
  return stopping_.get_token();
}

void LocalRun::stop() {
  cancel();
  queue_.stop();
  tell_held();
}

// The bus and whoever listens: what the text pad shows next is of another time.
void LocalRun::tell_held() {
  for (const auto &draft : held_.take_all()) publish(draft.answer);
}

// --- streaming thread: frames ---------------------------------------------------------------------------

// Asked at the first frame, when every element upstream knows whether it is live.
void LocalRun::settle_liveness() {
  if (liveness_known_) return;
  liveness_known_ = true;
  const bool live = is_live(pads_.sink);
  {
    const std::lock_guard lock(mutex_);
    live_ = live;
  }
  queue_.configure(settings_.max_queue, leak_for(settings_.leaky, live));
  GST_INFO_OBJECT(pads_.element, "upstream is %s", live ? "live" : "not live");
}

bool LocalRun::stamps_content() const {
  if (settings_.timestamp != TimestampMode::automatic) return settings_.timestamp == TimestampMode::content;
  const std::lock_guard lock(mutex_);
  return !live_;
}

bool LocalRun::wanted(const std::optional<MasReport> &mas, const FrameTime &time) {
  const std::lock_guard lock(mutex_);
  ++counters_.frames;
  FrameNews news{StreamTime(static_cast<std::int64_t>(time.pts)), std::nullopt, true};
  if (mas) {
    news.gate_frame = mas->frame;
    news.needed = mas->needed;
  }
  const bool due = schedule_.take(news);
  if (due) stale_.news(news.pts);
  // A question that waits wants a picture as fresh as it can be, when pictures are not encoded anyway.
  const bool asked = settings_.answer_on == AnswerOn::question && questions_.waiting() > 0;
  if (!due && !asked) ++counters_.unchanged;
  return due || asked;
}

GstFlowReturn LocalRun::chain(GstBuffer *raw) {
  const BufferPtr buffer(raw);
  if (const auto flow = text_.flow(); flow != GST_FLOW_OK) return flow;
  settle_liveness();
  const auto time = intake_.time_of(buffer.get());
  auto mas = get_mas(buffer.get());
  if (!wanted(mas, time)) {
    // Not taken though it was news: the gate must show it again.
    if (mas && mas->needed && !get_tokens(buffer.get())) tell_dropped(*mas, "answer-every");
    return queue_.push_event(EventPtr(gst_event_new_gap(time.pts, time.duration))) ? GST_FLOW_OK
                                                                                   : GST_FLOW_FLUSHING;
  }
  const auto link = offload();
  auto picture = intake_.take(buffer.get(), time, std::move(mas), link && link->linked());
  if (!picture.ok()) {
    GST_ELEMENT_ERROR(pads_.element, STREAM, FORMAT,
                      ("localmllm cannot read the video: %s", picture.status().message().c_str()), (nullptr));
    return GST_FLOW_ERROR;
  }
  return queue_.push(std::move(picture).value()) == PushResult::refused ? GST_FLOW_FLUSHING : GST_FLOW_OK;
}

void LocalRun::lost(const Picture &picture, DropReason reason) {
  if (reason != DropReason::leak) return;
  {
    const std::lock_guard lock(mutex_);
    ++counters_.dropped;
    schedule_.owe();
  }
  // Only the encoder speaks of frames to the gate; with tokens on the buffer that was the compressor.
  if (picture.encoded_here()) tell_dropped(*picture.mas, "queue full");
}

void LocalRun::tell_dropped(const MasReport &mas, const char *reason) const {
  const TextPtr stream(gst_pad_get_stream_id(pads_.sink));
  gst_pad_push_event(pads_.sink, new_dropped({stream ? stream.get() : "", mas.frame,
                                              GST_OBJECT_NAME(pads_.element), reason}));
}

// --- streaming thread: events ---------------------------------------------------------------------------

bool LocalRun::take_event(GstEvent *event) {
  switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_FLUSH_START: return flush(event, true);
    case GST_EVENT_FLUSH_STOP: return flush(event, false);
    case GST_EVENT_CAPS: {
      GstCaps *caps = nullptr;
      gst_event_parse_caps(event, &caps);
      if (const auto status = intake_.set_caps(caps); !status.ok())
        warn("these caps cannot be taken", status);
      break;
    }
    case GST_EVENT_SEGMENT: {
      const GstSegment *segment = nullptr;
      gst_event_parse_segment(event, &segment);
      intake_.set_segment(*segment);
      settle_liveness();
      break;
    }
    case GST_EVENT_STREAM_START: liveness_known_ = false; break;
    default: break;
  }
  return queue_.push_event(EventPtr(event));
}

bool LocalRun::flush(GstEvent *event, bool on) {
  const auto link = offload();
  if (link) gst_pad_push_event(link->pad(), gst_event_ref(event));
  gst_pad_push_event(pads_.src, event);
  if (on) {
    stop_work();
    queue_.set_flushing(true);  // the worker is idle after this, and its state ours
    tell_held();
    return true;
  }
  if (link) link->reset();
  text_.restart();
  answerer_->forget();
  {
    const std::lock_guard lock(mutex_);
    stopping_ = std::stop_source();
    schedule_.owe();
  }
  queue_.set_flushing(false);
  return true;
}

// --- any thread -----------------------------------------------------------------------------------------

std::uint64_t LocalRun::ask(const std::string &question) {
  const auto id = questions_.ask(question);
  if (id) wake();
  return id;
}

void LocalRun::set_standing(std::vector<std::string> questions) {
  if (!questions_.set_standing(std::move(questions))) return;
  const std::lock_guard lock(mutex_);
  schedule_.owe();
}

void LocalRun::set_offload(std::shared_ptr<OffloadLink> link) {
  const std::lock_guard lock(mutex_);
  offload_ = std::move(link);
}

void LocalRun::cloud_spoke() { wake(); }

void LocalRun::warn(const std::string &what, const Status &status) const {
  GST_ELEMENT_WARNING(pads_.element, STREAM, FAILED, ("%s: %s", what.c_str(), status.message().c_str()),
                      (nullptr));
}

std::uint64_t LocalRun::new_id() {
  const std::lock_guard lock(mutex_);
  return ++last_id_;
}

std::shared_ptr<OffloadLink> LocalRun::offload() const {
  const std::lock_guard lock(mutex_);
  return offload_;
}

GstStructure *LocalRun::statistics() const {
  const auto queue_level = queue_.level();
  const std::lock_guard lock(mutex_);
  return counters_.to_structure(queue_level, questions_.waiting());
}

}  // namespace saccade::gst
