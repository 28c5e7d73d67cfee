// `coverage`: the tokens that together stand best for all of them (facility location, as MMTok and FLoC use
// it): what is kept maximises the sum over all tokens of their likeness to the nearest kept one. Likeness is
// the cosine, sharpened by a softmax over each token's neighbours, so that a crowd of half-alike tokens does
// not outweigh one that has no double; tokens count by their weight and by the keep map. Greedy with lazy
// gains (Minoux 1978), which reaches 63 % of the best sum or more.
#include <algorithm>
#include <queue>

#include "tokens/methods.h"
#include "tokens/token_rows.h"

namespace saccade {
namespace {

constexpr float kTemperature = 0.1F;  // of the softmax over cosines

// Row i: how well each candidate (column) would stand for token i.
RowMatrix likeness(const TokenSet &tokens, const std::vector<int> &pool) {
  RowMatrix like = unit_rows(rows_of(tokens)) * unit_rows_of(tokens, pool).transpose();
  for (Eigen::Index i = 0; i < like.rows(); ++i) {
    like.row(i) = ((like.row(i).array() - like.row(i).maxCoeff()) / kTemperature).exp().matrix();
    like.row(i) /= like.row(i).sum();
  }
  return like;
}

Eigen::VectorXf weights_of(const TokenSet &tokens, const PatchMap &keep) {
  Eigen::VectorXf weights(tokens.count());
  for (int i = 0; i < tokens.count(); ++i) {
    weights(i) = tokens.weights[static_cast<std::size_t>(i)] * importance_of(tokens, keep, i);
  }
  return weights;
}

class Coverage final : public TokenCompressor {
 public:
  std::string_view name() const override { return "coverage"; }

 private:
  TokenSet reduce(const TokenSet &tokens, const KeepRequest &request, int rows) const override {
    const auto pool = candidates(tokens, request, rows);
    const auto like = likeness(tokens, pool);
    const auto weights = weights_of(tokens, request.keep);
    Eigen::VectorXf covered = Eigen::VectorXf::Zero(like.rows());
    const auto gain_of = [&](Eigen::Index candidate) {
      return weights.dot((like.col(candidate) - covered).cwiseMax(0.0F));
    };

    struct Gain {
      float value;  // when it was last computed: it can only have shrunk since
      int candidate;
      bool operator<(const Gain &other) const {
        return value < other.value || (value == other.value && candidate > other.candidate);
      }
    };
    std::priority_queue<Gain> queue;
    for (int c = 0; c < static_cast<int>(pool.size()); ++c) queue.push({gain_of(c), c});
    std::vector<int> chosen;
    while (static_cast<int>(chosen.size()) < rows) {
      auto best = queue.top();
      queue.pop();
      best.value = gain_of(best.candidate);
      if (!queue.empty() && best < queue.top()) {
        queue.push(best);
        continue;
      }
      chosen.push_back(pool[static_cast<std::size_t>(best.candidate)]);
      covered = covered.cwiseMax(like.col(best.candidate));
    }
    return select_rows(tokens, std::move(chosen));
  }
};

}  // namespace

std::unique_ptr<TokenCompressor> make_coverage() { return std::make_unique<Coverage>(); }

}  // namespace saccade
