#include "offload/cloud/endpoint.h"

#include <glib.h>
#include <gtest/gtest.h>

#include <cstdio>

#include "offload/cloud/endpoint_pool.h"

namespace saccade {
namespace {

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

// Breaks when a list of servers is taken for one, or one that cannot work hides among others.
TEST(Endpoint, SeveralMayBeNamed) {
  const auto urls = chat_completions_urls(" http://a, http://b/v1 ,http://c:1/x");
  ASSERT_TRUE(urls.ok());
  EXPECT_EQ(urls.value(), (std::vector<std::string>{"http://a/v1/chat/completions",
                                                    "http://b/v1/chat/completions", "http://c:1/x"}));
  EXPECT_FALSE(chat_completions_urls("http://a, ftp://b").ok());
  EXPECT_FALSE(chat_completions_urls(" , ").ok());
}

constexpr LinkSettings kFragile{.failures_to_open = 1, .cool_down = std::chrono::seconds(5)};

// Breaks when a server that is down is still asked, or one that is preferred is not asked again when it is
// back.
TEST(EndpointPool, TheFirstWhoseLinkIsUpIsAsked) {
  EndpointPool pool({"http://a", "http://b"}, kFragile);
  const auto start = Clock::now();
  EXPECT_EQ(pool.take(), 0U);
  EXPECT_FALSE(pool.failed(0, start)) << "the other one is up";
  EXPECT_EQ(pool.take(), 1U);
  EXPECT_TRUE(pool.failed(1, start + std::chrono::seconds(1)));
  EXPECT_FALSE(pool.take());
  EXPECT_FALSE(pool.snapshot().up);
  EXPECT_NE(pool.why_not(start).find("the link to http://b is down after 1 failed"), std::string::npos);
  EXPECT_EQ(pool.time_to_trial(start), std::chrono::seconds(5));
  EXPECT_FALSE(pool.try_again(start + std::chrono::seconds(4)));
  EXPECT_TRUE(pool.try_again(start + std::chrono::seconds(5)));
  EXPECT_EQ(pool.take(), 0U) << "on trial";
  EXPECT_FALSE(pool.take()) << "by one call alone";
  pool.succeeded(0, std::chrono::milliseconds(1), {});
  EXPECT_EQ(pool.take(), 0U);
  EXPECT_FALSE(pool.take_another(0)) << "the second is still down";
}

}  // namespace
}  // namespace saccade
