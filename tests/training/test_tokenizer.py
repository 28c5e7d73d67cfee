"""The byte-level BPE: nothing is lost, and the tokens that libmtmd looks up exist."""

import unittest

import street  # noqa: F401
from questions import QUESTIONS, vocabulary_texts
from tokenizer import BOS, EOS, FAKE, GLOBAL, SPECIALS, Tokenizer, split_words


class Bpe(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.tokenizer = Tokenizer.learn(vocabulary_texts())

    def test_round_trip(self):
        """If this fails, a user's words reach the model changed."""
        for text in ("What colour is the car?", "", " ", "  two  spaces ", "\n", "\n\n", "a\n\n b", "it's 42 o'clock!", "Größe, 日本, 🚲",
                     "tabs\tand\r\nlines", "<|im_start|> as plain text", "\u00a0x"):
            self.assertEqual(self.tokenizer.decode(self.tokenizer.encode(text)), text)

    def test_words_are_cut_as_smollm_cuts_them(self):
        """llama.cpp's tokenizer.ggml.pre = smollm; other cuts mean other tokens than the model was trained on."""
        self.assertEqual(split_words("User: "), ["User", ":", " "])
        self.assertEqual(split_words("\nAssistant:"), ["\n", "Assistant", ":"])
        self.assertEqual(split_words(" 42 cars"), [" ", "4", "2", " cars"])
        self.assertEqual(split_words("it's  ok"), ["it", "'s", " ", " ok"])
        self.assertEqual(split_words("?!\n\n"), ["?!", "\n\n"])

    def test_blank_line_is_one_token(self):
        """libmtmd looks up "\\n\\n" as one token before the overview."""
        self.assertEqual(len(self.tokenizer.encode("\n\n")), 1)

    def test_specials_are_single_and_first(self):
        """If this fails, <fake_token_around_image> would be spelled out in bytes."""
        for name in (BOS, EOS, FAKE, GLOBAL, "<row_1_col_1>"):
            self.assertEqual(self.tokenizer.ids(name), [SPECIALS.index(name)])

    def test_answers_are_short(self):
        """Short answers are what keeps decoding short: one token, two for a number."""
        for kind, question in QUESTIONS.items():
            for text in question.answers:
                self.assertLessEqual(len(self.tokenizer.encode(" " + text)), 2, (kind, text))

    def test_learning_is_deterministic(self):
        """If this fails, a checkpoint and a tokenizer learned again do not belong together."""
        self.assertEqual(Tokenizer.learn(vocabulary_texts()).tokens, self.tokenizer.tokens)


if __name__ == "__main__":
    unittest.main()
