// localmllm and the cloud behind its offload pad: who speaks for a segment in the end.
#include <gtest/gtest.h>

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

TEST(LocalMllm, EdgeOnlySendsNothing) {
  Mind mind("route-policy=edge");
  Cloud cloud(mind, saying("dusk"));
  mind.push(picture(1));
  EXPECT_EQ(mind.finish().size(), 1U);
  EXPECT_FALSE(cloud.seen().segment.has_value());
}

}  // namespace
}  // namespace saccade::gst
