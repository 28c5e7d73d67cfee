// The properties of cloudoffloadsink: how they are named, bounded and explained, and how they reach the
// settings.
#pragma once

#include "cloudoffloadsink/settings.h"
#include "common/property_table.h"

namespace saccade::gst::cloud {

const PropertyTable<CloudOffloadSettings> &properties();

}  // namespace saccade::gst::cloud
