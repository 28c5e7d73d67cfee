// The main() of every test that runs our plugin.
#include <gst/gst.h>
#include <gtest/gtest.h>

int main(int argc, char **argv) {
  gst_init(&argc, &argv);
  testing::InitGoogleTest(&argc, argv);
  const int result = RUN_ALL_TESTS();
  // Joins GStreamer's idle threads: the leak checker, which stops what still runs, now and then crashes over one.
  gst_deinit();
  return result;
}
