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
COLOURS = {"glance": "#0072B2", "look": "#D55E00", "watch": "#009E73", "describe": "#CC79A7"}


def read(path):
    """-> losses [(minute, text, label)], scores [(minute, {kind: share})]."""
    with open(path, encoding="utf-8") as f:
        lines = [json.loads(line) for line in f]
    losses = [(e["s"] / 60, e["text"], e["label"]) for e in lines if "text" in e]
    return losses, [(e["s"] / 60, e["scores"]) for e in lines if "scores" in e]


def draw(losses, scores, name, path):
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 3.6))
    minutes, text, label = np.array(losses).T
    asked = text > 0
    left.plot(minutes[asked], text[asked], color="#0072B2", label="answers (cross entropy a token)")
    left.plot(minutes, label, color="#999999", label="patch labels (training only)")
    left.set(xlabel="minutes", ylabel="loss", yscale="log", title="%s: loss" % name)
    left.legend(frameon=False, fontsize=8)
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
