// One request to one of the servers and its reply, retries included. Internal to offload: lives on the
// client's thread, and all functions are called there.
#pragma once

#include <libsoup/soup.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/glib_pointer.h"
#include "offload/chat/chat_reply.h"
#include "offload/cloud/call_failure.h"
#include "offload/cloud/cloud_outcome.h"
#include "offload/cloud/cloud_settings.h"
#include "offload/cloud/endpoint_pool.h"
#include "offload/cloud/held_body.h"
#include "offload/cloud/late_release.h"
#include "offload/cloud/wires.h"

namespace saccade {

// What calls are made with; all of it outlives them.
struct CallTools {
  SoupSession *session;
  GMainContext *context;
  const CloudSettings &settings;
  EndpointPool &endpoints;
  Wires &wires;
  LateRelease &late;
};

struct CallReport {
  Result<ChatReply> reply = Status();
  std::size_t endpoint = 0;        // that was asked last
  bool refused = false;            // it does not want the request as it is
  bool may_pass = false;           // as CloudOutcome has it
  std::size_t bytes_sent = 0;      // on the wire above TLS, headers and every attempt included
  std::size_t bytes_received = 0;  // likewise
  Duration took{};                 // as CloudOutcome has it, as are the next two
  Duration first_text{};
  RequestCost last_attempt{};
  Transfer upload{};  // of the last attempt
  int attempts = 0;
  int requests_left = 0;  // of them, those of which anything went over the wire
  int attempts_lost = 0;  // of them, those that failed on the way and not by the server's word
};

class CloudCall {
 public:
  // All text that came so far. After a failure in the middle it starts anew.
  using Growth = std::function<void(const std::string &text)>;
  // Called exactly once, as the last thing the call does: its owner may delete it there.
  using Done = std::function<void(CallReport)>;

  // endpoint: as EndpointPool gave it away. tail: empty when it is not known yet.
  CloudCall(const CallTools &tools, std::size_t endpoint, std::string head, std::optional<std::string> tail,
            Growth growth, Done done);
  CloudCall(const CloudCall &) = delete;
  CloudCall &operator=(const CloudCall &) = delete;

  void start();
  void complete(std::string tail);  // once, of a call that has none yet
  void cancel();
  // For an owner that cannot wait for libsoup any longer: reports `cancelled` at once. What libsoup tells
  // later is ignored, but it is told to this object, which must outlive the context's last iteration.
  void abandon() { end(cancelled()); }

 private:
  void attempt();
  void set_body();
  void set_headers();
  void on_starting();
  Transfer uploaded() const;
  void end_wait_for_tail();
  Duration since_start() const { return Clock::now() - started_ - held_time_; }
  void read_more();
  void on_headers(GInputStream *stream, GError *error);
  void on_bytes(GBytes *bytes, GError *error);
  void take(std::string_view bytes);
  void on_body_complete();
  bool is_cut_off() const;
  void end_attempt();
  void fail(const CallFailure &failure);
  void end(Result<ChatReply> reply);

  bool answered() const { return SOUP_STATUS_IS_SUCCESSFUL(soup_message_get_status(message_.get())); }
  CallAttempt this_attempt() const;
  CallFailure transport_error(const GError &error) const;
  Status cancelled() const;
  std::size_t body_limit() const;
  Duration backoff() const;
  SourcePointer timer(Duration after, void (CloudCall::*then)());
  void on_timeout();
  void break_off();

  const CallTools tools_;
  const std::string head_;
  std::optional<std::string> tail_;
  Growth growth_;
  Done done_;
  std::string shown_url_;

  ObjectPointer<GCancellable> cancellable_;
  ObjectPointer<SoupMessage> message_;
  ObjectPointer<GInputStream> stream_;
  std::unique_ptr<HeldBody> held_;
  SourcePointer deadline_;  // of the attempt that is out
  SourcePointer pause_;     // before the next attempt
  std::string received_;    // of a response that is not streamed
  std::size_t received_size_ = 0;
  std::optional<ChatStream> chunks_;
  Duration connecting_{};                // of the attempt; zero when a connection was open already
  std::optional<Transfer> sent_before_;  // over the attempt's connection; empty until it begins to be sent
  bool cancel_asked_ = false;
  bool over_ = false;  // its end was reported
  bool timed_out_ = false;
  bool body_complete_ = false;
  Clock::time_point started_{};
  Clock::time_point attempt_started_{};
  Clock::time_point upload_started_{};
  Duration held_time_{};        // of all attempts: the wire waited for the tail
  Duration held_in_attempt_{};  // of it, in the last one
  CallReport report_;
};

}  // namespace saccade
