"""Draws a Scene with filled shapes, at any size, anti-aliased and to a sixteenth of a pixel."""

from functools import lru_cache

import cv2
import numpy as np

from lettering import draw_boards, draw_signs
from scene import (CAR_HEIGHT, CAR_LENGTH, LAMP_RADIUS, LIGHT_HEIGHT, LIGHT_STATES, LIGHT_TOP,
                   LIGHT_WIDTH, ROAD_BOTTOM, ROAD_TOP)

PAINT = {"red": (208, 28, 32), "blue": (32, 74, 212), "white": (238, 238, 236), "black": (24, 24, 27),
         "yellow": (240, 205, 25), "green": (28, 150, 62)}
LAMP_ON = {"red": (255, 40, 36), "yellow": (255, 205, 30), "green": (40, 245, 90)}
LAMP_OFF = (52, 52, 54)
SUBPIXEL_BITS = 4


class Brush:
    """Turns world coordinates (frame heights) into pixels and fills shapes."""

    def __init__(self, scene, width, height):
        self.scene, self.width, self.height = scene, width, height
        self.image = np.empty((height, width, 3), np.uint8)
        # A frame that is not exactly scene.aspect is stretched, not cut.
        self._sx = width / scene.aspect * (1 << SUBPIXEL_BITS)
        self._sy = height * (1 << SUBPIXEL_BITS)
        cx, zoom = scene.aspect / 2, scene.zoom
        self._ax, self._bx = zoom * self._sx, (cx - cx * zoom + scene.shift[0]) * self._sx
        self._ay, self._by = zoom * self._sy, (0.5 - 0.5 * zoom + scene.shift[1]) * self._sy

    def pixel(self, x, y):
        """World point -> pixels, with fractions."""
        unit = 1 << SUBPIXEL_BITS
        return (x * self._ax + self._bx) / unit, (y * self._ay + self._by) / unit

    def polygon(self, points, colour):
        p = np.array(points, np.float64)
        p = np.rint(np.stack([p[:, 0] * self._ax + self._bx, p[:, 1] * self._ay + self._by], 1)).astype(np.int32)
        cv2.fillPoly(self.image, [p], colour, cv2.LINE_AA, SUBPIXEL_BITS)

    def box(self, x0, y0, x1, y1, colour):
        self.polygon(((x0, y0), (x1, y0), (x1, y1), (x0, y1)), colour)

    def ellipse(self, x, y, rx, ry, colour):
        centre = (round(x * self._ax + self._bx), round(y * self._ay + self._by))
        axes = (max(1, round(rx * self._ax)), max(1, round(ry * self._ay)))
        cv2.ellipse(self.image, centre, axes, 0, 0, 360, colour, -1, cv2.LINE_AA, SUBPIXEL_BITS)

    def ring(self, x, y, r, thickness, colour):
        centre = (round(x * self._ax + self._bx), round(y * self._ay + self._by))
        axes = (max(1, round(r * self._ax)), max(1, round(r * self._ay)))
        pixels = max(1, round(thickness * self.height))
        cv2.ellipse(self.image, centre, axes, 0, 0, 360, colour, pixels, cv2.LINE_AA, SUBPIXEL_BITS)

    def line(self, x0, y0, x1, y1, thickness, colour):
        a = (round(x0 * self._ax + self._bx), round(y0 * self._ay + self._by))
        b = (round(x1 * self._ax + self._bx), round(y1 * self._ay + self._by))
        cv2.line(self.image, a, b, colour, max(1, round(thickness * self.height)), cv2.LINE_AA, SUBPIXEL_BITS)


def _scaled(colour, factor):
    return tuple(int(min(255, max(0, c * factor))) for c in colour)


def _windows(rng, aspect):
    """Houses as (box, colour, windows); muted, so that a wall is never taken for a car."""
    x, houses = -0.7, []
    while x < aspect + 0.7:
        width, top = rng.uniform(0.22, 0.5), rng.uniform(0.02, 0.2)
        grey = rng.uniform(105, 190)
        wall = tuple(int(v) for v in np.clip(grey + rng.uniform(-14, 14, 3), 0, 255))
        columns, panes = int(rng.integers(2, 5)), []
        for row in range(2):
            for column in range(columns):
                wx = x + width * (column + 0.5) / columns
                wy = top + 0.05 + 0.13 * row
                if wy < 0.33:
                    panes.append((wx, wy, bool(rng.random() < 0.4)))
        houses.append((x, top, x + width, wall, panes))
        x += width
    return houses


@lru_cache(maxsize=8)
def _backdrop(seed, aspect):
    rng = np.random.default_rng(seed)
    return {
        "sky": tuple(int(v) for v in np.clip(np.array((150, 190, 228)) + rng.uniform(-30, 20, 3), 0, 255)),
        "road": (int(rng.uniform(72, 100)),) * 3,
        "walk": tuple(int(v) for v in rng.uniform(140, 178) + rng.uniform(-8, 8, 3)),
        "houses": _windows(rng, aspect),
        "tree": (rng.uniform(0.05, 0.95) * aspect, bool(rng.random() < 0.4)),
    }


def _draw_backdrop(b, scene, look):
    far, big = -0.9, scene.aspect + 0.9
    b.image[:] = _scaled(look["sky"], 1 - 0.6 * scene.darkness)
    for x0, top, x1, wall, panes in look["houses"]:
        b.box(x0, top, x1, 0.43, wall)
        for wx, wy, lit in panes:
            # Lit windows are so bright here that they still glow when the dark has fallen.
            glass = (255, 236, 150) if lit and scene.darkness > 0.35 else _scaled(wall, 0.55)
            b.box(wx - 0.028, wy, wx + 0.028, wy + 0.07, glass)
    tree_x, there = look["tree"]
    if there:
        b.box(tree_x - 0.015, 0.25, tree_x + 0.015, 0.44, (84, 66, 50))
        b.ellipse(tree_x, 0.21, 0.10, 0.12, (72, 104, 66))
    b.box(far, 0.42, big, ROAD_TOP, look["walk"])
    b.box(far, ROAD_TOP, big, ROAD_BOTTOM, look["road"])
    b.box(far, ROAD_BOTTOM, big, 1.2, _scaled(look["walk"], 1.05))
    b.box(far, ROAD_BOTTOM, big, ROAD_BOTTOM + 0.014, _scaled(look["walk"], 0.72))
    b.box(far, ROAD_TOP - 0.008, big, ROAD_TOP, _scaled(look["walk"], 0.75))
    if not scene.crossing:   # lane marks; a zebra takes their place
        for k in range(-4, 12):
            x = k * 0.26
            b.box(x, 0.627, x + 0.13, 0.637, (200, 200, 195))


def _draw_crossing(b, scene):
    centre = scene.aspect / 2
    bars = 6
    for k in range(bars):   # bars lie along the traffic, one behind the other
        edges = []
        for part in (k / bars + 0.02, (k + 0.58) / bars + 0.02):
            y = ROAD_TOP + (ROAD_BOTTOM - ROAD_TOP) * part
            half = 0.17 + 0.20 * part
            edges.append((y, half))
        (y0, h0), (y1, h1) = edges
        b.polygon(((centre - h0, y0), (centre + h0, y0), (centre + h1, y1), (centre - h1, y1)), (228, 228, 222))


def shadow_edge(scene):
    """World x up to which the near pavement lies in the shade."""
    return scene.aspect * (1.2 * scene.shadow - 0.1)


def _draw_shadow(b, scene):
    edge = shadow_edge(scene)
    mask = np.zeros(b.image.shape[:2], np.uint8)
    corners = [b.pixel(*p) for p in ((-0.9, ROAD_BOTTOM), (edge - 0.05, ROAD_BOTTOM), (edge + 0.05, 1.2), (-0.9, 1.2))]
    cv2.fillPoly(mask, [np.rint(np.array(corners) * 16).astype(np.int32)], 255, cv2.LINE_AA, SUBPIXEL_BITS)
    b.image = np.where(mask[:, :, None] > 127, cv2.LUT(b.image, _SHADE), b.image)


_SHADE = (np.arange(256) * 0.55).astype(np.uint8)


def _draw_light(b, light):
    x = light.x
    b.box(x - 0.014, LIGHT_TOP + LIGHT_HEIGHT - 0.01, x + 0.014, 0.455, (60, 62, 66))
    b.box(x - LIGHT_WIDTH / 2, LIGHT_TOP, x + LIGHT_WIDTH / 2, LIGHT_TOP + LIGHT_HEIGHT, (28, 29, 32))
    for k in range(3):
        b.ellipse(x, lamp_y(k), LAMP_RADIUS, LAMP_RADIUS, LAMP_OFF)


def lamp_y(index):
    return LIGHT_TOP + LIGHT_HEIGHT * (index + 0.5) / 3


def _draw_car(b, car):
    s, d = car.scale, car.heading
    half, bottom = CAR_LENGTH / 2 * s, car.y
    body, x = _scaled(PAINT[car.colour], car.shade), car.x
    top, belt = bottom - CAR_HEIGHT * s, bottom - 0.115 * s
    b.ellipse(x, bottom, half, 0.02 * s, (40, 40, 42))
    b.polygon(((x - d * 0.20 * s, belt), (x - d * 0.12 * s, top), (x + d * 0.07 * s, top), (x + d * 0.16 * s, belt)), body)
    b.polygon(((x - d * 0.16 * s, belt), (x - d * 0.105 * s, top + 0.018 * s), (x + d * 0.055 * s, top + 0.018 * s),
               (x + d * 0.12 * s, belt)), (120, 150, 165))
    b.box(x - 0.035 * s, top, x - 0.015 * s, belt, body)
    b.polygon(((x - half, belt + 0.012 * s), (x - half + 0.03 * s, belt), (x + half - 0.03 * s, belt),
               (x + half, belt + 0.012 * s), (x + half, bottom - 0.02 * s), (x - half, bottom - 0.02 * s)), body)
    b.box(x - half, bottom - 0.038 * s, x + half, bottom - 0.022 * s, _scaled(body, 0.7))
    for side in (-1, 1):
        wx = x + side * 0.155 * s
        b.ellipse(wx, bottom - 0.022 * s, 0.045 * s, 0.045 * s, (18, 18, 18))
        b.ellipse(wx, bottom - 0.022 * s, 0.02 * s, 0.02 * s, (165, 165, 168))


def _draw_person(b, p):
    h, x, y = p.height, p.x, p.y
    swing = 0.09 * h * np.sin(p.stride) if p.walking else 0.045 * h
    b.ellipse(x, y, 0.16 * h, 0.02 * h, (70, 70, 70))
    for side in (-1, 1):
        b.line(x, y - 0.46 * h, x + side * swing, y - 0.01 * h, 0.085 * h, p.trousers)
    b.polygon(((x - 0.14 * h, y - 0.80 * h), (x + 0.14 * h, y - 0.80 * h), (x + 0.12 * h, y - 0.40 * h),
               (x - 0.12 * h, y - 0.40 * h)), p.coat)
    for side in (-1, 1):
        b.line(x + side * 0.15 * h, y - 0.77 * h, x + side * (0.16 * h - 0.4 * swing), y - 0.48 * h, 0.06 * h,
               _scaled(p.coat, 0.8))
    b.ellipse(x, y - 0.905 * h, 0.085 * h, 0.098 * h, p.hair)
    b.ellipse(x, y - 0.885 * h, 0.07 * h, 0.078 * h, p.skin)


def _draw_obstacle(b, o):
    x, y = o.x, o.y
    if o.kind == "bin":
        b.polygon(((x - 0.075, y - 0.20), (x + 0.075, y - 0.20), (x + 0.06, y), (x - 0.06, y)), (54, 92, 84))
        b.ellipse(x, y - 0.20, 0.085, 0.025, (34, 58, 54))
        for k in (-0.03, 0.0, 0.03):
            b.line(x + k, y - 0.17, x + k * 0.9, y - 0.02, 0.008, (38, 66, 60))
    elif o.kind == "cone":
        b.box(x - 0.085, y - 0.02, x + 0.085, y, (215, 90, 20))
        b.polygon(((x - 0.018, y - 0.21), (x + 0.018, y - 0.21), (x + 0.066, y - 0.02), (x - 0.066, y - 0.02)), (248, 112, 24))
        b.polygon(((x - 0.034, y - 0.145), (x + 0.034, y - 0.145), (x + 0.049, y - 0.09), (x - 0.049, y - 0.09)), (245, 245, 240))
    else:
        frame = (150, 40, 130)
        for side in (-1, 1):
            b.ring(x + side * 0.115, y - 0.08, 0.078, 0.014, (25, 25, 28))
        for x0, y0, x1, y1 in ((-0.115, -0.08, -0.05, -0.19), (-0.05, -0.19, 0.075, -0.19), (0.075, -0.19, 0.0, -0.08),
                               (0.0, -0.08, -0.05, -0.19), (-0.115, -0.08, 0.0, -0.08), (0.075, -0.21, 0.115, -0.08)):
            b.line(x + x0, y + y0, x + x1, y + y1, 0.014, frame)
        b.line(x - 0.075, y - 0.205, x - 0.025, y - 0.205, 0.018, (30, 30, 30))
        b.line(x + 0.055, y - 0.222, x + 0.10, y - 0.222, 0.014, (30, 30, 30))


def _exposure_table(darkness, gain):
    """One lookup per channel: night is dimmer and bluer; colours stay nameable."""
    ramp = np.arange(256, dtype=np.float32)
    keep = np.array((1 - 0.52 * darkness, 1 - 0.48 * darkness, 1 - 0.36 * darkness), np.float32)
    table = np.clip(ramp[:, None] * keep * gain, 0, 255)
    return table.astype(np.uint8).reshape(1, 256, 3)


def _draw_shining(b, scene):
    """What gives light itself is drawn after the dark has fallen."""
    light = scene.light
    if light:
        k = LIGHT_STATES.index(light.state)
        y = lamp_y(k)
        b.ellipse(light.x, y, LAMP_RADIUS * 1.12, LAMP_RADIUS * 1.12, _scaled(LAMP_ON[light.state], 0.55))
        b.ellipse(light.x, y, LAMP_RADIUS, LAMP_RADIUS, LAMP_ON[light.state])
    if scene.car and scene.darkness > 0.35:
        car, s = scene.car, scene.car.scale
        front, back = car.x + car.heading * (CAR_LENGTH / 2 - 0.02) * s, car.x - car.heading * (CAR_LENGTH / 2 - 0.015) * s
        b.ellipse(front, car.y - 0.08 * s, 0.02 * s, 0.02 * s, (255, 246, 205))
        b.ellipse(back, car.y - 0.08 * s, 0.013 * s, 0.016 * s, (190, 30, 30))


@lru_cache(maxsize=2)
def _noise_bank(size):
    """Unit normal noise, made once; each frame takes its own window of it."""
    return np.random.default_rng(7).standard_normal(size).astype(np.float32)


def _add_noise(image, scene):
    count, bank = image.size, _noise_bank(1 << 21)
    start = (scene.noise_seed * 7919) % (bank.size - count)
    grain = (bank[start:start + count] * scene.noise).reshape(image.shape)
    return cv2.add(image, grain, dtype=cv2.CV_8U)


def _draw_rain(image, scene):
    """Streaks at new places in every frame."""
    rng = np.random.default_rng(scene.noise_seed)
    height, width = image.shape[:2]
    drops = rng.random((int(260 * scene.rain), 2)) * (width, height)
    streak = np.array((0.006, 0.035)) * height
    lines = np.rint(np.stack([drops, drops + streak], 1) * 16).astype(np.int32)
    layer = image.copy()
    cv2.polylines(layer, list(lines), False, (205, 210, 216), 1, cv2.LINE_AA, SUBPIXEL_BITS)
    return cv2.addWeighted(layer, 0.45, image, 0.55, 0)


def draw_scene(scene, width, height):
    """RGB, height x width x 3, uint8. Same scene and size, same bytes."""
    b = Brush(scene, width, height)
    look = _backdrop(scene.backdrop, scene.aspect)
    _draw_backdrop(b, scene, look)
    if scene.crossing:
        _draw_crossing(b, scene)
    if scene.light:
        _draw_light(b, scene.light)
    draw_signs(b, scene)
    if scene.shadow > 0:
        _draw_shadow(b, scene)
    things = [(p.y, _draw_person, p) for p in scene.people] + [(o.y, _draw_obstacle, o) for o in scene.obstacles]
    if scene.car:
        things.append((scene.car.y, _draw_car, scene.car))
    for _, draw, thing in sorted(things, key=lambda t: t[0]):   # far things first
        draw(b, thing)
    draw_boards(b, scene.more_boards)
    if scene.darkness > 0 or scene.gain != 1:
        b.image = cv2.LUT(b.image, _exposure_table(scene.darkness, scene.gain))
    _draw_shining(b, scene)
    if scene.rain > 0:
        b.image = _draw_rain(b.image, scene)
    return _add_noise(b.image, scene) if scene.noise > 0 else b.image
