"""One clip as it went: what was true, what each configuration said meanwhile, and when it encoded a picture."""

import matplotlib.pyplot as plt
from matplotlib.patches import Patch

from figures import REFERENCE
from score import rightness

SHOWN = (REFERENCE, "saccade")   # configurations with rows of their own; more would not be readable
MOST_KINDS = 3                   # the questions whose truth changes most often
ROW, BAR = 1.0, 0.72
# Light, for the black text on them.
FILLS = ("#FFFFFF", "#BBD7EC", "#8FBC8F", "#F3D9A4", "#C9B6DB", "#B0B0B0", "#E6B8A2", "#7FA7C9")
WRONG = {"hatch": "////", "edgecolor": "#B03000", "linewidth": 0.8}
OPEN = {"hatch": "....", "edgecolor": "#777777", "linewidth": 0}
FITS_S = 0.019                   # share of the clip that one letter needs


def _spans(standing, end):
    """(start, end, text) of each answer that stood."""
    spans = []
    for since, until, text in zip(standing.since, standing.since[1:] + [float("inf")], standing.texts):
        since, until = max(0.0, since), min(until, end)
        if until <= since:
            continue
        if spans and spans[-1][2] == text and abs(spans[-1][1] - since) < 1e-9:
            spans[-1] = (spans[-1][0], until, text)
        else:
            spans.append((since, until, text))
    return spans


def _bars(axes, y, spans, fill_of, duration):
    for start, end, text in spans:
        axes.barh(y, end - start, left=start, height=BAR, color=fill_of(text), edgecolor="#444444", linewidth=0.6)
        if (end - start) / duration > FITS_S * len(text):
            axes.text((start + end) / 2, y, text, ha="center", va="center", fontsize=8)


def _mark_wrong(axes, y, score, question):
    """Hatched where the answer that stood was not the truth."""
    step = 0.1
    wrong_since = None
    for seconds in score.checks() + [score.truth.duration]:
        true = question.answer(seconds) if seconds < score.truth.duration else None
        told = score.known[question.kind].at(seconds)
        wrong = true is not None and rightness(told, true, question.grade, score.any_case) < 1
        if wrong and wrong_since is None:
            wrong_since = seconds
        elif not wrong and wrong_since is not None:
            axes.barh(y, max(step, seconds - wrong_since), left=wrong_since, height=BAR, fill=False, **WRONG)
            wrong_since = None


def _choose(rows):
    """(clip, {configuration: run}) of the clip in which most happens, of those that all shown configurations watched."""
    shown = [row for row in rows if row.name in SHOWN and row.runs and not row.missing]
    if not shown:
        return None, {}
    def happens(run):
        return sum(len(q.changes()) for q in run.score.questions if q.grade != "describe")
    best = max((run for run in shown[0].runs if run.repetition == 0), key=lambda run: (happens(run), run.clip))
    return best.clip, {row.name: row.run_of(best.clip, 0) for row in shown if row.run_of(best.clip, 0)}


def draw_timeline(folder, rows, name, save):
    """-> the file's name, or None when neither configuration ran."""
    clip, runs = _choose(rows)
    if not runs:
        return None
    any_run = next(iter(runs.values()))
    duration = any_run.score.truth.duration
    questions = [q for q in any_run.score.questions if q.grade not in ("describe", "watch")]
    questions = sorted(questions, key=lambda q: -len(q.changes()))[:MOST_KINDS]
    height = len(questions) * (1 + len(runs)) + len(runs)
    figure, axes = plt.subplots(figsize=(9.2, 0.34 * height + 1.2))
    labels, y = [], 0.0
    for question in questions:
        words = list(dict.fromkeys(answer for _, _, answer in question.intervals))
        fills = {word: FILLS[k % len(FILLS)] for k, word in enumerate(words)}
        def fill_of(text, fills=fills):
            return fills.get(text, "#FFFFFF")
        _bars(axes, y, [(s, min(e, duration), a) for s, e, a in question.intervals if s < duration], fill_of, duration)
        for start, end in question.unsure:
            axes.barh(y, min(end, duration) - start, left=start, height=BAR, fill=False, **OPEN)
        labels.append((y, "%s: truth" % question.kind))
        for label, run in runs.items():
            y += ROW
            _bars(axes, y, _spans(run.score.known[question.kind], duration), fill_of, duration)
            _mark_wrong(axes, y, run.score, question)
            labels.append((y, label))
        y += 1.45 * ROW
    for label, run in runs.items():
        times = [a["content"] for a in run.score.answers if a["encoded"]]
        axes.vlines(times, y - BAR / 2, y + BAR / 2, color="#000000", linewidth=1.0)
        labels.append((y, "encodes of %s: %d" % (label, len(times))))
        y += ROW
    axes.set_yticks([at for at, _ in labels], [text for _, text in labels])
    axes.set_ylim(y - 0.4, -0.6)
    axes.set_xlim(-0.01 * duration, duration)
    axes.grid(False)
    axes.set_xlabel("Seconds of the clip %s" % clip)
    axes.legend(handles=[Patch(fill=False, label="the answer that stood was wrong", **WRONG),
                         Patch(fill=False, label="the truth is open", **OPEN)],
                loc="upper left", bbox_to_anchor=(0, -0.55 / (0.34 * height + 1.2) * 1.35), ncol=2, borderaxespad=0)
    return save(figure, folder, name)
