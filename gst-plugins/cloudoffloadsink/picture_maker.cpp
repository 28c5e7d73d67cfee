#include "cloudoffloadsink/picture_maker.h"

#include <algorithm>
#include <utility>

#include "common/rgb_buffer.h"
#include "offload/upload/jpeg_privacy.h"
#include "offload/upload/upload_picture.h"
#include "offload/upload/upload_region.h"

namespace saccade::gst {

namespace {

GstVideoInfo rgb_info(const Image &image, const GstVideoInfo &like) {
  GstVideoInfo info;
  gst_video_info_set_format(&info, GST_VIDEO_FORMAT_RGB, static_cast<guint>(image.width),
                            static_cast<guint>(image.height));
  info.par_n = like.par_n;
  info.par_d = like.par_d;
  return info;
}

const PatchMap &keep_of(const SegmentPicture &picture) {
  static const PatchMap kNothingSaid;
  return picture.mas ? picture.mas->keep : kNothingSaid;
}

}  // namespace

Result<std::unique_ptr<PictureMaker>> PictureMaker::create(const CloudOffloadSettings &settings) {
  std::unique_ptr<PictureMaker> maker(new PictureMaker(settings));
  if (settings.privacy != Privacy::blur_faces) return maker;
  FaceSettings faces;
  faces.cascades = settings.face_cascades;
  auto detector = FaceDetector::open(faces);
  if (!detector.ok()) return detector.status();
  maker->faces_.emplace(std::move(detector).value());
  return maker;
}

Result<PictureMaker::Made> PictureMaker::make(const SegmentPicture &picture, double throughput) {
  if (picture.is_jpeg) return pass_on(picture);
  const auto size = size_for(picture.info, throughput);
  if (is_last(picture, size)) return last_->made;
  auto made = looks_at_pixels() ? edit(picture, size) : encode(picture.info, picture.buffer.get(), size);
  if (!made.ok()) return made;
  auto &audit = made.value().audit;
  audit.scaled |= audit.width < picture.info.width && !audit.cropped;
  sizes_.encoded(size.quality, static_cast<double>(audit.width) * audit.height,
                 static_cast<double>(audit.bytes));
  last_ = Last{picture.info, BufferPtr(gst_buffer_ref(picture.buffer.get())), keep_of(picture), size,
               made.value()};
  made.value().anew = true;
  return made;
}

bool PictureMaker::is_last(const SegmentPicture &picture, const UploadSize &size) const {
  if (!last_ || !gst_video_info_is_equal(&last_->info, &picture.info)) return false;
  if (last_->size.longest_edge != size.longest_edge || last_->size.quality != size.quality) return false;
  if (settings_.crop && last_->keep != keep_of(picture)) return false;
  GstMapInfo map;
  if (!gst_buffer_map(picture.buffer.get(), &map, GST_MAP_READ)) return false;
  GstBuffer *before = last_->buffer.get();
  const bool same =
      gst_buffer_get_size(before) == map.size && gst_buffer_memcmp(before, 0, map.data, map.size) == 0;
  gst_buffer_unmap(picture.buffer.get(), &map);
  return same;
}

UploadSize PictureMaker::size_for(const GstVideoInfo &info, double throughput) const {
  if (settings_.max_upload_time == Duration::zero())
    return {settings_.max_size, settings_.jpeg_quality, 0, true};
  UploadLimits limits;
  limits.longest_edge = settings_.max_size > 0 ? settings_.max_size : std::max(info.width, info.height);
  limits.most_quality = settings_.jpeg_quality;
  limits.good_quality = std::min(limits.good_quality, settings_.jpeg_quality);
  limits.least_quality = std::min(limits.least_quality, settings_.jpeg_quality);
  return upload_size(info.width, info.height, 1, throughput, settings_.max_upload_time, sizes_, limits);
}

Result<PictureMaker::Made> PictureMaker::pass_on(const SegmentPicture &picture) const {
  if (faces_) {
    return Status(StatusKind::unsupported,
                  "faces are blurred in raw video, not in JPEGs: put jpegdec before cloudoffloadsink");
  }
  GstMapInfo map;
  if (!gst_buffer_map(picture.buffer.get(), &map, GST_MAP_READ))
    return Status(StatusKind::internal, "a frame cannot be read; its memory does not map");
  auto jpeg = jpeg_without_metadata({map.data, map.size});
  gst_buffer_unmap(picture.buffer.get(), &map);
  if (!jpeg.ok()) return jpeg.status();
  Made made{std::move(jpeg).value(), {}};
  made.audit.bytes = made.jpeg.size();
  made.audit.sha256 = sha256_of(made.jpeg);
  return made;
}

Result<PictureMaker::Made> PictureMaker::encode(const GstVideoInfo &info, GstBuffer *buffer,
                                                const UploadSize &size) {
  auto jpeg = encoder_.encode(info, buffer, {size.quality, size.longest_edge});
  if (!jpeg.ok()) return jpeg.status();
  Made made{std::move(jpeg).value(), {}};
  made.audit.width = encoder_.width();
  made.audit.height = encoder_.height();
  made.audit.bytes = made.jpeg.size();
  made.audit.sha256 = sha256_of(made.jpeg);
  return made;
}

Result<PictureMaker::Made> PictureMaker::edit(const SegmentPicture &picture, const UploadSize &size) {
  if (!rgb_of_.finfo || !gst_video_info_is_equal(&picture.info, &rgb_of_)) {
    const CapsPtr caps(gst_video_info_to_caps(&picture.info));
    if (auto status = rgb_.set_caps(caps.get()); !status.ok()) return status;
    rgb_of_ = picture.info;
  }
  const auto frame = rgb_.convert(picture.buffer.get());
  if (!frame.ok()) return frame.status();
  UploadPlan plan;
  plan.longest_edge = size.longest_edge;
  if (settings_.crop && picture.mas) {
    plan.part =
        upload_region(picture.mas->keep, picture.mas->grid, frame.value().width, frame.value().height);
  }
  if (faces_) plan.find_faces = [this](const Frame &whole) { return faces_->find(whole); };
  auto edited = upload_picture(frame.value(), plan);
  if (!edited.ok()) return edited.status();
  const auto info = rgb_info(edited.value().picture, picture.info);
  const auto buffer = rgb_buffer(edited.value().picture, info);
  if (!buffer) return Status(StatusKind::internal, "a picture's memory cannot be written");
  auto made = encode(info, buffer.get(), size);
  if (!made.ok()) return made;
  auto &audit = made.value().audit;
  audit.cropped = edited.value().cropped;
  audit.scaled = edited.value().scaled;
  audit.faces_blurred = edited.value().faces_blurred;
  return made;
}

}  // namespace saccade::gst
