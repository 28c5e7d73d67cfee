// What the client says of the link and of a call's cost. The times that a test judges by are those that the
// emulated link keeps at least, so that a busy machine changes no verdict.
#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <thread>

#include "faults/fault_server.h"
#include "faults/link_emulator.h"
#include "offload_cloud.h"

namespace saccade {
namespace {

using faults::Behaviour;
using faults::completion;
using faults::FaultServer;
using faults::LinkEmulator;
using std::chrono::milliseconds;

constexpr double kTicks = 0.02;  // seconds by which two readings of the kernel's clock may be off

// A client, and how the one question ended that it is asked.
class Asker {
 public:
  explicit Asker(const CloudSettings &settings) : client_(CloudClient::create(settings).value()) {}

  CloudClient::Ticket submit(std::size_t picture_bytes, std::optional<std::string> draft = "") {
    ChatQuestion question = kQuestion;
    question.images = {JpegBytes(picture_bytes, 7)};
    const auto done = [this](CloudOutcome outcome) {
      const std::lock_guard lock(mutex_);
      outcome_ = std::move(outcome);
      changed_.notify_all();
    };
    return client_->submit(std::move(question), {.done = done, .draft = std::move(draft)}).value();
  }
  CloudOutcome outcome() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return outcome_.has_value(); });
    EXPECT_TRUE(outcome_->answer.ok()) << outcome_->answer.status().message();
    return *std::exchange(outcome_, std::nullopt);
  }
  CloudClient &client() { return *client_; }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<CloudOutcome> outcome_;
  std::unique_ptr<CloudClient> client_;  // last: its callbacks use all above
};

// Breaks when the time in which the server works, or its answer is on its way, counts as time of the upload:
// a fast link with a slow server then looks slow, and pictures are made small in vain.
TEST(CloudFigures, ASlowAnswerDoesNotMakeTheUploadSlow) {
  constexpr double kDelay = 0.3;
  const FaultServer server({Behaviour::reply(200, completion("x"))});
  faults::LinkState state;
  state.down.delay = from_seconds(kDelay);
  const LinkEmulator link({.target_port = server.port(), .schedule = faults::always(state)});
  Asker asker(settings_for(link.url()));
  asker.submit(20000);
  const auto outcome = asker.outcome();
  const double rest = to_seconds(outcome.took) - kDelay + kTicks;
  EXPECT_GE(asker.client().statistics().link.throughput * rest, static_cast<double>(outcome.bytes_sent));
}

// Breaks when a picture counts as sent once the socket's buffer has taken it: any link then looks fast.
TEST(CloudFigures, ANarrowLinkIsMeasured) {
  constexpr double kRate = 5e6;  // bytes per second
  constexpr std::size_t kQueue = 64 << 10;
  // What the emulator's side may have acknowledged and not let through: its queue, what it read besides, and
  // its kernel's buffer, which is twice as large as it asks for.
  constexpr double kWaiting = 2 * kQueue + (256 << 10);
  const FaultServer server({Behaviour::reply(200, completion("x"))});
  faults::LinkState state;
  state.up.rate = kRate;
  const LinkEmulator link(
      {.target_port = server.port(), .schedule = faults::always(state), .queue_bytes = kQueue});
  Asker asker(settings_for(link.url()));
  for (int call = 0; call < 2;
       ++call) {  // over a connection that is opened, and perhaps over one that is open
    asker.submit(3000000);
    const auto sent = static_cast<double>(asker.outcome().bytes_sent);
    const auto now = asker.client().statistics().link;
    const double least = (sent - kWaiting) / kRate - kTicks;
    EXPECT_GT(now.throughput, 0);
    EXPECT_LE(now.throughput, sent / least);
    EXPECT_LE(now.throughput_p10, sent / least);
  }
}

// Breaks when the wait for the edge's draft counts as time of the call: a shadow upload, which is there to
// save time, then makes the cloud look slow.
TEST(CloudFigures, TheWaitForADraftIsNotTheLinks) {
  constexpr double kDrafting = 0.4;
  constexpr double kLateAcknowledgement = 0.2;  // the longest that Linux keeps one back
  const FaultServer server({Behaviour::reply(200, completion("x"))});
  Asker asker(settings_for(server.url()));
  const auto began = Clock::now();
  const auto ticket = asker.submit(20000, std::nullopt);
  server.wait_for_bytes(20000);
  std::this_thread::sleep_for(from_seconds(kDrafting));
  asker.client().go_on(ticket, "");
  const auto outcome = asker.outcome();
  const double without = to_seconds(Clock::now() - began) - kDrafting + kLateAcknowledgement + kTicks;
  EXPECT_GT(outcome.took, Duration::zero());
  EXPECT_LE(to_seconds(outcome.took), without);
  EXPECT_LE(to_seconds(outcome.last_attempt.took), without);
  EXPECT_LE(outcome.first_text, outcome.took);
  EXPECT_LE(to_seconds(asker.client().statistics().link.round_trip), without);
}

// Breaks when what is learnt of one call is the sum over its attempts, pauses included.
TEST(CloudFigures, ACallCostsWhatItsLastAttemptCost) {
  const FaultServer server(
      {Behaviour::reply(503, "", "Retry-After: 1\r\n"), Behaviour::reply(200, completion("x"))});
  Asker asker(settings_for(server.url()));
  asker.submit(20000);
  const auto outcome = asker.outcome();
  EXPECT_EQ(outcome.attempts, 2);
  EXPECT_EQ(2 * outcome.last_attempt.bytes_sent, outcome.bytes_sent);
  EXPECT_GT(outcome.last_attempt.took, Duration::zero());
  EXPECT_LE(outcome.last_attempt.took, outcome.took - milliseconds(950));
  EXPECT_EQ(outcome.last_attempt.tokens, 1);
  ASSERT_TRUE(outcome.last_attempt.connecting);
  EXPECT_LT(*outcome.last_attempt.connecting, outcome.last_attempt.took);
  EXPECT_FALSE(outcome.last_attempt.server_time) << "it told of none";
}

}  // namespace
}  // namespace saccade
