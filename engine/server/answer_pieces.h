// An answer's text on its way to a client, piece by piece.
#pragma once

#include <string>
#include <string_view>

namespace saccade {

// Takes bytes as the model says them and gives text as a client may see it: every piece is UTF-8 by itself,
// and all of them together are the whole answer. What is no UTF-8 becomes U+FFFD. Used by one thread at a
// time.
class AnswerPieces {
 public:
  // For an answer that is begun anew: the white space around it is left out, as in Answer::text.
  static AnswerPieces trimmed() { return AnswerPieces(true); }
  // For one that goes on from given words, whose white space is part of it.
  static AnswerPieces exact() { return AnswerPieces(false); }

  // What can be shown so far; maybe nothing.
  std::string add(std::string_view bytes);
  // The rest; nothing may be added after it.
  std::string finish();

 private:
  explicit AnswerPieces(bool trims) : trims_(trims) {}
  std::string without_outer_space(std::string text);

  bool trims_;
  bool begun_ = false;
  std::string half_;    // a character that is not complete yet
  std::string blanks_;  // white space, which is only shown when something follows
};

}  // namespace saccade
