"""The street world: the same seed is the same scene, and what is said of it is what is drawn."""

import hashlib
import unittest

import numpy as np

import street  # noqa: F401
from draw import draw_scene, lamp_y
from labels import CLASSES, car_box, in_frame, patch_labels
from questions import QUESTIONS, answer
from scene import (CAR_COLOURS, CAR_LENGTH, LIGHT_STATES, SPLITS, Car, Light, Person, Scene, random_scene, shows, to_view,
                   visible_light, visible_people)

SIZE = (384, 216)


def scenes(count, start=SPLITS["validation"].start):
    return (random_scene(start + k) for k in range(count))


def pixel(picture, scene, x, y):
    """Mean colour of the 3 x 3 pixels around a world point."""
    vx, vy = to_view(scene, x, y)
    column, row = int(vx / scene.aspect * picture.shape[1]), int(vy * picture.shape[0])
    return picture[row - 1:row + 2, column - 1:column + 2].reshape(-1, 3).mean(0)


class Seeds(unittest.TestCase):
    def test_same_seed_same_bytes(self):
        """If this fails, a training run, a clip or a published accuracy cannot be reproduced."""
        for seed in (0, 7, SPLITS["test"].start):
            first, second = (hashlib.sha256(draw_scene(random_scene(seed), *SIZE).tobytes()).hexdigest() for _ in range(2))
            self.assertEqual(first, second)

    def test_other_seed_other_scene(self):
        """If this fails, the model sees the same picture again and again."""
        hashes = {hashlib.sha256(draw_scene(s, *SIZE).tobytes()).hexdigest() for s in scenes(40)}
        self.assertEqual(len(hashes), 40)

    def test_splits_are_disjoint(self):
        """If this fails, accuracy is measured on scenes that were trained on."""
        ranges = sorted(SPLITS.values(), key=lambda r: r.start)
        for before, after in zip(ranges, ranges[1:]):
            self.assertLessEqual(before.stop, after.start)
            self.assertEqual((before.step, after.step), (1, 1))

    def test_training_cannot_reach_the_other_splits(self):
        """A run draws one seed after the other: a year at a thousand images a second would stay inside."""
        self.assertGreater(len(SPLITS["train"]), 100_000_000)


class Truth(unittest.TestCase):
    def test_lamp_has_the_stated_colour(self):
        """If this fails, "red" is painted green."""
        seen = set()
        for scene in scenes(60):
            if not visible_light(scene):
                continue
            picture, state = draw_scene(scene, *SIZE), scene.light.state
            red, green, blue = pixel(picture, scene, scene.light.x, lamp_y(LIGHT_STATES.index(state)))
            self.assertEqual(answer("light", scene), state)
            if state == "red":
                self.assertTrue(red > 150 and green < 110, (red, green, blue))
            elif state == "green":
                self.assertTrue(green > 150 and red < 110, (red, green, blue))
            else:
                self.assertTrue(red > 150 and green > 120 and blue < 110, (red, green, blue))
            seen.add(state)
        self.assertEqual(seen, set(LIGHT_STATES))

    def test_dark_lamps_are_dark(self):
        """If this fails, two lamps of one signal shine."""
        for scene in scenes(40):
            if visible_light(scene):
                picture = draw_scene(scene, *SIZE)
                for k, state in enumerate(LIGHT_STATES):
                    if state != scene.light.state:
                        self.assertLess(pixel(picture, scene, scene.light.x, lamp_y(k)).max(), 110)

    def test_car_has_the_stated_paint(self):
        """If this fails, car colours are learned from wrong examples."""
        for colour in CAR_COLOURS:
            scene = Scene(aspect=16 / 9, car=Car(x=0.8, y=0.73, colour=colour))
            red, green, blue = pixel(draw_scene(scene, *SIZE), scene, 0.8, 0.73 - 0.075)
            self.assertEqual(answer("car_colour", scene), colour)
            rule = {"red": red > 2 * max(green, blue), "green": green > 1.8 * max(red, blue), "blue": blue > 2 * max(red, green),
                    "yellow": min(red, green) > 3 * blue, "white": min(red, green, blue) > 200, "black": max(red, green, blue) < 60}
            self.assertTrue(rule[colour], (colour, red, green, blue))

    def test_night_is_dark(self):
        """If this fails, day and night cannot be told apart."""
        means = {"day": [], "night": []}
        for scene in scenes(60):
            means[answer("day", scene)].append(draw_scene(scene, *SIZE).mean())
        self.assertGreater(np.mean(means["day"]), 1.3 * np.mean(means["night"]))

    def test_every_person_counted_can_be_seen(self):
        """If this fails, the model is asked for people who are hidden or outside."""
        for scene in scenes(200):
            people = visible_people(scene)
            self.assertEqual(answer("people", scene), str(len(people)))
            for p in people:
                self.assertTrue(shows(scene, p.x, p.width))
            for a in people:
                self.assertTrue(all(a is b or abs(a.x - b.x) >= 0.17 for b in people))

    def test_a_car_that_has_left_is_not_spoken_of(self):
        """If this fails, "none" is wrong while a bumper still shows."""
        scene = Scene(aspect=16 / 9, car=Car(x=-CAR_LENGTH / 2, y=0.73, colour="red"))
        self.assertEqual([answer(k, scene) for k in ("car", "car_colour", "car_side", "safe")], ["no", "none", "none", "yes"])

    def test_safe_to_cross_follows_light_and_car(self):
        """The rule that the model card states."""
        for state, car, expected in (("green", False, "yes"), (None, False, "yes"), ("red", False, "no"), ("yellow", False, "no"),
                                     ("green", True, "no"), (None, True, "no")):
            scene = Scene(aspect=16 / 9, light=Light(1.4, state) if state else None,
                          car=Car(0.5, 0.73, "blue") if car else None)
            self.assertEqual(answer("safe", scene), expected, (state, car))

    def test_answers_come_from_their_lists(self):
        """If this fails, a constrained decoder or a scorer misses an answer."""
        for scene in scenes(300):
            for kind, question in QUESTIONS.items():
                if question.answers and question.grade != "watch":
                    self.assertIn(answer(kind, scene), question.answers, kind)

    def test_halves_add_up(self):
        """Left and right together are everybody."""
        for scene in scenes(100):
            left, right, everybody = (int(answer(k, scene)) for k in ("people_left", "people_right", "people"))
            self.assertEqual(left + right, everybody)


class PatchLabels(unittest.TestCase):
    def test_one_head_a_person(self):
        """Counting is learned from these heads: as many as there are people."""
        for scene in scenes(200):
            heads = patch_labels(scene, 12)[:, :, CLASSES.index("head")].sum()
            self.assertEqual(heads, len(visible_people(scene)))

    def test_label_lies_on_the_thing(self):
        """If this fails, labels and picture have drifted apart (camera jitter, zoom)."""
        for scene in scenes(80):
            if scene.car and answer("car", scene) == "yes":
                x0, y0, x1, y1 = in_frame(scene, car_box(scene.car))
                rows, columns = np.nonzero(patch_labels(scene, 12)[:, :, CLASSES.index("car")])
                self.assertTrue((columns / 12 < x1).all() and ((columns + 1) / 12 > x0).all())
                self.assertTrue((rows / 12 < y1).all() and ((rows + 1) / 12 > y0).all())

    def test_a_person_outside_leaves_no_label(self):
        """A head in the outermost patch without a person there would teach ghosts."""
        ghost = Person(x=-0.5, y=0.46, height=0.24, coat=(90, 90, 90), trousers=(50, 50, 50), skin=(90, 60, 50), hair=(9, 9, 9))
        self.assertEqual(patch_labels(Scene(aspect=16 / 9, people=[ghost]), 12)[:, :, CLASSES.index("person")].sum(), 0)


if __name__ == "__main__":
    unittest.main()
