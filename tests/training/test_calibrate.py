"""A model's confidence becomes the share of right answers, and its file changes in nothing else."""

import hashlib
import json
import os
import pathlib
import tempfile
import types
import unittest
from unittest import mock

import street
import numpy as np
import calibrate
from calibrate import Answers, Calibration
from scene import SPLITS
from test_random_model import GGUF, needs_gguf
from truth import Question, Truth

try:
    import torch
except ImportError:
    torch = None

MODELS = pathlib.Path(street.SAMPLES) / "models"


def answers_of(right_share, count=4000, seed=1):
    """Answers of one, two and fifty tokens that are right as often as right_share(confidence, tokens) says."""
    rng = np.random.default_rng(seed)
    tokens = rng.choice((1, 2, 50), count)
    confidence = np.where(tokens == 50, rng.uniform(0.8, 1, count), rng.uniform(0.2, 1, count))
    right = (rng.random(count) < right_share(confidence, tokens)).astype(float)
    kind = np.where(tokens == 50, "describe", "light")
    return Answers(np.arange(count) // 10, kind, right, confidence, tokens)


class Formula(unittest.TestCase):
    def test_the_engine_computes_the_same(self):
        """The same numbers as in tests/engine/mllm_confidence_test.cpp: if this fails, users get what nobody measured."""
        calibration = Calibration(3.0, 1.2, -0.02)
        for logarithms, expected in (([np.log(0.9)], 0.931927), ([np.log(0.99), np.log(0.5)], 0.489002),
                                     ([np.log(0.95)] * 50, 0.894011), ([0.0], 0.999984), ([-50.0], 1.55367e-5)):
            said = calibration(np.exp(np.mean(logarithms)), len(logarithms))
            self.assertAlmostEqual(float(said), expected, 6 if expected > 0.01 else 9)

    def test_without_keys_it_is_the_mean(self):
        """If this fails, what is called plain is something else."""
        confidence = np.array([0.01, 0.3, 0.5, 0.999])
        for tokens in (1, 2, 60):
            np.testing.assert_allclose(Calibration()(confidence, np.full(4, tokens)), confidence, rtol=1e-9)

    def test_figures_are_what_they_are_called(self):
        """If this fails, models are chosen by wrong figures."""
        said, right = np.array([0.5, 0.5, 0.9, 0.9]), np.array([1.0, 0.0, 1.0, 1.0])
        loss, brier, ece = calibrate.figures(said, right, np.ones(4))
        self.assertAlmostEqual(loss, -(2 * np.log(0.5) + 2 * np.log(0.9)) / 4)
        self.assertAlmostEqual(brier, (2 * 0.25 + 2 * 0.01) / 4)
        self.assertAlmostEqual(ece, 2 * 0.1 / 4)
        self.assertAlmostEqual(calibrate.binned(said, right)["ece"], ece)
        np.testing.assert_allclose(calibrate.figures(said, right, np.array([2.0, 1, 1, 1])),
                                   calibrate.figures(said[[0, 0, 1, 2, 3]], right[[0, 0, 1, 2, 3]], np.ones(5)))


class Fit(unittest.TestCase):
    def test_a_known_calibration_is_found(self):
        """If this fails, the keys do not say what the model's answers are worth."""
        true = Calibration(3.0, 1.4, -0.5)
        found = calibrate.fitted(answers_of(true, 20000))
        self.assertAlmostEqual(found.statement_tokens, 3.0, delta=0.5)
        self.assertAlmostEqual(found.slope, 1.4, delta=0.12)
        self.assertAlmostEqual(found.offset, -0.5, delta=0.12)

    def test_it_helps_on_other_answers_only_where_there_is_something_to_find(self):
        """If this fails, chance is written into files, or what would help is not."""
        for true, wanted in ((Calibration(3.0, 1.4, -0.5), True), (Calibration(), False)):
            calibration, others = calibrate.fitted(answers_of(true)), answers_of(true, seed=2)
            found = {"all": calibrate.compared(others, calibration)}
            self.assertEqual(calibrate.helps(calibration, found), wanted, found["all"]["difference"])
            self.assertLess(found["all"]["calibrated"]["ece"][0], 0.03)

    def test_answers_that_are_all_right_give_finite_numbers(self):
        """If this fails, a perfect model has keys that no program can read."""
        calibration = calibrate.fitted(answers_of(lambda confidence, tokens: np.ones(len(tokens))))
        self.assertTrue(all(np.isfinite(float(value)) for value in calibration.keys().values()))

    def test_a_model_that_is_surer_when_it_is_wrong_gets_no_keys(self):
        """If this fails, the engine is told to turn confidence round."""
        found = {"all": {"difference": {"log_loss": [-1, -1, -1]}}}
        self.assertFalse(calibrate.helps(Calibration(1.0, -1.0, 0.0), found))


class Questions(unittest.TestCase):
    def test_no_scene_is_used_twice(self):
        """If this fails, figures are about scenes that something was made with."""
        spans = sorted((spec.seed, spec.seed + spec.seconds) for half in calibrate.HALVES
                       for spec in calibrate.specs(half, 230, 60))
        self.assertTrue(all(end <= start for (_, end), (start, _) in zip(spans, spans[1:])), spans)
        self.assertTrue(all(first - 10_000 in SPLITS["validation"] and end in SPLITS["validation"] for first, end in spans))
        self.assertEqual(sum(end - first for first, end in spans), 2 * (230 + 60))

    def test_only_the_last_picture_of_a_window_is_judged(self):
        """If this fails, answers about half a story count as wrong."""
        spec = calibrate.ClipSpec("stills4", 500, 2)
        question = Question("passed", "How many?", "watch", [(0, 4, "1"), (4, 8, "2")], [(0, 3), (4, 7)])
        said = [{"kind": "passed", "content": float(k), "text": "1", "confidence": 0.5, "tokens": {"generated": 2}}
                for k in range(8)]
        rows = list(calibrate.judged(types.SimpleNamespace(answers=said), Truth("x.avi", 8, {"passed": question}), spec))
        self.assertEqual(rows, [[500, "passed", 1, 0.5, 2], [501, "passed", 0, 0.5, 2]])

    def test_what_was_asked_is_not_asked_again(self):
        """If this fails, an interrupted calibration begins anew; or one of another model's answers is believed."""
        question = Question("light", "Which?", "glance", [(0, 1, "red")], [])
        truth, spec = Truth("x.avi", 1, {"light": question}), calibrate.ClipSpec("stills1", 500, 1)
        said = {"kind": "light", "content": 0.0, "text": "red", "confidence": 0.5, "tokens": {"generated": 1}}
        pair = calibrate.Pair("edge", "any", "text", "mmproj")
        with tempfile.TemporaryDirectory() as folder, mock.patch.object(calibrate, "print", create=True), \
                mock.patch.object(calibrate.clips, "rendered", return_value=truth), \
                mock.patch.object(calibrate.runs, "key_of", side_effect=["a", "a", "b"]), \
                mock.patch.object(calibrate.runs, "run", return_value=types.SimpleNamespace(answers=[said])) as run:
            rows = [calibrate.asked(spec, pair, folder) for _ in range(3)]
            self.assertEqual(rows, [[[500, "light", 1, 0.5, 1]]] * 3)
            self.assertEqual(run.call_count, 2)


@needs_gguf
class File(unittest.TestCase):
    def test_only_the_keys_change(self):
        """If this fails, calibrating a model breaks it, or its file grows each time."""
        keys = Calibration(3.0, 1.2, -0.02).keys()
        shipped = str(MODELS / "saccade-edge-text.gguf")
        with tempfile.TemporaryDirectory() as folder:
            plain, marked, again = (os.path.join(folder, name) for name in ("plain", "marked", "again"))
            calibrate.copied(GGUF, shipped, plain, {})
            calibrate.copied(GGUF, plain, marked, keys)
            calibrate.copied(GGUF, marked, again, {key: "9.0000" for key in keys})
            calibrate.copied(GGUF, again, again, keys)
            self.assertEqual(pathlib.Path(marked).read_bytes(), pathlib.Path(again).read_bytes())
            before, after = GGUF.GGUFReader(plain), GGUF.GGUFReader(marked)
            names = [name for name in after.fields if name not in before.fields]
            self.assertEqual({name: after.fields[name].contents() for name in names}, keys)
            for name, field in before.fields.items():
                if not name.startswith("GGUF."):
                    self.assertEqual(field.contents(), after.fields[name].contents(), name)
            self.assertEqual([self.digest(t) for t in before.tensors], [self.digest(t) for t in after.tensors])
            calibrate.copied(GGUF, marked, again, {})
            self.assertEqual(pathlib.Path(plain).read_bytes(), pathlib.Path(again).read_bytes())

    @staticmethod
    def digest(tensor):
        return tensor.name, tensor.tensor_type, tensor.shape.tolist(), hashlib.sha256(tensor.data.tobytes()).hexdigest()

    def test_the_cards_name_the_keys_of_the_files(self):
        """If this fails, a model was exported or calibrated, and its card tells of another file."""
        for name in ("saccade-edge", "saccade-cloud"):
            fields = GGUF.GGUFReader(str(MODELS / (name + "-text.gguf"))).fields
            written = {key: field.contents() for key, field in fields.items() if key.startswith(calibrate.PREFIX)}
            with open(MODELS / (name + ".json"), encoding="utf-8") as file:
                self.assertEqual(json.load(file)["calibration"]["keys"], written)


class Scores(unittest.TestCase):
    def test_other_scores_stay(self):
        """If this fails, calibrating a model loses its accuracy from the card."""
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "scores.json")
            calibrate.add_scores(path, {"keys": {"a": "1"}})
            calibrate.add_scores(path, {"keys": {}})
            with open(path, encoding="utf-8") as file:
                self.assertEqual(json.load(file), {"calibration": {"keys": {}}})
            pathlib.Path(path).write_text('{"after": 1, "calibration": 2}', encoding="utf-8")
            calibrate.add_scores(path, {"keys": {}})
            with open(path, encoding="utf-8") as file:
                self.assertEqual(json.load(file), {"after": 1, "calibration": {"keys": {}}})

    @unittest.skipIf(torch is None, "PyTorch is not installed (Debian: python3-torch); it is needed only to train.")
    def test_the_card_tells_which_confidence_it_is(self):
        """If this fails, a card promises shares of right answers that the file does not hold, or hides that it does."""
        import card
        scores = {"reliability": {"bins": [(0.5, 0.4, 10)], "ece": 0.1, "n": 10}}
        self.assertIn("geometric mean", card.confidence_text(scores))
        answers, calibration = answers_of(Calibration(3.0, 1.4, -0.5), 500), Calibration(3.0, 1.4, -0.5)
        seeds = {half: [[1, 2], [3, 4]] for half in calibrate.HALVES}
        scores["calibration"] = {"keys": calibration.keys(), "seeds": seeds, "fitted": 7,
                                 "found": {"all": calibrate.compared(answers, calibration)}}
        text = card.confidence_text(scores)
        self.assertIn("saccade.confidence.slope = 1.4000", text)
        self.assertIn("1 to 2 and 3 to 4", text)
        scores["calibration"]["keys"] = {}
        self.assertIn("not measurably better", card.confidence_text(scores))


if __name__ == "__main__":
    unittest.main()
