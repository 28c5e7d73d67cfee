#include "ground_truth.h"

#include <json-glib/json-glib.h>

#include <algorithm>
#include <filesystem>

#include "handles.h"

namespace saccade::demo {

// Reads one file. Every step says in `problem_` what is wrong, once, and the steps after it do nothing.
class TimelineReader {
 public:
  Result<GroundTruth> read(const std::string &path) {
    if (!std::filesystem::exists(path)) {
      return Status(StatusKind::not_found,
                    "there is no timeline " + path + ". samples/scenes/clip.py writes one beside its clip.");
    }
    const ObjectPtr<JsonParser> parser(json_parser_new());
    GError *error = nullptr;
    if (!json_parser_load_from_file(parser.get(), path.c_str(), &error)) {
      const ErrorPtr owned(error);
      return broken(path, error->message);
    }
    if (const auto questions =
            object_member(as_object(json_parser_get_root(parser.get()), "the file"), "questions")) {
      read_questions(questions);
    }
    if (problem_.empty() && truth_.questions_.empty()) problem_ = "it has no questions";
    if (!problem_.empty()) return broken(path, problem_);
    return std::move(truth_);
  }

 private:
  static Status broken(const std::string &path, const std::string &why) {
    return {StatusKind::corrupt, "cannot read the timeline " + path + ": " + why +
                                     ". samples/scenes/clip.py writes it anew, beside its clip."};
  }

  void complain(const std::string &what) {
    if (problem_.empty()) problem_ = what;
  }

  JsonObject *as_object(JsonNode *node, const std::string &what) {
    if (node && JSON_NODE_HOLDS_OBJECT(node)) return json_node_get_object(node);
    complain(what + " is not an object");
    return nullptr;
  }

  JsonObject *object_member(JsonObject *object, const char *name) {
    if (!object) return nullptr;
    return as_object(json_object_get_member(object, name), std::string("\"") + name + "\"");
  }

  // The value of a member, or null with a complaint when it is no value.
  JsonNode *value_member(JsonObject *object, const char *name) {
    const auto node = json_object_get_member(object, name);
    if (node && JSON_NODE_HOLDS_VALUE(node)) return node;
    complain(std::string("\"") + name + "\" is missing or is no value");
    return nullptr;
  }

  std::string text_member(JsonObject *object, const char *name) {
    const auto node = value_member(object, name);
    const char *text = node ? json_node_get_string(node) : nullptr;
    if (!text) complain(std::string("\"") + name + "\" is not a text");
    return text ? text : "";
  }

  double number_member(JsonObject *object, const char *name) {
    const auto node = value_member(object, name);
    return node ? json_node_get_double(node) : 0;
  }

  std::vector<GroundTruth::Interval> intervals_of(JsonObject *question, const char *name, bool with_answers) {
    std::vector<GroundTruth::Interval> intervals;
    const auto node = json_object_get_member(question, name);
    if (!node || !JSON_NODE_HOLDS_ARRAY(node)) {
      complain(std::string("\"") + name + "\" is not a list");
      return intervals;
    }
    const auto list = json_node_get_array(node);
    for (guint i = 0; i < json_array_get_length(list); ++i) {
      const auto item =
          as_object(json_array_get_element(list, i), std::string("an item of \"") + name + "\"");
      if (!item) break;
      intervals.push_back({number_member(item, "start"), number_member(item, "end"),
                           with_answers ? text_member(item, "answer") : ""});
    }
    return intervals;
  }

  void read_questions(JsonObject *questions) {
    const std::unique_ptr<GList, void (*)(GList *)> names(json_object_get_members(questions), g_list_free);
    for (const GList *name = names.get(); name && problem_.empty(); name = name->next) {
      const auto question = object_member(questions, static_cast<const char *>(name->data));
      if (!question) break;
      truth_.questions_.push_back({text_member(question, "question"),
                                   intervals_of(question, "intervals", true),
                                   intervals_of(question, "unsure", false)});
    }
  }

  GroundTruth truth_;
  std::string problem_;
};

Result<GroundTruth> GroundTruth::read(const std::string &path) { return TimelineReader().read(path); }

std::vector<std::string> GroundTruth::questions() const {
  std::vector<std::string> texts;
  for (const auto &question : questions_) texts.push_back(question.text);
  return texts;
}

std::optional<std::string> GroundTruth::answer(const std::string &question, double seconds) const {
  const auto holds = [seconds](const Interval &interval) {
    return interval.start <= seconds && seconds < interval.end;
  };
  for (const auto &asked : questions_) {
    if (asked.text != question) continue;
    if (std::any_of(asked.unsure.begin(), asked.unsure.end(), holds)) return std::nullopt;
    const auto interval = std::find_if(asked.intervals.begin(), asked.intervals.end(), holds);
    if (interval != asked.intervals.end()) return interval->answer;
  }
  return std::nullopt;
}

}  // namespace saccade::demo
