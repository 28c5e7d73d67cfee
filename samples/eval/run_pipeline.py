#!/usr/bin/python3
"""Runs one launch line over one clip, in a process of its own, so that its CPU time and memory are the line's own.

    run_pipeline.py '{"launch": "filesrc location=… ! … ! localmllm name=model …", "mode": "exact",
                      "questions": [["car", "Is there a car?"], ["people", "How many people are there?"]]}'

The line's elements are found by name: model (localmllm), and where there are any pace, sampler, gate, compressor, cloud.
The first question is the standing one, which the line itself sets as `prompt`; at every answer to it the others are asked
about the same picture, unless the line sets them as `more-prompts`. A line without a model asks the cloud everything about every
picture. Prints a line of JSON per answer, then a summary; or, last, an error, and exits with 1.
"""

import bisect
import json
import sys
import threading
import time

import gi

gi.require_version("Gst", "1.0")
from gi.repository import GLib, Gst  # noqa: E402

from cloud_client import CloudClient  # noqa: E402

SECOND = 1_000_000_000
POLL_NS = SECOND // 2


class PipelineFailed(Exception):
    """A sentence."""


def _statistics(element, *names):
    """Sum of fields of an element's statistics; 0 without the element or the field."""
    structure = element.get_property("statistics") if element else None
    return sum((structure.get_value(name) or 0) for name in names if structure.has_field(name)) if structure else 0


def _peak_rss_bytes():
    """Of this program alone: getrusage() would count what the parent had when it started us, too."""
    with open("/proc/self/status", encoding="ascii", errors="replace") as status:
        return next((int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:")), 0)


class Run:
    def __init__(self, settings, out):
        self.live = settings["mode"] == "live"
        self.kinds = {text: kind for kind, text in settings["questions"]}
        self.texts = [text for _, text in settings["questions"]]
        self._out, self._lock = out, threading.Lock()
        self._begin, self._seen, self._end_s = None, 0, 0.0
        self._times = []   # of the pictures that have come in, in ns
        try:
            self.pipeline = Gst.parse_launch_full(settings["launch"], None, Gst.ParseFlags.FATAL_ERRORS)
        except GLib.Error as error:
            raise PipelineFailed("the pipeline cannot be built: %s. Is GST_PLUGIN_PATH the folder of libgstsaccade.so "
                                 "(build/release/gst-plugins)?" % error.message) from error
        self._later = [] if "more-prompts=" in settings["launch"] else self.texts[1:]
        self.model = self._find("model")
        if self.model:
            self.model.connect("answer", self._on_answer)
        else:
            self._client = CloudClient(self._find("cloud"), self.texts, self._on_cloud_answer)
        self._find("pace").get_static_pad("src").add_probe(Gst.PadProbeType.BUFFER, self._on_frame)

    def _find(self, name):
        return self.pipeline.get_by_name(name)

    def _print(self, record):
        with self._lock:
            self._out.write(json.dumps(record) + "\n")
            self._out.flush()

    def _now(self):
        """Seconds of the stream's clock."""
        clock = self.pipeline.get_clock()
        return (clock.get_time() - self.pipeline.get_base_time()) / SECOND if clock else 0.0

    def _on_frame(self, _pad, info):
        """On a streaming thread."""
        if self._begin is None:   # from here on it is about the stream, before it was about the model
            self._begin = time.monotonic(), time.process_time()
        buffer = info.get_buffer()
        self._seen += 1
        if buffer.pts != Gst.CLOCK_TIME_NONE:
            self._times.append(buffer.pts)
            duration = buffer.duration if buffer.duration != Gst.CLOCK_TIME_NONE else 0
            self._end_s = (buffer.pts + duration) / SECOND
        return Gst.PadProbeReturn.OK

    def _newest_before(self, end):
        """Time of the newest picture that an answer speaks of: it may speak of several, up to the end of the last."""
        return self._times[max(0, bisect.bisect_left(self._times, end) - 1)]

    def _on_answer(self, model, answer):
        """On the model's thread, before it takes the next picture."""
        emitted = self._now()
        value = answer.get_value
        # A stream whose frames have no duration ends an answer where its picture starts.
        content, question = max(value("start"), self._newest_before(value("end"))) / SECOND, value("question")
        self._print_answer(
            question, value("text"), value("source"), content, emitted, confidence=value("confidence"), truncated=value("truncated"),
            stages={"queued_ms": value("queued-ms"), "encode_ms": value("encode-ms"),
                    "prefill_ms": value("prefill-ms"), "decode_ms": value("decode-ms")},
            tokens={"seen": value("tokens-seen"), "kept": value("tokens-kept"), "prompt": None,
                    "generated": value("tokens-generated") if answer.has_field("tokens-generated") else None})
        if question == self.texts[0] and value("source") in ("edge", "edge-draft"):
            for text in self._later:
                if not model.emit("ask", text):
                    self._print({"type": "warning", "message": '"%s" was not asked: too many questions wait' % text})

    def _on_cloud_answer(self, question, time, text, confidence):
        """On the network's thread."""
        self._print_answer(question, text, "cloud", time / SECOND, self._now(), confidence=confidence, truncated=False, stages={}, tokens={})

    def _print_answer(self, question, text, source, content, emitted, **more):
        self._print({"type": "answer", "kind": self.kinds.get(question), "question": question, "text": text, "source": source,
                     "content": content, "emitted": emitted if self.live else None,
                     "latency_ms": (emitted - content) * 1000 if self.live else None, "bytes_sent": 0, **more})

    def run(self):
        bus = self.pipeline.get_bus()
        try:
            if self.pipeline.set_state(Gst.State.PLAYING) == Gst.StateChangeReturn.FAILURE:
                raise PipelineFailed(self._first_error(bus))
            self._listen(bus)
            ends = time.monotonic(), time.process_time()
            self._print(self._summary(ends))
        finally:
            self.pipeline.set_state(Gst.State.NULL)

    @staticmethod
    def _first_error(bus):
        message = bus.pop_filtered(Gst.MessageType.ERROR)
        return message.parse_error()[0].message if message else "the pipeline refused to start and did not say why"

    def _listen(self, bus):
        wanted = Gst.MessageType.EOS | Gst.MessageType.ERROR | Gst.MessageType.WARNING | Gst.MessageType.LATENCY
        while True:
            message = bus.timed_pop_filtered(POLL_NS, wanted)
            if message is None:
                continue
            if message.type == Gst.MessageType.EOS:
                return
            if message.type == Gst.MessageType.ERROR:
                raise PipelineFailed(message.parse_error()[0].message)
            if message.type == Gst.MessageType.WARNING:
                self._print({"type": "warning", "message": message.parse_warning()[0].message})
            elif message.type == Gst.MessageType.LATENCY:
                self.pipeline.recalculate_latency()

    def _summary(self, ends):
        wall, cpu = (end - begin for end, begin in zip(ends, self._begin or ends))
        compressor, cloud = self._find("compressor"), self._find("cloud")
        encoded = _statistics(compressor, "encoded") if compressor else _statistics(self.model, "taken")
        sampled = _statistics(self._find("sampler"), "kept") if self._find("sampler") else self._seen
        gate = self._find("gate")
        return {
            "type": "summary", "stream_s": round(self._end_s, 6), "wall_s": wall, "cpu_s": cpu,
            "cpu_parts": {"client": cpu, "server": 0.0},
            "peak_rss_bytes": _peak_rss_bytes(),
            "frames": {"seen": self._seen, "sampled": sampled,
                       "needed": _statistics(gate, "needed") if gate else sampled,
                       "encoded": encoded,
                       "dropped": _statistics(compressor, "dropped") + _statistics(self.model, "dropped")},
            "bytes_sent": _statistics(cloud, "bytes-sent"), "requests": _statistics(cloud, "segments"),
            "cloud": {name: _statistics(cloud, name) for name in ("answered", "failed", "cancelled")}}


def _note_failures(into):
    """What a callback of an element raises reaches nobody: it is printed, and noted here."""
    def note(kind, error, trace):
        into.append("%s: %s" % (kind.__name__, error))
        sys.__excepthook__(kind, error, trace)
    sys.excepthook = note


def main(arguments):
    failures = []
    _note_failures(failures)
    try:
        settings = json.loads(arguments[1] if len(arguments) > 1 else sys.stdin.read())
        Gst.init(None)
        Run(settings, sys.stdout).run()
        if failures:
            raise PipelineFailed("a callback of run_pipeline.py failed, first with %s" % failures[0])
    except PipelineFailed as error:
        print(json.dumps({"type": "error", "message": str(error)}), flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
