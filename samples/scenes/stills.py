"""Test scenes one after the other, as a clip: what a model knows, asked through a real pipeline.

    python3 samples/scenes/stills.py --first 2000000000 --count 100 --frames 1 --out build/clips

writes stills1-FIRST-COUNT.avi (Motion JPEG, 640 x 360, one picture a second) and .json in the form of
a stream's truth: every picture is another scene. With --frames 4 each scene has four pictures, oldest
first, for the watch questions, and only the last of them is to be judged: the others are `unsure`.
"""

import argparse
import os

import cv2

from avi import write_avi
from borders import watch_is_open
from draw import draw_scene
from questions import QUESTIONS, answer, canonical
from scene import SPLITS, random_scene
from timeline import WATCH, write_truth
from window import random_window

WIDTH, HEIGHT, FPS = 640, 360, 1
JPEG_SETTINGS = (cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_OPTIMIZE, 1)


def _truth(windows, frames):
    """Runs of one second; a scene's answer stands in its last second."""
    truth = {}
    for kind in WATCH if frames > 1 else [k for k in QUESTIONS if k not in WATCH]:
        intervals, unsure = [], []
        for k, window in enumerate(windows):
            start = k * frames
            intervals.append({"start": float(start), "end": float(start + frames), "answer": answer(kind, window)})
            last = start + frames - 1
            end = start + frames if frames > 1 and watch_is_open(kind, window) else last
            if end > start:
                unsure.append({"start": float(start), "end": float(end)})
        truth[kind] = {"question": canonical(kind), "grade": QUESTIONS[kind].grade, "intervals": intervals, "unsure": unsure}
        if kind in WATCH:
            truth[kind]["span"] = float(frames - 1)
    return truth


def write_stills(first, count, frames, folder):
    """-> path of the JSON file."""
    windows = [random_window(seed, frames) if frames > 1 else [random_scene(seed)] for seed in range(first, first + count)]
    pictures = [cv2.imencode(".jpg", draw_scene(scene, WIDTH, HEIGHT)[:, :, ::-1], JPEG_SETTINGS)[1].tobytes()
                for window in windows for scene in window]
    name = "stills%d-%d-%d" % (frames, first, count)
    os.makedirs(folder, exist_ok=True)
    write_avi(os.path.join(folder, name + ".avi"), pictures, FPS, WIDTH, HEIGHT)
    truth = {"file": name + ".avi", "preset": "stills", "seed": first, "fps": FPS, "frames": count * frames,
             "duration": count * frames, "width": WIDTH, "height": HEIGHT, "camera": "static", "disturbances": [], "sounds": [],
             "events": [], "frames_a_scene": frames, "questions": _truth(windows, frames)}
    return write_truth(os.path.join(folder, name + ".json"), truth)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--first", type=int, default=SPLITS["test"].start)
    arguments.add_argument("--count", type=int, default=100)
    arguments.add_argument("--frames", type=int, choices=(1, 2, 3, 4), default=1)
    arguments.add_argument("--out", default="build/clips")
    options = arguments.parse_args()
    if options.first in SPLITS["train"] or options.count < 1:
        arguments.error("--first must be a validation or test seed, from %d on, and --count at least 1" % SPLITS["validation"].start)
    print(write_stills(options.first, options.count, options.frames, options.out))


if __name__ == "__main__":
    main()
