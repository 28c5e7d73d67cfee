#include "offload/cloud/call_failure.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "base/text.h"
#include "offload/chat/chat_reply.h"
#include "offload/cloud/endpoint.h"

namespace saccade {

namespace {

// Seconds, or an HTTP date; zero when the header is absent or says neither.
Duration retry_after_header(SoupMessage *message) {
  const char *value = soup_message_headers_get_one(soup_message_get_response_headers(message), "Retry-After");
  if (!value) return Duration::zero();
  char *end = nullptr;
  const double seconds = g_ascii_strtod(value, &end);
  if (end != value)
    return std::isfinite(seconds) && seconds > 0 ? from_seconds(std::min(seconds, 1e6)) : Duration{};
  GDateTime *date = soup_date_time_new_from_http_string(value);
  if (!date) return Duration::zero();
  GDateTime *now = g_date_time_new_now_utc();
  const GTimeSpan microseconds = g_date_time_difference(date, now);
  g_date_time_unref(now);
  g_date_time_unref(date);
  return std::max(Duration::zero(), Duration(std::chrono::microseconds(microseconds)));
}

std::string seconds_text(Duration d) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g s", to_seconds(d));
  return text;
}

CallFailure lasting(StatusKind kind, const std::string &text) {
  CallFailure failure;
  failure.status = {kind, text};
  return failure;
}

CallFailure passing(StatusKind kind, const std::string &text, Duration wait = {}) {
  auto failure = lasting(kind, text);
  failure.passing = true;
  failure.wait_at_least = wait;
  return failure;
}

CallFailure transport(const CallAttempt &attempt, const GError &error) {
  if (error.domain == G_RESOLVER_ERROR) {
    return passing(StatusKind::not_found,
                   "the host of " + attempt.url + " was not found; check endpoint and the name server");
  }
  if (error.domain == G_TLS_ERROR) {
    return lasting(StatusKind::unavailable, "no safe connection to " + attempt.url + " (" + error.message +
                                                "); install the server's authority, name it in "
                                                "tls-database, or set ssl-strict=false on a "
                                                "network that is trusted");
  }
  if (g_error_matches(&error, G_IO_ERROR, G_IO_ERROR_CONNECTION_REFUSED)) {
    return passing(StatusKind::unavailable,
                   attempt.url + " refuses connections; check that the server runs there");
  }
  return passing(StatusKind::unavailable,
                 "the connection to " + attempt.url + " failed (" + error.message + ")");
}

CallFailure redirected(const CallAttempt &attempt, SoupMessage *message, const std::string &says) {
  const char *target = soup_message_headers_get_one(soup_message_get_response_headers(message), "Location");
  return lasting(StatusKind::unavailable,
                 attempt.url + " redirects to " + (target ? url_for_people(target) : "nowhere") + says +
                     "; redirects are not followed, so that pictures and key reach " +
                     "only the server that was named: set endpoint to the final URL");
}

CallFailure client_error(const CallAttempt &attempt, unsigned code, const std::string &says) {
  switch (code) {
    case 401:
      return lasting(
          StatusKind::unavailable,
          attempt.url +
              (attempt.settings.api_key.empty() ? " wants an API key" : " does not accept the API key") +
              says + "; put a valid one into api-key-file or SACCADE_API_KEY");
    case 403:
      return lasting(StatusKind::unavailable,
                     attempt.url + " forbids the call" + says + "; check what the API key is allowed to use");
    case 404:
      return lasting(StatusKind::unavailable, attempt.url + " does not know the path or the model" + says +
                                                  "; check endpoint and model");
    case 413:
      return lasting(StatusKind::invalid_argument,
                     "a request of " + std::to_string(attempt.request_size) + " bytes is too large for " +
                         attempt.url + says + "; lower max-size, jpeg-quality or the number of frames");
    default: break;
  }
  return lasting(StatusKind::invalid_argument,
                 attempt.url + " refuses the request" + says + "; check that the model takes images");
}

}  // namespace

CallFailure transport_failure(const CallAttempt &attempt, const GError &error) {
  auto failure = transport(attempt, error);
  failure.lost = true;
  return failure;
}

CallFailure timeout_failure(const CallAttempt &attempt) {
  auto failure = lasting(StatusKind::timed_out, attempt.url + " did not answer within " +
                                                    seconds_text(attempt.settings.timeout) +
                                                    "; raise timeout, or send less with max-size and "
                                                    "fewer frames");
  failure.lost = true;
  return failure;
}

CallFailure http_failure(const CallAttempt &attempt, SoupMessage *message, const std::string &body) {
  const unsigned code = soup_message_get_status(message);
  const auto complaint = server_complaint(body);
  const auto says = " (HTTP " + std::to_string(code) + (complaint.empty() ? ")" : ": " + complaint + ")");
  if (SOUP_STATUS_IS_REDIRECTION(code)) return redirected(attempt, message, says);
  if (code == 408 || code == 429) {
    return passing(StatusKind::unavailable,
                   attempt.url + " is too busy" + says + "; ask less often or raise the limit",
                   retry_after_header(message));
  }
  if (code >= 500) {
    return passing(StatusKind::unavailable, attempt.url + " failed" + says + "; see the server's own log",
                   retry_after_header(message));
  }
  auto failure = client_error(attempt, code, says);
  failure.refused = true;
  return failure;
}

CallFailure broken_off(const CallAttempt &attempt) {
  auto failure =
      passing(StatusKind::unavailable, "the response of " + attempt.url + " broke off in its middle");
  failure.lost = true;
  return failure;
}

CallFailure too_large(const CallAttempt &attempt) {
  return lasting(StatusKind::corrupt, "the response of " + attempt.url +
                                          " is larger than max-response-size (" +
                                          std::to_string(attempt.settings.max_response_size) +
                                          " bytes) and was dropped; raise the limit only if the server is "
                                          "trusted");
}

CallFailure no_answer(const CallAttempt &attempt, const Status &why) {
  if (why.kind() == StatusKind::corrupt) {
    return lasting(why.kind(), "the response of " + attempt.url + " is no chat completion: " + why.message() +
                                   "; check that endpoint names an OpenAI-compatible server");
  }
  return lasting(why.kind(), attempt.url + " gave no answer: " + why.message());
}

Status last_word(const CallFailure &failure, const CloudSettings &settings, int attempts) {
  std::string sentence = failure.status.message();
  if (failure.passing && attempts <= settings.retries) {
    sentence += "; it asks to wait " + seconds_text(failure.wait_at_least) + ", more than retry-backoff-max";
  }
  if (attempts > 1) sentence += " (" + std::to_string(attempts) + " attempts)";
  return {failure.status.kind(), with_every(sentence, settings.api_key, "***")};
}

}  // namespace saccade
