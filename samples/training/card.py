"""Writes a model's card from what was measured: scores (evaluate.py, calibrate.py), checkpoint, curves, files.

    python3 samples/training/card.py --run build/training/edge --models samples/models

writes MODELS/saccade-edge.md, MODELS/saccade-edge.json (the scores) and MODELS/README.md, which sets the models
side by side; the run's folder has checkpoint.pt and scores.json.
"""

import argparse
import hashlib
import json
import os

import numpy as np
import torch

import train
from calibrate import BINS, FIGURES
from evaluate import FRAMES
from model import Config
from samples import QUESTIONS, SPLITS, questions

GRADES = ("glance", "look", "watch", "describe")
ROLES = {
    "saccade-edge": "the default model: small enough for a camera's own processor",
    "saccade-cloud": "the model behind the network: the same decoder, four times the pixels, so that it reads small print",
}
CARD = """# {name}

{role_sentence} It answers questions about rendered street scenes. The project made it: it renders the scenes
(`samples/scenes`), asks and answers the questions, and trains the weights (`samples/training`) from random numbers. No
foreign weights, pictures or texts went into it, so it carries the project's own licence. Any other GGUF pair of llama.cpp
takes its place by one property.

## What it knows
The street of `samples/scenes`, by day and by night, from a pedestrian's eye: a traffic light, up to four people, at most one
car (six colours), a bin, bicycle or cone on the path or beside it, a zebra crossing, a shop's sign (ten words) and its hours,
the number of a bus, an arrow, the shade of a house. Several pictures in one prompt, oldest first, are one stream.

{questions}

"Is it safe to cross?" is a rule over what is seen: the light, if there is one, is green, and no car is in sight.
People do not block the path. A thing counts as seen when a fifth of its width is inside the frame, text when all of it is.
A description tells {facts} facts in 32 to 64 tokens (`samples/scenes/describe.py`).

## What it does not know
Anything else: no photographs, no other words or objects, no conversation. It always answers, also where it has nothing to
say. Things cut by the frame's edge, people who hide one another, a car in the exact middle and dusk were left out of training
or drawn on one side of the border; there its answer is open. It must not guide anybody across a real street.

## Accuracy on scenes never seen
Exact answers (of a description, the share of its facts that are right), greedy, canonical questions, {scenes} test scenes and
{scenes} windows of {frames} pictures (seeds {first} to {last}), {precision}, before quantisation. *after* and *before*: where the
question stands, seen from the pictures. *tiles*: stock llama.cpp's prompt.

{accuracy}

{agreement}

## Can its confidence be trusted?
{confidence}

## Files
{files}

Weights of matrix products are {type}; norms, biases and positions f32, the patch convolution f16.
Encoder: {c.image} x {c.image} pixels, patch {c.patch}, {c.vision_layers} layers x {c.width}, {c.heads} heads, feed-forward {c.vision_ff}; {patches} patches,
{c.shuffle} x {c.shuffle} pixel shuffle, {c.image_tokens} tokens. Decoder: llama, {c.text_layers} layers x {c.width}, {c.heads} heads, feed-forward {c.text_ff}, vocabulary {c.vocab}
(tied), RoPE base {c.rope_base:.0f}. {parameters:.2f} million parameters.

## Prompt
A frame of any shape is squashed to {c.image} x {c.image} RGB, mean and deviation 0.5. `[picture]` stands for the {c.image_tokens} tokens.
The answer begins with a blank and ends with `<end_of_utterance>`. The template writes `<|im_start|>`, so no further BOS is added.

Question after the pictures, what Saccade sends (`\\n\\n<fake_token_around_image><global-img>[picture]<fake_token_around_image>` once a picture):

    <|im_start|>User: \\n\\n<fake_token_around_image><global-img>[picture]<fake_token_around_image>QUESTION<end_of_utterance>\\nAssistant:

Question before the pictures:

    <|im_start|>User: QUESTION\\n\\n<fake_token_around_image><global-img>[picture]<fake_token_around_image><end_of_utterance>\\nAssistant:

Tiles, what libmtmd makes of one picture (`clip.vision.preproc_image_size` = {c.image}: always one tile and the overview, both the
same picture):

    <|im_start|>User: <fake_token_around_image><row_1_col_1>[picture]\\n\\n<fake_token_around_image><global-img>[picture]<fake_token_around_image>QUESTION<end_of_utterance>\\nAssistant:

    llama-mtmd-cli -m {name}-text.gguf --mmproj {name}-mmproj.gguf --image street.png -p "What colour is the traffic light?" --temp 0

## How it was trained
`sh samples/training/train.sh {preset}`. Config: {config}. Each step has {rows} rows for one to four pictures; every scene is rendered once
(seeds from {train_first}, {steps} steps, {minutes:.0f} minutes{on}). AdamW, cosine over the time granted, bf16 autocast, averaged weights.
{before:.0%} of the question batches have the question before the pictures, {tiled:.0%} of the others stock llama.cpp's prompt,
{windows:.0%} several pictures, {thin:.0%} had only part of the tokens that show nothing but scenery. A second loss asks every patch
what it shows (`labels.py`); that head is not part of the files.
{note}
![loss and accuracy over the training's minutes]({name}-curves.png)
"""

PLAIN = """Short answers (after), sorted by the model's confidence (geometric mean of its tokens' probabilities), {answers} of them, in torch.
Expected calibration error {ece:.3f}.{not_better}

{bins}"""

CALIBRATED = """It is meant as the share of answers that are right; of a description, as the share of its facts. The engine computes it from the
tokens' probabilities and three numbers in the text model's file (`samples/training/calibrate.py` has the formula, and fits them):

{keys}

Measured with the files, through `localmllm`: fitted to {fitted} answers about scenes with the seeds
{fitted_seeds}; what follows is about {answers} answers about others,
{held_out_seeds}. *plain* is the geometric mean of the tokens' probabilities, which models
without these numbers get. In brackets 95 % intervals over scenes; chance adds to a calibration error, so that they lie high.

{figures}

All answers by what is said of them:

{bins}"""


INDEX = """# The models that ship with Saccade

Small multimodal models that know the rendered street of `samples/scenes` and nothing else. The project made them: it renders the
scenes, asks and answers the questions and trains the weights. They are the defaults, so that every pipeline, test and accuracy
figure runs on learned weights without a download; any other GGUF pair of llama.cpp takes their place by one property.

{cards}

Exact answers on {scenes} test scenes and as many windows of {frames} pictures, question after the pictures, {precision}
(of a description, the share of its facts). `saccade-eval` measures the same with the files, through real pipelines
([benchmarks](../../docs/benchmarks.md)).

{table}
"""


def question_table():
    rows = ["| | grade | question | answers |", "|---|---|---|---|"]
    rows += ["| `%s` | %s | %s | %s |" % (kind, q.grade, q.wordings[0], ", ".join(q.answers) or "a text")
             for kind, q in QUESTIONS.items()]
    return "\n".join(rows)


def accuracy_table(scores):
    """By question, then the mean of each grade and of all questions."""
    layouts = [l for l in ("after", "before", "tiles") if l in scores]

    def row(title, kinds, form):
        shares = [[scores[l][k][0] for k in kinds if k in scores[l]] for l in layouts]
        cells = [form % np.mean(s) if len(s) == len(kinds) else "" for s in shares]
        return "| %s | %d | %s |" % (title, sum(scores["after"][k][1] for k in kinds), " | ".join(cells))

    rows = ["| question | n | %s |" % " | ".join(layouts), "|---|---|" + "---|" * len(layouts)]
    rows += [row("`%s`" % kind, [kind], "%.3f") for kind in scores["after"]]
    for grade in GRADES:
        kinds = [k for k in scores["after"] if QUESTIONS[k].grade == grade]
        if kinds:
            rows.append(row("mean of %s" % grade, kinds, "**%.3f**"))
    rows.append(row("mean of all", list(scores["after"]), "**%.3f**"))
    return "\n".join(rows)


def plain_text(scores):
    """Reliability of the plain confidence, where there is no other."""
    found = scores["reliability"]
    rows = ["| mean confidence | right | n |", "|---|---|---|"] + ["| %.2f | %.3f | %d |" % tuple(b) for b in found["bins"]]
    not_better = " Calibrating it (samples/training/calibrate.py) was not measurably better." if "calibration" in scores else ""
    return PLAIN.format(answers=found["n"], ece=found["ece"], not_better=not_better, bins="\n".join(rows))


def _seeds(ranges):
    return " and ".join("%d to %d" % tuple(r) for r in ranges)


def figure_table(found):
    """Log-loss, Brier score and calibration error of each group of answers, plain and calibrated."""
    rows = ["| answers | n | right | | log-loss | Brier score | expected calibration error |", "|---|---|---|---|---|---|---|"]
    for group, of in found.items():
        for way, title in (("plain", "| %s | %d | %.3f" % (group, of["n"], of["right"])), ("calibrated", "| | | ")):
            rows.append("%s | %s | %s |" % (title, way, " | ".join("%.3f (%.3f to %.3f)" % tuple(of[way][f]) for f in FIGURES)))
    return "\n".join(rows)


def reliability_table(bins):
    """Plain and calibrated side by side, by tenths of confidence."""
    by_tenth = {way: {min(BINS - 1, int(said * BINS)): (said, right, n) for said, right, n in of} for way, of in bins.items()}
    rows = ["| calibrated | right | n | plain | right | n |", "|---|---|---|---|---|---|"]
    for tenth in range(BINS):
        cells = ["%.2f | %.3f | %d" % by_tenth[way][tenth] if tenth in by_tenth[way] else " | | " for way in ("calibrated", "plain")]
        rows.append("| %s |" % " | ".join(cells))
    return "\n".join(rows)


def confidence_text(scores):
    """What calibrate.py found, or how good the plain confidence is."""
    calibration = scores.get("calibration")
    if not calibration or not calibration["keys"]:
        return plain_text(scores)
    found, seeds = calibration["found"], calibration["seeds"]
    return CALIBRATED.format(
        keys="\n".join("    %s = %s" % pair for pair in calibration["keys"].items()), fitted=calibration["fitted"],
        fitted_seeds=_seeds(seeds["fitted"]), held_out_seeds=_seeds(seeds["held_out"]), answers=found["all"]["n"],
        figures=figure_table(found), bins=reliability_table(found["all"]["bins"]))


def agreement_text(scores):
    found = scores.get("agreement")
    if not found:
        return "The files were not compared with torch in this run (evaluate.py --cli)."
    return ("The files, run by stock `llama-mtmd-cli`, gave the trained model's answer to %d of %d questions on the same pixels, "
            "and the right answer to %d of %d on frames of their native size." %
            (found["same"], found["pairs"], found["right_at_native_size"], found["pairs"]))


def file_table(folder, model):
    rows = ["| file | bytes | sha256 |", "|---|---|---|"]
    for part in ("text", "mmproj"):
        name = "%s-%s.gguf" % (model, part)
        with open(os.path.join(folder, name), "rb") as f:
            data = f.read()
        rows.append("| `%s` | %s | `%s` |" % (name, format(len(data), ","), hashlib.sha256(data).hexdigest()))
    return "\n".join(rows)


def index(models):
    """README.md: the models side by side, from their scores."""
    scores, cards, precision = {}, [], set()
    for name, role in ROLES.items():
        path = os.path.join(models, name + ".json")
        if os.path.exists(path):
            with open(path, encoding="utf-8") as f:
                found = json.load(f)
            scores[name] = found["after"]
            precision.add(found["precision"])
            cards.append("- [%s](%s.md): %s." % (name, name, role))
    kinds = [k for k in QUESTIONS if all(k in s for s in scores.values())]

    def row(title, asked, form):
        return "| %s | %s |" % (title, " | ".join(form % np.mean([s[k][0] for k in asked]) for s in scores.values()))

    rows = ["| | %s |" % " | ".join(scores), "|---|" + "---|" * len(scores)]
    rows += [row("`%s` (%s)" % (k, QUESTIONS[k].grade), [k], "%.3f") for k in kinds]
    rows += [row("mean of %s" % g, [k for k in kinds if QUESTIONS[k].grade == g], "**%.3f**") for g in GRADES]
    rows.append(row("mean of all", kinds, "**%.3f**"))
    any_scores = next(iter(scores.values()))
    with open(os.path.join(models, "README.md"), "w", encoding="utf-8") as f:
        f.write(INDEX.format(cards="\n".join(cards), table="\n".join(rows), scenes=any_scores["light"][1], frames=FRAMES,
                             precision=" or ".join(sorted(precision))))


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--run", default="build/training/edge", help="folder of checkpoint.pt and scores.json")
    arguments.add_argument("--models", default="samples/models")
    arguments.add_argument("--type", default="q8_0")
    arguments.add_argument("--note", default="", help="sentences about this run")
    options = arguments.parse_args()
    state = torch.load(os.path.join(options.run, "checkpoint.pt"), map_location="cpu")
    with open(os.path.join(options.run, "scores.json"), encoding="utf-8") as f:
        scores = json.load(f)
    c, scenes, name = Config(**state["config"]), scores["after"]["light"][1], "saccade-" + state["name"]
    first = SPLITS["test"].start
    text = CARD.format(
        c=c, name=name, preset=state["name"], role_sentence=ROLES[name][0].upper() + ROLES[name][1:] + ".",
        questions=question_table(), facts=len(questions.describe.FACTS), scenes=scenes, frames=FRAMES, first=first, last=first + scenes - 1,
        accuracy=accuracy_table(scores), agreement=agreement_text(scores), precision=scores["precision"], confidence=confidence_text(scores),
        files=file_table(options.models, name), type=options.type, patches=c.grid ** 2,
        parameters=sum(v.numel() for k, v in state["average"].items() if "_head" not in k) / 1e6,
        config=", ".join("%s %s" % (k, v) for k, v in sorted(state.get("options", {}).items())), steps=state["step"],
        minutes=state["elapsed"] / 60, on=", on " + state["device"] if "device" in state else "",
        rows=" / ".join(str(train.ROWS[f]) for f in train.FRAMES), train_first=SPLITS["train"].start,
        before=train.BEFORE_SHARE, tiled=train.TILED_SHARE, windows=1 - train.FRAMES_SHARE[0], thin=train.THIN_SHARE,
        note=options.note + "\n" if options.note else "")
    with open(os.path.join(options.models, name + ".md"), "w", encoding="utf-8") as f:
        f.write(text)
    with open(os.path.join(options.models, name + ".json"), "w", encoding="utf-8") as f:
        json.dump(scores, f, indent=1)
        f.write("\n")
    index(options.models)


if __name__ == "__main__":
    main()
