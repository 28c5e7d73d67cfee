// `random`: tokens drawn without replacement. The other control: it beats many published methods.
#include <cstdint>
#include <random>
#include <utility>

#include "tokens/methods.h"
#include "tokens/token_rows.h"

namespace saccade {
namespace {

constexpr std::uint64_t kSeed = 0x5accade;

class KeepRandom final : public TokenCompressor {
 public:
  std::string_view name() const override { return "random"; }

 private:
  // Seeded by the frame's time: frames differ in what they lose, and a second run loses the same.
  TokenSet reduce(const TokenSet &tokens, const KeepRequest &request, int rows) const override {
    std::mt19937_64 draw(kSeed ^ static_cast<std::uint64_t>(tokens.pts.count()));
    auto pool = candidates(tokens, request, rows);
    const auto wanted = static_cast<std::size_t>(rows);
    for (std::size_t i = 0; i < wanted; ++i) std::swap(pool[i], pool[i + draw() % (pool.size() - i)]);
    pool.resize(wanted);
    return select_rows(tokens, std::move(pool));
  }
};

}  // namespace

std::unique_ptr<TokenCompressor> make_keep_random() { return std::make_unique<KeepRandom>(); }

}  // namespace saccade
