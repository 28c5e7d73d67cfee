#include "masgate/gate_run.h"

#include <algorithm>
#include <string>

#include "common/events.h"
#include "common/metas.h"

GST_DEBUG_CATEGORY_EXTERN(gst_mas_gate_debug);
#define GST_CAT_DEFAULT gst_mas_gate_debug

namespace saccade::gst {
namespace {

constexpr PatchGrid kFallbackGrid{8, 8};
constexpr Duration kFileAudioWait = std::chrono::seconds(1);
// Live, a picture is still when the sound is this far ahead of the last frame or gap on the video pad.
constexpr Duration kStillAfter = std::chrono::milliseconds(500);

Duration length_of(GstClockTime duration) {
  return Duration(GST_CLOCK_TIME_IS_VALID(duration) ? static_cast<std::int64_t>(duration) : 0);
}

}  // namespace

// ---- life

void GateRun::start() {
  gate_.restart();
  audio_.restart();
  {
    const std::lock_guard lock(stream_mutex_);
    gst_segment_init(&segment_, GST_FORMAT_TIME);
    gst_video_info_init(&info_);
    now_ = listened_to_ = {};
    ask_grid_ = true;
  }
  {
    const std::lock_guard lock(counts_mutex_);
    counts_ = {};
  }
  waker_ = std::jthread([this](std::stop_token stop) { watch_still_picture(stop); });
}

void GateRun::stop() {
  waker_ = {};
  const std::lock_guard lock(stream_mutex_);
  latest_.reset();
  has_caps_ = false;
}

GateSettings GateRun::settings() const {
  const std::lock_guard lock(settings_mutex_);
  return settings_;
}

void GateRun::change_settings(const std::function<void(GateSettings &)> &change) {
  const std::lock_guard lock(settings_mutex_);
  change(settings_);
  settings_changed_ = true;
}

GstStructure *GateRun::statistics() const {
  const auto looked = gate_.counts();
  const std::lock_guard lock(counts_mutex_);
  return gst_structure_new("masgate-statistics",                                                   //
                           "received", G_TYPE_UINT64, counts_.received,                            //
                           "kept", G_TYPE_UINT64, counts_.kept,                                    //
                           "dropped", G_TYPE_UINT64, counts_.dropped,                              //
                           "needed", G_TYPE_UINT64, guint64{looked.needed},                        //
                           "repeated", G_TYPE_UINT64, counts_.repeated,                            //
                           "patches-seen", G_TYPE_UINT64, guint64{looked.patches_seen},            //
                           "patches-refreshed", G_TYPE_UINT64, guint64{looked.patches_refreshed},  //
                           "sent-again", G_TYPE_UINT64, guint64{looked.sent_again},                //
                           "woken-by-sound", G_TYPE_UINT64, guint64{looked.woken_by_sound},        //
                           "audio-lost", G_TYPE_UINT64, guint64{audio_.lost_samples()},            //
                           "hash-matches", G_TYPE_UINT64, guint64{looked.hash_matches},            //
                           "pending", G_TYPE_UINT64, guint64{looked.pending}, nullptr);
}

// ---- what the stream says about itself

bool GateRun::upstream_is_live() const {
  gboolean live = FALSE;
  auto query = gst_query_new_latency();
  if (gst_pad_peer_query(sink_, query)) gst_query_parse_latency(query, &live, nullptr, nullptr);
  gst_query_unref(query);
  return live;
}

Status GateRun::set_caps(const GstCaps *caps) {
  const bool live = upstream_is_live();
  const std::lock_guard lock(stream_mutex_);
  GstVideoInfo info;
  has_caps_ = false;
  if (!gst_video_info_from_caps(&info, caps))
    return {StatusKind::unsupported, "cannot read these video caps"};
  if (auto status = luma_.set_format(info); !status.ok()) return status;
  if (!gst_video_info_is_equal(&info, &info_)) gate_.forget();  // another size or format is another picture
  info_ = info;
  has_caps_ = true;
  latest_.reset();
  ask_grid_ = true;
  live_ = live;
  return {};
}

void GateRun::set_segment(GstEvent *segment) {
  const std::lock_guard lock(stream_mutex_);
  gst_event_copy_segment(segment, &segment_);
}

void GateRun::flush() {
  const std::lock_guard lock(stream_mutex_);
  gate_.forget();
  latest_.reset();
  now_ = listened_to_ = {};
  gst_segment_init(&segment_, GST_FORMAT_TIME);
}

void GateRun::apply_settings() {
  GateSettings settings;
  {
    const std::lock_guard lock(settings_mutex_);
    if (!settings_changed_ && !ask_grid_) return;
    settings_changed_ = false;
    settings = settings_;
  }
  ask_grid_ = false;
  PatchGrid grid{settings.rows, settings.columns};
  if (grid.rows == 0 || grid.columns == 0) {
    const auto asked = query_patch_grid(src_).value_or(kFallbackGrid);
    if (grid.rows == 0) grid.rows = asked.rows;
    if (grid.columns == 0) grid.columns = asked.columns;
  }
  settings.engine.grid = grid;
  // A file's encoder is never in a hurry and loses nothing: without the timeout its run is reproducible.
  if (!live_) settings.engine.commit_timeout = Duration::zero();
  gate_.configure(settings.engine);
  GST_DEBUG_OBJECT(element_, "%s, %d rows and %d columns of patches", live_ ? "live" : "not live", grid.rows,
                   grid.columns);
}

StreamTime GateRun::running_time(GstClockTime pts) const {
  if (!GST_CLOCK_TIME_IS_VALID(pts)) return now_;
  const auto time = gst_segment_to_running_time(&segment_, GST_FORMAT_TIME, pts);
  return GST_CLOCK_TIME_IS_VALID(time) ? StreamTime(static_cast<std::int64_t>(time)) : now_;
}

// ---- sound

// What was heard since the last time somebody asked, up to `until`.
SoundReading GateRun::listen(StreamTime until) {
  const auto end = std::max(listened_to_, std::min(until, audio_.heard_until()));
  const auto heard = audio_.heard({listened_to_, end}, settings().audio_window);
  listened_to_ = end;
  return heard;
}

// The sound that belongs to a picture goes with it.
void GateRun::attach_sound(GstBuffer *buffer, const MasReport &report) {
  const auto window = settings().audio_window;
  if (!report.sound_active || window <= Duration::zero()) return;
  const auto clip = audio_.clip({listened_to_ - window, listened_to_});
  if (clip.rate > 0) set_audio(buffer, clip);
}

void GateRun::wait_for_sound(StreamTime time) {
  if (audio_.empty()) return;
  Duration wait(settings().audio_wait);
  if (wait < Duration::zero()) wait = live_ ? Duration::zero() : kFileAudioWait;
  audio_.wait_until_heard(time, wait);
}

// Live, with neither a frame nor a gap on the video pad, nobody else would notice that there was a sound.
void GateRun::watch_still_picture(std::stop_token stop) {
  StreamTime seen{};
  while (audio_.wait_for_more(stop, seen)) {
    seen = audio_.heard_until();
    const std::lock_guard lock(stream_mutex_);
    if (live_ && seen >= now_ + kStillAfter) repeat(seen, listen(seen));
  }
}

// ---- pictures

Result<MasReport> GateRun::look(GstBuffer *buffer, StreamTime time, const SoundReading &sound) {
  const auto picture = luma_.read(buffer, time);
  if (!picture.ok()) return picture.status();
  return gate_.look(picture.value().frame(), sound);
}

GstFlowReturn GateRun::chain(GstBuffer *buffer) {
  const std::lock_guard lock(stream_mutex_);
  if (!has_caps_) {
    gst_buffer_unref(buffer);
    return GST_FLOW_NOT_NEGOTIATED;
  }
  apply_settings();
  const auto start = running_time(GST_BUFFER_PTS(buffer));
  const auto end = start + length_of(GST_BUFFER_DURATION(buffer));
  wait_for_sound(start);
  const auto report = look(buffer, start, listen(end));
  if (!report.ok()) {
    GST_ELEMENT_ERROR(element_, STREAM, FORMAT, ("masgate: %s", report.status().message().c_str()),
                      (nullptr));
    gst_buffer_unref(buffer);
    return GST_FLOW_ERROR;
  }
  const auto &found = report.value();
  GST_LOG_OBJECT(element_, "frame %" G_GUINT64_FORMAT ": %s", guint64{found.frame}, found.reason.c_str());
  now_ = end;
  buffer = gst_buffer_make_writable(buffer);
  set_mas(buffer, found);
  if (found.needed) {
    latest_.reset(gst_buffer_copy_deep(buffer));  // deep: no upstream memory is held past this call
    attach_sound(buffer, found);
    post(found, start);
  }
  return pass(buffer, found.needed);
}

GstFlowReturn GateRun::pass(GstBuffer *buffer, bool needed) {
  const bool keep = needed || settings().mode == GateMode::annotate;
  {
    const std::lock_guard lock(counts_mutex_);
    ++counts_.received;
    ++(keep ? counts_.kept : counts_.dropped);
  }
  if (keep) return gst_pad_push(src_, buffer);
  if (GST_BUFFER_PTS_IS_VALID(buffer)) {
    gst_pad_push_event(src_, gst_event_new_gap(GST_BUFFER_PTS(buffer), GST_BUFFER_DURATION(buffer)));
  }
  gst_buffer_unref(buffer);
  return GST_FLOW_OK;
}

// Sends the latest picture once more, when a part of it was lost on the way or there was a sound. True when
// it did.
bool GateRun::repeat(StreamTime now, const SoundReading &sound) {
  if (!latest_) return false;
  const auto report = gate_.revisit(now, sound);
  if (!report) return false;
  GST_DEBUG_OBJECT(element_, "the picture goes out again: %s", report->reason.c_str());
  auto again = gst_buffer_copy(latest_.get());
  GST_BUFFER_PTS(again) =
      gst_segment_position_from_running_time(&segment_, GST_FORMAT_TIME, static_cast<guint64>(now.count()));
  GST_BUFFER_DTS(again) = GST_CLOCK_TIME_NONE;
  GST_BUFFER_DURATION(again) = GST_CLOCK_TIME_NONE;
  set_mas(again, *report);
  attach_sound(again, *report);
  {
    const std::lock_guard lock(counts_mutex_);
    ++counts_.repeated;
  }
  post(*report, now);
  gst_pad_push(src_, again);
  return true;
}

// A GAP says that time goes on without a picture: the moment to send again what was lost, or what a sound
// asks for.
gboolean GateRun::gap(GstEvent *gap) {
  GstClockTime pts;
  GstClockTime duration;
  gst_event_parse_gap(gap, &pts, &duration);
  const std::lock_guard lock(stream_mutex_);
  const auto start = running_time(pts);
  now_ = start + length_of(duration);
  wait_for_sound(start);
  if (!repeat(start, listen(now_))) return gst_pad_push_event(src_, gap);
  gst_event_unref(gap);
  return TRUE;
}

void GateRun::post(const MasReport &report, StreamTime time) {
  if (!settings().post_messages) return;
  auto facts = gst_structure_new("saccade/mas",                                                      //
                                 "frame", G_TYPE_UINT64, guint64{report.frame},                      //
                                 "running-time", G_TYPE_UINT64, static_cast<guint64>(time.count()),  //
                                 "mas-video", G_TYPE_DOUBLE, report.mas_video,                       //
                                 "mas-audio", G_TYPE_DOUBLE, report.mas_audio,                       //
                                 "complexity", G_TYPE_DOUBLE, report.complexity,                     //
                                 "refresh", G_TYPE_INT, report.refresh_count(),                      //
                                 "patches", G_TYPE_INT, report.grid.count(),                         //
                                 "route", G_TYPE_STRING, to_string(report.route),                    //
                                 "reason", G_TYPE_STRING, report.reason.c_str(), nullptr);
  gst_element_post_message(element_, gst_message_new_element(GST_OBJECT(element_), facts));
}

}  // namespace saccade::gst
