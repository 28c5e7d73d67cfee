"""Gemma 3: five layers of six see a sliding window only, and the tokens of a picture see each other both ways.

The true tokenizer is SentencePiece, and so is this one: the pieces of our byte-level BPE, written as SentencePiece.
llama.cpp's converter drops the 64 rows of the embedding that have no token, hence 262,144.
"""

import dataclasses

from .parts import Decoder, Family, Tensor, Vit, Words, small_decoder, small_vit

TEMPLATE = (
    "{% for message in messages %}{{ '<start_of_turn>' }}"
    "{{ ('model' if message['role'] == 'assistant' else message['role']) + '\\n' }}"
    "{{ message['content'] | trim + '<end_of_turn>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\\n' }}{% endif %}")
SPECIALS = ("<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>", "<start_of_image>",
            "<end_of_image>", "<image_soft_token>")
TINY_WINDOW = 48   # tokens; less than a question about three tiny pictures


def projector(text, vision):
    yield Tensor("mm.input_projection.weight", (vision.width, text.width), "half")   # llama.cpp transposes it itself
    yield Tensor("mm.soft_emb_norm.weight", (vision.width,), "ones")


def describe_text(w, gguf):
    w.add_sliding_window(1024)
    w.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
    w.add_rope_scaling_factor(8.0)


def describe_tiny_text(w, _gguf):
    w.add_sliding_window(TINY_WINDOW)
    w.add_sliding_window_pattern(2)   # of two layers, one sees the window and one sees everything


def describe_vision(w, gguf):
    w.add_clip_projector_type(gguf.VisionProjectorType.GEMMA3)


def describe_tiny_vision(w, gguf):
    describe_vision(w, gguf)
    w.add_vision_projector_scale_factor(2)   # 16 tokens a picture, not 4


def tiny(family):
    return dataclasses.replace(
        family, text=small_decoder(family.text), vision=small_vit(family.vision, positions=64),
        describe_text=describe_tiny_text, describe_projector=describe_tiny_vision)


FAMILIES = (
    Family(
        "gemma-3-4b", "Gemma-3-4B", 4_300_079_472,
        Decoder("gemma3", layers=34, width=2560, heads=8, kv_heads=4, head_dim=256, ff=10240, vocab=262144,
                context=131072, rope_base=1000000.0, eps=1e-6, tied=True, qk_norms=True, post_norms=True),
        Vit(layers=27, width=1152, heads=16, ff=4304, image=896, patch=14, eps=1e-6, positions=4096),
        Words(SPECIALS, eos="<eos>", pad="<pad>", bos="<bos>", add_bos=True, template=TEMPLATE),
        projector, describe_text, describe_vision, tiny),
)
