"""What is true in a clip, and when: the timeline that lies beside it as JSON.

    {"file": "clip.avi", "duration": 60, "questions": {"car": {"question": "Is there a car?", "grade": "glance",
        "intervals": [{"start": 0, "end": 8.5, "answer": "no"}, …], "unsure": [{"start": 8.2, "end": 8.6}]}}}

`grade` may be left out (glance), `unsure` may be empty: nothing is scored in there. A question without `intervals`
is asked and compared between configurations, and no accuracy is claimed for it.
"""

import bisect
import json
import os
from dataclasses import dataclass, field

from errors import EvalError

GRADES = ("glance", "look", "watch", "describe")
JUST_BEHIND = 1e-3   # seconds: a check falls just behind a frame's time, never just before it


@dataclass(frozen=True)
class Change:
    """The world changed: from `at` (when a frame shows it beyond doubt) to `until`, `answer` is the right one."""
    kind: str
    at: float
    until: float
    answer: str


@dataclass
class Question:
    kind: str
    text: str
    grade: str
    intervals: list            # (start, end, answer), in order
    unsure: list               # (start, end)
    span: float = 0.0          # seconds that a watch question looks back
    starts: list = field(default_factory=list)

    def __post_init__(self):
        self.starts = [start for start, _, _ in self.intervals]

    def is_unsure(self, seconds):
        return any(start <= seconds < end for start, end in self.unsure)

    def answer(self, seconds):
        """The right answer, or None where there is none or nothing should be scored."""
        if self.is_unsure(seconds):
            return None
        at = bisect.bisect_right(self.starts, seconds) - 1
        if at < 0:
            return None
        start, end, answer = self.intervals[at]
        return answer if start <= seconds < end else None

    def changes(self):
        """Every change of the answer. One that shows only when an unsure stretch ends counts from there, and what
        is unsure again does not count as its time."""
        found = []
        for before, now in zip(self.intervals, self.intervals[1:]):
            if before[2] == now[2]:
                continue
            at, until = now[0], now[1]
            for start, end in self.unsure:
                if start <= at < end:
                    at = end
                elif at < start < until:
                    until = start
            if at < until:
                found.append(Change(self.kind, at, until, now[2]))
        return found


class Truth:
    def __init__(self, clip, duration, questions):
        self.clip, self.duration, self.questions = clip, duration, questions

    def of_kinds(self, kinds):
        """The questions of these kinds that the clip has, in this order."""
        return [self.questions[kind] for kind in kinds if kind in self.questions]


def _question(kind, entry):
    if not isinstance(entry.get("question"), str):
        raise ValueError('question "%s" has no text "question"' % kind)
    grade = entry.get("grade", "glance")
    if grade not in GRADES:
        raise ValueError('question "%s" is of the unknown grade "%s"; there are %s' % (kind, grade, ", ".join(GRADES)))
    intervals = [(float(r["start"]), float(r["end"]), str(r["answer"]).strip()) for r in entry.get("intervals", ())]
    for before, after in zip(intervals, intervals[1:]):
        if after[0] < before[1] - 1e-9:
            raise ValueError('intervals of question "%s" overlap at %.1f s' % (kind, after[0]))
    unsure = sorted((float(r["start"]), float(r["end"])) for r in entry.get("unsure", ()))
    return Question(kind, entry["question"], grade, intervals, unsure, float(entry.get("span", 0.0)))


def read_truth(path):
    """The timeline in a JSON file, with the clip's own path beside it."""
    if not os.path.exists(path):
        raise EvalError("there is no timeline %s; docs/eval.md says what it holds" % path)
    try:
        with open(path, encoding="utf-8") as file:
            raw = json.load(file)
        questions = {kind: _question(kind, entry) for kind, entry in raw["questions"].items()}
        clip = os.path.join(os.path.dirname(os.path.abspath(path)), raw["file"])
        duration = float(raw["duration"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        what = 'it has no "%s"' % error.args[0] if isinstance(error, KeyError) else str(error)
        raise EvalError("cannot read the timeline %s: %s; docs/eval.md says what it holds" % (path, what)) from error
    if not questions:
        raise EvalError("the timeline %s has no questions, so that there is nothing to ask" % path)
    if not os.path.exists(clip):
        raise EvalError("the timeline %s is about %s, and there is no such file" % (path, clip))
    return Truth(clip, duration, questions)
