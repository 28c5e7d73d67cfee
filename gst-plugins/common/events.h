// The custom events that our elements exchange. Each is an ordinary GstEvent with a GstStructure, so
// that queues, tees and foreign elements carry it, and a Python script can read it.
// Builders return a new reference that the caller owns; parsers return nothing when the event is
// not of that name or is malformed.
//
//   upstream, out of band (GST_EVENT_CUSTOM_UPSTREAM)
//     saccade/committed   {stream s, frame u64, patches bytes, consumer s}  the encoder has this frame now
//     saccade/dropped     {stream s, frame u64, consumer s, reason s}       it never will
//     saccade/load        {utilisation d, queue-level u}                    how busy the model is
//     saccade/link-state  {up b, round-trip-ms d, throughput d, throughput-p10 d, loss d, connect-ms d,
//                          verifies b, bytes-sent u64, calls u64, reason s} of the cloud link
//     saccade/answer      {owner s, id u64, text s, confidence d, partial b, verified b, ok b, reason s,
//                          bytes-sent u64, took-ms d, tokens i, tokens-drafted i, tokens-accepted i,
//                          call-bytes-sent u64, call-ms d, call-tokens i,
//                          call-server-ms d, call-connect-ms d}
//   downstream, serialized (GST_EVENT_CUSTOM_DOWNSTREAM), on the offload pad
//     saccade/segment-begin   {owner s, id u64, question s, start u64, end u64, draft-follows b}
//     saccade/segment-draft   {owner s, id u64, text s, confidence d, verify b}
//     saccade/segment-cancel  {owner s, id u64, reason s}
// and one custom query, downstream:
//     saccade/patch-grid      {rows i, columns i}    answered by the next encoder
#pragma once

#include <gst/gst.h>

#include <cstdint>
#include <optional>
#include <string>

#include "base/patch_grid.h"
#include "base/time.h"

namespace saccade::gst {

struct Committed {
  std::string stream;       // stream-id of the pad that the frame came in on
  std::uint64_t frame = 0;  // MasReport::frame
  PatchMap patches;         // 255 = encoded; empty = all of them
  std::string consumer;     // name of the element that encoded
};
GstEvent *new_committed(const Committed &event);
std::optional<Committed> parse_committed(GstEvent *event);

struct Dropped {
  std::string stream;
  std::uint64_t frame = 0;
  std::string consumer;
  std::string reason;
};
GstEvent *new_dropped(const Dropped &event);
std::optional<Dropped> parse_dropped(GstEvent *event);

struct Load {
  double utilisation = 0;  // [0, 1], share of the last second that the worker was busy
  unsigned queue_level = 0;
};
GstEvent *new_load(const Load &event);
std::optional<Load> parse_load(GstEvent *event);

struct LinkState {
  bool up = true;
  double round_trip_ms = 0;
  double throughput = 0;         // of uploads, bytes per second; 0 = unknown
  double throughput_p10 = 0;     // a tenth of the recent uploads were slower
  double loss = 0;               // [0, 1], of the recent attempts
  double connect_ms = 0;         // to open a connection; 0 = unknown
  bool verifies = false;         // the server is known to verify drafts, or was not asked to yet
  std::uint64_t bytes_sent = 0;  // since the sink was started, whatever came of them
  std::uint64_t calls = 0;       // likewise: requests that left, retries and calls that verify included
  std::string reason;
};
GstEvent *new_link_state(const LinkState &event);
std::optional<LinkState> parse_link_state(GstEvent *event);

struct CloudAnswer {
  std::string owner;  // GST_OBJECT_NAME of the localmllm that asked
  std::uint64_t id = 0;
  std::string text;
  double confidence = 0;
  bool partial = false;   // it still grows; text is what there is of it
  bool verified = false;  // the cloud confirmed the draft, word for word
  bool ok = true;         // false: no answer will come; `reason` says why
  std::string reason;
  // What it cost, and what became of the draft's tokens where it was verified; of an answer that is whole.
  std::uint64_t bytes_sent = 0;
  double took_ms = 0;
  int tokens = 0;
  int tokens_drafted = 0;
  int tokens_accepted = 0;
  // Of its last request alone, the wait for a draft left out: what one call costs.
  std::uint64_t call_bytes_sent = 0;
  double call_ms = 0;
  int call_tokens = 0;
  // Of call_ms, where the server tells its own time, and where a connection was opened; else not there.
  std::optional<double> call_server_ms;
  std::optional<double> call_connect_ms;
};
GstEvent *new_cloud_answer(const CloudAnswer &event);
std::optional<CloudAnswer> parse_cloud_answer(GstEvent *event);

struct SegmentBegin {
  std::string owner;
  std::uint64_t id = 0;
  std::string question;
  StreamInterval about;
  bool draft_follows = false;  // the answer waits for segment-draft, and the upload does not
};
GstEvent *new_segment_begin(const SegmentBegin &event);
std::optional<SegmentBegin> parse_segment_begin(GstEvent *event);

struct SegmentDraft {
  std::string owner;
  std::uint64_t id = 0;
  std::string text;
  double confidence = 0;
  bool verify = false;  // the cloud is to verify it and go on from there, if it can
};
GstEvent *new_segment_draft(const SegmentDraft &event);
std::optional<SegmentDraft> parse_segment_draft(GstEvent *event);

struct SegmentCancel {
  std::string owner;
  std::uint64_t id = 0;
  std::string reason;
};
GstEvent *new_segment_cancel(const SegmentCancel &event);
std::optional<SegmentCancel> parse_segment_cancel(GstEvent *event);

// Asks downstream of `src` for the encoder's grid; empty when nobody answers.
std::optional<PatchGrid> query_patch_grid(GstPad *src);
// For encoders: true when `query` was saccade/patch-grid and has been answered.
bool answer_patch_grid(GstQuery *query, const PatchGrid &grid);

}  // namespace saccade::gst
