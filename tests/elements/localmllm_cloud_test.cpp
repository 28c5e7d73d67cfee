// localmllm and the cloud behind its offload pad: who speaks for a segment in the end.
#include <gtest/gtest.h>

#include <mutex>
#include <optional>
#include <string>

#include "localmllm_cloud.h"

namespace saccade::gst {
namespace {

// MSAO's second half: the draft goes out at once, the cloud's word comes after and names what it corrects.
TEST(LocalMllm, ACloudAnswerCorrectsTheDraft) {
  Mind mind("route-policy=cloud,offload-size=32", false, nullptr);
  Cloud cloud(mind, saying("dusk"));
  mind.begin();
  mind.push(picture(1));
  const auto texts = mind.finish();
  ASSERT_EQ(texts.size(), 2U);
  EXPECT_EQ(text_of(texts[1].get()), "dusk");
  EXPECT_EQ(source_of(texts[0].get()), "edge-draft");
  EXPECT_EQ(source_of(texts[1].get()), "cloud");
  const auto seen = cloud.seen();
  EXPECT_EQ(number_of(texts[1].get(), "supersedes"), seen.begin->id);
  EXPECT_EQ(seen.begin->question, kQuestion);
  EXPECT_EQ(seen.draft->text, text_of(texts[0].get()));
  EXPECT_TRUE(seen.segment->final);
  EXPECT_EQ(seen.bytes, 32U * 24U * 3U);
  EXPECT_TRUE(seen.prerolled);
}

// A pad that is requested while the stream runs has missed its start, and must get it before its first
// picture.
TEST(LocalMllm, TheOffloadPadMayComeLate) {
  Mind mind("route-policy=cloud");
  mind.push(picture(1));
  mind.message(GST_MESSAGE_ELEMENT);
  Cloud cloud(mind, saying("dusk"));
  mind.push(picture(2));
  EXPECT_EQ(mind.finish().size(), 3U);
  EXPECT_TRUE(cloud.seen().segment.has_value());
}

// With the cloud down the local answer stands, and somebody is told.
TEST(LocalMllm, AFailedCloudLeavesTheLocalAnswer) {
  Mind mind("route-policy=cloud");
  CloudAnswer refused;
  refused.ok = false;
  refused.reason = "connection refused";
  Cloud cloud(mind, refused);
  mind.push(picture(1));
  EXPECT_EQ(mind.finish().size(), 1U);
  EXPECT_NE(saccade::gst::text_of(mind.message(GST_MESSAGE_WARNING).get()).find("the local answer stands"),
            std::string::npos);
}

// Breaks when later questions about a picture are not told what the cloud said of it, or are told unasked.
TEST(LocalMllm, WhatTheCloudSaidIsKnownLater) {
  const auto prompt_tokens = [](const char *knowledge) {
    Mind mind((std::string("route-policy=cloud,window=2,cloud-knowledge=") + knowledge).c_str());
    Cloud cloud(mind, saying("dusk"));
    mind.push(picture(1));
    for (int i = 0; i < 2; ++i) mind.message(GST_MESSAGE_ELEMENT);  // the draft and its correction
    mind.push(picture(2));
    mind.finish();
    return mind.statistic("prompt-tokens");
  };
  EXPECT_GT(prompt_tokens("true"), prompt_tokens("false") + 10);
}

// What the router decided on, as it logs it.
class RoutingLog {
 public:
  RoutingLog() {
    gst_debug_set_threshold_for_name("saccade-routing", GST_LEVEL_LOG);
    gst_debug_add_log_function(note, this, nullptr);
  }
  ~RoutingLog() {
    gst_debug_remove_log_function_by_data(this);
    gst_debug_unset_threshold_for_name("saccade-routing");
  }
  RoutingLog(const RoutingLog &) = delete;
  RoutingLog &operator=(const RoutingLog &) = delete;

  // The number of that name in the last decision's line.
  double last(const std::string &name) {
    const std::lock_guard lock(mutex_);
    const auto field = "\"" + name + "\":";
    const auto at = last_.find(field);
    if (at == std::string::npos) ADD_FAILURE() << "no " << name << " in " << last_;
    return at == std::string::npos ? 0 : std::stod(last_.substr(at + field.size()));
  }

 private:
  static void note(GstDebugCategory *, GstDebugLevel, const char *, const char *, int, GObject *,
                   GstDebugMessage *message, gpointer self) {
    const std::string line = gst_debug_message_get(message);
    auto &log = *static_cast<RoutingLog *>(self);
    const std::lock_guard lock(log.mutex_);
    if (line.starts_with("{\"")) log.last_ = line;
  }

  std::mutex mutex_;
  std::string last_;
};

constexpr double kBytes = 640 * 480 / 4;  // what the router believes of such a picture beforehand

// Learns from one call and decides once more; server_ms: what the server told of its own time.
void learn(const std::optional<double> &server_ms) {
  Mind mind("route-policy=cloud,prompt=\"describe the scene.\"", false, nullptr);
  auto answer = saying("dusk");
  answer.bytes_sent = static_cast<std::uint64_t>(5 * kBytes);
  answer.took_ms = 60000;
  answer.call_bytes_sent = static_cast<std::uint64_t>(kBytes);
  answer.call_ms = 500;
  answer.call_tokens = 1;
  answer.call_server_ms = server_ms;
  Cloud cloud(mind, answer);
  mind.begin("video/x-raw,format=RGB,width=640,height=480,framerate=10/1");
  mind.push(picture(1, 640 * 480 * 3));
  mind.pull();
  mind.pull();
  mind.push(picture(2, 640 * 480 * 3));
  mind.finish();
}

// Breaks when the router takes the sum over retries and calls that verify for what one call sends and takes.
TEST(LocalMllm, ACallIsLearntFromItsLastRequest) {
  RoutingLog log;
  learn(std::nullopt);
  EXPECT_NEAR(log.last("video_bytes"), kBytes, 1);
  EXPECT_LT(log.last("cloud_prefill"), 0.4e9) << "nanoseconds; 0.3 s were believed beforehand";
}

// Breaks when a server's own time is not told from the way's.
TEST(LocalMllm, AServersOwnTimeIsLearnt) {
  RoutingLog log;
  learn(0);
  EXPECT_LT(log.last("cloud_prefill"), 0.1e9) << "all of it was the way";
  learn(500);
  EXPECT_GT(log.last("cloud_prefill"), 0.4e9) << "none of it was";
}

TEST(LocalMllm, EdgeOnlySendsNothing) {
  Mind mind("route-policy=edge");
  Cloud cloud(mind, saying("dusk"));
  mind.push(picture(1));
  EXPECT_EQ(mind.finish().size(), 1U);
  EXPECT_FALSE(cloud.seen().segment.has_value());
}

}  // namespace
}  // namespace saccade::gst
