"""Lets the tests import samples/scenes and samples/training."""

import os
import sys

SAMPLES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "samples")
for folder in ("scenes", "training"):
    sys.path.insert(0, os.path.join(SAMPLES, folder))
