"""How sure a figure is: 95 % intervals by resampling.

Neighbouring moments of a stream are not independent: an answer that is wrong now is wrong a tenth of a second later. So
what is drawn again and again is never a moment but a block of several seconds of one clip, with everything in it.
The draws are seeded by the figure's name: the same inputs give the same interval, to the last digit.
"""

import zlib

import numpy as np

BLOCK_S = 5.0       # longer than most answers stand wrong, so that blocks are nearly independent of each other
RESAMPLES = 1000    # the ends of a 95 % interval are then the 25th of each side
LEVEL = 95.0
DIGITS = 6


def block_of(clip, seconds):
    """The block that a moment belongs to."""
    return clip, int(seconds // BLOCK_S)


def _generator(name):
    return np.random.Generator(np.random.PCG64(zlib.crc32(name.encode())))


def _counts(name, blocks):
    """RESAMPLES x blocks: how often each block is drawn."""
    draws = _generator(name).integers(0, blocks, size=(RESAMPLES, blocks))
    counts = np.zeros((RESAMPLES, blocks))
    for row, drawn in zip(counts, draws):
        row += np.bincount(drawn, minlength=blocks)
    return counts


def _figure(value, samples, n, blocks):
    edge = (100 - LEVEL) / 2
    low, high = np.percentile(samples, [edge, 100 - edge]) if len(samples) else (value, value)
    return {"value": round(float(value), DIGITS), "low": round(float(low), DIGITS), "high": round(float(high), DIGITS),
            "n": int(n), "blocks": int(blocks)}


def _by_block(items):
    """{block: [payload, …]} in a fixed order."""
    blocks = {}
    for block, *payload in items:
        blocks.setdefault(block, []).append(payload)
    return [blocks[key] for key in sorted(blocks)]


def share(name, items):
    """Of (block, right, all): sum of right by sum of all. None when there is nothing."""
    blocks = _by_block(items)
    right = np.array([sum(r for r, _ in block) for block in blocks], float)
    every = np.array([sum(n for _, n in block) for block in blocks], float)
    if not every.sum():
        return None
    counts = _counts(name, len(blocks))
    totals = counts @ every
    drawn = (counts @ right)[totals > 0] / totals[totals > 0]
    return _figure(right.sum() / every.sum(), drawn, every.sum(), len(blocks))


def _quantile(ordered, weights, q):
    """The smallest value that a share q of the weights does not exceed."""
    reached = np.cumsum(weights)
    return ordered[min(len(ordered) - 1, int(np.searchsorted(reached, q * reached[-1] - 1e-12)))]


def statistics(name, items, quantiles=(0.5, 0.95), mean=True):
    """Of (block, value): {"mean": figure, "p50": figure, …}. None when there is nothing."""
    blocks = _by_block(items)
    if not blocks:
        return None
    values = np.array([v for block in blocks for v, in block], float)
    owner = np.array([k for k, block in enumerate(blocks) for _ in block])
    order = np.argsort(values, kind="stable")
    ordered, owner = values[order], owner[order]
    weights = _counts(name, len(blocks))[:, owner]
    weights = weights[weights.sum(axis=1) > 0]
    found = {}
    if mean:
        found["mean"] = _figure(values.mean(), (weights @ ordered) / weights.sum(axis=1), len(values), len(blocks))
    for q in quantiles:
        drawn = [_quantile(ordered, row, q) for row in weights]
        value = _quantile(ordered, np.ones(len(ordered)), q)
        found["p%d" % round(100 * q)] = _figure(value, drawn, len(values), len(blocks))
    return found


def repeated(name, values):
    """A figure measured once per run: its median, the interval of the median, and the spread from least to most."""
    values = np.array([v for v in values if v is not None], float)
    if not len(values):
        return None
    draws = _generator(name).integers(0, len(values), size=(RESAMPLES, len(values)))
    figure = _figure(np.median(values), np.median(values[draws], axis=1), len(values), len(values))
    figure["least"], figure["most"] = round(float(values.min()), DIGITS), round(float(values.max()), DIGITS)
    return figure
