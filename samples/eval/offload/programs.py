"""The programs beside the edge: a real server, its replay and a link. Each prints a line with its port when it is ready and,
told to end, what it did."""

import json
import os
import re
import select
import subprocess
import sys
import tempfile

from errors import EvalError
from runs import plugin_folder, server_module

HERE = os.path.dirname(os.path.abspath(__file__))
READY_S, STOP_S = 120, 15


def built(*place):
    """A program of the build that the plugin is from."""
    path = os.path.join(os.path.dirname(plugin_folder()), *place)
    if not os.path.exists(path):
        raise EvalError("there is no %s; build it first: cmake --build build/release --target %s" % (path, place[-1]))
    return path


class Program:
    """From `with` to the end of its block. The kernel ends it with the thread that started it."""

    def __init__(self, *command):
        self._command, self._process, self._complaints = [str(word) for word in command], None, None
        self.port, self.figures = None, None

    @property
    def url(self):
        return "http://127.0.0.1:%d" % self.port

    @property
    def name(self):
        return os.path.basename(next(word for word in self._command if word != sys.executable))

    def __enter__(self):
        self._complaints = tempfile.TemporaryFile()
        self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._complaints,
                                         preexec_fn=server_module().dies_with_me())
        ready, _, _ = select.select([self._process.stdout], [], [], READY_S)
        found = re.search(rb"(\d+)\s*$", self._process.stdout.readline()) if ready else None
        if not found:
            self._end()
            raise EvalError("%s did not get ready: %s" % (self.name, self._last_words()))
        self.port = int(found.group(1))
        return self

    def __exit__(self, *_):
        said = self._end()
        try:
            self.figures = json.loads(said.splitlines()[-1])
        except (ValueError, IndexError):
            self.figures = None   # it has none to tell
        self._complaints.close()

    def _end(self):
        self._process.terminate()
        try:
            return self._process.communicate(timeout=STOP_S)[0].decode()
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.communicate()[0].decode()

    def _last_words(self):
        self._complaints.seek(0)
        return (self._complaints.read().decode(errors="replace").strip().splitlines() or ["it did not say why"])[-1]


FEW_PICTURES = 1   # MiB of encoded pictures, which are a few: what was asked about some questions ago is forgotten


def real_server(pair, picture_cache=0, guesses=None):
    """saccade-server with one question at a time. Unless it may remember pictures (MiB), what an answer takes depends little on
    what was asked before. guesses: as its option; None = its default."""
    return Program(built("engine", "server", "saccade-server"), "--model", pair.model, "--mmproj", pair.mmproj, "--port", 0,
                   "--parallel", 1, "--picture-cache", picture_cache, *(() if guesses is None else ("--guesses", guesses)))


def replay(recording, server, workers):
    return Program(sys.executable, os.path.join(HERE, "cloud_replay.py"), "--recording", recording, "--server", server.url,
                   "--workers", workers)


def link(target, words):
    """words: as link_emulator's options, ("delay=10ms", "rate=25MB/s")."""
    options = [part for word in words for part in ("--" + word.split("=")[0], word.split("=")[1])]
    return Program(built("tests", "faults", "link_emulator"), "--target", target.port, *options)
