"""Saccade and llama-server in turns: the same pictures of a clip, the same windows of them, the same question."""

import json
import os
import subprocess
import sys

import cv2

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "baselines"))
from server import LlamaServer, ServerError, dies_with_me  # noqa: E402

RATE = 2   # pictures a second, as session_bench reads clips
QUALITY = (cv2.IMWRITE_JPEG_QUALITY, 95)
MAX_TOKENS = 64


def jpegs_of(clip, count, width, height):
    """The first pictures of the clip, as session_bench has them."""
    video = cv2.VideoCapture(clip)
    fps, found, frame = video.get(cv2.CAP_PROP_FPS), [], 0
    while len(found) < count and video.grab():
        if frame / fps * RATE >= len(found):
            picture = cv2.resize(video.retrieve()[1], (width, height), interpolation=cv2.INTER_AREA)
            found.append(cv2.imencode(".jpg", picture, QUALITY)[1].tobytes())
        frame += 1
    return found


class _Ours:
    """session_bench, which answers whenever it is told to."""

    def __init__(self, bench, question, size, pictures):
        self._process = subprocess.Popen(bench.command("paced", question, size, pictures), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                         text=True, preexec_fn=dies_with_me())
        self.size = self._read()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()

    def _read(self):
        line = self._process.stdout.readline()
        if not line:
            raise ServerError("session_bench ended too early.")
        return json.loads(line)

    def answer(self):
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self._read()


def measure(bench, window, pictures):
    """{"window", "answers"}: those to full windows, each with what either needed for it."""
    question = bench.questions["car"]
    answers = []
    with _Ours(bench, question, window, pictures) as ours, \
            LlamaServer(bench.pair.model, bench.pair.mmproj, threads=ours.size["threads"]) as server:
        jpegs = jpegs_of(bench.clip, pictures, ours.size["width"], ours.size["height"])
        for i in range(len(jpegs)):
            shown = jpegs[max(0, i + 1 - window):i + 1]
            mine = ours.answer() if i % 2 else None   # who is first changes each time
            before = server.cpu_seconds()
            reply = server.ask(shown, question, MAX_TOKENS)
            spent = server.cpu_seconds() - before
            mine = mine or ours.answer()
            if i >= window:   # the first full window has nothing to leave out
                answers.append({**mine, "server": {"ms": 1000 * reply.seconds, "processor_ms": 1000 * spent, "text": reply.text,
                                                   "own_ms": reply.timings.get("prompt_ms", 0) + reply.timings.get("predicted_ms", 0),
                                                   "read": reply.timings.get("prompt_n"), "cached": reply.timings.get("cache_n")}})
    return {"window": window, "answers": answers}
