// The story of the element beside the engine that it wraps.
#include <gst/check/gstharness.h>
#include <gst/gst.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "mllm/segment_answerer.h"
#include "session_bench.h"

namespace saccade::session_bench {
namespace {

constexpr int kTokens = 16;
constexpr int kGuesses = 8;  // the element's default

struct Asked {
  ModelFiles files;
  std::string question;
  std::vector<Image> images;
};

// What somebody without GStreamer would write.
class Direct {
 public:
  explicit Direct(const Asked &asked) : asked_(asked) {
    SegmentAnswererOptions options;
    options.session.max_tokens = kTokens;
    options.session.guesses = kGuesses;
    answerer_ = need(SegmentAnswerer::create(asked.files, options));
  }

  std::vector<std::string> answer_all() {
    std::vector<std::string> texts;
    for (std::size_t i = 0; i < asked_.images.size(); ++i) {
      const auto pts = from_seconds(static_cast<double>(i) / kPicturesPerSecond);
      if (const auto status = answerer_->see(asked_.images[i].view(pts), {}, {}); !status.ok())
        fail(status.message());
      texts.push_back(need(answerer_->answer(asked_.question, {})).text);
    }
    return texts;
  }

 private:
  const Asked &asked_;
  std::unique_ptr<SegmentAnswerer> answerer_;
};

struct Teardown {
  void operator()(GstHarness *harness) const { gst_harness_teardown(harness); }
};

class Element {
 public:
  explicit Element(const Asked &asked) : asked_(asked) {
    gst_init(nullptr, nullptr);
    auto *element = gst_element_factory_make("localmllm", nullptr);
    if (!element) fail("there is no localmllm; set GST_PLUGIN_PATH to the folder of libgstsaccade.so");
    gst_object_ref_sink(element);
    g_object_set(element, "model", asked.files.text.c_str(), "mmproj", asked.files.mmproj.c_str(), "threads",
                 asked.files.threads, "prompt", asked.question.c_str(), "max-tokens", kTokens, "guesses",
                 kGuesses, nullptr);
    gst_util_set_object_arg(G_OBJECT(element), "answer-on", "frame");
    g_signal_connect(element, "answer", G_CALLBACK(&Element::take), this);
    harness_.reset(gst_harness_new_with_element(element, "sink", "src"));
    gst_object_unref(element);
    gst_harness_set_live(harness_.get(), FALSE);  // a file: nothing is dropped
    const auto &image = asked.images.front();
    const auto caps = "video/x-raw,format=RGB,framerate=2/1,width=" + std::to_string(image.width) +
                      ",height=" + std::to_string(image.height);
    gst_harness_set_src_caps_str(harness_.get(), caps.c_str());
  }

  std::vector<std::string> answer_all() {
    for (const auto &image : asked_.images) push(image);
    std::unique_lock lock(mutex_);
    if (!came_.wait_for(lock, std::chrono::minutes(1), [&] { return texts_.size() == asked_.images.size(); }))
      fail("localmllm gave no answer for a minute");
    return std::exchange(texts_, {});
  }

 private:
  // The stream goes on from round to round.
  void push(const Image &image) {
    auto *buffer = gst_buffer_new_memdup(image.rgb.data(), image.rgb.size());
    GST_BUFFER_DURATION(buffer) = GST_SECOND / static_cast<GstClockTime>(kPicturesPerSecond);
    GST_BUFFER_PTS(buffer) = pushed_++ * GST_BUFFER_DURATION(buffer);
    if (gst_harness_push(harness_.get(), buffer) != GST_FLOW_OK) fail("localmllm takes no more pictures");
  }

  // On the element's thread.
  static void take(GstElement *, const GstStructure *answer, Element *self) {
    const std::lock_guard lock(self->mutex_);
    self->texts_.emplace_back(gst_structure_get_string(answer, "text"));
    self->came_.notify_one();
  }

  const Asked &asked_;
  std::uint64_t pushed_ = 0;
  std::mutex mutex_;  // guards texts_
  std::condition_variable came_;
  std::vector<std::string> texts_;
  std::unique_ptr<GstHarness, Teardown> harness_;  // last: its thread uses the others
};

template <typename Way>
double milliseconds_of_processor(Way &way, std::vector<std::string> &texts) {
  return Spent([&] { texts = way.answer_all(); }).processor_ms;
}

}  // namespace

void tell_element(Words &words) {
  Asked asked;
  asked.files = words.files();
  const auto clip = words.text();
  asked.question = words.text();
  const int pictures = words.number();
  const int rounds = words.number();
  const auto pair = need(ModelPair::open(asked.files));
  asked.images = pictures_of(clip, need(make_encoder(pair))->input(), pictures);
  Direct direct(asked);
  Element element(asked);
  std::vector<double> engine_ms, element_ms;
  std::vector<std::string> expected, found;
  milliseconds_of_processor(direct, expected);  // caches are warm, and the two share one that has grown
  milliseconds_of_processor(element, found);
  for (int round = 0; round < rounds; ++round) {
    engine_ms.push_back(milliseconds_of_processor(direct, expected));
    element_ms.push_back(milliseconds_of_processor(element, found));
  }
  std::size_t same = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) same += expected[i] == found[i];
  std::puts(object_of({{"answers", json(static_cast<double>(expected.size()))},
                       {"same", json(static_cast<double>(same))},
                       {"engine_ms", json(engine_ms)},
                       {"element_ms", json(element_ms)}})
                .c_str());
}

}  // namespace saccade::session_bench
