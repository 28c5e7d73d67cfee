// The VisionEncoder that encodes only what changed: see tower/tower.h for how.
#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "vision/encoders.h"
#include "vision/llama_handles.h"
#include "vision/tower/encode_queue.h"

namespace saccade {
namespace {

// A ring of surroundings is this share of the picture's side. Measured with the project's pairs: of 12
// patches a side, one ring gave the accuracy of whole encodes, of 24 two did.
constexpr int kPatchesPerRing = 12;

// Without these, oneDNN adds pairs of int8 products in 16 bits, where they overflow.
bool has_int8_products() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512vnni");
#else
  return false;
#endif
}

tower::Precision precision_for(EncoderKind kind) {
  const bool wanted = kind == EncoderKind::automatic || kind == EncoderKind::int8;
  return wanted && has_int8_products() ? tower::Precision::int8 : tower::Precision::fp32;
}

const char *name_of(tower::Precision precision) {
  return precision == tower::Precision::int8 ? "int8" : "fp32";
}

// One per pair and precision, for as long as an encoder uses it.
Result<std::shared_ptr<tower::EncodeQueue>> queue_of(const ModelPair &pair, tower::Precision precision) {
  auto &impl = pair.impl();
  const std::lock_guard lock(impl.queues_mutex);
  auto &known = impl.queues[static_cast<std::size_t>(precision)];
  if (auto queue = known.lock()) return queue;
  auto weights = tower::read_tower(pair.files().mmproj, precision);
  if (!weights.ok()) return weights.status();
  auto queue =
      std::make_shared<tower::EncodeQueue>(std::move(weights).value(), pair.threads(), pair.side_by_side());
  known = queue;
  return queue;
}

class StreamingEncoder final : public VisionEncoder {
 public:
  StreamingEncoder(std::unique_ptr<VisionEncoder> plain, std::shared_ptr<tower::EncodeQueue> queue,
                   const EncoderOptions &options)
      : plain_(std::move(plain)), queue_(std::move(queue)), options_(options) {}

  EncoderInput input() const override { return plain_->input(); }
  PatchGrid grid() const override { return plain_->grid(); }
  PatchGrid refresh_grid() const override { return {shape().side(), shape().side()}; }
  int dimension() const override { return plain_->dimension(); }
  void forget() override {
    if (memory_) memory_->forget();
  }

  std::string description() const override {
    return std::string("streaming encoder, ") + name_of(queue_->weights().precision) +
           " (oneDNN: " + queue_->kernels() + ")";
  }

  std::string fallback_reason() const override {
    const bool asked = options_.kind == EncoderKind::int8;
    return asked && queue_->weights().precision == tower::Precision::fp32
               ? "this processor has no int8 products of 32 bits (AVX-512 VNNI); fp32 is used"
               : "";
  }

  Result<SharedTokens> encode(const Frame &rgb, const PatchMap &refresh, std::stop_token stop) override {
    if (auto status = check_input(rgb, input()); !status.ok()) return status;
    if (!memory_) memory_ = std::make_unique<tower::TowerMemory>(queue_->weights());
    auto patches = with_surroundings(refresh);
    if (is_due(rgb.pts, share_of(patches))) patches.clear();
    const auto share = memory_->is_whole() ? share_of(patches) : 1;
    tower::EncodeJob job{rgb, patches, *memory_, options_.merge_inside, std::move(stop), {}};
    if (auto status = queue_->encode(job); !status.ok()) return status;
    refreshed_ += share;
    if (share == 1) {
      refreshed_ = 0;
      whole_at_ = rgb.pts;
    }
    return tokens_of(memory_->tokens(), dimension(), grid(), rgb.pts, job.spent, share);
  }

  EncodedImage overview(SharedTokens tokens) const override { return plain_->overview(std::move(tokens)); }
  Result<EncodedImage> encode_tiles(const Frame &rgb, std::stop_token stop) override {
    return plain_->encode_tiles(rgb, std::move(stop));
  }

 private:
  const tower::TowerShape &shape() const { return queue_->weights().shape; }

  // A whole encode, when the next would be one of `share` of the picture.
  bool is_due(StreamTime now, double share) const {
    const auto since = now - whole_at_;
    const bool by_time = options_.whole_every > Duration::zero() &&
                         (since >= options_.whole_every || since < Duration::zero());
    return by_time || (options_.whole_after > 0 && refreshed_ + share >= options_.whole_after);
  }

  // A change reaches further than a gate's threshold, and through attention further than its pixels; its
  // neighbours feel it most.
  PatchMap with_surroundings(const PatchMap &refresh) const {
    const auto grid = refresh_grid();
    if (refresh.size() != static_cast<std::size_t>(grid.count())) return {};
    auto wider = refresh;
    const int rings =
        options_.surroundings < 0 ? std::max(1, grid.rows / kPatchesPerRing) : options_.surroundings;
    for (int ring = 0; ring < rings; ++ring) wider = with_neighbours(wider, grid);
    return wider;
  }

  static PatchMap with_neighbours(const PatchMap &map, const PatchGrid &grid) {
    auto wider = map;
    for (int p = 0; p < grid.count(); ++p) {
      if (!map[static_cast<std::size_t>(p)]) continue;
      for_patch_and_neighbours(grid, p, [&](int other) { wider[static_cast<std::size_t>(other)] = 255; });
    }
    return wider;
  }

  static double share_of(const PatchMap &patches) {
    const auto count = std::count_if(patches.begin(), patches.end(), [](auto v) { return v != 0; });
    return patches.empty() ? 1 : static_cast<double>(count) / static_cast<double>(patches.size());
  }

  std::unique_ptr<VisionEncoder> plain_;  // lays the tokens out, and keeps the pair
  std::shared_ptr<tower::EncodeQueue> queue_;
  std::unique_ptr<tower::TowerMemory> memory_;  // made when it is needed: megabytes
  EncoderOptions options_;
  StreamTime whole_at_{};
  double refreshed_ = 0;  // since then, in whole pictures
};

}  // namespace

Result<std::unique_ptr<VisionEncoder>> make_streaming_encoder(const ModelPair &pair,
                                                              std::unique_ptr<VisionEncoder> plain,
                                                              const EncoderOptions &options) {
  auto queue = queue_of(pair, precision_for(options.kind));
  if (!queue.ok()) return queue.status();
  const auto &weights = queue.value()->weights();
  const auto side = weights.shape.tokens_side();
  if (plain->input().width != weights.shape.image || plain->grid() != PatchGrid{side, side} ||
      plain->dimension() != weights.token_width())
    return Status{StatusKind::unsupported,
                  "libmtmd lays out this projector's tokens in another way than its file says"};
  return std::unique_ptr<VisionEncoder>(
      std::make_unique<StreamingEncoder>(std::move(plain), std::move(queue).value(), options));
}

}  // namespace saccade
