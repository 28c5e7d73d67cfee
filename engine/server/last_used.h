// What took long to make and may be wanted again, by its name.
#pragma once

#include <cstddef>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

namespace saccade {

// Thread-safe. What was used longest ago leaves when the sizes of all add up to more than `most`, in whatever
// unit the user gives them.
template <typename Value>
class LastUsed {
 public:
  explicit LastUsed(std::size_t most) : most_(most) {}

  // Used, and so the last to leave.
  std::optional<Value> find(const std::string &key) {
    const std::lock_guard lock(mutex_);
    const auto place = places_.find(key);
    if (place == places_.end()) return std::nullopt;
    entries_.splice(entries_.begin(), entries_, place->second);
    return place->second->value;
  }

  // Nothing happens where there is one of that name, which somebody else has made meanwhile, or where it is
  // larger than all together may be.
  void add(const std::string &key, Value value, std::size_t size) {
    const std::lock_guard lock(mutex_);
    if (places_.contains(key) || size > most_) return;
    entries_.push_front({key, std::move(value), size});
    places_[key] = entries_.begin();
    size_ += size;
    while (size_ > most_) {
      size_ -= entries_.back().size;
      places_.erase(entries_.back().key);
      entries_.pop_back();
    }
  }

 private:
  struct Entry {
    std::string key;
    Value value;
    std::size_t size = 0;
  };

  const std::size_t most_;
  std::mutex mutex_;
  std::list<Entry> entries_;  // the last used first
  std::unordered_map<std::string, typename std::list<Entry>::iterator> places_;
  std::size_t size_ = 0;
};

}  // namespace saccade
