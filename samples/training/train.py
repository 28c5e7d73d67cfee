"""Trains the edge model on scenes rendered as it goes. Resumable; the learning rate follows the clock.

    python3 samples/training/train.py --minutes 70 --out build/training

Writes OUT/tokenizer.json, OUT/checkpoint.pt (every three minutes) and OUT/log.txt. A file
OUT/finish that holds a number of minutes lets the rate fall to zero within them, then stops.
"""

import argparse
import copy
import math
import multiprocessing
import os
import time
from dataclasses import asdict

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from model import Config, EdgeModel
from samples import CLASSES, IGNORE, SPLITS, make_batch, vocabulary_texts

from tokenizer import Tokenizer

BATCH = 32
PEAK_RATE, FLOOR_RATE, WARMUP_STEPS = 1.2e-3, 1e-5, 200
TILED_SHARE, PRUNED_SHARE = 0.2, 0.12
LABEL_WEIGHT = 0.3
FINE_LABELS, FINE_WEIGHT = ("head", "person"), 3.0   # small, and what counting hangs on
EMA_DECAY = 0.995
CHECKPOINT_S, SCORE_S, SCORE_IMAGES = 180, 400, 192
LABEL_WEIGHTS = torch.tensor([FINE_WEIGHT if name in FINE_LABELS else 1.0 for name in CLASSES])


def attention_mask(block, keep):
    """0 where a token may look: back, at the prefix (block 0) or its own block, at kept tokens."""
    block, keep = torch.from_numpy(block), torch.from_numpy(keep)
    n = block.shape[1]
    own = block[:, :, None] == block[:, None, :]
    see = (own | (block == 0)[:, None, :]) & keep[:, None, :] & torch.ones(n, n, dtype=torch.bool).tril()
    see = see | torch.eye(n, dtype=torch.bool)   # a padding row must see something
    return torch.zeros(see.shape).masked_fill(~see, -1e4)[:, None]


def run(model, batch):
    """-> logits at the answers' tokens, those targets, patch logits."""
    targets = torch.from_numpy(batch.targets)
    states, labels = model(torch.from_numpy(batch.images), torch.from_numpy(batch.ids), batch.slots,
                           torch.from_numpy(batch.positions), attention_mask(batch.block, batch.keep))
    where = targets != IGNORE
    return model.text.logits(states[where]), targets[where], labels


def score(model, batches, precise=False):
    """Share of exact answers by kind; in bf16 unless precise. Teacher forced: all tokens right means that greedy gives them."""
    right, total = {}, {}
    model.eval()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=not precise):
        for batch in batches:
            logits, targets, _ = run(model, batch)
            good = np.zeros(batch.targets.shape, bool)
            good[batch.targets != IGNORE] = (logits.argmax(-1) == targets).numpy()
            for row, first, count, kind in batch.spans:
                total[kind] = total.get(kind, 0) + 1
                right[kind] = right.get(kind, 0) + int(good[row, first:first + count].all())
    model.train()
    return {k: (right[k] / total[k], total[k]) for k in total}


class Rate:
    """Cosine over the minutes granted; linear to zero once `finish` asks for it."""

    def __init__(self, minutes):
        self.span, self.finish = minutes * 60.0, None

    def at(self, elapsed, step):
        cosine = FLOOR_RATE + (PEAK_RATE - FLOOR_RATE) * 0.5 * (1 + math.cos(math.pi * min(1.0, elapsed / self.span)))
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


def optimiser_of(model):
    decayed = [p for n, p in model.named_parameters() if p.dim() > 1 and "embed" not in n and "position" not in n]
    chosen = {id(p) for p in decayed}
    rest = [p for p in model.parameters() if id(p) not in chosen]
    return torch.optim.AdamW([{"params": decayed, "weight_decay": 0.05}, {"params": rest, "weight_decay": 0.0}],
                             lr=PEAK_RATE, betas=(0.9, 0.98), foreach=True)


class Crew:
    """Single-threaded workers that share each batch and meet once a step to average gradients.

    Two such workers use two busy cores better than one worker with two threads, which meets
    at every matrix product. Each applies the same update to its own copy of the weights."""

    def __init__(self, size, count):
        self.size = size
        self.gradients = torch.zeros(2, size, count).share_memory_()   # two: writing one while the other is read
        self.orders = torch.zeros(2, dtype=torch.float64).share_memory_()   # learning rate, 1 when it is time to stop
        self.barrier = multiprocessing.Barrier(size)

    def average(self, rank, step, parameters):
        mine = self.gradients[step % 2]
        mine[rank] = torch.cat([p.grad.reshape(-1) for p in parameters])
        self.barrier.wait()
        mean, at = mine.mean(0), 0
        for p in parameters:
            p.grad.copy_(mean[at:at + p.numel()].view_as(p))
            at += p.numel()


def training_batch(tokenizer, step, rank, size):
    """This worker's part of a step's seeds; each seed is used once."""
    rng = np.random.default_rng((77, step))
    tiled, prune = rng.random() < TILED_SHARE, rng.random() < PRUNED_SHARE
    first, share = SPLITS["train"].start + step * BATCH, BATCH // size
    return make_batch(tokenizer, range(first + rank * share, first + (rank + 1) * share), tiled=tiled,
                      prune=prune and not tiled)


def backward(model, batch):
    """Gradients of one batch -> its text and label loss."""
    with torch.autocast("cpu", torch.bfloat16):
        logits, targets, patch_logits = run(model, batch)
        text = F.cross_entropy(logits.float(), targets)
        seen = torch.from_numpy(batch.labels).float()
        label = F.binary_cross_entropy_with_logits(patch_logits.float(), seen, reduction="none")
        label = (label * LABEL_WEIGHTS).sum(-1).mean()
    (text + LABEL_WEIGHT * label).backward()
    return text.item(), label.item()


def follow(average, model, step):
    """Moves the averaged weights towards the model's."""
    decay = min(EMA_DECAY, (step + 1) / (step + 10))
    with torch.no_grad():
        kept = list(average.parameters())
        torch._foreach_mul_(kept, decay)
        torch._foreach_add_(kept, list(model.parameters()), alpha=1 - decay)


class Keeper:
    """The first worker's other duties: the clock, the log, scores and checkpoints."""

    def __init__(self, options, tokenizer, elapsed_before):
        self.out, self.minutes = options.out, options.minutes
        self.log = open(os.path.join(options.out, "log.txt"), "a", buffering=1)
        start = SPLITS["validation"].start
        self.held_out = [make_batch(tokenizer, range(s, s + BATCH), plain=True)
                         for s in range(start, start + SCORE_IMAGES, BATCH)]
        self.rate, self.begin = Rate(options.minutes), time.time() - elapsed_before
        self.saved = self.scored = self.printed = time.time()
        self.losses = []

    def orders(self, step):
        elapsed = time.time() - self.begin
        self.rate.heed(os.path.join(self.out, "finish"), elapsed, step)
        return self.rate.at(elapsed, step), float(self.rate.over(elapsed))

    def record(self, step, losses, done, model, average, optimiser):
        self.losses.append(losses)
        now, elapsed = time.time(), time.time() - self.begin
        if now - self.printed > 30 or done:
            text, label = np.mean(self.losses, 0)
            print("%6.0f s  step %5d  images %7d  rate %.2e  text %.4f  label %.4f" %
                  (elapsed, step, step * BATCH, self.rate.at(elapsed, step), text, label), file=self.log)
            self.losses, self.printed = [], now
        if now - self.scored > SCORE_S or done:
            result = score(average, self.held_out)
            mean = np.mean([a for a, _ in result.values()])
            print("validation %.3f  " % mean + "  ".join("%s %.2f" % (k, result[k][0]) for k in sorted(result)), file=self.log)
            self.scored = now
        if now - self.saved > CHECKPOINT_S or done:
            save(os.path.join(self.out, "checkpoint.pt"), model=model.state_dict(), average=average.state_dict(),
                 config=asdict(model.c), optimiser=optimiser.state_dict(), step=step, elapsed=elapsed,
                 minutes=self.minutes, finished=bool(done))
            self.saved = now


def work(rank, crew, options):
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    torch.manual_seed(1)
    tokenizer = Tokenizer.load(os.path.join(options.out, "tokenizer.json"))
    model = EdgeModel(Config(vocab=len(tokenizer.tokens), labels=len(CLASSES)))
    average, optimiser = copy.deepcopy(model), optimiser_of(model)
    parameters, step, elapsed = list(model.parameters()), 0, 0.0
    path = os.path.join(options.out, "checkpoint.pt")
    if os.path.exists(path):
        state = torch.load(path)
        model.load_state_dict(state["model"])
        average.load_state_dict(state["average"])
        optimiser.load_state_dict(state["optimiser"])
        step, elapsed = state["step"], state["elapsed"]
    keeper = Keeper(options, tokenizer, elapsed) if rank == 0 else None
    if keeper:
        print("parameters %d, vocabulary %d, from step %d" % (sum(p.numel() for p in parameters), len(tokenizer.tokens), step),
              file=keeper.log)
    while True:
        if keeper:
            crew.orders[:] = torch.tensor(keeper.orders(step))
        optimiser.zero_grad(set_to_none=True)
        losses = backward(model, training_batch(tokenizer, step, rank, crew.size))
        crew.average(rank, step, parameters)
        rate, done = crew.orders.tolist()
        for group in optimiser.param_groups:
            group["lr"] = rate
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        step += 1
        crew.barrier.wait()   # nobody writes new orders before all have read these
        if keeper:
            follow(average, model, step)
            keeper.record(step, losses, done, model, average, optimiser)
        if done:
            return


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--minutes", type=float, default=70)
    arguments.add_argument("--out", default="build/training")
    arguments.add_argument("--workers", type=int, choices=(1, 2, 4, 8), default=2, help="one core each")
    options = arguments.parse_args()
    os.makedirs(options.out, exist_ok=True)
    path = os.path.join(options.out, "tokenizer.json")
    if not os.path.exists(path):
        Tokenizer.learn(vocabulary_texts()).save(path)
    tokenizer = Tokenizer.load(path)
    count = sum(p.numel() for p in EdgeModel(Config(vocab=len(tokenizer.tokens), labels=len(CLASSES))).parameters())
    crew = Crew(options.workers, count)
    hands = [multiprocessing.Process(target=work, args=(rank, crew, options)) for rank in range(options.workers)]
    for hand in hands:
        hand.start()
    for hand in hands:
        hand.join()


if __name__ == "__main__":
    main()
