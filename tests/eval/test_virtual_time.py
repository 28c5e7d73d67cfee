"""Virtual time: one worker per model, in the order in which things come, from a table of costs."""

import unittest

from evaluation import answer

from virtual_time import StageCosts, emit, mark_encodes

COSTS = StageCosts(frame_ms=10, encode_ms=100, prefill_ms_per_token=1, ask_ms=20, decode_ms_per_token=5, overhead_ms=50)


def made(kind, content, source="edge", encode_ms=1.0, kept=30, text="yes", generated=1, **more):
    record = answer(kind, content, text, source=source, **more)
    record.update(stages={"encode_ms": encode_ms}, tokens={"seen": 36, "kept": kept, "generated": generated})
    for name in ("fresh", "encoded"):   # these are what mark_encodes() finds out
        if name not in more:
            del record[name]
    return record


def emitted(*answers):
    answers = list(answers)
    mark_encodes(answers)
    emit(answers, COSTS, COSTS)
    return {(a["kind"], a["content"], a["source"]): a["emitted"] for a in answers}


class Queue(unittest.TestCase):
    def test_the_first_answer_about_a_picture_pays_for_it(self):
        """If this fails, encoding a picture costs nothing or is paid for by every question."""
        times = emitted(made("car", 1.0), made("people", 1.0))
        self.assertAlmostEqual(times["car", 1.0, "edge"], 1.0 + 0.010 + 0.100 + 0.030 + 0.020 + 0.005)
        self.assertAlmostEqual(times["people", 1.0, "edge"], times["car", 1.0, "edge"] + 0.025)

    def test_pictures_wait_for_the_worker(self):
        """If this fails, a model that cannot keep up shows no latency."""
        times = emitted(made("car", 1.0), made("car", 1.05))
        self.assertAlmostEqual(times["car", 1.05, "edge"], times["car", 1.0, "edge"] + 0.155)

    def test_a_worker_that_is_free_starts_at_once(self):
        """If this fails, latency grows although nothing waits."""
        times = emitted(made("car", 1.0), made("car", 9.0))
        self.assertAlmostEqual(times["car", 9.0, "edge"] - 9.0, times["car", 1.0, "edge"] - 1.0)

    def test_tokens_that_are_used_again_are_not_encoded_again(self):
        """If this fails, reusing tokens saves nothing in exact figures."""
        fresh, reused = emitted(made("car", 1.0)), emitted(made("car", 1.0, encode_ms=0.0))
        self.assertAlmostEqual(fresh["car", 1.0, "edge"] - reused["car", 1.0, "edge"], 0.100)

    def test_a_long_answer_takes_its_time(self):
        """If this fails, a description is as fast as one word."""
        short, long = emitted(made("car", 1.0)), emitted(made("car", 1.0, generated=41))
        self.assertAlmostEqual(long["car", 1.0, "edge"] - short["car", 1.0, "edge"], 0.200)

    def test_a_server_encodes_what_is_not_in_its_cache(self):
        """If this fails, a chunk of pictures costs as much as one."""
        one = emitted(made("car", 1.0, source="server", encode_ms=None, frames=1))
        four = emitted(made("car", 1.0, source="server", encode_ms=None, frames=4))
        self.assertAlmostEqual(four["car", 1.0, "server"] - one["car", 1.0, "server"], 0.300)
        cached = emitted(made("car", 1.0, source="server", encode_ms=None, frames=4, encoded=1))
        self.assertAlmostEqual(cached["car", 1.0, "server"], one["car", 1.0, "server"])

    def test_the_cloud_is_asked_when_the_draft_is_there_and_takes_nothing_from_the_edge(self):
        """If this fails, a correction is there before its draft, or slows the edge down."""
        alone = emitted(made("car", 1.0), made("car", 1.2))
        both = emitted(made("car", 1.0, source="edge-draft"), made("car", 1.2), made("car", 1.0, source="cloud"))
        self.assertAlmostEqual(alone["car", 1.2, "edge"], both["car", 1.2, "edge"])
        self.assertAlmostEqual(both["car", 1.0, "cloud"], both["car", 1.0, "edge-draft"] + 0.155 + 0.050)

    def test_the_order_in_which_the_cloud_answered_does_not_matter(self):
        """If this fails, an exact run with a cloud is not reproducible."""
        drafts = [made("car", 1.0, source="edge-draft"), made("car", 2.0, source="edge-draft")]
        clouds = [made("car", 1.0, source="cloud"), made("car", 2.0, source="cloud")]
        copies = [[dict(a) for a in drafts + clouds], [dict(a) for a in drafts + clouds[::-1]]]
        for answers in copies:
            mark_encodes(answers)
            emit(answers, COSTS, COSTS)
        self.assertEqual(*copies)


if __name__ == "__main__":
    unittest.main()
