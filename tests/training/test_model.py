"""Training's shortcuts are exact: packed questions and pruned tokens give what a plain decoder gives."""

import unittest

import numpy as np

import street  # noqa: F401
from questions import vocabulary_texts
from scene import SPLITS
from tokenizer import Tokenizer

try:
    import torch
except ImportError:
    torch = None

SEED = SPLITS["test"].start


@unittest.skipIf(torch is None, "PyTorch is not installed (Debian: python3-torch); it is needed only to train.")
class Packing(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        from model import Config, StreetModel
        from samples import CLASSES, Shape
        torch.manual_seed(3)
        cls.tokenizer = Tokenizer.learn(vocabulary_texts())
        cls.model = StreetModel(Config(vocab=len(cls.tokenizer.tokens), labels=len(CLASSES), vision_layers=1, text_layers=2)).eval()
        cls.shape = Shape(cls.model.c)
        for p in cls.model.parameters():   # larger than at the start, so that mistakes show
            if p.dim() > 1:
                torch.nn.init.normal_(p, std=0.08)

    def batch(self, frames=1, thin=None, **how):
        from samples import ask, make_pictures
        pictures = make_pictures(self.shape, [SEED], frames, thin, plain=True)
        return pictures, ask(np.random.default_rng(1), self.tokenizer, pictures.windows, thin or self.shape.tokens, plain=True, **how)

    def read(self, pictures, asked):
        from judge import encode, read
        with torch.no_grad():
            return read(self.model, encode(self.model, pictures), asked)[0]

    def states(self, **how):
        return self.read(*self.batch(**how))

    def plain(self, ids, picture, images):
        """States of one prompt without packing, masks or positions of its own."""
        n = len(ids)
        with torch.no_grad():
            return self.model(torch.from_numpy(images), torch.tensor([ids]), torch.tensor([picture]), torch.arange(n)[None],
                              torch.full((n, n), -1e4).triu(1)[None, None])[0][0]

    def test_packed_is_as_if_asked_alone(self):
        """If this fails, a question sees its neighbours, and training differs from use."""
        kinds = ["light", "people", "safe"]
        for how in ({}, {"tiled": True}, {"frames": 3}, {"layout": "before"}, {"frames": 2, "layout": "before"}):
            alone = torch.cat([self.states(kinds=[k], **how) for k in kinds])
            self.assertLess((alone - self.states(kinds=kinds, **how)).abs().max().item(), 1e-3, how)

    def test_both_layouts_are_the_prompts_they_claim(self):
        """If this fails, the model learns a prompt that nobody will send."""
        from samples import QUESTIONS
        question = QUESTIONS["light"].wordings[0]
        one = "\n\n<fake_token_around_image><global-img>" + "@" * self.shape.tokens + "<fake_token_around_image>"
        for frames in (1, 2):
            for layout, wanted in (("after", one * frames + question), ("before", question + one * frames)):
                batch = self.batch(kinds=["light"], frames=frames, layout=layout)[1]
                last = int(batch.spans[0][1])
                said = "".join("@" if at >= 0 else self.tokenizer.tokens[k] if self.tokenizer.tokens[k].startswith("<")
                               else self.tokenizer.decode([k]) for k, at in zip(batch.ids[0, :last + 1], batch.picture[0]))
                self.assertEqual(said, "<|im_start|>User: " + wanted + "<end_of_utterance>\nAssistant:")

    def test_pictures_stand_in_order(self):
        """If this fails, the model cannot know which picture came first."""
        picture = self.batch(kinds=["light_changed", "more_people"], frames=4)[1].picture[0]
        self.assertEqual([int(k) for k in picture if k >= 0], list(range(4 * self.shape.tokens)))

    def test_what_is_left_out_is_really_gone(self):
        """If this fails, a thin picture hides nothing, or its tokens stand for other places."""
        pictures, asked = self.batch(thin=30, kinds=["light"])
        self.assertEqual(pictures.chosen.shape, (1, 1, 30))
        before = self.read(pictures, asked)
        gone = sorted(set(range(self.shape.tokens)) - set(pictures.chosen[0, 0]))
        pixels = self.shape.patch * self.shape.shuffle
        side = self.shape.patches // self.shape.shuffle
        for token in gone:
            y, x = token // side * pixels, token % side * pixels
            pictures.images[0, 0, y:y + pixels, x:x + pixels] = 255 - pictures.images[0, 0, y:y + pixels, x:x + pixels]
        self.assertTrue(torch.equal(self.read(pictures, asked), before))
        token = int(pictures.chosen[0, 0, 3])
        pictures.images[0, 0, token // side * pixels, token % side * pixels] ^= 255
        self.assertFalse(torch.equal(self.read(pictures, asked), before))

    def test_a_reading_lesson_shows_all_small_print(self):
        """If this fails, the model is asked for a word that it is not shown."""
        from labels import CLASSES, patch_labels
        from samples import make_pictures, patches_of, small_print
        from scene import random_scene
        seeds = range(SEED, SEED + 12)
        pictures = make_pictures(self.shape, seeds, thin=9, reading=True)
        print_classes = [k for k, name in enumerate(CLASSES) if small_print(name)]
        whole = np.array([patch_labels(random_scene(s), self.shape.patches)[:, :, print_classes].sum() for s in seeds])
        shown = pictures.labels[:, :, print_classes].reshape(len(pictures.labels), -1).sum(1)
        self.assertTrue(set(shown) <= set(whole))
        self.assertEqual(pictures.labels.shape[1], 9 * patches_of(self.shape.patches, self.shape.shuffle).shape[1])

    def test_all_tokens_chosen_is_the_whole_picture(self):
        """If this fails, training on thin pictures teaches another encoder."""
        images = torch.from_numpy(self.batch(kinds=["light"])[0].images)[0]
        vision = self.model.vision
        with torch.no_grad():
            whole, listed = vision(images), vision(images, torch.arange(self.shape.tokens)[None])
            rows = vision.features(images)   # row by row
            side, s = self.shape.patches, self.shape.shuffle
            by_token = rows.view(side // s, s, side // s, s, -1).permute(0, 2, 1, 3, 4)
            self.assertLess((whole - listed).abs().max().item(), 1e-5)
            self.assertLess((by_token.reshape(whole.shape[1:]) - whole[0]).abs().max().item(), 1e-4)


@unittest.skipIf(torch is None, "PyTorch is not installed (Debian: python3-torch); it is needed only to train.")
class Inheritance(unittest.TestCase):
    def test_what_has_a_name_is_taken_over_by_name(self):
        """If this fails, the cloud model starts from shuffled words."""
        from inherit import inherit
        from model import PRESETS, Config, StreetModel
        small = {"vision_layers": 1, "text_layers": 1}
        parent = StreetModel(Config(vocab=3, labels=2, **small))
        state = {"average": parent.state_dict(), "tokens": ["a", "b", "c"], "labels": ["car", "bin"]}
        child = StreetModel(Config(vocab=4, labels=3, **small, **PRESETS["cloud"]))
        inherit(child, state, ["c", "new", "a", "b"], ["bin", "cone", "car"])
        self.assertTrue(torch.equal(child.text.embed.weight[2], parent.text.embed.weight[0]))
        self.assertTrue(torch.equal(child.vision.label_head.weight[0], parent.vision.label_head.weight[1]))
        self.assertTrue(torch.equal(child.text.layers[0].qkv.weight, parent.text.layers[0].qkv.weight))

    def test_a_flat_picture_gives_the_same_tokens(self):
        """Four equal patches where one lay before must project to the same token."""
        from inherit import _projection
        theirs = torch.randn(5, 4 * 6)
        coarse = torch.randn(2, 2, 6)
        fine = coarse.repeat_interleave(2, 0).repeat_interleave(2, 1)
        self.assertLess((_projection(theirs, 6, 4) @ fine.reshape(-1) - theirs @ coarse.reshape(-1)).abs().max().item(), 1e-4)


@unittest.skipIf(torch is None, "PyTorch is not installed (Debian: python3-torch); it is needed only to train.")
class Training(unittest.TestCase):
    def test_fast_gelu_is_gelu(self):
        """If this fails, the exported model computes something else than what was trained."""
        from model import Gelu
        x = torch.linspace(-6, 6, 400, dtype=torch.float64, requires_grad=True)
        y = torch.linspace(-6, 6, 400, dtype=torch.float64, requires_grad=True)
        ours, theirs = Gelu.apply(x), torch.nn.functional.gelu(y, approximate="tanh")
        self.assertLess((ours - theirs).abs().max().item(), 1e-7)
        ours.sum().backward()
        theirs.sum().backward()
        self.assertLess((x.grad - y.grad).abs().max().item(), 1e-7)

    def test_training_uses_training_seeds_only(self):
        """If this fails, accuracy is measured on what was trained on."""
        import argparse
        import train
        seen = []
        options = argparse.Namespace(practice=0.3, practice_minutes=0, replay=0.5, reading=0.3)
        course = train.Course(None, argparse.Namespace(patches=12, shuffle=2), options)

        def record(seeds):
            seen.append(seeds)
            return argparse.Namespace(windows=[[None]], labels=np.zeros((1, 4, 1)))

        kept = train.make_pictures, train.make_practice, train.ask
        train.make_pictures, train.make_practice = lambda shape, seeds, *a, **k: record(seeds), lambda t, shape, seeds, *a: record(seeds)
        train.ask = lambda *a, **k: None
        try:
            for step in list(range(50)) + [1_000_000, 20_000_000]:
                for rank in (0, 1):
                    course.step(step, 0.0, rank, 2)
        finally:
            train.make_pictures, train.make_practice, train.ask = kept
        self.assertTrue(all(seeds.start in SPLITS["train"] and seeds[-1] in SPLITS["train"] for seeds in seen))
        used = [s for seeds in seen for s in seeds]
        self.assertEqual(len(used), len(set(used)), "a seed is used twice")


if __name__ == "__main__":
    unittest.main()
