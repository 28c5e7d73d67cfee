// When a standing question is answered again.
#pragma once

#include <cstdint>
#include <optional>

#include "base/time.h"

namespace saccade {

enum class AnswerOn {
  change,    // when the gate says that something changed; every frame when there is no gate
  frame,     // on every frame
  interval,  // as often as at_most_every allows, whether or not something changed
  question,  // only when asked: ask() or the text pad
};

// What the schedule needs to know of a frame.
struct FrameNews {
  StreamTime pts{};
  std::optional<std::uint64_t> gate_frame;  // MasReport::frame; empty = no gate upstream
  bool needed = true;                       // MasReport::needed; true without a gate
};

// Remembers what an answer is owed for, so that a frame lost on the way never makes its change vanish:
// after a loss the next frame is answered whether or not it is news itself.
// Not thread-safe: belongs to the streaming thread, guarded by its owner.
class AnswerSchedule {
 public:
  AnswerSchedule(AnswerOn on, Duration at_most_every) : on_(on), at_most_every_(at_most_every) {}

  // Whether this frame is to be answered. A yes counts as answered until owe() takes it back.
  bool take(const FrameNews &frame);

  // The next frame is owed an answer: a frame was lost, its answer failed, or the question changed.
  void owe() { owed_ = true; }

 private:
  AnswerOn on_;
  Duration at_most_every_;
  bool owed_ = true;  // the first frame always is
  std::optional<std::uint64_t> last_gate_frame_;
  std::optional<StreamTime> last_answered_;
};

}  // namespace saccade
