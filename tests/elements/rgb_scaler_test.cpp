#include "common/rgb_scaler.h"

#include <gtest/gtest.h>

#include <string>

#include "common/pointers.h"

namespace saccade::gst {
namespace {

CapsPtr caps_of(const std::string &text) { return CapsPtr(gst_caps_from_string(text.c_str())); }

// A picture whose left half is black and whose right half is white, in the caps' own layout.
BufferPtr black_and_white(const GstCaps *caps) {
  GstVideoInfo info;
  EXPECT_TRUE(gst_video_info_from_caps(&info, caps));
  BufferPtr buffer(gst_buffer_new_allocate(nullptr, info.size, nullptr));
  GstVideoFrame frame;
  EXPECT_TRUE(gst_video_frame_map(&frame, &info, buffer.get(), GST_MAP_WRITE));
  const bool rgb = GST_VIDEO_INFO_IS_RGB(&info);
  for (guint c = 0; c < GST_VIDEO_INFO_N_COMPONENTS(&info); ++c) {
    auto *data = static_cast<guint8 *>(GST_VIDEO_FRAME_COMP_DATA(&frame, c));
    const auto pixel = GST_VIDEO_FRAME_COMP_PSTRIDE(&frame, c);
    for (int y = 0; y < GST_VIDEO_FRAME_COMP_HEIGHT(&frame, c); ++y) {
      for (int x = 0; x < GST_VIDEO_FRAME_COMP_WIDTH(&frame, c); ++x) {
        const bool white = x >= GST_VIDEO_FRAME_COMP_WIDTH(&frame, c) / 2;
        const int value = rgb ? (white ? 255 : 0) : c > 0 ? 128 : (white ? 235 : 16);
        data[y * GST_VIDEO_FRAME_COMP_STRIDE(&frame, c) + x * pixel] = static_cast<guint8>(value);
      }
    }
  }
  gst_video_frame_unmap(&frame);
  return buffer;
}

// If this fails, the model sees other colours, a sheared picture (rows of 15 bytes, not padded to 16) or a
// cut one, depending on the camera's format and size.
TEST(RgbScaler, GivesAPackedPictureWhateverTheFormat) {
  RgbScaler scaler;
  for (const std::string format : {"RGB", "BGRx", "I420", "NV12", "YUY2", "GRAY8"}) {
    for (const std::string size : {"width=22,height=6", "width=160,height=120", "width=2,height=2"}) {
      const auto caps = caps_of("video/x-raw,framerate=0/1,format=" + format + "," + size);
      ASSERT_TRUE(scaler.set_caps(caps.get()).ok());
      const auto image = scaler.scale(black_and_white(caps.get()).get(), 5, 3);
      ASSERT_TRUE(image.ok()) << image.status().message();
      ASSERT_EQ(image.value().rgb.size(), 5U * 3 * 3);
      const auto view = image.value().view();
      for (int y = 0; y < 3; ++y) {
        for (int channel = 0; channel < 3; ++channel) {
          EXPECT_LT(view.row(y)[channel], 30) << format << " " << size;
          EXPECT_GT(view.row(y)[4 * 3 + channel], 225) << format << " " << size;
        }
      }
    }
  }
}

// If this fails, thin things (poles, letters) flicker in and out as the picture is shrunk.
TEST(RgbScaler, AveragesOverTheWholeFootprintWhenItShrinks) {
  const auto caps = caps_of("video/x-raw,framerate=0/1,format=GRAY8,width=64,height=64");
  BufferPtr buffer(gst_buffer_new_allocate(nullptr, 64 * 64, nullptr));
  GstMapInfo map;
  ASSERT_TRUE(gst_buffer_map(buffer.get(), &map, GST_MAP_WRITE));
  for (gsize i = 0; i < map.size; ++i) map.data[i] = i % 2 ? 255 : 0;  // lines one pixel wide
  gst_buffer_unmap(buffer.get(), &map);
  RgbScaler scaler;
  ASSERT_TRUE(scaler.set_caps(caps.get()).ok());
  const auto image = scaler.scale(buffer.get(), 4, 4);
  ASSERT_TRUE(image.ok());
  for (const auto value : image.value().rgb) EXPECT_NEAR(value, 127, 8);
}

// If this fails, a picture before its caps or with too few bytes takes the process down.
TEST(RgbScaler, RefusesWhatItCannotRead) {
  RgbScaler scaler;
  BufferPtr small(gst_buffer_new_allocate(nullptr, 8, nullptr));
  EXPECT_EQ(scaler.scale(small.get(), 4, 4).status().kind(), StatusKind::invalid_argument);
  const auto caps = caps_of("video/x-raw,framerate=0/1,format=RGB,width=16,height=16");
  ASSERT_TRUE(scaler.set_caps(caps.get()).ok());
  EXPECT_EQ(scaler.scale(small.get(), 4, 4).status().kind(), StatusKind::invalid_argument);
  EXPECT_EQ(scaler.scale(black_and_white(caps.get()).get(), 0, 4).status().kind(),
            StatusKind::invalid_argument);
  const auto other = caps_of("video/x-raw(memory:DMABuf),framerate=0/1,format=RGB,width=16,height=16");
  const auto status = scaler.set_caps(other.get());
  EXPECT_EQ(status.kind(), StatusKind::unsupported);
  EXPECT_NE(status.message().find("DMABuf"), std::string::npos) << status.message();
}

}  // namespace
}  // namespace saccade::gst
