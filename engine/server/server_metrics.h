// What the server tells Prometheus.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "server/answer_desk.h"

namespace saccade {

struct ServerFigures {
  std::map<unsigned, std::uint64_t>
      requests;                // ended, by status of HTTP; those of health and metrics left out
  std::size_t in_flight = 0;   // chat completions that were taken and are not answered yet
  DurationStatistics seconds;  // of a chat completion, from its first byte to its last
  bool draining = false;
};

// In Prometheus' text format. Pure function.
std::string metrics_text(const ServerFigures &server, const DeskFigures &desk);

}  // namespace saccade
