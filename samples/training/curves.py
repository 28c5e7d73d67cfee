"""Draws a training run: losses, and validation accuracy by grade, over the minutes.

    python3 samples/training/curves.py --run build/training/edge --out samples/models/saccade-edge-curves.png

Needs Debian's python3-matplotlib.
"""

import argparse
import json
import os

import numpy as np

from samples import QUESTIONS

GRADES = ("glance", "look", "watch", "describe")
LOSSES = {"text": ("#0072B2", "answers (cross entropy a token)"), "label": ("#999999", "patches of streets (training only)"),
          "practice": ("#D9C27E", "patches of practice pages (training only)")}
COLOURS = {"glance": "#0072B2", "look": "#D55E00", "watch": "#009E73", "describe": "#CC79A7"}


def read(path):
    """-> {loss: [(minute, value)]}, scores [(minute, {kind: share})]. A run that was taken up again from an earlier
    checkpoint has lines twice: the later ones count."""
    lines = []
    with open(path, encoding="utf-8") as f:
        for line in f:
            entry = json.loads(line)
            while lines and lines[-1]["step"] > entry["step"]:
                lines.pop()
            lines.append(entry)
    losses = {name: [(e["s"] / 60, e[name]) for e in lines if e.get(name)] for name in LOSSES}
    return losses, [(e["s"] / 60, e["scores"]) for e in lines if "scores" in e]


def draw(losses, scores, name, path):
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 3.6))
    for loss, (colour, meaning) in LOSSES.items():
        if losses[loss]:
            left.plot(*zip(*losses[loss]), color=colour, label=meaning, linewidth=1)
    left.set(xlabel="minutes", ylabel="loss", yscale="log", title="%s: loss" % name)
    left.legend(frameon=False, fontsize=8, loc="upper right")
    for grade in GRADES:
        kinds = [k for k, q in QUESTIONS.items() if q.grade == grade]
        points = [(m, np.mean([s[k] for k in kinds if k in s])) for m, s in scores if any(k in s for k in kinds)]
        if points:
            right.plot(*zip(*points), marker="o", markersize=3, color=COLOURS[grade], label=grade)
    right.set(xlabel="minutes", ylabel="right on validation scenes", ylim=(0, 1.02), title="%s: accuracy" % name)
    right.legend(frameon=False, fontsize=8, loc="lower right")
    for axes in (left, right):
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(path, dpi=100)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--run", default="build/training/edge")
    arguments.add_argument("--name", default="saccade-edge")
    arguments.add_argument("--out", default="samples/models/saccade-edge-curves.png")
    options = arguments.parse_args()
    path = os.path.join(options.run, "curve.jsonl")
    if not os.path.exists(path):
        arguments.error("there is no %s: train.py writes it" % path)
    losses, scores = read(path)
    draw(losses, scores, options.name, options.out)


if __name__ == "__main__":
    main()
