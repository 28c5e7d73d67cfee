// How the cloud is asked.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "base/time.h"
#include "offload/cloud/link_estimate.h"

namespace saccade {

struct CloudSettings {
  // As chat_completions_url() takes it; several, with commas or blanks between them, in the order in which
  // they are preferred: the first whose link is up is asked.
  std::string endpoint;
  std::string api_key;  // sent as a bearer token; empty = none. Stands in no log line and no error sentence.
  Duration timeout = std::chrono::seconds(30);  // of one attempt, to the last byte of the answer; not retried
  int retries = 2;                              // more attempts after one that failed for a passing reason
  Duration retry_backoff_factor =
      std::chrono::milliseconds(500);                    // wait before the first retry; doubles each time
  Duration retry_backoff_max = std::chrono::seconds(8);  // longest wait, a server's Retry-After included
  bool ssl_strict = true;                                // refuse certificates that cannot be verified
  std::string tls_database;  // path of a PEM file with the authorities to trust; empty = the system's
  std::string proxy;         // its URI; empty = the environment's, as GLib finds it
  std::vector<std::pair<std::string, std::string>> extra_headers;  // of every request: name, value
  std::size_t max_response_size = std::size_t{1} << 20;            // bytes
  int max_in_flight = 4;  // questions that are not answered yet, those waiting for a retry included
  LinkSettings link;
};

}  // namespace saccade
