"""The truth about a clip: for every question the intervals of its answer, and where it is open.

The intervals of a question cover the clip without gap or overlap. `unsure` is where something is
half in the frame or on a border (borders.py): no answer is wrong there and none should be scored.
"""

import json

from borders import open_kinds, watch_is_open
from questions import QUESTIONS, answer, canonical

SPAN = 4.0          # seconds that a watch question looks back
SPAN_SLACK = 1.5    # a model that looks back this much more or less may see something else: open
WATCH = [k for k, q in QUESTIONS.items() if q.grade == "watch"]


def _runs(values, fps):
    """Runs of equal values, frame by frame -> [{start, end, answer}] in seconds."""
    runs = []
    for k, value in enumerate(values):
        if not runs or runs[-1]["answer"] != value:
            runs.append({"start": k / fps, "end": (k + 1) / fps, "answer": value})
        runs[-1]["end"] = (k + 1) / fps
    return runs


def _watch_is_open(kind, scenes, k, fps):
    now, seen = scenes[k], set()
    for back in (SPAN - SPAN_SLACK, SPAN, SPAN + SPAN_SLACK):
        window = [scenes[max(0, k - round(back * fps))], now]
        if watch_is_open(kind, window):
            return True
        seen.add(answer(kind, window))
    return len(seen) > 1


def questions_over(scenes, fps, kinds=tuple(QUESTIONS)):
    """{kind: {question, grade, intervals, unsure}} of a list of scenes, one a frame."""
    answers, unsure = {k: [] for k in kinds}, {k: [] for k in kinds}
    for k, scene in enumerate(scenes):
        open_now = open_kinds(scene)
        for kind in kinds:
            before = scenes[max(0, k - round(SPAN * fps))]
            answers[kind].append(answer(kind, [before, scene]))
            unsure[kind].append(kind in open_now or kind in WATCH and _watch_is_open(kind, scenes, k, fps))
    truth = {}
    for kind in kinds:
        truth[kind] = {"question": canonical(kind), "grade": QUESTIONS[kind].grade, "intervals": _runs(answers[kind], fps),
                       "unsure": [{"start": r["start"], "end": r["end"]} for r in _runs(unsure[kind], fps) if r["answer"]]}
        if kind in WATCH:
            truth[kind]["span"] = SPAN
    return truth


def events_of(questions):
    """Every change of an answer: {time, question, from, to}, in order."""
    return sorted(({"time": run["start"], "question": kind, "from": before["answer"], "to": run["answer"]}
                   for kind, q in questions.items() for before, run in zip(q["intervals"], q["intervals"][1:])),
                  key=lambda e: (e["time"], e["question"]))


def write_truth(path, truth):
    """-> path, when the file is there."""
    with open(path, "w", encoding="utf-8") as f:
        json.dump(truth, f, indent=1)
        f.write("\n")
    return path
