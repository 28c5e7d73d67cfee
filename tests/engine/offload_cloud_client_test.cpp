// One call of the cloud client: what comes of it, and what is said where it fails.
#include "offload/cloud/cloud_client.h"

#include <gtest/gtest.h>

#include "faults/fault_server.h"
#include "offload_cloud.h"

namespace saccade {
namespace {

using faults::Behaviour;
using faults::completion;
using faults::FaultServer;
using std::chrono::milliseconds;

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
  EXPECT_TRUE(outcome.may_pass);
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
    EXPECT_TRUE(outcome.may_pass);
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
  bool retried;  // and may pass
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
    EXPECT_EQ(outcome.may_pass, code.retried) << code.status;
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
  EXPECT_FALSE(outcome.may_pass);
}

// Breaks when a model that says nothing to a question is taken for a server that is away, and asked for ever:
// both are `unavailable`.
TEST(CloudClient, AnAnswerOfNothingDoesNotPass) {
  const FaultServer server(
      {Behaviour::reply(500, ""), Behaviour::reply(200, completion("  ")), Behaviour::cut("{")});
  auto settings = settings_for(server.url());
  settings.retries = 1;
  const auto nothing = ask_once(settings);
  EXPECT_EQ(nothing.answer.status().kind(), StatusKind::unavailable);
  EXPECT_TRUE(says(nothing, "answered with nothing")) << message_of(nothing);
  EXPECT_FALSE(nothing.may_pass);
  const auto cut = ask_once(settings);
  EXPECT_EQ(cut.answer.status().kind(), StatusKind::unavailable);
  EXPECT_TRUE(cut.may_pass);
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
