// Tiny pairs with random weights, and a program of llama.cpp in small that says what they must answer.
//
// The pairs are made by samples/training/random_model.py; SACCADE_TINY_PAIRS names their folder.
#pragma once

#include <gtest/gtest.h>
#include <llama.h>
#include <mtmd-helper.h>
#include <mtmd.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "base/frame.h"
#include "vision/model_pair.h"

namespace saccade {

inline constexpr int kMaxTokens = 12;
inline constexpr int kContext = 1024;

inline ModelFiles tiny_pair(const std::string &family) {
  const char *folder = std::getenv("SACCADE_TINY_PAIRS");
  const std::string stem = (folder ? std::string(folder) : "tiny-pairs") + "/tiny-" + family;
  return {stem + "-text.gguf", stem + "-mmproj.gguf", 1};
}

inline std::string no_tiny_pair(const ModelFiles &files) {
  const char *folder = std::getenv("SACCADE_TINY_PAIRS");
  return files.mmproj +
         " is not there. Make it: SACCADE_LLAMA_SOURCE=a llama.cpp source tree python3 "
         "samples/training/random_model.py all --tiny --out " +
         (folder ? folder : "tiny-pairs");
}

template <auto free_function>
struct Freed {
  template <typename T>
  void operator()(T *p) const {
    free_function(p);
  }
};

// Smooth colours that differ from seed to seed.
inline Image picture(int width, int height, int seed) {
  Image image{width, height, {}};
  image.rgb.reserve(static_cast<std::size_t>(width) * static_cast<std::size_t>(height) * 3);
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      for (int c = 0; c < 3; ++c) {
        const double wave = std::sin(0.05 * x * (c + 1) + seed) + std::sin(0.04 * y * (3 - c) + 2.0 * seed);
        image.rgb.push_back(static_cast<std::uint8_t>(127.5 + 60 * wave));
      }
  return image;
}

// Mono. `tokens` of those that libmtmd makes of it are read.
struct Sound {
  std::vector<float> samples;
  int tokens = 0;
};

// What was said, and how sure the model was of each token.
struct Said {
  std::string text;
  std::vector<float> log_probabilities;
};

// What several rows at once, or one after the other, come to differs by up to 0.02 with these random weights.
inline void expect_same(const Said &ours, const Said &theirs, float tolerance = 0.03F) {
  EXPECT_EQ(ours.text, theirs.text);
  ASSERT_EQ(ours.log_probabilities.size(), theirs.log_probabilities.size());
  for (std::size_t i = 0; i < theirs.log_probabilities.size(); ++i)
    EXPECT_NEAR(ours.log_probabilities[i], theirs.log_probabilities[i], tolerance) << "token " << i;
}

// A program of llama.cpp in small: nothing of the engine is used.
class PlainLibmtmd {
 public:
  explicit PlainLibmtmd(const ModelFiles &files) {
    mtmd_helper_log_set([](ggml_log_level, const char *, void *) {}, nullptr);
    model_.reset(llama_model_load_from_file(files.text.c_str(), llama_model_default_params()));
    auto parameters = mtmd_context_params_default();
    parameters.print_timings = false;
    parameters.warmup = false;
    parameters.n_threads = 1;
    vision_.reset(mtmd_init_from_file(files.mmproj.c_str(), model_.get(), parameters));
  }

  using Medium = std::variant<Image, Sound>;

  Said answer(const std::string &question, const std::vector<Medium> &media) const {
    auto parameters = llama_context_default_params();
    parameters.n_ctx = kContext;
    parameters.n_threads = parameters.n_threads_batch = 1;
    const std::unique_ptr<llama_context, Freed<llama_free>> context(
        llama_init_from_model(model_.get(), parameters));
    const auto chunks = cut(conversation(question, media.size()), media);
    const auto count = mtmd_input_chunks_size(chunks.get());
    auto sound = media.begin();
    llama_pos past = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const auto *chunk = mtmd_input_chunks_get(chunks.get(), i);
      if (mtmd_input_chunk_get_type(chunk) != MTMD_INPUT_CHUNK_TYPE_AUDIO) {
        EXPECT_EQ(mtmd_helper_eval_chunk_single(vision_.get(), context.get(), chunk, past, 0, 512,
                                                i + 1 == count, &past),
                  0);
        continue;
      }
      sound = std::find_if(sound, media.end(), [](const Medium &m) { return m.index() == 1; });
      read_sound(context.get(), chunk, std::get<Sound>(*sound++).tokens, past);
    }
    return generate(context.get(), past);
  }

 private:
  using Chunks = std::unique_ptr<mtmd_input_chunks, Freed<mtmd_input_chunks_free>>;
  using Bitmap = std::unique_ptr<mtmd_bitmap, Freed<mtmd_bitmap_free>>;

  std::string conversation(const std::string &question, std::size_t media) const {
    std::string content;
    for (std::size_t i = 0; i < media; ++i) content += mtmd_default_marker();
    content += question;
    const llama_chat_message message{"user", content.c_str()};
    std::string text(4096, '\0');
    const auto length =
        llama_chat_apply_template(llama_model_chat_template(model_.get(), nullptr), &message, 1, true,
                                  text.data(), static_cast<std::int32_t>(text.size()));
    text.resize(static_cast<std::size_t>(std::max(length, 0)));
    return text;
  }

  static Bitmap bitmap_of(const Medium &medium) {
    if (const auto *sound = std::get_if<Sound>(&medium))
      return Bitmap(mtmd_bitmap_init_from_audio(sound->samples.size(), sound->samples.data()));
    const auto &image = std::get<Image>(medium);
    return Bitmap(mtmd_bitmap_init(static_cast<std::uint32_t>(image.width),
                                   static_cast<std::uint32_t>(image.height), image.rgb.data()));
  }

  Chunks cut(const std::string &text, const std::vector<Medium> &media) const {
    std::vector<Bitmap> bitmaps;
    std::vector<const mtmd_bitmap *> pointers;
    for (const auto &medium : media) {
      bitmaps.push_back(bitmap_of(medium));
      pointers.push_back(bitmaps.back().get());
    }
    mtmd_input_text input{};
    input.text = text.data();
    input.text_len = text.size();
    input.add_special = true;
    input.parse_special = true;
    Chunks chunks(mtmd_input_chunks_init());
    EXPECT_EQ(mtmd_tokenize(vision_.get(), chunks.get(), &input, pointers.data(), pointers.size()), 0);
    return chunks;
  }

  // The first `tokens` of the sound's, as mtmd_helper_eval_chunks() reads all of them.
  void read_sound(llama_context *context, const mtmd_input_chunk *chunk, int tokens, llama_pos &past) const {
    const auto all = static_cast<int>(mtmd_input_chunk_get_n_tokens(chunk));
    ASSERT_GT(tokens, 0);
    ASSERT_LE(tokens, all);
    ASSERT_EQ(mtmd_encode_chunk(vision_.get(), chunk), 0);
    const auto count = static_cast<std::size_t>(tokens);
    const std::size_t rows = mtmd_decode_use_mrope(vision_.get()) ? 3 : 1;
    std::vector<llama_pos> positions(4 * count, 0);
    for (std::size_t i = 0; i < rows * count; ++i) positions[i] = past + static_cast<llama_pos>(i % count);
    std::vector<std::int32_t> one_each(count, 1);
    llama_seq_id lane = 0;
    std::vector<llama_seq_id *> lanes(count, &lane);
    std::vector<std::int8_t> wanted(count, 0);
    llama_batch batch{};
    batch.n_tokens = tokens;
    batch.embd = mtmd_get_output_embd(vision_.get());
    batch.pos = positions.data();
    batch.n_seq_id = one_each.data();
    batch.seq_id = lanes.data();
    batch.logits = wanted.data();
    ASSERT_EQ(llama_decode(context, batch), 0);
    past += tokens;
  }

  Said generate(llama_context *context, llama_pos past) const {
    Said said;
    const auto *vocabulary = llama_model_get_vocab(model_.get());
    const auto count = llama_vocab_n_tokens(vocabulary);
    for (int i = 0; i < kMaxTokens; ++i) {
      const float *logits = llama_get_logits_ith(context, -1);
      auto best = static_cast<llama_token>(std::max_element(logits, logits + count) - logits);
      double sum = 0;
      for (int k = 0; k < count; ++k) sum += std::exp(static_cast<double>(logits[k] - logits[best]));
      said.log_probabilities.push_back(static_cast<float>(-std::log(sum)));
      char piece[64];
      const auto length = llama_token_to_piece(vocabulary, best, piece, sizeof piece, 0, false);
      said.text.append(piece, static_cast<std::size_t>(std::max(length, 0)));
      auto batch = llama_batch_get_one(&best, 1);
      std::vector<llama_pos> positions(4, past);  // M-RoPE: t, y, x alike, and the fourth row is zero
      positions[3] = 0;
      batch.pos = positions.data();
      EXPECT_EQ(llama_decode(context, batch), 0);
      ++past;
    }
    return said;
  }

  std::unique_ptr<llama_model, Freed<llama_model_free>> model_;
  std::unique_ptr<mtmd_context, Freed<mtmd_free>> vision_;
};

}  // namespace saccade
