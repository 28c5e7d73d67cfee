#include "faults/link_schedule.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <sstream>

namespace saccade::faults {

namespace {

struct Scale {
  std::string_view name;
  double factor;
};
constexpr std::array kTimes = {Scale{"us", 1e-6}, Scale{"ms", 1e-3}, Scale{"min", 60.0}, Scale{"s", 1.0}};
constexpr std::array kRates = {Scale{"kbit/s", 125.0}, Scale{"Mbit/s", 125e3}, Scale{"kB/s", 1e3},
                               Scale{"MB/s", 1e6}, Scale{"B/s", 1.0}};
constexpr std::array kNone = {Scale{"", 1.0}};
constexpr double kLongest = 1e6;  // seconds

// A number of at least 0 with one of these endings, times its factor.
std::optional<double> number(std::string_view text, std::span<const Scale> scales) {
  double value = 0;
  const auto end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || !std::isfinite(value) || value < 0) return std::nullopt;
  const std::string_view ending(rest, static_cast<std::size_t>(end - rest));
  for (const auto &scale : scales) {
    if (ending == scale.name) return value * scale.factor;
  }
  return std::nullopt;
}

bool set_time(std::string_view value, Duration *time) {
  const auto seconds = number(value, kTimes);
  if (!seconds || *seconds > kLongest) return false;
  *time = from_seconds(*seconds);
  return true;
}

bool set_share(std::string_view value, double *share) {
  const auto given = number(value, kNone);
  if (!given || *given > 1) return false;
  *share = *given;
  return true;
}

bool set_rate(std::string_view value, double *rate) {
  const auto given = value == "0" ? std::optional(0.0) : number(value, kRates);
  if (!given || (*given > 0 && *given < kSlowestRate)) return false;
  *rate = *given;
  return true;
}

bool set(std::string_view name, std::string_view value, LineState *line) {
  if (name == "delay") return set_time(value, &line->delay);
  if (name == "jitter") return set_time(value, &line->jitter);
  if (name == "stall") return set_time(value, &line->stall);
  if (name == "loss") return set_share(value, &line->loss);
  if (name == "corrupt") return set_share(value, &line->corrupt);
  if (name != "rate" && name != "drip") return false;
  line->drip = name == "drip";
  return set_rate(value, &line->rate) && (!line->drip || line->rate > 0);
}

Status bad_line(int number, const std::string &what) {
  return {StatusKind::invalid_argument, "line " + std::to_string(number) + " of the schedule: " + what};
}

// A line's words without its comment.
std::vector<std::string> words_of(const std::string &line) {
  std::istringstream stream(line.substr(0, line.find('#')));
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

Result<LinkState> state_of(std::span<const std::string> words, LinkState state) {
  for (const auto &word : words) {
    if (auto applied = apply_word(word, &state); !applied.ok()) return applied;
  }
  return state;
}

}  // namespace

Status apply_word(std::string_view word, LinkState *state) {
  if (word == "open" || word == "cut" || word == "hang") {
    state->door = word == "cut"    ? LinkState::Door::cut
                  : word == "hang" ? LinkState::Door::hang
                                   : LinkState::Door::open;
    return {};
  }
  const auto equals = word.find('=');
  auto name = word.substr(0, equals);
  const auto value = equals == std::string_view::npos ? std::string_view() : word.substr(equals + 1);
  const bool only_up = name.starts_with("up.");
  const bool only_down = name.starts_with("down.");
  if (only_up || only_down) name.remove_prefix(name.find('.') + 1);
  const bool set_up = only_down || set(name, value, &state->up);
  const bool set_down = only_up || set(name, value, &state->down);
  if (set_up && set_down) return {};
  std::string what = "\"";
  what.append(word).append(
      "\" says nothing about a link; such words do: cut, hang, delay=10ms, jitter=2ms, ");
  what += "rate=25MB/s, loss=0.01, stall=200ms, corrupt=0.0001, drip=50B/s, up.rate=1Mbit/s";
  return {StatusKind::invalid_argument, std::move(what)};
}

Result<LinkSchedule> parse_schedule(std::string_view text, const LinkState &base, double time_scale) {
  if (!(time_scale > 0)) return Status(StatusKind::invalid_argument, "the time scale must be above 0");
  LinkSchedule schedule;
  std::istringstream lines{std::string(text)};
  int line_number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++line_number;
    const auto words = words_of(line);
    if (words.empty()) continue;
    if (schedule.repeat_after > Duration::zero())
      return bad_line(line_number, "nothing follows on \"repeat\"");
    const auto seconds = number(words[0], kNone);
    if (!seconds || *seconds > kLongest)
      return bad_line(line_number, "it begins with \"" + words[0] + "\", not with seconds");
    const auto at = from_seconds(*seconds / time_scale);
    const bool in_order = schedule.steps.empty() ? *seconds == 0 : at > schedule.steps.back().at;
    if (!in_order) return bad_line(line_number, "times begin with 0 and grow");
    if (words.size() == 2 && words[1] == "repeat" && !schedule.steps.empty()) {
      schedule.repeat_after = at;
      continue;
    }
    auto state = state_of(std::span(words).subspan(1), base);
    if (!state.ok()) return bad_line(line_number, state.status().message());
    schedule.steps.push_back({at, std::move(state).value()});
  }
  if (schedule.steps.empty()) return bad_line(line_number, "there is no state in it");
  return schedule;
}

LinkSchedule::Place LinkSchedule::at(Duration elapsed) const {
  const bool repeats = repeat_after > Duration::zero();
  const auto since = repeats ? elapsed % repeat_after : elapsed;
  const auto next =
      std::find_if(steps.begin() + 1, steps.end(), [&](const Step &step) { return step.at > since; });
  Place place{(next - 1)->state, std::nullopt};
  if (next != steps.end()) {
    place.lasts = next->at - since;
  } else if (repeats) {
    place.lasts = repeat_after - since;
  }
  return place;
}

}  // namespace saccade::faults
