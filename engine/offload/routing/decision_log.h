// Decisions as JSON lines, and back. A line holds the stage, the settings, the input, the state and what was
// decided; what is read from it decides the same again bit for bit, and makes the same line again. So a log
// of a day answers what other settings would have decided on that day's segments. Pure functions, safe from
// any thread.
//
// Durations are whole nanoseconds, enumerations their names, and what JSON has no number for is a string:
// "nan", "inf", "-inf".
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "offload/routing/routing.h"

namespace saccade {

struct RouteRecord {
  RouterSettings settings;
  RouteDecision decision;

  bool operator==(const RouteRecord &) const = default;
};

// One line without its end.
std::string to_json_line(const RouteRecord &record);

// `corrupt`, with the name of the member, where one is missing, of another type or out of its type's range.
// Safe on any bytes.
Result<RouteRecord> route_record_of(std::string_view line);

// What the rules of today say to the same; equal to record.decision where they have not changed since.
RouteDecision replayed(const RouteRecord &record);

// A RouterInput alone, in the same form.
std::string to_json_line(const RouterInput &input);
Result<RouterInput> router_input_of(std::string_view line);

}  // namespace saccade
