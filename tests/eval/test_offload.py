"""saccade-eval --offload: the figures of policies, and that every part runs and stands on its page. No time is judged."""

import os
import shutil
import tempfile
import unittest

from evaluation import answer, question, run_program, truth_of

import benchmarks
from offload import benchmark, figures, page, policies, recording, speculation


def raw(policy, answers, requests=0, link="fast", cpu_s=1.0, clip="clip", cloud_s=0.0):
    cloud = None if link == "none" else {"unrecorded": 0, "requests": requests, "predictions": 0, "accepted": 0, "rejected": 0, "busy_s": 1.0,
                                         "waited_s": 0.01 * requests, "cpu_s": cloud_s}
    return {"policy": policy, "about": "about " + policy, "link": link, "clip": clip, "answers": answers, "cloud": cloud, "load": 0.5,
            "commit": "c0ffee", "machine": {"cpu": "a processor", "cores": 2},
            "summary": {"cpu_s": cpu_s, "wall_s": 10.0, "requests": requests, "bytes_sent": 1000 * requests, "cloud": {"failed": 0, "cancelled": 0}}}


class Figures(unittest.TestCase):
    """Ten seconds, one question whose answer is always yes. Pictures at 0 and 5 s."""

    truths = {"clip": truth_of(10.0, question("car", (0, 10, "yes")))}

    def rows(self, *raws):
        return figures.rows(raws, self.truths, ("car",))["fast"]

    def cloud(self, late=0.0, **more):
        return raw("cloud", [answer("car", at, "yes", at + late, source="cloud") for at in (0.0, 5.0)], 2, **more)

    def test_what_the_cloud_has_not_said_yet_does_not_stand(self):
        """If this fails, cloud-only is as fast as the edge."""
        row = self.rows(self.cloud(late=1.0))["cloud"]
        self.assertAlmostEqual(row["right"]["shown"]["value"], 0.9)
        self.assertAlmostEqual(row["first_s"]["p50"]["value"], 1.0)
        self.assertAlmostEqual(row["right"]["untimed"]["value"], 1.0)

    def test_drafts_that_are_asked_about_are_told_from_those_that_stand(self):
        """A right draft at 0, a wrong one at 5 that is corrected a second later. If this fails, what a reader sees who waits is not known."""
        mixed = raw("msao", [answer("car", 0.0, "yes"), answer("car", 5.0, "no", source="edge-draft"),
                             answer("car", 5.0, "yes", 6.0, source="cloud", order=1)], 1)
        row = self.rows(self.cloud(), mixed)["msao"]
        self.assertAlmostEqual(row["right"]["shown"]["value"], 0.9)
        self.assertAlmostEqual(row["right"]["settled"]["value"], 1.0)
        self.assertAlmostEqual(row["difference"]["shown"]["value"], -0.1)
        self.assertAlmostEqual(row["requests"]["value"], 0.5)
        self.assertAlmostEqual(row["bytes"]["value"], 0.5)
        self.assertEqual([row[which]["p95"]["value"] for which in ("first_s", "final_s")], [0.0, 1.0])

    def test_a_draft_that_was_held_back_is_not_seen(self):
        """The cloud's answer comes at half a second in place of the draft. If this fails, holding back changes nothing that is measured."""
        held = raw("msao", [answer("car", 0.0, "yes", 0.5, source="cloud"), answer("car", 5.0, "yes", 5.1)], 1)
        row = self.rows(self.cloud(), held)["msao"]
        self.assertAlmostEqual(row["right"]["shown"]["value"], 0.95)
        self.assertEqual(row["right"]["shown"]["value"], row["right"]["settled"]["value"])
        self.assertAlmostEqual(row["first_s"]["p95"]["value"], 0.5)

    def test_streams_of_one_box(self):
        """Ten seconds each: cloud-only takes 4 s of the cloud, and its client's 3 s count as none; msao takes 1 s of the edge and 1 s of
        the cloud. If this fails, a policy carries streams that it does not, or cloud-only is charged for what it is given."""
        rows = self.rows(self.cloud(cpu_s=3.0, cloud_s=4.0), raw("msao", [answer("car", 0.0, "yes")], 1, cpu_s=1.0, cloud_s=1.0),
                         raw("edge", [answer("car", 0.0, "no")], link="none", cpu_s=0.5))
        box = {name: row["one_box"] for name, row in rows.items()}
        self.assertAlmostEqual(box["cloud"]["edge_s"], 0.0)
        self.assertAlmostEqual(box["cloud"]["cloud_s"], 24.0)   # a minute of stream
        self.assertAlmostEqual(box["cloud"]["streams"], 2.5)
        self.assertAlmostEqual(box["msao"]["streams"], 5.0)
        self.assertAlmostEqual(box["msao"]["by_cloud"]["value"], 2.0)
        self.assertAlmostEqual(box["edge"]["by_cloud"]["value"], 8.0)
        self.assertEqual(cells(page.one_box_table(rows), "`msao`")[1:], ["6.00", "6.00", "5.0", "2.00 (2.00–2.00)"])
        self.assertAlmostEqual(rows["msao"]["waited_s"], 0.01)

    def test_streams_of_one_box_over_clips(self):
        """Twice cloud-only's on one clip, four times on the other. If this fails, the spread on the page is not that of the clips."""
        raws = [self.cloud(cloud_s=4.0), dict(self.cloud(cloud_s=4.0), clip="other")]
        raws += [raw("msao", [answer("car", 0.0, "yes")], cpu_s=cpu_s, clip=clip) for clip, cpu_s in (("clip", 2.0), ("other", 1.0))]
        rows = figures.rows(raws, dict(self.truths, other=self.truths["clip"]), ("car",))["fast"]
        ratio = rows["msao"]["one_box"]["by_cloud"]
        self.assertAlmostEqual(ratio["value"], 8 / 3)
        self.assertEqual((ratio["low"], ratio["high"]), (2.0, 4.0))

    def test_a_verdict_is_over_its_own_table(self):
        """If this fails, what was only tried out is named where nobody sees its figures."""
        # One call of cloud-only's twelve, and as right.
        cloud = raw("cloud", [answer("car", 0.0, "yes", source="cloud")], 12)
        good = [answer("car", 0.0, "yes", source="cloud")]
        rows = {"fast": self.rows(cloud, *(raw(name, good, 1) for name in ("msao", "msao-4-0.1")))}
        text = page.summary(rows, {"fast": ("a.svg", "b.svg")})
        self.assertIn("settled, `msao`;", text)
        self.assertNotIn("msao-4-0.1", text)
        self.assertEqual(cells(text, "`msao`")[6:10], ["0"] * 4)

    def test_what_the_edge_takes_is_that_of_the_same_clip(self):
        edge = raw("edge", [answer("car", 0.0, "no")], link="none", cpu_s=4.0)
        rows = self.rows(self.cloud(), edge, raw("msao", [answer("car", 0.0, "yes")], cpu_s=3.0))
        self.assertAlmostEqual(rows["msao"]["cpu_ratio"]["value"], 0.75)
        self.assertAlmostEqual(rows["edge"]["right"]["shown"]["value"], 0.0)

    def test_a_policy_of_which_a_clip_is_missing_has_no_row(self):
        truths = dict(self.truths, other=self.truths["clip"])
        rows = figures.rows([self.cloud(), dict(self.cloud(), clip="other"), raw("msao", [answer("car", 0.0, "yes")])], truths, ("car",))
        self.assertEqual(list(rows["fast"]), ["cloud"])


def cells(text, *begin):
    line = next(line for line in text.splitlines() if line.startswith("| " + " | ".join(begin) + " |"))
    return line.strip("| ").split(" | ")


class Page(unittest.TestCase):
    def test_ratios_are_of_the_same_picture(self):
        """If this fails, pictures with long descriptions make one way look better."""
        found = [{"picture": picture, "round": 0, "way": way, "draft": "edge", "seconds": seconds, "text": text, "tokens": 40, "calls": 1, **more}
                 for picture, way, seconds, text, more in (
                     (0, speculation.PLAINLY, 1.0, "a", {}), (1, speculation.PLAINLY, 9.0, "b", {}), (0, "prediction", 0.5, "a", {"accepted": 30}),
                     (1, "prediction", 3.0, "c", {"accepted": 10}))]
        found += [dict(x, way=way) for x in found[:2] for way in (speculation.GUESSING, "scoring, then going on")]
        for x in found[-4:]:
            x["accepted"] = 0
        found += [dict(x, draft="cloud", round=1) for x in found]
        row = cells(page.speculation_table(found), "edge", "prediction")
        self.assertEqual(row[3:], ["2.50 (2.25–2.75)", "20.0 of 40.0", "1.00", "1 of 2"])

    def test_what_comes_near_the_cloud_is_named(self):
        """If this fails, a policy is praised that is wrong more often, or sends too much."""
        def row_of(points, requests, sent):
            return {"difference": dict.fromkeys(figures.STANDING, {"value": points / 100}), "requests": {"value": requests}, "bytes": {"value": sent}}
        rows = {"near": row_of(-0.4, 0.3, 0.15), "worse": row_of(-0.6, 0.1, 0.1), "often": row_of(1.0, 0.304, 0.1), "large": row_of(1.0, 0.2, 0.154)}
        self.assertEqual(page._near(rows, "settled"), ["near"])   # pylint: disable=protected-access

    def test_missing_parts_are_named(self):
        found = {"streams": [], "recording": [], "model": recording.TimeModel([]), "side_by_side": 1, "speculation": None, "router": None}
        self.assertIn("**Missing:** policies, sweep, speculation, router", page.section(found, {}))

    def test_only_what_was_measured_is_written_anew(self):
        """If this fails, what people wrote about offloading is lost."""
        once = benchmarks.with_measured("# Offloading\n\nWords.\n", "## Measured\n\nold")
        twice = benchmarks.with_measured(once, "## Measured\n\nnew")
        self.assertTrue(twice.startswith("# Offloading\n\nWords.\n"))
        self.assertIn("new", twice)
        self.assertNotIn("old", twice)
        self.assertEqual(benchmarks.with_measured(twice, "## Measured\n\nnew"), twice)


class ItRuns(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)

    def test_the_page_comes_out_whole(self):
        """If this fails, a part of the page cannot be written anew."""
        status, said = run_program("--offload", self.folder, "--quick")
        self.assertEqual(status, 0, said)
        with open(os.path.join(self.folder, "report.md"), encoding="utf-8") as file:
            text = file.read()
        for title in ("Policies", "What msao weighs", "One box", "Checking drafts", "What a decision costs"):
            self.assertIn("### " + title, text)
        self.assertNotIn("**Missing", text)
        for policy in benchmark.QUICK.compared:
            self.assertEqual(cells(text, "`%s`" % policy.name)[-3], "0", "calls failed")
        self.assertEqual(cells(text, "`cloud`")[7:9], ["100.0 (100.0–100.0)"] * 2)
        self.assertTrue(os.path.exists(os.path.join(self.folder, "accuracy-%s.svg" % policies.LINKS[0].name)))

    def test_words_that_are_wrong(self):
        """If this fails, a misprint is found after minutes, or figures that mean nothing get onto the page."""
        for sentence, words in (("no part nothing; there are record", ("--parts", "nothing")), ("leave --docs out", ("--quick", "--docs")),
                                ("leave --suite and --clip out", ("--suite", "quick"))):
            status, said = run_program("--offload", self.folder, *words)
            self.assertEqual(status, 2, said)
            self.assertIn(sentence, said)


if __name__ == "__main__":
    unittest.main()
