"""Qwen2.5-Omni's thinker: Qwen2.5 with positions in time, height and width, which sees and hears.

Its vision transformer looks through windows of 112 pixels in seven layers of eight; Whisper's encoder listens, and two
of its vectors become one token. The part that speaks is not in llama.cpp. libmtmd announces a picture by
<|vision_start|>, which is not a token of this model but letters.
"""

import dataclasses

from . import qwen2vl, whisper
from .parts import CHATML_TEMPLATE, CLIP_MEAN, CLIP_STD, Decoder, Family, Vit, Words, linear, small_decoder, small_vit

WHOLE_EVERY = 8   # layers: the last of so many sees the whole picture
TINY_WHOLE_EVERY = 2
SPECIALS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|AUDIO|>", "<|audio_bos|>", "<|audio_eos|>", "<|box_end|>",
            "<|quad_start|>", "<|quad_end|>", "<|vision_bos|>", "<|vision_eos|>", "<|vision_pad|>", "<|IMAGE|>",
            "<|VIDEO|>")


def audio_projector(text, audio):
    yield from linear("mm.a.fc", audio.width, text.width)


def describe_projector(w, gguf, whole_every=WHOLE_EVERY):
    w.add_clip_projector_type(gguf.VisionProjectorType.QWEN25O)
    w.add_vision_use_silu(True)
    w.add_vision_n_wa_pattern(whole_every)


def tiny(family):
    return dataclasses.replace(
        family, text=small_decoder(family.text), vision=small_vit(family.vision),
        audio=whisper.small_whisper(family.audio), describe_text=qwen2vl.describe_tiny_text,
        describe_projector=lambda w, gguf: describe_projector(w, gguf, TINY_WHOLE_EVERY))


FAMILIES = (
    Family(
        # Published is only the number with the part that speaks. This is the sum of what the converter keeps:
        # Qwen2.5-3B with an output matrix, Qwen2.5-VL-3B's vision transformer, Whisper large v3's encoder, a projector.
        "qwen2.5-omni-3b", "Qwen2.5-Omni-3B", 4_703_460_352,
        Decoder("qwen2vl", layers=36, width=2048, heads=16, kv_heads=2, head_dim=128, ff=11008, vocab=151936,
                context=32768, rope_base=1000000.0, eps=1e-6, tied=False, qkv_bias=True),
        Vit(layers=32, width=1280, heads=16, ff=3420, image=560, patch=14, eps=1e-6, convolutions=2, patch_bias=False,
            rms_norms=True, gate=True, gelu=False, mean=CLIP_MEAN, std=CLIP_STD),
        Words(SPECIALS, eos="<|im_end|>", pad="<|endoftext|>", bos="<|endoftext|>", pre="qwen2",
              template=CHATML_TEMPLATE),
        qwen2vl.projector, qwen2vl.describe_text, describe_projector, tiny,
        audio=dataclasses.replace(whisper.LARGE_V3, stored_positions=False), audio_projector=audio_projector),
)
