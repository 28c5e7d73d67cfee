"""Whisper's encoder, as libmtmd reads it: half a minute of sound at 16 kHz, and a vector for every 20 ms of it.

libmtmd cuts what it hears into such halves of a minute, and fills the last one with silence.
"""

import dataclasses

from .parts import Tensor, linear, norm

POSITIONS = 1500   # vectors; libmtmd knows no other number


@dataclasses.dataclass(frozen=True)
class Whisper:
    layers: int
    width: int
    heads: int
    ff: int
    mels: int                        # bands of the spectrogram
    stored_positions: bool = True    # else the converter computes their table, which is no parameter

    def tensors(self):
        for k, bands in ((1, self.mels), (2, self.width)):
            yield Tensor("a.conv1d.%d.weight" % k, (self.width, bands, 3), "half")
            yield Tensor("a.conv1d.%d.bias" % k, (self.width, 1), "bias")
        yield Tensor("a.position_embd.weight", (POSITIONS, self.width), "exact", counted=self.stored_positions)
        for k in range(self.layers):
            yield from self._layer("a.blk.%d." % k)
        yield from norm("a.post_ln", self.width)

    def _layer(self, blk):
        yield from norm(blk + "ln1", self.width)
        yield from linear(blk + "attn_q", self.width, self.width)
        yield Tensor(blk + "attn_k.weight", (self.width, self.width), "matrix")   # has no bias
        yield from linear(blk + "attn_v", self.width, self.width)
        yield from linear(blk + "attn_out", self.width, self.width)
        yield from norm(blk + "ln2", self.width)
        yield from linear(blk + "ffn_up", self.width, self.ff)
        yield from linear(blk + "ffn_down", self.ff, self.width)

    def describe(self, w):
        w.add_clip_has_audio_encoder(True)
        w.add_audio_embedding_length(self.width)
        w.add_audio_feed_forward_length(self.ff)
        w.add_audio_block_count(self.layers)
        w.add_audio_head_count(self.heads)
        w.add_audio_num_mel_bins(self.mels)
        w.add_audio_attention_layernorm_eps(1e-5)


LARGE_V3 = Whisper(layers=32, width=1280, heads=20, ff=5120, mels=128)


def small_whisper(audio):
    """The same architecture with two layers and a width of 64, for as much sound of as many bands."""
    return dataclasses.replace(audio, layers=2, width=64, heads=2, ff=128)
