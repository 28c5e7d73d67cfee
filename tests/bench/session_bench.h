// What the stories of session_bench share: the command line's words, pictures, and JSON.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/frame.h"
#include "base/status.h"
#include "mllm/session.h"
#include "vision/model_pair.h"
#include "vision/vision_encoder.h"

namespace saccade::session_bench {

[[noreturn]] void fail(const std::string &sentence);

template <typename T>
T need(Result<T> result) {
  if (!result.ok()) fail(result.status().message());
  return std::move(result).value();
}

// What some work took: by the clock, and of all this process's threads, which neighbours on the machine
// change least.
struct Spent {
  double clock_ms = 0;
  double processor_ms = 0;
  explicit Spent(const std::function<void()> &work);
};
double resident_megabytes();  // of this process

// The words of the command line, one after the other; a missing one ends the program with a sentence.
class Words {
 public:
  Words(int count, char **words) : words_(words, words + count) {}
  std::string text();
  int number();
  ModelFiles files();  // two words; for one thread
  std::vector<std::string> rest();
  bool more() const { return next_ < words_.size(); }

 private:
  std::vector<std::string> words_;
  std::size_t next_ = 1;
};

// --- JSON, made from the inside out -----------------------------------------------------------------------

std::string json(double value);
std::string json(const std::string &text);
std::string json(const std::vector<double> &values);
std::string list_of(const std::vector<std::string> &values);
std::string object_of(const std::vector<std::pair<std::string, std::string>> &members);

// --- pictures
// -----------------------------------------------------------------------------------------------

constexpr double kPicturesPerSecond = 2;

// The first `most` pictures of a clip at the size that an encoder wants, kPicturesPerSecond of them a second.
void for_pictures_of(const std::string &clip, const EncoderInput &size, int most,
                     const std::function<void(Image)> &visit);
std::vector<Image> pictures_of(const std::string &clip, const EncoderInput &size, int most);

constexpr int kSomePictures = 16;  // over and over, where it does not matter what they show

// A model pair, and what its encoder sees in a clip. Shown again from the start when it is over.
struct Sight {
  std::shared_ptr<ModelPair> pair;
  std::unique_ptr<VisionEncoder> encoder;
  std::vector<SharedTokens> seen;

  Sight(const ModelFiles &files, const std::string &clip, int most);
  // The i-th picture as the model reads it, each time another one to a cache.
  EncodedImage picture(std::size_t i) const;
};

// The last pictures of a stream; as many as `size` from the start.
class Window {
 public:
  Window(const Sight &sight, int size, std::size_t first = 0);
  void move_on();  // the next picture comes, the oldest leaves
  void renew();    // the same pictures, but no cache has seen them yet
  const std::vector<EncodedImage> &pictures() const { return pictures_; }

 private:
  const Sight &sight_;
  std::size_t next_;
  std::vector<EncodedImage> pictures_;
};

std::unique_ptr<Session> session_of(const Sight &sight, const SessionOptions &options);
Answer ask(Session &session, const std::string &question, const std::vector<EncodedImage> &pictures);

// --- stories: each prints one JSON object
// -------------------------------------------------------------------

void tell_prefill(Words &words);
void tell_paced(Words &words);
void tell_agreement(Words &words);
void tell_variants(Words &words);
void tell_guesses(Words &words);
void tell_endurance(Words &words);
void tell_joining(Words &words);
void tell_stop(Words &words);
void tell_cameras(Words &words);
void tell_element(Words &words);
void work_as_camera(Words &words);

}  // namespace saccade::session_bench
