#!/usr/bin/python3
"""Runs one launch line that ends in `appsink name=pictures`, in a process of its own, and says what was chosen.

    watch_clip.py '{"launch": "filesrc location=… ! … ! masgate name=gate ! … ! appsink name=pictures", "chosen_by": "gate",
                    "ways": [["mean-difference", 2.0]], "patches": [32, [4.0]]}'

chosen_by: gate (a picture's MAS meta), arrival (every picture that comes out), scenechange (the element's key unit events).
Prints a line of JSON per picture: {"type": "picture", "at", "chosen", "refresh"}, times in seconds of the stream and maps as
hexadecimal bits; then one per plain way and setting (ways.py), {"type": "way", "name", "setting", "chosen": [times]}, and per
level of the plain committed reference {"type": "patches", "setting", "maps"}; last {"type": "summary"}. Pictures are grey
where ways or patches are asked for. Prints an error instead, and exits with 1, when the pipeline fails."""

import json
import sys

import gi
import numpy as np

gi.require_version("Gst", "1.0")
gi.require_version("GstVideo", "1.0")
from gi.repository import GLib, Gst, GstVideo  # noqa: E402

import ways  # noqa: E402

SECOND = 1_000_000_000
META = "SaccadeMasMeta"


class PipelineFailed(Exception):
    """A sentence."""


def _bits(marked):
    return np.packbits(np.asarray(marked, bool).ravel()).tobytes().hex()


class Watch:
    def __init__(self, settings):
        self.settings = settings
        try:
            self.pipeline = Gst.parse_launch_full(settings["launch"], None, Gst.ParseFlags.FATAL_ERRORS)
        except GLib.Error as error:
            raise PipelineFailed("the pipeline cannot be built: %s" % error.message) from error
        self.sink = self.pipeline.get_by_name("pictures")
        self.sink.set_property("sync", False)
        self.sink.get_static_pad("sink").add_probe(Gst.PadProbeType.EVENT_DOWNSTREAM | Gst.PadProbeType.BUFFER, self._on_item)
        self.cut = True   # before the first picture
        self.after_cuts = set()
        self.records, self.pictures = [], []

    def _on_item(self, _pad, info):
        """On the streaming thread, where events and pictures are in order."""
        if info.type & Gst.PadProbeType.EVENT_DOWNSTREAM:
            self.cut = self.cut or GstVideo.video_event_is_force_key_unit(info.get_event())
        elif self.cut:
            self.after_cuts.add(info.get_buffer().pts)
            self.cut = False
        return Gst.PadProbeReturn.OK

    def _grey(self, sample):
        caps, buffer = sample.get_caps().get_structure(0), sample.get_buffer()
        width, height = caps.get_value("width"), caps.get_value("height")
        rows = np.frombuffer(buffer.extract_dup(0, buffer.get_size()), np.uint8).reshape(height, -1)
        return rows[:, :width]

    def _take(self, sample):
        buffer = sample.get_buffer()
        record = {"type": "picture", "at": round(buffer.pts / SECOND, 6), "chosen": True}
        meta = buffer.get_custom_meta(META)
        if self.settings["chosen_by"] == "gate":
            if meta is None:
                raise PipelineFailed("a picture came without the gate's report")
            report = meta.get_structure()
            record["chosen"] = report.get_value("needed")
            record["refresh"] = _bits(np.frombuffer(report.get_value("refresh").get_data(), np.uint8))
        elif self.settings["chosen_by"] == "scenechange":
            record["chosen"] = buffer.pts in self.after_cuts
        self.records.append(record)
        if self.settings.get("ways") or self.settings.get("patches"):
            self.pictures.append(self._grey(sample))

    def run(self):
        try:
            self.pipeline.set_state(Gst.State.PLAYING)
            while sample := self.sink.emit("pull-sample"):
                self._take(sample)
            message = self.pipeline.get_bus().pop_filtered(Gst.MessageType.ERROR)
            if message:
                raise PipelineFailed(message.parse_error()[0].message)
            if not self.records:
                raise PipelineFailed("no picture came out of the pipeline")
            return self._all_records()
        finally:
            self.pipeline.set_state(Gst.State.NULL)

    def _all_records(self):
        times = [record["at"] for record in self.records]
        yield from self.records
        for name, setting in self.settings.get("ways", ()):
            chosen = ways.PLAIN[name](self.pictures, times, setting)
            yield {"type": "way", "name": name, "setting": setting, "chosen": [at for at, is_chosen in zip(times, chosen) if is_chosen]}
        grid, levels = self.settings.get("patches") or (0, ())
        for setting in levels:
            maps = ways.changed_patches(self.pictures, grid, setting)
            yield {"type": "patches", "setting": setting, "maps": [_bits(changed) for changed in maps]}
        gate = self.pipeline.get_by_name("gate")
        statistics = gate.get_property("statistics") if gate else None
        yield {"type": "summary", "hash_matches": statistics.get_value("hash-matches") if statistics else None}


def main(arguments):
    try:
        settings = json.loads(arguments[1])
        Gst.init(None)
        for record in Watch(settings).run():
            print(json.dumps(record))
    except PipelineFailed as error:
        print(json.dumps({"type": "error", "message": str(error)}), flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
