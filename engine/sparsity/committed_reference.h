// What the encoders downstream have of each patch, and what is on its way to them.
//
// A frame that leaves the gate is *pending*. Only when every known consumer says that it encoded a patch of
// it is that patch *committed*, and only then does the patch's reference move. A patch that a consumer lost,
// or about which nobody spoke in time, is *owed*: it counts as changed until it has been sent again. Hence a
// leaky queue anywhere in the middle never makes a change vanish, and slow drift always adds up.
// (The idea of a reference that moves per token only when it was recomputed: arXiv 2308.13494.)
//
// A consumer is known from its first word on, and forgotten when it has been silent for several timeouts in
// which frames waited for it. While no consumer was ever heard, what was emitted commits itself after
// the timeout: the gate then works without an encoder that talks to it.
//
// Not thread-safe: the gate's lock guards it. Memory is bounded: kMostPending frames of cells.
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/patch_grid.h"
#include "base/time.h"
#include "sparsity/patch_statistics.h"

namespace saccade {

class CommittedReference {
 public:
  static constexpr std::size_t kMostPending = 32;

  // Forgets everything that was seen (not who listens); every patch is unknown.
  void reset(const CellLayout &layout);
  const CellLayout &layout() const { return layout_; }

  // What the encoders will have once all that is pending has been committed: layout().count() cells.
  std::span<const std::uint8_t> expected() const { return expected_; }
  bool is_known(int patch) const { return expected_known_[static_cast<std::size_t>(patch)]; }
  bool all_known() const;
  bool is_owed(int patch) const { return owed_[static_cast<std::size_t>(patch)]; }
  bool any_owed() const;
  // Age of what the encoders have of the patch, since it was last emitted.
  Duration age(int patch, StreamTime now) const { return now - emitted_at_[static_cast<std::size_t>(patch)]; }

  // A frame goes downstream: 255 in `refresh` marks the patches that a consumer is asked to encode.
  void emit(std::uint64_t frame, StreamTime pts, std::span<const std::uint8_t> cells,
            const PatchMap &refresh);
  // Stream time has come to `now`: what waited `timeout` or longer is owed, or commits itself; zero = never.
  void advance(StreamTime now, Duration timeout);
  // `patches` empty = all. Frames that are not pending are ignored; a map of a foreign size counts only as
  // all or nothing.
  void committed(std::uint64_t frame, const PatchMap &patches, const std::string &consumer);
  void dropped(std::uint64_t frame, const std::string &consumer);

  std::size_t pending() const { return pending_.size(); }
  std::size_t consumers() const { return consumers_.size(); }

 private:
  struct Pending {
    std::uint64_t frame = 0;
    StreamTime pts{};
    std::vector<std::uint8_t> cells;
    PatchMap refresh;
    PatchMap encoded;                   // by every consumer that answered so far
    std::vector<std::string> answered;  // consumers
    bool timed_out = false;             // what it carried is owed already; a late commit still counts
  };
  struct Consumer {
    std::string name;
    StreamTime heard{};
  };

  void hear(const std::string &consumer);
  Pending *find(std::uint64_t frame);
  void answer(Pending &entry, const PatchMap *encoded, const std::string &consumer);
  bool is_settled(const Pending &entry) const;
  void settle(const Pending &entry);
  void settle_all();
  void commit_patch(int patch, const Pending &entry);
  void owe(const Pending &entry);
  void restore_expected(int patch);
  void copy_patch(int patch, std::span<const std::uint8_t> from, std::vector<std::uint8_t> &to) const;

  CellLayout layout_;
  std::vector<std::uint8_t> reference_;
  std::vector<std::uint8_t> expected_;
  std::vector<bool> reference_known_;
  std::vector<bool> expected_known_;
  std::vector<bool> owed_;
  std::vector<std::uint64_t> reference_frame_;  // that a patch's reference comes from
  std::vector<std::uint64_t> owed_since_;       // newest frame that lost the patch
  std::vector<StreamTime> emitted_at_;
  std::deque<Pending> pending_;  // oldest first
  std::vector<std::vector<std::uint8_t>> spare_cells_;
  std::vector<Consumer> consumers_;
  StreamTime now_{};
};

}  // namespace saccade
