"""Scores a checkpoint on the test seeds and compares its GGUF pair, run by stock llama.cpp, with it.

    python3 samples/training/evaluate.py --checkpoint build/training/edge/checkpoint.pt --scenes 300 \
        --cli /path/to/llama-mtmd-cli --models samples/models --agreement 20 --json build/training/edge/scores.json

What is not measured now is kept in the JSON file, so that its parts can be made one by one.
"""

import argparse
import json
import os
import re
import subprocess
import tempfile

import cv2
import numpy as np
import torch

from calibrate import binned
from export_gguf import load_model
from judge import judged
from samples import (QUESTIONS, SHORT, SPLITS, STILL, WATCH, Shape, draw_scene, make_scored, prompt_after, question_ids,
                     questions, random_scene, render)
from tokenizer import EOS

FRAMES = 4       # of a window
ROWS = 16
LAYOUTS = ("after", "before", "tiles")


def batches(tokenizer, shape, count, layout):
    """Every still question about `count` scenes, then every watch question about as many windows."""
    start = SPLITS["test"].start
    tiled, order = layout == "tiles", "before" if layout == "before" else "after"
    for s in range(start, start + count, ROWS):
        seeds = range(s, min(s + ROWS, start + count))
        yield make_scored(tokenizer, shape, seeds, 1, order, tiled=tiled, kinds=STILL)
        if not tiled:   # stock llama.cpp's prompt is used with one picture
            yield make_scored(tokenizer, shape, seeds, FRAMES, order, kinds=WATCH)


def accuracy(answers):
    """{kind: (share right, n)}."""
    return {k: (float(np.mean([s for kind, s, _ in answers if kind == k])), sum(kind == k for kind, _, _ in answers))
            for k in QUESTIONS if any(kind == k for kind, _, _ in answers)}


def reliability(answers):
    """Of short answers, [(mean confidence, share right, n)] by confidence and the expected calibration error. It is the
    plain confidence, in torch; calibrate.py makes and measures the calibrated one, with the files."""
    short = [(c, s) for kind, s, c in answers if kind in SHORT or kind in WATCH]
    return binned(*(np.array(column) for column in zip(*short)))


def generate(model, tokenizer, shape, image, question, limit=8):
    """Greedy answer in full precision, token by token, as a plain decoder would; in stock llama.cpp's prompt."""
    lead = prompt_after(tokenizer, shape.tokens, 1, tiled=True)
    asked = question_ids(tokenizer, question)
    ids, picture, out = lead.ids + asked, lead.pictures + [-1] * len(asked), []
    with torch.no_grad():
        while len(out) < limit:
            n = len(ids)
            mask = torch.full((n, n), -1e4).triu(1)[None, None]
            states = model(torch.from_numpy(image)[None, None], torch.tensor([ids]), torch.tensor([picture]),
                              torch.arange(n)[None], mask)
            token = int(model.text.logits(states[0, -1]).argmax())
            if token == tokenizer.id_of[EOS]:
                break
            out.append(token)
            ids, picture = ids + [token], picture + [-1]
    return tokenizer.decode(out).strip()


def ask_stock(cli, models, name, picture, question):
    """The answer of llama-mtmd-cli, with its own preprocessing and prompt."""
    command = [cli, "-m", os.path.join(models, name + "-text.gguf"), "--mmproj", os.path.join(models, name + "-mmproj.gguf"),
               "--image", picture, "-p", question, "--temp", "0", "-n", "8", "-t", "1", "--no-warmup"]
    for _ in range(8):
        run = subprocess.run(command, capture_output=True, text=True, timeout=120)
        if run.returncode:
            raise RuntimeError("llama-mtmd-cli failed:\n" + run.stderr[-2000:])
        # Its log thread may be cut off at exit: one run in eight lost the answer or its end.
        if run.stdout.endswith("\n\n\n"):
            return re.sub(r"\x1b\[[0-9;]*m", "", run.stdout).strip()
    raise RuntimeError("llama-mtmd-cli printed no whole answer in eight runs: %r" % run.stdout)


def agreement(name, model, tokenizer, shape, cli, models, images):
    """Stock llama.cpp against torch. At the model's size both see the same pixels; at 640 x 360 each
    squashes the frame in its own way, so that the answer's truth counts there."""
    same = total = right = 0
    differences = []
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "scene.png")
        for k in range(images):
            scene, kind = random_scene(SPLITS["test"].start + k), SHORT[k % len(SHORT)]
            small = render(scene, shape)
            cv2.imwrite(path, small[:, :, ::-1])
            ours = generate(model, tokenizer, shape, small, questions.canonical(kind))
            theirs = ask_stock(cli, models, name, path, questions.canonical(kind))
            cv2.imwrite(path, draw_scene(scene, round(360 * scene.aspect), 360)[:, :, ::-1])
            native = ask_stock(cli, models, name, path, questions.canonical(kind))
            total += 1
            same += ours == theirs
            right += native == questions.answer(kind, scene)
            if ours != theirs:
                differences.append((int(SPLITS["test"].start + k), kind, ours, theirs))
    return {"pairs": total, "same": same, "right_at_native_size": right, "differences": differences}


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--checkpoint", default="build/training/edge/checkpoint.pt")
    arguments.add_argument("--scenes", type=int, default=300, help="test scenes, and as many windows; 0 = none")
    arguments.add_argument("--layouts", default=",".join(LAYOUTS), help="which of %s" % ", ".join(LAYOUTS))
    arguments.add_argument("--cli", help="llama-mtmd-cli; without it no agreement check")
    arguments.add_argument("--models", default="samples/models")
    arguments.add_argument("--agreement", type=int, default=20, help="pictures, one question each")
    arguments.add_argument("--bf16", action="store_true", help="as trained: faster, and a little less exact")
    arguments.add_argument("--json", help="where the results go; added to what is there")
    options = arguments.parse_args()
    unknown = set(options.layouts.split(",")) - set(LAYOUTS)
    if unknown:
        arguments.error("--layouts: there is no %s" % ", ".join(sorted(unknown)))
    name, model, tokenizer = load_model(options.checkpoint)
    shape, result = Shape(model.c), {}
    if options.json and os.path.exists(options.json):
        with open(options.json, encoding="utf-8") as f:
            result = json.load(f)
    for layout in options.layouts.split(",") if options.scenes else ():
        answers = list(judged(model, batches(tokenizer, shape, options.scenes, layout), tokenizer, precise=not options.bf16))
        result[layout] = accuracy(answers)
        result["precision"] = "bf16, as in training" if options.bf16 else "full precision"
        if layout == "after":
            result["reliability"] = reliability(answers)
        mean = np.mean([share for share, _ in result[layout].values()])
        print("%s: mean %.4f  " % (layout, mean) + "  ".join("%s %.3f" % (k, v[0]) for k, v in result[layout].items()), flush=True)
    if options.cli:
        model.eval()
        result["agreement"] = agreement(name, model, tokenizer, shape, options.cli, options.models, options.agreement)
        print(result["agreement"])
    if options.json:
        with open(options.json, "w", encoding="utf-8") as f:
            json.dump(result, f, indent=1)


if __name__ == "__main__":
    main()
