#!/usr/bin/python3
"""Draws docs/images/street.jpg: the kinds of streams that samples/scenes/stream.py renders, one a row, six moments each."""

import os
import sys

import cv2
import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "samples", "scenes"))

from draw import draw_scene  # noqa: E402
from scene import SPLITS  # noqa: E402
from script import PRESETS, Script  # noqa: E402

SEED, SECONDS, MOMENTS, SIZE = SPLITS["test"].start + 100, 60, 6, (240, 135)


def row(preset):
    script = Script(preset, SEED, SECONDS)
    pictures = [draw_scene(script.scene_at(SECONDS * (k + 0.5) / MOMENTS), *SIZE) for k in range(MOMENTS)]
    label = np.full((SIZE[1], 96, 3), 255, np.uint8)
    cv2.putText(label, preset, (6, SIZE[1] // 2), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (40, 40, 40), 1, cv2.LINE_AA)
    return np.hstack([label] + pictures)


def main():
    sheet = np.vstack([row(preset) for preset in PRESETS])
    cv2.imwrite(os.path.join(HERE, "street.jpg"), sheet[:, :, ::-1], (cv2.IMWRITE_JPEG_QUALITY, 85))


if __name__ == "__main__":
    main()
