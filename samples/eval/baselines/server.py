"""llama-server as a child process: found, started, asked over HTTP, measured, and never left behind.

    with LlamaServer(model="edge-text.gguf", mmproj="edge-mmproj.gguf", threads=1) as server:
        reply = server.ask([jpeg], "Is there a car?", max_tokens=16)
        print(reply.text, reply.timings["prompt_ms"], server.cpu_seconds(), server.peak_rss_bytes())
        endpoint = server.url + "/v1"    # for cloudoffloadsink endpoint=…

It is found at $LLAMA_SERVER, else in the project's cache (`cmake/provide_llama.sh tools` builds it there, from the
source that the project itself is built from), else on PATH. What fails is a ServerError whose text is a sentence.
"""

import base64
import ctypes
import http.client
import json
import math
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[3]
SETUP = f"{PROJECT}/cmake/provide_llama.sh tools -DGGML_NATIVE=ON"   # the options of the project's own build

START_SECONDS = 120     # to load a model and say so; a large one comes from a cold disk
STOP_SECONDS = 5        # between SIGTERM and SIGKILL
REQUEST_SECONDS = 120   # of silence on the connection, after which a request has failed
POLL_SECONDS = 0.05
LAST_LINES = 4          # of the server's own words in an error
LOG_BYTES = 8192        # at the end of its log, in which they are looked for
DEFAULT_CONTEXT = 4096  # tokens; the server cuts it to what the model was trained for
BINDING_ATTEMPTS = 3    # a port that was free may be taken before the server binds it
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)   # before any fork: nothing may be loaded between fork and exec


class ServerError(Exception):
    """What went wrong, with which file or server, and what to do; for people."""


def cache_folder():
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(os.environ.get("SACCADE_CACHE") or os.path.join(home, "saccade"))


def find_server():
    """The path of llama-server."""
    named = os.environ.get("LLAMA_SERVER")
    if named:
        if os.access(named, os.X_OK) and not os.path.isdir(named):
            return named
        raise ServerError(f"LLAMA_SERVER names {named}, which is not a program that can be run. Unset it to use the "
                          f"project's own, or correct it.")
    built = [path for path in cache_folder().glob("llama-*/bin/llama-server") if os.access(path, os.X_OK)]
    if built:
        return str(max(built, key=lambda path: path.stat().st_mtime))
    on_path = shutil.which("llama-server")
    if on_path:
        return on_path
    raise ServerError(f"llama-server was not found in {cache_folder()} or on PATH. Build it once with '{SETUP}' (about 8 "
                      f"minutes on 2 cores), or name one with LLAMA_SERVER=/path/llama-server.")


@dataclass
class Reply:
    """One chat completion."""

    text: str
    confidence: float   # geometric mean of the token probabilities; 0.5 when the server sent none
    timings: dict       # llama-server's: prompt_n, prompt_ms (encoding the pictures included), predicted_n, predicted_ms, cache_n
    truncated: bool
    bytes_sent: int     # above TCP, headers included
    bytes_received: int
    seconds: float      # from the first byte sent to the last one received

    @classmethod
    def read(cls, body, bytes_sent, seconds):
        try:
            whole = json.loads(body)
            choice = whole["choices"][0]
            text = choice["message"]["content"].strip()
            probabilities = [entry["logprob"] for entry in (choice.get("logprobs") or {}).get("content", [])]
        except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
            raise ServerError(f"the server's answer is no chat completion ({error!r}): {body[:200]!r}") from error
        confidence = math.exp(sum(probabilities) / len(probabilities)) if probabilities else 0.5
        return cls(text, confidence, whole.get("timings", {}), choice.get("finish_reason") == "length", bytes_sent,
                   len(body), seconds)


def question_about(pictures, question, max_tokens):
    """The request of an OpenAI client: the pictures as data URLs in their order, then the question, greedy."""
    content = [{"type": "image_url", "image_url": {"url": "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()}}
               for jpeg in pictures]
    content.append({"type": "text", "text": question})
    return {"messages": [{"role": "user", "content": content}], "max_tokens": max_tokens, "temperature": 0,
            "cache_prompt": True, "logprobs": True, "top_logprobs": 1}


class _CountingConnection(http.client.HTTPConnection):
    """An HTTP connection that knows how many bytes it sent."""

    sent = 0

    def send(self, data):
        self.sent += len(data)
        super().send(data)


def dies_with_me():
    """A preexec_fn for Popen: the kernel kills the child when the thread that starts it ends, however that ends."""
    parent = os.getpid()

    def in_the_child():
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:   # the parent ended in between
            os._exit(1)

    return in_the_child


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class LlamaServer:
    """A llama-server on a loopback port, from `with` to the end of its block. Used by one thread at a time. The kernel ends
    the server with the thread that started it, whatever ends that thread: the block must not be handed to another."""

    def __init__(self, model, mmproj, threads=0, context=DEFAULT_CONTEXT, slots=1, extra=(), timeout=REQUEST_SECONDS):
        """threads: 0 = the server's own choice; slots: requests at a time; extra: more of llama-server's options."""
        self.model, self.mmproj, self.timeout = str(model), str(mmproj), timeout
        self._options = ["-m", self.model, "--mmproj", self.mmproj, "--host", "127.0.0.1", "-np", str(slots),
                         "-c", str(context), "--no-ui", "--offline", *map(str, extra)]
        if threads:
            self._options += ["-t", str(threads)]
        self._process = self._log = self._connection = self.port = None
        self._cpu = self._rss = 0
        self.requests = self.bytes_sent = self.bytes_received = 0

    # --- Life

    def __enter__(self):
        program = find_server()
        for path, what in ((self.model, "language model"), (self.mmproj, "vision encoder (mmproj)")):
            if not os.path.isfile(path):
                raise ServerError(f"there is no {what} at {path}.")
        for attempt in range(BINDING_ATTEMPTS):
            try:
                self._start(program)
                return self
            except ServerError:
                port_taken = "couldn't bind" in self.last_words(20)
                self.stop()
                if not port_taken or attempt + 1 == BINDING_ATTEMPTS:
                    raise
            except BaseException:
                self.stop()
                raise

    def __exit__(self, *_):
        self.stop()

    def _start(self, program):
        self.port = _free_port()
        self._log = tempfile.TemporaryFile()
        # A user's own LLAMA_ARG_… settings would make another server of it.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("LLAMA_ARG_")}
        try:
            self._process = subprocess.Popen(
                [program, *self._options, "--port", str(self.port)], stdin=subprocess.DEVNULL, stdout=self._log,
                stderr=subprocess.STDOUT, env=environment, preexec_fn=dies_with_me())
        except (OSError, subprocess.SubprocessError) as error:
            raise ServerError(f"{program} could not be started: {error}.") from error
        self._wait_until_ready()

    def _wait_until_ready(self):
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise ServerError(f"llama-server could not load {self.model} with {self.mmproj} and {self._ending()}. "
                                  f"Its last words: {self.last_words()}")
            if self._healthy():
                return
            time.sleep(POLL_SECONDS)
        raise ServerError(f"llama-server did not get ready with {self.model} within {START_SECONDS} s. "
                          f"Its last words: {self.last_words()}")

    def _healthy(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=1)
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def stop(self):
        """It has ended. Cpu time and memory stay readable."""
        if self._connection:
            self._connection.close()
            self._connection = None
        if not self._process:
            return
        self._measure()
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process = None
        self._log.close()
        self._log = None

    # --- Questions

    @property
    def url(self):
        """For example http://127.0.0.1:40123; an OpenAI client's base is this and /v1."""
        return f"http://127.0.0.1:{self.port}"

    def ask(self, pictures, question, max_tokens=64):
        """The Reply to a question about JPEGs, oldest first."""
        body = json.dumps(question_about(pictures, question, max_tokens)).encode()
        start = time.monotonic()
        try:
            status, answer, sent = self._post("/v1/chat/completions", body)
        except (OSError, http.client.HTTPException) as error:
            raise self._failed(question, error) from error
        self.requests += 1
        self.bytes_sent += sent
        self.bytes_received += len(answer)
        if status != http.client.OK:
            raise ServerError(f'llama-server refused the question "{question}" with HTTP {status}: {_complaint(answer)}')
        return Reply.read(answer, sent, time.monotonic() - start)

    def tokens_per_picture(self, jpeg):
        """Prompt tokens that one such picture takes; None when this server cannot count."""
        counts = []
        for pictures in ([], [jpeg]):
            try:
                status, answer, _ = self._post("/v1/chat/completions/input_tokens",
                                               json.dumps(question_about(pictures, "?", 1)).encode())
                counts.append(json.loads(answer)["input_tokens"])
            except (OSError, http.client.HTTPException) as error:
                raise self._failed("?", error) from error
            except (ValueError, KeyError, TypeError):
                return None
            if status != http.client.OK:
                return None
        return counts[1] - counts[0]

    def _post(self, path, body):
        reused = self._connection is not None and self._connection.sock is not None
        if self._connection is None:
            self._connection = _CountingConnection("127.0.0.1", self.port, timeout=self.timeout)
        before = self._connection.sent
        try:
            self._connection.request("POST", path, body, {"Content-Type": "application/json"})
            response = self._connection.getresponse()
        except (ConnectionError, http.client.BadStatusLine):
            # A server closes a connection that was idle for some seconds; that is seen only when it is used again.
            self._connection.close()
            if not reused or self._process.poll() is not None:
                raise
            self._connection.request("POST", path, body, {"Content-Type": "application/json"})
            response = self._connection.getresponse()
        return response.status, response.read(), self._connection.sent - before

    def _failed(self, question, error):
        self._connection.close()
        if isinstance(error, TimeoutError):
            return ServerError(f'llama-server was silent for {self.timeout:g} s after the question "{question}". Fewer '
                               f"pictures per question, fewer tokens or a longer timeout may help.")
        try:   # a broken connection is often the first sign of a death that is still going on
            self._process.wait(1)
        except subprocess.TimeoutExpired:
            return ServerError(f'the connection to llama-server broke at the question "{question}" ({error!r}); the server '
                               f"still runs. Its last words: {self.last_words()}")
        return ServerError(f'llama-server {self._ending()} at the question "{question}". Its last words: {self.last_words()}')

    # --- What it costs, and what it said

    @property
    def pid(self):
        return self._process.pid if self._process else None

    def _measure(self):
        try:
            with open(f"/proc/{self.pid}/stat", encoding="ascii", errors="replace") as stat:
                fields = stat.read().rpartition(")")[2].split()   # from the third on: the name may hold blanks
            self._cpu = (int(fields[11]) + int(fields[12])) / CLOCK_TICKS   # utime, stime
            with open(f"/proc/{self.pid}/status", encoding="ascii", errors="replace") as status:
                peak = [line.split()[1] for line in status if line.startswith("VmHWM:")]
            if peak:   # a process that has ended has no memory
                self._rss = int(peak[0]) * 1024
        except (OSError, ValueError, IndexError):
            pass   # gone: what was last seen stands

    def cpu_seconds(self):
        """User and system time since its start, loading included."""
        if self._process:
            self._measure()
        return self._cpu

    def peak_rss_bytes(self):
        if self._process:
            self._measure()
        return self._rss

    def _ending(self):
        code = self._process.returncode
        return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"exited with {code}"

    def last_words(self, lines=LAST_LINES):
        """The end of its log, on one line."""
        if not self._log:
            return ""
        log = self._log.fileno()   # the server writes at the same offset, which pread leaves alone
        end = os.pread(log, LOG_BYTES, max(0, os.fstat(log).st_size - LOG_BYTES)).decode(errors="replace")
        said = [line.strip() for line in end.splitlines() if line.strip()]
        return " | ".join(said[-lines:]) or "none"


def _complaint(body):
    try:
        return str(json.loads(body)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return body[:200].decode(errors="replace")
