#include "mllm/gbnf_rules.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <utility>

#include "base/utf8.h"

namespace saccade {
namespace {

constexpr std::size_t kMaxBytes = 256UL * 1024;
constexpr int kMaxNesting = 64;               // of parentheses; each is a call within a call here
constexpr std::size_t kMaxRepetition = 2000;  // as in llama.cpp, which takes a larger maximum for none
constexpr std::size_t kMaxRules = 10'000;     // groups are counted, too
constexpr std::uint32_t kLastLetter = 0x10FFFF;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool is_name(char c) { return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-'; }

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  Result<GbnfRules> read() {
    skip_space(true);
    while (!at_end()) {
      read_rule();
      skip_space(true);
    }
    for (const auto &rule : grammar_.rules)
      if (!rule.defined) fail("rule \"" + rule.name + "\" is not defined", rule.line);
    const auto root = names_.find("root");
    if (root == names_.end()) fail("there is no rule \"root\", with which a text begins");
    if (!failure_.ok()) return failure_;
    grammar_.root = root->second;
    return std::move(grammar_);
  }

 private:
  // --- Letters. After a failure the text counts as read to its end, so that every loop ends.

  bool at_end() const { return at_ == text_.size(); }
  char peek(std::size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }
  char take() {
    if (at_end()) return '\0';
    if (text_[at_] == '\n') ++line_;
    return text_[at_++];
  }
  bool take_if(char wanted) {
    if (peek() != wanted) return false;
    take();
    return true;
  }

  void fail(const std::string &what, int line, StatusKind kind = StatusKind::invalid_argument) {
    if (failure_.ok()) failure_ = {kind, "line " + std::to_string(line) + ": " + what};
    at_ = text_.size();
  }
  void fail(const std::string &what) { fail(what, line_); }

  void skip_space(bool newlines_too) {
    while (peek() == ' ' || peek() == '\t' || peek() == '#' ||
           (newlines_too && (peek() == '\r' || peek() == '\n'))) {
      if (take() != '#') continue;
      while (!at_end() && peek() != '\r' && peek() != '\n') take();
    }
  }

  std::string read_name() {
    const auto start = at_;
    while (is_name(peek())) take();
    return std::string(text_.substr(start, at_ - start));
  }

  std::uint32_t read_hex(int digits) {
    std::uint32_t value = 0;
    for (int i = 0; i < digits; ++i) {
      if (!is_hex(peek())) {
        fail("an escape is cut short: \\x has 2 hexadecimal digits, \\u 4 and \\U 8");
        return 0;
      }
      const char digit[] = {take()};
      std::uint32_t nibble = 0;
      std::from_chars(digit, digit + 1, nibble, 16);
      value = value << 4 | nibble;
    }
    if (value > kLastLetter) fail("an escape is beyond Unicode, which ends at \\U0010FFFF");
    return value;
  }

  std::uint32_t read_escape() {
    const char kind = take();
    switch (kind) {
      case 'x': return read_hex(2);
      case 'u': return read_hex(4);
      case 'U': return read_hex(8);
      case 't': return '\t';
      case 'r': return '\r';
      case 'n': return '\n';
      case '\\':
      case '"':
      case '[':
      case ']':
      case '-': return static_cast<std::uint32_t>(kind);
      default:
        fail(R"(an unknown escape; there are \n \r \t \\ \" \[ \] \- \xXX \uXXXX \UXXXXXXXX)");
        return 0;
    }
  }

  // One letter of a literal or a class; the text is known to be UTF-8.
  std::uint32_t read_letter() {
    const auto first = static_cast<unsigned char>(take());
    if (first == '\\') return read_escape();
    if (first < 0x80) return first;
    const int more = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : 1;
    std::uint32_t letter = first & (0x3FU >> more);
    for (int i = 0; i < more; ++i) letter = letter << 6 | (static_cast<unsigned char>(take()) & 0x3FU);
    return letter;
  }

  // --- Rules

  RuleIndex new_rule(const std::string &name) {
    if (grammar_.rules.size() == kMaxRules)
      fail("there are more than " + std::to_string(kMaxRules) + " rules", line_, StatusKind::exhausted);
    grammar_.rules.push_back({name, line_, false, {}});
    return grammar_.rules.size() - 1;
  }

  RuleIndex rule_called(const std::string &name) {
    const auto known = names_.find(name);
    if (known != names_.end()) return known->second;
    return names_[name] = new_rule(name);
  }

  void read_rule() {
    const auto name = read_name();
    if (name.empty()) return fail("expected the name of a rule, made of letters, digits and -");
    const auto rule = rule_called(name);
    if (grammar_.rules[rule].defined) return fail("rule \"" + name + "\" is defined a second time");
    grammar_.rules[rule].line = line_;
    grammar_.rules[rule].defined = true;
    skip_space(false);
    if (!take_if(':') || !take_if(':') || !take_if('=')) return fail("expected ::= after \"" + name + "\"");
    skip_space(true);
    auto alternatives = read_alternatives(name, false);
    grammar_.rules[rule].alternatives = std::move(alternatives);
    if (!at_end() && peek() != '\r' && peek() != '\n')
      fail("in rule \"" + name + "\": expected a literal, a class, a rule's name, ( or the end of the line");
  }

  std::vector<GbnfSequence> read_alternatives(const std::string &name, bool nested) {
    std::vector<GbnfSequence> alternatives{read_sequence(name, nested)};
    while (take_if('|')) {
      skip_space(true);
      alternatives.push_back(read_sequence(name, nested));
    }
    return alternatives;
  }

  GbnfSequence read_sequence(const std::string &name, bool nested) {
    GbnfSequence sequence;
    for (;;) {
      GbnfItem item;
      if (peek() == '"') {
        item.what = read_literal();
      } else if (peek() == '[') {
        item.what = Letters{read_class()};
      } else if (take_if('.')) {
        item.what = Letters{{{}, true}};
      } else if (peek() == '(') {
        item.what = read_group(name);
      } else if (is_name(peek())) {
        item.what = rule_called(read_name());
      } else {
        if (peek() == '<' || peek() == '!') fail("tokens in <> are not supported, only letters");
        return sequence;
      }
      skip_space(nested);
      read_repetition(item, nested);
      sequence.push_back(std::move(item));
    }
  }

  Letters read_literal() {
    Letters letters;
    take();
    while (!at_end() && peek() != '"') {
      const auto letter = read_letter();
      letters.push_back({{{letter, letter}}});
    }
    if (!take_if('"')) fail("a literal never ends; expected \"");
    return letters;
  }

  LetterSet read_class() {
    LetterSet set;
    take();
    set.all_others = take_if('^');
    while (!at_end() && peek() != ']') {
      const auto first = read_letter();
      auto last = first;
      if (peek() == '-' && peek(1) != ']') {
        take();
        last = read_letter();
      }
      if (last < first) fail("a range in a class runs backwards");
      set.ranges.emplace_back(first, last);
    }
    if (!take_if(']')) fail("a class never ends; expected ]");
    if (set.ranges.empty()) fail("an empty class matches nothing");
    return set;
  }

  RuleIndex read_group(const std::string &name) {
    take();
    if (++nesting_ > kMaxNesting)
      fail("parentheses are nested more than " + std::to_string(kMaxNesting) + " deep");
    skip_space(true);
    const auto group = new_rule(name);
    grammar_.rules[group].defined = true;
    auto alternatives = read_alternatives(name, true);
    grammar_.rules[group].alternatives = std::move(alternatives);
    if (!take_if(')')) fail("expected )");
    --nesting_;
    return group;
  }

  // --- Repetitions

  static bool is_empty(const GbnfItem &item) {
    const auto *letters = std::get_if<Letters>(&item.what);
    return letters && letters->empty();
  }
  bool at_repetition() const { return peek() == '*' || peek() == '+' || peek() == '?' || peek() == '{'; }

  void read_repetition(GbnfItem &item, bool nested) {
    if (!at_repetition()) return;
    switch (take()) {
      case '*': item.least = 0, item.most = GbnfItem::kWithoutEnd; break;
      case '+': item.most = GbnfItem::kWithoutEnd; break;
      case '?': item.least = 0; break;
      default: read_bounds(item);
    }
    skip_space(nested);
    if (is_empty(item)) fail("an empty literal cannot be repeated");
    if (at_repetition()) fail("a repetition of a repetition needs parentheses");
    if (item.least > kMaxRepetition || (item.most != GbnfItem::kWithoutEnd && item.most > kMaxRepetition))
      fail("a repetition is too large: " + std::to_string(kMaxRepetition) + " is the most");
  }

  void read_bounds(GbnfItem &item) {
    skip_space(false);
    item.least = item.most = read_number();
    skip_space(false);
    if (take_if(',')) {
      skip_space(false);
      item.most = is_digit(peek()) ? read_number() : GbnfItem::kWithoutEnd;
      skip_space(false);
    }
    if (!take_if('}')) fail("expected }, as in {2}, {2,} or {2,5}");
    if (item.most < item.least) fail("a repetition's maximum is below its minimum");
  }

  std::size_t read_number() {
    const auto start = at_;
    while (is_digit(peek())) take();
    const auto digits = text_.substr(start, at_ - start);
    std::size_t number = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (digits.empty()) fail("expected a number, as in {2}, {2,} or {2,5}");
    // What does not fit is as much too large as this.
    return error == std::errc() ? number : kMaxRepetition + 1;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int line_ = 1;
  int nesting_ = 0;
  Status failure_;  // the first

  GbnfRules grammar_;
  std::map<std::string, std::size_t> names_;
};

}  // namespace

bool LetterSet::has_any_of(std::uint32_t first, std::uint32_t last) const {
  if (!all_others)
    return std::ranges::any_of(
        ranges, [&](const auto &range) { return range.first <= last && first <= range.second; });
  auto sorted = ranges;
  std::ranges::sort(sorted);
  for (const auto &[from, to] : sorted) {
    if (first < from) return true;
    first = std::max(first, to + 1);
    if (first > last) return false;
  }
  return true;
}

bool LetterSet::has(std::uint32_t letter) const {
  const bool listed = std::ranges::any_of(
      ranges, [&](const auto &range) { return range.first <= letter && letter <= range.second; });
  return listed != all_others;
}

Result<GbnfRules> read_gbnf(std::string_view text) {
  if (text.size() > kMaxBytes)
    return Status{StatusKind::exhausted, "it is " + std::to_string(text.size()) + " bytes long; " +
                                             std::to_string(kMaxBytes) + " are the most"};
  if (!is_utf8(text) || text.find('\0') != std::string_view::npos)
    return Status{StatusKind::invalid_argument, "it is not UTF-8 text"};
  return Reader(text).read();
}

}  // namespace saccade
