"""The program as a user calls it, on a clip of two seconds: it runs, runs again the same, and says what is wrong."""

import json
import os
import shutil
import tempfile
import unittest

import cv2

from evaluation import EVAL, ROOT, run_program, write_timeline

import sys
sys.path.append(os.path.join(EVAL, "..", "scenes"))
from avi import write_avi  # noqa: E402
from draw import draw_scene  # noqa: E402
from scene import SPLITS, random_scene  # noqa: E402

FPS, SECONDS, WIDTH, HEIGHT = 10, 2, 320, 180
MODELS = os.environ.get("SACCADE_MODELS") or os.path.join(ROOT, "samples", "models")
EXACT = ("--mode", "exact", "--configurations")


def make_clip(folder):
    """Two scenes, one second each. -> path of its timeline"""
    frames = []
    for second in range(SECONDS):
        picture = draw_scene(random_scene(SPLITS["test"].start + second), WIDTH, HEIGHT)[:, :, ::-1]
        frames += [cv2.imencode(".jpg", picture)[1].tobytes()] * FPS
    write_avi(os.path.join(folder, "own.avi"), frames, FPS, WIDTH, HEIGHT)
    halves = [{"start": 0, "end": 1, "answer": "yes"}, {"start": 1, "end": 2, "answer": "no"}]
    return write_timeline(folder, {"file": "own.avi", "duration": SECONDS, "questions": {
        "car": {"question": "Is there a car?", "grade": "glance", "intervals": halves, "unsure": []},
        "people": {"question": "How many people are there?", "grade": "look", "intervals": [
            {"start": 0, "end": 2, "answer": "2"}], "unsure": []}}})


class Program(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)

    def run_here(self, *words, **environment):
        return run_program(*words, "--out", os.path.join(self.folder, "out"), **environment)

    def report(self, name="out"):
        with open(os.path.join(self.folder, name, "report.json"), encoding="utf-8") as file:
            return json.load(file)


class ItRuns(Program):
    def test_an_exact_run_is_the_same_to_the_last_byte(self):
        """If this fails, a difference between two exact reports means nothing."""
        clip, reports = make_clip(self.folder), []
        for turn in ("one", "two"):
            out = os.path.join(self.folder, turn)
            status, said = run_program("--clip", clip, *EXACT, "everything,saccade", "--out", out)
            self.assertEqual(status, 0, said)
            with open(os.path.join(self.folder, turn, "report.json"), "rb") as file:
                reports.append(file.read())
            for name in ("report.md", "accuracy-exact.svg", "latency-exact.svg", "timeline-exact.svg"):
                self.assertTrue(os.path.getsize(os.path.join(out, name)), name)
        self.assertEqual(*reports)
        figures = json.loads(reports[0])["exact"]["figures"]
        self.assertEqual(figures["everything"]["per_minute"]["encoded"]["value"], 120)

    def test_live_figures_are_measured(self):
        """If this fails, latency and CPU of a live run are not those of the run."""
        clip = make_clip(self.folder)
        status, said = self.run_here("--clip", clip, "--mode", "live", "--configurations", "everything")
        self.assertEqual(status, 0, said)
        figures = self.report()["live"]["figures"]["everything"]
        self.assertGreater(figures["latency_s"]["p50"]["value"], 0)
        self.assertGreater(figures["cpu_s"]["value"], 0)
        self.assertGreater(figures["peak_rss_mb"]["value"], 1)

    def test_a_row_that_cannot_run_is_missing_and_the_others_are_there(self):
        """If this fails, one missing program hides every figure, or its row is invented."""
        status, said = self.run_here("--clip", make_clip(self.folder), *EXACT, "everything,server-1fps",
                                     LLAMA_SERVER="/no/llama-server")
        self.assertEqual(status, 3, said)
        report = self.report()["exact"]
        self.assertIsNone(report["figures"]["server-1fps"])
        self.assertIsNotNone(report["figures"]["everything"])
        row = next(row for row in report["rows"] if row["name"] == "server-1fps")
        self.assertIn("llama-server", row["missing"][0]["reason"])
        with open(os.path.join(self.folder, "out", "report.md"), encoding="utf-8") as file:
            self.assertIn("Missing, and in no figure", file.read())

    def test_rows_of_a_pair_that_is_not_there_are_missing(self):
        """If this fails, a clone without the large model cannot measure the small one."""
        models = os.path.join(self.folder, "models")
        os.mkdir(models)
        for half in ("text", "mmproj"):
            os.symlink(os.path.join(MODELS, "saccade-edge-%s.gguf" % half), os.path.join(models, "saccade-edge-%s.gguf" % half))
        status, said = self.run_here("--clip", make_clip(self.folder), *EXACT, "everything,cloud-only,edge-and-cloud",
                                     SACCADE_MODELS=models)
        self.assertEqual(status, 3, said)
        report = self.report()["exact"]
        self.assertIsNotNone(report["figures"]["everything"])
        for name in ("cloud-only", "edge-and-cloud"):
            row = next(row for row in report["rows"] if row["name"] == name)
            self.assertEqual(row["missing"][0]["reason"], "there is no saccade-cloud-text.gguf in the folder of the models")

    def test_interrupted_work_is_taken_up(self):
        """If this fails, an hour of runs is lost with the last one."""
        clip = make_clip(self.folder)
        self.assertEqual(self.run_here("--clip", clip, *EXACT, "everything")[0], 0)
        stored = os.path.join(self.folder, "out", "runs", "exact-own-everything-0.json")
        before = os.stat(stored).st_mtime_ns
        self.assertEqual(self.run_here("--clip", clip, *EXACT, "everything", "--resume")[0], 0)
        self.assertEqual(os.stat(stored).st_mtime_ns, before)


class BadInput(Program):
    def expect(self, status, sentence, *words, **environment):
        got, said = self.run_here(*words, **environment)
        self.assertEqual(got, status, said)
        self.assertRegex(said, sentence)
        self.assertNotIn("Traceback", said)

    def test_words_that_are_wrong(self):
        """If this fails, a misprint is found after the clips have been rendered, or never."""
        self.expect(2, "there is no suite nothing; there are quick", "--suite", "nothing")
        self.expect(2, "there is no configuration nothing; there are everything", "--suite", "quick",
                    "--configurations", "nothing")
        self.expect(2, "name a suite with --suite or a clip", "--mode", "exact")
        self.expect(2, "--help lists the options", "--suite", "quick", "--mode", "slowly")

    def test_timelines_that_are_wrong(self):
        """If this fails, a user's own truth is misread in silence."""
        self.expect(4, "there is no timeline .*nothing.json", "--clip", "nothing.json")
        self.expect(4, "and there is no such file", "--clip", write_timeline(self.folder, {
            "file": "gone.avi", "duration": 2, "questions": {"car": {"question": "Is there a car?"}}}))
        self.expect(4, 'it has no "duration"', "--clip", write_timeline(self.folder, {
            "file": "a", "questions": {"a": {"question": "?"}}}))
        overlapping = [{"start": 0, "end": 2, "answer": "a"}, {"start": 1, "end": 2, "answer": "b"}]
        self.expect(4, "overlap", "--clip", write_timeline(self.folder, {
            "file": "a", "duration": 2, "questions": {"car": {"question": "?", "intervals": overlapping}}}))
        with open(os.path.join(self.folder, "own.json"), "w", encoding="utf-8") as file:
            file.write("{")
        self.expect(4, "cannot read the timeline", "--clip", os.path.join(self.folder, "own.json"))

    def test_a_clip_that_is_none(self):
        """If this fails, a broken file has figures, or takes the program with it."""
        clip = make_clip(self.folder)
        with open(os.path.join(self.folder, "own.avi"), "wb") as file:
            file.write(b"no clip" * 100)
        self.expect(4, "MISSING: ", "--clip", clip, *EXACT, "everything")

    def test_models_that_cannot_be_used(self):
        """If this fails, figures are claimed for a model that was never loaded."""
        clip, models = make_clip(self.folder), os.path.join(self.folder, "models")
        os.mkdir(models)
        self.expect(4, "should hold two GGUF files", "--clip", clip, *EXACT, "everything", SACCADE_TEST_MODEL=models)
        for half in ("text", "mmproj"):
            with open(os.path.join(models, half + ".gguf"), "wb") as file:
                file.write(b"GGUF is not enough")
        self.expect(4, "text.gguf", "--clip", clip, *EXACT, "everything", SACCADE_TEST_MODEL=models)
        self.expect(4, "is no folder", "--clip", clip, *EXACT, "everything", SACCADE_TEST_MODEL=models + "-gone")

    def copy_of_edge(self):
        models = os.path.join(self.folder, "models")
        os.mkdir(models)
        for half in ("text", "mmproj"):
            shutil.copy(os.path.join(MODELS, "saccade-edge-%s.gguf" % half), os.path.join(models, "mine-%s.gguf" % half))
        return models

    def test_a_pair_of_ones_own_takes_the_place_of_edge(self):
        """If this fails, a user measures our model and believes that it is theirs."""
        models = self.copy_of_edge()
        status, said = self.run_here("--clip", make_clip(self.folder), *EXACT, "everything", SACCADE_TEST_MODEL=models)
        self.assertEqual(status, 0, said)
        self.assertEqual(self.report()["pairs"]["edge"]["name"], "mine-text")

    def test_stage_costs_of_an_unknown_pair_are_recorded_once(self):
        """If this fails, virtual time of a user's model is that of ours."""
        models, clip = self.copy_of_edge(), make_clip(self.folder)
        with open(os.path.join(models, "mine-text.gguf"), "ab") as file:
            file.write(b"\0")   # another pair, to the byte
        for known in (False, True):
            status, said = self.run_here("--clip", clip, *EXACT, "everything", SACCADE_TEST_MODEL=models,
                                         LLAMA_SERVER="/none")
            self.assertEqual(status, 0, said)
            self.assertEqual("recording the stage costs" in said, not known, said)
        self.assertGreater(self.report()["exact"]["figures"]["everything"]["latency_s"]["p50"]["value"], 0)


if __name__ == "__main__":
    unittest.main()
