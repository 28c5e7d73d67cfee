"""Trains a model on scenes rendered as it goes. Resumable; the learning rate follows the clock.

    python3 samples/training/train.py --model edge --minutes 70 --out build/training/edge
    python3 samples/training/train.py --model cloud --from build/training/edge/checkpoint.pt --minutes 90 --out build/training/cloud

Writes OUT/tokenizer.json, OUT/checkpoint.pt (every three minutes), OUT/log.txt and OUT/curve.jsonl
(losses and scores, for curves.py). A file OUT/finish that holds a number of minutes lets the rate
fall to zero within them, then stops. A GPU is used if PyTorch finds one.
"""

import argparse
import collections
import copy
import json
import math
import multiprocessing
import os
import signal
import time
from dataclasses import asdict

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from inherit import inherit
from judge import encode, read, score
from model import PRESETS, Config, StreetModel, patches_of
from samples import (BUS_LINES, CLASSES, HOURS, READING, SPLITS, STILL, WATCH, WORDS, Shape, ask, make_pictures, make_practice,
                     make_scored, small_print, vocabulary_texts)

from tokenizer import Tokenizer

# Rows of a step by frames in a row: about the same work each.
ROWS = {1: 32, 2: 32, 3: 28, 4: 24}
# How often the encoder stays as it is, by frames: what happened between pictures is for the decoder to find out,
# and without the way back a picture costs a third.
FROZEN_SHARE = {1: 0.4, 2: 0.8, 3: 0.8, 4: 0.8}
# What such pictures were encoded to is kept for a while, and asked about again: projection and decoder learn from many
# questions at a tenth of a step's cost.
REPLAY_FROM, REPLAY_KEPT = 8, 48
WARMUP_STEPS, FLOOR_RATE = 40, 1e-5
# How often a step is what; the rest is one frame, question after it.
PRACTICE_WINDOW = 12   # patches a side
TILED_SHARE = 0.10
# These leave out scenery, which nearly halves the encoder's work and teaches the model to bear the loss of tokens.
THIN_TOKENS, THIN_SHARE = (19, 23), 0.6
# Reading lessons: only small print is asked about, and only its tokens and a few others are encoded.
READING_TOKENS = (8, 12)
FRAMES, FRAMES_SHARE = (1, 2, 3, 4), (0.55, 0.12, 0.12, 0.21)
BEFORE_SHARE, DESCRIBE_SHARE = 0.35, 0.3
LABEL_WEIGHT = 0.3
TOKEN_WEIGHT = 0.3   # of the labels of whole tokens, beside those of patches: what a patch knows must pass the projection
FINE_WEIGHT = 3.0   # of labels that are small, and that counting and reading hang on
WHICH_WEIGHT = 3.0
EMA_DECAY = 0.995
CHECKPOINT_S, SCORE_S, SCORE_IMAGES, SCORE_WINDOWS = 180, 420, 128, 64


class Rate:
    """Cosine over the minutes granted; linear to zero once `finish` asks for it."""

    def __init__(self, peak, minutes):
        self.peak, self.span, self.finish = peak, minutes * 60.0, None

    def at(self, elapsed, step):
        cosine = FLOOR_RATE + (self.peak - FLOOR_RATE) * 0.5 * (1 + math.cos(math.pi * min(1.0, elapsed / self.span)))
        cosine *= min(1.0, (step + 1) / WARMUP_STEPS)
        if self.finish:
            begin, length, rate = self.finish
            return rate * max(0.0, 1 - (elapsed - begin) / length)
        return cosine

    def over(self, elapsed):
        return elapsed >= (sum(self.finish[:2]) if self.finish else self.span)

    def heed(self, path, elapsed, step):
        if not self.finish and os.path.exists(path):
            with open(path) as f:
                minutes = float(f.read() or 5)
            self.finish = (elapsed, minutes * 60, self.at(elapsed, step))


def save(path, **parts):
    torch.save(parts, path + ".part")
    os.replace(path + ".part", path)   # a stopped run never leaves half a checkpoint


def optimiser_of(model, peak):
    decayed = [p for n, p in model.named_parameters() if p.dim() > 1 and "embed" not in n and "position" not in n]
    chosen = {id(p) for p in decayed}
    rest = [p for p in model.parameters() if id(p) not in chosen]
    return torch.optim.AdamW([{"params": decayed, "weight_decay": 0.05}, {"params": rest, "weight_decay": 0.0}],
                             lr=peak, betas=(0.9, 0.98), foreach=True)


class Crew:
    """Single-threaded workers that share each batch and meet once a step to average gradients.

    Two such workers use two busy cores better than one worker with two threads, which meets
    at every matrix product. Each applies the same update to its own copy of the weights."""

    def __init__(self, size, count):
        self.size = size
        self.gradients = torch.zeros(2, size, count).share_memory_()   # two: writing one while the other is read
        self.orders = torch.zeros(3, dtype=torch.float64).share_memory_()   # learning rate, 1 to stop, seconds so far
        self.barrier = multiprocessing.Barrier(size)

    def average(self, rank, step, parameters):
        if self.size == 1:
            return
        mine = self.gradients[step % 2]
        mine[rank] = torch.cat([(p.grad if p.grad is not None else torch.zeros_like(p)).reshape(-1) for p in parameters])
        self.barrier.wait()
        mean, at = mine.mean(0), 0
        for p in parameters:
            if p.grad is not None:
                p.grad.copy_(mean[at:at + p.numel()].view_as(p))
            at += p.numel()


class Course:
    """Which batch a step trains on; this worker's share of it. Each seed is drawn once, and asked about often."""

    def __init__(self, tokenizer, shape, options):
        self.tokenizer, self.shape, self.options = tokenizer, shape, options
        self.memory = collections.deque(maxlen=REPLAY_KEPT)   # (patch features, windows)

    def step(self, step, elapsed, rank, size):
        """-> ("practice", (images, labels, corner)), ("questions", (Pictures, Questions)), ("decoder", the same) or
        ("replay", (patch features, Questions))."""
        rng = np.random.default_rng((77, step))   # the same for all workers: they take equally long
        if len(self.memory) >= REPLAY_FROM and rng.random() < self.options.replay:
            features, windows = self.memory[rng.integers(len(self.memory))]
            return "replay", (features, self._ask(rng, windows, features, reading=rng.random() < self.options.reading))
        practice = elapsed < self.options.practice_minutes * 60 or rng.random() < self.options.practice
        frames = 1 if practice else int(rng.choice(FRAMES, p=FRAMES_SHARE))
        share = max(1, ROWS[frames] // size)
        first = SPLITS["train"].start + step * max(ROWS.values()) + rank * share
        seeds = range(first, first + share)
        if practice:
            return "practice", make_practice(self.tokenizer, self.shape, seeds, min(PRACTICE_WINDOW, self.shape.patches))
        reading, thin, frozen = rng.random(3) < (self.options.reading, THIN_SHARE, FROZEN_SHARE[frames])
        few = int(rng.integers(*(READING_TOKENS if reading else THIN_TOKENS)))
        if reading:
            pictures = make_pictures(self.shape, seeds, 1, few, reading=True)
        else:
            pictures = make_pictures(self.shape, seeds, frames, few if thin else None)
        asked = self._ask(rng, pictures.windows, pictures.labels, reading)
        return "decoder" if frozen and not reading else "questions", (pictures, asked)

    def _ask(self, rng, windows, patches, reading):
        """patches: an array rows x (frames x) patches x anything."""
        before, tiled, describe = rng.random(3) < (BEFORE_SHARE, TILED_SHARE, DESCRIBE_SHARE)
        return ask(rng, self.tokenizer, windows, patches.shape[-2] // self.shape.shuffle ** 2, "before" if before else "after",
                   tiled=tiled and len(windows[0]) == 1 and not before, describe=describe and not reading,
                   kinds=READING if reading else None)


class Losses:
    def __init__(self, device):
        self.device = device
        self.groups = [[k for k, name in enumerate(CLASSES) if belongs(name)] for belongs in
                       (lambda n: n in WORDS + HOURS, lambda n: n in BUS_LINES, lambda n: n.startswith("arrow_"))]
        self.weights = torch.tensor([FINE_WEIGHT if name in ("head", "person") or small_print(name) else 1.0 for name in CLASSES]).to(device)

    def _seen(self, model, features, labels):
        """Loss of the labels of patches, and of tokens; features and labels: rows x patches x ..., token by token."""
        rows, patches, classes = labels.shape
        of_tokens = labels.reshape(rows, -1, model.c.shuffle ** 2, classes).max(2)
        tokens = model.vision.tokens(features)
        told = model.vision.token_head(F.layer_norm(tokens, tokens.shape[-1:]))   # as the decoder's first norm sees them
        return self.labels(model.vision.label_head(features), labels) + TOKEN_WEIGHT * self.labels(told, of_tokens)

    def labels(self, logits, labels):
        logits, seen = logits.float(), torch.from_numpy(labels).to(self.device).float()
        loss = F.binary_cross_entropy_with_logits(logits, seen, reduction="none")
        return (loss * self.weights).sum(-1).mean() + WHICH_WEIGHT * self._which(logits, seen)

    def _which(self, logits, seen):
        """Of patches that show one word, one digit or one arrow: which it is. That there is one is the easier half, and
        among many classes it drowns this one."""
        losses = []
        for group in self.groups:
            one = seen[..., group].sum(-1) == 1
            if one.any():
                losses.append(F.cross_entropy(logits[..., group][one], seen[..., group][one].argmax(-1)))
        return sum(losses) if losses else logits.new_zeros(())

    def backward(self, model, kind, work, memory):
        """Gradients of one batch -> its losses: text, label (of the patches) or practice (labels of a page of boards)."""
        with torch.autocast(self.device, torch.bfloat16):
            losses = getattr(self, "_" + kind)(model, *work, memory)
        sum(loss * (LABEL_WEIGHT if name == "label" else 1) for name, loss in losses.items()).backward()
        return {name: loss.item() for name, loss in losses.items()}

    def _practice(self, model, images, labels, corner, _):
        window = images.shape[1] // model.c.patch
        features = model.vision.features(torch.from_numpy(images).to(self.device), corner)
        by_token = features[:, patches_of(window, model.c.shuffle).flatten().to(self.device)]
        return {"practice": self._seen(model, by_token, labels)}

    def _questions(self, model, pictures, asked, _):
        features = encode(model, pictures, self.device)
        return {"text": self._text(model, features, asked),
                "label": self._seen(model, features[:, -1], pictures.labels)}

    def _decoder(self, model, pictures, asked, memory):
        """The encoder stays as it is; what it made of the pictures is remembered."""
        with torch.no_grad():
            features = encode(model, pictures, self.device).to(torch.bfloat16)
        memory.append((features, pictures.windows))
        return {"text": self._text(model, features, asked)}

    def _replay(self, model, features, asked, _):
        return {"text": self._text(model, features, asked)}

    def _text(self, model, features, asked):
        logits, targets = read(model, features, asked, self.device)
        return F.cross_entropy(logits.float(), targets)


def follow(average, model, step):
    """Moves the averaged weights towards the model's."""
    decay = min(EMA_DECAY, (step + 1) / (step + 10))
    with torch.no_grad():
        kept = list(average.parameters())
        torch._foreach_mul_(kept, decay)
        torch._foreach_add_(kept, list(model.parameters()), alpha=1 - decay)


class Keeper:
    """The first worker's other duties: the clock, the log, scores and checkpoints."""

    def __init__(self, options, tokenizer, shape, device, elapsed_before):
        self.options, self.tokenizer, self.device = options, tokenizer, device
        self.log = open(os.path.join(options.out, "log.txt"), "a", buffering=1)
        self.curve = open(os.path.join(options.out, "curve.jsonl"), "a", buffering=1)
        start = SPLITS["validation"].start
        self.held_out = [make_scored(tokenizer, shape, range(s, s + 32), kinds=STILL)
                         for s in range(start, start + SCORE_IMAGES, 32)]
        start += SCORE_IMAGES
        self.held_out += [make_scored(tokenizer, shape, range(s, s + 16), 4, layout, kinds=WATCH)
                          for s, layout in zip(range(start, start + SCORE_WINDOWS, 16), ("after", "before") * 2)]
        self.rate, self.begin = Rate(options.peak, options.minutes), time.time() - elapsed_before
        self.saved = self.scored = self.printed = time.time()
        self.losses, self.stopped = [], False
        signal.signal(signal.SIGTERM, self._stop)   # a stopped run loses no step

    def _stop(self, *_):
        self.stopped = True

    def orders(self, step):
        elapsed = time.time() - self.begin
        self.rate.heed(os.path.join(self.options.out, "finish"), elapsed, step)
        return self.rate.at(elapsed, step), float(self.stopped or self.rate.over(elapsed)), elapsed

    def record(self, step, losses, done, model, average, optimiser):
        self.losses.append(losses)
        now, elapsed = time.time(), time.time() - self.begin
        if now - self.printed > 30 or done:
            means = {name: float(np.mean([loss[name] for loss in self.losses if name in loss]))
                     for name in ("text", "label", "practice") if any(name in loss for loss in self.losses)}
            print("%6.0f s of %.0f  step %5d  rate %.2e  " % (elapsed, self.rate.span, step, self.rate.at(elapsed, step)) +
                  "  ".join("%s %.4f" % mean for mean in means.items()), file=self.log)
            print(json.dumps({"s": round(elapsed), "step": step, **means}), file=self.curve)
            self.losses, self.printed = [], now
        if now - self.scored > SCORE_S or done and not self.stopped:
            result = score(average, self.held_out, self.tokenizer, device=self.device)
            mean = np.mean([a for a, _ in result.values()])
            print("validation %.3f  " % mean + "  ".join("%s %.2f" % (k, v[0]) for k, v in result.items()), file=self.log)
            print(json.dumps({"s": round(elapsed), "step": step, "scores": {k: v[0] for k, v in result.items()}}), file=self.curve)
            self.scored = time.time()
        if now - self.saved > CHECKPOINT_S or done:
            save(os.path.join(self.options.out, "checkpoint.pt"), model=model.state_dict(), average=average.state_dict(),
                 config=asdict(model.c), name=self.options.model, optimiser=optimiser.state_dict(), step=step, elapsed=elapsed,
                 options={k: v for k, v in vars(self.options).items() if k not in ("out", "parent")}, device=self.device,
                 finished=bool(done and not self.stopped), tokens=self.tokenizer.tokens, labels=list(CLASSES))
            self.saved = time.time()


def new_model(options, tokenizer):
    torch.manual_seed(1)
    model = StreetModel(Config(vocab=len(tokenizer.tokens), labels=len(CLASSES), **PRESETS[options.model]))
    if options.parent:
        inherit(model, torch.load(options.parent, map_location="cpu"), tokenizer.tokens, CLASSES)
    return model


def work(rank, crew, options):
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)   # the first worker says when all stop
    device = "cuda" if torch.cuda.is_available() else "cpu"
    tokenizer = Tokenizer.load(os.path.join(options.out, "tokenizer.json"))
    model = new_model(options, tokenizer).to(device)
    average, optimiser = copy.deepcopy(model), optimiser_of(model, options.peak)
    parameters, step, elapsed = list(model.parameters()), 0, 0.0
    path = os.path.join(options.out, "checkpoint.pt")
    if os.path.exists(path):
        state = torch.load(path, map_location=device)
        model.load_state_dict(state["model"])
        average.load_state_dict(state["average"])
        optimiser.load_state_dict(state["optimiser"])
        step, elapsed = state["step"], state["elapsed"]
    shape = Shape(model.c)
    course, losses = Course(tokenizer, shape, options), Losses(device)
    keeper = Keeper(options, tokenizer, shape, device, elapsed) if rank == 0 else None
    if keeper:
        print("%s on %s: parameters %d, vocabulary %d, from step %d" % (options.model, device, sum(
            p.numel() for p in parameters), len(tokenizer.tokens), step), file=keeper.log)
    while True:
        if keeper:
            crew.orders[:] = torch.tensor(keeper.orders(step))
        optimiser.zero_grad(set_to_none=True)
        crew.barrier.wait()
        rate, done, elapsed = crew.orders.tolist()
        loss = losses.backward(model, *course.step(step, elapsed, rank, crew.size), course.memory)
        crew.average(rank, step, parameters)
        for group in optimiser.param_groups:
            group["lr"] = rate
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        step += 1
        crew.barrier.wait()   # nobody writes new orders before all have read these
        if keeper:
            follow(average, model, step)
            keeper.record(step, loss, done, model, average, optimiser)
        if done:
            return


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--model", choices=sorted(PRESETS), default="edge")
    arguments.add_argument("--from", dest="parent", help="checkpoint whose weights a new run starts from")
    arguments.add_argument("--minutes", type=float, default=70)
    arguments.add_argument("--peak", type=float, default=1.2e-3, help="highest learning rate")
    arguments.add_argument("--practice", type=float, default=0.15, help="share of the steps that practise reading patches only")
    arguments.add_argument("--practice-minutes", type=float, default=0, help="at first, nothing else for so long")
    arguments.add_argument("--replay", type=float, default=0.6, help="share of the steps that ask about remembered pictures")
    arguments.add_argument("--reading", type=float, default=0.3, help="share of the questions' steps that are about small print only")
    arguments.add_argument("--out", default="build/training/edge")
    arguments.add_argument("--workers", type=int, choices=(1, 2, 4, 8), default=2, help="one core each; with a GPU use 1")
    options = arguments.parse_args()
    if options.parent and not os.path.exists(options.parent):
        arguments.error("--from: there is no file %s" % options.parent)
    os.makedirs(options.out, exist_ok=True)
    path = os.path.join(options.out, "tokenizer.json")
    if not os.path.exists(path):
        Tokenizer.learn(vocabulary_texts()).save(path)
    tokenizer = Tokenizer.load(path)
    count = sum(p.numel() for p in new_model(argparse.Namespace(model=options.model, parent=None), tokenizer).parameters())
    crew = Crew(options.workers, count)
    hands = [multiprocessing.Process(target=work, args=(rank, crew, options)) for rank in range(options.workers)]
    for hand in hands:
        hand.start()
    signal.signal(signal.SIGTERM, lambda *_: hands[0].terminate())
    for hand in hands:
        hand.join()


if __name__ == "__main__":
    main()
