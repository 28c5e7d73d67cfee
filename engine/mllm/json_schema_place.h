// Where in a JSON Schema a grammar's writer is, what may stand there, and what it says when it gives up.
// Internal to mllm.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "mllm/json_schema_document.h"

namespace saccade {

using Names = std::vector<std::string>;

bool has(const Names &names, const std::string &name);

// A schema, and the way to it.
struct Place {
  JsonNode *schema;
  std::string path;  // for people: a JSON pointer from the root
  int rounds;        // how many more $refs that lead to themselves may be followed
  int depth = 0;     // schemas around it

  JsonNode *at(const char *keyword) const { return member(schema, keyword); }
  Place inner(JsonNode *there, const std::string &step) const;
};

// Why no grammar could be written: the first reason.
class Complaint {
 public:
  // `keyword`: empty = the schema as a whole. Returns the empty expression.
  std::string fail(const Place &place, const std::string &keyword, const std::string &what, StatusKind kind);
  std::string contradiction(const Place &place, const std::string &keyword, const std::string &what) {
    return fail(place, keyword, what, StatusKind::invalid_argument);
  }
  std::string unsupported(const Place &place, const std::string &keyword, const std::string &what) {
    return fail(place, keyword, what, StatusKind::unsupported);
  }
  void fail(Status status);

  bool none() const { return first_.ok(); }
  const Status &status() const { return first_; }

 private:
  Status first_;
};

// What somebody else wrote, fit for one line of a log.
std::string shown(std::string text);

// The keyword that says what kind of schema it is; complains and gives an empty one where there is none, or
// where another keyword is not supported beside it.
std::string form_of(const Place &place, bool is_root, Complaint &complaint);

// The names that "type" holds, all known; empty after a complaint.
Names type_names(const Place &place, Complaint &complaint);

}  // namespace saccade
