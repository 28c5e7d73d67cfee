#include "offload/cloud/cloud_call.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/text.h"
#include "offload/cloud/endpoint.h"

namespace saccade {

namespace {

constexpr std::size_t kReadSize = 16 * 1024;
constexpr std::size_t kErrorBodySize = 16 * 1024;  // as much of an error response as is worth reading
constexpr double kJitter = 0.2;                    // spreads the retries of many edges that failed together
constexpr const char *kJson = "application/json";

gboolean accept_any_certificate(SoupMessage *, GTlsCertificate *, GTlsCertificateFlags, gpointer) {
  return TRUE;
}

// TCP's handshake is one round trip; TLS's, which comes after it, is more than one.
Duration connection_time(SoupMessageMetrics *metrics) {
  const auto start = soup_message_metrics_get_connect_start(metrics);
  const auto tls = soup_message_metrics_get_tls_start(metrics);
  const auto end = tls ? tls : soup_message_metrics_get_connect_end(metrics);
  if (!start || end <= start) return Duration::zero();
  return std::chrono::microseconds(static_cast<std::int64_t>(end - start));
}

int tokens_of(const ChatReply &reply) {
  return reply.log_probabilities.empty() ? reply.tokens.value_or(0)
                                         : static_cast<int>(reply.log_probabilities.size());
}

bool is_event_stream(SoupMessage *message) {
  const char *type =
      soup_message_headers_get_content_type(soup_message_get_response_headers(message), nullptr);
  return type && g_ascii_strcasecmp(type, "text/event-stream") == 0;
}

}  // namespace

CloudCall::CloudCall(const CallTools &tools, std::size_t endpoint, std::string head,
                     std::optional<std::string> tail, Growth growth, Done done)
    : tools_(tools),
      head_(std::move(head)),
      tail_(std::move(tail)),
      growth_(std::move(growth)),
      done_(std::move(done)) {
  report_.endpoint = endpoint;
}

// --- One attempt
// ----------------------------------------------------------------------------------------------

void CloudCall::start() {
  started_ = Clock::now();
  attempt();
}

void CloudCall::attempt() {
  pause_.reset();
  ++report_.attempts;
  attempt_started_ = Clock::now();
  timed_out_ = body_complete_ = false;
  connecting_ = held_in_attempt_ = {};
  report_.last_attempt = {};
  report_.upload = {};
  sent_before_.reset();
  upload_started_ = {};
  received_.clear();
  received_size_ = 0;
  chunks_.reset();
  const auto &url = tools_.endpoints.url(report_.endpoint);
  shown_url_ = url_for_people(url);
  cancellable_.reset(g_cancellable_new());
  message_.reset(soup_message_new(SOUP_METHOD_POST, url.c_str()));
  // A redirect could take the pictures and the key to somebody else.
  soup_message_add_flags(message_.get(), SOUP_MESSAGE_NO_REDIRECT);
  soup_message_add_flags(message_.get(), SOUP_MESSAGE_DO_NOT_USE_AUTH_CACHE);
  soup_message_add_flags(message_.get(), SOUP_MESSAGE_COLLECT_METRICS);
  if (!tools_.settings.ssl_strict) {
    g_signal_connect(message_.get(), "accept-certificate", G_CALLBACK(accept_any_certificate), nullptr);
  }
  tools_.wires.watch(message_.get());
  const auto starting = [](SoupMessage *, gpointer call) { static_cast<CloudCall *>(call)->on_starting(); };
  g_signal_connect(message_.get(), "starting", G_CALLBACK(+starting), this);
  set_headers();
  set_body();
  soup_session_send_async(
      tools_.session, message_.get(), G_PRIORITY_DEFAULT, cancellable_.get(),
      [](GObject *session, GAsyncResult *result, gpointer data) {
        GError *error = nullptr;
        GInputStream *stream = soup_session_send_finish(SOUP_SESSION(session), result, &error);
        static_cast<CloudCall *>(data)->on_headers(stream, error);
      },
      this);
}

void CloudCall::set_headers() {
  auto *headers = soup_message_get_request_headers(message_.get());
  for (const auto &[name, value] : tools_.settings.extra_headers)
    soup_message_headers_replace(headers, name.c_str(), value.c_str());
  if (tools_.settings.api_key.empty()) return;
  soup_message_headers_replace(headers, "Authorization", ("Bearer " + tools_.settings.api_key).c_str());
}

// A body without its tail goes up in chunks, since its length is not known; the server's time runs from when
// it is there.
void CloudCall::set_body() {
  if (!tail_) {
    held_ = std::make_unique<HeldBody>(head_);
    soup_message_set_request_body(message_.get(), kJson, held_->stream(), -1);
    return;
  }
  deadline_ = timer(tools_.settings.timeout, &CloudCall::on_timeout);
  const auto whole = head_ + *tail_;
  const BytesPointer bytes(g_bytes_new(whole.data(), whole.size()));
  soup_message_set_request_body_from_bytes(message_.get(), kJson, bytes.get());
  // Else libsoup opens a connection for each POST. A connection that turns out to be closed is then made
  // anew, with the whole body: a question may be asked twice.
  soup_message_add_flags(message_.get(), SOUP_MESSAGE_IDEMPOTENT);
}

void CloudCall::complete(std::string tail) {
  tail_ = std::move(tail);
  if (!held_) return;  // between two attempts: the next one has all of it
  end_wait_for_tail();
  held_->complete(*tail_);
  deadline_ = timer(tools_.settings.timeout, &CloudCall::on_timeout);
}

void CloudCall::on_starting() {
  upload_started_ = Clock::now();
  sent_before_ = tools_.wires.sent(message_.get());
}

// Of this attempt, up to now.
Transfer CloudCall::uploaded() const {
  const auto now = sent_before_ ? tools_.wires.sent(message_.get()) : std::nullopt;
  if (!now) return {};
  return {now->bytes - sent_before_->bytes, now->took - sent_before_->took};
}

// An upload whose draft was late has stood still: since it began, but for the time in which bytes went up.
void CloudCall::end_wait_for_tail() {
  if (upload_started_ == Clock::time_point{}) return;  // it was still connecting
  const auto waited = Clock::now() - upload_started_ - uploaded().took;
  held_in_attempt_ = std::max(Duration::zero(), Duration(waited));
  held_time_ += held_in_attempt_;
}

void CloudCall::on_headers(GInputStream *stream, GError *raw_error) {
  const ErrorPointer error(raw_error);
  stream_.reset(stream);
  if (over_) return;
  report_.upload = uploaded();  // nothing is answered before it is there; and soon the connection may be gone
  if (error) return fail(transport_error(*error));
  auto headers = soup_message_get_response_headers(message_.get());
  const auto announced = soup_message_headers_get_content_length(headers);
  if (answered() && announced > 0 && static_cast<std::size_t>(announced) > body_limit())
    return fail(too_large(this_attempt()));
  if (answered() && is_event_stream(message_.get())) chunks_.emplace();
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
  if (over_) return;
  if (error) return fail(transport_error(*error));
  gsize size = 0;
  const auto data = static_cast<const char *>(g_bytes_get_data(bytes.get(), &size));
  if (size == 0) {
    body_complete_ = true;
    return on_body_complete();
  }
  take({data, size});
}

void CloudCall::take(std::string_view bytes) {
  received_size_ += bytes.size();
  if (received_size_ > body_limit()) {
    if (answered()) return fail(too_large(this_attempt()));
    received_ += bytes.substr(0, bytes.size() - (received_size_ - body_limit()));
    return on_body_complete();  // the start of an error page is enough
  }
  if (!chunks_) {
    received_ += bytes;
    return read_more();
  }
  const auto before = chunks_->reply().text.size();
  if (const auto status = chunks_->take(bytes); !status.ok()) return fail(no_answer(this_attempt(), status));
  if (chunks_->reply().text.size() > before) {
    if (report_.first_text == Duration::zero()) report_.first_text = since_start();
    if (growth_) growth_(chunks_->reply().text);
  }
  read_more();
}

void CloudCall::on_body_complete() {
  if (!answered()) return fail(http_failure(this_attempt(), message_.get(), received_));
  if (is_cut_off()) return fail(broken_off(this_attempt()));
  auto reply = chunks_ ? Result<ChatReply>(chunks_->reply()) : parse_chat_completion(received_);
  if (chunks_)
    if (auto status = chunks_->finished(); !status.ok()) reply = status;
  if (!reply.ok()) return fail(no_answer(this_attempt(), reply.status()));
  if (report_.first_text == Duration::zero()) report_.first_text = since_start();
  end_attempt();
  report_.last_attempt.tokens = tokens_of(reply.value());
  report_.last_attempt.server_time = reply.value().server_time;
  if (connecting_ > Duration::zero()) report_.last_attempt.connecting = connecting_;
  tools_.endpoints.attempted(report_.endpoint, false, connecting_);
  end(std::move(reply));
}

// libsoup takes a connection that ends for the end of the body.
bool CloudCall::is_cut_off() const {
  const auto announced =
      soup_message_headers_get_content_length(soup_message_get_response_headers(message_.get()));
  if (announced > 0 && received_size_ < static_cast<std::size_t>(announced)) return true;
  return chunks_ && chunks_->finished().kind() == StatusKind::unavailable;
}

void CloudCall::on_timeout() {
  timed_out_ = true;
  break_off();
}

// Ends in fail(), from libsoup's callback. While libsoup waits for the rest of a body it hears of nothing
// else.
void CloudCall::break_off() {
  held_.reset();
  g_cancellable_cancel(cancellable_.get());
}

// Counts what went over the wire and lets go of the attempt. A body that nobody wants is cancelled, so that
// libsoup does not read the rest of it; a connection whose body is complete stays open for the next call.
void CloudCall::end_attempt() {
  deadline_.reset();
  if (held_ && !tail_) end_wait_for_tail();
  held_.reset();
  report_.last_attempt.took = Clock::now() - attempt_started_ - held_in_attempt_;
  if (SoupMessageMetrics *metrics = soup_message_get_metrics(message_.get())) {
    const auto sent = soup_message_metrics_get_request_header_bytes_sent(metrics) +
                      soup_message_metrics_get_request_body_bytes_sent(metrics);
    report_.bytes_sent += sent;
    report_.last_attempt.bytes_sent = sent;
    report_.requests_left += sent > 0;
    report_.bytes_received += soup_message_metrics_get_response_header_bytes_received(metrics) +
                              soup_message_metrics_get_response_body_bytes_received(metrics);
    connecting_ = connection_time(metrics);
  }
  g_signal_handlers_disconnect_by_data(message_.get(), this);
  if (!body_complete_) g_cancellable_cancel(cancellable_.get());
  stream_.reset();
  auto *headers = soup_message_get_request_headers(message_.get());
  const bool in_chunks = soup_message_headers_get_encoding(headers) == SOUP_ENCODING_CHUNKED;
  if (in_chunks) tools_.late.keep(ObjectPointer<GObject>(G_OBJECT(message_.release())));
  message_.reset();
  cancellable_.reset();
}

// --- Between attempts
// -----------------------------------------------------------------------------------------

void CloudCall::fail(const CallFailure &failure) {
  end_attempt();
  if (cancel_asked_) return end(cancelled());
  tools_.endpoints.attempted(report_.endpoint, failure.lost, connecting_);
  report_.attempts_lost += failure.lost;
  report_.refused = failure.refused;
  const bool may_retry = (failure.passing || failure.lost) && report_.attempts <= tools_.settings.retries;
  if (may_retry) {
    if (const auto other = tools_.endpoints.take_another(report_.endpoint)) {
      tools_.endpoints.failed(report_.endpoint, Clock::now());
      report_.endpoint = *other;
      return attempt();
    }
    if (failure.passing && failure.wait_at_least <= tools_.settings.retry_backoff_max) {
      pause_ = timer(std::max(failure.wait_at_least, backoff()), &CloudCall::attempt);
      return;
    }
  }
  report_.may_pass = failure.passing || failure.lost;
  end(last_word(failure, tools_.settings, report_.attempts));
}

Duration CloudCall::backoff() const {
  const double factor = to_seconds(tools_.settings.retry_backoff_factor);
  const double doubled = factor * std::exp2(std::min(report_.attempts - 1, 30));
  const double bounded = std::min(doubled, to_seconds(tools_.settings.retry_backoff_max));
  return from_seconds(bounded * g_random_double_range(1 - kJitter, 1));
}

void CloudCall::cancel() {
  if (cancel_asked_) return;
  cancel_asked_ = true;
  if (cancellable_) return break_off();
  end(cancelled());
}

void CloudCall::end(Result<ChatReply> reply) {
  deadline_.reset();
  pause_.reset();
  over_ = true;
  report_.took = since_start();
  report_.reply = std::move(reply);
  const auto done = std::move(done_);
  done(std::move(report_));  // `this` may be gone from here on
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
  g_source_attach(source.get(), tools_.context);
  return source;
}

// --- What to say
// ----------------------------------------------------------------------------------------------

CallAttempt CloudCall::this_attempt() const {
  return {shown_url_, tools_.settings, head_.size() + (tail_ ? tail_->size() : 0)};
}

std::size_t CloudCall::body_limit() const {
  const auto most = tools_.settings.max_response_size;
  return answered() ? most : std::min(kErrorBodySize, most);
}

Status CloudCall::cancelled() const {
  return {StatusKind::cancelled, "the call to " + shown_url_ + " was cancelled"};
}

CallFailure CloudCall::transport_error(const GError &error) const {
  return timed_out_ ? timeout_failure(this_attempt()) : transport_failure(this_attempt(), error);
}

}  // namespace saccade
