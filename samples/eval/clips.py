"""The clips of a suite: rendered once into a folder, and again when the world's drawing changes; or a user's own."""

import hashlib
import os
import subprocess
import sys

from errors import EvalError
from models import PROJECT
from truth import read_truth

SCENES = os.path.join(PROJECT, "samples", "scenes")
RENDER_LIMIT_S = 900   # for five minutes of stream on a busy machine


def _drawn_by():
    """Changes with every line of the code that draws."""
    digest = hashlib.sha256()
    for name in sorted(os.listdir(SCENES)):
        if name.endswith(".py"):
            with open(os.path.join(SCENES, name), "rb") as file:
                digest.update(name.encode() + file.read())
    return digest.hexdigest()[:12]


def folder():
    """Where rendered clips are kept: one folder per state of the drawing code."""
    return os.path.join(PROJECT, "build", "eval", "clips-" + _drawn_by())


def _render(spec, into, say):
    say("rendering %s" % spec.name)
    unfinished = os.path.join(into, "unfinished-%d" % os.getpid())
    if spec.stills:
        words = ["stills.py", "--first", spec.seed, "--count", spec.seconds, "--frames", spec.stills]
    else:
        words = ["stream.py", "--preset", spec.preset, "--seed", spec.seed, "--seconds", spec.seconds]
    command = [sys.executable, os.path.join(SCENES, words[0]), *map(str, words[1:]), "--out", unfinished]
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=RENDER_LIMIT_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise EvalError("rendering %s took longer than %d s and was stopped" % (spec.name, RENDER_LIMIT_S)) from error
    if run.returncode:
        last = (run.stderr.strip().splitlines() or ["it did not say why"])[-1]
        raise EvalError("the clip %s could not be rendered: %s" % (spec.name, last))
    # The truth last: where it is, the clip is whole.
    for suffix in (".avi", ".json"):
        os.replace(os.path.join(unfinished, spec.name + suffix), os.path.join(into, spec.name + suffix))
    os.rmdir(unfinished)


def rendered(spec, say):
    """The Truth of a clip that the suite names; it is rendered if it is not there yet."""
    into = folder()
    os.makedirs(into, exist_ok=True)
    path = os.path.join(into, spec.name + ".json")
    if not os.path.exists(path):
        _render(spec, into, say)
    return read_truth(path)


def fingerprint(truth):
    """Of a clip's bytes."""
    digest = hashlib.sha256()
    with open(truth.clip, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()[:12]
