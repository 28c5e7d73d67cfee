"""The street world: what is in a scene, and which scene a seed means.

A Scene is explicit, continuous state. Everything else follows from it: the
picture (draw.py), the answers (questions.py), the patch labels (labels.py) and,
with state that moves, a clip (clip.py). The same seed is the same scene for ever.

Lengths and places are in units of the frame height; x runs from 0 to `aspect`,
y from 0 (top) to 1 (bottom). A place's y is where the thing touches the ground.
"""

from dataclasses import dataclass, field

import numpy as np

LIGHT_STATES = ("red", "yellow", "green")
CAR_COLOURS = ("red", "blue", "white", "black", "yellow", "green")
OBSTACLES = ("bin", "bicycle", "cone")
# One length for all words: a sign must be read, not measured.
WORDS = ("BANK", "CAFE", "EXIT", "FISH", "PARK", "POST", "SHOP", "TAXI", "TOYS", "WINE")
HOURS = ("OPEN", "SHUT")
BUS_LINES = tuple("123456789")
ARROWS = ("left", "right", "up")
MAX_PEOPLE = 4

# Seed ranges are disjoint by construction; tests/training proves it.
SPLITS = {
    "train": range(0, 1_000_000_000),
    "validation": range(1_000_000_000, 1_001_000_000),
    "test": range(2_000_000_000, 2_001_000_000),
}

ROAD_TOP, ROAD_BOTTOM = 0.47, 0.78
CAR_LENGTH, CAR_HEIGHT = 0.52, 0.20
LIGHT_WIDTH, LIGHT_HEIGHT, LIGHT_TOP = 0.12, 0.29, 0.06
LAMP_RADIUS = 0.041
# Small print: at 192 x 192 a letter is under three pixels wide, at 384 x 384 over five.
LETTER_HEIGHT, LETTER_ADVANCE = 0.030, 0.027
BOARD_MARGIN = 0.009
# How much of a thing must be inside the frame to be spoken of. Scenes for
# training and scoring keep out of the band between "gone" and "there".
THERE, GONE = 0.30, 0.10


@dataclass
class Person:
    x: float
    y: float
    height: float
    coat: tuple
    trousers: tuple
    skin: tuple
    hair: tuple
    stride: float = 0.0   # phase of the legs, radians
    walking: bool = True

    @property
    def width(self):
        return 0.36 * self.height


@dataclass
class Car:
    x: float
    y: float
    colour: str
    shade: float = 1.0    # brightness of the paint
    heading: int = 1      # 1 drives to the right, -1 to the left

    @property
    def scale(self):
        return 1.0 + 1.3 * (self.y - 0.70)


@dataclass
class Light:
    x: float
    state: str


@dataclass
class Obstacle:
    kind: str
    x: float
    y: float
    on_path: bool


@dataclass
class Board:
    """Text on a plate: a shop's sign, its hours, the number of a bus."""
    text: str
    x: float
    y: float              # its middle
    letter: float = LETTER_HEIGHT
    paint: int = 0        # which pair of colours

    @property
    def width(self):
        return len(self.text) * self.letter * LETTER_ADVANCE / LETTER_HEIGHT + 2 * BOARD_MARGIN

    @property
    def height(self):
        return self.letter + 1.6 * BOARD_MARGIN


@dataclass
class Arrow:
    direction: str
    x: float
    y: float
    radius: float = 0.026

    @property
    def width(self):
        return 2 * self.radius

    @property
    def height(self):
        return 2 * self.radius


@dataclass
class Scene:
    aspect: float
    people: list = field(default_factory=list)
    car: Car = None
    light: Light = None
    obstacles: list = field(default_factory=list)
    sign: Board = None
    hours: Board = None     # hangs below the sign
    bus: Board = None
    arrow: Arrow = None
    more_boards: list = field(default_factory=list)   # and arrows: reading practice; such a scene is asked nothing about signs
    shadow: float = 0.0     # how far a house's shadow has come over the near pavement, 0 to 1; the path lies at 0.5
    rain: float = 0.0       # 0 dry, 1 pouring
    crossing: bool = False
    darkness: float = 0.0   # 0 noon, 1 night; night from 0.5
    backdrop: int = 0       # seed of houses, trees and ground colours
    shift: tuple = (0.0, 0.0)   # camera jitter, frame heights
    zoom: float = 1.0
    gain: float = 1.0
    noise: float = 0.0      # standard deviation, grey levels
    noise_seed: int = 0


def height_at(y):
    """A person's height follows from how far away the feet are."""
    return 0.235 + 0.40 * (y - 0.45)


def to_view(scene, x, y):
    """World point -> frame point, both in frame heights (jitter and zoom)."""
    cx = scene.aspect / 2
    return ((x - cx) * scene.zoom + cx + scene.shift[0],
            (y - 0.5) * scene.zoom + 0.5 + scene.shift[1])


def from_view(scene, x):
    """The world's x that is seen at this x of the frame."""
    cx = scene.aspect / 2
    return (x - cx - scene.shift[0]) / scene.zoom + cx


def side_of(scene, x):
    """-0.5 at the frame's left edge, 0 in its middle, 0.5 at the right."""
    return to_view(scene, x, 0)[0] / scene.aspect - 0.5


def inside_fraction(scene, x, width):
    """Which part of a thing of this width, centred at x, is inside the frame."""
    left, _ = to_view(scene, x - width / 2, 0)
    right, _ = to_view(scene, x + width / 2, 0)
    shown = min(right, scene.aspect) - max(left, 0.0)
    return max(0.0, shown) / (right - left)


def shows(scene, x, width):
    return inside_fraction(scene, x, width) >= (THERE + GONE) / 2


def visible_light(scene):
    light = scene.light
    return light if light and shows(scene, light.x, LIGHT_WIDTH) else None


def visible_board(scene, board):
    """Text counts as seen only as a whole."""
    return board if board and inside_fraction(scene, board.x, board.width) > 0.99 else None


def visible_people(scene):
    return [p for p in scene.people if shows(scene, p.x, p.width)]


def visible_car(scene):
    car = scene.car
    if car and shows(scene, car.x, CAR_LENGTH * car.scale):
        return car
    return None


def _colour(rng, low, high, saturation):
    grey = rng.uniform(low, high)
    tint = rng.uniform(-saturation, saturation, 3)
    return tuple(int(v) for v in np.clip(grey + tint, 25, 250))


def random_person(rng, x, y, walking=True):
    skin = ((236, 196, 168), (205, 155, 120), (150, 102, 72), (98, 66, 48))[rng.integers(4)]
    hair = ((40, 30, 24), (90, 60, 36), (190, 150, 90), (120, 118, 116))[rng.integers(4)]
    return Person(x=float(x), y=float(y), height=float(height_at(y) * rng.uniform(0.94, 1.06)),
                  coat=_colour(rng, 85, 205, 90), trousers=_colour(rng, 45, 130, 30),
                  skin=skin, hair=hair, stride=float(rng.uniform(0, 6.28)), walking=walking)


def _at_edge(rng, aspect, width):
    """A place in the frame that cuts the thing: clearly there or clearly gone, never between."""
    share = rng.uniform(0.03, GONE - 0.01) if rng.random() < 0.5 else rng.uniform(THERE + 0.05, 0.9)
    x = width * (share - 0.5)
    return x if rng.random() < 0.5 else aspect - x


def _far_enough(x, y, people, light, car, obstacles):
    """Little hides little: that is how the world keeps its labels honest."""
    for other in people:
        if abs(other.x - x) < 0.17:
            return False
    if light and y < 0.5 and abs(light.x - x) < 0.15:
        return False
    if car and 0.48 < y < 0.80 and abs(car.x - x) < 0.42:
        return False
    return not (y > 0.8 and any(abs(o.x - x) < 0.24 for o in obstacles))


def _random_camera(rng, scene):
    """Mostly a camera that hangs still; else one in a hand, or one that looks aside."""
    kind = rng.random()
    if kind < 0.55:
        scene.shift = (float(rng.uniform(-0.012, 0.012)), float(rng.uniform(-0.012, 0.012)))
        scene.zoom = float(rng.uniform(0.985, 1.02))
    elif kind < 0.8:
        scene.shift = (float(rng.uniform(-0.12, 0.12)), float(rng.uniform(-0.03, 0.03)))
        scene.zoom = float(rng.uniform(0.96, 1.06))


def _random_signs(rng, scene):
    """Small print above people's heads, apart from each other and from the light."""
    taken = [scene.light.x] if scene.light else []

    def place(width):
        for _ in range(20):
            x = from_view(scene, rng.uniform(0.09, 0.91) * scene.aspect)
            if all(abs(x - other) > 0.13 + width / 2 for other in taken):
                taken.append(x)
                return float(x)
        return None

    def letter():
        return float(LETTER_HEIGHT * (rng.uniform(0.95, 1.1) if rng.random() < 0.7 else rng.uniform(1.1, 1.8)))

    def board(text, height=None):
        made = Board(text, 0.0, float(rng.uniform(0.075, 0.14)), height or letter(), int(rng.integers(4)))
        made.x = place(made.width)
        return made if made.x is not None else None

    if rng.random() < 0.75:
        scene.sign = board(str(rng.choice(WORDS)))
        if scene.sign and rng.random() < 0.7:
            above = scene.sign
            scene.hours = Board(str(rng.choice(HOURS)), above.x, 0.0, above.letter * 0.9, int(rng.integers(4)))
            scene.hours.y = above.y + (above.height + scene.hours.height) / 2 + 0.006
    if rng.random() < 0.65:
        scene.bus = board(str(rng.choice(BUS_LINES)))
    if rng.random() < 0.65:
        arrow = Arrow(str(rng.choice(ARROWS)), 0.0, float(rng.uniform(0.10, 0.18)), float(rng.uniform(0.024, 0.03)))
        arrow.x = place(arrow.width)
        scene.arrow = arrow if arrow.x is not None else None


def add_reading_practice(rng, scene, left=0.0, top=0.0, share=1.0):
    """A page of boards, side by side, before everything else: for the patch labels alone. Small print is
    learned from very many words, and a street has few. The page fills a window of the frame, `share` of
    its width and height from (left, top), all in shares of the frame."""
    scene.sign = scene.hours = scene.bus = scene.arrow = None
    y = top + float(rng.uniform(-0.02, 0.02))
    while y < top + share:
        letter = float(LETTER_HEIGHT * 0.92 * 2.5 ** rng.beta(1.0, 2.2))
        x = left * scene.aspect + float(rng.uniform(-0.05, 0.02))
        while x < (left + share) * scene.aspect:
            kind = rng.random()
            if kind < 0.3:
                board = Arrow(str(rng.choice(ARROWS)), 0.0, 0.0, letter * float(rng.uniform(0.75, 1.0)))
            else:
                text = str(rng.choice(WORDS + HOURS) if kind < 0.37 else rng.choice(BUS_LINES))
                board = Board(text, 0.0, 0.0, letter, int(rng.integers(4)))
            board.x, board.y = float(from_view(scene, x + board.width / 2)), y + board.height / 2
            if rng.random() < 0.85:   # else the street shows through
                scene.more_boards.append(board)
            x += board.width + float(rng.uniform(0.0, 0.02))
        y += board.height + float(rng.uniform(0.0, 0.012))


def random_scene(seed):
    """The scene of a seed; answers are spread so that guessing earns little."""
    rng = np.random.default_rng(seed)
    aspect = 16 / 9 if rng.random() < 0.85 else 4 / 3
    scene = Scene(aspect=aspect, backdrop=int(rng.integers(1 << 30)),
                  crossing=bool(rng.random() < 0.6),
                  darkness=float(rng.uniform(0.75, 1.0) if rng.random() < 0.4 else rng.uniform(0, 0.25)))
    _random_camera(rng, scene)
    calm = rng.random() < 0.28   # scenes in which crossing is safe would else be rare
    state = rng.choice(("green", "none") if calm else ("red", "yellow", "green", "none"),
                       p=(0.6, 0.4) if calm else (0.38, 0.20, 0.27, 0.15))
    if state != "none":
        x = rng.uniform(0.10, 0.34) if rng.random() < 0.5 else rng.uniform(0.66, 0.90)
        scene.light = Light(x=float(from_view(scene, x * aspect)), state=str(state))

    if not calm and rng.random() < 0.8:
        y = 0.60 if rng.random() < 0.5 else 0.73
        car = Car(x=0.0, y=y, colour=str(rng.choice(CAR_COLOURS)),
                  shade=float(rng.uniform(0.9, 1.05)), heading=1 if rng.random() < 0.5 else -1)
        if rng.random() < 0.12:
            car.x = float(from_view(scene, _at_edge(rng, aspect, CAR_LENGTH * car.scale * scene.zoom)))
        else:
            offset = rng.uniform(0.045, 0.36)   # dead centre has no side
            car.x = float(from_view(scene, aspect * (0.5 + (offset if rng.random() < 0.5 else -offset))))
        scene.car = car

    def obstacle(share, y, on_path):
        scene.obstacles.append(Obstacle(str(rng.choice(OBSTACLES)), float(from_view(scene, aspect * share)), float(y), on_path))

    if rng.random() < 0.5:
        obstacle(rng.uniform(0.42, 0.58), rng.uniform(0.90, 0.97), True)
    if rng.random() < 0.3:   # at the side: not in the way
        side = rng.uniform(0.08, 0.18)
        obstacle(side if rng.random() < 0.5 else 1 - side, rng.uniform(0.88, 0.95), False)

    wanted = int(rng.integers(MAX_PEOPLE + 1))
    cut = rng.random() < 0.1
    for _ in range(60):
        if len(scene.people) == wanted:
            break
        where = rng.random()
        y = rng.uniform(0.45, 0.475) if where < 0.45 else rng.uniform(0.86, 0.97) if where < 0.8 else rng.uniform(0.55, 0.74)
        share = rng.uniform(0.06, 0.94)
        if abs(share - 0.5) < 0.03:   # nobody stands where left meets right
            continue
        x = from_view(scene, share * aspect)
        if cut:
            x, cut = from_view(scene, _at_edge(rng, aspect, 0.36 * height_at(y) * scene.zoom)), False
        if _far_enough(x, y, scene.people, scene.light, scene.car, scene.obstacles):
            scene.people.append(random_person(rng, x, y, walking=bool(rng.random() < 0.7)))

    _random_signs(rng, scene)
    if rng.random() < 0.35 and scene.darkness < 0.5:
        scene.shadow = float(rng.uniform(0.7, 1.0) if rng.random() < 0.6 else rng.uniform(0.05, 0.3))
    if rng.random() < 0.12:
        scene.rain = float(rng.uniform(0.2, 1.0))
    scene.gain = float(rng.uniform(0.8, 1.2))
    scene.noise = float(rng.uniform(0, 7) if rng.random() < 0.7 else 0)
    scene.noise_seed = int(rng.integers(1 << 30))
    return scene
