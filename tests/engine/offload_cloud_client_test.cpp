#include "offload/cloud/cloud_client.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <optional>

#include "faults/fault_server.h"
#include "offload_cloud.h"

namespace saccade {
namespace {

using faults::Behaviour;
using faults::completion;
using faults::FaultServer;
using std::chrono::milliseconds;
using std::chrono::seconds;

// Collects outcomes from the client's thread and lets the test wait for them.
class Outcomes {
 public:
  CloudClient::OutcomeCallback callback() {
    return [this](CloudOutcome outcome) {
      const std::lock_guard lock(mutex_);
      outcomes_.push_back(std::move(outcome));
      changed_.notify_all();
    };
  }
  CloudOutcome wait_for(std::size_t count = 1) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return outcomes_.size() >= count; });
    return outcomes_[count - 1];
  }
  std::size_t count() {
    const std::lock_guard lock(mutex_);
    return outcomes_.size();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<CloudOutcome> outcomes_;
};

CloudOutcome ask_once(const CloudSettings &settings) {
  Outcomes outcomes;
  auto client = CloudClient::create(settings);
  EXPECT_TRUE(client.ok()) << client.status().message();
  const auto ticket = client.value()->submit(kQuestion, {.done = outcomes.callback()});
  EXPECT_TRUE(ticket.ok()) << ticket.status().message();
  return outcomes.wait_for();
}

std::string message_of(const CloudOutcome &outcome) { return outcome.answer.status().message(); }
bool says(const CloudOutcome &outcome, const std::string &what) {
  return message_of(outcome).find(what) != std::string::npos;
}

// Breaks when a plain call does not come back with its answer and its figures.
TEST(CloudClient, AnswersAndCounts) {
  const FaultServer server({Behaviour::reply(200, completion("red", -0.1))});
  auto settings = settings_for(server.url());
  settings.api_key = "sk-secret";
  Outcomes outcomes;
  auto client = CloudClient::create(settings);
  ASSERT_TRUE(client.ok());
  ASSERT_TRUE(client.value()->submit(kQuestion, {.done = outcomes.callback()}).ok());
  const auto outcome = outcomes.wait_for();
  ASSERT_TRUE(outcome.answer.ok()) << message_of(outcome);
  EXPECT_EQ(outcome.answer.value().text, "red");
  EXPECT_EQ(outcome.attempts, 1);
  const auto requests = server.requests();
  ASSERT_EQ(requests.size(), 1U);
  EXPECT_EQ(requests[0].line, "POST /v1/chat/completions HTTP/1.1");
  EXPECT_EQ(requests[0].headers.at("authorization"), "Bearer sk-secret");
  EXPECT_EQ(requests[0].headers.at("content-type"), "application/json");
  EXPECT_EQ(requests[0].body, chat_request_head(kQuestion) + chat_request_tail(kQuestion));
  EXPECT_GT(outcome.bytes_sent, requests[0].body.size());
  EXPECT_GT(outcome.bytes_received, completion("red", -0.1).size());
  const auto statistics = client.value()->statistics();
  EXPECT_EQ(statistics.answered, 1U);
  EXPECT_EQ(statistics.bytes_sent, outcome.bytes_sent);
  EXPECT_TRUE(statistics.link.up);
  EXPECT_GT(statistics.link.throughput, 0);
}

// Breaks when a key is sent although none was set.
TEST(CloudClient, WithoutAKeyNoneIsSent) {
  const FaultServer server({Behaviour::reply(200, completion("x"))});
  ASSERT_TRUE(ask_once(settings_for(server.url())).answer.ok());
  EXPECT_EQ(server.requests()[0].headers.count("authorization"), 0U);
}

// Breaks when a server that is not there crashes, hangs, is not tried again, or is not named in the error.
TEST(CloudClient, RefusedPortIsRetriedThenReported) {
  auto settings = settings_for(faults::refused_url());
  settings.retries = 2;
  const auto outcome = ask_once(settings);
  EXPECT_EQ(outcome.answer.status().kind(), StatusKind::unavailable);
  EXPECT_EQ(outcome.attempts, 3);
  EXPECT_TRUE(says(outcome, "refuses connections")) << message_of(outcome);
  EXPECT_TRUE(says(outcome, settings.endpoint)) << message_of(outcome);
}

// Breaks when a silent server holds a call for ever, before its headers or in the middle of its body.
TEST(CloudClient, SilenceTimesOutAndIsNotRetried) {
  for (const auto &behaviour : {Behaviour::hang(), Behaviour::hang_mid_body(R"({"choices":)")}) {
    const FaultServer server({behaviour});
    auto settings = settings_for(server.url());
    settings.timeout = milliseconds(100);
    const auto outcome = ask_once(settings);
    EXPECT_EQ(outcome.answer.status().kind(), StatusKind::timed_out) << message_of(outcome);
    EXPECT_TRUE(says(outcome, "raise timeout")) << message_of(outcome);
    EXPECT_EQ(outcome.attempts, 1);
  }
}

// Breaks when a reset connection is the end of a call that the next attempt would answer.
TEST(CloudClient, ResetIsRetried) {
  const FaultServer server({Behaviour::reset(), Behaviour::reply(200, completion("green"))});
  const auto outcome = ask_once(settings_for(server.url()));
  ASSERT_TRUE(outcome.answer.ok()) << message_of(outcome);
  EXPECT_EQ(outcome.attempts, 2);
}

struct Code {
  int status;
  bool retried;
  StatusKind kind;
  const char *advice;
};

// Breaks when an HTTP error is retried in vain, given up too early, or says nothing that helps.
TEST(CloudClient, HttpErrorsSayWhatToDo) {
  const Code codes[] = {
      {400, false, StatusKind::invalid_argument, "takes images"},
      {401, false, StatusKind::unavailable, "api-key-file"},
      {403, false, StatusKind::unavailable, "API key is allowed"},
      {404, false, StatusKind::unavailable, "check endpoint and model"},
      {413, false, StatusKind::invalid_argument, "lower max-size"},
      {429, true, StatusKind::unavailable, "too busy"},
      {500, true, StatusKind::unavailable, "server's own log"},
      {503, true, StatusKind::unavailable, "server's own log"},
  };
  for (const auto &code : codes) {
    const FaultServer server({Behaviour::reply(code.status, R"({"error":{"message":"because"}})")});
    auto settings = settings_for(server.url());
    settings.retries = 1;
    const auto outcome = ask_once(settings);
    EXPECT_EQ(outcome.answer.status().kind(), code.kind) << code.status;
    EXPECT_TRUE(says(outcome, code.advice)) << message_of(outcome);
    EXPECT_TRUE(says(outcome, std::to_string(code.status) + ": because")) << message_of(outcome);
    EXPECT_EQ(server.request_count(), code.retried ? 2U : 1U) << code.status;
  }
}

// Breaks when a server that recovers is not asked again.
TEST(CloudClient, UnavailableThenFineIsAnswered) {
  const FaultServer server(
      {Behaviour::reply(503, ""), Behaviour::reply(500, "<html>"), Behaviour::reply(200, completion("two"))});
  const auto outcome = ask_once(settings_for(server.url()));
  ASSERT_TRUE(outcome.answer.ok()) << message_of(outcome);
  EXPECT_EQ(outcome.answer.value().text, "two");
  EXPECT_EQ(outcome.attempts, 3);
}

// Breaks when a server's wish for patience is ignored: the second request must not come before it.
TEST(CloudClient, RetryAfterIsObeyed) {
  const FaultServer server(
      {Behaviour::reply(429, "", "Retry-After: 1\r\n"), Behaviour::reply(200, completion("late"))});
  const auto outcome = ask_once(settings_for(server.url()));
  ASSERT_TRUE(outcome.answer.ok()) << message_of(outcome);
  EXPECT_GE(outcome.took, milliseconds(950));  // a lower bound: no machine is too slow for it
}

// Breaks when a server that asks for an hour holds a call for an hour.
TEST(CloudClient, RetryAfterBeyondTheLimitEndsTheCall) {
  for (const char *wait : {"3600", "Fri, 31 Dec 2199 23:59:59 GMT"}) {
    const FaultServer server({Behaviour::reply(429, "", std::string("Retry-After: ") + wait + "\r\n")});
    const auto outcome = ask_once(settings_for(server.url()));
    EXPECT_EQ(outcome.attempts, 1);
    EXPECT_TRUE(says(outcome, "more than retry-backoff-max")) << message_of(outcome);
  }
}

// Breaks when a page that is no chat completion passes, or the error does not point at the endpoint.
TEST(CloudClient, NonsenseIsReportedOnce) {
  const FaultServer server({Behaviour::reply(200, "<html>hello</html>")});
  const auto outcome = ask_once(settings_for(server.url()));
  EXPECT_EQ(outcome.answer.status().kind(), StatusKind::corrupt);
  EXPECT_TRUE(says(outcome, "check that endpoint")) << message_of(outcome);
  EXPECT_EQ(server.request_count(), 1U);
}

// Breaks when a response can fill the memory, whether it announces its size or not.
TEST(CloudClient, BodiesBeyondTheLimitAreDropped) {
  for (const std::size_t announced : {std::size_t{1} << 30, std::size_t{0}}) {
    const FaultServer server({Behaviour::flood(announced)});
    auto settings = settings_for(server.url());
    settings.max_response_size = 100000;
    const auto outcome = ask_once(settings);
    EXPECT_EQ(outcome.answer.status().kind(), StatusKind::corrupt);
    EXPECT_TRUE(says(outcome, "max-response-size (100000 bytes)")) << message_of(outcome);
    EXPECT_LT(outcome.bytes_received, 1000000U);
  }
}

// Breaks when pictures and key follow a redirect to another server.
TEST(CloudClient, RedirectsAreNotFollowed) {
  for (const int status : {301, 302, 307, 308}) {
    const FaultServer other({Behaviour::reply(200, completion("stolen"))});
    const FaultServer server({Behaviour::reply(status, "", "Location: " + other.url() + "/v1\r\n")});
    auto settings = settings_for(server.url());
    settings.api_key = "sk-secret";
    const auto outcome = ask_once(settings);
    EXPECT_FALSE(outcome.answer.ok());
    EXPECT_TRUE(says(outcome, "redirects to " + other.url())) << message_of(outcome);
    EXPECT_EQ(other.request_count(), 0U);
  }
}

// Breaks when a server can bring the key into our logs by repeating it.
TEST(CloudClient, TheKeyStandsInNoError) {
  const FaultServer server({Behaviour::reply(401, R"({"error":{"message":"sk-secret is not known"}})")});
  auto settings = settings_for(server.url());
  settings.api_key = "sk-secret";
  const auto outcome = ask_once(settings);
  EXPECT_FALSE(says(outcome, "sk-secret")) << message_of(outcome);
  EXPECT_TRUE(says(outcome, "*** is not known")) << message_of(outcome);
}

// Breaks when segments pile up behind a slow server without bound.
TEST(CloudClient, ABoundedNumberOfCallsIsOut) {
  const FaultServer server({Behaviour::hang()});
  auto settings = settings_for(server.url());
  settings.max_in_flight = 2;
  Outcomes outcomes;
  auto client = CloudClient::create(settings);
  ASSERT_TRUE(client.ok());
  EXPECT_TRUE(client.value()->submit(kQuestion, {.done = outcomes.callback()}).ok());
  EXPECT_TRUE(client.value()->has_room());
  EXPECT_TRUE(client.value()->submit(kQuestion, {.done = outcomes.callback()}).ok());
  EXPECT_FALSE(client.value()->has_room());
  const auto third = client.value()->submit(kQuestion, {.done = outcomes.callback()});
  EXPECT_EQ(third.status().kind(), StatusKind::exhausted);
  server.wait_for_requests(2);
  client.value()->stop();
  EXPECT_EQ(outcomes.count(), 2U) << "the refused one is never called back";
}

// Breaks when a cancelled call keeps its place, or takes others with it.
TEST(CloudClient, CancelEndsOneCall) {
  const FaultServer server({Behaviour::hang(), Behaviour::reply(200, completion("second"))});
  auto settings = settings_for(server.url());
  settings.max_in_flight = 1;
  Outcomes outcomes;
  auto client = CloudClient::create(settings);
  ASSERT_TRUE(client.ok());
  const auto ticket = client.value()->submit(kQuestion, {.done = outcomes.callback()});
  ASSERT_TRUE(ticket.ok());
  server.wait_for_requests(1);
  client.value()->cancel(ticket.value());
  EXPECT_TRUE(client.value()->has_room());
  EXPECT_EQ(outcomes.wait_for(1).answer.status().kind(), StatusKind::cancelled);
  client.value()->cancel(ticket.value());
  ASSERT_TRUE(client.value()->submit(kQuestion, {.done = outcomes.callback()}).ok());
  EXPECT_TRUE(outcomes.wait_for(2).answer.ok());
}

// Breaks when stop() waits for a server: before its headers, in its body, in a pause between attempts, or not
// yet begun.
TEST(CloudClient, StopEndsEverythingFromAnyState) {
  const std::vector<Behaviour> states = {Behaviour::hang(), Behaviour::hang_mid_body("{"),
                                         Behaviour::flood(1 << 30),
                                         Behaviour::reply(503, "", "Retry-After: 1000\r\n")};
  for (const auto &state : states) {
    for (const bool arrived : {true, false}) {
      const FaultServer server({state});
      auto settings = settings_for(server.url());
      settings.retry_backoff_max = seconds(2000);
      settings.max_response_size = std::size_t{1} << 40;
      Outcomes outcomes;
      auto client = CloudClient::create(settings);
      ASSERT_TRUE(client.ok());
      ASSERT_TRUE(client.value()->submit(kQuestion, {.done = outcomes.callback()}).ok());
      if (arrived) server.wait_for_requests(1);
      client.value()->stop();
      ASSERT_EQ(outcomes.count(), 1U);
      EXPECT_EQ(outcomes.wait_for().answer.status().kind(), StatusKind::cancelled);
      EXPECT_EQ(client.value()->submit(kQuestion, {.done = outcomes.callback()}).status().kind(),
                StatusKind::cancelled);
      client.value()->stop();
    }
  }
}

// Breaks when submitting and stopping at the same time loses an outcome or delivers one twice.
TEST(CloudClient, EverySubmitThatWasTakenEndsOnceWhenStoppedMeanwhile) {
  const FaultServer server({Behaviour::reply(200, completion("x"))});
  for (int round = 0; round < 20; ++round) {
    auto settings = settings_for(server.url());
    settings.max_in_flight = 64;
    Outcomes outcomes;
    auto client = CloudClient::create(settings);
    ASSERT_TRUE(client.ok());
    std::size_t taken = 0;
    std::jthread submitter([&] {
      for (int i = 0; i < 20; ++i)
        taken += client.value()->submit(kQuestion, {.done = outcomes.callback()}).ok();
    });
    client.value()->stop();
    submitter.join();
    EXPECT_EQ(outcomes.count(), taken);
  }
}

// Breaks when a dead server is asked for every segment, or when nobody is told that it may be tried again: a
// router sends nothing over a link that is down.
TEST(CloudClient, TheLinkGoesDownAndComesBack) {
  const FaultServer server(
      {Behaviour::reply(500, ""), Behaviour::reply(500, ""), Behaviour::reply(200, completion("x"))});
  auto settings = settings_for(server.url());
  settings.retries = 0;
  settings.link = {.failures_to_open = 2, .cool_down = milliseconds(30)};
  std::mutex mutex;
  std::condition_variable changed_once;
  std::vector<bool> changes;
  Outcomes outcomes;
  auto client =
      CloudClient::create(settings, [&](const CloudStatistics &now, bool changed, const std::string &reason) {
        EXPECT_FALSE(reason.empty());
        const std::lock_guard lock(mutex);
        if (changed) changes.push_back(now.link.up);
        changed_once.notify_all();
      });
  ASSERT_TRUE(client.ok());
  for (std::size_t i = 1; i <= 2; ++i) {
    ASSERT_TRUE(client.value()->submit(kQuestion, {.done = outcomes.callback()}).ok());
    EXPECT_FALSE(outcomes.wait_for(i).answer.ok());
  }
  {
    std::unique_lock lock(mutex);
    changed_once.wait(lock, [&] { return changes.size() == 2; });
    EXPECT_EQ(changes, (std::vector<bool>{false, true}));
  }
  ASSERT_TRUE(client.value()->submit(kQuestion, {.done = outcomes.callback()}).ok());
  EXPECT_TRUE(outcomes.wait_for(3).answer.ok());
}

// Breaks when what a server refuses counts as lost on the way, a lost attempt hides behind the one that was
// answered after it, or the way is not timed where a connection is opened.
TEST(CloudClient, TheWayIsToldFromTheServer) {
  const FaultServer server({Behaviour::reset(), Behaviour::reply(500, ""), Behaviour::reply(500, ""),
                            Behaviour::reply(200, completion("x"))});
  auto settings = settings_for(server.url());
  settings.retries = 3;
  Outcomes outcomes;
  auto client = CloudClient::create(settings);
  ASSERT_TRUE(client.ok());
  ASSERT_TRUE(client.value()->submit(kQuestion, {.done = outcomes.callback()}).ok());
  const auto outcome = outcomes.wait_for();
  EXPECT_EQ(outcome.attempts, 4);
  EXPECT_EQ(outcome.attempts_lost, 1);
  const auto link = client.value()->statistics().link;
  EXPECT_DOUBLE_EQ(link.loss, 0.25);
  EXPECT_GT(link.connect_time, Duration::zero());
  EXPECT_LT(link.connect_time, outcome.took);
  EXPECT_GT(link.throughput_p10, 0);
}

// Breaks when segments still go out over a link that is known to be down.
TEST(CloudClient, WhileTheLinkIsDownSegmentsAreRefusedWithoutACall) {
  const FaultServer server({Behaviour::reply(500, "")});
  auto settings = settings_for(server.url());
  settings.retries = 0;
  settings.link = {.failures_to_open = 1, .cool_down = seconds(3600)};
  Outcomes outcomes;
  auto client = CloudClient::create(settings);
  ASSERT_TRUE(client.ok());
  ASSERT_TRUE(client.value()->submit(kQuestion, {.done = outcomes.callback()}).ok());
  outcomes.wait_for();
  const auto refused = client.value()->submit(kQuestion, {.done = outcomes.callback()}).status();
  EXPECT_EQ(refused.kind(), StatusKind::unavailable);
  EXPECT_NE(refused.message().find("is down after 1 failed calls; it is tried again in"), std::string::npos)
      << refused.message();
  EXPECT_EQ(server.request_count(), 1U);
}

// Breaks when a request that is refused for its own sake counts against the link.
TEST(CloudClient, ATooLargeRequestDoesNotTakeTheLinkDown) {
  const FaultServer server({Behaviour::reply(413, "")});
  auto settings = settings_for(server.url());
  settings.link.failures_to_open = 1;
  Outcomes outcomes;
  auto client = CloudClient::create(settings);
  ASSERT_TRUE(client.ok());
  for (std::size_t i = 1; i <= 3; ++i) {
    ASSERT_TRUE(client.value()->submit(kQuestion, {.done = outcomes.callback()}).ok());
    outcomes.wait_for(i);
  }
  EXPECT_TRUE(client.value()->statistics().link.up);
}

// Breaks when settings that cannot work start a thread instead of being refused with a sentence.
TEST(CloudClient, SettingsThatCannotWorkAreRefused) {
  const auto refused = [](auto change) {
    auto settings = settings_for("http://127.0.0.1:1");
    change(settings);
    const auto client = CloudClient::create(settings);
    return !client.ok() && client.status().kind() == StatusKind::invalid_argument &&
           !client.status().message().empty();
  };
  EXPECT_TRUE(refused([](CloudSettings &s) { s.endpoint = "nowhere"; }));
  EXPECT_TRUE(refused([](CloudSettings &s) { s.timeout = Duration::zero(); }));
  EXPECT_TRUE(refused([](CloudSettings &s) { s.retries = -1; }));
  EXPECT_TRUE(refused([](CloudSettings &s) { s.max_in_flight = 0; }));
  EXPECT_TRUE(refused([](CloudSettings &s) { s.max_response_size = 0; }));
}

}  // namespace
}  // namespace saccade
