// Where requests of many clients are answered: a few sessions side by side, and a short queue before them.
#pragma once

#include <array>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/statistics.h"
#include "mllm/answer_form.h"
#include "mllm/session.h"
#include "server/chat_request.h"
#include "server/conversation_reader.h"
#include "server/last_used.h"

namespace saccade {

struct DeskOptions {
  int parallel = 4;            // answers that are written side by side, each by a session of its own
  std::size_t max_queue = 64;  // requests that wait for one of them
  SessionOptions session;
  ReadingOptions reading;
  std::size_t picture_cache_bytes = std::size_t{256} << 20;
};

// One request on its way. The callbacks are called on a thread of the desk's, `done` exactly once and last;
// they do not block. Where `stop` was asked for before its turn came, `done` may be called on the thread of
// whoever submits another order, or ends the desk.
struct Order {
  ChatRequest request;
  std::stop_token stop;
  std::function<void(std::string_view)> grew;  // bytes of the answer; only called where request.stream
  std::function<void(Result<Answer>)> done;
};

struct DeskFigures {
  int busy = 0;            // sessions that are at work
  std::size_t queued = 0;  // requests that wait
  DurationStatistics waiting, encode, prefill, decode;
  std::uint64_t prompt_tokens = 0, prompt_tokens_read = 0, completion_tokens = 0;
  std::uint64_t pictures_encoded = 0, pictures_remembered = 0;
};

// Thread-safe.
class AnswerDesk {
 public:
  // Loads the pair (seconds). Errors: those of ModelPair::open, Session::create and make_encoder.
  static Result<std::unique_ptr<AnswerDesk>> open(const ModelFiles &files, const DeskOptions &options);
  ~AnswerDesk();  // all orders were stopped by their stop tokens, or it waits for them
  AnswerDesk(const AnswerDesk &) = delete;
  AnswerDesk &operator=(const AnswerDesk &) = delete;

  // False when the queue is full of orders that somebody waits for: nothing was taken. Goes to an idle
  // session that has read the same first picture already, if there is one.
  bool submit(Order order);

  // About how long a request that comes now would wait for its turn.
  Duration expected_wait() const;
  DeskFigures figures() const;

 private:
  struct Queued {
    Order order;
    std::size_t about = 0;  // a fingerprint of its first picture or sound, 0 = none
    Clock::time_point since = Clock::now();
  };
  struct Clerk {
    std::unique_ptr<Session> session;
    std::unique_ptr<ConversationReader> reader;
    std::optional<Queued> given;  // guarded by mutex_, as are these:
    bool busy = false;
    std::size_t about = 0;
    std::uint64_t last_used = 0;
    std::jthread thread{};
  };

  explicit AnswerDesk(const DeskOptions &options);
  Clerk *idle_clerk(std::size_t about);
  std::vector<Queued> take_abandoned();
  void work(Clerk &clerk, const std::stop_token &stop);
  void take_next(Clerk &clerk);
  Result<Answer> answer(Clerk &clerk, const Order &order);
  Result<std::shared_ptr<const Grammar>> grammar_for(const ChatRequest &request);
  void learn(const Answer &answer, const ReadingReport &reading);

  const DeskOptions options_;
  std::shared_ptr<ModelPair> pair_;
  LastUsed<std::shared_ptr<const Grammar>> grammars_;  // each of size 1

  mutable std::mutex mutex_;  // all below
  std::condition_variable_any news_;
  std::deque<Queued> queue_;
  DeskFigures figures_;
  DurationStatistics whole_{64};  // of the last answers, waiting left out
  std::uint64_t clock_ = 0;

  std::vector<std::unique_ptr<Clerk>> clerks_;  // last: their threads use all above
};

}  // namespace saccade
