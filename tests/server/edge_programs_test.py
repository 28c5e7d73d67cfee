"""Edges as users start them, with gst-launch-1.0, in front of real servers: saccade-server, llama-server, HAProxy.

    edge_programs_test.py SACCADE_SERVER

If it fails, a line or a configuration that the pages give does not do what they say, or an edge trusts whom it should not.
"""

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.request
from pathlib import Path

from saccade_server import MODELS, PAGE, PATIENCE, PROJECT, adapted, certificate, server

sys.path[:0] = [str(PROJECT / "samples/scenes"), str(PROJECT / "samples/eval/baselines")]

import cv2  # noqa: E402  (from the distribution, as the renderer's other needs)
from avi import write_avi  # noqa: E402
from draw import draw_scene  # noqa: E402
from scene import SPLITS, random_scene  # noqa: E402
from server import LlamaServer  # noqa: E402

SERVER = None
KEY = "sk-of-the-test-which-nobody-may-see"
HAPROXY = shutil.which("haproxy", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
REFUSED = "no safe connection"


def launch(line, **environment):
    """(standard output, standard error) of gst-launch-1.0, from the repository's root as the pages say"""
    done = subprocess.run(["bash", "-c", line], cwd=PROJECT, capture_output=True, text=True, timeout=5 * PATIENCE,
                          check=False, env=dict(os.environ, **environment))
    if done.returncode:
        raise AssertionError(f"{line}\nexited {done.returncode}:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return done.stdout, done.stderr


def cloud_answers(said):
    """(id, text) of each message of cloudoffloadsink's"""
    return re.findall(r"cloud-answer.*?id=\(guint64\)(\d+).*?text=\(string\)([^,;]+)", said)


class ReadyPipeline(unittest.TestCase):
    """pipelines/edge-cloud.launch, with a clip and a server of the test's own."""

    def clip(self, folder, scenes=12, width=640, height=360):
        frames = []
        for number in range(scenes):
            picture = draw_scene(random_scene(SPLITS["test"].start + number), width, height)[:, :, ::-1]
            frames.append(cv2.imencode(".jpg", picture)[1].tobytes())
        path = os.path.join(folder, "clip.avi")
        write_avi(path, frames, 1, width, height)
        return path

    def check(self, url):
        words = (PROJECT / "pipelines/edge-cloud.launch").read_text(encoding="utf-8")
        with tempfile.TemporaryDirectory() as folder:
            # The server may be slow here, and each question waits for those before it; nothing is judged by it.
            slow = 4 * PATIENCE
            words = adapted(words, ("build/clips/street60.avi", self.clip(folder)),
                            ("localmllm name=edge", f"localmllm name=edge drain-timeout={slow}000000000"),
                            ("endpoint=http://127.0.0.1:8080/v1", f"endpoint={url}/v1 timeout={slow} drain-timeout={slow}"))
            written = Path(folder, "line.launch")
            written.write_text(words, encoding="utf-8")
            out, err = launch(f"gst-launch-1.0 -q $(cat {written})")
        self.assertNotIn("WARNING", err)
        answers = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
        ids = [answer["id"] for answer in answers]
        self.assertEqual(len(ids), len(set(ids)), "an answer came twice")
        drafts = {answer["id"] for answer in answers if answer["source"] == "edge-draft"}
        corrections = [answer for answer in answers if answer["source"].startswith("cloud")]
        self.assertGreater(len(drafts), 0, "the edge is sure of everything: nothing was asked")
        self.assertGreater(len(answers), len(drafts) + len(corrections), "the edge is sure of nothing")
        self.assertEqual(sorted(answer["supersedes"] for answer in corrections), sorted(drafts))
        for answer in corrections:
            self.assertRegex(answer["text"], r"^\w+")

    def test_asks_saccade_server(self):
        with server(SERVER) as (_, url):
            self.check(url)

    def test_asks_llama_server(self):
        # With a thread, for more of them wait for each other where another test runs.
        with LlamaServer(MODELS / "saccade-cloud-text.gguf", MODELS / "saccade-cloud-mmproj.gguf", threads=1) as running:
            self.check(running.url)


class Https(unittest.TestCase):
    """What is trusted, and what is not."""

    def asked(self, url, *properties):
        """(answers, what was said) of one frame"""
        with tempfile.TemporaryDirectory() as folder:
            log = Path(folder, "log")
            out, err = launch(f"gst-launch-1.0 -m videotestsrc num-buffers=1 ! cloudoffloadsink endpoint={url}/v1 "
                              f"retries=0 drain-timeout={PATIENCE} {' '.join(properties)}",
                              SACCADE_API_KEY=KEY, GST_DEBUG="*:6", GST_DEBUG_NO_COLOR="1", GST_DEBUG_FILE=str(log))
            logged = log.read_text(encoding="utf-8", errors="replace")
        self.assertIn("cloudoffloadsink", logged)
        for what in (logged, out, err):
            self.assertNotIn(KEY, what)
        return cloud_answers(out), out + err

    def assert_refused(self, url, *properties):
        answers, said = self.asked(url, *properties)
        self.assertEqual(answers, [])
        self.assertIn(REFUSED, said)

    def assert_answered(self, url, *properties):
        answers, said = self.asked(url, *properties)
        self.assertEqual(len(answers), 1, said)
        self.assertNotIn(REFUSED, said)

    def test_only_whom_somebody_vouches_for(self):
        with tempfile.TemporaryDirectory() as folder:
            made, key = certificate(folder)
            other, _ = certificate(folder, "other")
            with server(SERVER, "--tls-cert", made, "--tls-key", key) as (_, url):
                self.assert_refused(url)
                self.assert_refused(url, "ssl-strict=true")
                self.assert_refused(url, f"tls-database={other}")
                self.assert_answered(url, f"tls-database={made}")
                self.assert_answered(url, "ssl-strict=false")

    def test_not_under_another_ones_name(self):
        with tempfile.TemporaryDirectory() as folder:
            made, key = certificate(folder, address="127.0.0.2")
            with server(SERVER, "--tls-cert", made, "--tls-key", key) as (_, url):
                self.assert_refused(url, f"tls-database={made}")
                self.assert_answered(url, f"tls-database={made}", "ssl-strict=false")

    def test_not_in_the_clear(self):
        with server(SERVER) as (_, url):
            # The server says nothing to a greeting that it does not understand, for as long as one waits.
            answers, said = self.asked(url.replace("http:", "https:"), "ssl-strict=false", "timeout=1")
            self.assertEqual(answers, [])
            self.assertIn("WARNING", said)


def configuration_of_the_page(ports, certificate_and_key, door):
    """docs/saccade-server.md's, with addresses, a certificate and an open socket of the test's own"""
    block = re.search(r"^    defaults\n(?:    .*\n)+", PAGE, re.MULTILINE).group(0)
    return adapted(block, (":443", f"fd@{door.fileno()}"), ("/etc/haproxy/saccade.pem", certificate_and_key),
                   ("10.0.0.11:8080", f"127.0.0.1:{ports[0]}"), ("10.0.0.12:8080", f"127.0.0.1:{ports[1]}"))


@contextlib.contextmanager
def proxy(folder, urls, certificate_and_key):
    """A running HAProxy in front of these two servers, and its URL."""
    written = os.path.join(folder, "haproxy.cfg")
    ports = [url.rpartition(":")[2] for url in urls]
    with socket.socket() as door:  # which nobody else can take before HAProxy listens on it
        door.bind(("127.0.0.1", 0))
        port = door.getsockname()[1]
        Path(written).write_text(configuration_of_the_page(ports, certificate_and_key, door), encoding="utf-8")
        process = subprocess.Popen([HAPROXY, "-db", "-f", written], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                                   pass_fds=[door.fileno()])
    overdue = threading.Timer(PATIENCE, process.kill)
    overdue.start()
    try:
        while process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.02)
        overdue.cancel()
        if process.poll() is not None:
            raise AssertionError(f"HAProxy does not run:\n{process.stderr.read()}")
        yield f"https://127.0.0.1:{port}"
    finally:
        overdue.cancel()
        process.kill()
        process.communicate()


def answered_by(url):
    with urllib.request.urlopen(url + "/metrics", timeout=PATIENCE) as response:
        found = re.search(r'^saccade_server_requests_total\{.*status="200".*\} (\d+)', response.read().decode(), re.MULTILINE)
    return int(found.group(1)) if found else 0


@unittest.skipUnless(HAPROXY, "haproxy is not installed; apt-get install haproxy, or tests/run.sh, which does")
class SeveralServers(unittest.TestCase):
    FRAMES = 16

    def in_front_of(self, stack, urls):
        """(URL of a HAProxy in front of two servers, the certificate that vouches for it)"""
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        made, key = certificate(folder)
        both = Path(folder, "both.pem")
        both.write_text(Path(made).read_text(encoding="utf-8") + Path(key).read_text(encoding="utf-8"), encoding="utf-8")
        return stack.enter_context(proxy(folder, urls, str(both))), made

    def edge(self, stack, url, made):
        """A gst-launch-1.0 that asks about FRAMES frames, one after the other."""
        running = stack.enter_context(subprocess.Popen(
            ["gst-launch-1.0", "-m", "videotestsrc", f"num-buffers={self.FRAMES}", "pattern=ball", "!", "cloudoffloadsink",
             f"endpoint={url}/v1", f"tls-database={made}", "retries=8", f"drain-timeout={PATIENCE}", "max-in-flight=1"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
        overdue = threading.Timer(2 * PATIENCE, running.kill)
        overdue.start()
        stack.callback(overdue.cancel)
        stack.callback(running.kill)
        return running

    def test_one_may_die_in_the_middle(self):
        with contextlib.ExitStack() as stack:
            servers = [stack.enter_context(server(SERVER)) for _ in range(2)]
            edge = self.edge(stack, *self.in_front_of(stack, [url for _, url in servers]))
            said, killed, survivor = "", None, None
            for line in edge.stdout:
                said += line
                if killed is None and len(cloud_answers(said)) >= 4:
                    (_, survivor), (killed, _) = sorted(servers, key=lambda one: answered_by(one[1]))
                    self.assertEqual(answered_by(survivor), 0, "one edge's questions are spread over the servers")
                    killed.kill()
                    killed.wait(PATIENCE)
            self.assertEqual(edge.wait(PATIENCE), 0, said)
            answered = sorted(int(number) for number, _ in cloud_answers(said))
            self.assertEqual(answered, list(range(1, self.FRAMES + 1)), said)
            self.assertNotIn("WARNING", said)
            self.assertGreater(answered_by(survivor), 0)

    def test_figures_stay_inside(self):
        with contextlib.ExitStack() as stack:
            _, url = stack.enter_context(server(SERVER))
            front, made = self.in_front_of(stack, [url, url])
            codes = [subprocess.run(["curl", "--silent", "--max-time", str(PATIENCE), "--cacert", made, "--output", "/dev/null",
                                     "--write-out", "%{http_code}", front + path], capture_output=True, text=True,
                                    check=False).stdout for path in ("/metrics", "/health")]
            self.assertEqual(codes, ["403", "200"])


if __name__ == "__main__":
    SERVER = sys.argv.pop(1)
    unittest.main()
