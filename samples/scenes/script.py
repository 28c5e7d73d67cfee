"""What happens in a stream: who comes and goes, when the light changes, what the camera does.

A Script is made from a preset and a seed and gives the Scene of any second; nothing in it depends
on the frame rate. What must be noticed (things, light, dusk, shadow) changes answers; what must
not (noise, rain, flicker, exposure steps, a shaking hand) changes none.
"""

import copy
import math
from dataclasses import dataclass

import numpy as np

from scene import (ARROWS, BUS_LINES, CAR_COLOURS, HOURS, OBSTACLES, WORDS, Arrow, Board, Car, Light, Obstacle, Scene,
                   inside_fraction, random_person)

ASPECT = 16 / 9
LANES = (0.60, 0.73)
OUTSIDE = 0.35   # frame heights beyond the edge: gone, also for a camera that looks aside


class Track:
    """A number over time: straight lines between (second, value) points, constant outside."""

    def __init__(self, *points):
        self.times, self.values = zip(*points)

    def at(self, t):
        return float(np.interp(t, self.times, self.values))

    def moves(self, t):
        return abs(self.at(t + 0.05) - self.at(t - 0.05)) > 1e-6


@dataclass(frozen=True)
class Preset:
    about: str
    cars_per_minute: float = 5.0
    people_per_minute: float = 7.0
    light: bool = True
    calm: float = 0.0         # share of the time, in one stretch in the middle, in which nothing happens
    camera: str = "static"    # static, handheld, walking
    disturbed: bool = False
    dusk: bool = False        # dusk falls over most of the clip
    shadow: bool = False      # a shadow creeps over the path


PRESETS = {
    "street": Preset("a busy street, static camera"),
    "calm": Preset("long stretches in which nothing happens", 1.5, 2.5, calm=0.6),
    "lights": Preset("a light that changes often, hardly anything else", 1.0, 1.0),
    "dusk": Preset("slow drift: dusk falls over minutes", 3.0, 4.0, dusk=True),
    "shadow": Preset("slow drift: a shadow creeps over the path", 2.0, 3.0, shadow=True),
    "disturbed": Preset("noise, rain, flicker and exposure steps that change no answer", 2.0, 3.0, disturbed=True),
    "empty": Preset("the same noise, rain, flicker and exposure steps, and nothing else at all", calm=1.0, disturbed=True),
    "handheld": Preset("a camera in a hand", 4.0, 6.0, camera="handheld"),
    "walking": Preset("a camera carried by someone who walks and looks aside", 3.0, 5.0, camera="walking"),
}


@dataclass
class Disturbance:
    kind: str       # flicker, exposure, rain, noise
    start: float
    end: float
    strength: float


class Script:
    def __init__(self, preset, seed, seconds):
        self.preset, self.seconds = PRESETS[preset], seconds
        # Python's own hash of a text differs from run to run.
        rng = np.random.default_rng((seed, sum(ord(c) << (k % 4 * 8) for k, c in enumerate(preset)), round(seconds * 10)))
        self.backdrop, self.noise_seed = int(rng.integers(1 << 30)), int(rng.integers(1 << 20))
        middle = seconds / 2
        half = self.preset.calm * seconds / 2
        self.calm = (middle - half, middle + half) if half else None
        self._crossing = bool(rng.random() < 0.7)
        self._camera(rng)
        self._lights(rng)
        self._signs(rng)
        self._cars(rng)
        self._people(rng)
        self._things(rng)
        self._weather(rng)
        if self.preset.calm == 1:
            self._clear()

    def _clear(self):
        """Nothing comes, nothing changes."""
        self.cars, self.people, self.obstacles = [], [], []
        self.states, self.words, self.hours = self.states[:1], self.words[:1], self.hours[:1]

    def _busy_times(self, rng, per_minute, gap):
        """Starting times, at least `gap` apart, none in the calm stretch; always at least one."""
        times, t = [], float(rng.uniform(0.5, 4.0))
        while t < self.seconds - 1:
            times.append(t)
            t += gap + float(rng.exponential(max(0.1, 60 / per_minute - gap)))
        outside = [t for t in times if not self.calm or not self.calm[0] - 6 < t < self.calm[1]]
        return outside or times[:1]

    def _lights(self, rng):
        self.light_x = None
        self.states = [(0.0, "red")]
        if not self.preset.light or (rng.random() < 0.15 and self.preset.about.find("light") < 0):
            return
        self.light_x = ASPECT * float(rng.uniform(0.14, 0.32) if rng.random() < 0.5 else rng.uniform(0.68, 0.86))
        lengths = {"red": (7, 14), "green": (6, 12), "yellow": (2, 3)}
        following = {"red": "green", "green": "yellow", "yellow": "red"}
        t, state, self.states = 0.0, str(rng.choice(("red", "green"))), []
        while t < self.seconds:
            self.states.append((t, state))
            t += float(rng.uniform(*lengths[state]))
            state = following[state]
        if self.calm:
            self.states = [(t, s) for t, s in self.states if not self.calm[0] < t < self.calm[1]] or self.states[:1]

    def _signs(self, rng):
        taken = [self.light_x] if self.light_x else []

        def place(width):
            for _ in range(40):
                x = ASPECT * float(rng.uniform(0.15, 0.85))
                if all(abs(x - other) > 0.14 + width / 2 for other in taken):
                    taken.append(x)
                    return x
            return None

        words = [str(w) for w in rng.permutation(WORDS)[:2]]
        self.sign = Board(words[0], 0, float(rng.uniform(0.08, 0.13)), paint=int(rng.integers(4)))
        self.sign.x = place(self.sign.width)
        # Now and then a shop changes hands within a minute: the board is an electronic one.
        self.words = [(0.0, words[0])] + ([(float(rng.uniform(0.3, 0.7) * self.seconds), words[1])] if rng.random() < 0.4 else [])
        first = int(rng.integers(2))
        self.hours = [(0.0, HOURS[first])]
        if rng.random() < 0.5:
            self.hours.append((float(rng.uniform(0.25, 0.75) * self.seconds), HOURS[1 - first]))
        self.hours_paint = int(rng.integers(4))
        self.bus = Board(str(rng.choice(BUS_LINES)), 0, float(rng.uniform(0.08, 0.13)), paint=int(rng.integers(4)))
        self.bus.x = place(self.bus.width)
        self.arrow = Arrow(str(rng.choice(ARROWS)), 0, float(rng.uniform(0.11, 0.17)))
        self.arrow.x = place(self.arrow.width)
        if self.calm:
            self.words, self.hours = self.words[:1], self.hours[:1]

    def _cars(self, rng):
        """(colour, lane, heading at any time, place at any time); one car at a time."""
        self.cars, free_at = [], 0.0
        for start in self._busy_times(rng, self.preset.cars_per_minute, 7.0):
            start = max(start, free_at)
            way = 1 if rng.random() < 0.5 else -1
            left, right = -OUTSIDE, ASPECT + OUTSIDE
            begin, end = (left, right) if way > 0 else (right, left)
            across = float(rng.uniform(2.2, 5.0))
            points, turn = [(start, begin)], None
            kind = rng.random()
            if kind < 0.55:
                points.append((start + across, end))
            else:
                share = float(rng.uniform(0.2, 0.38) if rng.random() < 0.5 else rng.uniform(0.62, 0.8))
                stop = start + across * (share if way > 0 else 1 - share)
                wait = float(rng.uniform(3.0, 9.0))
                points += [(stop, ASPECT * share), (stop + wait, ASPECT * share)]
                if kind < 0.85:
                    points.append((stop + wait + across * 0.6, end))
                else:   # turns round and drives back
                    turn = stop + wait * 0.6
                    points.append((stop + wait + across * 0.6, begin))
            free_at = points[-1][0] + 0.6
            if points[-1][0] < self.seconds + 10:
                self.cars.append((str(rng.choice(CAR_COLOURS)), LANES[int(rng.integers(2))], way, turn, Track(*points)))

    def _people(self, rng):
        """(person, place at any time). At most four at a time, in two rows, coming from anywhere."""
        self.people, rows = [], {0.457: [], 0.930: []}
        for start in self._busy_times(rng, self.preset.people_per_minute, 1.5) + [-20.0]:
            y = (0.457, 0.930)[int(rng.integers(2))]
            way = 1 if rng.random() < 0.5 else -1
            begin, end = (-OUTSIDE, ASPECT + OUTSIDE) if way > 0 else (ASPECT + OUTSIDE, -OUTSIDE)
            pace = float(rng.uniform(0.16, 0.30))
            points = [(start, begin)]
            if rng.random() < 0.45 or start < 0:
                share = float(rng.uniform(0.12, 0.42) if rng.random() < 0.5 else rng.uniform(0.58, 0.88))
                if y > 0.9 and abs(share - 0.5) < 0.2:   # not on the path
                    share = 0.15
                if self.light_x and y < 0.5 and abs(ASPECT * share - self.light_x) < 0.2:   # nor before the light
                    share = 1 - self.light_x / ASPECT
                reach = start + abs(ASPECT * share - begin) / pace
                wait = float(rng.uniform(4, 15)) + (20 if start < 0 else 0)
                points += [(reach, ASPECT * share), (reach + wait, ASPECT * share)]
                points.append((reach + wait + abs(end - ASPECT * share) / pace, end))
            else:
                points.append((start + abs(end - begin) / pace, end))
            track = Track(*points)
            together = sum(other.times[0] < points[-1][0] and points[0][0] < other.times[-1] for _, other in self.people)
            if together < 4:
                rows[y].append(track)
                self.people.append((random_person(rng, 0.0, y), track))

    def _things(self, rng):
        """What stands on the path for a while; it is pushed in from the side and out again."""
        self.obstacles = []
        t = float(rng.uniform(2, 0.4 * self.seconds + 2))
        while t < self.seconds - 6 and len(self.obstacles) < 3:
            stay = float(rng.uniform(5, max(6, 0.3 * self.seconds)))
            if not self.calm or t + stay < self.calm[0] or t > self.calm[1]:
                side = -OUTSIDE / ASPECT if rng.random() < 0.5 else 1 + OUTSIDE / ASPECT
                self.obstacles.append((str(rng.choice(OBSTACLES)), Track((t, side), (t + 2, 0.5), (t + 2 + stay, 0.5),
                                                                         (t + 4 + stay, side))))
            t += stay + 8 + float(rng.uniform(0, 20))

    def _weather(self, rng):
        night = rng.random() < 0.25
        level = float(rng.uniform(0.8, 0.95) if night else rng.uniform(0, 0.12))
        self.darkness = Track((0, level))
        if self.preset.dusk:
            self.darkness = Track((0.1 * self.seconds, 0.05), (0.9 * self.seconds, 0.95))
        self.shadow = Track((0, 0.0))
        if self.preset.shadow:
            self.darkness = Track((0, 0.05))
            self.shadow = Track((0.05 * self.seconds, 0.1), (0.95 * self.seconds, 0.95))
        self.noise = float(rng.uniform(0.5, 2.0))
        self.disturbances = []
        if not self.preset.disturbed:
            return
        t = 2.0
        for kind in [str(k) for k in rng.permutation(("flicker", "exposure", "rain", "noise"))] * 8:
            length = float(rng.uniform(3, 7))
            if t + length > self.seconds:
                break
            self.disturbances.append(Disturbance(kind, t, t + length, float(rng.uniform(0.6, 1.0))))
            t += length + float(rng.uniform(1.5, 4))

    def _camera(self, rng):
        self.waves = [(float(rng.uniform(0.3, 2.6)), float(rng.uniform(0, 6.28)), float(rng.uniform(0.3, 1.0))) for _ in range(6)]
        self.pans = Track((0, 0.0))
        if self.preset.camera == "walking":
            points, t = [(0.0, 0.0)], 3.0
            while t < self.seconds:
                aside = float(rng.uniform(-0.16, 0.16))
                points += [(t, points[-1][1]), (t + 1.5, aside)]
                t += float(rng.uniform(6, 12))
            self.pans = Track(*points)

    def _look(self, t):
        """Shift and zoom of the camera."""
        if self.preset.camera == "static":
            return (0.0, 0.0), 1.0
        size = 0.008 if self.preset.camera == "handheld" else 0.006
        x = size * sum(a * math.sin(f * t * 2.1 + p) for f, p, a in self.waves[:3])
        y = size * 0.7 * sum(a * math.sin(f * t * 1.9 + p) for f, p, a in self.waves[3:])
        zoom = 1.0
        if self.preset.camera == "walking":
            y += 0.008 * math.sin(2 * math.pi * 1.8 * t)
            zoom = 1.0 + 0.05 * (t % 20) / 20   # comes nearer, then looks up afresh
        return (x + self.pans.at(t), y), zoom

    def _disturb(self, scene, t):
        for d in self.disturbances:
            if d.start <= t < d.end:
                if d.kind == "flicker":
                    scene.gain *= 1 + 0.05 * d.strength * math.sin(2 * math.pi * 3.3 * t)
                elif d.kind == "exposure":
                    scene.gain *= 1 - 0.22 * d.strength
                elif d.kind == "rain":
                    scene.rain = d.strength
                else:
                    scene.noise += 5 * d.strength

    def scene_at(self, t):
        """The state at second t; before the beginning, that at the beginning."""
        t = max(0.0, t)
        shift, zoom = self._look(t)
        scene = Scene(aspect=ASPECT, backdrop=self.backdrop, crossing=self._crossing, darkness=self.darkness.at(t),
                      shadow=self.shadow.at(t), noise=self.noise, noise_seed=self.noise_seed + round(t * 1000),
                      shift=shift, zoom=zoom, bus=self.bus if self.bus.x else None, arrow=self.arrow if self.arrow.x else None)
        if self.light_x:
            scene.light = Light(self.light_x, [s for start, s in self.states if start <= t][-1])
        if self.sign.x:
            scene.sign = copy.copy(self.sign)
            scene.sign.text = [w for start, w in self.words if start <= t][-1]
            hours = Board([h for start, h in self.hours if start <= t][-1], self.sign.x, 0.0, self.sign.letter * 0.9,
                          self.hours_paint)
            hours.y = self.sign.y + (self.sign.height + hours.height) / 2 + 0.006
            scene.hours = hours
        for colour, lane, heading, turn, track in self.cars:
            if track.times[0] < t < track.times[-1]:
                scene.car = Car(track.at(t), lane, colour, heading=-heading if turn and t >= turn else heading)
        for person, track in self.people:
            if track.times[0] < t < track.times[-1]:
                now = copy.copy(person)
                now.x, now.walking = track.at(t), track.moves(t)
                now.stride = 9.0 * t if now.walking else 0.0
                if inside_fraction(scene, now.x, now.width) > 0:
                    scene.people.append(now)
        for kind, track in self.obstacles:
            share = track.at(t)
            if track.times[0] < t < track.times[-1]:
                scene.obstacles.append(Obstacle(kind, ASPECT * share, 0.95, abs(share - 0.5) < 0.2))
        self._disturb(scene, t)
        return scene
