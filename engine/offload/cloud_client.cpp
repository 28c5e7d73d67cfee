#include "offload/cloud_client.h"

#include <libsoup/soup.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "base/glib_pointer.h"
#include "offload/cloud_call.h"
#include "offload/endpoint.h"

namespace saccade {

namespace {

// How long stop() waits for libsoup to let go of cancelled calls; it takes well under a millisecond.
constexpr auto kStopPatience = std::chrono::milliseconds(300);
constexpr guint kIdleConnectionSeconds = 60;
constexpr int kMostInFlight = 256;

Status check(const CloudSettings &settings) {
  const auto refuse = [](const char *what) { return Status(StatusKind::invalid_argument, what); };
  if (settings.timeout <= Duration::zero()) return refuse("timeout must be longer than zero");
  if (settings.retries < 0) return refuse("retries must not be negative");
  if (settings.retry_backoff_factor < Duration::zero())
    return refuse("retry-backoff-factor must not be negative");
  if (settings.max_response_size == 0) return refuse("max-response-size must be at least one byte");
  if (settings.max_in_flight < 1 || settings.max_in_flight > kMostInFlight) {
    return refuse("max-in-flight must be between 1 and 256");
  }
  return {};
}

ObjectPointer<SoupSession> new_session(int connections) {
  // The session's own timeout is about silence; ours, in CloudCall, is about the whole attempt.
  ObjectPointer<SoupSession> session(soup_session_new_with_options(
      "user-agent", "saccade", "max-conns", connections, "max-conns-per-host", connections, "timeout", 0U,
      "idle-timeout", kIdleConnectionSeconds, nullptr));
  // Answers are small: no compression, and so no bomb.
  soup_session_remove_feature_by_type(session.get(), SOUP_TYPE_CONTENT_DECODER);
  return session;
}

}  // namespace

class CloudClient::Worker {
 public:
  Worker(CloudSettings settings, LinkCallback on_link)
      : settings_(std::move(settings)),
        on_link_(std::move(on_link)),
        context_(g_main_context_new()),
        link_(settings_.link),
        thread_([this] { run(); }) {}

  ~Worker() { stop(); }
  Worker(const Worker &) = delete;
  Worker &operator=(const Worker &) = delete;

  Result<Ticket> submit(const ChatQuestion &question, OutcomeCallback done);
  void cancel(Ticket ticket);
  bool has_room() const;
  void stop();
  CloudStatistics statistics() const;

 private:
  void run();
  void finish_all_calls();
  void post(std::function<void()> task);
  void run_tasks();
  void begin(Ticket ticket, const std::string &body, const OutcomeCallback &done);
  void finished(Ticket ticket, CloudOutcome outcome, const OutcomeCallback &done);
  Status link_is_down() const;  // mutex_ held
  void schedule_trial();
  void start_trial();
  bool note_outcome(Ticket ticket, const CloudOutcome &outcome);
  bool room() const { return in_flight_.size() < static_cast<std::size_t>(settings_.max_in_flight); }

  const CloudSettings settings_;
  const LinkCallback on_link_;
  const ContextPointer context_;

  mutable std::mutex mutex_;  // guards what stands below, up to the next blank line
  LinkEstimate link_;
  CloudStatistics statistics_;
  Ticket last_ticket_ = 0;
  std::set<Ticket> in_flight_;  // taken, neither ended nor told to end
  bool stopping_ = false;

  std::mutex tasks_mutex_;  // taken last
  std::deque<std::function<void()>> tasks_;

  // Used by the thread alone.
  SoupSession *session_ = nullptr;
  std::map<Ticket, std::unique_ptr<CloudCall>> calls_;
  SourcePointer trial_;  // waits for the time to try a link that is down
  bool quit_ = false;

  std::mutex stop_mutex_;  // one stop at a time; the second finds nothing to join
  std::jthread thread_;
};

Result<CloudClient::Ticket> CloudClient::Worker::submit(const ChatQuestion &question, OutcomeCallback done) {
  auto body = chat_completion_request(question);
  const std::lock_guard lock(mutex_);  // held while posting, so that no call is posted behind stop()'s
  if (stopping_) return Status(StatusKind::cancelled, "the cloud client is stopped");
  if (!room()) {
    return Status(StatusKind::exhausted, std::to_string(in_flight_.size()) + " segments already wait for " +
                                             url_for_people(settings_.endpoint) +
                                             "; raise max-in-flight or ask less often");
  }
  if (!link_.may_call()) return link_is_down();
  const Ticket ticket = ++last_ticket_;
  in_flight_.insert(ticket);
  post([this, ticket, body = std::move(body), done = std::move(done)] { begin(ticket, body, done); });
  return ticket;
}

Status CloudClient::Worker::link_is_down() const {
  const auto where = "the link to " + url_for_people(settings_.endpoint);
  if (link_.snapshot().up)
    return {StatusKind::unavailable, where + " was down, and another segment tries it now"};
  const auto wait = std::chrono::ceil<std::chrono::seconds>(link_.time_to_trial(Clock::now())).count();
  return {StatusKind::unavailable, where + " is down after " +
                                       std::to_string(link_.snapshot().failures_in_a_row) +
                                       " failed calls; it is tried again in " + std::to_string(wait) + " s"};
}

void CloudClient::Worker::cancel(Ticket ticket) {
  const std::lock_guard lock(mutex_);
  if (in_flight_.erase(ticket) == 0) return;
  post([this, ticket] {
    const auto call = calls_.find(ticket);
    if (call != calls_.end()) call->second->cancel();
  });
}

bool CloudClient::Worker::has_room() const {
  const std::lock_guard lock(mutex_);
  return room();
}

CloudStatistics CloudClient::Worker::statistics() const {
  const std::lock_guard lock(mutex_);
  CloudStatistics now = statistics_;
  now.link = link_.snapshot();
  return now;
}

void CloudClient::Worker::stop() {
  {
    const std::lock_guard lock(mutex_);
    if (!stopping_) post([this] { quit_ = true; });
    stopping_ = true;
  }
  const std::lock_guard lock(stop_mutex_);
  if (thread_.joinable()) thread_.join();
}

// --- On the thread
// --------------------------------------------------------------------------------------------

void CloudClient::Worker::run() {
  g_main_context_push_thread_default(context_.get());
  {
    const auto session = new_session(settings_.max_in_flight);
    session_ = session.get();
    while (true) {
      run_tasks();
      if (quit_) break;
      g_main_context_iteration(context_.get(), TRUE);  // a post() since run_tasks() ends it at once
    }
    finish_all_calls();
    trial_.reset();
    soup_session_abort(session_);
    session_ = nullptr;
  }
  while (g_main_context_iteration(context_.get(), FALSE)) {
  }
  g_main_context_pop_thread_default(context_.get());
}

void CloudClient::Worker::finish_all_calls() {
  const auto deadline = Clock::now() + kStopPatience;
  // cancel() may end a call at once, and with it its place in the map.
  for (auto next = calls_.begin(); next != calls_.end();) (next++)->second->cancel();
  while (!calls_.empty() && Clock::now() < deadline) {
    if (!g_main_context_iteration(context_.get(), FALSE))
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  while (!calls_.empty()) calls_.begin()->second->abandon();
}

// Has `task` run on the thread, in order. Never in the caller.
void CloudClient::Worker::post(std::function<void()> task) {
  {
    const std::lock_guard lock(tasks_mutex_);
    tasks_.push_back(std::move(task));
  }
  g_main_context_wakeup(context_.get());
}

void CloudClient::Worker::run_tasks() {
  std::deque<std::function<void()>> due;
  {
    const std::lock_guard lock(tasks_mutex_);
    due.swap(tasks_);
  }
  for (const auto &task : due) task();
}

void CloudClient::Worker::begin(Ticket ticket, const std::string &body, const OutcomeCallback &done) {
  auto call = std::make_unique<CloudCall>(
      session_, context_.get(), settings_, body,
      [this, ticket, done](CloudOutcome outcome) { finished(ticket, std::move(outcome), done); });
  auto &placed = *calls_.emplace(ticket, std::move(call)).first->second;
  placed.start();
}

void CloudClient::Worker::finished(Ticket ticket, CloudOutcome outcome, const OutcomeCallback &done) {
  calls_.erase(ticket);
  const Status status = outcome.answer.status();
  const bool changed = note_outcome(ticket, outcome);
  const LinkSnapshot link = statistics().link;
  if (changed && !link.up) schedule_trial();
  if (on_link_ && status.kind() != StatusKind::cancelled) {
    on_link_(link, changed, status.ok() ? "the cloud answered" : status.message());
  }
  done(std::move(outcome));
}

// True when the link went up or down by this outcome.
bool CloudClient::Worker::note_outcome(Ticket ticket, const CloudOutcome &outcome) {
  const std::lock_guard lock(mutex_);
  in_flight_.erase(ticket);
  statistics_.bytes_sent += outcome.bytes_sent;
  statistics_.bytes_received += outcome.bytes_received;
  const StatusKind kind = outcome.answer.status().kind();
  if (kind == StatusKind::cancelled) {
    ++statistics_.cancelled;
    link_.withdrawn();
    return false;
  }
  ++(kind == StatusKind::ok ? statistics_.answered : statistics_.failed);
  // A request that was refused for its own sake came through: the link is fine.
  const bool link_is_fine = kind == StatusKind::ok || kind == StatusKind::invalid_argument;
  return link_is_fine ? link_.succeeded(outcome.last_attempt, outcome.bytes_sent + outcome.bytes_received)
                      : link_.failed(Clock::now());
}

// Whoever routes segments sends none over a link that is down: without this nobody would ever learn of its
// return.
void CloudClient::Worker::schedule_trial() {
  Duration wait{};
  {
    const std::lock_guard lock(mutex_);
    wait = link_.time_to_trial(Clock::now());
  }
  const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(wait).count();
  trial_.reset(g_timeout_source_new(static_cast<guint>(std::clamp<long long>(milliseconds, 0, G_MAXINT))));
  g_source_set_callback(
      trial_.get(),
      [](gpointer data) -> gboolean {
        static_cast<Worker *>(data)->start_trial();
        return G_SOURCE_REMOVE;
      },
      this, nullptr);
  g_source_attach(trial_.get(), context_.get());
}

void CloudClient::Worker::start_trial() {
  bool started = false;
  {
    const std::lock_guard lock(mutex_);
    started = link_.try_again(Clock::now());
  }
  if (!started) return schedule_trial();
  if (on_link_) on_link_(statistics().link, true, "the link was down; the next segment tries it");
}

// --- The door
// -------------------------------------------------------------------------------------------------

CloudClient::CloudClient(std::unique_ptr<Worker> worker) : worker_(std::move(worker)) {}
CloudClient::~CloudClient() = default;

Result<std::unique_ptr<CloudClient>> CloudClient::create(CloudSettings settings, LinkCallback on_link) {
  auto url = chat_completions_url(settings.endpoint);
  if (!url.ok()) return url.status();
  settings.endpoint = std::move(url).value();
  if (auto sound = check(settings); !sound.ok()) return sound;
  auto worker = std::make_unique<Worker>(std::move(settings), std::move(on_link));
  return std::unique_ptr<CloudClient>(new CloudClient(std::move(worker)));
}

Result<CloudClient::Ticket> CloudClient::submit(const ChatQuestion &question, OutcomeCallback done) {
  return worker_->submit(question, std::move(done));
}
void CloudClient::cancel(Ticket ticket) { worker_->cancel(ticket); }
bool CloudClient::has_room() const { return worker_->has_room(); }
void CloudClient::stop() { worker_->stop(); }
CloudStatistics CloudClient::statistics() const { return worker_->statistics(); }

}  // namespace saccade
