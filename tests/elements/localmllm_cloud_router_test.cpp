// What localmllm tells its router, as the log of decisions has it.
#include <gtest/gtest.h>

#include "localmllm_cloud.h"

namespace saccade::gst {
namespace {

// Breaks when nobody tells the router how much the model hesitated over the draft's first words.
TEST(LocalMllmRouter, IsToldHowMuchTheDraftHesitates) {
  const DecisionWatch watch;
  Mind mind("route-policy=threshold");  // which asks after the draft alone
  Cloud cloud(mind, saying("dusk"));
  mind.push(picture(1));
  mind.finish();
  for (const char *name : {"draft_margin", "draft_entropy"}) {
    EXPECT_GE(watch.number(name), 0) << name;
    EXPECT_LE(watch.number(name), 1) << name;
  }
}

// Breaks when what a sink has sent before it was started anew is counted twice, or what it sends then is not.
TEST(LocalMllmRouter, IsToldWhatEverySinkSpends) {
  const DecisionWatch watch;
  Mind mind("route-policy=budget,budget-per-hour=1000000");
  Cloud cloud(mind, Cloud::Script{});
  const auto price_after = [&](int number, std::uint64_t bytes) {
    LinkState spent;
    spent.bytes_sent = bytes;
    spent.calls = bytes / 100'000;
    cloud.tell(spent);
    mind.push(picture(number));
    mind.pull();
    return watch.number("price");
  };
  const double first = price_after(1, 500'000);
  EXPECT_GT(first, 0);
  EXPECT_LE(price_after(2, 500'000), first) << "nothing was sent meanwhile";
  const double third = price_after(3, 400'000);
  EXPECT_GT(third, first) << "another sink's";
  EXPECT_LT(third, 2 * first) << "more than it has sent";
}

}  // namespace
}  // namespace saccade::gst
