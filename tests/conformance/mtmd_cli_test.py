"""The shipped pair in stock llama-mtmd-cli and in localmllm detail=tiles: the same greedy answers.

    mtmd_cli_test.py LLAMA_MTMD_CLI

If it fails, the files are not what other users of llama.cpp expect, or our prompt differs from theirs.
"""

import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(PROJECT / "samples/scenes"))

import cv2  # noqa: E402  (from the distribution, as the renderer's other needs)
from draw import draw_scene  # noqa: E402
from questions import canonical  # noqa: E402
from scene import SPLITS, random_scene  # noqa: E402

MODELS = Path(os.environ.get("SACCADE_MODELS", PROJECT / "samples/models"))
TEXT, MMPROJ = MODELS / "saccade-edge-text.gguf", MODELS / "saccade-edge-mmproj.gguf"
# Wide, standard and upright pictures; seeds of the test split.
PICTURES = ((0, 640, 360), (1, 320, 240), (2, 240, 320), (3, 854, 480))
KINDS = ("light", "people", "car_colour", "path", "day")
CLI = None


def run(command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        raise AssertionError(f"{command[0]} exited {done.returncode}:\n{done.stderr[-2000:]}")
    return done.stdout


def stock_answer(picture, question):
    # The program writes through a log thread and now and then ends before that thread has written all, on a busy
    # machine mostly so. Greedy answers do not change, so each output is a beginning of the same text, and the
    # longest is the whole one; three empty lines at its end say so for certain.
    longest = ""
    for _ in range(12):
        said = run([CLI, "-m", TEXT, "--mmproj", MMPROJ, "--image", picture, "-p", question,
                    "--temp", "0", "-n", "16", "-t", "1"])
        longest = max(longest, said, key=len)
        if said.endswith("\n\n\n"):
            break
    if not longest.strip():
        raise AssertionError(f"{CLI} said nothing, twelve times")
    return longest.strip()


def our_answer(picture, question):
    out = run(["gst-launch-1.0", "-q", "filesrc", f"location={picture}", "!", "pngdec", "!", "videoconvert", "!",
               "localmllm", f"model={TEXT}", f"mmproj={MMPROJ}", "detail=tiles", "max-tokens=16",
               f'prompt="{question}"', "!", "application/x-json", "!", "fdsink"])
    return json.loads(out)["text"]


class StockLlamaCpp(unittest.TestCase):
    def test_same_greedy_answers(self):
        with tempfile.TemporaryDirectory() as folder:
            for number, width, height in PICTURES:
                picture = f"{folder}/{number}.png"
                scene = random_scene(SPLITS["test"].start + number)
                cv2.imwrite(picture, cv2.cvtColor(draw_scene(scene, width, height), cv2.COLOR_RGB2BGR))
                for kind in KINDS:
                    question = canonical(kind)
                    with self.subTest(picture=number, question=question):
                        self.assertEqual(our_answer(picture, question), stock_answer(picture, question))


if __name__ == "__main__":
    CLI = sys.argv.pop(1)
    unittest.main()
