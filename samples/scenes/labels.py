"""What each patch of the picture shows: the dense labels that teach the encoder to see.

From the same geometry as draw.py, as one multi-label row per patch.
"""

import numpy as np

from draw import shadow_edge
from scene import (ARROWS, BUS_LINES, CAR_COLOURS, CAR_HEIGHT, CAR_LENGTH, HOURS, LETTER_ADVANCE, LETTER_HEIGHT,
                   LIGHT_HEIGHT, LIGHT_STATES, LIGHT_TOP, LIGHT_WIDTH, OBSTACLES, ROAD_BOTTOM, ROAD_TOP, WORDS, Arrow, Board,
                   to_view, visible_board, visible_car, visible_light, visible_people)

CLASSES = (tuple("light_" + s for s in LIGHT_STATES) + tuple("car_" + c for c in CAR_COLOURS) + OBSTACLES
           + ("car", "in_the_way", "person", "head", "zebra", "night", "leaving")
           + WORDS + HOURS + BUS_LINES + tuple("arrow_" + a for a in ARROWS) + ("shade",)
           + tuple("letter_" + c for c in sorted(set("".join(WORDS + HOURS)))))
_INDEX = {name: k for k, name in enumerate(CLASSES)}


def person_box(p):
    return p.x - 0.17 * p.height, p.y - p.height, p.x + 0.17 * p.height, p.y


def car_box(c):
    return c.x - CAR_LENGTH / 2 * c.scale, c.y - CAR_HEIGHT * c.scale, c.x + CAR_LENGTH / 2 * c.scale, c.y + 0.02 * c.scale


def obstacle_box(o):
    half = 0.19 if o.kind == "bicycle" else 0.085
    return o.x - half, o.y - 0.22, o.x + half, o.y


def light_box(light):
    return light.x - LIGHT_WIDTH / 2, LIGHT_TOP, light.x + LIGHT_WIDTH / 2, LIGHT_TOP + LIGHT_HEIGHT


def board_box(board):
    return board.x - board.width / 2, board.y - board.height / 2, board.x + board.width / 2, board.y + board.height / 2


def in_frame(scene, box):
    """World box -> (x0, y0, x1, y1) as fractions of the frame."""
    x0, y0 = to_view(scene, box[0], box[1])
    x1, y1 = to_view(scene, box[2], box[3])
    return x0 / scene.aspect, y0, x1 / scene.aspect, y1


def _cover(box, side, share=0.3):
    """Patches of a side x side grid of which the box covers this share, or that hold its centre."""
    lines = np.arange(side)
    across = np.minimum(lines + 1, box[2] * side) - np.maximum(lines, box[0] * side)
    down = np.minimum(lines + 1, box[3] * side) - np.maximum(lines, box[1] * side)
    area = np.maximum(down, 0)[:, None] * np.maximum(across, 0)[None, :]
    mask = area >= share
    column, row = int((box[0] + box[2]) / 2 * side), int((box[1] + box[3]) / 2 * side)
    if 0 <= column < side and 0 <= row < side:
        mask[row, column] = True
    return mask


def _mark_letters(out, scene, board):
    """Words are read letter by letter; without these labels a model needs many times as many words."""
    side, last = out.shape[0], out.shape[0] - 1
    advance = board.letter * LETTER_ADVANCE / LETTER_HEIGHT
    for k, letter in enumerate(board.text):
        if letter.isalpha():
            x, y = to_view(scene, board.x + (k + 0.5 - len(board.text) / 2) * advance, board.y)
            column, row = int(x / scene.aspect * side), int(y * side)
            out[min(max(row, 0), last), min(max(column, 0), last), _INDEX["letter_" + letter]] = 1


def patch_labels(scene, side):
    """uint8, side x side x classes."""
    out = np.zeros((side, side, len(CLASSES)), np.uint8)

    def mark(name, box):
        out[_cover(in_frame(scene, box), side), _INDEX[name]] = 1

    if scene.crossing:
        half = 0.27
        mark("zebra", (scene.aspect / 2 - half, ROAD_TOP, scene.aspect / 2 + half, ROAD_BOTTOM))
    if visible_light(scene):
        mark("light_" + scene.light.state, light_box(scene.light))
    for board in (scene.sign, scene.hours, scene.bus, scene.arrow, *scene.more_boards):
        if visible_board(scene, board):
            name = "arrow_" + board.direction if isinstance(board, Arrow) else board.text
            out[_cover(in_frame(scene, board_box(board)), side, 0.2), _INDEX[name]] = 1
            if isinstance(board, Board):
                _mark_letters(out, scene, board)
    if scene.shadow > 0:
        mark("shade", (-0.9, ROAD_BOTTOM, shadow_edge(scene), 1.1))
    if scene.car:
        if visible_car(scene):
            mark("car", car_box(scene.car))
            mark("car_" + scene.car.colour, car_box(scene.car))
        else:
            mark("leaving", car_box(scene.car))
    for o in scene.obstacles:
        mark(o.kind, obstacle_box(o))
        if o.on_path:
            mark("in_the_way", obstacle_box(o))
    seen = visible_people(scene)
    for p in scene.people:
        if p not in seen:
            mark("leaving", person_box(p))
            continue
        mark("person", person_box(p))
        x, y = to_view(scene, p.x, p.y - 0.85 * p.height)
        # A person cut by the edge still has a head, in the outermost patch.
        column = int(np.clip(x / scene.aspect * side, 0, side - 1))
        out[int(np.clip(y * side, 0, side - 1)), column, _INDEX["head"]] = 1
    if scene.darkness >= 0.5:
        out[:, :, _INDEX["night"]] = 1
    return out
