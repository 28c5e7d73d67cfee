// One question's way to the cloud: one call, or those that speculation takes. Internal to offload: lives on
// the client's thread, and all functions are called there.
//
// With a draft the first call to a server finds out what it can do, and the pool remembers it: it is given
// the draft as a prediction; one that does not speak of predictions is asked for prompt log-probabilities the
// next time; and one that does not know those either is asked plainly from then on.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "offload/chat/chat_question.h"
#include "offload/cloud/cloud_call.h"
#include "offload/cloud/cloud_outcome.h"

namespace saccade {

class CloudAsk {
 public:
  struct Listeners {
    CloudCall::Growth growth;                      // all of the answer that is there so far; may be empty
    std::function<void(const CallReport &)> call;  // after every call, for the link's sake
    std::function<void(CloudOutcome)> done;        // once, as the last thing the ask does
  };

  // draft: to be verified; empty = none; not set = not known yet, see go_on().
  CloudAsk(const CallTools &tools, std::size_t endpoint, ChatQuestion question,
           std::optional<std::string> draft, Listeners listeners);
  CloudAsk(const CloudAsk &) = delete;
  CloudAsk &operator=(const CloudAsk &) = delete;

  void start();
  // What the upload that is under way waits for: the draft, or nothing when it is not to be verified. Once.
  void go_on(std::string draft);
  void cancel();
  void abandon();  // as CloudCall has it

 private:
  DraftUse use_of_draft() const;
  void call(const GivenWords &given);
  void place_call(std::optional<std::string> tail);
  void add_up(const CallReport &report);
  void on_report(CallReport report);
  void on_predicted(const CallReport &report);
  void on_scored(const CallReport &report);
  void on_answered(const CallReport &report);
  void finish(const ChatReply &reply);
  void end(Result<Answer> answer);

  const CallTools tools_;
  std::size_t endpoint_;
  ChatQuestion question_;
  std::optional<std::string> draft_;
  Listeners listeners_;

  std::unique_ptr<CloudCall> call_;
  DraftUse use_ = DraftUse::none;  // of the call that is out
  bool held_ = false;              // it waits for its tail
  bool cancelled_ = false;
  int drafted_ = 0;  // tokens
  int drafted_right_ = 0;
  std::string accepted_;  // of the draft: the answer's beginning
  std::vector<float> accepted_log_probabilities_;
  CloudOutcome outcome_;
};

}  // namespace saccade
