// What an emulated link does when: states by name, and files that list them. Pure functions.
//
// A file has one line per state, `SECONDS WORD…`, and may end with `SECONDS repeat`; `#` begins a comment:
//
//   0    delay=10ms rate=25MB/s
//   600  cut
//   630  delay=40ms down.rate=1MB/s loss=0.01
//   3600 repeat
//
// Each line says how its state differs from the base that the caller gives, not from the line before.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "faults/link_line.h"

namespace saccade::faults {

struct LinkState {
  enum class Door {
    open,
    cut,   // connections are reset, new ones refused
    hang,  // connections are taken; no byte and no end is forwarded until the door opens
  };
  LineState up{};    // from who connects to the target
  LineState down{};  // and back
  Door door = Door::open;
};

// Both directions alike.
inline LinkState both_ways(const LineState &line) { return {line, line}; }

// Changes `state` as a word says: `open`, `cut`, `hang`, `delay=10ms`, `jitter=2ms`, `rate=25MB/s`,
// `loss=0.01`, `stall=200ms`, `corrupt=0.0001`, `drip=50B/s`, each but the first three also for one direction
// as `up.delay=…` or `down.delay=…`. Times in us, ms, s, min; rates in B/s, kB/s, MB/s, kbit/s, Mbit/s; 0 of
// a rate = without limit. invalid_argument names the word.
Status apply_word(std::string_view word, LinkState *state);

struct LinkSchedule {
  struct Step {
    Duration at{};
    LinkState state;
  };
  std::vector<Step> steps;  // by time, the first at 0
  Duration repeat_after{};  // begins anew after so long; zero = the last state stays

  // The state after so long, and how long until another one comes (nothing: it stays).
  struct Place {
    LinkState state;
    std::optional<Duration> lasts;
  };
  Place at(Duration elapsed) const;
};

inline LinkSchedule always(const LinkState &state) { return {{{Duration::zero(), state}}, {}}; }

// invalid_argument names the line. time_scale: how many of the schedule's seconds pass in one.
Result<LinkSchedule> parse_schedule(std::string_view text, const LinkState &base, double time_scale = 1);

}  // namespace saccade::faults
