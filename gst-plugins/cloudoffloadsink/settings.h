// What the user set on a cloudoffloadsink. Copied when a run starts; what may change while playing is said
// here.
#pragma once

#include <string>

#include "base/time.h"
#include "offload/cloud/cloud_settings.h"
#include "offload/spool/spool.h"
#include "offload/upload/audit_log.h"
#include "offload/upload/face_detector.h"

namespace saccade::gst {

enum class Privacy { none, blur_faces };

struct CloudOffloadSettings {
  CloudOffloadSettings() { cloud.endpoint = "http://127.0.0.1:8080/v1/chat/completions"; }

  CloudSettings cloud;  // its key is read when a run starts
  std::string api_key_file;
  std::string model = "default";
  int jpeg_quality = 85;       // percent
  int max_size = 1024;         // px, longest edge; 0 = as it is
  Duration max_upload_time{};  // of a picture, which is made small enough for it; zero = any
  bool crop = false;           // to what the gate says is worth seeing
  Privacy privacy = Privacy::none;
  std::string face_cascades = FaceSettings().cascades;
  AuditSettings audit;                                            // without a path: none
  std::string prompt = "Describe what you see in one sentence.";  // these three may change while playing
  int max_tokens = 64;
  Duration drain_timeout = std::chrono::seconds(5);
  SpoolSettings spool;  // without a folder: none
};

}  // namespace saccade::gst
