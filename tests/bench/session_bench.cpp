// What the session and its scheduler cost and whether they answer as they should, told in stories. Each
// prints one JSON object; saccade-eval --sessions makes tables of them. PAIR is TEXT.gguf MMPROJ.gguf.
//
//   build/release/tests/bench/session_bench prefill PAIR CLIP QUESTION ROUNDS ANSWERS WINDOW...
//   build/release/tests/bench/session_bench paced PAIR CLIP QUESTION WINDOW PICTURES   (a line in, a line
//   out) build/release/tests/bench/session_bench agreement PAIR CLIP WINDOW EVICTIONS EVERY QUESTION...
//   build/release/tests/bench/session_bench variants PAIR CLIP WINDOW PICTURES QUESTION...
//   build/release/tests/bench/session_bench guesses PAIR CLIP QUESTION TOKENS ROUNDS [DRAFT.gguf]
//   build/release/tests/bench/session_bench endurance PAIR CLIP WINDOW ANSWERS EVERY QUESTION...
//   build/release/tests/bench/session_bench joining PAIR CLIP QUESTION TIMES
//   build/release/tests/bench/session_bench stop PAIR CLIP QUESTION TIMES OTHERS...
//   build/release/tests/bench/session_bench cameras PAIR CLIP QUESTION decode|whole|part TOKENS CAMERAS
//   ROUNDS SECONDS
//   build/release/tests/bench/session_bench element PAIR CLIP QUESTION PICTURES ROUNDS
#include "session_bench.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <map>
#include <opencv2/imgproc.hpp>
#include <opencv2/videoio.hpp>

#include "process_figures.h"
#include "vision/resize.h"

namespace saccade::session_bench {

void fail(const std::string &sentence) {
  std::fprintf(stderr, "session_bench: %s\n", sentence.c_str());
  std::exit(1);
}

Spent::Spent(const std::function<void()> &work) {
  const auto start = Clock::now();
  const double before = milliseconds_of(CLOCK_PROCESS_CPUTIME_ID);
  work();
  processor_ms = milliseconds_of(CLOCK_PROCESS_CPUTIME_ID) - before;
  clock_ms = to_milliseconds(Clock::now() - start);
}

double resident_megabytes() { return 1e-6 * resident_bytes(); }

// --- words
// --------------------------------------------------------------------------------------------------

std::string Words::text() {
  if (next_ >= words_.size()) fail("more words are needed; the head of session_bench.cpp lists them");
  return words_[next_++];
}

int Words::number() { return std::atoi(text().c_str()); }

// With more threads, which wait for each other at every step, a neighbour on the machine slows everything
// down by so much (ten times, on two cores) that nothing else shows.
ModelFiles Words::files() {
  const auto model = text();
  return {model, text(), 1};
}

std::vector<std::string> Words::rest() {
  std::vector<std::string> words{text()};
  while (next_ < words_.size()) words.push_back(text());
  return words;
}

// --- JSON
// ---------------------------------------------------------------------------------------------------

std::string json(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}

std::string json(const std::string &text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
  }
  return quoted + '"';
}

std::string list_of(const std::vector<std::string> &values) {
  std::string text;
  for (const auto &value : values) text += (text.empty() ? "" : ", ") + value;
  return "[" + text + "]";
}

std::string json(const std::vector<double> &values) {
  std::vector<std::string> texts;
  for (const double value : values) texts.push_back(json(value));
  return list_of(texts);
}

std::string object_of(const std::vector<std::pair<std::string, std::string>> &members) {
  std::string text;
  for (const auto &[name, value] : members) text += (text.empty() ? "" : ", ") + json(name) + ": " + value;
  return "{" + text + "}";
}

// --- pictures
// -----------------------------------------------------------------------------------------------

void for_pictures_of(const std::string &clip, const EncoderInput &size, int most,
                     const std::function<void(Image)> &visit) {
  cv::VideoCapture video(clip);
  if (!video.isOpened()) fail("cannot read " + clip);
  const double fps = video.get(cv::CAP_PROP_FPS);
  int visited = 0;
  for (int frame = 0; visited < most && video.grab(); ++frame) {
    if (frame / fps * kPicturesPerSecond < visited) continue;
    cv::Mat bgr, rgb;
    video.retrieve(bgr);
    cv::cvtColor(bgr, rgb, cv::COLOR_BGR2RGB);
    const Image whole{rgb.cols, rgb.rows, {rgb.datastart, rgb.dataend}};
    visit(resize_area(whole.view(), size.width, size.height));
    ++visited;
  }
  if (visited == 0) fail("there is no picture in " + clip);
}

std::vector<Image> pictures_of(const std::string &clip, const EncoderInput &size, int most) {
  std::vector<Image> pictures;
  for_pictures_of(clip, size, most, [&](Image picture) { pictures.push_back(std::move(picture)); });
  return pictures;
}

Sight::Sight(const ModelFiles &files, const std::string &clip, int most)
    : pair(need(ModelPair::open(files))), encoder(need(make_encoder(pair))) {
  for_pictures_of(clip, encoder->input(), most, [this](const Image &image) {
    seen.push_back(need(encoder->encode(image.view(), {}, {})));
  });
}

EncodedImage Sight::picture(std::size_t i) const {
  static int others = 0;
  auto tokens = std::make_shared<TokenSet>(*seen[i % seen.size()]);
  tokens->values.front() += 1e-5F * static_cast<float>(++others % 1000);
  return encoder->overview(std::move(tokens));
}

Window::Window(const Sight &sight, int size, std::size_t first) : sight_(sight), next_(first) {
  while (static_cast<int>(pictures_.size()) < size) pictures_.push_back(sight_.picture(next_++));
}

void Window::move_on() {
  pictures_.erase(pictures_.begin());
  pictures_.push_back(sight_.picture(next_++));
}

void Window::renew() {
  const auto first = next_ - pictures_.size();
  for (std::size_t i = 0; i < pictures_.size(); ++i) pictures_[i] = sight_.picture(first + i);
}

std::unique_ptr<Session> session_of(const Sight &sight, const SessionOptions &options) {
  return need(Session::create(sight.pair, options));
}

Answer ask(Session &session, const std::string &question, const std::vector<EncodedImage> &pictures) {
  return need(session.ask(question, pictures, {}));
}

}  // namespace saccade::session_bench

int main(int count, char **arguments) {
  using namespace saccade::session_bench;
  const std::map<std::string, void (*)(Words &)> stories{
      {"prefill", tell_prefill},   {"paced", tell_paced},      {"agreement", tell_agreement},
      {"variants", tell_variants}, {"guesses", tell_guesses},  {"endurance", tell_endurance},
      {"joining", tell_joining},   {"stop", tell_stop},        {"cameras", tell_cameras},
      {"element", tell_element},   {"camera", work_as_camera},
  };
  Words words(count, arguments);
  const auto story = stories.find(words.text());
  if (story == stories.end()) fail("there is no such story; the head of session_bench.cpp lists them");
  story->second(words);
  return 0;
}
