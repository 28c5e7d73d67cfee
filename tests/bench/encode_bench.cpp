// What encoding costs: whole pictures by libmtmd and by the streaming encoder in turns, and a clip of which
// only what changed is encoded. And what compression loses of a clip's tokens, as far as that shows without a
// language model. Prints one JSON object. saccade-eval --encoder makes tables of it.
//
//   build/release/tests/bench/encode_bench whole TEXT.gguf MMPROJ.gguf ROUNDS
//   build/release/tests/bench/encode_bench clip TEXT.gguf MMPROJ.gguf CLIP PICTURES_PER_SECOND
//   build/release/tests/bench/encode_bench cameras TEXT.gguf MMPROJ.gguf ROUNDS
//   build/release/tests/bench/encode_bench merging TEXT.gguf MMPROJ.gguf ROUNDS
//   build/release/tests/bench/encode_bench tokens TEXT.gguf MMPROJ.gguf CLIP SHARE
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <opencv2/imgproc.hpp>
#include <opencv2/videoio.hpp>
#include <string>
#include <vector>

#include "sparsity/mas_gate.h"
#include "tokens/compressor.h"
#include "tokens/token_metrics.h"
#include "vision/resize.h"
#include "vision/tower/tower.h"
#include "vision/vision_encoder.h"

namespace saccade {
namespace {

constexpr int kReferenceEvery = 8;  // encodes of a clip after which whole ones are timed, too

double milliseconds_of(const std::function<void()> &work) {
  const auto start = Clock::now();
  work();
  return to_milliseconds(Clock::now() - start);
}

[[noreturn]] void fail(const std::string &sentence) {
  std::fprintf(stderr, "encode_bench: %s\n", sentence.c_str());
  std::exit(1);
}

template <typename T>
T need(Result<T> result) {
  if (!result.ok()) fail(result.status().message());
  return std::move(result).value();
}

void print_list(const char *name, const std::vector<double> &values, const char *after = ", ") {
  std::printf("\"%s\": [", name);
  for (std::size_t i = 0; i < values.size(); ++i) std::printf("%s%.4f", i ? ", " : "", values[i]);
  std::printf("]%s", after);
}

Image picture(const EncoderInput &size) {
  Image image{size.width, size.height, {}};
  cv::Mat pixels(size.height, size.width, CV_8UC3);
  cv::theRNG().state = 1;
  cv::randu(pixels, 0, 255);
  cv::GaussianBlur(pixels, pixels, {}, 5);
  image.rgb.assign(pixels.datastart, pixels.dataend);
  return image;
}

// Billions of operations a second that all threads reach together in a product of the tower's largest shape,
// over and over: what this machine can do just now.
double reached(tower::Precision precision, int threads) {
  constexpr int kRows = 256;
  constexpr int kInner = 768;
  constexpr int kOuter = 3072;
  constexpr int kBlocks = 64;
  const tower::MatrixProduct product(precision, {kInner, kOuter, 1, kInner},
                                     tower::MatrixProduct::Right::packed, kRows);
  const std::vector<float> zeros(std::size_t{kInner} * kOuter);  // of bytes, there are too many
  auto right = product.make_packed();
  product.pack(zeros.data(), right);
  std::vector<std::vector<float>> outs(static_cast<std::size_t>(threads),
                                       std::vector<float>(std::size_t{kRows} * kOuter));
  tower::RowTeam team(threads);
  const auto round = [&] {
    team.share(kBlocks, [&](int, int member) {
      product.run(zeros.data(), right.data(), kRows, outs[static_cast<std::size_t>(member)].data());
    });
  };
  round();
  return 2e-6 * kRows * kInner * kOuter * kBlocks / milliseconds_of(round);
}

// Billions of operations of one whole encode.
double work_of(const tower::TowerShape &s) {
  const double rows = s.patches();
  const double linear = rows * s.layers * (4.0 * s.width * s.width + 2.0 * s.width * s.hidden);
  const double attention = 2.0 * rows * rows * s.width * s.layers;
  return 2e-9 * (linear + attention);
}

void whole(const ModelFiles &files, int rounds) {
  const auto pair = need(ModelPair::open(files));
  std::map<std::string, std::unique_ptr<VisionEncoder>> encoders;
  for (const auto &[name, kind] :
       {std::pair{"libmtmd", EncoderKind::libmtmd}, std::pair{"fp32", EncoderKind::fp32},
        std::pair{"int8", EncoderKind::int8}})
    encoders[name] = need(make_encoder(pair, {.kind = kind}));
  const auto image = picture(encoders["libmtmd"]->input());
  std::map<std::string, std::vector<double>> times;
  double fp32_peak = 0;
  double int8_peak = 0;
  for (int round = -1; round < rounds; ++round) {  // the first one warms up
    for (auto &[name, encoder] : encoders) {
      const double ms = milliseconds_of([&] { need(encoder->encode(image.view(), {}, {})); });
      if (round >= 0) times[name].push_back(ms);
    }
    fp32_peak = std::max(fp32_peak, reached(tower::Precision::fp32, pair->threads()));
    int8_peak = std::max(int8_peak, reached(tower::Precision::int8, pair->threads()));
  }
  std::printf("{\"threads\": %d, ", pair->threads());
  for (const auto &[name, values] : times) print_list((name + "_ms").c_str(), values);
  for (const auto precision : {tower::Precision::fp32, tower::Precision::int8}) {
    const char *name = precision == tower::Precision::fp32 ? "fp32" : "int8";
    const auto weights = need(tower::read_tower(files.mmproj, precision));
    tower::Tower tower(weights, pair->threads());
    tower::TowerMemory memory(*weights);
    for (int i = 0; i < 3; ++i) {
      memory.forget();
      if (const auto status = tower.encode(image.view(), {}, memory, {}); !status.ok())
        fail(status.message());
    }
    const auto costs = tower.costs();
    std::printf("\"%s_costs\": {\"ends\": %.4f, \"products\": %.4f, \"attention\": %.4f, \"rows\": %.4f}, ",
                name, costs.ends, costs.products, costs.attention, costs.rows);
    std::printf("\"%s_peak\": %.1f, \"gigaops\": %.2f, \"%s_kernels\": \"%s\"%s", name,
                precision == tower::Precision::fp32 ? fp32_peak : int8_peak, work_of(weights->shape), name,
                tower.kernels().c_str(), precision == tower::Precision::fp32 ? ", " : "}\n");
  }
}

Image rgb_of(const cv::Mat &bgr) {
  cv::Mat rgb;
  cv::cvtColor(bgr, rgb, cv::COLOR_BGR2RGB);
  return {rgb.cols, rgb.rows, {rgb.datastart, rgb.dataend}};
}

void clip(const ModelFiles &files, const std::string &path, double rate) {
  const auto pair = need(ModelPair::open(files));
  const auto streaming = need(make_encoder(pair, {.kind = EncoderKind::automatic}));
  const auto loose = need(make_encoder(pair, {.whole_every = {}, .whole_after = 0, .surroundings = 1}));
  const auto fresh = need(make_encoder(pair, {.kind = EncoderKind::automatic}));
  const auto libmtmd = need(make_encoder(pair, {.kind = EncoderKind::libmtmd}));
  MasGate gate({.grid = streaming->refresh_grid()});
  cv::VideoCapture video(path);
  if (!video.isOpened()) fail("cannot read " + path);
  const double fps = video.get(cv::CAP_PROP_FPS);

  std::vector<double> at, share, ms, loose_ms, whole_ms, libmtmd_ms;
  double asked = 0;
  int seen = 0;
  int next = 0;
  cv::Mat bgr;
  for (int i = 0; video.read(bgr); ++i) {
    if (i / fps * rate < next) continue;
    ++next;
    ++seen;
    const auto pts = from_seconds(i / fps);
    cv::Mat grey;
    cv::cvtColor(bgr, grey, cv::COLOR_BGR2GRAY);
    const auto report = need(
        gate.look({PixelFormat::gray8, grey.cols, grey.rows, grey.step, {grey.data, grey.total()}, pts}, {}));
    if (!report.needed) continue;
    const auto rgb = rgb_of(bgr);
    const auto image = resize_area(rgb.view(), streaming->input().width, streaming->input().height);
    const auto encode = [&](VisionEncoder &encoder, const PatchMap &refresh, std::vector<double> &times) {
      SharedTokens tokens;
      times.push_back(milliseconds_of([&] { tokens = need(encoder.encode(image.view(pts), refresh, {})); }));
      return tokens;
    };
    asked += static_cast<double>(report.refresh_count()) / report.grid.count();
    share.push_back(encode(*streaming, report.refresh, ms)->encoded);
    encode(*loose, report.refresh, loose_ms);
    at.push_back(i / fps);
    gate.committed(report.frame, report.refresh, "encoder");
    if (at.size() % kReferenceEvery != 1) continue;
    encode(*fresh, {}, whole_ms);
    encode(*libmtmd, {}, libmtmd_ms);
  }
  std::printf("{\"pictures\": %d, \"asked\": %.4f, ", seen, asked);
  print_list("at", at);
  print_list("share", share);
  print_list("ms", ms);
  print_list("loose_ms", loose_ms);
  print_list("whole_ms", whole_ms);
  print_list("libmtmd_ms", libmtmd_ms, "}\n");
}

// Pictures of several cameras of which some patches changed, by int8: together, and one after the other.
void cameras(const ModelFiles &files, int rounds) {
  const auto weights = need(tower::read_tower(files.mmproj, tower::Precision::int8));
  tower::Tower tower(weights, need(ModelPair::open(files))->threads());
  const auto image = picture({weights->shape.image, weights->shape.image});
  const PatchMap all;
  constexpr std::size_t kMost = 8;
  std::vector<tower::TowerMemory> memories(kMost, tower::TowerMemory(*weights));
  const auto encode = [&](std::size_t first, std::size_t count, const PatchMap &refresh) {
    std::vector<tower::EncodeJob> jobs;
    std::vector<tower::EncodeJob *> batch;
    jobs.reserve(count);  // they are pointed to
    for (std::size_t c = first; c < first + count; ++c) {
      jobs.push_back({image.view(), refresh, memories[c], 0, {}, {}});
      batch.push_back(&jobs.back());
    }
    tower.encode(batch);
  };
  for (std::size_t c = 0; c < kMost; ++c) encode(c, 1, all);

  const char *separator = "[";
  for (const int changed : {8, 32, 128}) {
    PatchMap refresh(static_cast<std::size_t>(weights->shape.patches()));
    for (int p = 0; p < changed; ++p)
      refresh[static_cast<std::size_t>(p) * refresh.size() / static_cast<std::size_t>(changed)] = 255;
    for (const std::size_t count : {std::size_t{2}, std::size_t{4}, kMost}) {
      std::vector<double> together, in_turn;
      for (int round = 0; round < rounds; ++round) {
        together.push_back(milliseconds_of([&] { encode(0, count, refresh); }));
        in_turn.push_back(milliseconds_of([&] {
          for (std::size_t c = 0; c < count; ++c) encode(c, 1, refresh);
        }));
      }
      std::printf("%s{\"cameras\": %zu, \"patches\": %d, ", separator, count, changed);
      separator = ", ";
      print_list("together_ms", together);
      print_list("in_turn_ms", in_turn, "}");
    }
  }
  std::printf("]\n");
}

// Whole encodes, by int8, with so many of 100 patches merged inside, in turns.
void merging(const ModelFiles &files, int rounds) {
  const auto pair = need(ModelPair::open(files));
  std::map<int, std::unique_ptr<VisionEncoder>> encoders;
  std::map<int, std::vector<double>> times;
  for (const int percent : {0, 25, 50})
    encoders[percent] = need(make_encoder(pair, {.kind = EncoderKind::int8, .merge_inside = 0.01 * percent}));
  const auto image = picture(encoders[0]->input());
  for (int round = -1; round < rounds; ++round) {  // the first one warms up
    for (const auto &[percent, encoder] : encoders) {
      auto &whole = *encoder;
      const double ms = milliseconds_of([&] { need(whole.encode(image.view(), {}, {})); });
      if (round >= 0) times[percent].push_back(ms);
    }
  }
  std::printf("{");
  for (const auto &[percent, values] : times)
    print_list(std::to_string(percent).c_str(), values, percent < 50 ? ", " : "}\n");
}

// Means over all pictures, for each method.
void tokens(const ModelFiles &files, const std::string &path, double share) {
  const auto encoder = need(make_encoder(need(ModelPair::open(files))));
  cv::VideoCapture video(path);
  KeepRequest request;
  request.amount.ratio = share;
  std::map<std::string_view, TokenMetrics> sums;
  int pictures = 0;
  for (cv::Mat bgr; video.read(bgr); ++pictures) {
    const auto image = resize_area(rgb_of(bgr).view(), encoder->input().width, encoder->input().height);
    const auto all = need(encoder->encode(image.view(), {}, {}));
    for (const auto name : compressor_names()) {
      const auto lost =
          need(measure_compression(*all, need(need(make_compressor(name))->compress(*all, request))));
      sums[name].quantisation_error += lost.quantisation_error;
      sums[name].coverage += lost.coverage;
    }
  }
  if (!pictures) fail("cannot read " + path);
  std::printf("{\"pictures\": %d", pictures);
  for (const auto &[name, sum] : sums)
    std::printf(", \"%s\": {\"error\": %.4f, \"coverage\": %.4f}", std::string(name).c_str(),
                sum.quantisation_error / pictures, sum.coverage / pictures);
  std::printf("}\n");
}

}  // namespace
}  // namespace saccade

int main(int count, char **words) {
  const std::string mode = count > 1 ? words[1] : "";
  if (mode == "whole" && count == 5) {
    saccade::whole({words[2], words[3], 0}, std::atoi(words[4]));
  } else if (mode == "clip" && count == 6) {
    saccade::clip({words[2], words[3], 0}, words[4], std::atof(words[5]));
  } else if (mode == "cameras" && count == 5) {
    saccade::cameras({words[2], words[3], 0}, std::atoi(words[4]));
  } else if (mode == "merging" && count == 5) {
    saccade::merging({words[2], words[3], 0}, std::atoi(words[4]));
  } else if (mode == "tokens" && count == 6) {
    saccade::tokens({words[2], words[3], 0}, words[4], std::atof(words[5]));
  } else {
    saccade::fail(
        "say: whole, cameras or merging TEXT MMPROJ ROUNDS, clip TEXT MMPROJ CLIP PICTURES_PER_SECOND, or "
        "tokens TEXT MMPROJ CLIP SHARE");
  }
  return 0;
}
