#include "mllm/gbnf_text.h"

#include <algorithm>

namespace saccade {
namespace {

constexpr std::string_view kFraction = R"(("." [0-9]{1,15})?)";
constexpr std::string_view kNoFraction = R"(("." "0"{1,15})?)";

void add_alternative(std::string &alternatives, const std::string &more) {
  alternatives += (alternatives.empty() ? "" : " | ") + more;
}

std::string digit_between(char low, char high) {
  return low == high ? gbnf_literal({&low, 1}) : std::string("[") + low + '-' + high + ']';
}

std::string digits(std::size_t least, std::size_t most) {
  return most == 0 ? std::string() : std::string(" ").append(gbnf_repeated("[0-9]", least, most));
}

bool all(std::string_view text, char digit) {
  return text.find_first_not_of(digit) == std::string_view::npos;
}

// The numbers from `low` to `high`, which have the same number of digits.
std::string between(std::string_view low, std::string_view high) {
  const auto low_rest = low.substr(1);
  const auto high_rest = high.substr(1);
  if (all(low_rest, '0') && all(high_rest, '9'))
    return digit_between(low[0], high[0]) + digits(low_rest.size(), low_rest.size());
  if (low[0] == high[0])
    return digit_between(low[0], low[0]) + " " + gbnf_group(between(low_rest, high_rest));

  std::string alternatives;
  char from = low[0];
  char to = high[0];
  if (!all(low_rest, '0')) {
    const std::string nines(low_rest.size(), '9');
    add_alternative(alternatives, digit_between(from, from) + " " + gbnf_group(between(low_rest, nines)));
    ++from;
  }
  std::string last;
  if (!all(high_rest, '9')) {
    const std::string zeros(high_rest.size(), '0');
    last = digit_between(to, to) + " " + gbnf_group(between(zeros, high_rest));
    --to;
  }
  if (from <= to)
    add_alternative(alternatives, digit_between(from, to) + digits(low_rest.size(), low_rest.size()));
  if (!last.empty()) add_alternative(alternatives, last);
  return alternatives;
}

std::int64_t nines(std::size_t count) { return std::stoll(std::string(count, '9')); }

// The numbers from `low` to `high`, 0 <= low <= high, by their number of digits.
std::string natural(std::int64_t low, std::int64_t high) {
  std::string alternatives;
  if (low == 0 && high > 9) {
    add_alternative(alternatives, gbnf_literal("0"));
    low = 1;  // from where on all numbers of one length can be said at once
  }
  while (low <= high) {
    const auto text = std::to_string(low);
    auto length = text.size();
    if (text[0] == '1' && all(std::string_view(text).substr(1), '0') && nines(length) <= high) {
      while (nines(length + 1) <= high) ++length;
      add_alternative(alternatives, "[1-9]" + digits(text.size() - 1, length - 1));
    } else {
      add_alternative(alternatives, between(text, std::to_string(std::min(nines(length), high))));
    }
    low = nines(length) + 1;
  }
  return gbnf_group(alternatives);
}

// The numbers from `low` to `high` with what may stand behind the point, 0 <= low <= high.
std::string not_negative(std::int64_t low, std::int64_t high) {
  std::string alternatives;
  if (low < high) add_alternative(alternatives, natural(low, high - 1) + " " + std::string(kFraction));
  add_alternative(alternatives, natural(high, high) + " " + std::string(kNoFraction));
  return gbnf_group(alternatives);
}

}  // namespace

const std::string_view kGbnfAnyNumber =
    R"("-"? ("0" | [1-9] [0-9]{0,14}) ("." [0-9]{1,15})? ([eE] [-+]? [0-9]{1,2})?)";

const std::string_view kGbnfCharacter =
    R"([ !#-\[\]-~\u00A0-\uD7FF\uE000-\uFFFD\U00010000-\U0010FFFF] | "\\" ["\\/bfnrt])";

const std::string_view kGbnfDate =
    R"([0-9]{4} "-" (("0" [13578] | "1" [02]) "-" ("0" [1-9] | [12] [0-9] | "3" [01]))"
    R"( | ("0" [469] | "11") "-" ("0" [1-9] | [12] [0-9] | "30"))"
    R"( | "02-" ("0" [1-9] | "1" [0-9] | "2" [0-8])))"
    R"( | ([0-9] [0-9] ("0" [48] | [2468] [048] | [13579] [26]) | ([02468] [048] | [13579] [26]) "00") "-02-29")";

const std::string_view kGbnfTime =
    R"(([01] [0-9] | "2" [0-3]) ":" [0-5] [0-9] ":" [0-5] [0-9] ("." [0-9]{1,6})?)"
    R"( ("Z" | [-+] ([01] [0-9] | "2" [0-3]) ":" [0-5] [0-9]))";

std::string gbnf_literal(std::string_view text) {
  std::string literal = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') literal += '\\';
    literal += c;
  }
  return literal + '"';
}

std::string gbnf_group(std::string_view what) { return std::string("(").append(what).append(")"); }

std::string gbnf_repeated(std::string_view what, std::size_t least, std::size_t most) {
  std::string repeated(what);
  if (least == 1 && most == 1) return repeated;
  if (least == most) return repeated + "{" + std::to_string(least) + "}";
  return repeated + "{" + std::to_string(least) + "," + std::to_string(most) + "}";
}

std::string gbnf_integer(std::int64_t low, std::int64_t high) {
  std::string alternatives;
  if (high >= 0) add_alternative(alternatives, natural(std::max<std::int64_t>(low, 0), high));
  if (low < 0) add_alternative(alternatives, R"("-" )" + natural(std::max<std::int64_t>(-high, 1), -low));
  return gbnf_group(alternatives);
}

std::string gbnf_number(std::int64_t low, std::int64_t high) {
  std::string alternatives;
  if (high >= 0) add_alternative(alternatives, not_negative(std::max<std::int64_t>(low, 0), high));
  if (low < 0)
    add_alternative(alternatives, R"("-" )" + not_negative(std::max<std::int64_t>(-high, 0), -low));
  return gbnf_group(alternatives);
}

}  // namespace saccade
