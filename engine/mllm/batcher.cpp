#include "mllm/batcher.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "mllm/draft.h"

namespace saccade {
namespace {

int largest_picture(std::span<const Stretch> prompt) {
  int largest = 0;
  for (const auto &stretch : prompt)
    if (std::holds_alternative<SharedTokens>(stretch)) largest = std::max(largest, cells_of(stretch));
  return largest;
}

}  // namespace

Batcher::Batcher(std::unique_ptr<KvPool> pool, Listener listener)
    : pool_(std::move(pool)), listener_(std::move(listener)) {
  most_.lanes = pool_->most_lanes();
  most_.cells = std::numeric_limits<int>::max();
}

// --- seats ----------------------------------------------------------------------------------------------

void Batcher::add_seat(std::uint64_t id, int max_cells, int guesses) {
  seats_.push_back({id, max_cells, pool_->can_rewind() ? guesses : 0});
}

void Batcher::remove_seat(std::uint64_t id) {
  const auto seat = std::ranges::find(seats_, id, &Seat::id);
  if (seat == seats_.end()) return;
  if (seat->lane >= 0) pool_->clear(seat->lane);
  seats_.erase(seat);
}

Batcher::Seat &Batcher::seat_of(const Job &job) { return *std::ranges::find(seats_, job.seat, &Seat::id); }

const Job *Batcher::active_job_of(const Seat &seat) const {
  const auto job = std::ranges::find(active_, seat.id, &Job::seat);
  return job == active_.end() ? nullptr : *job;
}

int Batcher::free_lane() const {
  for (int lane = 0; lane < pool_->size().lanes; ++lane)
    if (std::ranges::find(seats_, lane, &Seat::lane) == seats_.end()) return lane;
  return -1;
}

// --- beginning and ending -------------------------------------------------------------------------------

void Batcher::submit(Job &job) {
  const auto before = [&](const Job *other) { return other->request->priority >= job.request->priority; };
  waiting_.insert(std::ranges::find_if_not(waiting_, before), &job);
}

void Batcher::step() {
  end_stopped();
  begin_what_fits();
  // Each by itself: together they took up to twice as long (kv_bench, eight sequences).
  read(words());
  read(prompts(/*pictures=*/false));
  read(prompts(/*pictures=*/true));
}

void Batcher::end_stopped() {
  for (auto *jobs : {&waiting_, &active_}) {
    const auto all = *jobs;
    for (auto *job : all)
      if (job->request->stop.stop_requested())
        finish(*job, {StatusKind::cancelled, "the answer was stopped"});
  }
}

void Batcher::begin_what_fits() {
  // Nobody is passed by: what does not fit yet begins when those before it are done.
  while (!waiting_.empty() && begin(*waiting_.front())) {
  }
}

// False when it has to wait for others to end.
bool Batcher::begin(Job &job) {
  if (const auto size = size_for(job); size != pool_->size()) {
    if (!active_.empty()) return false;
    auto status = resize(size);
    // There may be memory for less growth, or none: then somebody idle has to give way.
    if (!status.ok() && size_for(job) != pool_->size()) status = resize(size_for(job));
    if (size_for(job) != pool_->size()) {
      finish(job, status);
      return true;
    }
  }
  if (!make_room(job)) return false;
  auto &seat = seat_of(job);
  if (seat.lane < 0) seat.lane = free_lane();
  job.lane = seat.lane;
  std::erase(waiting_, &job);
  active_.push_back(&job);
  job.begun = Clock::now();
  job.report.waited = job.begun - job.arrived;
  start_reading(job);
  return true;
}

// By doubling, so that growing, which makes everybody read again, stays rare.
KvPoolSize Batcher::size_for(const Job &job) const {
  auto size = pool_->size();
  const auto &seat = *std::ranges::find(seats_, job.seat, &Seat::id);
  if (seat.lane < 0 && free_lane() < 0) size.lanes = std::min(2 * size.lanes, most_.lanes);
  size.outputs_per_lane = std::max(size.outputs_per_lane, seat.guesses + 1);
  size.picture =
      std::max(size.picture, pool_->reads_pictures_whole() ? largest_picture(job.request->prompt) : 0);
  int all_seats = 0;
  for (const auto &one : seats_) all_seats += one.max_cells;
  const int wanted = cells_of_others(job) + job.request->reserve;
  if (wanted > size.cells)
    size.cells = std::max(size.cells, std::min({std::max(2 * size.cells, wanted), all_seats, most_.cells}));
  return size;
}

Status Batcher::resize(const KvPoolSize &size) {
  const auto before = pool_->size();
  for (auto &seat : seats_) seat.lane = -1;
  auto status = pool_->resize(size);
  if (status.ok()) return status;
  most_.lanes = before.lanes;
  most_.cells = before.cells;
  // What was there before still serves those who were there before.
  return pool_->resize(before).ok() ? status
                                    : Status{status.kind(), status.message() + " Nobody can be answered."};
}

int Batcher::cells_of_seat(const Seat &seat) const {
  if (const auto *job = active_job_of(seat)) return job->request->reserve;
  return seat.lane >= 0 ? pool_->cells(seat.lane) : 0;
}

int Batcher::cells_of_others(const Job &job) const {
  int cells = 0;
  for (const auto &seat : seats_)
    if (seat.id != job.seat) cells += cells_of_seat(seat);
  return cells;
}

Batcher::Seat *Batcher::idlest_other_than(const Job &job) {
  Seat *idlest = nullptr;
  for (auto &seat : seats_) {
    if (seat.id == job.seat || seat.lane < 0 || active_job_of(seat)) continue;
    if (!idlest || seat.last_used < idlest->last_used) idlest = &seat;
  }
  return idlest;
}

// Takes lanes and what they hold from idle seats, the longest idle first; they will read it again.
bool Batcher::make_room(const Job &job) {
  while (cells_of_others(job) + job.request->reserve > pool_->size().cells ||
         (seat_of(job).lane < 0 && free_lane() < 0)) {
    auto *idlest = idlest_other_than(job);
    if (!idlest) return false;
    pool_->clear(idlest->lane);
    idlest->lane = -1;
  }
  return true;
}

// From the first stretch that the lane does not hold; also after a failed evaluation, when what was said so
// far is read again behind the prompt.
void Batcher::start_reading(Job &job) {
  job.prompt = job.request->prompt;
  const auto &said = job.request->generation->tokens();
  if (!said.empty()) {
    if (auto *text = std::get_if<TextTokens>(&job.prompt.back()))
      text->insert(text->end(), said.begin(), said.end());
    else
      job.prompt.emplace_back(said);
  }
  const int more = std::max(0, job.request->reserve - cells_of_all(job.prompt));
  const auto kept = pool_->keep(job.lane, job.prompt, job.request->sliding, more);
  job.stretch = kept.stretches;
  job.offset = kept.tokens;
  // Of the prompt alone, and each token once, however often it is begun anew.
  const int there = cells_of_all(std::span(job.prompt).first(kept.stretches)) + static_cast<int>(kept.tokens);
  job.report.tokens_read = std::max(job.report.tokens_read, cells_of_all(job.request->prompt) - there);
}

void Batcher::finish(Job &job, Status status) {
  std::erase(waiting_, &job);
  std::erase(active_, &job);
  seat_of(job).last_used = ++clock_;
  const auto now = Clock::now();
  if (job.begun == Clock::time_point()) job.report.waited = now - job.arrived;
  if (job.read != Clock::time_point()) job.report.decode = now - job.read;
  job.report.status = std::move(status);
  listener_.done(job);
}

// --- reading --------------------------------------------------------------------------------------------

// Higher priorities first, then whoever has waited longest since their last slice.
std::vector<Job *> Batcher::in_turn() const {
  const auto alone = std::ranges::find_if(active_, &Job::alone);
  if (alone != active_.end()) return {*alone};
  auto jobs = active_;
  std::ranges::stable_sort(jobs, [](const Job *a, const Job *b) {
    if (a->request->priority != b->request->priority) return a->request->priority > b->request->priority;
    return a->turn < b->turn;
  });
  return jobs;
}

// The next tokens of all answers that have begun.
Batcher::Reading Batcher::words() {
  Reading reading;
  auto left = pool_->batch();
  for (auto *job : in_turn()) {
    const auto count = static_cast<std::size_t>(cells_of(job->pending));
    if (!job->writing() || count > left) continue;
    reading.add(*job, {job->lane, &job->pending, 0, count, count, /*of_answer=*/true});
    left -= count;
  }
  return reading;
}

// Slices of prompts, of their text or of their pictures.
Batcher::Reading Batcher::prompts(bool pictures) {
  Reading reading;
  auto left = pool_->batch();
  auto allowed = std::min(left, pool_->slice());
  for (auto *job : in_turn()) {
    if (job->writing() || std::holds_alternative<SharedTokens>(job->prompt[job->stretch]) != pictures)
      continue;
    const auto &stretch = job->prompt[job->stretch];
    const auto rest = static_cast<std::size_t>(cells_of(stretch)) - job->offset;
    const bool whole = pictures && pool_->reads_pictures_whole();
    if (whole ? rest > left : allowed == 0) continue;
    const auto count = whole ? rest : std::min(rest, allowed);
    const bool last = job->stretch + 1 == job->prompt.size() && count == rest;
    reading.add(*job, {job->lane, &stretch, job->offset, count, last ? 1U : 0U});
    left -= count;
    allowed -= std::min(allowed, count);
    job->turn = ++clock_;
  }
  return reading;
}

void Batcher::read(const Reading &reading) {
  if (reading.slices.empty()) return;
  std::vector<std::stop_token> stops;
  for (const auto *job : reading.jobs) stops.push_back(job->request->stop);
  if (const auto status = pool_->read(reading.slices, stops); !status.ok())
    return failed(reading.jobs, status);
  std::size_t output = 0;
  for (std::size_t i = 0; i < reading.jobs.size(); ++i) {
    advance(*reading.jobs[i], reading.slices[i], output);
    output += reading.slices[i].logits;
  }
}

void Batcher::failed(std::span<Job *const> jobs, const Status &status) {
  for (auto *job : jobs) {
    if (job->request->stop.stop_requested()) {
      finish(*job, {StatusKind::cancelled, "the answer was stopped"});
    } else if (jobs.size() == 1 && status.kind() != StatusKind::cancelled) {
      finish(*job, status);
    } else {
      job->alone = jobs.size() > 1;
      start_reading(*job);
    }
  }
}

void Batcher::advance(Job &job, const Slice &slice, std::size_t first_output) {
  if (job.writing()) return grow(job, first_output, slice.logits);
  job.offset += slice.count;
  if (job.offset < static_cast<std::size_t>(cells_of(job.prompt[job.stretch]))) return;
  pool_->hold(job.lane, job.prompt[job.stretch]);
  ++job.stretch;
  job.offset = 0;
  if (!job.writing()) return;
  job.report.attention = pool_->attention(job.lane);
  if (job.read == Clock::time_point()) {
    job.read = Clock::now();
    job.report.prefill = job.read - job.begun;
  }
  job.pending = TextTokens{};
  grow(job, first_output, 1);
}

// Takes the next token, and those behind it for as long as the guess was right.
void Batcher::grow(Job &job, std::size_t first_output, std::size_t outputs) {
  auto &generation = *job.request->generation;
  const auto &guess = std::get<TextTokens>(job.pending);
  const bool was_given = generation.is_given();  // the pending tokens, then, and so no guesses
  std::size_t right = 0;
  for (;; ++right) {
    const auto more = generation.grow(pool_->logits(first_output + right));
    if (!more.ok()) return finish(job, more.status());
    if (!more.value()) {
      if (!was_given) job.report.guessed_right += static_cast<int>(right);
      return finish(job, {});
    }
    if (right + 1 >= outputs || generation.tokens().back() != guess[right + 1]) break;
  }
  if (!was_given) job.report.guessed_right += static_cast<int>(right);
  pool_->rewind(job.lane, static_cast<int>(outputs - 1 - right));
  const auto guessed = guess_for(job);
  TextTokens next{generation.tokens().back()};
  next.insert(next.end(), guessed.begin(), guessed.end());
  if (!generation.is_given()) job.report.guessed += static_cast<int>(guessed.size());
  job.pending = std::move(next);
  listener_.grew(job);
}

// The last answer first: it costs nothing, and where it is repeated it is right more often than any model.
TextTokens Batcher::guess_for(const Job &job) {
  const auto &request = *job.request;
  const auto &generation = *request.generation;
  const auto most = static_cast<std::size_t>(seat_of(job).guesses);
  const auto expected = generation.expected(most);
  if (!expected.empty() || !request.draft) return {expected.begin(), expected.end()};
  return request.draft->guess(request.prompt, generation.tokens(), std::min(most, generation.room()),
                              request.stop);
}

}  // namespace saccade
