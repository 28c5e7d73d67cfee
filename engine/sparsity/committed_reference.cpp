#include "sparsity/committed_reference.h"

#include <algorithm>

namespace saccade {
namespace {

// A consumer that left (its branch was unlinked) must not hold the others up for ever.
constexpr int kTimeoutsUntilForgotten = 5;

}  // namespace

void CommittedReference::reset(const CellLayout &layout) {
  layout_ = layout;
  const auto patches = static_cast<std::size_t>(layout.grid.count());
  reference_.assign(layout.count(), 0);
  expected_.assign(layout.count(), 0);
  reference_known_.assign(patches, false);
  expected_known_.assign(patches, false);
  owed_.assign(patches, false);
  reference_frame_.assign(patches, 0);
  owed_since_.assign(patches, 0);
  emitted_at_.assign(patches, StreamTime{});
  pending_.clear();
  spare_cells_.clear();
  now_ = {};
  for (auto &consumer : consumers_) consumer.heard = {};
}

bool CommittedReference::any_owed() const {
  return std::find(owed_.begin(), owed_.end(), true) != owed_.end();
}

bool CommittedReference::all_known() const {
  return std::find(expected_known_.begin(), expected_known_.end(), false) == expected_known_.end();
}

void CommittedReference::copy_patch(int patch, std::span<const std::uint8_t> from,
                                    std::vector<std::uint8_t> &to) const {
  const int x = patch % layout_.grid.columns * layout_.cells_across;
  const int y = patch / layout_.grid.columns * layout_.cells_down;
  for (int row = y; row < y + layout_.cells_down; ++row) {
    const auto at = static_cast<std::ptrdiff_t>(row) * layout_.columns() + x;
    std::copy_n(from.begin() + at, layout_.cells_across, to.begin() + at);
  }
}

void CommittedReference::emit(std::uint64_t frame, StreamTime pts, std::span<const std::uint8_t> cells,
                              const PatchMap &refresh) {
  if (pending_.size() >= kMostPending) {
    if (consumers_.empty()) {
      auto &oldest = pending_.front();
      oldest.encoded = oldest.refresh;
      settle(oldest);
    } else if (!pending_.front().timed_out) {
      owe(pending_.front());
    }
    spare_cells_.push_back(std::move(pending_.front().cells));
    pending_.pop_front();
  }
  auto &entry = pending_.emplace_back();
  entry.frame = frame;
  entry.pts = pts;
  if (!spare_cells_.empty()) {
    entry.cells = std::move(spare_cells_.back());
    spare_cells_.pop_back();
  }
  entry.cells.assign(cells.begin(), cells.end());
  entry.refresh = refresh;
  entry.encoded.assign(refresh.size(), 255);
  for (int p = 0; p < layout_.grid.count(); ++p) {
    const auto i = static_cast<std::size_t>(p);
    if (!refresh[i]) continue;
    copy_patch(p, cells, expected_);
    expected_known_[i] = true;
    owed_[i] = false;
    emitted_at_[i] = pts;
  }
}

void CommittedReference::advance(StreamTime now, Duration timeout) {
  now_ = now;
  bool late = false;
  for (auto &entry : pending_) {
    if (timeout <= Duration::zero() || entry.timed_out || now - entry.pts < timeout) continue;
    if (consumers_.empty()) {
      entry.answered.emplace_back();  // nobody listens: what was emitted counts as encoded
      entry.encoded = entry.refresh;
    } else {
      entry.timed_out = true;
      late = true;
    }
  }
  if (consumers_.empty()) {
    while (!pending_.empty() && !pending_.front().answered.empty()) {
      settle(pending_.front());
      spare_cells_.push_back(std::move(pending_.front().cells));
      pending_.pop_front();
    }
    return;
  }
  if (!late) return;
  std::erase_if(consumers_,
                [&](const Consumer &c) { return now - c.heard > kTimeoutsUntilForgotten * timeout; });
  settle_all();
  for (const auto &entry : pending_) {
    if (entry.timed_out) owe(entry);
  }
}

void CommittedReference::hear(const std::string &consumer) {
  for (auto &known : consumers_) {
    if (known.name == consumer) {
      known.heard = now_;
      return;
    }
  }
  consumers_.push_back({consumer, now_});
}

CommittedReference::Pending *CommittedReference::find(std::uint64_t frame) {
  const auto it = std::find_if(pending_.begin(), pending_.end(),
                               [&](const Pending &entry) { return entry.frame == frame; });
  return it == pending_.end() ? nullptr : &*it;
}

// `encoded` null = nothing of it. One consumer's loss is enough to owe a patch: nobody waits for the others.
void CommittedReference::answer(Pending &entry, const PatchMap *encoded, const std::string &consumer) {
  if (std::find(entry.answered.begin(), entry.answered.end(), consumer) != entry.answered.end()) return;
  entry.answered.push_back(consumer);
  for (std::size_t p = 0; p < entry.encoded.size(); ++p) {
    const bool has_it = encoded && (encoded->empty() || (*encoded)[p] != 0);
    if (!has_it) entry.encoded[p] = 0;
  }
  owe(entry);
}

void CommittedReference::committed(std::uint64_t frame, const PatchMap &patches,
                                   const std::string &consumer) {
  hear(consumer);
  // A map of another grid cannot be laid over ours: it counts when it says "all of them", else as nothing.
  const bool ours = patches.empty() || patches.size() == static_cast<std::size_t>(layout_.grid.count());
  const bool whole = std::find(patches.begin(), patches.end(), std::uint8_t{0}) == patches.end();
  static const PatchMap kAll;
  const PatchMap *encoded = whole ? &kAll : ours ? &patches : nullptr;
  if (auto *entry = find(frame)) answer(*entry, encoded, consumer);
  // A consumer encodes in the order of the stream, so what it has not mentioned by now was lost on the way.
  for (auto &older : pending_) {
    if (older.frame < frame) answer(older, nullptr, consumer);
  }
  settle_all();
}

void CommittedReference::dropped(std::uint64_t frame, const std::string &consumer) {
  hear(consumer);
  if (auto *entry = find(frame)) {
    answer(*entry, nullptr, consumer);
    settle_all();
  }
}

bool CommittedReference::is_settled(const Pending &entry) const {
  return !consumers_.empty() &&
         std::all_of(consumers_.begin(), consumers_.end(), [&](const Consumer &consumer) {
           return std::find(entry.answered.begin(), entry.answered.end(), consumer.name) !=
                  entry.answered.end();
         });
}

void CommittedReference::settle_all() {
  for (std::size_t i = 0; i < pending_.size();) {
    if (!is_settled(pending_[i])) {
      ++i;
      continue;
    }
    const auto entry = std::move(pending_[i]);
    pending_.erase(pending_.begin() + static_cast<std::ptrdiff_t>(i));
    settle(entry);
    owe(entry);
  }
}

// Commits what every consumer has. The entry may still stand in pending_.
void CommittedReference::settle(const Pending &entry) {
  for (int p = 0; p < layout_.grid.count(); ++p) {
    if (entry.encoded[static_cast<std::size_t>(p)]) commit_patch(p, entry);
  }
}

void CommittedReference::commit_patch(int patch, const Pending &entry) {
  const auto p = static_cast<std::size_t>(patch);
  if (entry.frame < reference_frame_[p]) return;
  copy_patch(patch, entry.cells, reference_);
  reference_known_[p] = true;
  reference_frame_[p] = entry.frame;
  if (owed_[p] && owed_since_[p] <= entry.frame) owed_[p] = false;
  restore_expected(patch);
}

// What the entry carried and was not encoded must be sent again, unless a newer frame is on its way with it.
void CommittedReference::owe(const Pending &entry) {
  for (int p = 0; p < layout_.grid.count(); ++p) {
    const auto i = static_cast<std::size_t>(p);
    if (!entry.refresh[i] || (entry.encoded[i] && !entry.timed_out)) continue;
    if (reference_frame_[i] >= entry.frame) continue;
    const bool on_its_way = std::any_of(pending_.begin(), pending_.end(), [&](const Pending &other) {
      return other.frame > entry.frame && !other.timed_out && other.refresh[i] && other.encoded[i];
    });
    if (on_its_way) continue;
    owed_[i] = true;
    owed_since_[i] = std::max(owed_since_[i], entry.frame);
    restore_expected(p);
  }
}

void CommittedReference::restore_expected(int patch) {
  const auto p = static_cast<std::size_t>(patch);
  for (auto it = pending_.rbegin(); it != pending_.rend(); ++it) {
    if (it->timed_out || !it->refresh[p] || !it->encoded[p] || it->frame < reference_frame_[p]) continue;
    copy_patch(patch, it->cells, expected_);
    expected_known_[p] = true;
    return;
  }
  copy_patch(patch, reference_, expected_);
  expected_known_[p] = reference_known_[p];
}

}  // namespace saccade
