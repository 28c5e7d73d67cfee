"""saccade-eval --sessions: every part runs and stands on the page, and the page says what was measured. No time is judged."""

import json
import os
import shutil
import tempfile
import unittest

from evaluation import run_program

from sessions import page

TITLES = ("What an answer reads", "Beside llama-server", "Several cameras", "Whether sliding changes answers", "Long runs", "Stops", "Guesses",
          "Coming and going", "The element beside the engine")


def raw(part, found, **more):
    return {"part": part, "pair": "edge", "commit": "c0ffee", "machine": {"cpu": "a processor", "cores": 2}, "load": 0.5, "found": found, **more}


def row_of(text, *cells):
    """The cells of the table row that begins with these."""
    begin = "| " + " | ".join(cells) + " |"
    return next(line for line in text.splitlines() if line.startswith(begin)).strip("| ").split(" | ")


class ItRuns(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)

    def test_the_page_comes_out_whole(self):
        """If this fails, a part of the page cannot be written anew."""
        status, said = run_program("--sessions", self.folder, "--quick", "--pairs", "edge")
        self.assertEqual(status, 0, said)
        with open(os.path.join(self.folder, "report.md"), encoding="utf-8") as file:
            text = file.read()
        for title in TITLES:
            self.assertIn("### " + title, text)
        self.assertNotIn("**Missing", text)
        with open(os.path.join(self.folder, "agreement-saccade-edge.json"), encoding="utf-8") as file:
            self.assertEqual(len(json.load(file)["found"]["2"]["same"]), 6)

    def test_a_pair_that_is_not_there_is_left_out_and_named(self):
        """If this fails, a clone without the large shape measures nothing, or says that it measured all."""
        gone = os.path.join(self.folder, "gone")
        status, said = run_program("--sessions", self.folder, "--quick", "--pairs", "edge," + gone, "--parts", "guesses")
        self.assertEqual(status, 3, said)
        self.assertIn("there is no pair in " + gone, said)
        with open(os.path.join(self.folder, "report.md"), encoding="utf-8") as file:
            text = file.read()
        self.assertIn("### Guesses", text)
        self.assertIn("**Missing:** prefill, server", text)

    def test_words_that_are_wrong(self):
        """If this fails, a misprint is found after minutes, or figures that mean nothing get onto the page."""
        for sentence, words in (("no part nothing; there are prefill", ("--parts", "nothing")), ("leave --docs out", ("--quick", "--docs"))):
            status, said = run_program("--sessions", self.folder, *words)
            self.assertEqual(status, 2, said)
            self.assertIn(sentence, said)


class Page(unittest.TestCase):
    def test_ratios_are_of_the_same_round(self):
        """If this fails, a machine that was slow for a while makes one arrangement look better."""
        rounds = [("one process", 2), ("processes", 8), ("one camera", 1), ("one process", 4), ("processes", 24), ("one camera", 1)]
        measured = [{"how": how, "threads": 1, "seconds": seconds, "processor_seconds": 1, "cameras": 8, "answers": 8, "tokens": 80, "mb": 100} for how, seconds in rounds]
        text = page.section([raw("cameras", {"whole": {"tried": measured[:1], "measured": measured}})])
        self.assertEqual(row_of(text, "`edge`", "whole")[6], "5.00 (4.00–6.00)")

    def test_less_reading_is_told_by_tokens_and_by_time(self):
        stretches = [{"window": 8, "way": way, "clock_ms": [ms, ms], "word_ms": [1], "processor_ms": [ms, ms], "read": [read, read], "prompt": 400}
                     for way, ms, read in (("everything", 90, 400), ("slide", 30, 50))]
        cells = row_of(page.section([raw("prefill", stretches)]), "`edge`", "8", "slide")
        self.assertEqual(cells[3:8], ["50 of 400", "8.0", "30.0", "1.00", "3.00 (3.00–3.00)"])

    def test_the_first_and_the_last_evictions_are_told_apart(self):
        """If this fails, answers that get worse the longer a window slides look as good as ever."""
        at = list(range(1, 301))
        found = {"kinds": ["light"], "evictions": at, "same": [[1] if i <= 200 else [0] for i in at], "confidences": [[0.5]] * 300, "read": 10, "prompt": 100, "reread": 1}
        cells = row_of(page.section([raw("agreement", {"4": found})]), "`edge`", "4", "300")
        self.assertEqual([cell.split()[0] for cell in cells[3:6]], ["66.7", "100.0", "0.0"])

    def test_growth_is_that_of_the_line_through_all_but_the_first_tenth(self):
        at = list(range(100, 10_001, 100))
        found = {"answers": at, "rss_mb": [50 if i < 1000 else 100 + i / 9000 for i in at], "ms": 1e5}
        cells = row_of(page.section([raw("endurance", found)]), "`edge`", "10000")
        self.assertEqual((cells[2].split()[0], cells[5]), ("100.11", "+1.00"))

    def test_what_an_option_cannot_do_is_said_in_its_row(self):
        found = {"1": {"kv-type q8_0": "heads of 20 numbers", "guesses 8": [[1, 1], [1, 0]]}}
        text = page.section([raw("variants", found)])
        self.assertEqual(row_of(text, "`edge`", "1", "kv-type q8_0")[3], "heads of 20 numbers")
        self.assertEqual(row_of(text, "`edge`", "1", "guesses 8")[3].split()[0], "75.0")

    def test_what_a_draft_adds_has_rows_of_its_own(self):
        """If this fails, a draft's figures are averaged with those of the last answer alone."""
        asked = [{"guesses": guesses, "draft": draft, "round": 1, "same": 0, "as_without": 1, "clock_ms": ms, "processor_ms": ms, "tokens": 9,
                  "guessed": guesses, "right": 3 * draft} for guesses, draft, ms in ((0, 0, 12), (8, 0, 10), (8, 1, 4))]
        text = page.section([raw("guesses", asked)])
        self.assertEqual(row_of(text, "`edge`", "another", "8")[6], "0 of 8")
        cells = row_of(text, "`edge`", "another", "8, draft")
        self.assertEqual((cells[3].split()[0], cells[4].split()[0], cells[6]), ("4.0", "3.00", "3 of 8"))


if __name__ == "__main__":
    unittest.main()
