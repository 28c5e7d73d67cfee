"""The long answer: a scene told in sentences made by rule, and the facts that such a text states.

A description has 32 to 64 tokens and always speaks of the same things in the same order, so that
`facts` finds them again in a model's text; what a text leaves out or garbles is a missing fact.
"""

import re

from scene import CAR_COLOURS, LIGHT_STATES, OBSTACLES, WORDS, side_of, visible_board, visible_car, visible_light, visible_people

COUNTS = ("nobody", "one person", "two people", "three people", "four people")
SIDES = ("left", "right")


def _side(scene, x):
    return "left" if side_of(scene, x) < 0 else "right"


def text(scene):
    light, car = visible_light(scene), visible_car(scene)
    people = visible_people(scene)
    left = sum(side_of(scene, p.x) < 0 for p in people)
    blocked = next((o.kind for o in scene.obstacles if o.on_path), None)
    sign, bus = visible_board(scene, scene.sign), visible_board(scene, scene.bus)
    parts = [
        "It is night" if scene.darkness >= 0.5 else "It is day",
        "the light on the %s is %s" % (_side(scene, light.x), light.state) if light else "there is no traffic light",
        "A %s car is on the %s" % (car.colour, _side(scene, car.x)) if car else "The road has no car",
        "there is a zebra crossing" if scene.crossing else "there is no zebra crossing",
        "I see %s on the left" % COUNTS[left],
        "%s on the right" % COUNTS[len(people) - left],
        "A %s is in the way" % blocked if blocked else "The path is clear",
        "the sign says %s" % sign.text if sign else "there is no sign",
        "bus %s stops here" % bus.text if bus else "no bus stops here",
    ]
    return "%s and %s. %s and %s. %s and %s. %s. %s and %s." % tuple(
        p[0].upper() + p[1:] if k in (2, 4, 6, 7) else p for k, p in enumerate(parts))


FACTS = {
    "day": r"it is (night|day)",
    "light": r"the light on the (?:left|right) is (%s)|(no traffic light)" % "|".join(LIGHT_STATES),
    "light_side": r"the light on the (left|right)|(no traffic light)",
    "car_colour": r"a (%s) car|(no car)" % "|".join(CAR_COLOURS),
    "car_side": r"car is on the (left|right)|(no car)",
    "crossing": r"there is (a|no) zebra",
    "people_left": r"(%s) on the left and" % "|".join(COUNTS),
    "people_right": r"and (%s) on the right" % "|".join(COUNTS),
    "in_the_way": r"a (%s) is in the way|(path is clear)" % "|".join(OBSTACLES),
    "sign": r"the sign says (%s)|(no sign)" % "|".join(w.lower() for w in WORDS),
    "bus": r"bus (\d) stops|(no bus)",
}


def facts(told):
    """{name: what the text says of it}; a fact that is not stated is not there."""
    found = {}
    for name, pattern in FACTS.items():
        match = re.search(pattern, told.lower())
        if match:
            found[name] = next(g for g in match.groups() if g)
    return found


def facts_right(told, truth):
    """(facts that agree with the reference, facts of the reference)."""
    said, expected = facts(told), facts(truth)
    return sum(said.get(name) == value for name, value in expected.items()), len(expected)


def vocabulary_texts():
    """Every sentence piece once, for the tokenizer."""
    yield from (" It is night and the light on the left is red.", " It is day and there is no traffic light.",
                " A red car is on the right and there is a zebra crossing.", " The road has no car and there is no zebra crossing.",
                " The path is clear. The sign says BANK and bus 1 stops here.", " There is no sign and no bus stops here.",
                " A bin is in the way.")
    for a in COUNTS:
        yield " I see %s on the left and %s on the right." % (a, a)
