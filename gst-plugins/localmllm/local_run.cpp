#include "localmllm/local_run.h"

#include <algorithm>
#include <utility>

#include "common/events.h"
#include "common/metas.h"

GST_DEBUG_CATEGORY_EXTERN(gst_local_mllm_debug);
#define GST_CAT_DEFAULT gst_local_mllm_debug

namespace saccade::gst {
namespace {

constexpr const char *kWake = "saccade/wake";  // wakes the worker; never leaves this element
constexpr std::size_t kMostQuestions = 64;     // that may wait
constexpr auto kLoadWindow = std::chrono::seconds(1);

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

}  // namespace

Result<std::unique_ptr<LocalRun>> LocalRun::create(const Pads &pads, const LocalMllmSettings &settings) {
  auto answerer = SegmentAnswerer::create(settings.files, settings.answerer);
  if (!answerer.ok()) return answerer.status();
  return std::unique_ptr<LocalRun>(new LocalRun(pads, settings, std::move(answerer).value()));
}

LocalRun::LocalRun(const Pads &pads, const LocalMllmSettings &settings,
                   std::unique_ptr<SegmentAnswerer> answerer)
    : pads_(pads),
      settings_(settings),
      answerer_(std::move(answerer)),
      intake_(settings.answerer.detail == Detail::tiles ? std::nullopt : std::optional(answerer_->input()),
              static_cast<int>(settings.offload_size)),
      text_(pads.src, settings.display_duration),
      router_(settings.router),
      schedule_(settings.answer_on, Duration(static_cast<std::int64_t>(settings.answer_every))),
      prompt_(settings.prompt),
      queue_({.process = [this](Picture picture, std::stop_token stop) { process(std::move(picture), stop); },
              .forward = [this](EventPtr event) { forward(std::move(event)); },
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
  // A question that waits wants a picture as fresh as it can be, when pictures are not encoded anyway.
  const bool asked = settings_.answer_on == AnswerOn::question && !questions_.empty();
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
    return true;
  }
  if (link) link->reset();
  text_.restart();
  {
    const std::lock_guard lock(mutex_);
    stopping_ = std::stop_source();
    schedule_.owe();
  }
  queue_.set_flushing(false);
  return true;
}

// --- worker: pictures and questions ---------------------------------------------------------------------

void LocalRun::process(Picture picture, std::stop_token stop) {
  const auto start = Clock::now();
  {
    const std::lock_guard lock(mutex_);
    ++counters_.taken;
  }
  const auto time = picture.time;
  if (const auto status = see(picture, stop); !status.ok()) {
    if (picture.encoded_here()) tell_dropped(*picture.mas, status.message().c_str());
    const bool cancelled = status.kind() == StatusKind::cancelled;
    if (!cancelled) warn("a frame was not seen", status);
    {
      const std::lock_guard lock(mutex_);
      schedule_.owe();
      if (!cancelled) ++counters_.failed;
    }
    pass(time);
    return;
  }
  current_ = std::move(picture);
  current_->encoder_picture = {};
  const bool said_standing = answer_standing_question(stop);
  const bool said_asked = answer_waiting_questions(stop);
  if (!said_standing && !said_asked) pass(time);
  take_cloud_answers();
  tell_load(Clock::now() - start);
}

Status LocalRun::see(const Picture &picture, std::stop_token stop) {
  if (picture.tokens) {
    answerer_->see(picture.tokens);
    return {};
  }
  const auto pts = StreamTime(static_cast<std::int64_t>(picture.time.pts));
  if (auto status = answerer_->see(picture.encoder_picture.view(pts), stop); !status.ok()) return status;
  if (picture.encoded_here()) {
    const TextPtr stream(gst_pad_get_stream_id(pads_.sink));
    gst_pad_push_event(
        pads_.sink,
        new_committed({stream ? stream.get() : "", picture.mas->frame, {}, GST_OBJECT_NAME(pads_.element)}));
  }
  return {};
}

bool LocalRun::answer_standing_question(std::stop_token stop) {
  std::string prompt;
  {
    const std::lock_guard lock(mutex_);
    prompt = prompt_;
  }
  if (prompt.empty() || settings_.answer_on == AnswerOn::question) return false;
  if (answer(prompt, current_->arrived, true, stop)) return true;
  const std::lock_guard lock(mutex_);
  schedule_.owe();
  return false;
}

bool LocalRun::answer_waiting_questions(std::stop_token stop) {
  bool said = false;
  while (!stop.stop_requested()) {
    Question question;
    {
      const std::lock_guard lock(mutex_);
      if (questions_.empty()) break;
      question = std::move(questions_.front());
      questions_.pop_front();
    }
    if (answer(question.text, question.asked, false, stop)) {
      said = true;
    } else if (stop.stop_requested()) {
      // A flush has interrupted it, and what comes after the flush can still be asked about.
      const std::lock_guard lock(mutex_);
      questions_.push_front(std::move(question));
    }
  }
  return said;
}

bool LocalRun::answer(const std::string &question, Clock::time_point since, bool standing,
                      std::stop_token stop) {
  const auto started = Clock::now();
  auto made = answerer_->answer(question, stop);
  if (!made.ok()) {
    if (made.status().kind() == StatusKind::cancelled) return false;
    warn("\"" + question + "\" was not answered", made.status());
    const std::lock_guard lock(mutex_);
    ++counters_.failed;
    return false;
  }
  Answer &answer = made.value();
  answer.id = new_id();
  answer.about.end += Duration(static_cast<std::int64_t>(current_->time.duration));
  answer.timings.queued = started - since - (current_->tokens ? Duration{} : answer.timings.encode);
  answer.timings.queued = std::max(answer.timings.queued, Duration{});
  // A question is counted from when it was asked; a picture from its capture where the clock can tell.
  auto waited = Clock::now() - since;
  if (standing) {
    const auto now = gst_element_get_current_running_time(pads_.element);
    const bool clocked = !stamps_content() && GST_CLOCK_TIME_IS_VALID(now) && now >= current_->time.running;
    waited = clocked ? Duration(static_cast<std::int64_t>(now - current_->time.running))
                     : waited + (current_->tokens ? answer.timings.encode : Duration{});
  }
  answer.timings.capture_to_answer = waited;
  if (send_to_cloud(answer)) answer.source = AnswerSource::edge_draft;
  if (standing) standing_ = answer;
  publish(answer);
  text_.write(answer, current_->time);
  return true;
}

bool LocalRun::send_to_cloud(const Answer &draft) {
  const auto link = offload();
  if (!link || !link->linked() || current_->offload_picture.rgb.empty()) return false;
  RouterInput input;
  if (current_->mas) {
    input.hint = current_->mas->route;
    input.complexity = current_->mas->complexity;
  }
  input.draft_confidence = static_cast<double>(draft.confidence);
  input.cloud_linked = true;
  input.link_up = link->link_up();
  input.edge_queue = static_cast<unsigned>(queue_.level());
  const auto decision = router_.decide(input);
  GST_DEBUG_OBJECT(pads_.element, "answer %" G_GUINT64_FORMAT ": %s, because %s",
                   static_cast<guint64>(draft.id), to_string(decision.destination), decision.reason.c_str());
  if (decision.destination != Destination::cloud) return false;
  const auto &time = current_->time;
  if (link->send(current_->offload_picture, segment_, time.pts, time.duration, draft) != GST_FLOW_OK)
    return false;
  const std::lock_guard lock(mutex_);
  ++counters_.offloaded;
  return true;
}

void LocalRun::take_cloud_answers() {
  const auto link = offload();
  if (!link) return;
  while (auto arrived = link->take()) {
    const auto &cloud = arrived->answer;
    if (!cloud.ok) {
      warn("the cloud did not answer \"" + arrived->draft.question + "\"; the local answer stands",
           {StatusKind::unavailable, cloud.reason});
      continue;
    }
    Answer corrected = arrived->draft;
    corrected.supersedes = corrected.id;
    corrected.id = new_id();
    corrected.text = cloud.text;
    corrected.token_log_probabilities.clear();
    corrected.confidence = static_cast<float>(cloud.confidence);
    corrected.source = cloud.verified ? AnswerSource::cloud_verified : AnswerSource::cloud;
    corrected.truncated = false;
    corrected.timings.capture_to_answer += Clock::now() - arrived->asked;
    {
      const std::lock_guard lock(mutex_);
      ++counters_.corrected;
    }
    if (standing_ && standing_->id == *corrected.supersedes) standing_ = corrected;
    publish(corrected);
    text_.correct(corrected);
  }
}

// --- worker: events -------------------------------------------------------------------------------------

void LocalRun::forward(EventPtr event) {
  const auto link = offload();
  switch (GST_EVENT_TYPE(event.get())) {
    case GST_EVENT_STREAM_START:
      if (link) link->start_stream(event.get());
      text_.start_stream(event.get());
      break;
    case GST_EVENT_CAPS: {
      GstCaps *caps = nullptr;
      GstVideoInfo info;
      gst_event_parse_caps(event.get(), &caps);
      if (!link || !gst_video_info_from_caps(&info, caps)) break;
      const auto size = fitted(info.width, info.height, static_cast<int>(settings_.offload_size));
      link->set_caps(size.width, size.height);
      break;
    }
    case GST_EVENT_SEGMENT:
      gst_event_copy_segment(event.get(), &segment_);
      text_.set_arrival(!stamps_content());
      // The offload pad first, since what is behind the text pad may block until it is prerolled.
      if (link) link->set_segment(segment_);
      text_.set_segment(segment_);
      break;
    case GST_EVENT_GAP: forward_gap(event.get()); break;
    case GST_EVENT_EOS: forward_eos(); break;
    default:
      if (!gst_event_has_name(event.get(), kWake)) break;  // tags and the like are about the video
      take_cloud_answers();
      // In question mode a fresh picture is on its way; otherwise the window is as fresh as it gets.
      if (settings_.answer_on != AnswerOn::question && current_) answer_waiting_questions(stop_token());
      break;
  }
}

void LocalRun::forward_gap(GstEvent *event) {
  FrameTime time;
  GstClockTime duration = 0;
  gst_event_parse_gap(event, &time.pts, &duration);
  time.duration = GST_CLOCK_TIME_IS_VALID(duration) ? duration : 0;
  const auto running = gst_segment_to_running_time(&segment_, GST_FORMAT_TIME, time.pts);
  time.running = GST_CLOCK_TIME_IS_VALID(running) ? running : 0;
  pass(time);
}

void LocalRun::pass(const FrameTime &time) {
  if (const auto link = offload()) link->pass(time.pts, time.duration);
  if (settings_.on_unchanged == OnUnchanged::repeat && standing_) {
    text_.repeat(*standing_, time);
  } else {
    text_.pass(time);
  }
}

void LocalRun::forward_eos() {
  if (current_) answer_waiting_questions(stop_token());
  std::size_t unanswered = 0;
  {
    const std::lock_guard lock(mutex_);
    unanswered = questions_.size();
    questions_.clear();
  }
  if (unanswered)
    warn(std::to_string(unanswered) + " question(s) were not answered",
         {StatusKind::invalid_argument, "the stream ended before a picture came"});
  if (const auto link = offload()) {
    link->end();
    const auto until = Clock::now() + Duration(static_cast<std::int64_t>(settings_.drain_timeout));
    while (link->wait(until)) take_cloud_answers();
    if (const auto left = link->awaited())
      warn(std::to_string(left) +
               " cloud answer(s) did not come within drain-timeout; the local answers stand",
           {StatusKind::timed_out, "raise drain-timeout or check the link"});
  }
  text_.end();
}

// --- worker: out ----------------------------------------------------------------------------------------

void LocalRun::publish(const Answer &answer) {
  {
    const std::lock_guard lock(mutex_);
    counters_.count(answer);
  }
  GstStructure *structure = answer_structure(answer);
  g_signal_emit_by_name(pads_.element, "answer", structure);
  gst_element_post_message(pads_.element, gst_message_new_element(GST_OBJECT(pads_.element), structure));
}

void LocalRun::tell_load(Duration busy) {
  busy_ += busy;
  const auto now = Clock::now();
  const auto window = now - load_window_;
  if (window < kLoadWindow) return;
  const double utilisation = std::min(1.0, to_seconds(busy_) / to_seconds(window));
  gst_pad_push_event(pads_.sink, new_load({utilisation, static_cast<unsigned>(queue_.level())}));
  load_window_ = now;
  busy_ = {};
}

// --- any thread -----------------------------------------------------------------------------------------

std::uint64_t LocalRun::ask(const std::string &question) {
  std::uint64_t id = 0;
  {
    const std::lock_guard lock(mutex_);
    if (questions_.size() >= kMostQuestions) return 0;
    questions_.push_back({question, Clock::now()});
    id = ++questions_asked_;
  }
  wake();
  return id;
}

void LocalRun::set_prompt(const std::string &prompt) {
  const std::lock_guard lock(mutex_);
  if (prompt_ == prompt) return;
  prompt_ = prompt;
  schedule_.owe();
}

void LocalRun::set_offload(std::shared_ptr<OffloadLink> link) {
  const std::lock_guard lock(mutex_);
  offload_ = std::move(link);
}

void LocalRun::cloud_spoke() { wake(); }

void LocalRun::wake() {
  queue_.push_event(
      EventPtr(gst_event_new_custom(GST_EVENT_CUSTOM_DOWNSTREAM, gst_structure_new_empty(kWake))));
}

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
  return counters_.to_structure(queue_level, questions_.size());
}

}  // namespace saccade::gst
