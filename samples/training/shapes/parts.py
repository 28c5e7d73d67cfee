"""The parts that the families are put together from: a decoder, a vision transformer, and their tensors.

What listens is in whisper.py.
"""

import dataclasses
from typing import Callable, NamedTuple, Optional

CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
HALF = (0.5, 0.5, 0.5)


class Tensor(NamedTuple):
    """A tensor of a file. `shape` as NumPy has it: (out, in) for a matrix.

    `use` says what it is, and so its type and its random values:
      matrix     quantised; 1 / sqrt(in) wide, which keeps activations at unit size
      embedding  a matrix with one row per token
      output     a matrix with one row per token, whose rows of tokens that no answer may have are small;
                 also an embedding that is the output at once
      half       a matrix or a convolution that is f16 whatever the type
      conv       patch convolution
      exact      f32, random
      ones, zeros, bias   f32
    """
    name: str
    shape: tuple
    use: str
    counted: bool = True   # among the published parameters; not so for tables that follow from others


@dataclasses.dataclass(frozen=True)
class Decoder:
    """A language model as llama.cpp's `arch` reads it."""
    arch: str
    layers: int
    width: int
    heads: int
    kv_heads: int
    head_dim: int
    ff: int
    vocab: int
    context: int
    rope_base: float
    eps: float
    tied: bool                 # the embedding is the output, too
    qkv_bias: bool = False
    qk_norms: bool = False
    post_norms: bool = False   # after attention and feed-forward
    rope_table: bool = False   # factors of the rotary positions, which follow from the context's length

    last_norm = "output_norm.weight"

    def tensors(self):
        yield Tensor("token_embd.weight", (self.vocab, self.width), "output" if self.tied else "embedding")
        yield Tensor(self.last_norm, (self.width,), "ones")
        if not self.tied:
            yield Tensor("output.weight", (self.vocab, self.width), "output")
        if self.rope_table:
            yield Tensor("rope_freqs.weight", (self.head_dim // 2,), "ones", counted=False)
        for k in range(self.layers):
            blk = "blk.%d." % k
            yield Tensor(blk + "attn_norm.weight", (self.width,), "ones")
            yield from self._mixing(k, blk)
            if self.post_norms:
                yield Tensor(blk + "post_attention_norm.weight", (self.width,), "ones")
                yield Tensor(blk + "post_ffw_norm.weight", (self.width,), "ones")
            yield Tensor(blk + "ffn_norm.weight", (self.width,), "ones")
            yield Tensor(blk + "ffn_gate.weight", (self.ff, self.width), "matrix")
            yield Tensor(blk + "ffn_up.weight", (self.ff, self.width), "matrix")
            yield Tensor(blk + "ffn_down.weight", (self.width, self.ff), "matrix")

    def _mixing(self, _layer, blk):
        """What a layer's tokens see of each other."""
        for part, heads in (("q", self.heads), ("k", self.kv_heads), ("v", self.kv_heads)):
            yield Tensor(blk + "attn_%s.weight" % part, (heads * self.head_dim, self.width), "matrix")
            if self.qkv_bias:
                yield Tensor(blk + "attn_%s.bias" % part, (heads * self.head_dim,), "bias")
        yield Tensor(blk + "attn_output.weight", (self.width, self.heads * self.head_dim), "matrix")
        if self.qk_norms:
            yield Tensor(blk + "attn_q_norm.weight", (self.head_dim,), "ones")
            yield Tensor(blk + "attn_k_norm.weight", (self.head_dim,), "ones")

    def head_count_kv(self):
        """One number, or a list with one for each layer."""
        return self.kv_heads

    def describe(self, w):
        w.add_block_count(self.layers)
        w.add_context_length(self.context)
        w.add_embedding_length(self.width)
        w.add_feed_forward_length(self.ff)
        w.add_head_count(self.heads)
        w.add_head_count_kv(self.head_count_kv())
        w.add_layer_norm_rms_eps(self.eps)
        w.add_key_length(self.head_dim)
        w.add_value_length(self.head_dim)
        w.add_rope_dimension_count(self.head_dim)
        w.add_rope_freq_base(self.rope_base)
        w.add_vocab_size(self.vocab)


@dataclasses.dataclass(frozen=True)
class Vit:
    """A vision transformer as libmtmd reads it."""
    layers: int
    width: int
    heads: int
    ff: int
    image: int           # pixels a side
    patch: int           # pixels a side
    eps: float
    positions: int = 0   # rows of the learned table; 0 = rotary positions
    convolutions: int = 1
    class_token: bool = False
    layer_scale: bool = False
    post_norm: bool = True
    patch_bias: bool = True
    rms_norms: bool = False
    gate: bool = False   # in the feed-forward
    gelu: bool = True    # else the quick approximation, or what the family says
    mean: tuple = HALF
    std: tuple = HALF

    def tensors(self):
        for k in range(self.convolutions):
            name = "v.patch_embd.weight" + (".%d" % k if k else "")
            yield Tensor(name, (self.width, 3, self.patch, self.patch), "conv")
        if self.patch_bias:
            yield Tensor("v.patch_embd.bias", (self.width,), "bias")
        if self.class_token:
            yield Tensor("v.class_embd", (self.width,), "exact")
        if self.positions:
            yield Tensor("v.position_embd.weight", (self.positions, self.width), "exact")
        if self.post_norm:
            yield from self._norm("v.post_ln")
        for k in range(self.layers):
            yield from self._layer("v.blk.%d." % k)

    def _layer(self, blk):
        yield from self._norm(blk + "ln1")
        for part in ("attn_q", "attn_k", "attn_v", "attn_out"):
            yield from linear(blk + part, self.width, self.width)
        yield from self._norm(blk + "ln2")
        if self.gate:
            yield from linear(blk + "ffn_gate", self.width, self.ff)
        yield from linear(blk + "ffn_up", self.width, self.ff)
        yield from linear(blk + "ffn_down", self.ff, self.width)
        if self.layer_scale:
            yield Tensor(blk + "ls1.weight", (self.width,), "ones")
            yield Tensor(blk + "ls2.weight", (self.width,), "ones")

    def _norm(self, name):
        return rms_norm(name, self.width) if self.rms_norms else norm(name, self.width)

    def describe(self, w):
        w.add_clip_has_vision_encoder(True)
        w.add_vision_image_size(self.image)
        w.add_vision_patch_size(self.patch)
        w.add_vision_embedding_length(self.width)
        w.add_vision_feed_forward_length(self.ff)
        w.add_vision_block_count(self.layers)
        w.add_vision_head_count(self.heads)
        w.add_vision_attention_layernorm_eps(self.eps)
        w.add_vision_image_mean(list(self.mean))
        w.add_vision_image_std(list(self.std))
        if self.gelu:
            w.add_vision_use_gelu(True)


def rms_norm(name, width):
    yield Tensor(name + ".weight", (width,), "ones")


def norm(name, width):
    yield from rms_norm(name, width)
    yield Tensor(name + ".bias", (width,), "zeros")


def linear(name, inputs, outputs):
    yield Tensor(name + ".weight", (outputs, inputs), "matrix")
    yield Tensor(name + ".bias", (outputs,), "bias")


@dataclasses.dataclass(frozen=True)
class Words:
    """How the family's tokenizer is read, its special tokens, and its chat template."""
    specials: tuple
    eos: str
    pad: str
    template: str
    bos: str = ""
    pre: str = ""         # of a byte-level BPE; empty = SentencePiece
    add_bos: bool = False


@dataclasses.dataclass(frozen=True)
class Family:
    """A pair: language model, what sees and what listens for it, and the projectors between them."""
    name: str
    title: str
    parameters: int       # as published
    text: Decoder
    vision: Optional[Vit]           # None = it sees nothing
    words: Words
    projector: Optional[Callable]   # (text, vision) -> the projector's tensors
    describe_text: Callable         # (writer, gguf) -> None: what only this family's text file says
    describe_projector: Callable    # (writer, gguf) -> None: what only this family's other file says
    tiny: Callable                  # (family) -> the same family, small
    audio: Optional["Whisper"] = None            # None = it hears nothing
    audio_projector: Optional[Callable] = None   # (text, audio) -> the projector's tensors

    def projector_tensors(self):
        if self.vision:
            yield from self.vision.tensors()
            yield from self.projector(self.text, self.vision)
        if self.audio:
            yield from self.audio.tensors()
            yield from self.audio_projector(self.text, self.audio)


def nothing_more(_writer, _gguf):
    """For a family whose text file needs no more than the decoder's own description."""


CHATML_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}")
QWEN_SPECIALS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>",
                 "<|box_start|>", "<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>",
                 "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>")


def qwen_words(*more):
    return Words(QWEN_SPECIALS + more, eos="<|im_end|>", pad="<|endoftext|>", bos="<|endoftext|>", pre="qwen2",
                 template=CHATML_TEMPLATE)


def small_decoder(text, **changes):
    """The same architecture with two layers and a width of 64; the vocabulary is as large as it must be."""
    small = dict(layers=2, width=64, heads=2, kv_heads=1, head_dim=32, ff=128, vocab=0, context=4096)
    return dataclasses.replace(text, **{**small, **changes})


def small_vit(vision, **changes):
    """The same architecture with two layers, a width of 64, and 8 x 8 patches of 8 x 8 pixels."""
    small = dict(layers=2, width=64, heads=2, ff=128, image=64, patch=8)
    return dataclasses.replace(vision, **{**small, **changes})
