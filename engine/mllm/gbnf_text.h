// Pieces of GBNF that match JSON values. Internal to mllm. Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace saccade {

// Numbers are written with at most so many digits before the point: each of them is exact as a double.
constexpr std::int64_t kLargestNumber = 999'999'999'999'999;

// A literal that matches `text`, which is UTF-8.
std::string gbnf_literal(std::string_view text);

std::string gbnf_group(std::string_view what);

// `what`, one thing (a rule's name, a class or a group), `least` to `most` times in a row.
std::string gbnf_repeated(std::string_view what, std::size_t least, std::size_t most);

// The decimal forms of the integers from `low` to `high`, both included; low <= high, both of
// kLargestNumber's size at most.
std::string gbnf_integer(std::int64_t low, std::int64_t high);

// The same for all numbers between them, without an exponent.
std::string gbnf_number(std::int64_t low, std::int64_t high);

// Any number, with up to 15 digits before and behind the point and up to 2 in the exponent.
extern const std::string_view kGbnfAnyNumber;

// A character of a JSON string, as itself or escaped: no control characters, which an overlay could not show.
extern const std::string_view kGbnfCharacter;

// RFC 3339's, for years 0000 to 9999; 29 February only in leap years, no leap seconds.
extern const std::string_view kGbnfDate;
extern const std::string_view kGbnfTime;

}  // namespace saccade
