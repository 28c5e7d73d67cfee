"""Which way of choosing pictures keeps the answers right with the fewest of them? On rendered clips, whose truth is known.

One run of the edge pair answers every picture, ten a second. A way of choosing is then scored with those very answers: what
it chose is what is known. So that ways differ by what they choose and by nothing else; thinking takes no time here."""

from dataclasses import dataclass

import bootstrap
import clips
from configurations import everything_at
from errors import RunFailed
from evaluate import Evaluation, Plan
from figures import OUTSIDE_MEAN
from gate.watching import GREY, watch
from runs import quoted
from score import SHORTEST_CHANGE_S, ClipScore
from suites import EVERYDAY, LOOKING, MORE_GLANCES, TEST_SEED, ClipSpec, Suite

FPS = 10          # of the rendered streams: everything is every picture
SAMPLED_FPS = 5   # at most, by the sampler in front of the gate
STREAMS = (ClipSpec("street", TEST_SEED, 20), ClipSpec("calm", TEST_SEED + 1, 40), ClipSpec("dusk", TEST_SEED + 4, 60),
           ClipSpec("shadow", TEST_SEED + 5, 40), ClipSpec("disturbed", TEST_SEED + 2, 40), ClipSpec("lights", TEST_SEED + 6, 40))
CARRIED = (ClipSpec("handheld", TEST_SEED + 3, 20), ClipSpec("walking", TEST_SEED + 7, 20))
EMPTY = (ClipSpec("empty", TEST_SEED + 8, 60), ClipSpec("empty", TEST_SEED + 9, 60))
KINDS = EVERYDAY + MORE_GLANCES + LOOKING

SAMPLE = "video/x-raw ! framesampler mode=uniform max-rate=%d" % FPS
INTERVALS = (0, 0.4, 0.6, 0.8, 1.2, 2, 4, 8)
# name: what is swept, its settings, and how the launch line shows what was chosen; {setting}, {ns} (the same in nanoseconds)
# and {prompt} are filled in.
ELEMENTS = {
    "masgate": ("motion-interval, s", INTERVALS, SAMPLE + " ! masgate name=gate prompt={prompt} motion-interval={ns}", "gate"),
    "framesampler ! masgate": ("motion-interval, s", INTERVALS, "video/x-raw ! framesampler max-rate=%d ! masgate name=gate "
                               "prompt={prompt} motion-interval={ns}" % SAMPLED_FPS, "gate"),
    "scenechange": ("nothing", (0,), SAMPLE + " ! videoconvert ! video/x-raw,format=I420 ! scenechange", "scenechange"),
}
PLAIN = {"uniform": ("pictures a second", (0.1, 0.2, 0.35, 0.5, 0.8, 1.25, 1.67, 2.0, 2.5, 3.4, 5.0)),
         "mean-difference": ("brightness levels", (0.5, 1, 1.5, 2, 3, 4, 6, 9, 14)),
         "cosine": ("1 - cosine", (0.002, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16))}
DEFAULT = ("framesampler ! masgate", 0.4)


@dataclass
class Answered:
    """A clip with the answers to every picture."""
    name: str
    truth: object
    questions: list
    answers: list
    everything: ClipScore


def _answered(pairs_out, say, jobs):
    """Answers to every picture of every clip, from an exact run that is kept and taken again."""
    everything = everything_at(FPS, "everything-%dfps" % FPS, "every picture of the stream is looked at")
    specs = STREAMS + CARRIED
    truths = {"exact": [(spec.name, clips.rendered(spec, say)) for spec in specs]}
    suite = Suite("gate", "every picture of the gate's clips", exact=specs, kinds=KINDS)
    plan = Plan(suite, ("exact",), {"exact": [everything]}, truths, pairs_out)
    plan.resume, plan.jobs, plan.say = True, jobs, say
    row = Evaluation(plan).rows("exact")[0]
    if row.missing:
        raise RunFailed(row.missing[0]["reason"])
    of_clip = {run.clip: run.score for run in row.runs}
    for name, truth in truths["exact"]:
        score = of_clip[name]
        answers = [dict(answer, emitted=answer["content"]) for answer in score.answers]
        yield Answered(name, truth, score.questions, answers, ClipScore(name, truth, score.questions, answers))


def _line(launch, setting, prompt):
    return launch.format(setting=setting, ns=round(setting * 1e9), prompt=quoted(prompt))


def _chosen(clip, prompt):
    """{(name, setting): times of pictures} of every way."""
    found = {}
    for name, (_, settings, launch, chosen_by) in ELEMENTS.items():
        for setting in settings:
            found[name, setting] = watch(clip, _line(launch, setting, prompt), chosen_by).chosen
    ways = [(name, setting) for name, (_, settings) in PLAIN.items() for setting in settings]
    found.update(watch(clip, SAMPLE + GREY, "arrival", ways).ways)
    return found


def _is_asked_about(question):
    return question.grade not in OUTSIDE_MEAN


def _events(score, everything, question):
    """(block, missed, 1) of each change of the world that is answered rightly when every picture is looked at."""
    items = []
    for change in question.changes():
        until = min(change.until, score.truth.duration)
        if until - change.at < SHORTEST_CHANGE_S:
            continue
        same = lambda told, truth: told == truth   # noqa: E731
        if everything.seen[question.kind].first_with(change.answer, change.at, until, same) is None:
            continue
        missed = score.seen[question.kind].first_with(change.answer, change.at, until, same) is None
        items.append((bootstrap.block_of(score.name, change.at), int(missed), 1))
    return items


def _point(name, setting, of_clips):
    """of_clips: [(Answered, times)]"""
    right, same, missed, frames, minutes, source = [], [], [], 0, 0.0, 0
    for clip, times in of_clips:
        known = set(times)
        score = ClipScore(clip.name, clip.truth, clip.questions, [a for a in clip.answers if round(a["content"], 6) in known])
        for question in filter(_is_asked_about, clip.questions):
            right += score.over_time(question, score.seen)
            same += score.agreement(question, clip.everything)
            missed += _events(score, clip.everything, question)
        frames += len(times)
        minutes += clip.truth.duration / 60
        source += clip.truth.duration * FPS
    label = "%s/%g" % (name, setting)
    return {"setting": setting, "per_minute": frames / minutes, "dropped": 1 - frames / source,
            "right": bootstrap.share(label + "/right", right), "agreement": bootstrap.share(label + "/same", same),
            "missed": bootstrap.share(label + "/missed", missed)}


def _curves(clips_of_group, chosen):
    curves = {}
    for name, setting in chosen[clips_of_group[0].name]:
        of_clips = [(clip, chosen[clip.name][name, setting]) for clip in clips_of_group]
        curves.setdefault(name, []).append(_point(name, setting, of_clips))
    return curves


def _wavering(answered):
    """Pictures a minute on which some answer is another one than on the picture before."""
    count = 0
    for clip in answered:
        texts = {}
        for answer in clip.answers:
            texts.setdefault(answer["content"], {})[answer["kind"]] = answer["text"].strip()
        told = [texts[at] for at in sorted(texts)]
        count += sum(before != now for before, now in zip(told, told[1:]))
    return count / sum(clip.truth.duration / 60 for clip in answered)


def _false_wakes(say):
    """Per minute of a street where nothing happens but noise, rain, flicker and exposure steps."""
    rows = []
    for spec in EMPTY:
        truth = clips.rendered(spec, say)
        line = _line(ELEMENTS[DEFAULT[0]][2], DEFAULT[1], "How many people are there?")
        chosen = watch(truth.clip, line).chosen
        rows.append({"clip": spec.name, "minutes": truth.duration / 60, "wakes": len(chosen) - 1})
    return rows


def measure(out, say, jobs):
    answered = list(_answered(out, say, jobs))
    chosen = {}
    for clip in answered:
        say("choosing pictures of %s" % clip.name)
        chosen[clip.name] = _chosen(clip.truth.clip, clip.questions[0].text)
    carried = {spec.name for spec in CARRIED}
    still = [clip for clip in answered if clip.name not in carried]
    moved = [clip for clip in answered if clip.name in carried]
    swept = [(name, what) for name, (what, *_) in {**ELEMENTS, **PLAIN}.items()]
    return {"static": {"clips": [c.name for c in still], "curves": _curves(still, chosen), "wavering": _wavering(still)},
            "carried": {"clips": [c.name for c in moved], "curves": _curves(moved, chosen)},
            "swept": swept, "false_wakes": _false_wakes(say)}
