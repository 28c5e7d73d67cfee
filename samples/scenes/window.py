"""A scene that moves: the last few pictures of a stream, for questions that one picture cannot answer.

The last picture is random_scene(seed); the earlier ones lead up to it. Only what moves differs:
people, the car, the light, and a hand-held camera. The same seed and count give the same pictures.
"""

import copy

import numpy as np

from scene import CAR_LENGTH, LIGHT_STATES, from_view, random_person, random_scene

WALK, DRIVE = 0.14, 0.55   # frame heights a second


def _paths(rng, scene):
    """What each thing does, in frame heights a second: people, car."""
    people = []
    for person in scene.people:
        speed = float(rng.uniform(0.6, 1.5) * WALK * rng.choice((-1, 1))) if rng.random() < 0.55 else 0.0
        people.append(speed)
    car = 0.0
    if scene.car and rng.random() < 0.6:
        car = float(rng.uniform(0.5, 1.3) * DRIVE * scene.car.heading)
    return people, car


def _leavers(rng, scene):
    """People who are out of the picture by now; they were still there a little ago."""
    gone = []
    if len(scene.people) < 3 and rng.random() < 0.35:
        right = rng.random() < 0.5
        x = scene.aspect + 0.25 if right else -0.25
        y = rng.uniform(0.45, 0.475) if rng.random() < 0.5 else rng.uniform(0.86, 0.97)
        speed = float(rng.uniform(0.9, 1.6) * WALK) * (1 if right else -1)
        gone.append((random_person(rng, from_view(scene, x), y), speed))
    return gone


def random_window(seed, count):
    """`count` scenes, oldest first; they span one to six seconds."""
    now = random_scene(seed)
    rng = np.random.default_rng((seed, 4))
    span = float(rng.uniform(1.0, 6.0))
    speeds, car_speed = _paths(rng, now)
    leavers = _leavers(rng, now)
    for person, speed in zip(now.people, speeds):
        person.walking = speed != 0.0
    change_at, before = None, None
    if now.light and rng.random() < 0.45:
        change_at = rng.uniform(0.02, 0.98) * span
        before = str(rng.choice([s for s in LIGHT_STATES if s != now.light.state]))
    shaky = rng.random() < 0.35
    scenes = []
    for k in range(count):
        ago = span * (count - 1 - k) / max(1, count - 1)
        scene = copy.deepcopy(now)
        if ago > 0:
            for person, speed in zip(scene.people, speeds):
                person.x -= speed * ago
                person.stride += -9.0 * ago if speed else 0.0
            for person, speed in leavers:
                earlier = copy.copy(person)
                earlier.x -= speed * ago
                scene.people.append(earlier)
            if scene.car:
                scene.car.x -= car_speed * ago
                if abs(scene.car.x - scene.aspect / 2) > scene.aspect / 2 + CAR_LENGTH + 0.3:
                    scene.car = None
            if change_at is not None and ago > change_at:
                scene.light.state = before
            if shaky:
                scene.shift = tuple(s + float(rng.uniform(-0.02, 0.02)) for s in scene.shift)
            scene.noise_seed = int(rng.integers(1 << 30))
        scenes.append(scene)
    return scenes
