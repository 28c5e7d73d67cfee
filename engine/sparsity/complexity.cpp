#include "sparsity/complexity.h"

#include <algorithm>
#include <cctype>
#include <cmath>

namespace saccade {
namespace {

constexpr double kFullResolution = 1280.0 * 720.0;
constexpr double kBlankGradient = 3;     // levels per pixel: noise
constexpr double kCrowdedGradient = 30;  // levels per pixel: foliage, a crowd, print
constexpr double kFullLaplacian = 1500;  // levels squared: a sharp, detailed photograph
constexpr double kResolutionWeight = 0.15;
constexpr double kEdgeWeight = 0.4;
constexpr double kEntropyWeight = 0.2;
constexpr double kSharpnessWeight = 0.25;
constexpr double kLongQuestion = 30;    // words
constexpr double kDenseEntities = 0.5;  // of all words
constexpr double kLengthWeight = 0.5;

double entropy_bits(std::span<const std::uint32_t, 256> histogram) {
  double total = 0;
  for (const auto n : histogram) total += n;
  if (total <= 0) return 0;
  double bits = 0;
  for (const auto n : histogram) {
    if (n) bits -= n / total * std::log2(n / total);
  }
  return bits;
}

bool begins_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || static_cast<signed char>(c) < 0;
}

}  // namespace

double ComplexityParts::total() const {
  return kResolutionWeight * resolution + kEdgeWeight * edges + kEntropyWeight * entropy +
         kSharpnessWeight * sharpness;
}

ComplexityParts complexity_of(const PatchStatistics &statistics) {
  ComplexityParts parts;
  parts.resolution =
      std::min(1.0, statistics.width() * static_cast<double>(statistics.height()) / kFullResolution);
  for (const auto &patch : statistics.patches()) {
    parts.edges +=
        std::clamp((patch.mean_gradient() - kBlankGradient) / (kCrowdedGradient - kBlankGradient), 0.0, 1.0);
  }
  parts.edges /= static_cast<double>(std::max<std::size_t>(1, statistics.patches().size()));
  parts.entropy = entropy_bits(statistics.histogram()) / 8;
  // The logarithm makes equal ratios of sharpness equal steps; it spans four orders of magnitude.
  parts.sharpness = std::min(1.0, std::log1p(statistics.laplacian_variance()) / std::log1p(kFullLaplacian));
  return parts;
}

double text_complexity_of(std::string_view question) {
  int words = 0;
  int entities = 0;
  bool in_word = false;
  bool quoted = false;
  bool sentence_begins = true;
  for (const char c : question) {
    const bool was_in_word = in_word;
    in_word = begins_word(c) || (in_word && (c == '\'' || c == '-'));
    if (in_word && !was_in_word) {
      const auto u = static_cast<unsigned char>(c);
      ++words;
      entities += quoted || std::isdigit(u) || (std::isupper(u) && !sentence_begins);
      sentence_begins = false;
    }
    if (c == '"') quoted = !quoted;
    if (c == '.' || c == '?' || c == '!' || c == '\n') sentence_begins = true;
  }
  if (words == 0) return 0;
  const double length = std::min(1.0, words / kLongQuestion);
  const double density = std::min(1.0, entities / (kDenseEntities * words));
  return kLengthWeight * length + (1 - kLengthWeight) * density;
}

}  // namespace saccade
