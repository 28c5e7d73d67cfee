// What the sink makes of pictures before they leave: cut, sized for the link, faces blurred, accounted for.
#include <glib/gstdio.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include <filesystem>
#include <fstream>
#include <mutex>
#include <set>
#include <string>
#include <thread>

#include "cloudoffloadsink_testing.h"
#include "common/metas.h"

namespace saccade::gst {
namespace {

using faults::Behaviour;
using faults::completion;
using faults::FaultServer;

constexpr const char *kLarge = "video/x-raw,format=RGB,width=640,height=320,framerate=10/1";

// Pushes a noisy picture of 640 x 320 that the gate says is worth seeing in this patch, or in its lower right
// corner.
void push_gated(Sink &sink, std::uint32_t noise = 1, std::size_t patch = 8 * 16 - 1) {
  GstBuffer *buffer = gst_buffer_new_allocate(nullptr, 640 * 320 * 3, nullptr);
  GstMapInfo map;
  gst_buffer_map(buffer, &map, GST_MAP_WRITE);
  for (gsize i = 0; i < map.size; ++i) map.data[i] = static_cast<guint8>((noise = noise * 1664525 + 1) >> 24);
  gst_buffer_unmap(buffer, &map);
  MasReport report;
  report.grid = {8, 16};
  report.keep.assign(8 * 16, 0);
  report.keep[patch] = 255;
  set_mas(buffer, report);
  gst_harness_push(sink.harness(), buffer);
}

std::string size_of_first_picture(const FaultServer &server) {
  const auto pictures = pictures_in(server.requests().at(0).body);
  return pictures.empty() ? "none" : size_of(pictures[0]);
}

// Breaks when all of a picture is sent although the gate points at a corner of it.
TEST(CloudOffloadSinkPicture, IsCutToWhatMatters) {
  const FaultServer server({Behaviour::reply(200, completion("x"))});
  Sink sink(endpoint(server) + "crop=true", kLarge);
  push_gated(sink);
  sink.next_answer();
  EXPECT_EQ(size_of_first_picture(server), "224x224");

  Sink whole(endpoint(server), kLarge);
  push_gated(whole);
  whole.next_answer();
  EXPECT_EQ(size_of(pictures_in(server.requests().at(1).body).at(0)), "640x320");
}

// Breaks when a picture is made again for each question about it, or one is taken for another picture, or for
// another part of it.
TEST(CloudOffloadSinkPicture, IsMadeOnceForAllQuestions) {
  const FaultServer server({Behaviour::reply(200, completion("x"))});
  Sink sink(endpoint(server) + "crop=true", kLarge);
  push_gated(sink);
  push_gated(sink);
  push_gated(sink, 1, 0);
  push_gated(sink, 2, 0);
  for (int i = 0; i < 4; ++i) sink.next_answer();
  std::set<std::string> different;
  for (const auto &request : server.requests()) different.insert(request.body);
  EXPECT_EQ(different.size(), 3U);
  EXPECT_EQ(statistic(sink.element(), "pictures"), 3U);
}

// Breaks when a slow link gets pictures that are as large as a fast one's, or a link that nobody has measured
// gets small ones.
TEST(CloudOffloadSinkPicture, IsMadeSmallForASlowLink) {
  const FaultServer server({Behaviour::reply(200, completion("x"))});
  // The first call tells how fast the link is: no loopback carries a picture in a microsecond.
  Sink sink(endpoint(server) + "max-upload-time=0.000001", kLarge);
  push_gated(sink);
  sink.next_answer();
  EXPECT_EQ(size_of_first_picture(server), "640x320") << "nothing is known of the link yet";
  push_gated(sink);
  sink.next_answer();
  EXPECT_EQ(size_of(pictures_in(server.requests().at(1).body).at(0)), "224x112");
  EXPECT_LT(server.requests().at(1).body.size(), server.requests().at(0).body.size() / 8) << "and worse";
}

// Breaks when pictures of people leave although nobody could look for faces.
TEST(CloudOffloadSinkPicture, WithoutCascadesNothingStarts) {
  const auto said = refusal_at_start("privacy=blur-faces face-cascades=/nonexistent");
  EXPECT_NE(said.find("opencv-data"), std::string::npos) << said;
}

// Breaks when JPEGs, whose faces nobody can blur without decoding them, leave as they came.
TEST(CloudOffloadSinkPicture, JpegsAreRefusedWhereFacesAreToBeBlurred) {
  const FaultServer server({Behaviour::reply(200, completion("x"))});
  Sink sink(endpoint(server) + "privacy=blur-faces", "image/jpeg");
  gst_harness_push(sink.harness(), gst_buffer_new_allocate(nullptr, 100, nullptr));
  EXPECT_NE(sink.next_answer().reason.find("put jpegdec before"), std::string::npos);
  EXPECT_EQ(server.request_count(), 0U);
}

// Breaks when something leaves the device and its owner cannot find out what, or the log tells the question
// to who was not to know it.
TEST(CloudOffloadSinkPicture, WhatLeftIsAccountedFor) {
  std::string pattern = testing::TempDir() + "saccade-audit-XXXXXX";
  ASSERT_NE(g_mkdtemp(pattern.data()), nullptr);
  const auto path = pattern + "/audit.jsonl";
  const FaultServer server({Behaviour::reply(200, completion("x")), Behaviour::reply(400, "")});
  {
    Sink sink(endpoint(server) + "privacy=blur-faces crop=true audit-log=" + path, kLarge);
    push_gated(sink);
    EXPECT_TRUE(sink.next_answer().ok);
    push_gated(sink);
    EXPECT_FALSE(sink.next_answer().ok);
  }
  std::ifstream file(path);
  std::string first;
  std::string second;
  std::string third;
  std::getline(file, first);
  std::getline(file, second);
  EXPECT_NE(first.find(R"("outcome":"answered")"), std::string::npos) << first;
  EXPECT_NE(first.find(R"("faces_blurred":0)"), std::string::npos) << first;
  EXPECT_NE(first.find(R"("cropped":true)"), std::string::npos) << first;
  EXPECT_NE(first.find(R"("width":224)"), std::string::npos) << first;
  EXPECT_EQ(first.find("Describe"), std::string::npos) << first;
  EXPECT_NE(second.find("HTTP 400"), std::string::npos) << second;
  EXPECT_FALSE(std::getline(file, third)) << third;
  std::filesystem::remove_all(pattern);
}

// Breaks when an upload that was given up is not accounted for.
TEST(CloudOffloadSinkPicture, WhatWasGivenUpIsAccountedForToo) {
  std::string pattern = testing::TempDir() + "saccade-audit-XXXXXX";
  ASSERT_NE(g_mkdtemp(pattern.data()), nullptr);
  const auto path = pattern + "/audit.jsonl";
  const FaultServer server({Behaviour::hang()});
  {
    Sink sink(endpoint(server) + "audit-questions=true audit-log=" + path);
    sink.begin(3, "Which colour?", true);
    sink.frame(3, 0, true);
    server.wait_for_bytes(500);
    sink.cancel(3);
  }
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  EXPECT_NE(line.find(R"("outcome":"cancelled")"), std::string::npos) << line;
  EXPECT_NE(line.find("Which colour?"), std::string::npos) << line;
  std::filesystem::remove_all(pattern);
}

// Breaks when who got the pictures of an upload that was given up stands in no line, or a server does that
// never saw them.
TEST(CloudOffloadSinkPicture, WhoGotWhatWasGivenUpIsNamed) {
  std::string pattern = testing::TempDir() + "saccade-audit-XXXXXX";
  ASSERT_NE(g_mkdtemp(pattern.data()), nullptr);
  const auto path = pattern + "/audit.jsonl";
  const FaultServer server({Behaviour::hang()});
  {
    Sink sink("endpoint=\"" + faults::refused_url() + ", " + server.url() +
              "\" retries=1 retry-backoff-factor=0 drain-timeout=0.05 timeout=3600 audit-log=" + path);
    sink.begin(1, "Which colour?");
    sink.frame(1, 0, true);
    server.wait_for_requests(1);
    sink.cancel(1);
    sink.begin(2, "Which colour?");
    sink.frame(2, 0, true);
    server.wait_for_requests(2);
    gst_harness_push_event(sink.harness(), gst_event_new_eos());
  }
  std::ifstream file(path);
  for (const char *outcome : {"\"outcome\":\"cancelled\"", "drain-timeout"}) {
    std::string line;
    std::getline(file, line);
    EXPECT_NE(line.find(outcome), std::string::npos) << line;
    EXPECT_NE(line.find("\"endpoint\":\"" + server.url() + "/"), std::string::npos) << line;
  }
  std::filesystem::remove_all(pattern);
}

// Which threads post on a bus.
struct Posters {
  std::mutex mutex;
  std::thread::id of_answer;
  std::thread::id of_warning;

  static GstBusSyncReply note(GstBus *, GstMessage *message, gpointer posters) {
    auto self = static_cast<Posters *>(posters);
    const std::lock_guard lock(self->mutex);
    if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_WARNING) self->of_warning = std::this_thread::get_id();
    if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ELEMENT) self->of_answer = std::this_thread::get_id();
    return GST_BUS_PASS;
  }
};

// Breaks when the stream, or the client, waits for the disk that the log is written to. The disk is full
// because files of this process may not grow for a while: the warning comes from the thread that writes.
TEST(CloudOffloadSinkPicture, NobodyWaitsForTheLog) {
  std::string pattern = testing::TempDir() + "saccade-audit-XXXXXX";
  ASSERT_NE(g_mkdtemp(pattern.data()), nullptr);
  const FaultServer server({Behaviour::reply(200, completion("x"))});
  Posters posters;
  rlimit usual{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &usual), 0);
  const auto handler = ::signal(SIGXFSZ, SIG_IGN);
  {
    Sink sink(endpoint(server) + "audit-log=" + pattern + "/audit.jsonl");
    const BusPtr bus(gst_element_get_bus(sink.element()));
    gst_bus_set_sync_handler(bus.get(), Posters::note, &posters, nullptr);
    const rlimit full{10, usual.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &full), 0);
    sink.begin(1, "Which colour?");
    sink.frame(1, 0, true);
    EXPECT_NE(sink.next_warning().find("audit.jsonl"), std::string::npos);
    EXPECT_TRUE(sink.next_answer().ok);
    gst_element_set_state(sink.element(), GST_STATE_NULL);
    gst_bus_set_sync_handler(bus.get(), nullptr, nullptr, nullptr);
  }
  ::setrlimit(RLIMIT_FSIZE, &usual);
  ::signal(SIGXFSZ, handler);
  const std::lock_guard lock(posters.mutex);
  EXPECT_NE(posters.of_warning, std::thread::id());
  EXPECT_NE(posters.of_warning, std::this_thread::get_id());
  EXPECT_NE(posters.of_warning, posters.of_answer);
  std::filesystem::remove_all(pattern);
}

}  // namespace
}  // namespace saccade::gst
