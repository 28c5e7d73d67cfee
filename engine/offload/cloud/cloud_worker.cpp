#include "offload/cloud/cloud_worker.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "offload/cloud/cloud_session.h"

namespace saccade {

namespace {

// How long stop() waits for libsoup to let go of cancelled calls; it takes well under a millisecond.
constexpr auto kStopPatience = std::chrono::milliseconds(300);

}  // namespace

CloudClient::Worker::Worker(CloudSettings settings, std::vector<std::string> urls,
                            ObjectPointer<GTlsDatabase> authorities, LinkCallback on_link)
    : settings_(std::move(settings)),
      authorities_(std::move(authorities)),
      on_link_(std::move(on_link)),
      context_(g_main_context_new()),
      endpoints_(std::move(urls), settings_.link),
      thread_([this] { run(); }) {}

// --- Any thread
// -----------------------------------------------------------------------------------------------

Result<CloudClient::Ticket> CloudClient::Worker::submit(ChatQuestion question, Asking asking) {
  const std::lock_guard lock(mutex_);  // held while posting, so that nothing is posted behind stop()'s
  if (stopping_) return Status(StatusKind::cancelled, "the cloud client is stopped");
  if (!room()) {
    return Status(StatusKind::exhausted, std::to_string(in_flight_.size()) +
                                             " segments already wait for the cloud; raise max-in-flight or "
                                             "ask less often");
  }
  const auto endpoint = endpoints_.take();
  if (!endpoint) return Status(StatusKind::unavailable, endpoints_.why_not(Clock::now()));
  const Ticket ticket = ++last_ticket_;
  in_flight_.insert(ticket);
  inbox_.post([this, ticket, endpoint = *endpoint, question = std::move(question),
               asking = std::move(asking)] { begin(ticket, endpoint, question, asking); });
  return ticket;
}

void CloudClient::Worker::go_on(Ticket ticket, std::string draft) {
  const std::lock_guard lock(mutex_);
  if (!in_flight_.contains(ticket)) return;
  inbox_.post([this, ticket, draft = std::move(draft)] {
    const auto ask = asks_.find(ticket);
    if (ask != asks_.end()) ask->second->go_on(draft);
  });
}

void CloudClient::Worker::cancel(Ticket ticket) {
  const std::lock_guard lock(mutex_);
  if (in_flight_.erase(ticket) == 0) return;
  inbox_.post([this, ticket] {
    const auto ask = asks_.find(ticket);
    if (ask != asks_.end()) ask->second->cancel();
  });
}

bool CloudClient::Worker::has_room() const {
  const std::lock_guard lock(mutex_);
  return room();
}

CloudStatistics CloudClient::Worker::statistics() const {
  const std::lock_guard lock(mutex_);
  CloudStatistics now = statistics_;
  now.link = endpoints_.snapshot();
  now.may_verify = endpoints_.may_verify();
  return now;
}

void CloudClient::Worker::stop() {
  {
    const std::lock_guard lock(mutex_);
    if (!stopping_) inbox_.post([this] { quit_ = true; });
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
    const auto session = new_session(settings_, authorities_.get());
    session_ = session.get();
    while (true) {
      inbox_.run();
      if (quit_) break;
      g_main_context_iteration(context_.get(), TRUE);  // a post() since then ends it at once
    }
    finish_all();
    trial_.reset();
    soup_session_abort(session_);
    session_ = nullptr;
  }
  while (g_main_context_iteration(context_.get(), FALSE)) {
  }
  abandoned_.clear();
  g_main_context_pop_thread_default(context_.get());
}

void CloudClient::Worker::finish_all() {
  const auto deadline = Clock::now() + kStopPatience;
  // cancel() may end an ask at once, and with it its place in the map.
  for (auto next = asks_.begin(); next != asks_.end();) (next++)->second->cancel();
  while (!asks_.empty() && Clock::now() < deadline) {
    if (!g_main_context_iteration(context_.get(), FALSE))
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  while (!asks_.empty()) {
    abandoned_.push_back(std::move(asks_.begin()->second));
    abandoned_.back()->abandon();  // takes its place in the map along
  }
}

void CloudClient::Worker::begin(Ticket ticket, std::size_t endpoint, ChatQuestion question, Asking asking) {
  const CallTools tools{session_, context_.get(), settings_, endpoints_, wires_, late_};
  auto done = std::move(asking.done);
  auto ask = std::make_unique<CloudAsk>(
      tools, endpoint, std::move(question), std::move(asking.draft),
      CloudAsk::Listeners{std::move(asking.growth), [this](const CallReport &report) { called(report); },
                          [this, ticket, done = std::move(done)](CloudOutcome outcome) {
                            finished(ticket, std::move(outcome), done);
                          }});
  auto &placed = *asks_.emplace(ticket, std::move(ask)).first->second;
  placed.start();
}

// What the call says about the way to its server.
void CloudClient::Worker::called(const CallReport &report) {
  const Status status = report.reply.status();
  const bool changed = note(report, status.kind());
  schedule_trial();
  {
    const std::lock_guard lock(mutex_);
    statistics_.calls += static_cast<std::uint64_t>(report.requests_left);
    statistics_.bytes_sent += report.bytes_sent;
    statistics_.bytes_received += report.bytes_received;
  }
  if (on_link_) on_link_(statistics(), changed, status.ok() ? "the cloud answered" : status.message());
}

// True when some link is up now and none was, or the reverse.
bool CloudClient::Worker::note(const CallReport &report, StatusKind kind) {
  if (kind == StatusKind::cancelled) {
    endpoints_.withdrawn(report.endpoint);
    return false;
  }
  // A request that was refused for its own sake came through: the link is fine.
  const bool link_is_fine = kind == StatusKind::ok || kind == StatusKind::invalid_argument;
  if (!link_is_fine) return endpoints_.failed(report.endpoint, Clock::now());
  return endpoints_.succeeded(report.endpoint, report.last_attempt.took, report.upload);
}

void CloudClient::Worker::finished(Ticket ticket, CloudOutcome outcome, const OutcomeCallback &done) {
  const auto last_word = done;  // the ask, and with it `done`, goes
  asks_.erase(ticket);
  count(ticket, outcome);
  last_word(std::move(outcome));
}

void CloudClient::Worker::count(Ticket ticket, const CloudOutcome &outcome) {
  const std::lock_guard lock(mutex_);
  in_flight_.erase(ticket);
  const StatusKind kind = outcome.answer.status().kind();
  if (kind == StatusKind::cancelled) {
    ++statistics_.cancelled;
    return;
  }
  ++(kind == StatusKind::ok ? statistics_.answered : statistics_.failed);
  statistics_.verified += outcome.verification != Verification::none;
}

// Whoever routes segments sends none over a link that is down: without this nobody would ever learn of its
// return.
void CloudClient::Worker::schedule_trial() {
  const auto wait = endpoints_.time_to_trial(Clock::now());
  if (!wait) return trial_.reset();
  const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(*wait).count();
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
  const bool was_up = endpoints_.snapshot().up;
  const bool any = endpoints_.try_again(Clock::now());
  schedule_trial();
  if (any && !was_up && on_link_)
    on_link_(statistics(), true, "the link was down; the next segment tries it");
}

}  // namespace saccade
