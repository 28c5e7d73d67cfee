"""Where a question has no clear answer: something is half in the frame, hidden, or on a border.

Scenes for training keep out of these bands; a clip passes through them, and is not scored there.
"""

from questions import MOVED
from draw import shadow_edge
from scene import (CAR_LENGTH, GONE, LIGHT_WIDTH, THERE, inside_fraction, side_of, visible_board, visible_people)

SIDE_BAND = 0.045          # of the frame's width, around the middle: a car has no side there
PERSON_BAND = 0.03         # the same for a person
PATH, BESIDE = 0.085, 0.31  # distance from the middle: on the path up to the one, beside it from the other
DUSK = (0.25, 0.75)        # darkness that is neither day nor night
SHADE_BAND = 0.10          # of the frame's width: the shadow's edge is on the path
TOUCHING, ROW = 0.15, 0.3  # people nearer to each other than this, across and in depth, may hide one another
PEOPLE_KINDS = {"people", "people_left", "people_right", "anybody", "more_people", "passed"}
LIGHT_KINDS = {"light", "safe", "light_changed"}
# A description speaks of all of these.
DESCRIBED = {"day", "light", "car_colour", "car_side", "people_left", "people_right", "in_the_way", "sign", "bus"}


def _between(fraction):
    return GONE < fraction < THERE


def _people(scene):
    open_kinds = set()
    if any(_between(inside_fraction(scene, p.x, p.width)) for p in scene.people):
        open_kinds |= PEOPLE_KINDS
    ordered = sorted(scene.people, key=lambda p: p.x)
    if any(b.x - a.x < TOUCHING and abs(a.y - b.y) < ROW for k, a in enumerate(ordered) for b in ordered[k + 1:]):
        open_kinds |= PEOPLE_KINDS
    if any(abs(side_of(scene, p.x)) < PERSON_BAND for p in visible_people(scene)):
        open_kinds |= {"people_left", "people_right", "passed"}
    if scene.light and any(p.y < 0.5 and abs(p.x - scene.light.x) < 0.12 for p in scene.people):   # before the signal
        open_kinds |= PEOPLE_KINDS | LIGHT_KINDS
    return open_kinds


def _things(scene):
    open_kinds, car = set(), scene.car
    if scene.light and _between(inside_fraction(scene, scene.light.x, LIGHT_WIDTH)):
        open_kinds |= LIGHT_KINDS
    if car:
        if _between(inside_fraction(scene, car.x, CAR_LENGTH * car.scale)):
            open_kinds |= {"car", "car_colour", "car_side", "safe", "car_moves"}
        if abs(side_of(scene, car.x)) < SIDE_BAND:
            open_kinds.add("car_side")
        if any(0.5 < p.y < 0.8 and abs(p.x - car.x) < 0.42 for p in scene.people):
            open_kinds |= PEOPLE_KINDS
    if any(PATH < abs(side_of(scene, o.x)) < BESIDE for o in scene.obstacles):
        open_kinds |= {"path", "in_the_way"}
    for board, kinds in ((scene.sign, {"sign"}), (scene.hours, {"open"}), (scene.bus, {"bus"}), (scene.arrow, {"arrow"})):
        if board and not visible_board(scene, board) and inside_fraction(scene, board.x, board.width) > 0:
            open_kinds |= kinds
    return open_kinds


def open_kinds(scene):
    """Questions about this one picture whose answer is on a border."""
    kinds = _people(scene) | _things(scene)
    if DUSK[0] < scene.darkness < DUSK[1]:
        kinds.add("day")
    if scene.shadow > 0 and abs(side_of(scene, shadow_edge(scene))) < SHADE_BAND:
        kinds.add("shade")
    return kinds | ({"describe"} if kinds & DESCRIBED else set())


def watch_is_open(kind, window):
    """Whether a watch question has no clear answer over this window (oldest first)."""
    first, now = window[0], window[-1]
    if kind in ("more_people", "passed") and kind in _people(first) | _people(now):
        return True
    return kind == "car_moves" and bool(now.car and first.car) and 0.03 < abs(now.car.x - first.car.x) < 1.5 * MOVED
