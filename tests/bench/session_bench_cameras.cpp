// The story of several cameras: in one process, or each in a process of its own, which this program starts.
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <numeric>
#include <optional>
#include <thread>

#include "session_bench.h"

extern char **environ;

namespace saccade::session_bench {
namespace {

constexpr int kPictures = 8;        // of each camera, over and over
constexpr int kMostAnswers = 1000;  // of a camera in one measurement
constexpr double kEnough = 0.3;     // seconds in which an arrangement shows what it can do
constexpr int kMoreOfFast = 8;      // answers of each camera where one takes less
constexpr int kWorse = 2;           // what takes so many times longer than one thread is not waited for
constexpr Duration kPatience = std::chrono::minutes(10);

// --- one process, with one camera or several
// ----------------------------------------------------------------

// A tenth of the patches, as a square somewhere in the picture: something that moves.
PatchMap changed(const PatchGrid &grid, std::size_t picture) {
  PatchMap map(static_cast<std::size_t>(grid.count()));
  int side = 1;
  while (10 * (side + 1) * (side + 1) <= grid.count()) ++side;
  const int room = grid.rows - side + 1;
  const int top = static_cast<int>(picture * 7) % room;
  const int left = static_cast<int>(picture * 3) % room;
  for (int y = top; y < top + side; ++y)
    for (int x = left; x < left + side; ++x) map[static_cast<std::size_t>(y * grid.columns + x)] = 255;
  return map;
}

class Camera {
 public:
  Camera(const std::shared_ptr<ModelPair> &pair, const std::vector<Image> &images, std::size_t first,
         std::string work, int tokens)
      : images_(images), next_(first), work_(std::move(work)), encoder_(need(make_encoder(pair))) {
    SessionOptions options;
    options.max_tokens = tokens;
    session_ = need(Session::create(pair, options));
    look({});
  }

  // One answer; gives the number of its tokens.
  std::size_t answer(const std::string &question) {
    if (work_ != "decode") look(work_ == "part" ? changed(encoder_->refresh_grid(), next_) : PatchMap());
    return ask(*session_, question, {encoder_->overview(seen_)}).token_log_probabilities.size();
  }

 private:
  void look(const PatchMap &refresh) {
    const auto pts = from_seconds(static_cast<double>(next_) / kPicturesPerSecond);
    seen_ = need(encoder_->encode(images_[next_++ % images_.size()].view(pts), refresh, {}));
  }

  const std::vector<Image> &images_;
  std::size_t next_;
  std::string work_;
  std::unique_ptr<VisionEncoder> encoder_;
  std::unique_ptr<Session> session_;
  SharedTokens seen_;
};

double answer_all(std::vector<Camera> &cameras, const std::string &question, int answers) {
  std::vector<std::size_t> tokens(cameras.size());
  {
    std::vector<std::jthread> threads;
    for (std::size_t c = 0; c < cameras.size(); ++c)
      threads.emplace_back([&, c] {
        for (int i = 0; i < answers; ++i) tokens[c] += cameras[c].answer(question);
      });
  }
  return static_cast<double>(std::accumulate(tokens.begin(), tokens.end(), std::size_t{0}));
}

// --- the processes
// ------------------------------------------------------------------------------------------

// Runs work_as_camera() in a process of its own, which ends with this object.
class Process {
 public:
  explicit Process(std::vector<std::string> words) {
    int to[2], from[2];
    if (pipe2(to, O_CLOEXEC) || pipe2(from, O_CLOEXEC)) fail("there are no more pipes");
    words.insert(words.begin(), {"session_bench", "camera"});
    std::vector<char *> pointers;
    pointers.reserve(words.size() + 1);
    for (auto &word : words) pointers.push_back(word.data());
    pointers.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, to[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, from[1], STDOUT_FILENO);
    const int error = posix_spawn(&id_, "/proc/self/exe", &actions, nullptr, pointers.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    close(to[0]);
    close(from[1]);
    if (error) fail("cannot start another session_bench");
    in_ = fdopen(to[1], "w");
    out_ = fdopen(from[0], "r");
  }
  ~Process() {
    kill(id_, SIGKILL);
    waitpid(id_, nullptr, 0);
    std::fclose(in_);
    std::fclose(out_);
  }
  Process(const Process &) = delete;
  Process &operator=(const Process &) = delete;

  void say(int answers) {
    std::fprintf(in_, "%d\n", answers);
    std::fflush(in_);
  }
  // The next line's numbers, or nothing when they do not come by then.
  std::optional<std::pair<double, double>> hear(Clock::time_point until) {
    pollfd news{fileno(out_), POLLIN, 0};
    const double left = std::max(0.0, to_milliseconds(until - Clock::now()));
    if (poll(&news, 1, static_cast<int>(std::min(left, 1e9))) <= 0) return {};
    double first = 0;
    double second = 0;
    if (std::fscanf(out_, "%lf %lf", &first, &second) != 2) fail("another session_bench ended too early");
    return std::pair{first, second};
  }
  // Its memory, where what it shares with others counts in parts.
  double megabytes() const {
    std::ifstream file("/proc/" + std::to_string(id_) + "/smaps_rollup");
    for (std::string line; std::getline(file, line);)
      if (line.starts_with("Pss:")) return 1.024e-3 * std::atof(line.c_str() + 4);
    fail("cannot read the memory of another session_bench");
  }

 private:
  pid_t id_ = 0;
  std::FILE *in_ = nullptr;
  std::FILE *out_ = nullptr;
};

struct Arrangement {
  const char *name;
  int processes;
  int cameras;  // in each
  int threads = 1;
};

struct Measured {
  double seconds = 0;
  double processor_seconds = 0;
  double tokens = 0;
  double megabytes = 0;
  int answers = 0;  // of each camera
};

// Starts the processes, has every camera give an answer that does not count, and measures so many more.
// Nothing when it takes longer than `most`.
std::optional<Measured> measure(const Arrangement &how, std::vector<std::string> words, int answers,
                                Duration most) {
  const auto until = Clock::now() + most;
  words.insert(words.end(), {std::to_string(how.threads), std::to_string(how.cameras)});
  std::vector<std::unique_ptr<Process>> processes;
  for (int i = 0; i < how.processes; ++i) {
    auto own = words;
    own.push_back(std::to_string(i));
    processes.push_back(std::make_unique<Process>(own));
  }
  Measured measured;
  const auto hear_all = [&] {
    measured.tokens = measured.processor_seconds = 0;
    return std::ranges::all_of(processes, [&](const auto &process) {
      const auto heard = process->hear(until);
      measured.tokens += heard ? heard->first : 0;
      measured.processor_seconds += heard ? heard->second : 0;
      return heard.has_value();
    });
  };
  const auto answer_all_times = [&](int count) {
    for (const auto &process : processes) process->say(count);
    return hear_all();
  };
  if (!hear_all() || !answer_all_times(1)) return {};  // they are ready; caches are warm
  bool heard = false;
  measured.seconds = 1e-3 * Spent([&] { heard = answer_all_times(answers); }).clock_ms;
  if (!heard) return {};
  for (const auto &process : processes) measured.megabytes += process->megabytes();
  measured.answers = answers;
  return measured;
}

std::string json(const Arrangement &how, const std::optional<Measured> &measured) {
  using session_bench::json;
  const int cameras = how.processes * how.cameras;
  if (!measured) return object_of({{"how", json(std::string(how.name))}, {"threads", json(how.threads)}});
  return object_of({{"how", json(std::string(how.name))},
                    {"threads", json(how.threads)},
                    {"seconds", json(measured->seconds)},
                    {"processor_seconds", json(measured->processor_seconds)},
                    {"cameras", json(cameras)},
                    {"answers", json(measured->answers * cameras)},
                    {"tokens", json(measured->tokens)},
                    {"mb", json(measured->megabytes)}});
}

// How an arrangement does best: with one thread for each evaluation, with two, or as the engine chooses (0),
// which may also be several evaluations side by side.
struct Tried {
  Arrangement how;
  int answers = 1;  // that fill the seconds wanted
};

Tried try_threads(Arrangement how, const std::vector<std::string> &words, double seconds,
                  std::vector<std::string> &told) {
  int answers = 1;
  auto start = Clock::now();
  auto best = measure(how, words, answers, kPatience);
  if (best && best->seconds < kEnough) {
    answers = kMoreOfFast;
    start = Clock::now();
    best = measure(how, words, answers, kPatience);
  }
  if (!best) fail("no answer came in ten minutes");
  const auto most = kWorse * (Clock::now() - start);
  told.push_back(json(how, best));
  for (const int threads : {2, 0}) {
    auto other = how;
    other.threads = threads;
    const auto found = measure(other, words, answers, most);
    told.push_back(json(other, found));
    if (found && found->seconds < best->seconds) {
      best = found;
      how = other;
    }
  }
  return {how, std::clamp(static_cast<int>(answers * seconds / best->seconds), 1, kMostAnswers)};
}

}  // namespace

// TEXT MMPROJ CLIP QUESTION WORK TOKENS THREADS CAMERAS NUMBER: says zeros when it is ready; then, for each
// number of answers that it is told, how many tokens they had and the seconds of processor time.
void work_as_camera(Words &words) {
  auto files = words.files();
  const auto clip = words.text();
  const auto question = words.text();
  const auto work = words.text();
  const int tokens = words.number();
  files.threads = words.number();
  const int count = words.number();
  const int number = words.number();
  const auto pair = need(ModelPair::open(files));
  const auto images = pictures_of(clip, need(make_encoder(pair))->input(), kPictures);
  std::vector<Camera> cameras;
  cameras.reserve(static_cast<std::size_t>(count));
  for (int c = 0; c < count; ++c)
    cameras.emplace_back(pair, images, static_cast<std::size_t>(number + c), work, tokens);
  std::cout << "0 0" << std::endl;
  for (int answers; std::cin >> answers;) {
    double all = 0;
    const Spent spent([&] { all = answer_all(cameras, question, answers); });
    std::cout << all << ' ' << 1e-3 * spent.processor_ms << std::endl;
  }
}

void tell_cameras(Words &words) {
  std::vector<std::string> told;  // to the processes
  while (told.size() < 6) told.push_back(words.text());
  const int count = words.number();
  const int rounds = words.number();
  const int seconds = words.number();
  std::signal(SIGPIPE, SIG_IGN);
  std::vector<std::string> tried, measured;
  std::vector<Tried> arrangements;
  for (const auto &how : {Arrangement{"one process", 1, count}, Arrangement{"processes", count, 1}})
    arrangements.push_back(try_threads(how, told, seconds, tried));
  auto alone = arrangements.front();
  alone.how = {"one camera", 1, 1, alone.how.threads};
  arrangements.push_back(alone);
  for (int round = 0; round < rounds; ++round)
    for (const auto &[how, answers] : arrangements)
      measured.push_back(json(how, measure(how, told, answers, kPatience)));
  std::puts(object_of({{"tried", list_of(tried)}, {"measured", list_of(measured)}}).c_str());
}

}  // namespace saccade::session_bench
