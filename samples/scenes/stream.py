"""Renders a stream of the street with its sound, and the truth about it.

    python3 samples/scenes/stream.py --preset street --seed 2000000100 --seconds 60 --out build/clips

writes NAME.avi (Motion JPEG, 640 x 360, 10 frames a second, 16 kHz mono sound) and NAME.json
(timeline.py says what is in it), NAME = PRESET-SEED-SECONDSs. The same arguments give the same bytes.
"""

import argparse
import os

import cv2
import numpy as np

from avi import write_avi
from draw import draw_scene
from scene import SPLITS
from script import ASPECT, PRESETS, Script
from sound_track import car_pass, light_beeps, random_events, track
from timeline import events_of, questions_over, write_truth

FPS, WIDTH, HEIGHT = 10, 640, 360
SHORTEST, LONGEST = 10, 600   # seconds
JPEG_SETTINGS = (cv2.IMWRITE_JPEG_QUALITY, 80, cv2.IMWRITE_JPEG_OPTIMIZE, 1)


def split_of(seed):
    return next((name for name, seeds in SPLITS.items() if seed in seeds), None)


def _car_sounds(path, seconds):
    """One swelling sound for every stretch that the car drives; a waiting car is not heard."""
    stretches = zip(path.times, path.times[1:], path.values, path.values[1:])
    for start, end, a, b in stretches:
        if a != b and start < seconds - 0.5 and end > start:
            nearest = float(np.clip((ASPECT / 2 - a) / (b - a), 0.0, 1.0))
            yield car_pass(start, end, start + nearest * (end - start))


def sounds_of(script, seed, seconds):
    """Cars are heard while they drive, and the light beeps; the rest is chance. -> events, samples."""
    rng = np.random.default_rng((seed, 16))
    events = [e for *_, path in script.cars for e in _car_sounds(path, seconds)]
    if script.light_x and not script.calm:
        events += light_beeps(script.states, seconds)
    if not script.calm:
        events += random_events(rng, seconds, ("siren", "horn", "speech"))
    events.sort(key=lambda e: (e["start"], e["label"]))
    return events, track(rng, seconds, events)


def write_stream(preset, seed, seconds, folder):
    """-> path of the JSON file."""
    name = "%s-%d-%ds" % (preset, seed, seconds)
    script, count = Script(preset, seed, seconds), round(seconds * FPS)
    scenes = [script.scene_at(k / FPS) for k in range(count)]
    frames = (cv2.imencode(".jpg", draw_scene(s, WIDTH, HEIGHT)[:, :, ::-1], JPEG_SETTINGS)[1].tobytes() for s in scenes)
    events, samples = sounds_of(script, seed, seconds)
    os.makedirs(folder, exist_ok=True)
    write_avi(os.path.join(folder, name + ".avi"), frames, FPS, WIDTH, HEIGHT, audio=samples)
    questions = questions_over(scenes, FPS)
    truth = {"file": name + ".avi", "preset": preset, "seed": seed, "split": split_of(seed), "fps": FPS, "frames": count,
             "duration": seconds, "width": WIDTH, "height": HEIGHT, "camera": PRESETS[preset].camera,
             "disturbances": [{"start": round(d.start, 3), "end": round(d.end, 3), "kind": d.kind} for d in script.disturbances],
             "sounds": events, "events": events_of(questions), "questions": questions}
    return write_truth(os.path.join(folder, name + ".json"), truth)


def main():
    arguments = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="presets:\n" + "\n".join("  %-10s %s" % (name, p.about) for name, p in PRESETS.items()))
    arguments.add_argument("--preset", choices=sorted(PRESETS), default="street")
    arguments.add_argument("--seed", type=int, default=SPLITS["test"].start + 100)
    arguments.add_argument("--seconds", type=int, default=60)
    arguments.add_argument("--out", default="build/clips")
    options = arguments.parse_args()
    if split_of(options.seed) in (None, "train"):
        arguments.error("--seed must be a validation or test seed, that is from %d or %d on: the models were trained on the others"
                        % (SPLITS["validation"].start, SPLITS["test"].start))
    if not SHORTEST <= options.seconds <= LONGEST:
        arguments.error("--seconds must be from %d to %d" % (SHORTEST, LONGEST))
    print(write_stream(options.preset, options.seed, options.seconds, options.out))


if __name__ == "__main__":
    main()
