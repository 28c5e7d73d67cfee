// A bad link on loopback: a TCP proxy that delays, throttles, holds back, spoils and cuts what goes through
// it, for tests and measurements on machines that have no netem. Every connection to port() is passed on to
// the target's port.
//
// It works on bytes, not on packets: loss shows as a stall, as it does to who uses TCP. The handshake cannot
// be delayed, so a new connection's first bytes are let in one round trip late instead. What is due goes out
// within about half a millisecond; statistics() says how late it went at worst, and never early.
#pragma once

#include <poll.h>

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/file_descriptor.h"
#include "faults/link_line.h"
#include "faults/link_schedule.h"

namespace saccade::faults {

struct LinkEmulatorSettings {
  int target_port = 0;  // on 127.0.0.1
  int listen_port = 0;  // on 127.0.0.1; 0 = any that is free
  LinkSchedule schedule = always({});
  std::size_t queue_bytes = 256 << 10;  // before each line; senders wait when there are as many
  std::uint64_t seed = 1;               // of jitter, loss and spoilt bits
};

struct LinkStatistics {
  struct Direction {
    LineStatistics line;
    std::uint64_t bytes_delivered = 0;
    Duration latest{};             // how late something went out at worst; a slow receiver's waits count
    Duration earliest{};           // below zero would mean that something went out before it was due
    std::size_t most_on_way = 0;   // bytes that were read from one connection and not passed on yet
    std::uint64_t times_full = 0;  // how often senders had to wait for room in the queue
  };
  Direction up;    // from who connects to the target
  Direction down;  // and back
  std::uint64_t connections = 0;
  std::uint64_t resets = 0;  // connections that ended by a cut, a refusing target or an error
  std::size_t open = 0;      // connections now
};

// One thread. All functions may be called from any thread.
class LinkEmulator {
 public:
  // Listens from here on. Throws std::system_error when it cannot.
  explicit LinkEmulator(LinkEmulatorSettings settings);
  // Resets every connection and ends the thread, within a few milliseconds in any state.
  ~LinkEmulator();
  LinkEmulator(const LinkEmulator &) = delete;
  LinkEmulator &operator=(const LinkEmulator &) = delete;

  int port() const { return port_; }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }

  // From its return on the link is so, and the schedule no longer counts.
  void set_state(const LinkState &state);

  LinkStatistics statistics() const;

 private:
  using Id = std::uint64_t;
  // One direction of one connection.
  struct Way {
    std::deque<Line::Unit> flying;  // have left the line, oldest first
    std::size_t sent = 0;           // bytes of the oldest
    std::size_t on_way = 0;         // bytes, in the line and behind it
    TimePoint last_due{};
    bool read_to_end = false;
    bool ended = false;    // its end was forwarded
    bool blocked = false;  // the receiver takes no more for now
  };
  struct Connection {
    FileDescriptor client;
    FileDescriptor target;
    TimePoint opens;         // one round trip after it was taken
    bool connecting = true;  // to the target
    Way up, down;
  };
  struct Direction {
    explicit Direction(std::uint64_t seed) : line(seed) {}
    Line line;
    bool full = false;
    LinkStatistics::Direction statistics;
  };
  struct Watched {
    Id id;
    bool is_client;
  };

  void run();
  void step(TimePoint now);
  void take_state(TimePoint now);
  void apply(const LinkState &state, TimePoint now);
  void open_door();
  void shut_door();
  void move(Direction &direction, Way Connection::*way, TimePoint now);
  bool deliver(Direction &direction, Way &way, int to, TimePoint now);
  bool send_oldest(Direction &direction, Way &way, int to, TimePoint now);
  bool read_some(Direction &direction, Way &way, int from, Id id, TimePoint now);
  bool may_read(const Direction &direction, const Connection &connection, const Way &way,
                TimePoint now) const;
  void note_fullness(Direction &direction);
  void collect_watched(TimePoint now);
  short events_of(const Connection &connection, bool is_client, TimePoint now) const;
  Duration time_to_next_event(TimePoint now) const;
  void serve_ready(TimePoint now);
  bool serve(Id id, Connection &connection, bool is_client, short ready, TimePoint now);
  void accept_connections(TimePoint now);
  void take_connection(FileDescriptor client, TimePoint now);
  void reset(Id id);
  void remove_finished();

  const LinkEmulatorSettings settings_;
  const TimePoint started_ = Clock::now();
  FileDescriptor keeper_;  // bound and never listening: keeps the port while it is cut
  FileDescriptor wake_;    // eventfd
  int port_ = 0;

  mutable std::mutex mutex_;  // guards what follows up to the next blank line; free while the thread waits
  std::condition_variable applied_;
  std::optional<LinkState> asked_;  // by set_state(), not taken yet
  bool by_schedule_ = true;
  bool stopping_ = false;
  LinkState state_;
  std::optional<TimePoint> state_ends_;
  FileDescriptor listener_;  // none while it is cut
  Direction up_, down_;
  std::map<Id, Connection> connections_;
  Id last_id_ = 0;
  LinkStatistics statistics_;

  std::vector<pollfd> polled_;    // the thread's own, as is the next
  std::vector<Watched> watched_;  // whose the polled ones behind the first two are
  std::size_t turn_ = 0;          // who is served first next time
  std::jthread thread_;
};

}  // namespace saccade::faults
