// Segments that the cloud could not be asked about wait on the disk, and are asked when the link is back.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "offload/cloud/cloud_client.h"
#include "offload/spool/spool.h"

namespace saccade {

// What a segment is about, for whoever asked and for whoever is asked.
struct SpooledSegment {
  std::string owner;  // with id it names the segment in this run
  std::uint64_t id = 0;
  std::string question;  // UTF-8
  StreamInterval about;
};

// Owns a thread, since the disk may take its time. All functions may be called from any thread and return at
// once, but for stop(). Callbacks run on that thread and must not block for long.
class SegmentSpool {
 public:
  struct Waiting {
    SpooledSegment what;
    SegmentMedia media;
    int max_tokens = 64;
    Status why;  // it waits
  };
  struct Callbacks {
    std::function<void(const Waiting &)> kept;
    // Asked after all; or neither asked nor kept: the folder is full, or it is too old by now. `ours`: a
    // segment of this run, whose owner still knows its id.
    std::function<void(const SpooledSegment &, CloudOutcome, bool ours)> ended;
    // Sent, whatever came of it.
    std::function<void(const SpooledSegment &, const SegmentMedia &, const CloudOutcome &)> left;
    std::function<void(const Status &)> trouble;  // with the folder, that costs no answer
    std::function<void()> room;  // the client has room again that was taken for what waited; on its thread
  };

  // `client` outlives it. model: to ask. Errors as Spool::open.
  static Result<std::unique_ptr<SegmentSpool>> open(const SpoolSettings &settings, std::string model,
                                                    CloudClient &client, Callbacks callbacks);
  ~SegmentSpool() { stop(); }
  SegmentSpool(const SegmentSpool &) = delete;
  SegmentSpool &operator=(const SegmentSpool &) = delete;

  // False when more wait for the disk than it is used to: the segment is not taken.
  bool keep(Waiting segment);
  // Nothing is asked before the first of these.
  void link_is(bool up);
  // Writes what keep() was given, takes what the client has answered, and ends the thread. The client is to
  // be stopped before: then it has said of all that it was asked what became of it, and what it could not
  // answer waits for the next start.
  void stop();

  SpoolStatistics statistics() const { return spool_->statistics(); }

 private:
  struct Asked {
    Spool::Ticket ticket;
    SpoolHeader header;
    SegmentMedia media;
  };

  SegmentSpool(std::unique_ptr<Spool> spool, std::string model, CloudClient &client, Callbacks callbacks);
  void work(const std::stop_token &stop);
  bool may_ask() const;  // mutex_ held
  void put(const Waiting &segment);
  void ask_next();
  void take_answer(const Asked &asked, CloudOutcome outcome);
  void lose(const SpooledSegment &segment, Status why, bool ours = true);
  void tell(const std::vector<SpoolLoss> &losses);
  void say(const Status &trouble);
  void pause(bool asked_before);
  std::string owner_of_this_run(const std::string &owner) const { return owner + run_; }
  SpooledSegment segment_of(const SpoolHeader &header, bool *ours) const;

  const std::unique_ptr<Spool> spool_;
  const std::string model_;
  CloudClient &client_;
  const Callbacks callbacks_;
  const std::string run_;  // tells this run's owners from those of others, whose ids began at 1, too

  std::string said_;  // of the trouble that goes on; the worker's alone

  mutable std::mutex mutex_;  // all below
  std::condition_variable_any changed_;
  std::deque<Waiting> to_keep_;
  std::optional<CloudOutcome> outcome_;
  std::optional<Asked> asked_;
  bool up_ = false;
  bool nothing_left_ = false;
  Clock::time_point not_before_{};

  std::jthread worker_;  // last: it uses all above
};

}  // namespace saccade
