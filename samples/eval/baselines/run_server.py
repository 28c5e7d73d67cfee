#!/usr/bin/python3
"""What a user would run instead of Saccade: frames of a clip, JPEG over HTTP, to llama-server with the same model.

    run_server.py '{"clip": "build/clips/street60.avi", "fps": 1, "questions": [["car", "Is there a car?"]],
                    "model": "samples/models/saccade-edge-text.gguf", "mmproj": "samples/models/saccade-edge-mmproj.gguf"}'

The configuration is an argument or, without one, standard input. Besides those above it may have

    mode            "exact" (default): every selected frame is asked about, in order, as fast as that goes;
                    "live": frames come by the clock, and while the server is busy the newest one waits and the rest is lost
    layout, n       "frame" (default): one picture a question; "chunk": n frames make a question, then the next n;
                    "last-n": each frame is asked about together with the n - 1 before it
    max_tokens, threads, context, timeout (seconds of silence in a request), server_options (more of llama-server's own)

Prints a line of JSON per answer, then a summary; or, last, an error, and exits with 1. The server's own `timings` stand in
each answer: `prefill_ms` is all of its prompt, the encoding of the pictures included, which it does not tell apart;
`tokens.cached` of the prompt came from its cache, and `encoded` is how many pictures did not.
"""

import collections
import json
import os
import sys
import threading
import time
from dataclasses import dataclass

from server import DEFAULT_CONTEXT, REQUEST_SECONDS, LlamaServer, ServerError

try:
    import gi
    gi.require_version("Gst", "1.0")
    from gi.repository import GLib, Gst
except (ImportError, ValueError):
    Gst = None

JPEG_QUALITY = 85           # percent: jpegenc's default, as cloudoffloadsink's
LONGEST_SILENCE = 30        # seconds without a frame that is due, after which reading has failed
SAME_INSTANT = 1e-6         # seconds
LAYOUTS = ("frame", "chunk", "last-n")


class ClipError(Exception):
    """The clip or the configuration cannot be used; a sentence."""


@dataclass
class Settings:
    clip: str
    questions: list          # of [kind, text]
    model: str
    mmproj: str
    fps: float = 1
    mode: str = "exact"
    layout: str = "frame"
    n: int = 1
    max_tokens: int = 64
    threads: int = 0
    context: int = DEFAULT_CONTEXT
    timeout: float = REQUEST_SECONDS
    server_options: tuple = ()

    @classmethod
    def read(cls, text):
        try:
            settings = cls(**json.loads(text))
        except ValueError as error:
            raise ClipError(f"the configuration is not valid JSON: {error}.") from error
        except TypeError as error:
            raise ClipError(f"the configuration does not fit: {str(error).replace('Settings.__init__() ', '')}.") from error
        if settings.mode not in ("exact", "live"):
            raise ClipError(f'mode is "exact" or "live", not {settings.mode!r}.')
        if settings.layout not in LAYOUTS:
            raise ClipError(f"layout is one of {', '.join(LAYOUTS)}, not {settings.layout!r}.")
        if not settings.fps > 0 or settings.n < 1 or settings.max_tokens < 1:
            raise ClipError("fps, n and max_tokens must be above 0.")
        if not settings.questions or any(len(question) != 2 for question in settings.questions):
            raise ClipError("questions is a list of at least one [kind, text].")
        if not os.path.isfile(settings.clip):
            raise ClipError(f"there is no clip {settings.clip}.")
        return settings

    @property
    def live(self):
        return self.mode == "live"


@dataclass
class Frame:
    seconds: float   # of stream time
    jpeg: bytes


class FrameReader:
    """The clip's frames at the rate that was asked for, as JPEG."""

    LINE = ("filesrc name=file ! decodebin expose-all-streams=false caps=video/x-raw ! identity name=pace "
            f"! videoconvert ! jpegenc quality={JPEG_QUALITY} ! appsink name=out sync=false max-buffers=1")

    def __init__(self, clip, fps, live, on_first_frame):
        self._fps, self._next, self._on_first_frame = fps, 0, on_first_frame
        self._silence = LONGEST_SILENCE + (1 / fps if live else 0)
        self.clip, self.seen, self.sampled, self.stream_seconds = clip, 0, 0, 0.0
        try:
            self.pipeline = Gst.parse_launch_full(self.LINE, None, Gst.ParseFlags.FATAL_ERRORS)
        except GLib.Error as error:
            raise ClipError(f"the client's pipeline cannot be built: {error.message}. Its elements are in the packages "
                            f"gstreamer1.0-plugins-base and gstreamer1.0-plugins-good.") from error
        self.pipeline.get_by_name("file").set_property("location", clip)
        pace = self.pipeline.get_by_name("pace")
        pace.set_property("sync", live)   # holds each frame until its time has come: a camera
        pace.get_static_pad("src").add_probe(Gst.PadProbeType.BUFFER, self._select)
        self._out = self.pipeline.get_by_name("out")

    def __enter__(self):
        self.pipeline.set_state(Gst.State.PLAYING)
        return self

    def __exit__(self, *_):
        self.pipeline.set_state(Gst.State.NULL)

    def _select(self, _pad, info):
        """On the streaming thread: frames that are not wanted are dropped before anything is spent on them."""
        buffer = info.get_buffer()
        if self.seen == 0:
            self._on_first_frame()
        self.seen += 1
        seconds = buffer.pts / Gst.SECOND
        duration = buffer.duration / Gst.SECOND if buffer.duration != Gst.CLOCK_TIME_NONE else 0
        self.stream_seconds = max(self.stream_seconds, seconds + duration)
        if seconds + SAME_INSTANT < self._next / self._fps:
            return Gst.PadProbeReturn.DROP
        self._next = int((seconds + SAME_INSTANT) * self._fps) + 1
        self.sampled += 1
        return Gst.PadProbeReturn.OK

    def frames(self):
        while True:
            sample = self._out.emit("try-pull-sample", int(self._silence * Gst.SECOND))
            if sample is None:
                self._check()
                return
            buffer = sample.get_buffer()
            yield Frame(buffer.pts / Gst.SECOND, buffer.extract_dup(0, buffer.get_size()))

    def _check(self):
        message = self.pipeline.get_bus().pop_filtered(Gst.MessageType.ERROR)
        if message:
            raise ClipError(f"{self.clip} cannot be read: {message.parse_error()[0].message}")
        if not self._out.get_property("eos"):
            raise ClipError(f"{self.clip} gave no frame for {self._silence:g} s.")

    def now(self):
        """Seconds of the stream's clock."""
        clock = self.pipeline.get_clock()
        return (clock.get_time() - self.pipeline.get_base_time()) / Gst.SECOND if clock else 0.0


def groups(frames, layout, n):
    """The frames of each question, the newest last. What is left of a chunk at the end is one, too."""
    held = collections.deque(maxlen=1 if layout == "frame" else n)
    for frame in frames:
        held.append(frame)
        if layout != "chunk" or len(held) == n:
            yield list(held)
            if layout == "chunk":
                held.clear()
    if layout == "chunk" and held:
        yield list(held)


class NewestWins:
    """Passes groups from the thread that makes them to the one that asks; a group that was not taken is replaced."""

    def __init__(self, source):
        self._source, self._changed = source, threading.Condition()
        self._waiting = self._error = None
        self._ended = False
        threading.Thread(target=self._fill, daemon=True).start()

    def _fill(self):
        try:
            for group in self._source:
                with self._changed:
                    self._waiting = group
                    self._changed.notify()
        except Exception as error:   # pylint: disable=broad-except  (it is raised again, on the other thread)
            self._error = error
        with self._changed:
            self._ended = True
            self._changed.notify()

    def __iter__(self):
        return self

    def __next__(self):
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self._waiting)
            group, self._waiting = self._waiting, None
        if group:
            return group
        if self._error:
            raise self._error
        raise StopIteration


class Meter:
    """Processor time and wall-clock time of this process and the server's, from start() on."""

    def __init__(self, server):
        self._server, self._begin = server, None

    def _now(self):
        return [time.monotonic(), time.process_time(), self._server.cpu_seconds()]

    def start(self):
        self._begin = self._now()

    def without(self, work):
        """What is done only for the record is not part of the run."""
        before = self._now()
        result = work()
        self._begin = [begin + after - was for begin, was, after in zip(self._begin, before, self._now())]
        return result

    def read(self):
        return [now - begin for begin, now in zip(self._begin, self._now())] if self._begin else [0.0, 0.0, 0.0]


def own_peak_rss_bytes():
    with open("/proc/self/status", encoding="ascii", errors="replace") as status:
        return next((int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:")), 0)


class Run:
    """One clip through one server."""

    def __init__(self, settings, server, out):
        self.settings, self._server, self._out = settings, server, out
        self._meter = Meter(server)
        self._reader = FrameReader(settings.clip, settings.fps, settings.live, self._meter.start)
        self._per_picture, self._asked, self._encoded = None, set(), 0

    def run(self):
        with self._reader:
            source = groups(self._reader.frames(), self.settings.layout, self.settings.n)
            for group in NewestWins(source) if self.settings.live else source:
                self._ask_all(group)
        self._print(self._summary())

    def _print(self, record):
        self._out.write(json.dumps(record) + "\n")
        self._out.flush()

    def _ask_all(self, group):
        if not self._asked:
            self._per_picture = self._meter.without(lambda: self._server.tokens_per_picture(group[-1].jpeg))
        self._asked.update(frame.seconds for frame in group)
        for kind, question in self.settings.questions:
            queued = self._reader.now() - group[-1].seconds
            reply = self._server.ask([frame.jpeg for frame in group], question, self.settings.max_tokens)
            self._print(self._record(kind, question, group, queued, reply))

    def _record(self, kind, question, group, queued, reply):
        live, content, emitted = self.settings.live, group[-1].seconds, self._reader.now()
        timings = reply.timings
        cached, fresh = timings.get("cache_n", 0), timings.get("prompt_n", 0)
        visual = self._per_picture * len(group) if self._per_picture else None
        encoded = encoded_pictures(cached, fresh, len(group), self._per_picture)
        self._encoded += encoded
        return {
            "type": "answer", "kind": kind, "question": question, "text": reply.text, "source": "server",
            "content": content, "emitted": emitted if live else None,
            "latency_ms": (emitted - content) * 1000 if live else None,
            "confidence": reply.confidence, "truncated": reply.truncated,
            "stages": {"queued_ms": queued * 1000 if live else 0.0, "encode_ms": None,
                       "prefill_ms": timings.get("prompt_ms"), "decode_ms": timings.get("predicted_ms"),
                       "request_ms": reply.seconds * 1000},
            "tokens": {"seen": visual, "kept": visual, "prompt": cached + fresh, "cached": cached,
                       "generated": timings.get("predicted_n")},
            "frames": len(group), "encoded": encoded, "bytes_sent": reply.bytes_sent}

    def _summary(self):
        wall, client, server = self._meter.read()
        reader = self._reader
        return {
            "type": "summary", "stream_s": round(reader.stream_seconds, 6), "wall_s": wall, "cpu_s": client + server,
            "cpu_parts": {"client": client, "server": server},
            "peak_rss_bytes": own_peak_rss_bytes() + self._server.peak_rss_bytes(),
            "frames": {"seen": reader.seen, "sampled": reader.sampled, "needed": reader.sampled,
                       "encoded": self._encoded, "dropped": reader.sampled - len(self._asked)},
            "bytes_sent": self._server.bytes_sent, "requests": self._server.requests}


def encoded_pictures(cached, fresh, pictures, per_picture):
    """How many of a prompt's pictures were not in the server's cache, which holds a beginning of the prompt."""
    if not per_picture or not cached:
        return pictures
    # The question stands after the pictures, so what is fresh is the last of them and some words.
    return min(pictures, fresh // per_picture)


def main(arguments):
    try:
        if Gst is None:
            raise ClipError("the Python bindings of GStreamer are missing: "
                            "apt-get install python3-gi gir1.2-gstreamer-1.0 gir1.2-gst-plugins-base-1.0")
        settings = Settings.read(arguments[1] if len(arguments) > 1 else sys.stdin.read())
        with LlamaServer(settings.model, settings.mmproj, settings.threads, settings.context,
                         extra=settings.server_options, timeout=settings.timeout) as server:
            Gst.init(None)
            Run(settings, server, sys.stdout).run()
    except (ClipError, ServerError) as error:
        print(json.dumps({"type": "error", "message": str(error)}), flush=True)
        return 1
    except (BrokenPipeError, KeyboardInterrupt):   # nobody listens any more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
