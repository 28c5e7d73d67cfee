#include "offload/chat/chat_reply.h"

#include <glib.h>
#include <gtest/gtest.h>
#include <json-glib/json-glib.h>

#include <cmath>

#include "base/glib_pointer.h"
#include "offload/chat/chat_question.h"

namespace saccade {
namespace {

const std::string kGood =
    R"({"choices":[{"message":{"role":"assistant","content":" red \n"},"finish_reason":"length",)"
    R"("logprobs":{"content":[{"token":"r","logprob":-0.2},{"token":"ed","logprob":0}]}}]})";

Result<Answer> answer_in(const std::string &body) {
  const auto reply = parse_chat_completion(body);
  return reply.ok() ? answer_of(reply.value()) : Result<Answer>(reply.status());
}

std::string with_content(const std::string &content) {
  return R"({"choices":[{"message":{"content":)" + content + "}}]}";
}

// A request as a server reads it.
class Request {
 public:
  explicit Request(const std::string &body) : parser_(json_parser_new()) {
    EXPECT_TRUE(json_parser_load_from_data(parser_.get(), body.c_str(), -1, nullptr)) << body;
  }
  JsonObject *root() const { return json_node_get_object(json_parser_get_root(parser_.get())); }
  JsonObject *message(unsigned i) const {
    return json_array_get_object_element(json_object_get_array_member(root(), "messages"), i);
  }
  unsigned messages() const {
    return json_array_get_length(json_object_get_array_member(root(), "messages"));
  }

 private:
  ObjectPointer<JsonParser> parser_;
};

Request request_for(const ChatQuestion &question, const GivenWords &given = {}) {
  return Request(chat_request_head(question) + chat_request_tail(question, given));
}

// Breaks when a server could not read what we ask: the parts, the data URIs and the sampling settings.
TEST(ChatCompletion, RequestHoldsTextThenImagesThenSoundThenSampling) {
  const ChatQuestion question{"m",
                              "Which \"colour\"?\n\xF0\x9F\x9A\xA6",
                              {{0xFF, 0xD8, 1}, {0xFF, 0xD8, 2}},
                              7,
                              {'R', 'I', 'F', 'F'}};
  const auto request = request_for(question);
  JsonObject *root = request.root();
  EXPECT_STREQ(json_object_get_string_member(root, "model"), "m");
  EXPECT_EQ(json_object_get_int_member(root, "max_tokens"), 7);
  EXPECT_EQ(json_object_get_double_member(root, "temperature"), 0);
  EXPECT_TRUE(json_object_get_boolean_member(root, "stream"));
  EXPECT_TRUE(json_object_get_boolean_member(root, "logprobs"));
  EXPECT_FALSE(json_object_has_member(root, "continue_final_message"));
  ASSERT_EQ(request.messages(), 1U);
  JsonArray *content = json_object_get_array_member(request.message(0), "content");
  ASSERT_EQ(json_array_get_length(content), 4U);
  EXPECT_EQ(json_object_get_string_member(json_array_get_object_element(content, 0), "text"), question.text);
  JsonObject *second = json_object_get_object_member(json_array_get_object_element(content, 2), "image_url");
  EXPECT_STREQ(json_object_get_string_member(second, "url"), "data:image/jpeg;base64,/9gC");
  JsonObject *sound = json_object_get_object_member(json_array_get_object_element(content, 3), "input_audio");
  EXPECT_STREQ(json_object_get_string_member(sound, "data"), "UklGRg==");
  EXPECT_STREQ(json_object_get_string_member(sound, "format"), "wav");
}

// Breaks when a draft is sent in other fields than those that servers know, or in some that they refuse
// together.
TEST(ChatCompletion, DraftsStandInStandardFields) {
  const ChatQuestion question{"m", "What?", {}, 7};
  const auto scored = request_for(question, {DraftUse::score, "A red car"});
  EXPECT_STREQ(json_object_get_string_member(scored.message(1), "role"), "assistant");
  EXPECT_STREQ(json_object_get_string_member(scored.message(1), "content"), "A red car");
  EXPECT_EQ(json_object_get_int_member(scored.root(), "prompt_logprobs"), 1);
  EXPECT_EQ(json_object_get_int_member(scored.root(), "max_tokens"), 1);
  EXPECT_FALSE(json_object_get_boolean_member(scored.root(), "stream")) << "refused with prompt_logprobs";
  EXPECT_TRUE(json_object_get_boolean_member(scored.root(), "continue_final_message"));
  EXPECT_FALSE(json_object_get_boolean_member(scored.root(), "add_generation_prompt"));

  const auto gone_on = request_for(question, {DraftUse::go_on, "A red"});
  EXPECT_STREQ(json_object_get_string_member(gone_on.message(1), "content"), "A red");
  EXPECT_FALSE(json_object_has_member(gone_on.root(), "prompt_logprobs"));
  EXPECT_EQ(json_object_get_int_member(gone_on.root(), "max_tokens"), 7);
  EXPECT_TRUE(json_object_get_boolean_member(gone_on.root(), "stream"));

  const auto predicted = request_for(question, {DraftUse::predict, "A red car"});
  EXPECT_EQ(predicted.messages(), 1U);
  JsonObject *prediction = json_object_get_object_member(predicted.root(), "prediction");
  EXPECT_STREQ(json_object_get_string_member(prediction, "type"), "content");
  EXPECT_STREQ(json_object_get_string_member(prediction, "content"), "A red car");
}

// Breaks when a question with broken UTF-8 makes a request that no server can parse.
TEST(ChatCompletion, RequestIsUtf8WhateverTheQuestion) {
  const ChatQuestion question{"m", "a\xFFz", {}, 1};
  const auto body = chat_request_head(question) + chat_request_tail(question, {DraftUse::go_on, "\xC3"});
  EXPECT_TRUE(g_utf8_validate(body.data(), static_cast<gssize>(body.size()), nullptr));
}

// Breaks when the answer, its confidence or its truncation is read wrongly.
TEST(ChatCompletion, AnswerIsReadWithItsConfidence) {
  const auto answer = answer_in(kGood);
  ASSERT_TRUE(answer.ok()) << answer.status().message();
  EXPECT_EQ(answer.value().text, "red");
  EXPECT_EQ(answer.value().token_log_probabilities.size(), 2U);
  EXPECT_NEAR(answer.value().confidence, std::exp(-0.1F), 1e-5F);
  EXPECT_TRUE(answer.value().truncated);
  EXPECT_EQ(answer.value().source, AnswerSource::cloud);
}

// Breaks when a server without log-probabilities, or with half of them, yields a made-up confidence.
TEST(ChatCompletion, WithoutUsableLogProbabilitiesTheConfidenceIsTheStatedDefault) {
  for (const char *logprobs :
       {"null", "{}", R"({"content":null})", R"({"content":[{"logprob":-1},{"logprob":"x"}]})",
        R"({"content":[7]})", R"({"content":{"logprob":-1}})", "[]"}) {
    const auto answer =
        answer_in(R"({"choices":[{"message":{"content":"x"},"logprobs":)" + std::string(logprobs) + "}]}");
    ASSERT_TRUE(answer.ok()) << logprobs;
    EXPECT_EQ(answer.value().confidence, kUnknownConfidence) << logprobs;
  }
}

// Breaks when servers that answer in parts are not understood.
TEST(ChatCompletion, ContentMayBeParts) {
  const auto answer = answer_in(with_content(R"([{"type":"text","text":"a"},{"type":"x"},{"text":"b"}])"));
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer.value().text, "ab");
}

struct Nonsense {
  const char *name;
  std::string body;
  StatusKind kind;
};

// Breaks when some kind of nonsense crashes the parser, passes as an answer, or is refused without a
// sentence.
TEST(ChatCompletion, NonsenseIsRefusedWithASentence) {
  const std::string deep_arrays(100000, '[');
  std::string deep_objects;
  for (int i = 0; i < 100000; ++i) deep_objects += R"({"a":)";
  const Nonsense cases[] = {
      {"empty", "", StatusKind::corrupt},
      {"blank", " \n", StatusKind::corrupt},
      {"an HTML page", "<html><body>502</body></html>", StatusKind::corrupt},
      {"cut off", kGood.substr(0, kGood.size() / 2), StatusKind::corrupt},
      {"brackets in balance but no JSON", "{,}", StatusKind::corrupt},
      {"brackets that do not match", "{]", StatusKind::corrupt},
      {"closed too often", "{}}", StatusKind::corrupt},
      {"two documents", "{} {}", StatusKind::corrupt},
      {"no object", "[1,2]", StatusKind::corrupt},
      {"a number", "7", StatusKind::corrupt},
      {"null", "null", StatusKind::corrupt},
      {"deep arrays", deep_arrays, StatusKind::corrupt},
      {"deep objects", deep_objects, StatusKind::corrupt},
      {"depth hidden behind a comment", "/* \" */" + deep_arrays, StatusKind::corrupt},
      {"a raw control character", "{\"choices\":\"\x01\"}", StatusKind::corrupt},
      {"a zero byte", std::string("{\"choices\":\"\0\"}", 15), StatusKind::corrupt},
      {"not UTF-8", "{\"choices\":\"\xC3\x28\"}", StatusKind::corrupt},
      {"no choices", "{}", StatusKind::corrupt},
      {"choices empty", R"({"choices":[]})", StatusKind::corrupt},
      {"choices an object", R"({"choices":{"0":1}})", StatusKind::corrupt},
      {"a choice that is a string", R"({"choices":["hello"]})", StatusKind::corrupt},
      {"a choice without a message", R"({"choices":[{"text":"x"}]})", StatusKind::corrupt},
      {"a message that is a list", R"({"choices":[{"message":[]}]})", StatusKind::corrupt},
      {"content a number", with_content("7"), StatusKind::corrupt},
      {"content an object", with_content("{}"), StatusKind::corrupt},
      {"content null", with_content("null"), StatusKind::unavailable},
      {"content empty", with_content(R"("  \n")"), StatusKind::unavailable},
      {"content no parts", with_content("[]"), StatusKind::unavailable},
      {"an error", R"({"error":{"message":"model is loading"}})", StatusKind::unavailable},
      {"an error that is a string", R"({"error":"busy","choices":[]})", StatusKind::unavailable},
      {"an error of a strange type", R"({"error":[1]})", StatusKind::unavailable},
  };
  for (const auto &nonsense : cases) {
    const auto answer = answer_in(nonsense.body);
    ASSERT_FALSE(answer.ok()) << nonsense.name;
    EXPECT_EQ(answer.status().kind(), nonsense.kind) << nonsense.name << ": " << answer.status().message();
    EXPECT_FALSE(answer.status().message().empty()) << nonsense.name;
  }
}

// Breaks when a response cut or changed at any byte makes the parser crash (run with the sanitizers).
TEST(ChatCompletion, DamageAnywhereIsSurvived) {
  for (std::size_t i = 0; i < kGood.size(); ++i) {
    (void)parse_chat_completion(kGood.substr(0, i));
    for (const char c : {'"', '{', ']', '\\', '0', '\xFF'}) {
      auto damaged = kGood;
      damaged[i] = c;
      (void)parse_chat_completion(damaged);
      (void)server_complaint(damaged);
    }
  }
}

// Breaks when what a server tells of a prediction or of the prompt's tokens is read wrongly: the token that
// stands in the prompt is the one of the higher rank.
TEST(ChatCompletion, WhatIsToldOfADraftIsRead) {
  const auto reply = parse_chat_completion(
      R"({"choices":[{"message":{"content":"x"}}],"usage":{"completion_tokens":3,)"
      R"("completion_tokens_details":{"accepted_prediction_tokens":2,"rejected_prediction_tokens":1}},)"
      R"("prompt_logprobs":[null,{"5":{"logprob":-0.5,"rank":1,"decoded_token":"A"}},)"
      R"({"7":{"logprob":-0.1,"rank":1,"decoded_token":" blue"},)"
      R"("6":{"logprob":-3,"rank":4,"decoded_token":" red"}},{"8":{"rank":1}},7]})");
  ASSERT_TRUE(reply.ok());
  EXPECT_EQ(reply.value().predicted_right, 2);
  EXPECT_EQ(reply.value().predicted_wrong, 1);
  EXPECT_EQ(reply.value().tokens, 3);
  ASSERT_TRUE(reply.value().prompt_tokens);
  const auto &tokens = *reply.value().prompt_tokens;
  ASSERT_EQ(tokens.size(), 5U);
  EXPECT_EQ(tokens[0].rank, 0);
  EXPECT_EQ(tokens[1].text, "A");
  EXPECT_EQ(tokens[1].rank, 1);
  EXPECT_FLOAT_EQ(tokens[1].log_probability, -0.5F);
  EXPECT_EQ(tokens[2].text, " red");
  EXPECT_EQ(tokens[2].rank, 4);
  EXPECT_EQ(tokens[3].rank, 0);
  EXPECT_FALSE(parse_chat_completion(kGood).value().prompt_tokens);
  EXPECT_FALSE(parse_chat_completion(kGood).value().predicted_right);
}

// Breaks when a server's own time is read wrongly, or half of it, or nonsense, for all.
TEST(ChatCompletion, TheServersTimeIsRead) {
  const auto told = [](const std::string &timings) {
    const auto reply =
        parse_chat_completion(R"({"choices":[{"message":{"content":"x"}}],"timings":)" + timings + "}");
    EXPECT_TRUE(reply.ok()) << timings;
    return reply.value().server_time;
  };
  EXPECT_EQ(told(R"({"prompt_ms":120.5,"predicted_ms":80})"), std::chrono::microseconds(200500));
  EXPECT_EQ(told(R"({"prompt_ms":0,"predicted_ms":0})"), Duration::zero());
  for (const char *nonsense :
       {"{}", "[]", "7", R"({"prompt_ms":1})", R"({"prompt_ms":-1,"predicted_ms":1})",
        R"({"prompt_ms":1e300,"predicted_ms":1})", R"({"prompt_ms":"1","predicted_ms":1})"})
    EXPECT_FALSE(told(nonsense)) << nonsense;
}

// Breaks when a server's own words flood a log line or smuggle control characters into it.
TEST(ChatCompletion, ComplaintsAreOneShortPrintableLine) {
  const auto complaint =
      server_complaint(R"({"error":{"message":"bad\n\u001b[31mkey )" + std::string(5000, 'x') + R"("}})");
  EXPECT_LE(complaint.size(), 200U);
  EXPECT_TRUE(complaint.starts_with("bad  [31mkey xxx"));
  EXPECT_EQ(server_complaint("<html>"), "");
  EXPECT_EQ(server_complaint(R"({"detail":"Not Found"})"), "Not Found");
}

}  // namespace
}  // namespace saccade
