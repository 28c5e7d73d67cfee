// Why a call to a server failed, in a sentence for people. Internal to offload.
#pragma once

#include <libsoup/soup.h>

#include <cstddef>
#include <string>

#include "base/status.h"
#include "base/time.h"
#include "offload/cloud/cloud_settings.h"

namespace saccade {

struct CallFailure {
  Status status;
  bool passing = false;      // trying again may help
  Duration wait_at_least{};  // the server's Retry-After
  bool lost = false;         // on the way: the server did not answer at all, or not to the end
  bool refused = false;      // the server understood the request and does not want it as it is: a 4xx
};

// Of one attempt: whom it asked, as url_for_people() shows it, with what, and how.
struct CallAttempt {
  const std::string &url;
  const CloudSettings &settings;
  std::size_t request_size;
};

CallFailure transport_failure(const CallAttempt &attempt, const GError &error);
CallFailure timeout_failure(const CallAttempt &attempt);
// body: as much as was read of the response.
CallFailure http_failure(const CallAttempt &attempt, SoupMessage *message, const std::string &body);
CallFailure broken_off(const CallAttempt &attempt);
CallFailure too_large(const CallAttempt &attempt);
// The response came and is no answer.
CallFailure no_answer(const CallAttempt &attempt, const Status &why);
// What is left when all attempts are used up. A server may repeat the key in what it complains about: it is
// taken out.
Status last_word(const CallFailure &failure, const CloudSettings &settings, int attempts);

}  // namespace saccade
