// An hour on a link that fails again and again, in a minute: what is seen decides how fast its time passes.
#include <gst/gst.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "faults/fault_server.h"
#include "faults/link_emulator.h"
#include "pipelines/offload_testing.h"

namespace saccade::gst {
namespace {

using faults::Behaviour;
using faults::completion;
using faults::FaultServer;
using faults::LinkEmulator;

// A train's: tunnels, a cell that takes connections and forwards nothing, and a slow stretch.
constexpr std::string_view kHour = R"(
0    delay=5ms
600  cut
660  delay=20ms rate=2MB/s
1500 hang
1530 delay=5ms
2400 cut
2700 delay=10ms down.rate=500kB/s
3300 delay=5ms
)";

// A live camera, so that nothing waits for the cloud.
std::string camera(const std::string &url) {
  return edge_and_cloud(
      "videotestsrc is-live=true pattern=ball ! video/x-raw,width=160,height=120,framerate=10/1", url,
      "retries=0 timeout=1");
}

std::size_t said_by(const Pipeline &p, const char *source) { return p.texts_from(source).size(); }

bool is_open(const faults::LinkState &state) { return state.door == faults::LinkState::Door::open; }

// Breaks when a link that comes and goes stops the local answers, is not told of, is never tried again, or
// leaves questions behind that nobody settles.
TEST(Outage, OfAnHourLosesNoAnswer) {
  const auto hour = faults::parse_schedule(kHour, {});
  ASSERT_TRUE(hour.ok()) << hour.status().message();
  const FaultServer server({Behaviour::reply(200, completion("forty-two"))});
  LinkEmulator link({.target_port = server.port()});
  Pipeline p(camera(link.url()));
  p.set(GST_STATE_PLAYING);
  int outages = 0;
  for (const auto &step : hour.value().steps) {
    SCOPED_TRACE(step.at.count());
    link.set_state(step.state);
    if (is_open(step.state)) {
      // It may take a failed trial until the way is known to be free.
      const auto before = said_by(p, "cloud");
      ASSERT_TRUE(p.wait_until([&] { return said_by(p, "cloud") >= before + 3; }));
      ASSERT_TRUE(p.link_ups.empty() || p.link_ups.back());
    } else {
      ++outages;
      ASSERT_TRUE(p.wait_until([&] { return !p.link_ups.empty() && !p.link_ups.back(); }));
      const auto before = said_by(p, "edge");
      ASSERT_TRUE(p.wait_until([&] { return said_by(p, "edge") >= before + 5; }));
    }
  }
  gst_element_send_event(p.element(), gst_event_new_eos());
  EXPECT_TRUE(p.end());
  EXPECT_GE(std::count(p.link_ups.begin(), p.link_ups.end(), false), outages);
  EXPECT_GE(std::count(p.link_ups.begin(), p.link_ups.end(), true), outages);
  EXPECT_GE(expect_each_settled_once(p), 3U * 5U);
  EXPECT_GE(count_with(p.warnings, kStands), 3U);
  EXPECT_EQ(statistic(p.find("model").get(), "failed"), 0U);
}

}  // namespace
}  // namespace saccade::gst
