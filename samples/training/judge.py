"""Runs a model on batches and judges its answers."""

import numpy as np
import torch

from samples import IGNORE, QUESTIONS, questions


def attention_mask(block):
    """0 where a token may look: back, at the prefix (block 0) or its own block."""
    n = block.shape[1]
    own = block[:, :, None] == block[:, None, :]
    back = torch.ones(n, n, dtype=torch.bool, device=block.device).tril()
    see = (own | (block == 0)[:, None, :]) & back
    see = see | torch.eye(n, dtype=torch.bool, device=block.device)   # a padding row must see something
    return torch.zeros(see.shape, device=block.device).masked_fill(~see, -1e4)[:, None]


def _there(array, device):
    return None if array is None else torch.from_numpy(array).to(device)


def encode(model, batch, device="cpu"):
    """-> the pictures' tokens, patch logits."""
    tokens, patches = model.encode(_there(batch.images, device), _there(batch.chosen, device))
    return tokens, model.vision.label_head(patches)


def read(model, tokens, batch, device="cpu"):
    """-> logits at the answers' tokens, those targets."""
    targets = _there(batch.targets, device)
    states = model.read(tokens, _there(batch.ids, device), _there(batch.picture, device), _there(batch.positions, device),
                        attention_mask(_there(batch.block, device)))
    where = targets != IGNORE
    return model.text.logits(states[where]), targets[where]


def run(model, batch, device="cpu"):
    """-> logits at the answers' tokens, those targets, patch logits."""
    tokens, labels = encode(model, batch, device)
    return (*read(model, tokens, batch, device), labels)


def judged(model, batches, tokenizer, precise=False, device="cpu"):
    """Yields (kind, share right, confidence) of every answer; in bf16 unless precise.

    Teacher forced: all tokens right means that greedy decoding gives them. Of a description, the
    share of facts that the likeliest tokens state. Confidence is what localmllm calls so: the
    geometric mean of the likeliest tokens' probabilities, the end token left out."""
    model.eval()
    with torch.no_grad(), torch.autocast(device, torch.bfloat16, enabled=not precise):
        for batch in batches:
            logits, _, _ = run(model, batch, device)
            sure, said = logits.float().log_softmax(-1).max(-1)
            best = np.full(batch.targets.shape, IGNORE, np.int64)
            log_probability = np.zeros(batch.targets.shape)
            best[batch.targets != IGNORE] = said.cpu().numpy()
            log_probability[batch.targets != IGNORE] = sure.cpu().numpy()
            for row, first, count, kind, truth in batch.spans:
                span = (row, slice(first, first + count))
                if kind == "describe":
                    right, total = questions.describe.facts_right(tokenizer.decode(best[span]), truth)
                    share = right / total
                else:
                    share = float((best[span] == batch.targets[span]).all())
                yield kind, share, float(np.exp(log_probability[row, first:first + max(1, count - 1)].mean()))
    model.train()


def score(model, batches, tokenizer, precise=False, device="cpu"):
    """{kind: (share right, n)}."""
    shares = {}
    for kind, share, _ in judged(model, batches, tokenizer, precise, device):
        shares.setdefault(kind, []).append(share)
    return {k: (float(np.mean(shares[k])), len(shares[k])) for k in QUESTIONS if k in shares}
