#include "localmllm/answer_output.h"

#include <gtest/gtest.h>

#include <memory>

#include "common/metas.h"

namespace saccade::gst {
namespace {

struct BufferUnref {
  void operator()(GstBuffer *buffer) const { gst_buffer_unref(buffer); }
};
using Buffer = std::unique_ptr<GstBuffer, BufferUnref>;

Answer answer(const std::string &text) {
  Answer made;
  made.question = "Is there a car?";
  made.text = text;
  return made;
}

// A model that ends at once says nothing, and an application whose criticals are fatal must survive that.
TEST(AnswerOutput, AnEmptyAnswerIsABufferOfNoBytes) {
  const Buffer buffer(answer_buffer(answer(""), AnswerFormat::utf8));
  ASSERT_NE(buffer, nullptr);
  EXPECT_EQ(gst_buffer_get_size(buffer.get()), 0U);
  const auto meta = gst_buffer_get_custom_meta(buffer.get(), kAnswerMetaName);
  ASSERT_NE(meta, nullptr);
  EXPECT_STREQ(gst_structure_get_string(gst_custom_meta_get_structure(meta), "question"), "Is there a car?");
}

// What follows must get the text itself, without a closing zero.
TEST(AnswerOutput, ATextIsItsBytes) {
  const Buffer buffer(answer_buffer(answer("yes"), AnswerFormat::utf8));
  EXPECT_EQ(gst_buffer_get_size(buffer.get()), 3U);
  EXPECT_EQ(gst_buffer_memcmp(buffer.get(), 0, "yes", 3), 0);
}

}  // namespace
}  // namespace saccade::gst
