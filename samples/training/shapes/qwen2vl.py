"""Qwen2-VL: positions in time, height and width (M-RoPE), pictures of any size, 2 x 2 patches merged into one token."""

import dataclasses

from .parts import CLIP_MEAN, CLIP_STD, Decoder, Family, Vit, linear, qwen_words, small_decoder, small_vit

MERGE = 2


def projector(text, vision):
    merged = vision.width * MERGE ** 2
    yield from linear("mm.0", merged, merged)
    yield from linear("mm.2", merged, text.width)


def describe_text(w, _gguf):
    w.add_rope_dimension_sections([16, 24, 24, 0])


def describe_tiny_text(w, _gguf):
    w.add_rope_dimension_sections([4, 6, 6, 0])


def describe_vision(w, gguf):
    w.add_clip_projector_type(gguf.VisionProjectorType.QWEN2VL)


def tiny(family):
    return dataclasses.replace(family, text=small_decoder(family.text), vision=small_vit(family.vision),
                               describe_text=describe_tiny_text)


FAMILIES = (
    Family(
        "qwen2-vl-2b", "Qwen2-VL-2B", 2_208_985_600,
        Decoder("qwen2vl", layers=28, width=1536, heads=12, kv_heads=2, head_dim=128, ff=8960, vocab=151936,
                context=32768, rope_base=1000000.0, eps=1e-6, tied=True, qkv_bias=True),
        Vit(layers=32, width=1280, heads=16, ff=5120, image=560, patch=14, eps=1e-6, convolutions=2, patch_bias=False,
            gelu=False, mean=CLIP_MEAN, std=CLIP_STD),
        qwen_words(), projector, describe_text, describe_vision, tiny),
)
