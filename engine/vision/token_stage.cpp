#include "vision/token_stage.h"

#include <algorithm>
#include <utility>

namespace saccade {
namespace {

PatchMap fitting(const PatchMap &map, const PatchGrid &grid) {
  return map.size() == static_cast<std::size_t>(grid.count()) ? map : PatchMap();
}

}  // namespace

TokenStage::TokenStage(std::unique_ptr<VisionEncoder> encoder, std::unique_ptr<TokenCompressor> compressor)
    : encoder_(std::move(encoder)), compressor_(std::move(compressor)) {}

SharedTokens TokenStage::reusable(const PatchAdvice &advice) {
  const auto refresh = refreshed(advice);
  const bool unchanged = !refresh.empty() && std::ranges::all_of(refresh, [](auto v) { return v == 0; });
  if (!unchanged || !last_) return nullptr;
  if (last_->encode_time != Duration::zero()) {
    auto again = std::make_shared<TokenSet>(*last_);
    again->encode_time = Duration::zero();
    last_ = std::move(again);
  }
  return last_;
}

Result<SharedTokens> TokenStage::encode(const Frame &rgb, const PatchAdvice &advice, double ratio,
                                        std::stop_token stop) {
  // Without tokens of an earlier picture there is nothing that a part could be added to.
  auto encoded = encoder_->encode(rgb, last_ ? refreshed(advice) : PatchMap(), std::move(stop));
  if (!encoded.ok()) return encoded.status();

  KeepRequest request;
  request.ratio = ratio;
  request.keep = fitting(advice.keep, grid());
  request.previous = reference_.tokens();
  auto kept = compressor_->compress(*encoded.value(), request);
  if (!kept.ok()) return kept.status();
  last_ = std::make_shared<const TokenSet>(std::move(kept).value());
  reference_.commit(*last_);
  return last_;
}

PatchMap TokenStage::refreshed(const PatchAdvice &advice) const { return fitting(advice.refresh, grid()); }

void TokenStage::forget() {
  last_.reset();
  reference_.clear();
}

}  // namespace saccade
