#include "mllm/confidence.h"

#include <llama.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <numeric>

namespace saccade {
namespace {

// As calibrate.py has it: probabilities nearer to 0 or 1 are taken for this near, since no measurement of a
// few thousand answers tells them apart.
constexpr double kLeastProbability = 1e-4;

// A key, and the values that can have been measured; what lies outside is damage. The slope is positive:
// a model that is surer must never count as less sure.
struct Key {
  const char *name;
  double least;
  double most;
};
constexpr std::array kKeys = {Key{"saccade.confidence.statement_tokens", 1, 10000},
                              Key{"saccade.confidence.slope", 0.001, 1000},
                              Key{"saccade.confidence.offset", -1000, 1000}};

// The whole text as a decimal number within the key's bounds. Not strtod(), which reads by the process's
// locale.
std::optional<double> number_of(const std::string &text, const Key &key) {
  double value = 0;
  const char *end = text.data() + text.size();
  const auto [behind, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || behind != end) return std::nullopt;
  if (!(value >= key.least && value <= key.most)) return std::nullopt;  // so written, NaN is outside, too
  return value;
}

// Foreign bytes as they may stand in a log.
std::string quoted(const std::string &text) {
  constexpr std::size_t kLongest = 24;
  std::string shown = text.substr(0, kLongest);
  for (char &c : shown)
    if (c < ' ' || c > '~') c = '?';
  return '"' + shown + (text.size() > kLongest ? "…\"" : "\"");
}

std::string complaint_about(const Key &key, const std::optional<std::string> &found) {
  char range[64];
  std::snprintf(range, sizeof range, "a number from %g to %g", key.least, key.most);
  return std::string("the model's metadata key ") + key.name +
         (found ? " is " + quoted(*found) + ", not " + range : " is missing beside the others") +
         "; confidence is the plain mean of the tokens' probabilities. Calibrate the model again "
         "(samples/training/calibrate.py), or download it again.";
}

}  // namespace

Calibration Calibration::of(const MetadataLookup &metadata) {
  std::array<std::optional<std::string>, kKeys.size()> found;
  std::transform(kKeys.begin(), kKeys.end(), found.begin(),
                 [&](const Key &key) { return metadata(key.name); });
  Calibration plain;
  if (std::none_of(found.begin(), found.end(), [](const auto &text) { return text.has_value(); }))
    return plain;

  std::array<double, kKeys.size()> values{};
  for (std::size_t i = 0; i < kKeys.size(); ++i) {
    const auto value = found[i] ? number_of(*found[i], kKeys[i]) : std::nullopt;
    if (!value) {
      plain.complaint_ = complaint_about(kKeys[i], found[i]);
      return plain;
    }
    values[i] = *value;
  }
  Calibration calibration;
  calibration.statement_tokens_ = values[0];
  calibration.slope_ = values[1];
  calibration.offset_ = values[2];
  return calibration;
}

Calibration Calibration::of(const llama_model *model) {
  return of([model](const std::string &key) -> std::optional<std::string> {
    char text[64];
    const auto length = llama_model_meta_val_str(model, key.c_str(), text, sizeof text);
    if (length < 0) return std::nullopt;
    // Cut, it might look like a number.
    return length < static_cast<std::int32_t>(sizeof text) ? text : std::string(text) + "…";
  });
}

float Calibration::operator()(std::span<const float> token_log_probabilities) const {
  if (token_log_probabilities.empty()) return 0;
  const auto tokens = static_cast<double>(token_log_probabilities.size());
  const double mean =
      std::accumulate(token_log_probabilities.begin(), token_log_probabilities.end(), 0.0) / tokens;
  if (std::isnan(mean)) return 0;
  if (is_plain()) return static_cast<float>(std::exp(std::min(mean, 0.0)));
  const double surprise = std::clamp(mean * std::min(tokens, statement_tokens_), std::log(kLeastProbability),
                                     std::log1p(-kLeastProbability));
  const double log_odds = surprise - std::log(-std::expm1(surprise));
  return static_cast<float>(1 / (1 + std::exp(-(offset_ + slope_ * log_odds))));
}

}  // namespace saccade
