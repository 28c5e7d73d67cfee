#include "mllm/json_schema_scalars.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>

#include "mllm/gbnf_text.h"

namespace saccade {
namespace {

constexpr std::size_t kUsualLength = 200;    // characters of a string: two sentences
constexpr std::size_t kMostRepeated = 1000;  // half of what GBNF may repeat

constexpr auto kLargest = static_cast<double>(kLargestNumber);

// A bound's value, `otherwise` where the schema has none.
double bound(const Place &place, const char *name, double otherwise, Complaint &complaint) {
  if (!place.at(name)) return otherwise;
  const auto number = number_of(place.at(name));
  if (!number) complaint.contradiction(place, name, "is not a number");
  return number.value_or(otherwise);
}

bool check_bounds(const Place &place, double low, double high, Complaint &complaint) {
  if (low > kLargest || high < -kLargest)
    complaint.unsupported(place, "type", "has bounds of more than 15 digits");
  if (low > high) complaint.contradiction(place, "type", "has bounds that no such number lies between");
  return complaint.none();
}

std::int64_t within_largest(double number) {
  return static_cast<std::int64_t>(std::clamp(number, -kLargest, kLargest));
}

std::string formatted(const Place &place, Complaint &complaint) {
  if (place.at("minLength") || place.at("maxLength"))
    return complaint.unsupported(place, "format", "goes with no minLength or maxLength");
  const char *text = string_of(place.at("format"));
  const std::string format = text ? text : "";
  if (format == "date") return R"("\"" date "\"")";
  if (format == "time") return R"("\"" time "\"")";
  if (format == "date-time") return R"("\"" date "T" time "\"")";
  return complaint.unsupported(place, "format", "is none of date, time, date-time");
}

}  // namespace

std::string rules_for_scalars() {
  return "char ::= " + std::string(kGbnfCharacter) + "\ndate ::= " + std::string(kGbnfDate) +
         "\ntime ::= " + std::string(kGbnfTime) + "\n";
}

std::string string_expression(const Place &place, Complaint &complaint) {
  if (place.at("format")) return formatted(place, complaint);
  const auto [least, most] = counts_of(place, "minLength", "maxLength", kUsualLength, complaint);
  if (most == 0) return R"("\"\"")";
  return R"("\"" )" + gbnf_repeated("char", least, most) + R"( "\"")";
}

std::string integer_expression(const Place &place, Complaint &complaint) {
  const double low = std::max(std::ceil(bound(place, "minimum", -kLargest, complaint)),
                              std::floor(bound(place, "exclusiveMinimum", -kLargest - 1, complaint)) + 1);
  const double high = std::min(std::floor(bound(place, "maximum", kLargest, complaint)),
                               std::ceil(bound(place, "exclusiveMaximum", kLargest + 1, complaint)) - 1);
  if (!check_bounds(place, low, high, complaint)) return {};
  return gbnf_integer(within_largest(low), within_largest(high));
}

std::string number_expression(const Place &place, Complaint &complaint) {
  if (!place.at("minimum") && !place.at("maximum")) return std::string(kGbnfAnyNumber);
  const double low = bound(place, "minimum", -kLargest, complaint);
  const double high = bound(place, "maximum", kLargest, complaint);
  for (const auto &[name, limit] : {std::pair("minimum", low), std::pair("maximum", high)})
    if (limit != std::floor(limit))
      return complaint.unsupported(place, name, "is not a whole number, as it has to be for a \"number\"");
  if (!check_bounds(place, low, high, complaint)) return {};
  return gbnf_number(within_largest(low), within_largest(high));
}

Counts counts_of(const Place &place, const char *least_name, const char *most_name, std::size_t usual,
                 Complaint &complaint) {
  const auto count = [&](const char *name, std::size_t otherwise) {
    if (!place.at(name)) return otherwise;
    const auto number = number_of(place.at(name));
    if (number && *number >= 0 && *number == std::floor(*number))
      return static_cast<std::size_t>(std::min(*number, 1e9));
    complaint.contradiction(place, name, "is not a whole number from 0");
    return otherwise;
  };
  const auto least = count(least_name, 0);
  const auto most = count(most_name, std::max(least, usual));
  if (least > most)
    complaint.contradiction(place, least_name,
                            std::string("is larger than ") + most_name + ": no value can satisfy it");
  if (least > kMostRepeated)
    complaint.unsupported(place, least_name, "is larger than " + std::to_string(kMostRepeated));
  return {least, std::min(most, kMostRepeated)};
}

}  // namespace saccade
