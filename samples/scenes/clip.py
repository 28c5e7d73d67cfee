"""Renders a clip of the street and the truth about it.

    python3 samples/scenes/clip.py --seed 2000900060 --out samples/clips

writes street60.avi (Motion JPEG, 640 x 360, 10 frames a second, 60 s) and street60.json: for
every question its canonical wording and the intervals of its answer, which cover the clip
without gap or overlap, and `unsure`: where something is half in the frame or on a border, so
that neither answer is wrong and none should be scored. The same seed gives the same bytes.
"""

import argparse
import copy
import os

import cv2
import numpy as np

from avi import write_avi
from borders import BESIDE, PATH
from draw import draw_scene
from scene import CAR_COLOURS, OBSTACLES, SPLITS, Car, Light, Obstacle, Scene, inside_fraction, random_person
from script import Track
from timeline import events_of, questions_over, write_truth

FPS, SECONDS, WIDTH, HEIGHT = 10, 60, 640, 360
ASPECT = WIDTH / HEIGHT
JPEG_SETTINGS = (cv2.IMWRITE_JPEG_QUALITY, 68, cv2.IMWRITE_JPEG_OPTIMIZE, 1)   # keeps the clip under 8 MB
# What one glance of the edge model can answer here; the street of the demo has no signs and asks no long questions.
KINDS = ("light", "people", "anybody", "people_left", "people_right", "car", "car_colour", "car_side", "path", "in_the_way",
         "safe", "crossing", "day")
DEFAULT_SEED = SPLITS["test"].start + 900_060


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
        for someone, track in self.people:
            person = copy.copy(someone)
            person.x, person.walking = self._x(track.at(t)), track.moves(t)
            person.stride = 9.0 * t if person.walking else 0.0
            if inside_fraction(scene, person.x, person.width) > 0:
                scene.people.append(person)
        share = self.obstacle_x.at(t)
        if share < 1.15:
            x = self._x(share)
            scene.obstacles.append(Obstacle(self.obstacle, x, 0.95, abs(share - 0.5) < (PATH + BESIDE) / 2))
        return scene


def timeline(seed, seconds=SECONDS):
    """What street60.json holds."""
    street, count = Street(seed), round(seconds * FPS)
    questions = questions_over([street.scene_at(k / FPS) for k in range(count)], FPS, KINDS)
    return {"file": "street60.avi", "seed": seed, "fps": FPS, "frames": count, "duration": seconds, "width": WIDTH,
            "height": HEIGHT, "events": events_of(questions), "questions": questions}


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
    write_truth(os.path.join(options.out, "street60.json"), timeline(options.seed))


if __name__ == "__main__":
    main()
