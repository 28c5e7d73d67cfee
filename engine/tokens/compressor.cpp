#include "tokens/compressor.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include "tokens/methods.h"

namespace saccade {
namespace {

struct Method {
  std::string_view name;
  std::unique_ptr<TokenCompressor> (*make)();
};

// `auto` is what measured best (docs/benchmarks.md), for both of the project's pairs and at every share.
constexpr std::array kMethods = {
    Method{"auto", make_salience},       Method{"none", make_keep_none},
    Method{"grid", make_keep_grid},      Method{"random", make_keep_random},
    Method{"downscale", make_downscale}, Method{"merge", make_merge},
    Method{"divprune", make_divprune},   Method{"temporal", make_temporal},
    Method{"coverage", make_coverage},   Method{"dpp", make_dpp},
    Method{"cluster", make_cluster},     Method{"salience", make_salience},
};

constexpr auto kNames = [] {
  std::array<std::string_view, kMethods.size()> names;
  for (std::size_t i = 0; i < names.size(); ++i) names[i] = kMethods[i].name;
  return names;
}();

Status check(const TokenSet &tokens, const KeepRequest &request) {
  const auto n = tokens.positions.size();
  if (tokens.dimension < 0 || tokens.weights.size() != n ||
      tokens.values.size() != n * static_cast<std::size_t>(tokens.dimension)) {
    return {StatusKind::invalid_argument,
            "token set of " + std::to_string(n) + " positions has " + std::to_string(tokens.weights.size()) +
                " weights and " + std::to_string(tokens.values.size()) + " values at dimension " +
                std::to_string(tokens.dimension) + "; give one weight and one row of values per position"};
  }
  if (!(request.amount.ratio >= 0.0 && request.amount.ratio <= 1.0)) {
    return {StatusKind::invalid_argument,
            "keep ratio " + std::to_string(request.amount.ratio) + " lies outside 0 to 1"};
  }
  if (!request.keep.empty() && request.keep.size() != static_cast<std::size_t>(tokens.grid.count())) {
    return {StatusKind::invalid_argument,
            "keep map has " + std::to_string(request.keep.size()) + " patches, but the encoder's grid has " +
                std::to_string(tokens.grid.rows) + " x " + std::to_string(tokens.grid.columns)};
  }
  return {};
}

}  // namespace

int KeepAmount::rows_of(int available) const {
  if (available <= 0) return 0;
  const auto wanted = static_cast<int>(std::lround(ratio * available));
  return std::clamp(std::min(std::max(wanted, least), most), 1, available);
}

Result<TokenSet> TokenCompressor::compress(const TokenSet &tokens, const KeepRequest &request) const {
  if (auto status = check(tokens, request); !status.ok()) return status;
  if (tokens.count() == 0) return tokens;
  auto kept = reduce(tokens, request, request.amount.rows_of(tokens.count()));
  if (kept.count() < tokens.count()) kept.method = name();
  return kept;
}

std::span<const std::string_view> compressor_names() { return kNames; }

Result<std::unique_ptr<TokenCompressor>> make_compressor(std::string_view name) {
  for (const auto &method : kMethods) {
    if (method.name == name) return method.make();
  }
  std::string known;
  for (const auto n : kNames) known += (known.empty() ? "" : ", ") + std::string(n);
  return Status{StatusKind::invalid_argument,
                "there is no token compressor \"" + std::string(name) + "\"; the known ones are " + known};
}

}  // namespace saccade
