"""What the tests of saccade-eval share: its modules, hand-made timelines and answers, and the program itself."""

import json
import os
import subprocess
import sys
import time

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
EVAL = os.path.join(ROOT, "samples", "eval")
PROGRAM = os.path.join(EVAL, "saccade-eval")
PATIENCE = 90   # seconds, on a busy machine
sys.path.insert(0, EVAL)

from truth import Question, Truth  # noqa: E402


def question(kind, *intervals, unsure=(), grade="glance", text=None):
    return Question(kind, text or "Question about %s?" % kind, grade, list(intervals), list(unsure))


def truth_of(duration, *questions):
    return Truth("clip.avi", duration, {q.kind: q for q in questions})


def answer(kind, content, text, emitted=None, source="edge", **more):
    """As a run's record stream has it."""
    return {"type": "answer", "kind": kind, "text": text, "source": source, "content": content,
            "emitted": content if emitted is None else emitted, "stages": {}, "tokens": {}, "fresh": True,
            "encoded": 1, **more}


def run_program(*words, **environment):
    """-> (exit status, what it said)"""
    run = subprocess.run([sys.executable, PROGRAM, *words], capture_output=True, text=True, timeout=240, check=False,
                         env=dict(os.environ, **environment))
    return run.returncode, run.stdout + run.stderr


def write_timeline(folder, truth):
    path = os.path.join(folder, "own.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(truth, file)
    return path


def wait_until(condition):
    """Does the condition come true in time?"""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False
