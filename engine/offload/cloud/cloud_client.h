// Asks an OpenAI-compatible server, without ever making the caller wait.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/status.h"
#include "offload/chat/chat_question.h"
#include "offload/cloud/cloud_outcome.h"
#include "offload/cloud/cloud_settings.h"

namespace saccade {

struct CloudStatistics {
  std::uint64_t answered = 0;
  std::uint64_t failed = 0;
  std::uint64_t cancelled = 0;
  std::uint64_t verified = 0;  // of those answered: whose draft the cloud verified
  // HTTP requests of which anything left, whatever came of them: retries, calls that verify and uploads that
  // were given up included. What a server may charge for.
  std::uint64_t calls = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t bytes_received = 0;
  LinkSnapshot link;
  bool may_verify = true;  // the server that would be asked now verifies drafts, or was not asked to yet
};

// All functions may be called from any thread, except that stop() and the destructor must not be called from
// a callback. Both kinds of callback run on the client's own thread, never under a lock, and must not block.
class CloudClient {
 public:
  using Ticket = std::uint64_t;
  // How it ended: once per question that was taken.
  using OutcomeCallback = std::function<void(CloudOutcome)>;
  // All of the answer that is there so far. After a failure in the middle it starts anew.
  using GrowthCallback = std::function<void(const std::string &text)>;
  // After every call, and when a link that was down may be tried again. `changed`: it went up or down by it.
  using LinkCallback =
      std::function<void(const CloudStatistics &now, bool changed, const std::string &reason)>;

  // Starts the client's thread; nothing is sent yet. invalid_argument when the settings make
  // no sense, not_found when tls_database cannot be read.
  static Result<std::unique_ptr<CloudClient>> create(CloudSettings settings, LinkCallback on_link = {});
  ~CloudClient();

  struct Asking {
    OutcomeCallback done;
    GrowthCallback growth = {};
    // What the edge thinks, to be verified by the cloud; empty = nothing is. Not set: it is not known yet,
    // and what can be sent before it is sent meanwhile; go_on() must follow.
    std::optional<std::string> draft = std::string();
  };
  // Takes the question and returns at once. Refused with `exhausted` when max_in_flight questions are out,
  // with `unavailable` while no server can be reached, with `cancelled` after stop(); then nothing is called.
  Result<Ticket> submit(ChatQuestion question, Asking asking);
  // How a question ended that submit() has refused.
  static CloudOutcome outcome_of_refusal(Status why);
  // The draft of a question that was submitted without one; empty = none is to be verified. Once.
  void go_on(Ticket ticket, std::string draft);
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
