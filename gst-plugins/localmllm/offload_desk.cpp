#include "localmllm/offload_desk.h"

#include <utility>

#include "offload/routing/decision_log.h"
#include "offload/upload/upload_sound.h"

// One line of JSON per decision, which decides the same again: see decision_log.h.
GST_DEBUG_CATEGORY_STATIC(saccade_routing_debug);
#define GST_CAT_DEFAULT saccade_routing_debug

namespace saccade::gst {
namespace {

constexpr std::size_t kMostOpen = 256;  // of which nobody has heard: the oldest are then forgotten

double pixels_of(const Image &picture) { return static_cast<double>(picture.width) * picture.height; }

std::optional<double> in_seconds(const std::optional<double> &milliseconds) {
  return milliseconds ? std::optional(*milliseconds / 1e3) : std::nullopt;
}

LinkSnapshot snapshot_of(const LinkState &state) {
  LinkSnapshot link;
  link.up = state.up;
  link.round_trip = from_seconds(state.round_trip_ms / 1e3);
  link.throughput = state.throughput;
  link.throughput_p10 = state.throughput_p10;
  link.loss = state.loss;
  link.connect_time = from_seconds(state.connect_ms / 1e3);
  return link;
}

}  // namespace

OffloadDesk::OffloadDesk(GstElement *element, const RouterSettings &settings)
    : element_(element), router_(settings) {
  GST_DEBUG_CATEGORY_INIT(saccade_routing_debug, "saccade-routing", 0,
                          "Where segments are answered, and why");
}

bool OffloadDesk::may_send(const OffloadLink *link, const Picture &picture) const {
  return link && link->linked() && !picture.offload_picture.rgb.empty() &&
         router_.settings().policy != OffloadPolicy::edge;
}

RouterInput OffloadDesk::input_for(const OffloadLink &link, const Segment &segment) const {
  const auto state = link.state();
  const auto &picture = segment.picture;
  RouterInput input;
  if (picture.mas) input = router_input_of(*picture.mas);
  input.audio_bytes = wav_bytes_in_request(picture.offload_sound);
  input.has_audio = input.audio_bytes > 0;  // what masgate has heard may not be for the cloud
  input.video_bytes = router_.picture_bytes(pixels_of(picture.offload_picture));
  input.cloud_linked = true;
  input.link_up = state.up;
  input.cloud_verifies = state.verifies;
  input.edge_queue = static_cast<unsigned>(segment.edge_queue);
  input.elapsed = Clock::now() - picture.arrived;
  input.now = Clock::now().time_since_epoch();
  input.link = snapshot_of(state);
  return input;
}

void OffloadDesk::begin(OffloadLink *link, const Segment &segment, const std::function<void()> &name) {
  sent_ = Sent::nothing;
  if (!may_send(link, segment.picture)) return;
  learn_spending(*link);
  const auto decision = router_.plan(input_for(*link, segment));
  if (decision.action == RouteAction::edge) return;
  name();
  say(segment, decision);
  const bool upload = decision.action == RouteAction::edge_with_upload;
  cargo_ = cargo_of(decision, router_.settings());
  if (!link->begin(question_of(segment, cargo_), segment.answer, upload)) return;
  sent_ = upload ? Sent::upload : Sent::question;
  if (!upload) remember(segment, decision.input);
}

bool OffloadDesk::finish(OffloadLink *link, const Segment &segment) {
  router_.edge_answered(segment.answer);
  const auto sent = std::exchange(sent_, Sent::nothing);
  if (!link) return false;  // the pad was released meanwhile
  if (sent == Sent::question) return link->draft(segment.answer, false);
  if (!may_send(link, segment.picture)) {
    if (sent == Sent::upload) link->cancel(segment.answer.id, "the draft has nowhere to go");
    return false;
  }
  auto input = input_for(*link, segment);
  if (sent == Sent::upload && cargo_.video) input.video_bytes = 0;
  if (sent == Sent::upload && cargo_.audio) input.audio_bytes = 0;
  input.draft_confidence = static_cast<double>(segment.answer.confidence);
  if (const auto &hesitation = segment.answer.hesitation) {
    input.draft_margin = static_cast<double>(hesitation->margin);
    input.draft_entropy = static_cast<double>(hesitation->entropy);
  }
  input.draft_tokens = static_cast<unsigned>(segment.answer.token_log_probabilities.size());
  const auto decision = router_.decide(input);
  say(segment, decision);
  if (decision.action == RouteAction::edge) {
    router_.draft_judged(input, false);
    if (sent == Sent::upload) link->cancel(segment.answer.id, "the draft is good enough");
    return false;
  }
  if (sent != Sent::upload) cargo_ = cargo_of(decision, router_.settings());  // else it is about what is up
  remember(segment, input);
  const bool verify = decision.action == RouteAction::verify;
  if (sent == Sent::upload) return link->draft(segment.answer, verify);
  return link->send(question_of(segment, cargo_), segment.answer, verify);
}

void OffloadDesk::give_up(OffloadLink *link, std::uint64_t id) {
  if (std::exchange(sent_, Sent::nothing) == Sent::upload && link) link->cancel(id, "there is no draft");
}

void OffloadDesk::learn(const OffloadLink::Arrived &arrived) {
  const auto &cloud = arrived.answer;
  const auto found = open_.find(cloud.id);
  if (found == open_.end() || cloud.partial) return;
  const auto asked = found->second;
  open_.erase(found);
  if (!cloud.ok) return;
  const auto bytes = static_cast<double>(cloud.call_bytes_sent);
  router_.picture_sent(asked.pixels, bytes - asked.sound_bytes);
  router_.cloud_answered({bytes, static_cast<double>(cloud.call_tokens), cloud.call_ms / 1e3,
                          in_seconds(cloud.call_server_ms), in_seconds(cloud.call_connect_ms)});
  if (arrived.drafted) router_.draft_judged(asked.input, !cloud.verified);
  if (cloud.tokens_drafted > 0)
    router_.draft_verified(static_cast<unsigned>(cloud.tokens_drafted),
                           static_cast<unsigned>(cloud.tokens_accepted));
}

OffloadLink::Question OffloadDesk::question_of(const Segment &segment, Cargo cargo) {
  const auto &picture = segment.picture;
  const auto &time = picture.time;
  return {picture.offload_picture,
          cargo.video,
          cargo.audio ? &picture.offload_sound : nullptr,
          segment.time,
          time.pts,
          time.duration,
          picture.mas};
}

// What left for the cloud since the last look, whatever came of it.
void OffloadDesk::learn_spending(const OffloadLink &link) {
  const auto now = link.state();
  if (now.bytes_sent < bytes_told_ || now.calls < calls_told_) bytes_told_ = calls_told_ = 0;  // a new sink
  const auto bytes = now.bytes_sent - std::exchange(bytes_told_, now.bytes_sent);
  const auto calls = now.calls - std::exchange(calls_told_, now.calls);
  if (bytes > 0 || calls > 0) router_.sent(bytes, calls, Clock::now().time_since_epoch());
}

void OffloadDesk::remember(const Segment &segment, const RouterInput &input) {
  while (open_.size() >= kMostOpen) open_.erase(open_.begin());
  Asked asked{input};
  if (cargo_.video) asked.pixels = pixels_of(segment.picture.offload_picture);
  if (cargo_.audio)
    asked.sound_bytes = static_cast<double>(wav_bytes_in_request(segment.picture.offload_sound));
  open_[segment.answer.id] = asked;
}

void OffloadDesk::say(const Segment &segment, const RouteDecision &decision) const {
  GST_DEBUG_OBJECT(element_, "segment %" G_GUINT64_FORMAT " %s: %s, because %s",
                   static_cast<guint64>(segment.answer.id),
                   decision.stage == RouteStage::plan ? "before its draft" : "with its draft",
                   to_string(decision.action), decision.reason.c_str());
  if (gst_debug_category_get_threshold(GST_CAT_DEFAULT) >= GST_LEVEL_LOG)
    GST_LOG_OBJECT(element_, "%s", to_json_line({router_.settings(), decision}).c_str());
}

}  // namespace saccade::gst
