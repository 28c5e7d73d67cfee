#include "sparsity/mas_gate.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "sparsity/complexity.h"
#include "sparsity/difference_hash.h"

namespace saccade {
namespace {

// A patch that is changing goes on being refreshed until its change has fallen to this share of the
// threshold, so that what moved is also seen where it came to rest.
constexpr double kReleaseShare = 0.6;
constexpr double kSoundReleaseShare = 0.5;
constexpr Duration kSoundPause = std::chrono::seconds(1);         // a shorter one ends no sound
constexpr Duration kSoundOnset = std::chrono::milliseconds(250);  // which is one sound's beginning
constexpr double kMovingShare = 0.5;  // of the threshold, by which what moves differs from the frame before
constexpr double kRouteBand = 0.03;   // either side of the complexity threshold
constexpr double kReadingThresholdShare = 0.75;  // letters are small: less change counts
constexpr int kPatchesForLight = 16;             // fewer patches say little about the light
constexpr int kFineGrid = 256;       // patches, from which on what happens covers more than one of them
constexpr double kLonelyFactor = 2;  // so a lonely patch must change by so many thresholds,
constexpr double kFaintShare = 0.5;  // one beside others by this share of the strongest of them,
constexpr float kShade = 8;          // and one that only brightens or darkens by more than so many levels
constexpr double kSmall = 45;  // squared thresholds that a cluster of patches must add up to, or it may wait
constexpr Duration kSmallWait = std::chrono::seconds(20);  // for company, but no longer
constexpr double kLightThreshold = 12;      // luma levels of light that lasts, at which all is encoded again
constexpr int kHashMatch = 3;               // of 64 bits may differ: a match of 0.95
constexpr std::uint8_t kReadingKeep = 200;  // at least, for the half of the patches with most structure

std::uint8_t to_byte(double share) {
  return static_cast<std::uint8_t>(std::lround(std::clamp(share, 0.0, 1.0) * 255));
}

std::string patches(int n, int of) { return std::to_string(n) + " of " + std::to_string(of) + " patches"; }

}  // namespace

MasGate::MasGate(MasGateSettings settings) { configure(settings); }

void MasGate::configure(const MasGateSettings &settings) {
  const std::lock_guard lock(mutex_);
  settings_ = settings;
  relevance_ = relevance_of(settings.question);
  text_complexity_ = text_complexity_of(settings.question);
}

MasGateSettings MasGate::settings() const {
  const std::lock_guard lock(mutex_);
  return settings_;
}

MasGateCounts MasGate::counts() const {
  const std::lock_guard lock(mutex_);
  auto counts = counts_;
  counts.pending = reference_.pending();
  return counts;
}

void MasGate::forget() {
  const std::lock_guard lock(mutex_);
  reference_.reset({});
  light_.forget();
  shift_.forget();
  noise_.forget();
  previous_cells_.clear();
  pace_.forget();
  spatial_.forget();
  small_since_.reset();
  last_needed_.reset();
  sound_active_ = false;
  sound_heard_ = sound_woke_ = {};
}

void MasGate::restart() {
  forget();
  const std::lock_guard lock(mutex_);
  reference_ = {};
  counts_ = {};
  frame_ = 0;
  cloud_ = false;
}

void MasGate::committed(std::uint64_t frame, const PatchMap &encoded, const std::string &consumer) {
  const std::lock_guard lock(mutex_);
  reference_.committed(frame, encoded, consumer);
}

void MasGate::dropped(std::uint64_t frame, const std::string &consumer) {
  const std::lock_guard lock(mutex_);
  reference_.dropped(frame, consumer);
}

void MasGate::measure_change(StreamTime pts) {
  const auto &layout = statistics_.layout();
  if (reference_.layout() != layout) {
    reference_.reset(layout);
    light_.forget();
    shift_.forget();
    noise_.forget();
    pace_.forget();
    previous_cells_.clear();
    last_needed_.reset();
    refreshing_.assign(static_cast<std::size_t>(layout.grid.count()), false);
  }
  reference_.advance(pts, settings_.commit_timeout);
  if (layout.grid.count() >= kPatchesForLight && reference_.all_known()) {
    const auto lit = light_.apply(statistics_.cells(), reference_.expected(), pts);
    steady_cells_ = shift_.apply(lit, reference_.expected(), layout);
  } else {
    steady_cells_ = light_.pass(statistics_.cells(), pts);
  }
  noise_.learn(previous_cells_, steady_cells_);
  change_.resize(static_cast<std::size_t>(layout.grid.count()));
  floors_.resize(change_.size());
  patch_differences(layout, steady_cells_, reference_.expected(), is_fine() ? kShade : 0, change_);
  differences_ = change_;
  noise_.floors(settings_.temporal.noise_floor, floors_);
  differences_to_change(change_, floors_, settings_.temporal);
}

bool MasGate::is_fine() const { return statistics_.layout().grid.count() >= kFineGrid; }

// Noise and codecs change a patch here and there; what happens changes neighbours too.
double MasGate::threshold_of(int patch, double threshold) const {
  if (!is_fine()) return threshold;
  double beside = 0;
  for_patch_and_neighbours(statistics_.layout().grid, patch, [&](int other) {
    if (other != patch) beside = std::max<double>(beside, change_[static_cast<std::size_t>(other)]);
  });
  return beside < threshold ? kLonelyFactor * threshold : std::max(threshold, kFaintShare * beside);
}

MasGate::Judgement MasGate::judge_patches(StreamTime pts, MasReport &report) {
  Judgement judgement;
  double threshold = threshold_for(settings_.change_threshold, relevance_.video);
  if (relevance_.reading) threshold *= kReadingThresholdShare;
  judgement.light = std::abs(light_.lasting()) >= kLightThreshold;
  report.refresh.assign(change_.size(), 0);
  bool any_aged = false;
  for (int p = 0; p < report.grid.count(); ++p) any_aged |= is_aged(p, pts, settings_.max_age);
  // Those that would follow soon come along, so that age makes few frames needed.
  const auto max_age = any_aged ? settings_.max_age / 2 : settings_.max_age;
  for (int p = 0; p < report.grid.count(); ++p) {
    const auto i = static_cast<std::size_t>(p);
    const bool unknown = !reference_.is_known(p);
    if (unknown) change_[i] = 1;
    refreshing_[i] =
        !unknown && change_[i] >= (refreshing_[i] ? kReleaseShare * threshold : threshold_of(p, threshold));
    const bool aged = is_aged(p, pts, max_age);
    const bool owed = reference_.is_owed(p);
    if (change_[i] > change_[static_cast<std::size_t>(judgement.strongest)]) judgement.strongest = p;
    if (!unknown && !refreshing_[i] && !owed && !aged && !judgement.light) continue;
    report.refresh[i] = 255;
    judgement.unknown |= unknown;
    judgement.owed += owed;
    judgement.changed += refreshing_[i] && !owed;
    judgement.aged += aged && !unknown && !refreshing_[i] && !owed;
  }
  if (judgement.is_only_change()) {
    judgement.held = hold_small_changes(pts, threshold, report);
    if (!judgement.held) judgement.held = hold_motion(pts, threshold, report);
  } else {
    small_since_.reset();
  }
  if (judgement.held) {
    report.refresh.assign(change_.size(), 0);
    judgement.changed = 0;
  }
  noise_.learn_unrest(differences_, report.refresh);
  previous_cells_.assign(steady_cells_.begin(), steady_cells_.end());
  return judgement;
}

bool MasGate::is_aged(int patch, StreamTime pts, Duration max_age) const {
  return settings_.max_age > Duration::zero() && reference_.age(patch, pts) >= max_age;
}

// What is small and weak (the residue of a codec, a leaf) is sent with the next frame that is needed for
// something else, or once it has lasted. Says why it is held, or null.
const char *MasGate::hold_small_changes(StreamTime pts, double threshold, const MasReport &report) {
  const bool small =
      is_fine() && clusters_.strongest(report.grid, change_, report.refresh) < kSmall * threshold * threshold;
  if (!small) {
    small_since_.reset();
    return nullptr;
  }
  if (!small_since_) small_since_ = pts;
  if (pts - *small_since_ < kSmallWait) return "small changes wait for company";
  small_since_.reset();
  return nullptr;
}

// While something goes on moving, its pictures need not follow each other closely. Says why it is held, or
// null.
const char *MasGate::hold_motion(StreamTime pts, double threshold, const MasReport &report) {
  if (settings_.motion_interval <= Duration::zero() || previous_cells_.size() != steady_cells_.size())
    return nullptr;
  steps_.resize(change_.size());
  patch_differences(statistics_.layout(), steady_cells_, previous_cells_, is_fine() ? kShade : 0, steps_);
  differences_to_change(steps_, floors_, settings_.temporal);
  moving_.resize(change_.size());
  std::transform(steps_.begin(), steps_.end(), moving_.begin(), [threshold](float step) {
    return static_cast<std::uint8_t>(step >= kMovingShare * threshold ? 255 : 0);
  });
  const bool urgent = pace_.is_urgent(report.grid, report.refresh, moving_, pts);
  if (urgent || pts - needed_at_ >= settings_.motion_interval) return nullptr;
  return "the same motion goes on";
}

// A sound wakes when it begins; while it goes on, only what is new in it does.
bool MasGate::wakes(const SoundReading &sound, StreamTime now) {
  const double threshold = std::min(0.99, threshold_for(settings_.sound_threshold, relevance_.audio));
  const bool was_active = sound_active_;
  if (sound.present && sound.activity >= (was_active ? kSoundReleaseShare * threshold : threshold)) {
    sound_active_ = true;
    sound_heard_ = now;
  } else if (now - sound_heard_ >= kSoundPause) {
    sound_active_ = false;
  }
  const bool is_new = !was_active || (sound.novelty >= threshold && now - sound_woke_ >= kSoundOnset);
  if (!sound_active_ || !is_new) return false;
  sound_woke_ = now;
  return true;
}

void MasGate::fill_scores(const SoundReading &sound, const Judgement &judgement, MasReport &report) const {
  report.temporal = temporal_sparsity(change_);
  report.modal_video = 1 - relevance_.video;
  report.modal_audio = sound.present ? 1 - relevance_.audio : 1;
  const double most = change_.empty() ? 0 : *std::max_element(change_.begin(), change_.end());
  const double urgency = judgement.owed ? 1 : most;
  report.mas_video = 1 - relevance_.video * std::sqrt(1 - report.spatial) * urgency;
  report.mas_audio = sound.present ? 1 - relevance_.audio * sound.activity : 1;
  report.sound_active = sound_active_;
}

void MasGate::fill_maps(MasReport &report) const {
  report.activity.resize(activity_.size());
  report.change.resize(activity_.size());
  report.keep.resize(activity_.size());
  for (std::size_t i = 0; i < activity_.size(); ++i) {
    report.activity[i] = to_byte(activity_[i]);
    report.change[i] = to_byte(change_[i]);
    report.keep[i] = to_byte(0.4 * activity_[i] + 0.3 * change_[i] + 0.3 * relevance_.video);
  }
  if (!relevance_.reading) return;
  auto sorted = report.activity;
  const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2);
  std::nth_element(sorted.begin(), middle, sorted.end());
  for (std::size_t i = 0; i < report.keep.size(); ++i) {
    if (report.activity[i] >= *middle) report.keep[i] = std::max(report.keep[i], kReadingKeep);
  }
}

Route MasGate::route_for(double complexity) {
  if (settings_.route != Route::automatic) return settings_.route;
  cloud_ = complexity >= settings_.complexity_threshold + (cloud_ ? -kRouteBand : kRouteBand);
  // That a picture is simple does not make its answer sure: whoever drafts it decides.
  return cloud_ ? Route::cloud : Route::automatic;
}

namespace {

std::string place_of(int patch, const PatchGrid &grid) {
  return "row " + std::to_string(patch / grid.columns + 1) + " column " +
         std::to_string(patch % grid.columns + 1);
}

}  // namespace

void MasGate::remember_needed(StreamTime pts, MasReport &report, const Judgement &judgement) {
  const int all = report.grid.count();
  if (judgement.unknown) {
    report.reason = "new picture: " + patches(report.refresh_count(), all) + " were never encoded";
  } else if (judgement.light) {
    report.reason = "the light changed";
  } else if (judgement.changed) {
    report.reason =
        patches(judgement.changed, all) + " changed, most at " + place_of(judgement.strongest, report.grid);
    if (judgement.owed) report.reason += "; " + std::to_string(judgement.owed) + " sent again";
  } else if (judgement.owed) {
    report.reason = patches(judgement.owed, all) + " were lost on the way and are sent again";
  } else if (judgement.aged) {
    report.reason = patches(judgement.aged, all) + " are older than " +
                    std::to_string(std::lround(to_seconds(settings_.max_age))) + " s";
  }
  if (judgement.woken) report.reason += report.reason.empty() ? "sound over the background" : "; sound too";

  if (report.refresh_count() > 0) reference_.emit(report.frame, pts, last_needed_cells_, report.refresh);
  last_needed_ = report;
  needed_at_ = pts;
  ++counts_.needed;
  counts_.patches_refreshed += static_cast<std::uint64_t>(report.refresh_count());
  counts_.sent_again += judgement.owed > 0;
  counts_.woken_by_sound += judgement.woken;
}

Result<MasReport> MasGate::look(const Frame &frame, const SoundReading &sound) {
  const std::lock_guard lock(mutex_);
  if (auto status = statistics_.measure(frame, settings_.grid); !status.ok()) return status;
  measure_change(frame.pts);

  MasReport report;
  report.frame = ++frame_;
  report.grid = statistics_.layout().grid;
  activity_.resize(change_.size());
  report.spatial = spatial_.measure(statistics_.patches(), activity_);
  report.complexity = complexity_of(statistics_).total();
  report.text_complexity = text_complexity_;
  auto judgement = judge_patches(frame.pts, report);
  judgement.woken = wakes(sound, frame.pts);
  fill_scores(sound, judgement, report);
  fill_maps(report);
  report.route = route_for(std::max(report.complexity, report.text_complexity));
  report.needed = judgement.woken || report.refresh_count() > 0;

  ++counts_.seen;
  counts_.patches_seen += static_cast<std::uint64_t>(report.grid.count());
  counts_.hash_matches += last_needed_ && hash_distance(statistics_.hash(), last_needed_hash_) <= kHashMatch;
  if (report.needed) {
    const auto cells = judgement.light ? statistics_.cells() : steady_cells_;
    last_needed_cells_.assign(cells.begin(), cells.end());
    if (judgement.light) light_.accept();
    last_needed_hash_ = statistics_.hash();
    remember_needed(frame.pts, report, judgement);
  } else {
    report.reason = judgement.held ? judgement.held : "nothing changed";
  }
  return report;
}

std::optional<MasReport> MasGate::revisit(StreamTime now, const SoundReading &sound) {
  const std::lock_guard lock(mutex_);
  if (!last_needed_) return std::nullopt;
  reference_.advance(now, settings_.commit_timeout);
  Judgement judgement;
  judgement.woken = wakes(sound, now);
  MasReport report = *last_needed_;
  for (int p = 0; p < report.grid.count(); ++p) {
    const bool owed = reference_.is_owed(p);
    report.refresh[static_cast<std::size_t>(p)] = owed ? 255 : 0;
    judgement.owed += owed;
  }
  if (!judgement.woken && judgement.owed == 0) return std::nullopt;
  report.frame = ++frame_;
  report.needed = true;
  report.reason.clear();
  fill_scores(sound, judgement, report);
  remember_needed(now, report, judgement);
  return report;
}

}  // namespace saccade
