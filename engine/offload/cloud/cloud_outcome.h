// How a question to the cloud ended.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "base/status.h"
#include "base/time.h"
#include "mllm/answer.h"

namespace saccade {

// How a draft was used.
enum class Verification {
  none,       // there was none, it was not to be verified, or the server cannot
  predicted,  // in one call, as a prediction
  scored,     // in one call that scores it, and a second that goes on where the draft does not hold
};

// What one request cost, for those who learn from it what the next one will cost.
struct RequestCost {
  std::size_t bytes_sent = 0;  // on the wire above TLS, headers included
  Duration took{};             // from its start to its end, the wait for a draft left out
  int tokens = 0;              // that it answered with; 0 where that is not told
  // Of `took`, the server's own time, as it tells it, and what it took to open the connection, one way there
  // and back; empty where it does not tell, and where a connection was open.
  std::optional<Duration> server_time;
  std::optional<Duration> connecting;
};

struct CloudOutcome {
  // tokens_guessed and tokens_guessed_right are the draft's, where it was verified.
  Result<Answer> answer = Status();
  // Without an answer: it is the way or the server that failed, and may be back; the same question is worth
  // asking later. False: it was cancelled, or it would be refused again, or answered with as little.
  bool may_pass = false;
  Verification verification = Verification::none;
  std::string asked;               // the server, as url_for_people() shows it
  std::size_t bytes_sent = 0;      // on the wire above TLS, headers and every attempt included
  std::size_t bytes_received = 0;  // likewise
  // From the first attempt's start to the end, pauses between attempts included. An upload that waits for the
  // draft does not count while it waits: that is the edge's time.
  Duration took{};
  Duration first_text{};       // by the same clock to the first words; zero when none came
  RequestCost last_attempt{};  // of the last call: retries and calls that verify are in none of it
  int calls = 0;
  int attempts = 0;
  int attempts_lost = 0;  // of them, those that failed on the way and not by the server's word
};

}  // namespace saccade
