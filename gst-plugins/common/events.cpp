#include "common/events.h"

#include <algorithm>

namespace saccade::gst {
namespace {

constexpr const char *kCommitted = "saccade/committed";
constexpr const char *kDropped = "saccade/dropped";
constexpr const char *kLoad = "saccade/load";
constexpr const char *kLinkState = "saccade/link-state";
constexpr const char *kAnswer = "saccade/answer";
constexpr const char *kSegmentBegin = "saccade/segment-begin";
constexpr const char *kSegmentDraft = "saccade/segment-draft";
constexpr const char *kSegmentCancel = "saccade/segment-cancel";
constexpr const char *kPatchGrid = "saccade/patch-grid";

GstEvent *upstream(GstStructure *structure) {
  return gst_event_new_custom(GST_EVENT_CUSTOM_UPSTREAM, structure);
}
GstEvent *downstream(GstStructure *structure) {
  return gst_event_new_custom(GST_EVENT_CUSTOM_DOWNSTREAM, structure);
}

// The structure of an event of that name, or null.
const GstStructure *structure_of(GstEvent *event, const char *name) {
  const GstStructure *structure = event ? gst_event_get_structure(event) : nullptr;
  return structure && gst_structure_has_name(structure, name) ? structure : nullptr;
}

std::string text(const GstStructure *structure, const char *field) {
  const char *value = gst_structure_get_string(structure, field);
  return value ? value : "";
}

double number(const GstStructure *structure, const char *field) {
  double value = 0;
  gst_structure_get_double(structure, field, &value);
  return value;
}

std::optional<double> number_where_known(const GstStructure *structure, const char *field) {
  double value = 0;
  return gst_structure_get_double(structure, field, &value) ? std::optional(value) : std::nullopt;
}

void set_where_known(GstStructure *structure, const char *field, const std::optional<double> &value) {
  if (value) gst_structure_set(structure, field, G_TYPE_DOUBLE, *value, nullptr);
}

bool truth(const GstStructure *structure, const char *field) {
  gboolean value = FALSE;
  gst_structure_get_boolean(structure, field, &value);
  return value;
}

int count(const GstStructure *structure, const char *field) {
  int value = 0;
  gst_structure_get_int(structure, field, &value);
  return std::max(value, 0);
}

// False when the field is missing: an event without its number names nothing.
bool number_of(const GstStructure *structure, const char *field, std::uint64_t *out) {
  guint64 value = 0;
  if (!gst_structure_get_uint64(structure, field, &value)) return false;
  *out = value;
  return true;
}

guint64 u64(std::uint64_t v) { return v; }

}  // namespace

GstEvent *new_committed(const Committed &event) {
  GBytes *patches = g_bytes_new(event.patches.data(), event.patches.size());
  GstStructure *structure = gst_structure_new(kCommitted,                                     //
                                              "stream", G_TYPE_STRING, event.stream.c_str(),  //
                                              "frame", G_TYPE_UINT64, u64(event.frame),       //
                                              "patches", G_TYPE_BYTES, patches,               //
                                              "consumer", G_TYPE_STRING, event.consumer.c_str(), nullptr);
  g_bytes_unref(patches);
  return upstream(structure);
}

std::optional<Committed> parse_committed(GstEvent *event) {
  const GstStructure *structure = structure_of(event, kCommitted);
  Committed parsed;
  if (!structure || !number_of(structure, "frame", &parsed.frame)) return std::nullopt;
  parsed.stream = text(structure, "stream");
  parsed.consumer = text(structure, "consumer");
  const GValue *patches = gst_structure_get_value(structure, "patches");
  if (patches && G_VALUE_HOLDS(patches, G_TYPE_BYTES)) {
    gsize size = 0;
    const auto *data = static_cast<const guint8 *>(
        g_bytes_get_data(static_cast<GBytes *>(g_value_get_boxed(patches)), &size));
    if (data) parsed.patches.assign(data, data + size);
  }
  return parsed;
}

GstEvent *new_dropped(const Dropped &event) {
  return upstream(gst_structure_new(kDropped,                                       //
                                    "stream", G_TYPE_STRING, event.stream.c_str(),  //
                                    "frame", G_TYPE_UINT64, u64(event.frame),       //
                                    "consumer", G_TYPE_STRING, event.consumer.c_str(), "reason",
                                    G_TYPE_STRING, event.reason.c_str(), nullptr));
}

std::optional<Dropped> parse_dropped(GstEvent *event) {
  const GstStructure *structure = structure_of(event, kDropped);
  Dropped parsed;
  if (!structure || !number_of(structure, "frame", &parsed.frame)) return std::nullopt;
  parsed.stream = text(structure, "stream");
  parsed.consumer = text(structure, "consumer");
  parsed.reason = text(structure, "reason");
  return parsed;
}

GstEvent *new_load(const Load &event) {
  return upstream(gst_structure_new(kLoad, "utilisation", G_TYPE_DOUBLE, event.utilisation, "queue-level",
                                    G_TYPE_UINT, event.queue_level, nullptr));
}

std::optional<Load> parse_load(GstEvent *event) {
  const GstStructure *structure = structure_of(event, kLoad);
  if (!structure) return std::nullopt;
  Load parsed;
  parsed.utilisation = number(structure, "utilisation");
  gst_structure_get_uint(structure, "queue-level", &parsed.queue_level);
  return parsed;
}

GstEvent *new_link_state(const LinkState &event) {
  return upstream(gst_structure_new(kLinkState,                                                         //
                                    "up", G_TYPE_BOOLEAN, static_cast<gboolean>(event.up),              //
                                    "round-trip-ms", G_TYPE_DOUBLE, event.round_trip_ms,                //
                                    "throughput", G_TYPE_DOUBLE, event.throughput,                      //
                                    "throughput-p10", G_TYPE_DOUBLE, event.throughput_p10,              //
                                    "loss", G_TYPE_DOUBLE, event.loss,                                  //
                                    "connect-ms", G_TYPE_DOUBLE, event.connect_ms,                      //
                                    "verifies", G_TYPE_BOOLEAN, static_cast<gboolean>(event.verifies),  //
                                    "bytes-sent", G_TYPE_UINT64, u64(event.bytes_sent),                 //
                                    "calls", G_TYPE_UINT64, u64(event.calls),                           //
                                    "reason", G_TYPE_STRING, event.reason.c_str(), nullptr));
}

std::optional<LinkState> parse_link_state(GstEvent *event) {
  const GstStructure *structure = structure_of(event, kLinkState);
  if (!structure) return std::nullopt;
  LinkState parsed;
  parsed.up = truth(structure, "up");
  parsed.round_trip_ms = number(structure, "round-trip-ms");
  parsed.throughput = number(structure, "throughput");
  parsed.throughput_p10 = number(structure, "throughput-p10");
  parsed.loss = number(structure, "loss");
  parsed.connect_ms = number(structure, "connect-ms");
  parsed.verifies = truth(structure, "verifies");
  number_of(structure, "bytes-sent", &parsed.bytes_sent);
  number_of(structure, "calls", &parsed.calls);
  parsed.reason = text(structure, "reason");
  return parsed;
}

GstEvent *new_cloud_answer(const CloudAnswer &event) {
  auto structure = gst_structure_new(kAnswer,                                                            //
                                     "owner", G_TYPE_STRING, event.owner.c_str(),                        //
                                     "id", G_TYPE_UINT64, u64(event.id),                                 //
                                     "text", G_TYPE_STRING, event.text.c_str(),                          //
                                     "confidence", G_TYPE_DOUBLE, event.confidence,                      //
                                     "partial", G_TYPE_BOOLEAN, static_cast<gboolean>(event.partial),    //
                                     "verified", G_TYPE_BOOLEAN, static_cast<gboolean>(event.verified),  //
                                     "ok", G_TYPE_BOOLEAN, static_cast<gboolean>(event.ok),              //
                                     "reason", G_TYPE_STRING, event.reason.c_str(),                      //
                                     "bytes-sent", G_TYPE_UINT64, u64(event.bytes_sent),                 //
                                     "took-ms", G_TYPE_DOUBLE, event.took_ms,                            //
                                     "tokens", G_TYPE_INT, event.tokens,                                 //
                                     "tokens-drafted", G_TYPE_INT, event.tokens_drafted,                 //
                                     "tokens-accepted", G_TYPE_INT, event.tokens_accepted,               //
                                     "call-bytes-sent", G_TYPE_UINT64, u64(event.call_bytes_sent),       //
                                     "call-ms", G_TYPE_DOUBLE, event.call_ms,                            //
                                     "call-tokens", G_TYPE_INT, event.call_tokens, nullptr);
  set_where_known(structure, "call-server-ms", event.call_server_ms);
  set_where_known(structure, "call-connect-ms", event.call_connect_ms);
  return upstream(structure);
}

std::optional<CloudAnswer> parse_cloud_answer(GstEvent *event) {
  const GstStructure *structure = structure_of(event, kAnswer);
  CloudAnswer parsed;
  if (!structure || !number_of(structure, "id", &parsed.id)) return std::nullopt;
  parsed.owner = text(structure, "owner");
  parsed.text = text(structure, "text");
  parsed.confidence = number(structure, "confidence");
  parsed.partial = truth(structure, "partial");
  parsed.verified = truth(structure, "verified");
  parsed.ok = truth(structure, "ok");
  parsed.reason = text(structure, "reason");
  number_of(structure, "bytes-sent", &parsed.bytes_sent);
  parsed.took_ms = number(structure, "took-ms");
  parsed.tokens = count(structure, "tokens");
  parsed.tokens_drafted = count(structure, "tokens-drafted");
  parsed.tokens_accepted = count(structure, "tokens-accepted");
  number_of(structure, "call-bytes-sent", &parsed.call_bytes_sent);
  parsed.call_ms = number(structure, "call-ms");
  parsed.call_tokens = count(structure, "call-tokens");
  parsed.call_server_ms = number_where_known(structure, "call-server-ms");
  parsed.call_connect_ms = number_where_known(structure, "call-connect-ms");
  return parsed;
}

GstEvent *new_segment_begin(const SegmentBegin &event) {
  return downstream(gst_structure_new(
      kSegmentBegin,                                      //
      "owner", G_TYPE_STRING, event.owner.c_str(),        //
      "id", G_TYPE_UINT64, u64(event.id),                 //
      "question", G_TYPE_STRING, event.question.c_str(),  //
      "start", G_TYPE_UINT64, u64(static_cast<std::uint64_t>(event.about.start.count())), "end",
      G_TYPE_UINT64, u64(static_cast<std::uint64_t>(event.about.end.count())), "draft-follows",
      G_TYPE_BOOLEAN, static_cast<gboolean>(event.draft_follows), nullptr));
}

std::optional<SegmentBegin> parse_segment_begin(GstEvent *event) {
  const GstStructure *structure = structure_of(event, kSegmentBegin);
  SegmentBegin parsed;
  std::uint64_t start = 0;
  std::uint64_t end = 0;
  if (!structure || !number_of(structure, "id", &parsed.id) || !number_of(structure, "start", &start) ||
      !number_of(structure, "end", &end))
    return std::nullopt;
  parsed.owner = text(structure, "owner");
  parsed.question = text(structure, "question");
  parsed.about = {StreamTime(static_cast<std::int64_t>(start)), StreamTime(static_cast<std::int64_t>(end))};
  parsed.draft_follows = truth(structure, "draft-follows");
  return parsed;
}

GstEvent *new_segment_draft(const SegmentDraft &event) {
  return downstream(gst_structure_new(kSegmentDraft,                                  //
                                      "owner", G_TYPE_STRING, event.owner.c_str(),    //
                                      "id", G_TYPE_UINT64, u64(event.id),             //
                                      "text", G_TYPE_STRING, event.text.c_str(),      //
                                      "confidence", G_TYPE_DOUBLE, event.confidence,  //
                                      "verify", G_TYPE_BOOLEAN, static_cast<gboolean>(event.verify),
                                      nullptr));
}

std::optional<SegmentDraft> parse_segment_draft(GstEvent *event) {
  const GstStructure *structure = structure_of(event, kSegmentDraft);
  SegmentDraft parsed;
  if (!structure || !number_of(structure, "id", &parsed.id)) return std::nullopt;
  parsed.owner = text(structure, "owner");
  parsed.text = text(structure, "text");
  parsed.confidence = number(structure, "confidence");
  parsed.verify = truth(structure, "verify");
  return parsed;
}

GstEvent *new_segment_cancel(const SegmentCancel &event) {
  return downstream(gst_structure_new(kSegmentCancel,                               //
                                      "owner", G_TYPE_STRING, event.owner.c_str(),  //
                                      "id", G_TYPE_UINT64, u64(event.id),           //
                                      "reason", G_TYPE_STRING, event.reason.c_str(), nullptr));
}

std::optional<SegmentCancel> parse_segment_cancel(GstEvent *event) {
  const GstStructure *structure = structure_of(event, kSegmentCancel);
  SegmentCancel parsed;
  if (!structure || !number_of(structure, "id", &parsed.id)) return std::nullopt;
  parsed.owner = text(structure, "owner");
  parsed.reason = text(structure, "reason");
  return parsed;
}

std::optional<PatchGrid> query_patch_grid(GstPad *src) {
  GstQuery *query = gst_query_new_custom(
      GST_QUERY_CUSTOM,
      gst_structure_new(kPatchGrid, "rows", G_TYPE_INT, 0, "columns", G_TYPE_INT, 0, nullptr));
  PatchGrid grid;
  if (gst_pad_peer_query(src, query)) {
    const GstStructure *structure = gst_query_get_structure(query);
    gst_structure_get_int(structure, "rows", &grid.rows);
    gst_structure_get_int(structure, "columns", &grid.columns);
  }
  gst_query_unref(query);
  if (grid.rows <= 0 || grid.columns <= 0) return std::nullopt;
  return grid;
}

bool answer_patch_grid(GstQuery *query, const PatchGrid &grid) {
  if (GST_QUERY_TYPE(query) != GST_QUERY_CUSTOM) return false;
  const GstStructure *structure = gst_query_get_structure(query);
  if (!structure || !gst_structure_has_name(structure, kPatchGrid)) return false;
  gst_structure_set(gst_query_writable_structure(query), "rows", G_TYPE_INT, grid.rows, "columns", G_TYPE_INT,
                    grid.columns, nullptr);
  return true;
}

}  // namespace saccade::gst
