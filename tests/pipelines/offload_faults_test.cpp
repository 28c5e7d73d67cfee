// Whole pipelines in front of servers and links that fail in every way that they can: each question is
// answered here, and what the cloud was asked is corrected or reported, once.
#include <gio/gio.h>
#include <gst/gst.h>
#include <gtest/gtest.h>

#include <fstream>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "faults/fault_server.h"
#include "faults/link_emulator.h"
#include "pipelines/offload_testing.h"

namespace saccade::gst {
namespace {

using faults::Behaviour;
using faults::chunk;
using faults::completion;
using faults::FaultServer;

constexpr std::size_t kPictures = 3;  // as many as a link may fail in a row: all of them are sent
// Whoever says nothing is waited for this long; whoever says something has as long as it takes.
constexpr const char *kBriefly = "retries=0 timeout=0.5";
constexpr const char *kOnce = "retries=0 timeout=60";
constexpr const char *kTwice = "retries=1 retry-backoff-factor=0.05 timeout=60";
constexpr std::string_view kSilent = "did not answer within 0.5 s";

std::string three_pictures(const std::string &url, const std::string &cloud) {
  return edge_and_cloud("videotestsrc pattern=ball num-buffers=" + std::to_string(kPictures) +
                            " ! video/x-raw,width=160,height=120,framerate=1/1",
                        url, cloud);
}

std::string error_saying(const std::string &what) { return R"({"error":{"message":")" + what + R"("}})"; }

// So many bytes of text in an answer that is packed to a thousandth of it.
std::string packed_answer(std::size_t size) {
  GZlibCompressor *packer = g_zlib_compressor_new(G_ZLIB_COMPRESSOR_FORMAT_GZIP, 1);
  GOutputStream *memory = g_memory_output_stream_new_resizable();
  GOutputStream *packed = g_converter_output_stream_new(memory, G_CONVERTER(packer));
  const auto write = [&](const std::string &text) {
    EXPECT_TRUE(g_output_stream_write_all(packed, text.data(), text.size(), nullptr, nullptr, nullptr));
  };
  write(R"({"choices":[{"message":{"content":")");
  const std::string some(std::size_t{1} << 20, 'a');
  for (std::size_t written = 0; written < size; written += some.size()) write(some);
  write(R"("}}]})");
  EXPECT_TRUE(g_output_stream_close(packed, nullptr, nullptr));
  const auto *stream = G_MEMORY_OUTPUT_STREAM(memory);
  std::string bytes(
      static_cast<const char *>(g_memory_output_stream_get_data(const_cast<GMemoryOutputStream *>(stream))),
      g_memory_output_stream_get_data_size(const_cast<GMemoryOutputStream *>(stream)));
  g_object_unref(packed);
  g_object_unref(memory);
  g_object_unref(packer);
  return bytes;
}

// --- servers that never answer ----------------------------------------------------------------------------

struct Fault {
  const char *name;
  Behaviour behaviour;
  std::string_view words = {};  // in what the user is told
};
std::ostream &operator<<(std::ostream &out, const Fault &fault) { return out << fault.name; }

std::vector<Fault> faults_of_servers() {
  const std::string deep = std::string(500000, '[') + std::string(500000, ']');
  const std::string event = "Content-Type: text/event-stream\r\n";
  const std::string half_a_stream = "data: " + chunk("One") + "\n\ndata: {\"choices\":[{\"del";
  const std::string packed = "Content-Encoding: gzip\r\n";
  return {
      {"SilentBeforeHeaders", Behaviour::hang(), kSilent},
      {"SilentMidBody", Behaviour::hang_mid_body("{\"choices\":["), kSilent},
      {"Dripping", Behaviour::drip(completion("one")), kSilent},
      {"Reset", Behaviour::reset(), "failed ("},
      {"WrongKey", Behaviour::reply(401, error_saying(std::string("no such key: ") + kKey)), "API key"},
      {"Forbidden", Behaviour::reply(403, error_saying("not yours")), "forbids the call"},
      {"NoSuchPath", Behaviour::reply(404, "not here"), "does not know the path"},
      {"TooLarge", Behaviour::reply(413, error_saying("too much")), "is too large"},
      {"TooBusyForLong", Behaviour::reply(429, "", "Retry-After: 3600\r\n"), "is too busy"},
      {"Error500", Behaviour::reply(500, "out of order"), "HTTP 500"},
      {"Error503", Behaviour::reply(503, error_saying("draining")), "draining"},
      {"BadJson", Behaviour::reply(200, R"({"choices":[{"message":{"content":"one"}]})"),
       "is no chat completion"},
      {"NoJson", Behaviour::reply(200, "<html>welcome</html>"), "is no chat completion"},
      {"NoChoices", Behaviour::reply(200, R"({"object":"chat.completion"})"), "choices"},
      {"DeepNesting", Behaviour::reply(200, deep), "nested more than"},
      {"GigabyteAnnounced", Behaviour::flood(std::size_t{1} << 30), "larger than max-response-size"},
      {"EndlessBody", Behaviour::flood(0), "larger than max-response-size"},
      {"GzipBomb", Behaviour::reply(200, packed_answer(std::size_t{64} << 20), packed),
       "is no chat completion"},
      {"StreamCutInTheMiddle", Behaviour::cut(half_a_stream, event), "broke off in its middle"},
      {"StreamEndsInTheMiddle", Behaviour::reply(200, half_a_stream, event), "broke off in its middle"},
      {"BodyCutInTheMiddle", Behaviour::cut(R"({"choices":[{"message":{"con)"), "broke off in its middle"},
      {"SpoiltBytes", Behaviour::reply(200, completion("one\xff\xfe\x80two") + std::string("\0\x01", 2)),
       "is no chat completion"},
  };
}

class FaultOfServer : public testing::TestWithParam<Fault> {};

// Breaks when a server takes the local answer with it, an answer or a report comes twice or not at all, or
// the key is in a sentence or a log line.
TEST_P(FaultOfServer, LeavesTheLocalAnswersAndIsReportedOnce) {
  const LogWatch log;
  const FaultServer server({GetParam().behaviour});
  Pipeline p(three_pictures(server.url(), GetParam().words == kSilent ? kBriefly : kOnce));
  EXPECT_TRUE(p.run());
  EXPECT_EQ(p.texts_from("edge-draft").size(), kPictures);
  EXPECT_EQ(expect_each_settled_once(p), 0U);
  ASSERT_EQ(count_with(p.warnings, kStands), kPictures);
  EXPECT_EQ(count_with(p.warnings, GetParam().words), 2 * kPictures) << p.warnings.front();
  EXPECT_EQ(server.requests().at(0).headers.at("authorization"), std::string("Bearer ") + kKey);
  EXPECT_GT(log.lines(), 1000);
  EXPECT_EQ(log.lines_with_the_key(), 0);
}

INSTANTIATE_TEST_SUITE_P(Kinds, FaultOfServer, testing::ValuesIn(faults_of_servers()),
                         [](const auto &tested) { return std::string(tested.param.name); });

void expect_unreachable(const std::string &url, const char *words) {
  const LogWatch log;
  Pipeline p(three_pictures(url, kOnce));
  EXPECT_TRUE(p.run());
  EXPECT_EQ(expect_each_settled_once(p), 0U);
  EXPECT_EQ(p.texts_from("edge-draft").size(), kPictures);
  EXPECT_EQ(count_with(p.warnings, words), 2 * kPictures) << p.warnings.front();
  EXPECT_EQ(log.lines_with_the_key(), 0);
}

// Breaks when a server that is not there is more than a sentence.
TEST(FaultOfServer, NobodyListens) { expect_unreachable(faults::refused_url(), "refuses connections"); }
TEST(FaultOfServer, NoSuchName) { expect_unreachable("http://nowhere.invalid:8080/v1", "nowhere.invalid"); }

// Breaks when pictures and key go where a server sends them.
TEST(FaultOfServer, ItsRedirectIsNotFollowed) {
  for (const int status : {302, 303, 307}) {
    const LogWatch log;
    const FaultServer other({Behaviour::reply(200, completion("stolen"))});
    const FaultServer server({Behaviour::reply(
        status, "",
        "Location: http://localhost:" + std::to_string(other.port()) + "/v1/chat/completions\r\n")});
    Pipeline p(three_pictures(server.url(), kOnce));
    EXPECT_TRUE(p.run());
    EXPECT_EQ(expect_each_settled_once(p), 0U);
    EXPECT_EQ(count_with(p.warnings, "redirects to http://localhost"), 2 * kPictures) << p.warnings.front();
    EXPECT_EQ(other.request_count(), 0U) << status;
    EXPECT_EQ(log.lines_with_the_key(), 0);
  }
}

// --- servers that fail once -------------------------------------------------------------------------------

class FailsOnce : public testing::TestWithParam<Fault> {};

// Breaks when a passing fault costs an answer, or the second attempt's comes beside the first's.
TEST_P(FailsOnce, AndIsAskedAgain) {
  const LogWatch log;
  const FaultServer server({GetParam().behaviour, Behaviour::reply(200, completion("forty-two"))});
  Pipeline p(three_pictures(server.url(), kTwice));
  EXPECT_TRUE(p.run());
  EXPECT_EQ(expect_each_settled_once(p), kPictures);
  EXPECT_EQ(p.texts_from("cloud"), std::vector<std::string>(kPictures, "forty-two"));
  EXPECT_TRUE(p.warnings.empty()) << p.warnings.front();
  EXPECT_EQ(server.request_count(), kPictures + 1);
  EXPECT_EQ(log.lines_with_the_key(), 0);
}

INSTANTIATE_TEST_SUITE_P(Kinds, FailsOnce,
                         testing::Values(Fault{"TooBusy", Behaviour::reply(429, "", "Retry-After: 1\r\n")},
                                         Fault{"Error500", Behaviour::reply(500, "")},
                                         Fault{"Error503", Behaviour::reply(503, "", "Retry-After: 1\r\n")},
                                         Fault{"Reset", Behaviour::reset()},
                                         Fault{"StreamCutInTheMiddle",
                                               Behaviour::cut("data: " + chunk("One") + "\n\n",
                                                              "Content-Type: text/event-stream\r\n")}),
                         [](const auto &tested) { return std::string(tested.param.name); });

// --- links ------------------------------------------------------------------------------------------------

// What the emulator itself counted of what it was told to do.
using Harm = bool (*)(const faults::LinkStatistics &);
bool throttled(const faults::LinkStatistics &now) { return now.down.line.busy > Duration::zero(); }
bool held_back(const faults::LinkStatistics &now) {
  return now.up.line.units_held_back + now.down.line.units_held_back > 0;
}
bool spoilt(const faults::LinkStatistics &now) {
  return now.up.line.bits_flipped + now.down.line.bits_flipped > 0;
}

struct BadLink {
  const char *name;
  std::vector<const char *> words;
  const char *seconds;                     // that a call may take
  std::optional<std::size_t> corrections;  // none where it depends on which bits are spoilt
  Harm harm = nullptr;                     // where a good link would do as well
};
std::vector<BadLink> bad_links() {
  return {{"Cut", {"cut"}, "0.5", 0},
          {"Silent", {"hang"}, "0.5", 0},
          {"Dripping", {"down.drip=10B/s"}, "0.5", 0},
          {"DrippingUp", {"up.drip=10B/s"}, "0.5", 0},
          {"Slow", {"delay=40ms", "rate=50kB/s"}, "60", kPictures, &throttled},
          {"Lossy", {"loss=0.2", "stall=200ms"}, "60", kPictures, &held_back},
          {"Spoiling", {"down.corrupt=0.01"}, "5", {}, &spoilt},
          {"SpoilingBothWays", {"corrupt=0.001"}, "5", {}, &spoilt}};
}

class FaultOfLink : public testing::TestWithParam<BadLink> {};

// Breaks when a link that cuts, holds back or spoils what a good server says gives an answer twice or none,
// or when a link that is only slow or lossy costs a correction.
TEST_P(FaultOfLink, IsSettledOnce) {
  const LogWatch log;
  faults::LinkState state;
  for (const char *word : GetParam().words) ASSERT_TRUE(faults::apply_word(word, &state).ok()) << word;
  const FaultServer server({Behaviour::reply(200, completion("forty-two"))});
  const faults::LinkEmulator link(
      {.target_port = server.port(), .schedule = faults::always(state), .seed = 7});
  Pipeline p(three_pictures(
      link.url(), std::string("retries=1 retry-backoff-factor=0.05 timeout=") + GetParam().seconds));
  EXPECT_TRUE(p.run());
  EXPECT_EQ(p.texts_from("edge-draft").size(), kPictures);
  const auto corrections = expect_each_settled_once(p);
  EXPECT_EQ(corrections, GetParam().corrections.value_or(corrections));
  EXPECT_TRUE(!GetParam().harm || GetParam().harm(link.statistics())) << "the link was a good one";
  EXPECT_EQ(log.lines_with_the_key(), 0);
}

INSTANTIATE_TEST_SUITE_P(Kinds, FaultOfLink, testing::ValuesIn(bad_links()),
                         [](const auto &tested) { return std::string(tested.param.name); });

// --- memory -----------------------------------------------------------------------------------------------

// The process's largest resident memory since the last call, in bytes; zero where the kernel does not tell.
std::size_t peak_memory_since_last_call() {
  std::size_t kilobytes = 0;
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    if (word == "VmHWM:") status >> kilobytes;
  }
  std::ofstream("/proc/self/clear_refs") << "5";
  return kilobytes << 10;
}

std::size_t peak_memory_against(const Behaviour &behaviour) {
  const LogWatch log;
  const FaultServer server({behaviour});
  peak_memory_since_last_call();
  Pipeline p(three_pictures(server.url(), kOnce));
  EXPECT_TRUE(p.run());
  expect_each_settled_once(p);
  EXPECT_EQ(log.lines_with_the_key(), 0);
  return peak_memory_since_last_call();
}

// Breaks when a response is kept before its size is looked at, or unpacked before somebody asked what for.
TEST(FaultOfServer, AGigabyteIsNotKept) {
  const auto bomb =
      Behaviour::reply(200, packed_answer(std::size_t{768} << 20), "Content-Encoding: gzip\r\n");
  ASSERT_LT(bomb.body.size(), std::size_t{4} << 20);
  peak_memory_against(Behaviour::reply(200, completion("one")));
  const auto usual = peak_memory_against(Behaviour::reply(200, completion("one")));
  ASSERT_GT(usual, 0U);
  const auto bound = usual + (std::size_t{256} << 20);
  EXPECT_LT(peak_memory_against(Behaviour::flood(std::size_t{1} << 30)), bound);
  EXPECT_LT(peak_memory_against(Behaviour::flood(0)), bound);
  EXPECT_LT(peak_memory_against(bomb), bound);
}

}  // namespace
}  // namespace saccade::gst
