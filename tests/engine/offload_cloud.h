// What the tests of the cloud client share.
#pragma once

#include <string>

#include "offload/cloud/cloud_client.h"

namespace saccade {

inline const ChatQuestion kQuestion{"m", "What?", {{0xFF, 0xD8, 0xFF, 0xD9}}, 8};

// A client whose waits are short; the link never goes down unless a test asks for it.
inline CloudSettings settings_for(const std::string &endpoint) {
  CloudSettings settings;
  settings.endpoint = endpoint;
  settings.retry_backoff_factor = std::chrono::milliseconds(1);
  settings.link.failures_to_open = 1000;
  return settings;
}

}  // namespace saccade
