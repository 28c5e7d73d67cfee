// The HTTP session that calls are made with. Internal to offload.
#pragma once

#include <libsoup/soup.h>

#include "base/glib_pointer.h"
#include "base/status.h"
#include "offload/cloud/cloud_settings.h"

namespace saccade {

// What makes no sense in the settings, but for the endpoints, which chat_completions_urls() checks.
Status check(const CloudSettings &settings);

// The authorities to trust; null = the system's. not_found when there is no such file, corrupt when it holds
// no certificate.
Result<ObjectPointer<GTlsDatabase>> authorities_of(const CloudSettings &settings);

// Belongs to the thread that makes it, whose default main context it uses.
ObjectPointer<SoupSession> new_session(const CloudSettings &settings, GTlsDatabase *authorities);

}  // namespace saccade
