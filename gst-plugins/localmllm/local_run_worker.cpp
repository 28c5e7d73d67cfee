// What the worker of a run does: it sees pictures, answers, asks the cloud, and is the only one that pushes
// downstream.
#include <algorithm>
#include <utility>

#include "base/prometheus.h"
#include "common/events.h"
#include "localmllm/local_run.h"

GST_DEBUG_CATEGORY_EXTERN(gst_local_mllm_debug);
#define GST_CAT_DEFAULT gst_local_mllm_debug

namespace saccade::gst {
namespace {

constexpr const char *kWake = "saccade/wake";  // wakes the worker; never leaves this element
constexpr const char *kHeard = "[A sound stands out of the background.]\n";  // with sound=text
constexpr auto kLoadWindow = std::chrono::seconds(1);

}  // namespace

// --- pictures and questions -----------------------------------------------------------------------------

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
  current_->closer_picture = {};
  current_->sound = {};
  said_ = false;
  answer_standing_questions(stop);
  answer_waiting_questions(stop);
  if (!said_) pass(time);
  take_cloud_answers();
  tell_load(Clock::now() - start);
}

Status LocalRun::see(const Picture &picture, std::stop_token stop) {
  const auto pts = StreamTime(static_cast<std::int64_t>(picture.time.pts));
  const auto refresh = picture.mas ? picture.mas->refresh : PatchMap();
  const auto waited = [&] { return Clock::now() - picture.arrived; };
  if (picture.tokens) {
    answerer_->see(picture.tokens);
  } else if (auto status = answerer_->see(picture.encoder_picture.view(pts), refresh, stop, waited());
             !status.ok()) {
    return status;
  }
  if (picture.closer_picture.width > 0 && answerer_->may_look_closer(waited())) {
    if (auto status = answerer_->look_closer(picture.closer_picture.view(pts), stop); !status.ok())
      return status;
  }
  if (auto status = hear(picture, stop); !status.ok()) return status;
  if (picture.encoded_here()) {
    const TextPtr stream(gst_pad_get_stream_id(pads_.sink));
    gst_pad_push_event(pads_.sink,
                       new_committed({stream ? stream.get() : "", picture.mas->frame,
                                      answerer_->refreshed(refresh), GST_OBJECT_NAME(pads_.element)}));
  }
  return {};
}

Status LocalRun::hear(const Picture &picture, std::stop_token stop) {
  if (settings_.sound == SoundSetting::text) return picture.heard ? answerer_->note(kHeard) : Status();
  if (picture.sound.empty()) return {};
  const auto until = StreamTime(static_cast<std::int64_t>(picture.time.pts + picture.time.duration));
  const auto rate = answerer_->sound_rate();
  const auto length = from_seconds(static_cast<double>(picture.sound.size()) / rate);
  return answerer_->hear({picture.sound, rate, 1, until - length}, stop);
}

void LocalRun::answer_standing_questions(std::stop_token stop) {
  if (settings_.answer_on == AnswerOn::question) return;
  const auto questions = questions_.standing();
  if (questions.empty()) return;
  first_standing_ = questions.front();
  bool owed = false;
  for (const auto &question : questions) owed |= !answer(question, current_->arrived, true, stop);
  if (!owed) return;
  const std::lock_guard lock(mutex_);
  schedule_.owe();
}

void LocalRun::answer_waiting_questions(std::stop_token stop) {
  while (!stop.stop_requested()) {
    auto question = questions_.take();
    if (!question) break;
    const bool answered = answer(question->text, question->at, false, stop);
    // A flush has interrupted it, and what comes after the flush can still be asked about.
    if (!answered && stop.stop_requested()) questions_.put_back(std::move(*question));
  }
}

bool LocalRun::answer(const std::string &question, Clock::time_point since, bool standing,
                      std::stop_token stop) {
  const auto pts = StreamTime(static_cast<std::int64_t>(current_->time.pts));
  const auto started = Clock::now();
  const auto link = offload();
  auto growing = unanswered(question);
  growing.timings.capture_to_answer = waited_for(growing, since, standing);  // so far
  desk_.begin(link.get(), segment_for(growing), [&] { growing.id = new_id(); });
  auto made = make_answer(growing, since, standing ? stale_.begin(pts, stop) : stop);
  const bool stale = standing && stale_.end();
  if (!made.ok()) {
    desk_.give_up(link.get(), growing.id);
    const bool cancelled = made.status().kind() == StatusKind::cancelled;
    if (!cancelled) warn("\"" + question + "\" was not answered", made.status());
    const std::lock_guard lock(mutex_);
    if (!cancelled) ++counters_.failed;
    if (cancelled && stale && !stop.stop_requested()) ++counters_.stale;
    return false;
  }
  auto &answer = made.value();
  if (answer.id == 0) answer.id = new_id();
  const auto before = started - since - (current_->tokens ? Duration{} : answer.timings.encode);
  answer.timings.queued = std::max(before, Duration{}) + answer.timings.waiting;
  answer.timings.capture_to_answer = waited_for(answer, since, standing);
  give(std::move(answer), standing, link.get());
  return true;
}

// About the current picture, without words.
Answer LocalRun::unanswered(const std::string &question) const {
  Answer answer;
  answer.stream = GST_OBJECT_NAME(pads_.element);
  answer.question = question;
  answer.about.start = answer.about.end = StreamTime(static_cast<std::int64_t>(current_->time.pts));
  answer.about.end += Duration(static_cast<std::int64_t>(current_->time.duration));
  return answer;
}

OffloadDesk::Segment LocalRun::segment_for(const Answer &answer) const {
  return {*current_, segment_, answer, queue_.level()};
}

Result<Answer> LocalRun::make_answer(Answer &growing, Clock::time_point since, std::stop_token stop) {
  const auto grow = [&](std::string_view piece) {
    if (growing.id == 0) growing.id = new_id();
    growing.text += piece;
    publish(growing);
    text_.write(growing, current_->time);
  };
  growing.partial = true;
  auto made =
      answerer_->answer(growing.question, stop, settings_.partial ? TokenListener(grow) : TokenListener(),
                        Clock::now() - since);
  if (!made.ok()) return made;
  made.value().stream = growing.stream;
  made.value().id = growing.id;
  made.value().about.end += growing.about.end - growing.about.start;
  return made;
}

// A question is counted from when it was asked; a picture from its capture where the clock can tell.
Duration LocalRun::waited_for(const Answer &answer, Clock::time_point since, bool standing) const {
  const auto waited = Clock::now() - since;
  if (!standing) return waited;
  const auto now = gst_element_get_current_running_time(pads_.element);
  const bool clocked = !stamps_content() && GST_CLOCK_TIME_IS_VALID(now) && now >= current_->time.running;
  if (clocked) return Duration(static_cast<std::int64_t>(now - current_->time.running));
  return waited + (current_->tokens ? answer.timings.encode : Duration{});
}

// Whoever waits for what was declared shows an answer too late.
void LocalRun::tell_late(const Answer &answer) {
  if (!stamps_content()) return;  // nothing was declared
  const auto declared = Duration(static_cast<std::int64_t>(declared_latency(settings_)));
  const auto took = answer.timings.capture_to_answer;
  {
    const std::lock_guard lock(mutex_);
    if (!live_ || took <= declared) return;
    ++counters_.late;
  }
  if (std::exchange(told_late_, true)) return;
  warn("an answer took " + std::to_string(static_cast<int>(to_milliseconds(took))) + " ms",
       {StatusKind::timed_out, "a latency of " + std::to_string(static_cast<int>(to_milliseconds(declared))) +
                                   " ms was declared. Raise latency-budget, lower max-tokens, or set "
                                   "timestamp=arrival"});
}

// --- events ---------------------------------------------------------------------------------------------

void LocalRun::forward(EventPtr event) {
  const auto link = offload();
  switch (GST_EVENT_TYPE(event.get())) {
    case GST_EVENT_STREAM_START:
      show_late(held_.take_all());
      if (link) link->start_stream(event.get());
      text_.start_stream(event.get());
      break;
    case GST_EVENT_CAPS: {
      answerer_->forget();
      GstCaps *caps = nullptr;
      GstVideoInfo info;
      gst_event_parse_caps(event.get(), &caps);
      if (!link || !gst_video_info_from_caps(&info, caps)) break;
      const auto size = fitted(info.width, info.height, static_cast<int>(settings_.offload_size));
      link->set_caps(size.width, size.height);
      break;
    }
    case GST_EVENT_SEGMENT:
      show_late(held_.take_all());
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
  if (const auto unanswered = questions_.drop_waiting())
    warn(std::to_string(unanswered) + " question(s) were not answered",
         {StatusKind::invalid_argument, "the stream ended before a picture came"});
  if (const auto link = offload()) {
    link->end();
    drain_cloud(*link);
  }
  show_late(held_.take_all());
  write_metrics();
  text_.end();
}

// --- out ------------------------------------------------------------------------------------------------

void LocalRun::publish(const Answer &answer) {
  if (!answer.partial) {
    const std::lock_guard lock(mutex_);
    counters_.count(answer);
    counters_.given_up = answerer_->given_up();
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
  write_metrics();
}

void LocalRun::write_metrics() {
  if (settings_.metrics_file.empty()) return;
  std::string text;
  {
    const std::lock_guard lock(mutex_);
    text = counters_.to_prometheus(GST_OBJECT_NAME(pads_.element));
  }
  const auto status = replace_file(settings_.metrics_file, text);
  // Tried again each time, told once: a disk that is full may be emptied.
  if (!status.ok() && !std::exchange(told_metrics_, true))
    warn("metrics-file is not written for now", status);
}

void LocalRun::wake() {
  queue_.push_event(
      EventPtr(gst_event_new_custom(GST_EVENT_CUSTOM_DOWNSTREAM, gst_structure_new_empty(kWake))));
}

}  // namespace saccade::gst
