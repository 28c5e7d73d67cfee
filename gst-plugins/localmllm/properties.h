// The properties of localmllm: how they are named, bounded and explained, and how they reach the settings.
#pragma once

#include "common/property_table.h"
#include "localmllm/settings.h"

namespace saccade::gst {

const PropertyTable<LocalMllmSettings> &properties();

}  // namespace saccade::gst
