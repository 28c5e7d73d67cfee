// What saccade-server answers: the same as the engine, in the words of OpenAI's chat completions.
#include <cmath>
#include <sstream>

#include "base/utf8.h"
#include "mllm/session.h"
#include "server_testing.h"
#include "vision/resize.h"

namespace saccade {
namespace {

class ServerChatTest : public ServerTest {
 protected:
  // What the engine says by itself.
  static Answer engine(bool day, const std::string &question) {
    const auto pair = ModelPair::open(shipped_model()).value();
    const auto encoder = make_encoder(pair).value().release();
    const std::unique_ptr<VisionEncoder> owned(encoder);
    const auto picture = plain_street(96, 64, day);
    const auto [width, height] = encoder->input();
    const auto resized = resize_area(picture.view(), width, height);
    const EncodedImage images[] = {encoder->overview(encoder->encode(resized.view(), {}, {}).value())};
    return Session::create(pair, {}).value()->ask(question, images, {}).value();
  }
  // The events of a stream.
  static std::vector<std::string> events(const std::string &body) {
    std::vector<std::string> events;
    std::istringstream lines(body);
    for (std::string line; std::getline(lines, line);)
      if (line.starts_with("data: ")) events.push_back(line.substr(6));
    return events;
  }
  static std::string assistant(const std::string &text) {
    return std::string(",") + message("assistant", "\"" + text + "\"");
  }
  static constexpr const char *kContinue = R"("continue_final_message":true,"add_generation_prompt":false)";
};

// If this fails, the cloud sees another picture than the edge does, or lays its question out differently.
TEST_F(ServerChatTest, AnswersAsTheEngineDoes) {
  start();
  for (const bool day : {true, false}) {
    const auto expected = engine(day, kQuestion);
    const auto found = answer(about(day, kQuestion, R"("logprobs":true,"max_tokens":32)"));
    EXPECT_EQ(found.content(), expected.text);
    EXPECT_EQ(found.content(), day ? "day" : "night");
    EXPECT_EQ(found.text({"object"}), "chat.completion");
    EXPECT_EQ(found.text({"model"}), "saccade-edge-text");
    EXPECT_EQ(found.text({"choices", "0", "message", "role"}), "assistant");
    EXPECT_EQ(found.text({"choices", "0", "finish_reason"}), "stop");
    EXPECT_EQ(found.number({"usage", "prompt_tokens"}), expected.prompt_tokens);
    EXPECT_EQ(found.number({"usage", "completion_tokens"}), 1);
    EXPECT_EQ(found.number({"usage", "total_tokens"}), expected.prompt_tokens + 1);
    EXPECT_NEAR(found.number({"choices", "0", "logprobs", "content", "0", "logprob"}),
                expected.token_log_probabilities.front(), 1e-3);
    // A picture is encoded and read; of a word that the first pass chose nothing may be left to do.
    EXPECT_GT(found.number({"timings", "prompt_ms"}), 0);
    EXPECT_GE(found.number({"timings", "predicted_ms"}), 0);
  }
}

TEST_F(ServerChatTest, JpegAndPngShowTheSame) {
  start();
  const auto question = [&](const char *ending) {
    return std::string(R"({"messages":[)") +
           message("user",
                   std::string("[") + text_part(kQuestion) + "," + image_part(street(false, ending)) + "]") +
           "]}";
  };
  EXPECT_EQ(answer(question(".jpg")).content(), answer(question(".png")).content());
  EXPECT_EQ(answer(question(".jpg")).content(), "night");
}

// If this fails, an edge that asks twice about a segment, first to check its draft, pays for its pictures
// twice.
TEST_F(ServerChatTest, APictureThatWasSeenIsNotEncodedAgain) {
  start();
  answer(about(true, kQuestion));
  EXPECT_EQ(metric("saccade_server_pictures_encoded_total"), 1);
  const auto again = answer(about(true, kQuestion));
  EXPECT_EQ(metric("saccade_server_pictures_encoded_total"), 1);
  EXPECT_EQ(metric("saccade_server_pictures_remembered_total"), 1);
  EXPECT_EQ(metric("saccade_server_encode_seconds_count"), 1);
  // Nor is it read again.
  EXPECT_GT(again.number({"usage", "prompt_tokens_details", "cached_tokens"}),
            again.number({"usage", "prompt_tokens"}) / 2);
  answer(about(false, kQuestion));
  EXPECT_EQ(metric("saccade_server_pictures_encoded_total"), 2);
}

// If this fails, a client that reads a stream is told something else than one that waits, or half a
// character.
TEST_F(ServerChatTest, AStreamsPiecesAreTheWholeAnswer) {
  start();
  const auto whole = answer(about(true, kDescribe, R"("logprobs":true)"));
  const auto streamed = post(about(true, kDescribe, R"("stream":true,"logprobs":true)"));
  ASSERT_EQ(streamed.status, 200);
  EXPECT_NE(streamed.head.find("text/event-stream"), std::string::npos);
  const auto all = events(streamed.body);
  ASSERT_GE(all.size(), 4U);  // role, text, end, and the mark; how much is in one piece is a matter of pace
  EXPECT_EQ(all.back(), "[DONE]");
  std::string joined;
  for (std::size_t i = 0; i + 1 < all.size(); ++i) {
    EXPECT_TRUE(is_utf8(all[i]));
    const Json chunk(all[i]);
    EXPECT_EQ(chunk.text({"object"}), "chat.completion.chunk");
    if (i == 0) {
      EXPECT_EQ(chunk.text({"choices", "0", "delta", "role"}), "assistant");
    }
    if (JsonNode *piece = chunk.at({"choices", "0", "delta", "content"})) joined += string_of(piece);
  }
  EXPECT_EQ(joined, whole.content());
  const Json end(all[all.size() - 2]);
  EXPECT_EQ(end.text({"choices", "0", "finish_reason"}), "stop");
  EXPECT_GT(end.number({"timings", "prompt_ms"}), 0);
  EXPECT_EQ(end.length({"choices", "0", "logprobs", "content"}),
            whole.length({"choices", "0", "logprobs", "content"}));
}

TEST_F(ServerChatTest, AStreamTellsItsUsageWhenAsked) {
  start();
  const auto streamed =
      events(post(about(true, kQuestion, R"("stream":true,"stream_options":{"include_usage":true})")).body);
  ASSERT_GE(streamed.size(), 4U);
  const Json usage(streamed[streamed.size() - 2]);
  EXPECT_EQ(usage.length({"choices"}), 0U);
  EXPECT_EQ(usage.number({"usage", "completion_tokens"}), 1);
}

TEST_F(ServerChatTest, MaxTokensCutsAndSaysSo) {
  start();
  for (const char *name : {"max_tokens", "max_completion_tokens"}) {
    const auto cut =
        answer(about(true, kDescribe, std::string("\"") + std::string(name) + "\":3,\"temperature\":0.7"));
    EXPECT_EQ(cut.text({"choices", "0", "finish_reason"}), "length");
    EXPECT_EQ(cut.number({"usage", "completion_tokens"}), 3);
  }
}

TEST_F(ServerChatTest, AlternativesOfEachTokenAreNamed) {
  start();
  const auto found = answer(about(true, kQuestion, R"("logprobs":true,"top_logprobs":2)"));
  const std::vector<std::string> first{"choices", "0", "logprobs", "content", "0"};
  const auto at = [&](std::vector<std::string> more) {
    more.insert(more.begin(), first.begin(), first.end());
    return more;
  };
  EXPECT_EQ(found.text(at({"token"})), " day");
  EXPECT_EQ(found.length(at({"bytes"})), 4U);
  EXPECT_EQ(found.length(at({"top_logprobs"})), 2U);
  EXPECT_EQ(found.text(at({"top_logprobs", "0", "token"})), " day");
  EXPECT_LT(found.number(at({"top_logprobs", "1", "logprob"})), found.number(at({"logprob"})));
  const auto none = answer(about(true, kQuestion));
  EXPECT_TRUE(is_absent(none.at({"choices", "0", "logprobs"})));
}

// If this fails, an edge's draft is accepted or refused for another reason than what the model would have
// said.
TEST_F(ServerChatTest, ADraftIsCheckedTokenByToken) {
  start();
  const auto checking = std::string(kContinue) + R"(,"prompt_logprobs":1,"max_tokens":1)";
  const auto whole = answer(about(true, kDescribe)).content();
  const auto right = answer(about(true, kDescribe, checking, assistant(whole)));
  const auto tokens = right.length({"prompt_logprobs"});
  EXPECT_EQ(right.number({"usage", "prompt_tokens"}), static_cast<double>(tokens));
  std::string drafted;
  for (std::size_t i = 0; i < tokens; ++i) {
    JsonNode *entry = right.at({"prompt_logprobs", std::to_string(i)});
    if (is_absent(entry)) {
      EXPECT_TRUE(drafted.empty());
      continue;
    }
    JsonObject *ids = json_node_get_object(entry);
    EXPECT_EQ(json_object_get_size(ids), 1U);  // the model's own choice
    GList *named = json_object_get_values(ids);
    drafted += string_of(member(static_cast<JsonNode *>(named->data), "decoded_token"));
    EXPECT_EQ(whole_number_of(member(static_cast<JsonNode *>(named->data), "rank")), 1);
    g_list_free(named);
  }
  EXPECT_EQ(drafted, " " + whole);
  EXPECT_EQ(right.text({"choices", "0", "finish_reason"}), "stop");

  const auto alone = answer(about(true, kQuestion, R"("prompt_logprobs":0)"));
  EXPECT_EQ(alone.number({"usage", "prompt_tokens"}), static_cast<double>(alone.length({"prompt_logprobs"})));
  EXPECT_EQ(alone.content(), "day");

  const auto wrong = post(about(true, kQuestion, checking, assistant("night")));
  EXPECT_TRUE(wrong.has("\"rank\":2") || wrong.has("\"rank\":3")) << wrong.body;
  EXPECT_TRUE(wrong.has("\" day\"")) << wrong.body;
  EXPECT_TRUE(wrong.has("\" night\""));
}

// If this fails, what follows an accepted draft is not what the model would have said.
TEST_F(ServerChatTest, AnAnswerIsContinued) {
  start();
  const auto whole = answer(about(true, kDescribe)).content();
  const auto cut = whole.find(' ', whole.size() / 2);
  const auto rest = answer(about(true, kDescribe, kContinue, assistant(whole.substr(0, cut))));
  EXPECT_EQ(whole.substr(0, cut) + rest.content(), whole);
  std::string joined;
  const auto continued = std::string(kContinue) + R"(,"stream":true)";
  for (const auto &event :
       events(post(about(true, kDescribe, continued, assistant(whole.substr(0, cut)))).body))
    if (event != "[DONE]") {
      const Json chunk(event);
      if (const char *piece = string_of(chunk.at({"choices", "0", "delta", "content"}))) joined += piece;
    }
  EXPECT_EQ(joined, rest.content());
}

// If this fails, an earlier question is forgotten, or a system's message is.
TEST_F(ServerChatTest, AConversationHasManyTurns) {
  start();
  const auto one = answer(about(true, kQuestion));
  const auto more =
      answer(about(true, kQuestion, "",
                   assistant("day") + "," +
                       message("user", std::string("[") + text_part("how many people are there?") + "]")));
  EXPECT_GT(more.number({"usage", "prompt_tokens"}), one.number({"usage", "prompt_tokens"}) + 5);
  const auto body = std::string(R"({"messages":[)") + message("system", "\"You watch a street.\"") + "," +
                    message("user", "\"is it day?\"") + "]}";
  EXPECT_EQ(post(body).status, 200);
}

TEST_F(ServerChatTest, APredictionIsCheckedAndCounted) {
  start();
  const auto whole = answer(about(true, kDescribe)).content();
  const auto predicting = [](const std::string &text) {
    return R"("prediction":{"type":"content","content":")" + text + "\"}";
  };
  const auto right = answer(about(true, kDescribe, predicting(whole)));
  EXPECT_EQ(right.content(), whole);
  const std::vector<std::string> details{"usage", "completion_tokens_details"};
  EXPECT_GT(right.number({details[0], details[1], "accepted_prediction_tokens"}), 4);
  EXPECT_EQ(right.number({details[0], details[1], "rejected_prediction_tokens"}), 0);
  const auto wrong = answer(about(true, kDescribe, predicting("it is a dog in the rain")));
  EXPECT_EQ(wrong.content(), whole);
  EXPECT_FALSE(answer(about(true, kDescribe)).at(details));
}

// If this fails, a client that wants JSON gets words.
TEST_F(ServerChatTest, AnswersFollowAForm) {
  start();
  const auto schema = answer(about(true, kQuestion,
                                   R"("response_format":{"type":"json_schema","json_schema":{"name":"x",)"
                                   R"("schema":{"type":"object","properties":{"night":{"type":"boolean"}},)"
                                   R"("required":["night"]}}})"));
  const Json by_schema(schema.content());
  EXPECT_TRUE(bool_of(by_schema.at({"night"})));
  const auto any =
      answer(about(true, kQuestion, R"("response_format":{"type":"json_object"},"max_tokens":400)"));
  if (any.text({"choices", "0", "finish_reason"}) == "stop") {
    const Json object(any.content());
    EXPECT_TRUE(JSON_NODE_HOLDS_OBJECT(object.at({})));
  } else {
    EXPECT_TRUE(any.content().starts_with("{")) << any.content();
  }
  EXPECT_NE(answer(about(true, kQuestion, R"("response_format":{"type":"text"})")).content(), "");
  const auto strange = post(about(
      true, kQuestion, R"("response_format":{"type":"json_schema","json_schema":{"schema":{"not":{}}}})"));
  EXPECT_EQ(strange.status, 400);
}

// If this fails, clients get each other's answers.
TEST_F(ServerChatTest, SideBySideEachGetsItsOwn) {
  start();
  const auto description = answer(about(true, kDescribe)).content();
  std::vector<std::jthread> clients;
  std::atomic<int> right = 0;
  for (int client = 0; client < 6; ++client)
    clients.emplace_back([&, client] {
      for (int i = 0; i < 4; ++i) {
        const bool day = (client + i) % 2 == 0;
        right += answer(about(day, kQuestion)).content() == (day ? "day" : "night");
        right += answer(about(true, kDescribe)).content() == description;
      }
    });
  clients.clear();
  EXPECT_EQ(right, 48);
}

TEST_F(ServerChatTest, WhatDoesNotFitIsRefusedWithASentence) {
  start();
  const auto refused = post(about(true, std::string(12'000, 'x')));
  EXPECT_EQ(refused.status, 400);
  EXPECT_TRUE(refused.has("max-context")) << refused.body;
}

// If this fails, a request of thousands of tiny pictures keeps a session busy with what is refused
// afterwards.
TEST_F(ServerChatTest, PicturesBehindAFullContextAreNotEncoded) {
  constexpr int kPictures = 24;
  auto small = options();
  small.desk.session.max_context = 256;
  start(small);
  const auto picture = [](int i) {
    const auto file = picture_file(plain_street(96 + 2 * i, 64, true), ".png");
    return image_part("data:image/png;base64," + base64(file));
  };
  const auto asking = [](const std::string &parts) {
    std::string body = R"({"messages":[)";
    return body + message("user", "[" + parts + text_part("what is it?") + "]") + "]}";
  };
  std::string all;
  for (int i = 0; i < kPictures; ++i) all += picture(i) + ",";
  const auto refused = post(asking(all));
  EXPECT_EQ(refused.status, 400);
  EXPECT_TRUE(refused.has("max-context")) << refused.body;
  answer(asking(picture(0) + ","));
  EXPECT_EQ(metric("saccade_server_pictures_remembered_total"), 1);
  answer(asking(picture(kPictures - 1) + ","));
  EXPECT_EQ(metric("saccade_server_pictures_remembered_total"), 1);
  EXPECT_EQ(metric("saccade_server_pictures_encoded_total"), 1);
}

TEST_F(ServerChatTest, AModelThatDoesNotHearSaysSo) {
  start();
  const auto refused = post(R"({"messages":[{"role":"user","content":[{"type":"input_audio","input_audio":)"
                            R"({"data":"UklGRgAAAABXQVZF","format":"wav"}}]}]})");
  EXPECT_EQ(refused.status, 400);
  EXPECT_TRUE(refused.has("does not hear")) << refused.body;
}

// If this fails, what a request gets depends on what anybody has sent before: a picture that is sent as a
// sound is seen, if it was seen already.
TEST_F(ServerChatTest, APictureSentAsASoundIsNoPicture) {
  start();
  const auto file = picture_file(plain_street(96, 64, true), ".png");
  answer(about(true, kQuestion));
  std::string body =
      R"({"messages":[{"role":"user","content":[{"type":"input_audio","input_audio":{"data":")";
  body += base64(file);
  const auto refused = post(body + R"(","format":"wav"}}]}]})");
  EXPECT_EQ(refused.status, 400);
  EXPECT_TRUE(refused.has("does not hear")) << refused.body;
}

}  // namespace
}  // namespace saccade
