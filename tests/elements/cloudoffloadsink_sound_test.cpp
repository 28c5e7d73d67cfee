// The sound that comes with a segment's frames: what of it the server hears, and what is said of it
// afterwards.
#include <glib/gstdio.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "cloudoffloadsink_testing.h"
#include "offload/sha256.h"
#include "offload/upload/upload_sound.h"

namespace saccade::gst {
namespace {

using faults::Behaviour;
using faults::completion;
using faults::FaultServer;
using Files = std::vector<std::vector<std::uint8_t>>;

SegmentInfo frame_of(std::uint64_t id, unsigned index = 0, bool final = true, bool shown = true) {
  return {id, index, final, shown};
}

class CloudOffloadSinkSound : public ::testing::Test {
 protected:
  // What the server was sent about one segment.
  std::string body_after(Sink &sink) {
    EXPECT_TRUE(sink.next_answer().ok);
    const auto requests = server_.requests();
    return requests.empty() ? std::string() : requests.back().body;
  }

  const FaultServer server_{{Behaviour::reply(200, completion("A whistle."))}};
};

// Breaks when the server does not hear what was heard, or hears something else.
TEST_F(CloudOffloadSinkSound, GoesWithItsPicture) {
  Sink sink(endpoint(server_));
  const auto clip = counting(16'000, std::chrono::seconds(2), 8'000);
  sink.begin(1, "What is it?");
  sink.frame_with_sound(frame_of(1), clip);
  const auto body = body_after(sink);
  EXPECT_EQ(sounds_in(body), Files{wav_file(clip)});
  EXPECT_NE(body.find(R"("format":"wav")"), std::string::npos);
  EXPECT_EQ(pictures_in(body).size(), 1U);

  sink.begin(2, "And without?");
  sink.frame_with_sound(frame_of(2), {});
  EXPECT_EQ(body_after(sink).find("input_audio"), std::string::npos);
}

// Breaks when a picture leaves that the router wanted to keep, or the sound does not leave without it.
TEST_F(CloudOffloadSinkSound, GoesAloneWhereThePictureIsNotToBeSent) {
  Sink sink(endpoint(server_));
  const auto clip = counting(16'000, {}, 100);
  sink.begin(1, "What is it?");
  sink.frame_with_sound(frame_of(1, 0, true, false), clip);
  const auto body = body_after(sink);
  EXPECT_EQ(sounds_in(body), Files{wav_file(clip)});
  EXPECT_EQ(body.find("image_url"), std::string::npos);
}

// Breaks when a server is asked about nothing at all, or a segment without anything to send gets no answer.
TEST_F(CloudOffloadSinkSound, NothingIsAskedAboutNothing) {
  Sink sink(endpoint(server_));
  sink.begin(1, "What is it?");
  sink.frame_with_sound(frame_of(1, 0, true, false), {});
  const auto answer = sink.next_answer();
  EXPECT_FALSE(answer.ok);
  EXPECT_NE(answer.reason.find("neither a picture"), std::string::npos) << answer.reason;
  EXPECT_EQ(server_.request_count(), 0U);
}

// Breaks when sound leaves that nobody said may leave.
TEST_F(CloudOffloadSinkSound, OfPlainFramesStays) {
  Sink sink(endpoint(server_));
  sink.frame_with_sound(std::nullopt, counting(16'000, {}, 100));
  const auto body = body_after(sink);
  EXPECT_EQ(body.find("input_audio"), std::string::npos);
  EXPECT_EQ(pictures_in(body).size(), 1U);
}

// Breaks when frames whose windows overlap are heard twice, or the newest alone is heard.
TEST_F(CloudOffloadSinkSound, OfSeveralFramesIsOne) {
  Sink sink(endpoint(server_));
  sink.begin(1, "What is it?");
  sink.frame_with_sound(frame_of(1, 0, false), counting(1'000, std::chrono::seconds(1), 1'000));
  sink.frame_with_sound(frame_of(1, 1, false), {});
  sink.frame_with_sound(frame_of(1, 2, true), counting(1'000, std::chrono::milliseconds(1'500), 1'000, 501));
  EXPECT_EQ(sounds_in(body_after(sink)), Files{wav_file(counting(1'000, {}, 1'500))});
}

// Breaks when a window of minutes goes out whole, or its end is what is cut.
TEST_F(CloudOffloadSinkSound, IsBounded) {
  Sink sink(endpoint(server_));
  sink.begin(1, "What is it?");
  sink.frame_with_sound(frame_of(1), counting(8'000, {}, 8'000 * 45));
  EXPECT_EQ(sounds_in(body_after(sink)), Files{wav_file(counting(8'000, {}, 8'000 * 29, 1 + 8'000 * 16))});
}

// Breaks when a sound leaves the device and its owner cannot find out which.
TEST_F(CloudOffloadSinkSound, IsAccountedFor) {
  std::string folder = testing::TempDir() + "saccade-audit-XXXXXX";
  ASSERT_NE(g_mkdtemp(folder.data()), nullptr);
  const auto path = folder + "/audit.jsonl";
  const auto clip = counting(8'000, {}, 500);
  {
    Sink sink(endpoint(server_) + "audit-log=" + path);
    sink.begin(1, "What is it?");
    sink.frame_with_sound(frame_of(1, 0, true, false), clip);
    body_after(sink);
    sink.begin(2, "What is it?");
    sink.frame_with_sound(frame_of(2), {});
    body_after(sink);
  }
  std::ifstream file(path);
  std::string heard;
  std::string silent;
  std::getline(file, heard);
  std::getline(file, silent);
  const auto expected = R"("pictures":[],"sound":{"bytes":1044,"sha256":")" +
                        hex_of(sha256_of(wav_file(clip))) + R"("},"bytes":1044,)";
  EXPECT_NE(heard.find(expected), std::string::npos) << heard;
  EXPECT_NE(silent.find(R"("id":2)"), std::string::npos) << silent;
  EXPECT_EQ(silent.find("sound"), std::string::npos) << silent;
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace saccade::gst
