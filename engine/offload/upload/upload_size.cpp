#include "offload/upload/upload_size.h"

#include <algorithm>
#include <cmath>

namespace saccade {

namespace {

struct Typical {
  int quality;
  double bytes_per_pixel;
};
// Geometric means over 40 photographs of 640 x 480 pixels and less, libjpeg-turbo, 4:2:0.
constexpr std::array kTypical = {Typical{1, 0.025},  Typical{10, 0.041}, Typical{20, 0.062},
                                 Typical{30, 0.079}, Typical{40, 0.094}, Typical{50, 0.109},
                                 Typical{60, 0.126}, Typical{70, 0.150}, Typical{80, 0.200},
                                 Typical{90, 0.286}, Typical{95, 0.423}, Typical{100, 0.781}};
constexpr int kMiddle = 70;  // quality at which `level` is read

constexpr double kBase64 = 4.0 / 3;  // bytes on the wire per byte of a JPEG

constexpr double kForgetting = 0.97;  // a scene counts for some thirty pictures
constexpr double kNoise = 0.02;       // variance of a picture's logarithm around its stream's line
constexpr std::array<double, 2> kMostUnsure = {1, 0.05};  // variances from which on nothing is forgotten
constexpr double kFlattest = 0.5, kSteepest = 2;          // slopes: more bytes for more quality, always
constexpr double kLeastBytesPerPixel = 1e-4, kMostBytesPerPixel = 10;  // no JPEG of a photograph is beyond

double logarithm_of_typical(int quality) {
  const int q = std::clamp(quality, 1, 100);
  const auto above =
      std::find_if(kTypical.begin() + 1, kTypical.end() - 1, [&](auto t) { return t.quality >= q; });
  const auto below = above - 1;
  const double share = static_cast<double>(q - below->quality) / (above->quality - below->quality);
  return (1 - share) * std::log(below->bytes_per_pixel) + share * std::log(above->bytes_per_pixel);
}

// How far from the middle a quality lies on the line.
double place_of(int quality) { return logarithm_of_typical(quality) - logarithm_of_typical(kMiddle); }

}  // namespace

void JpegSizeModel::encoded(int quality, double pixels, double bytes) {
  const double ratio = bytes / pixels;
  if (!(pixels >= 1) || !(ratio >= kLeastBytesPerPixel && ratio <= kMostBytesPerPixel)) return;
  auto &[p00, p01, p10, p11] = spread_;
  if (p00 / kForgetting <= kMostUnsure[0] && p11 / kForgetting <= kMostUnsure[1]) {
    for (double &value : spread_) value /= kForgetting;
  }
  const double x = place_of(quality);
  const double expected = logarithm_of_typical(kMiddle) + line_[0] + line_[1] * x;
  const double g0 = p00 + p01 * x;
  const double g1 = p10 + p11 * x;
  const double scale = kNoise + g0 + g1 * x;
  const double surprise = std::log(ratio) - expected;
  line_[0] += g0 / scale * surprise;
  line_[1] = std::clamp(line_[1] + g1 / scale * surprise, kFlattest, kSteepest);
  p00 -= g0 * g0 / scale;
  p01 -= g0 * g1 / scale;
  p10 = p01;
  p11 -= g1 * g1 / scale;
}

double JpegSizeModel::bytes_per_pixel(int quality) const {
  return std::exp(logarithm_of_typical(kMiddle) + line_[0] + line_[1] * place_of(quality));
}

UploadSize upload_size(int width, int height, int pictures, double throughput, Duration allowance,
                       const JpegSizeModel &model, const UploadLimits &limits) {
  const int own_edge = std::max({width, height, 1});
  const int longest = std::min(own_edge, std::max(1, limits.longest_edge));
  const int shortest = std::min(longest, limits.shortest_sent);
  const double shape = static_cast<double>(std::min(width, height)) / own_edge;  // pixels = edge² · shape
  const auto pixels = [&](int edge) { return static_cast<double>(edge) * edge * shape; };
  const auto expected = [&](int edge, int quality) { return pixels(edge) * model.bytes_per_pixel(quality); };

  if (!(throughput > 0)) return {longest, limits.most_quality, expected(longest, limits.most_quality), true};
  const double carried = throughput * std::max(0.0, to_seconds(allowance)) / kBase64;
  const double room = carried / static_cast<double>(std::max(1, pictures));
  const double edge_of_room = std::sqrt(room / (shape * model.bytes_per_pixel(limits.good_quality)));
  const int edge = static_cast<int>(std::clamp<double>(edge_of_room, shortest, longest));
  int quality = limits.most_quality;
  while (quality > limits.least_quality && expected(edge, quality) > room) --quality;
  const double bytes = expected(edge, quality);
  return {edge, quality, bytes, bytes <= room};
}

}  // namespace saccade
