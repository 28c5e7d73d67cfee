#include "offload/cloud_call.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "offload/endpoint.h"
#include "offload/text.h"

namespace saccade {

namespace {

constexpr std::size_t kReadSize = 16 * 1024;
constexpr std::size_t kErrorBodySize = 16 * 1024;  // as much of an error response as is worth reading
constexpr double kJitter = 0.2;                    // spreads the retries of many edges that failed together

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

gboolean accept_any_certificate(SoupMessage *, GTlsCertificate *, GTlsCertificateFlags, gpointer) {
  return TRUE;
}

}  // namespace

CloudCall::CloudCall(SoupSession *session, GMainContext *context, const CloudSettings &settings,
                     const std::string &body, Done done)
    : session_(session),
      context_(context),
      settings_(settings),
      shown_url_(url_for_people(settings.endpoint)),
      body_(g_bytes_new(body.data(), body.size())),
      done_(std::move(done)) {}

// --- One attempt
// ----------------------------------------------------------------------------------------------

void CloudCall::start() {
  started_ = Clock::now();
  attempt();
}

void CloudCall::attempt() {
  pause_.reset();
  ++outcome_.attempts;
  attempt_started_ = Clock::now();
  timed_out_ = false;
  body_complete_ = false;
  received_.clear();
  cancellable_.reset(g_cancellable_new());
  message_.reset(soup_message_new(SOUP_METHOD_POST, settings_.endpoint.c_str()));
  // A redirect could take the pictures and the key to somebody else.
  soup_message_add_flags(message_.get(), SOUP_MESSAGE_NO_REDIRECT);
  soup_message_add_flags(message_.get(), SOUP_MESSAGE_DO_NOT_USE_AUTH_CACHE);
  soup_message_add_flags(message_.get(), SOUP_MESSAGE_COLLECT_METRICS);
  if (!settings_.ssl_strict) {
    g_signal_connect(message_.get(), "accept-certificate", G_CALLBACK(accept_any_certificate), nullptr);
  }
  if (!settings_.api_key.empty()) {
    soup_message_headers_replace(soup_message_get_request_headers(message_.get()), "Authorization",
                                 ("Bearer " + settings_.api_key).c_str());
  }
  soup_message_set_request_body_from_bytes(message_.get(), "application/json", body_.get());

  deadline_ = timer(settings_.timeout, &CloudCall::on_timeout);
  soup_session_send_async(
      session_, message_.get(), G_PRIORITY_DEFAULT, cancellable_.get(),
      [](GObject *session, GAsyncResult *result, gpointer data) {
        GError *error = nullptr;
        GInputStream *stream = soup_session_send_finish(SOUP_SESSION(session), result, &error);
        static_cast<CloudCall *>(data)->on_headers(stream, error);
      },
      this);
}

void CloudCall::on_headers(GInputStream *stream, GError *raw_error) {
  const ErrorPointer error(raw_error);
  stream_.reset(stream);
  if (error) return fail(transport_failure(*error));
  auto headers = soup_message_get_response_headers(message_.get());
  const auto announced = soup_message_headers_get_content_length(headers);
  const bool success = SOUP_STATUS_IS_SUCCESSFUL(soup_message_get_status(message_.get()));
  if (success && announced > 0 && static_cast<std::size_t>(announced) > body_limit())
    return fail(too_large());
  read_more();
}

void CloudCall::read_more() {
  g_input_stream_read_bytes_async(
      stream_.get(), kReadSize, G_PRIORITY_DEFAULT, cancellable_.get(),
      [](GObject *input, GAsyncResult *result, gpointer data) {
        GError *error = nullptr;
        GBytes *bytes = g_input_stream_read_bytes_finish(G_INPUT_STREAM(input), result, &error);
        static_cast<CloudCall *>(data)->on_bytes(bytes, error);
      },
      this);
}

void CloudCall::on_bytes(GBytes *raw_bytes, GError *raw_error) {
  const ErrorPointer error(raw_error);
  const BytesPointer bytes(raw_bytes);
  if (error) return fail(transport_failure(*error));
  gsize size = 0;
  const auto data = static_cast<const char *>(g_bytes_get_data(bytes.get(), &size));
  if (size == 0) {
    body_complete_ = true;
    return on_body_complete();
  }
  received_.append(data, std::min<std::size_t>(size, body_limit() + 1 - received_.size()));
  if (received_.size() <= body_limit()) return read_more();
  if (SOUP_STATUS_IS_SUCCESSFUL(soup_message_get_status(message_.get()))) return fail(too_large());
  on_body_complete();  // the start of an error page is enough
}

void CloudCall::on_body_complete() {
  if (!SOUP_STATUS_IS_SUCCESSFUL(soup_message_get_status(message_.get()))) return fail(http_failure());
  auto answer = parse_chat_completion(received_);
  if (answer.ok()) {
    end_attempt();
    return end(std::move(answer));
  }
  const Status status = answer.status();
  const bool strange = status.kind() == StatusKind::corrupt;
  fail({{status.kind(), strange ? "the response of " + shown_url_ +
                                      " is no chat completion: " + status.message() +
                                      "; check that endpoint names an OpenAI-compatible server"
                                : shown_url_ + " gave no answer: " + status.message()}});
}

void CloudCall::on_timeout() {
  timed_out_ = true;
  g_cancellable_cancel(cancellable_.get());
}

// Counts what went over the wire and lets go of the attempt. A body that nobody wants is cancelled, so that
// libsoup does not read the rest of it; a connection whose body is complete stays open for the next call.
void CloudCall::end_attempt() {
  deadline_.reset();
  outcome_.last_attempt = Clock::now() - attempt_started_;
  if (SoupMessageMetrics *metrics = soup_message_get_metrics(message_.get())) {
    outcome_.bytes_sent += soup_message_metrics_get_request_header_bytes_sent(metrics) +
                           soup_message_metrics_get_request_body_bytes_sent(metrics);
    outcome_.bytes_received += soup_message_metrics_get_response_header_bytes_received(metrics) +
                               soup_message_metrics_get_response_body_bytes_received(metrics);
  }
  if (!body_complete_) g_cancellable_cancel(cancellable_.get());
  stream_.reset();
  message_.reset();
  cancellable_.reset();
}

// --- Between attempts
// -----------------------------------------------------------------------------------------

void CloudCall::fail(Failure failure) {
  end_attempt();
  if (cancel_asked_) return end(cancelled());
  const bool may_retry = failure.passing && outcome_.attempts <= settings_.retries;
  if (may_retry && failure.wait_at_least <= settings_.retry_backoff_max) {
    return retry_after(std::max(failure.wait_at_least, backoff()));
  }
  std::string sentence = failure.status.message();
  if (may_retry)
    sentence += "; it asks to wait " + seconds_text(failure.wait_at_least) + ", more than retry-backoff-max";
  if (outcome_.attempts > 1) sentence += " (" + std::to_string(outcome_.attempts) + " attempts)";
  // A server may repeat the key in what it complains about.
  end(Status(failure.status.kind(), with_every(sentence, settings_.api_key, "***")));
}

Duration CloudCall::backoff() const {
  const double factor = to_seconds(settings_.retry_backoff_factor);
  const double doubled = factor * std::exp2(std::min(outcome_.attempts - 1, 30));
  const double bounded = std::min(doubled, to_seconds(settings_.retry_backoff_max));
  return from_seconds(bounded * g_random_double_range(1 - kJitter, 1));
}

void CloudCall::retry_after(Duration wait) { pause_ = timer(wait, &CloudCall::attempt); }

void CloudCall::cancel() {
  if (cancel_asked_) return;
  cancel_asked_ = true;
  if (cancellable_)
    return g_cancellable_cancel(cancellable_.get());  // ends in fail(), from libsoup's callback
  end(cancelled());
}

void CloudCall::end(Result<Answer> answer) {
  deadline_.reset();
  pause_.reset();
  outcome_.took = Clock::now() - started_;
  outcome_.answer = std::move(answer);
  const auto done = std::move(done_);
  done(std::move(outcome_));  // `this` may be gone from here on
}

SourcePointer CloudCall::timer(Duration after, void (CloudCall::*then)()) {
  struct Binding {
    CloudCall *call;
    void (CloudCall::*then)();
  };
  const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(after).count();
  SourcePointer source(
      g_timeout_source_new(static_cast<guint>(std::clamp<long long>(milliseconds, 0, G_MAXINT))));
  auto binding = std::make_unique<Binding>(Binding{this, then});
  g_source_set_callback(
      source.get(),
      [](gpointer data) -> gboolean {
        const Binding bound =
            *static_cast<Binding *>(data);  // the handle below takes the source's data along
        (bound.call->*bound.then)();
        return G_SOURCE_REMOVE;
      },
      binding.release(), [](gpointer data) { std::default_delete<Binding>()(static_cast<Binding *>(data)); });
  g_source_attach(source.get(), context_);
  return source;
}

// --- What to say
// ----------------------------------------------------------------------------------------------

std::size_t CloudCall::body_limit() const {
  const bool success = SOUP_STATUS_IS_SUCCESSFUL(soup_message_get_status(message_.get()));
  return success ? settings_.max_response_size : std::min(kErrorBodySize, settings_.max_response_size);
}

Status CloudCall::cancelled() const {
  return {StatusKind::cancelled, "the call to " + shown_url_ + " was cancelled"};
}

CloudCall::Failure CloudCall::too_large() const {
  return {
      {StatusKind::corrupt, "the response of " + shown_url_ + " is larger than max-response-size (" +
                                std::to_string(settings_.max_response_size) +
                                " bytes) and was dropped; raise the limit only if the server is trusted"}};
}

CloudCall::Failure CloudCall::transport_failure(const GError &error) const {
  if (timed_out_) {
    return {{StatusKind::timed_out, shown_url_ + " did not answer within " + seconds_text(settings_.timeout) +
                                        "; raise timeout, or send less with max-size and fewer frames"}};
  }
  if (error.domain == G_RESOLVER_ERROR) {
    return {{StatusKind::not_found,
             "the host of " + shown_url_ + " was not found; check endpoint and the name server"},
            true};
  }
  if (error.domain == G_TLS_ERROR) {
    return {{StatusKind::unavailable, "no safe connection to " + shown_url_ + " (" + error.message +
                                          "); install the server's authority, or set ssl-strict=false on a "
                                          "network that is trusted"}};
  }
  if (g_error_matches(&error, G_IO_ERROR, G_IO_ERROR_CONNECTION_REFUSED)) {
    return {{StatusKind::unavailable, shown_url_ + " refuses connections; check that the server runs there"},
            true};
  }
  return {{StatusKind::unavailable, "the connection to " + shown_url_ + " failed (" + error.message + ")"},
          true};
}

CloudCall::Failure CloudCall::http_failure() const {
  const unsigned code = soup_message_get_status(message_.get());
  const auto complaint = server_complaint(received_);
  const auto says = " (HTTP " + std::to_string(code) + (complaint.empty() ? ")" : ": " + complaint + ")");
  const auto lasting = [&](StatusKind kind, const std::string &text) {
    return Failure{{kind, text}, false, {}};
  };
  if (SOUP_STATUS_IS_REDIRECTION(code)) {
    const char *target =
        soup_message_headers_get_one(soup_message_get_response_headers(message_.get()), "Location");
    return lasting(StatusKind::unavailable,
                   shown_url_ + " redirects to " + (target ? url_for_people(target) : "nowhere") + says +
                       "; redirects are not followed, so that pictures and key reach " +
                       "only the server that was named: set endpoint to the final URL");
  }
  switch (code) {
    case 401:
      return lasting(StatusKind::unavailable,
                     shown_url_ +
                         (settings_.api_key.empty() ? " wants an API key" : " does not accept the API key") +
                         says + "; put a valid one into api-key-file or SACCADE_API_KEY");
    case 403:
      return lasting(StatusKind::unavailable,
                     shown_url_ + " forbids the call" + says + "; check what the API key is allowed to use");
    case 404:
      return lasting(StatusKind::unavailable, shown_url_ + " does not know the path or the model" + says +
                                                  "; check endpoint and model");
    case 413:
      return lasting(StatusKind::invalid_argument,
                     "a request of " + std::to_string(g_bytes_get_size(body_.get())) +
                         " bytes is too large for " + shown_url_ + says +
                         "; lower max-size, jpeg-quality or the number of frames");
    case 408:
    case 429:
      return {{StatusKind::unavailable,
               shown_url_ + " is too busy" + says + "; ask less often or raise the limit"},
              true,
              retry_after_header(message_.get())};
    default: break;
  }
  if (code >= 500) {
    return {{StatusKind::unavailable, shown_url_ + " failed" + says + "; see the server's own log"},
            true,
            retry_after_header(message_.get())};
  }
  return lasting(StatusKind::invalid_argument,
                 shown_url_ + " refuses the request" + says + "; check that the model takes images");
}

}  // namespace saccade
