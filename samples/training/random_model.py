"""Writes GGUF pairs of random numbers in the exact shapes of the models that people run, and tiny versions of them.

    SACCADE_LLAMA_SOURCE=/path/to/llama.cpp python3 samples/training/random_model.py smolvlm-256m --out /tmp/models
    python3 samples/training/random_model.py all --dry-run            # parameters and bytes, nothing is written
    SACCADE_LLAMA_SOURCE=… python3 samples/training/random_model.py all --tiny --out build/tiny

They know nothing: they are for measuring speed and for comparing programs, never for answers. Architecture, metadata,
tensor names, special tokens and chat template are each family's; the vocabulary has the true size, but is our own
byte-level BPE and unused tokens. Whatever such a model says is printable text, and it never ends by itself, so that an
answer always has the tokens that were asked for. The bytes depend on the seed and the options only.

Types are what llama-quantize and the converter choose: norms, biases and positions f32; with q4_0 and q5_0 the output
matrix q6_K where its rows allow it, else q8_0; in the projector's file f16 where q8_0 does not fit.
"""

import argparse
import dataclasses
import os
import shutil
import sys

import numpy as np

import shapes
from gguf_parts import import_gguf
from random_weights import BLOCKS, RandomWeights, size_of
from shapes.vocabulary import describe, vocabulary

TYPES = ("f16", "bf16", "q8_0", "q5_0", "q4_0")
PROJECTOR_TYPES = ("f32", "f16", "q8_0")
QUIET = 1 / 16         # rows of tokens that no answer may have, against the others: never the largest logit
SMALL = 0.02           # biases, class token and the like
SPARE = 64 << 20       # bytes that stay free on the disk
ALIGNMENT = 32         # of tensors in the file


def parts_of(name, tiny):
    """The family, small if wanted, and its vocabulary."""
    family = shapes.FAMILIES[name]
    if tiny:
        family = family.tiny(family)
    words = vocabulary(family.words, family.text.vocab)
    return dataclasses.replace(family, text=dataclasses.replace(family.text, vocab=len(words.texts))), words


def text_type(tensor, matrix):
    """The type of a tensor in the language model's file."""
    if len(tensor.shape) == 1 or tensor.use == "exact":
        return "f32"
    if tensor.use == "output" and matrix in ("q4_0", "q5_0"):
        return "q8_0" if tensor.shape[-1] % BLOCKS["q6_k"][0] else "q6_k"
    return matrix


def projector_type(tensor, matrix):
    """The type of a tensor in the projector's file."""
    if matrix == "f32":
        return "f32"
    if tensor.use == "half":
        return "f16"
    if tensor.use == "conv":
        return "f16" if matrix == "f16" else "f32"
    if len(tensor.shape) == 1 or tensor.use in ("exact", "bias"):
        return "f32"
    return "f16" if tensor.shape[-1] % BLOCKS[matrix][0] else matrix


def typed(tensors, choose, matrix):
    return [(tensor, choose(tensor, matrix)) for tensor in tensors]


def parameters_of(family):
    tensors = list(family.text.tensors()) + list(family.projector_tensors())
    return sum(int(np.prod(t.shape, dtype=np.int64)) for t in tensors if t.counted)


def bytes_of(tensors, words=None):
    """Size of the file: tensors, and what the vocabulary takes."""
    size = sum(-(-size_of(tensor.shape, kind) // ALIGNMENT) * ALIGNMENT for tensor, kind in tensors)
    if words:
        strings = words.texts + words.merges
        size += sum(8 + len(text.encode()) for text in strings) + 4 * (len(words.kinds) + len(words.scores))
    return size


def width_of(tensor):
    """Standard deviation of a tensor's values."""
    if tensor.name == "token_embd.weight":   # small against what the layers add, or a tied output repeats its input
        return tensor.shape[-1] ** -0.5 / 2
    if tensor.use in ("matrix", "half", "output", "conv"):
        return float(np.prod(tensor.shape[1:])) ** -0.5
    return SMALL if tensor.use == "bias" or len(tensor.shape) == 1 else 0.5


def tensor_chunks(weights, tensor, kind, live):
    """A tensor's bytes, piece by piece; `live` is the number of tokens that an answer may have."""
    count = int(np.prod(tensor.shape, dtype=np.int64))
    if tensor.use in ("ones", "zeros"):
        yield np.full(count, tensor.use == "ones", np.float32).tobytes()
        return
    width = width_of(tensor)
    loud = live * tensor.shape[-1] if tensor.use == "output" else count
    yield from weights.chunks(tensor.name, loud, kind, width)
    if loud < count:
        yield from weights.chunks(tensor.name + ".quiet", count - loud, kind, width * QUIET)


def write_tensors(w, gguf, tensors, weights, live=0):
    types = gguf.GGMLQuantizationType
    for tensor, kind in tensors:
        size = size_of(tensor.shape, kind)
        w.add_tensor_info(tensor.name, tensor.shape, np.dtype(np.float32), size, types[kind.upper()])
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_ti_data_to_file()
    out = w.fout[0]
    for tensor, kind in tensors:
        w.write_padding(out, out.tell())
        for chunk in tensor_chunks(weights, tensor, kind, live):
            out.write(chunk)
    w.write_padding(out, out.tell())
    w.close()


def write_text(gguf, path, family, words, tensors, kind, weights):
    w = gguf.GGUFWriter(path, family.text.arch)
    w.add_name("%s shape, random weights" % family.title)
    w.add_description("Random numbers, to measure speed and compare programs. Made by the Saccade project.")
    w.add_file_type(gguf.LlamaFileType["MOSTLY_" + kind.upper()])
    family.text.describe(w)
    family.describe_text(w, gguf)
    describe(w, gguf, family.words, words)
    write_tensors(w, gguf, tensors, weights, words.live)


def write_projector(gguf, path, family, tensors, kind, weights):
    w = gguf.GGUFWriter(path, "clip")
    w.add_type(gguf.GGUFType.MMPROJ)
    w.add_name("%s shape, random weights" % family.title)
    w.add_file_type(gguf.LlamaFileType["ALL_F32" if kind == "f32" else "MOSTLY_" + kind.upper()])
    if family.vision:
        w.add_vision_projection_dim(family.text.width)
        family.vision.describe(w)
    if family.audio:
        w.add_audio_projection_dim(family.text.width)
        family.audio.describe(w)
    family.describe_projector(w, gguf)
    write_tensors(w, gguf, tensors, weights)


def write_whole(path, write):
    """Calls write(beside) and moves the result to `path`, so that a file that is there is a whole one."""
    beside = path + ".part"
    try:
        write(beside)
        os.replace(beside, path)
    finally:
        if os.path.exists(beside):
            os.remove(beside)


def make_pair(name, options, gguf, weights):
    """Writes one pair, or says only what it would be; returns the two paths."""
    family, words = parts_of(name, options.tiny)
    text = typed(family.text.tensors(), text_type, options.type)
    projector = typed(family.projector_tensors(), projector_type, options.projector_type)
    text_bytes, projector_bytes = bytes_of(text, words), bytes_of(projector)
    stem = os.path.join(options.out, ("tiny-" if options.tiny else "") + name)
    paths = (stem + "-text.gguf", stem + "-mmproj.gguf")
    print("%-24s %13s parameters  text %s %s  mmproj %s %s" % (
        os.path.basename(stem), f"{parameters_of(family):,}", options.type, megabytes(text_bytes),
        options.projector_type, megabytes(projector_bytes)), flush=True)
    if options.dry_run:
        return paths
    os.makedirs(options.out, exist_ok=True)
    free = shutil.disk_usage(options.out).free
    if text_bytes + projector_bytes + SPARE > free:
        sys.exit("random_model: %s needs %s, and \"%s\" has %s free. Choose another folder with --out, or a smaller "
                 "--type." % (name, megabytes(text_bytes + projector_bytes), options.out, megabytes(free)))
    write_whole(paths[0], lambda path: write_text(gguf, path, family, words, text, options.type, weights))
    write_whole(paths[1], lambda path: write_projector(gguf, path, family, projector, options.projector_type, weights))
    return paths


def megabytes(size):
    return "%.1f MB" % (size / 1e6)


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("family", nargs="+", help="one or more of %s, or all" % ", ".join(shapes.FAMILIES))
    parser.add_argument("--out", default=".", help="folder for the files")
    parser.add_argument("--type", choices=TYPES, default="q8_0", help="of the language model's matrices")
    parser.add_argument("--projector-type", choices=PROJECTOR_TYPES,
                        help="of the projector's; f16 with f16 and bf16, else q8_0")
    parser.add_argument("--tiny", action="store_true", help="two layers, small widths, a small vocabulary, for tests")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--dry-run", action="store_true", help="say parameters and sizes, write nothing")
    options = parser.parse_args(arguments)
    options.projector_type = options.projector_type or ("f16" if options.type in ("f16", "bf16") else "q8_0")
    if "all" in options.family:
        options.family = list(shapes.FAMILIES)
    for name in options.family:
        if name not in shapes.FAMILIES:
            sys.exit("random_model: there is no family \"%s\". There are: %s, and all."
                     % (name, ", ".join(shapes.FAMILIES)))
    return options


def main(arguments=None):
    options = parse(arguments)
    gguf = None if options.dry_run else import_gguf()
    weights = None if options.dry_run else RandomWeights(gguf, options.seed)
    try:
        for name in options.family:
            make_pair(name, options, gguf, weights)
    except OSError as error:
        sys.exit("random_model: cannot write to \"%s\": %s." % (error.filename or options.out, error.strerror))


if __name__ == "__main__":
    main()
