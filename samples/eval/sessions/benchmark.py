"""saccade-eval --sessions: what a session and its scheduler cost, and whether they answer as they should. Every part's raw
results go to a file of their own; the report, and the sessions' part of docs/benchmarks.md, are made of all that are there."""

import glob
import json
import os
import subprocess
from dataclasses import dataclass, replace

import clips
import machine
import models
from errors import INCOMPLETE, USAGE, EvalError
from runs import plugin_folder
from sessions import page, server_rounds
from suites import TEST_SEED, ClipSpec

SHORT, LONG = ClipSpec("street", TEST_SEED, 20), ClipSpec("street", TEST_SEED, 600)
ASKED = ("car", "people", "light")   # the first is the one question where a story has only one
WATCHED = ("car_moves",)                         # asked as well where there are several pictures
LIMIT_S = 3600   # of one story: far above what a busy machine needs


@dataclass(frozen=True)
class Counts:
    windows: tuple = (1, 4, 8)
    rounds: int = 3
    answers: int = 8            # of each round, without sliding; four times as many with it
    server_pictures: int = 24
    cameras: int = 8
    camera_rounds: int = 3
    camera_seconds: int = 2
    described_tokens: tuple = (24, 64)  # of an answer, at most, where the decoder's speed is measured
    answer_tokens: int = 16
    sliding: tuple = (2, 4, 8)
    evictions: int = 1000
    every: int = 20             # eviction whose answers are compared, between the first and the last hundred
    varied: int = 150           # pictures
    long: int = 10_000          # answers
    long_every: int = 100
    stops: int = 200
    busy: tuple = (0, 7)        # other sessions
    guess_rounds: int = 24
    guess_tokens: int = 32
    comings: int = 1000
    element_pictures: int = 40
    element_rounds: int = 20


# Of pairs of one's own, as large as what people run: a few of everything take as long.
LARGE = replace(Counts(), windows=(1, 8), rounds=2, answers=2, camera_rounds=2, stops=60, guess_rounds=5,
                element_pictures=6, element_rounds=5)
QUICK = Counts(windows=(2,), rounds=1, answers=2, server_pictures=4, cameras=2, camera_rounds=1, camera_seconds=0, described_tokens=(8,),
               answer_tokens=4, sliding=(2,), evictions=6, varied=6, long=40, long_every=4, stops=4, busy=(0, 1), guess_rounds=2, guess_tokens=8,
               comings=3, element_pictures=2, element_rounds=1)


class Bench:
    """session_bench with one pair and one clip."""

    def __init__(self, pair, clip, questions):
        self.pair, self.clip, self.questions = pair, clip, questions
        self._program = os.path.join(os.path.dirname(plugin_folder()), "tests", "bench", "session_bench")
        if not os.path.exists(self._program):
            raise EvalError("there is no %s; build it first: cmake --build build/release --target session_bench" % self._program)

    def command(self, story, *words):
        return [self._program, story, self.pair.model, self.pair.mmproj, self.clip, *map(str, words)]

    def tell(self, story, *words):
        """What the story printed, as JSON."""
        try:
            done = subprocess.run(self.command(story, *words), capture_output=True, text=True, check=False, timeout=LIMIT_S,
                                  env=dict(os.environ, GST_PLUGIN_PATH=plugin_folder()))
        except subprocess.TimeoutExpired as error:
            raise EvalError("session_bench %s did not end within %d s and was stopped" % (story, LIMIT_S)) from error
        if done.returncode:
            raise EvalError("session_bench %s failed: %s" % (story, done.stderr.strip()[-300:]))
        return json.loads(done.stdout)


# --- parts: what is measured of a pair ----------------------------------------------------------------------

def _prefill(bench, counts):
    return bench.tell("prefill", bench.questions["car"], counts.rounds, counts.answers, *counts.windows)


def _server(bench, counts):
    return [server_rounds.measure(bench, size, counts.server_pictures) for size in counts.windows]


def _cameras(bench, counts):
    works = {"decode, %d tokens" % tokens: ("decode", "describe", tokens) for tokens in counts.described_tokens}
    works |= {work: (work, "car", counts.answer_tokens) for work in ("whole", "part")}
    return {name: bench.tell("cameras", bench.questions[question], work, tokens, counts.cameras, counts.camera_rounds, counts.camera_seconds)
            for name, (work, question, tokens) in works.items()}


def _kinds(window):
    return ASKED + (WATCHED if window > 1 else ())


def _texts(bench, window):
    return [bench.questions[kind] for kind in _kinds(window)]


def _agreement(bench, counts):
    return {window: {"kinds": _kinds(window), **bench.tell("agreement", window, counts.evictions, counts.every, *_texts(bench, window))}
            for window in counts.sliding}


def _variants(bench, counts):
    return {window: bench.tell("variants", window, counts.varied, *_texts(bench, window)) for window in (1, 4)}


def _endurance(bench, counts):
    return bench.tell("endurance", 4, counts.long, counts.long_every, *_texts(bench, 4))


def _stop(bench, counts):
    return bench.tell("stop", bench.questions["describe"], counts.stops, *counts.busy)


def _guesses(bench, counts):
    draft = os.path.join(os.path.dirname(bench.pair.model), models.DRAFT)
    drafts = [draft] if os.path.exists(draft) else []
    return bench.tell("guesses", bench.questions["describe"], counts.guess_tokens, counts.guess_rounds, *drafts)


def _joining(bench, counts):
    return bench.tell("joining", bench.questions["car"], counts.comings)


def _element(bench, counts):
    return bench.tell("element", bench.questions["car"], counts.element_pictures, counts.element_rounds)


PARTS = {"prefill": _prefill, "server": _server, "cameras": _cameras, "agreement": _agreement, "variants": _variants, "endurance": _endurance,
         "stop": _stop, "guesses": _guesses, "joining": _joining, "element": _element}
OF_LONG_CLIP = ("agreement", "variants")
# The cloud pair's decoder is as large as the edge pair's. What a pair of one's own says is not looked at (random weights say
# nothing), nor compared with llama-server, which cuts the pictures of most models into tiles.
PARTS_OF = {"edge": tuple(PARTS), "cloud": ("server", "cameras", "agreement", "variants", "element")}
PARTS_OF_OTHERS = ("prefill", "cameras", "stop", "guesses", "element")


# --- the whole ----------------------------------------------------------------------------------------------

def _found_pairs(names, say):
    """[(role or folder, Pair)] of those that are there, and whether all are."""
    pairs = []
    for name in names:
        if name in models.ROLES:
            pairs.append((name, models.pair(name)))
        elif os.path.isdir(name):
            pairs.append((name, models.own_pair(name)))
        else:
            say("there is no pair in %s; it is left out" % name)
    return pairs, len(pairs) == len(names)


def _bench(pair, clip, say):
    truth = clips.rendered(clip, say)
    return Bench(pair, truth.clip, {q.kind: q.text for q in truth.of_kinds(ASKED + WATCHED + ("describe",))})


def _counts(role, quick):
    if quick:
        return QUICK
    return Counts() if role in models.ROLES else LARGE


def _measure(part, role, pair, quick, folder, say):
    say("%s, %s" % (part, pair.name))
    clip = LONG if part in OF_LONG_CLIP and not quick else SHORT
    raw = {"part": part, "pair": pair.name, "quick": quick, "clip": clip.name, "commit": machine.commit(), "machine": machine.describe(),
           "load_before": machine.load(), "found": PARTS[part](_bench(pair, clip, say), _counts(role, quick)), "load": machine.load()}
    with open(os.path.join(folder, "%s-%s.json" % (part, pair.name)), "w", encoding="utf-8") as file:
        json.dump(raw, file)


def _read(folder, quick):
    """[raw results] that are in the folder."""
    found = []
    for path in sorted(glob.glob(os.path.join(folder, "*-*.json"))):
        with open(path, encoding="utf-8") as file:
            found.append(json.load(file))
    return [raw for raw in found if raw["quick"] == quick]


def run(folder, options, say):
    """-> (exit status, the section for docs/benchmarks.md)"""
    parts = options.parts.split(",") if options.parts else list(PARTS)
    unknown = [part for part in parts if part not in PARTS]
    if unknown:
        raise EvalError("--sessions has no part %s; there are %s" % (unknown[0], ", ".join(PARTS)), USAGE)
    os.makedirs(folder, exist_ok=True)
    pairs, complete = _found_pairs(options.pairs.split(","), say)
    for part in parts:
        for role, pair in pairs:
            if part in PARTS_OF.get(role, PARTS_OF_OTHERS):
                complete &= _tried(part, role, pair, options.quick, folder, say)
    text = page.section(_read(folder, options.quick))
    with open(os.path.join(folder, "report.md"), "w", encoding="utf-8") as file:
        file.write(text)
    say("the report is %s" % os.path.relpath(os.path.join(folder, "report.md")))
    return 0 if complete else INCOMPLETE, text


def _tried(part, role, pair, quick, folder, say):
    """Whether it could be measured."""
    try:
        _measure(part, role, pair, quick, folder, say)
    except server_rounds.ServerError as error:
        say("%s is left out: %s" % (part, str(error).rstrip(".")))
        return False
    return True
