"""Random weights in the types of GGUF, made once and repeated, so that gigabytes cost what writing them costs.

A type's values come from one block of about a million normal numbers, quantised once. A tensor reads the block from a
place that its name gives, round and round, its scales multiplied by the width that the tensor wants. The block's length
is prime, so that no two rows nearer than thirty thousand rows are alike.
"""

import zlib

import numpy as np

# Numbers in a block, and its bytes.
BLOCKS = {"f32": (1, 4), "f16": (1, 2), "bf16": (1, 2), "q8_0": (32, 34), "q5_0": (32, 22), "q4_0": (32, 18),
          "q6_k": (256, 210)}
SCALE_AT = {"q8_0": 0, "q5_0": 0, "q4_0": 0, "q6_k": 208}   # byte of a block at which its f16 scale stands
POOL = {1: 1048573, 32: 32749, 256: 4093}                   # blocks in the pool, by block size; primes
CHUNK = 16 << 20                                            # bytes that are written at once


def size_of(shape, kind):
    """Bytes of a tensor."""
    numbers, size = BLOCKS[kind]
    if shape[-1] % numbers:
        raise ValueError("rows of %d numbers cannot be %s" % (shape[-1], kind))
    return int(np.prod(shape, dtype=np.int64)) // numbers * size


def _q6_k(values):
    """Blocks of 256 normal numbers as q6_K with equal scales; gguf-py cannot make this type."""
    steps = 8                                     # of a standard deviation
    q = np.clip(np.rint(values.reshape(-1, 256) * steps) + 32, 0, 63).astype(np.uint8)
    quarter = q.reshape(-1, 2, 4, 32)             # two halves of 128, four runs of 32 in each
    low, high = quarter & 15, quarter >> 4
    ql = np.concatenate([low[:, :, 0] | low[:, :, 2] << 4, low[:, :, 1] | low[:, :, 3] << 4], axis=-1)
    qh = high[:, :, 0] | high[:, :, 1] << 2 | high[:, :, 2] << 4 | high[:, :, 3] << 6
    count, sub_scale = len(q), 64
    scales = np.full((count, 16), sub_scale, np.int8).view(np.uint8)
    d = np.full((count, 1), 1 / (steps * sub_scale), np.float16).view(np.uint8)
    return np.concatenate([ql.reshape(count, 128), qh.reshape(count, 64), scales, d], axis=1)


class RandomWeights:
    def __init__(self, gguf, seed):
        self.gguf, self.seed = gguf, seed
        self._pools = {}

    def _pool(self, kind):
        """Blocks of the type, as rows of bytes, for a standard deviation of 1."""
        if kind not in self._pools:
            numbers, size = BLOCKS[kind]
            # The legacy generator: its stream is frozen for all versions of NumPy.
            values = np.random.RandomState(self.seed).standard_normal(POOL[numbers] * numbers).astype(np.float32)
            if kind == "q6_k":
                blocks = _q6_k(values)
            else:
                wanted = self.gguf.GGMLQuantizationType[kind.upper()]
                blocks = self.gguf.quants.quantize(values.reshape(-1, numbers), wanted)
            self._pools[kind] = np.ascontiguousarray(blocks).view(np.uint8).reshape(-1, size)
        return self._pools[kind]

    def _scaled(self, kind, width):
        blocks = self._pool(kind)
        if kind in SCALE_AT:
            at, blocks = SCALE_AT[kind], blocks.copy()
            blocks[:, at:at + 2] = (blocks[:, at:at + 2].copy().view(np.float16) * np.float16(width)).view(np.uint8)
            return blocks
        if kind == "bf16":   # the upper half of a float32
            exact = (blocks.view(np.uint16).astype(np.uint32) << 16).view(np.float32) * np.float32(width)
            return (exact.view(np.uint32) >> 16).astype(np.uint16).view(np.uint8).reshape(blocks.shape)
        kind_of_number = {"f32": np.float32, "f16": np.float16}[kind]
        return (blocks.view(kind_of_number) * kind_of_number(width)).view(np.uint8)

    def chunks(self, name, count, kind, width):
        """`count` numbers of standard deviation `width`, as pieces of bytes."""
        numbers, size = BLOCKS[kind]
        blocks = self._scaled(kind, width)
        left, at = count // numbers, zlib.crc32(name.encode()) % len(blocks)
        while left:
            take = min(left, len(blocks) - at, CHUNK // size)
            yield blocks[at:at + take].tobytes()
            left, at = left - take, (at + take) % len(blocks)
