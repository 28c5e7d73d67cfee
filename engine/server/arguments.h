// What saccade-server is told on its command line.
#pragma once

#include "base/status.h"
#include "base/time.h"
#include "server/http_server.h"

namespace saccade {

struct Arguments {
  ServerOptions server;
  Duration drain_timeout = std::chrono::seconds(30);
  bool version = false;
};

// Prints the help and ends the program where that is asked for. Errors: invalid_argument (a sentence about
// the option).
Result<Arguments> read_arguments(int argc, char **argv);

}  // namespace saccade
