// saccade-server --model TEXT.gguf --mmproj PROJECTOR.gguf
#include <csignal>
#include <cstdio>
#include <string_view>
#include <utility>

#include "server/arguments.h"
#include "server/http_server.h"

namespace {

constexpr const char *kName = "saccade-server";

void say(std::string_view line) {
  std::fprintf(stderr, "%s: %.*s\n", kName, static_cast<int>(line.size()), line.data());
}

// Blocked in every thread, so that one of them can wait for it.
sigset_t stop_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

// Waits so long for what was taken; a second signal ends the wait.
bool drained(saccade::HttpServer &server, saccade::Duration at_most, const sigset_t &signals) {
  constexpr auto kLook = std::chrono::milliseconds(50);
  const auto until = saccade::Clock::now() + at_most;
  while (!server.wait_until_drained(kLook)) {
    const timespec now{};
    if (saccade::Clock::now() >= until || sigtimedwait(&signals, nullptr, &now) > 0) return false;
  }
  return true;
}

int serve(saccade::Arguments arguments) {
  const auto signals = stop_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  arguments.server.log = say;
  auto started = saccade::HttpServer::start(arguments.server);
  if (!started.ok()) {
    say(started.status().message());
    return 1;
  }
  auto &server = *started.value();
  // For people, and for programs that asked for any port.
  std::printf("listening on %s\n", server.url().c_str());
  std::fflush(stdout);
  int signal = 0;
  sigwait(&signals, &signal);
  say("stopping: finishing what was taken, taking nothing new");
  server.begin_drain();
  if (!drained(server, arguments.drain_timeout, signals)) say("some answers are cancelled");
  return 0;
}

}  // namespace

int main(int argc, char **argv) {
  auto arguments = saccade::read_arguments(argc, argv);
  if (!arguments.ok()) {
    say(arguments.status().message());
    return 2;
  }
  if (!arguments.value()) return 0;
  return serve(std::move(*arguments.value()));
}
