// Errors of the engine: a kind that code can branch on, and a sentence for a person.
// The sentence says what was wrong, with which file or URL, and what to do about it.
// Plain values: safe to copy and move between threads.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace saccade {

enum class StatusKind {
  ok,
  invalid_argument,  // the caller asked for something impossible
  not_found,         // a file, host or model is not there
  corrupt,           // it is there, but its contents are damaged or foreign
  unsupported,       // it is sound, but this build or model cannot do it
  exhausted,         // what has a bound is full: a context, a disk, a queue
  cancelled,         // a stop was asked for
  unavailable,       // a remote party refused, is down or failed; or this machine has no room for it now
  timed_out,         // a deadline passed
  internal,          // a library reported a failure that has no better name
};

class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(StatusKind kind, std::string message) : kind_(kind), message_(std::move(message)) {}

  bool ok() const { return kind_ == StatusKind::ok; }
  StatusKind kind() const { return kind_; }
  const std::string &message() const { return message_; }

 private:
  StatusKind kind_ = StatusKind::ok;
  std::string message_;
};

// Either a value or the reason why there is none. value() may only be called when ok().
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : held_(std::move(value)) {}
  Result(Status error) : held_(std::move(error)) {}

  bool ok() const { return std::holds_alternative<T>(held_); }
  const T &value() const & { return std::get<T>(held_); }
  T &value() & { return std::get<T>(held_); }
  T &&value() && { return std::get<T>(std::move(held_)); }
  Status status() const { return ok() ? Status{} : std::get<Status>(held_); }

 private:
  std::variant<T, Status> held_;
};

}  // namespace saccade
