"""Renders a clip of the street and the truth about it.

    python3 samples/scenes/clip.py --seed 2000900060 --out samples/clips

writes street60.avi (Motion JPEG, 640 x 360, 10 frames a second, 60 s) and street60.json: for
every question its canonical wording and the intervals of its answer, which cover the clip
without gap or overlap, and `unsure`: where something is half in the frame or on a border, so
that neither answer is wrong and none should be scored. The same seed gives the same bytes.
"""

import argparse
import json
import os

import cv2
import numpy as np

from avi import write_avi
from draw import draw_scene
from questions import QUESTIONS, answer, canonical
from scene import (CAR_COLOURS, CAR_LENGTH, GONE, OBSTACLES, SPLITS, THERE, Car, Light, Obstacle, Scene,
                   inside_fraction, random_person)

FPS, SECONDS, WIDTH, HEIGHT = 10, 60, 640, 360
ASPECT = WIDTH / HEIGHT
JPEG_SETTINGS = (cv2.IMWRITE_JPEG_QUALITY, 68, cv2.IMWRITE_JPEG_OPTIMIZE, 1)   # keeps the clip under 8 MB
DEFAULT_SEED = SPLITS["test"].start + 900_060
# Scenes for training keep things out of these bands, so an answer inside them is open.
SIDE_BAND = 0.045          # of the frame's width, around the middle: a car has no side there
PERSON_BAND = 0.03         # the same for a person
PATH, BESIDE = 0.085, 0.31  # distance from the middle: on the path up to the one, beside it from the other
DUSK = (0.25, 0.75)        # darkness that is neither day nor night
TOUCHING = 0.15            # people nearer to each other than this may hide one another
PEOPLE_KINDS = {"people", "people_left", "people_right", "anybody"}


class Track:
    """A number over time: straight lines between (second, value) points, constant outside."""

    def __init__(self, *points):
        self.times, self.values = zip(*points)

    def at(self, t):
        return float(np.interp(t, self.times, self.values))

    def moves(self, t):
        return abs(self.at(t + 0.05) - self.at(t - 0.05)) > 1e-6


class Street:
    """The script: who does what when. The seed chooses colours, clothes, sides and small delays."""

    def __init__(self, seed):
        rng = np.random.default_rng((seed, 60))
        self.mirror = bool(rng.random() < 0.5)
        late = lambda t: t + float(rng.uniform(-0.4, 0.4))   # noqa: E731
        out = 0.12 / ASPECT   # far enough outside the frame to be gone
        self.backdrop = int(rng.integers(1 << 30))
        self.light_x = ASPECT * 0.88
        self.lights = [(0.0, "red"), (late(13), "green"), (late(25), "yellow"), (late(27.5), "red"), (late(45), "green"),
                       (late(56), "yellow"), (late(58), "red")]

        colours = rng.permutation(CAR_COLOURS)
        far, near = 0.60, 0.73
        self.cars = [
            (str(colours[0]), near, 1, Track((late(5), -0.3), (8.5, 1.3))),                              # drives by
            (str(colours[1]), near, 1, Track((late(29.5), -0.3), (32, 0.31), (42.5, 0.31), (46.0, 1.3))),   # stops and waits
            (str(colours[2]), far, -1, Track((late(52), 1.3), (55.5, -0.3))),                            # the other way
        ]

        def walker(y, *points):
            x = Track(*points)
            return random_person(rng, 0, y), x

        self.people = [
            walker(0.460, (0, 0.19), (late(22), 0.19), (26, -out)),                        # waits, then goes
            walker(0.465, (late(10), 1 + out), (16.5, 0.64), (48, 0.64), (53, 1 + out)),   # comes and stays long
            walker(0.930, (late(15), -out), (17, 0.06), (36.5, 0.06), (39.5, -out)),       # on this side
            walker(0.455, (late(33), -out), (37, 0.30), (60, 0.30)),
        ]
        self.obstacle = str(rng.choice(OBSTACLES))
        self.obstacle_x = Track((late(19.5), 1.2), (23.0, 0.5), (40.0, 0.5), (43.5, 1.2))
        self.darkness = Track((37.5, 0.05), (40.5, 0.95))
        self.noise_seed = int(rng.integers(1 << 20))

    def _x(self, share):
        return ASPECT * (1 - share if self.mirror else share)

    def scene_at(self, t):
        """The state at second t."""
        scene = Scene(aspect=ASPECT, backdrop=self.backdrop, crossing=True, darkness=self.darkness.at(t),
                      noise=1.2, noise_seed=self.noise_seed + round(t * FPS))
        state = [s for start, s in self.lights if start <= t][-1]
        scene.light = Light(self._x(self.light_x / ASPECT), state)
        for colour, y, heading, track in self.cars:
            if track.times[0] < t < track.times[-1]:   # one car at a time
                scene.car = Car(self._x(track.at(t)), y, colour, heading=-heading if self.mirror else heading)
        for person, track in self.people:
            person.x, person.walking = self._x(track.at(t)), track.moves(t)
            person.stride = 9.0 * t if person.walking else 0.0
            if inside_fraction(scene, person.x, person.width) > 0:
                scene.people.append(person)
        share = self.obstacle_x.at(t)
        if share < 1.15:
            x = self._x(share)
            scene.obstacles.append(Obstacle(self.obstacle, x, 0.95, abs(share - 0.5) < (PATH + BESIDE) / 2))
        return scene


def unsure_kinds(scene):
    """Questions whose answer is on a border in this scene."""
    unsure = set()
    between = lambda f: GONE < f < THERE   # noqa: E731
    if any(between(inside_fraction(scene, p.x, p.width)) for p in scene.people):
        unsure |= PEOPLE_KINDS
    places = sorted(p.x for p in scene.people)
    if any(b - a < TOUCHING for a, b in zip(places, places[1:])):
        unsure |= PEOPLE_KINDS
    if any(abs(p.x / scene.aspect - 0.5) < PERSON_BAND for p in scene.people):
        unsure |= {"people_left", "people_right"}
    if any(p.y < 0.5 and abs(p.x - scene.light.x) < 0.12 for p in scene.people):   # before the signal
        unsure |= PEOPLE_KINDS | {"light"}
    car = scene.car
    if car:
        if between(inside_fraction(scene, car.x, CAR_LENGTH * car.scale)):
            unsure |= {"car", "car_colour", "car_side", "safe"}
        if abs(car.x / scene.aspect - 0.5) < SIDE_BAND:
            unsure.add("car_side")
    if any(PATH < abs(o.x / scene.aspect - 0.5) < BESIDE for o in scene.obstacles):
        unsure |= {"path", "in_the_way"}
    if DUSK[0] < scene.darkness < DUSK[1]:
        unsure.add("day")
    return unsure


def intervals(values):
    """Runs of equal values, frame by frame -> [{start, end, answer}] in seconds."""
    runs = []
    for k, value in enumerate(values):
        if not runs or runs[-1]["answer"] != value:
            runs.append({"start": k / FPS, "end": (k + 1) / FPS, "answer": value})
        runs[-1]["end"] = (k + 1) / FPS
    return runs


def timeline(seed, seconds=SECONDS):
    """What street60.json holds."""
    street, count = Street(seed), round(seconds * FPS)
    answers, unsure = {k: [] for k in QUESTIONS}, {k: [] for k in QUESTIONS}
    for k in range(count):
        scene = street.scene_at(k / FPS)
        open_now = unsure_kinds(scene)
        for kind in QUESTIONS:
            answers[kind].append(answer(kind, scene))
            unsure[kind].append(kind in open_now)
    questions = {kind: {"question": canonical(kind), "intervals": intervals(answers[kind]),
                        "unsure": [{"start": r["start"], "end": r["end"]} for r in intervals(unsure[kind]) if r["answer"]]}
                 for kind in QUESTIONS}
    events = sorted(({"time": run["start"], "question": kind, "from": before["answer"], "to": run["answer"]}
                     for kind, q in questions.items() for before, run in zip(q["intervals"], q["intervals"][1:])),
                    key=lambda e: (e["time"], e["question"]))
    return {"file": "street60.avi", "seed": seed, "fps": FPS, "frames": count, "duration": seconds, "width": WIDTH,
            "height": HEIGHT, "events": events, "questions": questions}


def write_clip(seed, path, seconds=SECONDS):
    street, frames = Street(seed), []
    for k in range(round(seconds * FPS)):
        picture = draw_scene(street.scene_at(k / FPS), WIDTH, HEIGHT)
        frames.append(cv2.imencode(".jpg", picture[:, :, ::-1], JPEG_SETTINGS)[1].tobytes())
    write_avi(path, frames, FPS, WIDTH, HEIGHT)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--seed", type=int, default=DEFAULT_SEED)
    arguments.add_argument("--out", default=os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "clips"))
    options = arguments.parse_args()
    test = SPLITS["test"]
    if options.seed not in test:
        arguments.error("--seed must be a test seed, from %d to %d: the model has never seen those" % (test.start, test.stop - 1))
    os.makedirs(options.out, exist_ok=True)
    write_clip(options.seed, os.path.join(options.out, "street60.avi"))
    with open(os.path.join(options.out, "street60.json"), "w", encoding="utf-8") as f:
        json.dump(timeline(options.seed), f, indent=1)
        f.write("\n")


if __name__ == "__main__":
    main()
