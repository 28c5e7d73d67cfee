"""Pairs of random numbers have the published shapes, and the same bytes every time."""

import contextlib
import hashlib
import io
import os
import pathlib
import sys
import tempfile
import unittest
from unittest import mock

import street  # noqa: F401
import numpy as np
import random_model
import random_weights
import shapes


def gguf_package():
    source = os.environ.get("SACCADE_LLAMA_SOURCE")
    if source:
        sys.path.insert(0, os.path.join(source, "gguf-py"))
    try:
        import gguf
        return gguf
    except ImportError:
        return None


GGUF = gguf_package()
needs_gguf = unittest.skipIf(
    GGUF is None, "The Python package gguf is not there: set SACCADE_LLAMA_SOURCE to a llama.cpp source tree.")


def count(tensors):
    return sum(int(np.prod(tensor.shape, dtype=np.int64)) for tensor in tensors if tensor.counted)


def run(*arguments):
    """What the program says; SystemExit passes."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        random_model.main([str(a) for a in arguments])
    return said.getvalue()


class Shapes(unittest.TestCase):
    def test_parameters_are_the_published_ones(self):
        """If this fails, a tensor is missing or has another shape, and speeds are measured on another model."""
        for name, family in shapes.FAMILIES.items():
            with self.subTest(family=name):
                counted = random_model.parameters_of(random_model.parts_of(name, tiny=False)[0])
                if name == "gemma-3-4b":   # the converter drops the rows that have no token
                    counted += 64 * family.text.width
                self.assertEqual(counted, family.parameters)

    def test_parts_are_those_of_the_models_that_they_come_from(self):
        """If this fails, a family whose number is a sum has a wrong part. All of these numbers are published."""
        qwen25_3b, qwen25_vl_3b = 3_085_938_688, 3_754_622_976
        llama32_1b, lfm2_350m, whisper_large_v3_encoder = 1_235_814_400, 354_483_968, 636_968_960
        omni, ultravox = shapes.FAMILIES["qwen2.5-omni-3b"], shapes.FAMILIES["ultravox-0.5-1b"]
        self.assertEqual(count(t for t in omni.text.tensors() if t.name != "output.weight"), qwen25_3b)
        vision = list(omni.vision.tensors()) + list(omni.projector(omni.text, omni.vision))
        self.assertEqual(count(vision), qwen25_vl_3b - qwen25_3b)
        self.assertEqual(count(ultravox.audio.tensors()), whisper_large_v3_encoder)
        table = shapes.whisper.POSITIONS * omni.audio.width
        self.assertEqual(count(omni.audio.tensors()), whisper_large_v3_encoder - table)
        self.assertEqual(count(ultravox.text.tensors()), llama32_1b)
        self.assertEqual(count(shapes.FAMILIES["lfm2-vl-450m"].text.tensors()), lfm2_350m)

    def test_a_tiny_model_stacks_sound_without_a_rest(self):
        """If this fails, libmtmd aborts: it counts the rest of a stack otherwise than it computes it."""
        self.assertEqual(shapes.whisper.POSITIONS % shapes.ultravox.TINY_STACK, 0)

    def test_convolutions_keep_activations_at_unit_size(self):
        """If this fails, what a convolution makes overflows f16, or vanishes beside its bias."""
        for family in shapes.FAMILIES.values():
            for tensor in family.projector_tensors():
                if len(tensor.shape) > 2:
                    inputs = np.prod(tensor.shape[1:])
                    self.assertAlmostEqual(random_model.width_of(tensor) * inputs ** 0.5, 1, msg=tensor.name)

    def test_every_type_fits_every_shape(self):
        """If this fails, a family cannot be written in some type."""
        for name in shapes.FAMILIES:
            for tiny in (False, True):
                family, words = random_model.parts_of(name, tiny)
                self.assertEqual(len(words.texts), len(set(words.texts)), "llama.cpp aborts on a token twice")
                self.assertEqual(len(words.texts), family.text.vocab)
                for kind in random_model.TYPES:
                    tensors = random_model.typed(family.text.tensors(), random_model.text_type, kind)
                    tensors += random_model.typed(family.projector_tensors(), random_model.projector_type,
                                                  kind if kind in random_model.PROJECTOR_TYPES else "q8_0")
                    self.assertGreater(random_model.bytes_of(tensors, words), 0)
                    self.assertEqual(len(tensors), len({tensor.name for tensor, _ in tensors}))

    def test_a_dry_run_writes_nothing(self):
        with tempfile.TemporaryDirectory() as folder:
            said = run("all", "--dry-run", "--out", folder)
            self.assertEqual(os.listdir(folder), [])
        self.assertIn("256,484,928", said)
        self.assertEqual(said.count("\n"), len(shapes.FAMILIES))


class Mistakes(unittest.TestCase):
    def refused(self, *arguments):
        with self.assertRaises(SystemExit) as stopped:
            run(*arguments)
        return str(stopped.exception)

    def test_an_unknown_family_is_named_with_the_known_ones(self):
        said = self.refused("smolvlm-1b", "--dry-run")
        self.assertIn("smolvlm-1b", said)
        self.assertIn("internvl3-1b", said)

    @needs_gguf
    def test_a_full_disk_is_noticed_before_it_is_full(self):
        with tempfile.TemporaryDirectory() as folder, mock.patch("shutil.disk_usage") as usage:
            usage.return_value.free = 10 << 20
            said = self.refused("smolvlm-256m", "--out", folder)
            self.assertEqual(os.listdir(folder), [])
        self.assertIn("278.4 MB", said)
        self.assertIn("--out", said)

    @needs_gguf
    def test_a_write_that_fails_leaves_no_half_file(self):
        with tempfile.TemporaryDirectory() as folder, \
                mock.patch.object(random_model, "tensor_chunks", side_effect=OSError(28, "No space left on device")):
            said = self.refused("smolvlm-256m", "--tiny", "--out", folder)
            self.assertEqual(os.listdir(folder), [])
        self.assertIn("No space left on device", said)

    def test_the_missing_package_is_named(self):
        hidden = {name: None for name in ("gguf",)}
        with mock.patch.dict(sys.modules, hidden), mock.patch.dict(os.environ, {"SACCADE_LLAMA_SOURCE": ""}):
            self.assertIn("SACCADE_LLAMA_SOURCE", self.refused("smolvlm-256m", "--tiny"))


@needs_gguf
class Files(unittest.TestCase):
    @staticmethod
    def digests(folder):
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in pathlib.Path(folder).iterdir()}

    def test_bytes_depend_on_the_seed_only(self):
        """If this fails, two measurements of "the same" model are of two models."""
        made = []
        for seed in (1, 1, 2):
            with tempfile.TemporaryDirectory() as folder:
                run("all", "--tiny", "--seed", seed, "--out", folder)
                made.append(self.digests(folder))
        self.assertEqual(len(made[0]), 2 * len(shapes.FAMILIES))
        self.assertEqual(made[0], made[1])
        for name in made[0]:
            self.assertNotEqual(made[0][name], made[2][name])

    def test_the_file_is_as_large_as_was_said(self):
        """If this fails, the check for a full disk checks the wrong number."""
        with tempfile.TemporaryDirectory() as folder:
            for name in shapes.FAMILIES:
                said = run(name, "--tiny", "--out", folder)
                for kind, size in zip(("text", "mmproj"), (said.split()[5], said.split()[9])):
                    true = os.path.getsize(os.path.join(folder, "tiny-%s-%s.gguf" % (name, kind)))
                    self.assertAlmostEqual(true / 1e6, float(size), delta=0.08)

    def test_a_hybrid_model_says_which_layers_attend(self):
        """If this fails, llama.cpp looks for the tensors of attention in a layer that convolves."""
        with tempfile.TemporaryDirectory() as folder:
            run("lfm2-vl-450m", "--tiny", "--out", folder)
            file = GGUF.GGUFReader(os.path.join(folder, "tiny-lfm2-vl-450m-text.gguf"))
            heads = file.fields["lfm2.attention.head_count_kv"].contents()
            names = {tensor.name for tensor in file.tensors}
            del file   # it maps the file
        self.assertEqual(heads, [0, 1])
        for layer, attends in enumerate(heads):
            self.assertEqual("blk.%d.attn_k.weight" % layer in names, bool(attends))
            self.assertEqual("blk.%d.shortconv.conv.weight" % layer in names, not attends)

    def test_the_projector_file_says_what_the_model_sees_and_hears(self):
        """If this fails, libmtmd loads one encoder of two, or looks for one that is not there."""
        senses = {"qwen2.5-omni-3b": (True, True), "ultravox-0.5-1b": (False, True), "lfm2-vl-450m": (True, False)}
        for name, (sees, hears) in senses.items():
            with self.subTest(family=name), tempfile.TemporaryDirectory() as folder:
                run(name, "--tiny", "--out", folder)
                file = GGUF.GGUFReader(os.path.join(folder, "tiny-%s-mmproj.gguf" % name))
                for sense, has, first in (("vision", sees, "v."), ("audio", hears, "a.")):
                    self.assertEqual("clip.has_%s_encoder" % sense in file.fields, has)
                    self.assertEqual("clip.%s.projection_dim" % sense in file.fields, has)
                    self.assertEqual(any(tensor.name.startswith(first) for tensor in file.tensors), has)
                biases = [tensor.tensor_type.name for tensor in file.tensors if tensor.name.endswith(".bias")]
                del file
                self.assertEqual(set(biases), {"F32"})

    def test_values_have_the_wanted_width_in_every_type(self):
        """If this fails, activations vanish or overflow, and the speed of denormal numbers is measured."""
        weights = random_weights.RandomWeights(GGUF, 1)
        for kind in random_weights.BLOCKS:
            raw = np.frombuffer(b"".join(weights.chunks("x", 1 << 16, kind, 0.03)), np.uint8)
            plain = {"f32": np.float32, "f16": np.float16}.get(kind)
            values = raw.view(plain) if plain else GGUF.quants.dequantize(raw, GGUF.GGMLQuantizationType[kind.upper()])
            self.assertEqual(values.size, 1 << 16)
            self.assertAlmostEqual(float(values.std(dtype=np.float64)), 0.03, delta=0.002, msg=kind)
            self.assertAlmostEqual(float(values.mean(dtype=np.float64)), 0, delta=0.001, msg=kind)


if __name__ == "__main__":
    unittest.main()
