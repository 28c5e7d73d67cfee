// What saccade-server is told on its command line.
#pragma once

#include <optional>

#include "base/status.h"
#include "base/time.h"
#include "server/http_server.h"

namespace saccade {

struct Arguments {
  ServerOptions server;
  Duration drain_timeout = std::chrono::seconds(30);
};

// Nothing after the version was asked for and printed; for the help the program ends there. Errors:
// invalid_argument (a sentence about the option).
Result<std::optional<Arguments>> read_arguments(int argc, char **argv);

}  // namespace saccade
