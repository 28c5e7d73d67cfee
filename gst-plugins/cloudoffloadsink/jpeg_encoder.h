// A raw picture → a small JPEG, through GstVideoConverter and the element jpegenc, without a pipeline or
// threads.
#pragma once

#include <gst/video/video.h>

#include <memory>

#include "base/status.h"
#include "offload/chat/chat_question.h"

namespace saccade::gst {

// Used by one thread at a time. The JPEG carries no metadata.
class JpegEncoder {
 public:
  struct Form {
    int quality = 85;  // 1 to 100
    int max_size = 0;  // longest edge in pixels of what comes out, 0 = as it is
  };

  JpegEncoder() = default;
  ~JpegEncoder();
  JpegEncoder(const JpegEncoder &) = delete;
  JpegEncoder &operator=(const JpegEncoder &) = delete;

  // Pictures with non-square pixels come out square, larger ones than max_size smaller, both in their shape.
  // not_found when there is no jpegenc; corrupt when the buffer is smaller than its caps say.
  Result<JpegBytes> encode(const GstVideoInfo &info, GstBuffer *picture, const Form &form);
  // Of what came out last, in pixels.
  int width() const { return out_.width; }
  int height() const { return out_.height; }

 private:
  struct ConverterFree {
    void operator()(GstVideoConverter *converter) const { gst_video_converter_free(converter); }
  };

  Status start();
  Status prepare(const GstVideoInfo &info, int max_size);
  static GstFlowReturn on_encoded(GstPad *pad, GstObject *parent, GstBuffer *buffer);

  int quality_ = 0;       // that jpegenc was told
  int max_size_ = 0;      // that the converter was made for, like what follows
  GstVideoInfo given_{};  // of the picture that the converter was made for
  GstVideoInfo in_{};     // the same, read as progressive
  GstVideoInfo out_{};
  std::unique_ptr<GstVideoConverter, ConverterFree> converter_;
  GstElement *jpegenc_ = nullptr;  // these three live from start() to the destructor
  GstPad *feed_ = nullptr;         // source pad, linked to jpegenc's sink
  GstPad *catch_ = nullptr;        // sink pad, linked to jpegenc's source
  JpegBytes encoded_;
};

}  // namespace saccade::gst
