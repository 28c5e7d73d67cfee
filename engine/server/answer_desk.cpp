#include "server/answer_desk.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace saccade {
namespace {

constexpr std::size_t kGrammarsRemembered = 16;  // each takes a tenth of a second to make

// A JSON object of any kind. A string, an array and an object end somewhere, so that no small model goes on
// for ever in one of them.
constexpr const char *kAnyJsonObject = R"(root ::= object
value ::= object | array | string | number | "true" | "false" | "null"
object ::= "{" (pair ("," " "? pair){0,31})? "}"
pair ::= string ":" " "? value
array ::= "[" (value ("," " "? value){0,63})? "]"
string ::= "\"" character{0,200} "\""
character ::= [^"\\\x00-\x1F\x7F] | "\\" (["\\/bfnrt] | "u" [0-9a-fA-F]{4})
number ::= "-"? ("0" | [1-9] [0-9]{0,14}) ("." [0-9]{1,15})?
)";

Status cancelled() { return {StatusKind::cancelled, "the request was cancelled"}; }

// Enough to tell pictures apart when a session is chosen; nothing depends on it but speed.
std::size_t fingerprint(const ChatRequest &request) {
  for (const auto &message : request.messages)
    for (const auto &part : message.parts)
      if (part.kind != ContentPart::Kind::text) return std::hash<std::string>()(part.data) | 1U;
  return 0;
}

}  // namespace

AnswerDesk::AnswerDesk(const DeskOptions &options) : options_(options), grammars_(kGrammarsRemembered) {}

Result<std::unique_ptr<AnswerDesk>> AnswerDesk::open(const ModelFiles &files, const DeskOptions &options) {
  auto pair = ModelPair::open(files);
  if (!pair.ok()) return pair.status();
  auto ears = AudioEncoder::create(pair.value());
  if (!ears.ok() && ears.status().kind() != StatusKind::unsupported) return ears.status();
  const std::shared_ptr<const AudioEncoder> shared_ears = ears.ok() ? std::move(ears).value() : nullptr;
  const auto cache = std::make_shared<PictureCache>(options.picture_cache_bytes);
  std::unique_ptr<AnswerDesk> desk(new AnswerDesk(options));
  desk->pair_ = pair.value();
  for (int i = 0; i < std::max(options.parallel, 1); ++i) {
    auto clerk = std::make_unique<Clerk>();
    auto session = Session::create(pair.value(), options.session);
    if (!session.ok()) return session.status();
    auto reader = ConversationReader::create(pair.value(), options.reading, cache, shared_ears);
    if (!reader.ok()) return reader.status();
    clerk->session = std::move(session).value();
    clerk->reader = std::move(reader).value();
    desk->clerks_.push_back(std::move(clerk));
  }
  for (auto &clerk : desk->clerks_)
    clerk->thread = std::jthread(
        [desk = desk.get(), own = clerk.get()](const std::stop_token &stop) { desk->work(*own, stop); });
  return desk;
}

AnswerDesk::~AnswerDesk() {
  for (auto &clerk : clerks_) clerk->thread.request_stop();
  for (auto &clerk : clerks_)
    if (clerk->thread.joinable()) clerk->thread.join();
  for (auto &left : queue_) left.order.done(Status{StatusKind::cancelled, "the server was stopped"});
}

bool AnswerDesk::submit(Order order) {
  const auto about = fingerprint(order.request);
  std::vector<Queued> abandoned;
  {
    const std::lock_guard lock(mutex_);
    if (auto *clerk = idle_clerk(about)) {
      clerk->busy = true;
      ++figures_.busy;
      clerk->given.emplace(Queued{std::move(order), about});
    } else {
      if (queue_.size() >= options_.max_queue) abandoned = take_abandoned();
      if (queue_.size() >= options_.max_queue) return false;
      queue_.push_back({std::move(order), about});
    }
    news_.notify_all();
  }
  for (auto &one : abandoned) one.order.done(cancelled());
  return true;
}

// Out of the queue: those that nobody waits for any more. They would keep others from being taken until all
// before them are answered.
std::vector<AnswerDesk::Queued> AnswerDesk::take_abandoned() {
  const auto begin = std::stable_partition(
      queue_.begin(), queue_.end(), [](const Queued &one) { return !one.order.stop.stop_requested(); });
  std::vector<Queued> abandoned(std::make_move_iterator(begin), std::make_move_iterator(queue_.end()));
  queue_.erase(begin, queue_.end());
  return abandoned;
}

// The one that knows the picture, else the one that has rested longest.
AnswerDesk::Clerk *AnswerDesk::idle_clerk(std::size_t about) {
  Clerk *found = nullptr;
  for (const auto &clerk : clerks_) {
    if (clerk->busy) continue;
    if (about != 0 && clerk->about == about) return clerk.get();
    if (!found || clerk->last_used < found->last_used) found = clerk.get();
  }
  return found;
}

void AnswerDesk::work(Clerk &clerk, const std::stop_token &stop) {
  for (;;) {
    std::optional<Queued> next;
    {
      std::unique_lock lock(mutex_);
      if (!news_.wait(lock, stop, [&] { return clerk.given.has_value(); })) return;
      next = std::exchange(clerk.given, std::nullopt);
      clerk.about = next->about;
      clerk.last_used = ++clock_;
      figures_.waiting.add(Clock::now() - next->since);
    }
    const auto start = Clock::now();
    auto made = answer(clerk, next->order);
    {
      const std::lock_guard lock(mutex_);
      if (made.ok()) whole_.add(Clock::now() - start);
      take_next(clerk);
    }
    // The session is free by now: whoever hears of it may ask again at once.
    next->order.done(std::move(made));
  }
}

void AnswerDesk::take_next(Clerk &clerk) {
  if (queue_.empty()) {
    clerk.busy = false;
    --figures_.busy;
    return;
  }
  clerk.given.emplace(std::move(queue_.front()));
  queue_.pop_front();
}

Result<Answer> AnswerDesk::answer(Clerk &clerk, const Order &order) {
  const auto &request = order.request;
  if (order.stop.stop_requested()) return cancelled();
  auto grammar = grammar_for(request);
  if (!grammar.ok()) return grammar.status();
  ReadingReport reading;
  auto turns = clerk.reader->read(request.messages, *clerk.session, order.stop, reading);
  if (!turns.ok()) return turns.status();
  AskOptions asking;
  asking.grammar = std::move(grammar).value();
  asking.max_tokens = request.max_tokens.value_or(asking.max_tokens);
  asking.beginning = request.beginning.value_or("");
  asking.prediction = request.prediction;
  if (request.log_probabilities || request.prompt_log_probabilities)
    asking.alternatives = static_cast<std::size_t>(
        std::max(request.top_log_probabilities, request.prompt_log_probabilities.value_or(0)));
  if (request.stream) asking.listener = order.grew;
  auto made = clerk.session->answer(std::move(turns).value(), order.stop, asking);
  if (!made.ok()) return made;
  made.value().timings.encode = reading.encode;
  learn(made.value(), reading);
  return made;
}

Result<std::shared_ptr<const Grammar>> AnswerDesk::grammar_for(const ChatRequest &request) {
  AnswerForm form{request.json_schema, request.json_object ? kAnyJsonObject : ""};
  const auto key = form.json_schema + form.grammar;
  if (key.empty()) return std::shared_ptr<const Grammar>();
  if (auto known = grammars_.find(key)) return std::move(*known);
  auto made = grammar_of(pair_, form);
  if (made.ok()) grammars_.add(key, made.value(), 1);
  return made;
}

void AnswerDesk::learn(const Answer &answer, const ReadingReport &reading) {
  const std::lock_guard lock(mutex_);
  if (reading.encoded > 0) figures_.encode.add(reading.encode);
  figures_.prefill.add(answer.timings.prefill);
  figures_.decode.add(answer.timings.decode);
  figures_.prompt_tokens += static_cast<std::uint64_t>(answer.prompt_tokens);
  figures_.prompt_tokens_read += static_cast<std::uint64_t>(answer.prompt_tokens_read);
  figures_.completion_tokens += answer.token_log_probabilities.size();
  figures_.pictures_encoded += static_cast<std::uint64_t>(reading.encoded);
  figures_.pictures_remembered += static_cast<std::uint64_t>(reading.remembered);
}

Duration AnswerDesk::expected_wait() const {
  const std::lock_guard lock(mutex_);
  const auto before = static_cast<Duration::rep>(queue_.size() / clerks_.size() + 1);
  return whole_.quantile(0.5) * before;
}

DeskFigures AnswerDesk::figures() const {
  const std::lock_guard lock(mutex_);
  auto figures = figures_;
  figures.queued = queue_.size();
  return figures;
}

}  // namespace saccade
