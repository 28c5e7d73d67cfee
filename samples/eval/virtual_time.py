"""When an answer of an exact run would have come out: virtual time, from a table of recorded stage costs.

An exact run reads the clip as fast as it is answered, drops nothing, and its answers know only what they are about.
Here each gets an emission time as if the machine of the table had watched the stream by the clock: a picture is there at
its own time plus the cost of a frame, and one worker per model takes what waits in the order in which it came.
No clock is read, so the same answers and table give the same times to the last digit.
"""

from dataclasses import dataclass

DIGITS = 6   # of a second; sums of floats are the same everywhere, but need not be printed to the last bit


@dataclass(frozen=True)
class StageCosts:
    """Milliseconds of one pair on one machine, of one thread's work."""
    frame_ms: float = 0.0              # decode, sample and gate one frame of the stream
    encode_ms: float = 0.0             # one picture, in the vision encoder
    prefill_ms_per_token: float = 0.0  # one visual token, into the language model
    ask_ms: float = 0.0                # one question about a picture that is there already
    decode_ms_per_token: float = 0.0   # one token of the answer
    overhead_ms: float = 0.0           # server only: the request's way, there and back


class Worker:
    """Does one thing at a time, in the order in which it was given."""

    def __init__(self):
        self.free_at = 0.0

    def work(self, ready, seconds):
        """-> when it is done"""
        self.free_at = max(self.free_at, ready) + seconds
        return self.free_at


def _tokens(answer, name):
    return answer.get("tokens", {}).get(name) or 0


def _generated(answer):
    return max(1, _tokens(answer, "generated") or len(answer["text"].split()))


def _cost_s(answer, costs, fresh):
    """Seconds of one answer; `fresh`: its pictures have not been shown to the model before."""
    milliseconds = costs.ask_ms + costs.decode_ms_per_token * _generated(answer)
    if fresh:
        milliseconds += costs.prefill_ms_per_token * _tokens(answer, "kept")
        milliseconds += costs.encode_ms * answer.get("encoded", 0)
    return milliseconds / 1000


def mark_encodes(answers):
    """Sets `encoded` of each answer: pictures that had to be encoded for it. Of the answers about one picture the first
    pays; where a gate saw no change, tokens were used again and nobody does. A server gets all its pictures anew with
    each request; those that it was sent in the last one are in its prompt cache."""
    seen = None
    for answer in answers:
        answer["fresh"] = answer["content"] != seen and not answer["source"].startswith("cloud")
        if answer["fresh"]:
            seen = answer["content"]
        if answer.get("encoded") is not None:
            continue
        if answer["source"] == "server":
            answer["encoded"] = answer.get("frames", 1) if answer["fresh"] else 0
        else:
            answer["encoded"] = int(answer["fresh"] and (answer.get("stages", {}).get("encode_ms") or 0) > 0)


def emit(answers, local, server):
    """Sets `emitted` (seconds of stream time) and `work_s` of each answer and puts them in the order in which they come
    out. They are given in the order in which they were made, but for those of the cloud, which may come as they like."""
    edge, cloud = Worker(), Worker()
    drafts = {}
    for answer in answers:
        source = answer["source"]
        if source in ("cloud", "cloud-verified"):
            continue
        ready = answer["content"] + local.frame_ms / 1000
        if source == "server":
            answer["work_s"] = _cost_s(answer, server, answer["fresh"])
            done = cloud.work(ready, answer["work_s"]) + server.overhead_ms / 1000
        else:
            answer["work_s"] = _cost_s(answer, local, answer["fresh"])
            done = edge.work(ready, answer["work_s"])
        answer["emitted"] = round(done, DIGITS)
        drafts[answer["kind"], answer["content"]] = done
    # The cloud gets each question when the edge has drafted its answer; every one brings its own picture.
    corrections = [answer for answer in answers if answer["source"] in ("cloud", "cloud-verified")]
    for answer in sorted(corrections, key=lambda a: (drafts.get((a["kind"], a["content"]), a["content"]), a["kind"])):
        ready = drafts.get((answer["kind"], answer["content"]), answer["content"])
        answer["work_s"] = _cost_s(dict(answer, encoded=1), server, True)
        answer["emitted"] = round(cloud.work(ready, answer["work_s"]) + server.overhead_ms / 1000, DIGITS)
    answers.sort(key=lambda a: (a["emitted"], a["content"], a["source"], a["kind"]))
    for order, answer in enumerate(answers):
        answer["order"] = order
