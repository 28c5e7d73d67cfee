#include "tokens/token_rows.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <tuple>

namespace saccade {
namespace {

constexpr float kLeastImportance = 0.01F;  // of a row that is taken all the same

std::tuple<float, long, float> reading_key(const TokenPosition &p) { return {p.t, std::lround(p.y), p.x}; }

}  // namespace

Eigen::Map<const RowMatrix> rows_of(const TokenSet &tokens) {
  return {tokens.values.data(), tokens.count(), tokens.dimension};
}

RowMatrix unit_rows(const Eigen::Ref<const RowMatrix> &rows) {
  RowMatrix unit = rows;
  for (Eigen::Index i = 0; i < unit.rows(); ++i) {
    const float length = unit.row(i).norm();
    if (length > 0 && std::isfinite(length)) {
      unit.row(i) /= length;
    } else {
      unit.row(i).setZero();
    }
  }
  return unit;
}

RowMatrix unit_rows_of(const TokenSet &tokens, const std::vector<int> &chosen) {
  RowMatrix rows(static_cast<Eigen::Index>(chosen.size()), tokens.dimension);
  for (std::size_t i = 0; i < chosen.size(); ++i)
    rows.row(static_cast<Eigen::Index>(i)) = rows_of(tokens).row(chosen[i]);
  return unit_rows(rows);
}

float importance_of(const TokenSet &tokens, const PatchMap &keep, int i) {
  return keep.empty() ? 1.0F
                      : static_cast<float>(keep[static_cast<std::size_t>(patch_of(tokens, i))]) / 255.0F;
}

void scale_by_importance(RowMatrix &rows, const TokenSet &tokens, const PatchMap &keep,
                         const std::vector<int> &chosen) {
  for (Eigen::Index i = 0; i < rows.rows(); ++i) {
    rows.row(i) *=
        std::max(importance_of(tokens, keep, chosen[static_cast<std::size_t>(i)]), kLeastImportance);
  }
}

int patch_of(const TokenSet &tokens, int i) {
  if (tokens.grid.count() <= 0) return 0;
  const auto &p = tokens.positions[static_cast<std::size_t>(i)];
  const auto y = std::clamp(static_cast<int>(std::lround(p.y)), 0, tokens.grid.rows - 1);
  const auto x = std::clamp(static_cast<int>(std::lround(p.x)), 0, tokens.grid.columns - 1);
  return y * tokens.grid.columns + x;
}

std::vector<int> candidates(const TokenSet &tokens, const KeepRequest &request, int rows) {
  std::vector<int> taken(static_cast<std::size_t>(tokens.count()));
  std::iota(taken.begin(), taken.end(), 0);
  if (request.keep.empty()) return taken;

  const auto wanted = std::stable_partition(taken.begin(), taken.end(), [&](int i) {
    return request.keep[static_cast<std::size_t>(patch_of(tokens, i))] > 0;
  });
  const auto enough = std::max(wanted - taken.begin(), static_cast<std::ptrdiff_t>(rows));
  taken.resize(static_cast<std::size_t>(enough));
  std::sort(taken.begin(), taken.end());
  return taken;
}

TokenSet select_rows(const TokenSet &tokens, std::vector<int> chosen) {
  std::sort(chosen.begin(), chosen.end());
  TokenSet out;
  out.dimension = tokens.dimension;
  out.grid = tokens.grid;
  out.seen = tokens.seen;
  out.pts = tokens.pts;
  out.encode_time = tokens.encode_time;
  out.encoded = tokens.encoded;
  out.values.reserve(chosen.size() * static_cast<std::size_t>(tokens.dimension));
  for (const int i : chosen) {
    const auto row = tokens.row(i);
    out.values.insert(out.values.end(), row.begin(), row.end());
    out.positions.push_back(tokens.positions[static_cast<std::size_t>(i)]);
    out.weights.push_back(tokens.weights[static_cast<std::size_t>(i)]);
  }
  sort_reading_order(out);
  return out;
}

TokenSet means_of(const TokenSet &tokens, const std::vector<int> &groups, int count) {
  TokenSet out = tokens;
  const auto d = static_cast<std::size_t>(tokens.dimension);
  const auto k = static_cast<std::size_t>(count);
  out.values.assign(k * d, 0);
  out.positions.assign(k, {});
  out.weights.assign(k, 0);
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const auto c = static_cast<std::size_t>(groups[i]);
    out.weights[c] += tokens.weights[i];
    const float share = out.weights[c] > 0 ? tokens.weights[i] / out.weights[c] : 1;
    for (std::size_t j = 0; j < d; ++j)
      out.values[c * d + j] += share * (tokens.values[i * d + j] - out.values[c * d + j]);
    auto &to = out.positions[c];
    const auto &from = tokens.positions[i];
    to.t += share * (from.t - to.t);
    to.y += share * (from.y - to.y);
    to.x += share * (from.x - to.x);
  }
  sort_reading_order(out);
  return out;
}

void sort_reading_order(TokenSet &tokens) {
  const auto before = [&](int a, int b) {
    return reading_key(tokens.positions[static_cast<std::size_t>(a)]) <
           reading_key(tokens.positions[static_cast<std::size_t>(b)]);
  };
  std::vector<int> order(tokens.positions.size());
  std::iota(order.begin(), order.end(), 0);
  if (std::is_sorted(order.begin(), order.end(), before)) return;
  std::stable_sort(order.begin(), order.end(), before);

  TokenSet sorted = tokens;
  sorted.values.clear();
  for (std::size_t to = 0; to < order.size(); ++to) {
    const auto row = tokens.row(order[to]);
    sorted.values.insert(sorted.values.end(), row.begin(), row.end());
    sorted.positions[to] = tokens.positions[static_cast<std::size_t>(order[to])];
    sorted.weights[to] = tokens.weights[static_cast<std::size_t>(order[to])];
  }
  tokens = std::move(sorted);
}

}  // namespace saccade
