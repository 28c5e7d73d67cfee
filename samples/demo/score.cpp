#include "score.h"

#include <algorithm>
#include <cctype>

namespace saccade::demo {
namespace {

constexpr double kChecksPerSecond = 10;
constexpr double kWithinFrame =
    1e-3;  // seconds; a check falls just behind a frame's time, never just before it

std::string bare(const std::string &text) {
  const auto counts = [](unsigned char c) { return std::isalnum(c) || c >= 0x80; };
  const auto first = std::find_if(text.begin(), text.end(), counts);
  const auto last = std::find_if(text.rbegin(), std::make_reverse_iterator(first), counts).base();
  std::string result(first, last);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return result;
}

}  // namespace

bool same_answer(const std::string &a, const std::string &b) { return bare(a) == bare(b); }

Verdict Score::add(const AnswerRecord &answer, double known_at) {
  history_[answer.question].push_back({known_at, answer.text});
  const auto truth = truth_.answer(answer.question, answer.stream_time + kWithinFrame);
  if (!truth) return Verdict::open;
  auto &share = by_question_[answer.question];
  ++share.all;
  if (!same_answer(*truth, answer.text)) return Verdict::wrong;
  ++share.right;
  return Verdict::right;
}

Share Score::at_answers() const {
  Share sum;
  for (const auto &[question, share] : by_question_) {
    sum.right += share.right;
    sum.all += share.all;
  }
  return sum;
}

Share Score::over_time(double end) const {
  Share share;
  const auto checks = static_cast<std::size_t>(end * kChecksPerSecond);
  for (const auto &question : truth_.questions()) {
    const auto known = history_.find(question);
    if (known == history_.end()) continue;  // was not asked in this run
    auto standing = known->second.begin();
    const auto last = known->second.end();
    for (std::size_t check = 0; check < checks; ++check) {
      const double time = static_cast<double>(check) / kChecksPerSecond + kWithinFrame;
      while (standing != last && std::next(standing) != last && std::next(standing)->from <= time) ++standing;
      const auto truth = truth_.answer(question, time);
      if (!truth) continue;
      ++share.all;
      share.right += standing->from <= time && same_answer(*truth, standing->text);
    }
  }
  return share;
}

}  // namespace saccade::demo
