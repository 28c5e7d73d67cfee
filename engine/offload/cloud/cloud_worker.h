// The thread behind CloudClient. Internal to offload.
#pragma once

#include <libsoup/soup.h>

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/glib_inbox.h"
#include "base/glib_pointer.h"
#include "offload/cloud/cloud_ask.h"
#include "offload/cloud/cloud_client.h"
#include "offload/cloud/endpoint_pool.h"
#include "offload/cloud/late_release.h"
#include "offload/cloud/wires.h"

namespace saccade {

class CloudClient::Worker {
 public:
  Worker(CloudSettings settings, std::vector<std::string> urls, ObjectPointer<GTlsDatabase> authorities,
         LinkCallback on_link);
  ~Worker() { stop(); }
  Worker(const Worker &) = delete;
  Worker &operator=(const Worker &) = delete;

  Result<Ticket> submit(ChatQuestion question, Asking asking);
  void go_on(Ticket ticket, std::string draft);
  void cancel(Ticket ticket);
  bool has_room() const;
  void stop();
  CloudStatistics statistics() const;

 private:
  void run();
  void finish_all();
  void begin(Ticket ticket, std::size_t endpoint, ChatQuestion question, Asking asking);
  void called(const CallReport &report);
  bool note(const CallReport &report, StatusKind kind);
  void finished(Ticket ticket, CloudOutcome outcome, const OutcomeCallback &done);
  void count(Ticket ticket, const CloudOutcome &outcome);
  void schedule_trial();
  void start_trial();
  bool room() const { return in_flight_.size() < static_cast<std::size_t>(settings_.max_in_flight); }

  const CloudSettings settings_;
  const ObjectPointer<GTlsDatabase> authorities_;
  const LinkCallback on_link_;
  const ContextPointer context_;
  EndpointPool endpoints_;

  mutable std::mutex mutex_;  // guards what stands below, up to the next blank line
  CloudStatistics statistics_;
  Ticket last_ticket_ = 0;
  std::set<Ticket> in_flight_;  // taken, neither ended nor told to end
  bool stopping_ = false;

  Inbox inbox_{context_.get()};  // its lock is taken last

  // Used by the thread alone.
  SoupSession *session_ = nullptr;
  Wires wires_;
  LateRelease late_;
  std::map<Ticket, std::unique_ptr<CloudAsk>> asks_;
  std::vector<std::unique_ptr<CloudAsk>> abandoned_;  // ended, and libsoup may still tell them something
  SourcePointer trial_;                               // waits for the time to try a link that is down
  bool quit_ = false;

  std::mutex stop_mutex_;  // one stop at a time; the second finds nothing to join
  std::jthread thread_;
};

}  // namespace saccade
