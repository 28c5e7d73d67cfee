"""InternVL3-1B: Qwen2.5-0.5B with its own output matrix, InternViT-300M, 2 x 2 patches shuffled into one token."""

import dataclasses

from .parts import (IMAGENET_MEAN, IMAGENET_STD, Decoder, Family, Vit, linear, norm, nothing_more, qwen_words,
                    small_decoder, small_vit)

SHUFFLE = 2


def projector(text, vision):
    merged = vision.width * SHUFFLE ** 2
    yield from norm("mm.model.mlp.0", merged)
    yield from linear("mm.model.mlp.1", merged, text.width)
    yield from linear("mm.model.mlp.3", text.width, text.width)


def describe_vision(w, gguf):
    w.add_clip_projector_type(gguf.VisionProjectorType.INTERNVL)
    w.add_vision_projector_scale_factor(SHUFFLE)
    w.add_vision_preproc_min_tiles(1)
    w.add_vision_preproc_max_tiles(12)


def tiny(family):
    return dataclasses.replace(family, text=small_decoder(family.text), vision=small_vit(family.vision, positions=65))


FAMILIES = (
    Family(
        "internvl3-1b", "InternVL3-1B", 938_193_024,
        Decoder("qwen2", layers=24, width=896, heads=14, kv_heads=2, head_dim=64, ff=4864, vocab=151674, context=32768,
                rope_base=1000000.0, eps=1e-6, tied=False, qkv_bias=True),
        Vit(layers=24, width=1024, heads=16, ff=4096, image=448, patch=14, eps=1e-6, positions=1025, class_token=True,
            layer_scale=True, post_norm=False, mean=IMAGENET_MEAN, std=IMAGENET_STD),
        qwen_words("<img>", "</img>", "<IMG_CONTEXT>"), projector, nothing_more, describe_vision, tiny),
)
