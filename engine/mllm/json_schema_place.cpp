#include "mllm/json_schema_place.h"

#include <algorithm>
#include <map>
#include <utility>

namespace saccade {
namespace {

const Names kForms = {"$ref", "anyOf", "oneOf", "enum", "const", "type"};
const Names kDescriptions = {"title",      "description", "default",   "examples",
                             "deprecated", "readOnly",    "writeOnly", "$comment"};
const Names kRootOnly = {"$schema", "$id", "$defs", "definitions"};
const std::map<std::string, Names> kBesideType = {
    {"object", {"properties", "required", "additionalProperties"}},
    {"array", {"items", "minItems", "maxItems"}},
    {"string", {"minLength", "maxLength", "format"}},
    {"integer", {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}},
    {"number", {"minimum", "maximum"}},
    {"boolean", {}},
    {"null", {}},
};

std::string list(const Names &names) {
  std::string text;
  for (const auto &name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

Names supported_in(const std::string &form, const Place &place, Complaint &complaint) {
  Names supported = {form};
  if (form == "enum" || form == "const") supported.emplace_back("type");
  if (form != "type") return supported;
  for (const auto &type : type_names(place, complaint))
    for (const auto &keyword : kBesideType.at(type))
      if (!has(supported, keyword)) supported.push_back(keyword);
  return supported;
}

}  // namespace

bool has(const Names &names, const std::string &name) {
  return std::ranges::find(names, name) != names.end();
}

Place Place::inner(JsonNode *there, const std::string &step) const {
  return {there, path + "/" + step, rounds, depth + 1};
}

std::string Complaint::fail(const Place &place, const std::string &keyword, const std::string &what,
                            StatusKind kind) {
  const auto where = "at " + shown(place.path.empty() ? "/" : place.path);
  const auto subject = keyword.empty() ? std::string("the schema ").append(where)
                                       : std::string("\"").append(shown(keyword)).append("\" ").append(where);
  fail({kind, subject + " " + what});
  return {};
}

void Complaint::fail(Status status) {
  if (none()) first_ = std::move(status);
}

std::string shown(std::string text) {
  constexpr std::size_t kMost = 100;
  if (text.size() > kMost) text = text.substr(0, kMost) + "...";
  for (char &c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';
  const CString valid(g_utf8_make_valid(text.data(), static_cast<gssize>(text.size())));
  return valid.get();
}

std::string form_of(const Place &place, bool is_root, Complaint &complaint) {
  const auto form = std::ranges::find_if(kForms, [&](const auto &name) { return place.at(name.c_str()); });
  if (form == kForms.end())
    return complaint.unsupported(place, "", "does not say what it accepts; it needs one of " + list(kForms));
  const auto supported = supported_in(*form, place, complaint);
  for (const auto &keyword : names_in(place.schema)) {
    if (has(supported, keyword) || has(kDescriptions, keyword) || (is_root && has(kRootOnly, keyword)))
      continue;
    complaint.unsupported(place, keyword,
                          "is not supported; supported there are " + list(supported) + " and descriptions");
  }
  return complaint.none() ? *form : std::string();
}

Names type_names(const Place &place, Complaint &complaint) {
  auto *type = place.at("type");
  auto names = strings_of(type);
  if (const char *name = string_of(type)) names = {name};
  if (names.empty() || names.size() < elements_of(type).size())
    complaint.contradiction(place, "type", "is neither a name nor a list of names");
  for (const auto &name : names)
    if (!kBesideType.contains(name))
      complaint.contradiction(place, "type", "names \"" + shown(name) + "\", which is no type");
  return complaint.none() ? names : Names{};
}

}  // namespace saccade
