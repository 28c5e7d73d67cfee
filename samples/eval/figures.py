"""From the runs of one configuration to its row: every figure with its n and 95 % interval.

A row of which a run is missing has no figures: an average over what did run would be another suite's."""

from dataclasses import dataclass, field

import bootstrap
from bootstrap import BLOCK_S, block_of
from score import ClipScore

REFERENCE = "everything"   # the configuration that the others are compared with
# Not every configuration can be asked what happened, so that grade stands beside the mean and not in it.
OUTSIDE_MEAN = ("watch",)


@dataclass
class ScoredRun:
    """One run of one configuration over one clip."""
    clip: str
    repetition: int
    score: ClipScore
    summary: dict
    frame_s: float = 0.0   # exact: seconds of work per frame of the stream, before any model

    @property
    def minutes(self):
        return self.score.truth.duration / 60


@dataclass
class Row:
    configuration: object
    runs: list = field(default_factory=list)       # ScoredRun
    missing: list = field(default_factory=list)    # {"clip", "repetition", "reason"}
    not_asked: list = field(default_factory=list)  # kinds
    warnings: list = field(default_factory=list)

    @property
    def name(self):
        return self.configuration.name

    def run_of(self, clip, repetition):
        return next((run for run in self.runs if (run.clip, run.repetition) == (clip, repetition)), None)


def _questions(runs):
    return {question.kind: question for run in runs for question in run.score.questions}


def _accuracy(name, runs, items_of):
    """{"all", "by_grade", "by_kind"} of items_of(score, question)."""
    items = {}
    for run in runs:
        for question in run.score.questions:
            items.setdefault(question.kind, []).extend(items_of(run.score, question))
    questions = _questions(runs)
    grades = {}
    for kind, of in items.items():
        grades.setdefault(questions[kind].grade, []).extend(of)
    everything = [item for grade, of in grades.items() if grade not in OUTSIDE_MEAN for item in of]
    return {"all": bootstrap.share(name + "/all", everything),
            "by_grade": {grade: bootstrap.share("%s/%s" % (name, grade), of) for grade, of in grades.items()},
            "by_kind": {kind: bootstrap.share("%s/%s" % (name, kind), of) for kind, of in items.items()}}


def _rate(name, runs, value_of):
    """Per minute of stream: value_of(answer) summed over the answers."""
    items = []
    for run in runs:
        duration, seconds = run.score.truth.duration, 0.0
        while seconds < duration:
            items.append((block_of(run.clip, seconds), 0.0, min(BLOCK_S, duration - seconds) / 60))
            seconds += BLOCK_S
        items += [(block_of(run.clip, min(a["content"], duration - 1e-6)), value_of(a), 0.0) for a in run.score.answers]
    return bootstrap.share(name, items)


def _fresh(answer, name):
    """Tokens of pictures that the model had not been shown before; further questions see them again for nothing."""
    return (answer.get("tokens", {}).get(name) or 0) if answer["fresh"] else 0


def _generated(answer):
    tokens = answer.get("tokens", {}).get("generated")
    return tokens if tokens is not None else 0


def _changes(name, runs):
    changes = [item for run in runs for question in run.score.questions for item in run.score.changes(question)]
    staleness = bootstrap.statistics(name + "/staleness", [(block, stale) for block, stale, _ in changes])
    missed = bootstrap.share(name + "/missed", [(block, lost, 1) for block, _, lost in changes])
    return staleness, missed


def _difference(name, runs, reference):
    """Points of accuracy more than the reference, moment by moment; as if thinking took no time."""
    items = []
    for run in runs:
        theirs = reference.run_of(run.clip, run.repetition)
        for question in run.score.questions:
            if theirs is None or question.kind not in theirs.score.seen or question.grade in OUTSIDE_MEAN:
                continue
            mine, other = (score.over_time(question, score.seen) for score in (run.score, theirs.score))
            items += [(block, right - also, 1) for (block, right, _), (_, also, _) in zip(mine, other)]
    return bootstrap.share(name + "/difference", items)


def _agreement(name, runs, reference):
    items = []
    for run in runs:
        theirs = reference.run_of(run.clip, run.repetition)
        for question in run.score.questions if theirs else ():
            if question.grade not in OUTSIDE_MEAN:
                items += run.score.agreement(question, theirs.score)
    return bootstrap.share(name + "/agreement", items)


def _measured(name, row, reference):
    """What processes cost: once per run, and against the reference's run of the same turn."""
    per_minute = {"cpu_s": lambda r: r.summary["cpu_s"] / r.minutes,
                  "cpu_client_s": lambda r: r.summary["cpu_parts"]["client"] / r.minutes,
                  "cpu_server_s": lambda r: r.summary["cpu_parts"]["server"] / r.minutes}
    per_run = {"peak_rss_mb": lambda r: r.summary["peak_rss_bytes"] / 1e6,
               "dropped": lambda r: r.summary["frames"]["dropped"] / r.minutes}
    figures = {key: bootstrap.repeated("%s/%s" % (name, key), [of(run) for run in row.runs])
               for key, of in {**per_minute, **per_run}.items()}
    ratios = []
    for run in row.runs:
        theirs = reference.run_of(run.clip, run.repetition) if reference else None
        if theirs and theirs.summary["cpu_s"] > 0:
            ratios.append(run.summary["cpu_s"] / theirs.summary["cpu_s"])
    figures["cpu_ratio"] = bootstrap.repeated(name + "/ratio", ratios)
    return figures


def _work(name, row, reference):
    """Seconds of work per stream minute by the table of costs, and against the reference."""
    def seconds(run):
        return sum(a["work_s"] for a in run.score.answers) + run.frame_s * run.summary["frames"]["seen"]
    work = bootstrap.repeated(name + "/work", [seconds(run) / run.minutes for run in row.runs])
    ratios = []
    for run in row.runs:
        theirs = reference.run_of(run.clip, run.repetition) if reference else None
        if theirs and seconds(theirs) > 0:
            ratios.append(seconds(run) / seconds(theirs))
    return {"work_s": work, "work_ratio": bootstrap.repeated(name + "/work_ratio", ratios)}


def figures_of(row, reference, mode):
    """A JSON object, or None when a run is missing."""
    if row.missing or not row.runs:
        return None
    name, runs = "%s/%s" % (mode, row.name), row.runs
    staleness, missed = _changes(name, runs)
    complete = reference if reference and not reference.missing else None
    figures = {
        "accuracy": _accuracy(name + "/known", runs, lambda score, q: score.over_time(q, score.known)),
        "accuracy_untimed": _accuracy(name + "/seen", runs, lambda score, q: score.over_time(q, score.seen)),
        "accuracy_answers": _accuracy(name + "/answers", runs, lambda score, q: score.at_answers(q)),
        "agreement": _agreement(name, runs, complete) if complete else None,
        "difference": _difference(name, runs, complete) if complete else None,
        "staleness_s": staleness, "missed": missed,
        "latency_s": bootstrap.statistics(name + "/latency", [item for run in runs for item in run.score.latencies()]),
        "per_minute": {
            "answers": _rate(name + "/n", runs, lambda a: 1),
            "encoded": _rate(name + "/encoded", runs, lambda a: a["encoded"]),
            "tokens_seen": _rate(name + "/tokens_seen", runs, lambda a: _fresh(a, "seen")),
            "tokens_kept": _rate(name + "/tokens_kept", runs, lambda a: _fresh(a, "kept")),
            "generated": _rate(name + "/generated", runs, _generated),
            "bytes_sent": bootstrap.repeated(name + "/bytes", [r.summary["bytes_sent"] / r.minutes for r in runs]),
        }}
    figures.update(_work(name, row, complete) if mode == "exact" else _measured(name, row, complete))
    return figures
