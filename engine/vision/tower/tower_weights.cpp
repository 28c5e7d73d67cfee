#include "vision/tower/tower_weights.h"

#include <algorithm>
#include <cstddef>
#include <exception>
#include <optional>
#include <stdexcept>
#include <utility>

#include "vision/tower/projector_file.h"

namespace saccade::tower {
namespace {

constexpr int kMostSize = 1 << 15;  // whose products still fit
constexpr int kInternVit6bWidth = 3200;
constexpr float kInternVlEpsilon = 1e-5F;  // of the norm before its projection

// Reads tensors of known sizes. Throws std::runtime_error at one that is not as it should be.
class Reader {
 public:
  Reader(const ProjectorFile &file, const TowerShape &shape, Precision precision)
      : file_(file), shape_(shape), precision_(precision) {}

  std::vector<float> values(const std::string &name, std::size_t count) const {
    if (count == 0 || file_.count(name) != count)
      throw std::runtime_error("tensor " + name + " is missing or has another size than the file says");
    auto found = file_.tensor(name);
    if (found.empty()) throw std::runtime_error("tensor " + name + " is of a type that cannot be read");
    return found;
  }

  Norm norm(const std::string &name) const {
    const auto width = static_cast<std::size_t>(shape_.width);
    return {values(name + ".weight", width), values(name + ".bias", width)};
  }

  // `scale`: a tensor of factors of the outputs, if the file has it (LayerScale, arXiv 2103.17239).
  Linear linear(const std::string &name, int inner, int outer, const std::string &scale = {}) const {
    auto weights = values(name + ".weight", area(inner, outer));
    auto biases = bias(name, outer);
    if (file_.has(scale)) {
      const auto factors = values(scale, static_cast<std::size_t>(outer));
      for (std::size_t i = 0; i < weights.size(); ++i)
        weights[i] *= factors[i / static_cast<std::size_t>(inner)];
      for (std::size_t i = 0; i < biases.size(); ++i) biases[i] *= factors[i];
    }
    return {precision_, weights, biases, inner, kBlockRows};
  }

  // A matrix that the file holds the other way round, without bias.
  Linear transposed(const std::string &name, int inner, int outer) const {
    const auto stored = values(name, area(inner, outer));
    std::vector<float> weights(stored.size());
    for (int o = 0; o < outer; ++o)
      for (int i = 0; i < inner; ++i)
        weights[area(o, inner) + static_cast<std::size_t>(i)] =
            stored[area(i, outer) + static_cast<std::size_t>(o)];
    return {precision_, weights, {}, inner, kBlockRows};
  }

  // Queries, keys and values as one matrix: their input is quantised once.
  Linear joined(const std::string &block) const {
    std::vector<float> weights;
    std::vector<float> biases;
    for (const char *part : {"attn_q", "attn_k", "attn_v"}) {
      const auto w = values(block + part + ".weight", area(shape_.width, shape_.width));
      const auto b = bias(block + part, shape_.width);
      weights.insert(weights.end(), w.begin(), w.end());
      biases.insert(biases.end(), b.begin(), b.end());
    }
    return {precision_, weights, biases, shape_.width, kBlockRows};
  }

  // Old files name the two halves the other way round; the bias tells.
  LayerWeights layer(const std::string &block) const {
    const bool swapped = file_.count(block + "ffn_up.bias") == static_cast<std::size_t>(shape_.width) &&
                         shape_.width != shape_.hidden;
    const std::string up = swapped ? "ffn_down" : "ffn_up";
    const std::string down = swapped ? "ffn_up" : "ffn_down";
    return {norm(block + "ln1"),
            norm(block + "ln2"),
            joined(block),
            linear(block + "attn_out", shape_.width, shape_.width, block + "ls1.weight"),
            linear(block + up, shape_.width, shape_.hidden),
            linear(block + down, shape_.hidden, shape_.width, block + "ls2.weight")};
  }

 private:
  std::vector<float> bias(const std::string &name, int outer) const {
    return file_.has(name + ".bias") ? values(name + ".bias", static_cast<std::size_t>(outer))
                                     : std::vector<float>();
  }

  const ProjectorFile &file_;
  const TowerShape &shape_;
  Precision precision_;
};

std::optional<std::array<float, 3>> colours(const ProjectorFile &file, const std::string &key) {
  const auto found = file.reals(key);
  if (found.size() != 3) return std::nullopt;
  return std::array{found[0], found[1], found[2]};
}

std::string family_of(const ProjectorFile &file) {
  return file.text("vision.projector_type").value_or(file.text("projector_type").value_or(""));
}

// What the settings ask for that this tower does not do; empty when it does all.
std::string obstacle(const ProjectorFile &file, const TowerShape &shape) {
  const auto family = family_of(file);
  if (family != "idefics3" && family != "gemma3" && family != "internvl")
    return "projectors of type \"" + family + "\"";
  for (const int value : {shape.image, shape.patch, shape.width, shape.layers, shape.heads, shape.hidden})
    if (value < 1 || value > kMostSize) return "sizes that are missing or absurd";
  if (shape.image % shape.patch || shape.width % shape.heads || shape.merge < 1 || shape.side() % shape.merge)
    return "sizes that do not divide";
  if (family == "internvl" && shape.width == kInternVit6bWidth) return "InternViT-6B";  // has RMS norms
  if (file.has("v.pre_ln.weight") || file.has("v.blk.0.attn_q_norm.weight") ||
      file.has("v.blk.0.ffn_gate.weight") || !file.has("v.blk.0.attn_q.weight") ||
      shape.class_token != (family == "internvl"))
    return "towers with other parts than SigLIP's and InternViT's";
  return {};
}

TowerShape shape_of(const ProjectorFile &file) {
  TowerShape shape;
  shape.image = file.number("vision.image_size").value_or(0);
  shape.patch = file.number("vision.patch_size").value_or(0);
  shape.width = file.number("vision.embedding_length").value_or(0);
  shape.layers = file.number("vision.block_count").value_or(0);
  shape.heads = file.number("vision.attention.head_count").value_or(0);
  shape.hidden = file.number("vision.feed_forward_length").value_or(0);
  shape.merge = file.number("vision.projector.scale_factor").value_or(family_of(file) == "gemma3" ? 4 : 2);
  shape.class_token = file.has("v.class_embd");
  shape.epsilon = file.real("vision.attention.layer_norm_epsilon").value_or(1e-6F);
  shape.activation = file.is_true("use_gelu")   ? Activation::gelu
                     : file.is_true("use_silu") ? Activation::silu
                                                : Activation::gelu_quick;
  shape.mean = colours(file, "vision.image_mean").value_or(shape.mean);
  shape.deviation = colours(file, "vision.image_std").value_or(shape.deviation);
  return shape;
}

// Outputs of a matrix of so many inputs.
int outer_of(const ProjectorFile &file, const std::string &name, int inner) {
  return static_cast<int>(file.count(name) / static_cast<std::size_t>(inner));
}

TokenHead head_of(const ProjectorFile &file, const Reader &exact, const TowerShape &shape) {
  const auto family = family_of(file);
  const int joined = shape.width * shape.merge * shape.merge;
  if (family == "gemma3") {
    const std::string name = "mm.input_projection.weight";
    return {TokenHead::Gather::mean,
            TokenHead::Kind::rms,
            {exact.values("mm.soft_emb_norm.weight", static_cast<std::size_t>(shape.width)), {}},
            shape.epsilon,
            exact.transposed(name, shape.width, outer_of(file, name, shape.width)),
            std::nullopt};
  }
  if (family == "internvl") {
    const std::string mlp = "mm.model.mlp.";
    const auto wide = static_cast<std::size_t>(joined);
    const int width = outer_of(file, mlp + "1.weight", joined);
    return {TokenHead::Gather::join,
            TokenHead::Kind::layer,
            {exact.values(mlp + "0.weight", wide), exact.values(mlp + "0.bias", wide)},
            kInternVlEpsilon,
            exact.linear(mlp + "1", joined, width),
            exact.linear(mlp + "3", width, width)};
  }
  const std::string name = "mm.model.fc";
  return {TokenHead::Gather::join,
          TokenHead::Kind::none,
          {},
          shape.epsilon,
          exact.linear(name, joined, outer_of(file, name + ".weight", joined)),
          std::nullopt};
}

std::shared_ptr<const TowerWeights> pack(const ProjectorFile &file, const TowerShape &shape,
                                         Precision precision) {
  const Reader exact(file, shape, Precision::fp32);
  const Reader reader(file, shape, precision);
  const auto width = static_cast<std::size_t>(shape.width);
  TowerWeights weights{shape,
                       precision,
                       exact.linear("v.patch_embd", shape.patch_values(), shape.width),
                       shape.class_token ? exact.values("v.class_embd", width) : std::vector<float>(),
                       exact.values("v.position_embd.weight", area(shape.positions(), shape.width)),
                       {},
                       file.has("v.post_ln.weight") ? exact.norm("v.post_ln") : Norm(),
                       head_of(file, exact, shape)};
  for (int layer = 0; layer < shape.layers; ++layer)
    weights.layers.push_back(reader.layer("v.blk." + std::to_string(layer) + "."));
  return std::make_shared<const TowerWeights>(std::move(weights));
}

}  // namespace

std::string TowerWeights::kernels() const {
  const auto &layer = layers.front();
  return layer.queries_keys_values.kernel() + ", " + layer.attended.kernel() + ", " + layer.up.kernel() +
         ", " + layer.down.kernel();
}

Result<std::shared_ptr<const TowerWeights>> read_tower(const std::string &mmproj, Precision precision) {
  auto file = ProjectorFile::open(mmproj);
  if (!file.ok()) return file.status();
  const auto shape = shape_of(file.value());
  if (const auto what = obstacle(file.value(), shape); !what.empty())
    return Status{StatusKind::unsupported, "the streaming encoder does not know " + what};
  try {
    return pack(file.value(), shape, precision);
  } catch (const std::exception &error) {  // the reader's, or oneDNN's
    return Status{StatusKind::unsupported,
                  "the streaming encoder cannot use projector \"" + mmproj + "\": " + error.what()};
  }
}

}  // namespace saccade::tower
