#include "cloudoffloadsink/reports.h"

#include <gst/base/gstbasesink.h>

#include "common/events.h"

GST_DEBUG_CATEGORY_EXTERN(cloud_offload_sink_debug);
#define GST_CAT_DEFAULT cloud_offload_sink_debug

namespace saccade::gst::cloud {
namespace {

guint64 u64(std::uint64_t v) { return v; }

void push_upstream(GstElement *sink, GstEvent *event) { gst_pad_push_event(GST_BASE_SINK_PAD(sink), event); }

CloudAnswer event_of(const SegmentResult &result) {
  CloudAnswer event;
  event.owner = result.segment.owner;
  event.id = result.segment.id;
  event.verified = result.verified;
  event.bytes_sent = result.outcome.bytes_sent;
  event.took_ms = to_milliseconds(result.outcome.took);
  const auto &call = result.outcome.last_attempt;
  event.call_bytes_sent = call.bytes_sent;
  event.call_ms = to_milliseconds(call.took);
  event.call_tokens = call.tokens;
  if (call.server_time) event.call_server_ms = to_milliseconds(*call.server_time);
  if (call.connecting) event.call_connect_ms = to_milliseconds(*call.connecting);
  event.ok = result.outcome.answer.ok();
  if (!event.ok) {
    event.reason = result.outcome.answer.status().message();
    return event;
  }
  const auto &answer = result.outcome.answer.value();
  event.text = answer.text;
  event.confidence = static_cast<double>(answer.confidence);
  event.tokens = static_cast<int>(answer.token_log_probabilities.size());
  event.tokens_drafted = answer.tokens_guessed;
  event.tokens_accepted = answer.tokens_guessed_right;
  return event;
}

void report_answer(GstElement *sink, const SegmentResult &result) {
  const auto &answer = result.outcome.answer.value();
  const auto &segment = result.segment;
  const auto &outcome = result.outcome;
  auto structure = gst_structure_new("cloud-answer",                                                       //
                                     "owner", G_TYPE_STRING, segment.owner.c_str(),                        //
                                     "id", G_TYPE_UINT64, u64(segment.id),                                 //
                                     "text", G_TYPE_STRING, answer.text.c_str(),                           //
                                     "confidence", G_TYPE_DOUBLE, static_cast<double>(answer.confidence),  //
                                     "endpoint", G_TYPE_STRING, outcome.asked.c_str(),                     //
                                     "latency-ms", G_TYPE_DOUBLE, result.latency_ms,                       //
                                     "first-text-ms", G_TYPE_DOUBLE, to_milliseconds(outcome.first_text),  //
                                     "waited", G_TYPE_BOOLEAN, static_cast<gboolean>(result.waited),       //
                                     "bytes-sent", G_TYPE_UINT64, u64(outcome.bytes_sent),                 //
                                     "tokens-drafted", G_TYPE_INT, answer.tokens_guessed,                  //
                                     "tokens-accepted", G_TYPE_INT, answer.tokens_guessed_right, nullptr);
  gst_element_post_message(sink, gst_message_new_element(GST_OBJECT(sink), structure));
  g_signal_emit_by_name(sink, "answer", segment.owner.c_str(), u64(segment.id), answer.text.c_str(),
                        static_cast<double>(answer.confidence));
}

void report_failure(GstElement *sink, const SegmentResult &result) {
  const auto sentence = result.outcome.answer.status().message();
  // That the link is down has been said once; frames that nobody asked about do not repeat it thirty times a
  // second.
  if (result.plain && result.link_is_down) {
    GST_INFO_OBJECT(sink, "frame %" G_GUINT64_FORMAT " is not answered: %s", u64(result.segment.id),
                    sentence.c_str());
    return;
  }
  GST_ELEMENT_WARNING(sink, RESOURCE, FAILED, ("cloudoffloadsink: %s", sentence.c_str()),
                      ("segment %" G_GUINT64_FORMAT " of \"%s\" gets no answer from the cloud",
                       u64(result.segment.id), result.segment.owner.c_str()));
}

}  // namespace

void report(GstElement *sink, const SegmentResult &result) {
  if (result.owner_knows) push_upstream(sink, new_cloud_answer(event_of(result)));
  if (result.outcome.answer.ok()) {
    report_answer(sink, result);
  } else {
    report_failure(sink, result);
  }
}

void report_growth(GstElement *sink, const SegmentBegin &segment, const std::string &text) {
  CloudAnswer event;
  event.owner = segment.owner;
  event.id = segment.id;
  event.text = text;
  event.partial = true;
  push_upstream(sink, new_cloud_answer(event));
}

void report_trouble(GstElement *sink, const Status &status) {
  GST_ELEMENT_WARNING(sink, RESOURCE, WRITE, ("cloudoffloadsink: %s", status.message().c_str()), (nullptr));
}

void report_kept(GstElement *sink, const SegmentBegin &segment, const Status &why) {
  auto structure = gst_structure_new("cloud-deferred",                               //
                                     "owner", G_TYPE_STRING, segment.owner.c_str(),  //
                                     "id", G_TYPE_UINT64, u64(segment.id),           //
                                     "reason", G_TYPE_STRING, why.message().c_str(), nullptr);
  gst_element_post_message(sink, gst_message_new_element(GST_OBJECT(sink), structure));
}

void report_link(GstElement *sink, const CloudStatistics &now, bool changed, const std::string &reason) {
  const auto &link = now.link;
  LinkState state;
  state.up = link.up;
  state.round_trip_ms = to_milliseconds(link.round_trip);
  state.throughput = link.throughput;
  state.throughput_p10 = link.throughput_p10;
  state.loss = link.loss;
  state.connect_ms = to_milliseconds(link.connect_time);
  state.verifies = now.may_verify;
  state.bytes_sent = now.bytes_sent;
  state.calls = now.calls;
  state.reason = reason;
  GstEvent *event = new_link_state(state);
  if (changed) {
    GST_INFO_OBJECT(sink, "link is %s: %s", link.up ? "up" : "down", reason.c_str());
    GstStructure *structure = gst_structure_copy(gst_event_get_structure(event));
    gst_structure_set_name(structure, "link-state");
    gst_element_post_message(sink, gst_message_new_element(GST_OBJECT(sink), structure));
  }
  push_upstream(sink, event);
}

GstStructure *to_structure(const SenderStatistics &now) {
  return gst_structure_new("application/x-saccade-cloud-statistics",                        //
                           "segments", G_TYPE_UINT64, u64(now.segments),                    //
                           "answered", G_TYPE_UINT64, u64(now.answered),                    //
                           "verified", G_TYPE_UINT64, u64(now.cloud.verified),              //
                           "failed", G_TYPE_UINT64, u64(now.failed),                        //
                           "cancelled", G_TYPE_UINT64, u64(now.cancelled),                  //
                           "skipped", G_TYPE_UINT64, u64(now.skipped),                      //
                           "pictures", G_TYPE_UINT64, u64(now.pictures),                    //
                           "waiting", G_TYPE_UINT64, u64(now.spool.entries),                //
                           "waiting-bytes", G_TYPE_UINT64, u64(now.spool.bytes),            //
                           "calls", G_TYPE_UINT64, u64(now.cloud.calls),                    //
                           "bytes-sent", G_TYPE_UINT64, u64(now.cloud.bytes_sent),          //
                           "bytes-received", G_TYPE_UINT64, u64(now.cloud.bytes_received),  //
                           "round-trip-ms", G_TYPE_DOUBLE, to_milliseconds(now.cloud.link.round_trip),
                           "link-up", G_TYPE_BOOLEAN, static_cast<gboolean>(now.cloud.link.up), nullptr);
}

}  // namespace saccade::gst::cloud
