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
class Scene:
    aspect: float
    people: list = field(default_factory=list)
    car: Car = None
    light: Light = None
    obstacles: list = field(default_factory=list)
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


def inside_fraction(scene, x, width):
    """Which part of a thing of this width, centred at x, is inside the frame."""
    left, _ = to_view(scene, x - width / 2, 0)
    right, _ = to_view(scene, x + width / 2, 0)
    shown = min(right, scene.aspect) - max(left, 0.0)
    return max(0.0, shown) / (right - left)


def shows(scene, x, width):
    return inside_fraction(scene, x, width) >= (THERE + GONE) / 2


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
    """A place that cuts the thing: clearly there or clearly gone, never between."""
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


def random_scene(seed):
    """The scene of a seed; answers are spread so that guessing earns little."""
    rng = np.random.default_rng(seed)
    aspect = 16 / 9 if rng.random() < 0.85 else 4 / 3
    scene = Scene(aspect=aspect, backdrop=int(rng.integers(1 << 30)),
                  crossing=bool(rng.random() < 0.6),
                  darkness=float(rng.uniform(0.75, 1.0) if rng.random() < 0.4 else rng.uniform(0, 0.25)))
    calm = rng.random() < 0.28   # scenes in which crossing is safe would else be rare
    state = rng.choice(("green", "none") if calm else ("red", "yellow", "green", "none"),
                       p=(0.6, 0.4) if calm else (0.38, 0.20, 0.27, 0.15))
    if state != "none":
        x = rng.uniform(0.10, 0.34) if rng.random() < 0.5 else rng.uniform(0.66, 0.90)
        scene.light = Light(x=float(x * aspect), state=str(state))

    if not calm and rng.random() < 0.8:
        y = 0.60 if rng.random() < 0.5 else 0.73
        car = Car(x=0.0, y=y, colour=str(rng.choice(CAR_COLOURS)),
                  shade=float(rng.uniform(0.9, 1.05)), heading=1 if rng.random() < 0.5 else -1)
        if rng.random() < 0.12:
            car.x = float(_at_edge(rng, aspect, CAR_LENGTH * car.scale))
        else:
            offset = rng.uniform(0.045, 0.36)   # dead centre has no side
            car.x = float(aspect * (0.5 + (offset if rng.random() < 0.5 else -offset)))
        scene.car = car

    if rng.random() < 0.5:
        scene.obstacles.append(Obstacle(str(rng.choice(OBSTACLES)), float(aspect * rng.uniform(0.42, 0.58)),
                                        float(rng.uniform(0.90, 0.97)), True))
    if rng.random() < 0.3:   # at the side: not in the way
        side = rng.uniform(0.08, 0.18)
        scene.obstacles.append(Obstacle(str(rng.choice(OBSTACLES)), float(aspect * (side if rng.random() < 0.5 else 1 - side)),
                                        float(rng.uniform(0.88, 0.95)), False))

    wanted = int(rng.integers(MAX_PEOPLE + 1))
    cut = rng.random() < 0.1
    for _ in range(60):
        if len(scene.people) == wanted:
            break
        where = rng.random()
        y = rng.uniform(0.45, 0.475) if where < 0.45 else rng.uniform(0.86, 0.97) if where < 0.8 else rng.uniform(0.55, 0.74)
        x = rng.uniform(0.05, 0.95) * aspect
        if cut:
            x, cut = _at_edge(rng, aspect, 0.36 * height_at(y)), False
        if _far_enough(x, y, scene.people, scene.light, scene.car, scene.obstacles):
            scene.people.append(random_person(rng, x, y, walking=bool(rng.random() < 0.7)))

    if rng.random() < 0.7:
        scene.shift = (float(rng.uniform(-0.012, 0.012)), float(rng.uniform(-0.012, 0.012)))
        scene.zoom = float(rng.uniform(0.985, 1.02))
    scene.gain = float(rng.uniform(0.85, 1.15))
    scene.noise = float(rng.uniform(0, 7) if rng.random() < 0.7 else 0)
    scene.noise_seed = int(rng.integers(1 << 30))
    return scene
