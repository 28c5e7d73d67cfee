"""The models, edge and cloud: a SigLIP-style encoder, a pixel shuffle, one projection, a llama-style decoder.

Written so that every tensor has its counterpart in llama.cpp's idefics3 (clip) and llama
graphs: see export_gguf.py for the names.
"""

from dataclasses import asdict, dataclass
from functools import lru_cache

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


class Gelu(torch.autograd.Function):
    """The tanh approximation, as x * sigmoid(2 * 0.79788 (x + 0.044715 x^3)): the same values, and
    on a CPU in bf16 a third of the time of torch's own, which evaluates tanh one by one."""

    A, B = 1.5957691216, 0.0713548163

    @classmethod
    def forward(cls, ctx, x):
        gate = torch.sigmoid((x * x).mul_(cls.B).add_(cls.A).mul_(x))
        ctx.save_for_backward(x, gate)
        return x * gate

    @classmethod
    def backward(cls, ctx, grad):
        x, gate = ctx.saved_tensors
        slope = (x * x).mul_(3 * cls.B).add_(cls.A)
        return slope.mul_(x).mul_(1 - gate).add_(1).mul_(gate).mul_(grad)


class VisionLayer(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.heads = c.heads
        self.ln1, self.ln2 = nn.LayerNorm(c.width, eps=1e-6), nn.LayerNorm(c.width, eps=1e-6)
        self.qkv, self.out = nn.Linear(c.width, 3 * c.width), nn.Linear(c.width, c.width)
        self.up, self.down = nn.Linear(c.width, c.vision_ff), nn.Linear(c.vision_ff, c.width)

    def forward(self, x):
        x = x + self.out(attend(*self.qkv(self.ln1(x)).chunk(3, -1), self.heads))
        return x + self.down(Gelu.apply(self.up(self.ln2(x))))


@lru_cache(maxsize=8)
def patches_of(grid, shuffle):
    """tokens x shuffle^2: which patches make a token, row by row."""
    side = grid // shuffle
    numbers = torch.arange(grid * grid).view(side, shuffle, side, shuffle)
    return numbers.permute(0, 2, 1, 3).reshape(side * side, shuffle * shuffle)


class Vision(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c = c
        self.patch = nn.Linear(3 * c.patch ** 2, c.width)   # a conv of kernel = stride = patch
        self.position = nn.Parameter(torch.zeros(c.grid ** 2, c.width))
        self.layers = nn.ModuleList(VisionLayer(c) for _ in range(c.vision_layers))
        self.post = nn.LayerNorm(c.width, eps=1e-6)
        self.project = nn.Linear(c.width * c.shuffle ** 2, c.width, bias=False)
        self.label_head = nn.Linear(c.width, c.labels)      # of patches; training only, not exported
        self.token_head = nn.Linear(c.width, c.labels)      # of tokens; likewise

    def _pixels(self, images):
        """uint8 batch x height x width x 3 (RGB) -> batch x patches x pixels, in -1 to 1."""
        p = self.c.patch
        b, g = images.shape[0], images.shape[1] // p
        x = images.view(b, g, p, g, p, 3).permute(0, 1, 3, 5, 2, 4).reshape(b, g * g, 3 * p * p)
        return (x.float() / 127.5 - 1.0).to(self.position.dtype)

    def _encode(self, pixels, place):
        x = self.patch(pixels) + place
        for layer in self.layers:
            x = layer(x)
        return self.post(x)

    def features(self, images, corner=(0, 0)):
        """Patch features of a window, whose first patch has row and column `corner`."""
        grid, side = self.c.grid, images.shape[1] // self.c.patch
        row, column = int(corner[0]), int(corner[1])
        place = self.position.view(grid, grid, -1)[row:row + side, column:column + side].reshape(side * side, -1)
        return self._encode(self._pixels(images), place)

    def forward(self, images, chosen=None):
        """-> patch features. chosen: batch x k, the tokens (0 to image_tokens - 1, row by row) that are
        encoded, as if the picture had nothing else; None = all. Patches come out token by token, as
        `patches_of` lists them."""
        c, pixels = self.c, self._pixels(images)
        index = patches_of(c.grid, c.shuffle).to(images.device)
        chosen = torch.arange(c.image_tokens, device=images.device).expand(images.shape[0], -1) if chosen is None else chosen
        index = index[chosen].flatten(1)
        pixels = pixels.gather(1, index[:, :, None].expand(-1, -1, pixels.shape[2]))
        return self._encode(pixels, self.position[index])

    def tokens(self, features):
        """Patch features, token by token -> tokens: idefics3's pixel shuffle and projection. A token holds its
        patches, row by row."""
        return self.project(features.reshape(*features.shape[:-2], -1, self.project.in_features))


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
        rates = self.c.rope_base ** (-torch.arange(0, head, 2, device=x.device).float() / head)
        angle = positions[..., None].float() * rates
        cos, sin = angle.cos()[:, :, None], angle.sin()[:, :, None]
        for layer in self.layers:
            x = layer(x, cos, sin, mask)
        return self.norm(x)

    def logits(self, x):
        return F.linear(x, self.embed.weight)


class StreetModel(nn.Module):
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

    def encode(self, images, chosen=None):
        """images: batch x frames x side x side x 3; chosen: batch x frames x k, the tokens of each picture
        that are encoded, or None for all. -> patch features, token by token, batch x frames x patches x width."""
        features = self.vision(images.flatten(0, 1), None if chosen is None else chosen.flatten(0, 1))
        return features.view(*images.shape[:2], *features.shape[1:])

    def read(self, features, ids, picture, positions, mask):
        """features: what `encode` gives; ids, picture, positions: batch x length, where picture says which of the
        frames' tokens, counted from the first frame's first, stands there, or -1. -> decoder states."""
        tokens = self.vision.tokens(features).flatten(1, 2)
        x = self.text.embed(ids)
        where = picture.clamp(min=0)[:, :, None].expand(-1, -1, self.c.width)
        x = torch.where((picture >= 0)[:, :, None], tokens.gather(1, where).to(x.dtype), x)
        return self.text(x, positions, mask)

    def forward(self, images, ids, picture, positions, mask, chosen=None):
        """-> decoder states."""
        return self.read(self.encode(images, chosen), ids, picture, positions, mask)


PRESETS = {
    "edge": {},
    # Four times the pixels in as many tokens: each stands for 4 x 4 patches.
    "cloud": {"image": 384, "shuffle": 4},
}
