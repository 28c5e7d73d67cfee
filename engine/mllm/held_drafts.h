// Drafts that are not shown yet: the cloud was asked about them, and its answer may come soon enough.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.h"
#include "mllm/answer.h"

namespace saccade {

struct HeldDraft {
  Answer answer;
  bool standing = false;     // it answers a standing question
  Clock::time_point made{};  // since when it waits,
  Clock::time_point until{};
};

// Belongs to one thread. Drafts leave in the order in which they came.
class HeldDrafts {
 public:
  void add(HeldDraft draft) { drafts_.push_back(std::move(draft)); }

  // When the first of them has waited long enough.
  std::optional<Clock::time_point> next() const {
    const auto first = std::ranges::min_element(drafts_, {}, &HeldDraft::until);
    return first == drafts_.end() ? std::nullopt : std::optional(first->until);
  }

  std::vector<HeldDraft> take_due(Clock::time_point now) {
    return take_those([now](const HeldDraft &draft) { return draft.until <= now; });
  }
  std::vector<HeldDraft> take_about(std::string_view question) {
    return take_those([question](const HeldDraft &draft) { return draft.answer.question == question; });
  }
  std::vector<HeldDraft> take_all() { return std::exchange(drafts_, {}); }
  std::optional<HeldDraft> take(std::uint64_t id) {
    auto taken = take_those([id](const HeldDraft &draft) { return draft.answer.id == id; });
    return taken.empty() ? std::nullopt : std::optional(std::move(taken.front()));
  }

 private:
  template <typename Wanted>
  std::vector<HeldDraft> take_those(Wanted wanted) {
    const auto kept = std::stable_partition(drafts_.begin(), drafts_.end(), wanted);
    std::vector<HeldDraft> taken(std::move_iterator(drafts_.begin()), std::move_iterator(kept));
    drafts_.erase(drafts_.begin(), kept);
    return taken;
  }

  std::vector<HeldDraft> drafts_;
};

}  // namespace saccade
