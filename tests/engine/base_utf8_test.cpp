#include "base/utf8.h"

#include <glib.h>
#include <gtest/gtest.h>

#include <string>

namespace saccade {
namespace {

// Breaks when bytes that other programs refuse pass for text, or text is refused: GLib is the measure, over
// all first and second bytes with third and fourth ones from both sides of each limit.
TEST(Utf8, IsWhatGLibTakes) {
  for (int first = 1; first < 256; ++first)
    for (int second = 1; second < 256; ++second)
      for (const char third : {'a', '\x7F', '\x80', '\x8F', '\xBF', '\xC0'})
        for (const char fourth : {'a', '\x7F', '\x80', '\xBF', '\xC0'}) {
          const std::string text{static_cast<char>(first), static_cast<char>(second), third, fourth};
          for (std::size_t length = 1; length <= text.size(); ++length) {
            const auto start = text.substr(0, length);
            const bool valid = g_utf8_validate(start.data(), static_cast<gssize>(length), nullptr) != FALSE;
            ASSERT_EQ(is_utf8(start), valid) << first << " " << second << " " << length;
          }
        }
}

// Breaks when a token that ends within a character is taken for the end of the text, or for nonsense.
TEST(Utf8, SaysHowMuchOfACharacterIsThere) {
  EXPECT_EQ(unfinished_utf8(""), 0U);
  EXPECT_EQ(unfinished_utf8(std::string_view("a\0b", 3)), 0U);
  const std::string light = "a\xF0\x9F\x9A\xA6";
  EXPECT_EQ(unfinished_utf8(light), 0U);
  for (std::size_t there = 1; there < 4; ++there)
    EXPECT_EQ(unfinished_utf8(light.substr(0, 1 + there)), there);
  for (const char *never :
       {"\x80", "\xC0", "\xE0\x9F", "\xED\xA0", "\xF0\x8F", "\xF4\x90", "\xF5", "\xC3(", "\xE2\x82z"})
    EXPECT_FALSE(unfinished_utf8(never)) << never;
}

}  // namespace
}  // namespace saccade
