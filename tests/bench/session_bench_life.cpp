// Stories of how sessions live: for long, for a moment, and until somebody has had enough.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <latch>
#include <random>
#include <thread>

#include "session_bench.h"

namespace saccade::session_bench {
namespace {

struct Spread {
  std::vector<double> ms;
  int finished = 0;  // answers that were complete before the stop came
};

// Sessions that have always a picture to speak about.
class Others {
 public:
  Others(const Sight &sight, const std::string &question, int count) {
    SessionOptions options;
    options.max_tokens = 64;
    for (int i = 0; i < count; ++i)
      threads_.emplace_back([&sight, question, options, i](const std::stop_token &stop) {
        const auto session = session_of(sight, options);
        for (auto picture = static_cast<std::size_t>(i); !stop.stop_requested(); ++picture) {
          const std::vector<EncodedImage> pictures{sight.picture(picture)};
          const auto answer = session->ask(question, pictures, stop);
          if (!answer.ok() && answer.status().kind() != StatusKind::cancelled)
            fail(answer.status().message());
        }
      });
  }

 private:
  std::vector<std::jthread> threads_;
};

// How long an answer takes to end after a stop that comes `delay` after its start or its first word.
class Stopper {
 public:
  Stopper(Session &session, std::string question, bool in_answer)
      : session_(session), question_(std::move(question)), in_answer_(in_answer) {}

  void stop_after(Duration delay, const std::vector<EncodedImage> &pictures, Spread &spread) {
    std::latch begun(1);
    bool heard = false;
    AskOptions options;
    if (in_answer_)
      options.listener = [&](std::string_view) {
        if (!std::exchange(heard, true)) begun.count_down();
      };
    std::stop_source source;
    Clock::time_point returned;
    Status status;
    std::jthread asker([&] {
      if (!in_answer_) begun.count_down();
      status = session_.ask(question_, pictures, source.get_token(), options).status();
      returned = Clock::now();
      if (in_answer_ && !heard) begun.count_down();
    });
    begun.wait();
    std::this_thread::sleep_for(delay);
    const auto asked = Clock::now();
    source.request_stop();
    asker.join();
    if (status.ok())
      ++spread.finished;
    else if (status.kind() == StatusKind::cancelled)
      spread.ms.push_back(std::max(0.0, to_milliseconds(returned - asked)));
    else
      fail(status.message());
  }

 private:
  Session &session_;
  std::string question_;
  bool in_answer_;
};

}  // namespace

// Memory as the answers go by.
void tell_endurance(Words &words) {
  const auto files = words.files();
  const Sight sight(files, words.text(), kSomePictures);
  const int size = words.number();
  const int answers = words.number();
  const int every = words.number();
  const auto questions = words.rest();
  SessionOptions options;
  options.kv_policy = KvPolicy::slide;
  const auto session = session_of(sight, options);
  Window window(sight, size);
  std::vector<double> at, megabytes;
  const Spent spent([&] {
    for (int i = 1; i <= answers; ++i) {
      const auto question = static_cast<std::size_t>(i) % questions.size();
      if (question == 0) window.move_on();
      ask(*session, questions[question], window.pictures());
      if (i % every != 0) continue;
      at.push_back(i);
      megabytes.push_back(resident_megabytes());
    }
  });
  std::puts(
      object_of({{"answers", json(at)}, {"rss_mb", json(megabytes)}, {"ms", json(spent.clock_ms)}}).c_str());
}

// Sessions that come, answer once and go: each with a cache of its own, and beside another that stays.
void tell_joining(Words &words) {
  const auto files = words.files();
  const Sight sight(files, words.text(), kSomePictures);
  const auto question = words.text();
  const int times = words.number();
  SessionOptions options;
  options.max_tokens = 4;
  const auto come_and_go = [&](const char *name) {
    std::vector<double> join, answer, leave, megabytes;
    for (int i = 0; i < times; ++i) {
      std::unique_ptr<Session> session;
      const std::vector<EncodedImage> pictures{sight.picture(static_cast<std::size_t>(i))};
      join.push_back(Spent([&] { session = session_of(sight, options); }).clock_ms);
      answer.push_back(Spent([&] { ask(*session, question, pictures); }).clock_ms);
      leave.push_back(Spent([&] { session.reset(); }).clock_ms);
      megabytes.push_back(resident_megabytes());
    }
    return object_of({{"beside", json(std::string(name))},
                      {"join_ms", json(join)},
                      {"answer_ms", json(answer)},
                      {"leave_ms", json(leave)},
                      {"rss_mb", json(megabytes)}});
  };
  std::vector<std::string> told{come_and_go("nobody")};
  const auto staying = session_of(sight, options);
  ask(*staying, question, {sight.picture(0)});
  told.push_back(come_and_go("one that stays"));
  std::puts(list_of(told).c_str());
}

namespace {

// At any moment of an answer that is written, or of a long prompt that is read.
std::string stops_of(const Sight &sight, const std::string &question, bool in_answer, int others,
                     std::size_t times) {
  constexpr int kWindow = 8;
  constexpr double kMostDelay = 250;  // milliseconds
  SessionOptions options;
  options.max_tokens = 256;
  const auto session = session_of(sight, options);
  Window window(sight, in_answer ? 1 : kWindow);
  ask(*session, question, window.pictures());
  window.renew();
  const auto whole = ask(*session, question, window.pictures()).timings;
  const double lasts = to_milliseconds(in_answer ? whole.decode : whole.prefill);
  const Others busy(sight, question, others);
  std::mt19937 chance(1);
  std::uniform_real_distribution<double> delays(0, std::min(kMostDelay, lasts));
  Stopper stopper(*session, question, in_answer);
  Spread spread;
  for (std::size_t i = 0; spread.ms.size() < times && i < 4 * times; ++i) {
    if (!in_answer) window.renew();
    stopper.stop_after(from_seconds(1e-3 * delays(chance)), window.pictures(), spread);
  }
  return object_of({{"in", json(std::string(in_answer ? "answer" : "prompt"))},
                    {"others", json(others)},
                    {"ms", json(spread.ms)},
                    {"finished", json(spread.finished)},
                    {"lasts_ms", json(lasts)}});
}

}  // namespace

void tell_stop(Words &words) {
  const auto files = words.files();
  const Sight sight(files, words.text(), kSomePictures);
  const auto question = words.text();
  const auto times = static_cast<std::size_t>(words.number());
  std::vector<std::string> told;
  for (const auto &others : words.rest())
    for (const bool in_answer : {true, false})
      told.push_back(stops_of(sight, question, in_answer, std::atoi(others.c_str()), times));
  std::puts(list_of(told).c_str());
}

}  // namespace saccade::session_bench
