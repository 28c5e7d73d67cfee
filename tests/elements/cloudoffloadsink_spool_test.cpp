// What the sink does with segments while the server cannot be asked: they wait on the disk.
#include <glib/gstdio.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "cloudoffloadsink_testing.h"
#include "offload/upload/upload_sound.h"

namespace saccade::gst {
namespace {

using faults::Behaviour;
using faults::completion;
using faults::FaultServer;

std::string contents_of(const std::string &path) {
  gchar *contents = nullptr;
  EXPECT_TRUE(g_file_get_contents(path.c_str(), &contents, nullptr, nullptr)) << path;
  std::string text = contents ? contents : "";
  g_free(contents);
  return text;
}

class CloudOffloadSinkSpool : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "saccade-spool-XXXXXX";
    ASSERT_NE(g_mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string spooled(const std::string &url) const {
    return "endpoint=" + url + " retries=0 spool-folder=" + folder_ + " ";
  }

  // Of the only segment that waits, once nobody has the folder: NUMBER-ATTEMPTS.segment.
  std::string the_file() const {
    std::vector<std::string> names;
    for (const auto &entry : std::filesystem::directory_iterator(folder_)) {
      if (entry.path().extension() == ".segment") names.push_back(entry.path().string());
    }
    EXPECT_EQ(names.size(), 1U);
    return names.empty() ? std::string() : names[0];
  }
  // Leaves one segment on the disk that was asked so often already.
  void leave_one(int attempts) const {
    {
      Sink sink(spooled(faults::refused_url()));
      sink.begin(7, "Which colour?");
      sink.frame(7, 0, true);
      gst_harness_push_event(sink.harness(), gst_event_new_eos());
    }
    const auto name = the_file();
    char ending[32];
    std::snprintf(ending, sizeof ending, "-%06d.segment", attempts);
    std::filesystem::rename(name, name.substr(0, name.rfind('-')) + ending);
  }

  std::string folder_;
};

const GstStructure *fields_of(const MessagePtr &message, const char *name) {
  const GstStructure *fields = gst_message_get_structure(message.get());
  return gst_structure_has_name(fields, name) ? fields : nullptr;
}

MessagePtr wait_for(Sink &sink, const char *name) {
  while (true) {
    auto message = sink.next_message(GST_MESSAGE_ELEMENT);
    if (!message || fields_of(message, name)) return message;
  }
}

// Breaks when a segment that nobody could be asked about is lost with the process, or answered to somebody
// who counts from 1 again.
TEST_F(CloudOffloadSinkSpool, SegmentsOutliveTheProcess) {
  {
    Sink sink(spooled(faults::refused_url()));
    sink.begin(7, "Which colour?");
    sink.frame(7, 0, true);
    const auto deferred = wait_for(sink, "cloud-deferred");
    guint64 id = 0;
    EXPECT_TRUE(gst_structure_get_uint64(gst_message_get_structure(deferred.get()), "id", &id));
    EXPECT_EQ(id, 7U);
    EXPECT_EQ(statistic(sink.element(), "waiting"), 1U);
    EXPECT_EQ(statistic(sink.element(), "failed"), 0U);
  }
  const FaultServer server({Behaviour::reply(200, completion("Red."))});
  const auto log = folder_ + ".audit";
  Sink sink(spooled(server.url()) + "audit-log=" + log);
  const auto answered = wait_for(sink, "cloud-answer");
  const GstStructure *fields = gst_message_get_structure(answered.get());
  EXPECT_STREQ(gst_structure_get_string(fields, "text"), "Red.");
  EXPECT_STREQ(gst_structure_get_string(fields, "owner"), "mllm0");
  gboolean waited = FALSE;
  EXPECT_TRUE(gst_structure_get_boolean(fields, "waited", &waited));
  EXPECT_TRUE(waited);
  EXPECT_NE(server.requests()[0].body.find("Which colour?"), std::string::npos);
  while (const EventPtr event{gst_harness_try_pull_upstream_event(sink.harness())})
    EXPECT_FALSE(parse_cloud_answer(event.get())) << "its owner is gone";
  EXPECT_EQ(statistic(sink.element(), "waiting"), 0U);
  gst_element_set_state(sink.element(), GST_STATE_NULL);  // writes what is to be written
  const auto lines = contents_of(log);
  EXPECT_NE(lines.find(R"("owner":"mllm0","id":7)"), std::string::npos) << lines;
  EXPECT_NE(lines.find(R"("outcome":"answered")"), std::string::npos) << lines;
  std::filesystem::remove(log);
}

// Breaks when what was heard is lost while it waits, or nobody learns that it left after all.
TEST_F(CloudOffloadSinkSpool, SoundsOutliveTheProcess) {
  const auto clip = counting(8'000, {}, 800);
  {
    Sink sink(spooled(faults::refused_url()));
    sink.begin(7, "What is it?");
    sink.frame_with_sound(SegmentInfo{7, 0, true, false}, clip);
    wait_for(sink, "cloud-deferred");
  }
  const FaultServer server({Behaviour::reply(200, completion("A whistle."))});
  const auto log = folder_ + ".audit";
  Sink sink(spooled(server.url()) + "audit-log=" + log);
  wait_for(sink, "cloud-answer");
  const auto sounds = sounds_in(server.requests().at(0).body);
  ASSERT_EQ(sounds.size(), 1U);
  EXPECT_EQ(sounds[0], wav_file(clip));
  gst_element_set_state(sink.element(), GST_STATE_NULL);  // writes what is to be written
  const auto lines = contents_of(log);
  EXPECT_NE(lines.find(R"("sound":{"bytes":1644,)"), std::string::npos) << lines;
  std::filesystem::remove(log);
}

// Breaks when what waits is not asked once the server is back, or its owner does not hear of it.
TEST_F(CloudOffloadSinkSpool, WhatWaitsIsAskedWhenTheServerIsBack) {
  const FaultServer server({Behaviour::reply(503, ""), Behaviour::reply(200, completion("Green."))});
  Sink sink(spooled(server.url()));
  sink.begin(1, "Which colour?");
  sink.frame(1, 0, true);
  const auto answer = sink.next_answer();
  EXPECT_TRUE(answer.ok) << answer.reason;
  EXPECT_EQ(answer.id, 1U);
  EXPECT_EQ(answer.text, "Green.");
  EXPECT_EQ(server.request_count(), 2U);
}

// Breaks when a question that the server refuses for its own sake is asked for ever.
TEST_F(CloudOffloadSinkSpool, WhatIsRefusedDoesNotWait) {
  const FaultServer server({Behaviour::reply(400, "")});
  Sink sink(spooled(server.url()));
  sink.begin(1, "Which colour?");
  sink.frame(1, 0, true);
  EXPECT_FALSE(sink.next_answer().ok);
  EXPECT_EQ(statistic(sink.element(), "waiting"), 0U);
}

// Breaks when a question to which the model says nothing is asked for ever: live, or from the disk, where
// all others would wait behind it.
TEST_F(CloudOffloadSinkSpool, WhatTheModelSaysNothingToDoesNotWait) {
  leave_one(0);
  const FaultServer server({Behaviour::reply(200, completion("  "))});
  Sink sink(spooled(server.url()));
  EXPECT_NE(sink.next_warning().find("answered with nothing"), std::string::npos);
  EXPECT_EQ(statistic(sink.element(), "waiting"), 0U);
  sink.begin(1, "Which colour?");
  sink.frame(1, 0, true);
  EXPECT_FALSE(sink.next_answer().ok);
  EXPECT_EQ(statistic(sink.element(), "waiting"), 0U);
  EXPECT_EQ(server.request_count(), 2U);
}

// Breaks when a segment over which the server fails keeps the others waiting for ever, or goes without a
// word.
TEST_F(CloudOffloadSinkSpool, WhatFailsTheServerIsGivenUpInTheEnd) {
  leave_one(99);
  const FaultServer server({Behaviour::reply(500, "")});
  Sink sink(spooled(server.url()));
  const auto warning = sink.next_warning();
  EXPECT_NE(warning.find("asked 100 times by now and is given up"), std::string::npos) << warning;
  EXPECT_EQ(statistic(sink.element(), "waiting"), 0U);
  EXPECT_EQ(server.request_count(), 1U);
}

// Breaks when a long night without a link counts against what waits for its end.
TEST_F(CloudOffloadSinkSpool, ALinkThatIsDownDoesNotCount) {
  leave_one(99);
  {
    Sink sink(spooled(faults::refused_url()));
    wait_for(sink, "link-state");  // three calls have failed
    EXPECT_EQ(statistic(sink.element(), "waiting"), 1U);
  }
  const auto name = the_file();
  EXPECT_NE(name.find("-000099.segment"), std::string::npos) << name;
}

// Breaks when a stop loses what was about to be written.
TEST_F(CloudOffloadSinkSpool, AStopWritesWhatWaits) {
  constexpr int kSegments = 6;  // as many as may wait for the encoder of a live stream
  {
    Sink sink(spooled(faults::refused_url()) + "max-in-flight=1");
    for (int i = 1; i <= kSegments; ++i) {
      sink.begin(static_cast<std::uint64_t>(i), "Question " + std::to_string(i));
      sink.frame(static_cast<std::uint64_t>(i), 0, true);
    }
    gst_harness_push_event(sink.harness(), gst_event_new_eos());
  }
  const FaultServer server({Behaviour::reply(200, completion("x"))});
  Sink sink(spooled(server.url()));
  for (int i = 0; i < kSegments; ++i) wait_for(sink, "cloud-answer");
  EXPECT_EQ(statistic(sink.element(), "waiting"), 0U);
}

// Breaks when an upload that a stop cuts off has left without a line that says so, or its segment is lost.
TEST_F(CloudOffloadSinkSpool, WhatTheStopCutsOffIsAccountedFor) {
  leave_one(3);
  const auto log = folder_ + ".audit";
  const FaultServer server({Behaviour::hang()});
  {
    Sink sink(spooled(server.url()) + "audit-log=" + log);
    server.wait_for_requests(1);
  }
  const auto lines = contents_of(log);
  EXPECT_NE(lines.find(R"("owner":"mllm0","id":7)"), std::string::npos) << lines;
  EXPECT_NE(lines.find("was cancelled"), std::string::npos) << lines;
  EXPECT_NE(lines.find(server.url()), std::string::npos) << lines;
  EXPECT_NE(the_file().find("-000003.segment"), std::string::npos) << "the stop is no fault of the server's";
  std::filesystem::remove(log);
}

// Breaks when a folder that cannot serve is only noticed when the first segment is lost.
TEST_F(CloudOffloadSinkSpool, AFolderThatCannotServeFailsAtStart) {
  const std::string file = folder_ + "/file";
  ASSERT_TRUE(g_file_set_contents(file.c_str(), "x", -1, nullptr));
  const auto said = refusal_at_start("spool-folder=" + file);
  EXPECT_NE(said.find(file), std::string::npos) << said;
}

}  // namespace
}  // namespace saccade::gst
