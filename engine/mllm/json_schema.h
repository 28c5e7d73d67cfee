// Answers as JSON: a JSON Schema becomes a grammar that a model can be held to.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace saccade {

// A grammar in GBNF for a part of what `schema` accepts: whatever follows the grammar is JSON that satisfies
// the schema and comes to an end, so that no small model can go on for ever. A schema has one of
//
//   type      one name or a list of names, with
//               object   properties (written in their order), required, additionalProperties (none are
//               written) array    items (one schema for all), minItems, maxItems string   minLength,
//               maxLength, or format: date, time, date-time integer  minimum, maximum, exclusiveMinimum,
//               exclusiveMaximum number   minimum, maximum (both whole numbers) boolean, null
//   enum, const  with or without a type that they must have, too
//   anyOf
//   oneOf     whose alternatives exclude each other visibly: by type, by enum and const, or by a required
//             property with such values
//   $ref      to #, #/$defs/NAME or #/definitions/NAME; one that leads to itself is followed 8 times, one
//   inside
//             the other
//
// and, anywhere, what only describes: title, description, default, examples, deprecated, readOnly, writeOnly,
// $comment; at the root also $schema, $id, $defs, definitions.
//
// Bounds where the schema has none or larger ones: 200 characters in a string (1,000 where maxLength says
// so), 64 elements in an array (1,000 where maxItems says so), 15 digits before and behind a point. White
// space is one space at most, behind : and comma.
//
// Errors, each a sentence that names the keyword and its place: unsupported (a keyword outside of the above),
// invalid_argument (it contradicts itself, or no value can satisfy it), corrupt (it is not JSON), exhausted
// (it or its grammar is too large). Pure function; safe from any thread.
Result<std::string> grammar_of_json_schema(std::string_view schema);

}  // namespace saccade
