#include "mllm/json_schema.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "base/utf8.h"
#include "mllm/gbnf_text.h"
#include "mllm/json_schema_document.h"
#include "mllm/json_schema_place.h"
#include "mllm/json_schema_scalars.h"

namespace saccade {
namespace {

constexpr std::size_t kUsualItems = 64;            // of an array
constexpr int kRounds = 8;                         // of a $ref that leads to itself
constexpr int kMaxDepth = 400;                     // schemas within one another, over all $refs
constexpr std::size_t kMaxOneOf = 64;              // alternatives, of which each is compared with each
constexpr std::size_t kMaxGrammar = 256UL * 1024;  // bytes; as many as Grammar takes

std::string alternatives(const Names &expressions) {
  std::string all;
  for (const auto &expression : expressions) all += (all.empty() ? "" : " | ") + expression;
  return all;
}

// Writes the rules. Its functions give the name of a rule or an expression, and an empty one where no value
// can satisfy the schema, or after a complaint, which ends everything.
class Writer {
 public:
  explicit Writer(const SchemaDocument &document) : document_(document) {}

  Result<std::string> write() {
    grammar_ = rules_for_scalars();
    define("space", R"(" "?)");
    const auto root = value({document_.root(), "", kRounds});
    if (root.empty())
      complaint_.fail({StatusKind::invalid_argument,
                       "no value can satisfy it: what it requires is false, or contains itself without end"});
    define("root", root);
    if (!is_utf8(grammar_)) complaint_.fail({StatusKind::corrupt, "a text in it is not Unicode"});
    if (!complaint_.none()) return complaint_.status();
    return std::move(grammar_);
  }

 private:
  // --- Rules

  void define(const std::string &name, const std::string &body) {
    grammar_ += name + " ::= " + body + "\n";
    if (grammar_.size() > kMaxGrammar)
      complaint_.fail(
          {StatusKind::exhausted, "its grammar is longer than " + std::to_string(kMaxGrammar) + " bytes"});
  }
  // Equal bodies share a rule, so that there are fewer ways to read the same text.
  std::string rule(const std::string &body) {
    if (body.empty() || !complaint_.none()) return {};
    const auto [known, is_new] =
        rules_.try_emplace(body, std::string("r").append(std::to_string(rules_.size())));
    if (is_new) define(known->second, body);
    return known->second;
  }
  // A rule for one of the expressions; those that are empty do not count.
  std::string either(const Names &expressions) {
    Names different;
    for (const auto &expression : expressions)
      if (!expression.empty() && !has(different, expression)) different.push_back(expression);
    return rule(alternatives(different));
  }

  // --- Schemas

  std::string value(const Place &place) {
    if (!complaint_.none()) return {};
    if (place.depth > kMaxDepth)
      return complaint_.fail(place, "", "is too deep within other schemas", StatusKind::exhausted);
    if (const auto anything = boolean_of(place.schema))
      return *anything ? complaint_.unsupported(place, "", "accepts anything; give it a type") : "";
    if (!object_of(place.schema)) return complaint_.contradiction(place, "", "is not an object");
    const auto form = form_of(place, place.schema == document_.root(), complaint_);
    if (form == "$ref") return reference(place);
    if (form == "anyOf") return any_of(place, "anyOf");
    if (form == "oneOf") return one_of(place);
    if (form == "enum") return listed(place, "enum", elements_of(place.at("enum")));
    if (form == "const") return listed(place, "const", {place.at("const")});
    return form == "type" ? types(place) : "";
  }

  std::string types(const Place &place) {
    const auto names = type_names(place, complaint_);
    Names expressions;
    for (const auto &name : names)
      if (name != "integer" || !has(names, "number"))  // which every integer is
        expressions.push_back(of_type(place, name));
    return either(expressions);
  }

  std::string of_type(const Place &place, const std::string &name) {
    if (name == "object") return object(place);
    if (name == "array") return array(place);
    if (name == "string") return string_expression(place, complaint_);
    if (name == "integer") return integer_expression(place, complaint_);
    if (name == "number") return number_expression(place, complaint_);
    return name == "boolean" ? R"("true" | "false")" : R"("null")";
  }

  std::string listed(const Place &place, const char *form, const std::vector<JsonNode *> &values) {
    Kinds kinds = place.at("type") ? 0 : kAllKinds;
    if (place.at("type"))
      for (const auto &name : type_names(place, complaint_)) kinds |= kinds_of_type(name);
    Names literals;
    for (auto *one : values) {
      const auto text = json_text(one);
      if (!text) return complaint_.unsupported(place, form, "holds a number that is too large");
      if ((kind_of_value(one) & kinds) != 0) literals.push_back(gbnf_literal(*text));
    }
    if (literals.empty())
      return complaint_.contradiction(place, form, "holds no value that could satisfy it");
    return either(literals);
  }

  std::string any_of(const Place &place, const std::string &form) {
    Names expressions;
    for (auto *alternative : elements_of(place.at(form.c_str())))
      expressions.push_back(value(place.inner(alternative, form + "/" + std::to_string(expressions.size()))));
    if (expressions.empty())
      return complaint_.contradiction(place, form, "holds no schema that could accept a value");
    return either(expressions);
  }

  std::string one_of(const Place &place) {
    const auto schemas = elements_of(place.at("oneOf"));
    if (schemas.size() > kMaxOneOf)
      return complaint_.unsupported(place, "oneOf",
                                    "has more than " + std::to_string(kMaxOneOf) + " alternatives");
    for (std::size_t i = 0; i < schemas.size(); ++i)
      for (std::size_t j = 0; j < i; ++j)
        if (!document_.exclude_each_other(schemas[j], schemas[i]))
          return complaint_.unsupported(
              place, "oneOf",
              "has the alternatives " + std::to_string(j) + " and " + std::to_string(i) +
                  ", which might both accept a value; use anyOf, or require a property in "
                  "each that has another const");
    return any_of(place, "oneOf");
  }

  std::string reference(const Place &place) {
    const char *text = string_of(place.at("$ref"));
    const std::string name = text ? text : "";
    auto *target = document_.target(name);
    if (!target)
      return complaint_.unsupported(
          place, "$ref",
          "leads to \"" + shown(name) + "\", which is none of #, #/$defs/NAME, #/definitions/NAME");
    const bool recursive = document_.is_recursive(name);
    if (recursive && place.rounds == 0) return {};
    const Place there{target, name.substr(1), place.rounds - (recursive ? 1 : 0), place.depth + 1};
    const auto key = std::pair(name, there.rounds);
    const auto known = referred_.find(key);
    if (known != referred_.end()) return known->second;
    return referred_[key] = value(there);
  }

  // --- Objects and arrays

  struct Property {
    std::string rule;
    bool required;
  };

  std::string object(const Place &place) {
    auto *properties_node = place.at("properties");
    const auto names = names_in(properties_node);
    const auto required = strings_of(place.at("required"));
    if (properties_node && !object_of(properties_node))
      return complaint_.contradiction(place, "properties", "is not an object");
    if (place.at("required") &&
        (!array_of(place.at("required")) || required.size() < elements_of(place.at("required")).size()))
      return complaint_.contradiction(place, "required", "is not a list of names");
    for (const auto &name : required)
      if (!has(names, name))
        return complaint_.contradiction(place, "required",
                                        "names \"" + shown(name) + "\", which is not in properties");

    std::vector<Property> properties;
    for (const auto &name : names) {
      const auto inner = value(place.inner(member(properties_node, name.c_str()), "properties/" + name));
      if (!inner.empty())
        properties.push_back(
            {rule(gbnf_literal(json_quoted(name) + ":") + " space " + inner), has(required, name)});
      else if (has(required, name))
        return {};
    }
    return in_braces(properties);
  }

  // Whichever property comes first, those behind it bring their commas along.
  std::string in_braces(const std::vector<Property> &properties) {
    Names beginnings;
    std::string behind;  // what may follow; a rule or nothing
    for (std::size_t i = properties.size(); i-- > 0;) {
      const auto &[property, required] = properties[i];
      const auto rest = behind.empty() ? "" : " " + behind;
      if (required) beginnings.clear();  // without it, none of those behind may come first
      beginnings.push_back(property + rest);
      if (i == 0) break;
      const auto next = R"("," space )" + property;
      behind = rule((required ? next : gbnf_group(next) + "?") + rest);
    }
    if (beginnings.empty()) return R"("{}")";
    const bool may_be_empty = std::ranges::none_of(properties, &Property::required);
    return R"("{" )" + gbnf_group(alternatives(beginnings)) + (may_be_empty ? R"(? "}")" : R"( "}")");
  }

  std::string array(const Place &place) {
    if (!place.at("items"))
      return complaint_.unsupported(place, "type", "is \"array\", which needs items that say what it holds");
    const auto [least, most] = counts_of(place, "minItems", "maxItems", kUsualItems, complaint_);
    const auto item = value(place.inner(place.at("items"), "items"));
    if (most == 0 || (item.empty() && least == 0)) return R"("[]")";
    if (item.empty()) return {};
    auto items = item;
    if (most > 1)
      items.append(" ").append(
          gbnf_repeated(rule(R"("," space )" + item), least == 0 ? 0 : least - 1, most - 1));
    return R"("[" )" + gbnf_group(items) + (least == 0 ? R"(? "]")" : R"( "]")");
  }

  const SchemaDocument &document_;
  Complaint complaint_;
  std::string grammar_;
  std::map<std::string, std::string> rules_;                     // names by body
  std::map<std::pair<std::string, int>, std::string> referred_;  // by target and rounds left
};

Status in_our_name(const Status &status) { return {status.kind(), "json-schema: " + status.message()}; }

}  // namespace

Result<std::string> grammar_of_json_schema(std::string_view schema) {
  const auto document = SchemaDocument::parse(schema);
  if (!document.ok()) return in_our_name(document.status());
  auto grammar = Writer(document.value()).write();
  if (!grammar.ok()) return in_our_name(grammar.status());
  return grammar;
}

}  // namespace saccade
