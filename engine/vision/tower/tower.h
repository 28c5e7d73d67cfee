// Runs a vision tower of the SigLIP kind (Idefics3, Gemma 3, InternVL): pictures in, visual tokens out, in
// full or for some of the patches.
//
// Incremental encoding after Eventful Transformers (arXiv 2308.13494), with the change decided once, at the
// pixels: the keys and values of every layer are kept; the patches to refresh go through all layers, and
// their queries attend to everything, what was kept included. What is kept of a patch is what it was when its
// surroundings were as they were then; a whole encode brings it up to date.
//
// Merging inside after ToMe (arXiv 2210.09461): of patches that look alike after some layers, one row goes on
// for all. Its keys and values are stored for each of them, which weighs it in the attention as ToMe does,
// and its features are each one's in the end, so that every patch still has its place.
#pragma once

#include <functional>
#include <future>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/frame.h"
#include "base/patch_grid.h"
#include "base/status.h"
#include "vision/tower/row_team.h"
#include "vision/tower/tower_weights.h"

namespace saccade::tower {

// What is kept of one camera's last picture: the keys and values of every layer (2 x layers x patches x width
// numbers of one byte, int8, or four, fp32), the features and the tokens. Used by one thread at a time.
class TowerMemory {
 public:
  explicit TowerMemory(const TowerWeights &weights);

  bool is_whole() const { return whole_; }  // every patch was encoded, and the last encode was not stopped
  void forget() { whole_ = false; }
  std::span<const float> tokens() const { return tokens_; }  // tokens x token_width, row by row

 private:
  friend class Tower;
  std::vector<KeyValues> layers_;
  std::vector<float> features_;  // patches x width, after the last norm
  std::vector<float> tokens_;
  bool whole_ = false;
};

// A picture to encode, of one camera. It is used, and what it refers to, until `done` is fulfilled.
struct EncodeJob {
  Frame rgb;                // exactly shape.image a side, rgb8
  const PatchMap &refresh;  // one value per patch, row by row: the marked ones are encoded; empty = all
  TowerMemory &memory;      // of this camera; while it is not whole, all patches are encoded
  double merged;            // share of a whole picture's patches that are merged with one like them; [0, 0.5]
  std::stop_token stop;     // honoured within one layer: cancelled, and the memory is not whole any more
  std::promise<Status> done;
  Duration spent{};  // written before: this job's share of the time that the pictures took together
};

// Where the time of all encodes went, in seconds of all threads together.
struct TowerCosts {
  double ends = 0;       // patch embedding and projection to tokens
  double products = 0;   // the layers' matrix products, with dequantisation and activation
  double attention = 0;  // with its softmax
  double rows = 0;       // norms and quantisation
};

struct Pass;
struct Spot;

// Threads and their memory for one copy of the weights. One caller of encode() at a time.
class Tower {
 public:
  Tower(std::shared_ptr<const TowerWeights> weights, int threads);
  ~Tower();

  const TowerWeights &weights() const { return *weights_; }

  // Encodes pictures of several cameras together, the rows of all in each product, so that the weights are
  // read once. No two jobs share a memory.
  void encode(std::span<EncodeJob *const> jobs);
  // One by itself, none of it merged.
  Status encode(const Frame &rgb, const PatchMap &refresh, TowerMemory &memory, const std::stop_token &stop);

  // How many patches of its picture a job encodes.
  int patches_of(const EncodeJob &job) const;

  TowerCosts costs() const;
  std::string kernels() const;  // what oneDNN chose, for logs and for a test

 private:
  struct Worker;

  void embed(Pass &pass, int first, int rows, Worker &worker) const;
  void take_normed(Pass &pass, const Norm &norm, int first, int rows, Worker &worker) const;
  void offer(Pass &pass, std::size_t layer, int first, int rows, Worker &worker) const;
  void pack_values(const Pass &pass, std::size_t layer);
  void attend(Pass &pass, std::size_t layer, int first, int rows, Worker &worker) const;
  void feed_forward(Pass &pass, std::size_t layer, int first, int rows, Worker &worker) const;
  void keep_features(Pass &pass, int first, int rows) const;
  void gather(const TowerMemory &memory, int token, int row, Worker &worker) const;
  std::vector<Spot> tokens_of(const Pass &pass) const;
  void project(const Pass &pass);
  void project(const Pass &pass, std::span<const Spot> tokens, Worker &worker) const;
  void merge_alike(Pass &pass) const;
  void run_layers(Pass &pass);
  void share_rows(std::size_t count, const std::function<void(int first, int rows, Worker &worker)> &work);

  std::shared_ptr<const TowerWeights> weights_;
  Attention attention_;
  std::vector<Attention::PackedValues> values_;  // of the layer that is being computed, by lane
  RowTeam team_;
  std::vector<Worker> workers_;
};

}  // namespace saccade::tower
