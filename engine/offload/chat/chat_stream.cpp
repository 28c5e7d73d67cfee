#include <utility>

#include "offload/chat/chat_json.h"

namespace saccade {

using namespace chat_json;

Status ChatStream::take(std::string_view bytes) {
  for (const char c : bytes) {
    // A line ends in \n, \r or both.
    const bool second_half = c == '\n' && after_return_;
    after_return_ = c == '\r';
    if (second_half) continue;
    if (c != '\n' && c != '\r') {
      line_ += c;
      continue;
    }
    if (auto status = take_line(line_); !status.ok()) return status;
    line_.clear();
  }
  return {};
}

Status ChatStream::take_line(std::string_view line) {
  if (line.empty()) return take_event();
  constexpr std::string_view kData = "data:";
  if (!line.starts_with(kData)) return {};  // comments that keep the line open, names and numbers of events
  line.remove_prefix(kData.size());
  if (line.starts_with(' ')) line.remove_prefix(1);
  if (!event_.empty()) event_ += '\n';
  event_ += line;
  return {};
}

Status ChatStream::take_event() {
  const std::string data = std::exchange(event_, {});
  if (data.empty() || ended_) return {};
  if (data == "[DONE]") {
    ended_ = true;
    return {};
  }
  auto parsed = parse(data);
  if (!parsed.ok()) return parsed.status();
  JsonNode *root = json_parser_get_root(parsed.value().get());
  if (auto error = error_in(root); !error.ok()) return error;
  read_usage(root, reply_);
  read_timings(root, reply_);
  JsonArray *choices = array_of(member(root, "choices"));
  if (!choices) return {StatusKind::corrupt, "a piece of it holds no choices"};
  any_ = true;
  if (json_array_get_length(choices) == 0) return {};  // the usage alone
  JsonNode *choice = json_array_get_element(choices, 0);
  const char *text = string_of(member(member(choice, "delta"), "content"));
  if (text) reply_.text += text;
  std::vector<float> values;
  if (!read_log_probabilities(choice, values)) values.clear();
  take_log_probabilities(std::move(values), text && *text);
  read_finish(choice, reply_);
  return {};
}

// Servers tell them with each piece of text, or all at the end; none = this piece tells nothing.
void ChatStream::take_log_probabilities(std::vector<float> values, bool with_text) {
  if (values.empty()) {
    untold_ |= with_text;
  } else if (with_text) {
    auto &known = reply_.log_probabilities;
    known.insert(known.end(), values.begin(), values.end());
  } else {
    reply_.log_probabilities = std::move(values);
    told_at_the_end_ = true;
  }
  if (untold_ && !told_at_the_end_) reply_.log_probabilities.clear();
}

Status ChatStream::finished() const {
  if (!any_) return {StatusKind::corrupt, "it holds no piece of a completion"};
  if (!ended_ && !reply_.complete) return {StatusKind::unavailable, "it broke off before its end"};
  return {};
}

}  // namespace saccade
