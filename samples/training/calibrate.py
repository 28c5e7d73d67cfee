"""Makes a model's confidence mean something: of the answers that it gives 0.8, four in five are right.

    SACCADE_LLAMA_SOURCE=llama.cpp GST_PLUGIN_PATH=build/release/gst-plugins \
        python3 samples/training/calibrate.py --model edge --out build/training/edge

asks the pair MODELS/saccade-edge-* about rendered scenes, through localmllm as the product does; fits three numbers to
half of the answers and measures with the other half what they are worth; writes them into the metadata of the text
model's GGUF, from which the engine reads them (engine/mllm/confidence.h), and the figures to OUT/scores.json, for card.py:

    saccade.confidence.statement_tokens, .slope, .offset        decimal numbers, as strings

    surprise   = mean of the tokens' log-probabilities x min(number of tokens, statement_tokens)
    confidence = 1 / (1 + exp(-(offset + slope x logit(exp(surprise)))))

A short answer is right when all its tokens are; of a long one, a description, the share of its statements is: so what
counts is the probability of the whole answer, or of as many average tokens as a statement has. Without the keys these
numbers are 1, 1 and 0, and the confidence is the geometric mean of the tokens' probabilities. The keys are taken out
again where the other half does not show that they help.

The scenes are validation seeds, in none of which anything was trained or reported. Each clip's answers are kept in
OUT/calibration, so that what was interrupted goes on where it was; each has its own limit of time.
"""

import argparse
import json
import os
import struct
import sys
from dataclasses import asdict, dataclass

import numpy as np

from gguf_parts import import_gguf

for folder in ("scenes", "eval"):
    sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", folder))

import clips  # noqa: E402
import runs  # noqa: E402
from configurations import CONFIGURATIONS  # noqa: E402
from errors import EvalError, RunFailed  # noqa: E402
from models import Pair  # noqa: E402
from questions import QUESTIONS  # noqa: E402
from scene import SPLITS  # noqa: E402
from score import rightness  # noqa: E402
from suites import ClipSpec  # noqa: E402
from truth import JUST_BEHIND  # noqa: E402

PREFIX = "saccade.confidence."
# First seeds of both halves; train.py draws its curves from the start of this split.
HALVES = {"fitted": SPLITS["validation"].start + 500_000, "held_out": SPLITS["validation"].start + 700_000}
WINDOWS_FROM = 100_000            # of a half: seeds of windows, after those of single pictures
FRAMES = 4                        # of a window
PICTURES_A_CLIP = 100
LENGTHS = np.arange(1, 16.25, 0.5)   # statement_tokens that are tried; a description's facts have about five
LEAST = 1e-4                      # probabilities nearer to 0 or 1 are taken for this near: no measurement tells them apart
BINS = 10                         # of confidence
RESAMPLES, LEVEL = 400, 95.0      # of scenes, for intervals
FIGURES = ("log_loss", "brier", "ece")
DIGITS = 4


def log_odds(confidence, tokens, length):
    """Of the probability that a whole answer, or so many average tokens of it, are as they should be. confidence: the
    geometric mean of the tokens' probabilities."""
    surprise = np.log(np.maximum(confidence, 1e-30)) * np.minimum(tokens, length)
    surprise = np.clip(surprise, np.log(LEAST), np.log1p(-LEAST))
    return surprise - np.log(-np.expm1(surprise))


@dataclass(frozen=True)
class Calibration:
    statement_tokens: float = 1.0
    slope: float = 1.0
    offset: float = 0.0

    def __call__(self, confidence, tokens):
        return 1 / (1 + np.exp(-(self.offset + self.slope * log_odds(confidence, tokens, self.statement_tokens))))

    def keys(self):
        """{key: value} of the GGUF. Strings: llama.cpp would hand a float over with a comma in a German locale."""
        return {PREFIX + name: "%.*f" % (DIGITS, value) for name, value in asdict(self).items()}


@dataclass
class Answers:
    """Arrays with an entry for each answer. right: of a description, the share of its facts."""
    scene: np.ndarray
    kind: np.ndarray
    right: np.ndarray
    confidence: np.ndarray
    tokens: np.ndarray

    @classmethod
    def of(cls, rows):
        return cls(*(np.array(column) for column in zip(*rows)))

    def where(self, mask):
        return Answers(*(column[mask] for column in vars(self).values()))


# The answers.

def specs(half, scenes, windows):
    """The clips of a half: single pictures for what is seen, windows of pictures for what happened."""
    for frames, first, count in ((1, HALVES[half], scenes), (FRAMES, HALVES[half] + WINDOWS_FROM, windows)):
        step = PICTURES_A_CLIP // frames
        for start in range(0, count, step):
            yield ClipSpec("stills%d" % frames, first + start, min(step, count - start))


def judged(result, truth, spec):
    """[scene, kind, right, confidence, tokens] of each answer that can be right or wrong."""
    for answer in result.answers:
        question = truth.questions[answer["kind"]]
        true = question.answer(answer["content"] + JUST_BEHIND)
        if true is not None:
            yield [spec.seed + int(answer["content"]) // spec.stills, answer["kind"],
                   rightness(answer["text"], true, question.grade), answer["confidence"], answer["tokens"]["generated"]]


def asked(spec, pair, folder):
    """The judged answers about one clip: from the folder, or asked now and kept there."""
    truth = clips.rendered(spec, print)
    configuration = CONFIGURATIONS["%s-model%s" % (pair.role, "-%d" % spec.stills if spec.stills > 1 else "")]
    questions, pairs = runs.asked(configuration, truth, tuple(truth.questions)), {pair.role: pair}
    key, path = runs.key_of(configuration, truth, questions, "exact", pairs), os.path.join(folder, spec.name + ".json")
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            stored = json.load(file)
        if stored["key"] == key:
            return stored["answers"]
    rows = list(judged(runs.run(configuration, truth, questions, "exact", pairs), truth, spec))
    with open(path + ".new", "w", encoding="utf-8") as file:
        json.dump({"key": key, "answers": rows}, file)
    os.replace(path + ".new", path)
    print("%s: %d answers" % (spec.name, len(rows)), flush=True)
    return rows


# What they show.

def binned(said, right):
    """By confidence, [(mean confidence, share right, n)] of the bins that are not empty, expected calibration error, n."""
    which = np.minimum((said * BINS).astype(int), BINS - 1)
    bins = [(float(said[which == b].mean()), float(right[which == b].mean()), int((which == b).sum()))
            for b in range(BINS) if (which == b).any()]
    return {"bins": bins, "ece": sum(abs(c - r) * n for c, r, n in bins) / len(right), "n": len(right)}


def figures(said, right, weight):
    """FIGURES of answers that count `weight` times each."""
    sure = np.clip(said, 1e-6, 1 - 1e-6)
    loss = -(right * np.log(sure) + (1 - right) * np.log(1 - sure))
    off = np.bincount(np.minimum((said * BINS).astype(int), BINS - 1), weight * (said - right))
    return np.array([np.average(loss, weights=weight), np.average((said - right) ** 2, weights=weight),
                     np.abs(off).sum() / weight.sum()])


def logistic(x, right):
    """slope and offset of the likeliest logistic curve: Newton's method, with a little pull to 0 for what is separable."""
    columns, b = np.stack([x, np.ones_like(x)], 1), np.zeros(2)
    for _ in range(50):
        p = 1 / (1 + np.exp(-columns @ b))
        step = np.linalg.solve((columns.T * (p * (1 - p))) @ columns + 1e-3 * np.eye(2),
                               columns.T @ (right - p) - 1e-3 * b)
        b = b + step
        if np.abs(step).max() < 1e-9:
            break
    return b


def fitted(answers):
    """The Calibration with the least log-loss on these answers."""
    every, tried = np.ones(len(answers.right)), []
    for length in LENGTHS:
        slope, offset = logistic(log_odds(answers.confidence, answers.tokens, length), answers.right)
        calibration = Calibration(float(length), round(float(slope), DIGITS), round(float(offset), DIGITS))
        loss = figures(calibration(answers.confidence, answers.tokens), answers.right, every)[0]
        tried.append((loss, length, calibration))
    return min(tried, key=lambda entry: entry[:2])[2]


def resampled(scenes):
    """How often each answer counts: once, then in RESAMPLES draws of as many whole scenes."""
    names, of = np.unique(scenes, return_inverse=True)
    rng = np.random.default_rng(1)
    yield np.ones(len(scenes))
    for _ in range(RESAMPLES):
        yield np.bincount(rng.integers(0, len(names), len(names)), minlength=len(names))[of].astype(float)


def compared(answers, calibration):
    """{"plain", "calibrated", "difference": {figure: [value, low, high]}}, and reliability with and without."""
    ways = {"plain": answers.confidence, "calibrated": calibration(answers.confidence, answers.tokens)}
    drawn = np.array([[figures(said, answers.right, weight) for said in ways.values()]
                      for weight in resampled(answers.scene)])
    drawn = np.concatenate([drawn, drawn[:, 1:] - drawn[:, :1]], 1)
    ends = np.percentile(drawn[1:], [50 - LEVEL / 2, 50 + LEVEL / 2], axis=0)
    found = {way: {name: [round(float(v), DIGITS + 1) for v in (drawn[0, w, f], *ends[:, w, f])]
                   for f, name in enumerate(FIGURES)} for w, way in enumerate((*ways, "difference"))}
    return {**found, "n": len(answers.right), "right": round(float(answers.right.mean()), DIGITS),
            "bins": {way: [[round(c, DIGITS), round(r, DIGITS), n] for c, r, n in binned(said, answers.right)["bins"]]
                     for way, said in ways.items()}}


def groups(answers):
    """(name, mask): all answers, short ones, and each grade."""
    grade = np.array([QUESTIONS[kind].grade for kind in answers.kind])
    yield "all", np.ones(len(grade), bool)
    yield "short", grade != "describe"
    for name in dict.fromkeys(question.grade for question in QUESTIONS.values()):
        yield name, grade == name


def helps(calibration, found):
    """Is it sure that answers are told apart better, and does more confidence of the model never mean less of ours?"""
    return calibration.slope > 0 and found["all"]["difference"]["log_loss"][2] < 0


# The file.

def _string_pair(key, value):
    """A pair of a GGUF's metadata: the key, the type (8: a string), the value."""
    key, value = key.encode(), value.encode()
    return struct.pack("<Q", len(key)) + key + struct.pack("<IQ", 8, len(value)) + value


def copied(gguf, source, target, keys):
    """Writes source to target, which may be the same file, with these keys in place of any older ones of ours.

    All other metadata and the tensors stay as they are, byte for byte; the package's own writer would not promise it."""
    reader = gguf.GGUFReader(source)

    def end(field):
        return field.offset + sum(int(part.nbytes) for part in field.parts)

    if reader.byte_order != "I":
        raise EvalError("%s is a big-endian file; its metadata is not rewritten" % os.path.basename(source))
    pairs = [field for name, field in reader.fields.items() if not name.startswith("GGUF.")]
    kept = [reader.data[field.offset:end(field)].tobytes() for field in pairs if not field.name.startswith(PREFIX)]
    kept += [_string_pair(*pair) for pair in keys.items()]
    tensors = reader.data[max(map(end, pairs)):max(end(tensor.field) for tensor in reader.tensors)]
    head = reader.data[:16].tobytes() + struct.pack("<Q", len(kept)) + b"".join(kept) + tensors.tobytes()
    with open(target + ".new", "wb") as file:
        file.write(head + bytes(-len(head) % int(reader.alignment)))
        file.write(reader.data[reader.data_offset:])
    os.replace(target + ".new", target)


def add_scores(path, found):
    """Puts what was found beside the scores that are there."""
    scores = {}
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            scores = json.load(file)
    scores["calibration"] = found
    with open(path + ".new", "w", encoding="utf-8") as file:
        json.dump(scores, file, indent=1)
    os.replace(path + ".new", path)


def calibrated(pair, folder, scenes, windows):
    """-> what scores.json says: keys ({} where they do not help), seeds, and how good they are on the other half."""
    halves = {half: Answers.of([row for spec in specs(half, scenes, windows) for row in asked(spec, pair, folder)])
              for half in HALVES}
    calibration, answers = fitted(halves["fitted"]), halves["held_out"]
    found = {name: compared(answers.where(mask), calibration) for name, mask in groups(answers) if mask.any()}
    return {"keys": calibration.keys() if helps(calibration, found) else {},
            "seeds": {half: [[first, first + scenes - 1], [first + WINDOWS_FROM, first + WINDOWS_FROM + windows - 1]]
                      for half, first in HALVES.items()},
            "fitted": len(halves["fitted"].right), "found": found}


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--model", choices=("edge", "cloud"), default="edge")
    arguments.add_argument("--models", default="samples/models")
    arguments.add_argument("--out", default="build/training/edge", help="folder of scores.json")
    arguments.add_argument("--scenes", type=int, default=600, help="single pictures in each half")
    arguments.add_argument("--windows", type=int, default=300, help="windows of four pictures in each half")
    options = arguments.parse_args()
    if not 0 < options.scenes <= WINDOWS_FROM or not 0 < options.windows <= WINDOWS_FROM:
        arguments.error("--scenes and --windows are from 1 to %d" % WINDOWS_FROM)
    gguf, name = import_gguf(), "saccade-" + options.model
    folder = os.path.join(options.out, "calibration")
    os.makedirs(folder, exist_ok=True)
    text, mmproj = (os.path.join(options.models, "%s-%s.gguf" % (name, part)) for part in ("text", "mmproj"))
    plain = os.path.join(folder, name + "-text.gguf")   # whose confidence is the geometric mean, however often we did this
    try:
        copied(gguf, text, plain, {})
        found = calibrated(Pair(options.model, name, plain, mmproj), folder, options.scenes, options.windows)
        copied(gguf, text, text, found["keys"])
    except (EvalError, RunFailed) as error:
        sys.exit("calibrate: %s" % error)
    add_scores(os.path.join(options.out, "scores.json"), found)
    for group, of in found["found"].items():
        print(group, of["n"], {way: {figure: of[way][figure] for figure in FIGURES} for way in ("plain", "calibrated", "difference")})
    print(found["keys"] or "no keys: the plain mean is as good")


if __name__ == "__main__":
    main()
