// Decides with the router what the cloud is asked, sends it, and tells the router what came of it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>

#include "localmllm/frame_intake.h"
#include "localmllm/offload_link.h"
#include "mllm/answer.h"
#include "offload/routing/router.h"

namespace saccade::gst {

// Belongs to the worker.
class OffloadDesk {
 public:
  OffloadDesk(GstElement *element, const RouterSettings &settings);

  // What is to be answered.
  struct Segment {
    const Picture &picture;
    const GstSegment &time;
    const Answer &answer;  // with its question and its time; before the draft without its text
    std::size_t edge_queue;
  };

  // Before the draft: what may be sent without it is. `name` gives the answer its id, when one is needed.
  void begin(OffloadLink *link, const Segment &segment, const std::function<void()> &name);
  // After it: true when the cloud was asked, now or before, and will answer or say why not.
  bool finish(OffloadLink *link, const Segment &segment);
  // There is no draft: what was uploaded for it is not wanted. What the cloud was asked already stands.
  void give_up(OffloadLink *link, std::uint64_t id);

  void learn(const OffloadLink::Arrived &arrived);

 private:
  enum class Sent { nothing, upload, question };
  // What the cloud has not answered.
  struct Asked {
    RouterInput input;
    double pixels = 0;       // of the picture that was sent; 0 = none was
    double sound_bytes = 0;  // of the sound that was, in the request
  };

  bool may_send(const OffloadLink *link, const Picture &picture) const;
  RouterInput input_for(const OffloadLink &link, const Segment &segment) const;
  static OffloadLink::Question question_of(const Segment &segment, Cargo cargo);
  void learn_spending(const OffloadLink &link);
  void remember(const Segment &segment, const RouterInput &input);
  void say(const Segment &segment, const RouteDecision &decision) const;

  GstElement *element_;
  Router router_;
  Sent sent_ = Sent::nothing;            // of the segment between begin() and finish(),
  Cargo cargo_;                          // and what of it
  std::map<std::uint64_t, Asked> open_;  // of segments that the cloud has not answered
  std::uint64_t bytes_told_ = 0;         // of the link, in all,
  std::uint64_t calls_told_ = 0;         // likewise
};

}  // namespace saccade::gst
