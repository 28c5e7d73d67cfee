#include "vision/tower/tower.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <utility>

#include "tokens/even_odd_matches.h"
#include "vision/tower/pass.h"

namespace saccade::tower {
namespace {

// The first of so many parts of the layers makes of a patch what can be compared; what comes after it is
// saved.
constexpr std::size_t kMergeAfter = 4;

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

// The promise is taken out first: whoever waits may end the job before set_value() returns.
void finish(EncodeJob &job, Status status) {
  auto done = std::move(job.done);
  done.set_value(std::move(status));
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

Tower::Tower(std::shared_ptr<const TowerWeights> weights, int threads)
    : weights_(std::move(weights)),
      attention_(weights_->shape.attention(), weights_->precision),
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

void Tower::share_rows(std::size_t all, const std::function<void(int, int, Worker &)> &work) {
  const auto count = static_cast<int>(all);
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
    const auto [lane, position] = pass.spot(first + r);
    if (position < shape.patches()) read_patch(pass.job(lane).rgb, shape, position, pixels);
    worker.pixels.put(r, pixels);
  }
  weights_->embedding.run(worker.pixels, rows, worker.product, [&](int r, std::span<float> embedded) {
    const int position = pass.spot(first + r).index;
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
    pass.for_positions(first + r, [&](int position) {
      pass.memory_of(first + r).layers_[layer].store(position, &found[width], &found[2 * width]);
    });
  });
}

void Tower::pack_values(const Pass &pass, std::size_t layer) {
  const int heads = weights_->shape.heads;
  team_.share(heads * static_cast<int>(pass.lanes.size()), [&](int block, int) {
    const auto lane = static_cast<std::size_t>(block / heads);
    if (const auto *job = pass.lanes[lane].job)
      attention_.pack(job->memory.layers_[layer], block % heads, values_[lane]);
  });
}

void Tower::attend(Pass &pass, std::size_t layer, int first, int rows, Worker &worker) const {
  const auto width = static_cast<std::size_t>(weights_->shape.width);
  {
    const Stopwatch watch(worker.costs.attention);
    for (int r = 0, run = 0; r < rows; r += run) {
      run = pass.run_of(first + r, rows - r);
      attention_.run({pass.row(pass.queries, first + r).data(), static_cast<std::size_t>(run) * width}, run,
                     pass.memory_of(first + r).layers_[layer],
                     values_[static_cast<std::size_t>(pass.spot(first + r).lane)], worker.attention,
                     &worker.attended[static_cast<std::size_t>(r) * width]);
    }
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
    const auto row = pass.row(pass.stream, first + r);
    pass.for_positions(first + r, [&](int position) {
      if (position >= shape.patches()) return;
      auto *to = &pass.memory_of(first + r).features_[area(position, shape.width)];
      if (norm.weight.empty()) {
        std::copy(row.begin(), row.end(), to);
      } else {
        layer_norm(row, norm.weight.data(), norm.bias.data(), shape.epsilon, to);
      }
    });
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
std::vector<Spot> Tower::tokens_of(const Pass &pass) const {
  const auto &shape = weights_->shape;
  std::vector<bool> touched(pass.lanes.size() * static_cast<std::size_t>(shape.tokens()));
  for (int i = 0; i < static_cast<int>(pass.spots.size()); ++i) {
    pass.for_positions(i, [&](int position) {
      if (position >= shape.patches()) return;
      const int row = position / shape.side() / shape.merge;
      const int column = position % shape.side() / shape.merge;
      const int token = row * shape.tokens_side() + column;
      touched[static_cast<std::size_t>(pass.spot(i).lane * shape.tokens() + token)] = true;
    });
  }
  std::vector<Spot> tokens;
  for (int i = 0; i < static_cast<int>(touched.size()); ++i)
    if (touched[static_cast<std::size_t>(i)]) tokens.push_back({i / shape.tokens(), i % shape.tokens()});
  return tokens;
}

void Tower::project(const Pass &pass) {
  const auto tokens = tokens_of(pass);
  share_rows(tokens.size(), [&](int first, int rows, Worker &worker) {
    project(pass, std::span(tokens).subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(rows)),
            worker);
  });
}

void Tower::project(const Pass &pass, std::span<const Spot> tokens, Worker &worker) const {
  const Stopwatch watch(worker.costs.ends);
  const auto &head = weights_->head;
  const auto rows = static_cast<int>(tokens.size());
  const auto token = [&](int r) { return tokens[static_cast<std::size_t>(r)]; };
  const auto keep = [&](int r, std::span<float> found) {
    auto &to = pass.job(token(r).lane).memory.tokens_;
    std::copy(found.begin(), found.end(), &to[area(token(r).index, weights_->token_width())]);
  };
  for (int r = 0; r < rows; ++r) gather(pass.job(token(r).lane).memory, token(r).index, r, worker);
  if (!head.second) {
    head.first.run(worker.gathered, rows, worker.product, keep);
    return;
  }
  head.first.run(worker.gathered, rows, worker.product, [&](int r, std::span<float> found) {
    activate(Activation::gelu, found);
    worker.projected.put(r, found);
  });
  head.second->run(worker.projected, rows, worker.product, keep);
}

int Tower::patches_of(const EncodeJob &job) const {
  const int all = weights_->shape.patches();
  if (!job.memory.whole_ || job.refresh.size() != static_cast<std::size_t>(all)) return all;
  return all - static_cast<int>(std::ranges::count(job.refresh, 0));
}

// Whole pictures only: what is kept of a patch that is not encoded now is its own.
void Tower::merge_alike(Pass &pass) const {
  const auto &shape = weights_->shape;
  std::vector<bool> gone(pass.spots.size());
  for (int lane = 0; lane < static_cast<int>(pass.lanes.size()); ++lane) {
    const auto *job = pass.lanes[static_cast<std::size_t>(lane)].job;
    if (!job || job->merged <= 0 || pass.lanes[static_cast<std::size_t>(lane)].patches != shape.patches())
      continue;
    const int first = pass.range_of(lane).first;
    const std::span patches(pass.row(pass.stream, first).data(), area(shape.patches(), shape.width));
    auto matches = match_even_to_odd(patches, shape.width);
    matches.resize(std::min(matches.size(), static_cast<std::size_t>(job->merged * shape.patches())));
    for (const auto &match : matches) {
      const auto from = pass.row(pass.stream, first + match.from);
      const auto to = pass.row(pass.stream, first + match.to);
      auto &members = pass.also[static_cast<std::size_t>(first + match.to)];
      const float share = 1.0F / static_cast<float>(members.size() + 2);
      for (std::size_t i = 0; i < to.size(); ++i) to[i] += share * (from[i] - to[i]);
      members.push_back(pass.spot(first + match.from).index);
      gone[static_cast<std::size_t>(first + match.from)] = true;
    }
  }
  pass.remove_rows(gone);
}

void Tower::run_layers(Pass &pass) {
  share_rows(pass.spots.size(), [&](int first, int rows, Worker &worker) {
    embed(pass, first, rows, worker);
    offer(pass, 0, first, rows, worker);
  });
  const auto layers = weights_->layers.size();
  for (std::size_t layer = 0; layer < layers; ++layer) {
    for (std::size_t lane = 0; lane < pass.lanes.size(); ++lane) {
      auto *job = pass.lanes[lane].job;
      if (!job || !job->stop.stop_requested()) continue;
      pass.take_out(static_cast<int>(lane));
      finish(*job, {StatusKind::cancelled, "encoding was stopped"});
    }
    if (pass.spots.empty()) return;
    const bool merges = layer + 1 == std::max<std::size_t>(1, layers / kMergeAfter);
    pack_values(pass, layer);
    share_rows(pass.spots.size(), [&](int first, int rows, Worker &worker) {
      attend(pass, layer, first, rows, worker);
      feed_forward(pass, layer, first, rows, worker);
      if (layer + 1 == layers) {
        keep_features(pass, first, rows);
      } else if (!merges) {
        offer(pass, layer + 1, first, rows, worker);
      }
    });
    if (!merges || layer + 1 == layers) continue;
    merge_alike(pass);
    share_rows(pass.spots.size(),
               [&](int first, int rows, Worker &worker) { offer(pass, layer + 1, first, rows, worker); });
  }
  project(pass);
}

void Tower::encode(std::span<EncodeJob *const> jobs) {
  const auto start = Clock::now();
  const auto &shape = weights_->shape;
  Pass pass;
  int patches = 0;
  for (auto *job : jobs) {
    const int wanted = patches_of(*job);
    if (wanted == 0) {
      finish(*job, {});
      continue;
    }
    const auto lane = static_cast<int>(pass.lanes.size());
    for (int patch = 0; patch < shape.patches(); ++patch)
      if (wanted == shape.patches() || job->refresh[static_cast<std::size_t>(patch)])
        pass.spots.push_back({lane, patch});
    if (shape.class_token) pass.spots.push_back({lane, shape.patches()});
    pass.lanes.push_back({job, wanted});
    patches += wanted;
    job->memory.whole_ = false;
  }
  if (pass.lanes.empty()) return;
  while (values_.size() < pass.lanes.size()) values_.push_back(attention_.make_values());
  pass.stream.resize(pass.spots.size() * static_cast<std::size_t>(shape.width));
  pass.queries.resize(pass.stream.size());
  pass.also.resize(pass.spots.size());

  run_layers(pass);
  const auto each = (Clock::now() - start) / patches;
  for (const auto &[job, wanted] : pass.lanes) {
    if (!job) continue;
    job->spent = wanted * each;
    job->memory.whole_ = true;
    finish(*job, {});
  }
}

Status Tower::encode(const Frame &rgb, const PatchMap &refresh, TowerMemory &memory,
                     const std::stop_token &stop) {
  EncodeJob job{rgb, refresh, memory, 0, stop, {}};
  auto done = job.done.get_future();
  EncodeJob *const only = &job;
  encode(std::span(&only, 1));
  return done.get();
}

}  // namespace saccade::tower
