// All the ways at once in which a text follows a grammar. Internal to mllm.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "mllm/grammar_steps.h"

namespace saccade {

// llama.cpp's own reader of grammars does the same, but walks all ways apart from one another through each
// token: in ([a-z ]+)+ "." a token of 20 spaces took it 3 seconds, and each space more doubles that. Here two
// ways that have come to the same place are one, so that a letter costs as much as there are places.
//
// What is behind a place, the rules that it is in, is kept once for all ways that share it. Copies are
// independent. Not thread-safe.
class GrammarWays {
 public:
  // Next comes `step`, and after the end of its sequence what is kept at `behind`.
  struct Way {
    std::uint32_t step;
    std::uint32_t behind;
    bool operator==(const Way &) const = default;
  };
  // Where a text may go on: each way stands before a letter.
  struct Front {
    std::vector<Way> ways;
    bool may_end = false;
    bool too_many = false;  // ways to follow; then the others are missing
    bool is_dead() const { return ways.empty() && !may_end && !too_many; }
  };

  explicit GrammarWays(std::shared_ptr<const GrammarSteps> grammar) : grammar_(std::move(grammar)) {}

  Front start();
  Front after(const Front &front, std::uint32_t letter);
  // Whether a letter of the range may come.
  bool may_read(const Front &front, std::uint32_t first, std::uint32_t last) const;

  // Fronts that were made since `size` was kept_size() are forgotten.
  std::size_t kept_size() const { return kept_.size(); }
  void forget_since(std::size_t size);

 private:
  static constexpr std::uint32_t kNothing = static_cast<std::uint32_t>(-1);

  Front before_letters(std::vector<Way> todo);
  std::uint32_t keep(Way way);

  std::shared_ptr<const GrammarSteps> grammar_;
  std::vector<Way> kept_;
  std::unordered_map<std::uint64_t, std::uint32_t> places_;  // in kept_, by way
};

}  // namespace saccade
