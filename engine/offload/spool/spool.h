// Segments that wait on the disk for the link to come back.
//
// Each is one private file in one private folder, written whole or not at all, so that a process that is
// killed or loses its power loses nothing that put() had taken. Opening the folder again restores everything:
// what was out when the process died waits again, its attempts counted. So a segment is answered at least
// once and, after a crash between the answer and done(), perhaps twice. What is damaged is found by its
// checksum, removed and counted, never answered.
//
// The queue is bounded in bytes, entries and age. When it is full, the segment goes that would be answered
// last: with `oldest_first` the one that comes, with `newest_first` the oldest. Nothing goes silently: see
// SpoolLoss. Order is the order of put(), not of clocks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/time.h"
#include "offload/chat/chat_question.h"
#include "offload/sha256.h"

namespace saccade {

enum class SpoolOrder { oldest_first, newest_first };

struct SpoolSettings {
  std::string folder;                              // made when only it is missing; its owner's alone (0700)
  std::size_t max_bytes = std::size_t{256} << 20;  // of files
  std::size_t max_entries = 1000;
  // Zero = without limit. By the clock of day: what was put before that clock was set (a board without a
  // battery starts in 1970) does not expire.
  Duration max_age = std::chrono::hours(24);
  SpoolOrder order = SpoolOrder::oldest_first;
};

struct SpoolHeader {
  std::string owner;     // with id it names the segment; whoever counts ids from 1 at every start needs an
  std::uint64_t id = 0;  // owner that tells its runs apart
  std::string question;  // UTF-8
  int max_tokens = 64;
  StreamInterval about;
  // Filled in by put().
  WallTime created{};
  Sha256 content{};  // of the pictures and the sound
  int attempts = 0;  // how often take() gave it out; see not_asked()
};

// What a segment shows and lets hear.
struct SegmentMedia {
  std::vector<JpegBytes> images;      // oldest first
  std::vector<std::uint8_t> sound{};  // a WAV file; empty = none

  bool empty() const { return images.empty() && sound.empty(); }
};

struct SpoolEntry {
  SpoolHeader header;
  SegmentMedia media;
};

// A segment that will not be answered by way of the spool.
struct SpoolLoss {
  enum class Why { full, expired, damaged };
  SpoolHeader header;
  Why why = Why::full;
  std::string sentence;  // for people
};

struct SpoolStatistics {
  std::size_t entries = 0;  // now, those out included
  std::size_t bytes = 0;    // now
  std::size_t out = 0;      // taken and neither done nor put back
  std::uint64_t stored = 0;
  std::uint64_t answered = 0;
  std::uint64_t same = 0;  // put() had them already
  std::uint64_t full = 0;  // dropped for want of room
  std::uint64_t expired = 0;
  std::uint64_t damaged = 0;  // files; those whose header could not be read stand in no SpoolLoss
};

class SpoolFolder;

// All functions may be called from any thread. They write to the disk and wait for it, milliseconds or more:
// not for a streaming thread. Errors name the file and leave the queue as it was.
class Spool {
 public:
  using Ticket = std::uint64_t;
  using WallClock = std::function<WallTime()>;

  // Errors: unavailable (another process has the folder, or it cannot be written), invalid_argument (others
  // may look into it, or a limit is zero), exhausted, not_found.
  static Result<std::unique_ptr<Spool>> open(SpoolSettings settings, WallClock now = wall_clock());
  ~Spool();
  Spool(const Spool &) = delete;
  Spool &operator=(const Spool &) = delete;

  struct Put {
    bool stored = false;
    std::optional<SpoolHeader>
        same_as;                  // why not: this one waits already, with its owner and id or its content
    std::vector<SpoolLoss> lost;  // since last told; the segment itself where there is no room for it
  };
  // Of the header owner, id, question, max_tokens and about count. invalid_argument: a text that is too long,
  // an age that cannot be; exhausted: the disk is full, or the segment alone is larger than max_bytes.
  Result<Put> put(const SpoolEntry &segment);

  struct Taken {
    Ticket ticket = 0;
    SpoolEntry segment;
  };
  struct Take {
    std::optional<Taken> taken;   // nothing: no segment waits
    std::vector<SpoolLoss> lost;  // since last told
  };
  // The next one in order; it is out until done() or put_back().
  Result<Take> take();
  // It was answered, or given up for good: its file goes. invalid_argument: no such ticket is out.
  Status done(Ticket ticket);
  // It was not answered: it waits again, at its old place. Errors as done().
  Status put_back(Ticket ticket);
  // Nothing of it left: as put_back(), and this time does not count as an attempt. Where the disk refuses
  // that, it waits all the same, with the attempt counted.
  Status not_asked(Ticket ticket);

  SpoolStatistics statistics() const;

  static WallClock wall_clock();

 private:
  struct Held {
    SpoolHeader header;
    std::size_t bytes = 0;  // of its file
    bool out = false;
  };
  using Waiting = std::map<Ticket, Held>;  // by the order of put()

  Spool(SpoolSettings settings, WallClock now, std::unique_ptr<SpoolFolder> folder);
  Status restore();
  Status restore(const std::string &name);
  Result<Held> read_header(const std::string &name) const;
  const SpoolHeader *same_as(const SpoolHeader &header) const;
  bool room_for(std::size_t entries, std::size_t bytes) const;
  bool could_make_room_for(std::size_t bytes) const;
  std::optional<Ticket> first_waiting(SpoolOrder order) const;
  Status drop_what_is_too_much();
  Status drop_expired();
  Status drop(Ticket ticket, SpoolLoss::Why why, std::string sentence);
  void note_loss(const SpoolHeader &header, SpoolLoss::Why why, std::string sentence);
  Result<std::optional<SegmentMedia>> read_media(Ticket ticket);
  Result<Held *> out(Ticket ticket);
  Result<Held *> taken_back(Ticket ticket);  // it waits again
  void forget(Ticket ticket);

  const SpoolSettings settings_;
  const WallClock now_;
  const std::unique_ptr<SpoolFolder> folder_;

  mutable std::mutex mutex_;  // guards what follows and the folder
  Waiting held_;
  Ticket last_ticket_ = 0;
  std::vector<SpoolLoss> losses_;  // not told yet
  SpoolStatistics statistics_;     // entries, bytes and out are kept up to date, too
};

}  // namespace saccade
