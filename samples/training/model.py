"""The edge model: a SigLIP-style encoder, a pixel shuffle, one projection, a llama-style decoder.

Written so that every tensor has its counterpart in llama.cpp's idefics3 (clip) and llama
graphs: see export_gguf.py for the names.
"""

from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import nn


@dataclass
class Config:
    image: int = 192
    patch: int = 16
    shuffle: int = 2          # patches a side that make one token
    width: int = 192          # both towers
    heads: int = 3            # head dimension 64, which every ggml backend has kernels for
    vision_layers: int = 5
    vision_ff: int = 768      # must differ from width: llama.cpp swaps up and down otherwise
    text_layers: int = 4
    text_ff: int = 512
    vocab: int = 0
    labels: int = 0           # classes of the training-only patch head
    context: int = 2048
    rope_base: float = 10000.0

    @property
    def grid(self):
        return self.image // self.patch

    @property
    def image_tokens(self):
        return (self.grid // self.shuffle) ** 2


def attend(q, k, v, heads, mask=None):
    """q, k, v: batch x length x width -> the same; scores and softmax written out (torch 1.13 has no fused one)."""
    b, n, w = q.shape
    q, k, v = (t.view(b, n, heads, w // heads).transpose(1, 2) for t in (q, k, v))
    scores = q @ k.transpose(2, 3) * (w // heads) ** -0.5
    if mask is not None:
        scores = scores + mask.to(scores.dtype)
    return (scores.softmax(-1).to(v.dtype) @ v).transpose(1, 2).reshape(b, n, w)


class VisionLayer(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.heads = c.heads
        self.ln1, self.ln2 = nn.LayerNorm(c.width, eps=1e-6), nn.LayerNorm(c.width, eps=1e-6)
        self.qkv, self.out = nn.Linear(c.width, 3 * c.width), nn.Linear(c.width, c.width)
        self.up, self.down = nn.Linear(c.width, c.vision_ff), nn.Linear(c.vision_ff, c.width)

    def forward(self, x):
        x = x + self.out(attend(*self.qkv(self.ln1(x)).chunk(3, -1), self.heads))
        return x + self.down(F.gelu(self.up(self.ln2(x)), approximate="tanh"))


class Vision(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c = c
        self.patch = nn.Linear(3 * c.patch ** 2, c.width)   # a conv of kernel = stride = patch
        self.position = nn.Parameter(torch.zeros(c.grid ** 2, c.width))
        self.layers = nn.ModuleList(VisionLayer(c) for _ in range(c.vision_layers))
        self.post = nn.LayerNorm(c.width, eps=1e-6)
        self.project = nn.Linear(c.width * c.shuffle ** 2, c.width, bias=False)
        self.label_head = nn.Linear(c.width, c.labels)      # training only, not exported

    def forward(self, images):
        """uint8 batch x height x width x 3 (RGB) -> patch features, image tokens."""
        c = self.c
        b, g, p, s = images.shape[0], c.grid, c.patch, c.shuffle
        x = images.view(b, g, p, g, p, 3).permute(0, 1, 3, 5, 2, 4).reshape(b, g * g, 3 * p * p)
        x = self.patch((x.float() / 127.5 - 1.0).to(self.position.dtype)) + self.position
        for layer in self.layers:
            x = layer(x)
        x = self.post(x)
        # idefics3's pixel shuffle: a token holds its s x s patches, row by row
        t = x.view(b, g // s, s, g // s, s, c.width).permute(0, 1, 3, 2, 4, 5).reshape(b, (g // s) ** 2, -1)
        return x, self.project(t)


class RmsNorm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        scale = torch.rsqrt(x.float().pow(2).mean(-1, keepdim=True) + 1e-5)
        return x * scale.to(x.dtype) * self.weight


def rotate(x, cos, sin):
    """RoPE over neighbouring pairs, llama.cpp's "norm" order, so that export need not permute."""
    pairs = x.view(*x.shape[:-1], -1, 2)
    a, b = pairs[..., 0], pairs[..., 1]
    return torch.stack((a * cos - b * sin, a * sin + b * cos), -1).flatten(-2).to(x.dtype)


class TextLayer(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.heads = c.heads
        self.norm1, self.norm2 = RmsNorm(c.width), RmsNorm(c.width)
        self.qkv = nn.Linear(c.width, 3 * c.width, bias=False)
        self.out = nn.Linear(c.width, c.width, bias=False)
        self.gate_up = nn.Linear(c.width, 2 * c.text_ff, bias=False)
        self.down = nn.Linear(c.text_ff, c.width, bias=False)

    def forward(self, x, cos, sin, mask):
        b, n, w = x.shape
        q, k, v = self.qkv(self.norm1(x)).chunk(3, -1)
        q = rotate(q.reshape(b, n, self.heads, -1), cos, sin).reshape(b, n, w)
        k = rotate(k.reshape(b, n, self.heads, -1), cos, sin).reshape(b, n, w)
        x = x + self.out(attend(q, k, v, self.heads, mask))
        gate, up = self.gate_up(self.norm2(x)).chunk(2, -1)
        return x + self.down(F.silu(gate) * up)


class Text(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c = c
        self.embed = nn.Embedding(c.vocab, c.width)   # also the output matrix
        self.layers = nn.ModuleList(TextLayer(c) for _ in range(c.text_layers))
        self.norm = RmsNorm(c.width)

    def forward(self, x, positions, mask):
        head = self.c.width // self.c.heads
        rates = self.c.rope_base ** (-torch.arange(0, head, 2).float() / head)
        angle = positions[..., None].float() * rates
        cos, sin = angle.cos()[:, :, None], angle.sin()[:, :, None]
        for layer in self.layers:
            x = layer(x, cos, sin, mask)
        return self.norm(x)

    def logits(self, x):
        return F.linear(x, self.embed.weight)


class EdgeModel(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c = c
        self.vision, self.text = Vision(c), Text(c)
        for name, p in self.named_parameters():
            if p.dim() > 1:
                nn.init.normal_(p, std=0.02)
        for layer in list(self.vision.layers) + list(self.text.layers):   # residual branches start small
            for branch in (layer.out, layer.down):
                nn.init.normal_(branch.weight, std=0.02 / (2 * c.vision_layers) ** 0.5)

    def forward(self, images, ids, image_slots, positions, mask):
        """ids: batch x length, with image_slots (a list of slices) filled by the picture's tokens.
        -> decoder states, logits of the patch labels."""
        patches, tokens = self.vision(images)
        x = self.text.embed(ids)
        parts, last = [], 0
        for slot in image_slots:
            parts += [x[:, last:slot.start], tokens.to(x.dtype)]
            last = slot.stop
        x = torch.cat(parts + [x[:, last:]], 1)
        return self.text(x, positions, mask), self.vision.label_head(patches)

    def saved(self):
        return {"config": asdict(self.c), "weights": self.state_dict()}
