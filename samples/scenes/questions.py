"""Questions about a scene, in many wordings, and their answers from its state.

An answer follows from what is visible (scene.visible_*), never from the picture.
"""

from dataclasses import dataclass

from scene import visible_car, visible_people


def _light(scene):
    return scene.light.state if scene.light else "none"


def _people(scene):
    return str(len(visible_people(scene)))


def _anybody(scene):
    return "yes" if visible_people(scene) else "no"


def _people_left(scene):
    return str(sum(p.x < scene.aspect / 2 for p in visible_people(scene)))


def _people_right(scene):
    return str(sum(p.x >= scene.aspect / 2 for p in visible_people(scene)))


def _car(scene):
    return "yes" if visible_car(scene) else "no"


def _car_colour(scene):
    car = visible_car(scene)
    return car.colour if car else "none"


def _car_side(scene):
    car = visible_car(scene)
    if not car:
        return "none"
    return "left" if car.x < scene.aspect / 2 else "right"


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


@dataclass(frozen=True)
class Question:
    answer: object      # Scene -> str
    answers: tuple      # everything it can be answered with
    wordings: tuple     # the first is the canonical one


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
        "How many pedestrians can you see?")),
    "anybody": Question(_anybody, ("yes", "no"), (
        "Do you see people?", "Can you see people?", "Are there people on the street?", "Are there people?",
        "Can you see any people?", "Are there pedestrians?")),
    "people_left": Question(_people_left, ("0", "1", "2", "3", "4"), (
        "How many people are on the left?", "How many people do you see on the left?",
        "Count the people on the left side.", "How many pedestrians are on the left?")),
    "people_right": Question(_people_right, ("0", "1", "2", "3", "4"), (
        "How many people are on the right?", "How many people do you see on the right?",
        "Count the people on the right side.", "How many pedestrians are on the right?")),
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
        "On what side do you see the car?", "Where do you see the vehicle?")),
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
}

# What people put around a question; training wraps some of them so.
BEFORE = ("Please tell me:", "Hello,", "Look at the picture.", "Look at this image.", "Now,", "Answer in one word.",
          "I am at the street.", "Quick question:", "Hey,", "Look carefully.", "Please answer:")
AFTER = ("Please.", "Thank you.", "Answer in one word.", "Be brief.", "One word only.", "Answer shortly.")


def canonical(kind):
    return QUESTIONS[kind].wordings[0]


def answer(kind, scene):
    return QUESTIONS[kind].answer(scene)


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
    for text in BEFORE + AFTER:
        yield text
        yield " " + text
