"""MiniCPM-V 2.6 (libmtmd's version 3): Qwen2-7B, SigLIP, and a resampler that asks 64 questions of every picture."""

import dataclasses

from .parts import Decoder, Family, Tensor, Vit, linear, norm, nothing_more, qwen_words, small_decoder, small_vit

VERSION = 3
QUERIES = 64
TINY_QUERIES = 16
POSITIONS = 70 * 70
RESAMPLER_HEAD = 128   # libmtmd knows no other, so the tiny model is 128 wide


def projector(text, vision, queries=QUERIES):
    width = text.width
    # libmtmd wants this table in the file and computes it anew; it is not counted in the published parameters.
    yield Tensor("resampler.pos_embed_k", (POSITIONS if queries == QUERIES else 1, width), "exact", counted=False)
    yield Tensor("resampler.query", (queries, width), "exact")
    yield Tensor("resampler.proj.weight", (width, width), "matrix")
    yield Tensor("resampler.kv.weight", (width, vision.width), "matrix")
    for part in ("q", "k", "v", "out"):
        yield from linear("resampler.attn." + part, width, width)
    for part in ("q", "kv", "post"):
        yield from norm("resampler.ln_" + part, width)


def describe_vision(w, _gguf, queries=QUERIES):
    w.add_clip_projector_type("resampler")
    w.add_int32("clip.minicpmv_version", VERSION)
    w.add_uint32("clip.minicpmv_query_num", queries)


def tiny(family):
    return dataclasses.replace(
        family, text=small_decoder(family.text, width=RESAMPLER_HEAD, heads=4), vision=small_vit(family.vision),
        projector=lambda text, vit: projector(text, vit, TINY_QUERIES),
        describe_projector=lambda w, gguf: describe_vision(w, gguf, TINY_QUERIES))


FAMILIES = (
    Family(
        "minicpm-v-2.6", "MiniCPM-V-2.6", 8_099_175_152,
        Decoder("qwen2", layers=28, width=3584, heads=28, kv_heads=4, head_dim=128, ff=18944, vocab=151666,
                context=32768, rope_base=1000000.0, eps=1e-6, tied=False, qkv_bias=True),
        # The pictures are cut to 448 pixels; the table of positions is that of a 980-pixel model.
        Vit(layers=27, width=1152, heads=16, ff=4304, image=448, patch=14, eps=1e-6, positions=POSITIONS),
        qwen_words("<unk>", "<image>", "</image>", "<slice>", "</slice>"), projector, nothing_more, describe_vision,
        tiny),
)
