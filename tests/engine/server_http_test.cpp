// How saccade-server treats clients: the impolite, the many, those who leave, and those without a key.
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "server_testing.h"

namespace saccade {
namespace {

class ServerHttpTest : public ServerTest {
 protected:
  void expect_error(const Response &response, int status, std::string_view words) const {
    EXPECT_EQ(response.status, status) << response.body;
    const Json json(response.body);
    EXPECT_NE(json.text({"error", "message"}).find(words), std::string::npos) << response.body;
    EXPECT_EQ(json.number({"error", "code"}), status);
  }
  // Takes a session for a long time.
  std::unique_ptr<Connection> occupy(const std::string &more = {}) const {
    auto connection = std::make_unique<Connection>(server_->port());
    const auto body = about(true, kDescribe, kLong + more);
    EXPECT_TRUE(connection->send(post_head(kChat, body.size()) + body));
    return connection;
  }
};

// If this fails, a client cannot tell what it did wrong.
TEST_F(ServerHttpTest, ErrorsAreSentences) {
  start();
  expect_error(post(""), 400, "JSON");
  expect_error(post("{\"messages\":"), 400, "ends too early");
  expect_error(post("[1]"), 400, "not a JSON object");
  expect_error(post(std::string(100'000, '[')), 400, "nested");
  expect_error(post("{}"), 400, "messages");
  expect_error(post(R"({"messages":[]})"), 400, "messages");
  expect_error(post(R"({"messages":[{"role":"robot","content":"x"}]})"), 400, "messages[0].role");
  expect_error(post(about(true, kQuestion, R"("max_tokens":0)")), 400, "max_tokens");
  expect_error(post(about(true, kQuestion, R"("max_tokens":"many")")), 400, "max_tokens");
  expect_error(post(about(true, kQuestion, R"("n":2)")), 400, "n must be 1");
  expect_error(post(about(true, kQuestion, R"("logprobs":true,"top_logprobs":6)")), 400, "top_logprobs");
  expect_error(post(about(true, kQuestion, R"("top_logprobs":1)")), 400, "logprobs");
  expect_error(post(about(true, kQuestion, R"("stream":true,"prompt_logprobs":1)")), 400, "stream");
  expect_error(post(about(true, kQuestion, R"("continue_final_message":true,"add_generation_prompt":true)")),
               400, "cannot both be true");
  expect_error(post(about(true, kQuestion, R"("continue_final_message":true,"add_generation_prompt":false)")),
               400, "assistant");
  expect_error(post(about(true, kQuestion, R"("response_format":{"type":"yaml"})")), 400, "response_format");
  const auto picture = [](const std::string &url) {
    return std::string(R"({"messages":[)") + message("user", std::string("[") + image_part(url) + "]") + "]}";
  };
  expect_error(post(picture("http://127.0.0.1/x.jpg")), 400, "fetches nothing");
  expect_error(post(picture("file:///etc/passwd")), 400, "fetches nothing");
  expect_error(post(picture("data:image/gif;base64,R0lGODlh")), 400, "image/jpeg");
  expect_error(post(picture("data:image/png;base64,!!!")), 400, "base64");
  expect_error(post(picture("data:image/png;base64,QUJD")), 400, "neither");
  const auto cut = street(true).substr(0, 120);
  expect_error(post(picture(cut.substr(0, cut.size() - cut.size() % 4 + 2))), 400, "picture");
  EXPECT_EQ(get("/health").status, 200);
}

TEST_F(ServerHttpTest, UnknownFieldsAreIgnored) {
  start();
  EXPECT_EQ(answer(about(true, kQuestion, R"("seed":7,"user":"me","frequency_penalty":0.5,"tools":null)"))
                .content(),
            "day");
}

TEST_F(ServerHttpTest, PathsAndMethods) {
  start();
  expect_error(get("/v1/nothing"), 404, "no such path");
  expect_error(get(kChat), 405, "POST");
  EXPECT_NE(get(kChat).head.find("Allow: POST"), std::string::npos);
  expect_error(request(post_head("/health", 0)), 405, "GET");
  const Json models(get("/v1/models").body);
  EXPECT_EQ(models.text({"data", "0", "id"}), "saccade-edge-text");
  EXPECT_EQ(Json(get("/health").body).text({"status"}), "ok");
}

// If this fails, a picture of a few bytes can make the server run out of memory.
TEST_F(ServerHttpTest, PixelsAreCountedBeforeTheyAreDecoded) {
  auto few = options();
  few.desk.reading.most_pixels = 96 * 64 - 1;
  start(few);
  expect_error(post(about(true, kQuestion)), 400, "96 x 64");
  few.desk.reading.most_pixels = 96 * 64;
  start(few);
  EXPECT_EQ(answer(about(true, kQuestion)).content(), "day");
}

// If this fails, a client can fill the server's memory before it is told no.
TEST_F(ServerHttpTest, TooLargeRequestsAreRefusedWhileTheyArrive) {
  auto small = options();
  small.max_request_size = 10'000;
  start(small);
  EXPECT_EQ(answer(about(true, kQuestion)).content(), "day");
  expect_error(post(about(true, std::string(10'000, 'x'))), 413, "10000 bytes");
  // By its head alone, where the client waits for a word before it sends.
  expect_error(request(post_head(kChat, 1'000'000'000, "Expect: 100-continue\r\n")), 413, "10000 bytes");
  // Nobody has said how long it would be.
  const Connection chunked(server_->port());
  ASSERT_TRUE(
      chunked.send("POST /v1/chat/completions HTTP/1.1\r\nHost: test\r\nConnection: close\r\n"
                   "Transfer-Encoding: chunked\r\n\r\n"));
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(chunked.send("400\r\n" + std::string(0x400, ' ') + "\r\n"));
  ASSERT_TRUE(chunked.send("0\r\n\r\n"));
  expect_error(parse_response(chunked.receive_all()), 413, "10000 bytes");
  // Whoever goes on for ever is cut off.
  const Connection endless(server_->port());
  ASSERT_TRUE(
      endless.send("POST /v1/chat/completions HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"));
  const auto chunk = std::string("100000\r\n") + std::string(0x100000, ' ') + "\r\n";
  int sent = 0;
  while (sent < 1'000 && endless.send(chunk)) ++sent;
  EXPECT_LT(sent, 1'000);
  EXPECT_EQ(get("/health").status, 200);
}

// If this fails, a few clients that send a byte now and then hold the server's connections for ever, or
// answers that take long are cut off.
TEST_F(ServerHttpTest, RequestsThatDoNotArriveAreCutOff) {
  auto hasty = options();
  hasty.request_timeout = std::chrono::milliseconds(300);
  start(hasty);
  for (const auto &half :
       {std::string("POST /v1/chat"), post_head(kChat, 100), post_head(kChat, 100) + "{"}) {
    const Connection slow(server_->port());
    ASSERT_TRUE(slow.send(half));
    EXPECT_EQ(slow.receive_all(), "");
  }
  // Never silent for long, and never done.
  const Connection dripping(server_->port());
  ASSERT_TRUE(dripping.send(post_head(kChat, 100'000)));
  int dripped = 0;
  for (; dripped < 3'000 && dripping.send(" "); ++dripped)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_LT(dripped, 3'000);
  const auto body = about(true, kDescribe, std::string(kLong) + R"(,"stream":true)");
  const auto streamed = post(body);
  EXPECT_EQ(streamed.status, 200);
  EXPECT_TRUE(streamed.has("[DONE]"));
}

class ServerKeyTest : public ServerHttpTest {
 protected:
  void SetUp() override {
    path_ = std::filesystem::temp_directory_path() / ("saccade-keys-" + std::to_string(::getpid()));
    std::ofstream(path_) << "# keys of the test\nfirst-key\n\n  second-key  \r\n";
  }
  void TearDown() override { std::filesystem::remove(path_); }
  ServerOptions with_keys() const {
    auto keyed = options();
    keyed.api_key_file = path_;
    return keyed;
  }
  static std::string bearer(const std::string &key) { return "Authorization: Bearer " + key + "\r\n"; }

  std::filesystem::path path_;
};

// If this fails, strangers use the server, or its log betrays the keys.
TEST_F(ServerKeyTest, OnlyThoseWithAKeyMayAsk) {
  start(with_keys());
  const auto body = about(true, kQuestion);
  expect_error(post(body), 401, "API key");
  EXPECT_NE(post(body).head.find("WWW-Authenticate: Bearer"), std::string::npos);
  for (const char *wrong : {"first-ke", "first-keyx", "", "third-key", "# keys of the test"})
    expect_error(post(body, bearer(wrong)), 401, "API key");
  expect_error(post(body, "Authorization: Basic first-key\r\n"), 401, "API key");
  EXPECT_EQ(post(body, bearer("first-key")).status, 200);
  EXPECT_EQ(post(body, bearer("second-key")).status, 200);
  expect_error(get("/v1/models"), 401, "API key");
  EXPECT_EQ(get("/health").status, 200);
  EXPECT_EQ(get("/metrics").status, 200);
  EXPECT_EQ(log().find("-key"), std::string::npos) << log();
  EXPECT_EQ(log().find("day or night"), std::string::npos);
}

TEST_F(ServerKeyTest, KeyFilesThatCannotWorkFailAtTheStart) {
  auto keyed = options();
  keyed.api_key_file = "/nowhere/keys";
  EXPECT_EQ(HttpServer::start(keyed).status().kind(), StatusKind::not_found);
  std::ofstream(path_) << "# none\n\n";
  keyed.api_key_file = path_;
  EXPECT_EQ(HttpServer::start(keyed).status().kind(), StatusKind::invalid_argument);
  std::ofstream(path_) << "two words\n";
  const auto refused = HttpServer::start(keyed).status();
  EXPECT_EQ(refused.kind(), StatusKind::invalid_argument);
  EXPECT_EQ(refused.message().find("two words"), std::string::npos) << "the key stands in the error";
}

// If this fails, one client's haste is everybody's, or there is no limit at all.
TEST_F(ServerKeyTest, EachKeyHasItsOwnRate) {
  auto keyed = with_keys();
  keyed.rate_limit = 0.001;  // one, and the next one a quarter of an hour later
  start(keyed);
  const auto body = about(true, kQuestion);
  EXPECT_EQ(post(body, bearer("first-key")).status, 200);
  const auto refused = post(body, bearer("first-key"));
  expect_error(refused, 429, "more requests");
  EXPECT_NE(refused.head.find("Retry-After: "), std::string::npos);
  EXPECT_EQ(post(body, bearer("second-key")).status, 200);
  EXPECT_EQ(post(body, bearer("wrong")).status, 401);
  EXPECT_EQ(post(body, bearer("wrong-again")).status, 429);  // by address
  EXPECT_EQ(get("/health").status, 200);
}

// If this fails, whoever leaves still costs an answer, and a session.
TEST_F(ServerHttpTest, WhoeverLeavesFreesTheirSession) {
  auto one = options();
  one.desk.parallel = 1;
  start(one);
  for (const auto *stream : {"", ",\"stream\":true"}) {
    auto gone = occupy(stream);
    ASSERT_TRUE(eventually([&] { return metric("saccade_server_busy_sessions") == 1; }));
    if (*stream) {
      EXPECT_NE(gone->receive().find("200"), std::string::npos);
    }
    gone->close();
    EXPECT_TRUE(eventually([&] { return metric("saccade_server_in_flight") == 0; }));
    EXPECT_TRUE(eventually([&] { return metric("saccade_server_busy_sessions") == 0; }));
  }
  EXPECT_EQ(metric("saccade_server_requests_total", "status=\"499\""), 2) << log();
  EXPECT_EQ(metric("saccade_server_completion_tokens_total"), 0);  // none was written to its end
  EXPECT_EQ(answer(about(true, kQuestion)).content(), "day");
}

// If this fails, clients that close their connection as soon as they have all of their answer, as proxies do,
// are counted among those who left without it.
TEST_F(ServerHttpTest, WhoeverHasTheAnswerMayLeave) {
  constexpr int kTimes = 60;
  start(options());
  for (int i = 0; i < kTimes; ++i) {
    const auto body = about(true, kQuestion, R"("stream":true)");
    Connection client(server_->port());
    ASSERT_TRUE(client.send(post_head(kChat, body.size()) + body));
    std::string received;
    while (received.find("[DONE]") == std::string::npos) {
      const auto more = client.receive();
      ASSERT_FALSE(more.empty()) << received;
      received += more;
    }
    client.close();
  }
  EXPECT_TRUE(eventually([&] { return metric("saccade_server_in_flight") == 0; }));
  EXPECT_EQ(metric("saccade_server_requests_total", "status=\"200\""), kTimes) << log();
}

// If this fails, a burst of questions is taken until the memory is full, or a full server turns nobody away.
TEST_F(ServerHttpTest, AFullQueueTurnsAwayWithAHint) {
  auto narrow = options();
  narrow.desk.parallel = 1;
  narrow.desk.max_queue = 1;
  start(narrow);
  const auto writing = occupy();
  ASSERT_TRUE(eventually([&] { return metric("saccade_server_busy_sessions") == 1; }));
  const auto waiting = occupy();
  ASSERT_TRUE(eventually([&] { return metric("saccade_server_queue") == 1; }));
  const auto refused = post(about(true, kQuestion));
  expect_error(refused, 429, "queue");
  EXPECT_NE(refused.head.find("Retry-After: "), std::string::npos);
  EXPECT_EQ(metric("saccade_server_in_flight"), 2);
}

// If this fails, a restart loses answers that somebody waits for, or takes questions that it cannot answer.
TEST_F(ServerHttpTest, ADrainFinishesWhatWasTaken) {
  auto one = options();
  one.desk.parallel = 1;
  const auto body = about(true, kDescribe, std::string(kLong) + R"(,"max_tokens":300)");
  // An answer that is there before the drain decides nothing, and is asked for again.
  constexpr int kAttempts = 20;
  for (int attempt = 1;; ++attempt) {
    ASSERT_LE(attempt, kAttempts) << "every answer was faster than a drain";
    start(one);
    const Connection slow(server_->port());
    ASSERT_TRUE(slow.send(post_head(kChat, body.size()) + body));
    ASSERT_TRUE(eventually([&] {
      return metric("saccade_server_in_flight") == 1 || metric("saccade_server_completion_tokens_total") > 0;
    }));
    server_->begin_drain();
    const bool in_its_middle = metric("saccade_server_in_flight") == 1;
    EXPECT_EQ(metric("saccade_server_draining"), 1);
    EXPECT_EQ(get("/health").status, 503);
    expect_error(post(about(true, kQuestion)), 503, "stopping");
    EXPECT_TRUE(server_->wait_until_drained(std::chrono::minutes(1)));
    const auto finished = parse_response(slow.receive_all());
    EXPECT_EQ(finished.status, 200);
    EXPECT_EQ(Json(finished.body).number({"usage", "completion_tokens"}), 300);
    if (in_its_middle) return;
  }
}

// If this fails, the end of the server waits for answers without end, or leaves clients without a word.
TEST_F(ServerHttpTest, AnEndCancelsWhatIsLeft) {
  auto one = options();
  one.desk.parallel = 1;
  start(one);
  const auto writing = occupy();
  const auto waiting = occupy();
  ASSERT_TRUE(eventually([&] { return metric("saccade_server_queue") == 1; }));
  EXPECT_EQ(metric("saccade_server_in_flight"), 2);
  server_->begin_drain();
  EXPECT_FALSE(server_->wait_until_drained(std::chrono::milliseconds(1)));
  server_.reset();
  for (const auto *left : {&writing, &waiting}) {
    const auto told = parse_response((*left)->receive_all());
    expect_error(told, 503, "stopping");
    EXPECT_NE(told.head.find("Retry-After: 5"), std::string::npos) << told.head;
  }
}

// If this fails, a client takes half an answer for the whole one, or whoever runs the server does.
TEST_F(ServerHttpTest, AStreamThatIsCancelledSaysSo) {
  start();
  const auto reading = occupy(",\"stream\":true");
  const auto begun = reading->receive();
  EXPECT_NE(begun.find("200"), std::string::npos);
  server_.reset();
  const auto events = parse_response(begun + reading->receive_all()).body;
  EXPECT_NE(events.find("\"error\":{\"message\":\"the server is stopping"), std::string::npos) << events;
  EXPECT_EQ(events.find("[DONE]"), std::string::npos);
  EXPECT_NE(log().find("/v1/chat/completions 503 "), std::string::npos) << log();
  EXPECT_NE(log().find("did not finish this answer"), std::string::npos) << log();
}

TEST_F(ServerHttpTest, WhatCannotBeListenedOnFailsWithASentence) {
  start();
  auto taken = options();
  taken.port = server_->port();
  const auto refused = HttpServer::start(taken).status();
  EXPECT_EQ(refused.kind(), StatusKind::unavailable);
  EXPECT_NE(refused.message().find("--port"), std::string::npos);
  auto named = options();
  named.host = "localhost";
  EXPECT_EQ(HttpServer::start(named).status().kind(), StatusKind::invalid_argument);
  auto uncertified = options();
  uncertified.tls_certificate = uncertified.tls_key = "/nowhere.pem";
  EXPECT_EQ(HttpServer::start(uncertified).status().kind(), StatusKind::invalid_argument);
}

}  // namespace
}  // namespace saccade
