// The desk of saccade-server by itself: who is taken, who waits, and who is sent away.
#include "server/answer_desk.h"

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <future>
#include <stop_token>
#include <string_view>
#include <utility>

#include "street_pictures.h"

namespace saccade {
namespace {

constexpr auto kLongEnough = std::chrono::minutes(1);  // for whatever has to happen; no test hangs

struct Asked {
  std::stop_source stop;
  std::promise<StatusKind> told;
  std::future<StatusKind> answer = told.get_future();

  // Whoever is told twice ends the test.
  Order order(std::function<void(std::string_view)> grew = {}) {
    Order order;
    order.request.messages = {{Role::user, {{ContentPart::Kind::text, "is it day or night?"}}}};
    order.request.json_schema = R"({"enum":["day","night"]})";  // an answer of some words
    order.request.stream = static_cast<bool>(grew);
    order.stop = stop.get_token();
    order.grew = std::move(grew);
    order.done = [this](const Result<Answer> &made) { told.set_value(made.status().kind()); };
    return order;
  }
  bool ends_as(StatusKind kind) {
    return answer.wait_for(kLongEnough) == std::future_status::ready && answer.get() == kind;
  }
  bool is_told() const { return answer.wait_for(std::chrono::seconds(0)) == std::future_status::ready; }
};

class ServerDeskTest : public testing::Test {
 protected:
  void open(std::size_t max_queue) {
    DeskOptions options;
    options.parallel = 1;
    options.max_queue = max_queue;
    auto opened = AnswerDesk::open(shipped_model(), options);
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    desk_ = std::move(opened).value();
  }
  // Keeps the one session busy until release().
  void occupy() {
    const auto grew = [this, first = true](std::string_view) mutable {
      if (!std::exchange(first, false)) return;
      begun_.set_value();
      held_.get_future().wait_for(kLongEnough);
    };
    ASSERT_TRUE(desk_->submit(busy_.order(grew)));
    ASSERT_EQ(begun_.get_future().wait_for(kLongEnough), std::future_status::ready);
  }
  void release() { held_.set_value(); }

  Asked busy_;
  std::promise<void> begun_, held_;
  std::unique_ptr<AnswerDesk> desk_;  // last: it calls back until it is gone
};

// If this fails, clients that have hung up keep a busy server's queue full, and those who would wait are
// turned away.
TEST_F(ServerDeskTest, WhoeverLeftMakesRoomInAFullQueue) {
  Asked gone, waiting, late, living;
  open(2);
  if (HasFatalFailure()) return;
  occupy();
  EXPECT_TRUE(desk_->submit(gone.order()));
  EXPECT_TRUE(desk_->submit(waiting.order()));
  EXPECT_FALSE(desk_->submit(late.order()));
  gone.stop.request_stop();
  EXPECT_FALSE(gone.is_told());
  EXPECT_TRUE(desk_->submit(living.order()));
  EXPECT_TRUE(gone.is_told());
  EXPECT_FALSE(waiting.is_told());
  EXPECT_EQ(desk_->figures().queued, 2U);
  EXPECT_FALSE(desk_->submit(late.order()));
  release();
  EXPECT_TRUE(gone.ends_as(StatusKind::cancelled));
  for (auto *asked : {&busy_, &waiting, &living}) EXPECT_TRUE(asked->ends_as(StatusKind::ok));
  EXPECT_FALSE(late.is_told());
  desk_.reset();  // before those whom it tells
}

}  // namespace
}  // namespace saccade
