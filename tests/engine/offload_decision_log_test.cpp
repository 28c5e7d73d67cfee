#include "offload/routing/decision_log.h"

#include <gtest/gtest.h>

#include <clocale>
#include <cmath>

#include "offload/routing/router.h"
#include "offload_cases.h"

namespace saccade {
namespace {

using test::RandomCases;

constexpr std::array kPolicies = {OffloadPolicy::edge, OffloadPolicy::cloud, OffloadPolicy::threshold,
                                  OffloadPolicy::msao, OffloadPolicy::budget};

// Breaks when a logged line is not enough to come to the same decision again, from nothing else.
TEST(DecisionLog, ALineReproducesTheDecisionBitForBit) {
  RandomCases random(1);
  for (const auto policy : kPolicies) {
    Router router(random.settings(policy));
    for (int i = 0; i < 400; ++i) {
      auto input = random.input();
      input.now = std::chrono::seconds(i);
      if (i % 7 == 0) input.draft_confidence.reset();
      const auto decision = i % 2 ? router.plan(input) : router.decide(input);
      // A router that learns: its state is another for each line.
      router.cloud_answered({random.between(1e4, 2e5), random.between(1, 40), random.between(0.1, 2)});
      router.draft_judged(input, random.once_in(3));
      router.draft_verified(16, random.below(17));
      router.sent(random.below(40000), random.below(3), input.now);
      const RouteRecord record{router.settings(), decision};
      const auto line = to_json_line(record);
      ASSERT_EQ(line.find('\n'), std::string::npos);
      const auto read = route_record_of(line);
      ASSERT_TRUE(read.ok()) << read.status().message();
      ASSERT_EQ(read.value(), record) << line;
      const auto again = replayed(read.value());
      ASSERT_EQ(again, decision) << line;
      ASSERT_EQ(to_json_line({router.settings(), again}), line);
    }
  }
}

// Breaks when broken numbers make lines that cannot be read, or that decide something else.
TEST(DecisionLog, BrokenNumbersAreLoggedAndReplayedToo) {
  RandomCases random(2);
  for (int i = 0; i < 3000; ++i) {
    const auto policy = kPolicies[static_cast<std::size_t>(i) % kPolicies.size()];
    const auto stage = i % 2 ? RouteStage::plan : RouteStage::decide;
    auto input = random.any_input();
    input.video_bytes /= 2;  // JSON's numbers end at 63 bits
    const RouteRecord record{random.any_settings(policy), {}};
    const RouteRecord decided{record.settings, route(stage, record.settings, input, random.any_state())};
    const auto line = to_json_line(decided);
    const auto read = route_record_of(line);
    ASSERT_TRUE(read.ok()) << read.status().message() << line;
    ASSERT_EQ(to_json_line({read.value().settings, replayed(read.value())}), line);
  }
}

// Breaks when the input alone does not survive, or its form changes: logs of yesterday must be read tomorrow.
TEST(DecisionLog, AnInputIsOneLine) {
  RouterInput input;
  input.hint = Route::cloud;
  input.complexity = 0.1;
  input.draft_confidence = 1.0 / 3;
  input.elapsed = std::chrono::milliseconds(250);
  const auto line = to_json_line(input);
  EXPECT_EQ(
      line,
      R"({"hint":"cloud","complexity":0.10000000000000001,"text_complexity":0.0,"sound_complexity":0.0,)"
      R"("mas_video":0.0,"mas_audio":1.0,"has_video":true,"has_audio":false,"video_bytes":0,)"
      R"("audio_bytes":0,"draft_confidence":0.33333333333333331,"draft_margin":null,)"
      R"("draft_entropy":null,"draft_tokens":0,"cloud_linked":false,"link_up":false,)"
      R"("cloud_verifies":false,"edge_queue":0,"elapsed":250000000,"now":0,"link":{"up":true,)"
      R"("round_trip":0,"throughput":0.0,"throughput_p10":0.0,"loss":0.0,"connect_time":0,)"
      R"("failures_in_a_row":0}})");
  const auto read = router_input_of(line);
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_EQ(read.value(), input);
}

// Breaks when a line that was cut off, changed or written by something else is taken for a decision.
TEST(DecisionLog, DamagedLinesAreRefusedWithTheMemberThatIsWrong) {
  const auto line = to_json_line(RouterInput{});
  for (std::size_t length = 0; length < line.size(); ++length)
    ASSERT_FALSE(router_input_of(std::string_view(line).substr(0, length)).ok()) << length;
  const auto changed = [&](const std::string &from, const std::string &to) {
    auto text = line;
    text.replace(text.find(from), from.size(), to);
    return router_input_of(text).status();
  };
  for (const auto &[from, to, name] : {std::tuple{"\"hint\":\"auto\"", "\"hint\":\"maybe\"", "hint"},
                                       {"\"edge_queue\":0", "\"edge_queue\":-1", "edge_queue"},
                                       {"\"edge_queue\":0", "\"edge_queue\":4294967296", "edge_queue"},
                                       {"\"elapsed\":0", "\"elapsed\":0.5", "elapsed"},
                                       {"\"complexity\":0.0", "\"complexity\":\"much\"", "complexity"},
                                       {"\"link_up\":false", "\"link_up\":null", "link_up"},
                                       {"\"loss\":0.0", "\"lost\":0.0", "loss"}}) {
    const auto status = changed(from, to);
    EXPECT_EQ(status.kind(), StatusKind::corrupt) << to;
    EXPECT_NE(status.message().find(name), std::string::npos) << status.message();
  }
}

}  // namespace
}  // namespace saccade
