"""The baseline that asks llama-server: its record stream, its errors, and that it leaves no server behind."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

from evaluation import PATIENCE, wait_until

PROJECT = Path(__file__).resolve().parents[2]
BASELINES = PROJECT / "samples/eval/baselines"
sys.path[:0] = [str(BASELINES), str(PROJECT / "samples/scenes")]

import clip as street_clip  # noqa: E402
from run_server import ClipError, Frame, NewestWins, encoded_pictures, groups  # noqa: E402
from server import LlamaServer, ServerError, find_server  # noqa: E402

MODELS = Path(os.environ.get("SACCADE_MODELS", PROJECT / "samples/models"))
PAIR = {"model": str(MODELS / "saccade-edge-text.gguf"), "mmproj": str(MODELS / "saccade-edge-mmproj.gguf")}
QUESTIONS = [["light", "What colour is the traffic light?"], ["people", "How many people are there?"]]
CLIP_SECONDS = 3
PLUGIN = [folder for folder in os.environ.get("GST_PLUGIN_PATH", "").split(os.pathsep)
          if os.path.exists(os.path.join(folder, "libgstsaccade.so"))]

try:
    find_server()
    NO_SERVER = None
except ServerError as error:
    NO_SERVER = str(error)


def processes(*words):
    """Ids of processes whose command line has all the words."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (folder / "cmdline").read_bytes().decode(errors="replace")
            if all(word in command for word in words):
                found.append(int(folder.name))
    return found


class WithClip(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.clip = f"{cls.folder.name}/street.avi"
        street_clip.write_clip(street_clip.DEFAULT_SEED, cls.clip, CLIP_SECONDS)

    def settings(self, **changes):
        return {"clip": self.clip, "questions": QUESTIONS, "threads": 1, "max_tokens": 8, **PAIR, **changes}

    def start(self, settings, **environment):
        return subprocess.Popen([str(BASELINES / "run_server.py"), json.dumps(settings)], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, env={**os.environ, **environment})

    def run_baseline(self, settings, **environment):
        child = self.start(settings, **environment)
        out, err = child.communicate(timeout=PATIENCE)
        self.assertEqual(err, "")
        return [json.loads(line) for line in out.splitlines()], child.returncode

    def error_of(self, settings, **environment):
        records, code = self.run_baseline(settings, **environment)
        self.assertEqual([record["type"] for record in records], ["error"])
        self.assertEqual(code, 1)
        return records[0]["message"]


@unittest.skipIf(NO_SERVER, NO_SERVER)
class Records(WithClip):
    def check_shape(self, records, live):
        *answers, summary = records
        self.assertEqual({record["type"] for record in answers}, {"answer"})
        for answer in answers:
            self.assertEqual(set(answer), {
                "type", "kind", "question", "text", "source", "content", "emitted", "latency_ms", "confidence",
                "truncated", "stages", "tokens", "frames", "encoded", "bytes_sent"})
            self.assertIn([answer["kind"], answer["question"]], QUESTIONS)
            self.assertEqual(answer["source"], "server")
            self.assertTrue(answer["text"])
            self.assertTrue(0 < answer["confidence"] <= 1)
            self.assertGreater(answer["stages"]["prefill_ms"], 0)
            self.assertGreater(answer["tokens"]["seen"], 0)
            self.assertGreater(answer["tokens"]["prompt"], answer["tokens"]["seen"])
            self.assertGreater(answer["tokens"]["generated"], 0)
            self.assertEqual(answer["emitted"] is not None, live)
            self.assertEqual(answer["latency_ms"] is not None, live)
        self.assertEqual(set(summary), {"type", "stream_s", "wall_s", "cpu_s", "cpu_parts", "peak_rss_bytes", "frames",
                                        "bytes_sent", "requests"})
        self.assertEqual(summary["type"], "summary")
        self.assertAlmostEqual(summary["stream_s"], CLIP_SECONDS, places=3)
        self.assertAlmostEqual(summary["cpu_s"], sum(summary["cpu_parts"].values()))
        self.assertGreater(summary["cpu_parts"]["client"], 0)
        self.assertGreater(summary["peak_rss_bytes"], 20e6)
        self.assertEqual(summary["requests"], len(answers))
        self.assertEqual(summary["bytes_sent"], sum(answer["bytes_sent"] for answer in answers))
        self.assertEqual(summary["frames"]["seen"], CLIP_SECONDS * street_clip.FPS)
        return answers, summary

    def test_every_frame_is_asked_every_question_in_order(self):
        """If it fails, the exact mode loses frames or questions, and accuracy is compared on different pictures."""
        records, code = self.run_baseline(self.settings(fps=2))
        self.assertEqual(code, 0)
        answers, summary = self.check_shape(records, live=False)
        self.assertEqual([(answer["content"], answer["kind"]) for answer in answers],
                         [(time, kind) for time in (0, 0.5, 1, 1.5, 2, 2.5) for kind, _ in QUESTIONS])
        self.assertEqual({answer["frames"] for answer in answers}, {1})
        self.assertEqual(summary["frames"], {"seen": 30, "sampled": 6, "needed": 6, "encoded": 6, "dropped": 0})
        # The light of this clip is red in its first seconds, and the model reads lights.
        self.assertEqual({answer["text"] for answer in answers if answer["kind"] == "light"}, {"red"})

    def test_the_second_question_about_a_picture_finds_it_in_the_servers_cache(self):
        """If it fails, the baseline encodes every picture once per question, which no user has to."""
        records, _ = self.run_baseline(self.settings(fps=1))
        answers, _ = self.check_shape(records, live=False)
        for first, second in zip(answers[::2], answers[1::2]):
            self.assertEqual((first["encoded"], second["encoded"]), (1, 0))
            self.assertGreater(second["tokens"]["cached"], second["tokens"]["seen"])

    def test_same_clip_same_answers(self):
        """If it fails, the exact report differs from run to run."""
        said = [[(answer["content"], answer["kind"], answer["text"], answer["tokens"], answer["bytes_sent"])
                 for answer in self.run_baseline(self.settings(fps=1))[0][:-1]] for _ in range(2)]
        self.assertEqual(*said)

    def test_chunks_and_windows_put_several_pictures_into_one_prompt(self):
        """If it fails, the chunk and last-N rows are measured on something else."""
        chunks, _ = self.check_shape(self.run_baseline(self.settings(fps=2, layout="chunk", n=4))[0], live=False)
        self.assertEqual([(answer["content"], answer["frames"]) for answer in chunks[::2]], [(1.5, 4), (2.5, 2)])
        windows, _ = self.check_shape(self.run_baseline(self.settings(fps=1, layout="last-n", n=2))[0], live=False)
        self.assertEqual([(answer["content"], answer["frames"]) for answer in windows[::2]], [(0, 1), (1, 2), (2, 2)])
        one, two = windows[0]["tokens"], windows[2]["tokens"]
        self.assertEqual(two["seen"], 2 * one["seen"])

    def test_live_frames_are_asked_by_the_clock_and_the_missed_are_counted(self):
        """If it fails, the live rows have no latency, or hide what the server could not keep up with."""
        records, code = self.run_baseline(self.settings(fps=10, mode="live"))
        self.assertEqual(code, 0)
        answers, summary = self.check_shape(records, live=True)
        frames = summary["frames"]
        self.assertEqual(frames["sampled"], 30)
        self.assertEqual(frames["dropped"], 30 - len({answer["content"] for answer in answers}))
        for answer in answers:
            self.assertGreater(answer["emitted"], answer["content"])
            self.assertAlmostEqual(answer["latency_ms"], (answer["emitted"] - answer["content"]) * 1000)

    def test_a_server_for_a_pipeline_can_be_measured(self):
        """If it fails, configurations with a cloud behind cloudoffloadsink cannot be run or accounted."""
        with LlamaServer(**PAIR, threads=1, slots=2) as server:
            self.assertEqual(processes(f"--port\0{server.port}\0"), [server.pid])
            before = server.cpu_seconds()
            self.assertGreater(before, 0)
            with self.assertRaisesRegex(ServerError, "HTTP 400"):
                server.ask([b"no JPEG"], "Is there a car?")
        self.assertGreaterEqual(server.cpu_seconds(), before)   # readable after the end, too
        self.assertGreater(server.peak_rss_bytes(), 10e6)


@unittest.skipIf(NO_SERVER, NO_SERVER)
@unittest.skipUnless(PLUGIN, "libgstsaccade.so is not on GST_PLUGIN_PATH; ctest sets it, or build it and name its folder there.")
class Cloud(WithClip):
    """The edge pair stands in for a larger one: what is tested is the way there and back."""

    LINE = ("filesrc location={clip} ! decodebin ! video/x-raw ! identity name=pace ! framesampler mode=uniform max-rate=1 "
            '! localmllm name=model model={model} mmproj={mmproj} prompt="{question}" route-policy=cloud '
            "! fakesink sync=false async=false "
            "model.offload ! cloudoffloadsink name=cloud endpoint={url}/v1 model=default")

    def test_llama_server_answers_as_the_cloud(self):
        """If it fails, cloudoffloadsink does not speak with the server that most users have."""
        question = QUESTIONS[0][1]
        with LlamaServer(**PAIR, threads=1) as server:
            before = server.cpu_seconds()
            line = self.LINE.format(clip=self.clip, question=question, url=server.url, **PAIR)
            done = subprocess.run(
                [str(BASELINES.parent / "run_pipeline.py"), json.dumps({"launch": line, "mode": "exact", "questions": QUESTIONS[:1]})],
                capture_output=True, text=True, timeout=PATIENCE, check=False)
            self.assertGreater(server.cpu_seconds(), before)
        self.assertEqual(done.returncode, 0, done.stderr + done.stdout)
        records = [json.loads(record) for record in done.stdout.splitlines()]
        self.assertNotIn("warning", [record["type"] for record in records])
        drafts = [record["content"] for record in records if record.get("source") == "edge-draft"]
        cloud = [record for record in records if record.get("source") in ("cloud", "cloud-verified")]
        self.assertEqual(drafts, [0, 1, 2])
        self.assertEqual(sorted(record["content"] for record in cloud), drafts)
        self.assertEqual({record["text"] for record in cloud}, {"red"})
        # Log-probabilities came back, too: without them it would be exactly 0.5.
        self.assertTrue(all(record["confidence"] > 0.5 for record in cloud))
        self.assertEqual(records[-1]["requests"], len(drafts))
        self.assertGreater(records[-1]["bytes_sent"], len(drafts) * 10_000)


@unittest.skipIf(NO_SERVER, NO_SERVER)
class Faults(WithClip):
    def test_a_missing_program_is_said_with_what_to_do(self):
        """If it fails, whoever has not built llama-server is not told how to."""
        with tempfile.TemporaryDirectory() as empty:
            message = self.error_of(self.settings(), LLAMA_SERVER="", SACCADE_CACHE=empty, PATH="/nonexistent")
            self.assertIn("provide_llama.sh tools", message)
        self.assertIn("LLAMA_SERVER names /nonexistent", self.error_of(self.settings(), LLAMA_SERVER="/nonexistent"))

    def test_a_model_that_does_not_load_is_named_with_the_servers_own_words(self):
        """If it fails, a wrong file looks like a slow one."""
        self.assertIn("there is no language model at /nonexistent", self.error_of(self.settings(model="/nonexistent")))
        broken = Path(self.folder.name, "broken.gguf")
        broken.write_bytes(Path(PAIR["model"]).read_bytes()[:100_000])
        message = self.error_of(self.settings(model=str(broken)))
        self.assertIn(f"could not load {broken}", message)
        self.assertRegex(message, "Its last words: .*load")

    def test_a_clip_that_cannot_be_read_and_a_wrong_configuration_are_named(self):
        """If it fails, a typing error ends in a traceback."""
        noise = Path(self.folder.name, "noise.avi")
        noise.write_bytes(b"no clip" * 1000)
        self.assertIn("noise.avi cannot be read", self.error_of(self.settings(clip=str(noise))))
        self.assertIn("no clip /nonexistent", self.error_of(self.settings(clip="/nonexistent")))
        self.assertIn("unexpected keyword argument 'fsp'", self.error_of(self.settings(fsp=1)))
        self.assertIn("layout is one of", self.error_of(self.settings(layout="pile")))

    def test_a_server_that_is_killed_ends_the_run_with_an_error(self):
        """If it fails, a crashed server hangs the evaluation or passes for a short clip."""
        child = self.start(self.settings(fps=1, mode="live"))
        try:
            self.assertEqual(json.loads(child.stdout.readline())["type"], "answer")
            [server] = processes("llama-server", PAIR["model"], f"--port\0{self.port_of(child)}\0")
            os.kill(server, signal.SIGKILL)
            rest = [json.loads(line) for line in child.communicate(timeout=PATIENCE)[0].splitlines()]
        finally:
            child.kill()
            child.wait()
        self.assertEqual(rest[-1]["type"], "error")
        self.assertIn("llama-server was ended by SIGKILL", rest[-1]["message"])
        self.assertNotIn("summary", [record["type"] for record in rest])
        self.assertEqual(child.returncode, 1)

    @staticmethod
    def port_of(child):
        """Of the server that the child started; None before."""
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
                command = (folder / "cmdline").read_bytes().decode().split("\0")
                if int(parent) == child.pid and "--port" in command:
                    return command[command.index("--port") + 1]
        return None

    def test_a_runner_that_nobody_listens_to_ends(self):
        """If it fails, an evaluation that was killed leaves runners behind."""
        child = self.start(self.settings(fps=2, mode="live"))
        self.assertTrue(wait_until(lambda: self.port_of(child)))
        port = self.port_of(child)
        child.stdout.close()
        self.assertEqual(child.wait(PATIENCE), 1)
        self.assertEqual(child.stderr.read(), "")
        child.stderr.close()
        self.assertFalse(processes("llama-server", f"--port\0{port}\0"))

    def test_no_server_outlives_its_runner(self):
        """If it fails, a killed evaluation leaves servers behind that falsify the next one's figures."""
        for how in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT):
            with self.subTest(signal=how.name):
                child = self.start(self.settings(fps=1, mode="live"))
                self.assertEqual(json.loads(child.stdout.readline())["type"], "answer")
                port = self.port_of(child)
                child.send_signal(how)
                child.communicate(timeout=PATIENCE)
                self.assertNotEqual(child.returncode, 0)
                self.assertTrue(wait_until(lambda: not processes("llama-server", f"--port\0{port}\0")))

    def test_a_server_that_is_silent_is_given_up(self):
        """If it fails, one request that hangs hangs the evaluation."""
        with LlamaServer(**PAIR, threads=1, timeout=0.5) as server:
            os.kill(server.pid, signal.SIGSTOP)
            with self.assertRaisesRegex(ServerError, "silent for 0.5 s"):
                server.ask([], "Is there a car?")
            # It is stopped and does not hear SIGTERM: the block ends all the same.

    def test_a_server_lives_as_long_as_the_thread_that_started_it(self):
        """If it fails, runs that go on beside each other cannot have a server each, or leave theirs behind."""
        found = []

        def start():
            server = LlamaServer(**PAIR, threads=1).__enter__()
            found.append((server.port, server.ask([], "Is there a car?")))

        worker = threading.Thread(target=start)
        worker.start()
        worker.join()
        (port, answer), = found
        self.assertTrue(answer)
        self.assertTrue(wait_until(lambda: not processes("llama-server", f"--port\0{port}\0")))


class Parts(unittest.TestCase):
    def test_a_child_that_should_die_with_its_parent_does(self):
        """If it fails, a runner that is killed leaves its children behind."""
        code = ("import subprocess, sys, time; sys.path.insert(0, sys.argv[1]); from server import dies_with_me\n"
                "print(subprocess.Popen(['sleep', '300'], preexec_fn=dies_with_me()).pid, flush=True); time.sleep(300)")
        parent = subprocess.Popen([sys.executable, "-c", code, str(BASELINES)], stdout=subprocess.PIPE, text=True)
        with parent:
            sleeper = int(parent.stdout.readline())
            parent.kill()
        self.assertTrue(wait_until(lambda: not processes("sleep\000300") or sleeper not in processes("sleep\000300")))

    def test_what_was_not_taken_is_replaced_by_what_is_newer(self):
        """If it fails, a slow server answers about pictures of long ago."""
        release, taken = threading.Event(), threading.Event()

        def source():
            yield [Frame(0, b"")]
            taken.wait(PATIENCE)
            for seconds in (1, 2, 3):
                yield [Frame(seconds, b"")]
            release.set()

        newest = NewestWins(source())
        self.assertEqual(next(newest)[0].seconds, 0)
        taken.set()
        release.wait(PATIENCE)
        self.assertEqual([group[0].seconds for group in newest], [3])

    def test_an_error_of_the_reading_thread_reaches_the_one_that_asks(self):
        """If it fails, a clip that breaks off in live mode passes for one that ended."""
        def source():
            yield [Frame(0, b"")]
            raise ClipError("broken")

        with self.assertRaisesRegex(ClipError, "broken"):
            list(NewestWins(source()))

    def test_groups(self):
        """If it fails, a layout puts the wrong pictures into a prompt."""
        frames = [Frame(second, b"") for second in range(5)]

        def seconds(layout, n):
            return [[frame.seconds for frame in group] for group in groups(frames, layout, n)]

        self.assertEqual(seconds("frame", 1), [[0], [1], [2], [3], [4]])
        self.assertEqual(seconds("chunk", 2), [[0, 1], [2, 3], [4]])
        self.assertEqual(seconds("last-n", 3), [[0], [0, 1], [0, 1, 2], [1, 2, 3], [2, 3, 4]])

    def test_encoded_pictures(self):
        """If it fails, the cost table charges encoding for pictures that were in the cache, or misses it."""
        self.assertEqual(encoded_pictures(cached=0, fresh=90, pictures=1, per_picture=78), 1)
        self.assertEqual(encoded_pictures(cached=4, fresh=90, pictures=1, per_picture=78), 1)
        self.assertEqual(encoded_pictures(cached=82, fresh=12, pictures=1, per_picture=78), 0)
        self.assertEqual(encoded_pictures(cached=82, fresh=90, pictures=2, per_picture=78), 1)


if __name__ == "__main__":
    unittest.main()
