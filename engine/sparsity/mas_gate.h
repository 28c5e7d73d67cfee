// The gate: decides for each frame which patches, and which modalities, are needed for the standing question.
//
// Per frame one fused pass (patch_statistics.h), then: spatial sparsity, change against what the encoders
// have been promised (committed_reference.h), relevance of sight and sound to the question, complexity and a
// route hint. Necessity of a modality N = relevance * sqrt(1 - S_spatial) * urgency, MAS = 1 - N, where the
// video's urgency is the largest patch change (1 when a patch is owed) and the sound's is its activity. MSAO
// (arXiv 2604.02945) gives the idea and no equation; the formulas are ours.
//
// All member functions may be called from any thread; look() and revisit() by one thread at a time.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/frame.h"
#include "base/status.h"
#include "sparsity/camera_noise.h"
#include "sparsity/camera_shift.h"
#include "sparsity/change_clusters.h"
#include "sparsity/committed_reference.h"
#include "sparsity/light.h"
#include "sparsity/mas_report.h"
#include "sparsity/modal_relevance.h"
#include "sparsity/motion_pace.h"
#include "sparsity/sound_activity.h"
#include "sparsity/spatial_sparsity.h"
#include "sparsity/temporal_sparsity.h"

namespace saccade {

struct MasGateSettings {
  PatchGrid grid{8, 8};
  std::string question = {};       // the standing question; empty = sight, and sound a little
  double change_threshold = 0.12;  // of the change d in [0, 1], at which a patch must be encoded again
  double sound_threshold = 0.5;    // of the sound's activity in [0, 1], at which it deserves an answer
  TemporalSettings temporal = {};
  Duration commit_timeout = std::chrono::seconds(2);  // of stream time; zero = wait for ever
  Duration max_age = std::chrono::seconds(60);        // a patch older than this is refreshed; zero = never
  // While something goes on moving where it moves already, frames are needed this far apart; zero = each.
  Duration motion_interval = std::chrono::milliseconds(400);
  Route route = Route::automatic;
  double complexity_threshold =
      0.75;  // route automatic: pictures or questions above it are better off in the cloud
};

struct MasGateCounts {
  std::uint64_t seen = 0;    // frames looked at, without revisits
  std::uint64_t needed = 0;  // reports that said so
  std::uint64_t patches_seen = 0;
  std::uint64_t patches_refreshed = 0;
  std::uint64_t sent_again = 0;  // reports that carried a patch which had been lost
  std::uint64_t woken_by_sound = 0;
  std::uint64_t hash_matches = 0;  // frames whose hash equals 95 % of the last needed one's
  std::uint64_t pending = 0;       // frames on their way to the encoders now
};

class MasGate {
 public:
  explicit MasGate(MasGateSettings settings = {});

  // Takes effect with the next frame. A new grid forgets the reference.
  void configure(const MasGateSettings &settings);
  MasGateSettings settings() const;

  // Looks at a picture (gray8 or rgb8) and what was heard since the one before. A report with `needed` makes
  // its frame pending: the caller must send the picture on. Fails with invalid_argument on an empty frame.
  Result<MasReport> look(const Frame &frame, const SoundReading &sound);

  // No new picture, but time has come to `now`: a report for the picture that was needed last, if something
  // of it was lost on the way or the sound alone is worth an answer. The caller sends that picture again.
  std::optional<MasReport> revisit(StreamTime now, const SoundReading &sound);

  // What consumers say about a frame (MasReport::frame). Unknown frames are ignored. See CommittedReference.
  void committed(std::uint64_t frame, const PatchMap &patches, const std::string &consumer);
  void dropped(std::uint64_t frame, const std::string &consumer);

  void forget();   // after a flush or a cut in the stream: the next frame is new as a whole
  void restart();  // as if constructed anew with the same settings
  MasGateCounts counts() const;

 private:
  struct Judgement {
    int changed = 0;
    int owed = 0;
    int aged = 0;
    int strongest = 0;  // patch
    bool unknown = false;
    bool light = false;
    bool woken = false;
    const char *held = nullptr;  // why changes that there are make no frame needed

    bool is_only_change() const { return changed > 0 && !unknown && !light && owed == 0 && aged == 0; }
  };

  void measure_change(StreamTime pts);
  bool is_fine() const;
  double threshold_of(int patch, double threshold) const;
  Judgement judge_patches(StreamTime pts, MasReport &report);
  bool is_aged(int patch, StreamTime pts, Duration max_age) const;
  const char *hold_small_changes(StreamTime pts, double threshold, const MasReport &report);
  const char *hold_motion(StreamTime pts, double threshold, const MasReport &report);
  bool wakes(const SoundReading &sound, StreamTime now);
  void fill_scores(const SoundReading &sound, const Judgement &judgement, MasReport &report) const;
  void fill_maps(MasReport &report) const;
  Route route_for(double complexity);
  void remember_needed(StreamTime pts, MasReport &report, const Judgement &judgement);

  mutable std::mutex mutex_;
  MasGateSettings settings_;
  ModalRelevance relevance_;
  double text_complexity_ = 0;
  PatchStatistics statistics_;
  SpatialSparsity spatial_;
  LightCompensation light_;
  CameraShift shift_;
  CameraNoise noise_;
  CommittedReference reference_;
  std::span<const std::uint8_t> steady_cells_;  // of the frame being looked at
  std::vector<float> activity_;
  std::vector<float> differences_;  // per patch, to the reference, luma levels
  std::vector<float> change_;
  std::vector<float> floors_;
  std::vector<bool> refreshing_;  // hysteresis per patch
  ChangeClusters clusters_;
  MotionPace pace_;
  std::vector<std::uint8_t> previous_cells_;  // steady, of the frame before
  std::vector<float> steps_;                  // change of each patch since then
  PatchMap moving_;
  StreamTime needed_at_{};
  std::optional<StreamTime> small_since_;  // since when small changes have been waiting
  bool sound_active_ = false;              // hysteresis of the sound
  StreamTime sound_heard_{};               // when it was last active
  StreamTime sound_woke_{};                // when it last was worth an answer
  bool cloud_ = false;                     // hysteresis of the route
  std::uint64_t frame_ = 0;
  std::optional<MasReport> last_needed_;
  std::vector<std::uint8_t> last_needed_cells_;
  std::uint64_t last_needed_hash_ = 0;
  MasGateCounts counts_;
};

}  // namespace saccade
