"""SmolVLM and SmolVLM2: SmolLM2, SigLIP, and 4 x 4 patches shuffled into one token (Idefics3).

The published models keep an output matrix of their own beside the embedding.
"""

import dataclasses

from gguf_parts import SMOLVLM_TEMPLATE
from tokenizer import BOS, EOS, PAD, SPECIALS

from .parts import Decoder, Family, Tensor, Vit, Words, nothing_more, small_decoder, small_vit

LONGEST_EDGE = 2048   # pixels to which the stock preprocessing scales every picture before it cuts tiles
SHUFFLE = 4
TINY_SHUFFLE = 2


def projector(text, vision, shuffle=SHUFFLE):
    yield Tensor("mm.model.fc.weight", (text.width, vision.width * shuffle ** 2), "matrix")


def describe_vision(w, gguf, shuffle=SHUFFLE, longest_edge=LONGEST_EDGE):
    w.add_clip_projector_type(gguf.VisionProjectorType.IDEFICS3)
    w.add_vision_projector_scale_factor(shuffle)
    w.add_vision_preproc_image_size(longest_edge)


def tiny(family):
    vision = small_vit(family.vision, positions=64)
    return dataclasses.replace(
        family, text=small_decoder(family.text), vision=vision,
        projector=lambda text, vit: projector(text, vit, TINY_SHUFFLE),
        describe_projector=lambda w, gguf: describe_vision(w, gguf, TINY_SHUFFLE, 2 * vision.image))


def _smol(name, title, parameters, **text):
    return Family(
        name, title, parameters,
        Decoder("llama", kv_heads=text["heads"] // 3, head_dim=64, vocab=49280, context=8192, rope_base=100000.0,
                eps=1e-5, tied=False, **text),
        Vit(layers=12, width=768, heads=12, ff=3072, image=512, patch=16, eps=1e-6, positions=1024),
        Words(SPECIALS, eos=EOS, pad=PAD, bos=BOS, pre="smollm", template=SMOLVLM_TEMPLATE),
        projector, nothing_more, describe_vision, tiny)


FAMILIES = (
    _smol("smolvlm-256m", "SmolVLM-256M", 256_484_928, layers=30, width=576, heads=9, ff=1536),
    _smol("smolvlm2-500m", "SmolVLM2-500M", 507_482_304, layers=32, width=960, heads=15, ff=2560),
)
