// A structure as JSON, for pads and programs that read text.
#pragma once

#include <gst/gst.h>

#include <string>

namespace saccade::gst {

// The structure's strings, numbers and booleans as one object on one line that ends with a newline, so that a
// file of them is JSON lines. Any thread.
std::string json_of(const GstStructure *structure);

}  // namespace saccade::gst
