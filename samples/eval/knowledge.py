"""What the models know: each picture is another test scene, asked through a real pipeline, without a gate.

The same scenes and questions as in the model cards, which were made with full precision and without pipelines: here
run the quantised files, on pictures that were JPEG. An answer is right or not, a description to the share of its
facts; accuracies are means over the kinds of questions, so that no kind counts more for being asked more often.
"""

import os
import sys
from dataclasses import dataclass

import bootstrap
import clips
import runs
from errors import RunFailed
from score import rightness
from truth import GRADES, JUST_BEHIND, read_truth

sys.path.append(clips.SCENES)

# Every picture of the clip is shown, and a question sees as many as a scene has.
LAUNCH = ("filesrc location={clip} ! decodebin ! video/x-raw ! identity name=pace sync={live} ! framesampler name=sampler mode=every "
          "! localmllm name=model model={model} mmproj={mmproj} prompt={prompt} answer-on=frame window={window} "
          "! fakesink sync=false async=false")
FIRST_SCENE = 2_000_000_000   # of the test split; evaluate.py's scores begin here, too
WINDOW = 4
EDGE_GLANCE = 0.85            # below that the edge model is of no use to a camera
CLOUD_GAIN = 0.08             # a cloud that knows hardly more is not worth the network


@dataclass(frozen=True)
class Shown:
    """Looks to runs.py like a configuration: a launch line whose pair is chosen."""
    launch: str
    pair: str
    window: int = 1
    cloud: bool = False
    server: dict = None


def _clip(frames, scenes, say):
    """The truth of a clip of `scenes` scenes with so many pictures each; rendered if it is not there yet."""
    import stills   # pylint: disable=import-outside-toplevel  (samples/scenes needs OpenCV; listing suites does not)
    into = clips.folder()
    path = os.path.join(into, "stills%d-%d-%d.json" % (frames, FIRST_SCENE, scenes))
    if not os.path.exists(path):
        say("rendering %d scenes of %d pictures" % (scenes, frames))
        stills.write_stills(FIRST_SCENE, scenes, frames, into)
    return read_truth(path)


def _answers(role, pair, truth, frames):
    questions = list(truth.questions.values())
    configuration = Shown(LAUNCH.replace("{window}", str(frames)), role, frames)
    return questions, runs.run(configuration, truth, questions, "exact", {"edge": pair}).answers


def _items(truth, questions, answers, frames):
    """{kind: [(scene, right, 1)]}"""
    items = {q.kind: [] for q in questions}
    by_kind = {q.kind: q for q in questions}
    for answer in answers:
        question = by_kind.get(answer["kind"])
        true = question.answer(answer["content"] + JUST_BEHIND) if question else None
        if true is not None:
            right = rightness(answer["text"], true, question.grade)
            items[answer["kind"]].append(((truth.clip, int(answer["content"] // frames)), right, 1))
    return items


def measure(role, pair, still_scenes, windows, say):
    """{"by_kind": {kind: figure}, "by_grade": {grade: mean}, "all": mean over the kinds, "grade": {kind: grade}}"""
    figures = {"by_kind": {}, "by_grade": {}, "grade": {}}
    for frames, scenes in ((1, still_scenes), (WINDOW, windows)):
        truth = _clip(frames, scenes, say)
        questions, answers = _answers(role, pair, truth, frames)
        for kind, items in _items(truth, questions, answers, frames).items():
            asked = sum(truth.questions[kind].answer((k + 1) * frames - 1 + JUST_BEHIND) is not None for k in range(scenes))
            if len(items) != asked:
                raise RunFailed("of %d scenes, %d were answered for '%s'" % (asked, len(items), kind))
            figures["by_kind"][kind] = bootstrap.share("knowledge/%s/%s" % (role, kind), items)
            figures["grade"][kind] = truth.questions[kind].grade
        say("%s: %d answers about %d scenes of %d pictures" % (pair.name, len(answers), scenes, frames))
    for grade in GRADES:
        of = [f["value"] for kind, f in figures["by_kind"].items() if figures["grade"][kind] == grade]
        figures["by_grade"][grade] = round(sum(of) / len(of), bootstrap.DIGITS) if of else None
    every = [f["value"] for f in figures["by_kind"].values()]
    figures["all"] = round(sum(every) / len(every), bootstrap.DIGITS)
    return figures


def judge(found):
    """Verdicts as verdicts.py's, of {role: figures}; on the models that ship with the project alone."""
    edge, cloud = found.get("edge"), found.get("cloud")
    if not edge or not cloud:
        return [{"what": "the edge and the cloud model have both been asked", "value": None, "bound": None, "holds": False}]
    glance, gain = edge["by_grade"]["glance"], round(cloud["all"] - edge["all"], bootstrap.DIGITS)
    return [{"what": "accuracy of the edge model at a glance, at least", "value": glance, "bound": EDGE_GLANCE,
             "holds": glance >= EDGE_GLANCE},
            {"what": "points of accuracy by which the cloud model beats the edge model, at least", "value": gain,
             "bound": CLOUD_GAIN, "holds": gain >= CLOUD_GAIN}]


def table(found):
    """Markdown: a row a kind, then the means."""
    roles = list(found)
    kinds = list(next(iter(found.values()))["by_kind"])
    grade_of = next(iter(found.values()))["grade"]

    def cell(figure):
        return "%.3f (%.3f–%.3f)" % (figure["value"], figure["low"], figure["high"])

    lines = ["| question | grade | n | %s |" % " | ".join(roles), "|---|---|---|" + "---|" * len(roles)]
    for kind in kinds:
        shares = [found[role]["by_kind"][kind] for role in roles]
        lines.append("| `%s` | %s | %d | %s |" % (kind, grade_of[kind], shares[0]["n"], " | ".join(map(cell, shares))))
    for grade in GRADES:
        if all(found[role]["by_grade"][grade] is not None for role in roles):
            lines.append("| mean | %s | | %s |" % (grade, " | ".join("**%.3f**" % found[r]["by_grade"][grade] for r in roles)))
    lines.append("| mean | all | | %s |" % " | ".join("**%.3f**" % found[role]["all"] for role in roles))
    return "\n".join(lines)
