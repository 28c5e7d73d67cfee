// One question's way to the server and back, retries included. Internal to CloudClient: lives on its thread,
// and all functions are called there.
#pragma once

#include <libsoup/soup.h>

#include <functional>
#include <string>

#include "base/glib_pointer.h"
#include "offload/cloud_client.h"

namespace saccade {

class CloudCall {
 public:
  // Called exactly once, as the last thing the call does: its owner may delete it there.
  using Done = std::function<void(CloudOutcome)>;

  // `session`, `context` and `settings` outlive the call; settings.endpoint is the full URL.
  CloudCall(SoupSession *session, GMainContext *context, const CloudSettings &settings,
            const std::string &body, Done done);
  CloudCall(const CloudCall &) = delete;
  CloudCall &operator=(const CloudCall &) = delete;

  void start();
  void cancel();
  // For an owner that cannot wait for libsoup any longer: reports `cancelled` at once. The context must not
  // be iterated afterwards.
  void abandon() { end(cancelled()); }

 private:
  struct Failure {
    Status status;
    bool passing = false;      // trying again may help
    Duration wait_at_least{};  // the server's Retry-After
  };

  void attempt();
  void read_more();
  void on_headers(GInputStream *stream, GError *error);
  void on_bytes(GBytes *bytes, GError *error);
  void on_body_complete();
  void end_attempt();
  void fail(Failure failure);
  void retry_after(Duration wait);
  void end(Result<Answer> answer);

  Failure transport_failure(const GError &error) const;
  Failure http_failure() const;
  Failure too_large() const;
  Status cancelled() const;
  std::size_t body_limit() const;
  Duration backoff() const;
  SourcePointer timer(Duration after, void (CloudCall::*then)());
  void on_timeout();

  SoupSession *session_;
  GMainContext *context_;
  const CloudSettings &settings_;
  std::string shown_url_;
  BytesPointer body_;
  Done done_;

  ObjectPointer<GCancellable> cancellable_;
  ObjectPointer<SoupMessage> message_;
  ObjectPointer<GInputStream> stream_;
  SourcePointer deadline_;  // of the attempt that is out
  SourcePointer pause_;     // before the next attempt
  std::string received_;
  bool cancel_asked_ = false;
  bool timed_out_ = false;
  bool body_complete_ = false;
  Clock::time_point started_{};
  Clock::time_point attempt_started_{};
  CloudOutcome outcome_{Status{}, 0, 0, {}, {}, 0};
};

}  // namespace saccade
