"""Starts a model from another one's weights: other vocabulary, other patch labels, more pixels.

What both know by name (a token, a label) is taken over by name; positions are interpolated over
the grid; a projection that gathers finer patches shares each weight among the patches that lie
where one lay before.
"""

import torch
import torch.nn.functional as F


def _by_name(own, theirs, own_names, their_names):
    row_of = {name: k for k, name in enumerate(their_names)}
    for k, name in enumerate(own_names):
        if name in row_of:
            own[k] = theirs[row_of[name]]
    return own


def _positions(theirs, grid):
    side = round(theirs.shape[0] ** 0.5)
    picture = theirs.view(1, side, side, -1).permute(0, 3, 1, 2)
    return F.interpolate(picture, (grid, grid), mode="bicubic", align_corners=False)[0].flatten(1).t().contiguous()


def _projection(theirs, width, shuffle):
    old = round((theirs.shape[1] / width) ** 0.5)
    ratio = shuffle // old
    blocks = theirs.view(-1, old, old, width)
    return (blocks.repeat_interleave(ratio, 1).repeat_interleave(ratio, 2) / ratio ** 2).reshape(theirs.shape[0], -1)


def inherit(model, state, tokens, labels):
    """state: a checkpoint of train.py; tokens and labels: the new model's names."""
    old, own = state["average"], model.state_dict()
    with torch.no_grad():
        for name, weight in own.items():
            if name == "text.embed.weight":
                _by_name(weight, old[name], tokens, state["tokens"])
            elif name.startswith(("vision.label_head.", "vision.token_head.")) and name in old:
                _by_name(weight, old[name], labels, state["labels"])
            elif name == "vision.position" and weight.shape != old[name].shape:
                weight.copy_(_positions(old[name], model.c.grid))
            elif name == "vision.project.weight" and weight.shape != old[name].shape:
                weight.copy_(_projection(old[name], model.c.width, model.c.shuffle))
            elif name in old and old[name].shape == weight.shape:
                weight.copy_(old[name])
    model.load_state_dict(own)
