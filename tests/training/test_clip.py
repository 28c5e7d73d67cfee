"""The clip and its truth: a timeline without gaps that says what the frames show."""

import os
import pathlib
import tempfile
import unittest

import cv2

import street  # noqa: F401
from borders import open_kinds
from clip import DEFAULT_SEED, FPS, HEIGHT, KINDS, SECONDS, WIDTH, Street, timeline, write_clip
from questions import answer
from scene import SPLITS


class Timeline(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.truth = timeline(DEFAULT_SEED)

    def test_covers_the_clip_without_gap_or_overlap(self):
        """If this fails, part of a run is scored twice or not at all."""
        self.assertEqual(set(self.truth["questions"]), set(KINDS))
        for kind, entry in self.truth["questions"].items():
            at = 0.0
            for run in entry["intervals"]:
                self.assertEqual(run["start"], at, kind)
                self.assertGreater(run["end"], run["start"])
                at = run["end"]
            self.assertEqual(at, SECONDS)

    def test_says_what_the_state_says(self):
        """If this fails, the truth is not the truth."""
        street60 = Street(DEFAULT_SEED)
        for k in range(0, SECONDS * FPS, 7):
            scene = street60.scene_at(k / FPS)
            for kind, entry in self.truth["questions"].items():
                run = next(r for r in entry["intervals"] if r["start"] <= k / FPS < r["end"])
                self.assertEqual(run["answer"], answer(kind, scene), (kind, k))

    def test_unsure_is_short_and_where_the_borders_are(self):
        """Unsure stretches are not scored, so there must be few."""
        street60 = Street(DEFAULT_SEED)
        for kind, entry in self.truth["questions"].items():
            self.assertLess(sum(r["end"] - r["start"] for r in entry["unsure"]), 0.15 * SECONDS, kind)
            for r in entry["unsure"]:
                self.assertIn(kind, open_kinds(street60.scene_at(r["start"])))

    def test_something_happens_and_something_stays(self):
        """A clip in which nothing changes, or everything, shows nothing about sparsity."""
        for kind in ("light", "people", "car", "path", "day", "safe"):
            self.assertGreater(len(self.truth["questions"][kind]["intervals"]), 1, kind)
        times = [0.0] + [e["time"] for e in self.truth["events"]] + [float(SECONDS)]
        self.assertGreater(max(b - a for a, b in zip(times, times[1:])), 4.0)

    def test_seed_is_of_the_test_split(self):
        """The model must never have seen the clip's street."""
        self.assertIn(DEFAULT_SEED, SPLITS["test"])

    def test_every_seed_gives_a_sound_street(self):
        """Other seeds shift delays and mirror the street; one car at a time and a full timeline must remain."""
        for seed in range(SPLITS["test"].start, SPLITS["test"].start + 5):
            truth = timeline(seed)
            self.assertEqual(truth["questions"]["crossing"]["intervals"], [{"start": 0.0, "end": 60.0, "answer": "yes"}])


class Clip(unittest.TestCase):
    def test_same_seed_same_file_and_it_plays(self):
        """If this fails, the clip differs between machines or cannot be decoded."""
        with tempfile.TemporaryDirectory() as folder:
            paths = [os.path.join(folder, name) for name in ("a.avi", "b.avi")]
            for path in paths:
                write_clip(DEFAULT_SEED, path, seconds=1)
            contents = [pathlib.Path(path).read_bytes() for path in paths]
            self.assertEqual(contents[0], contents[1])
            clip, frames = cv2.VideoCapture(paths[0]), 0
            self.assertEqual(clip.get(cv2.CAP_PROP_FPS), FPS)
            while True:
                there, picture = clip.read()
                if not there:
                    break
                self.assertEqual(picture.shape, (HEIGHT, WIDTH, 3))
                frames += 1
            self.assertEqual(frames, FPS)


if __name__ == "__main__":
    unittest.main()
