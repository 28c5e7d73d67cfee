// What the tests of the cloud client share.
#pragma once

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <string>
#include <vector>

#include "offload/cloud/cloud_client.h"

namespace saccade {

inline const ChatQuestion kQuestion{"m", "What?", {{0xFF, 0xD8, 0xFF, 0xD9}}, 8};

// A client whose waits are short; the link never goes down unless a test asks for it.
inline CloudSettings settings_for(const std::string &endpoint) {
  CloudSettings settings;
  settings.endpoint = endpoint;
  settings.retry_backoff_factor = std::chrono::milliseconds(1);
  settings.link.failures_to_open = 1000;
  return settings;
}

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

inline CloudOutcome ask_once(const CloudSettings &settings) {
  Outcomes outcomes;
  auto client = CloudClient::create(settings);
  EXPECT_TRUE(client.ok()) << client.status().message();
  const auto ticket = client.value()->submit(kQuestion, {.done = outcomes.callback()});
  EXPECT_TRUE(ticket.ok()) << ticket.status().message();
  return outcomes.wait_for();
}

inline std::string message_of(const CloudOutcome &outcome) { return outcome.answer.status().message(); }
inline bool says(const CloudOutcome &outcome, const std::string &what) {
  return message_of(outcome).find(what) != std::string::npos;
}

}  // namespace saccade
