// How sure an answer is, as a number that means something: of the answers that get 0.8, four in five are
// right.
//
//     surprise   = mean of the tokens' log-probabilities x min(number of tokens, statement tokens)
//     confidence = 1 / (1 + exp(-(offset + slope x logit(exp(surprise)))))
//
// A short answer is right when all its tokens are; of a long one, a description, the share of its statements
// is. So what counts is the probability of the whole answer, or of as many average tokens as a statement has.
// samples/training/calibrate.py measures the three numbers of a model and writes them into its text GGUF; a
// model without them gets the geometric mean of its tokens' probabilities (1, 1 and 0).
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>

struct llama_model;

namespace saccade {

// The value of a key of a model's metadata, as text; empty where the model has no such key.
using MetadataLookup = std::function<std::optional<std::string>(const std::string &key)>;

// An immutable value: copied freely, used from any thread.
class Calibration {
 public:
  // The geometric mean.
  Calibration() = default;

  // What the model's metadata say: the keys saccade.confidence.statement_tokens, .slope and .offset. Where
  // one is damaged or missing beside the others, the geometric mean, and a complaint.
  static Calibration of(const MetadataLookup &metadata);
  static Calibration of(const llama_model *model);

  // In [0, 1], and never less when a token is more probable. 0 for no tokens, or for what is not a number.
  float operator()(std::span<const float> token_log_probabilities) const;

  bool is_plain() const { return statement_tokens_ == 1 && slope_ == 1 && offset_ == 0; }

  // A sentence about damaged keys; empty when there is nothing to complain about.
  const std::string &complaint() const { return complaint_; }

 private:
  double statement_tokens_ = 1;
  double slope_ = 1;
  double offset_ = 0;
  std::string complaint_;
};

}  // namespace saccade
