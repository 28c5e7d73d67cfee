// Attention of a block of rows to all positions of a picture, in pieces that stay in a core's cache.
//
// One head and one block of queries at a time: their scores over all positions (64 x 1,024 numbers) never
// leave the core's own cache, so the softmax is exact and takes no online rescaling (FlashAttention, arXiv
// 2205.14135, has the memory that needs it). With int8, queries and keys have a scale per row and head, as
// SageAttention (arXiv 2410.02367) has per block; values have a scale per row, which goes into the
// probabilities; and these keep 16 bits, as two bytes in two products: with 8, many small probabilities
// beside a large one would all round to zero.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "vision/tower/matrix_product.h"

namespace saccade::tower {

struct AttentionShape {
  int positions = 0;
  int heads = 0;
  int head_width = 0;

  int width() const { return heads * head_width; }
};

// Queries that are answered together: their scores over 1,024 positions are 256 KiB.
constexpr int kQueryRows = 64;

// What all positions offer to queries in one layer. Rows are written by one thread each, and read when all
// have been written.
class KeyValues {
 public:
  KeyValues(const AttentionShape &shape, Precision precision);

  void store(int position, const float *key, const float *value);  // width() floats each

 private:
  friend class Attention;
  AttentionShape shape_;
  std::vector<float> exact_keys_, exact_values_;                // positions x width; fp32 only
  std::vector<std::int8_t> keys_, values_;                      // the same; int8 only
  std::vector<float> key_scales_, key_offsets_, value_scales_;  // heads x positions
};

// One thread's memory.
struct AttentionScratch {
  AttentionScratch(const AttentionShape &shape, Precision precision);

  std::vector<float> scores;                // kQueryRows x positions
  std::vector<std::int32_t> sums;           // the same
  std::vector<float> query, exact_out;      // rows x head_width
  std::vector<std::uint8_t> byte_query;     // the same
  std::vector<std::uint8_t> probability;    // high bytes of all rows, then low ones
  std::vector<std::int32_t> out;            // likewise, x head_width
  std::vector<float> query_scales, totals;  // rows
};

// The two products of one tower. Thread-safe after it was made.
class Attention {
 public:
  Attention(const AttentionShape &shape, Precision precision);

  // Values of one head as the second product wants them: to be made again when they have changed, before
  // run().
  using PackedValues = std::vector<PackedMatrix>;  // per head
  PackedValues make_values() const;
  void pack(const KeyValues &from, int head, PackedValues &to) const;

  // queries: any number of rows x width, from the projection (not scaled); out: likewise.
  void run(std::span<const float> queries, int rows, const KeyValues &all, const PackedValues &values,
           AttentionScratch &scratch, float *out) const;

  std::string kernels() const;

 private:
  void run_exact_head(int head, const float *queries, int rows, const KeyValues &all,
                      const PackedMatrix &values, AttentionScratch &scratch, float *out) const;
  void run_int8_head(int head, const float *queries, int rows, const KeyValues &all,
                     const PackedMatrix &values, AttentionScratch &scratch, float *out) const;

  AttentionShape shape_;
  Precision precision_;
  float sharpness_;  // 1 / sqrt(head_width)
  MatrixProduct scores_;
  MatrixProduct mix_;
};

}  // namespace saccade::tower
