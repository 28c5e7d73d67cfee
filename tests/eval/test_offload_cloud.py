"""saccade-eval --offload: the cloud that is recorded and replayed, and the client that has no model. No time is judged."""

import http.client
import json
import os
import shutil
import socket
import tempfile
import threading
import unittest
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from unittest import mock

import gi
from evaluation import PATIENCE
from test_offload import raw

gi.require_version("Gst", "1.0")
from gi.repository import Gst  # noqa: E402

import runs  # noqa: E402
from cloud_client import CloudClient  # noqa: E402
from offload import benchmark, cloud_collector, cloud_replay, policies, programs, recording, streams, timing  # noqa: E402

PICTURE = "data:image/jpeg;base64,AAAA"


def request(text="Is there a car?", picture=PICTURE, **more):
    content = [{"type": "text", "text": text}, {"type": "image_url", "image_url": {"url": picture}}]
    return {"messages": [{"role": "user", "content": content}], "max_tokens": 64, **more}


def entry(tokens, cold=0.0, warm=0.0, picture="a picture"):
    """cold, warm: seconds, of which half is the processor's."""
    return {"text": "".join(tokens).strip(), "tokens": tokens, "log_probabilities": [-0.5] * len(tokens), "finish": "stop", "prompt_tokens": 9,
            "picture": picture, "at_once": False, **{state: {"seconds": seconds, "cpu_s": seconds / 2} for state, seconds in (("cold", cold), ("warm", warm))}}


class Clock:
    """In the place of the module time: sleeping takes none."""

    def __init__(self):
        self.now = 0.0

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


class Real(BaseHTTPRequestHandler):
    """A server that says what its subject is told to, and remembers what it was asked."""

    def do_POST(self):   # pylint: disable=invalid-name
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append(asked)
        content = [{"token": token, "logprob": -0.5} for token in (" a", " red", " car")]
        choice = {"message": {"content": "a red car"}, "logprobs": {"content": content}, "finish_reason": "stop"}
        body = json.dumps({"choices": [choice], "usage": {"prompt_tokens": 9}} if self.server.status == 200 else {"error": {"message": "no"}})
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_):
        pass


class Replay(unittest.TestCase):
    """The replay and the real server behind it, in this process."""

    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        self.path = os.path.join(self.folder, "recording.jsonl")
        self.real = self._serve(ThreadingHTTPServer(("127.0.0.1", 0), Real))
        self.real.asked, self.real.status = [], 200
        self.cloud = self._cloud()
        self.server = self._serve(cloud_replay.Server(self.cloud))

    def _cloud(self, workers=2):
        return cloud_replay.Cloud(recording.Recording(self.path), "http://127.0.0.1:%d" % self.real.server_address[1], workers)

    def _serve(self, server):
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server

    def connect(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.server_address[1], timeout=PATIENCE)
        self.addCleanup(connection.close)
        return connection

    def ask(self, asked, connection=None):
        """(status, body)"""
        connection = connection or self.connect()
        connection.request("POST", cloud_replay.PATH, json.dumps(asked))
        response = connection.getresponse()
        return response.status, response.read().decode()

    def test_what_was_recorded_is_not_asked_again(self):
        """If this fails, the cloud takes the edge's cores while the edge is measured."""
        first, second = (json.loads(self.ask(request())[1]) for _ in range(2))
        self.assertEqual(first, second)
        self.assertEqual(first["choices"][0]["message"]["content"], "a red car")
        self.assertEqual(len(self.real.asked), 1)
        self.assertEqual((self.cloud.figures["requests"], self.cloud.figures["unrecorded"]), (2, 1))
        self.assertEqual(json.loads(self.ask(request("Another?"))[1])["usage"]["completion_tokens"], 3)
        self.assertEqual(len(self.real.asked), 2)

    def test_a_recording_is_taken_up_even_when_its_last_line_was_cut(self):
        """If this fails, an interrupted recording is lost or stops everything."""
        self.ask(request())
        with open(self.path, "a", encoding="utf-8") as file:
            file.write('{"key": "cut')
        again = recording.Recording(self.path)
        self.assertEqual(again.find(recording.key_of(request()))["text"], "a red car")
        self.assertEqual(len(again.entries()), 1)

    def test_streams_what_the_element_reads(self):
        """If this fails, answers come without text, confidence or the count of a draft's tokens."""
        connection = self.connect()
        status, body = self.ask(request(stream=True, prediction={"type": "content", "content": "a red bus stop"}), connection)
        self.assertEqual(status, 200)
        events = [line[len("data: "):] for line in body.split("\n\n") if line]
        self.assertEqual(events[-1], "[DONE]")
        chunks = [json.loads(event) for event in events[:-1]]
        choices = [chunk["choices"][0] for chunk in chunks if chunk["choices"]]
        self.assertEqual("".join(choice["delta"].get("content", "") for choice in choices), "a red car")
        self.assertEqual(choices[-1]["finish_reason"], "stop")
        self.assertEqual(len(choices[-1]["logprobs"]["content"]), 3)
        details = chunks[-1]["usage"]["completion_tokens_details"]
        self.assertEqual((details["accepted_prediction_tokens"], details["rejected_prediction_tokens"]), (2, 2))
        self.assertNotIn("prediction", self.real.asked[0])   # what is recorded was said without help
        self.assertEqual(self.ask(request(), connection)[0], 200)   # the connection lives on

    def test_takes_an_upload_in_chunks_and_survives_one_that_is_cut(self):
        """If this fails, an upload that the edge calls off ends the cloud."""
        place = self.server.server_address[:2]
        body = json.dumps(request()).encode()
        head = b"POST %s HTTP/1.1\r\nHost: cloud\r\nTransfer-Encoding: chunked\r\n\r\n" % cloud_replay.PATH.encode()
        with socket.create_connection(place, timeout=PATIENCE) as cut:
            cut.sendall(head + b"%x\r\n" % len(body) + body[:10])
            cut.shutdown(socket.SHUT_WR)
            self.assertEqual(cut.recv(1), b"")
        self.assertEqual(self.cloud.figures["left"], 1)
        with socket.create_connection(place, timeout=PATIENCE) as whole:
            half = len(body) // 2
            for piece in (body[:half], body[half:]):
                head += b"%x\r\n%s\r\n" % (len(piece), piece)
            whole.sendall(head + b"0\r\n\r\n")
            self.assertIn(b"200", whole.recv(100))

    def test_what_only_a_real_server_can_say_is_passed_on(self):
        self.ask(request(continue_final_message=True, prompt_logprobs=1))
        self.assertEqual(self.real.asked[0]["prompt_logprobs"], 1)
        self.assertEqual((self.cloud.figures["passed_on"], self.cloud.figures["unrecorded"]), (1, 0))

    def test_a_refusal_is_told_and_not_recorded(self):
        """If this fails, one bad moment of the server stands in all figures."""
        self.real.status = 503
        status, body = self.ask(request())
        self.assertEqual((status, json.loads(body)["error"]["message"]), (503, "no"))
        self.assertEqual(len(recording.Recording(self.path).entries()), 0)

    def test_only_the_first_question_about_a_picture_takes_the_time_of_an_unknown_one(self):
        """Two questions about one picture, one about another. If this fails, the cloud encodes each picture five times, or never."""
        cloud, waits = self._cloud(), []
        with mock.patch.object(cloud_replay, "time", Clock()) as clock:
            for one in (entry([" a"], 3.0, 1.0, "x"), entry([" b", " c"], 5.0, 0.5, "x"), entry([" d"], 7.0, 1.0, "y")):
                began = clock.now
                cloud.answer(one, "", lambda text: None)
                waits.append(clock.now - began)
        # The last word of an answer of one word is the first: it is there before tokens that have none.
        self.assertEqual(waits, [3.0, 0.5, 7.0])
        self.assertEqual((cloud.figures["cold"], cloud.figures["warm"]), (2, 1))
        self.assertAlmostEqual(cloud.figures["cpu_s"], (3.0 + 0.5 + 7.0) / 2)

    def test_questions_are_gathered_once_each(self):
        """If this fails, a recording takes hours, or lacks what is asked."""
        path = os.path.join(self.folder, "gathered.jsonl")
        collector = cloud_collector.Collector(path)
        self.server = self._serve(cloud_replay.Server(collector))
        for text in ("one?", "two?", "one?"):
            self.assertIn("gathered", self.ask(request(text, stream=True))[1])
        with open(path, encoding="utf-8") as file:
            gathered = [json.loads(line) for line in file]
        self.assertEqual([recording.key_of(one) for one in gathered], [recording.key_of(request(text)) for text in ("one?", "two?")])
        self.assertNotIn("stream", gathered[0])
        self.assertEqual(collector.figures, {"requests": 3, "distinct": 2})

    def test_each_answer_is_timed_of_an_unknown_and_of_a_known_picture(self):
        """If this fails, a picture that is called unknown was just read, or one that is called known was not."""
        requests = [request(text, PICTURE + name) for name in "XY" for text in ("one?", "two?")]
        started = []

        @contextmanager
        def real_server(_pair, options=()):
            started.append(options)
            self.real.asked.append("start")
            yield SimpleNamespace(url="http://127.0.0.1:%d" % self.real.server_address[1], cpu_s=float(len(started)))

        def told(asked):
            if asked == "start":
                return asked
            content = asked["messages"][0]["content"]
            return content[1]["image_url"]["url"][-1] + " " + content[0]["text"]

        with mock.patch.object(programs, "real_server", real_server):
            self.assertEqual(timing.measure(None, requests, recording.Recording(self.path)), 4)
            priming = " " + timing.PRIMING
            self.assertEqual([told(asked) for asked in self.real.asked], [
                "start", "X one?", "Y one?", "X two?", "Y two?",
                "start", "X" + priming, "X one?", "X two?", "Y" + priming, "Y one?", "Y two?"])
            self.assertEqual(started, [programs.NO_PICTURES, ()])
            self.assertEqual(timing.measure(None, requests, recording.Recording(self.path)), 0)
        recorded = recording.Recording(self.path).find(recording.key_of(requests[0]))
        self.assertGreater(min(recorded[state]["seconds"] for state in ("cold", "warm")), 0)

    def test_a_worker_has_one_answer_at_a_time(self):
        """If this fails, a busy cloud is as fast as an idle one."""
        cloud, inside, leave, let_go = self._cloud(workers=1), threading.Event(), threading.Event(), []

        def stays(_text):
            inside.set()
            leave.wait(PATIENCE)

        first = threading.Thread(target=cloud.answer, args=(entry([" a"]), "", stays), daemon=True)
        first.start()
        self.assertTrue(inside.wait(PATIENCE))
        second = threading.Thread(target=cloud.answer, args=(entry([" b"]), "", lambda text: let_go.append(leave.is_set())), daemon=True)
        second.start()
        second.join(0.2)   # were there a second worker, it would be through by now
        leave.set()
        first.join(PATIENCE)
        second.join(PATIENCE)
        self.assertEqual(cloud.figures["requests"], 2)
        self.assertEqual(let_go, [True])


class Recorded(unittest.TestCase):
    def test_a_key_is_of_pictures_and_questions(self):
        """If this fails, one picture is answered with what was said of another, or nothing is ever found again."""
        key = recording.key_of(request())
        self.assertEqual(key, recording.key_of(request(stream=True, prediction={"type": "content", "content": "x"})))
        for other in (request("Else?"), request(picture=PICTURE + "B"), dict(request(), max_tokens=1)):
            self.assertNotEqual(key, recording.key_of(other))

    def test_a_draft_is_accepted_as_far_as_it_is_the_answer(self):
        tokens = [" a", " red", " car", "."]
        for draft, counted in (("a red car.", (4, 0)), ("a red bus.", (2, 1)), ("no", (0, 1)), ("a red car. And a bin.", (4, 3))):
            self.assertEqual(recording.compared(tokens, draft), counted)

    def test_a_line_is_fitted_through_what_was_recorded(self):
        """Prefill of 40 ms and 2 ms per token. If this fails, drafts save time that they do not."""
        model = recording.TimeModel([entry([" a"] * n, warm=0.040 + 0.002 * n) for n in range(1, 21)])
        self.assertAlmostEqual(model.prefill, 0.040)
        self.assertAlmostEqual(model.per_token, 0.002)
        for accepted, (first, whole) in ((0, (0.042, 0.060)), (1, (0.042, 0.060)), (6, (0.042, 0.050)), (10, (0.042, 0.042))):
            self.assertAlmostEqual(model.seconds(0.060, 10, accepted)[0], first)
            self.assertAlmostEqual(model.seconds(0.060, 10, accepted)[1], whole)


class Stale(unittest.TestCase):
    """What is kept is of these programs, this pair and these times, or it is measured anew."""

    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        self.paths = {}
        for name in ("cloud_server", "link_emulator"):
            self.paths[name] = os.path.join(self.folder, name)
            self.build(name, "first")
            patched = mock.patch.object(programs, name, lambda name=name: self.paths[name])
            patched.start()
            self.addCleanup(patched.stop)

    def build(self, name, text):
        with open(self.paths[name], "w", encoding="utf-8") as file:
            file.write(text)

    def streams(self):
        return streams.Streams(self.folder, (), True, lambda text: None)

    def test_a_recording_is_of_one_pair_and_one_server(self):
        """If this fails, a new server is as slow as the old one, and a new pair says what the old one said."""
        path = self.streams().recording
        self.assertEqual(path, self.streams().recording)
        self.build("cloud_server", "second")
        self.assertNotEqual(path, self.streams().recording)
        self.assertEqual(len({recording.name_of(*who) for who in (("pair", "server"), ("other", "server"), ("pair", "other"))}), 3)

    def test_only_runs_beside_this_recording_stand_on_the_page(self):
        """If this fails, a cloud that was recorded anew has the figures of the old one, where not every part was measured again."""
        known = recording.Recording(self.streams().recording)
        known.add("one", entry([" a"], 2.0, 1.0))
        clip = benchmark.QUICK.clips[0].name
        os.makedirs(os.path.join(self.folder, "runs"), exist_ok=True)
        for name, of in (("cloud", known.digest()), ("budget", "another")):
            with open(os.path.join(self.folder, "runs", name + ".json"), "w", encoding="utf-8") as file:
                json.dump(dict(raw(name, [], clip=clip), recording=of), file)
        quick = benchmark.Benchmark(self.folder, SimpleNamespace(resume=True, quick=True), lambda text: None)
        self.assertEqual([one["policy"] for one in quick.found()[0]["streams"]], ["cloud"])

    def test_without_a_recording_nothing_is_measured(self):
        """If this fails, all times are those of a server beside the streams."""
        with self.assertRaisesRegex(runs.RunFailed, "measure the part record first"):
            self.streams().run("policies", policies.POLICIES, policies.LINKS)

    def test_a_run_is_of_the_programs_between_edge_and_cloud(self):
        found = {streams._digest_of_programs()}   # pylint: disable=protected-access
        for name in self.paths:
            self.build(name, "second")
            found.add(streams._digest_of_programs())   # pylint: disable=protected-access
        self.assertEqual(len(found), 3)

    def test_a_run_is_of_the_times_that_were_recorded(self):
        """If this fails, --resume mixes two recordings; or redoes everything for one question that came up while streams ran."""
        known = recording.Recording(os.path.join(self.folder, "recording.jsonl"))
        known.add("one", entry([" a"], 2.0, 1.0))
        before = known.digest()
        known.add("two", dict(entry([" b"]), at_once=True))
        self.assertEqual(known.digest(), before)
        known.add("one", entry([" a"], 2.0, 1.5))
        self.assertNotEqual(known.digest(), before)


class Barrier(cloud_collector.Collector):
    """Answers none of the questions about a picture before all of them are there; then says which question and picture each was."""

    def __init__(self, path, questions):
        super().__init__(path)
        self._questions, self._pictures, self._all = questions, {}, threading.Condition()

    def recorded(self, asked):
        with self._all:
            of = self._pictures.setdefault(recording.picture_of(asked), (len(self._pictures), set()))
            text = asked["messages"][-1]["content"][0]["text"]
            of[1].add(text)
            self._all.notify_all()
            if not self._all.wait_for(lambda: len(of[1]) == len(self._questions), PATIENCE):
                return None, (500, b"{}")
        return dict(cloud_collector.WORD, text="%s %d" % (text, of[0])), None


class CloudAlone(unittest.TestCase):
    """The client without a model, over generated pictures."""

    QUESTIONS = [["a", "First?"], ["b", "Second?"], ["c", "Third?"]]

    def watch(self, source):
        """[(kind, seconds of the picture, text)]"""
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        server = cloud_replay.Server(Barrier(os.path.join(folder, "gathered"), self.QUESTIONS))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        # One picture at a time is under way, so that the server counts them in their order.
        line = source + policies.SEND.replace(policies.MANY, " max-in-flight=%d" % len(self.QUESTIONS)).format(
            cloud="http://127.0.0.1:%d/v1" % server.server_address[1], drain_s=PATIENCE)
        records = runs.run_child(os.path.join(runs.HERE, "run_pipeline.py"), {"launch": line, "mode": "exact", "questions": self.QUESTIONS}, PATIENCE)
        return [(record["kind"], record["content"], record["text"]) for record in records if record["type"] == "answer"]

    def test_all_questions_are_asked_at_once_and_answers_belong_to_their_pictures(self):
        """If this fails, cloud-only waits for something that such a client does not have, or is judged by answers about other pictures."""
        answers = self.watch("videotestsrc num-buffers=4 pattern=ball ! video/x-raw,width=64,height=64,framerate=2/1 ! identity name=pace ! ")
        self.assertEqual(sorted(answers), sorted((kind, n / 2, "%s %d" % (text, n)) for kind, text in self.QUESTIONS for n in range(4)))


class ToldGate(unittest.TestCase):
    """The client behind a gate, with no server at all."""

    def test_the_gate_learns_what_the_cloud_was_sent(self):
        """Five pictures that differ. If this fails, the gate takes for new what the cloud has, and cloud-gated sends it again."""
        os.environ.setdefault("GST_PLUGIN_PATH", runs.plugin_folder())
        Gst.init(None)
        pipeline = Gst.parse_launch("videotestsrc num-buffers=5 pattern=snow ! video/x-raw,width=64,height=64,framerate=2/1 ! masgate name=gate "
                                    "mode=gate ! videoconvert ! video/x-raw,format=RGB ! cloudoffloadsink name=cloud retries=0 "
                                    "endpoint=http://127.0.0.1:1/v1 max-in-flight=64 drain-timeout=1")
        CloudClient(pipeline.get_by_name("cloud"), ["One?", "Two?"], lambda *_: None)
        self.addCleanup(pipeline.set_state, Gst.State.NULL)
        pipeline.set_state(Gst.State.PLAYING)
        message = pipeline.get_bus().timed_pop_filtered(PATIENCE * Gst.SECOND, Gst.MessageType.EOS | Gst.MessageType.ERROR)
        self.assertEqual(message.type, Gst.MessageType.EOS)
        gate, cloud = (pipeline.get_by_name(name).get_property("statistics") for name in ("gate", "cloud"))
        self.assertEqual((gate.get_value("kept"), gate.get_value("pending"), cloud.get_value("segments")), (5, 0, 10))


if __name__ == "__main__":
    unittest.main()
