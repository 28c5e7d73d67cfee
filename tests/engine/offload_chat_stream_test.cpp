#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "offload/chat/chat_reply.h"

namespace saccade {
namespace {

// As servers send it: a role first, comments to keep the line open, the usage in a chunk of its own.
constexpr std::string_view kStream =
    ": hello\n\n"
    "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":null},\"finish_reason\":null}]}\n\n"
    "event: x\nid: 7\n"
    "data: {\"choices\":[{\"delta\":{\"content\":\"A gr\"},"
    "\"logprobs\":{\"content\":[{\"logprob\":-0.5},{\"logprob\":-0.25}]}}]}\n\n"
    "data:{\"choices\":[{\"delta\":{\"content\":\"\xC3\xBC\"},\"logprobs\":{\"content\":[{\"logprob\":-1}]}}]"
    "}\n\n"
    "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"length\"}]}\n\n"
    "data: {\"choices\":[],\"usage\":{\"completion_tokens\":3,"
    "\"completion_tokens_details\":{\"accepted_prediction_tokens\":1}},"
    "\"timings\":{\"prompt_ms\":20,\"predicted_ms\":30.5}}\n\n"
    "data: [DONE]\n\n";

void expect_all(const ChatStream &stream) {
  EXPECT_TRUE(stream.finished().ok()) << stream.finished().message();
  EXPECT_EQ(stream.reply().text, "A gr\xC3\xBC");
  EXPECT_EQ(stream.reply().log_probabilities, (std::vector<float>{-0.5F, -0.25F, -1}));
  EXPECT_TRUE(stream.reply().complete);
  EXPECT_TRUE(stream.reply().truncated);
  EXPECT_EQ(stream.reply().tokens, 3);
  EXPECT_EQ(stream.reply().predicted_right, 1);
  EXPECT_EQ(stream.reply().server_time, std::chrono::microseconds(50500));
}

// Breaks when it matters where the network cuts the bytes, or how a server ends its lines.
TEST(ChatStream, IsReadWhereverItIsCut) {
  std::string returns;
  std::string both;
  for (const char c : kStream) {
    returns += c == '\n' ? '\r' : c;
    both += c == '\n' ? std::string("\r\n") : std::string(1, c);
  }
  for (const std::string &bytes : {std::string(kStream), returns, both}) {
    for (std::size_t size : {std::size_t{1}, std::size_t{3}, bytes.size()}) {
      ChatStream stream;
      for (std::size_t at = 0; at < bytes.size(); at += size)
        ASSERT_TRUE(stream.take(std::string_view(bytes).substr(at, size)).ok());
      expect_all(stream);
    }
  }
}

// Breaks when a stream that broke off passes for an answer.
TEST(ChatStream, WhatBreaksOffIsNoAnswer) {
  ChatStream stream;
  ASSERT_TRUE(stream.take(kStream.substr(0, kStream.find("data: {\"choices\":[{\"delta\":{},"))).ok());
  EXPECT_EQ(stream.finished().kind(), StatusKind::unavailable);
  EXPECT_EQ(ChatStream().finished().kind(), StatusKind::corrupt);
}

// Breaks when an error in the middle of a stream, or nonsense, passes.
TEST(ChatStream, ErrorsAndNonsenseEndIt) {
  for (const std::string data : {R"({"error":{"message":"out of memory"}})", "nonsense", "{", "[1]", "{}"}) {
    ChatStream stream;
    EXPECT_FALSE(stream.take("data: " + data + "\n\n").ok()) << data;
  }
}

// Breaks when half of the tokens' probabilities pass for all of them.
TEST(ChatStream, HalfTheProbabilitiesAreNone) {
  ChatStream stream;
  ASSERT_TRUE(stream
                  .take("data: "
                        "{\"choices\":[{\"delta\":{\"content\":\"a\"},\"logprobs\":{\"content\":[{"
                        "\"logprob\":-1}]}}]}\n\n"
                        "data: {\"choices\":[{\"delta\":{\"content\":\"b\"}}]}\n\n"
                        "data: "
                        "{\"choices\":[{\"delta\":{\"content\":\"c\"},\"logprobs\":{\"content\":[{"
                        "\"logprob\":-1}]}}]}\n\n")
                  .ok());
  EXPECT_EQ(stream.reply().text, "abc");
  EXPECT_TRUE(stream.reply().log_probabilities.empty());
}

// Breaks when a server that tells all of them at the end is taken for one that tells none.
TEST(ChatStream, ProbabilitiesMayComeAtTheEnd) {
  ChatStream stream;
  ASSERT_TRUE(
      stream
          .take("data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n"
                "data: {\"choices\":[{\"delta\":{\"content\":\"b\"}}]}\n\n"
                "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\",\"logprobs\":{\"content\":"
                "[{\"logprob\":-1},{\"logprob\":-2}]}}]}\n\n")
          .ok());
  EXPECT_EQ(stream.reply().text, "ab");
  EXPECT_EQ(stream.reply().log_probabilities, (std::vector<float>{-1, -2}));
}

}  // namespace
}  // namespace saccade
