// A bad link on loopback, as a program for the evaluation's scripts:
//
//   link_emulator --target 8080 --delay 10ms --rate 25MB/s
//   link_emulator --target 8080 --listen 9090 --schedule day.txt --time-scale 60
//
// passes connections on to 127.0.0.1:8080, prints the port that it listens on, and runs until SIGINT or
// SIGTERM; then it prints what went through as one line of JSON. What words there are for a state, and how a
// schedule is written, stands in link_schedule.h; each word is an option, too (--down.loss 0.01).
#include <charconv>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <system_error>

#include "faults/link_emulator.h"

namespace {

using saccade::to_seconds;
using namespace saccade::faults;

struct Arguments {
  int listen = 0;
  int target = -1;
  double time_scale = 1;
  std::uint64_t seed = 1;
  std::string schedule;
  LinkState state;
};

[[noreturn]] void refuse(const std::string &why) {
  std::fprintf(stderr, "link_emulator: %s\n", why.c_str());
  std::exit(2);
}

template <typename Number>
Number number(const std::string &option, const std::string &text, double least, double most) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool in_range = static_cast<double>(value) >= least && static_cast<double>(value) <= most;
  if (error != std::errc{} || end != text.data() + text.size() || !in_range)
    refuse("--" + option + " cannot be \"" + text + "\"");
  return value;
}

Arguments read_arguments(int count, char **words) {
  Arguments arguments;
  for (int i = 1; i < count; ++i) {
    const std::string word = words[i];
    if (!word.starts_with("--"))
      refuse("\"" + word + "\" is no option; see the head of link_emulator_main.cpp");
    const auto name = word.substr(2);
    if (name == "cut" || name == "hang") {
      (void)apply_word(name, &arguments.state);
      continue;
    }
    if (++i == count) refuse(word + " needs a value");
    const std::string value = words[i];
    if (name == "listen") {
      arguments.listen = number<int>(name, value, 0, 65535);
    } else if (name == "target") {
      arguments.target = number<int>(name, value, 1, 65535);
    } else if (name == "time-scale") {
      arguments.time_scale = number<double>(name, value, 1e-3, 1e6);
    } else if (name == "seed") {
      arguments.seed = number<std::uint64_t>(name, value, 0, 0x1p63);
    } else if (name == "schedule") {
      arguments.schedule = value;
    } else if (const auto applied = apply_word(name + "=" + value, &arguments.state); !applied.ok()) {
      refuse(applied.message());
    }
  }
  if (arguments.target < 0) refuse("--target PORT is missing");
  return arguments;
}

LinkSchedule schedule_of(const Arguments &arguments) {
  if (arguments.schedule.empty()) return always(arguments.state);
  std::ifstream file(arguments.schedule);
  std::stringstream text;
  text << file.rdbuf();
  if (!file) refuse("cannot read the schedule \"" + arguments.schedule + "\"");
  auto schedule = parse_schedule(text.str(), arguments.state, arguments.time_scale);
  if (!schedule.ok()) refuse(schedule.status().message());
  return std::move(schedule).value();
}

void print_direction(const char *name, const LinkStatistics::Direction &d) {
  std::printf(R"("%s":{"bytes":%llu,"delivered":%llu,"units":%llu,"held_back":%llu,"bits_flipped":%llu,)"
              R"("busy_s":%.6f,"longest_queue":%zu,"times_full":%llu,"latest_s":%.6f})",
              name, static_cast<unsigned long long>(d.line.bytes_entered),
              static_cast<unsigned long long>(d.bytes_delivered),
              static_cast<unsigned long long>(d.line.units),
              static_cast<unsigned long long>(d.line.units_held_back),
              static_cast<unsigned long long>(d.line.bits_flipped), to_seconds(d.line.busy),
              d.line.longest_queue, static_cast<unsigned long long>(d.times_full), to_seconds(d.latest));
}

void print(const LinkStatistics &statistics) {
  std::printf(R"({"connections":%llu,"resets":%llu,)",
              static_cast<unsigned long long>(statistics.connections),
              static_cast<unsigned long long>(statistics.resets));
  print_direction("up", statistics.up);
  std::printf(",");
  print_direction("down", statistics.down);
  std::printf("}\n");
}

}  // namespace

int main(int count, char **words) {
  const auto arguments = read_arguments(count, words);
  sigset_t ending;
  sigemptyset(&ending);
  sigaddset(&ending, SIGINT);
  sigaddset(&ending, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &ending, nullptr);  // before the emulator's thread begins, which inherits it
  try {
    const LinkEmulator emulator({.target_port = arguments.target,
                                 .listen_port = arguments.listen,
                                 .schedule = schedule_of(arguments),
                                 .seed = arguments.seed});
    std::printf("%d\n", emulator.port());
    std::fflush(stdout);
    int signal = 0;
    sigwait(&ending, &signal);
    print(emulator.statistics());
  } catch (const std::system_error &error) {
    refuse(error.what());
  }
}
