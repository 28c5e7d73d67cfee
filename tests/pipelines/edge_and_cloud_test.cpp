// localmllm and cloudoffloadsink together, against a server that answers well, badly or not at all.
#include <gst/gst.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "faults/fault_server.h"
#include "pipelines/pipeline_testing.h"

namespace saccade::gst {
namespace {

using faults::Behaviour;
using faults::completion;
using faults::FaultServer;

constexpr int kPictures = 3;

// What left localmllm's src pad, as text.
class Texts {
 public:
  explicit Texts(const Pipeline &pipeline) : sink_(pipeline.find("text")) {
    g_object_set(sink_.get(), "signal-handoffs", TRUE, nullptr);
    handler_ = g_signal_connect(
        sink_.get(), "handoff", G_CALLBACK(+[](GstElement *, GstBuffer *buffer, GstPad *, gpointer user) {
          GstMapInfo map;
          ASSERT_TRUE(gst_buffer_map(buffer, &map, GST_MAP_READ));
          static_cast<Texts *>(user)->texts.emplace_back(reinterpret_cast<const char *>(map.data), map.size);
          gst_buffer_unmap(buffer, &map);
        }),
        this);
  }
  ~Texts() { g_signal_handler_disconnect(sink_.get(), handler_); }
  Texts(const Texts &) = delete;
  Texts &operator=(const Texts &) = delete;

  std::vector<std::string> texts;

 private:
  ElementPtr sink_;
  gulong handler_ = 0;
};

// A good server has as long as it takes.
constexpr const char *kPatience = "60";

std::string line(const std::string &url, const std::string &policy = "route-policy=cloud",
                 const std::string &timeout = kPatience) {
  return "videotestsrc num-buffers=" + std::to_string(kPictures) +
         " pattern=ball ! video/x-raw,width=160,height=120,framerate=1/1 "
         "! localmllm name=model prompt=\"How many people are there?\"" +
         model_files() + policy +
         " ! text/x-raw ! fakesink name=text  model.offload ! cloudoffloadsink name=cloud retries=0 "
         "timeout=" +
         timeout + " endpoint=" + url;
}

std::size_t times(const std::vector<std::string> &texts, const std::string &text) {
  return static_cast<std::size_t>(std::count(texts.begin(), texts.end(), text));
}

// If it fails, what the cloud says is lost, and users see the unsure answer only.
TEST(EdgeAndCloud, TheCloudsAnswerComesOutOfTheSameModel) {
  const FaultServer server({Behaviour::reply(200, completion("forty-two"))});
  Pipeline p(line(server.url()));
  const Texts out(p);
  EXPECT_TRUE(p.run());
  EXPECT_EQ(server.request_count(), static_cast<std::size_t>(kPictures));
  EXPECT_EQ(p.texts_from("edge-draft").size(), static_cast<std::size_t>(kPictures));
  EXPECT_EQ(p.texts_from("cloud"), std::vector<std::string>(kPictures, "forty-two"));
  EXPECT_EQ(times(out.texts, "forty-two"), static_cast<std::size_t>(kPictures));
  EXPECT_EQ(out.texts.size(), static_cast<std::size_t>(2 * kPictures));
  EXPECT_TRUE(p.warnings.empty()) << p.warnings.front();
  const auto body = server.requests().front().body;
  EXPECT_NE(body.find("How many people are there?"), std::string::npos);
  EXPECT_NE(body.find("data:image/jpeg;base64,"), std::string::npos);
}

// If it fails, what the gate hears never reaches the server, or reaches it although nobody allowed that.
TEST(EdgeAndCloud, TheServerHearsWhatTheGateHeardWhereItMay) {
  for (const bool may : {false, true}) {
    const FaultServer server({Behaviour::reply(200, completion("a clock"))});
    Pipeline p(
        "videotestsrc num-buffers=12 pattern=ball ! video/x-raw,width=160,height=120,framerate=2/1 "
        "! masgate name=gate ! localmllm name=model prompt=\"What do you hear?\"" +
        model_files() + "route-policy=cloud offload-sound=" + (may ? "true" : "false") +
        " ! text/x-raw ! fakesink  model.offload ! cloudoffloadsink timeout=" + kPatience +
        " endpoint=" + server.url() +
        " audiotestsrc wave=ticks num-buffers=100 ! audio/x-raw,rate=16000,channels=1 ! queue "
        "! gate.audio_0");
    EXPECT_TRUE(p.run());
    std::vector<std::string> bodies;
    for (const auto &request : server.requests()) bodies.push_back(request.body);
    ASSERT_FALSE(bodies.empty());
    const auto heard = std::ranges::count_if(bodies, [](const std::string &body) {
      return body.find("\"input_audio\":{\"data\":\"UklGR") != std::string::npos;  // "RIFF" in base64
    });
    EXPECT_EQ(heard > 0, may) << heard << " of " << bodies.size();
    EXPECT_EQ(p.texts_from("cloud").size(), bodies.size());
  }
}

// If it fails, a gate's opinion of a simple picture keeps an unsure answer from being checked.
TEST(EdgeAndCloud, AnUnsureAnswerAboutASimplePictureIsChecked) {
  const FaultServer server({Behaviour::reply(200, completion("seven"))});
  auto text = line(server.url(), "route-policy=threshold confidence-threshold=1.0");
  const std::string model = "! localmllm";
  text.insert(text.find(model), "! masgate ! tokencompressor" + model_files());
  Pipeline p(text);
  EXPECT_TRUE(p.run());
  EXPECT_FALSE(p.texts_from("cloud").empty());
}

// If it fails, a sure answer costs a call all the same.
TEST(EdgeAndCloud, ASureAnswerStaysHere) {
  const FaultServer server({Behaviour::reply(200, completion("seven"))});
  Pipeline p(line(server.url(), "route-policy=threshold confidence-threshold=0.0"));
  EXPECT_TRUE(p.run());
  EXPECT_EQ(server.request_count(), 0U);
  EXPECT_EQ(p.texts_from("edge").size(), static_cast<std::size_t>(kPictures));
}

struct FaultCase {
  const char *name;
  std::vector<Behaviour> script;  // empty: nobody listens
};

class Fault : public testing::TestWithParam<FaultCase> {};

// If it fails, a cloud that is down, slow or mad takes the local answers with it, or nobody is told.
TEST_P(Fault, OfTheCloudLeavesTheLocalAnswerAndAWarning) {
  std::unique_ptr<FaultServer> server;
  if (!GetParam().script.empty()) server = std::make_unique<FaultServer>(GetParam().script);
  Pipeline p(line(server ? server->url() : faults::refused_url(), "route-policy=cloud", "0.5"));
  const Texts out(p);
  EXPECT_TRUE(p.run());
  EXPECT_EQ(out.texts.size(), static_cast<std::size_t>(kPictures));
  EXPECT_EQ(p.answers.size(), static_cast<std::size_t>(kPictures));
  EXPECT_TRUE(p.texts_from("cloud").empty());
  ASSERT_FALSE(p.warnings.empty());
}

INSTANTIATE_TEST_SUITE_P(Kinds, Fault,
                         testing::Values(FaultCase{"Down", {}}, FaultCase{"Slow", {Behaviour::hang()}},
                                         FaultCase{"Reset", {Behaviour::reset()}},
                                         FaultCase{"Error", {Behaviour::reply(500, "out of order")}},
                                         FaultCase{"Nonsense",
                                                   {Behaviour::reply(200, "<html>welcome</html>")}},
                                         FaultCase{"Truncated", {Behaviour::hang_mid_body("{\"choices\":[")}},
                                         FaultCase{"Endless", {Behaviour::flood(0)}}),
                         [](const auto &tested) { return std::string(tested.param.name); });

}  // namespace
}  // namespace saccade::gst
