// Stories of one session and the pictures that it keeps: what it reads of them, and whether it answers alike.
#include <algorithm>
#include <cstdio>
#include <iostream>
#include <map>

#include "session_bench.h"

namespace saccade::session_bench {
namespace {

// --- what is read
// -------------------------------------------------------------------------------------------

struct Way {
  const char *name;
  KvPolicy policy;
  PromptPosition position;
  bool everything;  // no picture is known from the question before
};

constexpr Way kWays[] = {
    {"everything", KvPolicy::reread, PromptPosition::after, true},
    {"reread", KvPolicy::reread, PromptPosition::after, false},
    {"slide", KvPolicy::slide, PromptPosition::after, false},
    {"saliency", KvPolicy::saliency, PromptPosition::after, false},
    {"reread, before", KvPolicy::reread, PromptPosition::before, false},
    {"slide, before", KvPolicy::slide, PromptPosition::before, false},
};

// A sliding session moves its cells up only now and then, which has its share in what an answer costs.
constexpr int kMoreOfSliding = 4;

SessionOptions options_of(const Way &way) {
  SessionOptions options;
  options.max_tokens = 8;
  options.kv_policy = way.policy;
  options.prompt_position = way.position;
  return options;
}

// So many answers, each to another window, in a session of their own.
std::string stretch_of(const Sight &sight, const Way &way, const std::string &question, int size,
                       int answers) {
  const auto session = session_of(sight, options_of(way));
  Window window(sight, size);
  ask(*session, question, window.pictures());
  std::vector<double> clock, processor, read, word;
  double prompt = 0;
  const int count = way.policy != KvPolicy::reread ? kMoreOfSliding * answers : answers;
  for (int i = 0; i < count; ++i) {
    window.move_on();
    if (way.everything) window.renew();
    Answer answer;
    processor.push_back(Spent([&] { answer = ask(*session, question, window.pictures()); }).processor_ms);
    clock.push_back(to_milliseconds(answer.timings.prefill));
    read.push_back(answer.prompt_tokens_read);
    // The last word's evaluation says that it is the last, unless there may be no more.
    const auto words = answer.token_log_probabilities.size() - (answer.truncated ? 1 : 0);
    if (words > 0) word.push_back(to_milliseconds(answer.timings.decode) / static_cast<double>(words));
    prompt = answer.prompt_tokens;
  }
  return object_of({{"window", json(size)},
                    {"way", json(way.name)},
                    {"clock_ms", json(clock)},
                    {"processor_ms", json(processor)},
                    {"read", json(read)},
                    {"word_ms", json(word)},
                    {"prompt", json(prompt)}});
}

// --- whether answers are alike
// ------------------------------------------------------------------------------

struct Given {
  std::vector<std::string> texts;
  std::vector<double> confidences;
  double read = 0;  // tokens of the prompt with the first question
  double prompt = 0;
};

Given answers_of(Session &session, const std::vector<std::string> &questions,
                 const std::vector<EncodedImage> &pictures) {
  Given given;
  for (const auto &question : questions) {
    const auto answer = ask(session, question, pictures);
    if (given.texts.empty()) {
      given.read = answer.prompt_tokens_read;
      given.prompt = answer.prompt_tokens;
    }
    given.texts.push_back(answer.text);
    given.confidences.push_back(answer.confidence);
  }
  return given;
}

std::string equal(const Given &a, const Given &b) {
  std::vector<double> same;
  for (std::size_t i = 0; i < a.texts.size(); ++i) same.push_back(a.texts[i] == b.texts[i]);
  return json(same);
}

}  // namespace

void tell_prefill(Words &words) {
  const auto files = words.files();
  const Sight sight(files, words.text(), kSomePictures);
  const auto question = words.text();
  const int rounds = words.number();
  const int answers = words.number();
  std::vector<std::string> stretches;
  for (const auto &size : words.rest())
    for (int round = 0; round < rounds; ++round)
      for (const auto &way : kWays)
        stretches.push_back(stretch_of(sight, way, question, std::atoi(size.c_str()), answers));
  std::puts(list_of(stretches).c_str());
}

// A new picture, encoded as a whole, and an answer, whenever a line comes in: in turns with another program.
void tell_paced(Words &words) {
  const auto pair = need(ModelPair::open(words.files()));
  const auto encoder = need(make_encoder(pair));
  const auto clip = words.text();
  const auto question = words.text();
  const auto size = static_cast<std::size_t>(words.number());
  const auto pictures = pictures_of(clip, encoder->input(), words.number());
  SessionOptions options;
  std::map<KvPolicy, std::unique_ptr<Session>> sessions;
  std::map<KvPolicy, std::string> told;
  for (const auto policy : {KvPolicy::reread, KvPolicy::slide}) {
    options.kv_policy = policy;
    sessions[policy] = need(Session::create(pair, options));
  }
  std::vector<EncodedImage> window;
  const auto &[width, height] = encoder->input();
  std::cout << object_of(
                   {{"width", json(width)}, {"height", json(height)}, {"threads", json(pair->threads())}})
            << std::endl;
  std::size_t next = 0;
  for (std::string line; std::getline(std::cin, line);) {
    SharedTokens tokens;
    const auto &picture = pictures[next++ % pictures.size()];
    const Spent encoding([&] { tokens = need(encoder->encode(picture.view(), {}, {})); });
    window.push_back(encoder->overview(std::move(tokens)));
    if (window.size() > size) window.erase(window.begin());
    for (const auto &[policy, session] : sessions) {
      Answer answer;
      const Spent asking([&] { answer = ask(*session, question, window); });
      told[policy] = object_of({{"ms", json(encoding.clock_ms + asking.clock_ms)},
                                {"processor_ms", json(encoding.processor_ms + asking.processor_ms)},
                                {"text", json(answer.text)},
                                {"read", json(answer.prompt_tokens_read)},
                                {"prompt", json(answer.prompt_tokens)}});
    }
    std::cout << object_of({{"reread", told[KvPolicy::reread]}, {"slide", told[KvPolicy::slide]}})
              << std::endl;
  }
}

// A session that slides against one that never saw more than the window, which has a cache of its own.
void tell_agreement(Words &words) {
  constexpr int kAtTheEnds = 100;  // evictions of which all are compared
  auto files = words.files();
  const auto clip = words.text();
  const int size = words.number();
  const int evictions = words.number();
  const int every = words.number();
  const auto questions = words.rest();
  const Sight sight(files, clip, evictions + size);
  files.threads = 0;  // one as well, for pairs as small as these: the same pair, loaded once more
  const auto again = need(ModelPair::open(files));

  SessionOptions options;
  options.kv_policy = KvPolicy::slide;
  const auto sliding = session_of(sight, options);
  options.kv_policy = KvPolicy::reread;
  Window window(sight, size);
  ask(*sliding, questions.front(), window.pictures());
  std::vector<double> at;
  std::vector<std::string> same, confidences;
  double read = 0;
  double prompt = 0;
  double reread = 0;
  for (int i = 1; i <= evictions; ++i) {
    window.move_on();
    const bool compared = i <= kAtTheEnds || i > evictions - kAtTheEnds || i % every == 0;
    const auto asked = compared ? questions : std::vector{questions.front()};
    const auto given = answers_of(*sliding, asked, window.pictures());
    read += given.read;
    prompt += given.prompt;
    reread += given.read > 0.8 * given.prompt;
    if (!compared) continue;
    const auto fresh = answers_of(*need(Session::create(again, options)), questions, window.pictures());
    at.push_back(i);
    same.push_back(equal(given, fresh));
    confidences.push_back(json(fresh.confidences));
  }
  std::puts(object_of({{"evictions", json(at)},
                       {"same", list_of(same)},
                       {"confidences", list_of(confidences)},
                       {"read", json(read)},
                       {"prompt", json(prompt)},
                       {"reread", json(reread)}})
                .c_str());
}

// Sessions with other options against one with the defaults.
void tell_variants(Words &words) {
  const auto files = words.files();
  const auto clip = words.text();
  const int size = words.number();
  const int pictures = words.number();
  const auto questions = words.rest();
  const Sight sight(files, clip, pictures);
  std::map<std::string, SessionOptions> variants;
  variants["kv-type q8_0"].kv_type = KvType::q8_0;
  variants["kv-type q4_0"].kv_type = KvType::q4_0;
  variants["prompt-position before"].prompt_position = PromptPosition::before;
  variants["guesses 8"].guesses = 8;

  const auto usual = session_of(sight, {});
  std::map<std::string, std::unique_ptr<Session>> sessions;
  std::map<std::string, std::vector<std::string>> same;
  std::vector<std::pair<std::string, std::string>> members;
  for (const auto &[name, options] : variants) {
    auto session = Session::create(sight.pair, options);
    if (session.ok())
      sessions[name] = std::move(session).value();
    else
      members.emplace_back(name, json(session.status().message()));
  }
  Window window(sight, size);
  for (int i = size; i <= pictures; ++i) {
    const auto given = answers_of(*usual, questions, window.pictures());
    for (const auto &[name, session] : sessions)
      same[name].push_back(equal(given, answers_of(*session, questions, window.pictures())));
    window.move_on();
  }
  for (const auto &[name, of] : same) members.emplace_back(name, list_of(of));
  std::puts(object_of(members).c_str());
}

namespace {

struct Guessing {
  int most = 0;
  bool drafted = false;
  auto operator<=>(const Guessing &) const = default;
};

}  // namespace

// The same answer again, and other ones, with more or fewer of their tokens guessed, and where a draft is
// named with and without its help.
void tell_guesses(Words &words) {
  const auto files = words.files();
  const Sight sight(files, words.text(), kSomePictures);
  const auto question = words.text();
  const int tokens = words.number();
  const int rounds = words.number();
  const auto draft = words.more() ? words.text() : std::string();
  std::map<Guessing, std::unique_ptr<Session>> sessions;
  for (const Guessing guessing :
       {Guessing{0}, Guessing{4}, Guessing{8}, Guessing{16}, Guessing{4, true}, Guessing{8, true}}) {
    if (guessing.drafted && draft.empty()) continue;
    SessionOptions options;
    options.guesses = guessing.most;
    options.max_tokens = tokens;
    if (guessing.drafted) options.draft_model = draft;
    sessions[guessing] = session_of(sight, options);
  }
  AskOptions only_read;
  only_read.max_tokens = 1;
  std::vector<std::string> asked;
  std::map<Guessing, std::string> before;
  std::string without;  // what the session that guesses nothing, the first, said
  for (int i = 0; i < 2 * rounds + 1; ++i) {
    const auto picture = static_cast<std::size_t>(i + 1) / 2;  // each one twice
    for (const auto &[guessing, session] : sessions) {
      const std::vector shown{sight.picture(picture)};
      need(session->ask("?", shown, {}, only_read));  // so that what is measured begins with the question
      Answer answer;
      const Spent asking([&] { answer = ask(*session, question, shown); });
      if (guessing.most == 0) without = answer.text;
      if (i > 0)
        asked.push_back(
            object_of({{"guesses", json(guessing.most)},
                       {"draft", json(guessing.drafted)},
                       {"round", json(i)},
                       {"same", json(answer.text == before[guessing])},
                       {"as_without", json(answer.text == without)},
                       {"clock_ms", json(to_milliseconds(answer.timings.decode))},
                       {"processor_ms", json(asking.processor_ms)},
                       {"tokens", json(static_cast<double>(answer.token_log_probabilities.size()))},
                       {"guessed", json(answer.tokens_guessed)},
                       {"right", json(answer.tokens_guessed_right)}}));
      before[guessing] = answer.text;
    }
  }
  std::puts(list_of(asked).c_str());
}

}  // namespace saccade::session_bench
