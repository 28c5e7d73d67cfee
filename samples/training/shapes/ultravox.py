"""Ultravox 0.5: Llama 3.2 that listens and sees nothing; eight of Whisper's vectors become one token."""

import dataclasses

from . import whisper
from .parts import Decoder, Family, Tensor, Words, nothing_more, rms_norm, small_decoder

STACK = 8        # of 1500 vectors they leave a rest, and libmtmd drops it
TINY_STACK = 4   # leaves none: where a stack is 2^n numbers wide, libmtmd makes a token of the rest, and aborts
PROJECTOR_WIDTH = 4096
TINY_PROJECTOR_WIDTH = 128
SPECIALS = ("<|begin_of_text|>", "<|end_of_text|>", "<|finetune_right_pad_id|>", "<|start_header_id|>",
            "<|end_header_id|>", "<|eom_id|>", "<|eot_id|>", "<|python_tag|>")
TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' }}"
    "{{ message['content'] | trim + '<|eot_id|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}")


def audio_projector(text, audio, stack=STACK, width=PROJECTOR_WIDTH):
    yield from rms_norm("mm.a.norm_pre", audio.width * stack)
    yield Tensor("mm.a.mlp.1.weight", (width, audio.width * stack), "matrix")
    yield from rms_norm("mm.a.norm_mid", width // 2)   # one half has been the other's gate
    yield Tensor("mm.a.mlp.2.weight", (text.width, width // 2), "matrix")


def describe_projector(w, gguf, stack=STACK):
    w.add_clip_projector_type(gguf.VisionProjectorType.ULTRAVOX)
    w.add_audio_stack_factor(stack)


def tiny(family):
    return dataclasses.replace(
        family, text=small_decoder(family.text), audio=whisper.small_whisper(family.audio),
        audio_projector=lambda text, audio: audio_projector(text, audio, TINY_STACK, TINY_PROJECTOR_WIDTH),
        describe_projector=lambda w, gguf: describe_projector(w, gguf, TINY_STACK))


FAMILIES = (
    Family(
        "ultravox-0.5-1b", "Ultravox-0.5-1B", 1_918_932_992,
        Decoder("llama", layers=16, width=2048, heads=32, kv_heads=8, head_dim=64, ff=8192, vocab=128256,
                context=131072, rope_base=500000.0, eps=1e-5, tied=True, rope_table=True),
        vision=None, projector=None, audio=whisper.LARGE_V3, audio_projector=audio_projector,
        words=Words(SPECIALS, eos="<|eot_id|>", pad="<|finetune_right_pad_id|>", bos="<|begin_of_text|>",
                    pre="llama-bpe", add_bos=True, template=TEMPLATE),
        describe_text=nothing_more, describe_projector=describe_projector, tiny=tiny),
)
