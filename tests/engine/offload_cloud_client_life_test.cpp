// A cloud client over many calls: how many are out, how they end, and what is known of the link.
#include "offload/cloud/cloud_client.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>

#include "faults/fault_server.h"
#include "offload_cloud.h"

namespace saccade {
namespace {

using faults::Behaviour;
using faults::chunk;
using faults::completion;
using faults::FaultServer;
using std::chrono::milliseconds;
using std::chrono::seconds;

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
  EXPECT_TRUE(CloudClient::outcome_of_refusal(third.status()).may_pass);
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
      EXPECT_FALSE(outcomes.wait_for().may_pass);
      const auto late = client.value()->submit(kQuestion, {.done = outcomes.callback()}).status();
      EXPECT_EQ(late.kind(), StatusKind::cancelled);
      EXPECT_FALSE(CloudClient::outcome_of_refusal(late).may_pass);
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

// Breaks when every question pays for a connection of its own, whether its answer comes whole or streams.
TEST(CloudClient, TheConnectionStaysOpen) {
  for (const auto &reply :
       {Behaviour::reply(200, completion("yes")), Behaviour::events({chunk("yes", "stop")})}) {
    const FaultServer server({reply.kept_open()});
    Outcomes outcomes;
    auto client = CloudClient::create(settings_for(server.url()));
    ASSERT_TRUE(client.ok());
    for (std::size_t i = 1; i <= 3; ++i) {
      ASSERT_TRUE(client.value()->submit(kQuestion, {.done = outcomes.callback()}).ok());
      EXPECT_TRUE(outcomes.wait_for(i).answer.ok());
    }
    EXPECT_EQ(server.request_count(), 3U);
    EXPECT_EQ(server.connection_count(), 1U);
  }
}

// Breaks when a connection that the server has closed meanwhile costs the question, or part of it.
TEST(CloudClient, AConnectionThatWentStaleIsMadeAnew) {
  const FaultServer server({Behaviour::reply(200, completion("yes")).kept_open(), Behaviour::reset(),
                            Behaviour::reply(200, completion("no"))});
  Outcomes outcomes;
  auto client = CloudClient::create(settings_for(server.url()));
  ASSERT_TRUE(client.ok());
  for (std::size_t i = 1; i <= 2; ++i) {
    ASSERT_TRUE(client.value()->submit(kQuestion, {.done = outcomes.callback()}).ok());
    ASSERT_TRUE(outcomes.wait_for(i).answer.ok()) << outcomes.wait_for(i).answer.status().message();
  }
  EXPECT_EQ(outcomes.wait_for(2).answer.value().text, "no");
  EXPECT_EQ(outcomes.count(), 2U);
  const auto requests = server.requests();
  ASSERT_EQ(requests.size(), 3U);
  EXPECT_EQ(requests[2].body, requests[0].body);
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
  EXPECT_EQ(client.value()->statistics().calls, 4U);
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
  EXPECT_TRUE(CloudClient::outcome_of_refusal(refused).may_pass);
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

}  // namespace
}  // namespace saccade
