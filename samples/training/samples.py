"""Seeds -> training batches: pictures, packed questions, the attention mask's ingredients.

Several questions share one row: each is a block that sees the row's prefix and itself, with
positions that go on from the prefix, exactly as if it had been asked alone. In the layout
`after` the pictures are the prefix; in the layout `before` each block is a question followed by
its own copy of the pictures' tokens (the pictures are encoded once all the same).
"""

import os
import sys
from dataclasses import dataclass

import cv2
import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "scenes"))

import borders  # noqa: E402
import questions  # noqa: E402
from draw import draw_scene  # noqa: E402
from labels import CLASSES, patch_labels  # noqa: E402,F401
from model import patches_of  # noqa: E402
from questions import QUESTIONS, vocabulary_texts  # noqa: E402,F401
from scene import BUS_LINES, HOURS, SPLITS, WORDS, add_reading_practice, random_scene  # noqa: E402,F401
from tokenizer import BOS, EOS, FAKE, GLOBAL  # noqa: E402
from window import random_window  # noqa: E402

IGNORE = -100
STILL = tuple(k for k, q in QUESTIONS.items() if q.grade != "watch")
SHORT = tuple(k for k in STILL if k != "describe")
READING = ("sign", "open", "bus", "arrow", "bus", "arrow")   # twice what is learned last
SCENERY = ("night", "zebra", "shade")
WATCH = tuple(k for k, q in QUESTIONS.items() if q.grade == "watch")
# How often each kind is asked: counting and reading need the most practice.
KIND_WEIGHT = {"people": 4.0, "people_left": 2.5, "people_right": 2.5, "anybody": 0.6, "car_colour": 0.9, "car_side": 0.7,
               "light": 0.8, "in_the_way": 0.7, "safe": 0.7, "path": 0.4, "crossing": 0.4, "day": 0.3, "car": 0.5,
               "shade": 0.7, "sign": 2.4, "open": 1.6, "bus": 4.0, "arrow": 4.0}


class Shape:
    """What a model sees of a picture: pixels, patches and tokens a side."""

    def __init__(self, config):
        self.side, self.patch, self.patches = config.image, config.patch, config.grid
        self.tokens = config.image_tokens
        self.shuffle = config.shuffle
        self.render_height = 216 if config.image <= 192 else 384


def squash(image, side, rng=None):
    """Any frame -> side x side, by one of the roads that a frame takes to a model.

    Ours averages areas in one step. Stock libmtmd resizes by Lanczos to the width with the
    aspect kept, then stretches to the square."""
    way = 0 if rng is None else int(rng.choice(3, p=(0.55, 0.2, 0.25)))
    if way == 0:
        return cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    if way == 1:
        return cv2.resize(image, (side, side), interpolation=cv2.INTER_LINEAR)
    short = side * image.shape[0] // image.shape[1]
    small = cv2.resize(image, (side, short), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (side, side), interpolation=cv2.INTER_LANCZOS4)


def render(scene, shape, rng=None):
    """Drawn small now and then, as a poor camera would; and half the time through JPEG, as clips come."""
    height = shape.render_height
    if rng is not None and rng.random() < 0.3:
        height = 360
    image = draw_scene(scene, round(height * scene.aspect), height)
    if rng is not None and rng.random() < 0.4:
        quality = int(rng.integers(60, 96))
        image = cv2.imdecode(cv2.imencode(".jpg", image[:, :, ::-1], (cv2.IMWRITE_JPEG_QUALITY, quality))[1], 1)[:, :, ::-1]
    return squash(np.ascontiguousarray(image), shape.side, rng)


class Text:
    """Token ids under construction, with the index of the picture token that each stands for, or -1."""

    def __init__(self):
        self.ids, self.pictures = [], []

    def add(self, ids):
        self.ids += ids
        self.pictures += [-1] * len(ids)
        return self

    def picture(self, tokenizer, number, count, lead=("\n\n", FAKE, GLOBAL), tail=(FAKE,)):
        self.add(tokenizer.ids(*lead))
        self.ids += [0] * count
        self.pictures += range(number * count, (number + 1) * count)
        return self.add(tokenizer.ids(*tail))


def opening(tokenizer):
    return tokenizer.ids(BOS, "User: ")


def prompt_after(tokenizer, tokens, frames, tiled=False):
    """Opening and pictures. Tiled is what stock libmtmd makes of a picture that fits one tile: the
    tile, then the overview, here both the same tokens; else the overview alone, which is ours."""
    text = Text().add(opening(tokenizer))
    for k in range(frames):
        if tiled:
            text.picture(tokenizer, k, tokens, lead=(FAKE, "<row_1_col_1>"), tail=())
        text.picture(tokenizer, k, tokens)
    return text


def question_ids(tokenizer, text):
    return tokenizer.ids(text, EOS, "\nAssistant:")


def block_before(tokenizer, tokens, frames, question):
    """Question first, then the pictures; follows the opening."""
    text = Text().add(tokenizer.ids(question))
    for k in range(frames):
        text.picture(tokenizer, k, tokens)
    return text.add(tokenizer.ids(EOS, "\nAssistant:"))


def answer_ids(tokenizer, text):
    return tokenizer.ids(" " + text, EOS)


def small_print(label):
    """Patch labels of words, numbers and arrows."""
    return label.isupper() or label.isdigit() or label.startswith(("letter_", "arrow_"))


def _asked(rng, window, count):
    """Short kinds for one row. Windows are for the watch questions: those that have a clear answer, then others."""
    clear = [k for k in WATCH if len(window) > 1 and not borders.watch_is_open(k, window)]
    asked = [str(k) for k in rng.permutation(clear)[:count - 1 if count > 1 else 1]]
    weight = np.array([KIND_WEIGHT[n] for n in SHORT])
    return asked + [str(k) for k in rng.choice(SHORT, count - len(asked), replace=False, p=weight / weight.sum())]


def _busy(grid, shape, reading):
    """Which tokens show more than scenery; in a reading lesson, more than street: small print."""
    wanted = [k for k, name in enumerate(CLASSES) if (small_print(name) if reading else name not in SCENERY)]
    things = grid[:, :, wanted].max(2)
    side, step = shape.patches // shape.shuffle, shape.shuffle
    return things.reshape(side, step, side, step).max((1, 3)).reshape(-1) > 0


def _choose(rng, busy, count):
    """`count` tokens: all that are busy, and some of the scenery; in order."""
    scenery = np.flatnonzero(~busy)
    return np.sort(np.concatenate([np.flatnonzero(busy), rng.choice(scenery, count - busy.sum(), replace=False)]))


@dataclass
class Pictures:
    """Rows of equally many pictures.

    windows: the rows' scenes, oldest first; images: rows x frames x side x side x 3; chosen: rows x frames x k,
    the tokens that are encoded, or None for all; labels: of the last frame's encoded patches, rows x patches x
    classes, token by token."""
    windows: list
    images: np.ndarray
    chosen: np.ndarray
    labels: np.ndarray


def make_pictures(shape, seeds, frames=1, thin=None, reading=False, plain=False):
    """thin: a number of tokens a picture: the rest, all scenery, is neither encoded nor in the prompt (rows
    that show more are left out); reading: scenery is all but small print; plain: the product's own resize."""
    images, labels, chosen, windows = [], [], [], []
    for seed in seeds:
        rng = np.random.default_rng((seed, 1))
        window = random_window(seed, frames) if frames > 1 else [random_scene(seed)]
        grids = [patch_labels(scene, shape.patches) for scene in (window if thin else window[-1:])]
        if thin:
            busy = [_busy(grid, shape, reading) for grid in grids]
            if max(b.sum() for b in busy) > thin:
                continue
            chosen.append([_choose(rng, b, thin) for b in busy])
        images.append([render(scene, shape, None if plain else rng) for scene in window])
        by_token = grids[-1].reshape(shape.patches ** 2, -1)[patches_of(shape.patches, shape.shuffle).numpy()]
        labels.append((by_token[chosen[-1][-1]] if thin else by_token).reshape(-1, len(CLASSES)))
        windows.append(window)
    return Pictures(windows, np.array(images, np.uint8), np.array(chosen, np.int64) if thin else None,
                    np.array(labels, np.uint8))


def ask(rng, tokenizer, windows, tokens, layout="after", tiled=False, describe=False, plain=False, kinds=None):
    """-> Questions on the windows, each picture of which is `tokens` tokens.

    describe: each row asks for a description too (rows of one batch are equally long, so that little is
    padding); plain: canonical questions, for scoring; kinds: those asked of every row."""
    frames = len(windows[0])
    count = (5 if frames == 1 else 6) if layout == "after" else (4 if frames == 1 else 2)
    count -= 2 * describe if count > 2 else describe
    lead = prompt_after(tokenizer, tokens, frames, tiled) if layout == "after" else Text().add(opening(tokenizer))
    rows = []
    for window in windows:
        row = []
        for kind in kinds or _asked(rng, window, count) + ["describe"] * describe:
            if plain and kind in WATCH and borders.watch_is_open(kind, window):
                continue
            text = questions.canonical(kind) if plain else questions.wording(rng, kind)
            truth = questions.answer(kind, window)
            block = Text().add(question_ids(tokenizer, text)) if layout == "after" \
                else block_before(tokenizer, tokens, frames, text)
            row.append((kind, truth, block, answer_ids(tokenizer, truth)))
        rows.append(row)
    return _pack(lead, rows)


@dataclass
class Questions:
    """ids, targets, block, positions: rows x length; picture: which of the row's encoded tokens stands there,
    or -1; spans: (row, first target, length, kind, the truth) of every answer."""
    ids: np.ndarray
    picture: np.ndarray
    targets: np.ndarray
    block: np.ndarray
    positions: np.ndarray
    spans: list


def make_scored(tokenizer, shape, seeds, frames=1, layout="after", kinds=None, **how):
    """Pictures and questions as the product sends them -> (Pictures, Questions)."""
    pictures = make_pictures(shape, seeds, frames, plain=True)
    rng = np.random.default_rng((seeds[0], 5))
    return pictures, ask(rng, tokenizer, pictures.windows, shape.tokens, layout, plain=True, kinds=kinds, **how)


def make_practice(tokenizer, shape, seeds, window):
    """Pictures full of boards with their patch labels, cut to window x window patches ->
    images, labels token by token, the windows' first row and column."""
    images = np.empty((len(seeds), window * shape.patch, window * shape.patch, 3), np.uint8)
    labels = np.empty((len(seeds), window ** 2, len(CLASSES)), np.uint8)
    whole = (shape.patches - window) // shape.shuffle   # a window begins where a token does
    corner = np.random.default_rng((seeds[0], 3)).integers(0, whole + 1, 2) * shape.shuffle
    y, x = corner * shape.patch
    for k, seed in enumerate(seeds):
        rng = np.random.default_rng((seed, 1))
        scene = random_scene(seed)
        if rng.random() < 0.85:
            add_reading_practice(rng, scene, corner[1] / shape.patches, corner[0] / shape.patches, window / shape.patches)
        images[k] = render(scene, shape, rng)[y:y + window * shape.patch, x:x + window * shape.patch]
        grid = patch_labels(scene, shape.patches)
        cut = grid[corner[0]:corner[0] + window, corner[1]:corner[1] + window].reshape(window ** 2, -1)
        labels[k] = cut[patches_of(window, shape.shuffle).numpy().reshape(-1)]
    return images, labels, corner


def _pack(lead, rows):
    n = len(lead.ids)
    length = n + max(sum(len(b.ids) + len(a) - 1 for _, _, b, a in row) for row in rows)
    shape = (len(rows), length)
    out = Questions(ids=np.zeros(shape, np.int64), picture=np.full(shape, -1, np.int64), targets=np.full(shape, IGNORE, np.int64),
                    block=np.full(shape, -1, np.int64), positions=np.zeros(shape, np.int64), spans=[])
    for k, row in enumerate(rows):
        out.ids[k, :n], out.block[k, :n], out.picture[k, :n] = lead.ids, 0, lead.pictures
        out.positions[k, :n] = np.arange(n)
        at = n
        for b, (kind, truth, block, a) in enumerate(row, 1):
            size = len(block.ids) + len(a) - 1
            end = at + size
            out.ids[k, at:end], out.block[k, at:end] = block.ids + a[:-1], b
            out.picture[k, at:at + len(block.ids)] = block.pictures
            out.positions[k, at:end] = n + np.arange(size)
            first = at + len(block.ids) - 1
            out.targets[k, first:first + len(a)] = a
            out.spans.append((k, first, len(a), kind, truth))
            at = end
    return out
