#include "common/rgb_buffer.h"

#include <cstring>

namespace saccade::gst {

BufferPtr rgb_buffer(const Image &image, const GstVideoInfo &info) {
  BufferPtr buffer(gst_buffer_new_allocate(nullptr, GST_VIDEO_INFO_SIZE(&info), nullptr));
  GstMapInfo map;
  if (!gst_buffer_map(buffer.get(), &map, GST_MAP_WRITE)) return nullptr;
  const auto row = static_cast<std::size_t>(image.width) * 3;
  const auto stride = static_cast<std::size_t>(GST_VIDEO_INFO_PLANE_STRIDE(&info, 0));
  for (std::size_t y = 0; y < static_cast<std::size_t>(image.height); ++y)
    std::memcpy(map.data + y * stride, image.rgb.data() + y * row, row);
  gst_buffer_unmap(buffer.get(), &map);
  return buffer;
}

}  // namespace saccade::gst
