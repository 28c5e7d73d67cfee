// What becomes of a draft on its way to servers of each kind, and of an upload that begins before there is
// one.
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

const std::string kDraft = "A red car";

// A client, and what comes of the questions that it is asked one after the other.
class Asker {
 public:
  explicit Asker(const CloudSettings &settings) : client_(CloudClient::create(settings).value()) {}

  CloudClient::Ticket submit(std::optional<std::string> draft) {
    const auto ticket = client_->submit(kQuestion, {.done =
                                                        [this](CloudOutcome outcome) {
                                                          const std::lock_guard lock(mutex_);
                                                          outcome_ = std::move(outcome);
                                                          changed_.notify_all();
                                                        },
                                                    .growth =
                                                        [this](const std::string &text) {
                                                          const std::lock_guard lock(mutex_);
                                                          grown_.push_back(text);
                                                        },
                                                    .draft = std::move(draft)});
    EXPECT_TRUE(ticket.ok()) << ticket.status().message();
    return ticket.value();
  }
  CloudOutcome outcome() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return outcome_.has_value(); });
    return *std::exchange(outcome_, std::nullopt);
  }
  CloudOutcome ask(const std::string &draft) {
    submit(draft);
    return outcome();
  }
  std::vector<std::string> grown() {
    const std::lock_guard lock(mutex_);
    return grown_;
  }
  CloudClient &client() { return *client_; }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<CloudOutcome> outcome_;
  std::vector<std::string> grown_;
  std::unique_ptr<CloudClient> client_;  // last: its callbacks use all above
};

bool has(const FaultServer &server, std::size_t request, const std::string &what) {
  return server.requests().at(request).body.find(what) != std::string::npos;
}

// A score of the draft's three tokens, and what would be said behind them.
Behaviour scored(const std::string &ranks, const std::string &next, const std::string &finish) {
  std::string tokens = "[null";
  const char *words[] = {"A", " red", " car"};
  for (std::size_t i = 0; i < 3; ++i)
    tokens.append(R"(,{"1":{"logprob":-0.5,"rank":)")
        .append(1, ranks[i])
        .append(R"(,"decoded_token":")")
        .append(words[i])
        .append("\"}}");
  return Behaviour::reply(200, R"({"choices":[{"message":{"content":")" + next + R"("},"finish_reason":")" +
                                   finish + R"("}],"prompt_logprobs":)" + tokens + "]}");
}

Behaviour plain(const std::string &text) { return Behaviour::events({chunk(text, "stop")}); }

Behaviour predicted(const std::string &text, int right, int wrong) {
  return Behaviour::events({chunk(text, "stop",
                                  R"(,"usage":{"completion_tokens":3,"completion_tokens_details":{)"
                                  R"("accepted_prediction_tokens":)" +
                                      std::to_string(right) + R"(,"rejected_prediction_tokens":)" +
                                      std::to_string(wrong) + "}}")});
}

// Breaks when words that stream in are not told of as they come, or not joined.
TEST(CloudAsk, AnAnswerIsToldOfWhileItGrows) {
  const FaultServer server({Behaviour::events({chunk("A red"), chunk(" car", "stop")})});
  Asker asker(settings_for(server.url()));
  const auto outcome = asker.ask("");
  ASSERT_TRUE(outcome.answer.ok()) << outcome.answer.status().message();
  EXPECT_EQ(outcome.answer.value().text, "A red car");
  EXPECT_EQ(asker.grown().back(), "A red car");
  EXPECT_GT(outcome.first_text, Duration::zero());
  EXPECT_LE(outcome.first_text, outcome.took);
  EXPECT_EQ(outcome.verification, Verification::none);
}

// Breaks when a server that takes predictions is not recognised, or is asked twice.
TEST(CloudAsk, AServerThatPredictsVerifiesInOneCall) {
  const FaultServer server({predicted("A red bus", 2, 1)});
  Asker asker(settings_for(server.url()));
  for (std::size_t i = 0; i < 2; ++i) {
    const auto outcome = asker.ask(kDraft);
    ASSERT_TRUE(outcome.answer.ok());
    EXPECT_EQ(outcome.answer.value().text, "A red bus");
    EXPECT_EQ(outcome.answer.value().tokens_guessed, 3);
    EXPECT_EQ(outcome.answer.value().tokens_guessed_right, 2);
    EXPECT_EQ(outcome.verification, Verification::predicted);
    EXPECT_EQ(outcome.calls, 1);
    EXPECT_TRUE(has(server, i, R"("prediction":{"type":"content","content":"A red car"})"));
  }
  EXPECT_EQ(asker.client().statistics().verified, 2U);
}

// Breaks when a server that gives prompt log-probabilities is not found to, when a draft that it would have
// said costs a second call, or when one that it would not have said goes on from the wrong words.
TEST(CloudAsk, AServerThatScoresVerifiesAndGoesOn) {
  const FaultServer server({plain("A blue car"),        // ignores the prediction
                            scored("111", "", "stop"),  // the draft is its own answer
                            scored("111", " and", "length"),
                            plain(" and a bus"),                                // the draft is its beginning
                            scored("112", " bus", "length"), plain(" bus."),    // it differs at its end
                            scored("211", " A", "length"), plain("No cars")});  // and from the start
  Asker asker(settings_for(server.url()));
  EXPECT_EQ(asker.ask(kDraft).answer.value().text, "A blue car");

  auto outcome = asker.ask(kDraft);
  ASSERT_TRUE(outcome.answer.ok()) << outcome.answer.status().message();
  EXPECT_EQ(outcome.answer.value().text, kDraft);
  EXPECT_EQ(outcome.verification, Verification::scored);
  EXPECT_EQ(outcome.calls, 1);
  EXPECT_EQ(outcome.answer.value().token_log_probabilities, (std::vector<float>(3, -0.5F)));

  outcome = asker.ask(kDraft);
  EXPECT_EQ(outcome.answer.value().text, "A red car and a bus");
  EXPECT_EQ(outcome.calls, 2);
  EXPECT_EQ(asker.grown().back(), "A red car and a bus");
  EXPECT_TRUE(has(server, 3, R"({"role":"assistant","content":"A red car"})"));
  EXPECT_TRUE(has(server, 3, R"("continue_final_message":true)"));
  EXPECT_TRUE(has(server, 3, R"("max_tokens":5)")) << "what is accepted counts";
  EXPECT_GT(outcome.last_attempt.bytes_sent, server.requests()[3].body.size()) << "one call is learnt from";
  EXPECT_LT(outcome.last_attempt.bytes_sent, outcome.bytes_sent - server.requests()[2].body.size());
  EXPECT_LT(outcome.last_attempt.took, outcome.took);

  outcome = asker.ask(kDraft);
  EXPECT_EQ(outcome.answer.value().text, "A red bus.");
  EXPECT_EQ(outcome.answer.value().tokens_guessed, 3);
  EXPECT_EQ(outcome.answer.value().tokens_guessed_right, 2);
  EXPECT_TRUE(has(server, 5, R"({"role":"assistant","content":"A red"})"));

  outcome = asker.ask(kDraft);
  EXPECT_EQ(outcome.answer.value().text, "No cars");
  EXPECT_FALSE(has(server, 7, "assistant"));
  EXPECT_EQ(asker.client().statistics().calls, 8U) << "who pays per call pays for those that verify";
}

// Breaks when a server that can do nothing with drafts gets no answer out of it, or is tried for ever.
TEST(CloudAsk, AServerThatCanDoNeitherIsAskedPlainly) {
  const auto refusal = Behaviour::reply(400, R"({"error":{"message":"unknown field"}})");
  const FaultServer strict({refusal, plain("one"), refusal, plain("two"), plain("three")});
  Asker asker(settings_for(strict.url()));
  EXPECT_EQ(asker.ask(kDraft).answer.value().text, "one");
  EXPECT_EQ(asker.ask(kDraft).answer.value().text, "two");
  const auto third = asker.ask(kDraft);
  EXPECT_EQ(third.answer.value().text, "three");
  EXPECT_EQ(third.calls, 1);
  EXPECT_EQ(third.verification, Verification::none);
  EXPECT_FALSE(has(strict, 4, "prediction"));
  EXPECT_FALSE(has(strict, 4, "prompt_logprobs"));

  const FaultServer deaf(
      {plain("one"), Behaviour::reply(200, completion("o")), plain("two"), plain("three")});
  Asker other(settings_for(deaf.url()));
  EXPECT_EQ(other.ask(kDraft).answer.value().text, "one");
  EXPECT_EQ(other.ask(kDraft).answer.value().text, "two");
  EXPECT_EQ(other.ask(kDraft).calls, 1);
}

// Breaks when a request that is wrong in itself is asked over and over in other forms.
TEST(CloudAsk, ARefusalThatIsNotTheDraftsEndsIt) {
  const FaultServer server({Behaviour::reply(413, "")});
  Asker asker(settings_for(server.url()));
  EXPECT_EQ(asker.ask(kDraft).answer.status().kind(), StatusKind::invalid_argument);
  EXPECT_EQ(server.request_count(), 2U) << "with the prediction and without it";
  asker.ask(kDraft);
  EXPECT_EQ(server.request_count(), 4U) << "with the score and without it";
  asker.ask(kDraft);
  EXPECT_EQ(server.request_count(), 5U);
}

// Breaks when an upload waits for the draft instead of going on meanwhile, or forgets it at the end.
TEST(CloudAsk, TheUploadGoesOnWhileTheDraftIsMade) {
  const FaultServer server({predicted("A red car", 3, 0)});
  Asker asker(settings_for(server.url()));
  auto question = kQuestion;
  const auto ticket = asker.submit(std::nullopt);
  server.wait_for_bytes(chat_request_head(kQuestion).size());
  EXPECT_EQ(server.request_count(), 0U) << "its end is not there yet";
  asker.client().go_on(ticket, kDraft);
  const auto outcome = asker.outcome();
  ASSERT_TRUE(outcome.answer.ok()) << outcome.answer.status().message();
  EXPECT_EQ(outcome.verification, Verification::predicted);
  EXPECT_EQ(server.requests()[0].body,
            chat_request_head(kQuestion) + chat_request_tail(kQuestion, {DraftUse::predict, kDraft}));
}

// Breaks when a picture that is larger than a pipe stops its upload.
TEST(CloudAsk, ALargeUploadGoesOnAsWell) {
  const FaultServer server({plain("yes")});
  auto client = CloudClient::create(settings_for(server.url()));
  ASSERT_TRUE(client.ok());
  ChatQuestion question = kQuestion;
  question.images = {JpegBytes(3'000'000, 7)};
  std::mutex mutex;
  std::condition_variable changed;
  bool done = false;
  const auto ticket = client.value()->submit(question, {.done =
                                                            [&](const CloudOutcome &outcome) {
                                                              EXPECT_TRUE(outcome.answer.ok());
                                                              const std::lock_guard lock(mutex);
                                                              done = true;
                                                              changed.notify_all();
                                                            },
                                                        .draft = std::nullopt});
  ASSERT_TRUE(ticket.ok());
  server.wait_for_bytes(4'000'000);
  client.value()->go_on(ticket.value(), "");
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return done; });
  EXPECT_EQ(server.requests()[0].body, chat_request_head(question) + chat_request_tail(question));
}

// Breaks when a draft that turned out good leaves its upload hanging, or a stop waits for it.
TEST(CloudAsk, AnUploadThatIsNotWantedEnds) {
  const FaultServer server({plain("never")});
  Asker asker(settings_for(server.url()));
  const auto ticket = asker.submit(std::nullopt);
  server.wait_for_bytes(1);
  asker.client().cancel(ticket);
  EXPECT_EQ(asker.outcome().answer.status().kind(), StatusKind::cancelled);
  EXPECT_EQ(asker.client().statistics().calls, 1U);
  asker.submit(std::nullopt);
  server.wait_for_bytes(chat_request_head(kQuestion).size() + 1);
  asker.client().stop();
  EXPECT_EQ(asker.outcome().answer.status().kind(), StatusKind::cancelled);
  // libsoup ends the body that it could not send to its end as if it had; it is no JSON, and so no question.
  for (const auto &request : server.requests())
    EXPECT_EQ(request.body, chat_request_head(kQuestion).substr(0, request.body.size()));
}

// Breaks when a server that is down keeps a question from one that is up.
TEST(CloudAsk, AnotherServerIsAskedWhereOneFails) {
  const FaultServer second({plain("from the second")});
  auto settings = settings_for(faults::refused_url() + ", " + second.url());
  settings.link.failures_to_open = 1;
  Asker asker(settings);
  const auto first = asker.ask("");
  ASSERT_TRUE(first.answer.ok()) << first.answer.status().message();
  EXPECT_EQ(first.answer.value().text, "from the second");
  EXPECT_EQ(first.attempts, 2);
  EXPECT_EQ(first.attempts_lost, 1);
  EXPECT_TRUE(first.asked.starts_with(second.url()));
  EXPECT_EQ(asker.client().statistics().calls, 1U) << "what is refused a connection has not left";
  EXPECT_EQ(asker.ask("").attempts, 1) << "the first is known to be down";
  EXPECT_TRUE(asker.client().statistics().link.up);
}

// Breaks when a server that hangs keeps a question from one that answers.
TEST(CloudAsk, AnotherServerIsAskedWhereOneHangs) {
  const FaultServer first({Behaviour::hang()});
  const FaultServer second({plain("from the second")});
  auto settings = settings_for(first.url() + " " + second.url());
  settings.timeout = milliseconds(100);
  Asker asker(settings);
  EXPECT_EQ(asker.ask("").answer.value().text, "from the second");
}

// Breaks when headers that a gateway wants are not sent, or could smuggle others in.
TEST(CloudAsk, ExtraHeadersAreSent) {
  const FaultServer server({plain("yes")});
  auto settings = settings_for(server.url());
  settings.extra_headers = {{"X-Tenant", "a b"}};
  Asker asker(settings);
  EXPECT_TRUE(asker.ask("").answer.ok());
  EXPECT_EQ(server.requests()[0].headers.at("x-tenant"), "a b");
  for (const auto &[name, value] :
       {std::pair("X\r\nY", "1"), std::pair("", "1"), std::pair("X", "1\r\nY: 2")}) {
    settings.extra_headers = {{name, value}};
    EXPECT_EQ(CloudClient::create(settings).status().kind(), StatusKind::invalid_argument);
  }
}

// Breaks when a proxy is set and calls go past it.
TEST(CloudAsk, AProxyIsUsed) {
  const FaultServer proxy({plain("through the proxy")});
  auto settings = settings_for("http://somewhere.invalid/v1");
  settings.proxy = proxy.url();
  Asker asker(settings);
  EXPECT_EQ(asker.ask("").answer.value().text, "through the proxy");
  EXPECT_EQ(proxy.requests()[0].line, "POST http://somewhere.invalid/v1/chat/completions HTTP/1.1");
}

// Breaks when a list of authorities that cannot be read is only noticed when the first answer is lost.
TEST(CloudAsk, AuthoritiesThatCannotBeReadAreRefused) {
  auto settings = settings_for("https://127.0.0.1:1");
  settings.tls_database = "/nonexistent/authorities.pem";
  const auto client = CloudClient::create(settings);
  EXPECT_EQ(client.status().kind(), StatusKind::not_found);
  EXPECT_NE(client.status().message().find("/nonexistent/authorities.pem"), std::string::npos);
}

}  // namespace
}  // namespace saccade
