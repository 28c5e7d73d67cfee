"""Intervals: the same every time, and as wide as the blocks allow."""

import unittest

import evaluation  # noqa: F401
from bootstrap import block_of, repeated, share, statistics


class Share(unittest.TestCase):
    items = [(("clip", k // 10), int(k % 4 > 0), 1) for k in range(200)]

    def test_the_same_inputs_give_the_same_interval(self):
        """If this fails, an exact report is never the same twice."""
        self.assertEqual(share("a", self.items), share("a", self.items))

    def test_the_order_of_the_items_does_not_matter(self):
        """If this fails, the order of clips changes a figure."""
        self.assertEqual(share("a", self.items), share("a", self.items[::-1]))

    def test_moments_of_a_block_are_drawn_together(self):
        """If this fails, a tenth of a second counts as an experiment of its own and intervals are far too narrow."""
        alternating = [(("clip", k), k % 2, 100) for k in range(10) for _ in range(100)]
        alternating = [(block, right * 100, n) for block, right, n in alternating]
        figure = share("blocks", alternating)
        self.assertEqual(figure["blocks"], 10)
        self.assertGreater(figure["high"] - figure["low"], 0.4)

    def test_nothing_has_no_share(self):
        """If this fails, a kind that was never scored shows a figure."""
        self.assertIsNone(share("a", []))
        self.assertIsNone(share("a", [(("clip", 0), 0, 0)]))

    def test_the_interval_holds_the_value(self):
        figure = share("a", self.items)
        self.assertLessEqual(figure["low"], figure["value"])
        self.assertLessEqual(figure["value"], figure["high"])
        self.assertEqual(figure["n"], 200)


class Statistics(unittest.TestCase):
    def test_quantiles_are_values_that_were_there(self):
        """If this fails, a p95 is a latency that no answer had."""
        figures = statistics("late", [(("clip", k), float(k)) for k in range(1, 101)])
        self.assertEqual(figures["p50"]["value"], 50)
        self.assertEqual(figures["p95"]["value"], 95)
        self.assertAlmostEqual(figures["mean"]["value"], 50.5)

    def test_nothing_has_no_statistics(self):
        self.assertIsNone(statistics("late", []))


class Repeated(unittest.TestCase):
    def test_the_spread_goes_from_least_to_most(self):
        """If this fails, a report hides how much its runs differ."""
        figure = repeated("cpu", [1.0, 4.0, 2.0])
        self.assertEqual((figure["value"], figure["least"], figure["most"], figure["n"]), (2.0, 1.0, 4.0, 3))


class Blocks(unittest.TestCase):
    def test_clips_have_blocks_of_their_own(self):
        """If this fails, two clips are drawn as one."""
        self.assertNotEqual(block_of("a", 1.0), block_of("b", 1.0))
        self.assertEqual(block_of("a", 1.0), block_of("a", 4.9))
        self.assertNotEqual(block_of("a", 4.9), block_of("a", 5.0))


if __name__ == "__main__":
    unittest.main()
