#include "sparsity/modal_relevance.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string>

namespace saccade {
namespace {

using namespace std::string_view_literals;

constexpr std::array kSight{
    "see"sv,     "seen"sv,    "look"sv,   "looks"sv,    "looking"sv, "watch"sv,   "show"sv,    "shown"sv,
    "visible"sv, "picture"sv, "image"sv,  "frame"sv,    "video"sv,   "camera"sv,  "scene"sv,   "color"sv,
    "colour"sv,  "red"sv,     "green"sv,  "light"sv,    "lights"sv,  "many"sv,    "count"sv,   "where"sv,
    "who"sv,     "person"sv,  "people"sv, "man"sv,      "woman"sv,   "child"sv,   "car"sv,     "cars"sv,
    "vehicle"sv, "bicycle"sv, "bike"sv,   "dog"sv,      "cat"sv,     "wearing"sv, "holding"sv, "left"sv,
    "right"sv,   "path"sv,    "cross"sv,  "crossing"sv, "road"sv,    "street"sv,  "safe"sv,    "day"sv,
    "night"sv,   "clear"sv,   "moving"sv, "object"sv,   "objects"sv, "describe"sv};
constexpr std::array kSound{
    "hear"sv,      "heard"sv,  "hearing"sv,  "sound"sv,  "sounds"sv,  "noise"sv,    "noises"sv, "listen"sv,
    "listening"sv, "loud"sv,   "quiet"sv,    "siren"sv,  "horn"sv,    "voice"sv,    "voices"sv, "say"sv,
    "says"sv,      "saying"sv, "said"sv,     "speak"sv,  "speaks"sv,  "speaking"sv, "speech"sv, "talk"sv,
    "talking"sv,   "shout"sv,  "shouting"sv, "scream"sv, "music"sv,   "song"sv,     "alarm"sv,  "bark"sv,
    "barking"sv,   "audio"sv,  "bell"sv,     "ring"sv,   "ringing"sv, "honk"sv,     "honking"sv};
constexpr std::array kReading{"read"sv,   "reads"sv,   "reading"sv, "text"sv,  "word"sv,    "words"sv,
                              "letter"sv, "letters"sv, "sign"sv,    "signs"sv, "written"sv, "writing"sv,
                              "plate"sv,  "label"sv,   "screen"sv,  "price"sv, "caption"sv, "subtitle"sv,
                              "digit"sv,  "digits"sv,  "number"sv,  "ocr"sv,   "page"sv,    "document"sv};

template <std::size_t N>
bool contains(const std::array<std::string_view, N> &words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

}  // namespace

ModalRelevance relevance_of(std::string_view question) {
  bool sight = false;
  bool sound = false;
  bool reading = false;
  std::string word;
  const auto finish_word = [&] {
    sight |= contains(kSight, word);
    sound |= contains(kSound, word);
    reading |= contains(kReading, word);
    word.clear();
  };
  for (const char c : question) {
    const auto u = static_cast<unsigned char>(c);
    if (std::isalpha(u)) {
      word += static_cast<char>(std::tolower(u));
    } else {
      finish_word();
    }
  }
  finish_word();

  ModalRelevance relevance;
  relevance.reading = reading;
  if (sound) {
    relevance.audio = 1;
    relevance.video = sight || reading ? 1 : 0.3;
  } else if (sight || reading) {
    relevance.audio = 0.2;
  }
  return relevance;
}

}  // namespace saccade
