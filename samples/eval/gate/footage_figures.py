"""The gate on real footage with labels (tests/footage): which patches it asks for, which pictures it lets sleep, and what it
catches. Figures are of reporting halves."""

import math
import os
import sys
from dataclasses import dataclass

import bootstrap
from gate.watching import GREY, watch
from models import PROJECT

sys.path.append(os.path.join(PROJECT, "tests", "footage"))
import footage  # noqa: E402

STATIC = ("vtest", "one-by-one-person-detection", "car-detection", "bottle-detection")
MOVING = ("handheld-bag", "sam2_01_dog", "sam2_04_coffee", "scenecuts-street")
GRID = 32
LAUNCH = ("videorate ! video/x-raw,framerate=%d/1 ! videoscale ! video/x-raw,width=512,height=512" + GREY +
          " ! masgate name=gate rows=32 columns=32 change-threshold=%g")
PATCH_FPS, ENTRY_FPS = 2, 5
DEFAULT_CHANGE = 0.12
CHANGES = (0.03, 0.06, 0.12, 0.2, 0.3, 0.45, 0.65)
PLAIN_LEVELS = (2, 3, 4, 6, 9, 14, 20)
PLAIN_LEVEL = 4         # low enough to miss nothing on any clip; the curves have the others
SETTLE_S = 1.5          # after something has left, until its shadow has, too, and the codec has caught up
BEFORE_S = 0.5          # labels are right to half a second
CAUGHT_S = 0.5


@dataclass
class Footage:
    name: str
    labels: dict
    clip: object

    @property
    def half(self):
        return self.labels["halves"]["reporting"]

    def reports(self, seconds):
        return self.half[0] <= seconds <= self.half[1]


def found(names):
    """-> [Footage], names of clips that are not on this machine"""
    there, absent = [], []
    for name in names:
        labels = footage.load(os.path.join(PROJECT, "tests", "footage", name + ".json"))
        clip = footage.media_of(labels)
        if clip:
            there.append(Footage(name, labels, clip))
        else:
            absent.append(name)
    return there, absent


def _boxes_in_motion(labels):
    """{moment: [box]} of what moved, came or went in the half second before."""
    boxes = {}
    for thing in labels["objects"]:
        moving = footage.steps_in_motion(labels, thing)
        for box in thing["boxes"]:
            if box["t"] - footage.STEP in moving:
                boxes.setdefault(box["t"], []).append(box)
    return boxes


def _touches(changed, box):
    top, left = (max(0, int(box[edge] * GRID)) for edge in ("y0", "x0"))
    bottom, right = (math.ceil(box[edge] * GRID) for edge in ("y1", "x1"))
    return bool(changed[top:bottom, left:right].any())


def _moment(seconds):
    return round(seconds / footage.STEP) * footage.STEP


def _patch_items(clip, times, maps):
    """Items of bootstrap.share: patches asked for of all, and moving things of which a patch was asked for."""
    asked, caught = [], []
    moving = _boxes_in_motion(clip.labels)
    for seconds, changed in zip(times, maps):
        if seconds == times[0] or not clip.reports(seconds):
            continue
        block = bootstrap.block_of(clip.name, seconds)
        asked.append((block, int(changed.sum()), changed.size))
        caught += [(block, int(_touches(changed, box)), 1) for box in moving.get(_moment(seconds), ())]
    return asked, caught


def patch_figures(name, clip, times, maps):
    asked, caught = _patch_items(clip, times, maps)
    return {"share": bootstrap.share(name + "/share", asked), "recall": bootstrap.share(name + "/recall", caught)}


def empty_stretches(labels):
    """[(start, end)] in which nothing labelled is in the picture, nor was SETTLE_S ago."""
    stretches, free = [], labels["labelled"][0][0]
    for thing in sorted(labels["objects"], key=lambda thing: thing["enter"]):
        if thing["enter"] - BEFORE_S > free:
            stretches.append((free, thing["enter"] - BEFORE_S))
        free = max(free, thing["leave"] + footage.STEP + SETTLE_S)
    if labels["labelled"][-1][1] > free:
        stretches.append((free, labels["labelled"][-1][1]))
    return stretches


def sleep_figure(clip, watched):
    """Share of the pictures of empty stretches that are not needed."""
    empty = empty_stretches(clip.labels)
    chosen = set(watched.chosen)
    items = [(bootstrap.block_of(clip.name, at), int(at not in chosen), 1) for at in watched.times[1:]
             if clip.reports(at) and any(start <= at <= end for start, end in empty)]
    return bootstrap.share(clip.name + "/sleep", items) if items else None


def entry_figure(clip, watched):
    """Share of labelled entries of which a patch is asked for within half a second. A label says the first half second at
    which a thing is in the picture: it came in the one before."""
    items = []
    for thing in clip.labels["objects"]:
        if not footage.enters(clip.labels, thing) or not clip.reports(thing["enter"]):
            continue
        first = thing["boxes"][0]
        caught = any(_touches(changed, first) for at, changed in zip(watched.times, watched.maps)
                     if thing["enter"] - footage.STEP <= at <= thing["enter"] + CAUGHT_S)
        items.append((bootstrap.block_of(clip.name, thing["enter"]), int(caught), 1))
    return bootstrap.share(clip.name + "/entries", items) if items else None


def _static_row(clip, say):
    say("gate on %s" % clip.name)
    curves = {"masgate": [], "plain": []}
    for change in CHANGES:
        watched = watch(clip.clip, LAUNCH % (PATCH_FPS, change), grid=GRID,
                        levels=PLAIN_LEVELS if change == DEFAULT_CHANGE else ())
        curves["masgate"].append(dict(patch_figures("%s/masgate/%g" % (clip.name, change), clip, watched.times, watched.maps),
                                      setting=change))
        if change == DEFAULT_CHANGE:
            ours = watched
    for level in PLAIN_LEVELS:
        curves["plain"].append(dict(patch_figures("%s/plain/%g" % (clip.name, level), clip, ours.times, ours.patches[level]),
                                    setting=level))
    entries = watch(clip.clip, LAUNCH % (ENTRY_FPS, DEFAULT_CHANGE), grid=GRID)
    return {"clip": clip.name, "curves": curves, "sleep": sleep_figure(clip, ours), "entries": entry_figure(clip, entries),
            "needed": len(ours.chosen) / len(ours.times), "pictures": len(ours.times),
            "hash_matches": ours.hash_matches / len(ours.times)}


def _moving_row(clip, say):
    say("gate on %s" % clip.name)
    watched = watch(clip.clip, LAUNCH % (PATCH_FPS, DEFAULT_CHANGE), grid=GRID, levels=(PLAIN_LEVEL,))
    return {"clip": clip.name, "masgate": patch_figures(clip.name + "/masgate", clip, watched.times, watched.maps),
            "plain": patch_figures(clip.name + "/plain", clip, watched.times, watched.patches[PLAIN_LEVEL]),
            "needed": len(watched.chosen) / len(watched.times), "pictures": len(watched.times),
            "hash_matches": watched.hash_matches / len(watched.times)}


def measure(say):
    static, absent = found(STATIC)
    moving, also_absent = found(MOVING)
    return {"static": [_static_row(clip, say) for clip in static], "moving": [_moving_row(clip, say) for clip in moving],
            "absent": absent + also_absent}


def at(row, curve, setting):
    """The point of a row's curve at this setting."""
    return next(point for point in row["curves"][curve] if point["setting"] == setting)
