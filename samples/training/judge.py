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


def encode(model, pictures, device="cpu"):
    """-> patch features."""
    return model.encode(_there(pictures.images, device), _there(pictures.chosen, device))


def read(model, features, asked, device="cpu"):
    """-> logits at the answers' tokens, those targets."""
    targets = _there(asked.targets, device)
    states = model.read(features, _there(asked.ids, device), _there(asked.picture, device), _there(asked.positions, device),
                        attention_mask(_there(asked.block, device)))
    where = targets != IGNORE
    return model.text.logits(states[where]), targets[where]


def judged(model, batches, tokenizer, precise=False, device="cpu"):
    """Yields (kind, share right, confidence) of every answer to (Pictures, Questions); in bf16 unless precise.

    Teacher forced: all tokens right means that greedy decoding gives them. Of a description, the
    share of facts that the likeliest tokens state. Confidence is what localmllm calls so: the
    geometric mean of the likeliest tokens' probabilities, the end token left out."""
    model.eval()
    with torch.no_grad(), torch.autocast(device, torch.bfloat16, enabled=not precise):
        for pictures, asked in batches:
            logits, _ = read(model, encode(model, pictures, device), asked, device)
            sure, said = logits.float().log_softmax(-1).max(-1)
            best = np.full(asked.targets.shape, IGNORE, np.int64)
            log_probability = np.zeros(asked.targets.shape)
            best[asked.targets != IGNORE] = said.cpu().numpy()
            log_probability[asked.targets != IGNORE] = sure.cpu().numpy()
            for row, first, count, kind, truth in asked.spans:
                span = (row, slice(first, first + count))
                if kind == "describe":
                    right, total = questions.describe.facts_right(tokenizer.decode(best[span]), truth)
                    share = right / total
                else:
                    share = float((best[span] == asked.targets[span]).all())
                yield kind, share, float(np.exp(log_probability[row, first:first + max(1, count - 1)].mean()))
    model.train()


def score(model, batches, tokenizer, precise=False, device="cpu"):
    """{kind: (share right, n)}."""
    shares = {}
    for kind, share, _ in judged(model, batches, tokenizer, precise, device):
        shares.setdefault(kind, []).append(share)
    return {k: (float(np.mean(shares[k])), len(shares[k])) for k in QUESTIONS if k in shares}
