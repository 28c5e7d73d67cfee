"""LFM2-VL: six layers of sixteen attend, the others convolve three tokens; SigLIP 2, pictures of any size.

The convolutions keep a state beside the cache of keys and values, and no part of a state can be taken back.
"""

import dataclasses

from .parts import (CHATML_TEMPLATE, Decoder, Family, Tensor, Vit, Words, linear, norm, nothing_more, small_decoder,
                    small_vit)

KERNEL = 3   # tokens that a convolution sees
MERGE = 2    # patches a side that become one token
PROJECTOR_WIDTH = 2560
TINY_PROJECTOR_WIDTH = 128
TILES = 10   # a side, at most
SPECIALS = ("<|pad|>", "<|startoftext|>", "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<image>", "<|image_start|>",
            "<|image_end|>", "<|img_thumbnail|>") + tuple(
                "<|img_row_%d_col_%d|>" % (row, column)
                for row in range(1, TILES + 1) for column in range(1, TILES + 1))


@dataclasses.dataclass(frozen=True)
class Lfm2(Decoder):
    attention: tuple = ()   # numbers of the layers that attend

    last_norm = "token_embd_norm.weight"

    def _mixing(self, layer, blk):
        if layer in self.attention:
            yield from super()._mixing(layer, blk)
            return
        yield Tensor(blk + "shortconv.conv.weight", (self.width, KERNEL), "exact")
        yield Tensor(blk + "shortconv.in_proj.weight", (3 * self.width, self.width), "matrix")
        yield Tensor(blk + "shortconv.out_proj.weight", (self.width, self.width), "matrix")

    def head_count_kv(self):
        return [self.kv_heads if layer in self.attention else 0 for layer in range(self.layers)]

    def describe(self, w):
        super().describe(w)
        w.add_shortconv_l_cache(KERNEL)


def projector(text, vision, width=PROJECTOR_WIDTH):
    merged = vision.width * MERGE ** 2
    yield from norm("mm.input_norm", merged)
    yield from linear("mm.1", merged, width)
    yield from linear("mm.2", width, text.width)


def describe_projector(w, gguf):
    w.add_clip_projector_type(gguf.VisionProjectorType.LFM2)
    w.add_vision_projector_scale_factor(MERGE)


def tiny(family):
    # Patches stay 16 pixels a side, because libmtmd's tiles stay 512: smaller ones would make more tokens, not fewer.
    return dataclasses.replace(
        family, text=small_decoder(family.text, attention=(1,)), vision=small_vit(family.vision, image=256, patch=16),
        projector=lambda text, vit: projector(text, vit, TINY_PROJECTOR_WIDTH))


FAMILIES = (
    Family(
        "lfm2-vl-450m", "LFM2-VL-450M", 450_822_656,
        Lfm2("lfm2", layers=16, width=1024, heads=16, kv_heads=8, head_dim=64, ff=4608, vocab=65536, context=128000,
             rope_base=1000000.0, eps=1e-5, tied=True, qk_norms=True, attention=(2, 5, 8, 10, 12, 14)),
        Vit(layers=12, width=768, heads=12, ff=3072, image=256, patch=16, eps=1e-6, positions=256),
        Words(SPECIALS, eos="<|im_end|>", pad="<|pad|>", bos="<|startoftext|>", pre="lfm2", add_bos=True,
              template="{{ bos_token }}" + CHATML_TEMPLATE),
        projector, nothing_more, describe_projector, tiny),
)
