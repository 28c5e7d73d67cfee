#include "mllm/gbnf_rules.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <map>
#include <utility>

#include "base/utf8.h"

namespace saccade {
namespace {

constexpr std::size_t kMaxBytes = 256UL * 1024;
// llama.cpp descends on the stack for each parenthesis; 60,000 of them ended the process.
constexpr int kMaxNesting = 64;
// llama.cpp's own bound on repetitions, times the rules that are repeated. It takes a larger maximum for
// none.
constexpr std::size_t kMaxRepetition = 2000;
// llama.cpp writes repetitions out, 8 bytes per element, and copies all of it for each answer.
constexpr std::size_t kMaxElements = 100'000;
constexpr std::size_t kMaxRules = 10'000;  // groups are counted, too

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

  std::size_t new_rule(const std::string &name) {
    if (grammar_.rules.size() == kMaxRules)
      fail("there are more than " + std::to_string(kMaxRules) + " rules", line_, StatusKind::exhausted);
    ++symbols_;
    grammar_.rules.push_back({name, line_, false, {}});
    return grammar_.rules.size() - 1;
  }

  std::size_t rule_called(const std::string &name) {
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
    count_elements(alternatives.size());
    return alternatives;
  }

  GbnfSequence read_sequence(const std::string &name, bool nested) {
    GbnfSequence sequence;
    for (;;) {
      GbnfItem item;
      std::size_t rules_within = 1;
      if (peek() == '"') {
        item.size = read_literal();
      } else if (peek() == '[') {
        item.size = read_class();
      } else if (take_if('.')) {
        item.size = 1;
      } else if (peek() == '(') {
        const auto before = symbols_;
        item.rule = read_group(name);
        rules_within = symbols_ - before;
      } else if (is_name(peek())) {
        item.rule = rule_called(read_name());
      } else {
        if (peek() == '<' || peek() == '!') fail("tokens in <> are not supported, only letters");
        return sequence;
      }
      skip_space(nested);
      read_repetition(item, rules_within, nested);
      sequence.push_back(item);
    }
  }

  std::size_t read_literal() {
    std::size_t letters = 0;
    take();
    for (; !at_end() && peek() != '"'; ++letters) read_letter();
    if (!take_if('"')) fail("a literal never ends; expected \"");
    return letters;
  }

  std::size_t read_class() {
    std::size_t size = 0;
    take();
    take_if('^');
    while (!at_end() && peek() != ']') {
      const auto low = read_letter();
      ++size;
      if (peek() != '-' || peek(1) == ']') continue;
      take();
      if (read_letter() < low) fail("a range in a class runs backwards");
      ++size;
    }
    if (!take_if(']')) fail("a class never ends; expected ]");
    if (size == 0) fail("an empty class matches nothing");
    return size;
  }

  std::size_t read_group(const std::string &name) {
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

  void read_repetition(GbnfItem &item, std::size_t rules_within, bool nested) {
    if (peek() != '*' && peek() != '+' && peek() != '?' && peek() != '{') return count_elements(item.size);
    switch (take()) {
      case '*': item.least = 0, item.most = kWithoutEnd; break;
      case '+': item.least = 1, item.most = kWithoutEnd; break;
      case '?': item.least = 0, item.most = 1; break;
      default: read_bounds(item);
    }
    skip_space(nested);
    if (item.size == 0) fail("an empty literal cannot be repeated");
    if (peek() == '*' || peek() == '+' || peek() == '?' || peek() == '{')
      fail("a repetition of a repetition needs parentheses");
    if (!failure_.ok()) return;
    const auto written_out = std::max<std::size_t>(1, item.most == kWithoutEnd ? item.least : item.most);
    if (written_out > kMaxRepetition || rules_within * written_out > kMaxRepetition)
      return fail("a repetition is too large: " + std::to_string(kMaxRepetition) +
                  " is the most, divided by the parentheses and repetitions within what is repeated");
    const auto optional = item.most == kWithoutEnd ? 1 : item.most - item.least;
    symbols_ += optional;
    count_elements(item.size * item.least + 1 + optional * (item.size + 3));
  }

  void read_bounds(GbnfItem &item) {
    skip_space(false);
    item.least = item.most = read_number();
    skip_space(false);
    if (take_if(',')) {
      skip_space(false);
      item.most = is_digit(peek()) ? read_number() : kWithoutEnd;
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

  void count_elements(std::size_t more) {
    elements_ += more;
    if (elements_ > kMaxElements)
      fail("the grammar is too large: with its repetitions written out it has more than " +
               std::to_string(kMaxElements) + " elements",
           line_, StatusKind::exhausted);
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int line_ = 1;
  int nesting_ = 0;
  Status failure_;  // the first

  GbnfRules grammar_;
  std::map<std::string, std::size_t> names_;
  std::size_t symbols_ = 0;   // as llama.cpp counts: rules, groups, and the rules that repetitions become
  std::size_t elements_ = 0;  // at least as many as llama.cpp will keep
};

}  // namespace

Result<GbnfRules> read_gbnf(std::string_view text) {
  if (text.size() > kMaxBytes)
    return Status{StatusKind::exhausted, "it is " + std::to_string(text.size()) + " bytes long; " +
                                             std::to_string(kMaxBytes) + " are the most"};
  if (!is_utf8(text) || text.find('\0') != std::string_view::npos)
    return Status{StatusKind::invalid_argument, "it is not UTF-8 text"};
  return Reader(text).read();
}

}  // namespace saccade
