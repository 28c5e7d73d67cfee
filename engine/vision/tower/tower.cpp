#include "vision/tower/tower.h"

#include <algorithm>
#include <chrono>
#include <cstddef>

namespace saccade::tower {
namespace {

// Adds the time of its life to a sum.
class Stopwatch {
 public:
  explicit Stopwatch(double &sum) : sum_(sum) {}
  ~Stopwatch() { sum_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }
  Stopwatch(const Stopwatch &) = delete;
  Stopwatch &operator=(const Stopwatch &) = delete;

 private:
  double &sum_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

// A patch's pixels as the embedding wants them: channel, row, column.
void read_patch(const Frame &rgb, const TowerShape &shape, int patch, std::span<float> out) {
  const int left = patch % shape.side() * shape.patch;
  const int top = patch / shape.side() * shape.patch;
  std::size_t i = 0;
  for (std::size_t c = 0; c < 3; ++c) {
    const float scale = 1.0F / (255.0F * shape.deviation[c]);
    const float shift = shape.mean[c] / shape.deviation[c];
    for (int y = 0; y < shape.patch; ++y) {
      const auto *pixel = rgb.row(top + y) + 3 * static_cast<std::size_t>(left) + c;
      for (int x = 0; x < shape.patch; ++x, pixel += 3) out[i++] = static_cast<float>(*pixel) * scale - shift;
    }
  }
}

}  // namespace

TowerMemory::TowerMemory(const TowerWeights &weights)
    : layers_(weights.layers.size(), KeyValues(weights.shape.attention(), weights.precision)),
      features_(area(weights.shape.patches(), weights.shape.width)),
      tokens_(area(weights.shape.tokens(), weights.token_width())) {}

// One thread's memory.
struct Tower::Worker {
  explicit Worker(const TowerWeights &weights)
      : pixels(Precision::fp32, kBlockRows, weights.shape.patch_values()),
        in(weights.precision, kBlockRows, weights.shape.width),
        hidden(weights.precision, kBlockRows, weights.shape.hidden),
        gathered(Precision::fp32, kBlockRows, weights.head.gathered(weights.shape)),
        projected(Precision::fp32, kBlockRows, weights.head.first.outer()),
        product(kBlockRows, std::max({3 * weights.shape.width, weights.shape.hidden,
                                      weights.head.first.outer(), weights.token_width()})),
        attention(weights.shape.attention(), weights.precision),
        attended(area(kBlockRows, weights.shape.width)),
        row(static_cast<std::size_t>(std::max(
            {weights.shape.width, weights.head.gathered(weights.shape), weights.shape.patch_values()}))) {}

  Rows pixels, in, hidden, gathered, projected;
  ProductScratch product;
  AttentionScratch attention;
  std::vector<float> attended;  // block x width
  std::vector<float> row;
  TowerCosts costs;
};

// One encode: what goes through the layers.
struct Tower::Pass {
  const Frame &rgb;
  TowerMemory &memory;
  std::vector<int> positions;  // that are encoded: patches, and the class token after them
  std::vector<float> stream;   // positions x width, the residual stream
  std::vector<float> queries;  // likewise, of the layer that comes next

  std::span<float> row(std::vector<float> &of, int index) const {
    const auto width = of.size() / positions.size();
    return {&of[static_cast<std::size_t>(index) * width], width};
  }
};

Tower::Tower(std::shared_ptr<const TowerWeights> weights, int threads)
    : weights_(std::move(weights)),
      attention_(weights_->shape.attention(), weights_->precision),
      values_(attention_.make_values()),
      team_(threads) {
  for (int member = 0; member < team_.size(); ++member) workers_.emplace_back(*weights_);
}

Tower::~Tower() = default;

TowerCosts Tower::costs() const {
  TowerCosts sum;
  for (const auto &worker : workers_) {
    sum.ends += worker.costs.ends;
    sum.products += worker.costs.products;
    sum.attention += worker.costs.attention;
    sum.rows += worker.costs.rows;
  }
  return sum;
}

std::string Tower::kernels() const { return weights_->kernels() + ", " + attention_.kernels(); }

void Tower::share_rows(const Pass &pass, const std::function<void(int, int, Worker &)> &work) {
  const auto count = static_cast<int>(pass.positions.size());
  const int share = padded_rows((count + team_.size() - 1) / team_.size());
  const int block_rows = std::min(kBlockRows, share);  // few rows still occupy everybody
  team_.share((count + block_rows - 1) / block_rows, [&](int block, int member) {
    const int first = block * block_rows;
    work(first, std::min(block_rows, count - first), workers_[static_cast<std::size_t>(member)]);
  });
}

void Tower::embed(Pass &pass, int first, int rows, Worker &worker) const {
  const Stopwatch watch(worker.costs.ends);
  const auto &shape = weights_->shape;
  const std::span pixels(worker.row.data(), static_cast<std::size_t>(shape.patch_values()));
  for (int r = 0; r < rows; ++r) {
    const int position = pass.positions[static_cast<std::size_t>(first + r)];
    if (position < shape.patches()) read_patch(pass.rgb, shape, position, pixels);
    worker.pixels.put(r, pixels);
  }
  weights_->embedding.run(worker.pixels, rows, worker.product, [&](int r, std::span<float> embedded) {
    const int position = pass.positions[static_cast<std::size_t>(first + r)];
    const auto row = pass.row(pass.stream, first + r);
    if (position < shape.patches()) {
      std::copy(embedded.begin(), embedded.end(), row.begin());
    } else {
      std::copy(weights_->class_token.begin(), weights_->class_token.end(), row.begin());
    }
    add({&weights_->positions[area(position, shape.width)], row.size()}, row.data());
  });
}

// What goes into the next product.
void Tower::take_normed(Pass &pass, const Norm &norm, int first, int rows, Worker &worker) const {
  const Stopwatch watch(worker.costs.rows);
  const std::span normed(worker.row.data(), static_cast<std::size_t>(weights_->shape.width));
  for (int r = 0; r < rows; ++r) {
    layer_norm(pass.row(pass.stream, first + r), norm.weight.data(), norm.bias.data(),
               weights_->shape.epsilon, normed.data());
    worker.in.put(r, normed);
  }
}

// Queries for attend(), and keys and values for everybody.
void Tower::offer(Pass &pass, std::size_t layer, int first, int rows, Worker &worker) const {
  const auto &weights = weights_->layers[layer];
  const auto width = static_cast<std::size_t>(weights_->shape.width);
  take_normed(pass, weights.before_attention, first, rows, worker);
  const Stopwatch watch(worker.costs.products);
  weights.queries_keys_values.run(worker.in, rows, worker.product, [&](int r, std::span<float> found) {
    std::copy_n(found.begin(), width, pass.row(pass.queries, first + r).begin());
    pass.memory.layers_[layer].store(pass.positions[static_cast<std::size_t>(first + r)], &found[width],
                                     &found[2 * width]);
  });
}

void Tower::attend(Pass &pass, std::size_t layer, int first, int rows, Worker &worker) const {
  const auto width = static_cast<std::size_t>(weights_->shape.width);
  {
    const Stopwatch watch(worker.costs.attention);
    attention_.run({pass.row(pass.queries, first).data(), static_cast<std::size_t>(rows) * width}, rows,
                   pass.memory.layers_[layer], values_, worker.attention, worker.attended.data());
  }
  {
    const Stopwatch watch(worker.costs.rows);
    for (int r = 0; r < rows; ++r)
      worker.in.put(r, {&worker.attended[static_cast<std::size_t>(r) * width], width});
  }
  const Stopwatch watch(worker.costs.products);
  weights_->layers[layer].attended.run(worker.in, rows, worker.product, [&](int r, std::span<float> found) {
    add(found, pass.row(pass.stream, first + r).data());
  });
}

void Tower::feed_forward(Pass &pass, std::size_t layer, int first, int rows, Worker &worker) const {
  const auto &weights = weights_->layers[layer];
  take_normed(pass, weights.before_feed_forward, first, rows, worker);
  const Stopwatch watch(worker.costs.products);
  weights.up.run(worker.in, rows, worker.product, [&](int r, std::span<float> found) {
    activate(weights_->shape.activation, found);
    worker.hidden.put(r, found);
  });
  weights.down.run(worker.hidden, rows, worker.product, [&](int r, std::span<float> found) {
    add(found, pass.row(pass.stream, first + r).data());
  });
}

void Tower::keep_features(Pass &pass, int first, int rows) const {
  const auto &shape = weights_->shape;
  const auto &norm = weights_->last;
  for (int r = 0; r < rows; ++r) {
    const int position = pass.positions[static_cast<std::size_t>(first + r)];
    if (position >= shape.patches()) continue;
    const auto row = pass.row(pass.stream, first + r);
    auto *to = &pass.memory.features_[area(position, shape.width)];
    if (norm.weight.empty()) {
      std::copy(row.begin(), row.end(), to);
    } else {
      layer_norm(row, norm.weight.data(), norm.bias.data(), shape.epsilon, to);
    }
  }
}

// A token's patches as its head wants them.
void Tower::gather(const TowerMemory &memory, int token, int row, Worker &worker) const {
  const auto &shape = weights_->shape;
  const auto &head = weights_->head;
  const auto width = static_cast<std::size_t>(shape.width);
  const std::span gathered(worker.row.data(), static_cast<std::size_t>(head.gathered(shape)));
  const int top = token / shape.tokens_side() * shape.merge;
  const int left = token % shape.tokens_side() * shape.merge;
  const bool joins = head.gather == TokenHead::Gather::join;
  if (!joins) std::fill(gathered.begin(), gathered.end(), 0.0F);
  auto *to = gathered.data();
  for (int y = top; y < top + shape.merge; ++y) {
    for (int x = left; x < left + shape.merge; ++x) {
      const std::span patch(&memory.features_[area(y * shape.side() + x, shape.width)], width);
      if (joins) {
        to = std::copy(patch.begin(), patch.end(), to);
      } else {
        add(patch, to);
      }
    }
  }
  if (!joins) {
    const float share = 1.0F / static_cast<float>(shape.merge * shape.merge);
    for (auto &value : gathered) value *= share;
  }
  if (head.kind == TokenHead::Kind::layer)
    layer_norm(gathered, head.norm.weight.data(), head.norm.bias.data(), head.epsilon, gathered.data());
  if (head.kind == TokenHead::Kind::rms)
    rms_norm(gathered, head.norm.weight.data(), head.epsilon, gathered.data());
  worker.gathered.put(row, gathered);
}

// Those of which a patch was encoded.
std::vector<int> Tower::tokens_of(const Pass &pass) const {
  const auto &shape = weights_->shape;
  std::vector<bool> touched(static_cast<std::size_t>(shape.tokens()));
  for (const int position : pass.positions) {
    if (position >= shape.patches()) continue;
    const int row = position / shape.side() / shape.merge;
    const int column = position % shape.side() / shape.merge;
    touched[static_cast<std::size_t>(row * shape.tokens_side() + column)] = true;
  }
  std::vector<int> tokens;
  for (int t = 0; t < shape.tokens(); ++t)
    if (touched[static_cast<std::size_t>(t)]) tokens.push_back(t);
  return tokens;
}

void Tower::project(Pass &pass) {
  auto &worker = workers_.front();
  const Stopwatch watch(worker.costs.ends);
  const OneThread one;
  const auto &head = weights_->head;
  const auto tokens = tokens_of(pass);
  for (std::size_t first = 0; first < tokens.size(); first += kBlockRows) {
    const auto rows = static_cast<int>(std::min<std::size_t>(kBlockRows, tokens.size() - first));
    const auto keep = [&](int r, std::span<float> found) {
      const int token = tokens[first + static_cast<std::size_t>(r)];
      std::copy(found.begin(), found.end(), &pass.memory.tokens_[area(token, weights_->token_width())]);
    };
    for (int r = 0; r < rows; ++r)
      gather(pass.memory, tokens[first + static_cast<std::size_t>(r)], r, worker);
    if (!head.second) {
      head.first.run(worker.gathered, rows, worker.product, keep);
      continue;
    }
    head.first.run(worker.gathered, rows, worker.product, [&](int r, std::span<float> found) {
      activate(Activation::gelu, found);
      worker.projected.put(r, found);
    });
    head.second->run(worker.projected, rows, worker.product, keep);
  }
}

Status Tower::encode(const Frame &rgb, const PatchMap &refresh, TowerMemory &memory,
                     const std::stop_token &stop) {
  const auto &shape = weights_->shape;
  Pass pass{rgb, memory, {}, {}, {}};
  const bool all = !memory.whole_ || refresh.size() != static_cast<std::size_t>(shape.patches());
  for (int patch = 0; patch < shape.patches(); ++patch)
    if (all || refresh[static_cast<std::size_t>(patch)]) pass.positions.push_back(patch);
  if (pass.positions.empty()) return {};
  if (shape.class_token) pass.positions.push_back(shape.patches());
  pass.stream.resize(pass.positions.size() * static_cast<std::size_t>(shape.width));
  pass.queries.resize(pass.stream.size());

  memory.whole_ = false;
  share_rows(pass, [&](int first, int rows, Worker &worker) {
    embed(pass, first, rows, worker);
    offer(pass, 0, first, rows, worker);
  });
  for (std::size_t layer = 0; layer < weights_->layers.size(); ++layer) {
    if (stop.stop_requested()) return {StatusKind::cancelled, "encoding was stopped"};
    team_.share(shape.heads, [&](int head, int) { attention_.pack(memory.layers_[layer], head, values_); });
    share_rows(pass, [&](int first, int rows, Worker &worker) {
      attend(pass, layer, first, rows, worker);
      feed_forward(pass, layer, first, rows, worker);
      if (layer + 1 < weights_->layers.size()) {
        offer(pass, layer + 1, first, rows, worker);
      } else {
        keep_features(pass, first, rows);
      }
    });
  }
  project(pass);
  memory.whole_ = true;
  return {};
}

}  // namespace saccade::tower
