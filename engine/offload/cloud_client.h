// Asks an OpenAI-compatible server, without ever making the caller wait.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/status.h"
#include "base/time.h"
#include "mllm/answer.h"
#include "offload/chat_completion.h"
#include "offload/link_estimate.h"

namespace saccade {

struct CloudSettings {
  std::string endpoint;  // as chat_completions_url() takes it
  std::string api_key;   // sent as a bearer token; empty = none. Stands in no log line and no error sentence.
  Duration timeout = std::chrono::seconds(30);  // of one attempt, to the last byte of the answer; not retried
  int retries = 2;                              // more attempts after one that failed for a passing reason
  Duration retry_backoff_factor =
      std::chrono::milliseconds(500);                    // wait before the first retry; doubles each time
  Duration retry_backoff_max = std::chrono::seconds(8);  // longest wait, a server's Retry-After included
  bool ssl_strict = true;                                // refuse certificates that cannot be verified
  std::size_t max_response_size = std::size_t{1} << 20;  // bytes
  int max_in_flight = 4;  // calls that are not answered yet, those waiting for a retry included
  LinkSettings link;
};

// How a call ended. Exactly one per accepted submit().
struct CloudOutcome {
  Result<Answer> answer;
  std::size_t bytes_sent = 0;      // on the wire above TLS, headers and every attempt included
  std::size_t bytes_received = 0;  // likewise
  Duration took{};                 // from the first attempt's start to the end, waits included
  Duration last_attempt{};
  int attempts = 0;
};

struct CloudStatistics {
  std::uint64_t answered = 0;
  std::uint64_t failed = 0;
  std::uint64_t cancelled = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t bytes_received = 0;
  LinkSnapshot link;
};

// All functions may be called from any thread, except that stop() and the destructor must not be called from
// a callback. Both kinds of callback run on the client's own thread, never under a lock, and must not block.
class CloudClient {
 public:
  using Ticket = std::uint64_t;
  using OutcomeCallback = std::function<void(CloudOutcome)>;
  // After every call that says something about the link. `changed`: it went up or down by it.
  using LinkCallback = std::function<void(const LinkSnapshot &link, bool changed, const std::string &reason)>;

  // Starts the client's thread; nothing is sent yet. invalid_argument when the settings make no sense.
  static Result<std::unique_ptr<CloudClient>> create(CloudSettings settings, LinkCallback on_link = {});
  ~CloudClient();

  // Takes the question and returns at once. Refused with `exhausted` when max_in_flight calls are out, with
  // `unavailable` while the link is down, with `cancelled` after stop(); then `done` is never called.
  Result<Ticket> submit(const ChatQuestion &question, OutcomeCallback done);
  // The call ends as `cancelled` soon, and its place is free at once; a ticket that has ended already is
  // ignored.
  void cancel(Ticket ticket);
  bool has_room() const;

  // Cancels every call and ends the thread; every outcome has been delivered when it returns, within half a
  // second and independent of the server. Idempotent.
  void stop();

  CloudStatistics statistics() const;

 private:
  class Worker;
  explicit CloudClient(std::unique_ptr<Worker> worker);
  std::unique_ptr<Worker> worker_;
};

}  // namespace saccade
