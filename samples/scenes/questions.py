"""Questions about a scene, in many wordings, and their answers from its state.

An answer follows from what is visible (scene.visible_*), never from the picture. Every answer
takes the last pictures of the stream, oldest first; only those of grade `watch` look further back
than the last one. Grades: `glance` asks for one attribute, `look` for a count, a side or small
print, `watch` for what happened, `describe` for the whole scene (see describe.py).
"""

from dataclasses import dataclass

import describe
from draw import shadow_edge
from scene import (ARROWS, BUS_LINES, WORDS, side_of, visible_board, visible_car, visible_light, visible_people)


def _light(scene):
    light = visible_light(scene)
    return light.state if light else "none"


def _people(scene):
    return str(len(visible_people(scene)))


def _anybody(scene):
    return "yes" if visible_people(scene) else "no"


def _people_left(scene):
    return str(sum(side_of(scene, p.x) < 0 for p in visible_people(scene)))


def _people_right(scene):
    return str(sum(side_of(scene, p.x) >= 0 for p in visible_people(scene)))


def _car(scene):
    return "yes" if visible_car(scene) else "no"


def _car_colour(scene):
    car = visible_car(scene)
    return car.colour if car else "none"


def _car_side(scene):
    car = visible_car(scene)
    if not car:
        return "none"
    return "left" if side_of(scene, car.x) < 0 else "right"


def _in_the_way(scene):
    return next((o.kind for o in scene.obstacles if o.on_path), "nothing")


def _path(scene):
    return "yes" if _in_the_way(scene) == "nothing" else "no"


def _safe(scene):
    """Safe: the light, if there is one, is green, and no car is in sight."""
    return "yes" if _light(scene) in ("green", "none") and not visible_car(scene) else "no"


def _crossing(scene):
    return "yes" if scene.crossing else "no"


def _day(scene):
    return "night" if scene.darkness >= 0.5 else "day"


def _shade(scene):
    return "yes" if scene.shadow > 0 and side_of(scene, shadow_edge(scene)) >= 0 else "no"


def _sign(scene):
    sign = visible_board(scene, scene.sign)
    return sign.text if sign else "none"


def _open(scene):
    hours = visible_board(scene, scene.hours)
    return {"OPEN": "yes", "SHUT": "no"}[hours.text] if hours else "none"


def _bus(scene):
    bus = visible_board(scene, scene.bus)
    return bus.text if bus else "none"


def _arrow(scene):
    arrow = visible_board(scene, scene.arrow)
    return arrow.direction if arrow else "none"


MOVED = 0.12   # frame heights; less between the first and the last picture is standing


def _car_moves(window):
    """Of a car that is in the last picture."""
    now, first = window[-1], window[0]
    if not visible_car(now):
        return "none"
    if not first.car:   # it drove in: from the side it came from
        return "right" if now.car.heading > 0 else "left"
    way = now.car.x - first.car.x
    return "no" if abs(way) < MOVED else "right" if way > 0 else "left"


def _light_changed(window):
    return "yes" if _light(window[0]) != _light(window[-1]) else "no"


def _more_people(window):
    before, now = len(visible_people(window[0])), len(visible_people(window[-1]))
    return "more" if now > before else "fewer" if now < before else "same"


def passed_people(window):
    """People who are in the first and the last picture, on different sides of its middle."""
    first, now = window[0], window[-1]
    before = {(p.coat, p.skin): p for p in visible_people(first)}
    count = 0
    for p in visible_people(now):
        earlier = before.get((p.coat, p.skin))
        count += bool(earlier) and (side_of(first, earlier.x) < 0) != (side_of(now, p.x) < 0)
    return count


def _passed(window):
    return str(passed_people(window))


@dataclass(frozen=True)
class Question:
    answer: object      # a Scene, or for `watch` a list of them -> str
    answers: tuple      # everything it can be answered with; () for free text
    wordings: tuple     # the first is the canonical one
    grade: str = "glance"


QUESTIONS = {
    "light": Question(_light, ("red", "yellow", "green", "none"), (
        "What colour is the traffic light?", "What color is the traffic light?", "Which colour does the light show?",
        "What does the traffic light show?", "Is the light red, yellow or green?", "Traffic light colour?",
        "What is the state of the traffic light?", "Which light is on?", "Tell me the colour of the signal.",
        "What color is the signal?")),
    "people": Question(_people, ("0", "1", "2", "3", "4"), (
        "How many people are there?", "How many people can you see?", "How many persons are in the picture?",
        "Count the people.", "What is the number of people?", "How many pedestrians are there?",
        "How many people do you see?", "Number of people?", "How many people are on the street?",
        "How many pedestrians can you see?"), "look"),
    "anybody": Question(_anybody, ("yes", "no"), (
        "Do you see people?", "Can you see people?", "Are there people on the street?", "Are there people?",
        "Can you see any people?", "Are there pedestrians?")),
    "people_left": Question(_people_left, ("0", "1", "2", "3", "4"), (
        "How many people are on the left?", "How many people do you see on the left?",
        "Count the people on the left side.", "How many pedestrians are on the left?"), "look"),
    "people_right": Question(_people_right, ("0", "1", "2", "3", "4"), (
        "How many people are on the right?", "How many people do you see on the right?",
        "Count the people on the right side.", "How many pedestrians are on the right?"), "look"),
    "car": Question(_car, ("yes", "no"), (
        "Is there a car?", "Can you see a car?", "Is a car on the road?", "Do you see a car?",
        "Is there a vehicle on the street?", "Is there any car in the picture?", "Car present?",
        "Is a car coming?")),
    "car_colour": Question(_car_colour, ("red", "blue", "white", "black", "yellow", "green", "none"), (
        "What colour is the car?", "What color is the car?", "Which colour is the car?", "Car colour?",
        "Tell me the colour of the car.", "What is the color of the car?", "Which colour does the car have?",
        "What colour is the vehicle?", "What is the colour of the car on the road?")),
    "car_side": Question(_car_side, ("left", "right", "none"), (
        "On which side is the car?", "Where is the car?", "Is the car left or right?",
        "Which side is the car on?", "Is the car on the left or on the right?", "Car side?",
        "On what side do you see the car?", "Where do you see the vehicle?"), "look"),
    "path": Question(_path, ("yes", "no"), (
        "Is the path clear?", "Is my way clear?", "Is the way free?", "Can I walk straight ahead?",
        "Is the path in front of me clear?", "Path clear?", "Is the path free of obstacles?",
        "Is the sidewalk in front of me free?")),
    "in_the_way": Question(_in_the_way, ("bin", "bicycle", "cone", "nothing"), (
        "What is in the way?", "What blocks the path?", "What is in front of me?", "Which obstacle is on the path?",
        "What obstacle is ahead?", "What stands in my way?", "Name the obstacle.", "What is blocking the way?")),
    "safe": Question(_safe, ("yes", "no"), (
        "Is it safe to cross?", "Can I cross the street?", "Can I cross now?", "Is it safe to cross the road?",
        "May I cross the street now?", "Safe to cross?", "Should I cross?", "Is crossing safe now?")),
    "crossing": Question(_crossing, ("yes", "no"), (
        "Is there a zebra crossing?", "Is there a crosswalk?", "Can you see a zebra crossing?",
        "Do you see a crosswalk?", "Is there a pedestrian crossing?", "Zebra crossing?",
        "Is a zebra crossing on the road?", "Are there zebra stripes?")),
    "day": Question(_day, ("day", "night"), (
        "Is it day or night?", "Is it night or day?", "What time of day is it?", "Day or night?",
        "Is this by day or by night?", "Is it light or dark outside?", "Tell me whether it is day or night.")),
    "shade": Question(_shade, ("yes", "no"), (
        "Is the path in the shade?", "Is my way in the shade?", "Does a shadow lie on the path?", "Is the path in shadow?",
        "Has the shadow reached the path?")),
    "sign": Question(_sign, WORDS + ("none",), (
        "What does the sign say?", "Read the sign.", "What is written on the sign?", "What does the shop sign say?",
        "Which word is on the sign?", "What can you read?"), "look"),
    "open": Question(_open, ("yes", "no", "none"), (
        "Is the shop open?", "Is the store open?", "Is it open?", "Does the sign say open?", "Is the shop open or shut?"), "look"),
    "bus": Question(_bus, BUS_LINES + ("none",), (
        "Which bus stops here?", "What is the number of the bus?", "Which number is on the bus stop?",
        "What bus line stops here?", "Read the number of the bus."), "look"),
    "arrow": Question(_arrow, ARROWS + ("none",), (
        "Which way does the arrow point?", "Where does the arrow point?", "What does the blue sign show?",
        "Which direction does the arrow show?"), "look"),
    "car_moves": Question(_car_moves, ("left", "right", "no", "none"), (
        "Which way does the car move?", "Where does the car go?", "In which direction does the car drive?",
        "Which way is the car driving?", "Does the car move to the left or to the right?"), "watch"),
    "light_changed": Question(_light_changed, ("yes", "no"), (
        "Did the light change?", "Has the traffic light changed?", "Did the traffic light change?",
        "Has the signal changed?"), "watch"),
    "more_people": Question(_more_people, ("more", "fewer", "same"), (
        "Are there more people than before?", "Did somebody come or go?", "Are there more or fewer people now?",
        "Has the number of people changed?"), "watch"),
    "passed": Question(_passed, ("0", "1", "2", "3"), (
        "How many people crossed the middle?", "How many people walked past?", "How many people went by?",
        "Count the people who passed."), "watch"),
    "describe": Question(describe.text, (), (
        "Describe the scene.", "What do you see?", "Describe what you see.", "Describe the picture.",
        "Tell me what is in the picture.", "What is going on here?"), "describe"),
}

# What people put around a question; training wraps some of them so.
BEFORE = ("Please tell me:", "Hello,", "Look at the picture.", "Look at this image.", "Now,", "Answer in one word.",
          "I am at the street.", "Quick question:", "Hey,", "Look carefully.", "Please answer:")
AFTER = ("Please.", "Thank you.", "Answer in one word.", "Be brief.", "One word only.", "Answer shortly.")


def canonical(kind):
    return QUESTIONS[kind].wordings[0]


def answer(kind, window):
    """The truth about the last scene of the window (a list, oldest first; or one Scene)."""
    window = window if isinstance(window, list) else [window]
    question = QUESTIONS[kind]
    return question.answer(window if question.grade == "watch" else window[-1])


def wording(rng, kind):
    """A random way to ask: often the canonical one, now and then free or careless."""
    question = QUESTIONS[kind]
    text = question.wordings[0] if rng.random() < 0.3 else question.wordings[rng.integers(len(question.wordings))]
    if rng.random() < 0.12:
        if rng.random() < 0.5:
            text = BEFORE[rng.integers(len(BEFORE))] + " " + text
        else:
            text = text + " " + AFTER[rng.integers(len(AFTER))]
    if rng.random() < 0.06:
        text = text.lower()
    if rng.random() < 0.05:
        text = text.rstrip("?.")
    return text


def vocabulary_texts():
    """Every text the tokenizer should know well."""
    for question in QUESTIONS.values():
        for text in question.wordings:
            yield text
            yield text.lower()
            yield " " + text
        for text in question.answers:
            yield " " + text
    yield from describe.vocabulary_texts()
    for text in BEFORE + AFTER:
        yield text
        yield " " + text
