// The properties of cloudoffloadsink: how they are named, bounded and explained, and how they reach the
// settings.
#pragma once

#include <gst/gst.h>

#include "cloudoffloadsink/settings.h"

namespace saccade::gst::cloud {

// The one property that settings do not hold.
inline constexpr guint kStatisticsProperty = 1;

void install_properties(GObjectClass *object_class);

// True when `id` is a setting. The caller holds the lock of the settings.
bool set_setting(CloudOffloadSettings &settings, guint id, const GValue *value);
bool get_setting(CloudOffloadSettings &settings, guint id, GValue *value);

}  // namespace saccade::gst::cloud
