#include "offload/chat_completion.h"

#include <glib.h>
#include <gtest/gtest.h>
#include <json-glib/json-glib.h>

#include <cmath>
#include <cstdio>

#include "offload/endpoint.h"

namespace saccade {
namespace {

const std::string kGood =
    R"({"choices":[{"message":{"role":"assistant","content":" red \n"},"finish_reason":"length",)"
    R"("logprobs":{"content":[{"token":"r","logprob":-0.2},{"token":"ed","logprob":0}]}}]})";

std::string with_content(const std::string &content) {
  return R"({"choices":[{"message":{"content":)" + content + "}}]}";
}

// Breaks when a server could not read what we ask: the parts, the data URIs and the sampling settings.
TEST(ChatCompletion, RequestHoldsTextThenImagesThenSampling) {
  const ChatQuestion question{
      "m", "Which \"colour\"?\n\xF0\x9F\x9A\xA6", {{0xFF, 0xD8, 1}, {0xFF, 0xD8, 2}}, 7};
  const auto body = chat_completion_request(question);

  JsonParser *parser = json_parser_new();
  ASSERT_TRUE(json_parser_load_from_data(parser, body.c_str(), -1, nullptr));
  JsonObject *root = json_node_get_object(json_parser_get_root(parser));
  EXPECT_STREQ(json_object_get_string_member(root, "model"), "m");
  EXPECT_EQ(json_object_get_int_member(root, "max_tokens"), 7);
  EXPECT_EQ(json_object_get_double_member(root, "temperature"), 0);
  EXPECT_FALSE(json_object_get_boolean_member(root, "stream"));
  EXPECT_TRUE(json_object_get_boolean_member(root, "logprobs"));
  JsonArray *messages = json_object_get_array_member(root, "messages");
  ASSERT_EQ(json_array_get_length(messages), 1U);
  JsonArray *content = json_object_get_array_member(json_array_get_object_element(messages, 0), "content");
  ASSERT_EQ(json_array_get_length(content), 3U);
  EXPECT_EQ(json_object_get_string_member(json_array_get_object_element(content, 0), "text"), question.text);
  JsonObject *second = json_object_get_object_member(json_array_get_object_element(content, 2), "image_url");
  EXPECT_STREQ(json_object_get_string_member(second, "url"), "data:image/jpeg;base64,/9gC");
  g_object_unref(parser);
}

// Breaks when a question with broken UTF-8 makes a request that no server can parse.
TEST(ChatCompletion, RequestIsUtf8WhateverTheQuestion) {
  const auto body = chat_completion_request({"m", "a\xFFz", {}, 1});
  EXPECT_TRUE(g_utf8_validate(body.data(), static_cast<gssize>(body.size()), nullptr));
}

// Breaks when the answer, its confidence or its truncation is read wrongly.
TEST(ChatCompletion, AnswerIsReadWithItsConfidence) {
  const auto answer = parse_chat_completion(kGood);
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
    const auto answer = parse_chat_completion(R"({"choices":[{"message":{"content":"x"},"logprobs":)" +
                                              std::string(logprobs) + "}]}");
    ASSERT_TRUE(answer.ok()) << logprobs;
    EXPECT_EQ(answer.value().confidence, kUnknownConfidence) << logprobs;
  }
}

// Breaks when servers that answer in parts are not understood.
TEST(ChatCompletion, ContentMayBeParts) {
  const auto answer =
      parse_chat_completion(with_content(R"([{"type":"text","text":"a"},{"type":"x"},{"text":"b"}])"));
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
    const auto answer = parse_chat_completion(nonsense.body);
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

// Breaks when a server's own words flood a log line or smuggle control characters into it.
TEST(ChatCompletion, ComplaintsAreOneShortPrintableLine) {
  const auto complaint =
      server_complaint(R"({"error":{"message":"bad\n\u001b[31mkey )" + std::string(5000, 'x') + R"("}})");
  EXPECT_LE(complaint.size(), 200U);
  EXPECT_TRUE(complaint.starts_with("bad  [31mkey xxx"));
  EXPECT_EQ(server_complaint("<html>"), "");
  EXPECT_EQ(server_complaint(R"({"detail":"Not Found"})"), "Not Found");
}

// Breaks when a base URL no longer finds the chat-completions call, or a complete one is changed.
TEST(Endpoint, WhatUsersTypeBecomesTheCall) {
  const std::pair<const char *, const char *> cases[] = {
      {"http://h:8080", "http://h:8080/v1/chat/completions"},
      {"http://h:8080/", "http://h:8080/v1/chat/completions"},
      {"https://h/v1", "https://h/v1/chat/completions"},
      {"https://h/v1/", "https://h/v1/chat/completions"},
      {"http://[::1]:80/v1/chat/completions", "http://[::1]:80/v1/chat/completions"},
      {"https://h/openai/v1", "https://h/openai/v1/chat/completions"},
      {"https://h/deployments/x/chat/completions?api-version=1",
       "https://h/deployments/x/chat/completions?api-version=1"},
  };
  for (const auto &[typed, expected] : cases) {
    const auto url = chat_completions_url(typed);
    ASSERT_TRUE(url.ok()) << typed;
    EXPECT_EQ(url.value(), expected);
  }
}

// Breaks when an endpoint that cannot work is taken, or a password in it would reach a log.
TEST(Endpoint, WhatCannotWorkIsRefused) {
  for (const char *typed :
       {"", "localhost:8080", "ftp://h/v1", "http://", "not a url", "http://user:secret@h/v1"}) {
    const auto url = chat_completions_url(typed);
    ASSERT_FALSE(url.ok()) << typed;
    EXPECT_EQ(url.status().message().find("secret"), std::string::npos);
    EXPECT_NE(url.status().message().find("/v1/chat/completions"), std::string::npos)
        << "says what is wanted";
  }
  EXPECT_EQ(url_for_people("https://h/v1/x?key=secret"), "https://h/v1/x");
}

// Breaks when a key file with a newline, an empty one or a missing one is taken wrongly.
TEST(Endpoint, KeyFilesAreReadOrRefused) {
  const std::string path = testing::TempDir() + "saccade_key";
  ASSERT_TRUE(g_file_set_contents(path.c_str(), " sk-123\n", -1, nullptr));
  EXPECT_EQ(read_api_key(path).value(), "sk-123");
  ASSERT_TRUE(g_file_set_contents(path.c_str(), " \n", -1, nullptr));
  EXPECT_FALSE(read_api_key(path).ok());
  ASSERT_TRUE(g_file_set_contents(path.c_str(), "sk-1\r\nX-Evil: 1", -1, nullptr));
  EXPECT_FALSE(read_api_key(path).ok());
  EXPECT_EQ(read_api_key(path).status().message().find("Evil"), std::string::npos);
  std::remove(path.c_str());
  EXPECT_EQ(read_api_key(path).status().kind(), StatusKind::not_found);
  g_setenv("SACCADE_API_KEY", "from-the-environment", TRUE);
  EXPECT_EQ(read_api_key("").value(), "from-the-environment");
  g_unsetenv("SACCADE_API_KEY");
  EXPECT_EQ(read_api_key("").value(), "");
}

}  // namespace
}  // namespace saccade
