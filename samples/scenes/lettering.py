"""Small print: boards with words, bus numbers and arrows, drawn so that they shrink as in a camera.

A plate is painted once, large, and each picture averages it down to where it belongs, to a
quarter of a pixel; drawing letters at their final size would make them crisper than optics can.
"""

from functools import lru_cache

import cv2
import numpy as np

from scene import BOARD_MARGIN, LETTER_ADVANCE, LETTER_HEIGHT, Arrow

CELL = (48, 54)      # pixels of a letter on the plate, across and down
FINE = 4             # sub-pixels a side
# Ground and letters; dark on light and light on dark.
PAINTS = (((244, 244, 240), (20, 22, 26)), ((24, 52, 120), (245, 245, 245)), ((250, 214, 40), (24, 22, 18)),
          ((30, 84, 52), (246, 244, 236)))


@lru_cache(maxsize=256)
def _plate(text, paint):
    ground, ink = PAINTS[paint]
    margin_x = round(CELL[0] * BOARD_MARGIN / LETTER_ADVANCE)
    margin_y = round(CELL[1] * 0.8 * BOARD_MARGIN / LETTER_HEIGHT)
    image = np.empty((CELL[1] + 2 * margin_y, CELL[0] * len(text) + 2 * margin_x, 3), np.uint8)
    image[:] = ground
    for k, letter in enumerate(text):
        (w, h), _ = cv2.getTextSize(letter, cv2.FONT_HERSHEY_SIMPLEX, 2.0, 7)
        glyph = np.zeros((h + 16, w + 16), np.uint8)
        cv2.putText(glyph, letter, (8, h + 8), cv2.FONT_HERSHEY_SIMPLEX, 2.0, 255, 7, cv2.LINE_AA)
        rows, columns = np.flatnonzero(glyph.max(1)), np.flatnonzero(glyph.max(0))
        glyph = glyph[rows[0]:rows[-1] + 1, columns[0]:columns[-1] + 1]
        wide = CELL[0] - 10 if glyph.shape[1] > 14 else glyph.shape[1]   # an I stays narrow
        glyph = cv2.resize(glyph, (wide, CELL[1]), interpolation=cv2.INTER_AREA)[:, :, None] / 255.0
        left = margin_x + k * CELL[0] + (CELL[0] - wide) // 2
        spot = image[margin_y:margin_y + CELL[1], left:left + wide]
        spot[:] = (spot * (1 - glyph) + np.array(ink) * glyph).astype(np.uint8)
    return image


@lru_cache(maxsize=8)
def _arrow(direction):
    image = np.full((96, 96, 3), 250, np.uint8)
    cv2.circle(image, (48, 48), 47, (28, 70, 190), -1, cv2.LINE_AA)
    cv2.line(image, (14, 48), (60, 48), (250, 250, 250), 13, cv2.LINE_AA)
    cv2.fillPoly(image, [np.array(((50, 20), (50, 76), (86, 48)))], (250, 250, 250), cv2.LINE_AA)
    turned = {"right": image, "left": image[:, ::-1], "up": np.rot90(image)}[direction]
    return np.ascontiguousarray(turned)


def paste(image, plate, x0, y0, x1, y1):
    """Puts the plate on the image; corners in pixels, not whole ones, and may lie outside."""
    left, top = int(np.floor(x0)), int(np.floor(y0))
    right, bottom = int(np.ceil(x1)), int(np.ceil(y1))
    height, width = image.shape[:2]
    if right <= 0 or bottom <= 0 or left >= width or top >= height or right - left < 1 or bottom - top < 1:
        return
    at_x, at_y = round((x0 - left) * FINE), round((y0 - top) * FINE)
    size = max(1, round((x1 - x0) * FINE)), max(1, round((y1 - y0) * FINE))
    canvas = np.zeros(((bottom - top + 1) * FINE, (right - left + 1) * FINE, 4), np.float32)
    canvas[at_y:at_y + size[1], at_x:at_x + size[0], :3] = cv2.resize(plate, size, interpolation=cv2.INTER_AREA)
    canvas[at_y:at_y + size[1], at_x:at_x + size[0], 3] = 1.0
    small = cv2.resize(canvas, (right - left + 1, bottom - top + 1), interpolation=cv2.INTER_AREA)
    cut_x, cut_y = max(0, -left), max(0, -top)
    spot = image[top + cut_y:bottom + 1, left + cut_x:right + 1]
    small = small[cut_y:cut_y + spot.shape[0], cut_x:cut_x + spot.shape[1]]
    spot[:] = (small[:, :, :3] + spot * (1 - small[:, :, 3:])).astype(np.uint8)


def _draw(b, thing):
    plate = _arrow(thing.direction) if isinstance(thing, Arrow) else _plate(thing.text, thing.paint)
    half_w, half_h = thing.width / 2, thing.height / 2
    x0, y0 = b.pixel(thing.x - half_w, thing.y - half_h)
    x1, y1 = b.pixel(thing.x + half_w, thing.y + half_h)
    paste(b.image, plate, x0, y0, x1, y1)


def draw_boards(b, boards):
    for board in boards:
        if board:
            _draw(b, board)


def draw_signs(b, scene):
    for post in (scene.bus, scene.arrow):
        if post:
            b.box(post.x - 0.005, post.y, post.x + 0.005, 0.455, (70, 72, 76))
    draw_boards(b, (scene.sign, scene.hours, scene.bus, scene.arrow))
