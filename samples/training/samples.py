"""Seeds -> training batches: pictures, packed questions, the attention mask's ingredients.

Five questions share one picture: each is a block that sees the picture's prefix and itself,
with positions that go on from the prefix, exactly as if it had been asked alone.
"""

import os
import sys

import cv2
import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "scenes"))

import questions  # noqa: E402
from draw import draw_scene  # noqa: E402
from labels import CLASSES, patch_labels  # noqa: E402,F401
from questions import vocabulary_texts  # noqa: E402,F401
from scene import SPLITS, random_scene  # noqa: E402,F401
from tokenizer import BOS, EOS, FAKE, GLOBAL  # noqa: E402

SIDE, PATCHES, IMAGE_TOKENS = 192, 12, 36
RENDER_HEIGHT = 216
QUESTIONS_PER_IMAGE = 5
IGNORE = -100
# How often each kind is asked: counting and colours need the most practice.
KIND_WEIGHT = {"people": 6.0, "people_left": 2.0, "people_right": 2.0, "anybody": 0.8, "car_colour": 0.9, "car_side": 0.7,
               "light": 0.7, "in_the_way": 0.8, "safe": 0.7, "path": 0.5, "crossing": 0.4, "day": 0.3, "car": 0.5}


def squash(image, rng=None):
    """Any frame -> 192 x 192, by one of the roads that a frame takes to a model.

    Ours averages areas in one step. Stock libmtmd resizes by Lanczos to 192 wide with the
    aspect kept, then stretches to the square."""
    way = 0 if rng is None else int(rng.choice(3, p=(0.55, 0.2, 0.25)))
    if way == 0:
        return cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    if way == 1:
        return cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
    short = SIDE * image.shape[0] // image.shape[1]
    small = cv2.resize(image, (SIDE, short), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (SIDE, SIDE), interpolation=cv2.INTER_LANCZOS4)


def render(scene, rng=None):
    return squash(draw_scene(scene, round(RENDER_HEIGHT * scene.aspect), RENDER_HEIGHT), rng)


def prefix(tokenizer, tiled):
    """Token ids before the question, zeros where the picture's tokens go, and those slots.

    Not tiled is ours: the overview alone. Tiled is what stock libmtmd makes of a picture that
    fits one tile: the tile, then the overview, here both the same 36 tokens."""
    ids, slots = tokenizer.ids(BOS, "User: "), []

    def picture():
        slots.append(slice(len(ids), len(ids) + IMAGE_TOKENS))
        ids.extend([0] * IMAGE_TOKENS)

    if tiled:
        ids += tokenizer.ids(FAKE, "<row_1_col_1>")
        picture()
    ids += tokenizer.ids("\n\n", FAKE, GLOBAL)
    picture()
    return ids + tokenizer.ids(FAKE), slots


def question_ids(tokenizer, text):
    return tokenizer.ids(text, EOS, "\nAssistant:")


def answer_ids(tokenizer, text):
    return tokenizer.ids(" " + text, EOS)


class Batch:
    """Numpy arrays; spans: (row, first target, length, kind) of every answer."""
    __slots__ = ("images", "labels", "ids", "targets", "block", "positions", "keep", "slots",
                 "spans")


def make_batch(tokenizer, seeds, tiled=False, prune=False, plain=False, kinds=None):
    """plain: canonical questions and the product's own resize, for scoring."""
    lead, slots = prefix(tokenizer, tiled)
    out, rows = Batch(), []
    out.images = np.empty((len(seeds), SIDE, SIDE, 3), np.uint8)
    out.labels = np.empty((len(seeds), PATCHES * PATCHES, len(CLASSES)), np.uint8)
    keep = np.ones((len(seeds), len(lead)), bool)
    names = list(questions.QUESTIONS)
    weight = np.array([KIND_WEIGHT[n] for n in names])
    for k, seed in enumerate(seeds):
        rng = np.random.default_rng((seed, 1))
        scene = random_scene(seed)
        out.images[k] = render(scene, None if plain else rng)
        grid = patch_labels(scene, PATCHES)
        out.labels[k] = grid.reshape(PATCHES * PATCHES, -1)
        if prune:
            keep[k, slots[0]] = _pruned(grid, rng)
        asked = kinds or rng.choice(names, QUESTIONS_PER_IMAGE, replace=False, p=weight / weight.sum())
        row = []
        for kind in asked:
            text = questions.canonical(kind) if plain else questions.wording(rng, kind)
            row.append((kind, question_ids(tokenizer, text), answer_ids(tokenizer, questions.answer(kind, scene))))
        rows.append(row)
    _pack(out, lead, keep, rows)
    out.slots = slots
    return out


def _pruned(grid, rng):
    """Drops some of the tokens that show only scenery, as a token compressor does."""
    things = np.delete(grid, [CLASSES.index("night"), CLASSES.index("zebra")], axis=2).max(2)
    busy = things.reshape(6, 2, 6, 2).max((1, 3)).reshape(-1) > 0
    return busy | (rng.random(IMAGE_TOKENS) > rng.uniform(0.2, 0.9))


def _pack(out, lead, keep, rows):
    length = len(lead) + max(sum(len(q) + len(a) - 1 for _, q, a in row) for row in rows)
    shape = (len(rows), length)
    out.ids, out.positions = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    out.targets, out.block = np.full(shape, IGNORE, np.int64), np.full(shape, -1, np.int64)
    out.keep = np.ones(shape, bool)
    out.spans = []
    n = len(lead)
    for k, row in enumerate(rows):
        out.ids[k, :n], out.block[k, :n] = lead, 0
        out.keep[k, :n] = keep[k]
        out.positions[k, :n] = np.cumsum(keep[k]) - 1   # kept tokens close ranks
        after, at = int(keep[k].sum()), n
        for b, (kind, q, a) in enumerate(row, 1):
            text = q + a[:-1]
            end = at + len(text)
            out.ids[k, at:end], out.block[k, at:end] = text, b
            out.positions[k, at:end] = after + np.arange(len(text))
            first = at + len(q) - 1
            out.targets[k, first:first + len(a)] = a
            out.spans.append((k, first, len(a), str(kind)))
            at = end
