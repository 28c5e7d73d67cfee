"""Writes the model card from what was measured: scores (evaluate.py), checkpoint, files.

    python3 samples/training/card.py --checkpoint build/training/checkpoint.pt \
        --scores build/training/scores.json --models samples/models
"""

import argparse
import hashlib
import json
import os

import torch

from export_gguf import NAME
from model import Config
from samples import QUESTIONS_PER_IMAGE, SPLITS, questions
from train import BATCH, PEAK_RATE, PRUNED_SHARE, TILED_SHARE

CARD = """# saccade-edge

A small multimodal model that answers short questions about rendered street scenes. The project made it: it renders the
scenes (`samples/scenes`), asks and answers the questions, and trains the weights (`samples/training`) from random numbers.
No foreign weights, pictures or texts went into it, so it carries the project's own licence.

It is the default model, so that every pipeline, test and accuracy figure runs on learned weights without a download.
Any other GGUF pair of llama.cpp takes its place by one property.

## What it knows
The street of `samples/scenes`, by day and by night, from a pedestrian's eye: a traffic light (red, yellow, green or none),
up to four people, at most one car (six colours), a bin, bicycle or cone on the path or beside it, a zebra crossing or none.
It answers in one word or number:

{questions}

"Is it safe to cross?" is a rule over what is seen: the light, if there is one, is green, and no car is in sight.
People do not block the path. A thing counts as seen when a fifth of its width is inside the frame.

## What it does not know
Anything else: no photographs, no other words or objects, no reading, no conversation, no second picture. It always answers,
also where it has nothing to say. Things cut by the frame's edge, people who hide one another, a car in the exact middle
and dusk were left out of training or drawn on one side of the border; there its answer is open. It must not guide anybody
across a real street.

## Accuracy on scenes never seen
Exact answers, greedy, canonical questions, {images} test scenes (seeds {first} to {last}); *overview* is Saccade's prompt,
*tiles* is stock llama.cpp's (see below), *clip* is Saccade's on one frame a second of `street60.avi` (`samples/scenes/clip.py`). Full precision, before quantisation.

{accuracy}

{agreement}

## Files
{files}

Weights of matrix products are {type}; norms, biases and positions f32, the patch convolution f16.
Encoder: {c.image} x {c.image} pixels, patch {c.patch}, {c.vision_layers} layers x {c.width}, {c.heads} heads, feed-forward {c.vision_ff}; {patches} patches,
{c.shuffle} x {c.shuffle} pixel shuffle, {c.image_tokens} tokens. Decoder: llama, {c.text_layers} layers x {c.width}, {c.heads} heads, feed-forward {c.text_ff}, vocabulary {c.vocab}
(tied), RoPE base {c.rope_base:.0f}. {parameters:.2f} million parameters.

## Prompt
A frame of any shape is squashed to {c.image} x {c.image} RGB, mean and deviation 0.5. `[picture]` stands for the {c.image_tokens} tokens.
The question comes after the picture; the answer begins with a blank and ends with `<end_of_utterance>`. The template
writes `<|im_start|>`, so no further BOS is added.

Overview, what Saccade sends:

    <|im_start|>User: \\n\\n<fake_token_around_image><global-img>[picture]<fake_token_around_image>QUESTION<end_of_utterance>\\nAssistant:

Tiles, what libmtmd makes of the same picture (`clip.vision.preproc_image_size` = {c.image}: always one tile and the overview,
both the same picture):

    <|im_start|>User: <fake_token_around_image><row_1_col_1>[picture]\\n\\n<fake_token_around_image><global-img>[picture]<fake_token_around_image>QUESTION<end_of_utterance>\\nAssistant:

    llama-mtmd-cli -m {name}-text.gguf --mmproj {name}-mmproj.gguf --image street.png -p "What colour is the traffic light?" --temp 0

It was trained to bear the loss of picture tokens that show only scenery, with positions closed up ({pruned:.0%} of the batches).

## How it was trained
`sh samples/training/train.sh`: {steps} steps x {batch} = {seen} scenes, each rendered once (seeds from 0), {per_image} questions packed per picture,
AdamW, peak rate {rate}, cosine over the time granted, bf16 autocast, averaged weights; {tiled:.0%} of the batches in the tiles prompt.
{minutes:.0f} minutes on two cores shared with other work. A second loss during training asks every patch what it shows
(`labels.py`); that head is not part of the files.
{note}"""


def question_table():
    rows = ["| | question | answers |", "|---|---|---|"]
    rows += ["| `%s` | %s | %s |" % (kind, q.wordings[0], ", ".join(q.answers)) for kind, q in questions.QUESTIONS.items()]
    return "\n".join(rows)


def accuracy_table(scores):
    rows = ["| question | n | overview | tiles |", "|---|---|---|---|"]
    for kind, (share, n) in scores["overview"].items():
        rows.append("| `%s` | %d | %.3f | %.3f |" % (kind, n, share, scores["tiles"][kind][0]))
    means = [sum(v[0] for v in scores[k].values()) / len(scores[k]) for k in ("overview", "tiles")]
    if "clip" in scores:
        rows[:2] = ["| question | n | overview | tiles | clip |", "|---|---|---|---|---|"]
        rows[2:] = ["%s %.3f |" % (row, scores["clip"][kind][0]) for row, kind in zip(rows[2:], scores["overview"])]
        means.append(sum(v[0] for v in scores["clip"].values()) / len(scores["clip"]))
    asked = sum(n for _, n in scores["overview"].values())
    rows.append("| mean | %d | " % asked + " | ".join("**%.3f**" % m for m in means) + " |")
    return "\n".join(rows)


def agreement_text(scores):
    found = scores.get("agreement")
    if not found:
        return "The files were not compared with torch in this run (evaluate.py --cli)."
    return ("The files, run by stock `llama-mtmd-cli`, gave the trained model's answer to %d of %d questions on the same pixels, "
            "and the right answer to %d of %d on frames of their native size." %
            (found["same"], found["pairs"], found["right_at_native_size"], found["pairs"]))


def file_table(folder):
    rows = ["| file | bytes | sha256 |", "|---|---|---|"]
    for part in ("text", "mmproj"):
        name = "%s-%s.gguf" % (NAME, part)
        with open(os.path.join(folder, name), "rb") as f:
            data = f.read()
        rows.append("| `%s` | %s | `%s` |" % (name, format(len(data), ","), hashlib.sha256(data).hexdigest()))
    return "\n".join(rows)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--checkpoint", default="build/training/checkpoint.pt")
    arguments.add_argument("--scores", default="build/training/scores.json")
    arguments.add_argument("--models", default="samples/models")
    arguments.add_argument("--type", default="q8_0")
    arguments.add_argument("--note", default="", help="a sentence about this run")
    options = arguments.parse_args()
    state = torch.load(options.checkpoint, map_location="cpu")
    with open(options.scores, encoding="utf-8") as f:
        scores = json.load(f)
    c, images = Config(**state["config"]), scores["overview"]["light"][1]
    text = CARD.format(
        c=c, name=NAME, questions=question_table(), accuracy=accuracy_table(scores), agreement=agreement_text(scores),
        files=file_table(options.models), type=options.type, images=images, first=SPLITS["test"].start,
        last=SPLITS["test"].start + images - 1, patches=c.grid ** 2,
        parameters=sum(v.numel() for k, v in state["average"].items() if "label_head" not in k) / 1e6, steps=state["step"],
        batch=BATCH, seen=format(state["step"] * BATCH, ","), per_image=QUESTIONS_PER_IMAGE, rate=PEAK_RATE, tiled=TILED_SHARE,
        pruned=PRUNED_SHARE, minutes=state["elapsed"] / 60, note=options.note + "\n" if options.note else "")
    with open(os.path.join(options.models, "README.md"), "w", encoding="utf-8") as f:
        f.write(text)


if __name__ == "__main__":
    main()
