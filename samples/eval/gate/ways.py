"""The plain ways to choose pictures and patches, which the gate is compared with. A picture is a 2-D array of brightness.

Each way of choosing pictures takes them with their times and one setting, and says for each whether it is chosen. The first
always is."""

import numpy as np

PATCH = 16   # pixels; of the cosine's patches


def at_rate(_pictures, times, rate):
    """Uniform sampling: by the clock, whatever is in the picture."""
    chosen, due = [], times[0]
    for seconds in times:
        chosen.append(seconds >= due - 1e-6)
        if chosen[-1]:
            due = max(due, seconds - 1e-6) + 1 / rate
    return chosen


def by_mean_difference(pictures, _times, levels):
    """Mean difference to the picture chosen last, in brightness levels: what motion detectors do."""
    chosen, kept = [], None
    for picture in pictures:
        now = picture.astype(np.float32)
        chosen.append(kept is None or float(np.abs(now - kept).mean()) >= levels)
        if chosen[-1]:
            kept = now
    return chosen


def _patches(picture):
    """(n, PATCH * PATCH)"""
    height, width = (side // PATCH * PATCH for side in picture.shape)
    cut = picture[:height, :width].astype(np.float32)
    return cut.reshape(height // PATCH, PATCH, width // PATCH, PATCH).swapaxes(1, 2).reshape(-1, PATCH * PATCH)


def by_cosine(pictures, _times, distance):
    """1 - cosine between a patch and itself in the picture before, of the patch that differs most: how video token
    pruning (EVS, DTD) finds what is static, used on pictures."""
    chosen, before = [], None
    for picture in pictures:
        now = _patches(picture)
        length = np.maximum(1.0, np.linalg.norm(now, axis=1))
        if before is None:
            chosen.append(True)
        else:
            cosine = (now * before[0]).sum(axis=1) / (length * before[1])
            chosen.append(float(1 - cosine.min()) >= distance)
        before = now, length
    return chosen


def changed_patches(pictures, grid, levels):
    """The plain committed reference: a patch is encoded again when its mean difference to what was encoded of it last is
    above so many levels. -> for each picture, a (grid, grid) array of bool."""
    reference, maps = None, []
    for picture in pictures:
        now = picture.astype(np.float32)
        tall, wide = picture.shape[0] // grid, picture.shape[1] // grid
        if reference is None:
            changed = np.ones((grid, grid), bool)
            reference = now.copy()
        else:
            changed = np.abs(now - reference).reshape(grid, tall, grid, wide).mean(axis=(1, 3)) > levels
        pixels = np.kron(changed, np.ones((tall, wide), bool))
        reference[pixels] = now[pixels]
        maps.append(changed)
    return maps


PLAIN = {"uniform": at_rate, "mean-difference": by_mean_difference, "cosine": by_cosine}
