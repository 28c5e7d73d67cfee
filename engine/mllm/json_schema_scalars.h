// Strings and numbers of a JSON Schema as expressions in GBNF. Internal to mllm.
#pragma once

#include <cstddef>
#include <string>

#include "mllm/json_schema_place.h"

namespace saccade {

// Rules that the expressions refer to.
std::string rules_for_scalars();

// Each is empty after a complaint.
std::string string_expression(const Place &place, Complaint &complaint);
std::string integer_expression(const Place &place, Complaint &complaint);
std::string number_expression(const Place &place, Complaint &complaint);

struct Counts {
  std::size_t least;
  std::size_t most;
};
// Of something that is counted, by the keywords of these names; `usual`: the most where the schema has none.
Counts counts_of(const Place &place, const char *least_name, const char *most_name, std::size_t usual,
                 Complaint &complaint);

}  // namespace saccade
