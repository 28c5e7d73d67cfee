// What the sink does with the edge's drafts: uploads that begin before them, verification, growing answers.
#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <string>

#include "cloudoffloadsink_testing.h"

namespace saccade::gst {
namespace {

using faults::Behaviour;
using faults::chunk;
using faults::FaultServer;

Behaviour verifying(const std::string &first, const std::string &second, int right, int wrong) {
  return Behaviour::events(
      {chunk(first), chunk(second, "stop",
                           R"(,"usage":{"completion_tokens":3,"completion_tokens_details":{)"
                           R"("accepted_prediction_tokens":)" +
                               std::to_string(right) + R"(,"rejected_prediction_tokens":)" +
                               std::to_string(wrong) + "}}")});
}

bool has(const FaultServer &server, std::size_t request, const std::string &what) {
  return server.requests().at(request).body.find(what) != std::string::npos;
}

// Breaks when a draft that is to be verified is not sent, or nobody upstream hears what became of it.
TEST(CloudOffloadSinkDraft, IsVerifiedAndToldOf) {
  const FaultServer server({verifying("A red", " bus", 2, 1)});
  Sink sink(endpoint(server));
  sink.begin(1, "What?");
  sink.draft(1, "A red car", true);
  sink.frame(1, 0, true);
  std::string grown;
  auto answer = sink.next_answer();
  for (; answer.partial; answer = sink.next_answer()) grown = answer.text;
  EXPECT_EQ(grown, "A red bus");
  EXPECT_EQ(answer.text, "A red bus");
  EXPECT_FALSE(answer.verified);
  EXPECT_EQ(answer.tokens_drafted, 3);
  EXPECT_EQ(answer.tokens_accepted, 2);
  EXPECT_GT(answer.bytes_sent, 0U);
  EXPECT_GT(answer.took_ms, 0);
  EXPECT_TRUE(has(server, 0, R"("content":"A red car")"));
  EXPECT_EQ(statistic(sink.element(), "verified"), 1U);
}

// Breaks when a draft that is not to be verified is sent to a stranger.
TEST(CloudOffloadSinkDraft, StaysWhereItIsNotToBeVerified) {
  const FaultServer server({verifying("A", " bus", 0, 0)});
  Sink sink(endpoint(server));
  sink.begin(1, "What?");
  sink.draft(1, "A red car", false);
  sink.frame(1, 0, true);
  sink.next_whole_answer();
  EXPECT_FALSE(has(server, 0, "A red car"));
}

// Breaks when the upload waits for the draft, or the answer does not.
TEST(CloudOffloadSinkDraft, TheUploadDoesNotWaitForIt) {
  const FaultServer server({verifying("A red", " car", 3, 0)});
  Sink sink(endpoint(server));
  sink.begin(1, "What?", true);
  sink.frame(1, 0, true);
  server.wait_for_bytes(500);  // more than the head of a request
  EXPECT_EQ(server.request_count(), 0U);
  sink.draft(1, "A red car", true);
  const auto answer = sink.next_whole_answer();
  EXPECT_TRUE(answer.ok) << answer.reason;
  EXPECT_TRUE(answer.verified);
  EXPECT_EQ(answer.call_bytes_sent, answer.bytes_sent);
  EXPECT_GT(answer.call_ms, 0);
  EXPECT_LE(answer.call_ms, answer.took_ms);
  EXPECT_EQ(answer.call_tokens, 3);
  EXPECT_TRUE(has(server, 0, R"("content":"A red car")"));
}

// Breaks when an upload whose draft turned out good becomes a question all the same, or takes the place of
// the next one.
TEST(CloudOffloadSinkDraft, AnUploadIsGivenUpWithItsSegment) {
  const FaultServer server({verifying("No", " car", 0, 0)});
  Sink sink(endpoint(server) + "max-in-flight=1");
  sink.begin(1, "What?", true);
  sink.frame(1, 0, true);
  server.wait_for_bytes(500);
  sink.cancel(1);
  sink.begin(2, "And now?");
  sink.frame(2, 0, true);
  const auto answer = sink.next_whole_answer();
  EXPECT_EQ(answer.id, 2U);
  EXPECT_TRUE(answer.ok) << answer.reason;
  EXPECT_EQ(statistic(sink.element(), "cancelled"), 1U);
}

// Breaks when an upload whose draft was lost on its way here keeps its place when the next segment begins:
// after max-in-flight of them nothing would be asked any more.
TEST(CloudOffloadSinkDraft, AnUploadIsGivenUpWhenTheNextSegmentBegins) {
  const FaultServer server({verifying("A", " car", 0, 0)});
  Sink sink(endpoint(server) + "max-in-flight=1");
  sink.begin(1, "What?", true);
  sink.frame(1, 0, true);
  server.wait_for_bytes(500);
  sink.begin(2, "And now?");
  EXPECT_EQ(sink.next_answer().reason, "another segment began before this one's last frame or draft came");
  sink.frame(2, 0, true);
  const auto answer = sink.next_whole_answer();
  EXPECT_EQ(answer.id, 2U);
  EXPECT_TRUE(answer.ok) << answer.reason;
}

// Breaks when a draft that never comes holds a place for ever.
TEST(CloudOffloadSinkDraft, ThatNeverComesIsReported) {
  const FaultServer server({verifying("No", " car", 0, 0)});
  Sink sink(endpoint(server));
  sink.begin(1, "What?", true);
  sink.frame(1, 0, true);
  server.wait_for_bytes(500);
  gst_harness_push_event(sink.harness(), gst_event_new_eos());
  const auto answer = sink.next_answer();
  EXPECT_FALSE(answer.ok);
  EXPECT_EQ(answer.reason, "the stream ended before the segment's last frame or draft came");
}

// Breaks when who has heard that a link was down is not told by a new sink that nothing is known of its own.
TEST(CloudOffloadSinkDraft, TheLinkIsToldOfWithTheStream) {
  const FaultServer server({verifying("A red", " car", 3, 0)});
  Sink sink(endpoint(server));
  const auto state = sink.next_link_state();
  EXPECT_TRUE(state.up);
  EXPECT_EQ(state.bytes_sent, 0U);
}

// Breaks when nobody upstream learns how long the server itself took, or takes silence for no time at all.
TEST(CloudOffloadSinkDraft, TheServersOwnTimeIsToldOf) {
  const FaultServer server(
      {Behaviour::events({chunk("A bus", "stop", R"(,"timings":{"prompt_ms":20,"predicted_ms":30})")}),
       Behaviour::events({chunk("A bus", "stop")})});
  Sink sink(endpoint(server));
  for (const std::uint64_t id : {1U, 2U}) {
    sink.begin(id, "What?");
    sink.frame(id, 0, true);
    const auto answer = sink.next_whole_answer();
    EXPECT_EQ(answer.call_server_ms, id == 1 ? std::optional(50.0) : std::nullopt);
    ASSERT_TRUE(answer.call_connect_ms) << "each opens a connection";
    EXPECT_LT(*answer.call_connect_ms, answer.call_ms);
  }
}

// Breaks when nobody upstream learns what the link is like, or what it cost.
TEST(CloudOffloadSinkDraft, TheLinkIsToldOfWithItsCosts) {
  const FaultServer server({verifying("A red", " car", 3, 0)});
  Sink sink(endpoint(server));
  sink.begin(1, "What?");
  sink.frame(1, 0, true);
  sink.next_link_state();  // the stream's
  const auto state = sink.next_link_state();
  EXPECT_TRUE(state.up);
  EXPECT_TRUE(state.verifies);
  EXPECT_GT(state.bytes_sent, 0U);
  EXPECT_EQ(state.calls, 1U);
  EXPECT_GT(state.connect_ms, 0);
  EXPECT_EQ(state.loss, 0);
}

// Breaks when a second server is not asked where the first is down.
TEST(CloudOffloadSinkDraft, SeveralServersMayBeNamed) {
  const FaultServer second({verifying("from the", " second", 0, 0)});
  Sink sink("endpoint=\"" + faults::refused_url() + ", " + second.url() +
            "\" retries=1 extra-headers=x,X-Tenant=me");
  sink.begin(1, "What?");
  sink.frame(1, 0, true);
  const auto answer = sink.next_whole_answer();
  EXPECT_EQ(answer.text, "from the second");
  EXPECT_EQ(second.requests()[0].headers.at("x-tenant"), "me");
}

}  // namespace
}  // namespace saccade::gst
