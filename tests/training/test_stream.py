"""Streams: the same arguments are the same clip, its truth is what the scenes show, and disturbances change no answer."""

import json
import os
import pathlib
import tempfile
import unittest

import cv2
import numpy as np

import street  # noqa: F401
import describe
from borders import open_kinds
from draw import draw_scene
from questions import QUESTIONS, answer
from scene import SPLITS, random_scene
from script import PRESETS, Script
from stills import write_stills
from stream import write_stream
from timeline import SPAN, WATCH, events_of, questions_over
from window import random_window

SEED, SECONDS, FPS = SPLITS["validation"].start + 500, 30, 10


def scenes_of(preset, seed=SEED):
    script = Script(preset, seed, SECONDS)
    return script, [script.scene_at(k / FPS) for k in range(SECONDS * FPS)]


class Streams(unittest.TestCase):
    def test_same_arguments_same_pictures(self):
        """If this fails, no figure of an evaluation can be reproduced."""
        for preset in PRESETS:
            first, second = (draw_scene(Script(preset, SEED, SECONDS).scene_at(12.3), 160, 90) for _ in range(2))
            self.assertTrue(np.array_equal(first, second), preset)

    def test_truth_covers_the_clip(self):
        """If this fails, part of a run is scored twice or not at all."""
        for preset in PRESETS:
            for kind, entry in questions_over(scenes_of(preset)[1], FPS).items():
                at = 0.0
                for run in entry["intervals"]:
                    self.assertEqual(run["start"], at, (preset, kind))
                    at = run["end"]
                self.assertEqual(at, SECONDS)

    def test_calm_is_calm_and_street_is_not(self):
        """A calm clip must have a long stretch without any change, a street must not."""
        def longest(preset):
            events = events_of(questions_over(scenes_of(preset)[1], FPS))
            times = [0.0] + [e["time"] for e in events] + [float(SECONDS)]
            return max(b - a for a, b in zip(times, times[1:]))
        self.assertGreater(longest("calm"), 8.0)
        self.assertLess(longest("street"), 6.0)

    def test_slow_drift_changes_an_answer(self):
        """Dusk and the creeping shadow must not be missed: they change an answer once."""
        for preset, kind in (("dusk", "day"), ("shadow", "shade")):
            self.assertEqual(len(questions_over(scenes_of(preset)[1], FPS)[kind]["intervals"]), 2, preset)

    def test_disturbances_change_pictures_and_no_answer(self):
        """If this fails, rain or an exposure step would be a thing to report."""
        script, scenes = scenes_of("disturbed")
        self.assertEqual({d.kind for d in script.disturbances}, {"flicker", "exposure", "rain", "noise"})
        disturbances, script.disturbances = script.disturbances, []
        for k in range(0, len(scenes), 3):
            quiet = script.scene_at(k / FPS)
            for kind, question in QUESTIONS.items():
                if question.grade != "watch":
                    self.assertEqual(answer(kind, scenes[k]), answer(kind, quiet), kind)
        k = round((disturbances[0].start + 0.3) * FPS)
        quiet = draw_scene(script.scene_at(k / FPS), 320, 180).astype(int)
        self.assertGreater(np.abs(draw_scene(scenes[k], 320, 180).astype(int) - quiet).mean(), 0.3)

    def test_a_hand_shakes_and_a_walker_looks_aside(self):
        """If this fails, the variants of the camera are one and the same."""
        reach = {p: max(abs(s.shift[0]) for s in scenes_of(p)[1]) for p in ("street", "handheld", "walking")}
        self.assertEqual(reach["street"], 0.0)
        self.assertGreater(reach["handheld"], 0.003)
        self.assertGreater(reach["walking"], 2 * reach["handheld"])

    def test_watch_looks_back_over_its_span(self):
        """If this fails, a change of the light is reported too early, too late or for ever."""
        script, scenes = scenes_of("lights")
        truth = questions_over(scenes, FPS)["light_changed"]["intervals"]
        change = next(t for t, _ in script.states[1:] if t > SPAN + 2)
        at = lambda t: next(r["answer"] for r in truth if r["start"] <= t < r["end"])   # noqa: E731
        self.assertEqual(at(change + 0.5 * SPAN), "yes")
        states_before = {s for t, s in script.states if change - 1.5 * SPAN < t <= change - 0.2}
        if not states_before:
            self.assertEqual(at(change - 0.3), "no")

    def test_open_is_the_exception(self):
        """Open stretches are not scored, so there must be few."""
        for preset in PRESETS:
            scenes = scenes_of(preset)[1]
            still = [k for k in QUESTIONS if k not in WATCH]
            share = np.mean([len(open_kinds(s) & set(still)) / len(still) for s in scenes])
            self.assertLess(share, 0.2, preset)


class Files(unittest.TestCase):
    def test_a_stream_is_written_with_sound_and_truth(self):
        """If this fails, an evaluation has no clip; the same arguments must give the same bytes."""
        with tempfile.TemporaryDirectory() as folder:
            first = pathlib.Path(write_stream("street", SEED, 10, os.path.join(folder, "a")))
            again = pathlib.Path(write_stream("street", SEED, 10, os.path.join(folder, "b")))
            self.assertEqual(first.read_bytes(), again.read_bytes())
            self.assertEqual(first.with_suffix(".avi").read_bytes(), again.with_suffix(".avi").read_bytes())
            truth = json.loads(first.read_text(encoding="utf-8"))
            clip = cv2.VideoCapture(str(first.with_suffix(".avi")))
            self.assertEqual(int(clip.get(cv2.CAP_PROP_FRAME_COUNT)), truth["frames"])
        self.assertEqual((truth["split"], set(truth["questions"])), ("validation", set(QUESTIONS)))
        self.assertTrue(all({"start", "end", "label"} <= set(e) for e in truth["sounds"]))
        self.assertIn("car", {e["label"] for e in truth["sounds"]})

    def test_stills_judge_the_last_picture_of_a_window(self):
        """If this fails, a watch question is scored before it could be seen."""
        with tempfile.TemporaryDirectory() as folder:
            truth = json.loads(pathlib.Path(write_stills(SEED, 3, 4, folder)).read_text(encoding="utf-8"))
        self.assertEqual((truth["frames"], truth["fps"]), (12, 1))
        self.assertEqual(set(truth["questions"]), set(WATCH))
        for kind, entry in truth["questions"].items():
            self.assertEqual([r["start"] for r in entry["unsure"]], [0.0, 4.0, 8.0], kind)
            for k, run in enumerate(entry["intervals"]):
                self.assertEqual(run["answer"], answer(kind, random_window(SEED + k, 4)), kind)


class Windows(unittest.TestCase):
    def test_the_last_picture_is_the_scene_of_the_seed(self):
        """If this fails, questions about the present are answered about the past."""
        for seed in range(SEED, SEED + 30):
            now, alone = random_window(seed, 4)[-1], random_scene(seed)
            for kind, question in QUESTIONS.items():
                if question.grade != "watch":
                    self.assertEqual(answer(kind, now), answer(kind, alone), kind)

    def test_every_watch_answer_occurs(self):
        """An answer that never occurs cannot be learned."""
        for kind in WATCH:
            seen = {answer(kind, random_window(seed, 3)) for seed in range(SEED, SEED + 400)}
            self.assertEqual(seen, set(QUESTIONS[kind].answers), kind)


class Descriptions(unittest.TestCase):
    def test_a_description_states_all_its_facts(self):
        """If this fails, a right description scores less than 1."""
        for seed in range(SEED, SEED + 200):
            truth = answer("describe", random_scene(seed))
            self.assertEqual(describe.facts_right(truth, truth), (11, 11), truth)

    def test_a_wrong_fact_and_a_missing_one_cost_one_each(self):
        """If this fails, a description is scored by its style."""
        truth = "It is day and the light on the left is red. The road has no car and there is a zebra crossing. I see nobody on " \
                "the left and one person on the right. The path is clear. The sign says BANK and bus 7 stops here."
        self.assertEqual(describe.facts_right(truth.replace("red", "green"), truth), (10, 11))
        self.assertEqual(describe.facts_right(truth.replace(" and bus 7 stops here", ""), truth), (10, 11))
        self.assertEqual(describe.facts_right("", truth), (0, 11))

    def test_a_description_is_long(self):
        """Without long answers speculation cannot be measured: 32 to 64 tokens."""
        from questions import vocabulary_texts
        from tokenizer import Tokenizer
        tokenizer = Tokenizer.learn(vocabulary_texts())
        lengths = [len(tokenizer.encode(" " + answer("describe", random_scene(s)))) for s in range(SEED, SEED + 100)]
        self.assertGreaterEqual(min(lengths), 32)
        self.assertLessEqual(max(lengths), 64)


if __name__ == "__main__":
    unittest.main()
