"""Scores a checkpoint on the test seeds and compares its GGUF pair, run by stock llama.cpp, with it.

    python3 samples/training/evaluate.py --checkpoint build/training/checkpoint.pt --images 500 \
        --cli /path/to/llama-mtmd-cli --models samples/models --agreement 20 --json build/training/scores.json
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

from export_gguf import NAME, load_model
from samples import SPLITS, draw_scene, make_batch, prefix, question_ids, questions, random_scene, render, squash
from tokenizer import EOS
from train import score

KINDS = list(questions.QUESTIONS)
BATCH = 32


def accuracy(model, tokenizer, images, tiled):
    """{kind: (share of exact answers, n)} over test seeds, canonical questions."""
    start = SPLITS["test"].start
    return score(model, (make_batch(tokenizer, range(s, min(s + BATCH, start + images)), tiled=tiled, plain=True, kinds=KINDS)
                         for s in range(start, start + images, BATCH)), precise=True)


def generate(model, tokenizer, image, question, tiled, limit=8):
    """Greedy answer in full precision, token by token, as a plain decoder would."""
    lead, slots = prefix(tokenizer, tiled)
    ids = lead + question_ids(tokenizer, question)
    out = []
    with torch.no_grad():
        while len(out) < limit:
            n = len(ids)
            mask = torch.full((n, n), -1e4).triu(1)[None, None]
            states, _ = model(torch.from_numpy(image)[None], torch.tensor([ids]), slots, torch.arange(n)[None], mask)
            token = int(model.text.logits(states[0, -1]).argmax())
            if token == tokenizer.id_of[EOS]:
                break
            out.append(token)
            ids = ids + [token]
    return tokenizer.decode(out).strip()


def ask_stock(cli, models, picture, question):
    """The answer of llama-mtmd-cli, with its own preprocessing and prompt."""
    command = [cli, "-m", os.path.join(models, NAME + "-text.gguf"), "--mmproj", os.path.join(models, NAME + "-mmproj.gguf"),
               "--image", picture, "-p", question, "--temp", "0", "-n", "8", "-t", "1", "--no-warmup"]
    for _ in range(8):
        run = subprocess.run(command, capture_output=True, text=True, timeout=120)
        if run.returncode:
            raise RuntimeError("llama-mtmd-cli failed:\n" + run.stderr[-2000:])
        # Its log thread may be cut off at exit: one run in eight lost the answer or its end.
        if run.stdout.endswith("\n\n\n"):
            return re.sub(r"\x1b\[[0-9;]*m", "", run.stdout).strip()
    raise RuntimeError("llama-mtmd-cli printed no whole answer in eight runs: %r" % run.stdout)


def agreement(model, tokenizer, cli, models, images):
    """Stock llama.cpp against torch. At 192 x 192 both see the same pixels; at 640 x 360 each
    squashes the frame in its own way, so that the answer's truth counts there."""
    same = total = right = 0
    differences = []
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "scene.png")
        for k in range(images):
            scene = random_scene(SPLITS["test"].start + k)
            kind = KINDS[k % len(KINDS)]
            small = render(scene)
            cv2.imwrite(path, small[:, :, ::-1])
            ours = generate(model, tokenizer, small, questions.canonical(kind), tiled=True)
            theirs = ask_stock(cli, models, path, questions.canonical(kind))
            full = draw_scene(scene, round(360 * scene.aspect), 360)
            cv2.imwrite(path, full[:, :, ::-1])
            native = ask_stock(cli, models, path, questions.canonical(kind))
            total += 1
            same += ours == theirs
            right += native == questions.answer(kind, scene)
            if ours != theirs:
                differences.append((int(SPLITS["test"].start + k), kind, ours, theirs))
    return {"pairs": total, "same": same, "right_at_native_size": right, "differences": differences}


def on_clip(model, tokenizer, folder, every_s=1.0):
    """{kind: (share, n)} on frames of the rendered clip, as decoded, where the truth is not open."""
    with open(os.path.join(folder, "street60.json"), encoding="utf-8") as f:
        truth = json.load(f)
    clip, counts, k = cv2.VideoCapture(os.path.join(folder, truth["file"])), {}, 0
    while True:
        there, frame = clip.read()
        if not there:
            break
        now, k = k / truth["fps"], k + 1
        if round(now * truth["fps"]) % round(every_s * truth["fps"]):
            continue
        picture = squash(np.ascontiguousarray(frame[:, :, ::-1]))
        for kind, entry in truth["questions"].items():
            if any(r["start"] <= now < r["end"] for r in entry["unsure"]):
                continue
            expected = next(r["answer"] for r in entry["intervals"] if r["start"] <= now < r["end"])
            right, n = counts.get(kind, (0, 0))
            counts[kind] = (right + (generate(model, tokenizer, picture, entry["question"], False) == expected), n + 1)
    return {kind: (right / n, n) for kind, (right, n) in counts.items()}


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--checkpoint", default="build/training/checkpoint.pt")
    arguments.add_argument("--images", type=int, default=500)
    arguments.add_argument("--cli", help="llama-mtmd-cli; without it no agreement check")
    arguments.add_argument("--models", default="samples/models")
    arguments.add_argument("--agreement", type=int, default=20, help="pictures, one question each")
    arguments.add_argument("--clip", help="folder of street60.avi and street60.json")
    arguments.add_argument("--json", help="where the results go; added to what is there")
    options = arguments.parse_args()
    model, tokenizer = load_model(options.checkpoint)
    result = {}
    if options.json and os.path.exists(options.json):   # what is not measured now is kept
        with open(options.json, encoding="utf-8") as f:
            result = json.load(f)
    for name, tiled in (("overview", False), ("tiles", True)) if options.images else ():
        result[name] = accuracy(model, tokenizer, options.images, tiled)
        mean = np.mean([share for share, _ in result[name].values()])
        print("%s: mean %.4f  " % (name, mean) + "  ".join("%s %.3f" % (k, v[0]) for k, v in result[name].items()), flush=True)
    if options.clip:
        result["clip"] = on_clip(model, tokenizer, options.clip)
        print("clip:  " + "  ".join("%s %.3f" % (k, v[0]) for k, v in result["clip"].items()), flush=True)
    if options.cli:
        result["agreement"] = agreement(model, tokenizer, options.cli, options.models, options.agreement)
        print(result["agreement"])
    if options.json:
        with open(options.json, "w", encoding="utf-8") as f:
            json.dump(result, f, indent=1)


if __name__ == "__main__":
    main()
