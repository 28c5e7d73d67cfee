"""saccade-eval --gate: the plain ways choose what they say, labels are read rightly, and the page keeps its other parts."""

import unittest

import numpy as np
from evaluation import EVAL   # noqa: F401  (puts the modules in reach)

import benchmarks
from gate import footage_figures, ways
from gate.watching import Watched


def grey(level, size=64):
    return np.full((size, size), level, np.uint8)


def with_square(level):
    picture = grey(100)
    picture[16:32, 16:32] = level
    return picture


class Ways(unittest.TestCase):
    def test_uniform_keeps_its_rate_whatever_the_stream_has(self):
        times = [0, 0.1, 0.4, 0.55, 1.0, 3.0, 3.1]
        self.assertEqual(ways.at_rate(None, times, 2), [True, False, False, True, False, True, False])

    def test_mean_difference_counts_from_what_was_chosen_last(self):
        """If this fails, slow drift is not even seen by what the gate is compared with, and the comparison flatters."""
        drift = [grey(100 + k) for k in range(7)]
        self.assertEqual(ways.by_mean_difference(drift, None, 3), [True, False, False, True, False, False, True])

    def test_cosine_sees_another_pattern_and_no_other_light(self):
        ramp = np.tile(np.arange(10, 138, 2, dtype=np.uint8), (64, 1))
        pictures = [ramp, (ramp * 0.8).astype(np.uint8), ramp[:, ::-1].copy()]
        self.assertEqual(ways.by_cosine(pictures, None, 0.01), [True, False, True])

    def test_the_plain_reference_moves_only_where_a_patch_was_encoded(self):
        maps = ways.changed_patches([grey(100), with_square(103), with_square(106), with_square(106)], 4, 4)
        self.assertTrue(maps[0].all())
        self.assertFalse(maps[1].any())
        self.assertEqual(maps[2].sum(), 1)
        self.assertFalse(maps[3].any())


def labels(*stays):
    """One thing per (enter, leave), in the lower right corner."""
    def boxes(enter, leave):
        steps = round((leave - enter) / 0.5)
        return [{"t": enter + k * 0.5, "x0": 0.8, "y0": 0.8, "x1": 0.9, "y1": 0.9} for k in range(steps + 1)]
    return {"labelled": [[0, 40]], "halves": {"reporting": [0, 40]},
            "objects": [{"enter": enter, "leave": leave, "boxes": boxes(enter, leave)} for enter, leave in stays]}


class Footage(unittest.TestCase):
    def test_empty_is_where_nothing_is_and_what_left_has_settled(self):
        settle = footage_figures.SETTLE_S + 0.5
        self.assertEqual(footage_figures.empty_stretches(labels((10, 14), (12, 20))), [(0, 9.5), (20 + settle, 40)])

    def test_an_entry_counts_only_where_the_thing_is_and_when(self):
        clip = footage_figures.Footage("clip", labels((10, 14)), None)
        grid = footage_figures.GRID
        there, elsewhere = np.zeros((grid, grid), bool), np.zeros((grid, grid), bool)
        there[27, 27], elsewhere[2, 2] = True, True
        for at, changed, caught in ((10.2, there, 1), (10.2, elsewhere, 0), (11.0, there, 0), (9.0, there, 0)):
            watched = Watched(times=[0, at], chosen=[at], maps=[np.zeros((grid, grid), bool), changed])
            self.assertEqual(footage_figures.entry_figure(clip, watched)["value"], caught, at)


class Page(unittest.TestCase):
    def test_a_part_leaves_the_others_alone(self):
        """If this fails, one command wipes out what another has measured."""
        page = benchmarks.with_part("", "gate", "the gate, first")
        page = benchmarks.with_part(page, "streams", "streams")
        page = benchmarks.with_part(page, "gate", "the gate, again")
        self.assertEqual(page.count("the gate, first"), 0)
        self.assertLess(page.index("streams"), page.index("the gate, again"))
        self.assertEqual(page, benchmarks.with_part(page, "streams", "streams"))


if __name__ == "__main__":
    unittest.main()
