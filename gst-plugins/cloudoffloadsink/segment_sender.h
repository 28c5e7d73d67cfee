// From frames to answers: collects the frames of each segment, makes JPEGs of them and a WAV file of what was
// heard with them on its own thread, asks the cloud, and says how each segment ended.
#pragma once

#include <gst/video/video.h>

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "cloudoffloadsink/picture_maker.h"
#include "cloudoffloadsink/settings.h"
#include "common/events.h"
#include "common/metas.h"
#include "common/pointers.h"
#include "common/stage_queue.h"
#include "offload/cloud/cloud_client.h"
#include "offload/spool/segment_spool.h"

namespace saccade::gst {

// What one frame brings. A copy: nothing of upstream's is held.
struct SegmentFrame {
  std::optional<SegmentPicture> picture;  // nothing: it is not to be sent
  SoundClip sound{};                      // heard with it, no more than may leave; rate 0 = none
};

// How a segment ended.
struct SegmentResult {
  SegmentBegin segment{};
  CloudOutcome outcome{};     // without a call where none was made
  bool verified = false;      // the cloud said what the draft says
  bool plain = false;         // a frame that nobody asked about
  bool link_is_down = false;  // refused without a call, because the link is known to be down
  double latency_ms = 0;      // from the last frame's arrival to the answer; 0 = it waited on the disk
  bool waited = false;        // on the disk
  bool owner_knows = true;    // its owner runs, and may wait for it
};

struct SenderStatistics {
  std::uint64_t segments = 0;
  std::uint64_t answered = 0;
  std::uint64_t failed = 0;
  std::uint64_t cancelled = 0;
  std::uint64_t skipped = 0;   // plain frames that came while the cloud was busy
  std::uint64_t pictures = 0;  // compressed, each once for all questions about it
  SpoolStatistics spool;
  CloudStatistics cloud;
};

// Callbacks run on the sender's own threads, never under a lock, and must not block; stop() must
// not be called from one. begin(), draft() and frame() belong to the streaming thread; the rest may be called
// from any.
class SegmentSender {
 public:
  struct Callbacks {
    std::function<void(const SegmentResult &)>
        ended;  // once per segment that was neither cancelled nor stopped
    std::function<void(const SegmentBegin &, const std::string &text)> grows;  // all that is there so far
    std::function<void(const SegmentBegin &, const Status &why)> kept;  // on the disk, to be asked later
    std::function<void(const Status &)> trouble;                        // that costs no answer
    CloudClient::LinkCallback link;
  };

  static Result<std::unique_ptr<SegmentSender>> create(CloudOffloadSettings settings, Callbacks callbacks);
  ~SegmentSender() { stop(); }
  SegmentSender(const SegmentSender &) = delete;
  SegmentSender &operator=(const SegmentSender &) = delete;

  // Live: what the cloud has no room for is reported at once. Not live, the default: it waits for room.
  void set_live(bool live);
  void begin(const SegmentBegin &segment);
  void draft(const SegmentDraft &draft);
  void cancel(const SegmentCancel &cancel);

  // The question for frames whose segment never began and for plain ones, and the length of any answer.
  struct Asking {
    std::string prompt;
    int max_tokens = 64;
  };
  // A frame of a segment, or, without `info`, a segment of its own. Never blocks: see wait_for_space().
  void frame(SegmentFrame frame, const std::optional<SegmentInfo> &info, const Asking &asking);
  // Waits until frame() has room in the queue; at once when live. False when `give_up` said so; see wake().
  bool wait_for_space(const std::function<bool()> &give_up);

  // No more frames come: segments without their last frame end now. Waits for the others, at most `patience`,
  // or until `give_up` says so; then those still out end as timed out.
  void drain(Duration patience, const std::function<bool()> &give_up);
  void wake();  // has every wait ask its `give_up` again

  void set_flushing(bool flushing);  // on: cancels everything; off: takes frames again
  // Cancels everything, writes what is to be written and ends all threads, in bounded time unless the disk
  // hangs; idempotent.
  void stop();

  SenderStatistics statistics() const;

 private:
  using Serial = std::uint64_t;
  struct Segment {
    SegmentBegin what;
    std::optional<SegmentDraft> draft;
    SegmentMedia media;      // the sound once it is complete
    SoundClip heard{};       // before that
    AuditRecord made;        // what was done to its pictures, and what its sound is
    SegmentMedia for_spool;  // the same, when there is one, as soon as they are complete
    int max_tokens = 0;
    bool plain = false;
    bool complete = false;  // its last frame is here
    Clock::time_point completed{};
    std::optional<CloudClient::Ticket> ticket;
    bool held = false;  // the upload waits for the draft

    bool waits_for_draft() const { return what.draft_follows && !draft; }
    // What the client is to do with the draft; nothing when it is not there yet.
    std::optional<std::string> to_verify() const {
      if (waits_for_draft()) return std::nullopt;
      return draft && draft->verify ? draft->text : std::string();
    }
  };
  struct QueuedFrame {
    Serial serial = 0;
    SegmentFrame frame;
    bool final = false;
  };

  SegmentSender(CloudOffloadSettings settings, Callbacks callbacks);
  Status open_spool();
  Serial add_segment(SegmentBegin what, bool plain);  // mutex_ held
  std::optional<Serial> segment_for(const std::optional<SegmentInfo> &info,
                                    const Asking &asking);  // likewise
  void process(QueuedFrame queued, const std::stop_token &stop);
  Status add(Serial serial, PictureMaker::Made made);
  bool complete(Serial serial);
  void send(Serial serial, const std::stop_token &stop);
  void place(Serial serial, CloudClient::Ticket ticket, bool without_draft);
  void withdraw(CloudClient::Ticket ticket);
  void grow(Serial serial, const std::string &text);
  void end(Serial serial, CloudOutcome outcome, bool link_is_down = false);
  void end(Serial serial, Status why);
  bool keep(Segment &segment, const CloudOutcome &outcome);
  void called(Serial serial, CloudOutcome outcome);
  void answer_is_useless(Serial serial, const std::string &why);  // mutex_ held
  static AuditRecord record_of(const SegmentBegin &what, AuditRecord made);
  void account(AuditRecord record, const CloudOutcome &outcome);
  void report(const SegmentResult &result);
  void cancel_all();
  template <typename Wanted>
  void cancel_those(Wanted wanted);

  const CloudOffloadSettings settings_;
  const Callbacks callbacks_;
  std::unique_ptr<PictureMaker> pictures_;  // the worker's alone
  std::optional<AuditLog> audit_;
  std::unique_ptr<CloudClient> client_;
  std::unique_ptr<SegmentSpool> spool_;  // null without a folder

  mutable std::mutex mutex_;  // guards what follows, up to the queue
  std::condition_variable_any changed_;
  std::map<Serial, Segment> segments_;  // begun and not ended
  // What is on its way, with the outcome where its segment ended first, until the client has said whom it
  // asked; empty without an audit log.
  std::map<Serial, AuditRecord> uploads_;
  std::deque<std::uint64_t> begun_;  // ids of the latest segment-begin events
  int reporting_ = 0;                // segments that ended and are being told of
  Serial last_serial_ = 0;
  bool live_ = false;
  SenderStatistics statistics_;

  StageQueue<AuditRecord> lines_;  // for the audit log: the disk may take its time
  StageQueue<QueuedFrame> queue_;  // last, so that its worker ends before what it uses
};

}  // namespace saccade::gst
