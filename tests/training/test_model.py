"""Training's shortcuts are exact: packed questions and pruned tokens give what a plain decoder gives."""

import unittest

import street  # noqa: F401
from questions import vocabulary_texts
from scene import SPLITS
from tokenizer import Tokenizer

try:
    import torch
except ImportError:
    torch = None


@unittest.skipIf(torch is None, "PyTorch is not installed (Debian: python3-torch); it is needed only to train.")
class Packing(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        from model import Config, EdgeModel
        from samples import CLASSES
        torch.manual_seed(3)
        cls.tokenizer = Tokenizer.learn(vocabulary_texts())
        cls.model = EdgeModel(Config(vocab=len(cls.tokenizer.tokens), labels=len(CLASSES), vision_layers=1, text_layers=2)).eval()
        for p in cls.model.parameters():   # larger than at the start, so that mistakes show
            if p.dim() > 1:
                torch.nn.init.normal_(p, std=0.08)

    def states(self, **how):
        from samples import make_batch
        from train import run
        batch = make_batch(self.tokenizer, [SPLITS["test"].start], plain=True, **how)
        with torch.no_grad():
            return run(self.model, batch)[0]

    def test_packed_is_as_if_asked_alone(self):
        """If this fails, a question sees its neighbours, and training differs from use."""
        for tiled in (False, True):
            alone = torch.cat([self.states(kinds=[k], tiled=tiled) for k in ("light", "people", "safe")])
            packed = self.states(kinds=["light", "people", "safe"], tiled=tiled)
            self.assertLess((alone - packed).abs().max().item(), 1e-3)

    def test_a_dropped_token_is_really_gone(self):
        """If this fails, pruning in training hides nothing, or shifts positions."""
        from samples import make_batch, prefix
        from train import attention_mask
        batch = make_batch(self.tokenizer, [SPLITS["test"].start], plain=True, prune=True, kinds=["light"])
        dropped = ~batch.keep[0]
        self.assertTrue(dropped.any(), "this seed drops nothing: choose another")
        with torch.no_grad():
            masked, _ = self.model(torch.from_numpy(batch.images), torch.from_numpy(batch.ids), batch.slots,
                                   torch.from_numpy(batch.positions), attention_mask(batch.block, batch.keep))
            _, tokens = self.model.vision(torch.from_numpy(batch.images))
            x = self.model.text.embed(torch.from_numpy(batch.ids))
            x[:, batch.slots[0]] = tokens
            x = x[:, torch.from_numpy(batch.keep[0])]
            n = x.shape[1]
            short = self.model.text(x, torch.arange(n)[None], torch.full((n, n), -1e4).triu(1)[None, None])
        self.assertEqual(len(prefix(self.tokenizer, False)[1]), 1)
        self.assertLess((masked[0, torch.from_numpy(batch.keep[0])] - short[0]).abs().max().item(), 1e-3)


if __name__ == "__main__":
    unittest.main()
