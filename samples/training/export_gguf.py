"""Writes a checkpoint as the GGUF pair that llama.cpp loads.

    SACCADE_LLAMA_SOURCE=/path/to/llama.cpp python3 samples/training/export_gguf.py \
        --checkpoint build/training/edge/checkpoint.pt --out samples/models

The files are named after the model that the checkpoint holds: saccade-edge-*, saccade-cloud-*.

Weights of matrix products are q8_0 (or f16 with --type f16); norms, biases and position
embeddings stay f32, the patch convolution f16.
"""

import argparse
import os

import numpy as np
import torch

from gguf_parts import SMOLVLM_TEMPLATE, import_gguf
from model import PRESETS, Config, StreetModel
from samples import CLASSES
from tokenizer import BOS, EOS, PAD, SPECIALS, Tokenizer

DESCRIPTION = "Answers questions about rendered street scenes. Made and trained by the Saccade project."


class TensorWriter:
    """Adds tensors in the type that their use allows."""

    def __init__(self, gguf, writer, matrix_type):
        self.gguf, self.writer = gguf, writer
        self.matrix = {"q8_0": gguf.GGMLQuantizationType.Q8_0, "f16": gguf.GGMLQuantizationType.F16}[matrix_type]

    def matrix_of(self, name, weight):
        data = weight.detach().float().contiguous().numpy()
        self.writer.add_tensor(name, self.gguf.quants.quantize(data, self.matrix), raw_dtype=self.matrix)

    def exact(self, name, weight):
        self.writer.add_tensor(name, weight.detach().float().contiguous().numpy())

    def half(self, name, weight):
        self.writer.add_tensor(name, weight.detach().contiguous().numpy().astype(np.float16))


def write_text(gguf, path, name, model, tokenizer, matrix_type):
    c, text = model.c, model.text
    w = gguf.GGUFWriter(path, "llama")
    w.add_name(name)
    w.add_description(DESCRIPTION)
    w.add_block_count(c.text_layers)
    w.add_context_length(c.context)
    w.add_embedding_length(c.width)
    w.add_feed_forward_length(c.text_ff)
    w.add_head_count(c.heads)
    w.add_head_count_kv(c.heads)
    w.add_layer_norm_rms_eps(1e-5)
    w.add_rope_dimension_count(c.width // c.heads)
    w.add_rope_freq_base(c.rope_base)
    w.add_vocab_size(c.vocab)
    w.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0 if matrix_type == "q8_0" else gguf.LlamaFileType.MOSTLY_F16)

    control, normal, unused = gguf.TokenType.CONTROL, gguf.TokenType.NORMAL, gguf.TokenType.UNUSED
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("smollm")
    w.add_token_list(tokenizer.tokens)
    w.add_token_types([control if t in SPECIALS else unused if t.startswith("<|unused_") else normal for t in tokenizer.tokens])
    w.add_token_merges(["%s %s" % pair for pair in tokenizer.merges])
    w.add_bos_token_id(tokenizer.id_of[BOS])
    w.add_eos_token_id(tokenizer.id_of[EOS])
    w.add_eot_token_id(tokenizer.id_of[EOS])
    w.add_pad_token_id(tokenizer.id_of[PAD])
    w.add_add_bos_token(False)   # the template writes it
    w.add_add_eos_token(False)
    w.add_chat_template(SMOLVLM_TEMPLATE)

    t = TensorWriter(gguf, w, matrix_type)
    t.matrix_of("token_embd.weight", text.embed.weight)   # no output.weight: llama.cpp ties them
    t.exact("output_norm.weight", text.norm.weight)
    for k, layer in enumerate(text.layers):
        blk = "blk.%d." % k
        t.exact(blk + "attn_norm.weight", layer.norm1.weight)
        for name, part in zip("qkv", layer.qkv.weight.chunk(3, 0)):
            t.matrix_of(blk + "attn_%s.weight" % name, part)
        t.matrix_of(blk + "attn_output.weight", layer.out.weight)
        t.exact(blk + "ffn_norm.weight", layer.norm2.weight)
        gate, up = layer.gate_up.weight.chunk(2, 0)
        t.matrix_of(blk + "ffn_gate.weight", gate)
        t.matrix_of(blk + "ffn_up.weight", up)
        t.matrix_of(blk + "ffn_down.weight", layer.down.weight)
    finish(w)


def write_vision(gguf, path, name, model, matrix_type):
    c, vision = model.c, model.vision
    w = gguf.GGUFWriter(path, "clip")
    w.add_type(gguf.GGUFType.MMPROJ)
    w.add_name(name)
    w.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0 if matrix_type == "q8_0" else gguf.LlamaFileType.MOSTLY_F16)
    w.add_clip_has_vision_encoder(True)
    w.add_clip_projector_type(gguf.VisionProjectorType.IDEFICS3)
    w.add_vision_projection_dim(c.width)
    w.add_vision_image_size(c.image)
    w.add_vision_patch_size(c.patch)
    w.add_vision_embedding_length(c.width)
    w.add_vision_feed_forward_length(c.vision_ff)
    w.add_vision_block_count(c.vision_layers)
    w.add_vision_head_count(c.heads)
    w.add_vision_attention_layernorm_eps(1e-6)
    w.add_vision_image_mean([0.5, 0.5, 0.5])
    w.add_vision_image_std([0.5, 0.5, 0.5])
    w.add_vision_projector_scale_factor(c.shuffle)
    w.add_vision_use_gelu(True)
    w.add_vision_preproc_image_size(c.image)   # stock libmtmd then makes one tile and the overview

    t = TensorWriter(gguf, w, matrix_type)
    t.half("v.patch_embd.weight", vision.patch.weight.view(c.width, 3, c.patch, c.patch))
    t.exact("v.patch_embd.bias", vision.patch.bias)
    t.exact("v.position_embd.weight", vision.position)
    t.exact("v.post_ln.weight", vision.post.weight)
    t.exact("v.post_ln.bias", vision.post.bias)
    t.matrix_of("mm.model.fc.weight", vision.project.weight)
    for k, layer in enumerate(vision.layers):
        blk = "v.blk.%d." % k

        def linear(name, weight, bias):
            t.matrix_of(blk + name + ".weight", weight)
            t.exact(blk + name + ".bias", bias)

        for name, norm in (("ln1", layer.ln1), ("ln2", layer.ln2)):
            t.exact(blk + name + ".weight", norm.weight)
            t.exact(blk + name + ".bias", norm.bias)
        for name, weight, bias in zip("qkv", layer.qkv.weight.chunk(3, 0), layer.qkv.bias.chunk(3, 0)):
            linear("attn_" + name, weight, bias)
        linear("attn_out", layer.out.weight, layer.out.bias)
        linear("ffn_up", layer.up.weight, layer.up.bias)
        linear("ffn_down", layer.down.weight, layer.down.bias)
    finish(w)


def finish(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def load_model(checkpoint):
    """-> name, model with the averaged weights, tokenizer. "random-edge" and "random-cloud" have random weights."""
    if checkpoint.startswith("random-"):
        from samples import vocabulary_texts
        preset = checkpoint[len("random-"):]
        tokenizer = Tokenizer.learn(vocabulary_texts())
        torch.manual_seed(1)
        model = StreetModel(Config(vocab=len(tokenizer.tokens), labels=len(CLASSES), **PRESETS[preset]))
        return "saccade-" + preset, model.eval(), tokenizer
    tokenizer = Tokenizer.load(os.path.join(os.path.dirname(checkpoint), "tokenizer.json"))
    state = torch.load(checkpoint, map_location="cpu")
    model = StreetModel(Config(**state["config"]))
    model.load_state_dict(state["average"])
    return "saccade-" + state["name"], model.eval(), tokenizer


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--checkpoint", default="build/training/edge/checkpoint.pt",
                           help="a file, or random-edge, random-cloud")
    arguments.add_argument("--out", default="samples/models")
    arguments.add_argument("--type", choices=("q8_0", "f16"), default="q8_0")
    options = arguments.parse_args()
    gguf = import_gguf()
    name, model, tokenizer = load_model(options.checkpoint)
    os.makedirs(options.out, exist_ok=True)
    write_text(gguf, os.path.join(options.out, name + "-text.gguf"), name, model, tokenizer, options.type)
    write_vision(gguf, os.path.join(options.out, name + "-mmproj.gguf"), name, model, options.type)


if __name__ == "__main__":
    main()
