"""saccade-eval --encoder: answers are compared with those of the same picture, and the page says what was measured."""

import os
import tempfile
import unittest
from types import SimpleNamespace

from evaluation import EVAL   # noqa: F401  (puts the modules in reach)

from encoder import benchmark, page
from errors import EvalError


def row(*answers):
    questions = [SimpleNamespace(kind="light", grade="glance"), SimpleNamespace(kind="passed", grade="watch")]
    score = SimpleNamespace(questions=questions,
                            answers=[{"content": at, "kind": kind, "text": text} for at, kind, text in answers])
    run = SimpleNamespace(clip="clip", repetition=0, score=score)
    return SimpleNamespace(runs=[run], run_of=lambda clip, repetition: run)


def whole(*milliseconds):
    costs = {"ends": 1, "products": 5, "attention": 3, "rows": 1}
    return {"threads": 2, "libmtmd_ms": [2000, 2100, 1900], "fp32_ms": [1000, 1000, 1000], "int8_ms": list(milliseconds),
            "fp32_costs": costs, "int8_costs": costs, "fp32_peak": 400, "int8_peak": 1500, "gigaops": 200}


class Answers(unittest.TestCase):
    def test_only_the_same_picture_and_question_are_compared(self):
        mine = row((0, "light", "red"), (1, "light", "green"), (2, "light", "red"), (1, "passed", "yes"))
        theirs = row((0, "light", "red"), (1, "light", "red"), (3, "light", "red"), (1, "passed", "no"))
        same = benchmark._same_answers("name", mine, theirs)   # pylint: disable=protected-access
        self.assertEqual((same["value"], same["n"]), (0.5, 2))


    def test_only_the_answers_of_a_stretch_are_compared(self):
        mine, theirs = row((0, "light", "red"), (1, "light", "red"), (2, "light", "red")), row((0, "light", "green"), (1, "light", "red"), (2, "light", "green"))
        same = benchmark._same_answers("name", mine, theirs, 1, 2)   # pylint: disable=protected-access
        self.assertEqual((same["value"], same["n"]), (1, 1))


class Files(unittest.TestCase):
    def test_a_missing_model_is_named_with_what_makes_it(self):
        with tempfile.TemporaryDirectory() as folder, self.assertRaisesRegex(EvalError, "random_model.py"):
            benchmark.run(os.path.join(folder, "none"), folder, False, 1, print)


class Page(unittest.TestCase):
    def test_ratios_are_of_the_same_round(self):
        """If this fails, a machine that was slow for a while makes one encoder look faster."""
        self.assertEqual(page._ratio(whole(400, 420, 190), "int8"), 5)   # pylint: disable=protected-access

    def test_the_section_says_what_was_measured(self):
        clip = {"clip": "door", "pictures": 20, "kept": 10, "references": 2, "asked": 0.1, "share": 0.25, "libmtmd": 21.5, "whole": 4.5,
                "loose_libmtmd": 30, "loose_whole": 6, "empty_pictures": 0, "empty_kept": 0, "empty_libmtmd": None}
        share = {"value": 0.99, "low": 0.98, "high": 1.0, "n": 5, "blocks": 2}
        measured = {"commit": "c0ffee", "machine": {"cpu": "a processor", "cores": 2}, "load": 0.5, "shape": "shape", "rounds": 3, "repeated": 4, "rate": 2,
                    "whole": {"shape": whole(400, 420, 190)}, "clips": [clip],
                    "answers": [{"name": "saccade", "pair": "edge", "accuracy": share, "reference": "saccade-whole", "same": share}],
                    "compressors": [{"name": name, "pair": "edge", "right": {"all": dict(share, value=value), "by_grade": {"glance": share}}, "lost": lost}
                                    for name, value, lost in (("none-100", 0.9, None), ("dpp-25", 0.45, {"error": 0.25, "coverage": 0.625}))],
                    "merging": [{"name": "merge-inside-%d" % share, "pair": "edge", "right": {"all": dict(share_of, value=value)}}
                                for share, value, share_of in ((0, 0.75, share), (50, 0.5, share))],
                    "merging_times": {"saccade-edge": {"0": [30, 30, 33], "50": [20, 10, 22]}},
                    "closer": [{"name": "crop", "pair": "edge", "right": {"all": dict(share, value=0.625), "by_grade": {"glance": share}}}],
                    "cameras": {"shape": [{"cameras": 2, "patches": 8, "in_turn_ms": [60, 90, 62], "together_ms": [40, 30, 40]}]},
                    "drift": [{"name": "saccade", "pair": "edge", "same": [share, dict(share, value=0.875)]}],
                    "attention": [{"run_name": "attend/int8/1024/12/64", "aggregate_name": name, "cpu_time": 23.456, "gigaops/s": 141.0,
                                   "softmax": 0.3} for name in ("median", "stddev")],
                    "compress": [{"run_name": "dpp/%d/576" % side, "aggregate_name": name, "cpu_time": 1.25}
                                 for side in (8, 32) for name in ("median", "stddev")],
                    "gate": [{"run_name": "full_report/720/8", "aggregate_name": name, "cpu_time": 300.0, "p95_us": 400.0, "frames/s": 3300.0}
                             for name in ("median", "stddev")]}
        text = page.section(measured)
        for fact in ("c0ffee", "21.5", "5.00", "as `saccade-whole`", "99.0", "0.40", "3300", "`dpp-25` | edge | 45.0", "50.0", "1.250", "23.46", "0.25 | 62", "1.55 (1.50–3.00)", "minutes 3, 4", "| 1.50 | 50.0", "`crop` | edge | 62.5", "87.5"):
            self.assertIn(fact, text)


if __name__ == "__main__":
    unittest.main()
