"""A client of a cloud without a model of its own: each picture that comes to cloudoffloadsink is sent with every question at once.

Used by run_pipeline.py where a line has no localmllm. The line ends in `video/x-raw,format=RGB ! cloudoffloadsink name=cloud`,
the pictures that localmllm sends, so that their files are the same to the last byte."""

import threading

from gi.repository import GObject, Gst

MAS = "SaccadeMasMeta"


class CloudClient:
    """on_answer(question, nanoseconds of the picture, text, confidence) is called on the network's thread."""

    def __init__(self, sink, questions, on_answer):
        self._sink, self._questions, self._on_answer = sink, questions, on_answer
        self._pad = sink.get_static_pad("sink")
        self._lock, self._asked, self._count = threading.Lock(), {}, 0   # {id of the segment: (question, time)}
        sink.connect("answer", self._on_cloud)
        self._pad.get_peer().add_probe(Gst.PadProbeType.BUFFER, self._on_picture)

    def _on_picture(self, _pad, info):
        """On the streaming thread. The sink asks about a picture what its `prompt` is when it comes."""
        picture = info.get_buffer()
        for question in self._questions:
            self._count += 1
            with self._lock:   # before it is sent: the answer comes on another thread
                self._asked[self._count] = question, picture.pts
            self._sink.set_property("prompt", question)
            self._pad.chain(picture.copy())
        self._tell_gate(picture)
        return Gst.PadProbeReturn.DROP

    def _tell_gate(self, picture):
        """What the gate shows next is measured against what the cloud was sent, as localmllm tells of what it encoded."""
        meta = picture.get_custom_meta(MAS)
        report = meta.get_structure() if meta else None
        if report is None or not report.has_field("refresh"):
            return
        committed = Gst.Structure.new_empty("saccade/committed")
        committed.set_value("stream", self._pad.get_stream_id())
        committed.set_value("frame", GObject.Value(GObject.TYPE_UINT64, report.get_value("frame")))
        committed.set_value("patches", report.get_value("refresh"))
        committed.set_value("consumer", self._sink.get_name())
        self._pad.push_event(Gst.Event.new_custom(Gst.EventType.CUSTOM_UPSTREAM, committed))

    def _on_cloud(self, _sink, _owner, segment, text, confidence):
        """A segment's id is its number: none is passed over, since the pipeline is not live and waits for room."""
        with self._lock:
            question, time = self._asked.pop(segment)
        self._on_answer(question, time, text, confidence)
