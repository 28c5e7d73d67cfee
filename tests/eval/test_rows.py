"""Rows of the report: what did not run is missing and in no figure; verdicts; and that suites name what there is."""

import os
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import unittest

from evaluation import EVAL, answer, question, truth_of, wait_until

import configurations
import runs
import suites
from errors import EvalError, RunFailed
from evaluate import Evaluation, Plan
from figures import Row, ScoredRun, figures_of
from report import is_complete
from score import ClipScore
from verdicts import CLOUD_BEATS_EDGE, SHARE_OF_ENCODES, judge_gate, judge_models

SUMMARY = {"cpu_s": 2.0, "cpu_parts": {"client": 2.0, "server": 0.0}, "peak_rss_bytes": 5e7, "bytes_sent": 0,
           "frames": {"seen": 100, "sampled": 20, "needed": 20, "encoded": 20, "dropped": 0}}


def row_of(name, *answers, clip="clip", truth=None):
    truth = truth or truth_of(10, question("car", (0, 5, "no"), (5, 10, "yes")))
    row = Row(configurations.CONFIGURATIONS[name])
    answers = [dict(a, work_s=0.01) for a in answers]
    row.runs.append(ScoredRun(clip, 0, ClipScore(clip, truth, list(truth.questions.values()), answers), SUMMARY))
    return row


class Missing(unittest.TestCase):
    def test_a_row_of_which_a_run_is_missing_has_no_figures(self):
        """If this fails, an average over what did run is shown as the suite's."""
        row = row_of("saccade", answer("car", 0, "no"))
        self.assertIsNotNone(figures_of(row, None, "exact"))
        row.missing.append({"clip": "other", "repetition": 0, "reason": "it crashed"})
        self.assertIsNone(figures_of(row, None, "exact"))

    def test_nothing_is_compared_with_a_reference_that_is_missing_a_run(self):
        """If this fails, agreement is computed over half of the clips."""
        reference, row = row_of("everything", answer("car", 0, "no")), row_of("saccade", answer("car", 0, "no"))
        self.assertIsNotNone(figures_of(row, reference, "exact")["agreement"])
        reference.missing.append({"clip": "other", "repetition": 0, "reason": "it crashed"})
        self.assertIsNone(figures_of(row, reference, "exact")["agreement"])

    def test_a_report_with_a_missing_run_is_not_complete(self):
        """If this fails, CI is green although rows are missing."""
        self.assertFalse(is_complete({"exact": {"rows": [{"missing": [{"clip": "a"}]}]}}))
        self.assertTrue(is_complete({"exact": {"rows": [{"missing": []}]}}))


class Turns(unittest.TestCase):
    def test_exact_runs_share_the_machine_and_live_ones_do_not(self):
        """If this fails, an exact suite takes twice as long, or live figures are those of a busy machine."""
        for mode, wanted in (("exact", 2), ("live", 1)):
            now, most, lock = [0], [0], threading.Lock()

            def run(configuration, name, *_):
                with lock:
                    now[0] += 1
                    most[0] = max(most[0], now[0])
                time.sleep(0.05 if configuration.name == "everything" else 0.01)
                with lock:
                    now[0] -= 1
                if name == "broken":
                    raise RunFailed("it broke")
                return ScoredRun(name, 0, ClipScore(name, truth_of(10), [], []), SUMMARY), [configuration.name + name]

            names = ("everything", "saccade", "edge-only")
            evaluation = Evaluation.__new__(Evaluation)
            evaluation.plan = Plan(None, (mode,), {mode: configurations.find(names)},
                                   {mode: [(clip, truth_of(10)) for clip in ("a", "broken", "b")]}, "", jobs=2, say=lambda _: None)
            evaluation._run = run
            rows = evaluation.rows(mode)
            self.assertEqual(most[0], wanted, mode)
            self.assertEqual([row.name for row in rows], list(names))
            for row in rows:
                self.assertEqual([r.clip for r in row.runs], ["a", "b"])
                self.assertEqual(row.warnings, [row.name + "a", row.name + "b"])
                self.assertEqual([m["clip"] for m in row.missing], ["broken"])


class Figures(unittest.TestCase):
    def test_everything_is_counted(self):
        """If this fails, a row shows another run's costs."""
        row = row_of("everything", answer("car", 0, "no", encoded=1), answer("car", 5, "yes", encoded=1))
        figures = figures_of(row, row, "exact")
        self.assertEqual(figures["accuracy"]["all"]["value"], 1.0)
        self.assertEqual(figures["per_minute"]["encoded"]["value"], 12.0)
        self.assertEqual(figures["missed"]["value"], 0.0)
        self.assertEqual(figures["work_ratio"]["value"], 1.0)
        self.assertAlmostEqual(figures["work_s"]["value"], 0.12)

    def test_what_happened_is_not_in_the_mean(self):
        """If this fails, a configuration that is asked more looks worse than one that is asked less."""
        truth = truth_of(10, question("car", (0, 10, "no")), question("moves", (0, 10, "left"), grade="watch"))
        row = row_of("saccade-window-4", answer("car", 0, "no"), answer("moves", 0, "right"), truth=truth)
        accuracy = figures_of(row, None, "exact")["accuracy"]
        self.assertEqual(accuracy["all"]["value"], 1.0)
        self.assertEqual(accuracy["by_grade"]["watch"]["value"], 0.0)

    def test_watch_questions_are_asked_only_about_several_pictures(self):
        """If this fails, a model is asked what happened and is shown one moment."""
        truth = truth_of(10, question("car", (0, 10, "no")), question("moves", (0, 10, "left"), grade="watch"))
        kinds = ("car", "moves")
        one, four = (configurations.CONFIGURATIONS[name] for name in ("saccade", "saccade-window-4"))
        self.assertEqual([q.kind for q in runs.asked(one, truth, kinds)], ["car"])
        self.assertEqual(runs.not_asked(one, truth, kinds), ["moves"])
        self.assertEqual([q.kind for q in runs.asked(four, truth, kinds)], ["car", "moves"])


class Verdicts(unittest.TestCase):
    @staticmethod
    def figures(lost=0.0, encoded=0.5, agreement=1.0, missed=0.0):
        return {"difference": {"value": -lost}, "agreement": {"value": agreement}, "missed": {"value": missed},
                "per_minute": {"encoded": {"value": 100 * encoded}}}

    def failed(self, **ours):
        figures = {"everything": self.figures(encoded=1.0), "saccade": self.figures(**ours)}
        return [verdict["what"] for verdict in judge_gate(figures) if not verdict["holds"]]

    def test_each_one_fails_on_its_own(self):
        """If this fails, CI stays green while the gate loses answers or saves nothing."""
        self.assertEqual(self.failed(), [])
        for bad in ({"lost": 0.1}, {"encoded": SHARE_OF_ENCODES + 0.05}, {"agreement": 0.5}, {"missed": 0.5}):
            self.assertEqual(len(self.failed(**bad)), 1, bad)

    def test_a_row_that_did_not_run_fails(self):
        """If this fails, a crash is a pass."""
        self.assertFalse(judge_gate({"everything": self.figures(), "saccade": None})[0]["holds"])


    def test_the_cloud_must_beat_the_edge_and_the_edge_must_see(self):
        """If this fails, a cloud that is no better than the edge is shipped."""
        def models(edge, cloud):
            row = lambda share: {"accuracy_answers": {"all": {"value": share}, "by_grade": {"glance": {"value": share}}}}   # noqa: E731
            return [verdict["holds"] for verdict in judge_models({"edge-model": row(edge), "cloud-model": row(cloud)})]
        self.assertEqual(models(0.9, 0.9 + CLOUD_BEATS_EDGE + 0.01), [True, True])
        self.assertEqual(models(0.9, 0.91), [True, False])
        self.assertEqual(models(0.5, 0.9), [False, True])
        self.assertEqual([v["holds"] for v in judge_models({"edge-model": None, "cloud-model": None})], [False, False])


class Children(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        before = runs.plugin_folder
        runs.plugin_folder = lambda: self.folder.name   # these children need no plugin
        self.addCleanup(setattr, runs, "plugin_folder", before)

    def child(self, body, limit_s=30):
        path = os.path.join(self.folder.name, "child.py")
        with open(path, "w", encoding="utf-8") as file:
            file.write(textwrap.dedent(body))
        return runs.run_child(path, {}, limit_s)

    def test_a_child_that_is_killed_says_by_what(self):
        """If this fails, a crash of the pipeline is a mystery."""
        with self.assertRaisesRegex(RunFailed, "SIGSEGV"):
            self.child("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")

    def test_a_child_that_hangs_is_stopped(self):
        """If this fails, one hanging pipeline holds up the suite for ever."""
        with self.assertRaisesRegex(RunFailed, "did not end within 1 s"):
            self.child("import time; time.sleep(60)", limit_s=1)

    def test_a_child_that_fails_says_why_in_its_own_words(self):
        """If this fails, the report hides the cause."""
        with self.assertRaisesRegex(RunFailed, "no such model"):
            self.child("""print('{"type": "error", "message": "no such model."}'); raise SystemExit(1)""")
        with self.assertRaisesRegex(RunFailed, "exited with 3, its last words: oh no"):
            self.child("import sys; print('oh no', file=sys.stderr); sys.exit(3)")

    def test_what_libraries_print_between_records_is_passed_over(self):
        """If this fails, a warning on standard output costs a run."""
        records = self.child("""print("hello"); print('{"type": "summary"}')""")
        self.assertEqual(records, [{"type": "summary"}])

    def test_a_child_ends_with_the_program(self):
        """If this fails, an evaluation that is killed goes on working in the background."""
        child = os.path.join(self.folder.name, "child.py")
        with open(child, "w", encoding="utf-8") as file:
            file.write("import os, sys, time\nprint(os.getpid(), file=open(sys.argv[0] + '.pid', 'w'), flush=True)\ntime.sleep(300)\n")
        program = "import sys; sys.path.insert(0, %r)\nimport runs\nruns.run_child(%r, {}, 300)" % (EVAL, child)
        parent = subprocess.Popen([sys.executable, "-c", program])
        pid_file = child + ".pid"
        self.assertTrue(wait_until(lambda: os.path.exists(pid_file) and os.path.getsize(pid_file) > 1))
        with open(pid_file, encoding="ascii") as file:
            pid = int(file.read())
        parent.kill()
        parent.wait()
        self.assertTrue(wait_until(lambda: not os.path.exists("/proc/%d" % pid) or
                                   open("/proc/%d/stat" % pid, encoding="ascii").read().split()[2] == "Z"))

    def test_a_run_without_answers_is_none(self):
        """If this fails, silence has figures."""
        with self.assertRaisesRegex(RunFailed, "without an answer"):
            runs.result_of([{"type": "summary"}], [])


class Memory(unittest.TestCase):
    def test_a_pipelines_memory_is_its_own(self):
        """If this fails, every pipeline is as large as the program that measures it."""
        ballast = bytearray(os.urandom(1)) * 300_000_000   # as a parent that has drawn plots and more
        script = "import sys; sys.path.insert(0, sys.argv[1]); import run_pipeline; print(run_pipeline._peak_rss_bytes())"
        said = subprocess.run([sys.executable, "-c", script, EVAL], capture_output=True, text=True, check=True).stdout
        self.assertTrue(1_000_000 < int(said) < len(ballast), said)


class Suites(unittest.TestCase):
    def test_they_name_configurations_that_there_are(self):
        """If this fails, a suite ends after an hour with a misprint."""
        for suite in suites.SUITES.values():
            for mode in ("exact", "live"):
                configurations.find(suite.configurations_of(mode))

    def test_they_watch_clips_that_no_model_has_seen(self):
        """If this fails, accuracy is that of the training set."""
        script = ("import sys; sys.path.insert(0, sys.argv[1])\nfrom scene import SPLITS\n"
                  "print(SPLITS['test'].start, SPLITS['test'].stop)")
        said = subprocess.run([sys.executable, "-c", script, os.path.join(EVAL, "..", "scenes")],
                              capture_output=True, text=True, check=True).stdout.split()
        test = range(int(said[0]), int(said[1]))
        for suite in suites.SUITES.values():
            for clip in suite.exact + suite.live:
                self.assertIn(clip.seed, test)

    def test_what_a_user_would_run_instead_is_there(self):
        """If this fails, full has no row for one of the baselines that it must have."""
        for name in ("everything", "saccade", "server-1fps", "server-2fps", "server-5fps", "chunks-4", "last-4",
                     "edge-only", "cloud-only", "random-50", "grid-50", "downscale", "moa-off", "edge-and-cloud"):
            self.assertIn(name, suites.SUITES["full"].configurations)

    def test_unknown_names_say_which_there_are(self):
        with self.assertRaisesRegex(EvalError, "quick"):
            suites.find("nothing")
        with self.assertRaisesRegex(EvalError, "saccade"):
            configurations.find(["nothing"])


if __name__ == "__main__":
    unittest.main()
