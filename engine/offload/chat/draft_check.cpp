#include "offload/chat/draft_check.h"

#include <algorithm>
#include <optional>
#include <vector>

namespace saccade {

namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD, for a part of a character
constexpr std::string_view kSpace = " \t\r\n";

bool is_space(char c) { return kSpace.find(c) != std::string_view::npos; }

// Neighbouring tokens that share characters, and where their text ends in the draft.
struct Unit {
  std::size_t first_token = 0;
  std::size_t end = 0;
};

bool holds_part_of_a_character(const std::string &text) {
  return text.empty() || text.find(kReplacement) != std::string::npos;
}

// Where a run of tokens that hold parts of characters begins: behind the whole token before it.
std::size_t begin_of_parts(std::string_view draft, const PromptToken *before) {
  const auto found = before ? draft.rfind(before->text) : std::string_view::npos;
  return found == std::string_view::npos ? 0 : found + before->text.size();
}

// The draft's tokens are the prompt's last ones; the first of them may begin before it, with the template's
// white space. Nothing when the tokens at the end are not the draft's.
std::optional<std::vector<Unit>> units_of(std::span<const PromptToken> prompt, std::string_view draft) {
  std::vector<Unit> units;  // from the last to the first
  std::size_t end = draft.size();
  std::size_t token = prompt.size();
  while (end > 0 && token > 0) {
    auto first = token;
    while (first > 0 && holds_part_of_a_character(prompt[first - 1].text)) --first;
    std::size_t begin = 0;
    if (first < token) {
      begin = begin_of_parts(draft.substr(0, end), first > 0 ? &prompt[first - 1] : nullptr);
    } else {
      --first;
      const std::string_view text = prompt[first].text;
      const auto inside = std::min(text.size(), end);
      begin = end - inside;
      if (!text.ends_with(draft.substr(begin, inside))) return std::nullopt;
    }
    if (begin < end) units.push_back({first, end});
    token = first;
    end = begin;
  }
  if (end > 0) return std::nullopt;
  std::reverse(units.begin(), units.end());
  return units;
}

bool is_end_of_a_word(std::string_view draft, std::size_t at) {
  return at == draft.size() || (is_space(draft[at]) && !is_space(draft[at - 1]));
}

}  // namespace

DraftCheck check_draft(std::span<const PromptToken> prompt, std::string_view draft) {
  DraftCheck check;
  const auto units = units_of(prompt, draft);
  if (!units || units->empty()) return check;
  check.told = true;
  check.tokens = static_cast<int>(prompt.size() - units->front().first_token);
  std::size_t end = 0;   // of what is accepted
  std::size_t kept = 0;  // tokens in front of it
  std::size_t i = 0;
  for (; i < units->size(); ++i) {
    const auto &unit = (*units)[i];
    const auto next = i + 1 < units->size() ? (*units)[i + 1].first_token : prompt.size();
    const auto tokens = prompt.subspan(unit.first_token, next - unit.first_token);
    if (!std::all_of(tokens.begin(), tokens.end(), [](const auto &token) { return token.rank == 1; })) break;
    check.tokens_accepted += static_cast<int>(tokens.size());
    for (const auto &token : tokens) check.log_probabilities.push_back(token.log_probability);
    if (!is_end_of_a_word(draft, unit.end)) continue;
    end = unit.end;
    kept = check.log_probabilities.size();
  }
  check.whole = i == units->size();
  check.accepted = draft.substr(0, end);
  check.log_probabilities.resize(kept);
  return check;
}

}  // namespace saccade
