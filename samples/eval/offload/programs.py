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
    def cpu_s(self):
        """Processor time so far, of all threads, in steps of the kernel's clock tick."""
        with open("/proc/%d/stat" % self._process.pid, encoding="ascii", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()   # the name before may hold blanks; state is the first behind it
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

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


NO_PICTURES = ("--picture-cache", 0)   # each question finds its picture unknown
# A few encoded pictures, in MiB, and one answer at a time: what was asked about some questions ago is forgotten.
FEW_PICTURES = ("--picture-cache", 1, "--parallel", 1)


def cloud_server():
    """The path of saccade-server."""
    return built("engine", "server", "saccade-server")


def real_server(pair, options=()):
    """saccade-server with its defaults, but for these options."""
    return Program(cloud_server(), "--model", pair.model, "--mmproj", pair.mmproj, "--port", 0, *options)


def collector(path):
    return Program(sys.executable, os.path.join(HERE, "cloud_collector.py"), "--into", path)


REPLAY = os.path.join(HERE, "cloud_replay.py")


def replay(recording, server, workers):
    return Program(sys.executable, REPLAY, "--recording", recording, "--server", server.url, "--workers", workers)


def link_emulator():
    """Its path."""
    return built("tests", "faults", "link_emulator")


def link(target, words):
    """words: as link_emulator's options, ("delay=10ms", "rate=25MB/s")."""
    options = [part for word in words for part in ("--" + word.split("=")[0], word.split("=")[1])]
    return Program(link_emulator(), "--target", target.port, *options)
