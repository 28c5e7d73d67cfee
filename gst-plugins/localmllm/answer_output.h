// An answer in the forms in which it leaves the element: a structure for messages, metas and signals, and
// the bytes of a text buffer.
#pragma once

#include <gst/gst.h>

#include <string>

#include "mllm/answer.h"

namespace saccade::gst {

enum class AnswerFormat { utf8, json };

// "saccade-answer" with stream s, id u64, question s, text s, confidence d, source s, start u64, end u64 (ns
// of stream time), queued-ms, encode-ms, prefill-ms, decode-ms, capture-to-answer-ms d, tokens-seen,
// tokens-kept, tokens-generated, prompt-tokens, prompt-tokens-read, tokens-guessed, tokens-guessed-right i,
// truncated b; and partial b where it still grows, unsure-of s where it is not what the model said,
// supersedes u64 where it is a correction. The caller owns it.
GstStructure *answer_structure(const Answer &answer);

// The answer's text alone, or one JSON object with the same fields as the structure. The caller owns the
// buffer; it carries a SaccadeAnswerMeta, and no time stamps yet.
GstBuffer *answer_buffer(const Answer &answer, AnswerFormat format);

// Valid UTF-8 whatever the model made.
std::string valid_utf8(const std::string &text);

}  // namespace saccade::gst
